"""The checkpoint of a training: all it needs to resume after its process has ended, as one `.npz` file without pickles.

    identity        text: the configuration and the dataset's fingerprint
    progress        text, JSON: the history, the state of early stopping and of the learning rate
    weights_0 …     the model's arrays after the last finished epoch
    optimizer_0 …   the optimizer's arrays, its step counter among them
    best_0 …        the weights of the best epoch, where early stopping will restore them
    lowest_0 …      the weights of the epoch of the lowest validation loss, where neither of those above are these

The file is replaced in one step after each epoch, so it always describes a complete epoch.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mnist_core.archives import read_arrays
from mnist_core.experiments.configs import EarlyStopping, PlateauSchedule, RunConfig
from mnist_core.files import parse_json, replacing
from mnist_core.runs.records import EpochRow

Arrays = list[NDArray[Any]]


@dataclass
class Stopper:
    """Early stopping on the validation loss, with the rules of `keras.callbacks.EarlyStopping`.

    best: the lowest validation loss that counted as an improvement. best_epoch: its epoch, from 1; 0 before the first.
    wait: epochs since then.
    """

    best: float = math.inf
    best_epoch: int = 0
    wait: int = 0

    __pydantic_config__ = ConfigDict(extra="forbid")

    def improves(self, rule: EarlyStopping, epoch: int, val_loss: float) -> bool:
        """Take note of an epoch; whether it is the best so far, by more than `rule.min_delta`."""
        if val_loss + rule.min_delta < self.best:
            self.best, self.best_epoch, self.wait = val_loss, epoch, 0
            return True
        self.wait += 1
        return False

    def done(self, rule: EarlyStopping) -> bool:
        """Return True if the validation loss has not improved for as many epochs as the patience."""
        return self.wait >= rule.patience


@dataclass
class Plateau:
    """A learning rate that falls where the validation loss does not, as `keras.callbacks.ReduceLROnPlateau` does it.

    rate: for the next epoch. best: the lowest validation loss that counted as an improvement. wait: epochs since then,
    or since the rate fell. cooldown: epochs that are still not counted.
    """

    rate: float = math.nan
    best: float = math.inf
    wait: int = 0
    cooldown: int = 0

    __pydantic_config__ = ConfigDict(extra="forbid")

    def note(self, rule: PlateauSchedule, val_loss: float) -> None:
        """Take note of an epoch."""
        if self.cooldown:
            self.cooldown -= 1
            self.wait = 0
        if val_loss < self.best - rule.min_delta:
            self.best, self.wait = val_loss, 0
        elif not self.cooldown:
            self.wait += 1
            if self.wait >= rule.patience and self.rate > rule.min_rate:
                self.rate = max(self.rate * rule.factor, rule.min_rate)
                self.cooldown, self.wait = rule.cooldown, 0


@dataclass
class State:
    """A training between two epochs: after `epoch` complete and finite ones.

    best_weights: of the epoch that early stopping will restore; empty where it will not.
    lowest_weights: of `lowest_epoch`, that of the lowest validation loss, which a `min_delta` may set apart from it.
    """

    weights: Arrays
    optimizer: Arrays
    epoch: int = 0
    rows: list[EpochRow] = field(default_factory=list)
    stopper: Stopper = field(default_factory=Stopper)
    best_weights: Arrays = field(default_factory=list)
    plateau: Plateau = field(default_factory=Plateau)
    lowest_weights: Arrays = field(default_factory=list)
    lowest_epoch: int = 0

    def shared_lowest(self) -> Arrays | None:
        """Return the weights of the lowest validation loss if they are among the others; None if they are not."""
        if self.lowest_epoch == self.epoch:
            return self.weights
        if self.best_weights and self.lowest_epoch == self.stopper.best_epoch:
            return self.best_weights
        return None


def identity(config: RunConfig, fingerprint: str) -> str:
    """Return what a checkpoint belongs to: the experiment and the data it is trained on."""
    return f"{config.canonical_json()} {fingerprint}"


def save(path: Path, identity: str, state: State) -> None:
    """Replace the checkpoint at `path`, atomically and durably."""
    with replacing(path) as file:
        _write(file, identity, state)


def content(identity: str, state: State) -> bytes:
    """Return the content of the checkpoint that `save` would write."""
    file = io.BytesIO()
    _write(file, identity, state)
    return file.getvalue()


def _write(file: IO[bytes], identity: str, state: State) -> None:
    progress = {
        "epoch": state.epoch,
        "rows": [row.to_json() for row in state.rows],
        "stopper": asdict(state.stopper),
        "plateau": asdict(state.plateau),
        "lowest_epoch": state.lowest_epoch,
    }
    groups = {"weights": state.weights, "optimizer": state.optimizer, "best": state.best_weights}
    if state.shared_lowest() is None:
        groups["lowest"] = state.lowest_weights
    arrays: dict[str, Any] = {
        f"{name}_{index}": array for name, group in groups.items() for index, array in enumerate(group)
    }
    np.savez(file, identity=np.array(identity), progress=np.array(json.dumps(progress)), **arrays)


class _CheckpointProgress(BaseModel):
    """The text `progress` of a checkpoint. Infinity and NaN are allowed: they mean that there is no best yet."""

    epoch: int = Field(ge=0)
    rows: list[dict[str, Any]]
    stopper: Stopper
    plateau: Plateau = Field(default_factory=Plateau)
    lowest_epoch: int = Field(0, ge=0)


def load(path: Path, identity: str) -> State | None:
    """Return the state in the checkpoint at `path`.

    None where there is no file, where it cannot be read, or where it belongs to another configuration or dataset:
    training then begins at the first epoch, which costs time but gives the same result.
    """
    try:
        arrays = read_arrays(path)
        if str(arrays["identity"]) != identity:
            return None
        progress = _CheckpointProgress.model_validate(parse_json(str(arrays["progress"]), finite=False))
        weights, optimizer, best, lowest = (_group(arrays, name) for name in ("weights", "optimizer", "best", "lowest"))
        rows = [EpochRow.from_json(row) for row in progress.rows]
        shapes = [array.shape for array in weights]
        alike = all([array.shape for array in group] == shapes for group in (best, lowest) if group)
        counted = [row.epoch for row in rows] == list(range(1, len(rows) + 1))
        latest = max(progress.epoch, progress.lowest_epoch, progress.stopper.best_epoch)
        if not alike or not counted or latest > len(rows):
            return None
    except (OSError, ValueError, KeyError):
        return None
    state = State(
        weights,
        optimizer,
        progress.epoch,
        rows,
        progress.stopper,
        best,
        progress.plateau,
        lowest,
        progress.lowest_epoch,
    )
    state.lowest_weights = state.shared_lowest() or state.lowest_weights
    return state


def _group(arrays: Mapping[str, NDArray[Any]], name: str) -> Arrays:
    count = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{index}"] for index in range(count)]
