"""Compare's first screen in a real browser: what is above the fold, how large it is, and what the pointer does."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.support import seed
from tests.support.browser import Screen, rename
from tests.support.synthetic import config, epoch_row

pytestmark = pytest.mark.browser

METRICS = ("loss", "accuracy")
PLOT = "svg .role-frame.root > g > .background, svg .mark-group.role-frame.root .background"


def runs(screen: Screen) -> str:
    """The two seeded runs, as a link has them."""
    store = screen.server.store
    return ",".join(store.find(name).id for name in (seed.SMALL, seed.LARGE))


def opened(screen: Screen, width: int, height: int) -> Screen:
    screen.page.set_viewport_size({"width": width, "height": height})
    screen.open(runs=runs(screen))
    for metric in METRICS:
        expect(plot(screen, metric)).to_be_attached()
    screen.page.wait_for_timeout(500)
    return screen


def plot(screen: Screen, metric: str) -> Locator:
    return screen.key(f"panel_{metric}").locator(PLOT).first


def box(found: Locator) -> dict[str, float]:
    sides: dict[str, float] = found.evaluate(
        "e => { const b = e.getBoundingClientRect(); "
        "return {left: b.left, top: b.top, right: b.right, bottom: b.bottom, height: b.height, width: b.width} }"
    )
    return sides


def chart(screen: Screen, metric: str) -> Locator:
    return screen.key(f"panel_{metric}").locator(".stVegaLiteChart svg").first


def test_on_a_laptop_answer_figures_and_both_curves_are_on_the_first_screen(screen: Screen) -> None:
    opened(screen, 1280, 800)
    answer, figures = box(screen.key("answer")), box(screen.key("figures"))
    assert 0 < answer["bottom"] <= figures["top"] + 1
    for metric in METRICS:
        assert box(plot(screen, metric))["height"] >= 280
        assert figures["bottom"] <= box(chart(screen, metric))["top"]
        assert box(chart(screen, metric))["bottom"] <= 800
    left, right = (box(plot(screen, metric)) for metric in METRICS)
    assert (left["top"], left["height"]) == (right["top"], right["height"])


def test_no_figure_of_two_runs_is_cut_off_however_long_their_names(screen: Screen) -> None:
    """A long name used to push the training time out of the table."""
    store = screen.server.store
    small = store.find(seed.SMALL)
    long = "a name as long as people write them, dropout 0.5"
    rename(store, small.id, long)
    try:
        screen.page.set_viewport_size({"width": 1280, "height": 800})
        screen.open(runs=",".join((small.id, store.find(seed.LARGE).id)))
        lines = screen.key("figures").locator(".lines")
        expect(lines.get_by_text(long)).to_be_visible()
        assert lines.evaluate("e => e.scrollWidth <= e.clientWidth")
        assert box(lines.get_by_text(long))["left"] > box(lines.locator(".dot").first)["right"]
    finally:
        rename(store, small.id, seed.SMALL)


def test_on_a_phone_the_sentence_and_the_first_chart_are_on_the_first_screen(screen: Screen) -> None:
    opened(screen, 390, 844)
    assert box(screen.key("answer"))["bottom"] < box(chart(screen, "loss"))["top"]
    assert box(chart(screen, "loss"))["bottom"] <= 844
    assert box(screen.key("figures"))["top"] >= box(chart(screen, "accuracy"))["bottom"]
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_projector_the_width_is_used(screen: Screen) -> None:
    opened(screen, 1920, 1080)
    assert box(plot(screen, "loss"))["width"] + box(plot(screen, "accuracy"))["width"] > 1920 * 0.65


@pytest.mark.parametrize("width", [390, 1280])
def test_names_stand_outside_of_the_plot_and_apart(screen: Screen, width: int) -> None:
    opened(screen, width, 844)
    for metric in METRICS:
        names = [
            box(found)
            for found in chart(screen, metric).locator("text").all()
            if found.text_content() in (seed.SMALL, seed.LARGE)
        ]
        assert len(names) == 2
        names.sort(key=lambda name: name["top"])
        assert all(name["left"] >= box(plot(screen, metric))["right"] for name in names)
        assert all(name["right"] <= box(chart(screen, metric))["right"] + 1 for name in names)
        assert names[0]["bottom"] <= names[1]["top"] + 2


RULES = """chart => [...chart.querySelectorAll("svg .mark-rule line")]
    .filter(line => Number(getComputedStyle(line).opacity) > 0.5 && line.getAttribute("stroke") === "#8A9099")
    .map(line => line.__data__.datum.epoch)"""


def test_the_pointer_in_one_chart_moves_the_line_in_both_and_dims_the_other_run(screen: Screen) -> None:
    opened(screen, 1280, 800)
    charts = [screen.key(f"panel_{metric}").locator(".stVegaLiteChart").first for metric in METRICS]
    assert [found.evaluate(RULES) for found in charts] == [[], []]
    place = box(plot(screen, "loss"))
    screen.page.mouse.move(place["left"] + 0.1 * place["width"], place["bottom"] - 40)
    screen.page.mouse.move(place["left"] + 0.4 * place["width"], place["bottom"] - 40, steps=5)
    screen.page.wait_for_timeout(300)
    here, there = (found.evaluate(RULES) for found in charts)
    assert len(here) == 1
    assert there == here
    dim = "chart => [...chart.querySelectorAll('svg .mark-line path')].map(path => getComputedStyle(path).opacity)"
    for found in charts:
        opacities = found.evaluate(dim)
        assert sorted(set(opacities)) == ["0.2", "1"]
        dots = found.evaluate(dim.replace(".mark-line", ".mark-symbol"))
        assert {"0.2", "1"} <= set(dots), "the dot of the other run's best epoch is dimmed as its line is"
    screen.page.mouse.move(5, 400, steps=3)
    screen.page.wait_for_timeout(300)
    assert [found.evaluate(RULES) for found in charts] == [[], []]


def test_a_digit_of_the_strip_leads_to_it_on_disagreements(screen: Screen) -> None:
    opened(screen, 1280, 800)
    digit = screen.key("strip").get_by_role("button").first
    index = digit.get_attribute("data-index")
    digit.click()
    screen.expect_path("disagreements")
    expect(screen.page.get_by_role("dialog")).to_be_visible()
    screen.expect_query(digit=index)
    screen.expect_no_exception()


def test_a_training_is_played_epoch_by_epoch_by_the_page_itself(screen: Screen) -> None:
    sent: list[object] = []
    screen.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    opened(screen, 1280, 800)
    large = screen.server.store.find(seed.LARGE)
    screen.key("replay").get_by_text("Replay, epoch by epoch").click()
    now, slider = screen.page.locator(".replay .now"), screen.page.get_by_role("slider", name="Epoch")
    expect(now).to_have_text("epoch 6 of 6")
    card = screen.page.locator(".replay .run", has_text=seed.LARGE)
    rows = large.rows()
    expect(card.locator(".figures")).to_contain_text(f"validation loss {rows[-1].val_loss:.4f}")
    expect(card.locator(".note")).to_contain_text("Confusion matrix after epoch")

    slider.focus()
    screen.page.keyboard.press("Home")
    expect(now).to_have_text("epoch 1 of 6")
    expect(card.locator(".figures")).to_contain_text(f"accuracy {100 * rows[0].val_accuracy:.2f} %")
    line = screen.page.locator(".replay path.validation").first
    begun = line.get_attribute("d")
    assert sent
    sent.clear()

    screen.page.get_by_role("button", name="Play").click()
    expect(now).to_have_text("epoch 6 of 6")
    expect(screen.page.get_by_role("button", name="Play")).to_be_visible()
    assert len(str(line.get_attribute("d"))) > len(str(begun))
    assert sent == []  # the server had nothing to do


def test_of_many_runs_six_whole_lines_stand_above_curves_of_full_height(screen: Screen) -> None:
    """The lines used to be cut in the middle of the third."""
    store = screen.server.store
    ids = []
    for number in range(8):
        name = "a name as long as a sweep gives them, first width 32, depth 2, activation tanh" if number == 2 else "r"
        run, _ = store.add(config((10 + number,), epochs=3), name=f"{name} {number}")
        writer = store.open_writer(run.id)
        assert writer is not None
        writer.started([])
        for epoch in (1, 2, 3):
            writer.epoch(epoch_row(epoch))
        writer.ended("finished", "all epochs done", best_epoch=3, kept_epoch=3)
        ids.append(run.id)
    screen.page.set_viewport_size({"width": 1280, "height": 800})
    screen.open(runs=",".join(ids[:6]))
    for metric in METRICS:
        expect(plot(screen, metric)).to_be_attached()
    lines, rows = screen.key("figures").locator(".lines"), screen.key("figures").locator(".lines tbody tr")
    expect(rows).to_have_count(6)
    assert lines.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    for metric in METRICS:
        assert box(plot(screen, metric))["height"] >= 280
        assert box(lines)["bottom"] <= box(chart(screen, metric))["top"]
        assert box(plot(screen, metric))["bottom"] <= 780, "the figures of the axis are below it"

    screen.open(runs=",".join(ids))
    expect(rows).to_have_count(8)
    expect(lines).to_contain_text("8 runs, scroll for all")
    for end in (False, True):
        if end:
            lines.evaluate("e => e.scrollTo(0, e.scrollHeight)")
        frame, head = box(lines), box(lines.locator("thead tr"))
        seen = [
            found
            for found in map(box, rows.all())
            if found["bottom"] > frame["top"] + head["height"] + 1 and found["top"] < frame["bottom"] - 1
        ]
        assert len(seen) == 6
        assert seen[0]["top"] >= frame["top"] + head["height"] - 1
        assert seen[-1]["bottom"] <= frame["bottom"] + 1
