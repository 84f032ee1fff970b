"""Sweeps in a real browser: heat maps with real cells, figures on every axis, and a drag that filters the table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from mnist_core.experiments.grids import parse_spec
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from tests.support.browser import ROOT, Screen, Server, end_everything, start_server
from tests.support.synthetic import epoch_row

pytestmark = pytest.mark.browser

ROW_PX = 40
SEARCH = "search-b71ba2dfb8fa"
GRID = {"model.layers.*.dropout": [0.0, 0.4], "model.layers.*.units": [8, 64]}


class Waiting:
    """A runner that leaves every run waiting."""

    def submit(self, run_id: str) -> None:
        """Do nothing."""


def made_up(store: Store) -> sweeps.Sweep:
    """Put a sweep of two by two runs into the store that nobody has trained."""
    spec = parse_spec(
        {
            "name": "two by two",
            "base": "notebook/model_1",
            "fixed": {"dataset.name": "digits", "training.validation": {"source": "held_out", "fraction": 0.2}},
            "grid": GRID,
        }
    )
    found, _ = sweeps.start(store, Waiting(), spec)  # type: ignore[arg-type]
    for number, run_id in enumerate(found.run_ids):
        writer = store.open_writer(run_id)
        assert writer is not None
        writer.started([epoch_row(epoch, floor=0.1 + number / 20) for epoch in range(1, 6)])
        writer.ended("finished", "all epochs done", best_epoch=5, kept_epoch=5)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard on the shipped runs and a made-up sweep."""
    folder = tmp_path_factory.mktemp("sweeps")
    shutil.copytree(ROOT / "artifacts" / "reference", folder / "artifacts" / "reference")
    store = Store(folder / "artifacts")
    made_up(store)
    started = start_server(store, folder / "server.log", warm_up=False)
    try:
        yield started
    finally:
        end_everything(started)


def chart(screen: Screen, key: str) -> Locator:
    """The drawing of a chart, scrolled into view."""
    found = screen.key(key).locator("svg.marks").first
    expect(found).to_be_visible()
    found.scroll_into_view_if_needed()
    return found


def boxes(found: Locator) -> list[dict[str, float]]:
    """Where elements are on the screen."""
    return [box for item in found.all() if (box := item.bounding_box())]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_cells_of_a_small_heat_map_are_as_high_as_a_line_of_text_needs(screen: Screen, width: int) -> None:
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("sweeps")
    drawing = chart(screen, "sweep_heat_0")
    cells = boxes(drawing.locator(".mark-rect.role-mark path"))
    assert len(cells) == 4
    assert min(cell["height"] for cell in cells) >= ROW_PX
    assert len({round(cell["y"]) for cell in cells}) == 2, "two rows that do not lie on each other"
    screen.expect_no_exception()


def test_the_lines_of_a_sweep_are_on_the_first_screen_in_presenter_mode(screen: Screen) -> None:
    screen.page.set_viewport_size({"width": 1920, "height": 1080})
    screen.open("sweeps", present=1)
    screen.expect_on_a_projector(screen.key("sweep_lines_0"))


@pytest.mark.parametrize("width", [1280, 390])
def test_every_axis_has_its_name_and_a_figure_at_both_ends_inside_of_the_chart(screen: Screen, width: int) -> None:
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("sweeps", sweep=SEARCH)
    drawing = chart(screen, "sweep_parallel_0")
    frame = drawing.bounding_box()
    assert frame
    seen = {}
    for item in drawing.locator("text").all():
        text, box = item.text_content(), item.bounding_box()
        if text and box:
            seen[text] = box
    for text in ("1st convolution: filters", "dense layer: dropout", "learning rate", "0.000359", "0.0088"):
        box = seen[text]
        assert frame["x"] <= box["x"], text
        assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1, text
    assert "validation loss after epoch 4" in seen
    assert "0.0373" in seen
    screen.expect_no_exception()


def test_a_drag_along_an_axis_filters_the_table_and_is_taken_back(screen: Screen) -> None:
    screen.page.set_viewport_size({"width": 1280, "height": 844})
    screen.open("sweeps", sweep=SEARCH)
    drawing = chart(screen, "sweep_parallel_0")
    box = drawing.bounding_box()
    assert box
    row = box["height"] / 8
    y = box["y"] + 6.5 * row  # the learning rate is the seventh of eight axes
    mouse = screen.page.mouse
    mouse.move(box["x"] + box["width"] * 0.4, y + 4)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.7, y + 4, steps=8)  # as straight as a steady hand
    mouse.up()
    undo = screen.page.get_by_role("button", name="learning rate:")
    expect(undo).to_be_visible()
    expect(screen.page.get_by_text("of 20 runs").first).to_be_visible()
    undo.click()
    expect(screen.page.get_by_role("heading", name="All runs")).to_be_visible()
    expect(undo).to_have_count(0)
    screen.expect_no_exception()


CUT_OFF = """() => {
  for (const part of document.querySelectorAll(".pub details")) part.open = true;
  return [...document.querySelectorAll(".pub *")]
    .filter((part) => part.clientWidth && part.scrollWidth > part.clientWidth + 1)
    .filter((part) => getComputedStyle(part).overflowX !== "visible")
    .map((part) => part.textContent.slice(0, 80));
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_no_text_of_the_published_models_is_cut_off(screen: Screen, width: int) -> None:
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("published")
    expect(screen.page.locator(".pub .outcome", has_text="differs").first).to_be_visible()
    assert screen.page.evaluate(CUT_OFF.replace("part.open = true", "part.open = false")) == []
    assert screen.page.evaluate(CUT_OFF) == []
    screen.expect_no_exception()
