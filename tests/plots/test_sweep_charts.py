"""The pictures of a sweep: what their frames hold, and that they can be drawn."""

from __future__ import annotations

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
    assert [item["name"] for item in spec["params"]] == [charts.SELECTION]
    svg = drawn(chart)
    assert ">512<" in svg
    assert ">test<" in svg
    assert ">tanh<" in drawn(charts.line_chart(charts.line_frame(table, "activation", "error"), "activation", "error"))


def test_a_cell_is_the_mean_of_its_runs(table: pd.DataFrame) -> None:
    frame = charts.heat_frame(table, "activation", "units", "val_error")
    assert len(frame) == 5
    cell = frame[(frame["x"] == "tanh") & (frame["y"] == 64)].iloc[0]
    assert (cell["value"], cell["count"], cell["runs"]) == (pytest.approx(0.1 / 4 + 0.01), 1, "run3")
    chart = charts.heat_chart(frame, "activation", "units", "validation error", higher_is_better=False)
    assert chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]["reverse"] is True
    assert ">11.00%<" in drawn(chart)


def test_a_line_goes_through_all_settings_to_its_value(table: pd.DataFrame) -> None:
    frame = charts.parallel_frame(table, ["units", "activation"], "val_error")
    assert list(frame["axis"].unique()) == ["units", "activation", "val_error"]
    assert frame["position"].between(0, 1).all()
    assert len(frame) == 3 * 5
    units = frame[frame["axis"] == "units"].set_index("text")["position"]
    assert units.loc["64"].unique() == pytest.approx([0.5])  # midway between 8 and 512, as the axis is logarithmic
    assert frame["runs"].iloc[-1] == "run4"  # the best is drawn over the others
    chart = charts.parallel_chart(frame, {"val_error": "validation error"}, higher_is_better=False, dark=True)
    svg = drawn(chart)
    assert ">validation error<" in svg
    assert ">11.00 %<" in svg
    assert ">relu<" in svg


def test_the_history_and_the_importances_are_drawn() -> None:
    history = pd.DataFrame({"trial": [0, 2, 3], "value": [0.5, 0.6, 0.4], "best": [0.5, 0.5, 0.4]})
    assert "<svg" in drawn(charts.history_chart(history, "validation loss"))
    svg = drawn(charts.importance_chart({"units": 0.7, "depth": 0.3}))
    assert ">70%<" in svg
    assert svg.index(">units<") < svg.index(">depth<")
