"""A little of the storm of `docs/reliability.md`: real processes are killed, the disk is full, the clock is set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_MOUNT = 101

pytestmark = [pytest.mark.browser, pytest.mark.namespaces("mount")]


@pytest.mark.timeout(900)  # it takes 75 s alone, and four times as long on a machine that is busy
def test_a_short_storm_loses_changes_and_leaves_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.storm", "--short", "--seed", "7"]
    storm = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if storm.returncode == NO_MOUNT:
        pytest.skip(storm.stderr)
    assert storm.returncode == 0, storm.stdout + storm.stderr
    *_, head, rule, first, _, _, _, _, _, last = storm.stdout.splitlines()
    assert (first[:10], last[:10]) == ("| clock | ", "| files | ")
    documented = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert f"{head}\n{rule}\n" in documented, "the table of the page has other columns than the storm prints"
