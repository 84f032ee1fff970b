"""A lesson and presenter mode in a real browser: a click on an epoch, the keys, and a phone."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from mnist_core.lessons.reading import SHIPPED, read_lesson
from mnist_core.runs.store import default_root
from tests.support.browser import Screen
from tests.support.lessons import subjects
from tests.support.seed import LARGE, SMALL

pytestmark = pytest.mark.browser


@pytest.fixture
def shipped(screen: Screen) -> None:
    """The shipped runs of all shipped lessons."""
    for lesson in SHIPPED.glob("*.toml"):
        for subject in subjects(lesson).values():
            if subject.run is not None:
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
    screen.page.set_viewport_size({"width": 240, "height": 844})  # so that the short name of the way on takes two lines
    way_on = screen.key("lesson_next").get_by_test_id("stPageLink-NavLink")
    cut = "(link) => [...link.querySelectorAll('*')].filter((part) => part.scrollWidth > part.clientWidth + 1).length"
    assert way_on.evaluate(cut) == 0


def assert_to_be_read_from_the_last_row(screen: Screen, below: str = "none") -> None:
    """Raise AssertionError unless all text is whole, at least 20 pixels high, and above the bar of the presenter.

    Charts are text here, as their labels are. below: a CSS selector of what may be further down.
    """
    bar = screen.key("presenter_bar").bounding_box()
    assert bar is not None
    assert [text for text in screen.texts() if text.size < 20 or text.words.endswith("…")] == []
    shown = screen.texts(without=f'[class*="st-key-presenter_"], {below}')
    assert [text for text in shown if text.bottom > bar["y"]] == []


@pytest.mark.usefixtures("shipped")
def test_all_lessons_and_each_fit_the_screen_of_a_projector_before_the_answer_and_with_it(screen: Screen) -> None:
    page = screen.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    lessons = [read_lesson(path) for path in sorted(SHIPPED.glob("*.toml"))]
    screen.open("lessons", present=1)
    expect(page.get_by_role("button", name="Begin")).to_have_count(len(lessons))
    screen.settled()
    assert_to_be_read_from_the_last_row(screen)
    page.get_by_role("button", name="Begin").first.click()
    for lesson in lessons:
        expect(page.get_by_role("heading", name=lesson.title, exact=True)).to_be_visible()
        question = screen.key("lesson_question")
        expect(question.locator(".stVegaLiteChart svg")).to_have_count(1 if lesson.question.picture else 0)
        expect(screen.key("lesson_predict")).to_be_visible()
        screen.settled()
        assert_to_be_read_from_the_last_row(screen)
        if lesson.kind == "choice":
            question.locator("label:has(input[type=radio])").first.click()
        else:
            question.locator("input").fill("5")
            page.keyboard.press("Enter")
        if lesson.title == "Does dropout help?":  # which trains first
            expect(question.locator("input").first).to_be_focused()
            screen.settled()
            page.keyboard.press("PageDown")  # the keys work while a choice has the focus
        else:
            screen.key("lesson_predict").get_by_role("button").click()
            expect(page.locator(".stVegaLiteChart svg")).to_have_count(len(lesson.answer.pictures))
            expect(screen.key("lesson_next")).to_be_attached()
            screen.settled()
            explained = ".st-key-lesson_explained, .st-key-lesson_next, .st-key-lesson_intro"
            assert_to_be_read_from_the_last_row(screen, below=explained)
            if lesson is not lessons[-1]:
                screen.key("presenter_next").get_by_role("button").click()


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
    expect(page.locator(".weights[data-network]")).to_have_count(2)
    page.locator(".draw .pad").click()
    expect(page.locator(".draw .card[data-source=server]")).to_have_count(2)
    screen.settled()
    assert_to_be_read_from_the_last_row(screen)
    assert {"Clear", "9"} <= {text.words for text in screen.texts()}, "what the pad writes is text, too"
    hidden = [screen.key(key) for key in ("run_picker", "draw_centred", "draw_edits", "draw_upload")]
    hidden += [page.locator(f".draw {part}") for part in (".pen", ".eraser", ".undo", ".thickness")]
    for part in (".pad", ".seen", ".card", ".clear"):
        expect(page.locator(f".draw {part}").last).to_be_in_viewport(ratio=1)
    assert len({card.bounding_box()["y"] for card in page.locator(".draw .card").all()}) == 1  # type: ignore[index]
    for part in hidden:
        expect(part).to_be_hidden()
    page.get_by_role("button", name="More tools").click()
    for part in hidden:
        expect(part).to_be_visible()
    screen.settled()
    expect(page.locator(".draw .undo")).to_be_enabled()
    page.locator(".draw .eraser").click()
    page.get_by_role("button", name="Fewer tools").click()
    expect(page.locator(".draw.few-tools .pen")).to_have_attribute("aria-pressed", "true")
    screen.settled()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Present")).to_be_visible()
    assert "present" not in page.url


@pytest.mark.parametrize("path", ["train", "mistakes", "exams"])
def test_the_first_chart_of_another_page_is_on_the_first_screen_in_presenter_mode(screen: Screen, path: str) -> None:
    page = screen.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    screen.open(path, runs=",".join(screen.server.store.find(name).id for name in (SMALL, LARGE)), present=1)
    screen.expect_on_a_projector(page.get_by_test_id("stVegaLiteChart").first)
    expect(screen.key("run_picker")).to_be_hidden()
    expect(page.get_by_text("Not used of the link")).to_have_count(0)


def test_a_frozen_screen_takes_no_key_and_is_after_it_as_it_was_before(screen: Screen) -> None:
    page = screen.page
    screen.open("draw", runs=screen.server.store.find(SMALL).id, present=1)
    pad = page.locator(".draw .pad")
    expect(page.locator(".weights[data-network]")).to_have_count(1)
    screen.settled()

    def dot(*keys: str) -> None:
        pad.focus()
        for key in (*keys, " "):
            page.keyboard.press(key)

    def answered() -> None:
        drawn = page.locator(".draw")
        expect(drawn).to_have_attribute("data-answered", drawn.get_attribute("data-sent") or "none is sent")

    def drawing() -> dict[str, object]:
        card = page.locator(".draw .card")
        return {
            "ink": page.locator(".draw .ink").evaluate("(canvas) => canvas.toDataURL()"),
            "answer": card.locator(".bars").get_attribute("aria-label"),
            "note": card.locator(".note").text_content(),
            "undo": page.locator(".draw .undo").is_enabled(),
            "place": pad.bounding_box(),
        }

    dot()
    answered()
    first = drawing()["ink"]
    dot("ArrowDown", "ArrowDown", "ArrowDown")
    answered()
    before = drawing()
    assert str(before["note"]).startswith("not centred:")
    assert before["ink"] != first
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Frozen: go on")).to_be_visible()
    screen.settled()
    dot("ArrowRight")
    assert drawing() == before
    main = page.get_by_test_id("stMain")
    main.evaluate("(found) => found.focus({ focusVisible: true })")
    assert main.evaluate("(found) => found.matches(':focus-visible')")
    assert main.evaluate("(found) => getComputedStyle(found, '::before').boxShadow") == "none", "no ring around it all"
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()
    screen.settled()
    assert drawing() == before
    pad.focus()
    page.keyboard.press("Control+z")
    assert drawing()["ink"] == first
    dot()
    assert drawing()["ink"] == before["ink"]
