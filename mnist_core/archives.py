"""Arrays from `.npz` files that may be damaged, or made to do harm.

Everything is checked before it is unpacked: which arrays there are, their dtypes and shapes, and how much memory they
will take. No pickle is ever read.
"""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mnist_core.errors import DamagedFile
from mnist_core.files import open_regular, printable

PLAIN_KINDS = "biufU"
"""Kinds of dtype that are read: booleans, numbers and text; neither objects nor structures."""


class _ArchiveFault(ValueError):
    """What this module finds wrong with a file, in words for the person who has it."""


def read_arrays(
    path: Path,
    names: Collection[str] | None = None,
    *,
    most_bytes: int | None = None,
    others: bool = False,
    called: str | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` file.

    Parameters
    ----------
    path
        the file.
    names
        the arrays to read; all where it is None. One that the file does not have is not in the result.
    most_bytes
        how much memory all arrays together may take; as much as the file itself where it is None, as in a file that
        is not compressed.
    others
        pass over arrays of other names; else they are refused.
    called
        the name of the file in messages; its own where it is None.

    Raises
    ------
    DamagedFile
        where the file is damaged in any way, or holds what is not allowed; the message begins with its name.
    OSError
        where there is no file, or it may not be read.
    """
    called = printable(path.name if called is None else called)
    with open_regular(path) as file:
        try:
            limit = file.seek(0, 2) if most_bytes is None else most_bytes
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, names, others)
                total = sum(member.file_size for member in members.values())
                if total > limit:
                    raise _ArchiveFault(
                        f"it would take {total / 2**20:,.0f} MB of memory, and may take {limit / 2**20:,.0f}"
                    )
                return {name: _read(archive, name, member) for name, member in members.items()}
        except _ArchiveFault as error:
            raise DamagedFile(f"{called} is not an .npz file that can be used: {printable(error)}") from error
        # zipfile, zlib, ast and tokenize, to which NumPy gives a header, each raise errors of their own, in words that
        # help nobody who has such a file
        except Exception as error:
            raise DamagedFile(
                f"{called} is not an .npz file that can be used: it is damaged, cut short, or of another kind"
            ) from error


def _members(archive: zipfile.ZipFile, names: Collection[str] | None, others: bool) -> dict[str, zipfile.ZipInfo]:
    """Return the members to read, by the names of their arrays."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if names is not None and name not in names:
            if others:
                continue
            raise _ArchiveFault(f"it has an array {printable(name)[:80]!r}; there may be {', '.join(names)}")
        if name in found:
            raise _ArchiveFault(f"it has two arrays {printable(name)[:80]!r}")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _ArchiveFault(f"{printable(name)[:80]} is compressed in a way that NumPy does not use")
        found[name] = member
    return found


def _read(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as file:
        shape, fortran, dtype = _header(file)
        if dtype.kind not in PLAIN_KINDS or dtype.subdtype is not None:
            raise _ArchiveFault(f"{name} has dtype {dtype}; there may be numbers and text only")
        size = math.prod(shape) * dtype.itemsize
        # the header itself is at most some kilobytes long, and what is left must be the array and nothing else
        if min(shape, default=0) < 0 or size + file.tell() != member.file_size:
            raise _ArchiveFault(f"{name} has shape {shape} and dtype {dtype}, but its data are of another size")
        array: NDArray[Any] = np.empty(shape, dtype, order="F" if fortran else "C")
        content = file.read(size)
        if len(content) != size:
            raise _ArchiveFault(f"{name} is cut short")
        file.read(1)  # at the end, the checksum is compared
        if dtype.kind == "U":
            _check_text(name, np.frombuffer(content, np.dtype(np.uint32).newbyteorder(dtype.byteorder)))
        flat = array.reshape(-1, order="A")
        flat[...] = np.frombuffer(content, dtype)
        return array


def _check_text(name: str, numbers: NDArray[np.uint32]) -> None:
    """Raise _ArchiveFault unless they are numbers of characters: of others, NumPy makes text that Python refuses."""
    wrong = (numbers > sys.maxunicode) | ((numbers >= 0xD800) & (numbers <= 0xDFFF))
    if wrong.any():
        raise _ArchiveFault(
            f"{name} has the character number {numbers[wrong][0]:,}, which there is not; write its text again"
        )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise _ArchiveFault(f"version {version} of the .npy format is not read")
    return (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(file)
