"""Predictions: what any model says of known images. Whatever gives probabilities can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.constants import MOST_CLASSES
from mnist_core.errors import DamagedFile, PredictionsError
from mnist_core.evaluation.metrics import Scores, scores
from mnist_core.files import printable

MOST_PREDICTION_BYTES = 256 * 2**20
"""The most memory that a file of predictions may take: enough for 6 million images."""
ROWS_ADD_UP_WITHIN = 1e-3
"""By how much the probabilities of an image may miss 1: float32 rounds, and 16-bit networks more so."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The probabilities that a model gives to known images.

    labels: uint8, shape (n,), of the test set, 0 to K − 1. probabilities: float32, shape (n, K), for K classes from 2
    to MOST_CLASSES.
    val_labels, val_probabilities: the same for a held-out validation part; None where validation was the test set.
    guesses_only: True if the model gave one class an image and no probabilities. `probabilities` is then 1 for that
    class and 0 for the others, which says nothing of how sure the model was: use `known_probabilities` for that.

    Raises
    ------
    PredictionsError
        where a row is not K finite numbers from 0 to 1 that add up to 1 within ROWS_ADD_UP_WITHIN, a label is above
        K − 1, there are not as many rows as labels, or there are none.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    val_labels: NDArray[np.uint8] | None = None
    val_probabilities: NDArray[np.float32] | None = None
    guesses_only: bool = False

    def __post_init__(self) -> None:
        _check(self.labels, self.probabilities)
        if self.val_labels is not None and self.val_probabilities is not None:
            _check(self.val_labels, self.val_probabilities)
            if self.val_probabilities.shape[1] != self.classes:
                raise PredictionsError(
                    f"the test images have {self.classes} classes and the validation images "
                    f"{self.val_probabilities.shape[1]}; they must have the same"
                )

    @classmethod
    def of_guesses(cls, labels: NDArray[np.uint8], predicted: NDArray[np.integer[Any]], classes: int) -> Predictions:
        """Return predictions without probabilities: the guessed class of each image, shape (n,), 0 to classes − 1.

        Raises
        ------
        PredictionsError
            where a guess is not one of the classes, or there are not as many guesses as labels.
        """
        if predicted.shape != labels.shape:
            raise PredictionsError(
                f"there are {len(labels):,} labels and guesses of shape {predicted.shape}; give one guess an image"
            )
        if len(predicted) and not 0 <= int(predicted.min()) <= int(predicted.max()) < classes:
            raise PredictionsError(
                f"the guesses go from {predicted.min()} to {predicted.max()}; "
                f"with {classes} classes they lie between 0 and {classes - 1}"
            )
        return cls(labels, np.eye(classes, dtype=np.float32)[predicted.astype(np.intp)], guesses_only=True)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.probabilities.shape[1])

    @property
    def known_probabilities(self) -> NDArray[np.float32]:
        """The probabilities, shape (n, K); all NaN where the model gave its guesses only."""
        return np.full_like(self.probabilities, np.nan) if self.guesses_only else self.probabilities

    @property
    def predicted(self) -> NDArray[np.uint8]:
        """The guessed digit of each test image, shape (n,)."""
        guessed: NDArray[np.uint8] = self.probabilities.argmax(axis=1).astype(np.uint8)
        return guessed

    @property
    def wrong(self) -> NDArray[np.intp]:
        """Indices of the test images that are misclassified, ascending."""
        return np.flatnonzero(self.predicted != self.labels)

    def scores(self) -> Scores:
        """Return the scores; those that need probabilities are None if there are guesses only."""
        found = scores(self.labels, self.probabilities)
        return found._replace(loss=None, ece=None, mean_confidence=None) if self.guesses_only else found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `read` reads: the arrays by name."""
        if self.guesses_only:
            return {"labels": self.labels, "predicted": self.predicted, "classes": np.array(self.classes)}
        found = {name: getattr(self, name) for name in _ARRAYS}
        return {name: array for name, array in found.items() if array is not None}

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Return the predictions in an `.npz` file, checked.

        Raises
        ------
        DamagedFile
            where it is damaged; has other arrays, dtypes or shapes than those above; has no image; has labels above
            K − 1; or has rows that are not probabilities, from 0 to 1, which add up to 1 within ROWS_ADD_UP_WITHIN.
        OSError
            where there is no file, or it may not be read.
        """
        arrays = read_arrays(path, (*_ARRAYS, *_GUESSES), most_bytes=MOST_PREDICTION_BYTES)
        called = printable(path.name)
        if "probabilities" not in arrays and set(_GUESSES) <= set(arrays) and "labels" in arrays:
            return _read_guesses(called, arrays)
        if "probabilities" not in arrays or "labels" not in arrays:
            raise DamagedFile(f"{called} has no labels or no probabilities; it needs both")
        if set(arrays) & set(_GUESSES):
            raise DamagedFile(f"{called} has both probabilities and guesses without them; it may have one of the two")
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
            return cls(*(arrays.get(name) for name in _ARRAYS))  # type: ignore[arg-type]
        except PredictionsError as error:
            raise DamagedFile(f"{called}: {error}") from None


_ARRAYS = ("labels", "probabilities", "val_labels", "val_probabilities")
_GUESSES = ("predicted", "classes")


def _read_guesses(called: str, arrays: dict[str, NDArray[Any]]) -> Predictions:
    classes = arrays["classes"]
    whole = classes.shape == () and np.issubdtype(classes.dtype, np.integer)
    if not whole or not 2 <= int(classes) <= MOST_CLASSES:
        raise DamagedFile(f"{called}: classes must be one whole number from 2 to {MOST_CLASSES}")
    if 4 * arrays["labels"].size * int(classes) > MOST_PREDICTION_BYTES:
        raise DamagedFile(f"{called} has {arrays['labels'].size:,} images of {int(classes)} classes, which is too many")
    if any(arrays[name].dtype != np.uint8 for name in ("labels", "predicted")):
        raise DamagedFile(f"{called}: labels and guesses must be uint8")
    try:
        return Predictions.of_guesses(arrays["labels"], arrays["predicted"], int(classes))
    except PredictionsError as error:
        raise DamagedFile(f"{called}: {error}") from None


def _check(labels: NDArray[Any], probabilities: NDArray[Any]) -> None:
    """Raise PredictionsError unless these are the labels and probabilities of the same images."""
    classes = probabilities.shape[1] if probabilities.ndim == 2 else 0
    if labels.ndim != 1 or not len(labels) or probabilities.shape != (len(labels), classes):
        raise PredictionsError(
            f"labels of shape {labels.shape} and probabilities of shape {probabilities.shape} do not belong together; "
            f"they must be of shapes (n,) and (n, classes), with n at least 1"
        )
    if not 2 <= classes <= MOST_CLASSES:
        raise PredictionsError(
            f"the probabilities have {classes} columns, one a class; there may be 2 to {MOST_CLASSES} classes"
        )
    if labels.max() >= classes:
        raise PredictionsError(
            f"the labels go up to {labels.max()}; with {classes} columns of probabilities they must lie between 0 and "
            f"{classes - 1}"
        )
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise PredictionsError(
            f"{int((~finite).sum()):,} of {len(labels):,} images have probabilities that are no finite numbers, the "
            f"first of them image {int(finite.argmin())}; the model has diverged, or they were computed wrongly"
        )
    low, high, sums = probabilities.min(), probabilities.max(), probabilities.sum(axis=1, dtype=np.float64)
    if low < 0 or high > 1 + ROWS_ADD_UP_WITHIN or np.abs(sums - 1).max() > ROWS_ADD_UP_WITHIN:
        outside = (probabilities < 0).any(axis=1) | (probabilities > 1 + ROWS_ADD_UP_WITHIN).any(axis=1)
        bad = outside | (np.abs(sums - 1) > ROWS_ADD_UP_WITHIN)
        raise PredictionsError(
            f"the rows have values from {low:.4g} to {high:.4g} and add up to {sums.min():.4g} to {sums.max():.4g}; "
            f"{int(bad.sum()):,} of {len(labels):,} are no probabilities, the first of them image {int(bad.argmax())}; "
            "probabilities lie between 0 and 1 and add up to 1: give the softmax's output, not logits"
        )
