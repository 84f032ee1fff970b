"""Sentences about the images on which two runs disagree."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.comparison.disagreements import ClassChange, ConfusionChange, Counts
from mnist_core.comparison.words.numbers import listed, p_words, points_words


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


def confusion_change_words(changes: Sequence[ConfusionChange], second: str) -> str:
    """Return which confusions B makes more or less often than A by more than chance, in one sentence or two.

    Parameters
    ----------
    changes
        from A to B, as `mnist_core.comparison.disagreements.confusion_changes` gives them.
    second
        how to call B.
    """
    if not changes:
        return "Both make the same errors on the same images."
    total = changes[0].decision.comparisons
    shown = [change for change in changes if change.decision.differs]
    if not shown:
        return (
            f"No single confusion changed by more than chance. The clearest change: {_change(changes[0], second)} "
            f"({p_words(changes[0].decision.p_adjusted, total)})."
        )
    rest = "The other changes may be chance." if len(changes) > len(shown) else ""
    parts = [f"{_change(change, second)} ({p_words(change.decision.p_adjusted)})" for change in shown]
    return f"More than chance, adjusted for {total} confusions: {listed(parts)}. {rest}".rstrip()


def class_change_words(changes: Sequence[ClassChange], first: str, second: str) -> str:
    """Return on which digits one of A and B is better by more than chance, in one sentence or two.

    Parameters
    ----------
    changes
        from A to B, as `mnist_core.comparison.disagreements.class_changes` gives them.
    first, second
        how to call A and B.
    """
    shown = [change for change in changes if change.decision.differs]
    if not shown:
        return f"On none of the {len(changes)} digits is one of them better by more than chance."
    parts = []
    for name, answer in ((second, "better"), (first, "worse")):
        mine = [change for change in shown if change.decision.answer == answer]
        digits = [
            f"{change.true} (by {points_words(change.decision if answer == 'better' else change.decision.negated())})"
            for change in mine
        ]
        if digits:
            parts.append(f"{name} is better on the digit{'s' if len(digits) > 1 else ''} {listed(digits)}")
    rest = "On the other digits the difference may be chance." if len(shown) < len(changes) else ""
    adjusted = f", adjusted for {len(changes)} digits" if len(changes) > 1 else ""
    return f"More than chance{adjusted}: {'; '.join(parts)}. {rest}".rstrip()


def _change(change: ConfusionChange, second: str) -> str:
    times = abs(change.difference)
    if not times:
        return f"{second} takes a {change.true} for a {change.guess} as often, but on other images"
    more = "more" if change.difference > 0 else "less"
    return f"{second} takes a {change.true} for a {change.guess} {_times(times)} {more} often"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
