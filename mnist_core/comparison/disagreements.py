"""Differences between runs on the same images: which run is right on which image, which confusions came and went, and
which images all get wrong.

Everything takes predictions, never a model. Of two runs the first, A, is the baseline; a difference is B minus A.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import Decision, decide
from mnist_core.evaluation.metrics import confidence, confusion_matrix
from mnist_core.evaluation.mistakes import Cell, in_cell
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement

if TYPE_CHECKING:
    import pandas as pd

ImageGroup = Literal["both_right", "only_a", "only_b", "same_wrong", "different_wrong"]
"""The runs that are right: both, only A, only B, or neither, with the same wrong guess or with different ones."""
GROUPS: tuple[ImageGroup, ...] = get_args(ImageGroup)

VoteOrder = Literal["probability_gap", "confident", "unsure", "index"]
"""probability_gap: first where the runs give the true digit the most different probabilities. confident: surest wrong
guess first. unsure: least sure one first. index: as in the test set."""


class Counts(NamedTuple):
    """Number of images in each group of two runs.

    `only_a` and `only_b` are b and c of McNemar's test (McNemar 1947); its four cells are both right, only A right,
    only B right, and both wrong, which are `same_wrong` and `different_wrong` together.
    """

    both_right: int
    only_a: int
    only_b: int
    same_wrong: int
    different_wrong: int

    @property
    def images(self) -> int:
        """All of them."""
        return sum(self)

    @property
    def both_wrong(self) -> int:
        """Images that neither run gets right."""
        return self.same_wrong + self.different_wrong

    @property
    def disagreements(self) -> int:
        """Images on which the two guesses differ."""
        return self.only_a + self.only_b + self.different_wrong


class ConfusionChange(NamedTuple):
    """Counts of one confusion, a digit taken for another, by A and B, and the decision on their difference.

    true, guess: the confusion. entered: images on which B makes it and A does not. left: the other way round.
    decision: on the share of the images of this digit that are taken for that one, B minus A; lower is better. It is
    corrected for all confusions that there could be.
    """

    true: int
    guess: int
    entered: int
    left: int
    decision: Decision

    @property
    def difference(self) -> int:
        """Return how many more of these errors B makes; negative where it makes fewer."""
        return self.entered - self.left


class ClassChange(NamedTuple):
    """Difference in accuracy, B minus A, on the images of one digit, corrected for all digits."""

    true: int
    images: int
    decision: Decision


def votes(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """Return every test image, in order, with the guesses of n paired runs.

    Parameters
    ----------
    predictions
        for the same images, in the order of the runs.

    Returns
    -------
    DataFrame
        index: position in the test set, from 0. true: the digit. guess_0 … guess_{n−1}: each run's guess.
        confidence_0 …: the probability given to it, 0 to 1. wrong: how many of the runs guess wrong, 0 to n.
        probability_gap: the largest difference between two runs in the probability given to the true digit, 0 to 1.
        surest: the largest confidence in a wrong guess; in any guess, where all are right.
    """
    import pandas as pd

    labels = predictions[0].labels.astype(np.int64)
    guesses = np.stack([one.predicted.astype(np.int64) for one in predictions])
    sure = np.stack([confidence(one.known_probabilities).astype(np.float64) for one in predictions])
    places = np.arange(len(labels))
    given = np.stack([one.known_probabilities[places, labels].astype(np.float64) for one in predictions])
    wrong = guesses != labels
    surest = np.where(wrong.any(axis=0), np.where(wrong, sure, 0.0).max(axis=0), sure.max(axis=0))
    return pd.DataFrame(
        {"index": np.arange(len(labels)), "true": labels}
        | {f"guess_{run}": row for run, row in enumerate(guesses)}
        | {f"confidence_{run}": row for run, row in enumerate(sure)}
        | {"wrong": wrong.sum(axis=0), "probability_gap": np.ptp(given, axis=0), "surest": surest}
    )


def groups(frame: pd.DataFrame) -> NDArray[np.str_]:
    """Return the group of each image of the `votes` of two runs, shape (n,)."""
    true, a, b = (frame[column].to_numpy() for column in ("true", "guess_0", "guess_1"))
    found: NDArray[np.str_] = np.select(
        [(a == true) & (b == true), a == true, b == true, a == b], GROUPS[:4], default=GROUPS[4]
    )
    return found


def counts(frame: pd.DataFrame) -> Counts:
    """Return the number of images in each group, from the `votes` of two runs."""
    found = groups(frame)
    return Counts(*(int((found == group).sum()) for group in GROUPS))


def difference_matrix(first: Predictions, second: Predictions) -> NDArray[np.int64]:
    """Return the confusion matrix of B minus that of A, shape (K, K): row = true digit, column = guess.

    Every row sums to 0, as both runs guess the same images.
    """
    return _matrix(second) - _matrix(first)


def _matrix(predictions: Predictions, chosen: Any = slice(None)) -> NDArray[np.int64]:
    """Return the confusion matrix of the chosen images."""
    return confusion_matrix(predictions.labels[chosen], predictions.predicted[chosen], predictions.classes)


def difference_frame(first: Predictions, second: Predictions) -> pd.DataFrame:
    """Return the signed difference matrix, one row a cell: true, guess, a, b, difference, entered, left.

    a, b: images that A and B have in the cell. difference: b − a. entered: images that are in the cell of B but not in
    that of A. left: the other way round. difference = entered − left.
    """
    import pandas as pd

    true, guess = np.divmod(np.arange(first.classes * first.classes), first.classes)
    a, b = (_matrix(one) for one in (first, second))
    moved = first.predicted != second.predicted
    left, entered = (_matrix(one, moved) for one in (first, second))
    return pd.DataFrame(
        {
            "true": true,
            "guess": guess,
            "a": a.ravel(),
            "b": b.ravel(),
            "difference": (b - a).ravel(),
            "entered": entered.ravel(),
            "left": left.ravel(),
        }
    )


def moved(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the images of the `votes` of two runs that are in this cell for one of them and not for the other.

    Where `cell` names only a true digit, those of that digit on which the guesses differ; where only a guess, those
    that one run and not the other guesses so; where neither, all disagreements.
    """
    differ = frame["guess_0"] != frame["guess_1"]
    if cell.true is not None:
        differ &= frame["true"] == cell.true
    if cell.guess is not None:
        differ &= (frame["guess_0"] == cell.guess) | (frame["guess_1"] == cell.guess)
    return frame[differ]


def guessed(frame: pd.DataFrame, run: int, cell: Cell) -> pd.DataFrame:
    """Return the images of a `votes` frame in a cell of the confusion matrix of run number `run`.

    A row, a column or the whole of it means its mistakes only, as in `mnist_core.evaluation.mistakes.in_cell`.
    """
    guess = frame[f"guess_{run}"]
    return frame.loc[in_cell(frame.assign(guess=guess, correct=guess == frame["true"]), cell).index]


def confusion_changes(first: Predictions, second: Predictions) -> list[ConfusionChange]:
    """Return every confusion that changed from A to B, the most certain change first.

    The test is McNemar's, on whether an image is in the cell (McNemar 1947). Holm's correction (1979) counts all cells
    off the diagonal, changed or not: the largest of 90 differences looks large by chance alone.
    """
    frame = difference_frame(first, second)
    columns = (frame[name].tolist() for name in ("true", "guess", "entered", "left"))
    images = np.bincount(first.labels, minlength=first.classes).tolist()
    cells = [cell for cell in zip(*columns, strict=True) if cell[0] != cell[1] and images[cell[0]]]
    decisions = decide(
        [
            AccuracyDifference(Agreement(images[true] - entered - left, left, entered, 0))
            for true, _, entered, left in cells
        ],
        margin=None,
        lower_is_better=True,
    )
    found = [
        ConfusionChange(true, guess, entered, left, decision)
        for (true, guess, entered, left), decision in zip(cells, decisions, strict=True)
    ]
    moved_only = [change for change in found if change.entered or change.left]
    return sorted(moved_only, key=lambda change: (change.decision.p, -abs(change.difference)))


def class_changes(first: Predictions, second: Predictions) -> list[ClassChange]:
    """Return for each digit that occurs how much more accurate B is on its images, by McNemar's test and Holm's."""
    right = [one.predicted == one.labels for one in (first, second)]
    tables = {}
    for digit in np.unique(first.labels).tolist():
        a, b = (hits[first.labels == digit] for hits in right)
        tables[digit] = Agreement(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum()))
    decisions = decide([AccuracyDifference(table) for table in tables.values()], margin=None)
    return [
        ClassChange(digit, table.images, decision)
        for (digit, table), decision in zip(tables.items(), decisions, strict=True)
    ]


def one_right(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return a few images of the `votes` of two runs that only one gets right: by turns one of each run's.

    Those come first on which the runs are furthest apart. The column group says which run is right: only_a or only_b.
    """
    frame = frame.assign(group=groups(frame))
    first, second = (ordered(frame[frame["group"] == name], "probability_gap") for name in ("only_a", "only_b"))
    import pandas as pd

    takes = min(len(first), max(most // 2, most - len(second)))
    found = pd.concat([first.head(takes), second.head(most - takes)])
    return found.assign(turn=found.groupby("group").cumcount()).sort_values("turn", kind="stable").drop(columns="turn")


def wrong_counts(frame: pd.DataFrame, runs: int) -> NDArray[np.int64]:
    """Return how many images exactly k of the `runs` get wrong, shape (runs + 1,): k = 0 … runs, from their `votes`."""
    return np.bincount(frame["wrong"].to_numpy(), minlength=runs + 1).astype(np.int64)


def wrong_by(frame: pd.DataFrame, times: int, *, at_least: bool = False) -> pd.DataFrame:
    """Return the images of a `votes` frame that exactly, or at least, `times` of the runs get wrong."""
    return frame[frame["wrong"] >= times] if at_least else frame[frame["wrong"] == times]


def ordered(frame: pd.DataFrame, by: VoteOrder) -> pd.DataFrame:
    """Return the images of a `votes` frame sorted; equal ones keep the order of the test set."""
    column, ascending = {
        "probability_gap": ("probability_gap", False),
        "confident": ("surest", False),
        "unsure": ("surest", True),
        "index": ("index", True),
    }[by]
    return frame.sort_values([column, "index"], ascending=[ascending, True], kind="stable")
