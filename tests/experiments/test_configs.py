"""Configurations: bounds, identity, changing values by path, and parameter counts that equal Keras's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    PlateauSchedule,
    RunConfig,
    StepSchedule,
    TrainingConfig,
    parse_config,
    with_values,
)
from mnist_core.experiments.fields import Bounds, bounds, flatten
from mnist_core.experiments.layers import (
    ACTIVATIONS,
    ConvLayer,
    DenseLayer,
    FlattenLayer,
    GlobalAverageLayer,
    PoolLayer,
)

layers = st.builds(
    DenseLayer,
    units=st.integers(1, 300),
    activation=st.sampled_from(ACTIVATIONS),
    dropout=st.floats(0, 0.9),
    l2=st.floats(0, 1),
)
dense_models = st.builds(ModelConfig, layers=st.lists(layers, min_size=1, max_size=6).map(tuple))


@st.composite
def convolutional_models(draw: st.DrawFn) -> ModelConfig:
    """Any layers that fit each other: convolutions and poolings, a flatten or mean or none, dense layers or none."""
    found: list[object] = []
    side = 28
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()) or side < 2:
            padding = draw(st.sampled_from(["same", "valid"]))
            kernel = draw(st.integers(1, 7 if padding == "same" else min(7, side)))
            side -= 0 if padding == "same" else kernel - 1
            found.append(
                ConvLayer(
                    filters=draw(st.integers(1, 9)),
                    kernel=kernel,
                    padding=padding,
                    activation=draw(st.sampled_from(ACTIVATIONS)),
                    batch_norm=draw(st.booleans()),
                    dropout=draw(st.sampled_from([0.0, 0.25])),
                    l2=draw(st.sampled_from([0.0, 0.01])),
                )
            )
        else:
            size = draw(st.integers(2, min(7, side)))
            side //= size
            found.append(PoolLayer(pooling=draw(st.sampled_from(["max", "average"])), size=size))
    found += draw(st.sampled_from([[], [FlattenLayer()], [GlobalAverageLayer()]]))
    found += draw(st.lists(st.builds(DenseLayer, units=st.integers(1, 40), dropout=st.floats(0, 0.9)), max_size=2))
    return ModelConfig(layers=tuple(found))


models = dense_models | convolutional_models()


@given(models)
@settings(max_examples=40)
def test_the_layer_table_equals_that_of_keras_for_any_model(model: ModelConfig) -> None:
    from mnist_core.training.models import build_model

    built, table = build_model(model, seed=0), model.layer_table()
    assert built.count_params() == model.parameter_count()
    trained = sum(variable.value.shape.num_elements() for variable in built.trainable_variables)
    assert trained == sum(row.parameters - row.fixed for row in table)
    assert [layer.name for layer in built.layers] == [row.name for row in table]
    assert [layer.output.shape[1:] for layer in built.layers] == [row.output_shape for row in table]
    assert [layer.count_params() for layer in built.layers] == [row.parameters for row in table]


@given(models)
@settings(max_examples=50)
def test_a_configuration_survives_json(model: ModelConfig) -> None:
    config = RunConfig(model=model)
    assert parse_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("training.learning_rate", 0, "greater than or equal to 0.0000001 (given: 0)"),
        ("training.learning_rate", float("nan"), "finite"),
        ("training.epochs", 501, "less than or equal to 500 (given: 501)"),
        ("training.optimizer", "adamw", "'rmsprop', 'adam' or 'sgd'"),
        ("training.momentum", 0.5, "no effect with rmsprop"),
        ("training.validation", {"source": "held_out"}, "either a count or a fraction"),
        ("training.early_stopping", {"patience": 0}, "greater than or equal to 1"),
        ("model.layers.0.dropout", 0.95, "less than or equal to 0.9"),
        ("model.layers.0.units", 2049, "less than or equal to 2048"),
        ("model.layers", [], "at least 1 item"),
        ("model.layers", [{"units": 8}] * 13, "at most 12 items"),
        ("model.layers", [{"kind": "conv", "kernel": 8}], "layers.0.kernel: Input should be less than or equal to 7"),
        ("model.layers", [{"kind": "attention"}], "'dense', 'conv', 'pool', 'flatten', 'global_average'"),
        ("training.augmentation", {"shift": 0}, "an augmentation of nothing; set shift, rotation or zoom"),
        ("training.augmentation", {"rotation": 46}, "less than or equal to 45"),
        ("training.schedule", {"kind": "linear"}, "'step', 'cosine', 'plateau'"),
        ("training.schedule", {"kind": "step", "factor": 1}, "less than or equal to 0.99 (given: 1)"),
        ("training.label_smoothing", 0.6, "less than or equal to 0.5 (given: 0.6)"),
        ("dataset.name", "../etc", "should match pattern"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_its_path_value_and_limit(
    small_config: RunConfig, path: str, value: object, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        with_values(small_config, {path: value})
    assert says in str(caught.value)
    assert str(caught.value).startswith(path.split(".")[0])


CONV, POOL, DENSE, FLATTEN = {"kind": "conv"}, {"kind": "pool"}, {"kind": "dense"}, {"kind": "flatten"}
MEAN = {"kind": "global_average"}


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (
            [DENSE, CONV],
            "layer 2 (conv) needs pixels in their places, but layer 1 (dense) has put them in a row; move it",
        ),
        ([CONV, FLATTEN, POOL], "layer 3 (pool) needs pixels in their places, but layer 2 (flatten)"),
        ([CONV, MEAN, FLATTEN], "layer 3 (flatten) has nothing to do, as layer 2 (global average) has put"),
        ([CONV, DENSE, FLATTEN], "layer 3 (flatten) has nothing to do, as layer 2 (dense) has put"),
        ([FLATTEN, DENSE], "layer 1 (flatten) needs a convolution or pooling before it; leave it out"),
        (
            [POOL] * 5,
            "layer 5 (pool) leaves no pixels: its 2×2 window does not fit into the 1×1 that reach it; pool less",
        ),
        (
            [{"kind": "pool", "size": 7}, {"kind": "conv", "kernel": 5, "padding": "valid"}],
            "layer 2 (conv) leaves no pixels: its 5×5 window does not fit into the 4×4 that reach it; use padding same",
        ),
        (
            [{"kind": "conv", "filters": 256}, {"units": 2048}],
            "411,066,890 parameters, and at most 50,000,000 are allowed; pool more",
        ),
    ],
)
def test_layers_that_do_not_fit_each_other_are_refused_with_the_remedy(
    small_config: RunConfig, layers: list[dict[str, object]], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        with_values(small_config, {"model.layers": layers})
    assert says in str(caught.value)


def test_a_flatten_may_be_left_out() -> None:
    stated = ModelConfig(layers=(ConvLayer(filters=3), FlattenLayer(), DenseLayer(units=5)))
    implied = ModelConfig(layers=(ConvLayer(filters=3), DenseLayer(units=5)))
    assert [row[1:6] for row in stated.layer_table()] == [row[1:6] for row in implied.layer_table()]
    alone = ModelConfig(layers=(PoolLayer(size=7),))
    assert [row.kind for row in alone.layer_table()] == ["image", "pool", "flatten", "dense"]


def test_the_work_for_an_image_counts_a_convolutions_weights_at_every_pixel() -> None:
    assert ModelConfig(layers=(DenseLayer(units=64),)).operations() == 50_890
    model = ModelConfig(layers=(ConvLayer(filters=8, kernel=5, padding="valid"), GlobalAverageLayer()))
    assert model.operations() == 24 * 24 * 8 * 26 + 90


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("training.rate", "training has no field 'rate'; it has epochs, optimizer, momentum, learning_rate"),
        ("model.layers.5.units", "model.layers has items 0 to 0, not '5'"),
        ("training.early_stopping.patience", "early_stopping is not set"),
        ("nothing", "the configuration has no field 'nothing'; it has model, training, dataset"),
    ],
)
def test_an_unknown_path_is_refused_naming_what_there_is(small_config: RunConfig, path: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        with_values(small_config, {path: 1})


def test_values_are_replaced_by_path(small_config: RunConfig) -> None:
    changed = with_values(small_config, {"model.layers.0.dropout": 0.5, "training.early_stopping": {"patience": 4}})
    assert changed.model.layers[0].dropout == 0.5
    assert changed.training.early_stopping == EarlyStopping(patience=4)
    assert changed == small_config.replace(model__layers__0__dropout=0.5, training__early_stopping={"patience": 4})


def test_configurations_are_frozen(small_config: RunConfig) -> None:
    with pytest.raises(ValidationError):
        small_config.training.epochs = 99  # type: ignore[misc]


def test_identity_is_that_of_content_and_data(small_config: RunConfig) -> None:
    same = parse_config(small_config.model_dump(mode="json"))
    assert same.run_id("data") == small_config.run_id("data")
    assert small_config.run_id("data") != small_config.run_id("other data")
    assert small_config.run_id("data") != small_config.replace(training__seed=1).run_id("data")


def test_identity_is_pinned_so_that_stored_runs_stay_found() -> None:
    config = RunConfig(model=ModelConfig(layers=(DenseLayer(dropout=0.2), DenseLayer(dropout=0.2))))
    assert config.run_id("x") == "8581dee97162"


def test_what_came_later_changes_the_identity_only_where_it_is_set(small_config: RunConfig) -> None:
    written = json.loads(small_config.canonical_json())["training"]
    assert not {"augmentation", "schedule", "label_smoothing"} & set(written)
    for field, value in {
        "augmentation": {"shift": 1},
        "schedule": {"kind": "cosine"},
        "label_smoothing": 0.1,
    }.items():
        changed = with_values(small_config, {f"training.{field}": value})
        assert field in json.loads(changed.canonical_json())["training"]
        assert changed.run_id("x") != small_config.run_id("x")
        assert parse_config(json.loads(changed.canonical_json())) == changed


def test_a_configuration_written_before_there_were_convolutions_is_the_same_run(small_config: RunConfig) -> None:
    old = json.loads(small_config.canonical_json())
    assert parse_config(old) == small_config
    del old["model"]["layers"][0]["kind"]
    assert parse_config(old).run_id("x") == small_config.run_id("x")


def test_a_schedule_says_the_rate_of_each_epoch() -> None:
    step = StepSchedule(factor=0.1, every=2)
    assert [round(step.rate(0.5, epoch, 5), 9) for epoch in (1, 2, 3, 4, 5)] == [0.5, 0.5, 0.05, 0.05, 0.005]
    cosine = CosineSchedule(final=0.1)
    assert cosine.rate(2.0, 1, 10) == 2.0
    assert cosine.rate(2.0, 6, 10) == pytest.approx(2.0 * 0.55)
    assert cosine.rate(2.0, 11, 10) == pytest.approx(0.2)
    assert PlateauSchedule().min_rate == 0.0


def test_an_augmentation_is_summarised() -> None:
    assert Augmentation(shift=2, zoom=0.1).summary() == "shift 2 px, zoom 10 %"


def test_bounds_are_readable_for_sliders() -> None:
    assert bounds(DenseLayer, "dropout") == Bounds(0.0, 0.9)
    assert bounds(TrainingConfig, "epochs") == Bounds(1, 500)
    assert bounds(ModelConfig, "layers") == Bounds(1, 12)
    assert bounds(ConvLayer, "kernel") == Bounds(1, 7)
    assert bounds(HeldOutValidation, "count") == Bounds(10, 50_000)


@pytest.mark.parametrize(("count", "images", "fits"), [(10, 20, True), (11, 20, False), (50_000, 60_000, True)])
def test_a_held_out_part_leaves_images_on_both_sides(count: int, images: int, fits: bool) -> None:
    validation = HeldOutValidation(count=count)
    if fits:
        assert validation.size(images) == count
    else:
        with pytest.raises(ConfigError, match="hold out between 10 and 10"):
            validation.size(images)


def test_a_fraction_is_rounded_to_images() -> None:
    assert HeldOutValidation(fraction=0.2).size(1442) == 288


def test_flatten_gives_dotted_paths(small_config: RunConfig) -> None:
    flat = flatten(small_config)
    assert flat["model.layers.0.units"] == 16
    assert flat["training.validation.source"] == "test"


def test_a_model_is_summarised_in_one_line() -> None:
    model = ModelConfig(layers=(DenseLayer(units=64, dropout=0.5, l2=1e-4), DenseLayer(units=16, l2=1e-4)))
    assert model.summary() == "64-16 relu, dropout 0.5/0, L2 0.0001"
    convolutional = ModelConfig(
        layers=(ConvLayer(filters=8), ConvLayer(filters=16, batch_norm=True), PoolLayer(dropout=0.25), DenseLayer())
    )
    assert convolutional.summary() == "conv 8-16, pool, dense 64 relu, dropout 0.25, batch norm"
    assert ModelConfig(layers=(PoolLayer(), GlobalAverageLayer())).summary() == "pool, global average"
