"""The pictures of a sweep: what their frames hold, and that they can be drawn."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import vl_convert

from mnist_core.plots import sweeps as charts


@pytest.fixture
def table() -> pd.DataFrame:
    """Six runs over two settings; the last has not been trained."""
    rows = []
    for number, (units, activation) in enumerate((u, a) for u in (8, 64, 512) for a in ("relu", "tanh")):
        error = 0.1 / (number + 1)
        rows.append(
            {"units": units, "activation": activation, "run": f"run{number}", "state": "finished"}
            | {f"{name}_error": error + shift for name, shift in (("train", 0.0), ("val", 0.01), ("test", 0.02))}
            | {"val_loss": 10 * error}
        )
    frame = pd.DataFrame(rows)
    frame.loc[5, [column for column in frame if column.endswith(("error", "loss"))]] = float("nan")
    return frame


def drawn(chart: object) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1e-4, 1e-3, 1e-2], "log"),
        ([32, 64, 128, 256, 512], "log"),
        ([0.0, 0.001, 0.01, 0.3], "symlog"),
        ([0.0, 0.2, 0.4, 0.6], "linear"),
        (list(range(20)), "linear"),
        ([1, 2, 4], "linear"),
        ([-1.0, 0.1, 100.0], "linear"),
        ([3], "linear"),
        ([0.0], "linear"),
    ],
)
def test_numbers_far_apart_get_a_logarithmic_axis(values: list[float], scale: str) -> None:
    assert charts.scale_of(pd.Series(values)) == scale


def test_a_point_is_the_mean_of_its_runs_with_their_range(table: pd.DataFrame) -> None:
    frame = charts.line_frame(table, "units", "error")
    assert list(frame["series"].unique()) == ["training", "validation", "test"]
    first = frame[(frame["setting"] == 8) & (frame["series"] == "test")].iloc[0]
    assert first["value"] == pytest.approx((0.12 + 0.07) / 2)
    assert (first["low"], first["high"]) == (pytest.approx(0.07), pytest.approx(0.12))
    assert (first["count"], first["runs"]) == (2, "run0,run1")
    last = frame[(frame["setting"] == 512) & (frame["series"] == "test")].iloc[0]
    assert (last["count"], last["runs"]) == (1, "run4")


def test_lines_have_a_logarithmic_axis_and_points_that_can_be_clicked(table: pd.DataFrame) -> None:
    chart = charts.line_chart(charts.line_frame(table, "units", "error"), "units", "error rate")
    spec = chart.to_dict()
    assert spec["layer"][1]["encoding"]["x"]["scale"]["type"] == "log"
    assert [item["name"] for item in spec["params"]] == [charts.RUNS_SELECTION]
    svg = drawn(chart)
    assert ">512<" in svg
    assert ">test<" in svg
    assert ">tanh<" in drawn(charts.line_chart(charts.line_frame(table, "activation", "error"), "activation", "error"))


def test_a_cell_is_the_mean_of_its_runs(table: pd.DataFrame) -> None:
    frame = charts.heat_frame(table, "activation", "units", "val_error")
    assert len(frame) == 5
    cell = frame[(frame["x"] == "tanh") & (frame["y"] == 64)].iloc[0]
    assert (cell["value"], cell["count"], cell["runs"]) == (pytest.approx(0.1 / 4 + 0.01), 1, "run3")
    svg = drawn(charts.heat_chart(frame, "activation", "units", "validation error", higher_is_better=False))
    assert ">11.00<" in svg


@pytest.mark.parametrize("rows", [2, 9])
def test_a_row_of_a_heat_map_is_at_least_40_pixels_high_whatever_else_needs_room(rows: int) -> None:
    frame = pd.DataFrame({"x": [1] * rows, "y": range(rows), "value": [0.1] * rows, "count": 1, "runs": "a"})
    spec = charts.heat_chart(frame, "x", "y", "loss", higher_is_better=False).to_dict()
    assert spec["height"] >= 40 * rows
    assert spec["autosize"]["type"] == "fit-x", "a height of the whole chart would have to hold legend and axis as well"
    assert spec["layer"][0]["encoding"]["color"]["legend"] is None


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("higher_is_better", [False, True])
def test_the_better_a_cell_the_more_it_stands_out_from_the_background(dark: bool, higher_is_better: bool) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": [1, 1], "value": [0.1, 0.2], "count": 1, "runs": ["a", "b"]})
    svg = drawn(charts.heat_chart(frame, "x", "y", "loss", higher_is_better=higher_is_better, dark=dark))
    cells = [contrast(colour, dark) for colour in re.findall(r'fill="(rgb\([^"]*\)|#\w{6})"', svg)[-4:-2]]
    low, high = cells
    assert (high > low) == higher_is_better
    assert max(cells) > 2 * min(cells)


def luminance(colour: str) -> float:
    parts = re.findall(r"\d+", colour) if colour.startswith("rgb") else [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    shares = [int(part) / 255 for part in parts]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, dark: bool) -> float:
    """Return the contrast to the page's background, as WCAG 2.2 defines it."""
    pair = sorted([luminance(colour), luminance("#14171C" if dark else "#FFFFFF")])
    return (pair[1] + 0.05) / (pair[0] + 0.05)


@pytest.mark.parametrize(("dark", "colours"), [(False, charts.LINES), (True, charts.LINES_DARK)])
def test_the_worst_line_is_visible_and_the_best_stands_out_most(dark: bool, colours: tuple[str, ...]) -> None:
    found = [contrast(colour, dark) for colour in colours]
    assert found[0] >= 3
    assert found == sorted(found)


def test_numbers_of_many_kinds_are_binned_on_their_scale_and_few_are_left_as_they_are() -> None:
    rates = pd.Series([0.0001, 0.00012, 0.001, 0.0099, 0.01, 0.002])
    found = charts.binned(rates)
    first, last = "0.0001–0.00012", "0.0099–0.01"
    assert list(found) == [first, first, "0.001", last, last, "0.002"]
    assert list(charts.binned(pd.Series([64, 8, 64]))) == ["64", "8", "64"]
    assert list(charts.binned(pd.Series([64, 8, 64])).cat.categories) == ["8", "64"]
    assert list(charts.binned(pd.Series(["relu", "elu"]))) == ["relu", "elu"]


def test_cells_of_two_binned_settings_hold_measured_means_only_in_the_order_of_the_numbers() -> None:
    trials = pd.DataFrame(
        {"rate": [1e-4, 2e-4, 1e-3, 1e-2, 3e-3, 5e-4], "units": [8, 8, 16, 16, 8, 16], "run": list("abcdef")}
    ).assign(val_loss=[0.6, 0.4, 0.3, 0.2, 0.1, 0.5])
    cells = trials.assign(rate=charts.binned(trials["rate"]), units=charts.binned(trials["units"]))
    frame = charts.heat_frame(cells, "units", "rate", "val_loss")
    assert frame["count"].sum() == len(trials)
    assert len(frame) < 2 * trials["rate"].nunique()
    first = frame[(frame["x"] == "8") & (frame["y"] == "0.0001–0.0002")].iloc[0]
    assert (first["value"], first["runs"]) == (pytest.approx(0.5), "a,b")
    spec = charts.heat_chart(frame, "units", "rate", "loss", higher_is_better=False).to_dict()
    assert spec["layer"][0]["encoding"]["y"]["sort"][0] == "0.0001–0.0002"


@pytest.mark.parametrize("values", [[0.001, 0.01, 0.1], ["relu", "tanh", "elu"], list(range(20, 23))])
def test_a_slice_has_a_dot_for_each_trial_coloured_by_its_order(values: list[object]) -> None:
    table = pd.DataFrame({"s": values, "trial": [1, 2, 3], "val_loss": [0.3, 0.2, float("nan")], "run": list("abc")})
    frame = charts.slice_frame(table, "s", "val_loss")
    assert list(frame["trial"]) == [1, 2]
    chart = charts.slice_chart(frame, "setting", "validation loss")
    assert chart.to_dict()["encoding"]["color"]["field"] == "trial"
    assert f">{values[0]}<" in drawn(chart)


def test_a_sampled_number_has_three_digits_on_an_axis() -> None:
    table = pd.DataFrame({"s": [0.00187539, 0.012345678], "trial": [1, 2], "val_loss": [0.3, 0.2], "run": list("ab")})
    svg = drawn(charts.slice_chart(charts.slice_frame(table, "s", "val_loss"), "rate", "validation loss"))
    assert ">0.00188<" in svg
    assert ">0.0123<" in svg


def test_the_history_and_the_importances_are_drawn() -> None:
    history = pd.DataFrame({"trial": [0, 2, 3], "value": [0.5, 0.6, 0.4], "best": [0.5, 0.5, 0.4]})
    assert "<svg" in drawn(charts.history_chart(history, "validation loss"))
    svg = drawn(charts.importance_chart({"units": 0.7, "depth": 0.3}))
    assert ">70%<" in svg
    assert svg.index(">units<") < svg.index(">depth<")


def test_the_axis_of_the_importances_ends_soon_after_the_longest_bar() -> None:
    spec = charts.importance_chart({"units": 0.31, "depth": 0.1}).to_dict()
    assert 0.31 < spec["layer"][0]["encoding"]["x"]["scale"]["domain"][1] < 0.4


def test_the_legend_shows_the_dashes_of_a_line_and_no_shape(table: pd.DataFrame) -> None:
    spec = charts.line_chart(charts.line_frame(table, "units", "error"), "units", "error rate").to_dict()
    line = spec["layer"][1]["encoding"]
    assert line["color"]["legend"]["symbolType"] == "stroke"
    assert line["strokeDash"]["legend"] == line["color"]["legend"], "Vega warns of two different ones"


def test_ranges_are_drawn_only_where_a_setting_has_several_runs(table: pd.DataFrame) -> None:
    """Vega warns of the infinite extent of a mark without data."""
    frame = charts.line_frame(table, "units", "error")
    marks = [layer["mark"]["type"] for layer in charts.line_chart(frame, "units", "error").to_dict()["layer"]]
    assert marks == ["rule", "line", "point"]
    single = charts.line_chart(frame[frame["count"] == 1], "units", "error").to_dict()
    assert [layer["mark"]["type"] for layer in single["layer"]] == ["line", "point"]
