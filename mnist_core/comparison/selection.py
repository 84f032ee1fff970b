"""A run that was chosen among many: by what, among how many, and whether its lead is more than noise.

The best of many results is partly the luckiest. The figure by which a run was chosen is therefore too good on average,
the more so the more candidates there were and the more noise there is; and where others are within noise of it, another
seed would have chosen another.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mnist_core.comparison.decide import chance_limit
from mnist_core.evaluation.metrics import image_losses
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.spaces import Metric

StudyKind = Literal["sweep", "search"]
FEWEST_FREEDOM = 2
"""Degrees of freedom below which the spread between seeds is not known well enough."""


@dataclass(frozen=True)
class Noise:
    """The largest difference between two candidates that is not beyond chance, by `decide.LEVEL`.

    limit: `decide.chance_limit`, in the unit of the metric. source: `seeds`, from the spread of runs that differ in
    their seeds alone; `images`, from the number of validation images, as if the two had been validated on different
    ones, which is too wide for the same ones and leaves out what another seed would change.
    """

    limit: float
    source: Literal["seeds", "images"]


@dataclass(frozen=True)
class Selection:
    """The place of a run in the sweep or search `name` with this `id`.

    won: True if the study chose it; else the study passed it over. on_test: True if the choice was made by results on
    the test images. candidates: how many there were, those stopped early included. value: the winner's, of the metric.
    lead: by how much the next best is worse, 0 or more; None if there is none. noise: None if it is not known. within:
    how many others are within noise of the winner; None if that is not known.
    """

    study: StudyKind
    id: str
    name: str
    won: bool
    on_test: bool
    metric: Metric
    candidates: int
    value: float
    lead: float | None
    noise: Noise | None
    within: int | None


class RankedValues(NamedTuple):
    """The best value, its lead over the next best, and how many others are within noise of it (see `Selection`)."""

    value: float
    lead: float | None
    within: int | None


def rank_values(metric: Metric, values: Sequence[float], noise: Noise | None) -> RankedValues:
    """Return how far the best of the finite `values` is ahead; there must be one value or more."""
    best, *others = sorted(values, reverse=metric == "val_accuracy")
    behind = [abs(value - best) for value in others]
    within = sum(gap <= noise.limit for gap in behind) if noise else None
    return RankedValues(best, behind[0] if behind else None, within)


def seed_noise(metric: Metric, winner: float, recipes: Iterable[Sequence[float]]) -> Noise | None:
    """Return the noise of one seed against another, from recipes that were trained with several seeds.

    The spread is pooled over the recipes as a share of each one's mean loss or mean error rate, as it shrinks with
    these, and multiplied by the winner's. The standard error of a difference is √2 · sd.

    Parameters
    ----------
    metric, winner
        by what was chosen, and the winner's value.
    recipes
        the values of each recipe's seeds.

    Returns
    -------
    Noise
        None if all recipes together have fewer than FEWEST_FREEDOM degrees of freedom, or no spread.
    """
    squares, freedom = 0.0, 0
    for values in recipes:
        parts = [value if metric == "val_loss" else 1 - value for value in values if math.isfinite(value)]
        mean = sum(parts) / len(parts) if parts else 0.0
        if len(parts) > 1 and mean > 0:
            squares += sum((part / mean - 1) ** 2 for part in parts)
            freedom += len(parts) - 1
    if freedom < FEWEST_FREEDOM:
        return None
    level = winner if metric == "val_loss" else 1 - winner
    sd = math.sqrt(squares / freedom) * level
    return _noise(math.sqrt(2) * sd, freedom, "seeds")


def image_noise(metric: Metric, predictions: Predictions | None) -> Noise | None:
    """Return the noise that so few validation images make; None without the winner's predictions of them, or a spread.

    The standard error of a difference is √2 · that of the mean loss, or of the accuracy, over the validation images.
    """
    if predictions is None or predictions.val_labels is None or predictions.val_probabilities is None:
        return None
    labels, count = predictions.val_labels, len(predictions.val_labels)
    if count < 2:
        return None
    if metric == "val_loss":
        spread = float(image_losses(labels, predictions.val_probabilities).std(ddof=1))
    else:
        share = float((predictions.val_probabilities.argmax(axis=1) == labels).mean())
        spread = math.sqrt(share * (1 - share))
    return _noise(math.sqrt(2 / count) * spread, math.inf, "images")


def _noise(error: float, freedom: float, source: Literal["seeds", "images"]) -> Noise | None:
    limit = chance_limit(error, freedom)
    return Noise(limit, source) if math.isfinite(limit) else None
