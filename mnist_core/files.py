"""Files that a reader never sees half of.

Whole files are written beside their place and moved there (`os.replace` is atomic on one file system); logs grow by
whole lines, and a torn last line is dropped on reading.

What is read may be damaged, or made to do harm: nothing here waits on a pipe, reads without a limit, or raises anything
else than OSError and DamagedFile.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from pydantic_core import from_json

from mnist_core.errors import DamagedFile

MOST_JSON_BYTES = 32 * 2**20
"""The longest JSON file that is read: a sweep of a thousand runs takes less than one MB."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST = sys.float_info.max


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    `durable` flushes it to the disk first; leave it out for what is worthless after a crash, such as progress.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_json(path: Path, data: Any, *, durable: bool = True) -> None:
    """Replace `path` by `data` as readable JSON. NaN is refused: JSON has none."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path, durable=durable) as file:
        file.write(text.encode() + b"\n")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises
    ------
    DamagedFile
        where `path` is a folder, a pipe or a device; opening a pipe would wait for a writer.
    OSError
        where there is no file, or it may not be read.
    """
    return os.fdopen(_opened(path)[0], "rb")


def _opened(path: Path) -> tuple[int, int]:
    """A file descriptor, and how long the file is; raises as `open_regular`."""
    handle = os.open(path, _FLAGS)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise DamagedFile(f"{printable(path.name)} is not a file")
    return handle, found.st_size


def read_bytes(path: Path, most: int = MOST_JSON_BYTES) -> bytes:
    """Return the content of a file of at most `most` bytes; raises OSError or DamagedFile."""
    handle, size = _opened(path)
    try:
        if size > most:
            raise DamagedFile(f"{printable(path.name)} is longer than {most / 2**20:.0f} MB, the most that is read")
        content = os.read(handle, size + 1)
        while len(content) <= most and (more := os.read(handle, 2**16)):  # it has grown meanwhile
            content += more
        return content
    finally:
        os.close(handle)


def parse_json(text: bytes | str, *, finite: bool = True) -> Any:
    """Return what JSON text holds.

    Parameters
    ----------
    text
        UTF-8, where it is bytes.
    finite
        refuse NaN and the infinities.

    Raises
    ------
    ValueError
        where it is not JSON; is nested more than about 200 deep; holds half a surrogate pair, a whole number of more
        than 64 bits, or a number that no float can hold.
    """
    data = from_json(text.encode() if isinstance(text, str) else text, allow_inf_nan=not finite)
    _check_numbers([data], finite)
    return data


def _check_numbers(items: Iterable[Any], finite: bool) -> None:
    for item in items:
        kind = type(item)
        if kind is float:
            if finite and not -_MOST <= item <= _MOST:
                raise ValueError("a number is too large for a float")
        elif kind is int:
            if not -(2**63) <= item < 2**63:
                raise ValueError("a whole number has more than 64 bits")
        elif kind is dict:
            _check_numbers(item.values(), finite)
        elif kind is list:
            _check_numbers(item, finite)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raises OSError or DamagedFile. See `parse_json` for what is refused."""
    content = read_bytes(path)
    try:
        return parse_json(content)
    except ValueError as error:
        raise DamagedFile(f"{printable(path.name)} is not JSON that can be used: {error}") from None


def printable(text: object) -> str:
    """Return the text with what cannot be printed written as escapes, as a file name may hold any bytes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def append_json_line(path: Path, data: Any) -> None:
    """Append one JSON object as one whole line, in a single write."""
    line = json.dumps(data, allow_nan=False).encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(line)


def read_json_lines(path: Path) -> list[Any]:
    """Return the values of a JSON-lines file, in order; a missing file is empty, and a torn last line is dropped.

    Raises
    ------
    DamagedFile
        where a line other than the last is not JSON, with its number.
    OSError
        where the file may not be read.
    """
    try:
        lines = read_bytes(path).split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(parse_json(line))
        except ValueError as error:
            raise DamagedFile(f"{printable(path.name)}, line {number}, is not JSON that can be used: {error}") from None
    return found
