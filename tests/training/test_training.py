"""Training against Keras itself, and what is promised of seeds, resuming, cancelling and divergence."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.data.datasets import Catalog, Dataset
from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import (
    Augmentation,
    DatasetConfig,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    PlateauSchedule,
    RunConfig,
    TrainingConfig,
)
from mnist_core.experiments.layers import ConvLayer, DenseLayer, GlobalAverageLayer, PoolLayer
from mnist_core.experiments.presets import preset
from mnist_core.runs.records import EpochRow
from mnist_core.training import checkpoints
from mnist_core.training import train as training
from mnist_core.training.engine import DropoutBits, Engine, Sizes, shuffled, subset
from mnist_core.training.events import Ended, EpochEnded, Progress, Started, TrainingEvent
from mnist_core.training.models import backend, build_model, predict
from mnist_core.training.optimizers import build_optimizer
from mnist_core.training.train import train

ROOT = Path(__file__).parents[2]
NO_DROPOUT = ModelConfig(layers=(DenseLayer(units=24), DenseLayer(units=16, activation="tanh")))


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalog(tmp_path_factory.mktemp("store")).load("digits")


def a_run(model: ModelConfig = NO_DROPOUT, **training: Any) -> RunConfig:
    return RunConfig(model=model, training=TrainingConfig(**{"epochs": 2, "batch_size": 100} | training))


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def without_seconds(rows: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.to_json().items() if key != "seconds"} for row in rows]


class Interrupted(Exception):
    """What a test raises to end a training as a crash would."""


# -- the same mathematics as Keras -------------------------------------------------------------------------------------

OPTIMIZERS = {
    "rmsprop": {"optimizer": "rmsprop"},
    "adam": {"optimizer": "adam"},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1},
    "momentum": {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9},
}


def keras_optimizer(config: TrainingConfig) -> Any:
    optimizers = backend().keras.optimizers
    if config.optimizer == "sgd":
        return optimizers.SGD(config.learning_rate, momentum=config.momentum)
    return {"rmsprop": optimizers.RMSprop, "adam": optimizers.Adam}[config.optimizer](config.learning_rate)


# one batch size below, one above that from which a batch is split; each optimizer with both, and with and without L2
@pytest.mark.parametrize(
    ("name", "batch_size", "l2"),
    [
        *[(name, *rest) for name in ("rmsprop", "sgd") for rest in ((50, 0.01), (100, 0.0))],
        *[(name, *rest) for name in ("adam", "momentum") for rest in ((50, 0.0), (100, 0.01))],
    ],
)
def test_an_epoch_is_what_keras_fit_does_on_the_same_batches(digits: Dataset, name: str, batch_size: int, l2: float):
    layers = tuple(layer.model_copy(update={"l2": l2}) for layer in NO_DROPOUT.layers)
    config = a_run(ModelConfig(layers=layers), batch_size=batch_size, **OPTIMIZERS[name])
    result = train(config, digits)

    model = build_model(config.model, config.training.seed)
    model.compile(keras_optimizer(config.training), "sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels, test_pixels = (digits.x_train / 255).astype("float32"), (digits.x_test / 255).astype("float32")
    assert len(pixels) % batch_size, "the last batch should be a short one"
    for row in result.history:
        order = shuffled(len(pixels), config.training.seed, row.epoch)
        fitted = model.fit(
            pixels[order], digits.y_train[order], batch_size=batch_size, shuffle=False, verbose=0,
            validation_data=(test_pixels, digits.y_test), validation_batch_size=len(test_pixels),
        )  # fmt: skip
        expected = {key: values[0] for key, values in fitted.history.items()}
        assert row.loss == pytest.approx(expected["loss"], rel=2e-4)
        assert row.accuracy == pytest.approx(expected["accuracy"], abs=2.5 / len(pixels))
        assert row.val_loss == pytest.approx(expected["val_loss"], rel=2e-4)
        assert row.val_accuracy == pytest.approx(expected["val_accuracy"], abs=1.5 / len(test_pixels))
        train_eval_loss, train_eval_accuracy = model.evaluate(pixels, digits.y_train, batch_size=len(pixels), verbose=0)
        assert row.train_eval_loss == pytest.approx(train_eval_loss, rel=2e-4)
        assert row.train_eval_accuracy == pytest.approx(train_eval_accuracy, abs=2.5 / len(pixels))
        assert row.penalty == pytest.approx(float(sum(model.losses)), rel=2e-4)
    for ours, theirs in zip(result.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("normalised", [False, True])
def test_layers_of_other_kinds_are_called_as_keras_does(digits: Dataset, normalised: bool):
    layers, order = backend().keras.layers, shuffled(300, 0, 1)

    def a_model() -> Any:
        initializer = backend().keras.initializers.GlorotUniform(seed=1)
        stack = [layers.Input((28, 28)), layers.Reshape((28, 28, 1))]
        stack += [layers.Conv2D(4, 3, activation="relu", kernel_initializer=initializer)]
        stack += [layers.BatchNormalization()] * normalised
        stack += [layers.MaxPooling2D(), layers.Dropout(0.0), layers.Flatten()]
        return backend().keras.Sequential([*stack, layers.Dense(10, "softmax", kernel_initializer=initializer)])

    ours, theirs, config = a_model(), a_model(), TrainingConfig()
    images, labels = digits.x_train[:300], digits.y_train[:300]
    engine = Engine(ours, build_optimizer(config), images, labels, 100)
    loss, correct = engine.train(order, engine.draw(engine.dropout_bits(0, 1), 0, 3), 0, 3, (0.0, 0))
    theirs.compile(keras_optimizer(config), "sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels = (images / 255).astype("float32")
    fitted = theirs.fit(pixels[order], labels[order], batch_size=100, shuffle=False, verbose=0).history
    assert loss / 300 == pytest.approx(fitted["loss"][0], rel=1e-3)
    assert correct / 300 == pytest.approx(fitted["accuracy"][0], abs=1.5 / 300)
    for mine, keras_own in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_own, atol=1e-3)
    np.testing.assert_allclose(engine.probabilities(images), theirs.predict(pixels, verbose=0), atol=1e-3)


CONVOLUTIONAL = ModelConfig(
    layers=(
        ConvLayer(filters=4, kernel=5, padding="valid", batch_norm=True),
        PoolLayer(),
        ConvLayer(filters=6, activation="tanh", l2=1e-3),
        PoolLayer(pooling="average", size=3),
        DenseLayer(units=12),
    )
)
AVERAGED = ModelConfig(layers=(PoolLayer(size=2), ConvLayer(filters=8, batch_norm=True), GlobalAverageLayer()))


# one batch size below, one above that from which a batch is split; each net with both, and with and without smoothing
@pytest.mark.parametrize(
    ("model", "batch_size", "smoothing"),
    [(CONVOLUTIONAL, 50, 0.0), (CONVOLUTIONAL, 100, 0.1), (AVERAGED, 50, 0.1), (AVERAGED, 100, 0.0)],
    ids=["flattened, whole", "flattened, split", "averaged, whole", "averaged, split"],
)
def test_a_convolutional_epoch_is_what_keras_fit_does(
    digits: Dataset, model: ModelConfig, batch_size: int, smoothing: float
):
    few = Dataset("few", digits.x_train[:430], digits.y_train[:430], digits.x_test, digits.y_test, "few")
    config = a_run(model, batch_size=batch_size, label_smoothing=smoothing, optimizer="sgd", learning_rate=0.02)
    result = train(config, few)

    keras = backend().keras
    theirs = build_model(model, config.training.seed)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    theirs.compile(keras_optimizer(config.training), loss, metrics=["accuracy"])
    pixels, labels = (few.x_train / 255).astype("float32"), np.eye(10, dtype="float32")[few.y_train]
    for row in result.history:
        order = shuffled(len(pixels), config.training.seed, row.epoch)
        fitted = theirs.fit(pixels[order], labels[order], batch_size=batch_size, shuffle=False, verbose=0).history
        assert row.loss == pytest.approx(fitted["loss"][0], rel=1e-3)
        assert row.accuracy == pytest.approx(fitted["accuracy"][0], abs=2.5 / len(pixels))
    for mine, keras_own in zip(result.model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_own, atol=2e-3)
    # what is judged afterwards is not smoothed
    theirs.compile(loss="sparse_categorical_crossentropy")
    judged = theirs.evaluate((few.x_test / 255).astype("float32"), few.y_test, verbose=0, return_dict=True)
    assert result.history[-1].val_loss == pytest.approx(judged["loss"], rel=5e-3)
    assert result.history[-1].penalty == pytest.approx(float(sum(theirs.losses)), rel=1e-3)


def test_batch_normalisation_moves_its_statistics_in_training_alone(digits: Dataset):
    config = TrainingConfig(batch_size=100)
    engine = Engine(
        build_model(CONVOLUTIONAL), build_optimizer(config), digits.x_train, digits.y_train, config.batch_size
    )
    layer = engine.model.get_layer("batch_norm_1")
    engine.probabilities(digits.x_test)
    assert not layer.moving_mean.numpy().any()
    words = engine.draw(engine.dropout_bits(0, 1), 0, 3)
    engine.train(shuffled(len(digits.x_train), 0, 1), words, 0, 3, (0.0, 0))
    assert layer.moving_mean.numpy().all()


def test_the_moving_variance_is_the_biased_one_as_in_keras():
    """Only with few values to a map can it be told from the unbiased one: here two images of one pixel a map."""
    layers = (PoolLayer(size=7), ConvLayer(filters=3, kernel=4, padding="valid", batch_norm=True))
    config = TrainingConfig(batch_size=2, optimizer="sgd", learning_rate=0.01)
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)
    images[1] = 0
    labels = np.array([3, 4], np.uint8)
    ours, theirs = (build_model(ModelConfig(layers=layers)) for _ in range(2))
    engine = Engine(ours, build_optimizer(config), images, labels, config.batch_size)
    engine.train(np.array([0, 1], np.int32), engine.draw(engine.dropout_bits(0, 1), 0, 1), 0, 1, (0.0, 0))
    theirs.compile(keras_optimizer(config), "sparse_categorical_crossentropy")
    theirs.fit((images / 255).astype("float32"), labels, batch_size=2, shuffle=False, verbose=0)
    variances = [model.get_layer("batch_norm_2").moving_variance.numpy() for model in (ours, theirs)]
    moved = [variance - 0.99 for variance in variances]  # 0.99 is what is left of the initial 1
    np.testing.assert_allclose(*moved, rtol=0.01)
    assert (moved[1] > 1e-4).all()


def test_a_plateau_follows_the_keras_callback():
    generator = np.random.default_rng(4)
    cases = [PlateauSchedule(patience=1), PlateauSchedule(patience=2, factor=0.1, cooldown=2, min_delta=0.02)]
    for rule in [*cases, PlateauSchedule(patience=1, cooldown=1, min_rate=3e-4)]:
        losses = np.round(2 / np.arange(1, 60) + 0.2 * generator.random(59), 3)
        plateau, model = checkpoints.Plateau(1e-3), build_model(ModelConfig(layers=(DenseLayer(units=1),)))
        model.compile("sgd")
        model.optimizer.learning_rate = 1e-3
        callback = backend().keras.callbacks.ReduceLROnPlateau(
            "val_loss", rule.factor, rule.patience, mode="min",
            min_delta=rule.min_delta, cooldown=rule.cooldown, min_lr=rule.min_rate,
        )  # fmt: skip
        callback.set_model(model)
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            plateau.note(rule, float(loss))
            assert plateau.rate == pytest.approx(float(model.optimizer.learning_rate.numpy()), rel=1e-5)
            assert (plateau.wait, plateau.cooldown) == (callback.wait, callback.cooldown_counter)
        assert plateau.rate < 1e-3


@pytest.mark.parametrize("kind", ["step", "cosine"])
def test_the_scheduled_rate_is_the_one_that_trains(digits: Dataset, kind: str):
    schedule = {"step": {"kind": "step", "factor": 0.01, "every": 1}, "cosine": {"kind": "cosine"}}[kind]
    config = a_run(optimizer="sgd", learning_rate=0.1, epochs=2).replace(training__schedule=schedule)
    whole, first = train(config, digits), train(a_run(optimizer="sgd", learning_rate=0.1, epochs=1), digits)
    assert [row.learning_rate for row in whole.history] == [0.1, {"step": 0.1 * 0.01, "cosine": 0.05}[kind]]
    assert first.history[0].loss == whole.history[0].loss

    model = build_model(config.model, config.training.seed)
    model.set_weights(first.model.get_weights())
    model.compile(backend().keras.optimizers.SGD(whole.history[1].learning_rate), "sparse_categorical_crossentropy")
    order = shuffled(len(digits.x_train), config.training.seed, 2)
    pixels = (digits.x_train[order] / 255).astype("float32")
    model.fit(pixels, digits.y_train[order], batch_size=config.training.batch_size, shuffle=False, verbose=0)
    for ours, theirs in zip(whole.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_fused_update_is_the_keras_update(name: str):
    keras = backend().keras
    config = TrainingConfig(**OPTIMIZERS[name])
    generator = np.random.default_rng(0)
    start = generator.normal(size=(40, 30)).astype("float32")
    ours, theirs = keras.Variable(start), keras.Variable(start)
    fused, plain = build_optimizer(config), keras_optimizer(config)
    assert isinstance(fused, type(plain))
    for scale in (1.0, 1e-3, 1e-6, 0.0, 10.0):
        gradient = backend().tf.constant(scale * generator.normal(size=start.shape), "float32")
        fused.apply([gradient], [ours])
        plain.apply([gradient], [theirs])
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_early_stopping_follows_the_keras_callback():
    generator = np.random.default_rng(5)
    for patience, min_delta in [(1, 0.0), (2, 0.0), (3, 0.05), (5, 0.2)]:
        losses = np.round(2 / np.arange(1, 40) + 0.2 * generator.random(39), 3)
        rule, stopper = EarlyStopping(patience=patience, min_delta=min_delta), checkpoints.Stopper()
        callback = backend().keras.callbacks.EarlyStopping(
            "val_loss", min_delta=min_delta, patience=patience, mode="min", restore_best_weights=True
        )
        model = build_model(ModelConfig(layers=(DenseLayer(units=1),)))
        callback.set_model(model)
        model.stop_training = False
        callback.on_train_begin()
        for epoch, loss in enumerate(losses, start=1):
            callback.on_epoch_end(epoch - 1, {"val_loss": loss})
            stopper.improves(rule, epoch, float(loss))
            assert stopper.done(rule) == model.stop_training
            assert stopper.best_epoch == callback.best_epoch + 1
            if model.stop_training:
                break


# -- what an epoch records ---------------------------------------------------------------------------------------------


def test_a_row_is_consistent_with_the_predictions(digits: Dataset, small_config: RunConfig):
    from mnist_core.evaluation import metrics

    result = train(small_config, digits)
    last, scores = result.history[-1], metrics.scores(digits.y_test, result.probabilities)
    assert [row.epoch for row in result.history] == [1, 2, 3]
    assert result.probabilities.shape == (len(digits.y_test), 10)
    assert result.probabilities.dtype == np.float32
    assert last.val_loss == pytest.approx(scores.loss)
    assert last.val_loss == pytest.approx(last.val_loss_correct + last.val_loss_wrong)
    assert last.val_accuracy == scores.accuracy
    assert last.val_ece == pytest.approx(scores.ece)
    assert last.val_confidence == pytest.approx(scores.mean_confidence)
    assert last.learning_rate == small_config.training.learning_rate
    assert result.val_probabilities is None
    np.testing.assert_allclose(predict(result.model, digits.x_test), result.probabilities, atol=1e-6)
    assert json.dumps([row.to_json() for row in result.history], allow_nan=False)


def test_held_out_validation_keeps_the_test_images_out(digits: Dataset):
    config = a_run(validation=HeldOutValidation(count=237))
    result = train(config, digits)
    split = digits.split(config.training.validation, config.training.seed)
    assert np.array_equal(result.val_labels, split.y_val)
    assert result.val_probabilities.shape == (237, 10)
    accuracy = (result.val_probabilities.argmax(axis=1) == split.y_val).mean()
    assert result.history[-1].val_accuracy == pytest.approx(accuracy)


def test_the_events_tell_the_whole_story(digits: Dataset, small_config: RunConfig):
    events: list[TrainingEvent] = []
    result = train(small_config, digits, on_event=events.append)
    assert events[0] == Started(epoch=1, epochs=3)
    assert events[-1] == Ended("finished", "all 3 epochs are done")
    assert [event.row for event in events if isinstance(event, EpochEnded)] == list(result.history)
    inside = [event for event in events if isinstance(event, Progress)]
    assert inside
    assert all(0 < event.step < event.steps for event in inside)
    assert all(0 < event.loss < 10 and 0 <= event.accuracy <= 1 for event in inside)


# -- seeds and dropout -------------------------------------------------------------------------------------------------


def test_the_same_config_gives_the_same_result(digits: Dataset, small_config: RunConfig):
    first, second = train(small_config, digits), train(small_config, digits)
    assert same(first.model.get_weights(), second.model.get_weights())
    assert without_seconds(first.history) == without_seconds(second.history)
    other = train(small_config.replace(training__seed=1), digits)
    assert not same(first.model.get_weights(), other.model.get_weights())


def test_an_epochs_result_does_not_depend_on_how_its_steps_are_put_in_blocks(digits: Dataset):
    # 7 units need two of the four 16-bit words of a 64-bit one for each image: draws must not run into each other
    model = ModelConfig(layers=(DenseLayer(units=7, dropout=0.4), DenseLayer(units=6, dropout=0.2)))

    def weights_after(blocks: list[int]) -> tuple[list[Any], Any]:
        config = TrainingConfig(batch_size=90)
        engine = Engine(build_model(model), build_optimizer(config), digits.x_train, digits.y_train, config.batch_size)
        order, words, totals = shuffled(len(digits.x_train), 0, 1), engine.dropout_bits(0, 1), (0.0, 0)
        for start, stop in itertools.pairwise(blocks):
            totals = engine.train(order, engine.draw(words, start, stop), start, stop, totals)
        return engine.arrays()[0], totals

    steps = Sizes(len(digits.x_train), 90).steps
    whole, parts = weights_after([0, steps]), weights_after([0, 1, 2, 5, 12, steps])
    assert same(whole[0], parts[0])
    assert whole[1] == parts[1]


def test_shuffles_and_words_are_functions_of_seed_and_epoch():
    orders = [shuffled(50, seed, epoch) for seed, epoch in [(0, 1), (0, 2), (1, 1), (0, 1)]]
    assert all(np.array_equal(np.sort(order), np.arange(50)) for order in orders)
    assert np.array_equal(orders[0], orders[3])
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    words = DropoutBits([5, 8], seed=0, epoch=1).draw(10)
    assert [item.shape for item in words] == [(10, 8), (10, 8)]
    assert not np.array_equal(words[0], words[1])


def test_the_clean_subset_is_fixed():
    assert np.array_equal(subset(5, 10), np.arange(5))
    chosen = subset(60_000, 10_000)
    assert len(np.unique(chosen)) == 10_000
    assert np.array_equal(chosen, subset(60_000, 10_000))


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(digits: Dataset, rate: float):
    model = build_model(ModelConfig(layers=(DenseLayer(units=400, dropout=rate),)))
    engine = Engine(model, build_optimizer(TrainingConfig()), digits.x_train, digits.y_train, 100)
    words = engine.dropout_bits(0, 1).draw(1000)[0]
    ones = backend().tf.ones((1000, 400))
    dropped = engine._dropped(model.get_layer("dropout_1"), ones, backend().tf.constant(words)).numpy()
    assert (dropped == 0).mean() == pytest.approx(rate, abs=0.004)
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    assert len(np.unique(dropped)) == 2


# -- going on, stopping and going wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd"])
def test_resuming_is_bit_identical_to_not_being_interrupted(digits: Dataset, tmp_path: Path, optimizer: str):
    model = ModelConfig(layers=(DenseLayer(units=17, dropout=0.3, l2=1e-4),))
    momentum = 0.9 if optimizer == "sgd" else 0.0
    config = a_run(model, epochs=4, optimizer=optimizer, momentum=momentum, early_stopping=EarlyStopping(patience=4))
    whole = train(config, digits)

    def crash(event: TrainingEvent) -> None:
        if isinstance(event, EpochEnded) and event.row.epoch == 2:
            raise Interrupted

    events: list[TrainingEvent] = []
    file = tmp_path / "checkpoint.npz"
    with pytest.raises(Interrupted):
        train(config, digits, checkpoint=file, on_event=crash)
    resumed = train(config, digits, checkpoint=file, on_event=events.append)
    assert events[0] == Started(epoch=3, epochs=4)
    assert same(whole.model.get_weights(), resumed.model.get_weights())
    assert np.array_equal(whole.probabilities, resumed.probabilities)
    assert without_seconds(whole.history) == without_seconds(resumed.history)


def test_a_convolutional_training_resumes_bit_identically_with_its_statistics_rate_and_augmentation(
    digits: Dataset, tmp_path: Path
):
    few = Dataset("few", digits.x_train[:300], digits.y_train[:300], digits.x_test, digits.y_test, "few")
    layers = tuple(layer.model_copy(update={"dropout": 0.2}) for layer in CONVOLUTIONAL.layers)
    config = a_run(
        ModelConfig(layers=layers),
        epochs=5,
        optimizer="adam",
        learning_rate=0.05,  # high enough for the validation loss to rise
        label_smoothing=0.1,
        augmentation=Augmentation(shift=2, rotation=10, zoom=0.1),
        schedule=PlateauSchedule(patience=1, cooldown=1, min_delta=0.3),
    )
    whole = train(config, few)
    assert len({row.learning_rate for row in whole.history}) > 1
    for last in (1, 2, 3):

        def crash(event: TrainingEvent, last: int = last) -> None:
            if isinstance(event, EpochEnded) and event.row.epoch == last:
                raise Interrupted

        file = tmp_path / f"{last}.npz"
        with pytest.raises(Interrupted):
            train(config, few, checkpoint=file, on_event=crash)
        resumed = train(config, few, checkpoint=file)
        assert same(whole.model.get_weights(), resumed.model.get_weights())
        assert without_seconds(whole.history) == without_seconds(resumed.history)


def test_only_what_is_trained_on_is_augmented(digits: Dataset):
    # at this rate the weights stay where they began, so every loss is that of the same network
    still = a_run(epochs=2, learning_rate=1e-7, optimizer="sgd", validation=HeldOutValidation(count=200))
    plain = train(still, digits)
    moved = train(still.replace(training__augmentation={"shift": 8}), digits)
    for before, after in zip(plain.history, moved.history, strict=True):
        assert before.loss == pytest.approx(before.train_eval_loss, abs=1e-4)
        assert abs(after.loss - before.loss) > 1e-3
        assert after.train_eval_loss == pytest.approx(before.train_eval_loss, abs=1e-5)
        assert after.val_loss == pytest.approx(before.val_loss, abs=1e-5)
    assert moved.history[0].loss != pytest.approx(moved.history[1].loss, abs=1e-5), "each epoch has its own"
    np.testing.assert_allclose(moved.probabilities, plain.probabilities, atol=1e-5)


def test_an_augmented_epoch_does_not_depend_on_its_blocks(digits: Dataset):
    from mnist_core.data.augmentation import affine_transforms

    def weights_after(blocks: list[int]) -> tuple[list[Any], Any]:
        engine = Engine(
            build_model(CONVOLUTIONAL), build_optimizer(TrainingConfig()), digits.x_train, digits.y_train, 90
        )
        order, words, totals = shuffled(len(digits.x_train), 0, 1), engine.dropout_bits(0, 1), (0.0, 0)
        by = affine_transforms(Augmentation(shift=2), len(digits.x_train), 0, 1)
        for start, stop in itertools.pairwise(blocks):
            totals = engine.train(order, engine.draw(words, start, stop), start, stop, totals, by)
        return engine.arrays()[0], totals

    whole, parts = weights_after([0, 6]), weights_after([0, 1, 3, 6])
    assert same(whole[0], parts[0])
    assert whole[1] == parts[1]


def test_a_block_is_short_where_its_random_words_would_fill_the_memory(digits: Dataset):
    wide = ModelConfig(layers=(ConvLayer(filters=64, dropout=0.5), PoolLayer(size=7)))
    engine = Engine(build_model(wide), build_optimizer(TrainingConfig()), digits.x_train, digits.y_train, 1000)
    assert engine.most_steps == 1
    assert (
        Engine(
            build_model(NO_DROPOUT), build_optimizer(TrainingConfig()), digits.x_train, digits.y_train, 10
        ).most_steps
        > 1000
    )


def test_early_stopping_restores_the_best_weights_also_after_resuming(digits: Dataset, tmp_path: Path):
    # a rate high enough for the validation loss to rise again
    config = a_run(epochs=40, learning_rate=0.03, early_stopping=EarlyStopping(patience=2))
    result = train(config, digits, checkpoint=tmp_path / "checkpoint.npz")
    losses = [row.val_loss for row in result.history]
    assert result.state == "finished"
    assert result.kept_epoch == result.best_epoch == len(losses) - 2 == int(np.argmin(losses)) + 1
    assert "stopped early" in result.reason
    from mnist_core.evaluation import metrics

    assert metrics.scores(digits.y_test, result.probabilities).loss == pytest.approx(min(losses))
    again = train(config, digits, checkpoint=tmp_path / "checkpoint.npz")
    assert again.history == result.history
    assert again.kept_epoch == result.kept_epoch
    assert np.array_equal(again.probabilities, result.probabilities)


@pytest.mark.parametrize(("rule", "kept"), [(None, "last"), (EarlyStopping(patience=3, min_delta=0.05), "stopper")])
def test_the_best_and_the_last_epoch_are_judged_too(
    digits: Dataset, tmp_path: Path, rule: EarlyStopping | None, kept: str
):
    from mnist_core.evaluation import metrics

    # a rate high enough for the validation loss to rise again; a delta that sets the restored epoch apart from the best
    config = a_run(epochs=12, learning_rate=0.03, early_stopping=rule)
    file = tmp_path / "checkpoint.npz"
    result = train(config, digits, checkpoint=file)
    last, best = result.history[-1].epoch, result.best_epoch
    assert result.kept_epoch != best
    assert set(result.others) == {last, best} - {result.kept_epoch}
    every = {epoch: probabilities for epoch, (probabilities, _) in result.others.items()}
    for epoch, probabilities in (every | {result.kept_epoch: result.probabilities}).items():
        assert metrics.scores(digits.y_test, probabilities).loss == pytest.approx(result.history[epoch - 1].val_loss)
    again = train(config, digits, checkpoint=file)  # all epochs are in the checkpoint; only the judging is done anew
    assert {epoch: probabilities.tolist() for epoch, (probabilities, _) in again.others.items()} == {
        epoch: probabilities.tolist() for epoch, (probabilities, _) in result.others.items()
    }
    assert np.array_equal(again.probabilities, result.probabilities)


def test_held_out_images_are_judged_at_the_last_epoch_too(digits: Dataset):
    rule = EarlyStopping(patience=2, min_delta=0.2)  # a delta so great that an early epoch is restored
    result = train(a_run(epochs=12, early_stopping=rule, validation=HeldOutValidation(count=237)), digits)
    last = len(result.history)
    assert result.kept_epoch != last
    _, held_out = result.others[last]
    accuracy = (held_out.argmax(axis=1) == result.val_labels).mean()
    assert accuracy == pytest.approx(result.history[-1].val_accuracy)


def test_cancelling_drops_the_epoch_under_way_and_can_be_resumed(digits: Dataset, tmp_path: Path):
    config = a_run(epochs=3)
    whole = train(config, digits)
    rows: list[EpochRow] = []

    def note(event: TrainingEvent) -> None:
        if isinstance(event, EpochEnded):
            rows.append(event.row)

    file = tmp_path / "checkpoint.npz"
    cancelled = train(config, digits, on_event=note, should_stop=lambda: len(rows) == 2, checkpoint=file)
    assert (cancelled.state, cancelled.kept_epoch, len(cancelled.history)) == ("cancelled", 2, 2)
    assert cancelled.reason == "cancelled in epoch 3 of 3"
    accuracy = (cancelled.probabilities.argmax(axis=1) == digits.y_test).mean()
    assert accuracy == pytest.approx(cancelled.history[-1].val_accuracy)
    resumed = train(config, digits, checkpoint=file)
    assert without_seconds(resumed.history) == without_seconds(whole.history)


def test_cancelling_takes_effect_between_two_blocks_of_steps():
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (3000, 28, 28), np.uint8), (np.arange(3000) % 10).astype(np.uint8)
    noise = Dataset("noise", images, labels, images[:100], labels[:100], "noise")
    blocks: list[Progress] = []

    def note(event: TrainingEvent) -> None:
        if isinstance(event, Progress):
            blocks.append(event)

    config = a_run(ModelConfig(layers=(DenseLayer(units=4),)), batch_size=10)
    result = train(config, noise, on_event=note, should_stop=lambda: bool(blocks))
    assert (result.state, result.history) == ("cancelled", ())
    assert len(blocks) == 1, "no further block is begun"
    assert blocks[0].step < blocks[0].steps / 2


def test_cancelling_is_heard_while_the_epoch_is_evaluated(digits: Dataset):
    answers = iter([False])  # asked before the only block of steps, then before the evaluation
    result = train(a_run(batch_size=1000), digits, should_stop=lambda: next(answers, True))
    assert (result.state, result.history) == ("cancelled", ())


def test_cancelling_before_the_first_epoch_leaves_nothing(digits: Dataset):
    result = train(a_run(), digits, should_stop=lambda: True)
    assert (result.state, result.history, result.kept_epoch, result.best_epoch) == ("cancelled", (), None, None)
    assert result.probabilities is None


def test_a_diverging_loss_ends_the_training_and_keeps_its_history(digits: Dataset):
    events: list[TrainingEvent] = []
    model = ModelConfig(layers=(DenseLayer(units=64, activation="elu", l2=1.0),) * 2)
    config = a_run(model, epochs=30, optimizer="sgd", momentum=0.99, learning_rate=10.0)
    result = train(config, digits, on_event=events.append)
    assert result.state == "diverged"
    assert len(result.history) < 30
    assert not np.isfinite(result.history[-1].loss)
    assert result.history[-1].to_json()["loss"] is None
    assert f"epoch {len(result.history)}" in result.reason
    assert isinstance(events[-1], Ended)
    finite = [row.epoch for row in result.history if np.isfinite(row.loss)]
    assert result.kept_epoch == (finite[-1] if finite else None)
    assert result.probabilities is None or np.isfinite(result.probabilities).all()


def test_a_checkpoint_of_another_experiment_or_a_torn_one_is_not_used(digits: Dataset, tmp_path: Path):
    file = tmp_path / "checkpoint.npz"
    train(a_run(seed=1), digits, checkpoint=file)
    expected = without_seconds(train(a_run(), digits).history)
    assert without_seconds(train(a_run(), digits, checkpoint=file).history) == expected
    file.write_bytes(file.read_bytes()[:1000])
    assert without_seconds(train(a_run(), digits, checkpoint=file).history) == expected


def test_training_goes_on_from_given_weights(digits: Dataset):
    first = train(a_run(epochs=3), digits)
    second = train(a_run(epochs=1, seed=1), digits, initial_weights=first.model.get_weights())
    assert second.history[0].loss < first.history[1].loss
    with pytest.raises(ConfigError, match="shapes"):
        train(a_run(), digits, initial_weights=first.model.get_weights()[:2])


@pytest.mark.parametrize("batch_size", [1, 64, 65, 8192])
def test_unusual_batch_sizes(digits: Dataset, batch_size: int):
    few = Dataset("few", digits.x_train[:130], digits.y_train[:130], digits.x_test, digits.y_test, "few")
    model = ModelConfig(layers=(DenseLayer(units=5, dropout=0.2),))
    result = train(a_run(model, batch_size=batch_size, epochs=1), few)
    assert np.isfinite(result.history[0].loss)


def test_after_warming_up_a_training_has_nothing_left_to_import():
    """The first epoch then begins at once: what takes seconds is to import TensorFlow and what it imports when used."""
    code = """
import sys
from pathlib import Path
from mnist_core.data.datasets import Catalog
from mnist_core.experiments.configs import ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.training.train import train, warm_up

heavy = lambda: {name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras")}
digits = Catalog(Path("none")).load("digits")
before = heavy()
warm_up()
warm = heavy()
layers = (DenseLayer(units=16, dropout=0.2),)
train(RunConfig(model=ModelConfig(layers=layers), training=TrainingConfig(epochs=1)), digits)
print(len(before), len(warm) > 100, sorted(heavy() - warm))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "0 True []\n", result.stderr


def test_a_block_of_steps_is_made_to_last_as_long_as_it_should(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(training.time, "perf_counter", lambda: now[0])
    for step_s in (0.001, 0.02, 0.15, 3.0):
        pace = training._Pace(most=1000)
        lasted = []
        for number in range(8):
            steps = pace.steps
            with pace.timed(steps):
                now[0] += steps * step_s + (5.0 if number == 0 else 0.0)  # the first block also makes the graph
            lasted.append(steps * step_s)
        assert lasted[0] == 8 * step_s
        assert lasted[-1] <= max(training.BLOCK_S, step_s)
        assert lasted[-1] >= training.BLOCK_S - step_s
    rare = training._Pace(most=3)
    with rare.timed(3):
        pass
    assert rare.steps == 3, "never more than fit into the memory"


# -- real MNIST --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalog(tmp_path_factory.mktemp("store")).load("mnist")


@pytest.mark.mnist
def test_model_1_learns_mnist(mnist: Dataset):
    config = preset("notebook/model_1").config.replace(training__epochs=3)
    result = train(config, mnist)
    assert result.history[-1].val_accuracy > 0.955
    last = result.history[-1]
    assert last.accuracy < last.train_eval_accuracy, "dropout is on in the one, off in the other"


@pytest.mark.mnist
def test_a_big_model_is_cancelled_within_its_first_epoch(mnist: Dataset):
    config = RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=1024, dropout=0.4), DenseLayer(units=1024, dropout=0.4))),
        training=TrainingConfig(epochs=1),
        dataset=DatasetConfig(name="mnist"),
    )
    progress: list[Progress] = []

    def note(event: TrainingEvent) -> None:
        if isinstance(event, Progress):
            progress.append(event)

    result = train(config, mnist, on_event=note, should_stop=lambda: len(progress) >= 3)
    assert (result.state, result.history, len(progress)) == ("cancelled", (), 3)
