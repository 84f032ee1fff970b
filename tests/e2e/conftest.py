"""The whole product in a real browser: a server with a store of its own, Chromium, and ways to wait.

A test module starts with ``pytestmark = pytest.mark.browser`` and asks for `screen`:

    def test_something(screen: Screen) -> None:
        screen.open("mistakes", true=4)
        expect(screen.key("gallery")).to_contain_text("4 → 9")

Each module has its own server and its own copy of the seeded store, and what it starts is ended after it, the job
service and its workers included.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright

from mnist_core.runs import lease
from mnist_core.runs.store import Store
from tests.support import chromium as installed
from tests.support.browser import ROOT, WAIT_MS, Screen, Server, end_everything, start_server
from tests.support.waiting import until


@pytest.fixture(scope="session")
def seeded_store(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The folder of a store with the small runs of `seed`; to be copied, not to be used.

    It is made once, by the first of the processes of pytest that needs it.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if hasattr(request.config, "workerinput") else own
    root, ready = shared / "seeded" / "artifacts", shared / "seeded" / "ready"

    def seed_unless_another_does() -> bool:
        turn = lease.claim(shared / "seeded")
        if turn is not None:
            try:
                if not ready.exists():
                    subprocess.run(
                        [sys.executable, "-m", "tests.support.seed", str(root)],
                        cwd=ROOT, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, check=True, timeout=240,
                    )  # fmt: skip
                    ready.touch()
            finally:
                turn.release()
        return ready.exists()

    (shared / "seeded").mkdir(exist_ok=True)
    until(seed_unless_another_does, limit_s=280)
    return root


@pytest.fixture(scope="module")
def server(
    seeded_store: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """A running dashboard on a copy of the seeded store, one for each test module.

    A worker starts with it only where the module says ``WARM_UP = True``: each takes some seconds of a processor.
    """
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(seeded_store, folder / "artifacts")
    warm_up = getattr(request.module, "WARM_UP", False)
    started = start_server(Store(folder / "artifacts"), folder / "server.log", warm_up=warm_up, workers=1)
    try:
        yield started
    finally:
        end_everything(started)


@pytest.fixture(scope="module")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running dashboard on an empty store."""
    folder = tmp_path_factory.mktemp("empty")
    started = start_server(Store(folder / "artifacts"), folder / "server.log", warm_up=False)
    try:
        yield started
    finally:
        end_everything(started)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without windows where that is installed."""
    with sync_playwright() as playwright:
        browser = installed.launch(playwright, installed.FOR_TESTS)
        yield browser
        browser.close()


SIZE: ViewportSize = {"width": 1280, "height": 800}
FORGET = "if (!sessionStorage.getItem('begun')) { localStorage.clear(); sessionStorage.setItem('begun', '1'); }"
"""Takes away what an earlier test has left in the browser, once in each test."""


@pytest.fixture(scope="module")
def windows(chromium: Browser) -> Iterator[BrowserContext]:
    """What the windows of a module's tests share: what the browser has loaded and compiled of a server.

    Without motion, as animations take more of a processor than everything else that a page does.
    """
    context = chromium.new_context(viewport=SIZE, accept_downloads=True, color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(FORGET)
    yield context
    context.close()


def _window(windows: BrowserContext, server: Server, request: pytest.FixtureRequest) -> Iterator[Screen]:
    expect.set_options(timeout=WAIT_MS)
    screen = Screen(windows.pages[0] if windows.pages else windows.new_page(), server)
    failed_before = request.session.testsfailed
    yield screen
    failed = request.session.testsfailed > failed_before
    folder = os.environ.get("E2E_SCREENSHOTS")
    if folder and failed:
        Path(folder).mkdir(parents=True, exist_ok=True)
        screen.page.screenshot(path=str(Path(folder) / f"{request.node.name}.png"), full_page=True)
    windows.set_offline(False)
    for page in windows.pages if failed else windows.pages[1:]:
        page.close()
    windows.clear_cookies()
    if not failed:
        _as_new(screen)


def _as_new(screen: Screen) -> None:
    """Bring a window back to what it was, for the next test: a new one loads a page with twice the work."""
    page = screen.page
    page.goto(f"{screen.server.url}/_stcore/health")  # ends the session with the dashboard
    page.evaluate("sessionStorage.clear()")
    page.set_viewport_size(SIZE)
    page.emulate_media(color_scheme="light")
    page.mouse.move(0, 0)


@pytest.fixture
def screen(windows: BrowserContext, server: Server, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """A browser window as new on the module's server, 1280×800; E2E_SCREENSHOTS names a folder for failures."""
    yield from _window(windows, server, request)


@pytest.fixture
def empty_screen(windows: BrowserContext, empty_server: Server, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """A browser window as new on a server with an empty store."""
    yield from _window(windows, empty_server, request)
