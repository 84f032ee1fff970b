"""One recipe, several seeds: how much of a result is the recipe, and how much is luck.

A recipe is a configuration without its seed. Runs of one recipe on the same data differ by chance alone, so their
spread is the noise that a difference between two recipes must be measured against.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_core.errors import ConfigError, StoreError
from mnist_core.evaluation.statistics import sample
from mnist_core.experiments.configs import RunConfig, TrainingConfig
from mnist_core.experiments.fields import bounds
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import HISTORY_COLUMNS, LONGEST_NAME
from mnist_core.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

MOST_SEEDS = 100
METRICS = tuple(column for column in HISTORY_COLUMNS if column != "epoch")


def with_seeds(config: RunConfig, count: int) -> list[RunConfig]:
    """Return `count` configurations of one recipe: the seed of `config`, and those after it.

    Raises
    ------
    ConfigError
        for a count below 1 or above MOST_SEEDS, or where the seeds would pass their bound.
    """
    if not 1 <= count <= MOST_SEEDS:
        raise ConfigError(f"{count} seeds were asked for; ask for 1 to {MOST_SEEDS}")
    first, most = config.training.seed, int(bounds(TrainingConfig, "seed").maximum or 0)
    if first + count - 1 > most:
        raise ConfigError(f"{count} seeds from {first} on pass the highest seed, {most}; start from a lower one")
    return [config.replace(training__seed=first + number) for number in range(count)]


def same_recipe(run: Run, everything: Iterable[Run]) -> tuple[Run, ...]:
    """Return all seeds of a run's recipe on the same data, by seed; the run itself is among them."""
    if run.recorded:
        return (run,)
    alike = [item for item in everything if not item.recorded and item.recipe == run.recipe]
    found = group([run, *(item for item in alike if item.id != run.id)])
    return next(item.runs for item in found if run in item.runs)


def more_seeds(run: Run, everything: Iterable[Run], count: int) -> list[RunConfig]:
    """Return `count` configurations of the run's recipe with the lowest seeds that no run of `everything` has.

    A seed that is being trained, or was not finished, counts as there.

    Raises
    ------
    ConfigError
        for a count below 1 or above MOST_SEEDS, or where the seeds would pass their bound.
    """
    known = {item.seed for item in same_recipe(run, everything)}
    candidates = with_seeds(run.config.replace(training__seed=0), min(max(count, 0) + len(known), MOST_SEEDS))
    found = [config for config in candidates if config.training.seed not in known][:count]
    if len(found) < count or not found:
        raise ConfigError(
            f"{count} more seeds were asked for, and {len(known)} are there; ask for 1 to {MOST_SEEDS - len(known)}"
        )
    return found


def with_seed_name(name: str, seed: int) -> str:
    """Return a run's display name with its seed at the end, of at most LONGEST_NAME characters."""
    end = f", seed {seed}"
    return name[: LONGEST_NAME - len(end)] + end


def without_seed(name: str, seed: int) -> str:
    """Return a run's display name without the seed at its end, which `train --seeds` gives it."""
    return name.removesuffix(f", seed {seed}")


def run_name(run: Run) -> str:
    """Return a run's display name without its seed."""
    return run.name if run.seed is None else without_seed(run.name, run.seed)


@dataclass(frozen=True)
class Recipe:
    """Runs that differ in their seeds alone.

    id: of the recipe. fingerprint: of the data that all were trained on. runs: by seed, one a seed.
    """

    id: str
    fingerprint: str
    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """Name of the runs, without their seeds."""
        return run_name(self.runs[0])

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending; none of a run from outside, of which it is not known."""
        return [run.seed for run in self.runs if run.seed is not None]


def group(runs: Iterable[Run]) -> list[Recipe]:
    """Return the recipes among `runs`, in the order of their first runs; runs on other data are another recipe's."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.recipe, run.status.fingerprint), []).append(run)
    return [
        Recipe(key, fingerprint, tuple(sorted(same, key=lambda run: run.seed or 0)))
        for (key, fingerprint), same in found.items()
    ]


def curves(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the history of several runs as means with their spread.

    Parameters
    ----------
    runs
        of one recipe.

    Returns
    -------
    pandas.DataFrame
        one row an epoch and metric: `epoch`, `metric` (a column of the history), `runs` (how many have that epoch,
        with a finite value), their `mean`, sample standard deviation `sd` (NaN for one run), `low` and `high` (the
        least and the greatest). Where early stopping ended some runs sooner, later epochs hold the others alone.
    """
    import pandas as pd

    histories = [run.history() for run in runs]
    long = pd.concat(histories, ignore_index=True) if histories else pd.DataFrame(columns=list(HISTORY_COLUMNS))
    long = long.melt("epoch", list(METRICS), "metric", "value").replace([float("inf"), float("-inf")], float("nan"))
    grouped = long.dropna(subset=["value"]).groupby(["epoch", "metric"], sort=True)["value"]
    frame = grouped.agg(runs="count", mean="mean", sd="std", low="min", high="max").reset_index()
    return frame[["epoch", "metric", "runs", "mean", "sd", "low", "high"]]


def figures(recipes: Sequence[Recipe], *, reader: Reader = PLAIN) -> pd.DataFrame:
    """Return the figures of recipes: one row a recipe, means and sample standard deviations over its finished runs.

    Parameters
    ----------
    recipes
        as `group` gives them.
    reader
        reads the results. A run for which it raises StoreError, as its files are damaged, has no figures
        and is not among the finished.

    Returns
    -------
    pandas.DataFrame
        `recipe`, `name`, `dataset`, `parameters`, `seeds` (runs in all), `finished`, and for `test_accuracy`,
        `test_loss`, `best_val_loss`, `best_val_accuracy` and `train_seconds` the mean, and its spread as `…_sd`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for recipe in recipes:
        first = recipe.runs[0]
        finished = []
        for run in recipe.runs:
            if run.state == "finished":
                with contextlib.suppress(StoreError):  # damaged: it has no figures
                    finished.append(reader.summary(run))
        values: dict[str, Sequence[float | None]] = {
            "test_accuracy": [item.test.accuracy for item in finished if item.test],
            "test_loss": [item.test.loss for item in finished if item.test],
            "best_val_loss": [item.best_val_loss for item in finished],
            "best_val_accuracy": [item.best_val_accuracy for item in finished],
            "train_seconds": [item.train_seconds for item in finished],
        }
        row: dict[str, Any] = {
            "recipe": recipe.id,
            "name": recipe.name,
            "dataset": first.dataset,
            "parameters": first.parameters,
            "seeds": len(recipe.runs),
            "finished": len(finished),
        }
        for column, known in values.items():
            _, mean, sd = sample([value for value in known if value is not None])
            row |= {column: mean, f"{column}_sd": sd}
        rows.append(row)
    return pd.DataFrame(rows)
