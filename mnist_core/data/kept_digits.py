"""Digits that people have drawn and kept, with their labels: a small test set that no network was trained on.

Each digit is one readable JSON file in the store's folder `drawings`, so that two people may keep digits at once, and
a file that is damaged costs one digit. A file's name comes from the pixels: the same digit is kept once.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import CLASSES, IMAGE_SHAPE
from mnist_core.data.images import Pixels
from mnist_core.errors import DrawingError
from mnist_core.files import make_folder, printable, read_json, write_json, writing
from mnist_core.people import OWNER, Person

MOST_KEPT = 1000
"""Digits that a store keeps: 2 kB each, and a network answers on all of them in a few hundredths of a second."""

_NAME = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, eq=False)
class KeptDigit:
    """A drawn digit. id: of its file. label: the digit that it is. picture: uint8 of shape (28, 28).

    kept_at: seconds since 1970. owner: who of a class has kept it; empty outside a class.
    """

    id: str
    label: int
    picture: Pixels
    kept_at: float
    owner: str = ""


@dataclass(frozen=True)
class KeptDigits:
    """All digits of a folder, oldest first, and what could not be read: one sentence a file."""

    digits: tuple[KeptDigit, ...]
    problems: tuple[str, ...]

    @property
    def images(self) -> Pixels:
        """The pictures, uint8 of shape (n, 28, 28)."""
        return np.array([digit.picture for digit in self.digits], np.uint8).reshape(-1, *IMAGE_SHAPE)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The digits that they are, shape (n,)."""
        return np.array([digit.label for digit in self.digits], np.uint8)


def keep(folder: Path, picture: Pixels, label: int, *, by: Person = OWNER) -> KeptDigit:
    """Keep a picture, uint8 of shape (28, 28), as the digit `label`; a picture that is kept gets the new label.

    by: who keeps it.

    Raises
    ------
    DrawingError
        where there is no ink on it, the label is not 0 to 9, or MOST_KEPT digits are kept already.
    NotAllowed
        where it is kept already, by somebody else.
    WriteError
        where the disk refuses.
    """
    by.check("train")
    if not 0 <= label < CLASSES:
        raise DrawingError(f"the label is {label}; it must be a digit from 0 to {CLASSES - 1}")
    if picture.shape != IMAGE_SHAPE or picture.dtype != np.uint8:
        raise DrawingError(f"the picture is {picture.dtype} of shape {picture.shape}; it must be uint8 of (28, 28)")
    if not picture.any():
        raise DrawingError("there is no ink on the picture; draw a digit first")
    digit = KeptDigit(hashlib.sha256(picture.tobytes()).hexdigest()[:16], label, picture, time.time(), by.name)
    path = folder / f"{digit.id}.json"
    if not path.exists() and len(_files(folder)) >= MOST_KEPT:
        raise DrawingError(f"{MOST_KEPT:,} digits are kept, which is the most; remove some first")
    _check_owner(folder, digit.id, by)
    make_folder(folder)
    rows = [row.tobytes().hex() for row in picture]
    write_json(path, {"label": label, "kept_at": digit.kept_at, "rows": rows, "owner": digit.owner})
    return digit


def _check_owner(folder: Path, digit_id: str, by: Person) -> None:
    """Raise NotAllowed where a digit is kept that this person may not change."""
    try:
        found = _read(folder / f"{digit_id}.json").owner
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        found = ""
    by.check("change", found, "the digit")


def remove(folder: Path, digit_id: str, *, by: Person = OWNER) -> None:
    """Delete a kept digit; nothing happens where it is gone already. Raises WriteError, and NotAllowed for another's.

    by: who removes it.
    """
    if _NAME.fullmatch(digit_id):
        path = folder / f"{digit_id}.json"
        _check_owner(folder, digit_id, by)
        with writing(path):
            path.unlink(missing_ok=True)


def kept_digits(folder: Path) -> KeptDigits:
    """Return the kept digits of a folder; there are none where it does not exist."""
    digits, problems = [], []
    for path in _files(folder)[:MOST_KEPT]:
        try:
            digits.append(_read(path))
        except FileNotFoundError:
            continue  # removed meanwhile
        except (OSError, ValueError) as error:
            problems.append(f"{printable(path.name)} cannot be read ({error}); delete it, or keep the digit again")
    return KeptDigits(tuple(sorted(digits, key=lambda digit: (digit.kept_at, digit.id))), tuple(problems))


def version(folder: Path) -> tuple[int, int]:
    """Return what changes whenever a digit is kept, relabelled or removed: a key for caches."""
    try:
        return folder.stat().st_mtime_ns, len(_files(folder))
    except OSError:
        return 0, 0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if _NAME.fullmatch(path.stem))


def _read(path: Path) -> KeptDigit:
    data = read_json(path)
    if not isinstance(data, dict):
        raise DrawingError("it holds no digit")
    label, rows, when = data.get("label"), data.get("rows"), data.get("kept_at")
    if type(label) is not int or not 0 <= label < CLASSES:
        raise DrawingError(f"the label is {label!r}, and not a digit")
    if not isinstance(rows, list) or [type(row) for row in rows] != [str] * IMAGE_SHAPE[0]:
        raise DrawingError("the picture has not 28 rows")
    if any(not re.fullmatch(r"[0-9a-f]{56}", row) for row in rows):
        raise DrawingError("a row of the picture has not 28 pixels, two hexadecimal figures each")
    if isinstance(when, bool) or not isinstance(when, int | float):
        raise DrawingError("it does not say when it was kept")
    owner = data.get("owner", "")
    if not isinstance(owner, str):
        raise DrawingError("it does not say who has kept it")
    picture = np.array([list(bytes.fromhex(row)) for row in rows], np.uint8)
    return KeptDigit(path.stem, label, picture, float(when), owner)
