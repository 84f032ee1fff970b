"""Configurations: bounds, identity, changing values by path, and parameter counts that equal Keras's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mnist_core.configs import (
    ACTIVATIONS,
    Bounds,
    DenseLayer,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    bounds,
    flatten,
    parse_config,
    with_values,
)
from mnist_core.errors import ConfigError

layers = st.builds(
    DenseLayer,
    units=st.integers(1, 300),
    activation=st.sampled_from(ACTIVATIONS),
    dropout=st.floats(0, 0.9),
    l2=st.floats(0, 1),
)
models = st.builds(ModelConfig, layers=st.lists(layers, min_size=1, max_size=6).map(tuple))


@given(models)
@settings(max_examples=15, deadline=None)
def test_the_parameter_count_equals_that_of_keras_for_any_model(model: ModelConfig) -> None:
    from mnist_core.models import build_model

    built = build_model(model, seed=0)
    assert built.count_params() == model.parameter_count()
    by_name = {layer.name: layer.count_params() for layer in built.layers}
    assert [by_name[row.name] for row in model.layer_table() if row.kind == "dense"] == [
        row.parameters for row in model.layer_table() if row.kind == "dense"
    ]


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
        ("model.layers", [{"units": 8}] * 7, "at most 6 items"),
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


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("training.rate", "training has no field 'rate'; it has optimizer, momentum, learning_rate"),
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


def test_bounds_are_readable_for_sliders() -> None:
    assert bounds(DenseLayer, "dropout") == Bounds(0.0, 0.9)
    assert bounds(TrainingConfig, "epochs") == Bounds(1, 500)
    assert bounds(ModelConfig, "layers") == Bounds(1, 6)
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
