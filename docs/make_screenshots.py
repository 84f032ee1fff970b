"""Remake the pictures in `docs/screenshots/`: every page, light and dark, at 1280 and 390 pixels.

    MNIST_NPZ=… python docs/make_screenshots.py [page …]

It needs Chromium and real MNIST, works on a copy of the shipped runs, and trains one run to be seen training. Class and
Board show an invented class: shipped runs that are given to people who do not exist.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from mnist_core.files import write_json  # noqa: E402
from mnist_core.runs.classroom import Classroom  # noqa: E402
from mnist_core.runs.store import Store, default_root  # noqa: E402
from tests.support import chromium as installed  # noqa: E402
from tests.support.browser import Screen, Server, end_everything, start_server  # noqa: E402
from tests.support.pages import MENU  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
PAGES = [page.path or "compare" for page in MENU]
WITHOUT_CHART = ("sweeps", "published", "data", "runs", "draw", "add", "lessons", "class")
"""Their charts are below the fold, or there are none at first."""
SIZES = {1280: 1000, 390: 844}
DASHBOARD = (sys.executable, "-m", "dashboard")
CLASS = (*DASHBOARD, "class", "--yes", "--address", "127.0.0.1")
OF_CLASS = {"Ada": "notebook/model_2", "Ben": "notebook/model_1", "Cleo": "readme/model_1", "Dan": "tuning/cnn"}
"""The invented class: who has which of the shipped runs."""


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


def teach(chromium: Browser, server: Server) -> None:
    """Take the pictures of Class and Board, which are there in a class only, as a teacher sees them."""
    room = Classroom(server.store.root)
    for name, preset in OF_CLASS.items():
        room.join(room.code, name)
        for run in server.store.runs():
            if run.meta.preset == preset and run.dataset == "mnist":
                theirs = run.meta.model_copy(update={"owner": name})
                write_json(run.path / "meta.json", theirs.model_dump(mode="json"))
    enter = f"{server.url}/class/enter?teacher={room.secret}"
    for name in ("class", "board"):
        shoot(chromium, server, name, first=lambda page: page.goto(enter))


def shoot(
    chromium: Browser, server: Server, name: str, query: str = "", first: Callable[[Page], object] = lambda page: None
) -> None:
    """Take one page's four pictures; `first` is done with each new page."""
    for scheme in ("light", "dark"):
        for width, height in SIZES.items():
            context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            first(page)
            page.goto(f"{server.url}/{'' if name == 'compare' else name}?{query}")
            page.get_by_role("heading", level=1).wait_for()
            if name not in WITHOUT_CHART:
                page.get_by_test_id("stVegaLiteChart").first.locator("canvas, svg.marks").first.wait_for()
            page.wait_for_timeout(2_500)
            suffix = "" if width == 1280 else f"-{width}"
            picture = Image.open(io.BytesIO(page.screenshot()))
            picture.save(FOLDER / f"{name}-{scheme}{suffix}.webp", quality=85, method=6)
            context.close()


@contextmanager
def served(command: Sequence[str]) -> Iterator[Server]:
    """Start a dashboard on a copy of the shipped runs, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(default_root() / "reference", Path(folder) / "artifacts" / "reference")
        server = start_server(Store(Path(folder) / "artifacts"), Path(folder) / "server.log", command=command)
        try:
            yield server
        finally:
            end_everything(server)


def main() -> None:
    """Remake the pictures of the pages that are named, or all; `class` stands for Class and Board."""
    wanted = sys.argv[1:] or [*PAGES, "class"]
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = installed.launch(playwright)
        if pages := [name for name in wanted if name != "class"]:
            with served(DASHBOARD) as server:
                for name in pages:
                    if name == "train":
                        train(chromium, server)
                    else:
                        shoot(chromium, server, name)
        if "class" in wanted:
            with served(CLASS) as server:
                teach(chromium, server)
        chromium.close()


if __name__ == "__main__":
    main()
