"""Histories as event files of TensorBoard, written without TensorFlow; `tensorboard` reads them and has the format."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from mnist_core.errors import StoreError
from mnist_core.files import make_folder, replacing
from mnist_core.recording.tensorboard import masked_crc
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run

_COLUMNS = {
    "train": {"loss": "epoch_loss", "accuracy": "epoch_accuracy", "learning_rate": "epoch_learning_rate"},
    "validation": {"val_loss": "epoch_loss", "val_accuracy": "epoch_accuracy"},
}
"""The columns of a history by the folders and tags that Keras's callback gives them."""


def write_events(runs: Sequence[Run], folder: Path) -> None:
    """Write `folder`/NAME-ID/train and …/validation for each run, as Keras's callback lays them out; a step an epoch.

    Raises
    ------
    StoreError
        where a run has no history.
    WriteError
        where a file cannot be written.
    """
    for run in runs:
        if not run.rows():
            raise StoreError(f"run {run.name} has no history, so that there is nothing for TensorBoard")
    for run in runs:
        own = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', run.name).strip('.')[:60]}-{run.id}"
        began = run.status.started_at or run.status.created_at
        for part, columns in _COLUMNS.items():
            make_folder(own / part)
            with replacing(own / part / f"events.out.tfevents.{int(began)}.{run.id}") as file:
                for event in _events(run.rows(), columns, began):
                    file.write(_record(event))


def _events(rows: Sequence[EpochRow], columns: dict[str, str], began: float) -> Iterator[bytes]:
    yield _double(1, began) + _bytes(3, b"brain.Event:2")
    at = began
    for row in rows:
        at += row.seconds if math.isfinite(row.seconds) else 0.0
        values = {tag: float(getattr(row, name)) for name, tag in columns.items()}
        summary = b"".join(
            _bytes(1, _bytes(1, tag.encode()) + _float(2, value))
            for tag, value in values.items()
            if not math.isnan(value)
        )
        yield _double(1, at) + _number(2, row.epoch - 1) + _bytes(5, summary)  # Keras counts steps from 0


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)
