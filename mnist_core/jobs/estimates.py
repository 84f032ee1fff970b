"""Estimates of training time, from the trainings measured on the same kind of processor.

A run records its processor, not its machine: those that ship with the project count where the processor is the same.

The cost of an epoch is modelled as ``seconds = a·steps + b·operations·images``: a fixed price for each batch and one
for each multiplication. Both prices are at least zero and are fitted to relative errors, so that short trainings count
as much as long ones.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from mnist_core.constants import MNIST_FINGERPRINT, MNIST_TRAIN_IMAGES
from mnist_core.data.datasets import Dataset
from mnist_core.errors import MnistCoreError
from mnist_core.experiments.configs import RunConfig
from mnist_core.runs import lease
from mnist_core.runs.records import Environment, EpochRow, LiveProgress
from mnist_core.runs.run import Run

MOST_RUNS = 60
"""The newest so many runs are the basis; older ones may stem from other circumstances."""

# Pulls the two prices together just enough to decide where the measurements cannot, as with a single run.
_RIDGE = 1e-3


@dataclass(frozen=True)
class EpochWork:
    """The amount of work in an epoch."""

    steps: int
    work: float
    """Multiplications: for a dense network, parameters times training images."""


@dataclass(frozen=True)
class TimedTraining:
    """One training as it was measured.

    epoch_s: median seconds of an epoch, the first left out where there are others, as it includes building the graph.
    overhead_s: seconds of the training outside its epochs; NaN where an interruption makes it unknowable.
    """

    cost: EpochWork
    epoch_s: float
    overhead_s: float


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds that a training will take, all its epochs run, and the number of measured runs behind it."""

    seconds: float
    epoch_s: float
    runs: int


def cost(config: RunConfig, images: int) -> EpochWork:
    """Return the work in an epoch of `config` with a training set of `images` images, before any are held out.

    Raises
    ------
    ConfigError
        if too few images would be left to train on.
    """
    validation = config.training.validation
    left = images - (validation.size(images) if validation.source == "held_out" else 0)
    return EpochWork(math.ceil(left / config.training.batch_size), float(config.model.operations()) * left)


def measured(
    runs: Iterable[Run], images: Callable[[str, str], int | None], here: Callable[[Environment], bool]
) -> list[TimedTraining]:
    """Return the cost and the time of the finished epochs of `runs`.

    Parameters
    ----------
    runs
        any runs; those without a finished epoch, and unreadable ones, are skipped.
    images
        (dataset name, fingerprint) → size of its training set, None if that is unknown.
    here
        True if an environment's processor is of this machine's kind.
    """
    found = []
    for run in runs:
        try:
            environment, rows = run.environment(), run.rows()
            if run.recorded:
                continue
            size = images(run.config.dataset.name, run.status.fingerprint)
            if environment is None or size is None or not rows or not here(environment):
                continue
            price = cost(run.config, size)
        except MnistCoreError:
            continue
        epoch_s = median(row.seconds for row in (rows[1:] or rows))
        overhead = math.nan
        undisturbed = lease.attempts(run.path) <= 1 and not run.was_slowed and run.changed_at is None
        if run.status.started_at and run.status.ended_at and undisturbed:
            overhead = max(0.0, run.status.ended_at - run.status.started_at - len(rows) * epoch_s)
        if math.isfinite(epoch_s) and epoch_s > 0:
            found.append(TimedTraining(price, epoch_s, overhead))
    return found


def on_this_processor(runs: Sequence[Run], images: Callable[[str], int | None]) -> list[TimedTraining]:
    """Return what the newest ended ones of `runs` say about cost on a processor of this machine's kind.

    images: dataset name → its training images.
    """

    def of_a_run(name: str, fingerprint: str) -> int | None:
        return MNIST_TRAIN_IMAGES if fingerprint == MNIST_FINGERPRINT else images(name)

    newest = [run for run in runs if run.ended][-MOST_RUNS:]
    return measured(newest, of_a_run, lambda environment: environment.processor == processor())


def training_images(name: str, load: Callable[[str], Dataset]) -> int | None:
    """Return the size of a training set; None where it cannot be read here. MNIST's is known without reading it."""
    if name == "mnist":
        return MNIST_TRAIN_IMAGES
    try:
        return len(load(name).y_train)
    except MnistCoreError:
        return None


@functools.cache
def processor() -> str:
    """Return the processor of this machine, as runs record it."""
    from mnist_core.jobs.execution import environment

    return str(environment()["processor"])


def estimate(config: RunConfig, images: int, basis: list[TimedTraining]) -> TimeEstimate | None:
    """Return how long `config` will take with `images` training images; None if nothing was measured.

    Raises
    ------
    ConfigError
        if too few images would be left to train on.
    """
    price = cost(config, images)
    if not basis:
        return None
    fit = _fitted(basis)
    epoch_s = fit.epoch_s(price)
    return TimeEstimate(config.training.epochs * epoch_s + fit.overhead_s, epoch_s, len(basis))


def total(configs: Iterable[RunConfig], images: int, basis: list[TimedTraining]) -> float | None:
    """Return the seconds that many trainings will take one after the other; None where nothing was measured.

    Raises
    ------
    ConfigError
        where too few images would be left to train on.
    """
    prices = [(config.training.epochs, cost(config, images)) for config in configs]
    if not basis:
        return None
    fit = _fitted(basis)
    return sum(epochs * fit.epoch_s(price) + fit.overhead_s for epochs, price in prices)


@dataclass(frozen=True)
class _Fit:
    """Seconds for a step and for a multiplication, and those outside the epochs."""

    step_s: float
    work_s: float
    overhead_s: float

    def epoch_s(self, price: EpochWork) -> float:
        return price.steps * self.step_s + price.work * self.work_s


def _fitted(basis: list[TimedTraining]) -> _Fit:
    from scipy.optimize import nnls

    features = np.array([[item.cost.steps, item.cost.work] for item in basis], float)
    scale = features.mean(axis=0)
    relative = features / scale / np.array([[item.epoch_s] for item in basis])
    # ridge: with equal shares as its centre, which the relative errors of one run cannot tell apart
    typical = median(item.epoch_s for item in basis)
    matrix = np.vstack([relative, _RIDGE / typical * np.array([[1.0, -1.0]])])
    prices, _ = nnls(matrix, np.append(np.ones(len(basis)), 0.0))
    overheads = [item.overhead_s for item in basis if math.isfinite(item.overhead_s)]
    step_s, work_s = prices / scale
    return _Fit(float(step_s), float(work_s), median(overheads) if overheads else 0.0)


def time_left(rows: list[EpochRow], progress: LiveProgress | None, epochs: int, now: float) -> float | None:
    """Return the seconds until a running training has finished all its `epochs`; None before its first is complete.

    Parameters
    ----------
    rows
        the finished epochs.
    progress
        where it is inside the next one.
    epochs
        how many are planned.
    now
        Unix seconds; the current epoch is assumed to continue at its pace since its last report.
    """
    if not rows:
        return None
    epoch_s = median(row.seconds for row in (rows[1:] or rows))
    under_way = 0.0
    if progress and progress.epoch > rows[-1].epoch:
        under_way = min(epoch_s, progress.seconds + max(0.0, now - progress.at))
    return max(0.0, (epochs - rows[-1].epoch) * epoch_s - under_way)
