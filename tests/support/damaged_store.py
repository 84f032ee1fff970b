"""A store with every kind of damage at once, and two healthy runs; nothing here was trained."""

from __future__ import annotations

import functools
import io
import json
import os
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.experiments.grids import parse_spec
from mnist_core.experiments.spaces import parse_search
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies import searches, sweeps
from tests.support.synthetic import FINGERPRINT, config, epoch_row, guesses

HEALTHY = ("healthy one", "healthy two")

UNITS = 16
"""Of the first healthy run, whose recipe has more seeds, with damaged scores."""

DAMAGED_COLOURS = '{"a": null, "b": [], "c": -1, "d": 1e9, "e": "red"}'

TEXTS: dict[str, bytes] = {
    "empty": b"",
    "torn": b'{"state": "fin',
    "null": b"null\n",
    "a list": b"[1, 2]\n",
    "a number": b"17\n",
    "wrong types": b'{"state": [], "name": 5, "host": 1, "pid": "x", "epoch": "nan", "loss": {}, "kept_epoch": 0}\n',
    "deep": b"[" * 100_000 + b"\n",
    "huge whole number": b'{"epoch": ' + b"7" * 400 + b', "pid": ' + b"7" * 400 + b"}\n",
    "endless whole number": b"7" * 5000 + b"\n",
    "huge number": b'{"created_at": 1e400, "epoch": 1, "loss": 1e999}\n',
    "NaN": b'{"loss": NaN, "created_at": Infinity}\n',
    "invalid UTF-8": b'{"name": "\xff\xfe"}\n',
    "half a surrogate pair": b'{"name": "\\ud800"}\n',
}
"""JSON files that are none, or hold something else than they must."""


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


OTHER_KINDS = (folder, pipe, link_to_itself, device)
"""What is no file; opening the pipe would wait for ever, and reading the device would never end."""


# -- predictions -------------------------------------------------------------------------------------------------------


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _with_header(text: str, data: bytes = b"") -> bytes:
    header = text.encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def _compressed_by(method: int, content: bytes) -> bytes:
    """The same archive with another compression method written into its directory."""
    changed, place = bytearray(content), 0
    while (place := content.find(b"PK\x01\x02", place)) >= 0:
        changed[place + 10] = method
        place += 4
    return bytes(changed)


@functools.cache
def zip_bomb() -> bytes:
    """Half a megabyte that unpacks to 512 MB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        shape = (512 * 2**20 // 40, 10)
        with archive.open("probabilities.npy", "w") as member:
            member.write(_with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"))
            for _ in range(32):
                member.write(bytes(16 * 2**20))
    return file.getvalue()


@functools.cache
def wrong_predictions() -> dict[str, bytes]:
    """Files of predictions by what is wrong with them."""
    good = guesses(20)
    labels, probabilities = good.labels, good.probabilities
    odd = probabilities.copy()
    odd[3, 4] = np.nan
    negative = probabilities.copy()
    negative[3, :2] = -0.5, probabilities[3, 0] + probabilities[3, 1] + 0.5
    both = {"labels": labels, "probabilities": probabilities}
    whole = _npz(**both)
    record = np.zeros(len(labels), [("a", "<f4"), ("b", "<f4")])
    return {
        "rubbish": b"rubbish",
        "empty": b"",
        "torn": whole[: len(whole) // 2],
        "one bit flipped": whole[:400] + bytes([whole[400] ^ 1]) + whole[401:],
        "one dimension": _npz(labels=labels, probabilities=probabilities[:, 0]),
        "structured": _npz(labels=labels, probabilities=record),
        "nine classes": _npz(labels=labels, probabilities=probabilities[:, :9]),
        "label 255": _npz(labels=np.full_like(labels, 255), probabilities=probabilities),
        "label 10": _npz(labels=np.full_like(labels, 10), probabilities=probabilities),
        "too few labels": _npz(labels=labels[:-1], probabilities=probabilities),
        "labels of two dimensions": _npz(labels=labels[:, None], probabilities=probabilities),
        "labels as int64": _npz(labels=labels.astype(np.int64), probabilities=probabilities),
        "text": _npz(labels=labels, probabilities=np.full(probabilities.shape, "0.1")),
        "no images": _npz(labels=labels[:0], probabilities=probabilities[:0]),
        "NaN": _npz(labels=labels, probabilities=odd),
        "infinite": _npz(labels=labels, probabilities=np.full_like(probabilities, np.inf)),
        "complex": _npz(labels=labels, probabilities=probabilities.astype(complex)),
        "whole numbers": _npz(labels=labels, probabilities=np.eye(10, dtype=np.int64)[labels]),
        "float64": _npz(labels=labels, probabilities=probabilities.astype(float)),
        "negative": _npz(labels=labels, probabilities=negative),
        "not adding up": _npz(labels=labels, probabilities=probabilities / 2),
        "no labels": _npz(probabilities=probabilities),
        "no probabilities": _npz(labels=labels),
        "another array": _npz(**both, extra=labels),
        "half a validation part": _npz(**both, val_labels=labels),
        "validation of another size": _npz(**both, val_labels=labels, val_probabilities=probabilities[1:]),
        "pickled": _zip({"labels.npy": _npy(np.array([{}], object)), "probabilities.npy": _npy(probabilities)}),
        "twice the same array": _twice(_npy(labels), _npy(probabilities)),
        "a header that is no Python": _zip({"labels.npy": _with_header("{'descr': (((((\n")}),
        "a header with a negative shape": _zip(
            {"labels.npy": _with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }\n")}
        ),
        "a header with a huge shape": _zip(
            {"labels.npy": _with_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**30},), }}\n")}
        ),
        "LZMA": _zip({"labels.npy": _npy(labels), "probabilities.npy": _npy(probabilities)}, zipfile.ZIP_LZMA),
        "unknown compression": _compressed_by(99, whole),
        "a zip bomb": zip_bomb(),
    }


def _twice(labels: bytes, probabilities: bytes) -> bytes:
    names = {"labels.npy": labels, "probabilities.npy": probabilities, "labelz.npy": labels}
    return _zip(names, zipfile.ZIP_STORED).replace(b"labelz.npy", b"labels.npy")


# -- the store ---------------------------------------------------------------------------------------------------------


@dataclass
class DamagedStore:
    """What is in the store.

    healthy: ids of the healthy runs. unreadable: folder names of those that no list may show, with the name of the
    damaged file where there is one. unpredictable: ids of runs, by what is wrong, that are listed but whose predictions
    or scores are damaged. harmless: ids of runs whose damage costs nothing that matters.
    """

    store: Store
    healthy: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    unpredictable: dict[str, str] = field(default_factory=dict)
    harmless: list[str] = field(default_factory=list)
    seed: int = 100

    def run(self, name: str, errors: int | None = 20, units: int | None = None) -> Run:
        """One more finished run, each of another seed, and of another recipe where no units are given."""
        self.seed += 1
        found, _ = self.store.add(config((units or self.seed,), seed=self.seed), name=name, fingerprint=FINGERPRINT)
        writer = self.store.open_writer(found.id)
        assert writer is not None
        writer.started([epoch_row(epoch) for epoch in range(1, 7)])
        if errors is not None:
            writer.predictions(guesses(errors, seed=self.seed))
        writer.ended("finished", "all epochs done", best_epoch=4, kept_epoch=6)
        return self.store.get(found.id)

    def running(self, name: str) -> Run:
        """One more run whose status says that it is being trained."""
        found = self.run(name)
        path = found.path / "status.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "running"}))
        return found


def build(root: Path) -> DamagedStore:
    """Make the store at `root`."""
    made = DamagedStore(Store(root))
    made.healthy = [made.run(HEALTHY[0], 20, UNITS).id, made.run(HEALTHY[1], 40).id]
    _damage_runs(made)
    _damage_what_is_in_them(made)
    damage_folders(made)
    _damage_lists(made)
    return made


def _damage_runs(made: DamagedStore) -> None:
    for file in ("config.json", "meta.json", "status.json", "history.jsonl"):
        for kind, content in TEXTS.items():
            if file == "history.jsonl" and kind in ("empty", "torn"):
                continue  # no epoch is finished, and a torn last line is dropped
            run = made.run(f"{file}, {kind}")
            (run.path / file).write_bytes(content)
            made.unreadable[run.id] = file
        for make in OTHER_KINDS:
            run = made.run(f"{file}, {make.__name__}")
            _replaced(run.path / file, make)
            made.unreadable[run.id] = file
    odd = made.run("an epoch left out")
    rows = (odd.path / "history.jsonl").read_text().splitlines(keepends=True)
    (odd.path / "history.jsonl").write_text("".join(rows[:2] + rows[3:]))
    made.unreadable[odd.id] = "history.jsonl"


def _replaced(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink()
    make(path)


def _damage_what_is_in_them(made: DamagedStore) -> None:
    for kind, content in wrong_predictions().items():
        run = made.run(f"predictions, {kind}")
        (run.path / "predictions.npz").write_bytes(content)
        made.unpredictable[f"predictions, {kind}"] = run.id
    for make in OTHER_KINDS:
        run = made.run(f"predictions, {make.__name__}")
        _replaced(run.path / "predictions.npz", make)
        made.unpredictable[f"predictions, {make.__name__}"] = run.id
    for kind, content in TEXTS.items():
        run = made.run(f"scores, {kind}", errors=None, units=UNITS)
        (run.path / "scores.json").write_bytes(content)
        made.unpredictable[f"scores, {kind}"] = run.id
    for kind, content in TEXTS.items():
        run = made.running(f"small files, {kind}")
        for file in ("lease-1.json", "progress.json", "pause.json", "environment.json", "latency.json",
                     "latency.request", "attempts.jsonl", "checkpoint.npz"):  # fmt: skip
            (run.path / file).write_bytes(content)
        os.utime(run.path / "lease-1.json", (0, 0))
        made.harmless.append(run.id)
    for pid in (-1, 2**31, 10**18):
        run = made.running(f"lease of process {pid}")
        holder = {"host": socket.gethostname(), "pid": pid, "process_started": 1.0}
        (run.path / "lease-1.json").write_text(json.dumps(holder))
        os.utime(run.path / "lease-1.json", (0, 0))
        made.harmless.append(run.id)


def damage_folders(made: DamagedStore) -> None:
    """Put folders that are no runs, and what is no folder at all, where runs are, and two such into the trash."""
    runs = made.store.root / "runs"
    os.mkdir(os.fsencode(runs) + b"/\xff\xfeodd")
    (runs / "holiday-photos").mkdir()
    (runs / "`code` [x] <b>").mkdir()
    (runs / "notes.txt").touch()
    (runs / "aaaaaaaaaaa1").mkdir()
    (runs / "aaaaaaaaaaa2").write_text("a file in place of a folder")
    for number, make in enumerate((link_to_nothing, link_to_itself, pipe, device), start=3):
        make(runs / f"aaaaaaaaaaa{number}")
    (runs / "aaaaaaaaaaa7").symlink_to("/")
    made.unreadable |= {f"aaaaaaaaaaa{number}": "" for number in range(1, 8)}
    made.unreadable |= {"\\udcff\\udcfeodd": "", "holiday-photos": "", "`code` [x] <b>": ""}
    trash = made.store.root / "trash"
    (trash / "aaaaaaaaaaa1").mkdir()
    (trash / "aaaaaaaaaaa2").symlink_to("/")


def _damage_lists(made: DamagedStore) -> None:
    root = made.store.root
    digits = {"dataset.name": "digits", "training.epochs": 1}
    grid = {"training.learning_rate": [0.001, 0.01]}
    found, _ = sweeps.make(
        made.store, parse_spec({"name": "healthy sweep", "base": "notebook/model_1", "fixed": digits, "grid": grid})
    )
    plain = found.model_dump(mode="json")
    plain["points"][0]["run"], plain["points"][1]["run"] = made.healthy[0], next(iter(made.unreadable))
    (root / "sweeps").mkdir(exist_ok=True)
    _write(root / "sweeps" / f"{found.id}.json", plain)
    for number, content in enumerate(TEXTS.values()):
        (root / "sweeps" / f"bbbbbbbbbb{number:02}.json").write_bytes(content)
    for number, make in enumerate((*OTHER_KINDS, link_to_nothing), start=20):
        make(root / "sweeps" / f"bbbbbbbbbb{number}.json")
    parts: tuple[dict[str, Any], ...] = ({}, {"points": []}, {"created_at": 1e300}, {"spec": []})
    for number, change in enumerate(parts, start=30):
        _write(root / "sweeps" / f"bbbbbbbbbb{number}.json", plain | {"id": f"bbbbbbbbbb{number}"} | change)
    _write(root / "sweeps" / "bbbbbbbbbb30.json", plain)  # another one's id
    odd = [{"values": {"x": number}, "run": "0"} for number in range(2)] + [{"values": {"y": 1}, "run": "0"}]
    _write(root / "sweeps" / "bbbbbbbbbb40.json", plain | {"id": "bbbbbbbbbb40", "points": odd})
    Path(os.fsdecode(os.fsencode(root / "sweeps") + b"/\xff.json")).write_bytes(b"[")

    space = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    held_out = digits | {"training.validation": {"source": "held_out", "fraction": 0.2}}
    spec = parse_search({"name": "healthy search", "base": "notebook/model_1", "fixed": held_out, "space": space})
    search = searches.add(made.store, spec).model_dump(mode="json")
    for number, content in enumerate(TEXTS.values()):
        (root / "searches" / f"cccccccccc{number:02}").mkdir()
        (root / "searches" / f"cccccccccc{number:02}" / "search.json").write_bytes(content)
        (root / "searches" / search["id"] / f"lease-{number}.json").write_bytes(content)
    for number, make in enumerate(OTHER_KINDS, start=20):
        (root / "searches" / f"cccccccccc{number}").mkdir()
        make(root / "searches" / f"cccccccccc{number}" / "search.json")
    trial = {"number": 0, "values": {"training.learning_rate": 0.001}, "run": made.healthy[0]}
    changes: list[dict[str, Any]] = [
        {"trials": [trial | {"values": {}}]},
        {"trials": [trial | {"values": {"training.learning_rate": 5}}]},
        {"trials": [trial | {"values": {"training.learning_rate": []}}]},
        {"trials": [trial | {"number": 7}]},
        {"spec": search["spec"] | {"base": "nobody/knows"}},
        {"spec": search["spec"] | {"space": {"training.learning_rate": []}}},
        {"spec": search["spec"] | {"hyperband": {"min_epochs": 10**18}}},
    ]
    for number, change in enumerate(changes, start=30):
        (root / "searches" / f"cccccccccc{number}").mkdir()
        _write(
            root / "searches" / f"cccccccccc{number}" / "search.json", search | {"id": f"cccccccccc{number}"} | change
        )
    (root / "searches" / "a file").touch()

    (root / "colours.json").write_text(DAMAGED_COLOURS)
    (root / "datasets.json").write_text('{"mine": null}')
    (root / "service.json").write_text('{"address": 1, "pid": -5, "process_started": "x"}')


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data))
