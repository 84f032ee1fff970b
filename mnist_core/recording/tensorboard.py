"""Scalars from TensorBoard's event files, read without TensorFlow.

An event file is a sequence of records: length (uint64), masked CRC-32C of it, data, masked CRC-32C of them, all little
endian (tensorflow/core/lib/io/record_writer.cc). The data are protocol buffers of the message Event, of which only
step, and the scalars of summary, are read (tensorflow/core/util/event.proto, framework/summary.proto). A value is a
`simple_value`, or a tensor of one float or double, as TensorFlow 2 writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from mnist_core.errors import DamagedFile
from mnist_core.files import open_regular, printable
from mnist_core.recording.history import column

LARGEST_LOG = 64 * 2**20
"""Bytes of all the event files of a folder together."""
LARGEST_RECORD = 2**20
"""A record of scalars takes some hundred bytes; longer ones hold graphs and pictures, and are passed over."""
MOST_FILES = 1000
_MASK = 0xA282EAD8
_PREFIXES = {"train": "", "training": "", "validation": "val_", "val": "val_", "test": "val_"}
"""Folders that Keras's callback writes into: what they put before the name of a column."""


def is_event_file(path: Path) -> bool:
    """True if a file is called as TensorBoard's are."""
    return "tfevents" in path.name and path.is_file()


def read_events(path: Path) -> dict[str, list[float | None]]:
    """Return the scalars of an event file, or of all in a folder, as the columns of a history, one value an epoch.

    Keras's callback writes `epoch_loss` into the folders `train` and `validation`, one step an epoch.

    Raises
    ------
    DamagedFile
        where a checksum does not fit, a record is cut short before the last one, there are no scalars of a history, or
        the files are too large.
    """
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*tfevents*") if is_event_file(item))
    if not files or len(files) > MOST_FILES:
        raise DamagedFile(f"{printable(path.name)} has {len(files)} event files; give one of 1 to {MOST_FILES}")
    size = sum(item.stat().st_size for item in files)
    if size > LARGEST_LOG:
        raise DamagedFile(
            f"{printable(path.name)} has {size / 2**20:,.0f} MB of event files, and {LARGEST_LOG // 2**20} are read; "
            "give the folder of one training"
        )
    found: dict[str, dict[int, float]] = {}
    for item in files:
        prefix = _PREFIXES.get(item.parent.name.lower(), "")
        for step, tag, value in _scalars(item):
            name = tag.removeprefix("epoch_").removeprefix("evaluation_").split("/")[-1]
            name = name if name.startswith("val_") else prefix + name
            if column(name) and not tag.startswith("batch_") and "_vs_iterations" not in tag:
                found.setdefault(name, {})[step] = value
    if not found:
        raise DamagedFile(f"{printable(path.name)} has no scalars of a history, such as epoch_loss; was one written?")
    steps = sorted({step for values in found.values() for step in values})
    return {name: [values.get(step) for step in steps] for name, values in found.items()}


def _scalars(path: Path) -> Iterator[tuple[int, str, float]]:
    for data in _records(path):
        step, summary = 0, b""
        for number, value in _fields(data):
            if number == 2 and isinstance(value, int):
                step = value
            elif number == 5 and isinstance(value, bytes):
                summary = value
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes):
                tag, scalar = _summary_value(value)
                if scalar is not None:
                    yield step, tag, scalar


def _records(path: Path) -> Iterator[bytes]:
    """Yield the records; a last one that is still being written is left out."""
    called = printable(path.name)
    with open_regular(path) as file:
        number = 0
        while len(head := file.read(12)) == 12:
            number += 1
            length, check = struct.unpack("<QI", head)
            if masked_crc(head[:8]) != check:
                raise DamagedFile(f"{called}: the checksum of the length of record {number} does not fit")
            if length > LARGEST_RECORD:
                if length > LARGEST_LOG:
                    raise DamagedFile(f"{called}: record {number} says that it has {length:,} bytes")
                file.seek(length + 4, 1)
                continue
            data, tail = file.read(length), file.read(4)
            if len(data) < length or len(tail) < 4:
                return
            if masked_crc(data) != struct.unpack("<I", tail)[0]:
                raise DamagedFile(f"{called}: the checksum of record {number} does not fit")
            yield data


def _summary_value(data: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, float):
            scalar = value
        elif number == 8 and isinstance(value, bytes):
            scalar = _tensor(value)
    return tag, scalar


def _tensor(data: bytes) -> float | None:
    """Return the number of a TensorProto of one float (dtype 1) or double (2); None for any other tensor."""
    dtype, content, listed = 0, b"", None
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2 and isinstance(value, bytes) and any(field == 2 for field, _ in _fields(value)):
            return None  # it has a dimension
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6):
            listed = value
    kind = {1: "<f", 2: "<d"}.get(dtype)
    if kind is None:
        return None
    for packed in (content, listed):
        if isinstance(packed, bytes) and len(packed) == struct.calcsize(kind):
            return float(struct.unpack(kind, packed)[0])
    return listed if isinstance(listed, float) else None


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield the fields of a protocol buffer: number and value. Raise DamagedFile where it is none."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(data, place)
            yield number, value
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            if place + size > len(data):
                raise DamagedFile("an event is cut short within its record")
            yield number, float(struct.unpack("<d" if wire == 1 else "<f", data[place : place + size])[0])
            place += size
        elif wire == 2:
            size, place = _varint(data, place)
            if place + size > len(data):
                raise DamagedFile("an event is cut short within its record")
            yield number, data[place : place + size]
            place += size
        else:
            raise DamagedFile(f"an event has a field of wire type {wire}, which there is not")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise DamagedFile("an event holds a number that does not end")


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of data, rotated and shifted as the format masks it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + _MASK) & 0xFFFFFFFF
