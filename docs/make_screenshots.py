"""Remake the pictures in `docs/screenshots/`: every page, light and dark, at 1280 and 390 pixels.

    MNIST_NPZ=… python docs/make_screenshots.py

It needs Chromium and real MNIST, works on a copy of the shipped runs, and trains one run to be seen training.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from mnist_core.runs.store import Store, default_root  # noqa: E402
from tests.support import chromium as installed  # noqa: E402
from tests.support.browser import Screen, Server, end_everything, start_server  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
PAGES = (
    "compare",
    "train",
    "runs",
    "mistakes",
    "disagreements",
    "draw",
    "exams",
    "lessons",
    "add",
    "models",
    "published",
    "sweeps",
    "data",
    "loss-or-accuracy",
    "production",
    "i-dont-know",
)
WITHOUT_CHART = ("sweeps", "published", "data", "runs", "draw", "add", "lessons")
"""Their charts are below the fold, or there are none at first."""
SIZES = {1280: 1000, 390: 844}


def train(chromium: Browser, server: Server) -> None:
    """Train model_1 with more dropout, and take the Train page's pictures while its curve grows."""
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    screen = Screen(page, server)
    screen.open("train")
    page.get_by_text(re.compile(r"workers? ready")).wait_for(timeout=60_000)
    screen.settled()
    screen.key("train_epochs").get_by_role("slider").focus()
    for _ in range(18):  # long enough for all pictures
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1_500)
    screen.key("train_go").get_by_role("button").click()
    page.get_by_text(re.compile(r"epoch ([89]|\d\d+) of \d+, ")).first.wait_for(timeout=60_000)
    shoot(chromium, server, "train", query=page.url.partition("?")[2])
    page.close()


def shoot(chromium: Browser, server: Server, name: str, query: str = "") -> None:
    """Take one page's four pictures."""
    for scheme in ("light", "dark"):
        for width, height in SIZES.items():
            context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{server.url}/{'' if name == 'compare' else name}?{query}")
            page.get_by_role("heading", level=1).wait_for()
            if name not in WITHOUT_CHART:
                page.get_by_test_id("stVegaLiteChart").first.locator("canvas, svg.marks").first.wait_for()
            page.wait_for_timeout(2_500)
            suffix = "" if width == 1280 else f"-{width}"
            page.screenshot(path=FOLDER / f"{name}-{scheme}{suffix}.png")
            context.close()


def main() -> None:
    """Remake all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shutil.copytree(default_root() / "reference", Path(folder) / "artifacts" / "reference")
        chromium = installed.launch(playwright)
        server = start_server(Store(Path(folder) / "artifacts"), Path(folder) / "server.log")
        try:
            for name in PAGES:
                if name != "train":
                    shoot(chromium, server, name)
            train(chromium, server)
        finally:
            end_everything(server)
        chromium.close()


if __name__ == "__main__":
    main()
