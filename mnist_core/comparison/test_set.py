"""Counting what the test images are used for: each distinct comparison of two runs once (see `runs.test_set_uses`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mnist_core.runs import test_set_uses
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary
from mnist_core.runs.test_set_uses import Uses


def counted(root: Path, baseline: Run, runs: Iterable[Run], summaries: Mapping[str, RunSummary]) -> Uses:
    """Count each of `runs` that is shown with its test result next to that of `baseline`. `root`: the store's folder.

    Runs on other data, and those without a test result, show no comparison. `summaries`: by run id.

    Returns
    -------
    Uses
        how often the test images of the baseline's data have been used.

    Raises
    ------
    WriteError
        where the store cannot be written.
    """
    fingerprint, own = baseline.status.fingerprint, summaries[baseline.id]
    uses = [
        test_set_uses.comparison(fingerprint, (own.id, own.tested_epoch), (run.id, summaries[run.id].tested_epoch))
        for run in runs
        if run.id != own.id and run.status.fingerprint == fingerprint and own.test and summaries[run.id].test
    ]
    test_set_uses.record(root, uses)
    return test_set_uses.seen(root, fingerprint)
