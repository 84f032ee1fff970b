"""The Disagreements page in a real browser: a click on a group, on a cell of the difference and on a bar."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from mnist_core.disagreements import counts, difference_frame, groups, votes
from mnist_core.runs import Predictions
from tests.e2e.browser import Screen
from tests.e2e.seed import LARGE, SMALL

pytestmark = pytest.mark.browser


@pytest.fixture
def said(screen: Screen) -> list[Predictions]:
    found = [screen.server.store.find(name).predictions() for name in (SMALL, LARGE)]
    assert found[0] is not None
    assert found[1] is not None
    return [found[0], found[1]]


def press(screen: Screen, panel: str, label: str) -> None:
    """Click in the middle of a mark, as a person does: on its number, which lies over it."""
    mark = screen.key(panel).locator(f"path[aria-label*='{label}']").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box is not None
    screen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_clicks_show_the_digits_of_a_group_and_of_a_cell_of_the_difference(
    screen: Screen, said: list[Predictions]
) -> None:
    runs = ",".join(screen.server.store.find(name).id for name in (SMALL, LARGE))
    frame, found = votes(said), counts(votes(said))
    digits = screen.key("gallery").get_by_role("button")
    screen.open("disagreements", runs=runs, size=200)
    expect(screen.page.get_by_text(f"They disagree on {found.disagreements} of {found.images}")).to_be_visible()
    expect(digits).to_have_count(found.disagreements)
    press(screen, "groups_panel", "group: only_b")
    screen.expect_query(group="only_b")
    expect(digits).to_have_count(found.only_b)
    assert {int(digit.get_attribute("data-index") or -1) for digit in digits.all()} == set(
        frame["index"][groups(frame) == "only_b"]
    )

    screen.page.get_by_text("Which digits they confuse").click()
    screen.expect_query(view="matrices")
    cells = difference_frame(*said)
    cell = cells[cells["true"] != cells["guess"]].sort_values("left").iloc[-1]
    press(screen, "panel_matrix_difference", f"Guessed digit: {cell['guess']}; True digit: {cell['true']};")
    screen.expect_query(true=str(cell["true"]), guess=str(cell["guess"]))
    expect(digits).to_have_count(int(cell["entered"] + cell["left"]))
    # the same cell of the first matrix, and the first one's digits
    press(screen, "panel_matrix_a", f"Guessed digit: {cell['guess']}; True digit: {cell['true']};")
    screen.expect_query(matrix="a")
    expect(digits).to_have_count(int(cell["a"]))
    press(screen, "panel_matrix_difference", f"Guessed digit: {cell['guess']}; True digit: {cell['true']};")
    screen.expect_query(matrix=None)
    screen.expect_no_exception()
