"""Plans that settle an undecided comparison of two recipes: how many more seeds of each, or why no number would.

The plan is for the decision that `compare_recipes` will make: the variance of its estimate with more seeds, and how
often its t interval then leaves out 0 if the true difference is the wanted one. The seeds that are there are among
those of the next decision, on the same test images, and they did not decide. So the power is that given an undecided
answer; it does not depend on how large the present difference is, which would make plans for the luckiest of equal
recipes.

With k seeds a side on n images, the variance of a difference of accuracies is τ₁²/k₁ + τ₂²/k₂ + σ²/n. τ² is that
between seeds, of which the part e²/n is luck on single images; σ² is that, between images, of the true difference. More
seeds leave σ²/n as it is. A few seeds determine τ² poorly, so it is combined with a pooled value, and the power is the
mean over the possible values of τ² and σ².
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import LEVEL, POWER, detectable_mean, found_share
from mnist_core.comparison.recipe_verdicts import RecipeVerdict, right_table, tested
from mnist_core.comparison.recipes import Recipe, group
from mnist_core.comparison.verdicts import Comparison
from mnist_core.errors import StoreError
from mnist_core.evaluation.statistics import FEWEST_SEEDS, BoolArray, residual_square
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

PowerValues = NDArray[np.float64]

MOST_MORE = 20
"""So many more seeds of each are planned at most."""

MOST_POOLED = 40
"""On so many recipes with several seeds the spread is measured at most: each needs the predictions of all its seeds."""

LARGEST_FREEDOM = 10
"""Largest number of degrees of freedom of the pooled value, so that the recipes' own seeds keep their weight."""

POOLED_FREEDOM = 50
"""Degrees of freedom of the pooled e²/w: it differs by about a fifth, √(2/50), between the recipes that ship."""

_UNBOUNDED = 10_000
"""So many seeds stand for any number."""

_SHARES = (np.arange(5) + 0.5) / 5
"""Quantiles at which the uncertain variances are evaluated."""


@dataclass(frozen=True)
class PooledSpread:
    """The spread of the seeds of a recipe, measured over many recipes.

    All is per wrong image, as recipes differ far less in this than in the spread itself.

    variance: n·s²/w, with s² the variance of the accuracies, n the number of test images and w the share that is wrong.
    freedom: its degrees of freedom. residual: e²/w, with e² the residual mean square of the tables of seeds by images;
    0 where no recipe has predictions of two seeds. between: σ²/(w₁+w₂) of pairs of such recipes; None where there is no
    pair. recipes: how many `variance` was measured on. same_data: False if they are recipes on other data, as there are
    none on these.
    """

    variance: float
    freedom: float
    residual: float
    between: float | None
    recipes: int
    same_data: bool


@dataclass(frozen=True)
class Evidence:
    """The data on two recipes, the baseline's first.

    images: of the test set. seeds: tested ones. variances, freedoms: those between the accuracies of seeds. residuals:
    e². square, square_freedom: variance over the images of the difference of the shares of seeds that get one right,
    which is σ² and luck. luck: the part of it that is luck of single seeds on single images.
    """

    images: int
    seeds: tuple[int, int]
    variances: tuple[float, float]
    freedoms: tuple[float, float]
    residuals: tuple[float, float]
    square: float
    square_freedom: float
    luck: float


@dataclass(frozen=True)
class Plan:
    """The seeds needed to show a wanted difference between two recipes with a power of `decide.POWER`.

    code: seeds, `more` of each would; images, no number of seeds would on so few images; many, more than MOST_MORE of
    each would be needed. wanted: the difference, as a share of the images. detectable: the smallest difference that the
    present seeds and images show with that power; None if there are too few seeds to decide on. pooled: the source of
    the spread between seeds if a recipe has one seed only; else None.
    """

    baseline: str
    run: str
    code: Literal["seeds", "images", "many"]
    wanted: float
    images: int
    seeds: tuple[int, int]
    more: int = 0
    detectable: float | None = None
    pooled: PooledSpread | None = None


def spread(recipes: Sequence[Recipe], fingerprint: str, *, reader: Reader = PLAIN) -> PooledSpread | None:
    """Measure how far seeds lie apart, over the recipes with several finished seeds; None where there are none.

    Recipes on the data with this fingerprint, where there are any, else all. Runs that continue another are left out:
    their seeds share that one's luck.
    """
    return _pooled([item for recipe in recipes if (item := _measured(recipe, reader)) is not None], fingerprint)


def _pooled(found: Sequence[_RecipeSpread], fingerprint: str) -> PooledSpread | None:
    own = [item for item in found if item.fingerprint == fingerprint]
    pool = own or found
    if not pool:
        return None
    tables = next((these for these in (_with_tables(pool), _with_tables(found)) if these), [])
    pairs = next((these for these in (_pairs(pool), _pairs(found)) if these), [])
    freedom = sum(item.seeds - 1 for item in pool)
    return PooledSpread(
        sum(item.variance * item.images / item.wrong * (item.seeds - 1) for item in pool) / freedom, freedom,
        float(np.mean([residual_square(item.table) / item.wrong for item in tables])) if tables else 0.0,
        float(np.mean([_between(*pair) for pair in pairs])) if pairs else None, len(pool), bool(own),
    )  # fmt: skip


@dataclass(frozen=True)
class _RecipeSpread:
    fingerprint: str
    images: int
    seeds: int
    wrong: float
    variance: float
    table: BoolArray


def _measured(recipe: Recipe, reader: Reader) -> _RecipeSpread | None:
    """Return the figures of a recipe with several seeds, some of whose answers are wrong; else None."""
    if len(recipe.runs) < 2 or recipe.runs[0].parent is not None:
        return None
    sides = tested(recipe.runs, "kept", reader)
    values = [value for _, value in sides]
    if len(sides) < 2 or np.mean(values) >= 1:
        return None
    scores = reader.test_scores(sides[0][0], "kept")
    try:
        table = right_table([run for run, _ in sides], "kept", reader)
    except StoreError:
        table = np.zeros((0, 0), dtype=np.bool_)
    return _RecipeSpread(
        recipe.fingerprint, scores.images if scores else 0, len(sides), 1 - float(np.mean(values)),
        float(np.var(values, ddof=1)), table,
    )  # fmt: skip


def _with_tables(items: Sequence[_RecipeSpread]) -> list[_RecipeSpread]:
    return [item for item in items if len(item.table) > 1]


def _pairs(items: Sequence[_RecipeSpread]) -> list[tuple[_RecipeSpread, _RecipeSpread]]:
    """Return neighbours on the same images; all pairs would be many, and say little more."""
    tables = _with_tables(items)
    return [
        pair
        for pair in itertools.pairwise(sorted(tables, key=lambda item: item.fingerprint))
        if pair[0].fingerprint == pair[1].fingerprint and pair[0].table.shape[1] == pair[1].table.shape[1]
    ]


def _between(first: _RecipeSpread, second: _RecipeSpread) -> float:
    """Return σ²/(w₁+w₂) of two recipes."""
    each = second.table.mean(axis=0) - first.table.mean(axis=0)
    luck = sum(residual_square(item.table) / len(item.table) for item in (first, second))
    return max(float(each.var(ddof=1)) - luck, 0.0) / (first.wrong + second.wrong)


def evidence(
    baseline: Sequence[float], run: Sequence[float], baseline_right: BoolArray, run_right: BoolArray,
    pooled: PooledSpread | None,
) -> Evidence | None:  # fmt: skip
    """Return what is known of two recipes; None where it is too little to plan on.

    Parameters
    ----------
    baseline, run
        test accuracies by seed, at least one a side.
    baseline_right, run_right
        bool, shape (seeds, images): True where a seed gets an image right; at least one of the seeds a side.
    pooled
        of other recipes.
    """
    values, tables = (baseline, run), (baseline_right, run_right)
    images = tables[0].shape[1]
    if images != tables[1].shape[1] or images < 2:
        return None
    variances, freedoms, residuals, errors, doubts = [], [], [], [], []
    for side, table in zip(values, tables, strict=True):
        # half an image for a recipe that gets all right: its next seed may not
        wrong = max(1 - float(np.mean(side)), 0.5 / images)
        weight = min(pooled.freedom, LARGEST_FREEDOM) if pooled else 0.0
        squares = weight * pooled.variance * wrong / images if pooled else 0.0
        if len(side) > 1:
            squares += float(np.var(side, ddof=1)) * (len(side) - 1)
            weight += len(side) - 1
        if not weight:
            return None
        residual = residual_square(table) if len(table) > 1 else pooled.residual * wrong if pooled else 0.0
        doubt = max((len(table) - 1) * residual * images, LARGEST_FREEDOM) if len(table) > 1 else POOLED_FREEDOM
        doubts.append((residual / len(table)) ** 2 / doubt)
        errors.append(wrong)
        residuals.append(residual)
        variances.append(max(squares / weight, residual / images))
        freedoms.append(weight)
    each = tables[1].mean(axis=0) - tables[0].mean(axis=0)
    square = float(each.var(ddof=1))
    luck = sum(residual / len(table) for residual, table in zip(residuals, tables, strict=True))
    # the freedom of a χ² with the same variance of its mean square; few images that differ tell little
    error = float(((each - each.mean()) ** 2).std()) / math.sqrt(images)
    freedom = max(2 * (square / error) ** 2, 1.0) if error else 1.0
    if pooled and pooled.between is not None:
        square = square * freedom + LARGEST_FREEDOM * (pooled.between * sum(errors) + luck)
        freedom += LARGEST_FREEDOM
        square /= freedom
    # the doubt about the luck is also doubt about the rest
    freedom = square**2 / (square**2 / freedom + sum(doubts)) if square else 1.0
    return Evidence(
        images, (len(baseline), len(run)), (variances[0], variances[1]), (freedoms[0], freedoms[1]),
        (residuals[0], residuals[1]), square, freedom, luck,
    )  # fmt: skip


def power(
    known: Evidence, more: NDArray[np.int_], wanted: float, half: float = math.inf, level: float = LEVEL
) -> PowerValues:
    """Return how often a decision with so many more seeds of each shows a difference, shape of `more`.

    Parameters
    ----------
    known
        what there is.
    more
        numbers of seeds to be added to each side, shape (m,), at least 0.
    wanted
        the true difference, above 0.
    half
        half the width of the present interval: the present difference is less than that. Infinite: nothing is decided.
    level
        of the interval that decides.
    """
    from scipy.special import chdtri, ndtr, ndtri

    spreads = [
        np.maximum(variance * freedom / chdtri(freedom, _SHARES), residual / known.images)
        for variance, freedom, residual in zip(known.variances, known.freedoms, known.residuals, strict=True)
    ]
    squares = known.square * known.square_freedom / chdtri(known.square_freedom, _SHARES)
    betweens = np.maximum(squares - known.luck, 0.0) / known.images
    # one axis for each thing that is not known, and the last for `more`
    first, second, between, share = (item[..., None] for item in np.ix_(*spreads, betweens, _SHARES))
    counts = [seeds + more for seeds in known.seeds]
    before = np.maximum(first / known.seeds[0] + second / known.seeds[1] + between, 1e-300)
    parts = first / counts[0], second / counts[1]
    variance = parts[0] + parts[1] + between
    # the present difference, normal around the wanted one, and within the interval that did not decide
    low, high = (ndtr((end - wanted) / np.sqrt(before)) for end in (-half, half))
    present = wanted + np.sqrt(before) * ndtri(np.clip(low + share * (high - low), 1e-300, 1 - 1e-16))
    # given the present seeds and images, what is left to chance is the new seeds alone
    kept = variance / before
    mean = wanted + kept * (np.clip(present, -half, half) - wanted)
    below = sum(part**2 / np.maximum(count - 1, 1) for part, count in zip(parts, counts, strict=True))
    freedom = variance**2 / np.maximum(below + between**2 / (known.images - 1), 1e-300)
    found = found_share(mean, np.sqrt(variance * np.maximum(1 - kept, 0.0)), np.sqrt(variance), freedom, level)
    found = np.where(np.minimum(*counts) < FEWEST_SEEDS, 0.0, found)
    return np.asarray(found.mean(axis=(0, 1, 2, 3)))


def more_needed(known: Evidence, wanted: float, half: float = math.inf, level: float = LEVEL) -> int | None:
    """Return how many more seeds of each show a difference with a power of `decide.POWER`: 1 to MOST_MORE.

    Else 0 where more than MOST_MORE are needed, and None where no number of seeds would do. The arguments are those of
    `power`.
    """
    counts = np.arange(1, MOST_MORE + 1)
    enough = counts[power(known, counts, wanted, half, level) >= POWER]
    if len(enough):
        return int(enough[0])
    return 0 if power(known, np.array([_UNBOUNDED]), wanted, half, level)[0] >= POWER else None


def plans(
    runs: Sequence[Run],
    comparison: Comparison,
    recipes: Sequence[RecipeVerdict],
    everything: Sequence[Run],
    *,
    reader: Reader = PLAIN,
) -> list[Plan]:
    """Return what would settle each undecided comparison of recipes, and of runs with too few seeds for that.

    Parameters
    ----------
    runs
        those that were compared, the baseline among them.
    comparison, recipes
        the answers of `compare` and `compare_recipes` on them; the margin is the wanted difference.
    everything
        all runs of the store.
    reader
        where results come from.
    """
    by_id = {run.id: run for run in runs}
    wanted = [item for item in recipes if _open(item, comparison)]
    if not wanted:
        return []
    grouped = group([*everything, *runs])
    base = by_id[comparison.baseline]
    own_recipes = {base.recipe, *(by_id[item.run].recipe for item in wanted)}
    measured = _some_measured(grouped, own_recipes, base.status.fingerprint, reader)
    found = []
    for item in wanted:
        own = {base.recipe, by_id[item.run].recipe}
        pooled = _pooled([one for key, one in measured if key not in own], base.status.fingerprint)
        plan = _plan(item, comparison, base, by_id[item.run], grouped, pooled, reader)
        if plan is not None:
            found.append(plan)
    return found


def _some_measured(
    recipes: Sequence[Recipe], wanted: Collection[str], fingerprint: str, reader: Reader
) -> list[tuple[str, _RecipeSpread]]:
    """Return the newest MOST_POOLED recipes with several seeds on these data, and as many on others, by their ids.

    Those of `wanted` come on top, as each of them is left out of the pool of its own plan alone.
    """
    several = [recipe for recipe in recipes if len(recipe.runs) > 1]
    found: list[tuple[str, _RecipeSpread]] = []
    for these in (
        [recipe for recipe in several if recipe.fingerprint == fingerprint],
        [recipe for recipe in several if recipe.fingerprint != fingerprint],
    ):
        others = [recipe.id for recipe in these if recipe.id not in wanted]
        counted = {*others[-MOST_POOLED:], *wanted}
        measured = [(recipe.id, _measured(recipe, reader)) for recipe in these if recipe.id in counted]
        found += [(recipe_id, item) for recipe_id, item in measured if item is not None]
    return found


def _open(item: RecipeVerdict, comparison: Comparison) -> bool:
    """True if more seeds may settle it: it is undecided, or it is so for two runs and there are too few seeds."""
    if item.decision is not None:
        return item.with_images and item.decision.answer == "undecided"
    verdict = comparison.of(item.run)
    return item.reason in ("few_seeds", "no_spread") and verdict is not None and verdict.answer == "undecided"


def _plan(
    item: RecipeVerdict, comparison: Comparison, base: Run, run: Run, recipes: Sequence[Recipe],
    pooled: PooledSpread | None, reader: Reader,
) -> Plan | None:  # fmt: skip
    if base.parent is not None or run.parent is not None or base.recorded or run.recorded:
        return None  # seeds that continue a network share its luck; what was made outside cannot be trained here
    chosen: ChosenEpoch = comparison.chosen
    sides = []
    for one in (base, run):
        own = next(found for found in recipes if found.id == one.recipe and found.fingerprint == one.status.fingerprint)
        sides.append(tested(own.runs, chosen, reader))
    tables = [right_table([one for one, _ in side], chosen, reader) for side in sides]
    if not all(len(table) for table in tables):
        return None
    values = [[value for _, value in side] for side in sides]
    known = evidence(values[0], values[1], tables[0], tables[1], pooled)
    if known is None:
        return None
    verdict = comparison.of(item.run)
    present = item.decision or (verdict.accuracy if verdict else None)
    if present is None:
        return None
    half, level = (present.interval.high - present.interval.low) / 2, present.level
    more = more_needed(known, comparison.margin, half, level)
    return Plan(
        item.baseline, item.run, "images" if more is None else "seeds" if more else "many", comparison.margin,
        known.images, known.seeds, more or 0, detectable_mean(item.estimate, level) if item.estimate else None,
        pooled if min(known.seeds) < 2 else None,
    )  # fmt: skip
