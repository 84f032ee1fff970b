"""Rules on the curves of one run: a history → findings, each a code with its epoch and its numbers.

There are no sentences here: `words.py` makes them. `docs/diagnosis.md` states how often the rules are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_core.comparison.decide import STRICT_LEVEL, chance_limit
from mnist_core.comparison.diagnosis import trends
from mnist_core.comparison.diagnosis.endings import DIGITS_CHANCE, Chance, ending
from mnist_core.comparison.diagnosis.findings import Finding, UnseenResult
from mnist_core.comparison.diagnosis.series import (
    History,
    Series,
    SeriesValues,
    logarithms,
    noise_of,
    pivots,
    read_history,
)
from mnist_core.comparison.diagnosis.suggestions import suggestions, without_contradictions
from mnist_core.evaluation.statistics import unpaired_difference
from mnist_core.experiments.configs import HeldOutValidation, RunConfig
from mnist_core.runs.records import HISTORY_COLUMNS, EpochRow
from mnist_core.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


UNDERFIT_ACCURACY = 0.97
"""Below this accuracy on its own training images a network fits too little: the shipped ones reach 97.5 to 99.9 %."""
GAP = 0.05
"""Training accuracy this far above validation accuracy is a gap: the shipped runs on MNIST have 0 to 2.5 points."""
LEAK_TRAINING, LEAK_ERRORS = 0.02, 4.0
"""Validation accuracy this far above training accuracy (dropout off), and by so many standard errors, hints at a leak.
The standard errors are a detection limit and no decision: the accuracies are means over epochs of weights that saw the
training images, for which there is no test. `docs/diagnosis.md` has measured how often it is right."""
LEAK_TEST = 0.005
"""Validation accuracy that is shown to be more than this above test accuracy hints at a leak. An effect size: test
images that are half a point harder need no explanation. MNIST's are a little easier than its training images: up to 0.9
points."""


def diagnose_run(run: Run) -> list[Finding]:
    """Return the findings of a run; raise StoreError where its history is damaged."""
    return diagnose(
        _columns_of(run),
        None if run.recorded else run.config,
        images=validation_images(run),
        test=_tested(run),
        kept_epoch=run.status.kept_epoch,
        ended=not run.live,
        guessing=_guessing(run),
    )


def _guessing(run: Run) -> Chance:
    """Return the results of guessing on a run's data."""
    if not run.recorded:
        return DIGITS_CHANCE
    found = run.predictions()
    share = 1 / len(run.classes) if found is None else float(np.bincount(found.labels).max() / len(found.labels))
    return Chance(math.log(len(run.classes)), share)


def _columns_of(run: Run) -> Sequence[EpochRow] | dict[str, list[float]]:
    """Return the finished epochs; of a run from outside only the columns that were recorded, none without the losses.

    A column that was not recorded is empty in its rows, and must not look like a training that has diverged.
    """
    rows = run.rows()
    if not run.recorded:
        return rows
    columns = {name: [float(getattr(row, name)) for row in rows] for name in HISTORY_COLUMNS}
    known = {name: values for name, values in columns.items() if not all(map(math.isnan, values))}
    return known if {"loss", "val_loss"} <= set(known) else []


def validation_images(run: Run) -> int | None:
    """Return how many images the validation figures of a run are measured on; None where its folder does not say."""
    if run.recorded:
        return None  # its validation images are not known
    validation = run.config.training.validation
    if isinstance(validation, HeldOutValidation) and validation.count is not None:
        return validation.count
    found = run.predictions()
    if found is None:
        return None
    return len(found.labels if found.val_labels is None else found.val_labels)


def _tested(run: Run) -> UnseenResult | None:
    if run.recorded or not isinstance(run.config.training.validation, HeldOutValidation):
        return None
    found = run.predictions()
    if found is None or not len(found.labels):
        return None
    return UnseenResult(1 - len(found.wrong) / len(found.labels), len(found.labels))


def diagnose(
    history: pd.DataFrame | Mapping[str, Sequence[float]] | Sequence[EpochRow],
    config: RunConfig | None = None,
    *,
    images: int | None = None,
    test: UnseenResult | None = None,
    kept_epoch: int | None = None,
    ended: bool = True,
    guessing: Chance = DIGITS_CHANCE,
) -> list[Finding]:
    """Return what the curves of one training show, the gravest first; an empty list for an empty history only.

    Parameters
    ----------
    history
        the finished epochs: a DataFrame or mapping of columns with at least `loss` and `val_loss`, or rows. What comes
        after a value that is not finite is not read. Findings that need another column are made where it is there.
    config
        what was trained, which decides what can be suggested; None leaves findings about dropout out.
    images
        how many images `val_loss` is a mean over; None where that is not known, and then only noise is allowed for.
    test
        the result on other images than the validation images; None where there is none.
    kept_epoch
        the epoch whose weights are kept, where that is known.
    ended
        whether the training is over.
    guessing
        what guessing is worth on these data.

    Raises
    ------
    ConfigError
        if `history` lacks a column, or holds something else than numbers.
    """
    whole = read_history(history)
    if not len(whole):
        return []
    return _Diagnosis(whole, config, images, test, kept_epoch, ended, guessing).findings()


class _Diagnosis:
    """One history, and what the rules share about it."""

    def __init__(
        self,
        whole: History,
        config: RunConfig | None,
        images: int | None,
        test: UnseenResult | None,
        kept_epoch: int | None,
        ended: bool,
        guessing: Chance,
    ) -> None:
        self.whole, self.history = whole, whole.finite_part()
        self.config, self.images, self.test = config, images, test
        self.kept_epoch, self.ended, self.guessing = kept_epoch, ended, guessing
        self.trusted = True

    def findings(self) -> list[Finding]:
        """Return all that the rules find, with suggestions that do not contradict each other."""
        found = ending(self.whole, self.images, self.guessing)
        if found is None:
            several = list(self._leaks())
            self.trusted = not any(item.code == "val_better_than_training" for item in several)
            if len(self.history) < trends.FEWEST_EPOCHS:
                several += [trends.few_epochs(self.history)]
            else:
                several += self._trends()
            several = sorted(several, key=lambda item: item.severity != "problem")
        else:
            several = [found]
        return without_contradictions([self._with_suggestions(item) for item in several])

    def _with_suggestions(self, finding: Finding) -> Finding:
        changes = suggestions(finding.code, self.config, **self._training_state())
        if finding.code == "overfitting" and "kept_epoch" in finding.numbers:
            changes = ()
        return replace(finding, suggestions=changes)

    def _training_state(self) -> dict[str, bool]:
        """Return what the suggestions depend on besides the configuration."""
        count = len(self.history)
        training = self.history[self.history.training_column] if count else np.zeros(0)
        smooth = count >= trends.FEWEST_EPOCHS and bool((np.diff(training) < 0).all())
        steady = count >= trends.FEWEST_EPOCHS and _noise_share(training) < 0.05
        accuracy = self.history.columns.get("train_eval_accuracy", self.history.columns.get("accuracy"))
        fits = accuracy is not None and count > 0 and float(accuracy.max()) >= UNDERFIT_ACCURACY
        stopped = self.ended and self.config is not None and count < self.config.training.epochs
        return {"smooth": smooth and not fits, "steady": steady, "stopped_early": stopped}

    # -- where the validation loss goes --------------------------------------------------------------------------------

    def _trends(self) -> Iterator[Finding]:
        whole = self.history
        turns = pivots(whole["val_loss"])
        oscillation = trends.oscillation(whole, turns)
        spikes = [] if oscillation else trends.spikes(whole, turns)
        calm = np.ones(len(whole), bool)
        for spike in spikes:
            calm[spike.start + 1 : spike.end] = False
        if calm.sum() < trends.FEWEST_EPOCHS:  # then the spikes are reported, and still part of the curve
            calm = np.ones(len(whole), bool)
        yield from (trends.spike_finding(whole, spike) for spike in spikes)
        if oscillation:
            yield oscillation
        rest = whole.only(calm)
        loss = Series(rest["val_loss"], rest.epochs)
        left_out = {"left_out": float((~calm).sum())} if not calm.all() else {}
        trend = trends.rise(rest, loss, self.images, self.kept_epoch) or trends.improving(loss)
        trend = trend or (None if oscillation else trends.plateau(loss)) or trends.unclear(loss)
        level = self._fit(rest, loss) if trend.code == "plateau" else ()
        for item in (trend, *level, *self._dropout(rest, loss.window)):
            yield replace(item, numbers={**item.numbers, **left_out})

    # -- how well it fits, where it has levelled off -------------------------------------------------------------------

    def _fit(self, rest: History, loss: Series) -> Iterator[Finding]:
        if "train_eval_accuracy" not in rest or "val_accuracy" not in rest:
            return
        window = loss.window
        training = Series(rest["train_eval_accuracy"], rest.epochs)
        late = float(rest["val_accuracy"][-window:].mean())
        gap = training.last - late
        needed = max(GAP, 3 * _accuracy_error(late, self.images)) if self.images else GAP
        numbers = {"training_accuracy": training.last, "val_accuracy": late, "gap": gap, "window": float(window)}
        columns, epoch = ("train_eval_accuracy", "val_accuracy"), int(loss.epochs[-1])
        if gap > needed:
            yield Finding("generalisation_gap", epoch, numbers | {"limit": needed}, "problem", columns=columns)
        elif self.trusted and float(training.means.max()) < UNDERFIT_ACCURACY:
            # the best window counts, not the last one: what the network could fit then, it is large enough for
            numbers |= {"best": float(training.means.max()), "limit": UNDERFIT_ACCURACY}
            yield Finding("underfitting", epoch, numbers, "problem", columns=columns)

    # -- what else is worth knowing ------------------------------------------------------------------------------------

    def _leaks(self) -> Iterator[Finding]:
        """Report validation images that are easier than they can be, if none of them was trained on."""
        history, images = self.history, self.images
        if "val_accuracy" not in history or not images or not len(history):
            return
        epoch = int(history.epochs[-1])
        if "train_eval_accuracy" in history and len(history) >= 2:
            window = min(len(history), max(2, len(history) // 5))
            val = float(history["val_accuracy"][-window:].mean())
            training = float(history["train_eval_accuracy"][-window:].mean())
            error = math.hypot(_accuracy_error(val, images), _accuracy_error(training, images))
            limit = max(LEAK_TRAINING, LEAK_ERRORS * error)
            if val - training > limit:
                numbers = {
                    "val_accuracy": val,
                    "training_accuracy": training,
                    "difference": val - training,
                    "limit": limit,
                    "window": float(window),
                    "images": float(images),
                }
                columns = ("val_accuracy", "train_eval_accuracy")
                yield Finding("val_better_than_training", epoch, numbers, "problem", columns=columns)
        kept = np.flatnonzero(history.epochs == self.kept_epoch)
        if self.test is not None and len(kept):
            val = float(history["val_accuracy"][kept[0]])
            gap = unpaired_difference(self.test.accuracy, self.test.images, val, images)
            limit = LEAK_TEST + chance_limit(gap.error, level=STRICT_LEVEL)
            if gap.value > limit:
                numbers = {
                    "val_accuracy": val,
                    "test_accuracy": self.test.accuracy,
                    "difference": gap.value,
                    "limit": limit,
                    "images": float(images),
                    "kept_epoch": float(self.kept_epoch or 0),
                }
                yield Finding(
                    "val_better_than_test", int(history.epochs[kept[0]]), numbers, "problem", columns=("val_accuracy",)
                )

    def _dropout(self, rest: History, window: int) -> Iterator[Finding]:
        """Report that dropout, and augmentation too, make the training images harder than the validation images."""
        if self.config is None or "train_eval_loss" not in rest:
            return
        layers = self.config.model.layers
        dropout = any(layer.dropout_rate for layer in layers)
        if not dropout and not self.config.training.augmentation:
            return
        shown, clean, val = (float(rest[name][-window:].mean()) for name in ("loss", "train_eval_loss", "val_loss"))
        if clean < val < shown:
            numbers = {
                "shown": shown,
                "clean": clean,
                "val": val,
                "window": float(window),
                "dropout": float(dropout),
            }
            columns = ("loss", "train_eval_loss", "val_loss")
            yield Finding("dropout_raises_training_loss", int(rest.epochs[-1]), numbers, columns=columns)


def _accuracy_error(accuracy: float, images: int | None) -> float:
    """Return the standard error of an accuracy; at 0 and 1, as if one image were right or wrong."""
    if not images:
        return 0.0
    share = min(max(accuracy, 1 / (images + 1)), images / (images + 1))
    return math.sqrt(share * (1 - share) / images)


def _noise_share(values: SeriesValues) -> float:
    """Return the noise of the logarithm of a curve: the share by which the next epoch is typically off."""
    return noise_of(logarithms(values)).sd
