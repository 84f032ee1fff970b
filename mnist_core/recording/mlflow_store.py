"""Runs of MLflow from its folders or its database, read without the mlflow package.

A file store is a folder of experiments, each a folder of runs (mlflow/store/tracking/file_store.py, MLflow 1 to 3):

    mlruns/EXPERIMENT/meta.yaml
    mlruns/EXPERIMENT/RUN/meta.yaml       run_id, run_name, status, lifecycle_stage, …
    mlruns/EXPERIMENT/RUN/metrics/NAME    a line for each value: time in ms, value, step
    mlruns/EXPERIMENT/RUN/params/NAME     the value
    mlruns/EXPERIMENT/RUN/tags/NAME       the value
    mlruns/EXPERIMENT/RUN/artifacts/…     files

A name may hold `/`, which is then a folder. In newer versions the default is a database, `mlflow.db`, with the same
content in the tables runs, metrics, params and tags. The artifacts stay in a folder, which is not read from there.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mnist_core.errors import DamagedFile
from mnist_core.files import open_regular, printable, read_bytes

MOST_META_BYTES = 2**16
MOST_VALUE_BYTES = 2**16
MOST_METRIC_BYTES = 16 * 2**20
MOST_DATABASE_BYTES = 256 * 2**20
MOST_RUNS = 200
MOST_NAMES = 2000
"""Metrics, parameters or tags of one run."""
MOST_VALUES = 1_000_000
"""Values of all metrics of one run."""
MOST_INSTRUCTIONS = 1_000_000_000
"""Of SQLite's machine for one database: some tens of seconds."""
STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
"""Names of the numbers in `meta.yaml`; the database has the names."""
DATASET_TAG = "mnist_core.dataset"
"""The tag with the name of the data, by which `import` finds the test images of an exported run."""
FRAMEWORK_TAG = "mnist_core.framework"
PREDICTIONS = "predictions.npz"
_SQLITE = b"SQLite format 3\x00"
_TABLES = ("runs", "metrics", "params", "tags")

MetricPoints = list[tuple[int, int, float]]
"""The values of a metric: time in ms, step, value."""


@dataclass(frozen=True, eq=False)
class MlflowRun:
    """A run as MLflow has stored it. folder: of the run; None where it comes from a database."""

    id: str
    name: str
    status: str
    metrics: dict[str, MetricPoints] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def columns(self, names: list[str]) -> dict[str, list[float | None]]:
        """Return metrics as columns of one length: one value for each step that any of them has."""
        found = {name: _by_step(self.metrics[name]) for name in names}
        steps = sorted({step for values in found.values() for step in values})
        return {name: [values.get(step) for step in steps] for name, values in found.items()}


def _by_step(values: MetricPoints) -> dict[int, float]:
    """Return the last value of each step; values that were all logged without a step are numbered in their order."""
    ordered = sorted(values, key=lambda item: (item[1], item[0]))
    if len({step for _, step, _ in ordered}) == 1:
        return {number: value for number, (_, _, value) in enumerate(ordered)}
    return {step: value for _, step, value in ordered}


def is_mlflow(path: Path) -> bool:
    """True if a path is a run, an experiment or a store of MLflow, or its database."""
    if path.is_dir():
        return any((folder / "meta.yaml").is_file() for folder in (path, *_folders(path)))
    if not path.is_file():
        return False
    with open_regular(path) as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read_mlflow(path: Path) -> list[MlflowRun]:
    """Return the runs of a store, an experiment, a run or a database that MLflow has not marked as deleted.

    Raises
    ------
    DamagedFile
        where there is none, a file is not what MLflow writes, a file is a link, or they are too many or too large.
    """
    if path.is_dir():
        found = [run for folder in _run_folders(path) if (run := _run(folder)) is not None]
    else:
        found = _database(path)
    if not found:
        raise DamagedFile(f"{printable(path.name)} has no runs of MLflow that are not deleted; give the folder of one")
    return found


def experiments(path: Path) -> dict[str, str]:
    """Return the ids of the experiments in a folder, which are those of their folders, by their names."""
    found = [(folder.name, folder / "meta.yaml") for folder in (_folders(path) if path.is_dir() else [])]
    return {str(_meta(meta).get("name", number)): number for number, meta in found if meta.is_file()}


def _folders(path: Path) -> list[Path]:
    return sorted(item for item in path.iterdir() if item.is_dir() and not item.is_symlink())


def _run_folders(path: Path) -> list[Path]:
    """Return the folders of runs in a folder: itself, those of an experiment, or of all experiments."""
    if _is_run(path):
        return [path]
    found = [
        folder for folder in (*_folders(path), *(run for item in _folders(path) for run in _folders(item)))
        if _is_run(folder)
    ]  # fmt: skip
    if len(found) > MOST_RUNS:
        raise DamagedFile(
            f"{printable(path.name)} has {len(found)} runs, and {MOST_RUNS} are read; give one experiment or run"
        )
    return found


def _is_run(folder: Path) -> bool:
    """True if a folder is a run's; those of experiments, logged models and traces have a `meta.yaml` too."""
    path = folder / "meta.yaml"
    return path.is_file() and bool(_meta(path).keys() & {"run_id", "run_uuid"})


def _meta(path: Path) -> dict[str, str]:
    """Return the facts of a `meta.yaml` that are texts. The loader makes lists, tables and texts, no other objects."""
    called = f"{printable(path.parent.name)}/meta.yaml"
    content = _content(path, MOST_META_BYTES)
    try:
        found = yaml.load(content, yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedFile(f"{called} is not YAML: {printable(reason)[:200]}") from None
    if not isinstance(found, dict):
        raise DamagedFile(f"{called} holds no table of facts")
    # a list of lists of the same lists would take gigabytes as text; no fact that is read is a list
    return {str(key): value for key, value in found.items() if isinstance(value, str)}


def _run(folder: Path) -> MlflowRun | None:
    meta = _meta(folder / "meta.yaml")
    if meta.get("lifecycle_stage") == "deleted":
        return None
    tags = dict(_texts(folder / "tags"))
    status = str(meta.get("status", ""))
    return MlflowRun(
        id=str(meta.get("run_id") or meta.get("run_uuid")),
        name=_known(meta.get("run_name")) or tags.get("mlflow.runName") or folder.name,
        status=STATUS.get(status, status),
        metrics=_metrics(folder / "metrics"),
        params=dict(_texts(folder / "params")),
        tags=tags,
        folder=folder,
    )


def _known(fact: str | None) -> str:
    """Return a fact of a `meta.yaml`; empty where it is YAML's mark of none."""
    return "" if fact in (None, "null", "~") else fact


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder and its subfolders with their names in MLflow."""
    count = 0
    for place, _, files in os.walk(folder):
        for file in sorted(files):
            count += 1
            if count > MOST_NAMES:
                raise DamagedFile(f"{printable(folder)} has more than {MOST_NAMES} files, the most that are read")
            path = Path(place, file)
            yield path.relative_to(folder).as_posix(), path


def _content(path: Path, most: int) -> bytes:
    if path.is_symlink():  # a store from a stranger could show any file of this machine by one
        raise DamagedFile(
            f"{printable(path.name)} is a link, and a store of MLflow has none; put the file itself there"
        )
    return read_bytes(path, most)


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for name, path in _named(folder):
        yield name, _content(path, MOST_VALUE_BYTES).decode("utf-8", "replace").strip()


def _metrics(folder: Path) -> dict[str, MetricPoints]:
    found: dict[str, MetricPoints] = {}
    for name, path in _named(folder):
        content = _content(path, MOST_METRIC_BYTES)
        _check_count(sum(map(len, found.values())) + content.count(b"\n"))
        lines = enumerate(content.split(b"\n"), 1)
        found[name] = [_value(name, number, line.decode("utf-8", "replace")) for number, line in lines if line.strip()]
    return {name: values for name, values in found.items() if values}


def _value(name: str, number: int, line: str) -> tuple[int, int, float]:
    """Return a line of a metric; older ones have no step, and newer ones may name a data set behind it."""
    parts = line.split()
    try:
        if len(parts) not in (2, 3, 5):
            raise ValueError
        return int(parts[0]), int(parts[2]) if len(parts) > 2 else 0, float(parts[1])
    except ValueError:
        raise DamagedFile(
            f"metric {printable(name)}, line {number}: it is {printable(line)[:80]!r}; "
            "it must be a time, a value and a step"
        ) from None


def _check_count(values: int) -> None:
    if values > MOST_VALUES:
        raise DamagedFile(f"the run has more than {MOST_VALUES:,} values of metrics, the most that are read")


# -- the database ------------------------------------------------------------------------------------------------------


def _database(path: Path) -> list[MlflowRun]:
    called = printable(path.name)
    size = path.stat().st_size
    if size > MOST_DATABASE_BYTES:
        raise DamagedFile(
            f"{called} has {size / 2**20:,.0f} MB, and {MOST_DATABASE_BYTES // 2**20} are read; give a smaller one"
        )
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return _rows(called, connection)
    except sqlite3.Error as error:
        raise DamagedFile(f"{called} is not a database of MLflow that can be read: {printable(error)}") from error


def _rows(called: str, connection: sqlite3.Connection) -> list[MlflowRun]:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    left = iter(range(MOST_INSTRUCTIONS // 1_000_000))
    connection.set_progress_handler(lambda: next(left, None) is None, 1_000_000)
    # a view or a virtual table would run what a stranger has written
    plain = {
        name for name, kind, text in connection.execute("SELECT name, type, sql FROM sqlite_master")
        if kind == "table" and not str(text).upper().startswith("CREATE VIRTUAL")
    }  # fmt: skip
    missing = [name for name in _TABLES if name not in plain]
    if missing:
        raise DamagedFile(f"{called} has no table {missing[0]}; give a database of MLflow")
    rows = connection.execute(
        "SELECT run_uuid, name, status FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time LIMIT ?",
        (MOST_RUNS + 1,),
    ).fetchall()
    if len(rows) > MOST_RUNS:
        raise DamagedFile(f"{called} has more than {MOST_RUNS} runs, the most that are read; give a smaller one")
    return [
        MlflowRun(
            id=str(run),
            name=str(name or run),
            status=str(status),
            metrics=_stored_metrics(connection, run),
            params=_stored_texts(connection, "params", run),
            tags=_stored_texts(connection, "tags", run),
        )
        for run, name, status in rows
    ]


def _stored_texts(connection: sqlite3.Connection, table: str, run: str) -> dict[str, str]:
    rows = connection.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ? LIMIT ?", (run, MOST_NAMES))
    return {str(key): str(value)[:MOST_VALUE_BYTES] for key, value in rows}


def _stored_metrics(connection: sqlite3.Connection, run: str) -> dict[str, MetricPoints]:
    found: dict[str, MetricPoints] = {}
    rows = connection.execute(
        "SELECT key, timestamp, step, value, is_nan FROM metrics WHERE run_uuid = ? LIMIT ?", (run, MOST_VALUES + 1)
    )
    for number, (key, time, step, value, is_nan) in enumerate(rows, 1):
        _check_count(number)
        try:
            found.setdefault(str(key), []).append((int(time), int(step), math.nan if is_nan else float(value)))
        except (TypeError, ValueError):
            raise DamagedFile(
                f"metric {printable(key)[:80]} holds {printable(value)[:80]!r}; it must be a number"
            ) from None
    return found
