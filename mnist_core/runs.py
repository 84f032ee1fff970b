"""What is known of a run: typed views of the plain files in its folder."""

from __future__ import annotations

import math
import time
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from mnist_core.configs import Frozen, RunConfig
from mnist_core.errors import StoreError
from mnist_core.events import ENDED, HISTORY_COLUMNS, RESUMABLE, EpochRow, RunState
from mnist_core.files import read_json, read_json_lines
from mnist_core.metrics import Scores, scores

if TYPE_CHECKING:
    import pandas as pd

ChosenEpoch = Literal["kept", "last", "best"]
"""Which epoch's weights: those that the run keeps (the restored ones where early stopping restored them), those of the
last complete and finite epoch, or those of the lowest validation loss."""


SCORES = "scores.json"
"""The file of a run that ships without its predictions: its figures on the test set, as `metrics.Scores` has them."""


class Meta(Frozen):
    """`meta.json`: what a person may change without changing the run."""

    name: str = Field(min_length=1, max_length=80)
    tags: tuple[str, ...] = ()
    note: str = Field("", max_length=4000)
    preset: str | None = None
    keep_weights: bool = True
    """Whether training keeps `model.keras`, and the predictions of other epochs; a large sweep may do without."""


class Pause(Frozen):
    """`pause.json`: the epoch after which a run is to stop, to be resumed or not, and the reason to give then."""

    epoch: int = Field(ge=1)
    reason: str = Field(min_length=1)


class Status(Frozen):
    """`status.json`: how far the run has come. Times are Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: RunState
    reason: str = ""
    fingerprint: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    best_epoch: int | None = None
    kept_epoch: int | None = None
    """The epoch whose weights and predictions are stored: the last, or the best where early stopping restored it."""
    attempts_before: int = 0
    """Attempts claimed before the last request; those after it are counted against the limit."""


class Environment(Frozen):
    """`environment.json`: what the numbers depend on besides the configuration."""

    model_config = ConfigDict(frozen=True, extra="allow")

    python: str
    mnist_core: str
    tensorflow: str
    keras: str
    numpy: str
    platform: str
    processor: str
    threads: int


@dataclass(frozen=True)
class LiveProgress:
    """`progress.json`: where a training is inside its epoch. `seconds` counts from the epoch's start."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float | None
    accuracy: float | None
    seconds: float
    at: float = field(default_factory=time.time)

    @property
    def share(self) -> float:
        """Share of the whole training that is done, 0 to 1."""
        return min(1.0, (self.epoch - 1 + self.step / max(1, self.steps)) / max(1, self.epochs))


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run says of the images it is judged on.

    labels: uint8, shape (n,), of the test set. probabilities: float32, shape (n, 10).
    val_labels, val_probabilities: the same for a held-out validation part; None where validation was the test set.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    val_labels: NDArray[np.uint8] | None = None
    val_probabilities: NDArray[np.float32] | None = None

    @property
    def predicted(self) -> NDArray[np.uint8]:
        """The guessed digit of each test image, shape (n,)."""
        guessed: NDArray[np.uint8] = self.probabilities.argmax(axis=1).astype(np.uint8)
        return guessed

    @property
    def wrong(self) -> NDArray[np.intp]:
        """Indices of the test images that are misclassified, ascending."""
        return np.flatnonzero(self.predicted != self.labels)


@dataclass(frozen=True)
class Run:
    """A run as its folder stands now: a snapshot, cheap to take; history and predictions are read on demand."""

    id: str
    path: Path
    config: RunConfig
    meta: Meta
    status: Status
    state: RunState
    read_only: bool

    @property
    def name(self) -> str:
        """The display name; not part of the run's identity."""
        return self.meta.name

    @property
    def one_of_many(self) -> bool:
        """Whether a sweep or a search has asked for it, and not a person for this very run."""
        return any(tag.startswith(("sweep ", "search ")) for tag in self.meta.tags)

    @property
    def listed(self) -> bool:
        """Whether it belongs into lists of runs: those of the sweeps that ship are found through their sweep."""
        return not (self.read_only and self.one_of_many)

    @property
    def live(self) -> bool:
        """Whether it is queued or running."""
        return self.state in ("queued", "running")

    @property
    def ended(self) -> bool:
        """Whether it came to an end of its own or was cancelled."""
        return self.state in ENDED

    @property
    def ended_well(self) -> bool:
        """Whether it came to an end of its own, after which there is nothing to resume."""
        return self.state in ("finished", "diverged")

    @property
    def resumable(self) -> bool:
        """Whether it can go on from its last finished epoch."""
        return self.state in RESUMABLE and not self.read_only

    @property
    def epochs_done(self) -> int:
        """Finished epochs."""
        return len(self.rows())

    def version(self) -> tuple[int, ...]:
        """Changes whenever the run's results do: a key for caches, with the id."""
        stamps = []
        for name in ("status.json", "meta.json", "history.jsonl", "predictions.npz"):
            try:
                stamps.append((self.path / name).stat().st_mtime_ns)
            except OSError:
                stamps.append(0)
        return tuple(stamps)

    def rows(self) -> list[EpochRow]:
        """The finished epochs, in order.

        Raises
        ------
        StoreError
            where the history is damaged.
        """
        try:
            return [EpochRow.from_json(line) for line in read_json_lines(self.path / "history.jsonl")]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"the history of run {self.id} is damaged ({error}); delete the run or train it again"
            ) from error

    def history(self) -> pd.DataFrame:
        """The finished epochs as a frame, one row an epoch, columns as the fields of EpochRow."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(HISTORY_COLUMNS))

    def progress(self) -> LiveProgress | None:
        """Where the training is inside its epoch; None where it has not begun."""
        try:
            return LiveProgress(**read_json(self.path / "progress.json"))
        except (OSError, ValueError, TypeError):
            return None

    def epoch(self, chosen: ChosenEpoch) -> int | None:
        """The number of an epoch, from 1; None where there is none of that kind (yet)."""
        if chosen == "kept":
            return self.status.kept_epoch
        rows = [row for row in self.rows() if math.isfinite(row.loss) and math.isfinite(row.val_loss)]
        if not rows:
            return None
        return rows[-1].epoch if chosen == "last" else min(rows, key=lambda row: row.val_loss).epoch

    def predictions_file(self, epoch: int | None = None) -> Path:
        """Where predictions are: of the weights of an epoch; without one, of the kept weights."""
        return self.path / ("predictions.npz" if epoch is None else f"predictions-{epoch}.npz")

    def predictions(self, chosen: ChosenEpoch = "kept") -> Predictions | None:
        """What the weights of an epoch say of the test images; None where that is not stored.

        It is stored when training ends: of the kept weights always, of the last and the best epoch where the run was
        not cancelled and keeps weights.

        Raises
        ------
        StoreError
            where the file is damaged.
        """
        epoch = self.epoch(chosen)
        if chosen != "kept" and epoch is None:
            return None
        try:
            with np.load(
                self.predictions_file(None if epoch == self.status.kept_epoch else epoch), allow_pickle=False
            ) as archive:
                return Predictions(**{key: archive[key] for key in archive.files})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise StoreError(f"the predictions of run {self.id} are damaged ({error}); train it again") from error

    def test_scores(self, chosen: ChosenEpoch = "kept") -> Scores | None:
        """What the weights of an epoch are worth on the test set; None where that was not tested, or is not stored.

        Runs that ship without their predictions, which are large, have the kept weights' figures in `scores.json`,
        taken from the predictions when those were still there.

        Raises
        ------
        StoreError
            where a file is damaged.
        """
        found = self.predictions(chosen)
        if found is not None:
            return scores(found.labels, found.probabilities)
        if self.epoch(chosen) != self.status.kept_epoch:
            return None
        try:
            return Scores(**read_json(self.path / SCORES))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"the scores of run {self.id} are damaged ({error}); train it again") from error

    def environment(self) -> Environment | None:
        """What it was trained with; None where it has not been trained."""
        try:
            return Environment.model_validate(read_json(self.path / "environment.json"))
        except (OSError, ValueError):
            return None

    @property
    def model_file(self) -> Path | None:
        """The kept weights as a Keras file; None where there is none."""
        path = self.path / "model.keras"
        return path if path.is_file() else None

    @property
    def checkpoint_file(self) -> Path:
        """Where an unfinished training keeps what it needs to go on."""
        return self.path / "checkpoint.npz"

    def to_json(self) -> dict[str, Any]:
        """The run as plain data, for machines."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "reason": self.status.reason,
            "dataset": self.config.dataset.name,
            "fingerprint": self.status.fingerprint,
            "parameters": self.config.model.parameter_count(),
            "epochs_done": self.epochs_done,
            "epochs": self.config.training.epochs,
            "best_epoch": self.status.best_epoch,
            "kept_epoch": self.status.kept_epoch,
            "tags": list(self.meta.tags),
            "note": self.meta.note,
            "preset": self.meta.preset,
            "read_only": self.read_only,
            "config": self.config.model_dump(mode="json"),
        }
