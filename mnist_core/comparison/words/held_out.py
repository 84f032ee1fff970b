"""Held-out against test accuracy, in a sentence."""

from __future__ import annotations

from mnist_core.comparison.decide import STRICT_LEVEL
from mnist_core.comparison.held_out import HeldOutGap
from mnist_core.comparison.words.numbers import rarity_words


def gap_words(item: HeldOutGap, name: str) -> str:
    """Return how far a run's two accuracies are apart, and what may be behind it."""
    points = 100 * (item.held_out - item.test)
    figures = (
        f"{name} has {100 * item.held_out:.2f} % of {item.held_out_images:,} held-out images right and "
        f"{100 * item.test:.2f} % of {item.test_images:,} test images, {abs(points):.2f} points "
        f"{'fewer' if points > 0 else 'more'}; a gap this large comes by chance {rarity_words(STRICT_LEVEL)}"
    )
    if points > 0:
        return (
            f"{figures}: held-out images may be copies of training images, its epoch or settings may have been chosen "
            "by them, or the test images are harder."
        )
    return f"{figures}: test images may be copies of training images, or they are easier."
