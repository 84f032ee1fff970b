"""Runs as a file store of MLflow, written without the mlflow package; `mlflow_store` reads it and has the layout."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mnist_core.constants import __version__
from mnist_core.errors import StoreError
from mnist_core.experiments.fields import flatten
from mnist_core.files import make_folder, replacing
from mnist_core.recording.mlflow_store import DATASET_TAG, FRAMEWORK_TAG, STATUS, experiments
from mnist_core.runs.records import HISTORY_COLUMNS
from mnist_core.runs.run import Run
from mnist_core.runs.states import RunState

MOST_TEXT = 5000
"""Characters of a parameter or a tag that MLflow takes, and some to spare."""
STATES: dict[RunState, str] = {
    "queued": "SCHEDULED", "running": "RUNNING", "finished": "FINISHED", "cancelled": "KILLED",
    "diverged": "FAILED", "failed": "FAILED", "interrupted": "KILLED", "paused": "KILLED",
}  # fmt: skip
"""What MLflow calls our states; it knows no pause."""
_NUMBERS = {name: int(number) for number, name in STATUS.items()}

Artifacts = Callable[[Run], Mapping[str, bytes]]
"""A function that returns the files that belong to a run, by their names."""


def write_mlflow(runs: Sequence[Run], folder: Path, artifacts: Artifacts) -> None:
    """Write runs into a file store of MLflow, which may have others already: an experiment for each data set.

    Parameters
    ----------
    runs
        each has its configuration as parameters, its history as metrics (a step an epoch, from 0, as Keras counts
        them), its figures on the test images as the metrics test_loss and test_accuracy, and files as artifacts.
    folder
        what `mlflow ui --backend-store-uri` takes.
    artifacts
        returns the files that belong to a run.

    Raises
    ------
    StoreError
        where a run has neither a history nor predictions.
    WriteError
        where a file cannot be written.
    """
    found = [(run, _metrics(run)) for run in runs]
    for run, metrics in found:
        if not metrics and not artifacts(run):
            raise StoreError(f"run {run.name} has no history and no predictions, so that there is nothing for MLflow")
    there = experiments(folder)
    for run, metrics in found:
        files = artifacts(run)  # of one run at a time, as they may be large
        experiment = there.get(run.dataset)
        if experiment is None:
            experiment = there[run.dataset] = str(int(hashlib.sha256(run.dataset.encode()).hexdigest()[:14], 16))
            _write_meta(folder / experiment, _experiment(folder / experiment, experiment, run))
        _write_run(run, folder / experiment / run.id, experiment, metrics, files)


def _write_run(
    run: Run, own: Path, experiment: str, metrics: Mapping[str, Sequence[str]], files: Mapping[str, bytes]
) -> None:
    for name, lines in metrics.items():
        _write(own / "metrics" / name, "".join(f"{line}\n" for line in lines).encode())
    for part, texts in (("params", _params(run)), ("tags", _tags(run))):
        for name, text in texts.items():
            _write(own / part / name, text[:MOST_TEXT].encode())
    make_folder(own / "artifacts")
    for name, content in files.items():
        _write(own / "artifacts" / name, content)
    began, ended = run.status.started_at or run.status.created_at, run.status.ended_at
    _write_meta(
        own,
        {
            "artifact_uri": (own / "artifacts").resolve().as_uri(),
            "end_time": None if ended is None else _ms(ended),
            "entry_point_name": "",
            "experiment_id": experiment,
            "lifecycle_stage": "active",
            "run_id": run.id,
            "run_name": run.name,
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "start_time": _ms(began),
            "status": _NUMBERS[STATES[run.state]],
            "tags": [],
            "user_id": "",
        },
    )


def _experiment(folder: Path, experiment: str, run: Run) -> dict[str, Any]:
    now = _ms(run.status.created_at)
    return {
        "artifact_location": folder.resolve().as_uri(),
        "creation_time": now,
        "experiment_id": experiment,
        "last_update_time": now,
        "lifecycle_stage": "active",
        "name": run.dataset,
    }


def _metrics(run: Run) -> dict[str, list[str]]:
    """Return the lines of each metric: time in ms, value, step. A value that is not known has none."""
    at = run.status.started_at or run.status.created_at
    found: dict[str, list[str]] = {}
    for row in run.rows():
        at += row.seconds if math.isfinite(row.seconds) else 0.0
        for name in HISTORY_COLUMNS:
            value = getattr(row, name)
            if name != "epoch" and not math.isnan(value):
                found.setdefault(name, []).append(f"{_ms(at)} {value} {row.epoch - 1}")
    scores = run.test_scores()
    if scores is not None:
        step = (run.status.kept_epoch or 1) - 1
        for name, figure in (("test_accuracy", scores.accuracy), ("test_loss", scores.loss)):
            if figure is not None and math.isfinite(figure):
                found[name] = [f"{_ms(run.status.ended_at or at)} {figure} {step}"]
    return found


def _params(run: Run) -> dict[str, str]:
    known = {} if run.recorded else {name: str(value) for name, value in flatten(run.config).items()}
    return known if run.parameters is None else known | {"parameters": str(run.parameters)}


def _tags(run: Run) -> dict[str, str]:
    found = {
        "mlflow.runName": run.name,
        "mlflow.source.name": f"mnist_core {__version__}",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": run.meta.note,
        DATASET_TAG: run.dataset,
        FRAMEWORK_TAG: run.recorded.framework if run.recorded else "",
        "tags": ", ".join(run.meta.tags),
    }
    return {name: text for name, text in found.items() if text}


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _write_meta(folder: Path, facts: Mapping[str, Any]) -> None:
    _write(folder / "meta.yaml", yaml.safe_dump(dict(facts), allow_unicode=True).encode())


def _write(path: Path, content: bytes) -> None:
    make_folder(path.parent)
    with replacing(path, durable=False) as file:
        file.write(content)
