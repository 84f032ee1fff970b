"""Which of several trained runs is better than a baseline, whether that is real, and what the answer does not cover.

A verdict is about two trained networks and the same test images; `recipe_verdicts` compares recipes over their seeds.
The results hold values and codes; `comparison.words` makes sentences of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mnist_core.comparison.comparability import NOTHING_KNOWN, Background, Concern, concerns
from mnist_core.comparison.decide import DEFAULT_MARGIN, Answer, Decision, decide
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import (
    AccuracyDifference,
    Agreement,
    MeanDifference,
    agreement,
    loss_difference,
    mcnemar,
    mcnemar_mid,
)
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

FEW_IMAGES = 2_000
"""Under so many test images the interval of a difference in loss is too narrow; see docs/decisions/0015."""

FEWEST_IMAGES = 2
"""A difference in loss has no spread over fewer."""


@dataclass(frozen=True)
class Limit:
    """Something that a verdict does not cover.

    one_training: it is about two trained networks, not recipes. test_validation: `runs` used the test images for
    validation. several: `count` comparisons were made at once. few_images: of `count` images, too few for the interval
    of the loss.
    """

    code: Literal["one_training", "test_validation", "several", "few_images"]
    runs: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Verdict:
    """A run against the baseline, on the same test images. Differences are the run's minus the baseline's.

    epochs: those that are compared, the baseline's first; None where it is not known.
    accuracy: as a share of the images, by McNemar's score test. loss: in nats, by a paired t test; None where a run has
    guesses without probabilities.
    exact_p, mid_p: McNemar's exact and mid-p values, for comparison with other tools; nothing follows from them.
    identical: True if all probabilities are the same.
    """

    baseline: str
    run: str
    epochs: tuple[int | None, int | None]
    table: Agreement
    accuracy: Decision
    loss: Decision | None
    exact_p: float
    mid_p: float
    identical: bool
    limits: tuple[Limit, ...]
    concerns: tuple[Concern, ...]

    @property
    def answer(self) -> Answer:
        """The answer by accuracy."""
        return self.accuracy.answer

    @property
    def loss_answer(self) -> Answer | None:
        """The answer by loss, of which less is better; None where a run has no probabilities."""
        return self.loss.answer if self.loss else None

    @property
    def comparisons(self) -> int:
        """Number of runs that are compared with this baseline at once."""
        return self.accuracy.comparisons


@dataclass(frozen=True)
class Refusal:
    """A run that cannot be compared with the baseline, and why.

    other_data: tested on different data; `data` has the names of both, `fingerprints` theirs. live, no_result,
    no_epoch, not_stored: the run `which` is not finished, has no test result, none of the chosen epoch `epoch`, or is
    stored without predictions; `state` is its state. other_count, one_image: tested on as many images as `counts` says.
    other_images: recorded with different test images. other_classes: their classes are others, or in another order.
    other_labels: the same number of images with other labels.
    """

    baseline: str
    run: str
    code: Literal[
        "other_data",
        "live",
        "no_result",
        "no_epoch",
        "not_stored",
        "other_count",
        "one_image",
        "other_images",
        "other_classes",
        "other_labels",
    ]
    which: str = ""
    state: str = ""
    chosen: ChosenEpoch = "kept"
    epoch: int | None = None
    data: tuple[str, str] = ("", "")
    fingerprints: tuple[str, str] = ("", "")
    counts: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Comparison:
    """All other runs against one baseline, in their order.

    chosen: the epoch whose predictions are compared. margin: a difference in accuracy this large does not matter, as
    a share of the images.
    """

    baseline: str
    chosen: ChosenEpoch
    margin: float
    results: tuple[Verdict | Refusal, ...]

    @property
    def verdicts(self) -> list[Verdict]:
        """Of the runs that can be compared."""
        return [item for item in self.results if isinstance(item, Verdict)]

    @property
    def refusals(self) -> list[Refusal]:
        """The runs that cannot."""
        return [item for item in self.results if isinstance(item, Refusal)]

    def of(self, run: str) -> Verdict | None:
        """Return the verdict on the run with this id; None where there is none."""
        return next((item for item in self.verdicts if item.run == run), None)


def compare(
    runs: Sequence[Run],
    baseline: Run,
    chosen: ChosenEpoch = "kept",
    *,
    margin: float = DEFAULT_MARGIN,
    reader: Reader = PLAIN,
    background: Background = NOTHING_KNOWN,
) -> Comparison:
    """Compare every other one of `runs` with `baseline`, image by image.

    Parameters
    ----------
    runs
        in the order of the answers; the baseline among them is passed over.
    baseline
        what they are measured against.
    chosen
        the epoch whose predictions are compared.
    margin
        a difference in accuracy this large does not matter, as a share of the images, above 0.
    reader
        where results come from.
    background
        what the runs do not say themselves: which was chosen among many, and what was found in the data.
    """
    found = [(run, _evidence(baseline, run, chosen, reader)) for run in runs if run.id != baseline.id]
    pairs = [(run, item) for run, item in found if isinstance(item, _PairedResult)]
    accuracies = decide([AccuracyDifference(item.table) for _, item in pairs], margin=margin)
    known = [(run.id, item.loss) for run, item in pairs if item.loss is not None]
    decided = decide([item for _, item in known], margin=None, lower_is_better=True)
    losses = {run_id: decision for (run_id, _), decision in zip(known, decided, strict=True)}
    verdicts = {
        run.id: Verdict(
            baseline=baseline.id,
            run=run.id,
            epochs=(baseline.epoch(chosen), run.epoch(chosen)),
            table=item.table,
            accuracy=accuracy,
            loss=losses.get(run.id),
            exact_p=mcnemar(item.table.only_baseline, item.table.only_run),
            mid_p=mcnemar_mid(item.table.only_baseline, item.table.only_run),
            identical=item.identical,
            limits=tuple(_limits(baseline, run, item.table.images, len(pairs))),
            concerns=concerns(baseline, run, chosen, background),
        )
        for (run, item), accuracy in zip(pairs, accuracies, strict=True)
    }
    results = tuple(item if isinstance(item, Refusal) else verdicts[run.id] for run, item in found)
    return Comparison(baseline.id, chosen, margin, results)


@dataclass(frozen=True)
class _PairedResult:
    table: Agreement
    loss: MeanDifference | None
    identical: bool


def _evidence(baseline: Run, run: Run, chosen: ChosenEpoch, reader: Reader) -> _PairedResult | Refusal:
    pair = paired(baseline, run, chosen, reader)
    if isinstance(pair, Refusal):
        return pair
    if any(item.guesses_only for item in pair):
        return _PairedResult(agreement(*pair), None, identical=False)
    same = np.array_equal(pair[0].probabilities, pair[1].probabilities)
    return _PairedResult(agreement(*pair), loss_difference(*pair), same)


def paired(
    baseline: Run, run: Run, chosen: ChosenEpoch = "kept", reader: Reader = PLAIN
) -> tuple[Predictions, Predictions] | Refusal:
    """Return the predictions of both runs on the same test images, or why they cannot be compared image by image."""
    refused = Refusal(baseline.id, run.id, "other_data", chosen=chosen)
    if baseline.status.fingerprint != run.status.fingerprint:
        return replace(
            refused,
            data=(baseline.dataset, run.dataset),
            fingerprints=(baseline.status.fingerprint, run.status.fingerprint),
        )
    images = [run.recorded.images for run in (baseline, run) if run.recorded and run.recorded.images]
    if len(set(images)) > 1:
        return replace(refused, code="other_images", data=(baseline.dataset, run.dataset))
    first, second = reader.predictions(baseline, chosen), reader.predictions(run, chosen)
    if first is None:
        return _missing(refused, baseline)
    if second is None:
        return _missing(refused, run)
    counts = len(first.labels), len(second.labels)
    if counts[0] != counts[1]:
        return replace(refused, code="other_count", counts=counts)
    if counts[0] < FEWEST_IMAGES:
        return replace(refused, code="one_image", counts=counts)
    named = baseline.recorded is None or run.recorded is None  # digits, which a run from outside may name otherwise
    if len(baseline.classes) != len(run.classes) or (not named and baseline.classes != run.classes):
        return replace(refused, code="other_classes", counts=(len(baseline.classes), len(run.classes)))
    if not np.array_equal(first.labels, second.labels):
        return replace(refused, code="other_labels")
    return first, second


def _missing(refused: Refusal, run: Run) -> Refusal:
    """Return why `run` has no predictions of the chosen epoch."""
    known = replace(refused, which=run.id, state=run.state, epoch=run.epoch(refused.chosen))
    if not run.ended:
        return replace(known, code="live")
    if run.epoch("kept") is None:
        return replace(known, code="no_result")
    return replace(known, code="not_stored" if refused.chosen == "kept" else "no_epoch")


def _limits(baseline: Run, run: Run, images: int, comparisons: int) -> list[Limit]:
    found = [Limit("one_training")]
    on_test = [item.id for item in (baseline, run) if item.validated_on_test]
    if on_test:
        found.append(Limit("test_validation", tuple(on_test)))
    if images < FEW_IMAGES:
        found.append(Limit("few_images", count=images))
    if comparisons > 1:
        found.append(Limit("several", (baseline.id,), comparisons))
    return found
