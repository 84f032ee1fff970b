"""The content of a run's files: state, epochs, what a person may change, environment, progress."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field

from mnist_core.errors import StoreError
from mnist_core.experiments.frozen import Frozen, damage
from mnist_core.files import read_json
from mnist_core.people import LONGEST_PERSON
from mnist_core.runs.states import RunState


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a history. Losses are mean cross-entropy in nats plus the L2 penalty, as Keras reports them.

    epoch: counted from 1.
    loss, accuracy: on the training images while training: dropout on, images augmented and labels smoothed where the
        configuration says so, averaged while the weights move. The other losses know nothing of the smoothing.
    train_eval_loss, train_eval_accuracy: a fixed subset of the training images after the epoch, dropout and
        augmentation off. In files they are `clean_loss` and `clean_accuracy`.
    val_loss, val_accuracy: the validation images after the epoch, dropout off.
    val_loss_correct, val_loss_wrong: what correctly and wrongly classified images contribute to the mean
        cross-entropy; with `penalty` they add up to `val_loss`.
    penalty: the L2 penalty after the epoch.
    val_confidence: mean probability of the predicted class, 0 to 1.
    val_ece: expected calibration error over 15 bins (Guo et al. 2017), 0 to 1.
    learning_rate: the rate in force during the epoch.
    seconds: wall time of the epoch, evaluations included.
    """

    epoch: int
    loss: float
    accuracy: float
    train_eval_loss: float
    train_eval_accuracy: float
    val_loss: float
    val_accuracy: float
    val_loss_correct: float
    val_loss_wrong: float
    penalty: float
    val_confidence: float
    val_ece: float
    learning_rate: float
    seconds: float

    def known(self) -> dict[str, Any]:
        """Return the values by column; a value that is not finite is `None`."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain data by the keys of the file; a value that is not finite becomes `None`, as JSON has no NaN."""
        return {FILE_KEYS.get(key, key): value for key, value in self.known().items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EpochRow:
        """Return the row that `to_json` gave as `data`; raises ValueError where a field is missing or no number."""
        if not isinstance(data, dict):
            raise ValueError(f"an epoch must be a table of fields, and is a {type(data).__name__}")
        found = [data.get(key, "missing") for key in _KEYS]
        if list(map(type, found)) == _USUAL:  # nearly all; what follows takes three times as long
            return cls(*found)
        values = dict(zip(HISTORY_COLUMNS, found, strict=True))
        epoch = values.pop("epoch")
        if not isinstance(epoch, int) or isinstance(epoch, bool):
            raise ValueError(f"epoch is {str(epoch)[:80]!r}; it must be a whole number")
        for name, value in values.items():
            if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
                raise ValueError(f"{FILE_KEYS.get(name, name)} is {str(value)[:80]!r}; it must be a number, or null")
        return cls(epoch, **{key: math.nan if value is None else float(value) for key, value in values.items()})


def lowest_place(losses: Iterable[float]) -> int | None:
    """Return the place of the lowest finite value, from 0, the first where several tie; None where none is finite."""
    return min(((loss, place) for place, loss in enumerate(losses) if math.isfinite(loss)), default=(0.0, None))[1]


def best_row(rows: Sequence[EpochRow]) -> EpochRow | None:
    """Return the epoch of the lowest validation loss, the first where several tie; None where no loss is finite."""
    place = lowest_place(row.val_loss for row in rows)
    return None if place is None else rows[place]


def best_epoch(rows: Sequence[EpochRow]) -> int | None:
    """Return the number of that epoch, from 1; None where no validation loss is finite."""
    best = best_row(rows)
    return best.epoch if best else None


LONGEST_NAME = 80
"""So many characters may a run's name have."""
MOST_TAGS = 50
"""So many tags may a person, or a client of the store server, give a run. Files with more are read all the same."""
LONGEST_TAG = 80
"""So many characters may a tag have that is given to a run."""

HISTORY_COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(EpochRow))
_USUAL = [int] + [float] * (len(HISTORY_COLUMNS) - 1)
"""The types of an epoch's fields where every figure is a fraction."""

FILE_KEYS = {"train_eval_loss": "clean_loss", "train_eval_accuracy": "clean_accuracy"}
"""Keys of `history.jsonl` that differ from the names of the columns; files keep the keys that they always had."""
FROM_FILE = {key: name for name, key in FILE_KEYS.items()}
_KEYS = [FILE_KEYS.get(name, name) for name in HISTORY_COLUMNS]

ChosenEpoch = Literal["kept", "last", "best"]
"""Which epoch's weights: those that the run keeps (the restored ones where early stopping restored them), those of the
last complete and finite epoch, or those of the lowest validation loss."""
SCORES = "scores.json"
"""The file with the figures of the kept weights on the test set, as `metrics.Scores` has them. A run that ships without
its predictions has only these."""
OTHER_PREDICTIONS = r"predictions-[1-9][0-9]{0,5}\.npz"
"""The names, as a pattern, of the files with the predictions of other epochs than the kept one."""
Seconds = Annotated[float, Field(ge=0, le=32_503_680_000)]
"""Unix seconds, up to the year 3000: what a calendar can show."""


class Origin(Frozen):
    """The sweep or the search that requested a run."""

    kind: Literal["sweep", "search"]
    id: str = Field(pattern=r"^[0-9a-f]{12}$")


class Change(Frozen):
    """A setting that a person changed in the middle of a training.

    epoch: the last epoch before the change. path: of the setting, such as ``model.layers.0.dropout``.
    """

    epoch: int = Field(ge=1)
    path: str
    before: float | int
    after: float | int


class Meta(Frozen):
    """`meta.json`: what belongs to a run but not to its identity. `name`, `tags` and `note` are a person's."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    tags: tuple[str, ...] = ()
    note: str = Field("", max_length=4000)
    preset: str | None = None
    origin: Origin | None = None
    """Which sweep or search requested the run; None where a person requested this very run."""
    pruned: bool = False
    """True if a search has stopped the run early."""
    changes: tuple[Change, ...] = ()
    """What was changed by hand while it and the runs before it were trained, in order; empty for an ordinary run."""
    owner: str = Field("", max_length=LONGEST_PERSON)
    """The person of a class who requested the run; empty outside a class."""
    keep_weights: bool = True
    """True if training keeps `model.keras` and the predictions of other epochs; a large sweep may do without."""

    @classmethod
    def from_json(cls, data: Any) -> Meta:
        """Return the content of a `meta.json`; an older one has origin and pruning among its tags. Raise ValueError."""
        if isinstance(data, dict) and "origin" not in data and isinstance(data.get("tags"), list):
            data = _without_machine_tags(data)
        return cls.model_validate(data)


_MACHINE_TAG = re.compile(r"(sweep|search) ([0-9a-f]{12})")


def _without_machine_tags(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an older `meta.json`, with what the machine wrote into `tags` in fields of its own."""
    found = [match for tag in data["tags"] if (match := _MACHINE_TAG.fullmatch(str(tag)))]
    own = [tag for tag in data["tags"] if tag != "pruned" and not _MACHINE_TAG.fullmatch(str(tag))]
    origin = {"kind": found[0][1], "id": found[0][2]} if found else None
    return data | {"tags": own, "origin": origin, "pruned": "pruned" in data["tags"]}


class Pause(Frozen):
    """`pause.json`: the epoch after which a run is to be paused, and the reason to give then."""

    epoch: int = Field(ge=1)
    reason: str = ""
    """Empty for the usual sentence."""


LONGEST_DELAY_S = 10.0


class SlowMotion(Frozen):
    """`slow_motion.json`: the seconds that a training waits after each epoch, so that people can follow it."""

    delay_s: float = Field(ge=0, le=LONGEST_DELAY_S)


class Status(Frozen):
    """`status.json`: how far the run has come. Times are Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: RunState
    reason: str = ""
    fingerprint: str
    created_at: Seconds
    started_at: Seconds | None = None
    ended_at: Seconds | None = None
    best_epoch: int | None = Field(None, ge=1)
    kept_epoch: int | None = Field(None, ge=1)
    """The epoch whose weights and predictions are stored: the last, or the best where early stopping restored it."""
    attempts_before: int = 0
    """Attempts claimed before the last request; those after it are counted against the limit."""
    requests: int = 0
    """Number of times the run was requested again after it was paused, cancelled, interrupted or failed."""


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
        return max(0.0, min(1.0, (self.epoch - 1 + self.step / max(1, self.steps)) / max(1, self.epochs)))


PartT = TypeVar("PartT")


def read_part(path: Path, parse: Callable[[Any], PartT]) -> PartT:
    """Return a file of a run as `parse` reads it; raise StoreError with the names of the run and of the file."""
    run = path.parent.name
    try:
        return parse(read_json(path))
    except FileNotFoundError:
        if path.parent.is_dir():
            raise StoreError(f"{run} is incomplete: {path.name} is missing") from None
        raise StoreError(f"{run} is not a run: it is not a folder") from None
    except NotADirectoryError:
        raise StoreError(f"{run} is not a run: it is not a folder") from None
    except (OSError, ValueError) as error:  # ConfigError and ValidationError are ValueErrors
        raise StoreError(f"{run} is damaged: {damage(path, error)}") from error
