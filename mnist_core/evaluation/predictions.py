"""Predictions: what any model says of known images. Whatever gives probabilities can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.constants import CLASSES
from mnist_core.errors import DamagedFile, PredictionsError
from mnist_core.files import printable

MOST_PREDICTION_BYTES = 256 * 2**20
"""The most memory that a file of predictions may take: enough for 6 million images."""
ROWS_ADD_UP_WITHIN = 1e-3
"""By how much the probabilities of an image may miss 1: float32 rounds, and 16-bit networks more so."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The probabilities that a model gives to known images.

    labels: uint8, shape (n,), of the test set. probabilities: float32, shape (n, 10).
    val_labels, val_probabilities: the same for a held-out validation part; None where validation was the test set.

    Raises
    ------
    PredictionsError
        where a row is not 10 finite numbers from 0 to 1 that add up to 1 within ROWS_ADD_UP_WITHIN, a label is above
        9, there are not as many rows as labels, or there are none.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    val_labels: NDArray[np.uint8] | None = None
    val_probabilities: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        _check(self.labels, self.probabilities)
        if self.val_labels is not None and self.val_probabilities is not None:
            _check(self.val_labels, self.val_probabilities)

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
            found = {name: arrays[f"{part}{name}"].dtype for name in ("labels", "probabilities")}
            if found != {"labels": np.uint8, "probabilities": np.float32}:
                raise DamagedFile(
                    f"{called}: {part}labels have dtype {found['labels']} and {part}probabilities "
                    f"{found['probabilities']}; they must be uint8 and float32"
                )
        try:
            return cls(**arrays)
        except PredictionsError as error:
            raise DamagedFile(f"{called}: {error}") from None


def _check(labels: NDArray[Any], probabilities: NDArray[Any]) -> None:
    """Raise PredictionsError unless these are the labels and probabilities of the same images."""
    if labels.ndim != 1 or not len(labels) or probabilities.shape != (len(labels), CLASSES):
        raise PredictionsError(
            f"labels of shape {labels.shape} and probabilities of shape {probabilities.shape} do not belong together; "
            f"they must be of shapes (n,) and (n, {CLASSES}), with n at least 1"
        )
    if labels.max() >= CLASSES:
        raise PredictionsError(f"the labels go up to {labels.max()}; they must lie between 0 and {CLASSES - 1}")
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise PredictionsError(
            f"{int((~finite).sum()):,} of {len(labels):,} images have probabilities that are no finite numbers, the "
            f"first of them image {int(finite.argmin())}; the model has diverged, or they were computed wrongly"
        )
    low, high, sums = probabilities.min(), probabilities.max(), probabilities.sum(axis=1, dtype=np.float64)
    if low < 0 or high > 1 + ROWS_ADD_UP_WITHIN or np.abs(sums - 1).max() > ROWS_ADD_UP_WITHIN:
        raise PredictionsError(
            f"the rows have values from {low:.4g} to {high:.4g} and add up to {sums.min():.4g} to {sums.max():.4g}; "
            "probabilities lie between 0 and 1 and add up to 1: give the softmax's output, not logits"
        )
