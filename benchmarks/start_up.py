"""From the start command to a page that answers, and from a click on Train to its first epoch, in a real browser.

    python benchmarks/start_up.py --repeats 5

Chromium is open already; what is timed is the server's start, the page's first drawing and the wait until it is at
rest. The store is a fresh copy of the shipped runs each time, and the job service warms up behind, as for everybody.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import sync_playwright

from mnist_core.runs.store import Store, default_root
from tests.support import chromium as installed
from tests.support.browser import Screen, end_everything, start_server


def measure(chromium, folder: Path) -> dict[str, float]:
    """Seconds of one start: until the page is at rest; and, warm, from Train to its first epoch, and to a stop."""
    shutil.copytree(default_root() / "reference", folder / "artifacts" / "reference")
    began = time.perf_counter()
    server = start_server(Store(folder / "artifacts"), folder / "server.log")
    found = {"server answers": time.perf_counter() - began}
    try:
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        screen = Screen(page, server)
        screen.open()
        page.get_by_role("heading", level=1).wait_for()
        found["page interactive"] = time.perf_counter() - began
        screen.open("train")
        page.get_by_text(re.compile(r"workers? ready")).wait_for(timeout=60_000)
        found["workers warm"] = time.perf_counter() - began
        screen.settled()
        for key, press in (("train_epochs", "End"), ("train_layer_0_units", "End")):
            screen.key(key).get_by_role("slider").focus()
            page.keyboard.press(press)
            page.wait_for_timeout(600)
        page.wait_for_timeout(1_000)
        clicked = time.perf_counter()
        screen.key("train_go").get_by_role("button").click()
        page.get_by_text(re.compile(r"epoch \d+ of \d+, ")).first.wait_for()
        found["Train to progress"] = time.perf_counter() - clicked
        page.get_by_text(re.compile(r"epoch ([2-9]|\d\d+) of \d+, ")).first.wait_for()
        found["Train to first epoch on screen"] = time.perf_counter() - clicked
        clicked = time.perf_counter()
        page.get_by_role("button", name="Cancel").first.click()
        while any(run.live for run in server.store.runs()):
            time.sleep(0.02)
        found["Cancel to stopped"] = time.perf_counter() - clicked
        page.close()
    finally:
        end_everything(server)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rounds = []
    with sync_playwright() as playwright:
        chromium = installed.launch(playwright)
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(measure(chromium, Path(folder)))
        chromium.close()
    for name in rounds[0]:
        values = sorted(found[name] for found in rounds)
        print(f"{name:32} median {statistics.median(values):5.2f} s   ({values[0]:.2f} to {values[-1]:.2f})")


if __name__ == "__main__":
    main()
