"""Counts how often the test images of each dataset have been used to compare runs.

Every look at test results makes the next choice a little less honest: of many comparisons, some come out well by luck
(adaptive overfitting; Dwork et al. 2015). `test_set_uses.jsonl` in the store has one line for each distinct use.
Lines are only appended, each in one write, so that several processes can count at once; a line that cannot be read is
passed over, and a use that two processes wrote at once counts once.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from mnist_core.errors import StoreError, WriteError
from mnist_core.files import parse_json, read_bytes, writing

FILE = "test_set_uses.jsonl"
UseKind = Literal["comparison", "reveal"]


@dataclass(frozen=True)
class Use:
    """One use of the test images of the data with this `fingerprint`.

    kind: `comparison` of two runs, or `reveal` of the test results of the runs that a sweep or search did not choose.
    key: what tells it from others of its kind. runs: the ids of the runs whose results were looked at.
    """

    fingerprint: str
    kind: UseKind
    key: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Uses:
    """Number of uses of a test set: distinct pairs of runs compared, and distinct reveals."""

    comparisons: int
    reveals: int


def comparison(fingerprint: str, first: tuple[str, int | None], second: tuple[str, int | None]) -> Use:
    """Return the comparison of two runs, each an id and the epoch of its weights, in either order."""
    pair = sorted([first, second], key=lambda item: (item[0], item[1] or 0))
    return Use(fingerprint, "comparison", " ".join(f"{run}@{epoch}" for run, epoch in pair), (pair[0][0], pair[1][0]))


def reveal(fingerprint: str, study: str, runs: Iterable[str]) -> Use:
    """Return the reveal of the test results of the `runs` that the sweep or search with the id `study` passed over."""
    return Use(fingerprint, "reveal", study, tuple(runs))


def record(root: Path, uses: Iterable[Use]) -> None:
    """Count the uses that have not been counted yet. `root`: the store's folder. Raise WriteError if that fails."""
    known = _read(root).all
    new = [use for use in dict.fromkeys(uses) if use not in known]
    if not new:
        return
    lines = [json.dumps(vars(use) | {"at": round(time.time())}, default=list) for use in new]
    # a line that was torn by a crash must not swallow the next one
    text = ("" if _ends_whole(root / FILE) else "\n") + "\n".join(lines) + "\n"
    try:
        with writing(root / FILE), (root / FILE).open("ab", buffering=0) as file:
            file.write(text.encode())
    except WriteError as error:
        raise WriteError(f"This look at test results is not counted: {error}") from error


def seen(root: Path, fingerprint: str) -> Uses:
    """Return how often the test images of the data with this fingerprint have been used in the store at `root`."""
    keys = _read(root).keys
    return Uses(*(len(keys.get((fingerprint, kind), ())) for kind in get_args(UseKind)))


def runs_seen(root: Path) -> frozenset[str]:
    """Return the ids of all runs whose test results were looked at in a counted use."""
    return _read(root).runs


class _Known(NamedTuple):
    """All uses on record; their keys by (fingerprint, kind); and the runs of all of them."""

    all: frozenset[Use]
    keys: Mapping[tuple[str, UseKind], frozenset[str]]
    runs: frozenset[str]


def _read(root: Path) -> _Known:
    """Return the recorded uses, read again only if the file has changed, as a page needs them at every view."""
    path = root / FILE
    try:
        found = path.stat()
    except OSError:
        return _Known(frozenset(), {}, frozenset())
    return _parsed(path, (found.st_mtime_ns, found.st_size, found.st_ino))


@functools.lru_cache(maxsize=8)
def _parsed(path: Path, version: tuple[int, ...]) -> _Known:
    try:
        lines = read_bytes(path).splitlines()
    except (OSError, StoreError):
        lines = []
    uses = set()
    keys: dict[tuple[str, UseKind], set[str]] = {}
    for line in lines:
        try:
            data = parse_json(line)
            kind = data["kind"]
            if kind in get_args(UseKind):
                use = Use(str(data["fingerprint"]), kind, str(data["key"]), tuple(str(run) for run in data["runs"]))
                uses.add(use)
                keys.setdefault((use.fingerprint, use.kind), set()).add(use.key)
        except (ValueError, KeyError, TypeError):
            continue
    frozen = {place: frozenset(found) for place, found in keys.items()}
    return _Known(frozenset(uses), frozen, frozenset(run for use in uses for run in use.runs))


def _ends_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            if not file.tell():
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:
        return True
