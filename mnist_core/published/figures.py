"""The figures that sources print, as they are measured here, and whether one differs from the other.

A source prints one training's figure p; measured is the mean m of k trainings that differ in their seeds alone. All are
about the same images: a test figure is of the same 10,000, a training figure of the same 60,000. The luck of the images
is therefore in both, and drops out of the gap m − p; what is left is the luck of the seeds, with standard error

    s · √(1 + 1/k)

where s is the standard deviation between seeds. Three seeds know little of their own s, so it is pooled over the
trainings that ship (`SPREADS`), for each figure by itself: relative to √(a(1 − a)) for an accuracy a, as for a share of
images, and to the value for a loss. The luck of the source's environment, and of what it rounds, is not in it.

All figures of a row are compared at once, each at the level of Holm's method, by `comparison.decide`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from mnist_core.comparison import decide
from mnist_core.constants import MNIST_TEST_IMAGES
from mnist_core.errors import StoreError
from mnist_core.evaluation.statistics import MeanDifference, Sample, sample
from mnist_core.experiments.presets import Published
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary
from mnist_core.studies import sweeps

Figure = Literal[
    "test_accuracy",
    "test_loss",
    "best_val_loss",
    "first_loss",
    "first_accuracy",
    "first_val_loss",
    "first_val_accuracy",
    "last_loss",
    "last_accuracy",
    "last_val_accuracy",
]
"""A figure that can be compared: a field of `presets.Published`, which explains it."""

FIGURE_NAMES: tuple[Figure, ...] = get_args(Figure)
LAST: tuple[Figure, ...] = ("last_loss", "last_accuracy", "last_val_accuracy")
"""Figures of the last epoch, which is another one for each seed where training stops itself."""


def is_loss(figure: Figure) -> bool:
    """True for a figure in nats, False for a share of images."""
    return figure.endswith("loss")


def printed(published: Published) -> dict[Figure, float]:
    """Return the figures that a source prints and that can be compared, in the order of FIGURE_NAMES."""
    values = {figure: getattr(published, figure) for figure in FIGURE_NAMES}
    return {figure: value for figure, value in values.items() if value is not None}


# -- measured ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """The results on MNIST of the runs of a published model.

    run_ids: by seed. figures: each over the seeds; test figures are of the weights that are kept, and the test loss is
    that of `keras_loss`. best_epochs: of the lowest validation loss, and epochs: finished, both by seed.
    """

    run_ids: tuple[str, ...]
    figures: Mapping[Figure, Sample]
    best_epochs: tuple[int, ...]
    epochs: tuple[int, ...]

    @property
    def accuracy(self) -> Sample:
        """The test accuracy."""
        return self.figures["test_accuracy"]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "run_ids": list(self.run_ids),
            "figures": {figure: value.to_json() for figure, value in self.figures.items()},
            "best_epochs": list(self.best_epochs),
            "epochs": list(self.epochs),
        }


def measure(runs: Sequence[Run], reader: Reader = PLAIN) -> Measured | None:
    """Return the figures of runs of one recipe; None where none of them has been tested."""
    tested: list[tuple[Run, RunSummary, list[EpochRow]]] = []
    for run in runs:
        with contextlib.suppress(StoreError):  # damaged: it has no figures, and its own page says why
            item = reader.summary(run)
            if item.test is not None:
                tested.append((run, item, run.rows()))
    if not tested:
        return None
    tested.sort(key=lambda found: found[0].config.training.seed)
    by_run = [_figures(run, item, history) for run, item, history in tested]
    items = [item for _, item, _ in tested]
    samples = {
        figure: sample(known)
        for figure in FIGURE_NAMES
        if (known := [value for each in by_run if (value := each.get(figure)) is not None and math.isfinite(value)])
    }
    return Measured(
        run_ids=tuple(item.id for item in items),
        figures=samples,
        best_epochs=tuple(item.best_epoch for item in items if item.best_epoch is not None),
        epochs=tuple(item.epochs_done for item in items),
    )


def keras_loss(run: Run, summary: RunSummary, history: Sequence[EpochRow] | None = None) -> float:
    """Return the test loss as Keras, and so each source, reports it: with the L2 penalty of the weights kept."""
    assert summary.test is not None
    assert summary.test.loss is not None  # whatever was trained here gives probabilities
    row = sweeps.kept_row(run, list(run.rows() if history is None else history))
    return summary.test.loss + (row.penalty if row else 0.0)


def _figures(run: Run, item: RunSummary, history: Sequence[EpochRow]) -> dict[Figure, float | None]:
    assert item.test is not None
    found: dict[Figure, float | None] = {
        "test_accuracy": item.test.accuracy,
        "test_loss": keras_loss(run, item, history),
        "best_val_loss": item.best_val_loss,
    }
    if history:
        first, last = history[0], history[-1]
        found |= {
            "first_loss": first.loss,
            "first_accuracy": first.accuracy,
            "first_val_loss": first.val_loss,
            "first_val_accuracy": first.val_accuracy,
            "last_loss": last.loss,
            "last_accuracy": last.accuracy,
            "last_val_accuracy": last.val_accuracy,
        }
    return found


# -- how much seeds differ ---------------------------------------------------------------------------------------------


class Spread(NamedTuple):
    """The standard deviation of a figure between seeds, relative to `scale`, and its degrees of freedom."""

    relative: float
    freedom: int


SPREADS: Mapping[Figure, Spread] = MappingProxyType(
    {
        "test_accuracy": Spread(0.00775, 30),
        "test_loss": Spread(0.0605, 30),
        "best_val_loss": Spread(0.0619, 30),
        "first_loss": Spread(0.0208, 30),
        "first_accuracy": Spread(0.0108, 30),
        "first_val_loss": Spread(0.0478, 30),
        "first_val_accuracy": Spread(0.0116, 30),
        "last_loss": Spread(0.0428, 26),
        "last_accuracy": Spread(0.00489, 26),
        "last_val_accuracy": Spread(0.00751, 26),
    }
)
"""By figure, pooled over the published models that ship with three seeds each; a test holds them against those runs.

Constants, so that a verdict does not depend on what else is in the store. A test accuracy of 97.62 % has a standard
deviation of 0.12 points between seeds.
"""


def scale(figure: Figure, value: float) -> float:
    """Return what a figure's spread between seeds is in proportion to; never 0."""
    if is_loss(figure):
        return max(abs(value), 1e-12)
    return math.sqrt(max(value * (1 - value), 1 / MNIST_TEST_IMAGES))


def pooled(figure: Figure, samples: Iterable[Sample]) -> Spread | None:
    """Return the relative spread of a figure over recipes; None where none of them has two seeds."""
    known = [(each.n - 1, each.sd / scale(figure, each.mean)) for each in samples if each.n > 1]
    freedom = sum(weight for weight, _ in known)
    if not freedom:
        return None
    return Spread(math.sqrt(sum(weight * relative**2 for weight, relative in known) / freedom), freedom)


def seed_sd(figure: Figure, value: float) -> float:
    """Return the standard deviation between seeds of a figure of this size."""
    return SPREADS[figure].relative * scale(figure, value)


# -- compared ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One figure as published and as measured. decision: on measured minus published, "better" being higher."""

    figure: Figure
    published: float
    measured: Sample
    decision: decide.Decision

    @property
    def gap(self) -> float:
        """Measured minus published."""
        return self.decision.value

    @property
    def limit(self) -> float:
        """The largest gap that chance allows for."""
        return (self.decision.interval.high - self.decision.interval.low) / 2

    @property
    def differs(self) -> bool:
        """True if chance does not allow for the gap."""
        return self.decision.differs

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "figure": self.figure,
            "published": self.published,
            "measured": self.measured.to_json(),
            "limit": self.limit,
            "differs": self.differs,
        }


def compare(pairs: Sequence[tuple[Figure, float, Sample]]) -> tuple[Compared, ...]:
    """Compare figures that belong to one row, given as (figure, published, measured); the rule at the top."""
    estimates = [
        MeanDifference(
            measured.mean - published,
            seed_sd(figure, measured.mean) * math.sqrt(1 + 1 / measured.n),
            SPREADS[figure].freedom,
        )
        for figure, published, measured in pairs
    ]
    decisions = decide.decide(estimates, margin=None) if estimates else []
    return tuple(Compared(*pair, decision) for pair, decision in zip(pairs, decisions, strict=True))


def compare_model(published: Published, measured: Measured) -> tuple[Compared, ...]:
    """Compare every figure that a source prints for a model and that was measured here."""
    known = printed(published).items()
    return compare([(name, value, measured.figures[name]) for name, value in known if name in measured.figures])
