"""A run: typed views of the plain files in its folder."""

from __future__ import annotations

import contextlib
import functools
import math
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, TypeAdapter

from mnist_core.errors import DamagedFile, NoConfiguration, StoreError
from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.frozen import damage
from mnist_core.experiments.recipes import recipe_id
from mnist_core.files import read_json, read_json_lines
from mnist_core.runs.recorded import DIGITS, OUTSIDE, Recorded
from mnist_core.runs.records import (
    HISTORY_COLUMNS,
    SCORES,
    ChosenEpoch,
    Environment,
    EpochRow,
    LiveProgress,
    Meta,
    Pause,
    SlowMotion,
    Status,
    best_epoch,
)
from mnist_core.runs.states import ENDED, LIVE, RESUMABLE, SETTLED, RunState

if TYPE_CHECKING:
    import pandas as pd
ModelT = TypeVar("ModelT", bound=BaseModel)


class Runs(Protocol):
    """A source of runs by their ids: a store, or a snapshot of one."""

    def get(self, run_id: str) -> Run:
        """Return the run with exactly this id; raises RunNotFound, or StoreError where it is damaged."""


_PROGRESS = TypeAdapter(LiveProgress)
_SCORES = TypeAdapter(Scores)


def read_scores(path: Path) -> Scores:
    """Return what a `scores.json` holds; raises OSError, or ValueError where it is damaged."""
    stored = _SCORES.validate_python(read_json(path))
    if not 0 <= stored.errors <= stored.images or not stored.images:
        raise ValueError(f"{stored.errors} errors among {stored.images} images")
    return stored


Version = tuple[object, ...]
"""A value that changes with a run's files; versions are only compared, or part of a key."""


@dataclass(frozen=True)
class Run:
    """A run as its folder stands now: a snapshot, cheap to take; history and predictions are read on demand.

    source: what was trained here, or what is known of a run that was made outside. Ask `recorded` for which it is.
    """

    id: str
    path: Path
    source: RunConfig | Recorded
    meta: Meta
    status: Status
    state: RunState
    read_only: bool
    seen: tuple[object, ...] | None = field(default=None, repr=False, compare=False)
    """The version that an index saw when it read the run; None where the run was read without one."""

    @property
    def name(self) -> str:
        """The display name; not part of the run's identity."""
        return self.meta.name

    @property
    def recorded(self) -> Recorded | None:
        """Return the record of a run that was made outside; None for one that was trained here."""
        return self.source if isinstance(self.source, Recorded) else None

    @property
    def config(self) -> RunConfig:
        """Return the configuration; check `recorded` first, as a run from outside has none.

        Raises
        ------
        NoConfiguration
            for a run that was made outside.
        """
        if isinstance(self.source, Recorded):
            raise NoConfiguration(
                f"run {self.name} ({self.id}) was {OUTSIDE}, so that this cannot be done with it; "
                "choose a run that was trained here"
            )
        return self.source

    @property
    def dataset(self) -> str:
        """The name of the data."""
        return self.source.dataset if isinstance(self.source, Recorded) else self.source.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers."""
        return self.source.classes if isinstance(self.source, Recorded) else DIGITS

    @property
    def pictures(self) -> bool:
        """True if its test images are those of the dataset of its name."""
        return self.recorded is None or self.recorded.pictures

    @property
    def parameters(self) -> int | None:
        """Number of parameters of the model; None if a run from outside does not state it."""
        if isinstance(self.source, Recorded):
            return self.source.parameters
        return self.source.model.parameter_count()

    @property
    def model_words(self) -> str:
        """The model in a few words; for a run from outside, that it has no configuration."""
        return self.source.words() if isinstance(self.source, Recorded) else self.source.model.summary()

    @property
    def planned_epochs(self) -> int | None:
        """Number of epochs planned; None if a run from outside does not state it."""
        return self.source.epochs if isinstance(self.source, Recorded) else self.source.training.epochs

    @functools.cached_property
    def recipe(self) -> str:
        """The id that all seeds of its configuration share; a run from outside is a recipe of its own."""
        return self.id if isinstance(self.source, Recorded) else recipe_id(self.source)

    @property
    def seed(self) -> int | None:
        """The seed; None for a run from outside, of which it is not known."""
        return None if isinstance(self.source, Recorded) else self.source.training.seed

    @property
    def parent(self) -> str | None:
        """The id of the run that it continues; None where it began from new weights, or was made outside."""
        return None if isinstance(self.source, Recorded) else self.source.parent

    @property
    def changed_at(self) -> int | None:
        """The epoch after which a person changed settings and had it go on; None for an ordinary run.

        Such a run begins with the epochs of its parent, and is no training with one configuration.
        """
        return None if isinstance(self.source, Recorded) else self.source.parent_epoch

    @property
    def validated_on_test(self) -> bool | None:
        """True if its validation images are the test images; None where a run from outside does not say."""
        return None if isinstance(self.source, Recorded) else self.source.training.validation.source == "test"

    @property
    def one_of_many(self) -> bool:
        """True if a sweep or a search requested the run, and no person requested this run itself."""
        return self.meta.origin is not None

    @property
    def listed(self) -> bool:
        """True if run pickers list it. Shipped runs of sweeps and searches are not listed; their study shows them."""
        return not (self.read_only and self.one_of_many)

    @property
    def live(self) -> bool:
        """True if it is queued or running."""
        return self.state in LIVE

    @property
    def ended(self) -> bool:
        """True if it has ended by itself, or was paused or cancelled."""
        return self.state in ENDED

    @property
    def ended_well(self) -> bool:
        """True if it has ended by itself, so that there is nothing to resume."""
        return self.state in SETTLED

    @property
    def resumable(self) -> bool:
        """True if it can continue from its last finished epoch."""
        return self.state in RESUMABLE and not self.read_only and self.recorded is None

    @property
    def epochs_done(self) -> int:
        """Finished epochs."""
        return len(self.rows())

    def version(self) -> Version:
        """Return what changes whenever the run's results do: a key for caches, with the id.

        A run from an index has the version of the moment when it was read; any other looks at its files now.
        """
        if self.seen is not None:
            return self.seen
        stamps = []
        for name in ("status.json", "meta.json", "history.jsonl", "predictions.npz"):
            try:
                stamps.append((self.path / name).stat().st_mtime_ns)
            except OSError:
                stamps.append(0)
        return tuple(stamps)

    def rows(self) -> list[EpochRow]:
        """Return the finished epochs, in order.

        Raises
        ------
        StoreError
            where the history is damaged.
        """
        path = self.path / "history.jsonl"
        try:
            rows = [EpochRow.from_json(line) for line in read_json_lines(path)]
            if [row.epoch for row in rows] != list(range(1, len(rows) + 1)):
                raise ValueError("its epochs do not count 1, 2, 3 …")
            return rows
        except (OSError, ValueError) as error:
            raise StoreError(
                f"the history of run {self.id} is damaged ({damage(path, error)}); delete the run or train it again"
            ) from error

    def history(self) -> pd.DataFrame:
        """Return the finished epochs as a frame, one row an epoch, columns as the fields of EpochRow."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(HISTORY_COLUMNS))

    def progress(self) -> LiveProgress | None:
        """Return the progress within the current epoch; None if it has not begun."""
        try:
            return _PROGRESS.validate_python(read_json(self.path / "progress.json"))
        except (OSError, ValueError):
            return None

    def pause(self) -> Pause | None:
        """Return the epoch after which it is to be paused; None where it is to go on to its end."""
        return self._optional("pause.json", Pause)

    def slow_motion(self) -> float:
        """Return the seconds that its training waits after each epoch."""
        found = self.slow_motion_wish()
        return found.delay_s if found else 0.0

    def slow_motion_wish(self) -> SlowMotion | None:
        """Return what `slow_motion.json` holds; None where slow motion was never on."""
        return self._optional("slow_motion.json", SlowMotion)

    @property
    def was_slowed(self) -> bool:
        """True if slow motion was ever on, so that the time between its start and its end says nothing."""
        return (self.path / "slow_motion.json").exists()

    def epoch(self, chosen: ChosenEpoch) -> int | None:
        """Return the number of an epoch, from 1; None where there is none of that kind (yet)."""
        if chosen == "kept":
            return self.status.kept_epoch
        if chosen == "last" and self.recorded and self.ended and self.status.kept_epoch is not None:
            return self.status.kept_epoch  # the recorded weights are the last; there may be no val_loss
        if chosen == "best":
            return best_epoch(self.rows())
        finite = [row.epoch for row in self.rows() if math.isfinite(row.loss) and math.isfinite(row.val_loss)]
        return finite[-1] if finite else None

    def predictions_file(self, epoch: int | None = None) -> Path:
        """Return the predictions file of the weights of an epoch; without an epoch, of the kept weights."""
        return self.path / ("predictions.npz" if epoch is None else f"predictions-{epoch}.npz")

    def predictions(self, chosen: ChosenEpoch = "kept") -> Predictions | None:
        """Return the predictions of an epoch's weights for the test images; None if they are not stored.

        They are stored when training ends: always for the kept weights, and for the last and the best epoch if the run
        was neither paused nor cancelled and keeps weights.

        Raises
        ------
        StoreError
            if the file is damaged.
        """
        epoch = self.epoch(chosen)
        recorded_last = self.recorded is not None and chosen == "last"  # as all that a run from outside has
        if chosen != "kept" and epoch is None and not recorded_last:
            return None
        path = self.predictions_file(None if epoch == self.status.kept_epoch else epoch)
        try:
            found = Predictions.read(path)
            if found.classes != len(self.classes):
                raise DamagedFile(f"{path.name} has {found.classes} classes, and the run has {len(self.classes)}")
            return found
        except FileNotFoundError:
            return None
        except (OSError, DamagedFile) as error:
            raise StoreError(
                f"the predictions of run {self.id} are damaged ({damage(path, error)}); train it again"
            ) from error

    def test_scores(self, chosen: ChosenEpoch = "kept") -> Scores | None:
        """Return the test scores of an epoch's weights; None if they were not measured, or are not stored.

        The kept weights' figures are in `scores.json`, too. That file is used if it is not older than the predictions,
        or if there are no predictions: runs ship without them, as they are large.

        Raises
        ------
        StoreError
            if a file is damaged.
        """
        recorded_last = self.recorded is not None and chosen == "last"
        kept = chosen == "kept" or recorded_last or self.epoch(chosen) == self.status.kept_epoch is not None
        if kept and self._scores_are_fresh():
            with contextlib.suppress(StoreError):  # the predictions hold the same
                return self._stored_scores()
        found = self.predictions(chosen)
        if found is not None:
            return found.scores()
        return self._stored_scores() if kept else None

    def _scores_are_fresh(self) -> bool:
        """True if `scores.json` came into this folder after the predictions, whatever the times of their content."""
        try:
            stored, predicted = (self.path / SCORES).lstat(), self.predictions_file().lstat()
        except OSError:
            return False
        return stat.S_ISREG(predicted.st_mode) and stored.st_ctime_ns >= predicted.st_ctime_ns

    def _stored_scores(self) -> Scores | None:
        path = self.path / SCORES
        try:
            return read_scores(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(
                f"the scores of run {self.id} are damaged ({damage(path, error)}); train it again"
            ) from error

    def environment(self) -> Environment | None:
        """Return the environment of the training; None before the training."""
        return self._optional("environment.json", Environment)

    def _optional(self, name: str, kind: type[ModelT]) -> ModelT | None:
        """Return what a file of the run holds; None where there is none or it is damaged."""
        try:
            return kind.model_validate(read_json(self.path / name))
        except (OSError, ValueError):
            return None

    @property
    def model_file(self) -> Path | None:
        """The kept weights as a Keras file; None where there is none."""
        path = self.path / "model.keras"
        return path if path.is_file() else None

    @property
    def checkpoint_file(self) -> Path:
        """Return the checkpoint file of an unfinished training."""
        return self.path / "checkpoint.npz"

    def to_json(self) -> dict[str, Any]:
        """Return the run as plain data, for machines."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "reason": self.status.reason,
            "dataset": self.dataset,
            "fingerprint": self.status.fingerprint,
            "parameters": self.parameters,
            "epochs_done": self.epochs_done,
            "epochs": self.planned_epochs,
            "best_epoch": self.status.best_epoch,
            "kept_epoch": self.status.kept_epoch,
            "tags": list(self.meta.tags),
            "note": self.meta.note,
            "origin": self.meta.origin.model_dump() if self.meta.origin else None,
            "pruned": self.meta.pruned,
            "changes": [change.model_dump() for change in self.meta.changes],
            "preset": self.meta.preset,
            "read_only": self.read_only,
            "config": None if self.recorded else self.config.model_dump(mode="json"),
            "recorded": self.recorded.model_dump(mode="json") if self.recorded else None,
        }
