"""The Sweeps page: start, watch, cancel, go on, and open runs in Compare. Trainings are tiny."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.sweeps import sweep_form
from dashboard.views.sweeps.results_table import with_words
from dashboard.views.sweeps.sweep_form import OWN, choice_words, example, values_of
from mnist_core.experiments.grids import axes, parse_spec
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.spaces import parse_search
from mnist_core.jobs import watch
from mnist_core.jobs.runners import LocalRunner
from mnist_core.plots.parallel import brush_name
from mnist_core.runs.store import Store
from mnist_core.runs.test_set_uses import seen
from mnist_core.studies import searches, sweeps
from tests.support.jobs import FakeRunner
from tests.support.pages import click, text_of, words

OpenPage = Callable[..., AppTest]
BASE = {
    "model": {"layers": [{"units": 8}]},
    "training": {"epochs": 1, "batch_size": 128, "validation": {"source": "held_out", "fraction": 0.2}},
}


@functools.cache
def trained() -> tempfile.TemporaryDirectory[str]:
    """The folder of a store in which the runs of these tests are trained, once each; to be copied, not to be used."""
    return tempfile.TemporaryDirectory()


def sweep(store: Store, **grid: list[Any]) -> sweeps.Sweep:
    """Return a finished sweep in `store`."""
    spec = parse_spec({"name": "widths", "base": BASE, "grid": grid or {"stack.units": [4, 8, 64]}})
    once = Store(Path(trained().name))
    for run_id in sweeps.start(once, LocalRunner(once), spec)[0].run_ids:
        if not (store.root / "runs" / run_id).exists():
            shutil.copytree(once.get(run_id).path, store.root / "runs" / run_id)
    return sweeps.start(store, LocalRunner(store), spec)[0]


def test_an_empty_store_says_what_a_sweep_is(app: OpenPage, runner: FakeRunner) -> None:
    page = app("views/sweeps/page.py")
    assert not page.exception
    assert "No sweep yet" in words(page)
    assert page.selectbox(key="sweep_what").value == "sweep:tuning/grid_90"
    assert "90 runs" in words(page)


def test_a_published_sweep_is_started_watched_and_cancelled(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    page = app("views/sweeps/page.py")
    page.selectbox(key="sweep_what").set_value("sweep:coursera/lambda").run()
    page.number_input(key="sweep_epochs").set_value(2).run()
    click(page, "Start")
    (found,) = sweeps.SHELF.all(store)[0]
    assert runner.submitted == found.run_ids
    assert len(found.run_ids) == 7
    assert {store.get(run_id).config.training.epochs for run_id in found.run_ids} == {2}
    assert page.selectbox(key="sweep_picker").value == f"sweep-{found.id}"
    assert "7 runs: 7 waiting." in words(page)
    click(page, "Cancel")
    assert found.progress(store).states == {"cancelled": 7}
    click(page, "Go on")
    assert len(runner.submitted) == 14
    assert found.progress(store).live


def test_a_grid_of_ones_own_is_started(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    page = app("views/sweeps/page.py")
    page.selectbox(key="sweep_what").set_value(OWN).run()
    page.text_input(key="sweep_values_1_training.learning_rate").set_value("0.1, 0.01").run()
    page.selectbox(key="sweep_field_2").set_value("stack.depth").run()
    click(page, "Start")
    (found,) = sweeps.SHELF.all(store)[0]
    assert found.axes == ["training.learning_rate", "stack.depth"]
    assert len(found.run_ids) == 2 * 3


def test_the_time_is_told_before_the_start_without_what_is_trained_already(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    page = app("views/sweeps/page.py")
    assert "no run on such a processor yet" in "".join(item.value for item in page.caption)
    done = sweep(store)
    page.selectbox(key="sweep_what").set_value("sweep:coursera/neurons").run()
    page_text = "".join(item.value for item in page.caption)
    assert re.search(r"For all: (at most )?≈ .+, with 2 at once\.", page_text)
    assert sweep_form._cost([store.get(run_id).config for run_id in done.run_ids[:2]]) == " All 2 are trained already."


def test_what_cannot_be_swept_is_said_in_words(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    page = app("views/sweeps/page.py")
    page.selectbox(key="sweep_what").set_value(OWN).run()
    page.text_input(key="sweep_values_1_training.learning_rate").set_value("0.1, 100").run()
    assert not page.exception
    assert "less than or equal to 10" in words(page)
    assert "Start" not in [button.label for button in page.button]


def test_runs_whose_service_was_stopped_are_told_and_go_on_with_a_click(
    app: OpenPage, store: Store, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECK_S", 0.0)
    monkeypatch.setattr(watch, "CONFIRM_S", 0.0)
    spec = parse_spec({"name": "widths", "base": BASE, "grid": {"stack.units": [4, 8, 64]}})
    sweeps.start(store, runner, spec)
    runner.submitted.clear()
    runner.absence = "stopped"
    page = app("views/sweeps/page.py")
    for _ in range(50):
        if "was stopped" in words(page):
            break
        page.run()
    assert "The training service was stopped, and 3 runs are unfinished" in words(page)
    assert runner.submitted == [], "nobody starts again what a person has stopped"
    click(page, "Go on")
    assert len(runner.submitted) == 3


def test_results_are_shown_and_held_out_choices_are_not_called_optimistic(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    found = sweep(store)
    page = app("views/sweeps/page.py")
    assert not page.exception
    page_text = words(page)
    assert "3 runs: 3 finished." in page_text
    assert "Lowest validation loss: **first width" in page_text
    assert "chosen on held-out images" in page_text
    assert "Optimistic" not in page_text
    (shown,) = [frame.value for frame in page.dataframe if {"state", "best"} <= set(frame.value)]
    assert sorted(shown["first width"]) == [4, 8, 64]
    assert list(shown["best"]) == ["★", "", ""]
    assert list(shown["val_loss"]) == sorted(shown["val_loss"])
    assert list(shown)[:3] == ["best", "first width", "val_loss"]
    assert page.query_params["sweep"] in (f"sweep-{found.id}", [f"sweep-{found.id}"])


def test_a_sweep_validated_on_the_test_set_is_optimistic(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    spec = parse_spec(
        {
            "name": "seeds",
            "base": {"model": BASE["model"], "training": {"epochs": 1}},
            "grid": {"training.seed": [0, 1]},
        }
    )
    sweeps.start(store, LocalRunner(store), spec)
    page = app("views/sweeps/page.py")
    assert "**Optimistic.**" in words(page)


def test_several_settings_have_a_heatmap_and_parallel_lines(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    sweep(store, **{"stack.units": [4, 8], "stack.depth": [1, 2], "training.learning_rate": [0.01, 0.001]})
    page = app("views/sweeps/page.py")
    assert not page.exception
    page_text = words(page)
    assert "Validation error by first width and learning rate" in page_text
    assert "All settings at once" in page_text
    page.selectbox(key="sweep_axis").set_value("training.learning_rate").run()
    assert "Error rate by learning rate" in words(page)


def test_a_click_opens_the_runs_in_compare(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    found = sweep(store)
    page = app("views/sweeps/page.py")
    runs = ",".join(found.run_ids[:2])
    page.session_state["sweep_lines_0"] = {"selection": {"pick": [{"runs": runs}]}}
    page.run()
    assert not page.exception
    assert page.title[0].value == "Compare"
    assert page.multiselect(key="run_picker").value == found.run_ids[:2]


def test_a_click_opens_more_runs_than_there_are_colours(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    found = sweep(store, **GRID)
    page = app("views/sweeps/page.py")
    page.session_state["sweep_lines_0"] = {"selection": {"pick": [{"runs": ",".join(found.run_ids)}]}}
    page.run()
    assert page.multiselect(key="run_picker").value == found.run_ids
    assert len(found.run_ids) == 8


GRID = {"stack.units": [4, 8], "stack.depth": [1, 2], "training.learning_rate": [0.01, 0.001]}


def drag(page: AppTest, number: int, position: list[float], axis: str) -> None:
    """Drag in the chart of all settings, which has been drawn anew `number` times."""
    brushes: dict[str, object] = {brush_name(place): {} for place in range(len(GRID) + 1)}
    brushes[brush_name(list(GRID).index(axis))] = {"position": position}
    page.session_state[f"sweep_parallel_{number}"] = {"selection": {**brushes, "pick": []}}
    page.run()
    assert not page.exception


def test_a_drag_along_an_axis_filters_the_table_and_a_second_one_further_until_they_are_taken_back(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    sweep(store, **GRID)
    page = app("views/sweeps/page.py")
    assert len(shown_results(page)) == 8
    drag(page, 0, [0.6, 1.02], "stack.units")
    assert list(shown_results(page)["first width"]) == [8] * 4
    assert "4 of 8 runs" in words(page)
    drag(page, 1, [-0.02, 0.3], "training.learning_rate")
    table = shown_results(page)
    assert list(table["learning rate"]) == [0.001] * 2
    assert set(table["layers"]) == {1, 2}
    click(page, "first width: 8")
    assert len(shown_results(page)) == 4
    click(page, r"learning rate: 0\.001")
    assert len(shown_results(page)) == 8
    assert "All runs" in words(page)


def test_a_brush_stays_with_the_sweep_that_it_was_made_in(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    first = sweep(store, **GRID)
    sweep(store, **{**GRID, "stack.units": [4, 16]})
    page = app("views/sweeps/page.py")
    drag(page, 0, [0.6, 1.0], "stack.units")
    assert len(shown_results(page)) == 4
    page.selectbox(key="sweep_picker").set_value(f"sweep-{first.id}").run()
    assert len(shown_results(page)) == 8


def test_a_click_without_a_drag_filters_nothing(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    sweep(store, **GRID)
    page = app("views/sweeps/page.py")
    drag(page, 0, [0.5, 0.5], "stack.units")
    assert len(shown_results(page)) == 8


def test_a_setting_may_be_called_as_a_column_of_results(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    sweep(store, **{"training.epochs": [1, 2]})
    page = app("views/sweeps/page.py")
    assert not page.exception
    assert sorted(shown_results(page)["epochs"]) == [1, 2]


def test_without_a_link_the_page_opens_on_the_newest_own_sweep_and_else_on_the_one_that_is_easiest_to_read(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    shipped = Path(__file__).resolve().parents[2] / "artifacts" / "reference" / "sweeps"
    shutil.copytree(shipped, store.root / "reference" / "sweeps")
    page = app("views/sweeps/page.py")
    assert not page.exception
    neurons = next(item for item in sweeps.SHELF.all(store)[0] if item.name == "coursera/neurons")
    assert page.selectbox(key="sweep_picker").value == f"sweep-{neurons.id}"
    own = sweep(store)
    assert app("views/sweeps/page.py").selectbox(key="sweep_picker").value == f"sweep-{own.id}"


def test_a_search_is_shown_with_its_winner_alone_tested(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    spec = parse_search(
        {
            "name": "a search", "base": BASE, "trials": 5, "sampler": "random",
            "space": {"stack.units": {"low": 4, "high": 64}, "stack.activation": ["relu", "tanh"]},
        }
    )  # fmt: skip
    done = searches.run(store, LocalRunner(store), searches.add(store, spec).id)
    page = app("views/sweeps/page.py")
    assert not page.exception
    page_text = words(page)
    assert "5 of 5 trials started: 5 finished." in page_text
    assert "of the test images right" in page_text
    assert "Tested once" not in page_text
    assert "Which settings matter" in page_text
    assert "Each setting by itself" in page_text
    assert "Two settings at once" in page_text
    assert "nothing is interpolated" in page_text
    assert "All settings at once" in page_text
    (shown,) = [frame.value for frame in page.dataframe if {"trial", "best", "test_error"} <= set(frame.value)]
    assert shown["test_error"].notna().sum() == 1
    assert done.winner is not None
    assert list(shown[shown["best"] == "★"]["trial"]) == [done.winner.count]
    assert shown["best"].iloc[0] == "★"
    assert f"Trial {done.winner.count} of 5" in page_text


def test_a_table_of_results_has_choices_in_words_in_their_order_and_numbers_as_numbers() -> None:
    ordered = pd.Categorical(["sgd", "adam"], ["adam", "sgd"], ordered=True)
    table = pd.DataFrame({"x": ordered, "name": ["rmsprop", None], "rate": [2e-5, 0.1]})
    found = with_words(
        table, {"x": "training.optimizer", "name": "training.optimizer", "rate": "training.learning_rate"}
    )
    assert (list(found["x"].cat.categories), list(found["x"])) == (["Adam", "SGD"], ["SGD", "Adam"])
    assert found["name"].iloc[0] == "RMSprop"
    assert found["name"].isna().iloc[1]
    assert list(found["rate"]) == [2e-5, 0.1]


def test_a_search_is_started_in_a_process_of_its_own(
    app: OpenPage, store: Store, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(searches, "spawn", lambda store, search_id: started.append(search_id))
    page = app("views/sweeps/page.py")
    page.selectbox(key="sweep_what").set_value("search:tuning/bayes_cnn").run()
    assert "20 trials" in words(page)
    assert "17 % of the training images are held out" in words(page)
    page.selectbox(key="sweep_what").set_value("search:tuning/hyperband_mlp").run()
    assert "49 trials" in words(page)
    assert "17 % of the training images are held out" in words(page)
    click(page, "Start")
    (found,) = searches.SHELF.all(store)[0]
    assert started == [found.id]
    assert "0 of 49 trials started" in words(page)
    click(page, "Go on")
    assert started == [found.id, found.id]


def test_typed_values_become_numbers_and_words() -> None:
    assert values_of(" 0.1,2, relu ,, 0.1") == [0.1, 2, "relu"]


@pytest.mark.parametrize("name", ["notebook/model_1", "coursera/cnn", "tuning/cnn"])
def test_every_axis_has_words_and_examples_that_can_be_trained(name: str) -> None:
    found = axes(PRESETS[name].config)
    assert {"training.learning_rate", "training.seed", "stack.depth"} <= set(found)
    for path, setting in found.items():
        assert "_" not in choice_words(path, setting)
        parse_spec({"name": "example", "base": name, "grid": {path: values_of(example(setting))}})


def test_an_axis_over_all_layers_is_offered_only_where_all_layers_have_it() -> None:
    assert "model.layers.*.units" in axes(PRESETS["notebook/model_1"].config)
    assert "model.layers.*.units" not in axes(PRESETS["coursera/cnn"].config)


def test_the_link_of_a_grid_opens_the_same_form_elsewhere(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    page = app("views/sweeps/page.py")
    page.selectbox(key="sweep_what").set_value(OWN).run()
    page.selectbox(key="sweep_base").set_value("readme/model_1").run()
    page.text_input(key="sweep_values_1_training.learning_rate").set_value("0.1, 0.01").run()
    page.selectbox(key="sweep_field_2").set_value("model.layers.*.dropout").run()
    page.number_input(key="sweep_epochs").set_value(3).run()
    link = {name: page.query_params[name] for name in page.query_params}
    link = {name: value[0] if isinstance(value, list) else value for name, value in link.items()}
    assert link == {
        "what": "own", "base": "readme/model_1", "vary": "learning_rate", "values": "0.1, 0.01", "vary2": "dropout",
        "epochs": "3", "dataset": "digits",
    }  # fmt: skip
    other = app("views/sweeps/page.py")
    for name, text in link.items():
        other.query_params[name] = text
    other.run()
    assert not other.exception
    assert other.selectbox(key="sweep_base").value == "readme/model_1"
    assert other.text_input(key="sweep_values_1_training.learning_rate").value == "0.1, 0.01"
    assert other.selectbox(key="sweep_field_2").value == "model.layers.*.dropout"
    assert other.number_input(key="sweep_epochs").value == 3


def test_what_a_link_asks_for_in_vain_is_told_in_a_sentence(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    page = app("views/sweeps/page.py")
    for name, text in {"what": "own", "vary": "<b>no</b>", "epochs": "-1", "dataset": "../etc"}.items():
        page.query_params[name] = text
    page.run()
    assert not page.exception
    assert page.selectbox(key="sweep_field_1").value == "training.learning_rate"
    page_text = words(page)
    assert "Not used of the link" in page_text
    assert "epochs=-1 must be a whole number from 1 to 500" in page_text.replace("\\", "")


def test_a_damaged_sweep_is_reported(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    (store.root / "sweeps").mkdir()
    (store.root / "sweeps" / "0123456789ab.json").write_text("{")
    page = app("views/sweeps/page.py")
    assert not page.exception
    assert "the sweep 0123456789ab is damaged: 0123456789ab.json" in words(page).replace("\\", "")


def shown_results(page: AppTest) -> Any:
    (table,) = [frame.value for frame in page.dataframe if {"best", "test_error"} <= set(frame.value)]
    return table


def test_test_results_of_runs_that_were_not_chosen_are_hidden_until_asked_for_which_is_counted(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    found = sweep(store)
    fingerprint = store.get(found.run_ids[0]).status.fingerprint
    page = app("views/sweeps/page.py", runs=found.run_ids[0])  # Compare, which opens first, shows no pair then
    table = shown_results(page)
    assert list(table["best"][table["test_error"].notna()]) == ["★"]
    assert "chosen among 3 by validation loss" in text_of(page).lower()
    assert "It leads the next best by" in text_of(page)
    assert "No look at the test results of the others is on record in this store." in text_of(page)
    assert seen(store.root, fingerprint).reveals == 0
    for _ in range(2):
        page.toggle(key=f"reveal_{found.id}").set_value(True).run()
        assert not page.exception
        assert shown_results(page)["test_error"].notna().all()
        assert "The test results of 2 of the others have been looked at in this store." in text_of(page)
        page.toggle(key=f"reveal_{found.id}").set_value(False).run()
        assert shown_results(page)["test_error"].notna().sum() == 1
    assert seen(store.root, fingerprint).reveals == 1


def test_a_sweep_validated_on_the_test_images_has_nothing_to_hide_and_is_counted(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    base = {"model": BASE["model"], "training": {"epochs": 1}, "dataset": {"name": "digits"}}
    spec = parse_spec({"name": "seeds", "base": base, "grid": {"training.seed": [0, 1]}})
    found = sweeps.start(store, LocalRunner(store), spec)[0]
    page = app("views/sweeps/page.py")
    assert not page.exception
    assert shown_results(page)["test_error"].notna().all()
    assert f"reveal_{found.id}" not in [toggle.key for toggle in page.toggle]
    assert "by results on the test images" in words(page)
    assert seen(store.root, store.get(found.run_ids[0]).status.fingerprint).reveals == 1
