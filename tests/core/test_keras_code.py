"""The generated script is run, and what it built is compared with what mnist_core builds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_core.configs import (
    DatasetConfig,
    DenseLayer,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    RunConfig,
    TrainingConfig,
)
from mnist_core.datasets import Catalog
from mnist_core.keras_code import keras_code
from mnist_core.models import build_model
from mnist_core.presets import PRESETS

SETTINGS = ("units", "activation", "rate", "kernel_regularizer", "target_shape", "batch_shape")

CASES = {
    "plain": RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=12, dropout=0.2), DenseLayer(units=7, activation="tanh"))),
        training=TrainingConfig(epochs=1, batch_size=256),
    ),
    "everything": RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=9, activation="gelu", dropout=0.35, l2=1e-3),)),
        training=TrainingConfig(
            optimizer="sgd",
            momentum=0.9,
            learning_rate=0.05,
            batch_size=300,
            epochs=2,
            validation=HeldOutValidation(count=200),
            early_stopping=EarlyStopping(patience=3, min_delta=0.01, restore_best=False),
            seed=4,
        ),
    ),
    "fraction": RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=8),)),
        training=TrainingConfig(
            optimizer="adam", epochs=1, batch_size=512, validation=HeldOutValidation(fraction=0.25)
        ),
    ),
}


def executed(config: RunConfig) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(keras_code(config), "<generated>", "exec"), names)
    return names


def settings(model: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (type(layer).__name__, {key: value for key, value in layer.get_config().items() if key in SETTINGS})
        for layer in model.layers
    ]


@pytest.mark.parametrize("name", CASES)
def test_the_script_builds_and_trains_the_same_network(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = CASES[name]
    found = executed(config)
    ours = build_model(config.model)
    assert found["model"].count_params() == config.model.parameter_count() == ours.count_params()
    assert settings(found["model"]) == settings(ours)
    optimizer = found["model"].optimizer
    assert type(optimizer).__name__.lower() == config.training.optimizer
    assert float(optimizer.learning_rate.numpy()) == pytest.approx(config.training.learning_rate)
    assert float(getattr(optimizer, "momentum", 0.0)) == config.training.momentum
    assert found["history"].params["epochs"] == config.training.epochs
    assert len(found["history"].history["val_loss"]) == config.training.epochs
    assert np.isfinite(found["test_loss"])
    assert "test accuracy" in capsys.readouterr().out


def test_early_stopping_and_held_out_images_are_those_of_the_configuration() -> None:
    found = executed(CASES["everything"])
    stopping = found["early_stopping"]
    assert (stopping.patience, abs(stopping.min_delta), stopping.restore_best_weights) == (3, 0.01, False)
    assert len(found["x_val"]) == 200
    share = np.bincount(found["y_val"], minlength=10)
    assert share.min() >= 18  # drawn by class


def test_digits_are_the_images_that_mnist_core_trains_on(tmp_path: Any) -> None:
    found = executed(CASES["plain"])
    ours = Catalog(tmp_path).load("digits")
    for part in ("x_train", "x_test"):
        np.testing.assert_allclose(found[part] * 255, getattr(ours, part), atol=0.51)
    np.testing.assert_array_equal(found["y_test"], ours.y_test)


def test_the_mnist_script_scales_pixels_and_validates_on_the_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    rng = np.random.default_rng(0)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, 256, (count, 28, 28)).astype(np.uint8), (np.arange(count) % 10).astype(np.uint8)

    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: (images(300), images(50)))
    preset = PRESETS["notebook/model_1"].config
    found = executed(preset.replace(training__epochs=1))
    assert found["model"].count_params() == 55_050
    assert found["x_train"].max() <= 1.0
    assert found["history"].params["steps"] == 3
    assert len(found["history"].history["val_accuracy"]) == 1


def test_a_registered_dataset_is_read_from_its_file() -> None:
    config = CASES["plain"].model_copy(update={"dataset": DatasetConfig(name="fashion")})
    assert 'np.load("fashion.npz")' in keras_code(config)


def test_a_continuation_starts_from_its_parents_weights(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parent = build_model(CASES["plain"].model, seed=9)
    parent.save("run-0123456789ab.keras")
    config = CASES["plain"].replace(parent="0123456789ab", training__learning_rate=1e-7)
    for ours, theirs in zip(executed(config)["model"].get_weights(), parent.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_code_that_compiles(name: str) -> None:
    text = keras_code(PRESETS[name].config)
    compile(text, name, "exec")
    assert "#" not in text
    assert max(map(len, text.splitlines())) <= 110
