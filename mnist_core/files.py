"""Files that a reader never sees half of.

Whole files are written beside their place and moved there (`os.replace` is atomic on one file system); logs grow by
whole lines, and a torn last line is dropped on reading.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


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


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises OSError or ValueError."""
    return json.loads(path.read_text(encoding="utf-8"))


def append_json_line(path: Path, data: Any) -> None:
    """Append one JSON object as one whole line, in a single write."""
    line = json.dumps(data, allow_nan=False).encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(line)


def read_json_lines(path: Path) -> list[Any]:
    """The objects of a JSON-lines file, in order; a missing file is empty, and a torn last line is dropped.

    Raises
    ------
    ValueError
        where a line other than the last is not JSON.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines[:-1]]
