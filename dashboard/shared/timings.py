"""Training times on this kind of processor, from the store's runs that measured them."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard import resources
from dashboard.cache import CACHE, size_of
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import estimates
from mnist_core.jobs.estimates import TimedTraining, TimeEstimate
from mnist_core.runs.run import Run


def images(name: str) -> int | None:
    """Return the size of a dataset's training set; None where it cannot be read here."""
    return estimates.training_images(name, resources.dataset)


def estimate(config: RunConfig, runs: list[Run]) -> TimeEstimate | None:
    """Return how long `config` will take here, from the newest ended ones of `runs`; None if none was measured.

    Raises
    ------
    ConfigError
        if too few images would be left to train on.
    """
    size = images(config.dataset.name)
    return estimates.estimate(config, size, _basis(runs)) if size else None


def total(configs: Sequence[RunConfig], runs: list[Run]) -> float | None:
    """Return the seconds that many trainings on one dataset will take here, one after the other; else as `estimate`."""
    size = images(configs[0].dataset.name) if configs else None
    return estimates.total(configs, size, _basis(runs)) if size else None


def _basis(runs: list[Run]) -> list[TimedTraining]:
    newest = [run for run in runs if run.ended][-estimates.MOST_RUNS :]
    measured: list[TimedTraining] = CACHE.get(
        ("timed", *((run.id, run.version()) for run in newest)),
        lambda: estimates.on_this_processor(newest, images),
        size_of,
    )
    return measured
