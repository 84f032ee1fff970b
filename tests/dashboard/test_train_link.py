"""The address of the Train page is the form: copied, it opens the same form in another browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.views.train.draft import read_values, widget_key
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import SETTINGS, config_of
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.pages import words
from tests.support.synthetic import MakeRun, config

PAGE = "views/train/page.py"
OpenPage = Callable[..., AppTest]


def opened(app: OpenPage, link: dict[str, str]) -> AppTest:
    """A fresh session in which this link is opened."""
    test = app(PAGE)
    return visited(test, link)


def visited(test: AppTest, link: dict[str, str]) -> AppTest:
    """The same session at another link, as the browser's buttons bring it."""
    for name in list(test.query_params):
        del test.query_params[name]
    for name, text in link.items():
        test.query_params[name] = text
    test.run()
    assert not test.exception
    return test


def link_of(test: AppTest) -> dict[str, str]:
    found = {name: test.query_params[name] for name in test.query_params if name != "runs"}
    return {name: text[0] if isinstance(text, list) else text for name, text in found.items()}


def form_of(test: AppTest) -> RunConfig:
    return config_of(read_values(lambda key: test.session_state[key]))


def text_on(test: AppTest) -> str:
    return words(test).replace("\\", "")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_set_in_the_form_is_the_same_in_a_fresh_session(app: OpenPage, runner: FakeRunner, name: str) -> None:
    first = app(PAGE)
    first.selectbox(key="train_source").set_value(f"preset:{name}").run()
    second = opened(app, link_of(first))
    assert form_of(second) == form_of(first) == PRESETS[name].config.replace(dataset__name="digits")
    assert second.selectbox(key="train_source").value == f"preset:{name}"
    assert link_of(first) == {"base": name, "dataset": "digits"}


CHANGES = {
    "train_epochs": strategies.sampled_from([1, 5, 12]),
    "train_optimizer": strategies.sampled_from(["adam", "sgd"]),
    "train_learning_rate": strategies.sampled_from([1e-4, 0.02]),
    "train_schedule": strategies.sampled_from(["step", "cosine", "plateau"]),
    "train_batch_size": strategies.sampled_from([32, 512]),
    "train_validation": strategies.sampled_from(["count", "fraction"]),
    "train_held_count": strategies.sampled_from([100, 300]),
    "train_early_stopping": strategies.just(True),
    "train_patience": strategies.sampled_from([3, 7]),
    "train_seed": strategies.integers(1, 10**6),
    "train_zoom": strategies.sampled_from([0.03, 0.2]),
    "train_layer_0_dropout": strategies.sampled_from([0.0, 0.45]),
    "train_layer_0_units": strategies.sampled_from([16, 200]),
    "train_layer_1_activation": strategies.sampled_from(["tanh", "gelu"]),
    "train_layer_1_l2": strategies.sampled_from([1e-4, 0.02]),
    "train_seeds": strategies.integers(2, 9),
    "train_name": strategies.sampled_from(["mine", "a&b=c #1 é"]),
}


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.fixed_dictionaries({}, optional=CHANGES))
def test_what_is_set_in_the_form_is_the_same_in_a_fresh_session(
    app: OpenPage, runner: FakeRunner, changes: dict[str, object]
) -> None:
    first = app(PAGE)
    for key, value in changes.items():
        first.session_state[key] = value
    first.run()
    second = opened(app, link_of(first))
    assert form_of(second) == form_of(first)
    for key in ("train_seeds", "train_name"):
        assert second.session_state[key] == first.session_state[key]
    assert link_of(second) == link_of(first)


def test_the_link_is_short_and_holds_only_what_was_changed(app: OpenPage, runner: FakeRunner) -> None:
    page = app(PAGE)
    page.select_slider(key="train_epochs").set_value(5).run()
    for layer in (0, 1):
        page.slider(key=f"train_layer_{layer}_dropout").set_value(0.5).run()
    assert link_of(page) == {"base": "notebook/model_1", "dataset": "digits", "dropout": "0.5", "epochs": "5"}
    page.menu_button(key="train_add").click("conv").run()
    assert link_of(page)["layers"] == "conv16-dense64d0.5-dense64d0.5"


def test_values_between_the_stops_of_a_slider_are_shown(app: OpenPage, runner: FakeRunner) -> None:
    page = opened(app, {"dropout": "0.33", "learning_rate": "0.0037", "units": "37", "epochs": "43"})
    assert page.slider(key="train_layer_1_dropout").value == 0.33
    assert page.select_slider(key="train_learning_rate").value == 0.0037
    assert page.select_slider(key="train_layer_0_units").value == 37
    assert page.select_slider(key="train_epochs").value == 43


def test_another_link_in_the_same_session_and_back_fill_the_form(
    app: OpenPage, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "STALE_S", 0.0)
    page = app(PAGE)
    before = link_of(page)
    page.select_slider(key="train_epochs").set_value(5).run()
    page.slider(key="train_layer_0_dropout").set_value(0.7).run()
    visited(page, before)
    assert form_of(page).training.epochs == 30
    assert page.slider(key="train_layer_0_dropout").value == 0.2


def test_a_link_that_the_form_has_just_left_does_not_undo_what_was_set(app: OpenPage, runner: FakeRunner) -> None:
    page = app(PAGE)
    before = link_of(page)
    page.select_slider(key="train_epochs").set_value(5).run()
    visited(page, before)  # sent by a browser that had not yet heard of the new one
    assert page.select_slider(key="train_epochs").value == 5
    assert link_of(page)["epochs"] == "5"


def test_what_cannot_be_used_is_told_in_one_sentence_until_something_is_set(app: OpenPage, runner: FakeRunner) -> None:
    page = opened(
        app,
        {"base": "no/model", "epochs": "-3", "layers": "dense64<b>", "seeds": "1e9", "colour": "red", "dropout": "0.5"},
    )
    [warning] = page.warning
    text = warning.value.replace("\\", "")
    for part in (
        "there is no published model no/model", "epochs=-3 must be from 1 to 500", "<b> in dense64<b> is no setting",
        "seeds=1e9 must be a whole number", "there is no setting colour",
    ):  # fmt: skip
        assert part in text
    assert form_of(page).training.epochs == 30
    assert page.slider(key="train_layer_0_dropout").value == 0.5  # what can be used is used
    assert link_of(page) == {"base": "notebook/model_1", "dataset": "digits", "dropout": "0.5"}
    page.select_slider(key="train_epochs").set_value(5).run()
    assert "Not used of the link" not in words(page)


def test_a_form_that_goes_on_from_a_run_opens_as_it_is(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun
) -> None:
    parent = make_run("small", config((48,), dropout=0.33))
    (parent.path / "model.keras").write_bytes(b"weights")
    page = app(PAGE)
    page.selectbox(key="train_source").set_value(f"run:{parent.id}").run()
    page.toggle(key="train_continue").set_value(True).run()
    page.select_slider(key="train_learning_rate").set_value(1e-4).run()
    link = link_of(page)
    assert link["run"] == link["parent"] == parent.id
    other = opened(app, link)
    assert form_of(other) == form_of(page) == parent.config.replace(parent=parent.id, training__learning_rate=1e-4)
    assert other.toggle(key="train_continue").value
    assert other.selectbox(key="train_source").value == f"run:{parent.id}"


def test_a_form_filled_from_a_run_opens_where_that_run_is_not(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun
) -> None:
    run = make_run("small", config((48,), dropout=0.33))
    page = app(PAGE)
    page.selectbox(key="train_source").set_value(f"run:{run.id}").run()
    link, wanted = link_of(page), form_of(page)
    store.delete(run.id)
    other = opened(app, link)
    assert form_of(other) == wanted
    assert f"the run {run.id} is not in this store" in text_on(other)


def test_a_run_alone_is_a_link_to_its_settings(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun
) -> None:
    run = make_run("small", config((48,), dropout=0.33))
    page = opened(app, {"run": run.id, "epochs": "9"})
    assert form_of(page) == run.config.replace(training__epochs=9)


def test_every_setting_has_a_widget_key_of_its_own() -> None:
    keys = [widget_key(path) for path in SETTINGS]
    assert len(set(keys)) == len(keys)
