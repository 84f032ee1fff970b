"""Presenter mode: one thing at a time, in the link; freeze; and a fresh start that deletes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard.shared import presenter
from dashboard.shared.charts import ENLARGED, Drawing, enlarged
from dashboard.views.compare.scenes import SCENES
from mnist_core.plots.learning_curves import Curve, curve_frame, curves_chart
from mnist_core.runs.store import Store
from tests.support.pages import text_of
from tests.support.synthetic import MakeRun, config, epoch_row

OpenPage = Callable[..., AppTest]


@pytest.fixture
def pair(make_run: MakeRun) -> str:
    first = make_run("first", config((64,)), errors=20)
    second = make_run("second", config((65,)), errors=8)
    return f"{first.id},{second.id}"


def press(page: AppTest, key: str) -> AppTest:
    page.button(key).click().run()
    assert not page.exception
    return page


def test_a_button_begins_presenter_mode_and_says_its_keys(app: OpenPage, pair: str) -> None:
    page = app(runs=pair)
    button = page.button("presenter_begin")
    assert presenter.KEYS_HELP in button.help
    page = press(page, "presenter_begin")
    assert page.query_params["present"] == "1"
    assert page.button("presenter_end").help == presenter.KEYS_HELP
    page = press(page, "presenter_end")
    assert "present" not in page.query_params
    assert page.button("presenter_begin")
    page.query_params["present"] = "1"  # sent before the browser had heard of the new address
    page.run()
    assert page.button("presenter_begin")


def test_compare_shows_one_thing_at_a_time(app: OpenPage, pair: str) -> None:
    page = app(runs=pair, present="1")
    charts = []
    for number, title in enumerate(SCENES):
        text = text_of(page)
        assert "second" in text  # the sentence stays
        assert [each in text for each in SCENES[1:]] == [each == title for each in SCENES[1:]]
        charts.append(len(page.get("vega_lite_chart")))
        assert page.button("presenter_next").disabled == (number == len(SCENES) - 1)
        if number < len(SCENES) - 1:
            page = press(page, "presenter_next")
            assert page.query_params["scene"] == str(number + 2)
    assert charts == [0, 1, 1, 0]
    page = press(page, "presenter_previous")
    assert SCENES[2] in text_of(page)
    assert not [item for item in page.expander if item.label == "Data and downloads"]


def test_presenter_mode_goes_along_to_the_other_pages(app: OpenPage, pair: str) -> None:
    page = press(app(runs=pair, present="1"), "presenter_Lessons")
    assert page.title[0].value == "Lessons"
    assert page.query_params["present"] == "1"
    page = press(page, "presenter_next")
    assert page.title[0].value == "What is a parameter?"
    page = press(page, "presenter_Draw")
    assert page.title[0].value == "Draw a digit"


def test_a_frozen_screen_takes_no_input_and_does_not_follow_the_store(
    app: OpenPage, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    intervals: list[float | None] = []
    import streamlit as st

    fragment = st.fragment

    def noted(function=None, *, run_every=None):
        if run_every is not None or function is None:
            intervals.append(run_every)
        return fragment(function, run_every=run_every)

    monkeypatch.setattr(st, "fragment", noted)
    run = make_run("live", rows=2, state="running")
    page = app(runs=run.id, present="1")
    assert 1.0 in intervals
    intervals.clear()
    page = press(page, "presenter_freeze")
    assert 1.0 not in intervals
    others = [button for button in page.button if button.key and button.key.startswith("presenter_")]
    assert {button.key for button in others if not button.disabled} == {"presenter_freeze"}
    intervals.clear()
    page = press(page, "presenter_freeze")
    assert 1.0 in intervals
    assert not page.button("presenter_end").disabled


def test_whatever_draws_itself_again_stops_on_a_frozen_screen() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in Path(dashboard.__file__).parent.rglob("*.py")}
    assert [path.name for path, text in sources.items() if "run_every" in text] == ["state.py"]
    assert sum("state.again_every(" in text for text in sources.values()) > 5


def test_a_new_class_begins_with_the_default_runs_and_deletes_nothing(
    app: OpenPage, make_run: MakeRun, store: Store
) -> None:
    runs = [make_run(name, config((width,))) for name, width in (("a", 8), ("b", 9), ("c", 10))]
    page = app("views/lessons/page.py", runs=runs[0].id, present="1", lesson="centred")
    page.session_state["lesson:centred:prediction"] = 30.0
    page = press(page, "presenter_new")
    assert page.query_params["present"] == "1"
    assert page.query_params["runs"] == ",".join(run.id for run in runs[1:])  # as for somebody who has chosen none
    assert "lesson:centred:prediction" not in page.session_state
    assert "lesson" not in page.query_params
    assert {run.id for run in store.runs()} == {run.id for run in runs}


def test_charts_are_larger_and_their_data_stay() -> None:
    history = [epoch_row(epoch) for epoch in range(1, 4)]
    import pandas as pd

    curves = [Curve("a", "a", "#0072B2", pd.DataFrame(history))]
    drawing = Drawing(curves_chart, curve_frame(curves, "loss"), {"a": "#0072B2"}, "loss", height=300)
    plain = drawing.spec()
    large = enlarged(plain)
    assert large["datasets"] is plain["datasets"]
    assert large["height"] == round(plain["height"] * ENLARGED, 2)
    assert large["config"]["axis"]["labelFontSize"] == round(13 * ENLARGED)
    assert [part["encoding"].keys() for part in large["layer"]] == [part["encoding"].keys() for part in plain["layer"]]
