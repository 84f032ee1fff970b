"""Pictures of networks: parameters by layer, and layers as blocks."""

from __future__ import annotations

import math

import vl_convert

from mnist_core.experiments.presets import PRESETS
from mnist_core.plots.architecture import architecture_chart, architecture_frame, described
from mnist_core.plots.parameters import LabelledModel, parameter_chart, parameter_frame
from mnist_core.plots.style import contrast, over

ONE, TWO = (PRESETS[f"notebook/model_{number}"].config.model for number in (1, 2))


def test_the_segments_add_up_to_the_published_count() -> None:
    frame = parameter_frame([LabelledModel("a", "model_1", ONE), LabelledModel("b", "model_2", TWO)])
    assert frame.groupby("run")["parameters"].sum().to_dict() == {"a": 55_050, "b": 437_310}
    assert frame.groupby("run")["total"].first().to_dict() == {"a": 55_050, "b": 437_310}
    assert not frame["layer"].str.contains("dropout").any()


def test_the_bars_lie_end_to_end_in_the_colours_of_the_runs() -> None:
    frame = parameter_frame([LabelledModel("a", 'the "first"', ONE), LabelledModel("b", "model_2", TWO)])
    spec = parameter_chart(frame, {"a": "#111111", "b": "#222222"}).to_dict()
    bars = spec["layer"][0]
    assert bars["encoding"]["color"]["scale"]["range"] == ["#111111", "#222222"]
    rows = [row for row in spec["datasets"][bars["data"]["name"]] if row["run"] == "a"]
    assert [row["start"] for row in rows] == [0, *(row["end"] for row in rows[:-1])]
    assert rows[-1]["end"] == 55_050


def test_blocks_are_wider_with_more_outputs_and_dropout_is_as_wide_as_its_layer() -> None:
    frame = architecture_frame(TWO, widest=784).set_index("layer")
    assert frame.loc["input", "half"] == 0.5
    assert frame.loc["dense 1", "half"] > frame.loc["dense 2", "half"] > frame.loc["output", "half"]
    assert frame.loc["dropout 1", "half"] == frame.loc["dense 1", "half"]
    assert frame.loc["dense 1", "text"] == "400 units · relu"
    assert frame.loc["dropout 1", "text"] == "dropout 0.4"


def test_dropout_is_a_dashed_outline_and_pictures_side_by_side_share_a_height() -> None:
    short = architecture_chart(architecture_frame(PRESETS["readme/model_1"].config.model), "#111111", rows=6).to_dict()
    tall = architecture_chart(architecture_frame(TWO), "#222222", rows=6).to_dict()
    assert short["height"] == tall["height"]
    assert not any(layer["mark"].get("strokeDash") for layer in short["layer"])
    assert any(layer["mark"].get("strokeDash") for layer in tall["layer"])


def test_every_layer_with_parameters_says_how_many() -> None:
    chart = architecture_chart(architecture_frame(PRESETS["notebook/model_1"].config.model), "#111111").to_dict()
    texts = [rows for rows in chart["datasets"].values() if rows and "count" in rows[0]]
    shown = {row["count"] for rows in texts for row in rows if row["parameters"]}
    assert shown == {"50,240 parameters", "4,160 parameters", "650 parameters"}


def test_every_layer_of_the_picture_hides_the_same_axes() -> None:
    """Vega-Lite fails on a layer without an axis next to layers that hide theirs; the picture was empty for it."""
    for layer in architecture_chart(architecture_frame(TWO), "#222222").to_dict()["layer"]:
        assert layer["encoding"]["x"]["axis"] is None
        assert layer["encoding"]["y"]["axis"] is None


def test_the_description_goes_from_input_to_output() -> None:
    text = described(architecture_frame(ONE), "model_1")
    assert text.index("784 pixels") < text.index("64 units") < text.index("10 classes")


def test_a_convolutional_network_is_drawn_with_its_shapes() -> None:
    cnn = PRESETS["coursera/cnn"].config.model
    frame = architecture_frame(cnn).set_index("layer")
    assert frame.loc["conv 1", "text"] == "24×24×24 · conv 5×5, no padding, relu"
    assert frame.loc["pool 2", "text"] == "12×12×24 · max of 2×2"
    assert frame.loc["flatten", "text"] == "768 in a row"
    assert frame.loc["conv 1", "half"] == 0.5
    chart = architecture_chart(frame.reset_index(), "#111111")
    assert vl_convert.vegalite_to_vega(chart.to_dict())["marks"]
    counted = parameter_frame([LabelledModel("a", "cnn", cnn)])
    assert counted["parameters"].sum() == 129_194


def test_both_pictures_compile_in_vega() -> None:
    frame = parameter_frame([LabelledModel("a", "model_1", ONE), LabelledModel("b", "model_2", TWO)])
    for chart in (
        architecture_chart(architecture_frame(ONE), "#111111"),
        parameter_chart(frame, {"a": "#111111", "b": "#222222"}),
    ):
        assert vl_convert.vegalite_to_vega(chart.to_dict())["marks"]


def test_each_layer_of_a_bar_has_an_opacity_of_its_own_and_a_name_that_can_be_read_on_it() -> None:
    frame = parameter_frame([LabelledModel("a", "model_1", ONE), LabelledModel("b", "model_2", TWO)])
    vega = vl_convert.vegalite_to_vega(parameter_chart(frame, {"a": "#0072B2", "b": "#E69F00"}).to_dict())
    scale = next(scale for scale in vega["scales"] if scale["name"] == "opacity")
    assert (
        scale["type"] == "ordinal"
    )  # a point scale would take the first and the last of the range, and what is between
    assert scale["range"][:3] == [1.0, 0.75, 0.55]
    rows = [row for data in vega["data"] for row in data.get("values", []) if "ink" in row]
    assert rows
    for row in rows:
        fill = over({"a": "#0072B2", "b": "#E69F00"}[row["run"]], scale["range"][row["order"] - 1], "#FFFFFF")
        assert contrast(row["ink"], fill) >= 4.5


def test_the_text_of_every_layer_has_room_in_its_block_in_a_column_of_three() -> None:
    models = [preset.config.model for preset in PRESETS.values()]
    widest = max(math.prod(row.output_shape) for model in models for row in model.layer_table())
    for model in models:
        for row in architecture_frame(model, widest).to_dict("records"):
            # a column is 370 pixels wide at 1280, and bold text of 13 pixels takes 6.6 a character
            assert 6.6 * len(row["text"]) + 8 < 2 * row["half"] * 370 / 1.04, row["text"]
