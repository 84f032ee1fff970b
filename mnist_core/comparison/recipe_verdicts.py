"""Comparison of two recipes over several seeds of each, which a verdict on two runs cannot replace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mnist_core.comparison.decide import DEFAULT_MARGIN, Answer, Decision, decide
from mnist_core.comparison.recipes import group, same_recipe
from mnist_core.errors import StoreError
from mnist_core.evaluation.statistics import (
    FEWEST_SEEDS,
    BoolArray,
    MeanDifference,
    Sample,
    crossed_difference,
    sample,
    superiority,
    welch,
)
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

Reason = Literal["few_seeds", "not_stored", "one_parent", "no_spread"]
"""Why no decision is possible. few_seeds: under FEWEST_SEEDS a side. not_stored: enough seeds are finished, but the
results of the chosen epoch are stored for too few. one_parent: all seeds of a side continue the same trained network,
and share its luck. no_spread: on each side, all seeds have the same accuracy.
"""


@dataclass(frozen=True)
class RecipeVerdict:
    """A run's recipe against the baseline's, over the seeds that are finished and tested on the same data.

    baseline_values, values: test accuracies by seed. decision, superiority: None if no decision is possible, for the
    `reason`. superiority: P(a seed of this recipe > one of the baseline's), 0 to 1. with_images: True if the interval
    includes the chance of the test images; False where a side has no predictions, and it is about these images alone.
    estimate: what was decided on. continued: the ids of the two runs whose recipe continues one trained network.
    chosen: whose weights are evaluated.
    """

    baseline: str
    run: str
    baseline_values: tuple[float, ...]
    values: tuple[float, ...]
    decision: Decision | None = None
    superiority: float | None = None
    reason: Reason | None = None
    with_images: bool = False
    continued: tuple[str, ...] = ()
    chosen: ChosenEpoch = "kept"
    estimate: MeanDifference | None = None

    @property
    def samples(self) -> tuple[Sample, Sample]:
        """Count, mean and standard deviation of the baseline's accuracies, and of these."""
        return sample(self.baseline_values), sample(self.values)

    @property
    def answer(self) -> Answer | None:
        """The answer which recipe is better; None if no decision is possible."""
        return self.decision.answer if self.decision else None


def compare_recipes(
    runs: Sequence[Run],
    baseline: Run,
    everything: Sequence[Run],
    chosen: ChosenEpoch = "kept",
    *,
    margin: float = DEFAULT_MARGIN,
    reader: Reader = PLAIN,
) -> list[RecipeVerdict]:
    """Compare the recipe of every other one of `runs` with that of `baseline`, over all their seeds.

    Parameters
    ----------
    runs, baseline, chosen, margin, reader
        as for `compare`; runs on other data, and those of the baseline's own recipe, are passed over, and so is a
        second run of one recipe.
    everything
        all runs of the store, among which the seeds are found.
    """
    models = {run.config.model for run in (*runs, baseline) if not run.recorded}
    # a sweep may have left hundreds of others; a run from outside is a recipe of its own
    alike = [run for run in everything if not run.recorded and run.config.model in models]
    recipes = {(item.id, item.fingerprint): item.runs for item in group([*alike, *runs, baseline])}

    def members(run: Run) -> Sequence[Run]:
        return recipes[run.recipe, run.status.fingerprint]

    known, found = {baseline.recipe}, []
    estimates: dict[str, MeanDifference] = {}
    for run in runs:
        if run.status.fingerprint == baseline.status.fingerprint and run.recipe not in known:
            known.add(run.recipe)
            verdict, estimate = _evidence(baseline, run, members(baseline), members(run), chosen, reader)
            found.append(verdict)
            if estimate is not None:
                estimates[run.id] = estimate
    decisions = dict(zip(estimates, decide(list(estimates.values()), margin=margin), strict=True))
    return [replace(item, decision=decisions.get(item.run)) for item in found]


def _evidence(
    baseline: Run, run: Run, firsts: Sequence[Run], seconds: Sequence[Run], chosen: ChosenEpoch, reader: Reader
) -> tuple[RecipeVerdict, MeanDifference | None]:  # fmt: skip
    """Return the verdict without its decision, and the difference to decide on; None if no decision is possible."""
    first, second = (tested(side, chosen, reader) for side in (firsts, seconds))
    values = [tuple(value for _, value in side) for side in (first, second)]
    verdict = RecipeVerdict(baseline.id, run.id, values[0], values[1], chosen=chosen)
    continued = tuple(item.id for item in (baseline, run) if item.parent is not None)
    if min(len(first), len(second)) < FEWEST_SEEDS:
        finished = [len({item.seed for item in side if item.state == "finished"}) for side in (firsts, seconds)]
        return replace(verdict, reason="not_stored" if min(finished) >= FEWEST_SEEDS else "few_seeds"), None
    if continued:
        return replace(verdict, reason="one_parent", continued=continued), None
    estimate = welch(*values)
    if not estimate.known:
        return replace(verdict, reason="no_spread"), None
    tables = [right_table([item for item, _ in side], chosen, reader) for side in (first, second)]
    with_images = tables[0].shape[1] == tables[1].shape[1] > 1
    if with_images:
        estimate = crossed_difference(values[0], values[1], tables[0], tables[1])
    verdict = replace(verdict, superiority=superiority(*values), with_images=with_images, estimate=estimate)
    return verdict, estimate


def tested(runs: Sequence[Run], chosen: ChosenEpoch, reader: Reader) -> list[tuple[Run, float]]:
    """Return the finished ones of a recipe's runs, one a seed, with their test accuracies."""
    found = []
    for run in {run.seed: run for run in runs}.values():
        if run.state == "finished":
            with contextlib.suppress(StoreError):  # damaged: it has no figures
                found.append((run, reader.test_scores(run, chosen)))
    return [(run, scores.accuracy) for run, scores in found if scores is not None]


def accuracy_sample(
    run: Run, everything: Iterable[Run], chosen: ChosenEpoch = "kept", reader: Reader = PLAIN
) -> Sample:
    """Return count, mean and standard deviation of the test accuracies of all finished seeds of a run's recipe."""
    return sample([value for _, value in tested(same_recipe(run, everything), chosen, reader)])


def right_table(runs: Sequence[Run], chosen: ChosenEpoch, reader: Reader) -> BoolArray:
    """Return which images each run gets right, bool, shape (runs with predictions, images); (0, 0) where none has."""
    found = [item for run in runs if (item := reader.predictions(run, chosen)) is not None]
    same = [item for item in found if np.array_equal(item.labels, found[0].labels)]
    return np.stack([item.predicted == item.labels for item in same]) if same else np.zeros((0, 0), dtype=np.bool_)
