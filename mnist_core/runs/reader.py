"""Read the results of runs: the one way in for whatever compares, ranks or reports them."""

from __future__ import annotations

from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary, summarise


class Reader:
    """Reads every result from its file each time; a caller that caches passes a subclass.

    All methods raise StoreError where a file is damaged.
    """

    def predictions(self, run: Run, chosen: ChosenEpoch = "kept") -> Predictions | None:
        """Return the run's predictions of an epoch; None where they are not stored."""
        return run.predictions(chosen)

    def test_scores(self, run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:
        """Return the run's scores on the test set for the weights of an epoch; None where that was not tested."""
        return run.test_scores(chosen)

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """Return the run's figures."""
        return summarise(run, chosen)


PLAIN = Reader()
"""Reads without a cache."""
