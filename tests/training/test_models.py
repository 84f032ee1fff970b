from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers import ConvLayer, DenseLayer, PoolLayer
from mnist_core.experiments.presets import PRESETS
from mnist_core.training.models import backend, build_model, not_importable, predict, trained_model

CONVOLUTIONAL = ModelConfig(
    layers=(
        ConvLayer(filters=3, batch_norm=True, dropout=0.1, l2=1e-3),
        PoolLayer(dropout=0.2),
        ConvLayer(filters=4, kernel=4, padding="valid", activation="gelu"),
        PoolLayer(pooling="average", size=3),
        DenseLayer(units=7, dropout=0.5),
    )
)
SMALL = ModelConfig(layers=(DenseLayer(units=12, dropout=0.3, l2=1e-3), DenseLayer(units=8, activation="tanh")))


def test_importing_the_modules_does_not_import_tensorflow():
    code = "import sys\nfrom mnist_core.training import models, train\nprint({'tensorflow', 'keras'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_another_backend_of_keras_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(backend().keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match=r"Keras runs on jax .* KERAS_BACKEND=tensorflow"):
        build_model(SMALL)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_the_parameters_that_keras_counts(name: str):
    preset = PRESETS[name]
    assert build_model(preset.config.model).count_params() == preset.parameters == preset.config.model.parameter_count()


@pytest.mark.parametrize("config", [SMALL, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_layers_have_the_names_and_sizes_of_the_layer_table(config: ModelConfig):
    model, table = build_model(config), config.layer_table()
    assert [layer.name for layer in model.layers] == [row.name for row in table]
    assert [layer.count_params() for layer in model.layers] == [row.parameters for row in table]
    assert [layer.output.shape[1:] for layer in model.layers] == [row.output_shape for row in table]


def test_equal_seeds_give_equal_weights_whatever_was_built_before():
    first = build_model(SMALL, seed=3).get_weights()
    build_model(SMALL, seed=4)
    again = build_model(SMALL, seed=3).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_layers_and_seeds_do_not_share_their_draws():
    square = ModelConfig(layers=(DenseLayer(units=10), DenseLayer(units=10)))
    one, two = build_model(square, seed=0).get_weights(), build_model(square, seed=1).get_weights()
    assert not np.array_equal(one[2], one[4])
    assert not np.array_equal(one[0], two[0])


def test_building_a_model_leaves_the_global_random_states_alone():
    import random

    def state() -> str:
        return f"{random.getstate()} {np.random.get_state()[1].tolist()}"  # noqa: NPY002

    before = state()
    build_model(SMALL)
    assert state() == before


@pytest.mark.parametrize("config", [SMALL, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_a_saved_model_is_plain_keras_and_predicts_the_same(tmp_path: Path, config: ModelConfig):
    model = build_model(config, seed=1)
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    probabilities = predict(trained_model(config, tmp_path / "model.keras"), images)
    assert probabilities.shape == (5, 10)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities, predict(model, images))
    loaded = backend().keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(probabilities, predict(loaded, images))


def test_packages_cannot_be_imported_for_a_while_and_then_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with not_importable("colorsys", "json"):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("json").dumps(1) == "1", "what was imported before stays"
    assert importlib.import_module("colorsys")
