"""Rules for where the validation loss goes: a rise, a fall, a level, swings and spikes, or nothing that is clear.

No single epoch is compared with another, since a loss moves by chance from epoch to epoch: means over a few epochs are
compared, and a difference counts where it is large against that noise and, where the number of validation images is
known, against what other images might have given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mnist_core.comparison.diagnosis.findings import Finding
from mnist_core.comparison.diagnosis.series import History, Series, Spike, logarithms, spikes_of

FEWEST_EPOCHS = 6
"""Fewer do not give two means and a noise estimate; then only a fall in every epoch, or a large rise, is found."""
RISE = 1.7
"""A rise counts from so many standard errors, and √(ln m) more: it is measured from the lowest of m separate means,
which by chance is low by about √(2 ln m) standard errors of a mean. With 30 epochs these are 3.0 in all."""
RELATIVE_RISE = 0.04
"""A rise by a smaller share of the loss is not worth a finding, however certain it is."""
LEAST_RISE = 0.001
"""So does a rise by less than this, in nats."""
FALL = 2.5
"""A fall from one window to the next counts from so many standard errors."""
RELATIVE_FALL = 0.01
"""A fall by less than one per cent of the loss is not worth another training, however certain it is."""
FALL_OF_FEW = 0.15
"""In fewer than 6 epochs, the loss must fall in each, and by 15 % in all."""
PAIRED = 0.6
"""Standard error of the change of a loss between two epochs, as a share of that of the loss itself. The images are the
same, so most of their luck cancels: √(2(1 − ρ)), with ρ the correlation of the images' losses at the two epochs.
Measured on MNIST: 0.47 for readme/model_1 (epochs 13 and 30), 0.63 for notebook/model_2 (epochs 6 and 20)."""
TRAINING_RISE, TRAINING_SHARE = 3.0, 0.2
"""Training itself got worse if the training loss rises by so many standard errors, and by this share of the rise of the
validation loss."""
LEVEL_ERRORS = 3.5
"""In a plateau, the means of windows differ by at most so many standard errors."""
LEVEL_LEAST, LEVEL_MOST = 0.04, 0.15
"""They may always differ by the first share of the loss, and never by more than the second, whatever the noise."""
HINT = 1.1
"""A rise of so many standard errors, and √(ln m) more, is too small to count and too large for a plateau."""
PLATEAU_SHARE = 3
"""A plateau must have lasted for at least a third of the epochs, and for two windows."""
OSCILLATION_SWINGS, EPOCHS_A_SWING = 4, 6
"""An oscillation has at least 4 swings, and one in 6 epochs. A single spike has two."""
FEWEST_TO_SPIKE = 5
"""Epochs outside of spikes that the noise can be estimated from."""
SPIKE_NOISE = 5.0
"""A spike is at least so many times the noise of the logarithm of the loss."""


def few_epochs(history: History) -> Finding:
    """Return the finding for a history that is too short for a noise estimate."""
    loss = history["val_loss"]
    count, lowest = len(loss), int(loss.argmin())
    epoch = int(history.epochs[-1])
    numbers = {
        "epochs": float(count),
        "first": float(loss[0]),
        "low": float(loss.min()),
        "last": float(loss[-1]),
        "low_epoch": float(history.epochs[lowest]),
    }
    falls = bool((loss[1:] < (1 - RELATIVE_FALL) * loss[:-1]).all())
    if count >= 3 and falls and loss[-1] < (1 - FALL_OF_FEW) * loss[0]:
        return Finding("still_improving", epoch, numbers)
    if count - lowest > 2 and bool((loss[lowest + 1 :] >= 2 * loss[lowest]).all()):
        numbers |= {"rise": numbers["last"] - numbers["low"], "needed": numbers["low"]}
        return Finding("val_loss_rose", int(history.epochs[lowest]), numbers)
    return Finding("too_few_epochs", epoch, numbers)


def rise(rest: History, loss: Series, images: int | None, kept_epoch: int | None) -> Finding | None:
    """Return the finding for a validation loss that rose from its lowest level to the end; None where it did not.

    What the training loss did decides between overfitting, training that got worse, and neither.
    """
    risen = loss.last - loss.low
    needed = _rise_needed(loss)
    if risen <= needed:
        return None
    column = rest.training_column
    training = Series(rest[column], rest.epochs)
    before, after = float(training.means[loss.best]), training.last
    numbers = {
        "low": loss.low,
        "last": loss.last,
        "rise": risen,
        "needed": needed,
        "noise_sd": loss.noise.sd,
        "window": float(loss.window),
        "start": float(loss.epochs[loss.best]),
        "training_before": before,
        "training_last": after,
        "training_rise": after - before,
        "training_needed": max(TRAINING_RISE * training.error, TRAINING_SHARE * risen),
    }
    columns = ("val_loss", column)
    if numbers["training_rise"] > numbers["training_needed"]:
        return Finding("got_worse", loss.turn, numbers, "problem", columns=columns)
    if numbers["training_rise"] > TRAINING_SHARE * risen:  # more than a little, and not more than its noise
        return Finding("val_loss_rose", loss.turn, numbers, columns=columns)
    sampling = _sampling_error(rest, images)
    if sampling is not None:
        numbers |= {"sampling": PAIRED * sampling, "images": float(images or 0)}
        if risen <= numbers["sampling"]:
            return Finding("val_loss_rose", loss.turn, numbers, columns=columns)
    near = loss.epochs[loss.best] + 2 * loss.window
    if kept_epoch is not None and kept_epoch < min(near, loss.epochs[-1]):
        numbers["kept_epoch"] = float(kept_epoch)
        return Finding("overfitting", loss.turn, numbers, columns=columns)
    return Finding("overfitting", loss.turn, numbers, "problem", columns=columns)


def _sampling_error(rest: History, images: int | None) -> float | None:
    if not images or "val_loss_wrong" not in rest or "val_accuracy" not in rest:
        return None
    return loss_error(float(rest["val_loss_wrong"][-1]), float(rest["val_accuracy"][-1]), images)


def loss_error(val_loss_wrong: float, val_accuracy: float, images: int) -> float:
    """Return the standard error of a mean validation loss over so many images, in nats, as far as the history tells it.

    The losses of single images are not in the history. Nearly all of their spread comes from the wrong ones; with an
    error rate e whose images cost c on average, and costs spread like an exponential distribution, whose mean square
    is 2c², it is c·√(2e/n). Against the true value of the shipped runs it is 4 % too small to 28 % too large.
    """
    wrong = max(1.0 - val_accuracy, 1.0 / images)
    return val_loss_wrong / wrong * math.sqrt(2 * wrong / images)


def improving(loss: Series) -> Finding | None:
    """Return the finding for a fall from one window to the last one; in long histories also over windows of a fifth."""
    for window in dict.fromkeys((loss.window, max(loss.window, len(loss.values) // 5))):
        series = loss if window == loss.window else Series(loss.values, loss.epochs, window)
        if len(series.means) <= window or series.best < len(series.means) - window:
            continue
        before = float(series.means[-1 - window])
        needed = max(FALL * series.error, RELATIVE_FALL * before)
        if before - series.last > needed:
            numbers = {
                "before": before,
                "last": series.last,
                "fall": before - series.last,
                "needed_fall": needed,
                "noise_sd": series.noise.sd,
                "window": float(window),
            }
            return Finding("still_improving", int(loss.epochs[-1]), numbers)
    return None


def _rise_needed(loss: Series, errors: float = RISE) -> float:
    """Return the rise, in nats, from which it counts."""
    chance = math.sqrt(math.log(len(loss.values) / loss.window))
    return max((errors + chance) * loss.error, RELATIVE_RISE * loss.low, LEAST_RISE)


def plateau(loss: Series) -> Finding | None:
    """Return the finding for a level that holds to the end: no two means of windows differ by more than noise."""
    if loss.last - loss.low > _rise_needed(loss, HINT):
        return None
    limit = min(max(LEVEL_ERRORS * loss.error, LEVEL_LEAST * loss.last), LEVEL_MOST * loss.last)
    limit = max(limit, LEAST_RISE)
    means = loss.means[::-1]
    spread = (np.maximum.accumulate(means) - np.minimum.accumulate(means))[::-1]
    reached = int(np.flatnonzero(spread <= limit)[0])
    epochs = len(loss.values) - (reached + loss.window)
    if epochs < max(2 * loss.window, len(loss.values) // PLATEAU_SHARE):
        return None
    numbers = {
        "last": loss.last,
        "lowest_mean": float(loss.means[reached:].min()),
        "highest_mean": float(loss.means[reached:].max()),
        "spread": float(spread[reached]),
        "limit": limit,
        "noise_sd": loss.noise.sd,
        "window": float(loss.window),
        "epochs": float(epochs),
    }
    return Finding("plateau", int(loss.epochs[reached + loss.window - 1]), numbers)


def unclear(loss: Series) -> Finding:
    """Return the finding for a loss that neither rose nor fell nor stayed level, as far as noise lets one tell."""
    window = min(loss.window, len(loss.means) - 1)
    before = float(loss.means[-1 - window])
    numbers = {
        "low": loss.low,
        "before": before,
        "last": loss.last,
        "rise": loss.last - loss.low,
        "needed": _rise_needed(loss),
        "fall": before - loss.last,
        "needed_fall": max(FALL * loss.error, RELATIVE_FALL * before),
        "noise_sd": loss.noise.sd,
        "window": float(loss.window),
        "limit": LEVEL_ERRORS * loss.error,
        "epochs": float(len(loss.values)),
    }
    return Finding("unclear", int(loss.epochs[-1]), numbers)


def oscillation(history: History, turns: Sequence[int]) -> Finding | None:
    """Return the finding for a validation loss that swings up and down again and again; None where it does not."""
    loss = history["val_loss"]
    up = next((place for place in range(len(turns) - 1) if loss[turns[place + 1]] > loss[turns[place]]), len(turns))
    swings = len(turns) - 1 - up
    if swings < OSCILLATION_SWINGS or swings * EPOCHS_A_SWING < turns[-1] - turns[up]:
        return None
    start, until = turns[up], turns[-1]
    part = loss[start : until + 1]
    numbers = {
        "swings": float(swings),
        "start": float(history.epochs[start]),
        "until": float(history.epochs[until]),
        "low": float(part.min()),
        "peak": float(part.max()),
    }
    return Finding("oscillation", int(history.epochs[start]), numbers, "problem")


def spikes(history: History, turns: Sequence[int]) -> list[Spike]:
    """Return the spikes that stand out of the noise of the logarithm of the loss."""
    loss = history["val_loss"]
    logs, found = logarithms(loss), spikes_of(loss, turns)
    calm = np.ones(len(loss), bool)
    for spike in found:
        calm[spike.start + 1 : spike.end] = False
    if calm.sum() < FEWEST_TO_SPIKE:
        return []
    noise = 1.4826 * float(np.median(np.abs(np.diff(logs[calm], 2)))) / math.sqrt(6)
    return [spike for spike in found if logs[spike.peak] - logs[spike.low] > SPIKE_NOISE * noise]


def spike_finding(history: History, spike: Spike) -> Finding:
    """Return the finding for a spike."""
    loss = history["val_loss"]
    numbers = {
        "before": float(loss[spike.low]),
        "peak": float(loss[spike.peak]),
        "recovered": float(loss[spike.end]),
        "after": float(history.epochs[spike.end]),
    }
    return Finding("spike", int(history.epochs[spike.peak]), numbers)
