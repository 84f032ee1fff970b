"""Seconds until the Runs page lists a large store in a real browser, and the memory of the server.

    python benchmarks/list_of_runs.py --runs 2000 --repeats 3

Each repeat starts a server of its own on a copy of the shipped runs and so many made-up finished ones of 20 epochs. A
first opening reads the whole store; the second, in a new session, finds it read. Seconds count from the request until
the first lines of the table are there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from playwright.sync_api import Browser, sync_playwright

from benchmarks.view_cost import made_up
from mnist_core.runs.store import Store, default_root
from tests.support import chromium
from tests.support.browser import Server, end_everything, start_server

CONDITION = "accuracy > 0.7 and seed < 5"


def seconds(browser: Browser, server: Server, path: str) -> float:
    """Seconds from the request for a page until its table has lines, in a new session."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(f"{server.url}/{path}")
    page.wait_for_selector("[data-testid=stDataFrame] [role=row][aria-rowindex='2']", state="attached", timeout=120_000)
    found = time.perf_counter() - began
    context.close()
    return found


def _processor(process: psutil.Process) -> float:
    """Processor seconds that the server has used."""
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    names = (
        "first, cold", "first, processor", "new session", "new, processor", "filtered", "a line a recipe", "MB",
    )  # fmt: skip
    rows: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "artifacts"
        shutil.copytree(default_root() / "reference", root / "reference")
        made_up(Store(root), options.runs)
        browser = chromium.launch(playwright)
        for number in range(options.repeats):
            server = start_server(Store(root), Path(folder) / f"{number}.log")
            try:
                process = psutil.Process(server.process.pid)
                begun = _processor(process)
                rows["first, cold"].append(seconds(browser, server, "runs"))
                first = _processor(process)
                rows["new session"].append(seconds(browser, server, "runs"))
                rows["first, processor"].append(first - begun)
                rows["new, processor"].append(_processor(process) - first)
                rows["filtered"].append(seconds(browser, server, f"runs?where={CONDITION}"))
                rows["a line a recipe"].append(seconds(browser, server, "runs?by_recipe=true"))
                rows["MB"].append(process.memory_info().rss / 1e6)
            finally:
                end_everything(server)
        browser.close()
    print(f"{options.runs} made-up runs; load {os.getloadavg()[0]:.1f}; medians (least to greatest)")
    for name, found in rows.items():
        print(f"{name:16} {statistics.median(found):7.2f} ({min(found):.2f} to {max(found):.2f})")


if __name__ == "__main__":
    main()
