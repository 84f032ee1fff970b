"""What a training says while it runs: small frozen records, the same for the library, the store and the screen."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

RunState = Literal["queued", "running", "finished", "cancelled", "diverged", "failed", "interrupted"]
"""`interrupted` is never written: it is what a reader calls a `running` run whose process is gone."""

RESUMABLE: frozenset[str] = frozenset({"cancelled", "interrupted", "failed"})
ENDED: frozenset[str] = frozenset({"finished", "cancelled", "diverged", "failed"})


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a history. Losses are mean cross-entropy in nats plus the L2 penalty, as Keras reports them.

    epoch: counted from 1.
    loss, accuracy: on the training images while training: dropout on, images augmented and labels smoothed where the
        configuration says so, averaged while the weights move. The other losses know nothing of the smoothing.
    clean_loss, clean_accuracy: a fixed subset of the training images after the epoch, dropout and augmentation off.
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
    clean_loss: float
    clean_accuracy: float
    val_loss: float
    val_accuracy: float
    val_loss_correct: float
    val_loss_wrong: float
    penalty: float
    val_confidence: float
    val_ece: float
    learning_rate: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data; a value that is not finite becomes `None`, as JSON has no NaN."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EpochRow:
        """The inverse of `to_json`; raises KeyError or TypeError where a field is missing or odd."""
        values = {field.name: data[field.name] for field in fields(cls)}
        epoch = int(values.pop("epoch"))
        return cls(epoch, **{key: math.nan if value is None else float(value) for key, value in values.items()})


HISTORY_COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(EpochRow))


@dataclass(frozen=True)
class Started:
    """Training begins, or goes on, before epoch `epoch` (from 1)."""

    epoch: int
    epochs: int


@dataclass(frozen=True)
class Progress:
    """Inside an epoch: `step` of `steps` batches done; running training loss and accuracy of this epoch."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class EpochEnded:
    """An epoch is complete and its checkpoint, where there is one, is safe on disk."""

    row: EpochRow
    epochs: int


@dataclass(frozen=True)
class Ended:
    """Training is over. `reason` says why in a sentence."""

    state: Literal["finished", "cancelled", "diverged"]
    reason: str


Event = Started | Progress | EpochEnded | Ended
