"""Predictions: what any model says of known images. Whatever gives probabilities can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.constants import CLASSES
from mnist_core.errors import DamagedFile
from mnist_core.files import printable

if TYPE_CHECKING:
    pass

MOST_PREDICTION_BYTES = 256 * 2**20
"""The most memory that a file of predictions may take: enough for 6 million images."""
ROWS_ADD_UP_WITHIN = 1e-3
"""By how much the probabilities of an image may miss 1: float32 rounds, and 16-bit networks more so."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run says of the images it is judged on.

    labels: uint8, shape (n,), of the test set. probabilities: float32, shape (n, 10).
    val_labels, val_probabilities: the same for a held-out validation part; None where validation was the test set.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    val_labels: NDArray[np.uint8] | None = None
    val_probabilities: NDArray[np.float32] | None = None

    @property
    def predicted(self) -> NDArray[np.uint8]:
        """The guessed digit of each test image, shape (n,)."""
        guessed: NDArray[np.uint8] = self.probabilities.argmax(axis=1).astype(np.uint8)
        return guessed

    @property
    def wrong(self) -> NDArray[np.intp]:
        """Indices of the test images that are misclassified, ascending."""
        return np.flatnonzero(self.predicted != self.labels)

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Return the predictions in an `.npz` file, checked.

        Raises
        ------
        DamagedFile
            where it is damaged; has other arrays, dtypes or shapes than those above; has no image; has labels above 9;
            or has rows that are not probabilities, from 0 to 1, which add up to 1 within ROWS_ADD_UP_WITHIN.
        OSError
            where there is no file, or it may not be read.
        """
        names = ("labels", "probabilities", "val_labels", "val_probabilities")
        arrays = read_arrays(path, names, most_bytes=MOST_PREDICTION_BYTES)
        called = printable(path.name)
        if "probabilities" not in arrays or "labels" not in arrays:
            raise DamagedFile(f"{called} has no labels or no probabilities; it needs both")
        if ("val_labels" in arrays) != ("val_probabilities" in arrays):
            raise DamagedFile(f"{called} has validation labels or probabilities alone; it needs both or none")
        for part in ("", "val_") if "val_labels" in arrays else ("",):
            problem = _wrong_with(arrays[f"{part}labels"], arrays[f"{part}probabilities"])
            if problem:
                raise DamagedFile(f"{called}: {part}{problem}")
        return cls(**arrays)


def _wrong_with(labels: NDArray[Any], probabilities: NDArray[Any]) -> str:
    """What is wrong with predictions, empty where nothing is."""
    if labels.dtype != np.uint8 or labels.ndim != 1 or not len(labels):
        return f"labels have dtype {labels.dtype} and shape {labels.shape}; they must be uint8 of shape (n,), n above 0"
    if labels.max() >= CLASSES:
        return f"labels go up to {labels.max()}; they must lie between 0 and {CLASSES - 1}"
    if probabilities.dtype != np.float32 or probabilities.shape != (len(labels), CLASSES):
        return (
            f"probabilities have dtype {probabilities.dtype} and shape {probabilities.shape}; "
            f"they must be float32 of shape ({len(labels)}, {CLASSES})"
        )
    low, high = probabilities.min(), probabilities.max()
    if not (low >= 0 and high <= 1):  # NaN, too, is neither
        return f"probabilities lie between {low} and {high}; they must lie between 0 and 1"
    off = float(np.abs(probabilities.sum(axis=1) - 1).max())
    if off > ROWS_ADD_UP_WITHIN:
        return f"probabilities of an image miss the sum 1 by {off:.3g}; they must add up to 1"
    return ""
