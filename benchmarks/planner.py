"""How often the planned number of seeds settles an undecided comparison: the grounds of decision 20.

    python -m benchmarks.planner

Two recipes are made up from images of unlike difficulty, and seeds whose spread is drawn from those of the recipes
that ship. Their first seeds are compared as Compare does it. Where the answer is undecided, the plan is made and
carried out, and all seeds are compared again. Printed are, over 1,000 carried-out plans of each setting: how often they
decide if the true difference is the wanted one, and how often they call equal recipes different.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import Decision, decide_one
from mnist_core.comparison.planner import PooledSpread, evidence, more_needed, spread
from mnist_core.comparison.recipe_verdicts import tested
from mnist_core.comparison.recipes import Recipe, group
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, crossed_difference
from mnist_core.runs.reader import PLAIN
from mnist_core.runs.store import Store

CASES = 1_000
DIFFICULTY = 5.5
"""The standard deviation of the log-odds of an image over images. With 5.5 the luck on single images comes out as it is
on model_1 and model_2: e²/w is 0.39, measured 0.42 on digits and 0.36 on MNIST; both are printed."""
ALIKE = 0.975
"""The share of that variance that two recipes have in common. So the variance over images of their true difference is
0.003, measured on model_1 and model_2 0.003 on digits and 0.002 on MNIST."""


@dataclass(frozen=True)
class Setting:
    """images: of the test set. seeds: a side, before the plan. wanted: the true difference in accuracy."""

    images: int
    seeds: int
    wanted: float


SETTINGS = (
    Setting(355, 1, 0.015), Setting(355, 1, 0.02), Setting(355, 3, 0.01), Setting(355, 3, 0.015),
    Setting(10_000, 1, 0.002), Setting(10_000, 1, 0.003), Setting(10_000, 3, 0.002), Setting(10_000, 3, 0.003),
)  # fmt: skip


class World:
    """Recipes whose seeds differ as much as those that ship.

    Parameters
    ----------
    recipes
        that ship, on one data set.
    fingerprint
        of that data set.
    wrong
        the share of images that the baseline gets wrong on average.
    """

    def __init__(self, recipes: Sequence[Recipe], fingerprint: str, wrong: float, rng: np.random.Generator) -> None:
        self.rng = rng
        found = spread(recipes, fingerprint)
        assert found is not None
        self.pooled: PooledSpread = found
        self.easy = rng.normal(size=200_000)
        self.levels: dict[float, float] = {}
        self.level = self._level(wrong)
        p = self._right(self.level, self.easy)
        # per unit of luck, how far the mean accuracy moves: turns a spread of accuracies into one of log-odds
        self.slope = float((p * (1 - p)).mean())
        self.wrong, self.luck = wrong, float((p * (1 - p)).mean())
        spreads = []
        for recipe in recipes:
            values = [value for _, value in tested(recipe.runs, "kept", PLAIN)]
            if recipe.fingerprint == fingerprint and len(values) > 1 and recipe.runs[0].config.parent is None:
                spreads.append(float(np.var(values, ddof=1)) / (1 - float(np.mean(values))))
        self.spreads = np.array(spreads)
        """s²/w of each recipe that ships."""

    def _right(self, level: float, own: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 / (1 + np.exp(-level - DIFFICULTY * own))

    def _level(self, wrong: float) -> float:
        """Return the log-odds at which this share is wrong."""
        if wrong in self.levels:
            return self.levels[wrong]
        low, high = -5.0, 40.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if (1 - self._right(middle, self.easy)).mean() > wrong else (low, middle)
        self.levels[wrong] = high
        return high

    def pair(self, images: int, shipped_images: int, difference: float) -> tuple[Side, Side]:
        """Return two recipes on the same new test images; the second is better by `difference`."""
        easy, sides = self.rng.normal(size=images), []
        for number in range(2):
            wrong = self.wrong - number * difference
            own = np.sqrt(ALIKE) * easy + np.sqrt(1 - ALIKE) * self.rng.normal(size=images)
            # of the measured spread, what is not luck on single images moves all images together
            measured = self.rng.choice(self.spreads) * wrong
            deviation = np.sqrt(max(measured - self.luck / shipped_images, 0.0)) / self.slope
            sides.append(Side(self._level(wrong) + DIFFICULTY * own, deviation, self.rng))
        return sides[0], sides[1]


@dataclass
class Side:
    """One recipe: the log-odds of each image, and the standard deviation of a seed's luck."""

    odds: NDArray[np.float64]
    deviation: float
    rng: np.random.Generator

    def seeds(self, count: int) -> NDArray[np.bool_]:
        """Train so many: which images each gets right, shape (count, images)."""
        luck = self.rng.normal(size=(count, 1)) * self.deviation
        chance = 1 / (1 + np.exp(-(self.odds + luck).astype(np.float32)))
        found: NDArray[np.bool_] = self.rng.random((count, len(self.odds)), dtype=np.float32) < chance
        return found


def decided(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Decision:
    """Return what Compare decides: on two networks where there is one seed a side, else on two recipes."""
    if len(first) == 1:
        gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
        return decide_one(AccuracyDifference(Agreement(first.size - gained - lost, lost, gained, 0)))
    return decide_one(crossed_difference(first.mean(axis=1), second.mean(axis=1), first, second))


def carried_out(world: World, setting: Setting, shipped_images: int, difference: float, cases: int) -> dict[str, float]:
    """Plan and carry out until there are so many cases; return what came of them, in %, and the seeds planned."""
    tried = decided_first = none = many = 0
    added, found = [], 0
    while len(added) < cases and tried < 20 * cases:
        tried += 1
        sides = world.pair(setting.images, shipped_images, difference)
        tables = [side.seeds(setting.seeds) for side in sides]
        present = decided(*tables)
        if present.differs:
            decided_first += 1
            continue
        known = evidence(*(table.mean(axis=1) for table in tables), *tables, world.pooled)
        assert known is not None
        more = more_needed(known, setting.wanted, (present.interval.high - present.interval.low) / 2)
        none, many = none + (more is None), many + (more == 0)
        if not more:
            continue
        added.append(more)
        later = [np.vstack([table, side.seeds(more)]) for table, side in zip(tables, sides, strict=True)]
        found += decided(*later).differs
    done = max(len(added), 1)
    return {
        "plans": len(added), "none": 100 * none / tried, "many": 100 * many / tried,
        "more": float(np.median(added)) if added else float("nan"), "decided": 100 * found / done,
        "first": 100 * decided_first / tried, "either": 100 * (decided_first + found) / tried,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of settings, from 0")
    options = parser.parse_args()
    recipes = group(run for run in Store().runs() if run.read_only and run.listed)
    by_data = {recipe.runs[0].config.dataset.name: recipe.fingerprint for recipe in recipes}
    print("images seeds wanted | plans no number% over 20% median more decides% | equal: plans decides% first% either%")
    for number, setting in enumerate(SETTINGS):
        if options.only and number not in options.only:
            continue
        name, size = ("digits", 355) if setting.images < 2_000 else ("mnist", 10_000)
        world = World(recipes, by_data[name], 0.03 if name == "digits" else 0.02, np.random.default_rng(number))
        real = carried_out(world, setting, size, setting.wanted, options.cases)
        equal = carried_out(world, setting, size, 0.0, options.cases)
        print(
            f"{setting.images:6} {setting.seeds:5} {100 * setting.wanted:6.2f} | {real['plans']:5.0f} "
            f"{real['none']:10.1f} {real['many']:8.1f} {real['more']:11.0f} {real['decided']:8.1f} | "
            f"{equal['plans']:11.0f} {equal['decided']:8.1f} {equal['first']:6.1f} {equal['either']:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
