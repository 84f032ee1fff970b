"""All settings at once: names, figures and lines at any width, and what a brush keeps."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
import vl_convert

from mnist_core.plots import parallel as charts


@pytest.fixture
def table() -> pd.DataFrame:
    """Thirty trials over three settings, one of them with a value of its own for each; nothing here was trained."""
    number = np.arange(30)
    return pd.DataFrame(
        {
            "rate": 1e-4 * 1.2**number,
            "units": np.array([8, 64, 512])[number % 3],
            "activation": np.array(["relu", "tanh"])[number % 2],
            "val_error": 0.1 / (number + 1),
            "run": [f"run{item}" for item in number],
        }
    )


AXES = ["rate", "units", "activation"]


def drawn(chart: object, width: int = 700) -> str:
    return vl_convert.vegalite_to_svg(chart.properties(width=width).to_dict())  # type: ignore[attr-defined]


def test_a_line_goes_through_all_settings_to_its_value(table: pd.DataFrame) -> None:
    table.loc[3, "val_error"] = float("nan")
    frame = charts.parallel_frame(table, AXES, "val_error")
    assert list(frame["axis"].unique()) == [*AXES, "val_error"]
    assert frame["position"].between(0, 1).all()
    assert len(frame) == 4 * 29
    units = frame[frame["axis"] == "units"].set_index("text")["position"]
    assert units.loc["64"].unique() == pytest.approx([0.5])  # midway between 8 and 512, as the axis is logarithmic
    assert frame["runs"].iloc[-1] == "run29", "the best is drawn over the others"


def test_every_axis_has_a_figure_at_both_ends_however_many_values_it_has(table: pd.DataFrame) -> None:
    found = charts.ticks(charts.parallel_frame(table, AXES, "val_error"))
    ends = {axis: list(part["text"][part["end"] != ""]) for axis, part in found.groupby("axis")}
    assert ends["rate"] == ["0.0001", "0.0198"]
    assert ends["units"] == ["8", "512"]
    assert set(ends["activation"]) == {"relu", "tanh"}
    assert ends["val_error"] == ["0.33 %", "10.00 %"]


@pytest.mark.parametrize("width", [320, 1200])
def test_no_two_figures_of_an_axis_overlap_at_any_width(table: pd.DataFrame, width: int) -> None:
    for _, part in charts.ticks(charts.parallel_frame(table, AXES, "val_error")).groupby("axis"):
        taken = []
        for _, tick in part.sort_values("position").iterrows():
            letters, start = len(tick["text"]) * 7, tick["position"] * width
            left = start - {"first": 0, "": letters / 2, "last": letters}[tick["end"]]
            taken.append((left, left + letters))
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(taken))


def test_an_axis_with_a_single_value_has_one_figure(table: pd.DataFrame) -> None:
    found = charts.ticks(charts.parallel_frame(table.assign(units=8), AXES, "val_error"))
    assert list(found["text"][found["axis"] == "units"]) == ["8"]


def test_a_brush_keeps_the_runs_inside_and_several_brushes_those_inside_all(table: pd.DataFrame) -> None:
    frame = charts.parallel_frame(table, AXES, "val_error")
    assert charts.brushed(frame, {}) == set(table["run"])
    upper = charts.brushed(frame, {"rate": (0.5, 1.0)})
    assert upper == {f"run{number}" for number in range(15, 30)}
    both = charts.brushed(frame, {"rate": (0.5, 1.0), "units": (0.9, 1.0)})
    assert both == {run for run in upper if int(run[3:]) % 3 == 2}
    assert charts.brushed(frame, {"rate": (0.501, 0.502)}) == set()
    assert charts.brush_ends(frame, "units", (0.4, 1.0)) == ("64", "512")
    assert charts.brush_ends(frame, "rate", (0.501, 0.502)) is None


@pytest.mark.parametrize("dark", [False, True])
def test_names_figures_and_brushes_are_drawn(table: pd.DataFrame, dark: bool) -> None:
    frame = charts.parallel_frame(table, AXES, "val_error")
    titles = {"rate": "learning rate", "val_error": "validation error"}
    chart = charts.parallel_chart(frame, titles, {"rate": (0.5, 1.0)}, higher_is_better=False, dark=dark)
    svg = drawn(chart, 320)
    for text in ("learning rate", "validation error", "0.33 %", "relu"):
        assert f">{text}<" in svg
    grey = len(re.findall(r'stroke="#8A9099"[^>]*stroke-width="1.7"', svg))
    assert grey == 15, "lines outside of the brush are grey"
    names = {item["name"] for item in chart.to_dict()["params"]}
    assert {charts.brush_name(0), charts.brush_name(1), charts.RUNS_SELECTION} <= names


def test_on_a_wide_screen_the_names_stand_left_of_all_lines(table: pd.DataFrame) -> None:
    frame = charts.parallel_frame(table, AXES, "val_error")
    spec = charts.parallel_chart(frame, {}, higher_is_better=False).to_dict()
    wide = json.loads(json.dumps(spec).replace(charts.WIDE_SCREEN, "true"))
    svg = vl_convert.vegalite_to_svg(wide | {"width": 700})
    (name,) = set(re.findall(r'text-anchor="(\w+)" transform="translate\((-?[\d.]+),[^>]*>activation<', svg))
    assert name[0] == "end"
    assert float(name[1]) < 0
