"""Loss or accuracy: whether the two decide alike on the same runs, and what wrong images cost.

Accuracy counts the right guesses. The loss is the mean over all images of −log of the probability given to the true
digit: it has no upper bound, so that a wrong guess made with confidence costs as much as hundreds of right ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from mnist_core.comparison.verdicts import Verdict
from mnist_core.evaluation.metrics import split_loss
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.records import EpochRow, best_row

NOTABLE = 0.05
"""A loss that has risen by less than so much of its lowest value is not worth a sentence."""


class Course(NamedTuple):
    """The change of a run's validation figures since the epoch of its lowest validation loss.

    best, last: these two epochs. *_cost: mean loss of a wrong image, in nats; NaN where none is wrong.
    """

    best: EpochRow
    last: EpochRow
    best_cost: float
    last_cost: float

    @property
    def rise(self) -> float:
        """By how much the validation loss has risen, as a share of its lowest value."""
        return self.last.val_loss / self.best.val_loss - 1 if self.best.val_loss > 0 else 0.0


def course(rows: Sequence[EpochRow]) -> Course | None:
    """Return the course from the best epoch to the last; None where no epoch has a finite validation loss."""
    best = best_row(rows)
    if best is None:
        return None
    last = next(row for row in reversed(rows) if math.isfinite(row.val_loss))
    return Course(best, last, wrong_cost(best), wrong_cost(last))


def wrong_cost(row: EpochRow) -> float:
    """Return the mean cross-entropy of the wrongly classified validation images, in nats; NaN where there are none."""
    wrong = 1.0 - row.val_accuracy
    return row.val_loss_wrong / wrong if wrong > 1e-9 else math.nan


Relation = Literal["same", "opposite", "accuracy_only", "loss_only", "neither", "no_loss"]
"""The decisions by loss and by accuracy on the same two runs. same, opposite: both decide, for the same run or not.
accuracy_only, loss_only: only one of them decides. neither: neither does. no_loss: a run has guesses without
probabilities, and so no loss."""


def relation(verdict: Verdict) -> Relation:
    """Return how the decisions by accuracy and by loss fit each other."""
    accuracy, loss = verdict.accuracy, verdict.loss
    if loss is None:
        return "no_loss"
    if accuracy.differs and loss.differs:
        return "same" if accuracy.answer == loss.answer else "opposite"
    if accuracy.differs:
        return "accuracy_only"
    return "loss_only" if loss.differs else "neither"


def mistake_cost(predictions: Predictions) -> float:
    """Return the mean cross-entropy of the wrongly classified test images, in nats; NaN where there are none.

    NaN as well where the model gave its guesses only.
    """
    if predictions.guesses_only:
        return math.nan
    wrong, images = len(predictions.wrong), len(predictions.labels)
    return split_loss(predictions.labels, predictions.probabilities).wrong * images / wrong if wrong else math.nan
