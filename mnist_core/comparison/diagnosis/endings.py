"""Rules for trainings that failed: after one of these findings, no other rule applies."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.diagnosis.findings import Code, Finding
from mnist_core.comparison.diagnosis.series import History
from mnist_core.constants import CLASSES

COLLAPSE = 0.20
"""A fall of the training accuracy by so much, to the end of the training, is a collapse."""
COLLAPSE_LOSS, COLLAPSE_RATIO = 0.5, 3.0
"""Without accuracies: both losses at the end are above so many nats and so many times their lowest value."""
COMMONEST_CLASS = 0.1135
"""Share of the commonest digit in MNIST's test set: the accuracy of a network that always gives the same answer."""
CHANCE_LOSS = math.log(CLASSES)
"""2.303 nats: the loss of giving each digit the same probability."""
EXPLOSION, EXPLODED = 2.0, 1.25
"""An exploded training loss is above so many times that of the first epoch, and above so many times CHANCE_LOSS."""


class Chance(NamedTuple):
    """Results of guessing: the loss of equal probabilities for all classes, and the share of the commonest class."""

    loss: float
    accuracy: float


DIGITS_CHANCE = Chance(CHANCE_LOSS, COMMONEST_CLASS)


def ending(whole: History, images: int | None, guessing: Chance = DIGITS_CHANCE) -> Finding | None:
    """Return how a training failed; None if it did not.

    Parameters
    ----------
    whole
        the history, values that are not finite included.
    images
        how many validation images there are; None if that is not known.
    guessing
        results of guessing on these data.
    """
    finite = whole.finite_part()
    if len(finite) < len(whole):
        return _not_finite(whole, finite)
    return _explosion(finite, guessing) or _at_chance(finite, images, guessing) or _collapse(finite)


def _not_finite(whole: History, finite: History) -> Finding:
    index = len(finite)
    numbers: dict[str, float] = {}
    if "learning_rate" in whole and math.isfinite(whole["learning_rate"][index]):
        numbers["learning_rate"] = float(whole["learning_rate"][index])
    if index:
        numbers["last"] = float(finite["loss"][-1])
    return Finding("not_finite", int(whole.epochs[index]), numbers, "problem", columns=("loss", "val_loss"))


def _explosion(history: History, guessing: Chance) -> Finding | None:
    """Report a finite loss that grew beyond guessing and stayed there.

    Its date is where it left its lowest value for good.
    """
    column = history.training_column
    loss = history[column]
    first, last, low = float(loss[0]), float(loss[-1]), float(loss.min())
    limit = max(EXPLOSION * first, EXPLODED * guessing.loss)
    if len(loss) < 2 or last <= limit:
        return None
    since = _last_stretch(loss > EXPLOSION * low)
    numbers = {"first": first, "low": low, "last": last, "limit": limit, "guessing": guessing.loss}
    return Finding("loss_explosion", int(history.epochs[since]), numbers, "problem", columns=(column,))


def _at_chance(history: History, images: int | None, guessing: Chance) -> Finding | None:
    """Report a validation accuracy that stays at chance: never learnt, or lost again."""
    if "val_accuracy" not in history:
        return None
    accuracy, val_loss = history["val_accuracy"], history["val_loss"]
    chance = guessing.accuracy
    if images:
        chance += 3 * math.sqrt(guessing.accuracy * (1 - guessing.accuracy) / images)
    since = _last_stretch(accuracy <= chance)
    if len(accuracy) - since < 2:
        return None
    numbers = {
        "accuracy": float(accuracy[-1]),
        "last": float(val_loss[-1]),
        "chance": chance,
        "guessing": guessing.loss,
        "dead": 2 * guessing.loss,
        "epochs": float(len(accuracy) - since),
    }
    if images:
        numbers["images"] = float(images)
    if since:
        numbers["best"] = float(accuracy[:since].max())
    code: Code = "dead_network" if val_loss[-1] > numbers["dead"] else "stuck_at_chance"
    if since and numbers["best"] - numbers["accuracy"] >= COLLAPSE:
        code = "collapse"
    epoch = int(history.epochs[since])
    return Finding(code, epoch, numbers, "problem", columns=("val_accuracy", "val_loss"))


def _collapse(history: History) -> Finding | None:
    """Report training accuracy, or both losses, that fell far behind what had been reached, and stayed there."""
    count = len(history)
    stay = 2 if count < 10 else 3
    if "train_eval_accuracy" in history and "val_accuracy" in history:
        training, validation = history["train_eval_accuracy"], history["val_accuracy"]
        best, last = float(training.max()), float(training[-stay:].max())
        since = _last_stretch(training < best - COLLAPSE / 2)
        if best - last < COLLAPSE or count - since < stay or not since:
            return None
        numbers = {
            "best": float(validation[:since].max()),
            "accuracy": float(validation[-1]),
            "low": float(history["val_loss"][:since].min()),
            "last": float(history["val_loss"][-1]),
            "epochs": float(count - since),
        }
        if numbers["best"] - numbers["accuracy"] < COLLAPSE / 2 or numbers["last"] <= numbers["low"]:
            return None
    else:
        training, validation = history["loss"], history["val_loss"]
        lows = [float(training.min()), float(validation.min())]
        limits = [max(COLLAPSE_LOSS, COLLAPSE_RATIO * low) for low in lows]
        since = _last_stretch((training > limits[0]) & (validation > limits[1]))
        if count - since < stay or not since:
            return None
        numbers = {"low": lows[1], "last": float(validation[-1]), "epochs": float(count - since)}
    columns = ("train_eval_accuracy", "val_loss")
    return Finding("collapse", int(history.epochs[since]), numbers, "problem", columns=columns)


def _last_stretch(holds: NDArray[np.bool_]) -> int:
    """Return the index from which a condition holds to the end; the length where it does not hold at the end."""
    broken = np.flatnonzero(~holds)
    return int(broken[-1]) + 1 if len(broken) else 0
