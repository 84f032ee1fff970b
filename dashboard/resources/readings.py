"""What the files of one run hold, and what follows from them alone. Each is read once until the run changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.cache import CACHE, LARGE, PREDICTIONS, size_of
from dashboard.resources import shared
from mnist_core.comparison.diagnosis.findings import Finding
from mnist_core.comparison.diagnosis.rules import diagnose_run
from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import ChosenEpoch, EpochRow
from mnist_core.runs.run import Run, Version
from mnist_core.runs.summary import RunSummary

if TYPE_CHECKING:
    import pandas as pd

RunKey = tuple[str, Version, str]


def run_key(run: Run) -> RunKey:
    """Return what changes whenever a run's files or its state do: the part of a key that stands for the run."""
    return run.id, run.version(), run.state


def history(run: Run) -> pd.DataFrame:
    """Return the run's history, cached until it changes; the caller's own, to be written into."""
    frame: pd.DataFrame = CACHE.get(("history", run_key(run)), run.history, size_of)
    return frame.copy(deep=False)  # pandas copies a column when one of the two is written into


def rows(run: Run) -> list[EpochRow]:
    """Return the run's finished epochs, cached until it changes. Callers must not change the list."""
    found: list[EpochRow] = CACHE.get(("rows", run_key(run)), run.rows, size_of)
    return found


def predictions(run: Run, chosen: ChosenEpoch = "kept") -> Predictions | None:
    """Return the run's predictions of an epoch, cached until they change."""
    found: Predictions | None = PREDICTIONS.get(
        ("predictions", run_key(run), chosen), lambda: run.predictions(chosen), size_of
    )
    return found


def test_scores(run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:  # noqa: PT028 -- not a test
    """Return the test scores of an epoch's weights; None before there are predictions."""
    found: Scores | None = CACHE.get(("test scores", run_key(run), chosen), lambda: run.test_scores(chosen), size_of)
    return found


def summary(run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
    """Return the run's figures, cached until they change; raises StoreError where its files are damaged."""
    return shared.seen().summary(run, chosen)


def prediction_frame(run: Run) -> pd.DataFrame | None:
    """Return every test image with the run's guess (see `mnist_core.evaluation.mistakes`).

    The result is None before there are predictions.

    Shared by all sessions: not to be written into.
    """
    from mnist_core.evaluation.mistakes import prediction_frame

    def made() -> pd.DataFrame | None:
        found = predictions(run)
        return prediction_frame(found) if found else None

    frame: pd.DataFrame | None = LARGE.get(("prediction frame", run_key(run)), made, size_of)
    return frame


def diagnosis(run: Run) -> list[Finding]:
    """Return the findings of a run, cached until its files change; raise StoreError where they are damaged."""
    found: list[Finding] = CACHE.get(("diagnosis", run_key(run)), lambda: diagnose_run(run), size_of)
    return found


class _CachedReader(Reader):
    """Reads results through the functions of this module, which all sessions share."""

    def predictions(self, run: Run, chosen: ChosenEpoch = "kept") -> Predictions | None:
        """Return the run's predictions of an epoch; None where they are not stored."""
        return predictions(run, chosen)

    def test_scores(self, run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:
        """Return the run's scores on the test set; None where that was not tested."""
        return test_scores(run, chosen)

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """Return the run's figures."""
        return summary(run, chosen)


READER = _CachedReader()
