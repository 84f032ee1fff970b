"""The answer of the Compare page in words and tables: summaries of runs → sentence, frames. No Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.verdicts import Comparison
from mnist_core.comparison.words import setting_words
from mnist_core.comparison.words.headline import headline
from mnist_core.evaluation.statistics import sample
from mnist_core.experiments.axis_words import words_of
from mnist_core.plots import style
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary, differences
from mnist_core.text import with_minus

ABSENT = "–"


def answer(
    summaries: Sequence[RunSummary],
    labels: Mapping[str, str],
    comparison: Comparison,
    recipes: Sequence[RecipeVerdict] = (),
) -> str:
    """Return what the chosen runs show, in one or two sentences (plain text); their verdict, where there is one.

    Where both recipes have enough seeds, that is the verdict on the recipes: its interval holds the chance of another
    training too.

    Parameters
    ----------
    summaries
        of the chosen runs.
    labels
        run id → label.
    comparison, recipes
        of all of them, and of their recipes, against the baseline.
    """
    by_id = {item.id: item for item in summaries}
    base = by_id[comparison.baseline]
    verdicts = comparison.verdicts
    if verdicts:
        text = headline(comparison, labels, recipes)
        return text + _cost(by_id[verdicts[0].run], base) if len(verdicts) == 1 else text
    result = "test result" if comparison.chosen == "kept" else f"test result of the {comparison.chosen} epoch"
    if base.test is None:
        waiting = ", ".join(labels[item.id] for item in summaries if item.test is None)
        have = "has" if len(summaries) == 1 else "have"
        if comparison.chosen == "kept" and all(item.test is None and item.state == "finished" for item in summaries):
            return f"Nothing can be compared on test images: {waiting} {have} no stored predictions."
        if all(item.test is None for item in summaries):
            start = "Nothing has been tested yet: " if comparison.chosen == "kept" else ""
            return f"{start}{waiting} {have} no {result} so far."
        return f"{labels[base.id]}, the baseline, has no {result}: nothing to measure the others against."
    right = f"{labels[base.id]} classifies {style.percent(base.test.accuracy)} of {base.test.images:,} test images"
    if len(summaries) == 1:
        return f"{right} correctly: {_wrong(base.test.errors)}."
    if any(item.test for item in summaries if item is not base):
        return "These runs were tested on different images, so their accuracies cannot be compared."
    return f"{right} correctly; the others have no {result} yet."


def _wrong(errors: int) -> str:
    return "none is wrong" if errors == 0 else "one is wrong" if errors == 1 else f"{errors:,} are wrong"


def _cost(item: RunSummary, base: RunSummary) -> str:
    if not item.parameters or not base.parameters:
        return ""
    ratio = item.parameters / base.parameters
    if ratio > 1.05:
        return f" It has {ratio:.1f} times the parameters."
    return f" It has {100 * (1 - ratio):.0f} % fewer parameters." if ratio < 0.95 else ""


@dataclass(frozen=True)
class FigureRow:
    """One line of the table of figures: how a summary gives the number, and how number and difference are written."""

    group: str
    name: str
    explanation: str
    value: Callable[[RunSummary], float | int | None]
    text: Callable[[Any], str]
    difference: Callable[[Any], str] | None
    """None where a difference says nothing, as between epochs."""


def _signed(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: with_minus("+" if value > 0 else "-" if value < 0 else "±") + text(abs(value))


def _test(field: str) -> Callable[[RunSummary], float | None]:
    return lambda item: getattr(item.test, field) if item.test else None


_loss = (style.loss, _signed(style.loss))
_share = (style.percent, style.points)
_whole = (style.count, _signed(style.count))

_epoch = (style.count, None)

_WHOLE = set(_whole)

_TEST = "On the test images"
_time = (style.duration, _signed(style.duration))

ROWS: tuple[FigureRow, ...] = (
    FigureRow(_TEST, "Epoch", "the one whose weights are tested here", lambda s: s.tested_epoch, *_epoch),
    FigureRow(_TEST, "Accuracy", "share of images classified correctly", _test("accuracy"), *_share),
    FigureRow(_TEST, "Errors", "images classified wrongly", _test("errors"), *_whole),
    FigureRow(_TEST, "Loss", "mean cross-entropy: how little probability the true digits got", _test("loss"), *_loss),
    FigureRow(_TEST, "Macro F1", "precision and recall, mean over classes that occur", _test("macro_f1"), *_loss),
    FigureRow(
        _TEST, "Calibration error (ECE)", "how far stated confidence is from the share that is right",
        _test("ece"), *_loss,
    ),
    FigureRow("Validation", "Best epoch", "the epoch with the lowest validation loss", lambda s: s.best_epoch, *_epoch),
    FigureRow("Validation", "Loss at the best epoch", "", lambda s: s.best_val_loss, *_loss),
    FigureRow("Validation", "Accuracy at the best epoch", "", lambda s: s.best_val_accuracy, *_share),
    FigureRow("Validation", "Last epoch", "", lambda s: s.epochs_done or None, *_epoch),
    FigureRow("Validation", "Loss at the last epoch", "", lambda s: s.final_val_loss, *_loss),
    FigureRow("Validation", "Accuracy at the last epoch", "", lambda s: s.final_val_accuracy, *_share),
    FigureRow("Cost", "Parameters", "weights that training adjusts", lambda s: s.parameters, *_whole),
    FigureRow("Cost", "Training time", "all epochs, evaluations included", lambda s: s.train_seconds, *_time),
    FigureRow("Cost", "File size", "of model.keras", lambda s: s.model_bytes, style.size, _signed(style.size)),
)  # fmt: skip


@dataclass(frozen=True)
class FigureCell:
    """A figure as it is shown, and its difference from the baseline."""

    text: str
    difference: str = ""


def cells(
    row: FigureRow,
    summaries: Sequence[RunSummary],
    baseline: str,
    fingerprints: Mapping[str, str],
    seeds: Mapping[str, Sequence[RunSummary]] | None = None,
) -> list[FigureCell]:
    """Return one line of the table: a cell for each run.

    Scores on other images than the baseline's carry no difference.

    seeds: run id → the figures of all seeds of its recipe; its cell then holds their mean, and the sample standard
    deviation where there are at least two.
    """
    seeds = seeds or {}
    reference = _mean(row, seeds.get(baseline) or [item for item in summaries if item.id == baseline])
    found = []
    for item in summaries:
        of_recipe = seeds.get(item.id) or [item]
        value = _mean(row, of_recipe)
        if value is None:
            found.append(FigureCell(ABSENT))
            continue
        comparable = row.group == "Cost" or fingerprints[item.id] == fingerprints[baseline]
        shown = ""
        if item.id != baseline and reference is not None and comparable and row.difference is not None:
            shown = _written(row.difference, value - reference)
            if row.group == "Cost" and _written(row.text, abs(value - reference)) == _written(row.text, 0.0):
                shown = ""  # the costs read the same
        text = _written(row.text, value)
        values = _values(row, of_recipe)
        if len(set(values)) > 1:  # a value that is the same for all seeds, such as the parameters, is no mean
            spread = _written(row.text, sample(values).sd)
            # files of a few bytes more or less read the same
            text += "" if row.group == "Cost" and spread == _written(row.text, 0.0) else f" ± {spread}"
        found.append(FigureCell(text, shown))
    return found


def _values(row: FigureRow, summaries: Sequence[RunSummary]) -> list[float | int]:
    return [value for item in summaries if (value := row.value(item)) is not None and value == value]


def _mean(row: FigureRow, summaries: Sequence[RunSummary]) -> float | int | None:
    values = _values(row, summaries)
    return values[0] if len(set(values)) == 1 else sample(values).mean if values else None


def _written(text: Callable[[Any], str], value: float) -> str:
    """Return a figure as it is written; a mean of whole numbers with one decimal."""
    return text(round(value, 1) if isinstance(value, float) and text in _WHOLE else value)


def exact_frame(summaries: Sequence[RunSummary]) -> pd.DataFrame:
    """Return the table of figures with unrounded numbers, one row a run, for the CSV."""
    rows = []
    for item in summaries:
        low, high = item.test_accuracy_interval or (None, None)
        rows.append(
            {"run": item.id, "name": item.name, "state": item.state, "dataset": item.dataset}
            | {f"{row.group}: {row.name}".lower(): row.value(item) for row in ROWS}
            | {"test accuracy, 95 % interval, low": low, "test accuracy, 95 % interval, high": high}
        )
    return pd.DataFrame(rows)


def difference_frame(runs: Sequence[Run], columns: Sequence[str]) -> pd.DataFrame:
    """Return the settings that differ: one row a setting in words, one column a run."""
    rows = [
        [setting_words(path), *(words_of(path, value, absent=ABSENT) for value in values)]
        for path, values in differences(runs).items()
    ]
    return pd.DataFrame(rows, columns=["setting", *columns])
