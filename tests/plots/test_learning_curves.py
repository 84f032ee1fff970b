"""Learning curves: the frame holds what the histories say, and the chart draws it."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.plots.learning_curves import (
    KINDS,
    NAME_GAP,
    NAME_LETTERS,
    PLOT_HEIGHT,
    POINT_LIMIT,
    WIDE_LETTERS,
    WIDE_LIMIT,
    Curve,
    best_epoch,
    bright_runs,
    clipped_frame,
    clipped_words,
    curve_frame,
    curves_chart,
    described,
    end_names,
    hover_frame,
    mark_frame,
    mark_rows,
    thinned,
    value_domain,
)
from mnist_core.plots.margin_names import margin_names
from mnist_core.plots.style import RUN_COLOURS
from mnist_core.runs.records import HISTORY_COLUMNS, EpochRow
from tests.support.synthetic import epoch_row


def history(rows: list[EpochRow]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))


def curve(run: str = "a", epochs: int = 8, **given: Any) -> Curve:
    rows = [epoch_row(epoch, **given) for epoch in range(1, epochs + 1)]
    return Curve(run, f"model {run}", "#0072B2", history(rows))


def diverged() -> Curve:
    rows = [epoch_row(epoch) for epoch in (1, 2, 3)]
    nan = math.nan
    broken = replace(rows[-1], epoch=4, loss=nan, val_loss=nan, train_eval_loss=nan, accuracy=0.1, val_accuracy=0.1)
    return Curve("d", "too fast", "#D55E00", history([*rows, broken]))


def layers(chart: Any) -> list[dict[str, Any]]:
    return chart.to_dict()["layer"]


def marks(chart: Any) -> list[str]:
    return [layer["mark"]["type"] for layer in layers(chart)]


def test_the_frame_holds_every_epoch_and_the_seconds_add_up() -> None:
    frame = curve_frame([curve()], "loss")
    assert set(frame["kind"]) == {"training", "validation"}
    of_validation = frame[frame["kind"] == "validation"]
    np.testing.assert_allclose(of_validation["value"], curve().history["val_loss"])
    np.testing.assert_allclose(of_validation["seconds"], 0.5 * np.arange(1, 9))


def test_smoothing_is_the_debiased_moving_average() -> None:
    frame = curve_frame([curve()], "loss", kinds=["training"], smoothing=0.6)
    mean, weight, expected = 0.0, 0.0, []
    for value in curve().history["loss"]:
        mean = 0.6 * mean + 0.4 * value
        weight = 0.6 * weight + 0.4
        expected.append(mean / weight)
    np.testing.assert_allclose(frame["smoothed"], expected)
    np.testing.assert_allclose(frame["value"], curve().history["loss"])


def test_a_diverged_run_ends_where_it_broke() -> None:
    frame = curve_frame([curve(), diverged()], "loss")
    assert frame[frame["run"] == "d"]["epoch"].max() == 3
    assert np.isfinite(frame["value"]).all()
    assert curves_chart(frame, {"a": "#0072B2", "d": "#D55E00"}, "loss").to_dict()


def test_a_run_without_one_finite_loss_has_no_best_epoch_and_no_line() -> None:
    broken = history([replace(epoch_row(1), loss=math.nan, val_loss=math.nan)])
    assert best_epoch(broken) is None
    assert curve_frame([Curve("x", "x", "#000000", broken)], "loss").empty


def test_no_runs_give_an_empty_frame_with_its_columns() -> None:
    assert list(curve_frame([], "loss").columns)[:4] == ["run", "label", "kind", "epoch"]


def test_colour_is_the_run_and_dashes_are_training() -> None:
    frame = curve_frame([curve("a"), curve("b", floor=0.3)], "loss")
    line = next(
        layer
        for layer in layers(curves_chart(frame, {"a": "#111111", "b": "#222222"}, "loss"))
        if layer["mark"]["type"] == "line"
    )
    assert line["encoding"]["color"]["scale"] == {"domain": ["a", "b"], "range": ["#111111", "#222222"]}
    dash = line["encoding"]["strokeDash"]["scale"]
    assert dict(zip(dash["domain"], dash["range"], strict=True)) == {"training": [5, 3], "validation": [1, 0]}
    width = line["encoding"]["strokeWidth"]["scale"]
    width = dict(zip(width["domain"], width["range"], strict=True))
    assert width["validation"] > width["training"]


def test_the_raw_line_stays_faintly_under_a_smoothed_one() -> None:
    frame = curve_frame([curve()], "loss", smoothing=0.5)
    assert marks(curves_chart(frame, {"a": "#111111"}, "loss", smoothing=0.5)).count("line") == 2
    assert marks(curves_chart(frame, {"a": "#111111"}, "loss")).count("line") == 1


def test_the_tooltip_lists_every_run_at_an_epoch() -> None:
    frame = curve_frame([curve("a", 3), curve("b", 2, floor=0.5)], "accuracy", kinds=["validation"])
    wide, lines = hover_frame(frame, "epoch")
    assert lines == ["model a", "model b"]
    assert wide["epoch"].tolist() == [1, 2, 3]
    assert wide.loc[2, "model b"] == "–"
    assert float(wide.loc[0, "model a"]) == pytest.approx(curve("a").history["val_accuracy"][0], abs=1e-4)
    rule = layers(curves_chart(frame, {"a": "#111111", "b": "#222222"}, "accuracy"))[-1]
    assert [item["title"] for item in rule["encoding"]["tooltip"]] == ["epoch", "model a", "model b"]


def test_two_runs_of_one_name_keep_their_own_values_in_the_tooltip() -> None:
    first, second = curve("a"), replace(curve("b", floor=0.5), label="model a, seed 1")
    _, lines = hover_frame(curve_frame([first, second], "loss", kinds=["validation"]), "epoch")
    assert len(lines) == 2


def test_a_logarithmic_axis_leaves_out_what_has_no_logarithm() -> None:
    rows = [replace(epoch_row(1), val_loss=0.0), epoch_row(2), epoch_row(3)]
    frame = curve_frame([Curve("a", "a", "#111111", history(rows))], "loss")
    spec = curves_chart(frame, {"a": "#111111"}, "loss", log=True).to_dict()
    values = [row["value"] for rows in spec["datasets"].values() for row in rows if "value" in row]
    assert min(values) > 0
    line = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "line")
    assert line["encoding"]["y"]["scale"]["type"] == "log"


def test_long_histories_are_thinned_but_keep_their_best_and_last_epoch() -> None:
    long = [curve(name, 1500, turn=777) for name in "ab"]
    frame = curve_frame(long, "loss")
    fewer, step = thinned(frame)
    assert step > 1
    assert len(fewer) <= POINT_LIMIT + 20
    assert fewer["best"].sum() == frame["best"].sum() == 2
    assert fewer.groupby(["run", "kind"])["epoch"].max().eq(1500).all()
    assert thinned(curve_frame([curve()], "loss"))[1] == 1


def test_one_epoch_is_drawn_as_a_point() -> None:
    frame = curve_frame([curve(epochs=1)], "loss", kinds=["training"])
    assert "point" in marks(curves_chart(frame, {"a": "#111111"}, "loss"))


def test_the_description_names_best_and_last() -> None:
    text = described(curve_frame([curve("a", 8, turn=4)], "loss"), "loss")
    assert "lowest" in text
    assert "at epoch 8, the last" in text


def test_a_mark_stands_at_its_epoch_of_the_validation_line_and_turns_to_where_there_is_room() -> None:
    frame = curve_frame([curve("a"), curve("b"), curve("c")], "loss")
    marks = mark_frame(frame, [("a", 7, "overfits"), ("b", 2, "levels off"), ("c", 99, "not there")], "epoch", [1, 8])
    assert marks[["run", "epoch", "kind", "text", "left"]].to_numpy().tolist() == [
        ["b", 2, "validation", "levels off", False],
        ["a", 7, "validation", "overfits", True],
    ]


def test_marks_are_drawn_for_few_runs_only() -> None:
    def marked(names: str) -> bool:
        frame = curve_frame([curve(name) for name in names], "loss")
        chart = curves_chart(frame, dict.fromkeys(names, "#111111"), "loss", marks={"a": (4, "overfits")})
        vl_convert.vegalite_to_vega(chart.to_dict())
        return "overfits" in chart.to_json()

    assert marked("abc")
    assert not marked("abcd")


@pytest.mark.parametrize(("names", "metric"), [("a", "loss"), ("abcd", "accuracy")])
def test_a_change_by_hand_is_marked_on_the_curve_however_many_runs_there_are(names: str, metric: Any) -> None:
    frame = curve_frame([curve(name) for name in names], metric)
    colours = dict.fromkeys(names, "#111111")
    clean = curves_chart(frame, colours, metric).to_dict()
    chart = curves_chart(frame, colours, metric, changes={"a": {4: "dropout 0.2 → 0.5"}}).to_dict()
    vl_convert.vegalite_to_vega(chart)
    (diamond,) = [one for one in chart["layer"] if one["mark"].get("shape") == "diamond"]
    (point,) = chart["datasets"][diamond["data"]["name"]]
    assert (point["run"], point["epoch"], point["kind"]) == ("a", 4, "validation")
    assert "diamond" not in str(clean)
    assert ("dropout 0.2 → 0.5" in [one.get("text") for rows in chart["datasets"].values() for one in rows]) is True
    words = [one for one in chart["layer"] if one["mark"]["type"] == "text"]
    assert len(words) == len([one for one in clean["layer"] if one["mark"]["type"] == "text"]) + (len(names) == 1)


@pytest.mark.parametrize("zoom", [False, True])
@pytest.mark.parametrize("x", ["epoch", "seconds"])
def test_every_variant_compiles_in_vega(zoom: bool, x: Any) -> None:
    """Vega-Lite refuses some specifications that Altair accepts, and then draws nothing at all."""
    frame = curve_frame([curve("a"), diverged()], "loss", kinds=KINDS, smoothing=0.5)
    colours = {"a": "#111111", "d": "#222222"}
    spec = curves_chart(frame, colours, "loss", x=x, log=zoom, smoothing=0.5, zoom=zoom, x_max=20).to_dict()
    assert vl_convert.vegalite_to_vega(spec)["marks"]


def test_the_best_epoch_is_that_of_the_lowest_validation_loss_in_both_charts() -> None:
    rows = [
        replace(epoch_row(e), val_loss=loss, val_accuracy=acc)
        for e, loss, acc in ((1, 3, 0.2), (2, 1, 0.8), (3, 2, 0.9))
    ]
    assert best_epoch(history(rows)) == 2
    for metric in ("loss", "accuracy"):
        frame = curve_frame([Curve("a", "a", "#000000", history(rows))], metric)
        assert frame.loc[frame["best"], ["kind", "epoch"]].to_numpy().tolist() == [["validation", 2]]


def early(losses: list[float], validation: list[float], run: str = "a") -> Curve:
    rows = [
        replace(epoch_row(e + 1), loss=pair[0], val_loss=pair[1], accuracy=1 - pair[0], val_accuracy=1 - pair[1])
        for e, pair in enumerate(zip(losses, validation, strict=True))
    ]
    return Curve(run, run, "#0072B2", history(rows))


STEEP = early([0.9, 0.2, 0.1, 0.08, 0.06, 0.05], [0.15, 0.12, 0.11, 0.10, 0.10, 0.11])


def test_the_vertical_axis_holds_the_validation_line_and_the_later_training_only() -> None:
    low, high = value_domain(curve_frame([STEEP], "loss"), "loss") or (0, 0)
    assert 0.15 < high < 0.2
    assert 0 <= low < 0.05
    low, high = value_domain(curve_frame([STEEP], "accuracy"), "accuracy") or (0, 0)
    assert 0.8 < low < 0.85
    assert 0.95 < high < 1
    always = early([0.9, 0.6, 0.5, 0.45, 0.42, 0.40], [0.15, 0.12, 0.11, 0.10, 0.10, 0.11])
    assert (value_domain(curve_frame([always], "loss"), "loss") or (0, 0))[1] > 0.45, "its later half is seen"
    training = curve_frame([STEEP], "loss", kinds=["training"])
    assert (value_domain(training, "loss") or (0, 0))[1] > 0.9, "without a validation line, all of it"
    assert value_domain(curve_frame([], "loss"), "loss") is None


def test_what_is_outside_of_the_plot_is_marked_where_it_enters_and_said() -> None:
    frame = curve_frame([STEEP], "loss")
    clipped = clipped_frame(frame, (0.0, 0.16), "epoch")
    assert clipped[["run", "kind", "above", "value"]].to_numpy().tolist() == [["a", "training", True, 0.9]]
    assert clipped["x"].iloc[0] == pytest.approx(2 + (0.2 - 0.16) / (0.2 - 0.1))
    assert clipped_words(frame, "loss", "epoch") == "▲: training comes from above, from 0.90."
    assert clipped_words(curve_frame([STEEP], "accuracy"), "accuracy", "epoch") == (
        "▼: training comes from below, from 10.0 %."
    )
    spec = curves_chart(frame, {"a": "#0072B2"}, "loss").to_dict()
    assert [layer["mark"]["shape"] for layer in spec["layer"] if "shape" in layer["mark"]] == ["triangle-up"]
    assert all(layer["mark"]["clip"] for layer in spec["layer"] if layer["mark"]["type"] in ("line", "area"))


@pytest.mark.parametrize("count", [2, 7])
def test_names_stand_apart_from_one_another_and_within_the_height_of_the_plot(count: int) -> None:
    frame = curve_frame([curve(str(i), floor=0.1 + 0.001 * i) for i in range(count)], "loss")
    domain = value_domain(frame, "loss")
    assert domain
    names = end_names(frame, domain, "epoch")
    pixels = ((names["y"] - domain[0]) / (domain[1] - domain[0]) * PLOT_HEIGHT).sort_values().to_numpy()
    assert np.diff(pixels).min() >= NAME_GAP - 1e-6
    assert pixels[0] >= NAME_GAP / 2 - 1e-6
    assert pixels[-1] <= PLOT_HEIGHT - NAME_GAP / 2 + 1e-6


def test_names_begin_right_of_the_plot_and_long_ones_lose_whole_settings() -> None:
    long = replace(curve("a"), label="notebook/model_1, dropout 0.5, seed 12")
    spec = curves_chart(curve_frame([long], "loss"), {"a": "#0072B2"}, "loss").to_dict()
    texts = [layer for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    assert {layer["encoding"]["x"]["value"] for layer in texts} == {"width"}
    assert all(layer["mark"]["dx"] > 10 for layer in texts)
    short = next(row["short"] for rows in spec["datasets"].values() for row in rows if "short" in row)
    assert short == "model_1 … seed 12"
    assert len(short) <= NAME_LETTERS


@pytest.mark.parametrize("letters", [NAME_LETTERS, WIDE_LETTERS])
@pytest.mark.parametrize(
    "labels",
    [
        ["notebook/model_1, on MNIST, n = 3", "notebook/model_1, on digits, n = 3", "mine"],
        ["notebook/model_1, n = 3", "readme/model_1, n = 3"],
        ["neurons: 1st layer 100, 2nd layer 40", "neurons: 1st layer 100, 2nd layer 20"],
        ["a" * 30 + "1" + "a" * 30, "a" * 30 + "2" + "a" * 30],
        [f"the same long beginning {place} and end" for place in range(20)],
    ],
)
def test_no_two_shown_names_are_shortened_to_the_same(labels: list[str], letters: int) -> None:
    names = margin_names(labels, letters)
    assert len(set(names)) == len(labels)
    assert max(map(len, names)) <= letters


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["notebook/model_1, n = 3", "notebook/model_2, n = 3"], ["model_1, n = 3", "model_2, n = 3"]),
        (["notebook/model_1, n = 3", "readme/model_3"], ["notebook/model_1", "readme/model_3"]),
        (["model_1, dropout 0.2/0.5, n = 3", "model_1, n = 3"], ["dropout 0.2/0.5", "model_1, n = 3"]),
        (["neurons: units 100, rate 0.01", "neurons: units 200, rate 0.01"], ["units 100", "units 200"]),
        (["notebook/model_1", "mine"], ["notebook/model_1", "mine"]),
        (["notebook/model_1"], ["notebook/model_1"]),
        ([], []),
    ],
)
def test_a_name_in_the_margin_loses_first_what_all_names_have(labels: list[str], names: list[str]) -> None:
    assert margin_names(labels, NAME_LETTERS) == names


def test_of_a_grid_in_the_margin_the_settings_that_differ_are_whole() -> None:
    grid = [
        f"tuning/grid_90, first width {width}, width ratio 0.5, layers {layers}, activation {name}"
        for width, layers, name in ((32, 2, "relu"), (32, 2, "tanh"), (512, 4, "tanh"))
    ]
    assert margin_names([*grid, "notebook/model_1"], NAME_LETTERS) == [
        "32, 2, relu", "32, 2, tanh", "512, 4, tanh", "notebook/model_1"
    ]  # fmt: skip
    assert margin_names([grid[0], grid[2], "notebook/model_1"], WIDE_LETTERS) == [
        "… first width 32 …", "… first width 512 …", "notebook/model_1"
    ]  # fmt: skip
    assert margin_names([grid[1], "mine"], WIDE_LETTERS) == ["grid_90 … layers 2 …", "mine"]


SETTINGS = {"units": ("64", "128", "400"), "activation": ("relu", "tanh"), "dropout": ("0.2", "0.5"), "L2": ("0", "1")}


@given(st.data(), st.sampled_from([NAME_LETTERS, WIDE_LETTERS]))
def test_no_setting_in_the_margin_is_cut_and_no_two_names_are_alike(data: st.DataObject, letters: int) -> None:
    axes = data.draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=3, unique=True))
    grid = [
        "a grid, " + ", ".join(f"{axis} {value}" for axis, value in zip(axes, point, strict=True))
        for point in itertools.product(*(SETTINGS[axis] for axis in axes))
    ]
    labels = data.draw(st.lists(st.sampled_from([*grid, "notebook/model_1", "mine"]), min_size=1, unique=True))
    names = margin_names(labels, letters)
    assert len(set(names)) == len(labels)
    for label, name in zip(labels, names, strict=True):
        assert len(name) <= letters
        own = [part for part in re.split("[,/] ?", label) if part]
        for piece in re.split(r", |/| ?… ?", name):
            assert any(piece in ("", part, part.split()[-1]) for part in own), (label, name)


@given(st.lists(st.text(st.sampled_from("ab ,/…"), min_size=1, max_size=60), unique=True, max_size=8))
def test_no_two_names_of_any_letters_are_shortened_to_the_same(labels: list[str]) -> None:
    names = margin_names(labels, NAME_LETTERS)
    assert len(set(names)) == len(labels)
    assert all(len(name) <= NAME_LETTERS for name in names)


def test_a_wide_screen_has_room_for_more_letters_of_a_name() -> None:
    long = replace(curve("a"), label="notebook/model_1, dropout 0.5, seed 12")
    spec = curves_chart(curve_frame([long], "loss"), {"a": "#0072B2"}, "loss").to_dict()
    text = next(layer for layer in spec["layer"] if layer["mark"].get("fontWeight") == "bold")
    assert "datum.longer" in text["encoding"]["text"]["value"]["expr"]
    assert str(WIDE_LIMIT) in text["mark"]["limit"]["expr"]


def test_of_more_runs_than_colours_the_best_of_each_colour_and_the_baseline_are_strong() -> None:
    many = [
        replace(curve(str(i), floor=0.1 + 0.01 * i), colour=RUN_COLOURS[i % len(RUN_COLOURS)])
        for i in range(2 * len(RUN_COLOURS))
    ]
    assert bright_runs(many[:5]) == [one.id for one in many[:5]]
    assert bright_runs(many) == [one.id for one in many[: len(RUN_COLOURS)]]
    with_worst = bright_runs(many, first=many[-1].id)
    assert many[-1].id in with_worst
    assert many[len(RUN_COLOURS) - 1].id not in with_worst, "it has the same colour"
    frame = curve_frame(many, "loss")
    chart = curves_chart(frame, {one.id: one.colour for one in many}, "loss", bright=bright_runs(many))
    faint = next(layer for layer in layers(chart) if layer["mark"].get("opacity") == pytest.approx(0.3))
    rows = chart.to_dict()["datasets"][faint["data"]["name"]]
    assert {row["kind"] for row in rows} == {"validation"}
    assert {row["run"] for row in rows} == {one.id for one in many[len(RUN_COLOURS) :]}
    assert vl_convert.vegalite_to_svg(chart.to_dict())


def test_no_grey_is_among_the_colours_of_runs() -> None:
    for colour in RUN_COLOURS:
        channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert max(channels) - min(channels) > 60


@pytest.mark.parametrize(("names", "dims"), [("a", False), ("ab", True), ("abcd", True)])
def test_the_run_near_the_pointer_dims_the_others(names: str, dims: bool) -> None:
    frame = curve_frame([curve(name, floor=0.1 + 0.05 * index) for index, name in enumerate(names)], "loss")
    chart = curves_chart(frame, dict.fromkeys(names, "#0072B2"), "loss").to_dict()
    assert ("over" in [param["name"] for param in chart["params"]]) is dims
    assert vl_convert.vegalite_to_svg(chart)


def test_all_that_belongs_to_a_run_dims_with_it() -> None:
    runs = [curve("a", epochs=9), curve("b", floor=0.2, epochs=6)]  # the name of b has a dotted line to it
    frame = curve_frame(runs, "loss")
    assert len(clipped_frame(frame, value_domain(frame, "loss", log=False), "epoch"))
    colours = {"a": "#0072B2", "b": "#D55E00"}
    found = curves_chart(frame, colours, "loss", changes={"a": {4: "dropout 0.2 → 0.5"}}).to_dict()["layer"]
    coloured = [layer for layer in found if "color" in layer["encoding"]]
    assert len(coloured) >= 7
    assert [layer["mark"] for layer in coloured if "condition" not in layer["encoding"].get("opacity", {})] == []


@pytest.mark.parametrize(
    ("left", "rows"), [([False, False], [1, 0]), ([True, True], [0, 1]), ([False, False, True], [2, 1, 0]), ([], [])]
)
def test_the_words_of_a_mark_stand_above_the_rules_that_they_run_towards(left: list[bool], rows: list[int]) -> None:
    assert mark_rows(left) == rows
