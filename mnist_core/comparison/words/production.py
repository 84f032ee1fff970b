"""Sentences on which model to use in production, with the reasons for and against each from the measured numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mnist_core.comparison.decide import Decision, narrowest
from mnist_core.comparison.production import (
    Candidate,
    CostName,
    ProductionStatus,
    Ranked,
    Recommendation,
    beaten_everywhere,
    cost_ratios,
)
from mnist_core.comparison.words.numbers import listed, margin_words, number, percent, points_words, sample_words
from mnist_core.comparison.words.verdicts import Names
from mnist_core.evaluation.statistics import Sample

COST_WORDS: dict[CostName, str] = {
    "parameters": "the parameters",
    "bytes": "the file size",
    "one": "the time for one image",
    "many": "the time for 256 images",
    "seconds": "the training time",
}
"""Each cost as it is named after "with an eighth of"."""

STATUS_WORDS: dict[ProductionStatus, str] = {
    "suffices": "within the margin of all others",
    "open": "can't tell",
    "behind": "behind",
}

_FRACTIONS = {2: "half", 3: "a third of", 4: "a quarter of", 5: "a fifth of", 6: "a sixth of", 7: "a seventh of",
              8: "an eighth of", 9: "a ninth of", 10: "a tenth of"}  # fmt: skip


Seeds = Mapping[str, Sample]
"""Run id → the test accuracies of the seeds of its recipe, of runs whose recipe has several."""


def recommendation_words(found: Recommendation, items: Sequence[Ranked], names: Names) -> str:
    """Return which model to take, in one sentence."""
    pick, name = found.pick, names[found.pick.candidate.id]
    if found.code == "only":
        return f"{name} is the only tested model here: {percent(pick.candidate.accuracy)} of the test images are right."
    if found.code == "cannot_tell":
        seeds = " and seeds" if _left_open_by_seeds(items) else ""
        return f"These {pick.images:,} images{seeds} can't tell which one to take."
    if pick is found.best:
        return f"Take {name}: it has the most right, {percent(pick.candidate.accuracy)}."
    return f"Take {name}: at most {margin_words(_margin(pick))} worse than any other one here."


def recommendation_reasons(
    found: Recommendation, items: Sequence[Ranked], names: Names, seeds: Seeds | None = None
) -> str:
    """Return why, what decided, and what to take where the cost counts more, in a few sentences."""
    pick, best, cost = found.pick, found.best, found.cost
    own, name, sample = pick.candidate, names[pick.candidate.id], (seeds or {}).get(pick.candidate.id)
    over_seeds = f"As a recipe it has {sample_words(sample)}." if sample and sample.n > 1 else ""
    if found.code == "only":
        return over_seeds
    margin = margin_words(_margin(pick))
    enough = [item for item in items if item.status == "suffices"]
    if found.code == "cannot_tell":
        how = ", as a trained network and over its seeds," if _left_open_by_seeds(items) else ""
        text = f"None is shown{how} to be at most {margin} worse than every other. {name} has the most right, "
        text += f"{_share_words(own, seeds or {})}."
        if narrowest(pick.images) >= _margin(pick):
            text += (
                f" So few images never can: set a margin above {100 * narrowest(pick.images):.2f} points, or test on "
                "more."
            )
    elif pick is best:
        text = (
            f"No cheaper one is shown to be within {margin} of all others."
            if len(enough) == 1
            else f"Of the others within {margin} none is known to cost less."
        )
        text = f"{over_seeds} {text}".lstrip()
    else:
        gained = _saved(own, best.candidate, 2, cost)
        text = f"It has {_gap_from(pick.against[best.candidate.id], names[best.candidate.id])}"
        text += f", {gained}." if gained else "."
    if len(enough) > 1:
        text += (
            f" The cost is {COST_WORDS[cost]}."
            if own.sure_cost(cost) is not None
            else f" As {COST_WORDS[cost]} is not known of any that suffices, the parameters decided."
        )
    if found.alternative is not None:
        other = found.alternative
        text += (
            f" Where {COST_WORDS[cost]} {'count' if cost == 'parameters' else 'counts'} more, "
            f"{names[other.candidate.id]} has {_gap(other.against[own.id])}, {_saved(other.candidate, own, 3, cost)}."
        )
    return text


def _left_open_by_seeds(items: Sequence[Ranked]) -> bool:
    """True if a trained network is at most the margin worse than every other, so that only the seeds leave it open."""
    return any(all(decision.not_worse for decision in item.against.values()) for item in items)


def networks_only_words(items: Sequence[Ranked], names: Names) -> str:
    """Return which models are weighed without their seeds; empty where each recipe is weighed too."""
    single = [names[item.candidate.id] for item in items if not item.recipes]
    if len(items) < 2 or not single:
        return ""
    one = len(single) == 1
    return (
        f"{listed(single)} {'is' if one else 'are'} weighed as {'a trained network' if one else 'trained networks'} "
        f"only, as {'its recipe' if one else 'their recipes'} cannot be compared over seeds here: another seed may "
        "change the order."
    )


def selection_words(items: Sequence[Ranked]) -> str:
    """Return what choosing the best on the test images does to its accuracy; empty for one model."""
    if len(items) < 2:
        return ""
    return (
        f"The most accurate of these {len(items)} models was found on the same test images that its accuracy is "
        "measured on, so on new digits it will tend to do a little worse than this figure."
    )


def reason_words(item: Ranked, items: Sequence[Ranked], names: Names) -> str:
    """Return the reason for or against using a model in production, in a sentence."""
    own = item.candidate
    best = next(other for other in items if other.best)
    if item.best:
        low, high = own.interval
        text = f"the most right, {percent(own.accuracy)} [{100 * low:.2f}, {100 * high:.2f}]"
        open_ = [names[key] for key, decision in item.against.items() if not decision.differs]
        if open_:
            text += f"; not shown to be better than {listed(open_)}"
    else:
        text = _gap_from(item.against[best.candidate.id], names[best.candidate.id])
        saved = _saved(own, best.candidate, len(COST_WORDS))
        text += f", {saved}" if saved else ", and no cheaper"
    if len(items) > 1:
        text += f". {_status_words(item, names)}"
    beaten = beaten_everywhere(own, [other.candidate for other in items])
    if beaten is not None:
        text += f". {names[beaten.id]} is at least as accurate, and costs no more in anything that was measured"
    return text + "."


def _status_words(item: Ranked, names: Names) -> str:
    margin = margin_words(_margin(item))
    if item.status == "suffices":
        if item.best and all(one.answer == "better" for one in [*item.against.values(), *item.recipes.values()]):
            return "It is shown to be better than every other one"
        if item.best:
            return f"It is shown that no other one is more than {margin} better"
        return f"It is shown to be at most {margin} worse than every other one"
    if item.status == "behind":
        worse = [names[key] for key, decision in item.against.items() if decision.answer == "worse"]
        recipes = [names[key] for key, decision in item.recipes.items() if decision.answer == "worse"]
        if worse == recipes:
            return f"It is shown to be worse than {listed(worse)}, over its seeds too"
        parts = [f"it is shown to be worse than {listed(worse)}"] if worse else []
        parts += [f"over its seeds it is shown to be worse than {listed(recipes)}"] if recipes else []
        text = "; ".join(parts)
        return text[0].upper() + text[1:]
    networks = [names[key] for key, decision in item.against.items() if not decision.not_worse]
    recipes = [names[key] for key, decision in item.recipes.items() if not decision.not_worse]
    if not networks:
        return f"Whether it is, over its seeds, at most {margin} worse than {listed(recipes)} can't be told here"
    if not recipes or networks == recipes:
        return f"Whether it is at most {margin} worse than {listed(networks)} can't be told here"
    return (
        f"Whether it is at most {margin} worse than {listed(networks)}, and over its seeds than {listed(recipes)}, "
        "can't be told here"
    )


def _share_words(own: Candidate, seeds: Seeds) -> str:
    """Return the accuracy of a trained network, and that of its recipe: ``98.31 % (98.39 ± 0.08 % over 3 seeds)``."""
    sample = seeds.get(own.id)
    return percent(own.accuracy) + (f" ({sample_words(sample)})" if sample and sample.n > 1 else "")


def _margin(item: Ranked) -> float:
    return next((decision.margin for decision in item.decisions if decision.margin is not None), 0.0)


def _gap(decision: Decision) -> str:
    """Return a difference with its interval: ``0.40 points [−0.52, 1.33] fewer right``."""
    if decision.value == 0:
        low, high = (number(100 * end, 2) for end in decision.interval)
        return f"as many right [{low}, {high}]"
    shown = decision if decision.value > 0 else decision.negated()
    return f"{points_words(shown)} {'more' if decision.value > 0 else 'fewer'} right"


def _gap_from(decision: Decision, name: str) -> str:
    """Return a difference from a model: ``0.40 points [−0.52, 1.33] fewer right than large``."""
    return f"{_gap(decision)} {'than' if decision.value else 'as'} {name}"


def _saved(own: Candidate, other: Candidate, most: int, first: CostName | None = None) -> str:
    """Return what is cheaper and what is dearer: ``with half the parameters, but 1.6 times the training time``.

    first: the cost that is named first; the others follow from the least on.
    """
    ratios = cost_ratios(own, other)
    ratios = {cost: ratio for cost, ratio in ratios.items() if cost == first} | ratios
    less = [f"{share_words(ratio)} {COST_WORDS[cost]}" for cost, ratio in ratios.items() if ratio < 1]
    more = [f"{ratio:.1f} times {COST_WORDS[cost]}" for cost, ratio in ratios.items() if ratio > 1]
    text = f"with {listed(less[:most])}" if less else ""
    if more:
        text += f"{', but ' if text else 'with '}{listed(more)}"
    return text


def share_words(share: float) -> str:
    """Return a share such as 1/8 before a noun phrase: ``an eighth of``, ``half``, ``60 % of``, ``1/37 of``."""
    if share > 0.55:
        return f"{100 * share:.0f} % of"
    nearest = round(1 / share)
    if nearest > 10:
        return f"1/{nearest:,} of"
    # "a third" for 31 to 36 %; else the number itself
    return _FRACTIONS[nearest] if abs(share * nearest - 1) < 0.08 else f"{100 * share:.0f} % of"
