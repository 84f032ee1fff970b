"""Which of several trained models to put to work: accuracy against cost.

A model *suffices* where it is shown to be no more than a margin worse than every other one (non-inferiority): each
interval of its accuracy minus another's lies above −margin. All of these must hold, so no correction for their number
is needed (an intersection–union test, Berger 1982), nothing depends on which model came out best on these images, and
another model can only take the status away. "Not significantly worse" is never used to recommend.

A model is *dominated* where another is at least as accurate and costs no more, and is better in one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mnist_core.comparison.decide import DEFAULT_MARGIN, Decision, decide_one
from mnist_core.evaluation.metrics import Interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import AccuracyDifference, agreement

CostName = Literal["parameters", "bytes", "one", "many", "seconds"]
COSTS: tuple[CostName, ...] = ("parameters", "bytes", "one", "many", "seconds")
NOTABLE = 0.9
"""A cost that is less than a tenth lower is about the same: times differ by as much from measurement to measurement."""

ProductionStatus = Literal["suffices", "open", "behind"]
"""suffices: shown to be within the margin of every other model. behind: not so, and shown to be worse than another.
open: the images, or the seeds, cannot tell."""


@dataclass(frozen=True)
class Candidate:
    """A tested model with what it costs; a cost that was not measured is None.

    accuracy, interval: on the test images, with Wilson's 95 % interval. parameters: weights. bytes: of the Keras file.
    one, many: seconds to answer for 1 and for 256 images, compiled. seconds: of training. quiet: True if `one` and
    `many` were measured while nothing else kept the processors busy.
    """

    id: str
    accuracy: float
    interval: Interval
    parameters: int
    bytes: int | None = None
    one: float | None = None
    many: float | None = None
    seconds: float | None = None
    quiet: bool = True

    def sure_cost(self, cost: CostName) -> float | None:
        """Return one of its costs; None where a busy machine has made it unreliable."""
        return self.cost(cost) if self.quiet or cost not in ("one", "many") else None

    def cost(self, cost: CostName) -> float | None:
        """Return one of its costs."""
        value: float | None = getattr(self, cost)
        return value


@dataclass(frozen=True)
class Ranked:
    """A candidate against every other one.

    against: id of the other → the decision on this one's accuracy minus the other's, each by itself, for these two
    trained models. recipes: the same for their recipes, where both have enough seeds. best: True for the one with the
    most images right, of equals the smallest.
    """

    candidate: Candidate
    best: bool
    images: int
    against: Mapping[str, Decision] = field(default_factory=dict)
    recipes: Mapping[str, Decision] = field(default_factory=dict)

    @property
    def decisions(self) -> list[Decision]:
        """All that it has to stand against."""
        return [*self.against.values(), *self.recipes.values()]

    @property
    def status(self) -> ProductionStatus:
        """Fitness for production."""
        if all(item.not_worse for item in self.decisions):
            return "suffices"
        return "behind" if any(item.answer == "worse" for item in self.decisions) else "open"


def rank(
    candidates: Sequence[Candidate],
    predictions: Mapping[str, Predictions],
    *,
    margin: float = DEFAULT_MARGIN,
    recipes: Mapping[tuple[str, str], Decision] | None = None,
) -> list[Ranked]:
    """Hold every candidate against all others.

    Parameters
    ----------
    candidates
        at least one.
    predictions
        id → predictions, on the same test images for all.
    margin
        how much less accurate a model may be, as a share of the images, above 0.
    recipes
        (id, id of the other) → the decision on the first one's recipe minus the other's, with the same margin; one
        order of a pair is enough.

    Raises
    ------
    ComparisonError
        where two were tested on different images.
    """
    best = min(candidates, key=lambda item: (-item.accuracy, item.parameters))
    both = dict(recipes or {})
    both |= {(second, first): item.negated() for (first, second), item in both.items()}
    against: dict[tuple[str, str], Decision] = {}
    for place, own in enumerate(candidates):
        for other in candidates[place + 1 :]:
            table = agreement(predictions[other.id], predictions[own.id])
            decision = decide_one(AccuracyDifference(table), margin=margin)
            against[own.id, other.id], against[other.id, own.id] = decision, decision.negated()
    ids = [item.id for item in candidates]
    return [
        Ranked(
            item, item is best, len(predictions[item.id].labels),
            {other: against[item.id, other] for other in ids if other != item.id},
            {other: both[item.id, other] for other in ids if (item.id, other) in both},
        )
        for item in candidates
    ]  # fmt: skip


@dataclass(frozen=True)
class Recommendation:
    """The recommended model for production.

    only: `pick` is the only model. suffices: `pick` is the cheapest that is shown to be within the margin of all
    others. cannot_tell: none is; `pick` has the most images right. alternative: the most accurate model on the front
    of the chosen cost that is notably cheaper than `pick`; None where there is none.
    """

    code: Literal["only", "suffices", "cannot_tell"]
    pick: Ranked
    best: Ranked
    alternative: Ranked | None
    cost: CostName


def recommend(items: Sequence[Ranked], cost: CostName = "parameters") -> Recommendation:
    """Return which model to take where `cost` counts."""
    best = next(item for item in items if item.best)
    enough = [item for item in items if item.status == "suffices"]

    def price(item: Ranked) -> tuple[float, int, float]:
        value = item.candidate.sure_cost(cost)
        return (float("inf") if value is None else value, item.candidate.parameters, -item.candidate.accuracy)

    pick = min(enough, key=price) if enough else best
    if len(items) == 1:
        return Recommendation("only", pick, best, None, cost)
    beaten = dominated_by([item.candidate for item in items], cost)
    limit = pick.candidate.sure_cost(cost)
    cheaper = [
        item
        for item in items
        if item is not pick and item.candidate.id not in beaten and limit
        and (value := item.candidate.sure_cost(cost)) is not None and value < NOTABLE * limit
    ]  # fmt: skip
    alternative = max(cheaper, key=lambda item: item.candidate.accuracy, default=None)
    return Recommendation("suffices" if enough else "cannot_tell", pick, best, alternative, cost)


def dominated_by(candidates: Sequence[Candidate], cost: CostName) -> dict[str, str]:
    """Return, for each dominated candidate, the id of the cheapest that dominates it; without this cost, none."""
    found = {}
    priced = [(item, value) for item in candidates if (value := item.cost(cost)) is not None]
    for item, price in priced:
        better = [
            (other_price, -other.accuracy, other.id)
            for other, other_price in priced
            if other.accuracy >= item.accuracy and other_price <= price
            and (other.accuracy > item.accuracy or other_price < price)
        ]  # fmt: skip
        if better:
            found[item.id] = min(better)[2]
    return found


def cost_ratios(own: Candidate, other: Candidate) -> dict[CostName, float]:
    """Return this one's share of each cost of the other that differs notably, the lowest first."""
    found: dict[CostName, float] = {}
    for cost in COSTS:
        mine, theirs = own.sure_cost(cost), other.sure_cost(cost)
        if mine and theirs and not NOTABLE <= mine / theirs <= 1 / NOTABLE:
            found[cost] = mine / theirs
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def beaten_everywhere(own: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """Return a candidate that is at least as accurate and in no measured cost dearer, and better in something."""
    for other in candidates:
        pairs = [
            (theirs, mine)
            for cost in COSTS
            if (mine := own.sure_cost(cost)) is not None and (theirs := other.sure_cost(cost)) is not None
        ]
        no_worse = other.accuracy >= own.accuracy and all(theirs <= mine for theirs, mine in pairs)
        better = other.accuracy > own.accuracy or any(theirs < mine for theirs, mine in pairs)
        if other is not own and pairs and no_worse and better:
            return other
    return None
