"""Runs that were recorded from outside, for tests; their predictions are clearly synthetic."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.recording.record import record
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

HISTORY = {
    "loss": [1.0, 0.5, 0.3],
    "accuracy": [0.6, 0.8, 0.9],
    "val_loss": [0.9, 0.6, 0.65],
    "val_accuracy": [0.65, 0.79, 0.8],
}
LETTERS = tuple(string.ascii_lowercase)
HUNDRED = tuple(f"kind {number}" for number in range(100))

MLFLOW_SCHEMA = """
CREATE TABLE "runs" (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20), status VARCHAR(9),
  start_time BIGINT, end_time BIGINT, lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE "metrics" ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
  run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL);
CREATE TABLE "params" ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32) NOT NULL);
CREATE TABLE "tags" ("key" VARCHAR(250) NOT NULL, value VARCHAR(8000), run_uuid VARCHAR(32) NOT NULL);
"""
"""The tables of a database of MLflow that are read, with those of their columns."""


def probabilities(labels: NDArray[Any], classes: int, errors: int = 20, seed: int = 0) -> NDArray[np.float64]:
    """Return probabilities of shape (n, classes) that guess all but `errors` images right."""
    rng = np.random.default_rng(seed)
    guessed = labels.astype(int)
    wrong = rng.choice(len(labels), errors, replace=False)
    guessed[wrong] = (guessed[wrong] + rng.integers(1, classes, errors)) % classes
    made = rng.uniform(0.0, 0.3 / classes, (len(labels), classes))
    made[np.arange(len(labels)), guessed] = rng.uniform(0.5, 1.0, len(labels))
    shares: NDArray[np.float64] = made / made.sum(axis=1, keepdims=True)
    return shares


def labels_of(classes: int, images: int = 300) -> NDArray[np.uint8]:
    """Return labels with as many images of each class as possible."""
    return (np.arange(images) % classes).astype(np.uint8)


def recorded(root: Path | Store, name: str, names: tuple[str, ...], *, errors: int = 20, **more: Any) -> Run:
    """Record a run of these classes, on data of its own."""
    labels = labels_of(len(names))
    made: dict[str, Any] = (
        {"probabilities": probabilities(labels, len(names), errors)} if "predicted" not in more else {}
    )
    store = root if isinstance(root, Store) else Store(root)
    return record(name, dataset=f"own-{len(names)}", labels=labels, classes=names, store=store, **made, **more)
