"""The generated script is run, and what it built is compared with what mnist_core builds."""

from __future__ import annotations

import contextlib
import io
from functools import cache
from typing import Any

import numpy as np
import pytest

from mnist_core.data.datasets import Catalog
from mnist_core.experiments.configs import (
    Augmentation,
    CosineSchedule,
    DatasetConfig,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    PlateauSchedule,
    RunConfig,
    StepSchedule,
    TrainingConfig,
)
from mnist_core.experiments.keras_code import keras_code
from mnist_core.experiments.layers import ConvLayer, DenseLayer, FlattenLayer, GlobalAverageLayer, PoolLayer
from mnist_core.experiments.presets import PRESETS
from mnist_core.training.models import build_model

SETTINGS = (
    *("units", "activation", "rate", "kernel_regularizer", "target_shape", "batch_shape"),
    *("filters", "kernel_size", "padding", "use_bias", "strides", "pool_size", "epsilon", "momentum"),
)

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
    "convolutional": RunConfig(
        model=ModelConfig(
            layers=(
                ConvLayer(filters=4, kernel=5, padding="valid", batch_norm=True, dropout=0.1),
                PoolLayer(size=3, dropout=0.2),
                ConvLayer(filters=3, activation="elu", l2=1e-3),
                PoolLayer(pooling="average"),
                DenseLayer(units=6),
            )
        ),
        training=TrainingConfig(
            epochs=3,
            batch_size=500,
            augmentation=Augmentation(shift=2, rotation=10, zoom=0.1),
            schedule=CosineSchedule(final=0.1),
            label_smoothing=0.1,
        ),
    ),
    "averaged": RunConfig(
        model=ModelConfig(layers=(PoolLayer(), ConvLayer(filters=5), GlobalAverageLayer())),
        training=TrainingConfig(
            epochs=2,
            batch_size=500,
            validation=HeldOutValidation(count=100),
            early_stopping=EarlyStopping(patience=2),
            schedule=PlateauSchedule(patience=1, cooldown=3, min_delta=0.01, factor=0.2, min_rate=1e-6),
            label_smoothing=0.2,
        ),
    ),
    "flattened": RunConfig(
        model=ModelConfig(layers=(PoolLayer(size=4), FlattenLayer(), DenseLayer(units=4))),
        training=TrainingConfig(epochs=3, batch_size=1000, schedule=StepSchedule(factor=0.1, every=2)),
    ),
    "augmented": RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=4),)),
        training=TrainingConfig(epochs=1, batch_size=1000, augmentation=Augmentation(rotation=30)),
    ),
}


def executed(config: RunConfig) -> dict[str, Any]:
    """Run the script; its names, with what it printed as `printed`."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(keras_code(config), "<generated>", "exec"), names)
    return names | {"printed": printed.getvalue()}


@cache
def case(name: str) -> dict[str, Any]:
    """As `executed`, once for each of the cases: they train, and no test changes them."""
    return executed(CASES[name])


def settings(model: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (type(layer).__name__, {key: value for key, value in layer.get_config().items() if key in SETTINGS})
        for layer in model.layers
        if not type(layer).__name__.startswith("Random")  # augmentation, which is no part of our models
    ]


@pytest.mark.parametrize("name", CASES)
def test_the_script_builds_and_trains_the_same_network(name: str) -> None:
    config, found = CASES[name], case(name)
    ours = build_model(config.model)
    assert found["model"].count_params() == config.model.parameter_count() == ours.count_params()
    skipped = 1 if name == "augmented" else 0  # the reshaping that Keras needs to augment
    assert settings(found["model"])[skipped:] == settings(ours)
    optimizer = found["model"].optimizer
    assert type(optimizer).__name__.lower() == config.training.optimizer
    assert found["history"].history.get("learning_rate", [float(optimizer.learning_rate.numpy())])[0] == pytest.approx(
        config.training.learning_rate
    )
    assert float(getattr(optimizer, "momentum", 0.0)) == config.training.momentum
    assert found["history"].params["epochs"] == config.training.epochs
    assert len(found["history"].history["val_loss"]) == config.training.epochs
    assert np.isfinite(found["test_loss"])
    assert "test accuracy" in found["printed"]


def test_augmentation_is_that_of_the_configuration_and_does_nothing_outside_training() -> None:
    found = case("convolutional")
    shift, rotation, zoom = (layer for layer in found["model"].layers if type(layer).__name__.startswith("Random"))
    sides = (shift.height_lower, shift.height_upper, shift.width_lower, shift.width_upper)
    assert sides == (-2 / 28, 2 / 28, -2 / 28, 2 / 28)
    assert rotation.factor == (-10 / 360, 10 / 360)
    assert zoom.height_factor == (-0.1, 0.1)
    assert {layer.fill_mode for layer in (shift, rotation, zoom)} == {"constant"}
    image = found["x_test"][:1, :, :, None]
    np.testing.assert_array_equal(rotation(image, training=False), image)


@pytest.mark.parametrize("name", ["convolutional", "flattened"])
def test_the_rates_are_those_of_the_schedule(name: str) -> None:
    training = CASES[name].training
    assert training.schedule is not None
    expected = [training.schedule.rate(training.learning_rate, epoch, training.epochs) for epoch in (1, 2, 3)]
    assert case(name)["history"].history["learning_rate"] == pytest.approx(expected, rel=1e-6)


def test_a_plateau_is_that_of_the_configuration() -> None:
    found = case("averaged")["learning_rate"]
    assert (found.patience, found.cooldown, found.factor, found.min_lr) == (1, 3, 0.2, 1e-6)
    assert abs(found.min_delta) == 0.01


def test_only_the_labels_that_are_trained_on_are_smoothed() -> None:
    found = case("averaged")
    np.testing.assert_allclose(np.unique(found["y_train"]), [0.02, 0.82])
    for part in ("y_val", "y_test"):
        assert np.unique(found[part]).tolist() == [0.0, 1.0]


def test_early_stopping_and_held_out_images_are_those_of_the_configuration() -> None:
    found = case("everything")
    stopping = found["early_stopping"]
    assert (stopping.patience, abs(stopping.min_delta), stopping.restore_best_weights) == (3, 0.01, False)
    assert len(found["x_val"]) == 200
    share = np.bincount(found["y_val"], minlength=10)
    assert share.min() >= 18  # drawn by class


def test_digits_are_the_images_that_mnist_core_trains_on(tmp_path: Any) -> None:
    found = case("plain")
    ours = Catalog(tmp_path).load("digits")
    for part in ("x_train", "x_test"):
        np.testing.assert_allclose(found[part] * 255, getattr(ours, part), atol=1e-4)
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
