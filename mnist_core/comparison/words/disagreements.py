"""Where two runs disagree, in sentences."""

from __future__ import annotations

from mnist_core.comparison.disagreements import Counts


def disagreement_words(found: Counts, first: str, second: str) -> str:
    """Return on how many images two runs disagree, and who is right there, in one sentence or two.

    Parameters
    ----------
    found
        of A and B.
    first, second
        how to call A and B.
    """
    if not found.disagreements:
        return f"They guess the same on all {found.images:,} images."
    text = f"They disagree on {found.disagreements:,} of {found.images:,} images; "
    if found.only_a == found.only_b:
        if not found.only_a:
            return text + "both are wrong on all of these, with different guesses."
        return text + f"where only one is right, it is each of them equally often, {_times(found.only_a)}."
    more, less = (first, second) if found.only_a > found.only_b else (second, first)
    most, least = max(found.only_a, found.only_b), min(found.only_a, found.only_b)
    if not least:
        return text + f"where only one is right, it is always {more}, {_times(most)}."
    return text + f"where only one is right, it is {more} {_times(most)} and {less} {_times(least)}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
