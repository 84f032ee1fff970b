"""Remake `docs/walk.webp`, the moving picture in the README: a slider, a training, and the answer on Compare.

    MNIST_NPZ=… python docs/make_walk.py

It needs Chromium and real MNIST, works on a copy of the shipped runs, and trains one run.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from mnist_core.runs.store import Store, default_root  # noqa: E402
from tests.support import chromium as installed  # noqa: E402
from tests.support.browser import Screen, end_everything, start_server  # noqa: E402

FILE = ROOT / "docs" / "walk.webp"
SIZE = {"width": 1280, "height": 800}
SCALED = (960, 600)
MOST_BYTES = 2_000_000


class Film:
    """Frames of a page, each with the milliseconds that it is shown for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[tuple[Image.Image, int]] = []

    def take(self, shown_ms: int) -> None:
        """Add what the page shows now."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append((picture.resize(SCALED, Image.Resampling.LANCZOS), shown_ms))

    def write(self, path: Path) -> None:
        """Write the frames as an animated picture that goes on for ever; raise ValueError if it is too large."""
        first, *others = [picture for picture, _ in self.frames]
        durations = [shown for _, shown in self.frames]
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, quality=70, method=4)
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are wanted")


def walk(film: Film, screen: Screen) -> None:
    """Move the dropout slider, train, and open Compare."""
    page = film.page
    screen.open("train", base="notebook/model_1", dropout="0.2")
    page.get_by_text(re.compile(r"workers? ready")).wait_for(timeout=90_000)
    screen.settled()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    film.take(1_500)
    slider = screen.key("train_dropout_all").get_by_role("slider")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(900)
        film.take(350)
    button = screen.key("train_go").get_by_role("button")
    button.hover()
    film.take(900)
    button.click()
    for _ in range(14):
        page.wait_for_timeout(450)
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
        film.take(350)
    page.get_by_text(re.compile(r"finished, 30 epochs")).first.wait_for(timeout=90_000)
    screen.settled()
    film.take(3_000)
    screen.key("live_jobs").get_by_role("link", name="Compare").click()
    page.get_by_role("heading", level=1, name="Compare").wait_for()
    screen.settled()
    page.wait_for_timeout(2_500)
    film.take(4_500)


def main() -> None:
    """Remake the moving picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shutil.copytree(default_root() / "reference", Path(folder) / "artifacts" / "reference")
        chromium = installed.launch(playwright)
        server = start_server(Store(Path(folder) / "artifacts"), Path(folder) / "server.log")
        try:
            page = chromium.new_page(viewport=SIZE)
            film = Film(page)
            walk(film, Screen(page, server))
            film.write(FILE)
        finally:
            end_everything(server)
        chromium.close()


if __name__ == "__main__":
    main()
