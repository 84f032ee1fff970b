"""What the curves of one run say, in words: a history → findings, each at its epoch and with the rule behind it.

A validation loss goes up and down from epoch to epoch by chance. So no single epoch is ever compared with another:
means over a few epochs are, and what counts is a difference that is large against that scatter and, where the number
of validation images is known, against what other images might have given. `docs/diagnosis.md` has the measured rates
of false alarms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import CLASSES
from mnist_core.experiments.configs import HeldOutValidation, RunConfig
from mnist_core.experiments.layers import ConvLayer, DenseLayer, PoolLayer
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run

Kind = Literal[
    "diverged", "stuck at chance", "overfitting", "still improving", "underfitting", "plateau", "unstable",
    "dropout makes training look worse", "not enough evidence",
]  # fmt: skip
Severity = Literal["problem", "note"]
"""`problem`: something to change before the next training. `note`: something to know when reading the curves."""

FEWEST_EPOCHS = 6
"""Below, two means and a scatter cannot all be had from the history; then only a fall in every epoch is told."""
WINDOW_SHARE, WINDOW_LEAST, WINDOW_MOST = 5, 2, 7
"""A mean is taken over a fifth of the epochs, from 2 to 7: longer ones would blur the epoch where the loss turns."""
RISE = 2.5
"""A rise, or a difference from the lowest level, counts from so many standard errors. It is measured from the lowest of
many means, which is low by chance already, so the usual 2 would cry wolf (measured in docs/diagnosis.md)."""
FALL = 2.0
"""A fall from one window to the next counts from so many standard errors."""
PAIRED = 0.6
"""Standard error of the change of a loss between two epochs, as a share of that of the loss itself. The images are the
same, so most of their luck cancels: √(2(1 − ρ)), with ρ the correlation of the images' losses at the two epochs.
Measured on MNIST: 0.47 for readme/model_1 (epochs 13 and 30), 0.63 for notebook/model_2 (epochs 6 and 20)."""
RELATIVE_FALL = 0.01
"""A fall by less than one per cent of the loss is not worth another training, however sure it is."""
PLATEAU_SHARE = 3
"""A plateau must have lasted for at least a third of the epochs, and for two windows."""
UNDERFIT_ACCURACY = 0.97
"""Below this accuracy on its own training images a network fits too little: the shipped ones reach 97.5 to 99.9 %."""
UNSTABLE_SCATTER = 0.25
"""From here on, the loss of the next epoch is typically off by a quarter or more; shipped runs on MNIST: 2 to 6 %."""
UNSTABLE_EPOCHS = 10
"""In shorter histories the steep beginning would pass for scatter (measured in docs/diagnosis.md)."""
COMMONEST_CLASS = 0.1135
"""Share of the commonest digit in MNIST's test set: what a network gets that always says the same."""
RUNAWAY = 2.0
"""A training loss of so many times that of the first epoch has run away, where it is also worse than guessing."""
CHANCE_LOSS = math.log(CLASSES)
"""2.303 nats: the loss of giving each digit the same probability."""


@dataclass(frozen=True)
class Finding:
    """One thing that the curves say.

    kind: which rule has found it.
    epoch: where it shows, from 1; None where it is about the whole history.
    sentence: what is the matter, for a person. rule: how that was found, with its numbers.
    numbers: the same numbers, unrounded, by name. severity: see `Severity`.
    """

    kind: Kind
    epoch: int | None
    sentence: str
    rule: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    severity: Severity = "note"

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "kind": self.kind,
            "epoch": self.epoch,
            "severity": self.severity,
            "sentence": self.sentence,
            "rule": self.rule,
            "numbers": {name: value if math.isfinite(value) else None for name, value in self.numbers.items()},
        }


def diagnose_run(run: Run) -> list[Finding]:
    """What the curves of a run say; raises StoreError where its history is damaged."""
    return diagnose(
        run.rows(),
        run.config,
        images=validation_images(run),
        kept_epoch=run.status.kept_epoch,
        ended=not run.live,
    )


def validation_images(run: Run) -> int | None:
    """How many images the validation figures of a run are measured on; None where its folder does not tell."""
    validation = run.config.training.validation
    if isinstance(validation, HeldOutValidation) and validation.count is not None:
        return validation.count
    found = run.predictions()
    if found is None:
        return None
    return len(found.labels if found.val_labels is None else found.val_labels)


def diagnose(
    rows: Sequence[EpochRow],
    config: RunConfig,
    *,
    images: int | None = None,
    kept_epoch: int | None = None,
    ended: bool = True,
) -> list[Finding]:
    """What the curves of one training say, the gravest first; nothing where there is nothing to say.

    Parameters
    ----------
    rows
        the finished epochs, in order. What comes after a value that is not finite is not looked at.
    config
        what was trained: dropout, the planned epochs, the learning rate.
    images
        how many images `val_loss` is a mean over; None where that is not known, and scatter alone is heeded.
    kept_epoch
        the epoch whose weights are kept, where that is known.
    ended
        whether the training is over.
    """
    if not rows:
        return []
    sound = _sound(rows)
    alarm = _not_finite(rows, sound) or _stuck(sound, images) or _runaway(sound)
    if alarm:
        return [alarm]
    if len(sound) < FEWEST_EPOCHS:
        return [_short(sound, ended=ended)]
    loss = _Series([row.val_loss for row in sound])
    clean = _Series([row.clean_loss for row in sound])
    error = loss_error(sound[-1], images) if images else None
    trend = (
        _overfitting(loss, clean, error, kept_epoch)
        or _still_improving(loss, ended=ended)
        or _underfitting(sound, loss, images)
    )
    unstable = _unstable(loss)
    if not unstable:  # else the scatter is as large as the loss, and everything would be level within it
        trend = trend or _plateau(sound, loss, clean)
    found = [trend, unstable, _dropout(sound, config)]
    return sorted((one for one in found if one), key=lambda one: one.severity != "problem")


def loss_error(row: EpochRow, images: int) -> float:
    """Standard error of the validation loss of an epoch, in nats, as far as the history tells it.

    The losses of single images are not in the history. Nearly all of their spread comes from the wrong ones; with an
    error rate e whose images cost c on average, and costs spread like an exponential distribution, whose mean square
    is 2c², it is c·√(2e/n). Against the true value of the shipped runs it is 1 to 24 % too large.
    """
    wrong = max(1.0 - row.val_accuracy, 1.0 / images)
    return row.val_loss_wrong / wrong * math.sqrt(2 * wrong / images)


class _Series:
    """A curve that goes up and down by chance, and means over windows of it.

    values: shape (epochs,). window: epochs that a mean is taken over. means: shape (epochs − window + 1,), by the first
    epoch of the window. error: the standard error of the difference of two means.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self.values = np.asarray(values, np.float64)
        self.window = max(WINDOW_LEAST, min(WINDOW_MOST, len(values) // WINDOW_SHARE))
        self.means = np.convolve(self.values, np.full(self.window, 1 / self.window), mode="valid")
        self.error = scatter(self.values) * math.sqrt(2 / self.window)

    @property
    def best(self) -> int:
        """Index of the window with the lowest mean."""
        return int(self.means.argmin())

    @property
    def turn(self) -> int:
        """The epoch, from 1, with the lowest value until the end of the window with the lowest mean."""
        return int(self.values[: self.best + self.window].argmin()) + 1

    @property
    def level(self) -> float:
        """Mean of the last window."""
        return float(self.means[-1])

    def span(self, start: int) -> str:
        """The epochs of the window with this index, in words."""
        return f"epochs {start + 1} to {start + self.window}"


def scatter(values: NDArray[np.float64]) -> float:
    """Standard deviation of a curve around its trend, from its second differences.

    A second difference of white noise has a variance of 6σ², and hardly feels a smooth trend. The median of their
    sizes, times 1.4826 (as for a normal distribution), does not heed single spikes. The first third is left out, where
    the curve bends most. Few differences tell σ badly, so it is taken larger then, by a factor 1 + 2/m.
    """
    late = values[min(len(values) // 3, max(0, len(values) - FEWEST_EPOCHS)) :]
    bends = np.abs(np.diff(late, 2))
    return float(1.4826 * np.median(bends) / math.sqrt(6) * (1 + 2 / len(bends)))


def _sound(rows: Sequence[EpochRow]) -> list[EpochRow]:
    """The rows before the first that is not finite."""
    for index, row in enumerate(rows):
        if not all(map(math.isfinite, (row.loss, row.val_loss, row.clean_loss, row.val_accuracy))):
            return list(rows[:index])
    return list(rows)


def _number(value: float) -> str:
    """A loss as the pages show it; large ones shorter."""
    return f"{value:.4f}" if value < 10 else f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


# -- alarms that leave nothing else to say -----------------------------------------------------------------------------


def _not_finite(rows: Sequence[EpochRow], sound: Sequence[EpochRow]) -> Finding | None:
    if len(sound) == len(rows):
        return None
    epoch = rows[len(sound)].epoch
    before = f" It was {_number(sound[-1].loss)} in the epoch before." if sound else ""
    return Finding(
        "diverged",
        epoch,
        f"Diverged in epoch {epoch}: the loss is no longer a number.{before} A lower learning rate is the remedy.",
        f"A loss of epoch {epoch} is not finite (the learning rate was {rows[len(sound)].learning_rate:g}).",
        {"learning_rate": rows[len(sound)].learning_rate},
        "problem",
    )


def _runaway(rows: Sequence[EpochRow]) -> Finding | None:
    first, last = rows[0].loss, rows[-1].loss
    limit = max(RUNAWAY * first, CHANCE_LOSS)
    if len(rows) < 2 or last <= limit:
        return None
    epoch = next(row.epoch for row in rows if row.loss > limit)
    return Finding(
        "diverged",
        epoch,
        f"Diverges since epoch {epoch}: the training loss has grown from {_number(first)} to {_number(last)}, worse "
        "than guessing. A lower learning rate is the remedy.",
        f"The last training loss, {_number(last)}, is above {_number(limit)}: the larger of {RUNAWAY:g} times that of "
        f"the first epoch and {CHANCE_LOSS:.3f}, the loss of giving each digit the same probability.",
        {"first_loss": first, "last_loss": last, "limit": limit},
        "problem",
    )


def _stuck(rows: Sequence[EpochRow], images: int | None) -> Finding | None:
    """Also the published dead run: its loss of 14.68 is 0.9108 · −ln(1e-7), what old Keras gave for sure and wrong."""
    limit = COMMONEST_CLASS
    if images:
        limit += 3 * math.sqrt(COMMONEST_CLASS * (1 - COMMONEST_CLASS) / images)
    since = len(rows)
    while since and rows[since - 1].val_accuracy <= limit:
        since -= 1
    if len(rows) - since < 2:
        return None
    epoch, last = rows[since].epoch, rows[-1]
    dead = last.val_loss > RUNAWAY * CHANCE_LOSS
    before = f"; before, it had reached {_percent(max(row.val_accuracy for row in rows[:since]))}" if since else ""
    what = (
        "the network is dead: it is sure of its answer whatever the image shows. Start again from fresh weights"
        if dead
        else "the network has learnt nothing. Try another learning rate, less regularisation, or another seed"
    )
    return Finding(
        "stuck at chance",
        epoch,
        f"Stuck at chance since epoch {epoch}, with {_percent(last.val_accuracy)} right and a loss of "
        f"{_number(last.val_loss)}{before}: {what}.",
        f"The validation accuracy has been at most {_percent(limit)} in all of the last {len(rows) - since} epochs: "
        f"the commonest digit's share of {_percent(COMMONEST_CLASS)}"
        + (f" and three standard errors on {images:,} images" if images else "")
        + (f". Dead: the loss is more than {RUNAWAY:g} times {CHANCE_LOSS:.3f}, the loss of guessing" if dead else "")
        + ".",
        {"val_accuracy": last.val_accuracy, "val_loss": last.val_loss, "limit": limit},
        "problem",
    )


def _short(rows: Sequence[EpochRow], *, ended: bool) -> Finding:
    count = len(rows)
    losses = [row.val_loss for row in rows]
    if count >= 3 and all(later < (1 - RELATIVE_FALL) * before for before, later in itertools.pairwise(losses)):
        return _improving_finding(
            rows[-1].epoch,
            f"the validation loss fell in every epoch, from {_number(losses[0])} to {_number(losses[-1])}",
            f"It fell by more than {100 * RELATIVE_FALL:g} % in each of its {count} epochs.",
            {"first": losses[0], "last": losses[-1]},
            ended=ended,
        )
    return Finding(
        "not enough evidence",
        rows[-1].epoch,
        f"Not enough evidence: {count} epoch{'' if count == 1 else 's'} cannot tell a trend from chance.",
        f"A trend is looked for from {FEWEST_EPOCHS} epochs on.",
        {"epochs": count},
    )


# -- where the validation loss goes ------------------------------------------------------------------------------------


def _overfitting(loss: _Series, clean: _Series, error: float | None, kept_epoch: int | None) -> Finding | None:
    start, epoch = loss.best, loss.turn
    low, high = float(loss.means[start]), loss.level
    rise, learnt = high - low, float(clean.means[start]) - clean.level
    needed = max(RISE * loss.error, PAIRED * error if error else 0.0)
    if rise <= needed or learnt <= 0:
        return None
    saved = kept_epoch is not None and kept_epoch < start + 2 * loss.window and kept_epoch < len(loss.values)
    return Finding(
        "overfitting",
        epoch,
        f"Overfits since about epoch {epoch}: the validation loss rose by {_number(rise)} to {_number(high)}, while "
        f"the loss on the training images fell by {_number(learnt)}."
        + (
            f" Early stopping kept the weights of epoch {kept_epoch}, so the kept model is spared most of it."
            if saved
            else ""
        ),
        f"Mean validation loss {_number(low)} in {loss.span(start)}, {_number(high)} in the last {loss.window}; a "
        f"rise counts from {_number(needed)}, the larger of {RISE:g} standard errors by the scatter from epoch to "
        f"epoch ({_number(RISE * loss.error)})"
        + (f" and {PAIRED:g} of the standard error on these images ({_number(PAIRED * error)})" if error else "")
        + f". Training loss with dropout off: {_number(float(clean.means[start]))}, then {_number(clean.level)}.",
        {"low": low, "high": high, "rise": rise, "needed": needed, "training_fall": learnt},
        "note" if saved else "problem",
    )


def _still_improving(loss: _Series, *, ended: bool) -> Finding | None:
    window = loss.window
    if len(loss.means) < 2 * window or loss.best < len(loss.means) - window:
        return None
    before = float(loss.means[-1 - window])
    fall = before - loss.level
    needed = max(FALL * loss.error, RELATIVE_FALL * before)
    if fall <= needed:
        return None
    return _improving_finding(
        len(loss.values),
        f"the validation loss fell by {_number(fall)} to {_number(loss.level)} in the last {window} epochs",
        f"Mean validation loss of the last {window} epochs against the {window} before; a fall counts from "
        f"{_number(needed)}: {FALL:g} standard errors by the scatter from epoch to epoch, and at least "
        f"{100 * RELATIVE_FALL:g} % of the loss.",
        {"before": before, "last": loss.level, "fall": fall, "needed": needed},
        ended=ended,
    )


def _improving_finding(epoch: int, what: str, rule: str, numbers: dict[str, float], *, ended: bool) -> Finding:
    sentence = (
        f"Was still improving when it ended: {what}. More epochs may bring more."
        if ended
        else (f"Still improving: {what}.")
    )
    return Finding("still improving", epoch, sentence, rule, numbers)


def _underfitting(rows: Sequence[EpochRow], loss: _Series, images: int | None) -> Finding | None:
    clean = _late_mean(rows, loss.window, lambda row: row.clean_accuracy)
    judged = _late_mean(rows, loss.window, lambda row: row.val_accuracy)
    gap = 2 * math.sqrt(judged * (1 - judged) / images) if images else 0.01
    if clean >= UNDERFIT_ACCURACY or clean - judged >= gap:
        return None
    return Finding(
        "underfitting",
        rows[-1].epoch,
        f"Underfits: even of its training images only {_percent(clean)} are right, hardly more than of the validation "
        f"images, {_percent(judged)}, and it no longer improves. A larger network, less regularisation or a higher "
        "learning rate may help.",
        f"Means of the last {loss.window} epochs, dropout off. Training accuracy below {_percent(UNDERFIT_ACCURACY)}, "
        f"and less than {_percent(gap)} above the validation accuracy"
        + (f": two standard errors on {images:,} images." if images else "."),
        {"training_accuracy": clean, "val_accuracy": judged, "gap": gap},
        "problem",
    )


def _plateau(rows: Sequence[EpochRow], loss: _Series, clean: _Series) -> Finding | None:
    low = float(loss.means.min())
    needed = max(RISE * loss.error, RELATIVE_FALL * low)
    reached = int(np.flatnonzero(loss.means <= low + needed)[0])
    epoch = reached + loss.window
    lasted = len(rows) - epoch
    if lasted < max(2 * loss.window, len(rows) // PLATEAU_SHARE):
        return None
    then, now = float(clean.means[reached]), clean.level
    learnt = (
        f", while the loss on the training images fell from {_number(then)} to {_number(now)}" if now < then else ""
    )
    first, last = rows[0].learning_rate, rows[-1].learning_rate
    rate = f" By the end the learning rate was down to {last:.2g}." if last < first / 10 else ""
    return Finding(
        "plateau",
        epoch,
        f"Levelled off at about epoch {epoch}: the {lasted} epochs since then moved the validation loss by no more "
        f"than its scatter{learnt}.{rate}",
        f"The mean validation loss of {loss.span(reached)} was within {_number(needed)} of the lowest such mean, "
        f"{_number(low)}: {RISE:g} standard errors by the scatter from epoch to epoch, at least "
        f"{100 * RELATIVE_FALL:g} % of the loss; and it has not risen by enough to be called overfitting.",
        {"lowest": low, "last": loss.level, "needed": needed, "epochs_since": lasted},
    )


# -- what else is worth knowing ----------------------------------------------------------------------------------------


def _unstable(loss: _Series) -> Finding | None:
    relative = scatter(np.log(np.maximum(loss.values, np.finfo(np.float64).tiny)))
    if len(loss.values) < UNSTABLE_EPOCHS or relative <= UNSTABLE_SCATTER:
        return None
    changes = np.diff(loss.values)
    epoch = int(changes.argmax()) + 2
    return Finding(
        "unstable",
        epoch,
        f"Unstable: from one epoch to the next the validation loss is typically off by {100 * relative:.0f} %; it "
        f"leapt from {_number(float(loss.values[epoch - 2]))} to {_number(float(loss.values[epoch - 1]))} in epoch "
        f"{epoch}. A lower learning rate or a larger batch calms it; until then the last epoch is a matter of luck.",
        f"Scatter of the logarithm of the validation loss around its trend, in the last two thirds of the epochs: "
        f"{relative:.2f}; unstable from {UNSTABLE_SCATTER:g}.",
        {"scatter": relative, "before_leap": float(loss.values[epoch - 2]), "leap": float(loss.values[epoch - 1])},
        "problem",
    )


def _dropout(rows: Sequence[EpochRow], config: RunConfig) -> Finding | None:
    """Dropout, and augmentation too, make the training images harder than the validation images."""
    dropout = any(
        layer.dropout for layer in config.model.layers if isinstance(layer, DenseLayer | ConvLayer | PoolLayer)
    )
    if not dropout and not config.training.augmentation:
        return None
    window = _Series([row.val_loss for row in rows]).window
    shown, clean, judged = (
        _late_mean(rows, window, get)
        for get in (lambda row: row.loss, lambda row: row.clean_loss, lambda row: row.val_loss)
    )
    if not clean < judged < shown:
        return None
    reason = "Dropout" if dropout else "Augmentation"
    return Finding(
        "dropout makes training look worse",
        rows[-1].epoch,
        f"{reason} makes training look worse than it is: the training loss, {_number(shown)}, stands above the "
        f"validation loss, {_number(judged)}; with {reason.lower()} off it is {_number(clean)}.",
        f"Means of the last {window} epochs: the training loss is above the validation loss, and with dropout and "
        "augmentation off it is below.",
        {"training": shown, "training_clean": clean, "validation": judged},
    )


def _late_mean(rows: Sequence[EpochRow], window: int, get: Callable[[EpochRow], float]) -> float:
    return float(np.mean([get(row) for row in rows[-window:]]))
