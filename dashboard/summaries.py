"""The answer of the Compare page in words and tables: summaries of runs → sentence, frames. No Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard import theme
from mnist_core.comparison import RunSummary, differences
from mnist_core.metrics import Interval
from mnist_core.runs import Run

ABSENT = "–"
MINUS = "\N{MINUS SIGN}"


def answer(
    summaries: Sequence[RunSummary], labels: Mapping[str, str], fingerprints: Mapping[str, str], baseline: str
) -> str:
    """What the chosen runs show, in one or two sentences (Markdown). Differences are stated, never called significant.

    Parameters
    ----------
    summaries
        of the chosen runs.
    labels
        run id → label.
    fingerprints
        run id → fingerprint of its dataset; accuracies on different images are not compared.
    baseline
        the id of the run that the others are measured against.
    """
    by_id = {item.id: item for item in summaries}
    base = by_id[baseline]
    name = _names(labels)
    tested = [item for item in summaries if item.test is not None]
    have = "has" if len(summaries) == 1 else "have"
    if base.test is None:
        waiting = ", ".join(name(item.id) for item in summaries if item.test is None)
        if not tested:
            return f"Nothing has been tested yet: {waiting} {have} no test result so far."
        return f"{name(baseline)}, the baseline, has no test result yet: nothing to measure the others against."
    if len(summaries) == 1:
        return (
            f"{name(baseline)} classifies **{theme.percent(base.test.accuracy)}** of {base.test.images:,} test images "
            f"correctly: {_wrong(base.test.errors)}."
        )
    rivals = [item for item in tested if item.id != baseline and fingerprints[item.id] == fingerprints[baseline]]
    others = [item for item in summaries if item.id != baseline]
    if not rivals:
        if any(item.test for item in others):
            return "These runs were tested on different images, so their accuracies cannot be compared."
        return (
            f"{name(baseline)} gets **{theme.percent(base.test.accuracy)}** right; the others have no test result yet."
        )
    best = max(rivals, key=lambda item: _accuracy(item))
    gain = _accuracy(best) - base.test.accuracy
    if best.test is not None and best.test.errors == base.test.errors:
        share = theme.percent(base.test.accuracy)
        text = f"{name(best.id)} and {name(baseline)} get equally many test images right, **{share}**"
    elif gain > 0:
        text = (
            f"{name(best.id)} classifies **{theme.percent(_accuracy(best))}** of the test images correctly, "
            f"**{_points(gain)}** more than {name(baseline)}"
        )
    else:
        text = (
            f"{name(baseline)} classifies **{theme.percent(base.test.accuracy)}** of the test images correctly, "
            f"**{_points(-gain)}** more than {name(best.id)}" + (", the next best" if len(rivals) > 1 else "")
        )
    text += (_cost(best, base) if gain > 0 else _cost(base, best) if gain < 0 else "") + ". "
    if best.test_accuracy_interval and base.test_accuracy_interval:
        if overlap(best.test_accuracy_interval, base.test_accuracy_interval):
            text += "Their 95 % intervals overlap, so the difference may be noise."
        else:
            text += "Their 95 % intervals do not overlap; how another seed would turn out, one training cannot tell."
    if len(rivals) < len(others):
        left = len(others) - len(rivals)
        which = "One run is" if left == 1 else f"{left} runs are"
        text += f" {which} left out, without a test result on the same images."
    return text


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals have a value in common."""
    return first.low <= second.high and second.low <= first.high


def _names(labels: Mapping[str, str]) -> Callable[[str], str]:
    return lambda run_id: f"**{escaped(labels[run_id])}**"


def escaped(text: str) -> str:
    """A person's text, so that Markdown shows it as it stands."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|~>$:<&" else c for c in text)


def _accuracy(item: RunSummary) -> float:
    return item.test.accuracy if item.test else float("nan")


def _points(share: float) -> str:
    return f"{100 * share:.2f} percentage points"


def _wrong(errors: int) -> str:
    return "none is wrong" if errors == 0 else "one is wrong" if errors == 1 else f"{errors:,} are wrong"


def _cost(better: RunSummary, worse: RunSummary) -> str:
    ratio = better.parameters / worse.parameters
    if ratio > 1.05:
        return f", with {ratio:.1f} times the parameters"
    if ratio < 0.95:
        return f", with {100 * (1 - ratio):.0f} % fewer parameters"
    return ", with about as many parameters"


@dataclass(frozen=True)
class Row:
    """One line of the table of figures: how a summary gives the number, and how number and difference are written."""

    group: str
    name: str
    explanation: str
    value: Callable[[RunSummary], float | int | None]
    text: Callable[[Any], str]
    difference: Callable[[Any], str]


def _signed(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: ("+" if value > 0 else MINUS if value < 0 else "±") + text(abs(value))


def _test(field: str) -> Callable[[RunSummary], float | None]:
    return lambda item: getattr(item.test, field) if item.test else None


_loss = (theme.loss, _signed(theme.loss))
_share = (theme.percent, theme.points)
_whole = (theme.count, _signed(theme.count))

_TEST = "On the test images"
_time = (theme.duration, _signed(theme.duration))

ROWS: tuple[Row, ...] = (
    Row(_TEST, "Accuracy", "share of images classified correctly", _test("accuracy"), *_share),
    Row(_TEST, "Errors", "images classified wrongly", _test("errors"), *_whole),
    Row(_TEST, "Loss", "mean cross-entropy: how little probability the true digits got", _test("loss"), *_loss),
    Row(_TEST, "Macro F1", "mean over the ten digits of precision and recall combined", _test("macro_f1"), *_loss),
    Row(
        _TEST, "Calibration error (ECE)", "how far stated confidence is from the share that is right",
        _test("ece"), *_loss,
    ),
    Row("Validation", "Best epoch", "the epoch with the lowest validation loss", lambda s: s.best_epoch, *_whole),
    Row("Validation", "Loss at the best epoch", "", lambda s: s.best_val_loss, *_loss),
    Row("Validation", "Accuracy at the best epoch", "", lambda s: s.best_val_accuracy, *_share),
    Row("Validation", "Last epoch", "", lambda s: s.epochs_done or None, *_whole),
    Row("Validation", "Loss at the last epoch", "", lambda s: s.final_val_loss, *_loss),
    Row("Validation", "Accuracy at the last epoch", "", lambda s: s.final_val_accuracy, *_share),
    Row("Cost", "Parameters", "weights that training adjusts", lambda s: s.parameters, *_whole),
    Row("Cost", "Training time", "all epochs, evaluations included", lambda s: s.train_seconds, *_time),
    Row("Cost", "File size", "of model.keras", lambda s: s.model_bytes, theme.size, _signed(theme.size)),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A figure as it is shown, and its difference from the baseline."""

    text: str
    difference: str = ""


def cells(row: Row, summaries: Sequence[RunSummary], baseline: str, fingerprints: Mapping[str, str]) -> list[Cell]:
    """One line of the table: a cell for each run. Scores on other images than the baseline's carry no difference."""
    base = next(item for item in summaries if item.id == baseline)
    reference = row.value(base)
    found = []
    for item in summaries:
        value = row.value(item)
        if value is None or value != value:
            found.append(Cell(ABSENT))
            continue
        comparable = row.group == "Cost" or fingerprints[item.id] == fingerprints[baseline]
        shown = ""
        if item.id != baseline and reference is not None and reference == reference and comparable:
            shown = row.difference(value - reference)
        found.append(Cell(row.text(value), shown))
    return found


def exact_frame(summaries: Sequence[RunSummary]) -> pd.DataFrame:
    """The table of figures with unrounded numbers, one row a run, for the CSV."""
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
    """Where the configurations differ: one row a setting in words, one column a run."""
    rows = [[setting_words(path), *(_setting(value) for value in values)] for path, values in differences(runs).items()]
    return pd.DataFrame(rows, columns=["setting", *columns])


def setting_words(path: str) -> str:
    """A configuration's dotted path in words, such as ``layer 1: dropout`` for ``model.layers.0.dropout``."""
    parts = path.split(".")
    if parts[:2] == ["model", "layers"] and len(parts) > 2:
        return f"layer {int(parts[2]) + 1}: {' '.join(parts[3:]).replace('_', ' ').replace('l2', 'L2')}"
    words = " ".join(parts[1:]) if parts[0] in ("training", "dataset") else " ".join(parts)
    return {"name": "dataset", "l2": "L2"}.get(words, words.replace("_", " "))


def _setting(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
