"""Sentences about single test images."""

from __future__ import annotations

from mnist_core.evaluation.label_errors import LabelError


def known_error_words(error: LabelError) -> str:
    """Return what reviewers saw on a test image, as a sentence."""
    start = f"Known label error: the label says {error.given}, "
    if error.corrected is not None:
        return f"{start}most reviewers saw a {error.corrected}."
    if error.likely:
        return f"{start}and as many reviewers saw a {error.likely[0]} as a {error.likely[1]}."
    return f"{start}and most reviewers saw neither that digit nor the one proposed instead."
