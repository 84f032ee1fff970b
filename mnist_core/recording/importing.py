"""Files of predictions and histories, as other tools write them."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.errors import ConfigError, DamagedFile, DatasetMissing, MnistCoreError
from mnist_core.files import open_regular, parse_json, printable, read_bytes, size_words
from mnist_core.recording.history import column
from mnist_core.recording.mlflow_store import (
    DATASET_TAG,
    FRAMEWORK_TAG,
    PREDICTIONS,
    MlflowRun,
    is_mlflow,
    read_mlflow,
)
from mnist_core.recording.tensorboard import LARGEST_LOG, is_event_file, read_events

MOST_BYTES = 256 * 2**20
"""The largest file that is read, and the most memory that its arrays may take."""
MOST_HISTORY_BYTES = 16 * 2**20
MOST_CSV_BYTES = 64 * 2**20
"""The largest table of text; predictions of 70,000 images and 47 classes take some 40 MB."""
MOST_LINES = 500_000
MOST_LINE = 2**16
"""Characters of a line, a value in quotes with line breaks apart."""
MOST_CELLS = 4_000_000
"""Values of a table; each takes some 60 bytes of memory as text."""
MOST_CELL = 1_000
"""Characters of one value."""
MOST_RUNS = 200
"""Runs of one table, as many as are read from MLflow."""
LARGEST_CLASS = 10**9
"""Larger numbers are no classes, and may not fit into an integer; how many classes there may be is checked later."""
MISSING = ("", "NA", "nan", "NaN", "None", "null")
"""Marks of a missing value; Keras's CSVLogger writes NA."""
_NPZ = ("labels", "probabilities", "predicted", "classes", "images")
_PROBABILITY = re.compile(r"p_?([0-9]+)")


@dataclass(frozen=True, eq=False)
class Given:
    """A run in a file, as arguments of `record`; None, or nothing, for what the file does not have."""

    probabilities: NDArray[Any] | None = None
    predicted: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    images: NDArray[Any] | None = None
    classes: tuple[str, ...] | None = None
    history: dict[str, list[float | None]] | None = None
    key: str = ""
    """The run's identity in the file of a tool, by which other files of the tool are about the same run."""
    name: str | None = None
    dataset: str | None = None
    framework: str = ""
    note: str = ""

    @property
    def has_predictions(self) -> bool:
        """True if the file has predictions of the run."""
        return self.probabilities is not None or self.predicted is not None


def read(path: Path) -> Given:
    """Return the only run in a file; raises as `read_all`, and ConfigError where there are several."""
    found = read_all(path)
    if len(found) > 1:
        raise ConfigError(f"{printable(path.name)} holds {len(found)} runs; give a file or a folder of one")
    return found[0]


def read_all(path: Path) -> list[Given]:
    """Return the runs in a file of predictions or histories: at least one.

    It may be an `.npz` (labels, probabilities or predicted, classes, images); a `.csv` of predictions (id, label, p0,
    p1 … or predicted), with or without labels; a `.csv` of a history, as Keras's CSVLogger writes it (epoch, loss, …),
    or as Trackio does (step, loss, …, of one run, or of several with a column `run`); a `.json` of a history, as in
    `model.fit(…).history`; a log of TensorBoard (events.out.tfevents…), or the folder of some; a folder of MLflow, with
    one run or many, or its database.

    Raises
    ------
    DamagedFile
        if it is none of these, is damaged, or is too large; the message begins with its name.
    DatasetMissing
        if there is no such file.
    """
    called = printable(path.name)
    if not path.exists():
        raise DatasetMissing(f"{printable(path)} does not exist; check the path")
    try:
        if is_mlflow(path):
            return _mlflow(called, read_mlflow(path))
        if path.is_dir() or is_event_file(path):
            return [Given(history=read_events(path))]
        ending = path.suffix.lower()
        if ending == ".npz":
            return [_npz(path)]
        if ending == ".json":
            return [Given(history=_json(called, parse_json(read_bytes(path, MOST_HISTORY_BYTES), finite=False)))]
        if ending in (".csv", ".log", ".tsv"):
            with open_regular(path) as file:
                return _csv(called, file)
    except DamagedFile:
        raise
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        raise DamagedFile(f"{called} cannot be read: {printable(error)}") from error
    raise DamagedFile(
        f"{called} is of no kind that is read; give an .npz, a .csv, a .json, a folder or a database of MLflow, or an "
        f"event file of TensorBoard of up to {LARGEST_LOG // 2**20} MB"
    )


def joined(runs: Sequence[Given], history: Sequence[Path]) -> list[Given]:
    """Return runs with the columns of further files, as Trackio writes a file for each metric.

    Raises
    ------
    ConfigError
        where a file has no history, a column that a run has already, or no part for one of several runs.
    DamagedFile
        as `read_all`.
    """
    found = list(runs)
    for path in history:
        further = read_all(path)
        parts = {item.key: item for item in further}
        for place, item in enumerate(found):
            part = further[0] if len(found) == len(further) == 1 else parts.get(item.key)
            if part is None:
                which = f"there is none of {item.name}" if item.name else "it is not known which of them is meant"
                raise ConfigError(f"{printable(path)} holds {len(further)} runs, and {which}; give the history of one")
            columns = item.history or {}
            if not part.history:
                raise ConfigError(f"{printable(path)} holds predictions; give a history to --history")
            if twice := [name for name in part.history if name in columns]:
                raise ConfigError(f"{printable(path)} has the column {twice[0]} again; give it in one file only")
            found[place] = replace(item, history={**columns, **part.history})
    return found


def _npz(path: Path) -> Given:
    arrays = read_arrays(path, _NPZ, most_bytes=MOST_BYTES)
    if "probabilities" not in arrays and "predicted" not in arrays:
        raise DamagedFile(
            f"{printable(path.name)} has {', '.join(arrays) or 'no array'}; it needs probabilities or predicted"
        )
    names = arrays.pop("classes", None)
    classes = None if names is None else tuple(map(str, names.reshape(-1).tolist()))
    return Given(
        arrays.get("probabilities"), arrays.get("predicted"), arrays.get("labels"), arrays.get("images"), classes
    )


def _json(called: str, data: Any) -> dict[str, list[float | None]]:
    if isinstance(data, dict) and isinstance(data.get("history"), dict):
        data = data["history"]
    if not isinstance(data, dict):
        raise DamagedFile(f"{called} holds a {type(data).__name__}; a history is a table of lists, one a column")
    return {str(name): list(values) for name, values in data.items() if isinstance(values, list)}


def _csv(called: str, file: BinaryIO) -> list[Given]:
    size = file.seek(0, io.SEEK_END)
    if size > MOST_CSV_BYTES:
        raise DamagedFile(
            f"{called} has {size_words(size)}, and {size_words(MOST_CSV_BYTES)} of a table of text are read; "
            "give an .npz, which may be larger"
        )
    file.seek(0)
    header, columns = _table(called, file)
    table = dict(zip(header, columns, strict=True))
    if len(table) < len(header):
        raise DamagedFile(f"{called} has two columns of one name in {', '.join(header)[:200]}; give each its own")
    numbered = {name: int(match[1]) for name in header if (match := _PROBABILITY.fullmatch(name))}
    if numbered or "predicted" in table:
        return [_predictions(called, table, sorted(numbered, key=numbered.__getitem__), sorted(numbered.values()))]
    if any(column(name) for name in header):
        known = {name: _numbers(called, name, table[name]) for name in header if column(name)}
        if "step" in map(str.lower, header) or "run" in header:
            return _by_run(called, table, _positions(called, table), known)
        return [Given(history=known)]
    raise DamagedFile(
        f"{called} has the columns {', '.join(header)[:200]}; predictions need p0, p1 … or predicted, "
        "a history needs loss, accuracy, val_loss or val_accuracy"
    )


def _table(called: str, file: BinaryIO) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and the values of each; empty lines are passed over."""
    lines = _lines(called, file)
    first = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(itertools.chain([first], lines), delimiter=separator, strict=True)
    header = [name.strip() for name in next(reader, [])]
    columns: list[list[str]] = [[] for _ in header]
    count = 0
    for row in reader:
        if not row:
            continue
        count += 1
        if len(row) != len(header):
            raise DamagedFile(f"{called}, line {count + 1}: it has {len(row)} values, and the first line {len(header)}")
        if count * len(header) > MOST_CELLS:
            raise DamagedFile(
                f"{called} has more than {MOST_CELLS:,} values, the most that are read; give an .npz of predictions, "
                "or a history of fewer steps"
            )
        for column_values, text in zip(columns, row, strict=True):
            if len(text) > MOST_CELL:
                raise DamagedFile(
                    f"{called}, line {count + 1}: a value has {len(text):,} characters, and may have {MOST_CELL:,}; "
                    "leave such a column out"
                )
            column_values.append(text.strip())
    if not count:
        raise DamagedFile(
            f"{called} has {len(header) and 1} lines; it needs a line of column names and one a row below it"
        )
    return header, columns


def _lines(called: str, file: BinaryIO) -> Iterator[str]:
    """Yield the lines of UTF-8 text, one at a time, so that no file of short or long ones fills the memory."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="\n")
    for number in itertools.count(1):
        line = text.readline(MOST_LINE + 1)
        if len(line) > MOST_LINE:
            raise DamagedFile(
                f"{called}, line {number}: it has more than {MOST_LINE:,} characters, the most that are read; "
                "give a table with a line for each image or epoch"
            )
        if number > MOST_LINES and line:
            raise DamagedFile(
                f"{called} has more than {MOST_LINES:,} lines, the most that are read; give an .npz of predictions, or "
                "a history of fewer steps"
            )
        if not line:
            return
        yield line


def _positions(called: str, table: Mapping[str, list[str]]) -> list[float]:
    """Return where each line of Trackio's file stands: its epoch where that is a whole number, else its step."""
    lower = {name.lower(): name for name in table}
    count = len(next(iter(table.values())))
    for name in ("epoch", "step", "time"):
        if name in lower:
            found = _numbers(called, lower[name], table[lower[name]])
            if name != "epoch" or all(value is not None and value.is_integer() for value in found):
                return [float(place) if value is None else value for place, value in enumerate(found)]
    return [float(place) for place in range(count)]


def _by_run(
    called: str,
    table: Mapping[str, Sequence[str]],
    positions: Sequence[float],
    known: Mapping[str, Sequence[float | None]],
) -> list[Given]:
    """Return the runs of Trackio's file: a line has the values of one call, and a step may have several lines."""
    names = table.get("run", [""] * len(positions))
    keys = table.get("series_key", names)
    rows: dict[str, dict[float, dict[str, float]]] = {}
    name_of = dict(zip(reversed(keys), reversed(names), strict=True))
    if len(name_of) > MOST_RUNS:
        raise DamagedFile(f"{called} holds {len(name_of):,} runs, and {MOST_RUNS} are read; give a table of fewer")
    for place, key in enumerate(keys):
        values = {name: value for name, listed in known.items() if (value := listed[place]) is not None}
        rows.setdefault(key, {}).setdefault(positions[place], {}).update(values)
    return [
        Given(
            history={name: [steps[step].get(name) for step in sorted(steps)] for name in known},
            key=key,
            name=name_of[key] or None,
        )
        for key, steps in rows.items()
    ]


def _mlflow(called: str, runs: Sequence[MlflowRun]) -> list[Given]:
    """Return the runs of MLflow that have a history or predictions here; the others hold nothing to compare."""
    found = [_of_mlflow(run) for run in runs]
    usable = [item for item in found if item.history or item.has_predictions]
    if not usable:
        logged = sorted({name for run in runs for name in run.metrics})
        raise DamagedFile(
            f"{called} has the metrics {', '.join(map(printable, logged))[:200] or 'none'}; "
            "a history needs loss, accuracy, val_loss or val_accuracy"
        )
    return usable


def _of_mlflow(run: MlflowRun) -> Given:
    chosen: dict[str, str] = {}
    for name in sorted(run.metrics, key=lambda item: (item != column(item), -len(run.metrics[item]), item)):
        if (target := column(name)) is not None:
            chosen.setdefault(target, name)
    notes = [run.tags.get("mlflow.note.content", "")[:1000]]
    if run.status and run.status != "FINISHED":
        notes.append(f"In MLflow, this run is {run.status}.")
    if run.params:
        shown = [f"{name} {value[:100]}" for name, value in sorted(run.params.items())]
        notes.append(f"Parameters in MLflow: {', '.join(shown)}."[:2500])
    given = Given(
        history=run.columns(list(chosen.values())) or None,
        key=run.id,
        name=run.name,
        dataset=run.tags.get(DATASET_TAG),
        framework=run.tags.get(FRAMEWORK_TAG, run.tags.get("mlflow.autologging", ""))[:200],
    )
    file = None if run.folder is None else run.folder / "artifacts" / PREDICTIONS
    if file is not None and file.is_file() and not file.is_symlink():
        try:
            made = _npz(file)
        except MnistCoreError as error:
            notes.append(f"Its predictions were not read: {error}"[:400])
        else:
            given = replace(given, **{name: getattr(made, name) for name in _NPZ})
    return replace(given, note="\n".join(filter(None, notes)))


def _predictions(called: str, table: dict[str, list[str]], names: Sequence[str], numbers: Sequence[int]) -> Given:
    if names and list(numbers) != list(range(len(numbers))):
        raise DamagedFile(f"{called} has the columns {', '.join(names)[:200]}; they must count from p0 without a gap")
    order = _order(called, table.get("id"), len(next(iter(table.values()))))
    columns = [np.array(_numbers(called, name, table[name]), float) for name in names]
    made = np.array(columns).T[order] if names else None
    labels = _values(called, "label", table["label"])[order] if "label" in table else None
    guesses = _values(called, "predicted", table["predicted"])[order] if made is None else None
    return Given(made, guesses, labels)


def _order(called: str, ids: list[str] | None, count: int) -> NDArray[np.intp]:
    """Return the lines in the order of the test set: by their ids, where these are the numbers from 0."""
    if ids is None or not all(text.isdecimal() for text in ids):
        return np.arange(count)
    numbers = [int(text) for text in ids]
    if sorted(numbers) != list(range(count)):
        least, most = (f"{number:,}"[:40] for number in (min(numbers), max(numbers)))
        raise DamagedFile(
            f"{called} has {count:,} lines with ids from {least} to {most}; an id is the place of an image in the test "
            "set, from 0, and each is there once"
        )
    return np.argsort(np.array(numbers, np.int64))


def _values(called: str, name: str, texts: list[str]) -> NDArray[Any]:
    """Return numbers where all texts are whole ones, else the texts; among numbers, a mark of a missing one is none."""
    whole = [re.fullmatch(r"-?[0-9]+(\.0*)?", text) is not None for text in texts]
    if all(whole):
        numbers = np.array([float(text) for text in texts])
        if np.abs(numbers).max() > LARGEST_CLASS:
            place = int(np.abs(numbers).argmax())
            raise DamagedFile(f"{called}, line {place + 2}: {name} is {texts[place][:40]}; it must be a class from 0")
        return numbers.astype(np.int64)
    missing = [place for place, text in enumerate(texts) if text in MISSING]
    if missing and (not texts[missing[0]] or len(missing) == len(whole) - sum(whole)):
        raise DamagedFile(f"{called}, line {missing[0] + 2}: {name} is missing; give the class of each image")
    return np.array(texts)


def _numbers(called: str, name: str, texts: list[str]) -> list[float | None]:
    found: list[float | None] = []
    for number, text in enumerate(texts, 2):
        try:
            found.append(None if text in MISSING else float(text))
        except ValueError:
            raise DamagedFile(f"{called}, line {number}: {name} is {text[:80]!r}; it must be a number") from None
    return found
