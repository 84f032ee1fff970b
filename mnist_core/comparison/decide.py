"""The one place that decides: better, worse, equivalent or undecided.

Every page, command and report asks `decide`; no other module compares a p value or an interval with a threshold.

There are two levels. ALPHA, which is defined next to the intervals that are shown alone, is that of every comparison
that somebody makes. STRICT_ALPHA is for checks that are always made, on every run, without anybody having asked.

With several comparisons at once, Holm's method (1979) sets the level of each interval: the smallest of m p values is
tested at ALPHA/m, the next at ALPHA/(m−1), and so on up to the first that is not significant; all from there on share
that one's level. A decision and the interval shown with it are of the same level, so they never contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnist_core.evaluation.metrics import ALPHA as ALPHA
from mnist_core.evaluation.metrics import LEVEL as LEVEL
from mnist_core.evaluation.metrics import Interval
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, Estimate, MeanDifference, holm

Floats = float | NDArray[np.float64]

Answer = Literal["better", "worse", "equivalent", "undecided"]
"""equivalent: not shown to differ, and no difference as large as the margin is left in the interval."""

ANSWERS: tuple[Answer, ...] = ("better", "worse", "equivalent", "undecided")

STRICT_ALPHA = 0.01
"""Probability of a false alarm in a check that is always made: at ALPHA, one run in 20 would have one."""

STRICT_LEVEL = 1 - STRICT_ALPHA
"""The level of the interval that decides in such a check."""

POWER = 0.8
"""Probability with which a real difference should be found, for `detectable`."""

DEFAULT_MARGIN = 0.002
"""The largest difference in accuracy that a viewer does not care about, unless they set another: 0.2 points.

It is the same for every test set: what matters to a user does not depend on how many images were tested. On a small
set no result can be shown to be that close (see `narrowest`); the words say so, and the viewer may widen the margin.
"""


@dataclass(frozen=True)
class Decision:
    """The decision on a difference, run minus baseline, with all numbers that it rests on.

    value: the difference. interval: its confidence interval at `level`, which leaves out 0 exactly where the answer is
    better or worse. p: of this comparison alone. p_adjusted: adjusted by Holm for `comparisons` made at once.
    margin: a difference this large does not matter; None if equivalence is not tested. lower_is_better: as for a
    loss.
    """

    answer: Answer
    value: float
    interval: Interval
    level: float
    p: float
    p_adjusted: float
    comparisons: int = 1
    margin: float | None = None
    lower_is_better: bool = False

    @property
    def differs(self) -> bool:
        """True if one is shown to be better."""
        return self.answer in ("better", "worse")

    @property
    def within_margin(self) -> bool:
        """True if the whole interval lies within ± the margin, also where one is shown to be better."""
        return self.margin is not None and -self.margin < self.interval.low and self.interval.high < self.margin

    @property
    def not_worse(self) -> bool:
        """True if the run is shown to be no more than the margin worse than the baseline (non-inferiority)."""
        if self.margin is None:
            return False
        return self.interval.high < self.margin if self.lower_is_better else self.interval.low > -self.margin

    @property
    def known(self) -> bool:
        """True if the interval has ends, which it has unless the values did not vary."""
        return math.isfinite(self.interval.low) and math.isfinite(self.interval.high)

    def negated(self) -> Decision:
        """Return the same decision seen from the other side: baseline minus run."""
        answers: dict[Answer, Answer] = {"better": "worse", "worse": "better"}
        return Decision(
            answers.get(self.answer, self.answer), -self.value, Interval(-self.interval.high, -self.interval.low),
            self.level, self.p, self.p_adjusted, self.comparisons, self.margin, self.lower_is_better,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return plain data; the interval is None where it has no ends."""
        return {
            "answer": self.answer,
            "value": self.value,
            "interval": list(self.interval) if self.known else None,
            "level": self.level,
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "comparisons": self.comparisons,
            "margin": self.margin,
        }


def decide(estimates: Sequence[Estimate], *, margin: float | None, lower_is_better: bool = False) -> list[Decision]:
    """Decide on comparisons that are made at once, in their order.

    Parameters
    ----------
    estimates
        differences, run minus baseline.
    margin
        a difference this large does not matter, in the unit of the estimates; None: nothing is called equivalent.
    lower_is_better
        True for a loss.
    """
    p_values = [item.p for item in estimates]
    order = sorted(range(len(estimates)), key=lambda index: p_values[index])
    levels, intervals = [LEVEL] * len(order), [Interval(-math.inf, math.inf)] * len(order)
    remaining = len(order)
    for index in order:
        levels[index] = 1 - ALPHA / remaining
        intervals[index] = estimates[index].interval(levels[index])
        if _leaves_out_zero(intervals[index]):
            remaining -= 1  # all after the first that is not significant keep its level
    return [
        Decision(
            _answer(intervals[index], margin, lower_is_better), item.value, intervals[index], levels[index],
            p_values[index], adjusted, len(estimates), margin, lower_is_better,
        )
        for index, (item, adjusted) in enumerate(zip(estimates, holm(p_values), strict=True))
    ]  # fmt: skip


def decide_one(estimate: Estimate, *, margin: float | None = None, lower_is_better: bool = False) -> Decision:
    """Decide on one comparison by itself."""
    return decide([estimate], margin=margin, lower_is_better=lower_is_better)[0]


def differs(value: float, error: float, freedom: float = math.inf, *, level: float = LEVEL) -> bool:
    """Return True if a difference with this standard error, known with so many degrees of freedom, is beyond chance.

    level: LEVEL, or STRICT_LEVEL for a check that is always made.
    """
    return _leaves_out_zero(MeanDifference(value, error, freedom).interval(level))


def chance_limit(error: float, freedom: float = math.inf, *, level: float = LEVEL) -> float:
    """Return the largest difference that is not beyond chance: `differs` is True of every larger one.

    The arguments are those of `differs`. It is ∞ for an error of 0: values that do not vary say nothing about chance.
    """
    return MeanDifference(0.0, error, freedom).interval(level).high


def narrowest(images: int, level: float = LEVEL) -> float:
    """Return the largest difference that stays open even if two models are right on the very same of so many images.

    A share of the images, 0 to 1. Equivalence within a smaller margin cannot be shown on them, whatever the result.
    level: of the interval that decides.
    """
    return AccuracyDifference(Agreement(images, 0, 0, 0)).interval(level).high


def detectable(images: int, discordant: int, level: float = LEVEL) -> float:
    """Return the smallest difference in accuracy that POWER of such tests would find, a share of the images.

    level: of the interval that decides, as several comparisons at once widen it.

    By the power of McNemar's test with ψ, the share of images on which exactly one is right, known (Connor 1987):
    Δ = (z_α·√ψ + z_β·√(ψ − Δ²)) / √n, solved by bisection. ψ is at least the difference itself.
    """
    from scipy.special import ndtri

    z_alpha, z_beta, share = float(ndtri((1 + level) / 2)), float(ndtri(POWER)), discordant / images
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        psi = max(share, middle)
        needed = (z_alpha * math.sqrt(psi) + z_beta * math.sqrt(psi - middle**2)) / math.sqrt(images)
        low, high = (low, middle) if middle >= needed else (middle, high)
    return high


def found_share(
    difference: Floats, spread: Floats, error: Floats, freedom: Floats, level: float = LEVEL
) -> NDArray[np.float64]:
    """Return how often a t test leaves out 0, on either side, 0 to 1; the arguments are numbers or arrays of one shape.

    The estimate is normal with mean `difference` and standard deviation `spread`; the interval is that of
    `MeanDifference` with an error that is `error`·√(χ²_ν/ν), ν = `freedom`. Its half-width is taken as normal with its
    own mean and variance (Johnson & Welch 1940), so that `spread` may differ from `error`, as it does once a part of
    the estimate is known.
    """
    from scipy.special import gammaln, ndtr, stdtrit

    freedom = np.asarray(freedom, dtype=np.float64)
    few = np.minimum(freedom, 1e6)
    shrink = np.exp(gammaln((few + 1) / 2) - gammaln(few / 2)) * np.sqrt(2 / few)
    half = stdtrit(few, (1 + level) / 2) * error
    scale = np.sqrt(np.square(spread) + np.square(half) * (1 - shrink**2))
    found: NDArray[np.float64] = ndtr((difference - half * shrink) / scale)
    found += ndtr((-np.asarray(difference) - half * shrink) / scale)
    return found


def detectable_mean(estimate: MeanDifference, level: float = LEVEL) -> float:
    """Return the smallest difference of means that POWER of such tests would find; ∞ where no spread is known."""
    if not estimate.known:
        return math.inf
    low, high = 0.0, 1.0
    while found_share(high * estimate.error, estimate.error, estimate.error, estimate.freedom, level) < POWER:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        enough = found_share(middle * estimate.error, estimate.error, estimate.error, estimate.freedom, level) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high * estimate.error


def _leaves_out_zero(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0


def _answer(interval: Interval, margin: float | None, lower_is_better: bool) -> Answer:
    if _leaves_out_zero(interval):
        return "better" if (interval.low > 0) != lower_is_better else "worse"
    if margin is not None and -margin < interval.low and interval.high < margin:
        return "equivalent"
    return "undecided"
