"""The table of runs in a real browser: find, tick, compare, rename, read everything, delete and bring back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from dashboard.views.runs.table import widths_of
from mnist_core.runs.store import Store
from tests.support import seed
from tests.support.browser import Screen, Server, end_everything, rename, start_server
from tests.support.synthetic import config
from tests.support.waiting import until

pytestmark = pytest.mark.browser

ROW_PX = 35
CUT = "cut short"
TICK_X, NAME_X, DETAILS_PX = 20, 150, 44


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard on a store with two trained runs and one that was cut short."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(seeded_store, folder / "artifacts")
    store = Store(folder / "artifacts")
    run, _ = store.add(config((8,), epochs=1), name=CUT)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    writer.ended("failed", "out of memory")
    started = start_server(store, folder / "server.log", warm_up=False)
    try:
        yield started
    finally:
        end_everything(started)


def table(screen: Screen) -> Locator:
    """The table that is drawn now, with its lines as a reader of the screen gets them."""
    return screen.page.locator("[data-testid=stDataFrame]").first


def expect_names(screen: Screen, *names: str) -> None:
    """Wait until the table has these lines, in this order."""
    for number, name in enumerate(names, 1):
        expect(table(screen).locator(f"[role=row][aria-rowindex='{number + 1}'] [aria-colindex='3']")).to_have_text(
            name
        )
    expect(table(screen).locator("[role=row]")).to_have_count(len(names) + 1)


def click(screen: Screen, row: int, x: int) -> None:
    """Click in a line of the table, counted from 0, `x` pixels from its left."""
    table(screen).scroll_into_view_if_needed()
    box = table(screen).locator("canvas").first.bounding_box()
    assert box
    screen.page.mouse.click(box["x"] + x, box["y"] + ROW_PX * (row + 1.5))
    screen.settled()


def expect_selected(screen: Screen, row: int, column: int) -> None:
    """Wait until the cell in this line and column, both counted from 0 and 1, is the one that is selected."""
    cell = table(screen).locator(f"[role=row][aria-rowindex='{row + 2}'] [aria-colindex='{column}']")
    expect(cell).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("width", [1280, 390])
def test_find_tick_compare_rename_delete_and_undo(screen: Screen, server: Server, width: int) -> None:
    store = server.store
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("runs", runs="")
    expect_names(screen, CUT, seed.LARGE, seed.SMALL)

    screen.key("where").locator("input").fill("accuracy > 0.1")
    screen.key("where").locator("input").press("Enter")
    screen.settled()
    expect_names(screen, seed.LARGE, seed.SMALL)
    screen.expect_query(where="accuracy > 0.1")

    drawn = widths_of([seed.LARGE, seed.SMALL], width, by_recipe=False)
    accuracy = drawn.tick + drawn.colour + drawn.name + (0 if drawn.phone else DETAILS_PX) + drawn.accuracy - 12
    click(screen, 0, accuracy)
    expect_selected(screen, 0, 4 if drawn.phone else 5)
    room = (table(screen).bounding_box() or {"width": 0})["width"]
    assert accuracy + 12 <= room, "tick, colour, name and accuracy are on the screen together"

    line = screen.key("runs_chosen")
    height = (line.bounding_box() or {"height": 0})["height"]
    click(screen, 0, TICK_X)
    click(screen, 1, TICK_X)
    expect(line.get_by_role("button")).to_have_count(2)
    assert (line.bounding_box() or {"height": 0})["height"] == height < 1.5 * ROW_PX, "one line, as high without any"
    expect(line.get_by_role("button").first).to_have_css("border-left-width", re.compile("^[89]"))
    chosen = ",".join(store.find(name).id for name in (seed.LARGE, seed.SMALL))
    screen.expect_query(runs=chosen)
    screen.page.get_by_role("button", name="Compare 2").click()
    screen.settled()
    expect(screen.page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    screen.expect_query(runs=chosen)

    screen.open("runs", runs=chosen)
    expect_names(screen, CUT, seed.LARGE, seed.SMALL)
    click(screen, 0, NAME_X)
    screen.page.keyboard.press("Enter")
    box = screen.page.locator("#portal textarea")
    box.fill("renamed")
    box.press("Enter")
    screen.settled()
    expect_names(screen, "renamed", seed.LARGE, seed.SMALL)
    until(lambda: "renamed" in [run.name for run in store.runs()])  # the table shows it before the server has it
    assert store.find("renamed").state == "failed"
    screen.settled()  # the table shows a new name before the page has run with it

    screen.page.get_by_role("button", name="Tick none").click()
    # a click that comes before the table is drawn anew would be lost
    expect(screen.page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    screen.settled()
    click(screen, 0, TICK_X)
    run_id = store.find("renamed").id
    screen.expect_query(runs=run_id)
    screen.page.get_by_role("button", name="Delete 1").click()
    screen.settled()
    expect_names(screen, seed.LARGE, seed.SMALL)
    expect(screen.page.get_by_text("One run is in the trash.")).to_be_visible()
    screen.page.get_by_role("button", name="Undo").click()
    screen.settled()
    expect_names(screen, "renamed", seed.LARGE, seed.SMALL)
    assert not screen.page.evaluate("document.documentElement.scrollWidth > innerWidth"), (
        "no sideways scroll of the page"
    )
    screen.expect_no_exception()
    rename(store, run_id, CUT)


def test_everything_of_a_run_is_in_a_drawer_that_a_link_opens(screen: Screen, server: Server) -> None:
    run = server.store.find(seed.LARGE)
    screen.open("runs", details=run.id)
    drawer = screen.page.get_by_role("dialog")
    expect(drawer).to_contain_text(run.id)
    drawer.get_by_role("tab", name="Log").click()
    expect(drawer).to_contain_text("epoch 6/6")
    drawer.get_by_role("tab", name="Files").click()
    screen.settled()
    with screen.page.expect_download() as download:
        drawer.get_by_role("button", name="model.keras").click()
    assert Path(download.value.path()).read_bytes() == (run.path / "model.keras").read_bytes()
    drawer.get_by_role("button", name="Close").click()
    screen.expect_query(details=None)
    expect(drawer).to_have_count(0)
    screen.expect_no_exception()


def test_a_button_in_a_line_opens_the_drawer(screen: Screen, server: Server) -> None:
    screen.open("runs", runs="")
    expect_names(screen, CUT, seed.LARGE, seed.SMALL)
    drawn = widths_of([CUT, seed.LARGE, seed.SMALL], 1280, by_recipe=False)
    click(screen, 1, drawn.tick + drawn.colour + drawn.name + DETAILS_PX // 2)
    expect(screen.page.get_by_role("dialog")).to_contain_text(server.store.find(seed.LARGE).id)
    screen.expect_query(details=server.store.find(seed.LARGE).id)
