"""Where REQUIRE_ALL_TESTS=1, a skipped test is a failed one, but for what a machine may do without.

That is a library that is not among the requirements (`optional`), and namespaces that the kernel forbids (`namespaces`,
which is tried). The summary counts what was passed over so, and says why. These are pytest's hooks, for `conftest.py`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

from tests.support import namespaces

DEMANDED = os.environ.get("REQUIRE_ALL_TESTS") == "1"
_PASSED_OVER = "passed over"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, None, None]:
    """Make a failure of a test that is skipped and must not be."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    if not DEMANDED or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = _excuse(item, report)
    if reason:
        report.user_properties.append((_PASSED_OVER, reason))
    else:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but REQUIRE_ALL_TESTS=1 asks for every test: {report.longrepr}"


def _excuse(item: pytest.Item, report: pytest.TestReport) -> str | None:
    """Return why a test may be skipped all the same; None where it may not."""
    if item.get_closest_marker("optional"):
        return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    marker = item.get_closest_marker("namespaces")
    return namespaces.forbidden(*marker.args) if marker else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were passed over."""
    found = Counter(
        reason
        for report in terminalreporter.stats.get("skipped", [])
        for name, reason in report.user_properties
        if name == _PASSED_OVER
    )
    for reason, count in found.items():
        tests = "1 test was" if count == 1 else f"{count} tests were"
        terminalreporter.write_line(f"REQUIRE_ALL_TESTS=1, but {tests} passed over: {reason}", yellow=True)
