"""A lesson and presenter mode in a real browser: a click on an epoch, the keys, and a phone."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from mnist_core.runs.store import default_root
from tests.support.browser import Screen
from tests.support.lessons import subjects
from tests.support.seed import LARGE, SMALL

pytestmark = pytest.mark.browser


@pytest.fixture
def shipped(screen: Screen) -> None:
    """The shipped runs of the lesson on overfitting."""
    for subject in subjects("overfitting").values():
        assert subject.run is not None
        target = screen.server.store.root / "reference" / subject.run.id
        if not target.exists():
            shutil.copytree(default_root() / "reference" / subject.run.id, target)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.usefixtures("shipped")
def test_a_click_on_the_curve_is_the_prediction(screen: Screen, width: int) -> None:
    screen.page.set_viewport_size({"width": width, "height": 844})
    screen.open("lessons", lesson="overfitting")
    predict = screen.key("lesson_predict").get_by_role("button")
    expect(predict).to_be_disabled()
    chart = screen.page.locator(".stVegaLiteChart svg.marks, .stVegaLiteChart canvas").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    screen.page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    expect(predict).to_be_enabled()
    predict.click()
    expect(screen.page.get_by_role("heading", name=re.compile(r"You predicted 2\d; it is 13\."))).to_be_visible()
    assert screen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_keys_of_presenter_mode(screen: Screen) -> None:
    runs = ",".join(screen.server.store.find(name).id for name in (SMALL, LARGE))
    page = screen.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    screen.open("", runs=runs, present=1)
    expect(page.get_by_text("test accuracy", exact=False).first).to_be_visible()
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") >= 28
    screen.settled()  # a key that is pressed while the buttons are being drawn is lost
    page.keyboard.press("PageDown")
    expect(page.get_by_role("heading", name="Loss: lower is better")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(1)
    screen.settled()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Frozen: go on")).to_be_visible()
    screen.settled()
    page.keyboard.press("PageDown")
    page.keyboard.press("3")
    screen.settled()
    expect(page.get_by_role("heading", name="Loss: lower is better")).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()
    screen.settled()
    page.keyboard.press("3")
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    screen.settled()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Present")).to_be_visible()
    assert "present" not in page.url


def test_a_frozen_screen_takes_no_key_until_it_is_let_go(screen: Screen) -> None:
    page = screen.page
    screen.open("draw", runs=screen.server.store.find(SMALL).id, present=1)
    pad = page.locator(".draw .pad")
    expect(page.locator(".weights[data-network]")).to_have_count(1)
    screen.settled()
    place = pad.bounding_box()
    pad.focus()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Frozen: go on")).to_be_visible()
    screen.settled()
    assert pad.bounding_box() == place, "nothing moves when the screen is frozen"
    pad.focus()
    page.keyboard.press(" ")
    expect(page.locator(".draw.blank")).to_have_count(1)
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()
    pad.focus()
    page.keyboard.press(" ")
    expect(page.locator(".draw.blank")).to_have_count(0)
