"""Chromium: where it is, and how it is started for tests, screenshots and measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

PATH = next((path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None)
"""Debian's Chromium, the browser that people have; None if it is not installed."""

_SHELL = "/usr/bin/chromium-headless-shell"
FOR_TESTS = _SHELL if Path(_SHELL).exists() else PATH
"""Debian's Chromium without windows and bars, for tests: it loads a page with a third less of a processor's time.

Where it is not installed, Chromium; None if neither is.
"""

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright, path: str | None = PATH or FOR_TESTS) -> Browser:
    """Start the Chromium at `path`, else the one that people have, else any; whoever calls this closes it."""
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
