"""Trained networks on other images than their test set: digits that people drew, or test images made harder.

An exam is a name, images and labels. Every network answers the same images, so that two of them are compared in pairs
on each exam, by the project's one decision (`decide`), corrected for the number of exams.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import Decision, decide
from mnist_core.evaluation.corruptions import CORRUPTIONS, corrupted
from mnist_core.evaluation.metrics import Interval, accuracy_interval
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, agreement_of

if TYPE_CHECKING:
    from mnist_core.data.images import Pixels
    from mnist_core.experiments.configs import ModelConfig
    from mnist_core.inspection.numpy_network import Network


@dataclass(frozen=True, eq=False)
class Result:
    """One network on one exam. right: bool, shape (n,), whether it gets each image right."""

    right: NDArray[np.bool_]

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.right)

    @property
    def correct(self) -> int:
        """Number of correct predictions."""
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


def sit_all(
    networks: Mapping[str, Network], exams: Mapping[str, Callable[[], Pixels]], labels: NDArray[np.uint8]
) -> dict[str, dict[str, Result]]:
    """Return how several networks do on several exams: by network, then by exam, in the given orders.

    Parameters
    ----------
    networks, exams
        by name; an exam is what makes its images, of shape (n, 28, 28), when they are needed.
    labels
        of the images of every exam, shape (n,).
    """

    def one(make: Callable[[], Pixels]) -> list[Result]:
        images = make()
        return [sit(network, images, labels) for network in networks.values()]

    # NumPy and SciPy work without Python's lock, so the exams share the processor's cores
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        columns = list(pool.map(one, exams.values()))
    return {
        name: dict(zip(exams, (column[place] for column in columns), strict=True))
        for place, name in enumerate(networks)
    }


MOST_OPERATIONS = 100_000_000_000
"""Multiplications that all exams of a network may cost: some seconds on a laptop."""


def affordable(models: Sequence[ModelConfig], images: int, exams: int) -> int:
    """Return on how many of so many images all these networks can sit so many exams; at least 100, where they are."""
    most = max((model.operations() for model in models), default=1)
    return min(images, max(100, MOST_OPERATIONS // (most * exams)))


def equally_spaced(images: int, count: int) -> NDArray[np.intp]:
    """Return the places of `count` of so many images, at equal distances from the first: int, shape (count,)."""
    return np.arange(count) * images // count


def verdicts(baseline: Mapping[str, Result], run: Mapping[str, Result], *, margin: float) -> list[ExamVerdict]:
    """Compare two networks on several exams, as `compare_exams` does."""
    return compare_exams(baseline, [run], margin=margin)[0]


def compare_exams(
    baseline: Mapping[str, Result], runs: Sequence[Mapping[str, Result]], *, margin: float
) -> list[list[ExamVerdict]]:
    """Compare several networks with a baseline on several exams at once, with Holm's correction for all of it.

    Parameters
    ----------
    baseline, runs
        results by the name of the exam, of the same exams in the same order.
    margin
        a difference in accuracy this large does not matter, as a share of the images.
    """
    tables = [[agreement_of(baseline[exam].right, found.right) for exam, found in run.items()] for run in runs]
    decisions = iter(decide([AccuracyDifference(table) for part in tables for table in part], margin=margin))
    return [
        [ExamVerdict(exam, table, next(decisions)) for exam, table in zip(run, part, strict=True)]
        for run, part in zip(runs, tables, strict=True)
    ]


def against(baseline: Result, others: Sequence[Result], *, margin: float) -> list[tuple[Agreement, Decision]]:
    """Compare several networks with one baseline on one exam, with Holm's correction for all of them."""
    tables = [agreement_of(baseline.right, other.right) for other in others]
    decisions = decide([AccuracyDifference(table) for table in tables], margin=margin)
    return list(zip(tables, decisions, strict=True))


ORIGINAL = "original"
"""The name of the exam of the test images as they are."""


def exam_names() -> list[str]:
    """Return the names of the sixteen exams: the test images as they are, and the fifteen corruptions of MNIST-C."""
    return [ORIGINAL, *CORRUPTIONS]


def exam_images(images: Pixels, name: str, severity: int | None = None) -> Pixels:
    """Return the images of an exam, made of test images of shape (n, 28, 28); always the same.

    severity: 1 to 5; None for that of MNIST-C. Raises ConfigError where there is no such exam or severity.
    """
    if name == ORIGINAL:
        return images
    return corrupted(images, name, severity or (CORRUPTIONS[name].published if name in CORRUPTIONS else 1))


def most_robust(
    results: Mapping[str, Mapping[str, Result]], verdicts_of: Sequence[Sequence[ExamVerdict]]
) -> str | None:
    """Return the run that is shown to be worse than none of the others on any exam, and better on some; else None.

    results: by run, then by exam; the first is the baseline. verdicts_of: of each other run against that baseline, in
    the order of `results`. With more than two runs nothing is returned unless the baseline itself is that run.
    """
    runs = list(results)
    if all(_only(items, "worse") for items in verdicts_of):
        return runs[0]
    if len(runs) == 2 and _only(verdicts_of[0], "better"):
        return runs[1]
    return None


def _only(items: Sequence[ExamVerdict], answer: str) -> bool:
    """True if all decided differences are of this kind, and there is one."""
    decided = [item.accuracy.answer for item in items if item.accuracy.differs]
    return bool(decided) and set(decided) == {answer}
