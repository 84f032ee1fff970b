"""Calibration: how far a network's confidence matches its accuracy, before and after temperature scaling.

Everything takes labels and probabilities as `mnist_core.evaluation.metrics` does; SciPy is imported where it is used.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.evaluation.metrics import (
    SMALLEST,
    FloatArray,
    IntArray,
    Interval,
    Scores,
    accuracy_interval,
    confidence,
    image_losses,
    scores,
)

BINS = 15
"""As many as Guo et al. (2017) use."""
COLDEST, HOTTEST = 0.02, 50.0
"""Between these a temperature is looked for; beyond, probabilities are all but 0 and 1, or all alike."""


class ReliabilityBin(NamedTuple):
    """The images whose confidence is from `low` to `high`: how many `images`, how sure on average, and how often right.

    interval: Wilson's 95 % interval of the accuracy.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float
    interval: Interval


def reliability(
    labels: IntArray, probabilities: FloatArray, *, bins: int = BINS, equal_counts: bool = True
) -> list[ReliabilityBin]:
    """Return the images binned by the confidence of the guess, least sure first; bins without images are left out.

    Parameters
    ----------
    labels, probabilities
        of n images.
    bins
        how many, at most.
    equal_counts
        edges at the quantiles of the confidence; else of equal width between 0 and 1, as the ECE has them. A network
        that is right 98 times in 100 is nearly always sure, so that equal widths put nearly all images into one bin.
        Images of the very same confidence stay together, so that counts may differ.
    """
    sure = confidence(probabilities).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, bins + 1))) if equal_counts else np.linspace(0, 1, bins + 1)
    index = np.digitize(sure, edges[1:-1], right=True)
    found = []
    for number in np.unique(index):
        here = index == number
        count, hits = int(here.sum()), int(right[here].sum())
        low, high = (sure[here].min(), sure[here].max()) if equal_counts else (edges[number], edges[number + 1])
        found.append(
            ReliabilityBin(
                float(low), float(high), count, float(sure[here].mean()), hits / count, accuracy_interval(hits, count)
            )
        )
    return found


def with_temperature(probabilities: FloatArray, temperature: float) -> NDArray[np.float64]:
    """Return softmax(log p / T), shape (n, K): T > 1 makes every guess less sure, T < 1 surer; the guesses stay.

    The logarithm of a probability is the logit but for a constant, which softmax does not feel (Guo et al. 2017).
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    tempered: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return tempered


def tempered_scores(labels: IntArray, probabilities: FloatArray, temperature: float) -> Scores:
    """Return the scores of the predictions at this temperature; the accuracy is that of T = 1."""
    return scores(labels, with_temperature(probabilities, temperature))


def loss_at(labels: IntArray, probabilities: FloatArray, temperature: float) -> float:
    """Return the mean cross-entropy at this temperature, in nats."""
    return float(image_losses(labels, with_temperature(probabilities, temperature)).mean())


def fit_temperature(labels: IntArray, probabilities: FloatArray) -> float:
    """Return the temperature with the lowest mean cross-entropy on these images; evaluate it on other images.

    The loss is convex in 1/T and so has one minimum, which Brent's bounded method finds on log T. If every prediction
    is right there is no minimum: the lower T, the lower the loss; then the lower bound is returned.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: loss_at(labels, probabilities, math.exp(log_t)),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return math.exp(float(found.x))
