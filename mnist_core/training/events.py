"""The events that a training reports: small frozen records, the same for the library, the store and the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mnist_core.runs.records import EpochRow


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


TrainingEvent = Started | Progress | EpochEnded | Ended
