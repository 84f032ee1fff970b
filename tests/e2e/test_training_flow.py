"""The main job in a real browser: train, watch the curve grow, cancel, reload, resume, compare."""

from __future__ import annotations

import os
import re
import signal
import time

import psutil
import pytest
from playwright.sync_api import Locator, expect

from mnist_core.data.datasets import find_mnist
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from tests.support.browser import Screen
from tests.support.seed import LARGE, SMALL
from tests.support.waiting import until

pytestmark = pytest.mark.browser
WARM_UP = True

LONG_MS = 60_000


MOST_MOVED_PX = 8
PLACES = {
    "dropout": ".st-key-train_dropout_all",
    "epochs": ".st-key-train_epochs",
    "button": ".st-key-train_go",
    "layers": ".st-key-train_layer_0_units",
    "jobs and result": ".st-key-live_jobs",
    "curves": "[data-testid=stVegaLiteChart]",
}
LOOK_AGAIN_AND_AGAIN = """(places) => {
  const page = document.querySelector('[data-testid=stMain]');
  window.tops = Object.fromEntries(Object.keys(places).map((name) => [name, []]));
  clearInterval(window.looks);
  window.looks = setInterval(() => {
    for (const [name, selector] of Object.entries(places)) {
      const found = document.querySelector(selector);
      if (found) window.tops[name].push(found.getBoundingClientRect().top + page.scrollTop);
    }
  }, 50);
}"""


def moved_px(screen: Screen) -> dict[str, float]:
    """How far the tops of `PLACES` have moved on the page since just before Train was pressed."""
    tops = screen.page.evaluate("window.tops")
    assert all(len(values) > 1 for values in tops.values())
    return {name: max(values) - min(values) for name, values in tops.items()}


def start_by_keyboard(screen: Screen, name: str, epochs: str, *, slow: bool = False) -> Run:
    """Set the form by keyboard and press Train; the run that came of it.

    `epochs` is the key that sets the slider of the epochs: Home for one, End for as many as there can be.
    """
    screen.open("train")
    expect(screen.page.get_by_text(re.compile(r"\d+ workers? ready"))).to_be_visible(timeout=LONG_MS)
    digits = screen.page.get_by_role("radio", name="digits")
    if not digits.is_checked():  # where MNIST is on the machine, the page begins with it
        screen.page.get_by_text("digits", exact=True).first.click()
        expect(digits).to_be_checked()
        screen.page.wait_for_timeout(600)
    screen.key("train_epochs").get_by_role("slider").focus()
    screen.page.keyboard.press(epochs)
    screen.page.wait_for_timeout(600)  # the form answers in a fragment of its own
    box = screen.key("train_name").locator("input")
    box.fill(name)
    box.press("Tab")
    screen.page.wait_for_timeout(600)
    return press_train(screen, name, slow=slow)


def start_by_link(screen: Screen, name: str, epochs: int) -> Run:
    """Open the form with a small net in it and press Train; the run that came of it, in slow motion.

    Each test has epochs of its own, as the same configuration would be the same run.
    """
    form = {"base": "notebook/model_1", "dataset": "digits", "layers": "dense8d0.2", "epochs": epochs, "name": name}
    screen.open("train", **form)
    return press_train(screen, name, slow=True)


def press_train(screen: Screen, name: str, *, slow: bool) -> Run:
    """Press Train; the run of this name. In slow motion no test need hurry, and a training hardly takes a processor."""
    if slow:
        screen.key("train_slow").locator("label").click()
        screen.page.wait_for_timeout(600)  # the form answers in a fragment of its own
    expect(chart(screen, 0)).to_be_visible()
    screen.page.evaluate(LOOK_AGAIN_AND_AGAIN, PLACES)
    screen.key("train_go").get_by_role("button").click()
    return expect_run(screen, name)


def chart(screen: Screen, number: int) -> Locator:
    """The drawing of a chart on the page, counted from 0."""
    return screen.page.get_by_test_id("stVegaLiteChart").nth(number).locator("canvas, svg.marks").first


def expect_run(screen: Screen, name: str, state: str | None = None) -> Run:
    """Wait until a run of this name is in the store, in this state."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [run for run in screen.server.store.runs() if run.name == name]
        if found and (state is None or found[0].state == state):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no run {name} became {state}: {[(r.name, r.state) for r in screen.server.store.runs()]}")


def expect_epochs(screen: Screen, run: Run, more_than: int) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = screen.server.store.get(run.id).epochs_done
        if done > more_than:
            return done
        time.sleep(0.05)
    raise AssertionError(f"still {more_than} epochs or fewer")


def test_train_watch_cancel_reload_and_resume(screen: Screen) -> None:
    run = start_by_keyboard(screen, "by hand", "End", slow=True)
    progress = screen.page.get_by_text(re.compile(r"epoch \d+ of \d+"))
    expect(progress.first).to_be_visible()

    # the curve grows while it trains
    expect(chart(screen, 0)).to_be_visible()
    before = progress.first.inner_text()
    expect(progress.first).not_to_have_text(before, timeout=5_000)

    # a reload finds the same job
    screen.page.reload()
    expect(progress.first).to_be_visible()
    expect(screen.key(f"live_cancel_{run.id}").get_by_role("button")).to_be_visible()

    # cancelling keeps what was reached
    screen.key(f"live_cancel_{run.id}").get_by_role("button").click()
    cancelled = expect_run(screen, "by hand", "cancelled")
    reached = cancelled.epochs_done
    assert 0 < reached < run.config.training.epochs
    expect(screen.page.get_by_text("cancelled").first).to_be_visible()
    screen.page.wait_for_timeout(1_000)
    assert screen.server.store.get(run.id).epochs_done == reached

    # resuming goes on from there
    resume = screen.page.get_by_role("button", name="Resume").first
    resume.click()
    assert expect_epochs(screen, run, reached) > reached
    epochs = [row.epoch for row in screen.server.store.get(run.id).rows()]
    assert epochs == list(range(1, len(epochs) + 1))
    screen.key(f"live_cancel_{run.id}").get_by_role("button").click()
    expect_run(screen, "by hand", "cancelled")
    screen.expect_no_exception()


def test_a_short_training_ends_and_stays_in_view(screen: Screen) -> None:
    run = start_by_keyboard(screen, "short", "Home")
    expect_run(screen, "short", "finished")
    expect(screen.page.get_by_text(re.compile(r"finished, 1 epoch, test accuracy"))).to_be_visible()
    until(lambda: run.id in screen.query()["runs"])
    # polling has stopped: the page comes to rest
    screen.settled()
    expect(screen.key("train_go")).to_contain_text("Show it")
    assert max(moved_px(screen).values()) <= MOST_MOVED_PX, moved_px(screen)
    expect(screen.key("short_result")).not_to_be_visible()  # the card is on the screen
    screen.open("", runs=run.id)
    expect(screen.page.get_by_text("short").first).to_be_visible()
    screen.expect_no_exception()


def test_a_training_whose_worker_is_killed_goes_on_by_itself(screen: Screen) -> None:
    run = start_by_link(screen, "killed", 31)
    expect_epochs(screen, run, 1)
    pid = lease.holder_pid(run.path)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    before = screen.server.store.get(run.id).epochs_done
    expect_epochs(screen, run, before)
    assert lease.attempts(run.path) >= 2
    expect(screen.page.get_by_text(re.compile(r"epoch \d+ of \d+")).first).to_be_visible()
    screen.key(f"live_cancel_{run.id}").get_by_role("button").click()
    expect_run(screen, "killed", "cancelled")
    screen.expect_no_exception()


def test_a_training_whose_service_is_killed_is_told_and_goes_on_by_itself(screen: Screen) -> None:
    run = start_by_link(screen, "orphan", 32)
    expect_epochs(screen, run, 1)
    for process in psutil.process_iter(["cmdline"]):
        if str(screen.server.store.root) in (process.info["cmdline"] or []):
            for child in [*process.children(recursive=True), process]:
                child.kill()
    reached = screen.server.store.get(run.id).epochs_done
    expect(screen.page.get_by_text("The training service has ended unexpectedly")).to_be_visible()
    expect_epochs(screen, run, reached)
    assert lease.attempts(run.path) == 2
    expect(screen.page.get_by_text(re.compile(r"epoch \d+ of \d+")).first).to_be_visible()
    screen.key(f"live_cancel_{run.id}").get_by_role("button").click()
    expect_run(screen, "orphan", "cancelled")
    screen.expect_no_exception()


def test_two_runs_are_compared_and_the_view_is_a_link(screen: Screen) -> None:
    small, large = (screen.server.store.find(name) for name in (SMALL, LARGE))
    screen.open("", runs=f"{small.id},{large.id}")
    expect(screen.page.get_by_text(re.compile(rf"{LARGE}|{SMALL}")).first).to_be_visible()
    for run in (small, large):
        expect(screen.page.get_by_text(f"{run.config.model.parameter_count():,}").first).to_be_visible()
    for number in (0, 1):
        expect(chart(screen, number)).to_be_visible()
    screen.page.get_by_text("seconds", exact=True).click()
    screen.expect_query(across="seconds")
    link = screen.page.url
    screen.page.goto("about:blank")
    screen.page.goto(link)
    screen.settled()
    assert screen.query()["across"] == "seconds"
    assert screen.query()["runs"].split(",") == [small.id, large.id]
    screen.expect_no_exception()


def test_rubbish_in_the_address_is_survived(screen: Screen) -> None:
    for page in ("", "train", "mistakes", "disagreements", "models", "loss-or-accuracy", "production"):
        screen.page.goto(
            f"{screen.server.url}/{page}?runs=../..,zzz&true=77&guess=x&page=-3&smoothing=9&across=q&digit=1e9"
        )
        expect(screen.page.get_by_role("heading", level=1)).to_be_visible()
        screen.expect_no_exception()


def test_the_address_of_the_form_opens_it_elsewhere_and_the_back_button_undoes_a_change(screen: Screen) -> None:
    screen.open("train", dataset="digits")
    screen.expect_query(base="notebook/model_1")

    def unfold(shown: Screen) -> None:
        shown.key("train_dropout_each").get_by_text("Dropout, layer by layer").click()

    def pressed(key: str, *presses: str) -> None:
        screen.key(key).get_by_role("slider").focus()
        for press in presses:  # faster than the page answers
            screen.page.keyboard.press(press)

    pressed("train_epochs", "Home", "ArrowRight", "ArrowRight")
    screen.expect_query(epochs="3")
    unfold(screen)
    pressed("train_layer_1_dropout", "ArrowRight", "ArrowRight")
    screen.expect_query(epochs="3", layers="dense64d0.2-dense64d0.3")
    address = screen.page.url

    screen.page.wait_for_timeout(2_500)  # an address that the form has just left may still be on its way
    screen.page.go_back()
    expect(screen.key("train_layer_1_dropout")).not_to_contain_text("0.30")
    expect(screen.key("train_epochs")).to_contain_text("3")

    context = screen.page.context.browser.new_context()
    other = Screen(context.new_page(), screen.server)
    other.page.goto(address)
    unfold(other)
    expect(other.key("train_layer_1_dropout")).to_contain_text("0.30")
    expect(other.key("train_epochs")).to_contain_text("3")
    context.close()
    screen.expect_no_exception()


def test_on_train_the_button_is_on_the_first_screen_and_the_first_click_trains(screen: Screen) -> None:
    """model_1 ships trained, so that a click on the untouched form used to train nothing, out of sight."""
    screen.page.set_viewport_size({"width": 1280, "height": 800})
    screen.open("train")
    button = screen.key("train_go").get_by_role("button")
    expect(button).to_have_text(re.compile("Train"))
    box = button.bounding_box()
    assert box is not None
    below = 39 if find_mnist() else 0  # where MNIST is not on the machine, a line says so above the button
    assert box["y"] + box["height"] <= 800 - below
    slider = screen.key("train_dropout_all").bounding_box()
    column = screen.key("train_epochs").bounding_box()
    assert slider is not None
    assert column is not None
    assert slider["width"] == column["width"]  # as wide as the column
    assert screen.page.locator("img.network-picture").bounding_box()["height"] > 120


def test_on_a_phone_the_progress_and_then_the_result_are_at_the_bottom_of_the_screen(screen: Screen) -> None:
    screen.page.set_viewport_size({"width": 390, "height": 844})
    run = start_by_link(screen, "on a phone", 33)
    progress = screen.key("live_now")
    expect(progress.get_by_text(re.compile(r"epoch \d+ of"))).to_be_visible(timeout=LONG_MS)
    expect(progress.get_by_test_id("stProgress")).to_be_visible()  # the text arrives before the bar does
    expect_at_the_bottom(progress)
    screen.server.store.set_slow_motion(run.id, 0.0)
    expect_run(screen, "on a phone", "finished")
    result = screen.key("short_result")
    expect(result.get_by_text(re.compile(r"\d % right, .+ points against "))).to_be_visible()
    expect(result.get_by_role("link", name="Compare")).to_be_visible()
    expect(screen.key("train_go")).to_contain_text("Show it")
    expect_at_the_bottom(result)
    assert max(moved_px(screen).values()) <= MOST_MOVED_PX, moved_px(screen)
    result.get_by_role("button", name="Close").click()
    expect(result).to_have_count(0)
    screen.expect_no_exception()


def expect_at_the_bottom(part: Locator) -> None:
    """The part is wholly on a phone's screen, at its lower edge."""
    box = part.bounding_box()
    assert box is not None
    assert box["y"] >= 844 / 2
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert 844 - 5 <= box["y"] + box["height"] <= 844 + 1


def test_pause_change_dropout_and_go_on(screen: Screen) -> None:
    run = start_by_link(screen, "touched", 30)
    assert run.slow_motion()
    screen.key(f"live_pause_{run.id}").get_by_role("button").click()
    paused = expect_run(screen, "touched", "paused")
    reached = paused.epochs_done
    expect(screen.page.get_by_text(f"paused after epoch {reached} of")).to_be_visible()

    # nobody trains it, and a reload finds it as it was
    assert not lease.held(paused.path)
    screen.page.reload()
    slider = screen.key(f"live_dropout_{run.id}").get_by_role("slider")
    expect(slider).to_be_visible()
    for width in (390, 1280):  # all of its buttons are there without scrolling in their place
        screen.page.set_viewport_size({"width": width, "height": 800})
        expect(screen.key(f"live_cancel_{run.id}").get_by_role("button")).to_be_visible()
        assert screen.key("live_jobs").evaluate("place => place.scrollHeight - place.clientHeight") <= 1
    slider.focus()
    screen.page.keyboard.press("End")
    screen.page.get_by_role("button", name="One more epoch").click()

    changed = expect_run(screen, f"touched, dropout 0.2 → 0.9 after epoch {reached}", "paused")
    assert (changed.parent, changed.changed_at, changed.epochs_done) == (run.id, reached, reached + 1)
    expect(screen.page.get_by_text(f"paused after epoch {reached + 1} of")).to_be_visible()
    expect(screen.page.get_by_text("was changed by hand while it was trained").first).to_be_visible()
    assert screen.server.store.get(run.id).state == "paused"
