"""What sources say of their sweeps, in words, and whether the runs here bear it out.

Every run has one seed. Two error rates on n images differ by chance alone, 19 times in 20, by at most
1.96 · √((e₁(1 − e₁) + e₂(1 − e₂))/n); what is less counts as no difference. As the images are the same for all runs,
which share their luck, that is on the generous side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mnist_core.comparison import decide

if TYPE_CHECKING:
    import pandas as pd

IMAGES = 10_000
"""Images on which MNIST's runs are judged: all of the test set, and as many of the training set."""


@dataclass(frozen=True)
class Claim:
    """What a source says of a sweep, what was measured, and whether that bears it out."""

    published: str
    measured: str
    holds: bool


def rises(before: float, after: float, images: int = IMAGES) -> bool:
    """True if the second error rate of two single runs is higher by more than the luck of the images."""
    error = math.sqrt((before * (1 - before) + after * (1 - after)) / images)
    return after > before and decide.differs(after - before, error)


def lambda_claims(table: pd.DataFrame) -> tuple[Claim, ...]:
    """Whether training and test error rise with the L2 penalty."""
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
    """Whether both errors fall with the width, and where the test error levels off."""
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
