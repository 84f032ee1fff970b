"""Training: from a RunConfig and a Dataset to a history, weights and predictions.

`train` writes nothing but its checkpoint. It reports its events to `on_event` and stops when `should_stop()` is True.
The same configuration, data and machine give the same result, also when training was interrupted in between.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnist_core.data import augmentation
from mnist_core.data.datasets import Dataset
from mnist_core.data.images import Pixels
from mnist_core.errors import ConfigError
from mnist_core.evaluation import metrics
from mnist_core.experiments.configs import HeldOutValidation, ModelConfig, PlateauSchedule, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.runs.records import EpochRow, best_epoch
from mnist_core.training import checkpoints, reuse
from mnist_core.training.checkpoints import Plateau, State
from mnist_core.training.engine import Engine, shuffled, subset
from mnist_core.training.events import Ended, EpochEnded, Progress, Started, TrainingEvent
from mnist_core.training.models import build_model
from mnist_core.training.optimizers import build_optimizer

BLOCK_S = 0.2
"""Intended duration of a block of steps. Progress is reported and `should_stop` is called between blocks."""

CLEAN_IMAGES = 10_000
"""Training images that are evaluated after each epoch with dropout off."""

_EVALUATED_BETWEEN_CHECKS = 2_000  # images; 90 GFLOP for the biggest dense model, some 0.2 to 0.4 s


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The result of a training.

    state, reason: how it ended, and why in a sentence.
    history: the epochs, those of interrupted earlier attempts included.
    model: the Keras model with the kept weights.
    best_epoch: the epoch of the lowest validation loss, from 1. kept_epoch: the one whose weights are kept: the last
        complete and finite one, or the one that early stopping restored. Both None where no epoch is complete.
    probabilities: the predictions of the kept weights for the test images, float32 of shape (n, 10); None where
    kept_epoch is. val_labels, val_probabilities: the same for a held-out validation part; None where validation is the
    test set. others: by epoch, the same probabilities of test images and held-out part for the last complete and finite
    epoch
        and for the best one, where they are not the kept one; none of them for a cancelled training.
    seconds: wall time of this call.
    """

    state: Literal["finished", "cancelled", "diverged"]
    reason: str
    history: tuple[EpochRow, ...]
    model: Any
    best_epoch: int | None
    kept_epoch: int | None
    probabilities: NDArray[np.float32] | None
    val_labels: NDArray[np.uint8] | None
    val_probabilities: NDArray[np.float32] | None
    others: Mapping[int, tuple[NDArray[np.float32], NDArray[np.float32] | None]]
    seconds: float


def train(
    config: RunConfig,
    dataset: Dataset,
    *,
    on_event: Callable[[TrainingEvent], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
    checkpoint: Path | None = None,
    initial_weights: Sequence[NDArray[Any]] | None = None,
) -> TrainingResult:
    """Train a model.

    Parameters
    ----------
    config
        the experiment; its `dataset` is not used.
    dataset
        the data.
    on_event
        receives the events: `Started`, `Progress` several times a second, `EpochEnded`, at last `Ended`.
        An exception that it raises ends the training.
    should_stop
        is called between blocks of steps, several times a second; True cancels, and the unfinished epoch is dropped.
    checkpoint
        the file to go on from, where it holds this experiment, and to keep up to date after each epoch.
    initial_weights
        start from these in place of freshly drawn ones: as `model.get_weights()` gives them.

    Raises
    ------
    ConfigError
        where `initial_weights` do not fit the model, or the validation part does not fit the dataset.
    """
    began = time.perf_counter()
    run = _Training(config, dataset, on_event, should_stop, checkpoint, initial_weights)
    ending = run.epochs()
    held_out = isinstance(config.training.validation, HeldOutValidation)

    def predict() -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        validation = run.engine.probabilities(run.split.x_val) if held_out else None
        return run.engine.probabilities(dataset.x_test), validation

    others = {} if ending.state == "cancelled" else {epoch: predict() for epoch in run.other_epochs()}
    kept = run.keep(ending.state)
    probabilities, val_probabilities = predict() if kept else (None, None)
    result = TrainingResult(
        state=ending.state,
        reason=ending.reason,
        history=tuple(run.state.rows),
        model=run.hand_over(),
        best_epoch=best_epoch(run.state.rows),
        kept_epoch=kept,
        probabilities=probabilities,
        val_labels=run.split.y_val if held_out else None,
        val_probabilities=val_probabilities,
        others=others,
        seconds=time.perf_counter() - began,
    )
    on_event(ending)
    return result


def warm_up() -> None:
    """Import TensorFlow and train a tiny model once, so that the next training in this process begins at once."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (128, 28, 28), np.uint8)
    labels = generator.integers(0, 10, 128, np.uint8)
    tiny = RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=8, dropout=0.5),)), training=TrainingConfig(epochs=1, batch_size=64)
    )
    train(tiny, Dataset("warm-up", images, labels, images, labels, ""))


class _Cancelled(Exception):
    """Raised inside an epoch when `should_stop()` returns True."""


class _Training:
    """One call of `train`: what its parts share."""

    def __init__(
        self,
        config: RunConfig,
        dataset: Dataset,
        on_event: Callable[[TrainingEvent], None],
        should_stop: Callable[[], bool],
        checkpoint: Path | None,
        initial_weights: Sequence[NDArray[Any]] | None,
    ) -> None:
        self.config = config.training
        self.on_event, self.should_stop, self.checkpoint = on_event, should_stop, checkpoint
        self.split = dataset.split(self.config.validation, self.config.seed)
        clean = subset(len(self.split.x_train), CLEAN_IMAGES)
        self.clean_images, self.clean_labels = self.split.x_train[clean], self.split.y_train[clean]
        self.model = build_model(config.model, self.config.seed)
        if initial_weights is not None:
            _set_initial(self.model, initial_weights)
        self._form = reuse.form(config, self.split.x_train.shape)
        self._reused = reuse.worthwhile(self.model.count_params())
        self.engine = self._an_engine(config.model)
        self.pace = _Pace(self.engine.most_steps)
        self.identity = checkpoints.identity(config, dataset.fingerprint)
        found = checkpoints.load(checkpoint, self.identity) if checkpoint else None
        self.state = found or State(*self.engine.arrays(), plateau=Plateau(self.config.learning_rate))
        if found:
            self.engine.restore(found.weights, found.optimizer)

    def _an_engine(self, model: ModelConfig) -> Engine:
        """Return an engine with the weights of `self.model`; one that is kept later has a model of its own."""
        images, labels, config = self.split.x_train, self.split.y_train, self.config
        if self._reused and (engine := reuse.take(self._form)):
            engine.start_again(images, labels, self.model.get_weights(), config.learning_rate)
            return engine
        trained = self.model
        if self._reused:
            trained = build_model(model)
            trained.set_weights(self.model.get_weights())
        return Engine(trained, build_optimizer(config), images, labels, config.batch_size, config.label_smoothing)

    def hand_over(self) -> Any:
        """Return the Keras model with the engine's weights, and keep the engine for other trainings."""
        if self._reused:
            self.model.set_weights(self.engine.model.get_weights())
            reuse.keep(self._form, self.engine)
        return self.model

    def epochs(self) -> Ended:
        """Train from where the state is to the end; how it ended."""
        config, rows = self.config, self.state.rows
        self.on_event(Started(min(len(rows) + 1, config.epochs), config.epochs))
        for epoch in range(len(rows) + 1, config.epochs + 1):
            if self._stopped_early():
                break
            try:
                row = self._epoch(epoch)
            except _Cancelled:
                return Ended("cancelled", f"cancelled in epoch {epoch} of {config.epochs}")
            rows.append(row)
            finite = math.isfinite(row.loss) and math.isfinite(row.val_loss)
            if finite:
                self._note(row)
            self.on_event(EpochEnded(row, config.epochs))
            if not finite:
                return Ended("diverged", f"the loss was not a finite number in epoch {epoch}; lower the learning rate")
        return Ended("finished", self._finished_because())

    def other_epochs(self) -> Iterator[int]:
        """Give the model the weights of the last and of the best epoch, in turn, where `keep` will give it others."""
        state, rule = self.state, self.config.early_stopping
        kept = state.stopper.best_epoch if rule and rule.restore_best and state.best_weights else state.epoch
        for epoch, weights in {state.lowest_epoch: state.lowest_weights, state.epoch: state.weights}.items():
            if epoch not in (0, kept):
                self.engine.restore(weights)
                yield epoch

    def keep(self, ended: str) -> int | None:
        """Give the model the weights that are worth keeping; the epoch that they are from."""
        rule, state = self.config.early_stopping, self.state
        if rule and rule.restore_best and state.best_weights and ended != "cancelled":
            self.engine.restore(state.best_weights)
            return state.stopper.best_epoch
        self.engine.restore(state.weights)
        return state.epoch or None

    def _epoch(self, epoch: int) -> EpochRow:
        """Train for an epoch and evaluate the weights it leads to; raises _Cancelled."""
        began = time.perf_counter()
        rate = self._rate(epoch)
        self.engine.set_rate(rate)
        loss, accuracy = self._pass(epoch)
        penalty, labels = self.engine.penalty(), self.split.y_val
        clean, val_probabilities = self._probabilities(self.clean_images), self._probabilities(self.split.x_val)
        parts = metrics.split_loss(labels, val_probabilities)
        return EpochRow(
            epoch=epoch,
            loss=loss,
            accuracy=accuracy,
            train_eval_loss=float(metrics.image_losses(self.clean_labels, clean).mean()) + penalty,
            train_eval_accuracy=_accuracy(self.clean_labels, clean),
            val_loss=parts.correct + parts.wrong + penalty,
            val_accuracy=_accuracy(labels, val_probabilities),
            val_loss_correct=parts.correct,
            val_loss_wrong=parts.wrong,
            penalty=penalty,
            val_confidence=float(metrics.confidence(val_probabilities).mean()),
            val_ece=metrics.expected_calibration_error(labels, val_probabilities),
            learning_rate=rate,
            seconds=time.perf_counter() - began,
        )

    def _rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        schedule, first = self.config.schedule, self.config.learning_rate
        if isinstance(schedule, PlateauSchedule):
            return self.state.plateau.rate
        return schedule.rate(first, epoch, self.config.epochs) if schedule else first

    def _check(self) -> None:
        if self.should_stop():
            raise _Cancelled

    def _pass(self, epoch: int) -> tuple[float, float]:
        """Return mean loss and accuracy of one pass over the training images; a loss that is not finite ends it."""
        engine, sizes, seed = self.engine, self.engine.sizes, self.config.seed
        order, bits = shuffled(sizes.images, seed, epoch), engine.dropout_bits(seed, epoch)
        rule = self.config.augmentation
        transforms = augmentation.affine_transforms(rule, sizes.images, seed, epoch) if rule else None
        began = time.perf_counter()
        start, stop = 0, min(self.pace.steps, sizes.steps)
        totals, loss, accuracy = (0.0, 0), 0.0, 0.0
        # The next block's random bits are drawn while the present block is computed.
        with ThreadPoolExecutor(max_workers=1) as ahead:
            drawn = ahead.submit(engine.draw, bits, start, stop)
            while start < sizes.steps and math.isfinite(loss):
                self._check()
                present, following = drawn.result(), min(stop + self.pace.steps, sizes.steps)
                drawn = ahead.submit(engine.draw, bits, stop, following)
                with self.pace.timed(stop - start):
                    totals = engine.train(order, present, start, stop, totals, transforms)
                images = sizes.images_until(stop)
                loss, accuracy = totals[0] / images, totals[1] / images
                if stop < sizes.steps:
                    seconds = time.perf_counter() - began
                    self.on_event(Progress(epoch, self.config.epochs, stop, sizes.steps, loss, accuracy, seconds))
                start, stop = stop, following
        return loss, accuracy

    def _probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """Return the same as the engine's, for cancellable evaluation between epochs."""
        parts = []
        for start in range(0, len(images), _EVALUATED_BETWEEN_CHECKS):
            self._check()
            parts.append(self.engine.probabilities(images[start : start + _EVALUATED_BETWEEN_CHECKS]))
        return np.concatenate(parts)

    def _note(self, row: EpochRow) -> None:
        """Take a complete, finite epoch into the state, and the state to the disk."""
        state, rule = self.state, self.config.early_stopping
        state.weights, state.optimizer = self.engine.arrays()
        state.epoch = row.epoch
        if isinstance(self.config.schedule, PlateauSchedule):
            state.plateau.note(self.config.schedule, row.val_loss)
        if rule and state.stopper.improves(rule, row.epoch, row.val_loss) and rule.restore_best:
            state.best_weights = state.weights
        if best_epoch(state.rows) == row.epoch:
            state.lowest_epoch, state.lowest_weights = row.epoch, state.weights
        if self.checkpoint:
            checkpoints.save(self.checkpoint, self.identity, state)

    def _stopped_early(self) -> bool:
        rule = self.config.early_stopping
        return rule is not None and self.state.stopper.done(rule)

    def _finished_because(self) -> str:
        rule, stopper = self.config.early_stopping, self.state.stopper
        if rule is None or not self._stopped_early():
            return f"all {self.config.epochs} epochs are done"
        restored = f", whose weights are kept, not those of epoch {self.state.epoch}" if rule.restore_best else ""
        return (
            f"stopped early: the validation loss has not fallen for {rule.patience} epochs "
            f"since epoch {stopper.best_epoch}{restored}"
        )


class _Pace:
    """Chooses how many steps a block has, so that it lasts about BLOCK_S; never more than `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.steps = min(8, most)
        self._traced = False

    @contextlib.contextmanager
    def timed(self, steps: int) -> Iterator[None]:
        """Learn from a block of `steps` steps."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        if self._traced:  # the first block also makes the graph, and says nothing of the steps
            wanted = BLOCK_S * steps / seconds
            self.steps = max(1, min(int(wanted), 4 * self.steps, self._most))
        self._traced = True


def _accuracy(labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())


def _set_initial(model: Any, weights: Sequence[NDArray[Any]]) -> None:
    shapes, given = [tuple(weight.shape) for weight in model.weights], [np.shape(weight) for weight in weights]
    if shapes != given:
        raise ConfigError(f"the initial weights have the shapes {given}, but the model needs {shapes}")
    model.set_weights(list(weights))
