"""Clearly synthetic configurations, histories and predictions; nothing here was trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run

FINGERPRINT = "5" * 16
"""Of no real data."""

MakeRun = Callable[..., Run]
"""The fixture `make_run` of the dashboard's tests."""

_ROW: dict[str, Any] = {
    "loss": 0.6,
    "accuracy": 0.8,
    "train_eval_loss": 0.5,
    "train_eval_accuracy": 0.85,
    "val_loss": 0.5,
    "val_accuracy": 0.84,
    "val_loss_correct": 0.2,
    "val_loss_wrong": 0.3,
    "penalty": 0.0,
    "val_confidence": 0.7,
    "val_ece": 0.05,
    "learning_rate": 1e-3,
    "seconds": 0.4,
}


def row(epoch: int, **values: float) -> EpochRow:
    """Return a row in which only `values` matter; the others are the same in every epoch."""
    return EpochRow(epoch, **(_ROW | values))


def config(units: tuple[int, ...] = (64, 64), *, dropout: float = 0.2, epochs: int = 6, seed: int = 0) -> RunConfig:
    """Return a dense net on `digits`: `units` in each layer, and `dropout` after each."""
    return RunConfig(
        model=ModelConfig(layers=tuple(DenseLayer(units=size, dropout=dropout) for size in units)),
        training=TrainingConfig(epochs=epochs, seed=seed),
        dataset=DatasetConfig(name="digits"),
    )


def epoch_row(epoch: int, *, floor: float = 0.10, speed: float = 0.6, turn: int = 4) -> EpochRow:
    """Return a row of a made-up history: losses fall to `floor`, and the validation loss rises after epoch `turn`."""
    fallen = 2.0 * np.exp(-speed * epoch)
    rise = 0.01 * max(0, epoch - turn)
    val_loss = floor + fallen * 0.6 + rise
    return EpochRow(
        epoch=epoch,
        loss=floor + fallen,
        accuracy=1 - (floor + fallen) / 3.2,
        train_eval_loss=floor * 0.8 + fallen * 0.7,
        train_eval_accuracy=1 - (floor * 0.8 + fallen * 0.7) / 3.2,
        val_loss=val_loss,
        val_accuracy=1 - (floor + fallen * 0.6) / 3.2,
        val_loss_correct=val_loss * 0.3,
        val_loss_wrong=val_loss * 0.7,
        penalty=0.0,
        val_confidence=0.97,
        val_ece=0.01,
        learning_rate=1e-3,
        seconds=0.5,
    )


def guesses(errors: int, images: int = 500, seed: int = 0) -> Predictions:
    """Return made-up predictions with exactly `errors` wrong guesses."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(images) % 10).astype(np.uint8)
    guessed = labels.astype(int)
    wrong = rng.choice(images, errors, replace=False)
    guessed[wrong] = (guessed[wrong] + rng.integers(1, 10, errors)) % 10
    probabilities = rng.uniform(0.0, 0.03, (images, 10))
    probabilities[np.arange(images), guessed] = rng.uniform(0.5, 1.0, images)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(labels, probabilities.astype(np.float32))


def wrong_on(wrong: range, images: int = 2_000) -> Predictions:
    """Return made-up predictions that are wrong on these images alone."""
    labels = (np.arange(images) % 10).astype(np.uint8)
    guess = labels.astype(int)
    guess[wrong.start : wrong.stop] = (guess[wrong.start : wrong.stop] + 1) % 10
    probabilities = np.full((images, 10), 0.01, dtype=np.float32)
    probabilities[np.arange(images), guess] = 0.91
    return Predictions(labels, probabilities)
