"""A sentence on how often a test set has been used."""

from __future__ import annotations

from mnist_core.runs.test_set_uses import Uses
from mnist_core.text import data_name


def uses_words(uses: Uses, dataset: str) -> str:
    """Return how many comparisons the test images of `dataset` have seen in this store; empty if none is known."""
    parts = []
    if uses.comparisons:
        parts.append(f"{uses.comparisons:,} comparison{'' if uses.comparisons == 1 else 's'} of two runs")
    if uses.reveals:
        parts.append(f"{uses.reveals:,} look{'' if uses.reveals == 1 else 's'} at what a study had passed over")
    if not parts:
        return ""
    return (
        f"The test images of {data_name(dataset)} have served {' and '.join(parts)} in this store so far; "
        "the more often, the likelier a result is to be luck."
    )
