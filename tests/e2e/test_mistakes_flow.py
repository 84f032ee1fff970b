"""The Mistakes and Disagreements pages in a real browser: what is clicked, the boxes next to it, and the digits."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from mnist_core.comparison.disagreements import counts, difference_frame, groups, votes
from mnist_core.evaluation.metrics import confusion_matrix
from mnist_core.evaluation.mistakes import Confusion, mistakes, top_confusions
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.run import Run
from tests.support.browser import Screen
from tests.support.seed import LARGE, SMALL

pytestmark = pytest.mark.browser


@pytest.fixture
def run(screen: Screen) -> Run:
    return screen.server.store.find(SMALL)


@pytest.fixture
def predictions(run: Run) -> Predictions:
    found = run.predictions()
    assert found is not None
    return found


@pytest.fixture
def top(predictions: Predictions) -> list[Confusion]:
    """The two most frequent confusions; the run is small enough to have that many."""
    found = top_confusions(confusion_matrix(predictions.labels, predictions.predicted, 10), 2)
    assert len(found) == 2
    return found


def digits(screen: Screen) -> Locator:
    """The buttons of the gallery."""
    return screen.key("gallery").get_by_role("button")


def press_mark(screen: Screen, panel: str, label: str) -> None:
    """Click in the middle of a chart's mark, as a person does: on its number, which lies over it."""
    mark = screen.key(panel).locator(f"path[aria-label*='{label}']").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box is not None
    screen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def press(screen: Screen, confusion: Confusion, panel: str = "matrix_panel") -> None:
    """Click a cell of the matrix."""
    press_mark(screen, panel, f"Guessed digit: {confusion.guess}; True digit: {confusion.true};")


def expect_digits_of(screen: Screen, confusion: Confusion) -> None:
    expect(digits(screen)).to_have_count(confusion.times)
    for digit in digits(screen).all():
        expect(digit).to_have_accessible_name(
            re.compile(f"true digit {confusion.true}, guessed {confusion.guess}, confidence")
        )


def test_a_click_or_two_boxes_choose_a_cell_whose_digits_are_shown_and_they_agree(
    screen: Screen, run: Run, top: list[Confusion]
) -> None:
    screen.open("mistakes", runs=run.id)
    for confusion in top:
        press(screen, confusion)
        screen.expect_query(true=str(confusion.true), guess=str(confusion.guess))
        expect(screen.key("true").get_by_role("combobox")).to_have_value(str(confusion.true))
        expect(screen.key("guess").get_by_role("combobox")).to_have_value(str(confusion.guess))
        expect_digits_of(screen, confusion)
    typed, clicked = top
    screen.choose("true", str(typed.true))
    screen.choose("guess", str(typed.guess))
    expect_digits_of(screen, typed)
    # the last cell again: a chart that still believed it selected would not answer
    press(screen, clicked)
    expect_digits_of(screen, clicked)
    screen.expect_no_exception()


def test_arrow_keys_go_through_the_matrix_enter_shows_a_cell_and_the_focus_stays(
    screen: Screen, run: Run, top: list[Confusion]
) -> None:
    screen.open("mistakes", runs=run.id)
    expect(screen.key("matrix_panel").locator("svg.marks")).to_be_visible()
    keys = screen.key("keys_confusion").get_by_role("application")
    keys.focus()
    place = [0, 0]
    for confusion in top:
        target = [confusion.true, confusion.guess]
        for axis, (back, on) in enumerate((("ArrowUp", "ArrowDown"), ("ArrowLeft", "ArrowRight"))):
            for _ in range(abs(target[axis] - place[axis])):
                screen.page.keyboard.press(on if target[axis] > place[axis] else back)
        place = target
        label = f"Guessed digit: {confusion.guess}; True digit: {confusion.true};"
        cell = screen.key("matrix_panel").locator(f"path[aria-label*='{label}']").first.bounding_box()
        frame = keys.locator(".frame").bounding_box()
        assert cell is not None
        assert frame is not None
        for side in ("x", "y", "width", "height"):
            assert abs(cell[side] - frame[side]) < 2, (side, cell, frame)
        screen.page.keyboard.press("Enter")
        screen.expect_query(true=str(confusion.true), guess=str(confusion.guess))
        expect_digits_of(screen, confusion)
        expect(keys).to_be_focused()
    expect(keys.locator(".spoken")).to_contain_text(
        f"a {top[-1].true}, taken for a {top[-1].guess}", use_inner_text=False
    )
    screen.expect_no_exception()


def test_show_all_clears_the_cell_and_a_link_restores_it(
    screen: Screen, run: Run, predictions: Predictions, top: list[Confusion]
) -> None:
    errors = len(mistakes(predictions))
    screen.open("mistakes", runs=run.id, true=top[0].true, guess=top[0].guess)
    expect_digits_of(screen, top[0])
    screen.reload()
    expect_digits_of(screen, top[0])
    screen.key("clear_cell").get_by_role("button").click()
    screen.expect_query(true=None, guess=None)
    expect(digits(screen)).to_have_count(min(errors, 24))
    expect(screen.key("gallery_panel")).to_contain_text(f"{errors} digits guessed wrong")


def test_enter_on_a_digit_enlarges_it_its_neighbour_follows_and_on_escape_the_focus_is_on_that(
    screen: Screen, run: Run, predictions: Predictions
) -> None:
    expected = mistakes(predictions).sort_values(["confidence", "index"], ascending=[False, True], kind="stable")
    first, second = expected["index"].tolist()[:2]
    screen.open("mistakes", runs=run.id)
    digits(screen).first.focus()
    screen.page.keyboard.press("Enter")
    dialog = screen.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Test image {first}")
    expect(dialog).to_contain_text(f"True digit: {predictions.labels[first]}")
    expect(dialog).to_contain_text(f"guesses {predictions.predicted[first]}")
    screen.expect_query(digit=str(first))
    dialog.get_by_role("button", name="Next").click()
    expect(dialog).to_contain_text(f"Test image {second}")
    screen.expect_query(digit=str(second))
    screen.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(digits(screen).nth(1)).to_be_focused()
    screen.expect_query(digit=None)
    screen.expect_no_exception()


def test_the_gallery_has_pictures_and_is_one_stop_of_the_tab_key_in_which_arrow_keys_move(
    screen: Screen, run: Run
) -> None:
    screen.open("mistakes", runs=run.id)
    buttons = digits(screen)
    expect(buttons.first).to_be_visible()
    expect(screen.key("map").locator("svg").first).to_be_visible()
    screen.page.wait_for_function(  # until the map is there, the gallery is as wide as the page
        "() => document.querySelector('.st-key-gallery').getBoundingClientRect().x > 400"
    )
    screen.settled()
    columns = buttons.evaluate_all("(all) => all.filter((one) => one.offsetTop === all[0].offsetTop).length")
    assert 1 < columns < buttons.count()
    buttons.first.focus()
    for key, place in (("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowLeft", columns), ("ArrowUp", 0)):
        screen.page.keyboard.press(key)
        expect(buttons.nth(place)).to_be_focused()
        assert buttons.evaluate_all("(all) => all.map((one) => one.tabIndex)").count(0) == 1
    loaded = (
        screen.key("gallery")
        .locator(".picture")
        .first.evaluate(
            """async (element) => {
            const url = getComputedStyle(element).backgroundImage.slice(5, -2);
            const image = new Image();
            image.src = url;
            await image.decode();
            return [image.naturalWidth, getComputedStyle(element).imageRendering];
        }"""
        )
    )
    assert loaded == [20 * 28, "pixelated"]


def test_a_line_around_points_of_the_map_lists_their_digits_and_a_point_shows_its_picture(
    screen: Screen, run: Run, predictions: Predictions
) -> None:
    screen.open("mistakes", runs=run.id)
    plane, mouse = screen.key("map").locator("svg").first, screen.page.mouse
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    gallery = screen.key("gallery").bounding_box()
    assert box is not None
    assert gallery is not None
    assert box["height"] > 400
    # the gallery is next to the map, and in view with it
    assert gallery["x"] > box["x"] + box["width"]
    assert gallery["y"] < 800

    wrong = screen.key("map").locator("circle.wrong").last
    index = int(wrong.get_attribute("data-index") or -1)
    place = wrong.bounding_box()
    assert place is not None
    mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    card = screen.key("map").locator(".card")
    expect(card).to_be_visible()
    expect(card).to_contain_text(f"true {predictions.labels[index]}\nguessed {predictions.predicted[index]}")
    shown = card.bounding_box()
    assert shown is not None
    assert box["x"] <= shown["x"]
    assert shown["x"] + shown["width"] <= box["x"] + box["width"]

    # around the left half; the line ends where it began only roughly, as a hand does
    left, right, top, bottom = box["x"] + 3, box["x"] + box["width"] / 2, box["y"] + 3, box["y"] + box["height"] - 3
    mouse.move(left, top)
    mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 5)):
        mouse.move(x, y, steps=4)
    mouse.up()
    centres = (
        screen.key("map")
        .locator("circle[data-index]")
        .evaluate_all("(all) => all.map((one) => [Number(one.dataset.index), Number(one.getAttribute('cx'))])")
    )
    # points on the line itself may be on either side
    surely = {index for index, x in centres if x < box["width"] / 2 - 4}
    perhaps = {index for index, x in centres if x < box["width"] / 2 + 4}
    assert 0 < len(surely) <= len(perhaps) < len(centres)
    inside = screen.key("map").locator("circle.inside")
    expect(inside.first).to_be_attached()
    found = {int(text) for text in inside.evaluate_all("(all) => all.map((one) => one.dataset.index)")}
    assert surely <= found <= perhaps
    sentence = f"{len(found)} digits in the area: {sum(index in predictions.wrong for index in found)} guessed wrong"
    expect(screen.key("gallery_panel")).to_contain_text(sentence)
    assert {int(digit.get_attribute("data-index") or -1) for digit in digits(screen).all()} <= found

    # the link draws it again, and the button removes it
    screen.reload()
    expect(inside).to_have_count(len(found))
    screen.key("map").get_by_role("button", name="Clear the area").click()
    screen.expect_query(area=None)
    expect(screen.key("gallery_panel")).to_contain_text(f"{len(predictions.wrong)} digits guessed wrong")
    screen.expect_no_exception()


def test_an_enlarged_digit_is_explained_and_stays_so_at_its_neighbour(
    screen: Screen, run: Run, predictions: Predictions
) -> None:
    screen.open("mistakes", runs=run.id)
    digits(screen).first.click()
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Nearest training digits").click()
    expect(dialog).to_contain_text(f"By the last hidden layer of {run.name}")
    expect(dialog.locator("figure")).to_have_count(16)
    dialog.get_by_role("radio", name="Which pixels decided").click()
    expect(dialog).to_contain_text("weighed against")
    expect(dialog.locator("figure")).to_have_count(1)
    dialog.get_by_role("button", name="Next").click()
    expect(dialog).to_contain_text("2 of ")
    expect(dialog).to_contain_text("weighed against")
    screen.expect_no_exception()


def test_an_empty_store_says_what_would_be_here(empty_screen: Screen) -> None:
    empty_screen.open("mistakes")
    expect(empty_screen.page.get_by_text("No runs yet")).to_be_visible()
    empty_screen.expect_no_exception()


def test_mistakes_and_matrix_can_be_downloaded(screen: Screen, run: Run, predictions: Predictions) -> None:
    screen.open("mistakes", runs=run.id)
    with screen.page.expect_download() as download:
        screen.page.get_by_text("All mistakes as CSV").click()
    assert pd.read_csv(download.value.path())["index"].tolist() == predictions.wrong.tolist()
    screen.key("matrix_panel").get_by_text("Data and downloads").click()
    screen.settled()  # a click that meets a button while it is being drawn is lost
    for kind, first_bytes in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("CSV", b"true,guess,count")):
        with screen.page.expect_download() as download:
            screen.key("matrix_panel").get_by_role("button", name=kind, exact=True).click()
        assert Path(download.value.path()).read_bytes().startswith(first_bytes)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(screen: Screen, run: Run, scheme: str) -> None:
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.page.emulate_media(color_scheme=scheme)
    screen.open("mistakes", runs=run.id, digit=run.predictions().wrong[0])
    dialog = screen.page.get_by_role("dialog")
    expect(dialog).to_contain_text("True digit")
    assert screen.page.evaluate("document.querySelector('[role=dialog]').getBoundingClientRect().width") <= 390
    screen.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    widest = screen.page.evaluate(
        """Math.max(...[...document.querySelectorAll('[data-testid=stMain] *')]
            .map((node) => node.getBoundingClientRect().right))"""
    )
    assert widest <= 391
    # digits are ink on paper in light, chalk on a blackboard in dark
    paper = screen.key("gallery").locator(".gallery").evaluate("(node) => node.classList.contains('paper')")
    assert paper == (scheme == "light")
    # and their own paper cannot be seen, also not on a wide screen, where the gallery stays in view
    screen.page.set_viewport_size({"width": 1280, "height": 800})
    shown = screen.key("gallery").locator(".picture").first.screenshot()
    corner = Image.open(io.BytesIO(shown)).convert("RGB").getpixel((2, 2))
    behind = screen.page.locator(".stApp").evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert f"rgb{corner}" == behind


def expect_page(screen: Screen, name: str) -> None:
    """Wait until the page of this name is drawn; the address changes before the page begins to run."""
    expect(screen.page.get_by_role("heading", level=1, name=name, exact=True)).to_be_visible()
    screen.settled()


def test_one_press_of_back_undoes_one_change_of_page(screen: Screen, run: Run, top: list[Confusion]) -> None:
    runs = f"{run.id},{screen.server.store.find(LARGE).id}"
    screen.open("mistakes", runs=runs)
    for name, path in (("Disagreements", "disagreements"), ("Compare", ""), ("Mistakes", "mistakes")):
        before = screen.page.evaluate("history.length")
        screen.page.get_by_role("link", name=name, exact=True).first.click()
        screen.expect_path(path)
        screen.expect_query(runs=runs)
        expect_page(screen, name)
        assert screen.page.evaluate("history.length") == before + 1, name
    # what is chosen on a page is still a step of its own
    press(screen, top[0])
    expect_digits_of(screen, top[0])
    screen.page.go_back()
    screen.expect_query(true=None)
    expect_page(screen, "Mistakes")  # a page that still ran would bring its address back
    for name, path in (("Compare", ""), ("Disagreements", "disagreements"), ("Mistakes", "mistakes")):
        screen.page.go_back()
        screen.expect_path(path)
        screen.expect_query(runs=runs)
        expect_page(screen, name)
    screen.expect_no_exception()


def test_the_back_button_undoes_the_choice_of_a_cell(screen: Screen, run: Run, top: list[Confusion]) -> None:
    screen.open("mistakes", runs=run.id)
    for confusion in top:
        press(screen, confusion)
        expect_digits_of(screen, confusion)
    screen.page.go_back()
    screen.expect_query(true=str(top[0].true), guess=str(top[0].guess))
    expect_digits_of(screen, top[0])


def test_clicks_show_the_digits_of_a_group_and_of_a_cell_of_the_difference(screen: Screen) -> None:
    predictions = [found for name in (SMALL, LARGE) if (found := screen.server.store.find(name).predictions())]
    runs = ",".join(screen.server.store.find(name).id for name in (SMALL, LARGE))
    frame, found = votes(predictions), counts(votes(predictions))
    screen.open("disagreements", runs=runs, size=200)
    expect(screen.page.get_by_text(f"They disagree on {found.disagreements} of {found.images}")).to_be_visible()
    expect(digits(screen)).to_have_count(found.disagreements)
    press_mark(screen, "groups_panel", "group: only_b")
    screen.expect_query(group="only_b")
    expect(digits(screen)).to_have_count(found.only_b)
    assert {int(digit.get_attribute("data-index") or -1) for digit in digits(screen).all()} == set(
        frame["index"][groups(frame) == "only_b"]
    )

    screen.page.get_by_text("Which digits they confuse").click()
    screen.expect_query(view="matrices")
    cells = difference_frame(*predictions)
    cell = cells[cells["true"] != cells["guess"]].sort_values("left").iloc[-1]
    clicked = Confusion(int(cell["true"]), int(cell["guess"]), int(cell["a"]))
    press(screen, clicked, "panel_matrix_difference")
    screen.expect_query(true=str(cell["true"]), guess=str(cell["guess"]))
    expect(digits(screen)).to_have_count(int(cell["entered"] + cell["left"]))
    # the same cell of the first matrix, and the first one's digits
    press(screen, clicked, "panel_matrix_a")
    screen.expect_query(matrix="a")
    expect(digits(screen)).to_have_count(int(cell["a"]))
    press(screen, clicked, "panel_matrix_difference")
    screen.expect_query(matrix=None)
    screen.expect_no_exception()
