"""From the start command to a page that answers, and from a click on Train to its first epoch, in a real browser.

    python benchmarks/start_up.py --repeats 5
    python benchmarks/start_up.py --repeats 5 --draw

Chromium is open already; what is timed is the server's start, the page's first drawing and the wait until it is at
rest. The store is a fresh copy of the shipped runs each time, and the job service warms up behind, as for everybody.

With --draw, it is the time from `start.py` to the first digit that is drawn and answered, by runs on the embedded data;
MNIST is not there and nothing is downloaded. What is installed was installed by an earlier start.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import sync_playwright

from mnist_core.runs.store import Store, default_root
from tests.support import chromium as installed
from tests.support.browser import ROOT, Screen, end_everything, start_server


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


def measure_drawing(chromium, folder: Path) -> dict[str, float]:
    """Seconds from `start.py` until the pad can be drawn on, and until a first stroke is answered."""
    shutil.copytree(default_root() / "reference", folder / "artifacts" / "reference")
    store = Store(folder / "artifacts")
    environment = {key: value for key, value in os.environ.items() if key != "MNIST_NPZ"}
    environment |= {"MNIST_CORE_STORE": str(store.root), "KERAS_HOME": str(folder / "keras")}
    runs = [run.id for run in store.runs() if run.dataset == "digits" and run.name == run.meta.preset]
    began = time.perf_counter()
    server = start_server(
        store, folder / "server.log", command=(sys.executable, "start.py"), environment=environment
    )  # fmt: skip
    found = {"server answers": time.perf_counter() - began}
    try:
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{server.url}/draw?runs={','.join(runs)}")
        pad = page.locator(".draw .pad")
        pad.wait_for()
        found["pad is there"] = time.perf_counter() - began
        box = pad.bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()
        page.locator(".draw .answers").get_by_text(re.compile(r"\d %")).first.wait_for()
        found["first digit is answered"] = time.perf_counter() - began
        assert not any(run.dataset == "mnist" for run in store.runs() if run.id in runs)
        assert not (folder / "keras").exists(), "something was downloaded"
        page.close()
    finally:
        end_everything(server)
    return found


SEVEN = [(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)]
"""A stroke, in shares of the pad."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--draw", action="store_true", help="to the first drawn digit, from start.py")
    options = parser.parse_args()
    if options.draw:  # what is missing is installed before anything is timed
        subprocess.run([sys.executable, "start.py", "cli", "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    rounds = []
    with sync_playwright() as playwright:
        chromium = installed.launch(playwright)
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append((measure_drawing if options.draw else measure)(chromium, Path(folder)))
        chromium.close()
    for name in rounds[0]:
        values = sorted(found[name] for found in rounds)
        print(f"{name:32} median {statistics.median(values):5.2f} s   ({values[0]:.2f} to {values[-1]:.2f})")


if __name__ == "__main__":
    main()
