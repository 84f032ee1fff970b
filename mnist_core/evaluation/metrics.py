"""Metrics of predictions. Every function takes labels and probabilities, never a model.

`labels` is an integer array of shape (n,), 0 to K − 1; `probabilities` a float array of shape (n, K) whose rows sum
to 1.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]

ALPHA = 0.05
"""Probability of calling equal models different. `comparison.decide` decides by it, on every comparison."""

LEVEL = 1 - ALPHA
"""The level of an interval that stands alone."""

# The least that float32 can tell from 0. Keras takes the loss from the logits behind a softmax and does not clip it.
SMALLEST = float(np.finfo(np.float32).tiny)


def image_losses(labels: IntArray, probabilities: FloatArray) -> NDArray[np.float64]:
    """Return cross-entropy of each image, in nats, shape (n,): −log of the probability given to the true class."""
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(given, SMALLEST))


def confidence(probabilities: FloatArray) -> FloatArray:
    """Return the probability of the predicted class of each image, shape (n,)."""
    sure: FloatArray = probabilities.max(axis=1)
    return sure


def expected_calibration_error(labels: IntArray, probabilities: FloatArray, bins: int = 15) -> float:
    """Return ECE = Σ_m |B_m|/n · |accuracy(B_m) − confidence(B_m)| over equal-width bins (Guo et al. 2017), 0 to 1."""
    sure = confidence(probabilities).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    index = np.clip(np.digitize(sure, np.linspace(0.0, 1.0, bins + 1), right=True) - 1, 0, bins - 1)
    gap = np.bincount(index, weights=correct, minlength=bins) - np.bincount(index, weights=sure, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


class LossSplit(NamedTuple):
    """Mean cross-entropy, as the parts that correct and wrong images contribute."""

    correct: float
    wrong: float


def split_loss(labels: IntArray, probabilities: FloatArray) -> LossSplit:
    """Return the mean cross-entropy split by whether the image is classified correctly; the two add up to the mean."""
    losses = image_losses(labels, probabilities)
    correct = probabilities.argmax(axis=1) == labels
    return LossSplit(float(losses[correct].sum() / len(labels)), float(losses[~correct].sum() / len(labels)))


def confusion_matrix(labels: IntArray, predicted: IntArray, classes: int) -> NDArray[np.int64]:
    """Return counts, shape (classes, classes): row = true class, column = predicted class."""
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


class ClassScores(NamedTuple):
    """Scores by class, each of shape (K,); `support` counts true images. A score without images is NaN."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    @property
    def macro_f1(self) -> float:
        """Unweighted mean F1 over the classes that occur."""
        return float(np.nanmean(self.f1))


def class_scores(matrix: NDArray[np.int64]) -> ClassScores:
    """Return precision, recall and F1 by class from a confusion matrix of shape (K, K)."""
    hits = np.diag(matrix).astype(np.float64)
    support, guessed = matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(guessed > 0, hits / guessed, np.where(support > 0, 0.0, np.nan))
        recall = hits / np.where(support > 0, support, np.nan)
        f1 = 2 * hits / np.where(support > 0, support + guessed, np.nan)
    return ClassScores(precision, recall, f1, support)


class Scores(NamedTuple):
    """Metrics of one set of predictions; loss, ece and mean_confidence are None if there are no probabilities."""

    images: int
    errors: int
    accuracy: float
    loss: float | None
    macro_f1: float
    ece: float | None
    mean_confidence: float | None


def scores(labels: IntArray, probabilities: FloatArray) -> Scores:
    """Return accuracy, mean cross-entropy (nats), macro F1, ECE and mean confidence of one set of predictions."""
    predicted = probabilities.argmax(axis=1)
    errors = int((predicted != labels).sum())
    return Scores(
        images=len(labels),
        errors=errors,
        accuracy=1.0 - errors / len(labels),
        loss=float(image_losses(labels, probabilities).mean()),
        macro_f1=class_scores(confusion_matrix(labels, predicted, probabilities.shape[1])).macro_f1,
        ece=expected_calibration_error(labels, probabilities),
        mean_confidence=float(confidence(probabilities).mean()),
    )


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def accuracy_interval(correct: int, images: int, level: float = LEVEL) -> Interval:
    """Return Wilson's interval (1927) for an accuracy of `correct` out of `images`, without continuity correction.

    With p = correct/images and the normal quantile z: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n).
    """
    z, p = NormalDist().inv_cdf((1 + level) / 2), correct / images
    centre, scale = p + z * z / (2 * images), 1 + z * z / images
    half = z * math.sqrt(p * (1 - p) / images + z * z / (4 * images * images))
    # at the ends, rounding must not leave the interval a hair outside 0 to 1
    low = 0.0 if correct == 0 else (centre - half) / scale
    high = 1.0 if correct == images else (centre + half) / scale
    return Interval(low, high)
