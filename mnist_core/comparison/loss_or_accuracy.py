"""Loss or accuracy: which run is better by which, whether the two agree, and why not; numbers first, then words.

Accuracy counts the right guesses. The loss is the mean over all images of −log of the probability given to the true
digit: it has no upper bound, so that a wrong guess made with confidence costs as much as hundreds of right ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mnist_core.errors import ComparisonError
from mnist_core.evaluation.metrics import split_loss
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import LEVEL, Difference, accuracy_difference, agreement, loss_difference
from mnist_core.runs.records import EpochRow

NOTABLE = 0.05
"""A loss that has risen by less than so much of its lowest value is not worth a sentence."""


class Course(NamedTuple):
    """What became of a run's validation figures since the epoch of its lowest validation loss.

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
    """From the best epoch to the last; None where no epoch has a finite validation loss."""
    finite = [row for row in rows if math.isfinite(row.val_loss)]
    if not finite:
        return None
    best, last = min(finite, key=lambda row: row.val_loss), finite[-1]
    return Course(best, last, wrong_cost(best), wrong_cost(last))


def wrong_cost(row: EpochRow) -> float:
    """Mean cross-entropy of the wrongly classified validation images, in nats; NaN where there are none."""
    wrong = 1.0 - row.val_accuracy
    return row.val_loss_wrong / wrong if wrong > 1e-9 else math.nan


def course_sentence(name: str, found: Course, *, overfits: bool = True) -> str:
    """What happened to loss and accuracy after the best epoch, and why the loss rose where it did.

    overfits: whether `mnist_core.comparison.diagnosis` finds the rise to be more than the scatter from epoch to epoch.
    """
    best, last = found.best, found.last
    if best.epoch == last.epoch:
        return (
            f"{name}: the validation loss was lowest at the end, {best.val_loss:.4f} in epoch {best.epoch}, with "
            f"{_percent(best.val_accuracy)} right; so far, loss and accuracy tell the same story."
        )
    points = 100 * (last.val_accuracy - best.val_accuracy)
    kept = f"{abs(points):.2f} points {'up' if points > 0 else 'down'}" if abs(points) >= 0.005 else "unchanged"
    text = (
        f"{name}: the validation loss went from {best.val_loss:.4f} in epoch {best.epoch}, its lowest, to "
        f"{last.val_loss:.4f} in epoch {last.epoch}; the accuracy from {_percent(best.val_accuracy)} to "
        f"{_percent(last.val_accuracy)}, {kept}."
    )
    if found.rise < NOTABLE:
        return text + " That is little of either."
    ratio = found.last_cost / found.best_cost
    if points > -0.1 and ratio > 1:
        text += (
            f" {'Hardly' if points < 0 else 'No'} more images are wrong, but the wrong ones cost more: "
            f"{found.last_cost:.1f} nats each on average instead of {found.best_cost:.1f}, {ratio:.2f} times as much"
        )
        sure = f"mean confidence {_percent(best.val_confidence)}, then {_percent(last.val_confidence)}"
        text += (
            f", as the network grew surer of all it says ({sure})."
            if last.val_confidence > best.val_confidence
            else "."
        )
    elif ratio > 1:
        text += (
            f" More images are wrong, and each costs more: {found.last_cost:.1f} nats on average instead of "
            f"{found.best_cost:.1f}."
        )
    else:
        text += " More images are wrong; each costs no more than before."
    return text if overfits else text + " But this rise is not clearly more than the scatter from epoch to epoch."


class Winners(NamedTuple):
    """The better of two runs by each measure. Differences are the second run minus the first, on the same images.

    first_cost, second_cost: mean loss of a wrong image, in nats; NaN where none is wrong.
    """

    accuracy: Difference
    loss: Difference
    first_cost: float
    second_cost: float

    @property
    def agree(self) -> bool:
        """Whether the run with the higher accuracy has the lower loss."""
        return (self.accuracy.value > 0) == (self.loss.value < 0)


def winners(first: Predictions, second: Predictions) -> Winners:
    """Compare two runs by both measures; raises ComparisonError where they were tested on different images."""
    return Winners(
        accuracy_difference(agreement(first, second)),
        loss_difference(first, second),
        _test_cost(first),
        _test_cost(second),
    )


def _test_cost(said: Predictions) -> float:
    wrong = len(said.wrong)
    return split_loss(said.labels, said.probabilities).wrong * len(said.labels) / wrong if wrong else math.nan


def best_pair(tested: Mapping[str, Predictions]) -> tuple[str, str] | None:
    """The run with the highest accuracy and the one with the lowest loss; where that is one run, it and the next best
    by accuracy. None where fewer than two were tested.
    """
    if len(tested) < 2:
        return None
    by_accuracy = sorted(tested, key=lambda name: len(tested[name].wrong))
    by_loss = min(tested, key=lambda name: _mean_loss(tested[name]))
    first = by_accuracy[0]
    return first, by_loss if by_loss != first else by_accuracy[1]


def _mean_loss(said: Predictions) -> float:
    return sum(split_loss(said.labels, said.probabilities))


def verdict_sentence(first: str, second: str, found: Winners) -> str:
    """Which of two runs is better by accuracy, which by loss, whether that is more than chance, and why they differ."""
    accuracy, loss = found.accuracy, found.loss
    by_accuracy = second if accuracy.value > 0 else first
    by_loss = second if loss.value < 0 else first
    points = f"{100 * abs(accuracy.value):.2f} percentage points"
    if accuracy.value == 0:
        text = f"Both get equally many test images right; by loss {by_loss} is better, by {abs(loss.value):.4f}"
    elif found.agree:
        text = f"By accuracy and by loss {by_accuracy} is better: {points} more right, loss {abs(loss.value):.4f} lower"
    else:
        text = (
            f"They disagree: by accuracy {by_accuracy} is better, by {points}; by loss {by_loss} is, by "
            f"{abs(loss.value):.4f}"
        )
    clear = [
        name
        for name, item in (("accuracy", accuracy), ("loss", loss))
        if not item.interval.low <= 0 <= item.interval.high
    ]
    sample = f"at {100 * LEVEL:.0f} % confidence on these test images"
    if len(clear) == 2:
        text += f". Both differences are more than chance {sample}."
    elif clear:
        other = "loss" if clear[0] == "accuracy" else "accuracy"
        text += f". Only the difference in {clear[0]} is more than chance {sample}; in {other} it is too close to call."
    else:
        text += f". Neither difference is more than chance {sample}: too close to call."
    if not found.agree and math.isfinite(found.first_cost) and math.isfinite(found.second_cost):
        dear, cheap = (first, second) if found.first_cost > found.second_cost else (second, first)
        high, low = max(found.first_cost, found.second_cost), min(found.first_cost, found.second_cost)
        text += f" A wrong image costs {high:.1f} nats on average in {dear}, and {low:.1f} in {cheap}."
    return text


def closing(tested: Mapping[str, Predictions]) -> str:
    """The answer for all tested runs, by name: the two that matter compared; empty where there are no two.

    Runs tested on other images are said to be so.
    """
    pair = best_pair(tested)
    if pair is None:
        return ""
    try:
        return verdict_sentence(*pair, winners(tested[pair[0]], tested[pair[1]]))
    except ComparisonError:
        return "These runs were tested on different images, so neither their losses nor their accuracies compare."


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
