"""The forward pass in NumPy gives what Keras gives, for every kind of layer, activation and padding."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import StoreError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.inspection.numpy_network import dense_weights, load_network, switchable
from mnist_core.training.models import backend, build_model, predict

MODELS: dict[str, list[dict[str, Any]]] = {
    "dense, each activation": [
        {"units": 32, "activation": name, "dropout": 0.3} for name in ("relu", "elu", "tanh", "gelu", "sigmoid")
    ],
    "convolutions, batch norm, max pool, implied flatten": [
        {"kind": "conv", "filters": 5, "kernel": 3, "batch_norm": True, "activation": "elu", "dropout": 0.2},
        {"kind": "conv", "filters": 4, "kernel": 4, "padding": "same", "activation": "gelu"},
        {"kind": "pool", "pooling": "max", "size": 3, "dropout": 0.1},
        {"kind": "conv", "filters": 6, "kernel": 5, "padding": "valid", "activation": "tanh", "l2": 0.1},
        {"kind": "dense", "units": 8, "activation": "sigmoid"},
    ],
    "average pool, global average": [
        {"kind": "conv", "filters": 7, "kernel": 2, "padding": "valid", "batch_norm": True},
        {"kind": "pool", "pooling": "average", "size": 2},
        {"kind": "global_average"},
    ],
    "flatten": [{"kind": "conv", "filters": 3, "kernel": 1}, {"kind": "flatten"}, {"kind": "dense", "units": 9}],
}


@pytest.fixture
def images() -> np.ndarray:
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 2, (21, 4, 4)).repeat(7, 1).repeat(7, 2)  # large enough to survive an average
    return (patterns * generator.integers(100, 256, (21, 28, 28))).astype(np.uint8)


def with_any_weights(model: Any) -> Any:
    """The model with all weights drawn at random, biases and moving statistics too, which begin at 0 and 1."""
    generator = np.random.default_rng(1)
    model.set_weights([np.abs(generator.normal(0, 0.3, weight.shape)) + 0.05 for weight in model.get_weights()])
    for layer in model.layers:
        if layer.name.startswith(("dense", "conv", "output")):
            layer.set_weights([generator.normal(0, 0.25, weight.shape) for weight in layer.get_weights()])
    return model


@pytest.mark.parametrize("layers", MODELS.values(), ids=MODELS)
def test_numpy_and_keras_agree(layers: list[dict[str, Any]], images: np.ndarray, tmp_path: Path) -> None:
    config = ModelConfig(layers=tuple(layers))
    model = with_any_weights(build_model(config))
    model.save(tmp_path / "model.keras")
    network = load_network(config, tmp_path / "model.keras")
    expected = predict(model, images)
    assert expected.std(axis=0).max() > 100 * 1e-5  # the images differ by much more than the tolerance
    np.testing.assert_allclose(network.probabilities(images), expected, atol=1e-5)
    keras = backend().keras
    before_output = keras.Model(model.inputs, model.layers[-1].input)
    hidden = before_output([images.astype(np.float32) / 255], training=False).numpy()
    np.testing.assert_allclose(network.hidden(images), hidden.reshape(len(images), -1), rtol=1e-4, atol=1e-4)
    # in blocks, and one image alone, it is the same
    small = network._replace(block=4)
    np.testing.assert_allclose(small.probabilities(images), expected, atol=1e-5)
    np.testing.assert_allclose(network.probabilities(images[:1]), expected[:1], atol=1e-5)


def test_a_difference_of_logits_is_the_log_of_the_ratio_of_probabilities(images: np.ndarray, tmp_path: Path) -> None:
    config = ModelConfig(layers=({"units": 16},))
    with_any_weights(build_model(config)).save(tmp_path / "model.keras")
    network = load_network(config, tmp_path / "model.keras")
    logits, probabilities = network.logits(images), network.probabilities(images)
    np.testing.assert_allclose(
        logits[:, 3] - logits[:, 7], np.log(probabilities[:, 3] / probabilities[:, 7]), atol=1e-3
    )


def test_damaged_files_and_other_networks_are_refused_in_words(tmp_path: Path) -> None:
    config = ModelConfig(layers=({"units": 16},))
    path = tmp_path / "model.keras"
    build_model(config).save(path)
    with pytest.raises(StoreError, match=r"dense_1 has other weights.*train it again"):
        load_network(ModelConfig(layers=({"units": 17},)), path)
    with pytest.raises(StoreError, match="cannot be read"):
        load_network(ModelConfig(layers=({"units": 16}, {"units": 16}, {"units": 16})), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(StoreError, match="cannot be read"):
        load_network(config, path)


@pytest.mark.parametrize("layers", MODELS.values(), ids=MODELS)
def test_a_neuron_that_is_switched_off_is_one_whose_weights_to_the_next_layer_are_zero(
    layers: list[dict[str, Any]], images: np.ndarray, tmp_path: Path
) -> None:
    config = ModelConfig(layers=tuple(layers))
    model = with_any_weights(build_model(config))
    model.save(tmp_path / "model.keras")
    network = load_network(config, tmp_path / "model.keras")
    found = switchable(config)
    weighty = [layer for layer in layers if layer.get("kind", "dense") in ("dense", "conv")]
    assert [item.units for item in found] == [layer.get("units", layer.get("filters")) for layer in weighty]
    for item in found:
        values = network._run(images, network.without({item.step: [0, item.units - 1]}).steps[: item.step + 1])
        untouched = network._run(images, network.steps[: item.step + 1])
        assert not values[..., [0, item.units - 1]].any()
        np.testing.assert_array_equal(values[..., 1:-1], untouched[..., 1:-1])
    if layers[-1].get("kind", "dense") == "dense":
        last = found[-1]
        kernel, bias = model.layers[-1].get_weights()
        kernel[0] = 0
        model.layers[-1].set_weights([kernel, bias])
        np.testing.assert_allclose(
            network.without({last.step: [0]}).probabilities(images), predict(model, images), atol=1e-5
        )


def test_the_weights_of_a_dense_net_are_those_of_keras_and_a_convolution_has_none_of_that_form(tmp_path: Path) -> None:
    config = ModelConfig(layers=tuple(MODELS["dense, each activation"]))
    model = with_any_weights(build_model(config))
    model.save(tmp_path / "model.keras")
    found = dense_weights(config, tmp_path / "model.keras")
    assert found is not None
    assert [layer.activation for layer in found] == ["relu", "elu", "tanh", "gelu", "sigmoid", None]
    expected = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    for layer, (kernel, bias) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(layer.kernel, kernel)
        np.testing.assert_array_equal(layer.bias, bias)
    convolution = ModelConfig(layers=tuple(MODELS["flatten"]))
    assert dense_weights(convolution, tmp_path / "not read") is None
