"""Comparisons on many exams in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mnist_core.comparison.decide import ALPHA
from mnist_core.comparison.exams import ExamVerdict


def count_words(items: Sequence[ExamVerdict], run: str, base: str) -> str:
    """Return on how many exams a run is better or worse than the baseline, in a sentence."""
    counts = Counter(item.accuracy.answer for item in items)
    parts = [f"better on {counts['better']}", f"worse on {counts['worse']}"]
    if counts["equivalent"]:
        parts.append(f"equivalent on {counts['equivalent']}")
    if counts["undecided"]:
        parts.append(f"too close to call on {counts['undecided']}")
    return f"{run} against {base}, on {len(items)} exams: {', '.join(parts)}."


def corrected_words(comparisons: int) -> str:
    """Return what was corrected for how many comparisons, in a sentence."""
    return (
        f"All {comparisons} comparisons are decided together (Holm's method): if no two runs differed on any exam, "
        f"one or more would be called different in {100 * ALPHA:.0f} of 100 such tables."
    )


def robust_words(run: str | None, names: Mapping[str, str]) -> str:
    """Return which of the runs is the most robust, in a sentence."""
    if run is None:
        return "None of these is the most robust: that is a run better on some exams, and shown to be worse on none."
    return f"{names[run]} is the most robust of these: better on some exams, and shown to be worse on none."
