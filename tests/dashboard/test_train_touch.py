"""The Train page while a run is touched: pause, one more epoch, other settings, slow motion; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.experiments.presets import PRESETS
from mnist_core.runs.records import Origin, Pause
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.training import checkpoints
from tests.support.jobs import FakeRunner
from tests.support.pages import click, words
from tests.support.synthetic import epoch_row

MODEL_1 = PRESETS["notebook/model_1"].config.replace(dataset__name="digits")
TRAIN = "views/train/page.py"
OpenPage = Callable[..., AppTest]


@pytest.fixture
def run(store: Store) -> Callable[..., Run]:
    """A synthetic run on the real digits, which is running or has been paused after three epochs."""

    def make(state: str = "paused", *, name: str = "mine", seed: int = 0, origin: Origin | None = None) -> Run:
        config = MODEL_1.replace(training__seed=seed)
        run, _ = store.add(config, name=name, origin=origin)
        writer = store.open_writer(run.id)
        assert writer is not None
        rows = [epoch_row(epoch) for epoch in (1, 2, 3)]
        writer.started(rows)
        identity = checkpoints.identity(config, run.status.fingerprint)
        checkpoints.save(run.checkpoint_file, identity, checkpoints.State([], [], 3, rows))
        if state != "running":
            writer.ended("paused", "paused after epoch 3 of 30", best_epoch=3, kept_epoch=3)
        return store.get(run.id)

    return make


def buttons(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def bars(page: AppTest) -> list[str]:
    return [str(bar.proto.text) for bar in page.get("progress")]


def test_a_run_in_training_is_paused_after_its_epoch(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run]
) -> None:
    one = run("running")
    page = click(app(TRAIN), "Pause")
    assert one.pause() == Pause(epoch=4)
    assert bars(page) == ["epoch 4 of 30, then it is paused"]
    assert "Pause" not in buttons(page)


def test_a_paused_run_keeps_its_card_and_goes_on(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run], store: Store
) -> None:
    one = run()
    page = app(TRAIN)
    assert bars(page) == ["paused after epoch 3 of 30"]
    assert {"Go on", "One more epoch", "Cancel"} <= set(buttons(page))
    click(page, "Go on")
    assert (store.get(one.id).state, store.get(one.id).pause(), runner.submitted) == ("queued", None, [one.id])


def test_one_more_epoch_pauses_it_again(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run], store: Store
) -> None:
    one = run()
    click(app(TRAIN), "One more epoch")
    assert (store.get(one.id).state, store.get(one.id).pause()) == ("queued", Pause(epoch=4))


def test_the_button_says_what_is_changed_and_a_new_run_takes_the_place_of_the_paused_one(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run], store: Store
) -> None:
    other = run(name="other", seed=1)
    one = run()
    page = app(TRAIN, runs=[f"{other.id},{one.id}"])
    page.slider(key=f"live_dropout_{one.id}").set_value(0.5).run()
    assert "marked as changed by hand" in words(page)
    page.select_slider(key=f"live_rate_{one.id}").set_value(0.01).run()
    page = click(page, "Go on with dropout 0.5 and learning rate 0.01")
    (new,) = [item for item in store.runs() if item.id not in (one.id, other.id)]
    assert (new.parent, new.changed_at, new.state, new.epochs_done) == (one.id, 3, "queued", 3)
    assert [layer.dropout for layer in new.config.model.layers] == [0.5, 0.5]
    assert new.config.training.learning_rate == 0.01
    assert runner.submitted == [new.id]
    assert store.get(one.id).state == "paused"
    assert page.multiselect(key="run_picker").value == [other.id, new.id]
    assert "was changed by hand while it was trained" in words(page)


def test_a_paused_run_that_is_not_chosen_leaves_the_room_to_the_one_in_training(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run]
) -> None:
    """As after it has gone on as a changed run: its sliders would push the curves off the screen."""
    run()
    other = run("running", name="other", seed=1)
    page = app(TRAIN, runs=other.id)
    assert len(bars(page)) == 1
    assert "One more epoch" not in buttons(page)


def test_a_slider_that_is_back_where_it_was_changes_nothing(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run]
) -> None:
    one = run()
    page = app(TRAIN)
    page.slider(key=f"live_dropout_{one.id}").set_value(0.5).run()
    page.slider(key=f"live_dropout_{one.id}").set_value(0.2).run()
    assert "Go on" in buttons(page)


def test_what_cannot_be_done_is_said_and_the_run_stays(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run], store: Store
) -> None:
    one = run()
    one.checkpoint_file.unlink()
    page = app(TRAIN)
    page.slider(key=f"live_dropout_{one.id}").set_value(0.5).run()
    page = click(page, "Go on with dropout 0.5")
    assert "The checkpoint of run mine is missing or damaged" in words(page)
    assert [item.id for item in store.runs()] == [one.id]


def test_a_paused_run_can_be_given_up(app: OpenPage, runner: FakeRunner, run: Callable[..., Run], store: Store) -> None:
    one = run()
    click(app(TRAIN), "Cancel")
    assert store.get(one.id).state == "cancelled"


def test_a_run_that_a_search_has_paused_is_not_for_touching(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run]
) -> None:
    run(origin=Origin(kind="search", id="0123456789ab"))
    assert "One more epoch" not in buttons(app(TRAIN))


def test_slow_motion_is_for_the_next_training_and_for_the_one_under_way(
    app: OpenPage, runner: FakeRunner, run: Callable[..., Run], store: Store
) -> None:
    one = run("running", seed=1)
    page = app(TRAIN)
    page.toggle(key=f"live_slow_{one.id}").set_value(True).run()
    assert one.slow_motion() == 1.0
    page.toggle(key=f"live_slow_{one.id}").set_value(False).run()
    assert one.slow_motion() == 0.0
    page.toggle(key="train_slow").set_value(True).run()
    click(page, "Train")
    (new,) = [item for item in store.runs() if item.id != one.id]
    assert new.slow_motion() == 1.0
