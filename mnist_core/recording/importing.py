"""Files of predictions and histories, as other tools write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.errors import DamagedFile, DatasetMissing
from mnist_core.files import parse_json, printable, read_bytes
from mnist_core.recording.history import column
from mnist_core.recording.tensorboard import LARGEST_LOG, is_event_file, read_events

MOST_BYTES = 256 * 2**20
"""The largest file that is read, and the most memory that its arrays may take."""
MOST_HISTORY_BYTES = 16 * 2**20
MISSING = ("", "NA", "nan", "NaN", "None", "null")
"""Marks of a missing value; Keras's CSVLogger writes NA."""
_NPZ = ("labels", "probabilities", "predicted", "classes", "images")
_PROBABILITY = re.compile(r"p_?([0-9]+)")


@dataclass(frozen=True, eq=False)
class Given:
    """The content of a file, as arguments of `record`; None for what the file does not have."""

    probabilities: NDArray[Any] | None = None
    predicted: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None
    images: NDArray[Any] | None = None
    classes: tuple[str, ...] | None = None
    history: dict[str, list[float | None]] | None = None


def read(path: Path) -> Given:
    """Return the content of a file of predictions or a history.

    It may be an `.npz` (labels, probabilities or predicted, classes, images); a `.csv` of predictions (id, label, p0,
    p1 … or predicted), with or without labels; a `.csv` of a history, as Keras's CSVLogger writes it (epoch, loss, …);
    a `.json` of a history, as in `model.fit(…).history`; or a log of TensorBoard (events.out.tfevents…), or the
    folder of some.

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
        if path.is_dir() or is_event_file(path):
            return Given(history=read_events(path))
        ending = path.suffix.lower()
        if ending == ".npz":
            return _npz(path)
        if ending == ".json":
            return Given(history=_json(called, parse_json(read_bytes(path, MOST_HISTORY_BYTES), finite=False)))
        if ending in (".csv", ".log", ".tsv"):
            return _csv(called, read_bytes(path, MOST_BYTES))
    except DamagedFile:
        raise
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{called} cannot be read: {printable(error)}") from error
    raise DamagedFile(
        f"{called} is of no kind that is read; give an .npz, a .csv, a .json, or an event file of TensorBoard of up to "
        f"{LARGEST_LOG // 2**20} MB"
    )


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


def _csv(called: str, content: bytes) -> Given:
    text = content.decode("utf-8-sig")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    if len(rows) < 2:
        raise DamagedFile(f"{called} has {len(rows)} lines; it needs a line of column names and one a row below it")
    header, lines = [name.strip() for name in rows[0]], [row for row in rows[1:] if row]
    for number, row in enumerate(lines, 2):
        if len(row) != len(header):
            raise DamagedFile(f"{called}, line {number}: it has {len(row)} values, and the first line {len(header)}")
    table = {name: [row[place].strip() for row in lines] for place, name in enumerate(header)}
    if len(table) < len(header):
        raise DamagedFile(f"{called} has two columns of one name in {', '.join(header)[:200]}; give each its own")
    numbered = {name: int(match[1]) for name in header if (match := _PROBABILITY.fullmatch(name))}
    if numbered or "predicted" in table:
        return _predictions(called, table, sorted(numbered, key=numbered.__getitem__), sorted(numbered.values()))
    if any(column(name) for name in header):
        return Given(history={name: _numbers(called, name, table[name]) for name in header if column(name)})
    raise DamagedFile(
        f"{called} has the columns {', '.join(header)[:200]}; predictions need p0, p1 … or predicted, "
        "a history needs loss, accuracy, val_loss or val_accuracy"
    )


def _predictions(called: str, table: dict[str, list[str]], names: Sequence[str], numbers: Sequence[int]) -> Given:
    if names and list(numbers) != list(range(len(numbers))):
        raise DamagedFile(f"{called} has the columns {', '.join(names)[:200]}; they must count from p0 without a gap")
    order = _order(called, table.get("id"), len(next(iter(table.values()))))
    made = np.array([_numbers(called, name, table[name]) for name in names], float).T[order] if names else None
    labels = _values(table["label"])[order] if "label" in table else None
    guesses = _values(table["predicted"])[order] if made is None else None
    return Given(made, guesses, labels)


def _order(called: str, ids: list[str] | None, count: int) -> NDArray[np.intp]:
    """Return the lines in the order of the test set: by their ids, where these are the numbers from 0."""
    if ids is None or not all(text.isdecimal() for text in ids):
        return np.arange(count)
    numbers = np.array(ids, np.int64)
    if not np.array_equal(np.sort(numbers), np.arange(count)):
        raise DamagedFile(
            f"{called} has {count:,} lines with ids from {numbers.min():,} to {numbers.max():,}; an id is the place "
            "of an image in the test set, from 0, and each is there once"
        )
    return np.argsort(numbers)


def _values(texts: list[str]) -> NDArray[Any]:
    """Return numbers where all texts are whole ones, else the texts."""
    if all(re.fullmatch(r"-?[0-9]+(\.0*)?", text) for text in texts):
        return np.array([float(text) for text in texts]).astype(np.int64)
    return np.array(texts)


def _numbers(called: str, name: str, texts: list[str]) -> list[float | None]:
    found: list[float | None] = []
    for number, text in enumerate(texts, 2):
        try:
            found.append(None if text in MISSING else float(text))
        except ValueError:
            raise DamagedFile(f"{called}, line {number}: {name} is {text[:80]!r}; it must be a number") from None
    return found
