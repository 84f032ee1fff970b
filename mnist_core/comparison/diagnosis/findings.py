"""The findings of the diagnosis: codes, epochs and numbers, without words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mnist_core.comparison.diagnosis.suggestions import Suggestion

Code = Literal[
    "not_finite", "loss_explosion", "dead_network", "stuck_at_chance", "collapse",
    "got_worse", "overfitting", "val_loss_rose", "still_improving", "plateau", "underfitting", "generalisation_gap",
    "oscillation", "spike", "val_better_than_training", "val_better_than_test", "dropout_raises_training_loss",
    "too_few_epochs", "unclear",
]  # fmt: skip
"""The rules, one code each; `docs/diagnosis.md` says when each holds. The first five leave nothing else to say. Exactly
one of `got_worse` to `plateau`, `too_few_epochs` and `unclear` is found otherwise: where the validation loss goes."""
FindingSeverity = Literal["problem", "note"]
"""`problem`: something to change before the next training. `note`: something to know when reading the curves."""


@dataclass(frozen=True)
class Finding:
    """One thing that the curves show.

    code: the rule. epoch: where it shows, from 1. numbers: what was compared, unrounded; `NUMBERS` says what each is.
    suggestions: changes that may help, the best first. columns: the history's columns that were read.
    """

    code: Code
    epoch: int
    numbers: Mapping[str, float]
    severity: FindingSeverity = "note"
    suggestions: tuple[Suggestion, ...] = ()
    columns: tuple[str, ...] = field(default=("val_loss",))


NUMBERS: dict[str, str] = {
    "accuracy": "validation accuracy in the last epoch, 0 to 1",
    "after": "epoch in which a spike is over",
    "before": "mean loss of the window before the last one, in nats; of a spike: the low from which it rose",
    "best": "highest accuracy before, 0 to 1",
    "chance": "accuracy up to which a network may merely guess, 0 to 1",
    "dead": "loss above which a network at chance is called dead: twice that of guessing, in nats",
    "guessing": "loss of giving each class the same probability, in nats",
    "clean": "mean training loss of the last window with dropout and augmentation off, in nats",
    "difference": "validation accuracy minus the accuracy that it is compared with, -1 to 1",
    "dropout": "1 where a layer has dropout, else 0",
    "epochs": "epochs: that the finding has lasted, or that there are",
    "errors": "standard errors",
    "fall": "before - last, in nats",
    "first": "loss of the first epoch, in nats",
    "gap": "training accuracy minus validation accuracy, -1 to 1",
    "images": "validation images",
    "kept_epoch": "epoch whose weights were kept",
    "last": "mean loss of the last window, in nats; with few epochs and for a divergence: of the last epoch",
    "learning_rate": "learning rate in that epoch",
    "left_out": "epochs of spikes, which the means leave out",
    "limit": "value from which the rule holds, in the units of what it is compared with",
    "low": "lowest mean loss of a window, in nats; with few epochs and for a divergence: of an epoch",
    "low_epoch": "epoch of the lowest value",
    "lowest_mean": "lowest mean of the windows in the plateau, in nats",
    "highest_mean": "highest mean of the windows in the plateau, in nats",
    "needed": "difference from which a rise counts, in nats",
    "needed_fall": "difference from which a fall counts, in nats",
    "noise_sd": "standard deviation of the validation loss from epoch to epoch around its trend, in nats",
    "peak": "highest loss, in nats",
    "recovered": "loss in the epoch in which a spike is over, in nats",
    "rise": "last - low, in nats",
    "sampling": "rise that the choice of validation images may explain, in nats",
    "shown": "mean training loss of the last window as measured while training, in nats",
    "spread": "highest_mean - lowest_mean, in nats",
    "start": "first epoch of an oscillation or of the window with the lowest mean",
    "swings": "moves of the validation loss by a factor of at least 1.5, up and down counted each",
    "test_accuracy": "test accuracy of the kept weights, 0 to 1",
    "training_accuracy": "training accuracy with dropout off, 0 to 1",
    "training_before": "training loss at the lowest validation loss, in nats",
    "training_last": "training loss at the end, in nats",
    "training_rise": "training_last - training_before, in nats",
    "training_needed": "rise of the training loss from which it counts, in nats",
    "until": "last epoch of an oscillation",
    "val": "mean validation loss of the last window, in nats",
    "val_accuracy": "validation accuracy, 0 to 1",
    "window": "epochs that a mean is taken over",
}
"""Meaning of each number of a finding."""


class UnseenResult(NamedTuple):
    """Result of the kept weights on test images that are not the validation images. accuracy: 0 to 1."""

    accuracy: float
    images: int
