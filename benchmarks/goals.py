"""The goals of "a view is cheap" in one table: each with its limit, what was measured, and whether it is met.

    python -m benchmarks.goals
    MNIST_NPZ=… python -m benchmarks.goals --tensorboard PATH/bin/tensorboard

It takes about five minutes and wants a machine on which nothing else runs: seconds on the clock are those of a busy
machine otherwise, and the table says how busy it was. Processor seconds and memory hardly depend on that. Parts:

- `pages`: processor seconds of a rerun of every page when nothing has changed (`view_cost.py`).
- `viewers`: 30 viewers of Compare with two trainings of a 400-300 net on the job service, then 200 more sessions
  (`many_viewers.py`). How much the trainings slow down is the epochs a second while the viewers look, against those in
  equally long times right before and after. The viewers run on the same machine, with lower priority than trainings.
- `front`: the server is started on the shipped runs; then, in Chromium, from the request for the front page until its
  curves are drawn.
- `store`: 2,000 made-up runs besides those that ship, in Chromium at 1280×800. A new session each, with the browser's
  cache warm, as for a visitor who was there before. The list is there when its first line is drawn on the canvas of the
  table. The copy of the lines for screen readers comes later, as the table makes it only once nothing has changed for a
  while; it is reported besides. `--tensorboard` measures TensorBoard with the same runs in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from playwright.sync_api import BrowserContext, sync_playwright

from benchmarks.many_viewers import came_and_went, looked, megabytes
from benchmarks.view_cost import made_up
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import ServiceRunner
from mnist_core.recording.event_files import write_events
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root
from tests.support import chromium
from tests.support.browser import ROOT, Server, end_everything, end_processes, free_port, start_server

PARTS = ("pages", "viewers", "front", "store")
ROWS = "[data-testid=stDataFrame] [role=row][aria-rowindex='2']"
LINE_IS_DRAWN = """() => {
  const canvas = document.querySelector("[data-testid=stDataFrame] canvas[data-testid=data-grid-canvas]");
  if (!canvas || !canvas.width) return false;
  const zoom = canvas.width / canvas.clientWidth, [top, height] = [38 * zoom, 32 * zoom];  // below the head
  const { data } = canvas.getContext("2d").getImageData(0, top, canvas.width, height);
  let dark = 0;
  for (let i = 0; i < data.length; i += 4) dark += data[i + 3] > 100 && data[i] + data[i + 1] + data[i + 2] < 450;
  return dark > 60;
}"""
CURVES = ".st-key-panel_loss .stVegaLiteChart svg.marks"


class Goal(NamedTuple):
    """A line of the table. limit: None where something is only reported."""

    what: str
    limit: float | None
    measured: float
    unit: str
    load: float

    def line(self) -> str:
        """Return it as a row of a Markdown table."""
        digits = 3 if self.unit == "processor s" else 0 if self.unit in ("MB", "") else 2 if self.unit == "s" else 1
        met = "" if self.limit is None else "yes" if self.measured <= self.limit else "**no**"
        limit = "" if self.limit is None else f"{self.limit:g} {self.unit}"
        return f"| {self.what} | {limit} | {self.measured:.{digits}f} {self.unit} | {met} | {self.load:.1f} |"


def _goal(what: str, limit: float | None, measured: float, unit: str) -> Goal:
    found = Goal(what, limit, measured, unit, os.getloadavg()[0])
    print(found.line(), flush=True)
    return found


@contextlib.contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Run the dashboard on a store, and end it and its job service afterwards."""
    server = start_server(Store(root), root.parent / "server.log")
    try:
        yield server
    finally:
        end_everything(server)


def shipped(folder: Path) -> Path:
    """Return a store with a copy of the shipped runs."""
    shutil.copytree(default_root() / "reference", folder / "artifacts" / "reference")
    return folder / "artifacts"


# -- the parts ---------------------------------------------------------------------------------------------------------


def pages() -> None:
    """The reruns of every page, in a process of their own."""
    command = [sys.executable, str(ROOT / "benchmarks" / "view_cost.py"), "--repeats", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    costs = {name: float(cost) for name, cost in re.findall(r"^(views/\S+) +\S+ +(\S+)", done, re.MULTILINE)}
    dearest = max(costs, key=costs.__getitem__)
    _goal("rerun of Compare, nothing changed", 0.08, costs["views/compare/page.py"], "processor s")
    _goal(f"rerun of the dearest page ({dearest.removeprefix('views/')})", 0.08, costs[dearest], "processor s")


def _training(seed: int, dataset: str) -> RunConfig:
    layers = tuple(DenseLayer(units=units, dropout=0.4) for units in (400, 300))
    return RunConfig(
        model=ModelConfig(layers=layers),
        training=TrainingConfig(epochs=500, seed=seed),
        dataset=DatasetConfig(name=dataset),
    )


def viewers(seconds: float = 40.0) -> None:
    """30 viewers, two trainings, and 200 sessions that come and go."""
    dataset = "mnist" if os.environ.get("MNIST_NPZ") else "digits"
    with tempfile.TemporaryDirectory() as folder, serving(shipped(Path(folder))) as server:
        asyncio.run(looked(server.url, 1, 1.0, 2.0))
        runner = ServiceRunner(server.store)
        runs = [
            request(server.store, runner, _training(seed, dataset), name=f"under way {seed}").run for seed in (1, 2)
        ]
        _wait(lambda: all(server.store.get(run.id).epochs_done > 1 for run in runs), 90)
        before = _epochs_a_second(server.store, runs, seconds / 2)
        process = psutil.Process(server.process.pid)
        used, began, done = sum(process.cpu_times()[:2]), time.perf_counter(), _epochs(server.store, runs)
        first, waits = _looked_in_a_process_of_its_own(server.url, seconds)
        rate = (_epochs(server.store, runs) - done) / (time.perf_counter() - began)
        cost = (sum(process.cpu_times()[:2]) - used) / (len(first) + len(waits))
        after = _epochs_a_second(server.store, runs, seconds / 2)
        for run in runs:
            server.store.cancel(run.id)
        slower = 100 * (1 - rate / statistics.mean((before, after)))
        _goal(f"30 viewers, two trainings ({dataset}): wait for a changed view, p95", 1.5, _p95(waits), "s")
        _goal(f"the same, median of {len(waits)} views", None, statistics.median(waits), "s")
        _goal("first view of the 30, longest", None, max(first), "s")
        _goal("processor of the server a view", None, cost, "processor s")
        _goal("how much slower the trainings are meanwhile", 15, slower, "%")
        for number in range(4):
            asyncio.run(came_and_went(server.url, 50))
            if number == 3:
                _goal("memory of the server after 200 sessions", 400, megabytes(server), "MB")


def _looked_in_a_process_of_its_own(url: str, seconds: float) -> tuple[list[float], list[float]]:
    """Let 30 viewers look, as a process that waits for the server and the trainings: they would sit elsewhere."""
    code = (
        "import asyncio, json, os, random, sys; os.nice(10); random.seed(0); "
        "from benchmarks.many_viewers import looked; "
        f"print(json.dumps(asyncio.run(looked({url!r}, 30, 4.0, {seconds}))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"a viewer failed:\n{done.stderr[-2000:]}")
    first, waits, _ = json.loads(done.stdout.splitlines()[-1])
    return first, waits


def _epochs(store: Store, runs: Sequence[Run]) -> int:
    return sum(store.get(run.id).epochs_done for run in runs)


def _epochs_a_second(store: Store, runs: Sequence[Run], seconds: float) -> float:
    began, done = time.perf_counter(), _epochs(store, runs)
    time.sleep(seconds)
    return (_epochs(store, runs) - done) / (time.perf_counter() - began)


def _p95(waits: Sequence[float]) -> float:
    return float(np.percentile(waits, 95))


def _wait(condition: Callable[[], bool], limit: float) -> None:
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the trainings did not begin")
        time.sleep(0.1)


def _shown(context: BrowserContext, address: str, selector: str) -> float:
    """Seconds from the request for an address, in a new window, until something is on the page."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(selector, state="attached", timeout=120_000)
    found = time.perf_counter() - began
    page.wait_for_timeout(500)  # what comes after it is not to disturb the next one
    page.close()
    return found


def _listed(context: BrowserContext, address: str) -> tuple[float, float]:
    """Seconds from the request for the list, in a new window, until a line is drawn, and until it can be read aloud."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(LINE_IS_DRAWN, timeout=120_000)
    drawn = time.perf_counter() - began
    page.wait_for_selector(ROWS, state="attached", timeout=120_000)
    read = time.perf_counter() - began
    page.wait_for_timeout(500)
    page.close()
    return drawn, read


def front() -> None:
    """The front page of a server that has just been started."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        root = shipped(Path(folder))
        found = []
        for _ in range(3):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            with serving(root) as server:
                found.append(_shown(context, server.url, CURVES))
            context.close()
        browser.close()
        _goal("front page of a new server, until its curves are drawn", 2.0, statistics.median(found), "s")


def store(tensorboard: str | None, repeats: int = 3) -> None:
    """A store of 2,000 runs."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = shipped(Path(folder))
        made = made_up(Store(root), 2000)
        browser = chromium.launch(playwright)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        board = _TensorBoard(tensorboard, made, Path(folder)) if tensorboard else None
        ids = [run.id for run in made[::10][:20]]
        link = f"?runs={','.join(ids)}"
        lists, curves, more, theirs, their_curves = [], [], [], [], []
        with serving(root) as server:
            cold, _ = _listed(context, f"{server.url}/runs")
            _shown(context, f"{server.url}/{link}", CURVES)
            if board:
                board.list(context)
                board.curves(context)
            for _ in range(repeats):
                lists.append(_listed(context, f"{server.url}/runs"))
                curves.append(_shown(context, f"{server.url}/{link}", CURVES))
                more.append(_one_more(context, server.url, ids))
                if board:
                    theirs.append(board.list(context))
                    their_curves.append(board.curves(context))
            memory = megabytes(server)
        browser.close()
        _goal("2,000 runs: first list of a new server, which reads the store", None, cold, "s")
        drawn, read = zip(*lists, strict=True)
        _goal("2,000 runs: list in a new session", 1.0, statistics.median(drawn), "s")
        _goal("the same, until its lines are there for a screen reader", None, statistics.median(read), "s")
        _goal("2,000 runs: link until 20 curves are drawn", 1.5, statistics.median(curves), "s")
        _goal("2,000 runs: one more run on Compare", 0.5, statistics.median(more), "s")
        _goal("2,000 runs: memory of the server", 400, memory, "MB")
        if board:
            _goal("TensorBoard: list of 2,000 runs in a new window", None, statistics.median(theirs), "s")
            _goal("TensorBoard: link until the curves of 20 runs are drawn", None, statistics.median(their_curves), "s")
            _goal("TensorBoard: memory", None, board.memory(), "MB")
            board.end()


def _one_more(context: BrowserContext, url: str, ids: Sequence[str]) -> float:
    """Seconds from the choice of a 20th run in the list until the chart has its curve."""
    page = context.new_page()
    page.goto(f"{url}/?runs={','.join(ids[:19])}", wait_until="commit")
    page.wait_for_selector(CURVES, state="attached", timeout=120_000)
    page.wait_for_selector("[data-test-script-state=notRunning]", state="attached")
    page.wait_for_timeout(500)
    alt = page.locator(".st-key-panel_loss [aria-label^='Learning curves']").first
    before = str(alt.get_attribute("aria-label"))
    box = page.locator(".st-key-run_picker input").first
    box.focus()
    page.keyboard.type("made up 1999")
    page.get_by_role("option", name="made up 1999").first.wait_for()
    began = time.perf_counter()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "before => { const panel = document.querySelector('.st-key-panel_loss');"
        " const found = panel && panel.querySelector('[aria-label^=\"Learning curves\"]');"
        " return found && found.getAttribute('aria-label') !== before && panel.querySelector('svg.marks'); }",
        arg=before,
        timeout=60_000,
    )
    found = time.perf_counter() - began
    page.close()
    return found


class _TensorBoard:
    """TensorBoard with the same runs."""

    def __init__(self, program: str, runs: Sequence[Run], folder: Path) -> None:
        logs = folder / "events"
        write_events(runs, logs)
        self._port = free_port()
        self._process = subprocess.Popen(
            [
                program, "--logdir", str(logs), "--port", str(self._port), "--load_fast=false",
                "--reload_interval", "600",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._runs = len(runs)
        threading.Event().wait(20)  # it reads in the background

    def list(self, context: BrowserContext) -> float:
        """Return the seconds until the list of runs has lines."""
        return _shown(context, f"http://127.0.0.1:{self._port}/#timeseries", "tb-data-table-content-row")

    def curves(self, context: BrowserContext) -> float:
        """Return the seconds until a link to 20 runs shows their curves."""
        return _shown(context, f"http://127.0.0.1:{self._port}/?runFilter=199%5B0-9%5D#timeseries", "line-chart path")

    def memory(self) -> float:
        """Return its resident memory in MB."""
        process = psutil.Process(self._process.pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 2**20

    def end(self) -> None:
        """End it."""
        end_processes([self._process.pid])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--tensorboard", metavar="PROGRAM", help="an installed `tensorboard`, to measure it in turn")
    options = parser.parse_args()
    began = time.perf_counter()
    print("| goal | limit | measured | met | load |\n|---|---|---|---|---|", flush=True)
    for part in options.only or PARTS:
        try:
            {"pages": pages, "viewers": viewers, "front": front, "store": lambda: store(options.tensorboard)}[part]()
        except (Exception, SystemExit) as error:  # the other parts are worth their time
            print(f"| {part} | | not measured: {type(error).__name__}: {str(error)[:300]} | | |", flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
