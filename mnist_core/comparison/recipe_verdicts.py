"""Whether a recipe is better than another, over several seeds of each: what a verdict on two runs cannot tell."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mnist_core.comparison.recipes import group, recipe_id
from mnist_core.comparison.verdicts import Outcome, difference_json, outcome_of, p_words, points_words, turned
from mnist_core.errors import StoreError
from mnist_core.evaluation.statistics import FEWEST_SEEDS, Difference, Sample, holm, sample, superiority, welch
from mnist_core.runs.run import Run


@dataclass(frozen=True)
class RecipeVerdict:
    """A run's recipe against the baseline's, over the seeds that are finished and tested on the same data.

    baseline_values, values: test accuracies by seed. difference, superiority: None under FEWEST_SEEDS seeds a side,
    where nothing can be told. superiority: P(a seed of this recipe > one of the baseline's).
    """

    baseline: str
    run: str
    baseline_values: tuple[float, ...]
    values: tuple[float, ...]
    difference: Difference | None
    p_adjusted: float | None
    superiority: float | None
    sentence: str

    @property
    def samples(self) -> tuple[Sample, Sample]:
        """Count, mean and standard deviation of the baseline's accuracies, and of these."""
        return sample(self.baseline_values), sample(self.values)

    @property
    def outcome(self) -> Outcome | None:
        """Which recipe is better; None where it cannot be told."""
        if self.difference is None or self.p_adjusted is None:
            return None
        return outcome_of(self.difference.value, self.p_adjusted)

    def to_json(self) -> dict[str, Any]:
        """Plain data; a standard deviation of one value is None."""
        first, second = (
            {key: None if math.isnan(value) else value for key, value in item._asdict().items()}
            for item in self.samples
        )
        return asdict(self) | {
            "baseline_sample": first,
            "sample": second,
            "difference": difference_json(self.difference) if self.difference else None,
            "outcome": self.outcome,
        }


def judge_recipes(
    runs: Sequence[Run],
    baseline: Run,
    everything: Sequence[Run],
    *,
    names: Mapping[str, str] | None = None,
    accuracy: Callable[[Run], float | None] | None = None,
) -> list[RecipeVerdict]:
    """Compare the recipe of every other one of `runs` with that of `baseline`, over all their seeds.

    Parameters
    ----------
    runs, baseline
        as for `judge`; runs on other data, and those of the baseline's own recipe, are passed over, and so is a second
        run of one recipe.
    everything
        all runs of the store, among which the seeds are found.
    names
        run id → what to call it; its display name where it is missing.
    accuracy
        gives a run's test accuracy, None where it has none, for a caller that caches or chooses an epoch. A run for
        which it raises StoreError, as its files are damaged, is passed over.
    """
    ask = accuracy or _accuracy
    called = {run.id: run.name for run in (*runs, baseline)} | dict(names or {})
    models = {run.config.model for run in (*runs, baseline)}
    alike = [run for run in everything if run.config.model in models]  # a sweep may have left hundreds of others
    recipes = {(item.id, item.fingerprint): item.runs for item in group([*alike, *runs, baseline])}

    def values(run: Run) -> tuple[float, ...]:
        seeds = {item.config.training.seed: item for item in recipes[recipe_id(run.config), run.status.fingerprint]}
        found = []
        for item in seeds.values():
            if item.state == "finished":
                with contextlib.suppress(StoreError):  # damaged: it has no figures
                    found.append(ask(item))
        return tuple(value for value in found if value is not None)

    seen, found = {recipe_id(baseline.config)}, []
    for run in runs:
        if run.status.fingerprint == baseline.status.fingerprint and recipe_id(run.config) not in seen:
            seen.add(recipe_id(run.config))
            found.append(_recipe_verdict(baseline, run, values(baseline), values(run)))
    told = [item for item in found if item.difference]
    p_values = holm([item.difference.p for item in told if item.difference])
    adjusted = {item.run: p for item, p in zip(told, p_values, strict=True)}
    found = [replace(item, p_adjusted=adjusted.get(item.run)) for item in found]
    return [replace(item, sentence=_recipe_sentence(item, called, len(told))) for item in found]


def _accuracy(run: Run) -> float | None:
    test = run.test_scores()
    return test.accuracy if test else None


def _recipe_verdict(baseline: Run, run: Run, first: tuple[float, ...], second: tuple[float, ...]) -> RecipeVerdict:
    enough = min(len(first), len(second)) >= FEWEST_SEEDS
    return RecipeVerdict(
        baseline=baseline.id,
        run=run.id,
        baseline_values=first,
        values=second,
        difference=welch(first, second) if enough else None,
        p_adjusted=None,
        superiority=superiority(first, second) if enough else None,
        sentence="",
    )


def _recipe_sentence(item: RecipeVerdict, names: Mapping[str, str], comparisons: int) -> str:
    base, run = names[item.baseline], names[item.run]
    (n_base, mean_base, sd_base), (n, mean, sd) = item.samples
    if item.difference is None or item.p_adjusted is None:
        return (
            f"Whether {run} is better than {base} as a recipe, {n} finished seed{'' if n == 1 else 's'} of the one and "
            f"{n_base} of the other can't tell: train at least {FEWEST_SEEDS} of each."
        )
    figures = (
        f"{run} {100 * mean:.2f} ± {100 * sd:.2f} % over {n} seeds, "
        f"{base} {100 * mean_base:.2f} ± {100 * sd_base:.2f} % over {n_base} (mean ± standard deviation)"
    )
    if item.outcome == "close":
        verdict = f"The recipes are too close to call: {points_words(item.difference, sign=True)}"
    else:
        lead = item.difference if item.outcome == "better" else turned(item.difference)
        verdict = f"As a recipe, {run} is {item.outcome} by {points_words(lead)}"
    return (
        f"{verdict} (Welch's t test, {p_words(item.p_adjusted, comparisons)}). {figures}. "
        f"A seed of {run} beats one of {base} in {100 * (item.superiority or 0):.0f} % of the pairs."
    )
