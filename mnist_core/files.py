"""Safe reading and writing of files: a reader never sees half a file.

Whole files are written next to their final path and moved there (`os.replace` is atomic on one file system); logs grow
by whole lines, and a torn last line is dropped on reading. If the disk refuses, everything here that writes raises
WriteError, and what was stored stays as it is. New files have the mode that the umask gives (see docs/decisions/0013).

What is read may be damaged, or made to do harm: nothing here waits on a pipe, reads without a limit, or raises anything
else than OSError and DamagedFile.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import re
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from pydantic_core import from_json

from mnist_core import processes
from mnist_core.errors import DamagedFile, WriteError

MOST_JSON_BYTES = 32 * 2**20
"""The longest JSON file that is read: a sweep of a thousand runs takes less than one MB."""
MOST_JSON_VALUES = 2_000_000
"""The most values of one JSON text: an empty list takes 3 bytes of text and 64 of memory."""
MOST_JSON_LINES = 200_000
"""The most lines of one JSON-lines file, twice the epochs of the longest history."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST = sys.float_info.max

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space, then try again; nothing that is stored is lost"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then try again; nothing that is stored is lost"),
    errno.EROFS: ("the store is read-only", "to train or to change runs, use a store that can be written"),
    errno.EACCES: ("permission is denied", "ask the owner of the store for it, or use a store that can be written"),
    errno.EPERM: ("permission is denied", "ask the owner of the store for it, or use a store that can be written"),
}

FORGOTTEN_AFTER_S = 3600.0
"""A temporary file whose process cannot be looked up counts as left behind when it is so old."""

_TEMPORARY = re.compile(r"\.tmp-(\d+)-(\d+)-\d+-(.*)")
"""A name from `temporary_near`: process, Unix nanoseconds, count, then the machine and the name that it is for."""

_EARLIER_TEMPORARY = re.compile(r"\.new-.*|\..*\.(json|jsonl|npz|request)\.\w{8}|\.\d+\.model\.keras")
"""Temporary names of earlier versions."""

_count = itertools.count()


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Raise WriteError in place of OSError, with a sentence: what cannot be written, why, and what to do about it.

    Also a decorator, for a function that writes in the store.

    Parameters
    ----------
    path
        what is being written, where the system does not say so itself.
    """
    try:
        yield
    except OSError as error:
        raise WriteError(refusal(error, path)) from error


def refusal(error: OSError, path: Path | str) -> str:
    """Return in a sentence what cannot be written, why, and what to do about it; `path` as of `writing`."""
    what = _target(Path(os.fsdecode(error.filename2 or error.filename or path)))
    reason, remedy = _REASONS.get(_number(error), (error.strerror or str(error), "check the disk, then try again"))
    return f"{what} cannot be written: {reason}; {remedy}"


def is_refusal(error: BaseException) -> bool:
    """True if the disk is full or read-only, rather than something wrong with what was done."""
    return isinstance(error, OSError) and _number(error) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _number(error: OSError) -> int:
    """Return the error's number; HDF5 gives it in the text only."""
    if error.errno is None and (found := re.search(r"errno = (\d+)", str(error))):
        return int(found[1])
    return error.errno or 0


def _target(path: Path) -> str:
    """Return the name of a file for messages: its folder and name; for a temporary file, those of its final file."""
    name = path.name
    if found := _TEMPORARY.fullmatch(name):
        name = found[3].removeprefix(f"{socket.gethostname()}.")
    return f"{path.parent.name}/{name}" if path.parent.name else name


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, where it does not exist. Raises WriteError."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def may_write(folder: Path) -> bool:
    """True if files can be made in a folder, or where it does not exist in the next one above; space apart."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return os.access(folder, os.W_OK)


def try_writing(folder: Path) -> None:
    """Raise WriteError where a small file cannot be written in a folder, for lack of space too."""
    with writing(folder), contextlib.ExitStack() as stack:
        path = temporary_near(folder / "try")
        stack.callback(path.unlink, missing_ok=True)
        with _create(path) as file:
            file.write(b" " * 4096)


def temporary_near(path: Path) -> Path:
    """Return a new name in the folder of `path`, with its ending, for what is to take its place.

    The name says which process on which machine gave it, so that `sweep` knows what was left behind.
    """
    mark = f".tmp-{os.getpid()}-{time.time_ns()}-{next(_count)}-{socket.gethostname()}"
    return path.with_name(f"{mark}.{path.name}")


def _create(path: Path, mode: int = 0o666) -> IO[bytes]:
    """Open a new file, with what the umask leaves of the mode."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.fdopen(os.open(path, flags, mode), "wb")


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True, private: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    `durable` flushes it to the disk first; leave it out for what is worthless after a crash, such as progress.
    `private` makes the file readable for its owner only, from its first byte. Raises WriteError.
    """
    with placing(path) as temporary, _create(temporary, 0o600 if private else 0o666) as file:
        yield file
        if durable:
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def placing(path: Path) -> Iterator[Path]:
    """Give the name of a file to be written, which takes the place of `path` when the block ends well.

    Where the block does not end well, the file vanishes. Raises WriteError.
    """
    temporary = temporary_near(path)
    with writing(path):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def sweep(folder: Path) -> None:
    """Delete the temporary files and folders in a folder that processes which are gone have left behind."""
    with contextlib.suppress(OSError):  # a file that cannot be deleted now does no harm
        for path in folder.glob(".*"):
            if _left_behind(path):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _left_behind(path: Path) -> bool:
    """True if it is a temporary file of a process that is gone."""
    found = _TEMPORARY.fullmatch(path.name)
    if not found and not _EARLIER_TEMPORARY.fullmatch(path.name):
        return False
    if not found or not found[3].startswith(f"{socket.gethostname()}."):
        return time.time() - path.lstat().st_mtime > FORGOTTEN_AFTER_S
    return not processes.may_have_made(int(found[1]), int(found[2]) / 1e9)


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
    """Return a file descriptor, and how long the file is; raises as `open_regular`."""
    handle = os.open(path, _FLAGS)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise DamagedFile(f"{printable(path.name)} is not a file")
    return handle, found.st_size


def size_words(size: int) -> str:
    """Return a number of bytes in the largest unit that leaves a whole number of at least 1, such as 64 KB."""
    for unit, name in ((2**20, "MB"), (2**10, "KB")):
        if size >= unit:
            return f"{size / unit:,.0f} {name}"
    return f"{size:,} bytes"


def read_bytes(path: Path, most: int = MOST_JSON_BYTES) -> bytes:
    """Return the content of a file of at most `most` bytes; raises OSError or DamagedFile."""
    handle, size = _opened(path)
    try:
        if size > most:
            raise DamagedFile(f"{printable(path.name)} is longer than {size_words(most)}, the most that is read")
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
        than 64 bits, or a number that no float can hold; or has too many values.
    """
    content = text.encode() if isinstance(text, str) else text
    values = sum(map(content.count, (b",", b"[", b"{")))  # not less than there are
    if values > MOST_JSON_VALUES:
        raise ValueError(f"it has up to {values:,} values, and may have {MOST_JSON_VALUES:,}")
    data = from_json(content, allow_inf_nan=not finite)
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
    """Append one JSON object as one whole line, in a single write; for one writer at a time.

    A torn last line, which a process left that ended while it wrote, is removed. Raises WriteError, and then leaves the
    file as it was.
    """
    line = json.dumps(data, allow_nan=False).encode() + b"\n"
    with writing(path), path.open("a+b", buffering=0) as file:
        end = _end_of_lines(file)
        try:
            # a disk that fills up takes a part of a line without an error, and refuses the next one
            written = 0
            while written < len(line):
                written += file.write(line[written:])
        except OSError:
            file.truncate(end)
            raise


def _end_of_lines(file: IO[bytes]) -> int:
    """Return the size of a file after a torn last line is cut off."""
    size = end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        file.truncate(end)
    return end


def read_json_lines(path: Path) -> list[Any]:
    """Return the values of a JSON-lines file, in order; a missing file is empty, and a torn last line is dropped.

    Raises
    ------
    DamagedFile
        where a line other than the last is not JSON, with its number; or there are too many.
    OSError
        where the file may not be read.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        return []
    count = content.count(b"\n")
    if count > MOST_JSON_LINES:
        raise DamagedFile(
            f"{printable(path.name)} has {count:,} lines, and {MOST_JSON_LINES:,} are read; is it another program's?"
        )
    found = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            found.append(parse_json(line))
        except ValueError as error:
            raise DamagedFile(f"{printable(path.name)}, line {number}, is not JSON that can be used: {error}") from None
    return found
