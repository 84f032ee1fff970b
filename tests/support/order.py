"""Which files of tests start first: the longest, so that at the end no process is left alone with one of them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]

LONGEST = (
    "contracts/test_waiting.py",
    "contracts/test_storm.py",
    "contracts/test_cluster.py",
    "e2e/test_accessibility.py",
    "e2e/test_training_flow.py",
    "e2e/test_mistakes_flow.py",
    "e2e/test_runs_flow.py",
    "e2e/test_names_flow.py",
    "contracts/test_runners.py",
    "recording/test_elsewhere.py",
    "jobs/test_service.py",
    "e2e/test_draw_flow.py",
    "training/test_training.py",
    "dashboard/test_outside_runs.py",
    "e2e/test_compare_flow.py",
    "dashboard/test_hostile_names.py",
    "e2e/test_questions_flow.py",
    "dashboard/test_sweeps_page.py",
    "cli/test_cli.py",
    "studies/test_searches.py",
)
"""Files of half a minute and more in a whole run, longest first, from the folder `tests` on."""

_PLACES = {ROOT / name: place for place, name in enumerate(LONGEST)}


def place(path: Path) -> int:
    """Return the place of a file of tests in the order in which they start; files of equal places stay as they are."""
    return _PLACES.get(path, len(_PLACES))
