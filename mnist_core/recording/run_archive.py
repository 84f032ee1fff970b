"""Chosen runs in one zip file, to be taken to another store.

    archive.json                 {"format": 1, "runs": {<id>: {<file>: {"bytes": …, "sha256": …}}}}
    runs/<id>/<file>             as in the store

An archive may come from a stranger. Its names are compared with a list before anything is unpacked, then sizes and
checksums against `archive.json`, and each run is read as the store reads it before it takes its place. Nothing in it is
executed; weights are read as numbers (see `keras_file`).
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

from mnist_core.errors import ConfigError, DamagedFile, StoreError
from mnist_core.experiments.frozen import Frozen, explain
from mnist_core.files import open_regular, parse_json, printable, read_bytes, replacing
from mnist_core.runs.keras_file import read_network, read_weights
from mnist_core.runs.records import OTHER_PREDICTIONS, SCORES
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

MANIFEST = "archive.json"
MOST_RUNS = 1000
MOST_BYTES = 2**30
"""The most that the files of an archive may take together, unpacked."""
MOST_FILE_BYTES = 256 * 2**20
MOST_MANIFEST_BYTES = 8 * 2**20
_FILES = ("config.json", "meta.json", "status.json", "history.jsonl", "environment.json", SCORES, "predictions.npz")
_FILE = re.compile("|".join([*map(re.escape, (*_FILES, "model.keras")), OTHER_PREDICTIONS]))
_ID = r"^[0-9a-f]{12}$"
_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every member, so that the same runs give the same archive."""


class _Sum(Frozen):
    bytes: int = Field(ge=0, le=MOST_FILE_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Manifest(Frozen):
    format: Literal[1]
    runs: dict[Annotated[str, Field(pattern=_ID)], dict[str, _Sum]] = Field(min_length=1, max_length=MOST_RUNS)


class Arrived(NamedTuple):
    """A run of an archive in the store. new: False where the store had it already, which is left as it was."""

    run: Run
    new: bool


def pack(runs: Sequence[Run], path: Path) -> None:
    """Write runs that have ended into one zip file; the same runs give the same bytes.

    Raises
    ------
    StoreError
        where a run has not ended.
    WriteError
        where the file cannot be written.
    """
    sums: dict[str, dict[str, dict[str, object]]] = {}
    chosen = sorted({run.id: run for run in runs}.values(), key=lambda run: run.id)
    for run in chosen:
        if not run.ended:
            raise StoreError(f"run {run.name} is {run.state}; only runs that have ended can be taken away")
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for run in chosen:
            sums[run.id] = {}
            for name in sorted(item.name for item in run.path.iterdir() if _FILE.fullmatch(item.name)):
                content = read_bytes(run.path / name, MOST_FILE_BYTES)
                sums[run.id][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                archive.writestr(_member(f"runs/{run.id}/{name}"), content)
        archive.writestr(_member(MANIFEST), json.dumps({"format": 1, "runs": sums}, indent=1).encode())


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    return member


def unpack(path: Path, store: Store) -> list[Arrived]:
    """Bring the runs of an archive into a store; a run that is there already stays as it is.

    All names, sizes and checksums are compared before the first run is placed.

    Raises
    ------
    DamagedFile
        where the file is no such archive, is damaged or too large, or holds what does not belong there.
    StoreError
        where a run in it is damaged; those before it are in the store.
    WriteError
        where the store cannot be written.
    """
    called = printable(path.name)
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = _checked_names(archive)
            found = _manifest(archive, members)
            for run_id, files in found.runs.items():
                _contents(archive, run_id, files)  # compares the checksums
            return [_place(store, run_id, _contents(archive, run_id, files)) for run_id, files in found.runs.items()]
    except StoreError:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds
        raise DamagedFile(f"{called} is not an archive of runs that can be used: {printable(error)}") from error


def _checked_names(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name; raise ValueError where one does not belong there, or all are too large."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = printable(member.filename)[:120]
        parts = member.filename.split("/")
        of_run = len(parts) == 3 and parts[0] == "runs" and re.fullmatch(_ID, parts[1]) and _FILE.fullmatch(parts[2])
        if member.filename != MANIFEST and not of_run:
            raise ValueError(f"it holds {name!r}; there may be {MANIFEST} and runs/ID/FILE with the files of a run")
        if member.filename in found:
            raise ValueError(f"it holds {name} twice")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise ValueError(f"{name} is encrypted, or compressed in a way that is not read")
        if member.external_attr >> 16 and (member.external_attr >> 28) not in (0, 0o10):
            raise ValueError(f"{name} is a link or a device; there may be files only")
        found[member.filename] = member
    total = sum(member.file_size for member in found.values())
    if total > MOST_BYTES:
        raise ValueError(f"it would take {total / 2**20:,.0f} MB, and at most {MOST_BYTES // 2**20:,} MB are read")
    return found


def _manifest(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> _Manifest:
    """Return what the archive says that it holds; raise ValueError where it holds anything else."""
    if MANIFEST not in members:
        raise ValueError(f"it has no {MANIFEST}")
    if members[MANIFEST].file_size > MOST_MANIFEST_BYTES:
        raise ValueError(f"{MANIFEST} is longer than {MOST_MANIFEST_BYTES // 2**20} MB")
    try:
        found = _Manifest.model_validate(parse_json(_read(archive, MANIFEST, members[MANIFEST].file_size)))
    except ValidationError as error:
        raise ValueError(f"{MANIFEST}: {explain(error)}") from None
    listed = {
        f"runs/{run_id}/{name}": item.bytes for run_id, files in found.runs.items() for name, item in files.items()
    }
    there = {name: member.file_size for name, member in members.items() if name != MANIFEST}
    different = sorted(set(listed.items()) ^ set(there.items()))
    if different:
        raise ValueError(f"{printable(different[0][0])[:120]} is not there as {MANIFEST} lists it")
    return found


def _contents(archive: zipfile.ZipFile, run_id: str, files: dict[str, _Sum]) -> dict[str, bytes]:
    """Return the files of a run; raise ValueError where a checksum does not fit."""
    found = {}
    for name, expected in files.items():
        place = f"runs/{run_id}/{name}"
        found[name] = _read(archive, place, expected.bytes)
        if hashlib.sha256(found[name]).hexdigest() != expected.sha256:
            raise ValueError(f"the checksum of {place} does not fit; it was changed or damaged on the way")
    return found


def _read(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Return a member; no more than `size` bytes are unpacked, whatever it says of itself."""
    with archive.open(name) as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise ValueError(f"{name} has another size than it says")
    return content


def _place(store: Store, run_id: str, files: dict[str, bytes]) -> Arrived:
    return Arrived(*store.adopt(run_id, files, check_weights))


def check_weights(run: Run, weights: Path | None = None) -> None:
    """Raise StoreError unless weights are those of the run's configuration, in a file that does no harm.

    weights: where they are; default: those that the run keeps, if any.
    """
    path = weights or run.model_file
    if path is None:
        return
    try:
        if run.recorded:
            raise ConfigError("a run from outside keeps no weights")
        shapes, expected = (
            [(row.kind, row.output_shape, row.parameters) for row in model.layer_table() if row.parameters]
            for model in (read_network(path), run.config.model)
        )
        if shapes != expected:
            raise ConfigError(f"its layers are not those of {run.config.model.summary()}")
        read_weights(run.config.model, path)
    except (ConfigError, DamagedFile) as error:
        raise StoreError(f"model.keras of run {run.id} is refused: {error}") from None
