"""Exams and "I don't know" in a real browser: model_1 against model_2, as they ship for the small digits."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import expect

from mnist_core.runs.store import default_root
from tests.support.browser import Screen
from tests.support.lessons import subjects

pytestmark = pytest.mark.browser


@pytest.fixture
def models(screen: Screen) -> str:
    """The ids of model_1 and model_2 for the small digits, as a link has them; their runs are in the store."""
    found = subjects("real-difference")
    ids = []
    for name in ("small_1", "small_2"):
        run = found[name].run
        assert run is not None
        ids.append(run.id)
        target = screen.server.store.root / "reference" / run.id
        if not target.exists():
            shutil.copytree(default_root() / "reference" / run.id, target)
    return ",".join(ids)


@pytest.mark.parametrize("width", [1280, 390])
def test_model_1_and_model_2_sit_sixteen_exams_and_a_corruption_is_shown_by_severity(
    screen: Screen, models: str, width: int
) -> None:
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("exams", runs=models)
    answer = re.compile(r"model_2.* against .*model_1.*, on 16 exams: better on \d+, worse on \d+")
    expect(screen.page.get_by_text(answer).first).to_be_visible()
    expect(screen.page.get_by_text("All 16 comparisons are decided together (Holm's method)")).to_be_visible()
    grid = screen.page.get_by_test_id("stDataFrame").first
    expect(grid.get_by_test_id("glide-cell-1-4")).to_have_text("better")
    box = grid.bounding_box()
    assert box is not None
    # the grid is a canvas: what is clicked at its right edge says that exam and decision end to the left of it
    grid.click(position={"x": box["width"] - 6, "y": box["height"] * 5.5 / 17})
    selected = grid.locator("td[aria-selected=true]")
    expect(selected).to_have_id(re.compile(r"glide-cell-[2-5]-4"))
    screen.choose("exam", "Fog")
    screen.expect_query(exam="fog")
    expect(screen.page.locator(".stVegaLiteChart").locator("svg, canvas").first).to_be_visible()
    expect(screen.page.get_by_role("img", name=re.compile("by Fog$"))).to_be_visible()
    assert screen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screen.expect_no_exception()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_threshold_and_the_share_that_is_passed_on_change_what_is_answered(
    screen: Screen, models: str, width: int
) -> None:
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("i-dont-know", runs=models)
    main = screen.page.get_by_test_id("stMain")
    expect(main).to_contain_text("99.5 %")
    before = main.inner_text()
    for key, press, query in (("wanted", "ArrowLeft", {"wanted": "99"}), ("passed", "ArrowRight", {"passed": "8"})):
        screen.key(key).get_by_role("slider").focus()
        screen.page.keyboard.press(press)
        screen.expect_query(**query)
        screen.settled()
        after = main.inner_text()
        assert after != before
        before = after
    charts = screen.page.locator(".stVegaLiteChart")
    expect(charts).to_have_count(2)
    for chart in charts.all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator("svg, canvas").first).to_be_visible()
    assert screen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    screen.expect_no_exception()
