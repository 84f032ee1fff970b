"""What every kind of layer keeps: its parts, its step in NumPy and its code are Keras's."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import numpy as np
import pytest

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers import LAYER_KINDS, HiddenLayer, Layer
from mnist_core.training.models import backend, build_model

PIXELS, ROW = (9, 9, 3), (20,)
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "dense": [{"units": 7}, {"units": 5, "activation": "gelu", "dropout": 0.3, "l2": 0.01}],
    "conv": [
        {"filters": 4, "kernel": 3},
        {"filters": 2, "kernel": 4, "padding": "valid", "activation": "tanh", "dropout": 0.2, "l2": 0.1},
        {"filters": 3, "kernel": 2, "batch_norm": True, "activation": "elu"},
    ],
    "pool": [{"pooling": "max", "size": 2}, {"pooling": "average", "size": 4, "dropout": 0.1}],
    "flatten": [{}],
    "global_average": [{}],
}
EACH = [LAYER_KINDS[kind].model_validate(sample) for kind, samples in SAMPLES.items() for sample in samples]


def shape_for(layer: HiddenLayer) -> tuple[int, ...]:
    return ROW if layer.place == "row" else PIXELS


def built(layer: HiddenLayer) -> Any:
    """A Keras model of the layer alone, with weights drawn at random."""
    keras = backend().keras
    stack = [keras.layers.Input(shape_for(layer))]
    for part in layer.parts(shape_for(layer)):
        options = dict(part.keras.options)
        if part.keras.l2:
            options["kernel_regularizer"] = keras.regularizers.L2(part.keras.l2)
        stack.append(getattr(keras.layers, part.keras.name)(*part.keras.positional, **options))
    model = keras.Sequential(stack)
    generator = np.random.default_rng(2)
    model.set_weights([np.abs(generator.normal(0, 0.3, weight.shape)) + 0.1 for weight in model.get_weights()])
    return model


def test_every_kind_has_samples_here_and_is_one_file() -> None:
    assert set(SAMPLES) == set(LAYER_KINDS)
    assert set(LAYER_KINDS.values()) == set(get_args(get_args(Layer)[0]))
    files = [inspect.getfile(kind) for kind in LAYER_KINDS.values()]
    assert len(set(files)) == len(files)


def test_each_layer_of_a_keras_file_is_read_by_one_kind_alone() -> None:
    names = [name for kind in LAYER_KINDS.values() for name in kind.reads]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("kind", LAYER_KINDS.values(), ids=LAYER_KINDS)
def test_every_kind_and_every_setting_has_a_name_and_an_explanation(kind: type[HiddenLayer]) -> None:
    assert kind.label
    assert kind.about.endswith(".")
    for name, field in kind.model_fields.items():
        if name != "kind":
            assert field.title, name
            assert (field.description or "").endswith("."), name


@pytest.mark.parametrize("layer", EACH, ids=repr)
def test_shapes_and_parameters_are_those_of_keras(layer: HiddenLayer) -> None:
    model, parts = built(layer), layer.parts(shape_for(layer))
    assert [part.output_shape for part in parts] == [keras.output.shape[1:] for keras in model.layers]
    assert [part.parameters for part in parts] == [keras.count_params() for keras in model.layers]
    fixed = [sum(int(np.prod(weight.shape)) for weight in keras.non_trainable_weights) for keras in model.layers]
    # the state of a dropout's random numbers is no parameter
    assert [part.fixed for part in parts if part.kind != "dropout"] == [
        count for count, part in zip(fixed, parts, strict=True) if part.kind != "dropout"
    ]


@pytest.mark.parametrize("layer", EACH, ids=repr)
def test_the_step_in_numpy_is_that_of_keras(layer: HiddenLayer) -> None:
    model = built(layer)
    values = np.random.default_rng(3).normal(size=(6, *shape_for(layer))).astype(np.float32)
    expected = model(values, training=False).numpy()
    found = values
    for part, keras in zip(layer.parts(shape_for(layer)), model.layers, strict=True):
        weights = keras.get_weights() if part.weights else []
        assert [weight.shape for weight in weights] == list(part.weights)
        if part.step is not None:
            found = part.step(*weights)(found)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", EACH, ids=repr)
def test_its_lines_of_code_make_the_same_layers(layer: HiddenLayer) -> None:
    keras = backend().keras
    for part, made in zip(layer.parts(shape_for(layer)), built(layer).layers, strict=True):
        written = eval(part.keras.code(), {"keras": keras})
        written.build(made.input.shape)  # some layers resolve their axis then
        ours, theirs = made.get_config(), written.get_config()
        assert {**ours, "name": "", "seed": None} == {**theirs, "name": "", "seed": None}


@pytest.mark.parametrize("layer", [layer for layer in EACH if layer.place == "pixels"], ids=repr)
def test_it_refuses_pictures_that_are_too_small_and_only_those(layer: HiddenLayer) -> None:
    for side in range(1, 10):
        after = layer.side_after(side)
        assert (layer.misfit(side) is None) == (after >= 1)
        if after >= 1:
            assert layer.parts((side, side, 1))[0].output_shape[0] == after


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_it_can_be_part_of_a_network(kind: str) -> None:
    layers = [{"kind": kind}] if kind in ("dense", "conv", "pool") else [{"kind": "conv"}, {"kind": kind}]
    model = ModelConfig.model_validate({"layers": layers})
    assert build_model(model).count_params() == model.parameter_count()


def test_values_without_names_are_the_sizes() -> None:
    dense, conv = LAYER_KINDS["dense"], LAYER_KINDS["conv"]
    assert dense(64) == dense(units=64)  # type: ignore[call-arg]
    assert conv(8, 5) == conv(filters=8, kernel=5)  # type: ignore[call-arg]
    assert ModelConfig(layers=[64, 32]) == ModelConfig(layers=(dense(64), dense(32)))  # type: ignore
    with pytest.raises(ConfigError, match="2 values without a name; give at most 1"):
        dense(64, 0.2)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="units twice: 64 and 32"):
        dense(64, units=32)  # type: ignore[call-arg]


def test_a_wrong_value_is_a_configuration_error_with_value_limit_and_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"units: .*greater than or equal to 1 \(given: 0\)"):
        LAYER_KINDS["dense"](units=0)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match=r"lr: there is no such field.*it has .*activation"):
        LAYER_KINDS["dense"](lr=0.1)  # type: ignore[call-arg]
