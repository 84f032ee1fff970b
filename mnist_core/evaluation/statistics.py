"""Is a difference real? Paired statistics of two trained models on one test set, and of two recipes over their seeds.

Everything takes predictions or plain numbers, never a run. Differences are "the run minus the baseline" throughout:
a positive difference in accuracy, and a negative one in loss, speak for the run. SciPy's distribution functions are
imported where they are used; `scipy.special` alone, as `scipy.stats` takes three times as long to import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mnist_core.errors import ComparisonError
from mnist_core.evaluation.metrics import Interval, image_losses
from mnist_core.evaluation.predictions import Predictions

LEVEL = 0.95
FEWEST_SEEDS = 3
"""Seeds a side below which the spread between seeds is not known well enough to compare two recipes."""


class Agreement(NamedTuple):
    """On how many images a run and its baseline are right: McNemar's 2×2 table."""

    both_right: int
    only_baseline: int
    only_run: int
    both_wrong: int

    @property
    def images(self) -> int:
        """All of them."""
        return sum(self)

    @property
    def split(self) -> int:
        """Images on which exactly one of the two is right: these alone decide which is better."""
        return self.only_baseline + self.only_run


class Difference(NamedTuple):
    """A difference, its 95 % interval, and the p value of there being none."""

    value: float
    interval: Interval
    p: float


def check_paired(baseline: Predictions, run: Predictions) -> None:
    """Raise ComparisonError unless both are about the same test images, in the same order."""
    if len(baseline.labels) != len(run.labels):
        raise ComparisonError(
            f"one run was tested on {len(baseline.labels):,} images and the other on {len(run.labels):,}; "
            "only runs tested on the same images can be compared image by image"
        )
    if not np.array_equal(baseline.labels, run.labels):
        raise ComparisonError(
            "the labels of the test images are not the same, or not in the same order; "
            "train both runs on the same data, and compare those"
        )


def agreement(baseline: Predictions, run: Predictions) -> Agreement:
    """Count the images that both, one or neither of the two get right; raises ComparisonError where unpaired."""
    check_paired(baseline, run)
    first, second = baseline.predicted == baseline.labels, run.predicted == run.labels
    return Agreement(
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((~first & ~second).sum()),
    )


def mcnemar(only_baseline: int, only_run: int) -> float:
    """Exact two-sided p value of McNemar's test (1947), for images that only one of two models gets right.

    p = min(1, 2·P[Bin(b+c, ½) ≤ min(b, c)]), and 1 where b+c = 0. For two algorithms run once, it is the test with an
    acceptable share of false alarms (Dietterich 1998).
    """
    from scipy.special import bdtr

    split = only_baseline + only_run
    return 1.0 if split == 0 else min(1.0, 2 * float(bdtr(min(only_baseline, only_run), split, 0.5)))


def mcnemar_mid(only_baseline: int, only_run: int) -> float:
    """McNemar's mid-p value: the exact one less half of P[Bin = min(b, c)] on each side (Fagerland et al. 2013).

    Less conservative than the exact test; 1 where b = c.
    """
    from scipy.special import bdtr

    low, split = min(only_baseline, only_run), only_baseline + only_run
    if only_baseline == only_run:
        return 1.0
    below = float(bdtr(low - 1, split, 0.5)) if low else 0.0
    return below + float(bdtr(low, split, 0.5))


def accuracy_difference(table: Agreement) -> Difference:
    """How much more accurate the run is than the baseline, as a share of the images, with McNemar's exact p.

    With b images that only the run gets right, c that only the baseline does, and n in all: Δ = (b−c)/n, and its
    standard error √(b+c−(b−c)²/n)/n gives the interval (Wald's, for paired proportions).
    """
    from scipy.special import ndtri

    n, gained, lost = table.images, table.only_run, table.only_baseline
    value = (gained - lost) / n
    half = float(ndtri((1 + LEVEL) / 2)) * math.sqrt(gained + lost - (gained - lost) ** 2 / n) / n
    return Difference(value, Interval(value - half, value + half), mcnemar(lost, gained))


def loss_difference(baseline: Predictions, run: Predictions) -> Difference:
    """How much larger the run's mean cross-entropy is than the baseline's, in nats: a paired t interval and test.

    Both are taken over the differences of the images' losses, x̄ ± t(n−1)·s/√n. Raises ComparisonError where unpaired.
    """
    from scipy.special import stdtr, stdtrit

    check_paired(baseline, run)
    each = image_losses(run.labels, run.probabilities) - image_losses(baseline.labels, baseline.probabilities)
    value, n = float(each.mean()), len(each)
    if n < 2:
        raise ComparisonError(f"{n} test image tells nothing about a difference in loss; use more test images")
    error = float(each.std(ddof=1)) / math.sqrt(n)
    if error == 0:
        return Difference(value, Interval(value, value), 1.0 if value == 0 else 0.0)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    return Difference(value, Interval(value - half, value + half), 2 * float(stdtr(n - 1, -abs(value) / error)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values adjusted for there being several (Holm 1979), in the order given.

    The i-th smallest of m is multiplied by m−i+1; none becomes less than a smaller one's, and none more than 1.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


class Sample(NamedTuple):
    """One figure over the seeds of a recipe. sd: the sample standard deviation, NaN for one value."""

    n: int
    mean: float
    sd: float


def sample(values: Sequence[float]) -> Sample:
    """Count, mean and standard deviation; NaN where there are too few values."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean()) if len(array) else math.nan
    return Sample(len(array), mean, float(array.std(ddof=1)) if len(array) > 1 else math.nan)


def welch(baseline: Sequence[float], run: Sequence[float]) -> Difference:
    """Difference of two means over seeds, with Welch's t interval and test (Welch 1947): spreads may differ.

    Raises
    ------
    ComparisonError
        for fewer than two values on a side.
    """
    from scipy.special import stdtr, stdtrit

    first, second = sample(baseline), sample(run)
    if min(first.n, second.n) < 2:
        raise ComparisonError(
            f"{first.n} and {second.n} seeds have no spread to compare; train at least {FEWEST_SEEDS} a side"
        )
    value = second.mean - first.mean
    parts = first.sd**2 / first.n, second.sd**2 / second.n
    error = math.sqrt(sum(parts))
    if error == 0:
        return Difference(value, Interval(value, value), 1.0 if value == 0 else 0.0)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Difference(value, Interval(value - half, value + half), 2 * float(stdtr(freedom, -abs(value) / error)))


def superiority(baseline: Sequence[float], run: Sequence[float]) -> float:
    """Share of the pairs of seeds in which the run's value is larger, ties counted half: P(run > baseline) = U/(n₁n₂).

    U is Mann and Whitney's (1947). Raises ComparisonError where a side has no values.
    """
    if not len(baseline) or not len(run):
        raise ComparisonError("one side has no finished seeds; train some")
    ahead = np.asarray(run, dtype=np.float64)[:, None] - np.asarray(baseline, dtype=np.float64)[None, :]
    return float(((ahead > 0) + 0.5 * (ahead == 0)).mean())
