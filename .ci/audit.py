"""Compare what is installed with the published advisories, with pip-audit. `python .ci/audit.py`

pip-audit calls a package free of advisories also where its source knows nothing of the package, as with a mirror of the
registry. So each source is first asked for a release that is known to have advisories. A source that has none for it
cannot be trusted, and one that cannot be reached answers nothing: where no source is left, this says that the audit was
skipped, and never that it was passed.

Ends with 1 where there are advisories, else with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCES = ("pypi", "osv")
KNOWN_BAD = "jinja2==2.4.1"
"""A release with advisories since 2014 (CVE-2014-1402)."""

ACCEPTED: dict[str, str] = {}
"""Advisories that do not concern this project: their identifiers, and why."""


def pip_audit(source: str, *options: str) -> list[dict[str, Any]] | str:
    """Return what pip-audit found for each package; where it could not look, why."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", source, "--timeout", "15"]
    command += ["--format", "json", "--progress-spinner", "off", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        return list(json.loads(done.stdout)["dependencies"])
    except subprocess.TimeoutExpired:
        return "no answer within ten minutes"
    except (ValueError, KeyError):
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]


def reason_to_skip(control: list[dict[str, Any]] | str) -> str | None:
    """Return why a source cannot be used, by its answer for the release that has advisories."""
    if isinstance(control, str):
        return control
    if not any(package.get("vulns") for package in control):
        return f"it knows no advisory for {KNOWN_BAD}, which has several"
    return None


def verdict(found: list[dict[str, Any]], accepted: dict[str, str]) -> tuple[list[str], bool]:
    """Return the lines of the report, and whether nothing was found that has to be dealt with."""
    lines, clean = [], True
    for package in found:
        for advisory in package.get("vulns", ()):
            names = {advisory["id"], *advisory.get("aliases", ())}
            known = next((reason for name, reason in accepted.items() if name in names), None)
            clean = clean and known is not None
            mended = ", ".join(advisory.get("fix_versions") or ()) or "none yet"
            what = f"accepted: {known}" if known is not None else f"mended in: {mended}"
            lines.append(f"{package['name']} {package['version']}: {advisory['id']}, {what}")
    unknown = [package["name"] for package in found if "vulns" not in package]
    lines.append(f"Dependency audit: {len(found) - len(unknown)} packages compared, {len(unknown)} not.")
    if unknown:
        lines.append(f"Not compared: {', '.join(unknown)}.")
    return lines, clean


def main() -> int:
    """Print the report of the first source that can be used."""
    with tempfile.TemporaryDirectory() as name:
        bad = Path(name) / "known_bad.txt"
        bad.write_text(KNOWN_BAD, encoding="utf-8")
        for source in SOURCES:
            reason = reason_to_skip(pip_audit(source, "--no-deps", "--disable-pip", "--requirement", str(bad)))
            found = pip_audit(source, "--local") if reason is None else reason
            if not isinstance(found, str):
                lines, clean = verdict(found, ACCEPTED)
                print("\n".join(lines))
                return 0 if clean else 1
            print(f"Dependency audit, {source}: {found}.")
    print("Dependency audit: SKIPPED. Nothing was compared with advisories, as no source of them can be used here.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
