"""Every place where content from outside is read, each with a valid sample of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mnist_core.data.datasets import Catalog
from mnist_core.data.drawings import decoded, encoded, pad_of
from mnist_core.data.kept_digits import keep, kept_digits
from mnist_core.experiments.configs import parse_config
from mnist_core.experiments.grids import parse_spec, read_table
from mnist_core.experiments.links import apply
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import values_of
from mnist_core.experiments.spaces import search_spec
from mnist_core.files import parse_json
from mnist_core.inspection.incoming import import_file
from mnist_core.inspection.network_file import record_network
from mnist_core.lessons.reading import SHIPPED, read_lesson
from mnist_core.recording.event_files import write_events
from mnist_core.recording.exporting import as_bytes
from mnist_core.recording.importing import read_all
from mnist_core.recording.mlflow_files import write_mlflow
from mnist_core.recording.run_archive import pack
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.filters import EXAMPLE, parse
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.containers import Spoiler, in_events, in_png, in_zip, spoiled
from tests.support.outside import HISTORY, MLFLOW_SCHEMA

GRID = """
name = "widths"
base = "notebook/model_1"
[grid]
"stack.units" = [16, 32]
"stack.dropout" = [0.0, 0.2]
"""
SPACE = """
base = "notebook/model_1"
sampler = "random"
trials = 3
[fixed]
"training.validation" = {source = "held_out", fraction = 0.2}
[space]
"stack.units" = {low = 16, high = 64}
"training.learning_rate" = {low = 1e-4, high = 1e-2, log = true}
"""
KERAS_LOG = "epoch,loss,accuracy,val_loss,val_accuracy\n0,0.5,0.8,0.4,0.9\n1,0.3,0.9,0.35,0.91\n"
TRACKIO = "run,step,loss,val_loss\na,0,0.5,0.6\na,1,0.4,0.5\nb,0,0.3,0.4\n"
LINK = {"layers": "dense-64-0.2,dense-32", "learning_rate": "0.01", "epochs": "5", "units": "64", "dropout": "0.5"}


@dataclass(frozen=True)
class Parser:
    """One place that reads.

    read: takes content and an empty folder, and returns what it has found there: of the sample, something. It may raise
    the project's own errors only. spoil: puts faults into the sample.
    """

    name: str
    sample: bytes
    read: Callable[[bytes, Path], object]
    spoil: Spoiler = spoiled


def is_something(found: object) -> bool:
    """True if what a parser has found is not nothing: None, or an empty list, text or array."""
    return found is not None and (len(found) > 0 if isinstance(found, Sized) else True)


_INSIDE: dict[str, Spoiler] = {
    "predictions (npz)": in_zip,
    "event file": in_events,
    "archive of runs (zip)": in_zip,
    "network (.keras)": in_zip,
    "data set (npz)": in_zip,
    "picture (PNG)": in_png,
    "run: predictions.npz": in_zip,
}
"""The containers, whose checksums keep faults out, and how one is put inside."""


def parsers(store: Store, run: Run, folder: Path) -> list[Parser]:
    """Return all of them. run: a finished one of the store, with weights. folder: for what is made on the way."""
    events, archive, pad = folder / "events", folder / "runs.zip", np.zeros((112, 112), np.uint8)
    write_events([run], events)
    pack([run], archive)
    pad[30:80, 50:60] = 255
    data = store.catalog.load(run.dataset)
    np.savez_compressed(
        folder / "data.npz",
        x_train=data.x_train[:40],
        y_train=data.y_train[:40],
        x_test=data.x_test[:20],
        y_test=data.y_test[:20],
    )
    kept = keep(folder / "kept", data.x_test[0], 3)
    digit = next((folder / "kept").iterdir()).read_bytes()
    assert kept.label == 3
    model = run.model_file
    assert model is not None
    write_mlflow([run], folder / "mlruns", lambda _: {})
    meta = next(folder.glob("mlruns/*/*/meta.yaml"))
    metric = meta.parent / "metrics" / "loss"
    room = Classroom(folder)
    room.join(room.code, "Ada")
    registry = json.dumps({"mine": str(folder / "data.npz")})
    found = [
        Parser("configuration (JSON)", json.dumps(run.config.model_dump(mode="json")).encode(), _configuration),
        Parser("grid (TOML)", GRID.encode(), _file("grid.toml", _grid)),
        Parser("space (TOML)", SPACE.encode(), _file("space.toml", search_spec)),
        Parser("predictions (npz)", as_bytes(run, ".npz"), _file("p.npz", lambda path: read_all(Path(path)))),
        Parser("predictions (CSV)", as_bytes(run, ".csv"), _file("p.csv", lambda path: read_all(Path(path)))),
        Parser("CSVLogger (CSV)", KERAS_LOG.encode(), _file("log.csv", lambda path: read_all(Path(path)))),
        Parser("Trackio (CSV)", TRACKIO.encode(), _file("trackio.csv", lambda path: read_all(Path(path)))),
        Parser("History.history (JSON)", json.dumps({"loss": [0.5, 0.4], "val_loss": [0.6, 0.5]}).encode(),
               _file("history.json", lambda path: read_all(Path(path)))),
        Parser("event file", next(events.rglob("events*")).read_bytes(),
               _file("events.out.tfevents.1", lambda path: read_all(Path(path)))),
        Parser("archive of runs (zip)", archive.read_bytes(), _archive),
        Parser("network (.keras)", model.read_bytes(), _network),
        Parser("data set (npz)", (folder / "data.npz").read_bytes(), _dataset),
        Parser("picture (PNG)", _png(), lambda content, _: pad_of(content)),
        Parser("drawing (base64)", encoded(pad).encode(), lambda content, _: decoded(content.decode("latin-1"))),
        Parser("kept digit (JSON)", digit, _kept(f"{kept.id}.json")),
        Parser("filter", EXAMPLE.encode(), lambda content, _: parse(content.decode("latin-1"))),
        Parser("MLflow: meta.yaml", meta.read_bytes(), _mlflow(meta.parent, "meta.yaml")),
        Parser("MLflow: a metric", metric.read_bytes(), _mlflow(meta.parent, "metrics/loss")),
        Parser("MLflow: database", _mlflow_database(folder / "mlflow.db"),
               _file("mlflow.db", lambda path: read_all(Path(path)))),
        Parser("lesson (TOML)", next(SHIPPED.glob("2-*.toml")).read_bytes(),
               _file("lesson.toml", lambda path: read_lesson(Path(path)))),
        Parser("class.json", (folder / "class" / "class.json").read_bytes(), _class),
        Parser("datasets.json", registry.encode(), _registry),
        Parser("link of the Train form", json.dumps(LINK).encode(), _link),
    ]  # fmt: skip
    stored = ("config.json", "status.json", "meta.json", "history.jsonl", "predictions.npz")
    found += [Parser(f"run: {name}", (run.path / name).read_bytes(), _stored(run, name)) for name in stored]
    known = {parser.name: parser for parser in found}
    return found + [replace(known[name], name=f"{name}, inside", spoil=spoil) for name, spoil in _INSIDE.items()]


def _file(name: str, read: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    def written(content: bytes, folder: Path) -> object:
        (folder / name).write_bytes(content)
        return read(str(folder / name))

    return written


def _grid(path: str) -> object:
    return parse_spec(read_table(path, "sweep", ()))


def _configuration(content: bytes, folder: Path) -> object:
    """Raise only what `parse_json` and `parse_config` promise: ValueError for what is no JSON, else ConfigError."""
    try:
        data = parse_json(content)
    except ValueError:
        return None
    return parse_config(data) if isinstance(data, dict) else None


def _archive(content: bytes, folder: Path) -> object:
    (folder / "runs.zip").write_bytes(content)
    return import_file(folder / "runs.zip", store=Store(folder / "artifacts"))


def _network(content: bytes, folder: Path) -> object:
    (folder / "net.keras").write_bytes(content)
    return record_network("net", folder / "net.keras", dataset="digits", store=Store(folder / "artifacts"))


def _dataset(content: bytes, folder: Path) -> object:
    (folder / "data.npz").write_bytes(content)
    return Catalog(folder).register("mine", folder / "data.npz")


def _mlflow(run: Path, name: str) -> Callable[[bytes, Path], object]:
    """Return a reader of a run of MLflow in which one file is spoiled."""

    def read(content: bytes, folder: Path) -> object:
        shutil.copytree(run, folder / run.name)
        (folder / run.name / name).write_bytes(content)
        return read_all(folder / run.name)

    return read


def _mlflow_database(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(MLFLOW_SCHEMA)
        connection.execute("INSERT INTO runs VALUES ('a', 'net', 'LOCAL', 'FINISHED', 1, 2, 'active', '/a', 1)")
        rows = [(name, value, step, step) for name, values in HISTORY.items() for step, value in enumerate(values)]
        connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, 'a', ?, 0)", rows)
        connection.execute("INSERT INTO params VALUES ('units', '64', 'a')")
    return path.read_bytes()


def _class(content: bytes, folder: Path) -> object:
    (folder / "class").mkdir()
    (folder / "class" / "class.json").write_bytes(content)
    room = Classroom(folder)
    assert room.code
    room.person("a token")
    return [*room.members, *room.pinned]


def _registry(content: bytes, folder: Path) -> object:
    (folder / "datasets.json").write_bytes(content)
    catalog = Catalog(folder)
    for name in catalog.names():
        catalog.describe(name)
        catalog.available(name)
        catalog.version(name)
    catalog.problem()
    return [name for name in catalog.names() if name == "mine"]


def _kept(name: str) -> Callable[[bytes, Path], object]:
    def read(content: bytes, folder: Path) -> object:
        (folder / "drawings").mkdir()
        (folder / "drawings" / name).write_bytes(content)
        return kept_digits(folder / "drawings").digits

    return read


def _link(content: bytes, folder: Path) -> object:
    try:
        link = parse_json(content)
    except ValueError:
        link = {"layers": content.decode("latin-1"), "learning_rate": content.decode("latin-1")[:40]}
    texts = {str(key): str(value) for key, value in link.items()} if isinstance(link, dict) else {"layers": str(link)}
    return apply(values_of(PRESETS["notebook/model_1"].config), texts)


def _stored(run: Run, name: str) -> Callable[[bytes, Path], object]:
    """Return a reader of a store in which one file of one run is spoiled: the list of runs, and all of that run."""

    def read(content: bytes, folder: Path) -> object:
        root = folder / "artifacts"
        shutil.copytree(run.path, root / "runs" / run.id)
        (root / "runs" / run.id / name).write_bytes(content)
        found = next((item for item in Store(root).scan()[0] if item.id == run.id), None)
        if found is None:
            return None
        rows, predictions = found.rows(), found.predictions()
        found.test_scores()
        return {"history.jsonl": rows, "predictions.npz": predictions}.get(name, found)

    return read


def _png() -> bytes:
    from io import BytesIO

    from PIL import Image

    picture = np.full((60, 60), 250, np.uint8)
    picture[10:50, 28:34] = 10
    made = BytesIO()
    Image.fromarray(picture).save(made, "PNG")
    return made.getvalue()


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Yield the folder, made anew and empty, and remove it afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
