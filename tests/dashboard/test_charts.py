"""A chart is built once for equal arguments, and is sent as what Altair would have sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import pandas as pd
import pyarrow as pa
import pytest
from altair.utils.schemapi import SchemaValidationError
from streamlit.elements import vega_charts
from streamlit.testing.v1 import AppTest

from dashboard.cache import CACHE
from dashboard.shared.charts import Drawing
from mnist_core.evaluation.mistakes import confusion_frame
from mnist_core.plots import style
from mnist_core.plots.classes import class_chart
from mnist_core.plots.confusion_matrix import confusion_cells, confusion_chart
from mnist_core.plots.learning_curves import Curve, curve_frame, curves_chart
from mnist_core.runs.store import Store
from tests.support.synthetic import MakeRun, config, epoch_row, guesses

HISTORY = pd.DataFrame([epoch_row(epoch).to_json() for epoch in range(1, 9)])
CURVES = curve_frame([Curve("a", "model_1", "#0072B2", HISTORY), Curve("b", "model_2", "#D55E00", HISTORY)], "loss")
COLOURS = {"a": "#0072B2", "b": "#D55E00"}
SHARES = pd.DataFrame({"digit": [0, 1], "part": ["training", "test"], "images": [3, 4], "share": [0.5, 0.5]})
CELLS = confusion_cells(confusion_frame(guesses(7)))


def rows(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The data sets of a specification by name."""
    return {name: pa.ipc.open_stream(content).read_all().to_pylist() for name, content in spec.pop("datasets").items()}


def without_names(spec: dict[str, Any], data: dict[str, list[dict[str, Any]]]) -> str:
    """A specification as text, with the rows in place of the data sets' names and of Altair's numbered names."""
    spec.pop("autosize", None)
    text = json.dumps(spec, sort_keys=True)
    for name, content in data.items():
        text = text.replace(name, json.dumps(content).replace('"', "'"))
    return vega_charts._stabilize_vega_json_spec(text)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(curves_chart, CURVES, COLOURS, "loss"),
        Drawing(curves_chart, CURVES, COLOURS, "loss", zoom=True, marks={"a": (4, "overfits")}),
        Drawing(class_chart, SHARES),
        Drawing(confusion_chart, CELLS, height=321),
    ],
    ids=["curves", "curves with zoom and marks", "classes", "confusion matrix"],
)
def test_what_is_sent_is_what_streamlit_makes_of_the_altair_chart(drawing: Drawing, dark: bool) -> None:
    """Without a check against Altair's schema, nothing else is different."""
    ours = drawing.spec(dark=dark)
    theirs = vega_charts._convert_altair_to_vega_lite_spec(drawing.built(dark=dark))
    our_rows, their_rows = rows(ours), rows(theirs)
    assert our_rows
    assert without_names(ours, our_rows) == without_names(theirs, their_rows)


def test_equal_arguments_are_built_once_and_others_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    CACHE.clear()
    before = CACHE.made
    first = Drawing(curves_chart, CURVES, COLOURS, "loss").spec()
    assert Drawing(curves_chart, CURVES.copy(), dict(COLOURS), "loss").spec() == first
    assert CACHE.made == before + 1
    Drawing(curves_chart, CURVES, COLOURS, "loss").spec(dark=True)
    Drawing(curves_chart, CURVES, COLOURS | {"a": "#000000"}, "loss").spec()
    Drawing(curves_chart, CURVES[:-1], COLOURS, "loss").spec()
    assert CACHE.made == before + 4


def test_the_themes_differ_in_the_colour_of_labels_and_each_is_built_once() -> None:
    CACHE.clear()
    before = CACHE.made
    light, dark = (Drawing(class_chart, SHARES).spec(dark=dark)["config"]["axis"] for dark in (False, True))
    assert (light["labelColor"], dark["labelColor"]) == style.QUIET
    for again in (False, True):
        Drawing(class_chart, SHARES).spec(dark=again)
    assert CACHE.made == before + 2


def test_what_a_caller_writes_into_its_copy_is_not_kept() -> None:
    drawing = Drawing(class_chart, SHARES)
    drawing.spec()["datasets"].clear()
    drawing.spec()["encoding" if "encoding" in drawing.spec() else "layer"].clear()
    again = drawing.spec()
    assert again["datasets"]
    assert again.get("encoding") or again.get("layer")


def test_elsewhere_altair_keeps_its_rows_and_its_checks() -> None:
    Drawing(class_chart, SHARES).spec()
    chart = style.styled(class_chart(SHARES))
    assert next(iter(chart.to_dict()["datasets"].values()))[0]["images"] == 3
    with pytest.raises(SchemaValidationError):
        alt.Chart(SHARES).mark_bar(size="wide").to_dict()


def test_a_height_goes_to_the_function_or_to_its_chart() -> None:
    assert Drawing(curves_chart, CURVES, COLOURS, "loss", height=123).spec()["height"] == 123
    assert Drawing(confusion_chart, CELLS, height=321).spec()["height"] == 321


def test_a_rerun_that_changes_nothing_builds_nothing(app: Callable[..., AppTest], make_run: MakeRun) -> None:
    make_run("first", config((64,)))
    make_run("second", config((32,)), errors=40)
    page = app()
    page.run()
    assert len(page.get("vega_lite_chart")) == 3
    made = CACHE.made
    page.run()
    assert len(page.get("vega_lite_chart")) == 3
    assert CACHE.made == made


def test_what_is_folded_is_sent_only_when_it_is_opened(app: Callable[..., AppTest], make_run: MakeRun) -> None:
    make_run("first", config((64,)))
    make_run("second", config((32,)), errors=40)
    page = app()
    assert [part.label for part in page.expander].count("Data and downloads") == 3, "two curves and the verdicts"
    assert not page.dataframe
    page.session_state["curves_loss_data"] = True
    page.run()
    assert [len(part.dataframe) for part in page.expander if part.label == "Data and downloads"] == [1, 0, 0]


def test_a_rerun_that_changes_nothing_reads_no_file_of_a_run(
    app: Callable[..., AppTest], make_run: MakeRun, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mnist_core import files

    make_run("first", config((64,)))
    make_run("second", config((32,)), errors=40)
    for seed in range(20):
        make_run(f"other {seed}", config((16,), seed=seed))
    page = app()
    page.run()
    opened: list[str] = []
    original = files._opened
    monkeypatch.setattr(files, "_opened", lambda path: (opened.append(path.name), original(path))[1])
    page.run()
    assert not page.exception
    assert [name for name in opened if name not in ("colours.json", "datasets.json")] == []


def test_a_change_of_the_store_is_on_the_page_after_the_next_rerun(
    app: Callable[..., AppTest], make_run: MakeRun, store: Store
) -> None:
    run = make_run("first", config((64,)))
    page = app()
    assert "first" in str(page.multiselect[0].options)
    Store(store.root).describe(run.id, name="renamed")
    page.run()
    assert "renamed" in str(page.multiselect[0].options)
