"""Models that may say "I don't know": how right they are on what they answer, and a second model for the rest.

A model answers an image if its confidence, the probability of its guess, is at least a threshold (selective
classification; El-Yaniv and Wiener 2010). The threshold is chosen on validation images and what follows from it is
measured on test images. Where a model held out no validation images, every second test image takes their place, and
the others alone are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import Decision, decide
from mnist_core.evaluation.metrics import Interval, accuracy_interval, confidence
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import AccuracyDifference, agreement_of


class Coverage(NamedTuple):
    """Accuracy against coverage: one value for each distinct confidence, the highest first.

    threshold: float64, the confidence from which an image is answered. coverage: the share of all images that is
    answered then, ascending to 1. accuracy: the share of the answered images that is right. All of shape (m,).
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    accuracy: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's guesses of n images, n ≥ 1. sure: float64, shape (n,), its confidence. right: bool, shape (n,)."""

    sure: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.right)

    def at(self, threshold: float | None) -> Abstaining:
        """Return what it answers with this threshold; None is one that no confidence reaches."""
        answered = np.zeros(self.images, bool) if threshold is None else self.sure >= threshold
        return Abstaining(answered, self.right)

    def coverage(self) -> Coverage:
        """Return the accuracy on the surest images, for every number of them that a threshold can leave."""
        order = np.argsort(-self.sure, kind="stable")
        sure, hits = self.sure[order], np.cumsum(self.right[order])
        last = _last_of_equal(sure)
        return Coverage(sure[last], (last + 1) / self.images, hits[last] / (last + 1))


@dataclass(frozen=True, eq=False)
class Abstaining:
    """What a model does with a threshold. answered, right: bool, shape (n,)."""

    answered: NDArray[np.bool_]
    right: NDArray[np.bool_]

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.answered)

    @property
    def answers(self) -> int:
        """Number of images that it answers."""
        return int(self.answered.sum())

    @property
    def correct(self) -> int:
        """Number of images that it answers rightly."""
        return int((self.answered & self.right).sum())

    @property
    def share(self) -> float:
        """The share of the images that it answers, 0 to 1."""
        return self.answers / self.images

    @property
    def accuracy(self) -> float | None:
        """The share of its answers that is right; None if it answers nothing."""
        return self.correct / self.answers if self.answers else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's 95 % interval of that accuracy; None if it answers nothing."""
        return accuracy_interval(self.correct, self.answers) if self.answers else None


@dataclass(frozen=True, eq=False)
class Choosing:
    """Several models on the images to choose a threshold on, and on those to measure it on.

    chosen_on: of each model; its own validation images, or, if `halved`, the same half of the test images for all.
    measured_on: of each model, on the same test images.
    """

    chosen_on: list[Answers]
    measured_on: list[Answers]
    halved: bool


def split(models: Sequence[Predictions]) -> Choosing:
    """Return the images to choose on and to measure on, for models with the same test labels and with probabilities.

    Raises
    ------
    ValueError
        if the models have other labels, one has guesses only, or there are fewer than two test images.
    """
    first = models[0].labels
    if any(not np.array_equal(first, model.labels) for model in models):
        raise ValueError("the models have other test labels; compare models that were tested on the same images")
    if any(model.guesses_only for model in models):
        raise ValueError("a model gave its guesses only; how sure it was is not known")
    if len(first) < 2:
        raise ValueError(f"there is {len(first)} test image; two at least are needed to choose and to measure")
    tested = [_answers(model.labels, model.probabilities) for model in models]
    held = [
        _answers(model.val_labels, model.val_probabilities)
        for model in models
        if model.val_labels is not None and model.val_probabilities is not None
    ]
    if len(held) == len(models):
        return Choosing(held, tested, halved=False)
    return Choosing([_part(item, 0) for item in tested], [_part(item, 1) for item in tested], halved=True)


def _answers(labels: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> Answers:
    return Answers(confidence(probabilities).astype(np.float64), probabilities.argmax(axis=1) == labels)


def _part(answers: Answers, first: int) -> Answers:
    return Answers(answers.sure[first::2], answers.right[first::2])


def threshold_for(answers: Answers, accuracy: float) -> float | None:
    """Return the lowest threshold with which at least this share of the answers is right; None if there is none.

    It is the one that leaves most images answered. accuracy: 0 to 1.
    """
    found = answers.coverage()
    enough = np.flatnonzero(found.accuracy >= accuracy)
    return float(found.threshold[enough[-1]]) if len(enough) else None


def threshold_that_passes(answers: Answers, share: float) -> float:
    """Return the threshold with which the least sure `share` of the images, 0 to 1, is not answered.

    Images of the very same confidence stay together; more of them are answered then, never fewer.
    """
    passed = int(np.floor(share * answers.images))
    if passed >= answers.images:
        return float("inf")
    return float(np.sort(answers.sure)[passed])


@dataclass(frozen=True, eq=False)
class Cascade:
    """One model first, and a second one for the images that the first is not sure of.

    passed: the share of the images that the second answers. operations: multiplications an image, on average; None
    where a model's are not known. right: bool, shape (n,). against_first, against_second: the cascade minus the model
    alone, decided together.
    """

    threshold: float
    passed: float
    right: NDArray[np.bool_]
    operations: float | None
    against_first: Decision
    against_second: Decision

    @property
    def correct(self) -> int:
        """Number of images that it gets right."""
        return int(self.right.sum())

    @property
    def accuracy(self) -> float:
        """The share of the images that it gets right."""
        return self.correct / len(self.right)

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of that share."""
        return accuracy_interval(self.correct, len(self.right))


def cascade(
    models: Choosing,
    share: float,
    *,
    margin: float,
    first: int = 0,
    second: int = 1,
    operations: tuple[int, int] | None = None,
) -> Cascade:
    """Return how a cascade of two models does on the images to measure on.

    Parameters
    ----------
    models
        the models' answers.
    share
        how many images the first passes on, as a share of the images to choose on, 0 to 1.
    margin
        a difference in accuracy this large does not matter, as a share of the images.
    first, second
        places of the two models in `models`.
    operations
        multiplications for an image, of the first and of the second; None if one is not known.
    """
    threshold = threshold_that_passes(models.chosen_on[first], share)
    a, b = models.measured_on[first], models.measured_on[second]
    answered = a.sure >= threshold
    right = np.where(answered, a.right, b.right)
    passed = float(1 - answered.mean())
    decisions = decide([AccuracyDifference(agreement_of(alone, right)) for alone in (a.right, b.right)], margin=margin)
    # the first model looks at every image, also at those that it passes on
    cost = None if operations is None else operations[0] + passed * operations[1]
    return Cascade(threshold, passed, right, cost, *decisions)


def cascade_accuracies(first: Answers, second: Answers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shares of the images passed on, ascending from 0, and the accuracy of the cascade at each of them."""
    order = np.argsort(first.sure, kind="stable")
    gained = np.cumsum(second.right[order].astype(int) - first.right[order].astype(int))
    last = _last_of_equal(first.sure[order])
    shares = np.append(0.0, (last + 1) / first.images)
    correct = int(first.right.sum()) + np.append(0, gained[last])
    return shares, correct / first.images


def _last_of_equal(sure: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the last place of each value of a sorted array: images of the same confidence are answered together."""
    return np.append(np.flatnonzero(np.diff(sure)), len(sure) - 1)


def compare_answered(models: Sequence[Abstaining], *, margin: float) -> list[Decision]:
    """Decide of each model but the first whether it answers more images rightly, with Holm's correction for all."""
    baseline = models[0].answered & models[0].right
    tables = [agreement_of(baseline, model.answered & model.right) for model in models[1:]]
    return decide([AccuracyDifference(table) for table in tables], margin=margin)
