"""The claims that sources make about their sweeps, checked against the runs here.

Every run has one seed, and all are tested on the same images. Two error rates differ by chance alone, 19 times in 20,
by no more than t · √(s₁² + s₂²), with s the standard deviation between seeds that `figures` has for a test accuracy of
that size; a smaller difference counts as none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from mnist_core.comparison import decide
from mnist_core.published.figures import SPREADS, seed_sd

if TYPE_CHECKING:
    import pandas as pd


ErrorColumn = Literal["train_error", "test_error"]
ERROR_COLUMNS: tuple[ErrorColumn, ...] = get_args(ErrorColumn)
Trend = Literal["rises_with_l2", "falls_with_width"]


class ErrorAt(NamedTuple):
    """An error rate, 0 to 1, at one value of the setting: a strength of L2, or a width."""

    setting: float
    error: float


@dataclass(frozen=True)
class TrendClaim:
    """The claim that an error changes with a setting, and the errors at its least and its greatest value.

    steps: between neighbouring values. falling: how many of them fall by more than chance; None where the claim is
    about both ends only. holds: True if the figures confirm the claim.
    """

    code: Trend
    column: ErrorColumn
    first: ErrorAt
    last: ErrorAt
    steps: int
    falling: int | None
    holds: bool


@dataclass(frozen=True)
class LevelClaim:
    """The claim that the test error levels off at a width.

    claimed: that width by the source, in neurons. level: the first width that none beats by more than chance. worse:
    wider ones that are worse than it by more than chance. holds: True if the figures confirm the claim.
    """

    claimed: int
    level: ErrorAt
    worse: tuple[ErrorAt, ...]
    holds: bool


Claim = TrendClaim | LevelClaim
"""What a source claims about a sweep, with the measured figures."""


def rises(before: float, after: float) -> bool:
    """Return True if the second error rate of two single runs is higher by more than the luck of their seeds.

    The errors on 10,000 training images are taken to vary between seeds as those on as many test images do.
    """
    error = math.hypot(seed_sd("test_accuracy", 1 - before), seed_sd("test_accuracy", 1 - after))
    return after > before and decide.differs(after - before, error, SPREADS["test_accuracy"].freedom)


def lambda_claims(table: pd.DataFrame) -> tuple[Claim, ...]:
    """Return the claims on how training and test error change with the L2 penalty."""
    table = table.sort_values("model.layers.*.l2")
    strengths = table["model.layers.*.l2"].tolist()
    claims = []
    for column in ERROR_COLUMNS:
        errors = table[column].tolist()
        falling = sum(rises(after, before) for before, after in pairwise(errors))
        holds = rises(errors[0], errors[-1]) and not falling
        first, last = ErrorAt(strengths[0], errors[0]), ErrorAt(strengths[-1], errors[-1])
        claims.append(TrendClaim("rises_with_l2", column, first, last, len(errors) - 1, falling, holds))
    return tuple(claims)


LEVEL_NEURONS = 250
"""Neurons of the first layer at which, by the source, the test error levels off."""


def neuron_claims(table: pd.DataFrame) -> tuple[Claim, ...]:
    """Return the claims that both errors fall with the width, and on where the test error levels off."""
    width = "model.layers.0.units"
    table = table.sort_values(width)
    widths = table[width].tolist()
    claims: list[Claim] = []
    for column in ERROR_COLUMNS:
        errors = table[column].tolist()
        first, last = ErrorAt(widths[0], errors[0]), ErrorAt(widths[-1], errors[-1])
        holds = rises(errors[-1], errors[0])
        claims.append(TrendClaim("falls_with_width", column, first, last, len(errors) - 1, None, holds))
    points = [ErrorAt(*pair) for pair in zip(widths, table["test_error"].tolist(), strict=True)]
    best = min(point.error for point in points)
    place = next(place for place, point in enumerate(points) if not rises(best, point.error))
    level = points[place]
    worse = tuple(point for point in points[place + 1 :] if rises(level.error, point.error))
    return *claims, LevelClaim(LEVEL_NEURONS, level, worse, LEVEL_NEURONS / 2 <= level.setting <= LEVEL_NEURONS * 2)


CLAIMS: dict[str, Callable[[pd.DataFrame], tuple[Claim, ...]]] = {
    "coursera/lambda": lambda_claims,
    "coursera/neurons": neuron_claims,
}
