"""A running dashboard, and a browser window on it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import psutil
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from mnist_core.runs.index import FRESH_S
from mnist_core.runs.store import Store
from tests.support.pages import MenuPage

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 90.0
WAIT_MS = 45_000


@dataclass
class Server:
    """A dashboard that runs on its own store and port."""

    store: Store
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def log_text(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start_server(
    store: Store,
    log: Path,
    *options: str,
    command: Sequence[str] = (sys.executable, "-m", "dashboard"),
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    warm_up: bool = True,
    workers: int | None = None,
) -> Server:
    """Start the dashboard with these options on `store` and wait until it answers.

    `environment` takes the place of this process's own one, with `store` in it. Without `warm_up` workers start with
    the first training only. `workers` is how many there are; without it, as many as fit on the machine.
    """
    port = free_port()
    given = dict(environment or os.environ | {"MNIST_CORE_STORE": str(store.root), "TF_CPP_MIN_LOG_LEVEL": "3"})
    if not warm_up:
        given["MNIST_CORE_WARM_UP"] = "0"
    if workers is not None:
        given["MNIST_CORE_WORKERS"] = str(workers)
    whole = [*command, "--server.headless", "true", "--server.port", str(port), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            whole, cwd=folder, env=given, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Server(store, port, log, process)
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=2).close()
            return server
        except OSError:
            time.sleep(0.2)
    end_processes([process.pid])
    raise AssertionError(f"the server did not start; it said:\n{server.log_text()}")


def end_everything(server: Server) -> None:
    """End the server, and the job service of its store with all workers: nothing else on the machine."""
    pids = [server.process.pid]
    pids += [
        found.info["pid"]
        for found in psutil.process_iter(["pid", "cmdline"])
        if str(server.store.root) in (found.info["cmdline"] or [])
    ]
    end_processes(pids)
    server.process.wait(10)


def end_processes(pids: list[int]) -> None:
    """End processes and all their descendants, at first politely."""
    doomed = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            doomed += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    for process in doomed:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    for process in psutil.wait_procs(doomed, timeout=8)[1]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(doomed, timeout=5)


def rename(store: Store, run_id: str, name: str) -> None:
    """Give a run of a running dashboard another name, and return when no page shows the old one any more."""
    store.describe(run_id, name=name)
    time.sleep(2 * FRESH_S)


POLICY = "Content Security Policy"
"""Words of a browser's message on something that the policy of the server refuses."""


VISIBLE_TEXTS = """(without) => {
    const found = [];
    const walk = (node) => {
        if (node.nodeType === Node.TEXT_NODE) {
            const [words, holder] = [node.textContent.trim(), node.parentElement ?? node.parentNode.host];
            if (!words || holder.closest(`[data-testid="stIconMaterial"], ${without || "none"}`)) return;
            if (!holder.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
            if (Math.min(holder.getBoundingClientRect().width, holder.getBoundingClientRect().height) < 2) return;
            const range = document.createRange();
            range.selectNodeContents(node);
            const size = parseFloat(getComputedStyle(holder).fontSize) * (holder.currentCSSZoom ?? 1);
            found.push({ words, size, bottom: range.getBoundingClientRect().bottom });
        } else for (const each of [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes]) walk(each);
    };
    walk(document.body);
    return found;
}"""


class VisibleText(NamedTuple):
    """Words on a page. size: of their type, in pixels. bottom: of their box, in pixels from the top of the window."""

    words: str
    size: float
    bottom: float


VEGA = "WARN "
"""Begins each warning of Vega and Vega-Lite in the browser's console."""


class Screen:
    """A browser window on a server. `page` is Playwright's own page, for whatever is missing here."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.refused: list[str] = []
        """What the browser says of everything on this page that the content policy does not let it do."""
        self.warned: list[str] = []
        """What Vega warns of in the charts of this page."""
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if POLICY in message.text:
            self.refused.append(message.text)
        if message.text.startswith(VEGA):
            self.warned.append(message.text)

    def open(self, path: str = "", **query: object) -> None:
        """Open a page of the dashboard, such as ``mistakes``, and wait until it is drawn."""
        self.page.goto(f"{self.server.url}/{path}" + (f"?{urlencode(query)}" if query else ""))
        self._drawn()

    def go(self, page: MenuPage) -> None:
        """Go to a page by the menu and wait until it is drawn: a quarter of the work of loading it anew."""
        links = self.page.locator("[data-testid=stTopNavLink], [data-testid=stTopNavDropdownLink]")
        link = links.filter(has=self.page.get_by_text(page.title, exact=True))
        if page.section:
            self.page.get_by_test_id("stTopNavSection").filter(has_text=page.section).click()
        link.click()
        self.expect_path(page.path)
        self.settled()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def reload(self) -> None:
        """Reload the page, which is a new Streamlit session."""
        self.page.reload()
        self._drawn()

    def _drawn(self) -> None:
        # before the first script begins, Streamlit says that none runs, as it does after the last one
        self.page.wait_for_selector("[data-testid=stElementContainer]", state="attached", timeout=WAIT_MS)
        self.settled()

    def settled(self) -> None:
        """Wait until the server is connected and no script runs.

        Not for pages that poll: with `run_every` the state goes to and fro. Expect their content instead.
        """
        self.page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]", timeout=WAIT_MS)
        # a rerun begins a moment after the click that asks for it
        self.page.wait_for_timeout(150)
        self.page.wait_for_selector("[data-test-script-state=notRunning]", timeout=WAIT_MS)

    def key(self, key: str) -> Locator:
        """What Streamlit drew under the widget or container key."""
        return self.page.locator(f".st-key-{key}").first

    def choose(self, key: str, option: str) -> None:
        """Choose an option of the selectbox `key` by keyboard: type it, then Enter."""
        box = self.key(key).locator("input").first
        box.focus()
        self.page.keyboard.press("ArrowDown")
        self.page.keyboard.type(option)
        self.page.get_by_role("option", name=option, exact=True).first.wait_for()
        self.page.keyboard.press("Enter")
        self.settled()

    def texts(self, without: str = "") -> list[VisibleText]:
        """All text that is drawn, also below the fold, but what is in elements of the CSS selector `without`.

        Icons, what only a screen reader reads, and text that is painted on a canvas are not among it.
        """
        return [VisibleText(**each) for each in self.page.evaluate(VISIBLE_TEXTS, without)]

    def query(self) -> dict[str, str]:
        """The parameters in the address bar."""
        return dict(self.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))"))

    def expect_query(self, **values: str | None) -> None:
        """Wait until the address bar has these parameters; None for one that must be gone."""
        for name, value in values.items():
            self.page.wait_for_function(
                "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value]
            )

    def expect_path(self, path: str) -> None:
        """Wait until the address bar has this page, with whatever parameters."""
        self.page.wait_for_function("(path) => location.pathname === `/${path}`", arg=path)

    def expect_on_a_projector(self, chart: Locator) -> None:
        """The chart is drawn above the bar of presenter mode, and all text of the page is at least 20 pixels high."""
        expect(chart.locator("svg.marks")).to_be_visible()
        self.settled()
        box, bar = chart.bounding_box(), self.key("presenter_bar").bounding_box()
        assert box is not None
        assert bar is not None
        assert box["y"] + box["height"] < bar["y"]
        assert [text for text in self.texts() if text.size < 20] == []

    def expect_no_exception(self) -> None:
        """No traceback on screen or in the server's log; nothing that the browser had to refuse or Vega warns of."""
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        assert self.refused == []
        assert self.warned == []
        assert "Traceback" not in self.server.log_text(), self.server.log_text()
