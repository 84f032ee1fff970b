"""Constructed histories of which it is known what is the matter, in many lengths, noises and sizes of test set.

Each is a smooth course with noise on it, which is independent or autocorrelated from epoch to epoch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.diagnosis.rules import UnseenResult
from mnist_core.comparison.diagnosis.series import CurveNoise, window_of
from mnist_core.experiments.configs import DatasetConfig, EarlyStopping, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.runs.records import EpochRow

Curve = NDArray[np.float64]

LENGTHS = (12, 20, 30, 60)
NOISES = (0.01, 0.03, 0.06)
"""Noise of the validation loss from epoch to epoch, as a share of it: shipped runs on MNIST have 2 to 6 %."""
CLEAR, CLEAR_LEVEL, CLEAR_PLACE = 8.0, 0.035, 4
"""A case is clear where what happens is at least 8 times the noise from epoch to epoch, and where the mean of a window
is known to 3.5 % of the loss. Where it has an epoch, the course without noise must also tell that epoch from those 4
earlier and later by more than the noise; an oscillation must have the time for three periods."""


@dataclass(frozen=True)
class Case:
    """One constructed history.

    truth: what was built in. right: the codes of which one must be found. epoch: where it happens; None where it has no
    such place. clear: whether it is large against the noise. problems: the codes of severity `problem` that are true of
    it; any other is a false alarm.
    """

    truth: str
    right: frozenset[str]
    rows: tuple[EpochRow, ...]
    config: RunConfig
    images: int | None = 10_000
    test: UnseenResult | None = None
    kept_epoch: int | None = None
    epoch: int | None = None
    clear: bool = True
    problems: frozenset[str] = frozenset()


def made_up_row(epoch: int, clean: float, val: float, *, training: float | None = None) -> EpochRow:
    """One epoch with these losses: training images with dropout off, validation images, and as measured in training.

    Accuracies are 1 − loss/3.4, which is about what the shipped runs have.
    """
    accuracy, share = max(0.0, 1 - val / 3.4), 0.85
    return EpochRow(
        epoch=epoch,
        loss=clean if training is None else training,
        accuracy=max(0.0, 1 - clean / 3.4),
        train_eval_loss=clean,
        train_eval_accuracy=max(0.0, 1 - clean / 3.4),
        val_loss=val,
        val_accuracy=accuracy,
        val_loss_correct=val * (1 - share),
        val_loss_wrong=val * share,
        penalty=0.0,
        val_confidence=0.98,
        val_ece=0.01,
        learning_rate=1e-3,
        seconds=0.5,
    )


def configuration(epochs: int, *, dropout: float = 0.0, patience: int | None = None) -> RunConfig:
    """What the constructed histories pretend to be of."""
    stopping = EarlyStopping(patience=patience) if patience else None
    return RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=64, dropout=dropout),)),
        training=TrainingConfig(epochs=epochs, early_stopping=stopping),
        dataset=DatasetConfig(name="digits"),
    )


def noise(generator: np.random.Generator, count: int, sd: float, autocorrelation: float = 0.0) -> Curve:
    """Factors around 1; the logarithms are a stationary autoregressive process of order 1."""
    steps = generator.standard_normal(count) * sd * math.sqrt(1 - autocorrelation**2)
    steps[0] /= math.sqrt(1 - autocorrelation**2)
    for index in range(1, count):
        steps[index] += autocorrelation * steps[index - 1]
    return np.exp(steps)


def rows_of(clean: Curve, val: Curve, *, training: Curve | None = None) -> tuple[EpochRow, ...]:
    """Rows with these losses."""
    shown = clean if training is None else training
    return tuple(
        made_up_row(index + 1, float(clean[index]), float(val[index]), training=float(shown[index]))
        for index in range(len(val))
    )


def level(t: Curve) -> tuple[Curve, Curve]:
    """Training and validation loss at t = 0 to 1 of a run that has levelled off."""
    return 0.06 + 0.30 * np.exp(-12 * t), 0.08 + 0.25 * np.exp(-12 * t)


@dataclass(frozen=True)
class Built:
    """What a truth makes for one length, noise and seed. Losses without noise; `calm`: what the noise is multiplied by.

    effect: how large it is, as a share of the loss; compared with the noise, it makes a case clear or not. sudden:
    whether `epoch` is a sharp place, and not the bottom of a valley.
    """

    clean: Curve
    val: Curve
    epoch: int | None = None
    effect: float = math.inf
    calm: Curve | float = 1.0
    sudden: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)


Builder = Callable[[Curve, int], Built]
"""From time, 0 to 1, and a seed."""


def _turn(t: Curve, at: float) -> int:
    """The last epoch, from 1, before something begins."""
    return int(np.flatnonzero(t <= at)[-1]) + 1


def _level(t: Curve, seed: int) -> Built:
    return Built(*level(t))


def _schedule(t: Curve, seed: int) -> Built:
    clean, val = level(t)
    if seed % 3 == 0:  # a step: the loss drops with the rate, to a level that then holds
        rates, drop = np.where(t < 0.5, 1e-3, 1e-4), np.where(t < 0.5, 0.015, 0.0)
        clean, val = clean + drop, val + drop
    elif seed % 3 == 1:  # a cosine
        rates = 1e-3 * 0.5 * (1 + np.cos(np.pi * t))
    else:  # a warm-up
        rates = 1e-3 * np.minimum(1, (t + 0.02) / 0.2)
    return Built(clean, val, calm=0.5 + 0.5 * rates / 1e-3, facts={"learning_rates": rates})


def _improving(t: Curve, seed: int) -> Built:
    speed = (1.2, 1.6, 2.5)[seed % 3]
    val = 0.04 + 0.40 * np.exp(-speed * t)
    return Built(0.40 * np.exp(-1.2 * speed * t), val, len(t), float(val[-max(2, len(t) // 4)] / val[-1] - 1))


def _underfit(t: Curve, seed: int) -> Built:
    floor = (0.24, 0.5, 1.2)[seed % 3]
    return Built(0.98 * floor + 0.3 * np.exp(-12 * t), floor + 0.3 * np.exp(-12 * t))


def _gap(t: Curve, seed: int) -> Built:
    floor = (0.35, 0.5)[seed % 2]
    return Built(0.002 + 0.4 * np.exp(-9 * t), floor + 0.2 * np.exp(-12 * t))


def _overfit(t: Curve, seed: int) -> Built:
    at, rise = (0.3, 0.4, 0.5)[seed % 3], (0.3, 0.6, 1.2)[seed % 3]
    val = 0.08 * (1 + rise * np.maximum(0, t - at) / (1 - at)) + 0.25 * np.exp(-5 / at * t)
    return Built(0.35 * np.exp(-5 * t), val, int(val.argmin()) + 1, rise, sudden=False)


def _overfit_at_floor(t: Curve, seed: int) -> Built:
    at = (0.2, 0.35)[seed % 2]
    val = 0.1 * (1 + 1.0 * np.maximum(0, t - at) / (1 - at)) + 0.3 * np.exp(-6 / at * t)
    return Built(np.maximum(1e-7, 0.3 * np.exp(-25 / at * t)), val, int(val.argmin()) + 1, 1.0, sudden=False)


def _stopped_early(t: Curve, seed: int) -> Built:
    """Early stopping ends it some epochs after the lowest loss, and keeps those weights: a rise is short."""
    at, rise = 0.6, (0.4, 0.8)[seed % 2]
    val = 0.08 * (1 + rise * np.maximum(0, t - at) / (1 - at)) + 0.25 * np.exp(-5 / at * t)
    epoch = int(val.argmin()) + 1
    facts = {"kept_epoch": epoch, "config": configuration(2 * len(t), patience=max(1, len(t) - epoch))}
    return Built(0.35 * np.exp(-5 * t), val, epoch, rise, sudden=False, facts=facts)


def _worse(t: Curve, seed: int) -> Built:
    """Training and validation loss rise together."""
    at, rise = (0.3, 0.5)[seed % 2], (0.5, 1.0)[seed % 2]
    factor = 1 + rise * np.maximum(0, t - at) / (1 - at)
    val = 0.1 * factor + 0.3 * np.exp(-6 / at * t)
    return Built(0.07 * factor + 0.3 * np.exp(-6 / at * t), val, int(val.argmin()) + 1, rise, sudden=False)


def _collapse(t: Curve, seed: int) -> Built:
    """From 97 % to 30 %, in one epoch."""
    at, bad = (0.4, 0.6)[seed % 2], (2.0, 2.25)[seed % 2]
    clean, val = level(t)
    return Built(np.where(t > at, bad, clean), np.where(t > at, bad * 1.01, val), _turn(t, at) + 1)


def _explosion(t: Curve, seed: int) -> Built:
    """Finite, and growing in every epoch from some epoch on."""
    at = (0.3, 0.5)[seed % 2]
    clean, val = level(t)
    growth = np.exp(np.maximum(0, (t - at) * (len(t) - 1)) * 1.1)
    growth = np.where(t > at, np.minimum(growth, 1e6), 1.0)
    return Built(clean * growth, val * growth, _turn(t, at) + 1)


def _not_finite(t: Curve, seed: int) -> Built:
    clean, val = level(t)
    at = (0.2, 0.5, 0.9)[seed % 3]
    place = _turn(t, at)
    broken = clean.copy()
    broken[place:] = (math.nan, math.inf)[seed % 2]
    return Built(broken, val, place + 1)


def _oscillation(t: Curve, seed: int) -> Built:
    """Of period 2 or 4, by 40 % up and down, or between 0.12 and 0.35."""
    clean, val = level(t)
    count = np.arange(len(t))
    swing = (np.where(count % 2, 1.0, -1.0), np.where(count // 2 % 2, 1.0, -1.0))[seed % 2]
    size = (0.4, 0.55)[seed // 2 % 2]
    long = len(t) >= 3 * (2, 4)[seed % 2] + 4  # after the first fall
    effect = math.expm1(size) if long else 0.0
    return Built(clean * np.exp(size * swing / 2), val * np.exp(size * swing), None, effect)


def _spike(t: Curve, seed: int) -> Built:
    """One epoch, or a slow one of three epochs, that goes away."""
    clean, val = level(t)
    place = round((0.55, 0.7)[seed % 2] * len(t))
    shape = np.ones(len(t))
    for offset in range(-(seed // 2 % 2), 1 + seed // 2 % 2):
        shape[place + offset] = 4.0 if offset == 0 else 2.2
    return Built(clean * shape, val * shape, place + 1, 3.0)


def _chance(t: Curve, seed: int) -> Built:
    dead = seed % 2
    value = 14.6 if dead else 2.303
    flat = np.full(len(t), value)
    return Built(flat, flat * 1.001, 1, calm=0.02, facts={"val_accuracy": 0.0892 if dead else 0.1135})


def _leak_training(t: Curve, seed: int) -> Built:
    """Validation images that were trained on under another name: right as no training image is."""
    clean, val = 0.17 + 0.3 * np.exp(-12 * t), 0.004 + 0.3 * np.exp(-12 * t)
    return Built(clean, val)


def _leak_test(t: Curve, seed: int) -> Built:
    clean, val = 0.004 + 0.3 * np.exp(-9 * t), 0.004 + 0.3 * np.exp(-9 * t)
    return Built(clean, val, facts={"test": UnseenResult((0.9801, 0.97)[seed % 2], 10_000), "kept_epoch": len(t)})


def _dropout(t: Curve, seed: int) -> Built:
    clean, val = level(t)
    facts = {"training": 2.5 * val, "config": configuration(len(t), dropout=0.4)}
    return Built(clean, val, facts=facts)


TRUTHS: dict[str, tuple[Builder, str, str, tuple[float, ...]]] = {
    "clean, independent noise": (_level, "plateau", "", (0.0,)),
    "clean, autocorrelated noise": (_level, "plateau", "", (0.3, 0.5)),
    "clean, schedule": (_schedule, "plateau", "", (0.0,)),
    "clean, small test set": (_level, "plateau", "", (0.0, 0.3)),
    "still improving": (_improving, "still_improving", "", (0.0, 0.3)),
    "underfitting": (_underfit, "underfitting", "underfitting", (0.0, 0.3)),
    "gap, flat validation loss": (_gap, "generalisation_gap", "generalisation_gap", (0.0, 0.3)),
    "overfitting": (_overfit, "overfitting", "overfitting", (0.0, 0.3)),
    "overfitting, training loss at 0": (_overfit_at_floor, "overfitting", "overfitting", (0.0,)),
    "overfitting, stopped early": (_stopped_early, "overfitting", "overfitting", (0.0,)),
    "training gets worse too": (_worse, "got_worse", "got_worse", (0.0, 0.3)),
    "collapse": (_collapse, "collapse", "collapse", (0.0,)),
    "finite explosion": (_explosion, "loss_explosion collapse", "loss_explosion collapse", (0.0,)),
    "not finite": (_not_finite, "not_finite", "not_finite", (0.0,)),
    "oscillation": (_oscillation, "oscillation", "oscillation", (0.0,)),
    "spike": (_spike, "spike", "", (0.0,)),
    "dead or at chance": (_chance, "stuck_at_chance dead_network", "stuck_at_chance dead_network", (0.0,)),
    "leak: better than training": (_leak_training, "val_better_than_training", "val_better_than_training", (0.0,)),
    "leak: better than test": (_leak_test, "val_better_than_test", "val_better_than_test", (0.0,)),
    "dropout": (_dropout, "dropout_raises_training_loss", "", (0.0,)),
}
"""For each truth: how it is made, the codes of which one is right, the problems that are true, autocorrelations."""


def cases(truth: str, seeds: Iterable[int], lengths: Sequence[int] = LENGTHS) -> Iterator[Case]:
    """All lengths, noises and seeds of a truth."""
    build, right, problems, autocorrelations = TRUTHS[truth]
    small = truth == "clean, small test set"
    number = list(TRUTHS).index(truth)
    for epochs, sd, seed in itertools.product(lengths, NOISES, list(seeds)):
        generator = np.random.default_rng([number, epochs, round(1000 * sd), seed])
        made = build(np.linspace(0, 1, epochs), seed)
        rho, facts = autocorrelations[seed % len(autocorrelations)], dict(made.facts)
        images = (355, 200)[seed % 2] if small else 10_000
        # on few images the loss of an epoch is off by more
        sd_val = sd + 0.04 if small else sd
        clean = made.clean * noise(generator, epochs, sd / 2, rho) ** made.calm
        val = made.val * noise(generator, epochs, sd_val, rho) ** made.calm
        rows = rows_of(clean, val, training=facts.pop("training", None))
        rates = facts.pop("learning_rates", None)
        if rates is not None:
            rows = tuple(replace(row, learning_rate=float(rate)) for row, rate in zip(rows, rates, strict=True))
        accuracy = facts.pop("val_accuracy", None)
        if accuracy is not None:
            rows = tuple(replace(row, val_accuracy=accuracy, train_eval_accuracy=0.1) for row in rows)
        yield Case(
            truth,
            frozenset(right.split()),
            rows,
            facts.pop("config", configuration(epochs)),
            images=images,
            epoch=made.epoch,
            clear=_clear(made, sd_val, rho),
            problems=frozenset(problems.split()),
            **facts,
        )


def _clear(made: Built, sd: float, rho: float) -> bool:
    """Whether a case is clear; see CLEAR."""
    calm = float(np.mean(made.calm))
    known = CurveNoise(sd * calm, rho).error(window_of(len(made.val))) / math.sqrt(2) <= CLEAR_LEVEL
    large = made.effect >= CLEAR * sd * calm
    return large and known and (made.epoch is None or made.sudden or _placed(made, sd * calm))


def _placed(made: Built, sd: float) -> bool:
    """Whether the course without noise has its lowest place where `epoch` says, by more than the noise."""
    lowest = (made.epoch or 1) - 1
    others = [place for place in (lowest - CLEAR_PLACE, lowest + CLEAR_PLACE) if 0 <= place < len(made.val)]
    return all(made.val[place] >= made.val[lowest] * (1 + sd) for place in others)


def short_cases(seeds: Iterable[int]) -> Iterator[Case]:
    """One to five epochs, which tell nothing."""
    for epochs, seed, number in itertools.product(range(1, 6), list(seeds), range(2)):
        generator = np.random.default_rng([99, epochs, seed, number])
        clean, val = level(np.full(epochs, 0.8))
        rows = rows_of(clean * noise(generator, epochs, 0.02), val * noise(generator, epochs, 0.04))
        yield Case(
            "one to five epochs", frozenset({"too_few_epochs"}), rows, configuration(epochs), problems=frozenset()
        )


def all_cases(seeds: Iterable[int], lengths: Sequence[int] = LENGTHS) -> Iterator[Case]:
    """Every constructed history with these seeds and lengths."""
    seeds = list(seeds)
    for truth in TRUTHS:
        yield from cases(truth, seeds, lengths)
    yield from short_cases(seeds)
