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
from typing import TYPE_CHECKING

from mnist_core.comparison import decide
from mnist_core.published.figures import SPREADS, seed_sd

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Claim:
    """A source's statement about a sweep, the measured figures, and True if they confirm it; None if chance allows for
    both.
    """

    published: str
    measured: str
    holds: bool | None


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
    for column, word in (("train_error", "training"), ("test_error", "test")):
        errors = table[column].tolist()
        steps = list(pairwise(errors))
        falls = [rises(after, before) for before, after in steps]
        said = (
            f"from {100 * errors[0]:.2f} % at λ = {strengths[0]:g} to {100 * errors[-1]:.2f} % at λ = {strengths[-1]:g}"
            + (
                "; no step falls by more than chance"
                if not any(falls)
                else f"; {sum(falls)} of {len(steps)} steps fall"
            )
        )
        claims.append(Claim(f"the {word} error rises with λ", said, rises(errors[0], errors[-1]) and not any(falls)))
    return tuple(claims)


LEVEL = 250
"""Neurons of the first layer at which, by the source, the test error levels off."""


def neuron_claims(table: pd.DataFrame) -> tuple[Claim, ...]:
    """Return the claims that both errors fall with the width, and on where the test error levels off."""
    column = "model.layers.0.units"
    table = table.sort_values(column)
    widths, claims = table[column].tolist(), []
    for name, word in (("train_error", "training"), ("test_error", "test")):
        errors = table[name].tolist()
        claims.append(
            Claim(
                f"the {word} error falls as layers widen",
                f"from {100 * errors[0]:.2f} % with {widths[0]} neurons to {100 * errors[-1]:.2f} % with {widths[-1]}",
                rises(errors[-1], errors[0]),
            )
        )
    errors = table["test_error"].tolist()
    best = min(errors)
    place = next(place for place, error in enumerate(errors) if not rises(best, error))
    worse = [
        f"{width:,} neurons come to {100 * error:.2f} %"
        for width, error in zip(widths[place + 1 :], errors[place + 1 :], strict=True)
        if rises(errors[place], error)
    ]
    said = f"from {widths[place]:,} neurons on ({100 * errors[place]:.2f} %), none is better by more than chance"
    claims.append(
        Claim(
            f"the test error levels off at about {LEVEL} neurons",
            said + (f", though one may be worse: {', '.join(worse)}" if worse else ""),
            LEVEL / 2 <= widths[place] <= LEVEL * 2,
        )
    )
    return tuple(claims)


CLAIMS: dict[str, Callable[[pd.DataFrame], tuple[Claim, ...]]] = {
    "coursera/lambda": lambda_claims,
    "coursera/neurons": neuron_claims,
}
