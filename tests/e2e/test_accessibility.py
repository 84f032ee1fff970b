"""Accessibility of every page in both themes, looked for by axe-core in a real browser; and the fonts used."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from mnist_core.evaluation.mistakes import mistakes
from tests.support.accessibility import findings
from tests.support.browser import Screen
from tests.support.pages import MENU
from tests.support.seed import LARGE, SMALL

pytestmark = pytest.mark.browser


def both(screen: Screen) -> str:
    """The ids of both runs, as a link has them."""
    return ",".join(screen.server.store.find(name).id for name in (SMALL, LARGE))


SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map(({ node, previousRect: was, currentRect: is }) =>
      `${(node?.parentElement?.className ?? "").slice(0, 80)} ${was.y} ${was.height} → ${is.y} ${is.height}`);
    window.shifts.push([entry.value, moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1
"""What web.dev calls good of the cumulative layout shift: of the screen, how much moves, times how far."""


@pytest.fixture(scope="module", autouse=True)
def _shifts_are_taken_down(windows: BrowserContext) -> None:
    windows.add_init_script(SHIFTS)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
@pytest.mark.parametrize("path", [page.path for page in MENU])
def test_nothing_jumps_or_is_too_wide_and_axe_finds_nothing_serious_on(
    screen: Screen, path: str, scheme: str, width: int
) -> None:
    screen.page.emulate_media(color_scheme=scheme)
    screen.page.set_viewport_size({"width": width, "height": 800})
    shifts: list[tuple[float, list[str]]] = []
    for _ in range(2):  # on a busy machine the parts of a page may come in an order of their own: one of two is enough
        screen.open(path, runs=both(screen))
        expect(screen.page.get_by_role("heading", level=1)).to_be_visible()
        screen.settled()
        screen.page.wait_for_timeout(600)  # colours of chips and buttons change slowly
        shifts = screen.page.evaluate("window.shifts")
        if sum(value for value, _ in shifts) < MOST_SHIFT:
            break
    assert sum(value for value, _ in shifts) < MOST_SHIFT, sorted(shifts, reverse=True)[:3]
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert screen.warned == [], "Vega has nothing to warn of"
    screen.page.set_viewport_size({"width": 1280, "height": 800})
    assert findings(screen.page, only_colours=scheme == "dark") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_enlarged_digit(screen: Screen, scheme: str) -> None:
    screen.page.emulate_media(color_scheme=scheme)
    run = screen.server.store.find(SMALL)
    predictions = run.predictions()
    assert predictions is not None
    index = int(mistakes(predictions)["index"].iloc[0])
    screen.open("mistakes", runs=both(screen), inspect=run.id, digit=index)
    picture = screen.page.get_by_role("dialog").get_by_role("img", name=f"guessed {predictions.predicted[index]} by")
    expect(picture).to_be_visible()
    assert (picture.get_attribute("src") or "").endswith(".png")
    assert findings(screen.page, only_colours=scheme == "dark") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_of_an_empty_store_every_page_is_drawn_and_axe_finds_nothing_serious_either(
    empty_screen: Screen, scheme: str
) -> None:
    empty_screen.page.emulate_media(color_scheme=scheme)
    empty_screen.open()
    for page in MENU:
        empty_screen.go(page)
        empty_screen.expect_no_exception()
        if page.path in ("", "mistakes", "models"):
            assert findings(empty_screen.page, only_colours=scheme == "dark") == [], page.title


def test_text_and_figures_are_set_in_fonts_of_this_machine(screen: Screen) -> None:
    addresses: list[str] = []
    screen.page.on("request", lambda request: addresses.append(request.url))
    screen.open("mistakes", runs=both(screen))
    figure = screen.page.get_by_test_id("stMetricValue").first
    expect(figure).to_be_visible()
    expect(figure).to_have_css("font-family", re.compile('^"Source Code Pro"'))  # the page's style may come after it
    families = """() => [
        getComputedStyle(document.querySelector('[data-testid=stMarkdownContainer] p')).fontFamily,
        getComputedStyle(document.querySelector('[data-testid=stMetricValue]')).fontFamily,
    ]"""
    text, figures = screen.page.evaluate(families)
    assert text.startswith('"Source Sans"')
    assert figures.startswith('"Source Code Pro"')
    loaded = "[...document.fonts].filter((font) => font.status === 'loaded').map((font) => font.family)"
    assert {"Source Sans", "Source Code Pro"} <= {name.strip('"') for name in screen.page.evaluate(loaded)}
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    assert [url for url in addresses if not url.startswith(local)] == []
