"""The dependency audit of continuous integration: no source of advisories is never a pass."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parent.parent / ".ci" / "audit.py"
BAD = {"name": "one", "version": "1.0", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"]}]}
GOOD = {"name": "two", "version": "2.0", "vulns": []}
UNKNOWN = {"name": "three", "skip_reason": "not found"}


@pytest.fixture
def audit() -> Any:
    description = importlib.util.spec_from_file_location("audit", FILE)
    assert description
    assert description.loader
    found = importlib.util.module_from_spec(description)
    description.loader.exec_module(found)
    return found


@pytest.mark.parametrize(
    ("control", "reason"),
    [("ConnectionError: no route", "no route"), ([UNKNOWN], "knows no advisory"), ([GOOD], "knows no advisory")],
)
def test_where_no_source_can_be_used_the_audit_is_reported_as_skipped(
    audit: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], control: Any, reason: str
) -> None:
    monkeypatch.setattr(audit, "pip_audit", lambda source, *options: control)
    assert audit.main() == 0
    printed = capsys.readouterr().out
    assert printed.count(reason) == len(audit.SOURCES)
    assert "SKIPPED" in printed
    assert "compared, " not in printed


def test_an_advisory_fails_the_audit_and_is_listed_with_the_release_that_mends_it(
    audit: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "pip_audit", lambda source, *options: [BAD, GOOD, UNKNOWN])
    assert audit.main() == 1
    printed = capsys.readouterr().out
    assert "one 1.0: PYSEC-1, mended in: 1.1" in printed
    assert "2 packages compared, 1 not." in printed
    assert "Not compared: three." in printed


def test_an_accepted_advisory_is_listed_with_its_reason_and_does_not_fail(audit: Any) -> None:
    lines, clean = audit.verdict([BAD], {"CVE-1": "its part is not used"})
    assert clean
    assert "accepted: its part is not used" in lines[0]


def test_a_source_that_fails_after_the_control_is_passed_over(
    audit: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        audit, "pip_audit", lambda source, *options: [BAD] if "--requirement" in options else "no answer"
    )
    assert audit.main() == 0
    assert "SKIPPED" in capsys.readouterr().out


PIP_AUDIT = """
import json, sys
known_bad = "--requirement" in sys.argv
if not {reached}:
    sys.exit("ConnectionError: Name or service not known")
found = {bad} if known_bad else {found}
print(json.dumps({{"dependencies": found, "fixes": []}}))
"""


@pytest.mark.parametrize(
    ("reached", "found", "code", "words"),
    [
        (True, [BAD, GOOD], 1, "one 1.0: PYSEC-1, mended in: 1.1"),
        (True, [GOOD, UNKNOWN], 0, "1 packages compared, 1 not."),
        (False, [], 0, "Dependency audit: SKIPPED. Nothing was compared with advisories"),
    ],
    ids=["an advisory", "none", "no network"],
)
def test_the_command_ends_as_it_reports(
    tmp_path: Path, reached: bool, found: list[dict[str, Any]], code: int, words: str
) -> None:
    """As CI runs it, with a pip-audit that answers as the real one does."""
    text = PIP_AUDIT.format(reached=reached, bad=[BAD], found=found)
    (tmp_path / "pip_audit.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, FILE], env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout
    assert done.stdout.count("Name or service not known") == (0 if reached else 2)
