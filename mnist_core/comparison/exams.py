"""Trained networks on other images than their test set: digits that people drew, or test images made harder.

An exam is a name, images and labels. Every network answers the same images, so that two of them are compared in pairs
on each exam, by the project's one decision (`decide`), corrected for the number of exams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import Decision, decide
from mnist_core.evaluation.metrics import Interval, accuracy_interval
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, agreement_of

if TYPE_CHECKING:
    from mnist_core.data.images import Pixels
    from mnist_core.inspection.numpy_network import Network


@dataclass(frozen=True, eq=False)
class Result:
    """One network on one exam. right: bool, shape (n,), whether it gets each image right."""

    right: NDArray[np.bool_]

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.right)

    @property
    def correct(self) -> int:
        """How many it gets right."""
        return int(self.right.sum())

    @property
    def accuracy(self) -> float:
        """The share that it gets right."""
        return self.correct / self.images

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the accuracy."""
        return accuracy_interval(self.correct, self.images)


@dataclass(frozen=True)
class ExamVerdict:
    """A network against the baseline on one exam; the difference is the network's minus the baseline's."""

    exam: str
    table: Agreement
    accuracy: Decision


def sit(network: Network, images: Pixels, labels: NDArray[np.uint8]) -> Result:
    """Return how a network does on images of shape (n, 28, 28), n ≥ 1, with labels of shape (n,)."""
    return Result(network.logits(images).argmax(axis=1) == labels)


def verdicts(baseline: Mapping[str, Result], run: Mapping[str, Result], *, margin: float) -> list[ExamVerdict]:
    """Compare two networks on several exams at once, with Holm's correction for all of them.

    Parameters
    ----------
    baseline, run
        results by the name of the exam, of the same exams in the same order.
    margin
        a difference in accuracy this large does not matter, as a share of the images.
    """
    tables = [agreement_of(baseline[exam].right, result.right) for exam, result in run.items()]
    decisions = decide([AccuracyDifference(table) for table in tables], margin=margin)
    return [ExamVerdict(*each) for each in zip(run, tables, decisions, strict=True)]


def against(baseline: Result, others: Sequence[Result], *, margin: float) -> list[tuple[Agreement, Decision]]:
    """Compare several networks with one baseline on one exam, with Holm's correction for all of them."""
    tables = [agreement_of(baseline.right, other.right) for other in others]
    decisions = decide([AccuracyDifference(table) for table in tables], margin=margin)
    return list(zip(tables, decisions, strict=True))
