"""Remake the moving pictures in the README.

    MNIST_NPZ=… python docs/make_walk.py [walk] [draw]

`docs/walk.webp` is a slider, a training, and the answer on Compare; `docs/draw.webp` is a drawn digit and a lesson. It
needs Chromium, and real MNIST for the first; it works on a copy of the shipped runs, and trains one run.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from mnist_core.runs.store import Store, default_root  # noqa: E402
from tests.support import chromium as installed  # noqa: E402
from tests.support.browser import Screen, end_everything, start_server  # noqa: E402

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


def draw(film: Film, screen: Screen) -> None:
    """Draw a seven, switch the centring off, and answer the lesson on overfitting."""
    page = film.page
    runs = [run for run in screen.server.store.runs() if run.meta.preset in ("notebook/model_1", "notebook/model_2")]
    on_mnist = {run.name: run.id for run in runs if run.dataset == "mnist"}
    screen.open("draw", runs=f"{on_mnist['notebook/model_1']},{on_mnist['notebook/model_2']}")
    pad = page.locator(".draw .pad")
    pad.wait_for()
    page.locator(".weights[data-network]").nth(1).wait_for(state="attached")
    page.wait_for_timeout(1_500)
    film.take(1_200)
    box = pad.bounding_box()
    assert box is not None
    stroke = [(0.12, 0.12), (0.3, 0.12), (0.46, 0.12), (0.42, 0.24), (0.36, 0.38), (0.31, 0.5), (0.27, 0.62)]
    for number, (across, down) in enumerate(stroke):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=5)
        if number == 0:
            page.mouse.down()
        page.wait_for_timeout(120)
        film.take(200)
    page.mouse.up()
    screen.settled()
    page.wait_for_timeout(800)
    film.take(2_500)
    page.get_by_text("Centre the digit, as MNIST does").click()
    screen.settled()
    page.wait_for_timeout(800)
    film.take(3_500)
    screen.open("lessons", lesson="overfitting")
    chart = page.locator(".stVegaLiteChart svg.marks, .stVegaLiteChart canvas").first
    chart.wait_for()
    page.wait_for_timeout(1_500)
    film.take(3_500)
    box = chart.bounding_box()
    assert box is not None
    for share in (0.75, 0.66, 0.58):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.55 * box["height"], steps=4)
        page.wait_for_timeout(200)
        film.take(350)
    page.mouse.down()
    page.mouse.up()
    screen.settled()
    film.take(1_500)
    screen.key("lesson_predict").get_by_role("button").click()
    page.get_by_text(re.compile("lowest|is close|is right")).first.wait_for()
    screen.settled()
    page.wait_for_timeout(1_500)
    film.take(5_000)


WALKS: dict[str, Callable[[Film, Screen], None]] = {"walk": walk, "draw": draw}


def main() -> None:
    """Remake the moving pictures that are named, or both."""
    for name in sys.argv[1:] or WALKS:
        record(ROOT / "docs" / f"{name}.webp", WALKS[name])


def record(file: Path, scenes: Callable[[Film, Screen], None]) -> None:
    """Write one moving picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shutil.copytree(default_root() / "reference", Path(folder) / "artifacts" / "reference")
        chromium = installed.launch(playwright)
        server = start_server(Store(Path(folder) / "artifacts"), Path(folder) / "server.log")
        try:
            page = chromium.new_page(viewport=SIZE)
            film = Film(page)
            scenes(film, Screen(page, server))
            film.write(file)
        finally:
            end_everything(server)
        chromium.close()


if __name__ == "__main__":
    main()
