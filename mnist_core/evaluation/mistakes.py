"""A run's mistakes: its test images one by one, its confusions, and the order in which to look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.evaluation.metrics import class_scores, confidence, confusion_matrix, image_losses
from mnist_core.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["confident", "unsure", "loss", "index"]
"""confident: surest guess first. unsure: least sure first. loss: largest loss first. index: as in the test set."""


class Cell(NamedTuple):
    """A cell of the confusion matrix; a row or a column of it where one is None, all of it where both are."""

    true: int | None = None
    guess: int | None = None

    @property
    def correct(self) -> bool:
        """True if the cell lies on the diagonal."""
        return self.true is not None and self.true == self.guess


class Confusion(NamedTuple):
    """A digit taken for another, and how often."""

    true: int
    guess: int
    times: int


def prediction_frame(predictions: Predictions) -> pd.DataFrame:
    """Return every test image, in order, with the guess made of it.

    Returns
    -------
    DataFrame
        index: position in the test set, from 0. true, guess: digits. correct: whether they are the same.
        confidence: probability given to the guess, 0 to 1. true_probability: probability given to the true digit.
        loss: cross-entropy in nats. The last three are NaN where the model gave its guesses only.
    """
    import pandas as pd

    labels, probabilities = predictions.labels.astype(np.int64), predictions.known_probabilities
    guess = predictions.predicted.astype(np.int64)
    return pd.DataFrame(
        {
            "index": np.arange(len(labels)),
            "true": labels,
            "guess": guess,
            "correct": labels == guess,
            "confidence": confidence(probabilities).astype(np.float64),
            "true_probability": probabilities[np.arange(len(labels)), labels].astype(np.float64),
            "loss": image_losses(labels, probabilities),
        }
    )


def mistakes(predictions: Predictions) -> pd.DataFrame:
    """Return the misclassified test images, in order; columns as in `prediction_frame`, without `correct`."""
    frame = prediction_frame(predictions)
    return frame[~frame["correct"]].drop(columns="correct").reset_index(drop=True)


def in_cell(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the images of a `prediction_frame` in a cell; for a row, a column or the whole, the mistakes only."""
    keep = frame["correct"] if cell.correct else ~frame["correct"]
    if cell.true is not None:
        keep &= frame["true"] == cell.true
    if cell.guess is not None:
        keep &= frame["guess"] == cell.guess
    return frame[keep]


def ordered(frame: pd.DataFrame, by: Order) -> pd.DataFrame:
    """Return the images sorted; equal ones keep the order of the test set."""
    column, ascending = {
        "confident": ("confidence", False),
        "unsure": ("confidence", True),
        "loss": ("loss", False),
        "index": ("index", True),
    }[by]
    return frame.sort_values([column, "index"], ascending=[ascending, True], kind="stable")


def top_confusions(matrix: NDArray[np.int64], most: int = 3) -> list[Confusion]:
    """Return the most frequent confusions of a matrix of shape (K, K), most frequent first; none with count 0."""
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    flat = errors.ravel()
    best = np.argsort(-flat, kind="stable")[:most]
    size = len(matrix)
    return [Confusion(cell // size, cell % size, int(flat[cell])) for cell in best.tolist() if flat[cell]]


def confusion_frame(predictions: Predictions) -> pd.DataFrame:
    """Return the confusion matrix, one row a cell: true, guess, count, share.

    `share` is that of the true digit's images, 0 to 1; NaN where there are none.
    """
    import pandas as pd

    classes = predictions.classes
    matrix = confusion_matrix(predictions.labels, predictions.predicted, classes)
    support = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.where(support > 0, support, np.nan)
    true, guess = np.divmod(np.arange(classes * classes), classes)
    return pd.DataFrame({"true": true, "guess": guess, "count": matrix.ravel(), "share": share.ravel()})


def score_frame(predictions: Predictions) -> pd.DataFrame:
    """Return scores by class, one row a digit: digit, precision, recall, f1, support; a score without images is NaN."""
    import pandas as pd

    found = class_scores(confusion_matrix(predictions.labels, predictions.predicted, predictions.classes))
    return pd.DataFrame({"digit": np.arange(predictions.classes)} | found._asdict())
