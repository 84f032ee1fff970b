"""Which of several trained models to put to work: accuracy against cost, and a reason for each, in numbers and words.

A model is *dominated* where another is at least as accurate and costs no more, and is better in one of the two. It is
*within noise of the best* where McNemar's test on the same test images, with Holm's correction for comparing several
with the best, does not tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mnist_core.evaluation.metrics import Interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import Difference, accuracy_difference, agreement, holm

Cost = Literal["parameters", "bytes", "one", "many", "seconds"]
COSTS: dict[Cost, str] = {
    "parameters": "the parameters",
    "bytes": "the file size",
    "one": "the time for one image",
    "many": "the time for 256 images",
    "seconds": "the training time",
}
"""Each cost as it is named after "with an eighth of"."""
ALPHA = 0.05
NOTABLE = 0.9
"""A cost that is less than a tenth lower is about the same: times differ by as much from measurement to measurement."""
_FRACTIONS = {2: "half", 3: "a third of", 4: "a quarter of", 5: "a fifth of", 6: "a sixth of", 7: "a seventh of",
              8: "an eighth of", 9: "a ninth of", 10: "a tenth of"}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A tested model with what it costs; a cost that was not measured is None.

    accuracy, interval: on the test images, with Wilson's 95 % interval. parameters: weights. bytes: of the Keras file.
    one, many: seconds to answer for 1 and for 256 images, compiled. seconds: of training. quiet: whether `one` and
    `many` were measured while nothing else kept the processors busy.
    """

    id: str
    name: str
    accuracy: float
    interval: Interval
    parameters: int
    bytes: int | None = None
    one: float | None = None
    many: float | None = None
    seconds: float | None = None
    quiet: bool = True

    def sure_cost(self, cost: Cost) -> float | None:
        """One of its costs, where sentences may be built on it."""
        return self.cost(cost) if self.quiet or cost not in ("one", "many") else None

    def cost(self, cost: Cost) -> float | None:
        """One of its costs."""
        value: float | None = getattr(self, cost)
        return value


@dataclass(frozen=True)
class Standing:
    """A candidate against the most accurate one.

    difference: its accuracy minus the best one's, with interval and unadjusted p; None for the best itself.
    p: adjusted by Holm for all candidates; 1 for the best. within_noise: whether p is at least 0.05.
    """

    candidate: Candidate
    difference: Difference | None
    p: float

    @property
    def best(self) -> bool:
        """Whether it is the most accurate one itself."""
        return self.difference is None

    @property
    def within_noise(self) -> bool:
        """Whether the test images do not tell it from the best."""
        return self.p >= ALPHA


def standings(candidates: Sequence[Candidate], said: Mapping[str, Predictions]) -> list[Standing]:
    """Every candidate against the most accurate one, of equally accurate ones that with the fewest parameters.

    Parameters
    ----------
    candidates
        at least one.
    said
        id → predictions, on the same test images for all.

    Raises
    ------
    ComparisonError
        where two were tested on different images.
    """
    best = min(candidates, key=lambda item: (-item.accuracy, item.parameters))
    others = [item for item in candidates if item is not best]
    differences = {item.id: accuracy_difference(agreement(said[best.id], said[item.id])) for item in others}
    adjusted = dict(zip(differences, holm([item.p for item in differences.values()]), strict=True))
    return [Standing(item, differences.get(item.id), adjusted.get(item.id, 1.0)) for item in candidates]


def dominated_by(candidates: Sequence[Candidate], cost: Cost) -> dict[str, str]:
    """For each dominated candidate, by id, the id of the cheapest that does; those without this cost are left out."""
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


# -- words -------------------------------------------------------------------------------------------------------------


def share_words(share: float) -> str:
    """A share such as 1/8 before a noun phrase: ``an eighth of``, ``half``, ``60 % of``, ``1/37 of``."""
    if share > 0.55:
        return f"{100 * share:.0f} % of"
    nearest = round(1 / share)
    if nearest > 10:
        return f"1/{nearest:,} of"
    # "a third" for 31 to 36 %; else the number itself
    return _FRACTIONS[nearest] if abs(share * nearest - 1) < 0.08 else f"{100 * share:.0f} % of"


def savings(cheap: Candidate, dear: Candidate) -> list[str]:
    """In what the first is cheaper than the second, the greatest saving first: ``an eighth of the parameters``."""
    found = []
    for cost, words in COSTS.items():
        low, high = cheap.sure_cost(cost), dear.sure_cost(cost)
        if low is not None and high and low < NOTABLE * high:
            found.append((low / high, f"{share_words(low / high)} {words}"))
    return [text for _, text in sorted(found)]


def _listed(parts: Sequence[str], most: int = 3) -> str:
    parts = parts[:most]
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def reasons(items: Sequence[Standing]) -> dict[str, str]:
    """For each, by id, what speaks for or against putting it to work, in a sentence made of the measured numbers."""
    best = next(item.candidate for item in items if item.best)
    candidates = [item.candidate for item in items]
    out: dict[str, str] = {}
    for item in items:
        own = item.candidate
        if item.best:
            next_best = max(
                (other for other in items if not other.best), key=lambda other: other.candidate.accuracy, default=None
            )
            low, high = own.interval
            text = f"the most accurate, with {_percent(own.accuracy)} [{100 * low:.2f}, {100 * high:.2f}]"
            if next_best is not None and next_best.within_noise:
                text += f"; but not clearly more so than {next_best.candidate.name}"
            elif next_best is not None and next_best.difference is not None:
                text += f", {_points(-next_best.difference.value)} more than the next best, more than chance"
            out[own.id] = text + "."
            continue
        assert item.difference is not None
        saved = savings(own, best)
        if item.within_noise:
            low, high = item.difference.interval
            text = f"within noise of the best ({_gap(item.difference)}"
            text += f" [{100 * low:+.2f}, {100 * high:+.2f}], p {_p(item.p)})".replace("-", "−")
            text += f", with {_listed(saved)}" if saved else ", and no cheaper"
        else:
            text = f"{_points(-item.difference.value)} behind {best.name}, more than chance (p {_p(item.p)})"
            text += f"; in return it has {_listed(saved)}" if saved else ", and no cheaper"
        beaten = _beaten_everywhere(own, candidates)
        if beaten is not None:
            text += f". {beaten.name} is at least as accurate, and costs no more in anything that was measured"
        out[own.id] = text + "."
    return out


def _beaten_everywhere(own: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """A candidate that is at least as accurate and in no measured cost dearer, and better in something."""
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


def recommendation(items: Sequence[Standing]) -> str:
    """Which one to take, in a sentence or two: the smallest within noise of the best; the rest is a price to name."""
    best = next(item for item in items if item.best).candidate
    if len(items) == 1:
        return f"{best.name} is the only tested model here: {_percent(best.accuracy)} of the test images are right."
    level = [item for item in items if item.within_noise]
    pick = min(level, key=lambda item: (item.candidate.parameters, -item.candidate.accuracy))
    own = pick.candidate
    if not pick.best:
        assert pick.difference is not None
        saved = savings(own, best)
        return f"Take {own.name}: within noise of the best, {best.name} ({_gap(pick.difference)})" + (
            f", with {_listed(saved, 2)}." if saved else "."
        )
    text = (
        f"Take {best.name} where accuracy counts: no smaller model comes within noise of its {_percent(best.accuracy)}."
    )
    cheaper = [item for item in items if not item.within_noise and savings(item.candidate, best)]
    if cheaper:
        near = max(cheaper, key=lambda item: item.candidate.accuracy)
        assert near.difference is not None
        text += (
            f" Where cost counts, {near.candidate.name} gives up {_points(-near.difference.value)} for "
            f"{_listed(savings(near.candidate, best), 2)}."
        )
    return text


def _gap(difference: Difference) -> str:
    if difference.value == 0:
        return "equally many right"
    return f"{_points(abs(difference.value))} {'more' if difference.value > 0 else 'fewer'}"


def _points(share: float) -> str:
    return f"{100 * share:.2f} percentage points"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 0.001 else "< 0.001"
