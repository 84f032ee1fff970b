"""Which files of tests start first: the longest, so that at the end no process is left alone with one of them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]

LONGEST = (
    "e2e/test_accessibility.py",
    "contracts/test_waiting.py",
    "e2e/test_training_flow.py",
    "contracts/test_storm.py",
    "e2e/test_mistakes_flow.py",
    "training/test_training.py",
    "contracts/test_runners.py",
    "studies/test_searches.py",
    "contracts/test_cluster.py",
    "e2e/test_names_flow.py",
    "e2e/test_class_flow.py",
    "jobs/test_service.py",
    "e2e/test_sweeps_flow.py",
    "recording/test_backends.py",
    "dashboard/test_examples.py",
    "e2e/test_draw_flow.py",
    "contracts/test_disks.py",
    "dashboard/test_outside_runs.py",
    "contracts/test_damaged_stores.py",
)
"""Files of half a minute and more in a whole run, longest first, from the folder `tests` on."""

_PLACES = {ROOT / name: place for place, name in enumerate(LONGEST)}


def place(path: Path) -> int:
    """Return the place of a file of tests in the order in which they start; files of equal places stay as they are."""
    return _PLACES.get(path, len(_PLACES))
