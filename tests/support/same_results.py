"""Whether two trainings came to the same, to the last bit."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mnist_core.runs.run import Run


def difference(one: Run, other: Run | None) -> str:
    """Return in what the results of two runs differ in any bit, seconds left out; empty where they do not."""
    if other is None:
        return "there is no such run"
    if (rows := _rows(one)) != (others := _rows(other)):
        return "\n".join(["history:", *rows, "", *others])
    mine, theirs = one.predictions(), other.predictions()
    if mine is None or theirs is None:
        return "predictions are missing"
    arrays, their_arrays = mine.arrays(), theirs.arrays()
    for name in arrays.keys() | their_arrays.keys():
        if not (name in arrays and name in their_arrays and _same(arrays[name], their_arrays[name])):
            return f"predictions, {name}"
    if one.model_file is None or other.model_file is None:
        return "weights are missing"
    weights, their_weights = _weights(one.model_file), _weights(other.model_file)
    return ", ".join(
        f"weights, {name}"
        for name in sorted(weights.keys() | their_weights.keys())
        if weights.get(name) != their_weights.get(name)
    )


def _rows(run: Run) -> list[str]:
    # as text, in which a loss that is not a number equals itself
    return [repr(dataclasses.replace(row, seconds=0.0)) for row in run.rows()]


def _same(one: Any, other: Any) -> bool:
    return bool(np.asarray(one).tobytes() == np.asarray(other).tobytes())


def _weights(file: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item).tobytes()

    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(keep)
    assert found
    return found
