"""Test images whose label is wrong, or may be: the known ones of MNIST, and the likely ones of any data.

The 15 known label errors of MNIST's test set are those of Northcutt, Athalye and Mueller, "Pervasive Label Errors in
Test Sets Destabilize Machine Learning Benchmarks" (NeurIPS 2021), counted again from the votes that the authors
published. Reviewers saw only the images that an algorithm had flagged, so there may be more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.evaluation.metrics import FloatArray, IntArray
from mnist_core.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd


class LabelError(NamedTuple):
    """A test image whose label reviewers did not confirm.

    image: its index in the test set, from 0. given: its label. likely: the digits that most reviewers saw: one where a
    majority agreed, two where as many saw the one as the other, none where most saw neither the label nor the digit
    that the algorithm had proposed.
    """

    image: int
    given: int
    likely: tuple[int, ...]

    @property
    def corrected(self) -> int | None:
        """The digit that a majority agreed on; None where there was none."""
        return self.likely[0] if len(self.likely) == 1 else None


_MNIST = {
    error.image: error
    for error in (
        LabelError(947, 8, (9,)),
        LabelError(1621, 0, (6,)),
        LabelError(1901, 9, (4,)),
        LabelError(2130, 4, (4, 9)),
        LabelError(2462, 2, (0,)),
        LabelError(2597, 5, (3,)),
        LabelError(2654, 6, ()),
        LabelError(3520, 6, ()),
        LabelError(3558, 5, (0,)),
        LabelError(5937, 5, (3,)),
        LabelError(6651, 0, (6,)),
        LabelError(6783, 1, (6,)),
        LabelError(8527, 4, (4, 9)),
        LabelError(9679, 6, ()),
        LabelError(9729, 5, (6,)),
    )
}


def known_errors(fingerprint: str) -> dict[int, LabelError]:
    """Return the known label errors by index, for the dataset of this fingerprint; none for any data but MNIST."""
    return dict(_MNIST) if fingerprint == MNIST_FINGERPRINT else {}


class Effect(NamedTuple):
    """The effect of known label errors on an accuracy.

    known: how many of the test images are known label errors. wrong: wrong guesses on all test images. wrong_known: how
    many of these are on known label errors. agreeing: how many of those guessed the digit that most reviewers saw.
    accuracy: on all images. without: on the others only. corrected: with the labels of the majority, without the images
    on which there was none. Accuracies from 0 to 1.
    """

    known: int
    wrong: int
    wrong_known: int
    agreeing: int
    accuracy: float
    without: float
    corrected: float


def effect(predictions: Predictions, fingerprint: str) -> Effect | None:
    """Return the effect of the known label errors on a run's test accuracy; None if none are known for this data."""
    errors = known_errors(fingerprint)
    labels, guess = predictions.labels, predictions.predicted
    if not errors or max(errors) >= len(labels):
        return None
    wrong = guess != labels
    known = np.zeros(len(labels), bool)
    known[list(errors)] = True
    settled = labels.copy()
    decided = ~known
    for index, error in errors.items():
        if error.corrected is not None:
            settled[index], decided[index] = error.corrected, True
    return Effect(
        known=len(errors),
        wrong=int(wrong.sum()),
        wrong_known=int((wrong & known).sum()),
        agreeing=int((wrong & known & decided & (guess == settled)).sum()),
        accuracy=float(1 - wrong.mean()),
        without=float(1 - wrong[~known].mean()),
        corrected=float((guess == settled)[decided].mean()),
    )


def class_thresholds(labels: IntArray, probabilities: FloatArray) -> NDArray[np.float64]:
    """Return a model's mean confidence in each class on the images with that label, shape (K,); infinite for a class
    without images.

    t_j = mean of p(j | x) over the images x labelled j (Northcutt, Jiang and Chuang 2021, "Confident Learning",
    equation 2): from there on an image counts as confidently of class j.
    """
    thresholds = np.full(probabilities.shape[1], np.inf)
    for digit in np.unique(labels):
        thresholds[digit] = probabilities[labels == digit, digit].mean(dtype=np.float64)
    return thresholds


def likely_errors(labels: IntArray, probabilities: FloatArray) -> pd.DataFrame:
    """Return images whose label a model doubts, the most doubtful first: confident learning.

    An image of label i counts where the model guesses otherwise and is confidently of some class j ≠ i: p(j) ≥ t_j,
    with j the most probable class of those that reach their threshold (the off-diagonal of the paper's confident joint,
    equation 1). They are sorted by self-confidence p(i), the least first.

    The probabilities must be of images that the model was not trained on, as a model remembers labels that it has seen,
    wrong ones too. And a model may be wrong itself: these are images to look at, not errors found.

    Parameters
    ----------
    labels
        integers of shape (n,), 0 to K − 1.
    probabilities
        shape (n, K).

    Returns
    -------
    DataFrame
        index, given (label), likely (the class j), self_confidence p(i) and likely_confidence p(j), both 0 to 1, and
        margin: p(i) − max over the other classes, −1 to 1 (the paper's normalized margin).
    """
    import pandas as pd

    given = labels.astype(np.int64)
    rows = np.arange(len(given))
    confident = np.where(probabilities >= class_thresholds(given, probabilities), probabilities, -1.0)
    likely = confident.argmax(axis=1)
    found = np.flatnonzero((confident[rows, likely] >= 0) & (likely != given) & (probabilities.argmax(axis=1) != given))
    own = probabilities[rows, given].astype(np.float64)
    others = probabilities.astype(np.float64)
    others[rows, given] = -np.inf
    frame = pd.DataFrame(
        {
            "index": found,
            "given": given[found],
            "likely": likely[found],
            "self_confidence": own[found],
            "likely_confidence": probabilities[found, likely[found]].astype(np.float64),
            "margin": own[found] - others[found].max(axis=1),
        }
    )
    return frame.sort_values(["self_confidence", "index"], kind="stable", ignore_index=True)
