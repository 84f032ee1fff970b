"""What a training needs to go on after its process is gone, as one `.npz` file without pickles.

    identity        text: the configuration and the dataset's fingerprint
    progress        text, JSON: the history, the state of early stopping and of the learning rate
    weights_0 …     the model's arrays after the last finished epoch
    optimizer_0 …   the optimizer's arrays, its step counter among them
    best_0 …        the weights of the best epoch, where early stopping will restore them
    lowest_0 …      the weights of the epoch of the lowest validation loss, where neither of those above are these

The file is replaced as a whole after each epoch, so it is always that of a complete one.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.experiments.configs import EarlyStopping, PlateauSchedule, RunConfig
from mnist_core.files import replacing
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

    def improves(self, rule: EarlyStopping, epoch: int, val_loss: float) -> bool:
        """Take note of an epoch; whether it is the best so far, by more than `rule.min_delta`."""
        if val_loss + rule.min_delta < self.best:
            self.best, self.best_epoch, self.wait = val_loss, epoch, 0
            return True
        self.wait += 1
        return False

    def done(self, rule: EarlyStopping) -> bool:
        """Whether patience has run out."""
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
        """The weights of the lowest validation loss, where they are among the others; None where they are not."""
        if self.lowest_epoch == self.epoch:
            return self.weights
        if self.best_weights and self.lowest_epoch == self.stopper.best_epoch:
            return self.best_weights
        return None


def identity(config: RunConfig, fingerprint: str) -> str:
    """What a checkpoint belongs to: the experiment, and the data it is trained on."""
    return f"{config.canonical_json()} {fingerprint}"


def save(path: Path, identity: str, state: State) -> None:
    """Replace the checkpoint at `path`, atomically and durably."""
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
    with replacing(path) as file:
        np.savez(file, identity=np.array(identity), progress=np.array(json.dumps(progress)), **arrays)


def load(path: Path, identity: str) -> State | None:
    """The state in the checkpoint at `path`.

    None where there is no file, where it cannot be read, or where it belongs to another configuration or dataset:
    training then begins at the first epoch, which costs time but gives the same result.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if str(archive["identity"]) != identity:
                return None
            progress = json.loads(str(archive["progress"]))
            groups = {name: _group(archive, name) for name in ("weights", "optimizer", "best", "lowest")}
        rows = [EpochRow.from_json(row) for row in progress["rows"]]
        stopper = Stopper(**progress["stopper"])
        plateau = Plateau(**progress.get("plateau", {}))
        epoch = int(progress["epoch"])
        lowest = int(progress.get("lowest_epoch", 0))
        state = State(
            groups["weights"],
            groups["optimizer"],
            epoch,
            rows,
            stopper,
            groups["best"],
            plateau,
            groups["lowest"],
            lowest,
        )
        state.lowest_weights = state.shared_lowest() or state.lowest_weights
        return state
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _group(archive: Any, name: str) -> Arrays:
    keys = [key for key in archive.files if key.startswith(f"{name}_")]
    return [archive[f"{name}_{index}"] for index in range(len(keys))]
