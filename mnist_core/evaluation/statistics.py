"""Is a difference real? Paired statistics of two trained models on one test set, and of two recipes over their seeds.

Everything takes predictions or plain numbers, never a run. Differences are "the run minus the baseline" throughout:
a positive difference in accuracy, and a negative one in loss, speak for the run. SciPy's distribution functions are
imported where they are used; `scipy.special` alone, as `scipy.stats` takes three times as long to import.

Nothing here decides: `comparison.decide` alone holds an estimate against a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ComparisonError
from mnist_core.evaluation.metrics import Interval, image_losses
from mnist_core.evaluation.predictions import Predictions

BoolArray = NDArray[np.bool_]

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
    def discordant(self) -> int:
        """Images on which exactly one of the two is right: these alone decide which is better."""
        return self.only_baseline + self.only_run

    def swapped(self) -> Agreement:
        """Return the table with baseline and run exchanged."""
        return Agreement(self.both_right, self.only_run, self.only_baseline, self.both_wrong)


class Estimate(Protocol):
    """A difference, run minus baseline, with everything that a decision on it needs.

    `p` is the two-sided p value of no difference. `interval` holds every difference that the same test does not reject
    at 1 − level, so that it leaves out 0 exactly where p < 1 − level.
    """

    @property
    def value(self) -> float:
        """The estimated difference."""

    @property
    def p(self) -> float:
        """The two-sided p value of there being no difference, 0 to 1."""

    def interval(self, level: float) -> Interval:
        """Return the confidence interval at `level`, between 0 and 1."""


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
    return agreement_of(baseline.predicted == baseline.labels, run.predicted == run.labels)


def agreement_of(first: BoolArray, second: BoolArray) -> Agreement:
    """Count as `agreement` does, from whether the baseline and the run are right on each image, both of shape (n,)."""
    return Agreement(
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((~first & ~second).sum()),
    )


def mcnemar(only_baseline: int, only_run: int) -> float:
    """Return the exact two-sided p value of McNemar's test (1947), for images that only one of two models gets right.

    p = min(1, 2·P[Bin(b+c, ½) ≤ min(b, c)]), and 1 where b+c = 0. Shown next to the score test's, which decides: the
    exact test raises about half as many false alarms as it may (docs/decisions/0015).
    """
    from scipy.special import bdtr

    discordant = only_baseline + only_run
    return 1.0 if discordant == 0 else min(1.0, 2 * float(bdtr(min(only_baseline, only_run), discordant, 0.5)))


def mcnemar_mid(only_baseline: int, only_run: int) -> float:
    """Return McNemar's mid-p value: the exact one less half of P[Bin = min(b, c)] on each side (Fagerland et al. 2013).

    Less conservative than the exact test; 1 where b = c.
    """
    from scipy.special import bdtr

    low, discordant = min(only_baseline, only_run), only_baseline + only_run
    if only_baseline == only_run:
        return 1.0
    below = float(bdtr(low - 1, discordant, 0.5)) if low else 0.0
    return below + float(bdtr(low, discordant, 0.5))


@dataclass(frozen=True)
class AccuracyDifference:
    """How much more accurate the run is than the baseline, as a share of the images: McNemar's score test and interval.

    With b images that only the run gets right, c that only the baseline does, and n in all, Δ = (b−c)/n. The score
    statistic of Δ = δ is (b − c − nδ) / √(n(2q + δ(1−δ))), where q is the likeliest share of images that only the
    baseline gets right if Δ is δ (Tango 1998). At δ = 0 it is McNemar's (1947): (b−c)/√(b+c). The interval contains
    every δ whose statistic is within the normal quantile, so it agrees with the test by construction.
    """

    table: Agreement

    @property
    def value(self) -> float:
        """The difference in accuracy, −1 to 1."""
        return (self.table.only_run - self.table.only_baseline) / self.table.images

    @property
    def p(self) -> float:
        """The p value of McNemar's score test, without continuity correction; 1 where the two counts are equal."""
        from scipy.special import ndtr

        return 2 * float(ndtr(-abs(self.score(0.0))))

    def score(self, difference: float) -> float:
        """Return the score statistic of the true difference being `difference`, −1 to 1; it falls as that rises."""
        n, gained, lost = self.table.images, self.table.only_run, self.table.only_baseline
        gap = gained - lost - n * difference
        linear = (2 * n - gained + lost) * difference - gained - lost
        root = linear**2 + 8 * n * lost * difference * (1 - difference)
        share = (math.sqrt(max(root, 0.0)) - linear) / (4 * n)
        variance = n * (2 * share + difference * (1 - difference))
        # below this, rounding alone is left: no other table than this one was possible
        if variance <= 1e-9:
            return 0.0 if abs(gap) < 1e-9 else math.copysign(math.inf, gap)
        return gap / math.sqrt(variance)

    def interval(self, level: float) -> Interval:
        """Return Tango's score interval at `level`, within −1 to 1."""
        from scipy.special import ndtri

        z, table = float(ndtri((1 + level) / 2)), self.table
        if table.only_run < table.only_baseline:  # so that the other way round it is the same to the last bit
            low, high = AccuracyDifference(table.swapped()).interval(level)
            return Interval(-high, -low)
        high = self._end(1.0, z)
        return Interval(-high if table.only_run == table.only_baseline else self._end(-1.0, z), high)

    def _end(self, far: float, z: float) -> float:
        """Return the last difference from the estimate towards `far` that is not rejected, by bisection."""
        inside, outside = self.value, far
        if abs(self.score(far)) <= z:
            return far
        # 0 is tried first, so that the interval leaves it out exactly where the test rejects it
        middle = 0.0 if min(inside, far) < 0.0 < max(inside, far) else (inside + far) / 2
        for _ in range(60):
            if abs(self.score(middle)) <= z:
                inside = middle
            else:
                outside = middle
            middle = (inside + outside) / 2
        return inside


@dataclass(frozen=True)
class MeanDifference:
    """A difference of means with its standard error: Student's t test and interval, value ± t(freedom)·error.

    freedom: degrees of freedom, `math.inf` for the normal distribution. error: 0 where the values do not vary; their
    spread then says nothing about chance, so p is 1 and the interval has no ends.
    """

    value: float
    error: float
    freedom: float

    @property
    def p(self) -> float:
        """The p value of the t test; 1 where nothing is known of the spread."""
        from scipy.special import stdtr

        return 2 * float(stdtr(self.freedom, -abs(self.value) / self.error)) if self.known else 1.0

    @property
    def known(self) -> bool:
        """True if the values vary by more than rounding."""
        return self.error > 1e-12 * max(1.0, abs(self.value))

    def interval(self, level: float) -> Interval:
        """Return the t interval at `level`; from −∞ to ∞ where nothing is known of the spread."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error if self.known else math.inf
        return Interval(self.value - half, self.value + half)


def loss_difference(baseline: Predictions, run: Predictions) -> MeanDifference:
    """Return how much larger the run's mean cross-entropy is than the baseline's, in nats: a paired t test.

    It is taken over the differences of the images' losses, x̄ ± t(n−1)·s/√n.

    Raises
    ------
    ComparisonError
        where the two are not about the same images, or there are fewer than two.
    """
    check_paired(baseline, run)
    each = image_losses(run.labels, run.probabilities) - image_losses(baseline.labels, baseline.probabilities)
    n = len(each)
    if n < 2:
        raise ComparisonError(f"{n} test image tells nothing about a difference in loss; use more test images")
    return MeanDifference(float(each.mean()), float(each.std(ddof=1)) / math.sqrt(n), n - 1)


def unpaired_difference(baseline: float, baseline_images: int, run: float, run_images: int) -> MeanDifference:
    """Return the difference of two accuracies that were measured on different images: the z test of two proportions.

    Its error is √(p(1 − p)(1/n + 1/m)) with p the share of all n + m images that are right, so that the square of
    value / error is Pearson's χ² (1900) of the 2×2 table, without continuity correction.

    Parameters
    ----------
    baseline, run
        accuracies, 0 to 1.
    baseline_images, run_images
        the number of images of each, at least 1.
    """
    common = (baseline * baseline_images + run * run_images) / (baseline_images + run_images)
    # rounding must not take the share of a perfect pair above 1
    spread = max(common * (1 - common), 0.0)
    return MeanDifference(run - baseline, math.sqrt(spread * (1 / baseline_images + 1 / run_images)), math.inf)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for there being several (Holm 1979), in the order given.

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

    def to_json(self) -> dict[str, float | None]:
        """Return plain data; what is not known is None."""
        return {key: None if math.isnan(value) else value for key, value in self._asdict().items()}


def sample(values: Sequence[float]) -> Sample:
    """Return count, mean and standard deviation; NaN where there are too few values."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean()) if len(array) else math.nan
    return Sample(len(array), mean, float(array.std(ddof=1)) if len(array) > 1 else math.nan)


def welch(baseline: Sequence[float], run: Sequence[float]) -> MeanDifference:
    """Return the difference of two means over seeds, for Welch's t test (Welch 1947): the spreads may differ.

    Raises
    ------
    ComparisonError
        for fewer than two values on a side.
    """
    first, second = sample(baseline), sample(run)
    if min(first.n, second.n) < 2:
        raise ComparisonError(
            f"{first.n} and {second.n} seeds have no spread to compare; train at least {FEWEST_SEEDS} a side"
        )
    parts = first.sd**2 / first.n, second.sd**2 / second.n
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1)) if error else math.inf
    return MeanDifference(second.mean - first.mean, error, freedom)


def superiority(baseline: Sequence[float], run: Sequence[float]) -> float:
    """Return the share of pairs of seeds with the run's value larger, ties half: P(run > baseline) = U/(n₁n₂).

    U is Mann and Whitney's (1947). Raises ComparisonError where a side has no values.
    """
    if not len(baseline) or not len(run):
        raise ComparisonError("one side has no finished seeds; train some")
    ahead = np.asarray(run, dtype=np.float64)[:, None] - np.asarray(baseline, dtype=np.float64)[None, :]
    return float(((ahead > 0) + 0.5 * (ahead == 0)).mean())


def residual_square(right: BoolArray | NDArray[np.float64]) -> float:
    """Return the residual mean square of a table of seeds by images: luck of single seeds on single images.

    right: shape (seeds, images), at least two of each; 1 or True where a seed gets an image right.
    """
    table = np.asarray(right, dtype=np.float64)
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float(np.square(rest).sum() / ((len(table) - 1) * (table.shape[1] - 1)))


def crossed_difference(
    baseline: Sequence[float], run: Sequence[float], baseline_right: BoolArray, run_right: BoolArray
) -> MeanDifference:
    """Return the difference of two recipes' accuracies, with the chance of both the seeds and the test images.

    Seeds and images are crossed: all seeds are tested on the same images (Searle, Casella & McCulloch 1992). With k
    seeds a side, their accuracies' variance s², and d the difference of the shares of seeds that get an image right,
    the variance is s₁²/k₁ + s₂²/k₂ + s_d²/n − e₁²/(m₁n) − e₂²/(m₂n). The last two terms are what the tables' residual
    mean squares e² add to s_d²; the first two hold their share of it already. m is how many seeds a table has; for one
    seed e² is not known and nothing is subtracted, so that the interval is rather too wide. Degrees of freedom:
    Satterthwaite (1946).

    Parameters
    ----------
    baseline, run
        accuracies by seed.
    baseline_right, run_right
        bool, shape (seeds, images): True where a seed gets an image right; at least one of the seeds a side, and the
        same images.

    Raises
    ------
    ComparisonError
        for fewer than two seeds a side, or fewer than two images, or different images.
    """
    over_seeds = welch(baseline, run)
    tables = [np.asarray(side, dtype=np.float64) for side in (baseline_right, run_right)]
    images = tables[0].shape[1]
    if tables[1].shape[1] != images or images < 2:
        raise ComparisonError(
            f"recipes tested on {images} and {tables[1].shape[1]} images cannot be compared; test both on the same ones"
        )
    shares = [table.mean(axis=0) for table in tables]
    between = float((shares[1] - shares[0]).var(ddof=1)) / images
    residual = 0.0
    for table in tables:
        if len(table) > 1:
            residual += residual_square(table) / table.size
    by_seed = over_seeds.error**2
    variance = max(by_seed + between - residual, by_seed, between)
    below = (by_seed**2 / over_seeds.freedom if by_seed else 0.0) + between**2 / (images - 1)
    return MeanDifference(over_seeds.value, math.sqrt(variance), variance**2 / below if below else math.inf)
