"""Runs as files that other tools read: predictions, Keras code, weights, an archive, event files, a store of MLflow."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from mnist_core.errors import ConfigError, StoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.keras_code import keras_code, keras_notebook
from mnist_core.files import make_folder, printable, read_bytes, replacing
from mnist_core.recording.event_files import write_events
from mnist_core.recording.mlflow_files import write_mlflow
from mnist_core.recording.mlflow_store import PREDICTIONS
from mnist_core.recording.run_archive import MOST_FILE_BYTES, pack
from mnist_core.runs.run import Run

KINDS = {
    ".npz": "predictions: labels, probabilities or predicted, classes",
    ".csv": "predictions: id, label, p0, p1 … or predicted",
    ".py": "the configuration as a Keras script",
    ".ipynb": "the configuration as a notebook",
    ".keras": "the trained network",
    ".zip": "all that is stored of one or more runs, for `import`",
    "": "a folder for another tool, see --to: TensorBoard's event files, or a file store of MLflow",
}
"""What is written, by the ending of the file's name."""
_MANY = (".zip", "")
Tool = Literal["tensorboard", "mlflow"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
"""The tools for which a folder is written."""


def export(runs: Sequence[Run], path: Path, to: Tool | None = None) -> None:
    """Write runs into a file of the kind that the ending of its name says, see `KINDS`; a folder is for the tool `to`.

    Raises
    ------
    ConfigError
        where there is no such kind, or it is for one run only.
    StoreError
        where a run lacks what is to be written: predictions, configuration, weights or a history.
    WriteError
        where the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise ConfigError(
            f"{printable(path.name)} ends in {printable(kind)}, which is not written; "
            f"give a name that ends in {', '.join(filter(None, KINDS))}, or the name of a folder"
        )
    if len(runs) != 1 and kind not in _MANY:
        raise ConfigError(f"{printable(path.name)} is for one run, and there are {len(runs)}; write a .zip of them")
    if to is not None and kind:
        raise ConfigError(f"{printable(path.name)} is a file, and {to} needs a folder; give a name without an ending")
    make_folder(path.parent)
    if kind == ".zip":
        pack(runs, path)
    elif to == "mlflow":
        write_mlflow(runs, path, _artifacts)
    elif kind == "":
        write_events(runs, path)
    else:
        content = as_bytes(runs[0], kind)
        with replacing(path) as file:
            file.write(content)


def as_bytes(run: Run, kind: str) -> bytes:
    """Return one run as a file of a kind: ``.npz``, ``.csv``, ``.py``, ``.ipynb`` or ``.keras``; raises StoreError."""
    match kind:
        case ".npz":
            return _npz(run, _predictions(run))
        case ".csv":
            return _csv(_predictions(run))
        case ".py":
            return keras_code(run.config).encode()
        case ".ipynb":
            return keras_notebook(run.config, run.name).encode()
        case _:
            if run.model_file is None:
                raise StoreError(f"run {run.name} has kept no weights; train it here to have a .keras file of it")
            return read_bytes(run.model_file, MOST_FILE_BYTES)


def _artifacts(run: Run) -> dict[str, bytes]:
    found = {}
    if (predictions := run.predictions()) is not None:
        found[PREDICTIONS] = _npz(run, predictions)
    if run.model_file is not None:
        found["model.keras"] = as_bytes(run, ".keras")
    return found


def _predictions(run: Run) -> Predictions:
    found = run.predictions()
    if found is None:
        raise StoreError(f"run {run.name} has no stored predictions; train it to have some")
    return found


def _npz(run: Run, found: Predictions) -> bytes:
    content = io.BytesIO()
    made = {"predicted": found.predicted} if found.guesses_only else {"probabilities": found.probabilities}
    np.savez_compressed(content, labels=found.labels, classes=np.array(run.classes), **made)
    return content.getvalue()


def _csv(found: Predictions) -> bytes:
    """Return a line for each image. Numbers are the shortest that give the same float32 again."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    if found.guesses_only:
        writer.writerow(["id", "label", "predicted"])
        writer.writerows(zip(range(len(found.labels)), found.labels, found.predicted, strict=True))
    else:
        writer.writerow(["id", "label", *(f"p{number}" for number in range(found.classes))])
        for number, (label, row) in enumerate(zip(found.labels, found.probabilities, strict=True)):
            writer.writerow([number, label, *map(str, row)])
    return content.getvalue().encode()
