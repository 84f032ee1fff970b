"""The Keras callback: a training elsewhere is shown as it goes, kept at its end, and never broken."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

import mnist_core as mc
from mnist_core.errors import DatasetError, PredictionsError
from mnist_core.jobs.runners import LocalRunner
from mnist_core.jobs.watch import Watch
from mnist_core.runs import lease
from mnist_core.runs.store import Store

keras = pytest.importorskip("keras")


def model_of(outputs: int = 10, activation: str | None = "softmax", **compiled) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Input((784,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(outputs, activation)]
    )
    model.compile(**({"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled))
    return model


def train(digits, logger, *, epochs: int = 3, model=None, others=()) -> keras.Model:
    model = model or model_of()
    x, xt = (part.reshape(len(part), 784)[:300] / 255 for part in (digits.x_train, digits.x_test))
    model.fit(
        x, digits.y_train[:300], validation_data=(xt, digits.y_test[:300]), epochs=epochs, verbose=0,
        callbacks=[*others, logger],
    )  # fmt: skip
    return model


def the_run(store: Store):
    (run,) = [run for run in store.runs() if run.recorded]
    return run


@pytest.mark.any_backend
def test_a_training_with_the_callback_becomes_a_run_with_history_layers_and_predictions(store, digits) -> None:
    logger = mc.RunLogger("my net", dataset="digits", tags=["mine"], store=store)
    model = train(digits, logger)
    run = the_run(store)
    assert run.id == logger.run.id
    assert (run.state, run.name, run.meta.tags, run.dataset, run.pictures) == (
        "finished",
        "my net",
        ("mine",),
        "digits",
        True,
    )
    assert run.parameters == model.count_params()
    assert [layer.kind for layer in run.recorded.layers] == ["Dense", "Dense"]
    assert run.recorded.framework == f"Keras {keras.__version__} on {os.environ.get('KERAS_BACKEND', 'tensorflow')}"
    history = model.history.history
    for column in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(run.history()[column], history[column], rtol=1e-6)
    assert run.history()["learning_rate"].tolist() == pytest.approx([0.001] * 3)
    assert all(row.seconds > 0 and math.isnan(row.train_eval_loss) for row in run.rows())
    assert run.status.kept_epoch == 3
    expected = model.predict(digits.x_test.reshape(-1, 784) / 255, verbose=0)
    np.testing.assert_allclose(run.predictions().probabilities, expected, atol=1e-5)
    other = mc.record("other", probabilities=np.roll(expected, 1, axis=0), dataset="digits", store=store)
    assert mc.compare(run, other, store=store).decision == "worse"


@pytest.mark.any_backend
def test_a_dashboard_sees_the_training_as_it_goes_and_nothing_hands_it_to_a_worker(store, digits) -> None:
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            run = the_run(store)
            with Watch(store, LocalRunner(store)) as watch:
                seen.append(
                    (run.state, run.epochs_done, run.planned_epochs, lease.held(run.path), watch.look([run]).waited)
                )

    logger = mc.RunLogger("my net", dataset="digits", store=store)
    look = Look()
    train(digits, look, others=[logger], epochs=2)
    assert seen == [("running", 0, 2, True, []), ("running", 1, 2, True, [])]


def test_progress_inside_an_epoch_is_written(store, digits, monkeypatch) -> None:
    from mnist_core.recording import run_logger

    monkeypatch.setattr(run_logger, "PROGRESS_EVERY_S", 0.0)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(the_run(store).progress())

    train(digits, Look(), others=[mc.RunLogger("my net", dataset="digits", store=store)], epochs=1)
    assert (seen[0].epoch, seen[0].epochs, seen[0].step, seen[0].steps) == (1, 1, 10, 10)
    assert seen[0].loss > 0


@pytest.mark.any_backend
def test_an_error_is_printed_once_and_the_training_goes_on(store, digits, capsys, monkeypatch) -> None:
    logger = mc.RunLogger("my net", dataset="digits", store=store)

    def broken(*given, **named):
        raise OSError("the disk is gone")

    from mnist_core.runs.writer import RunWriter

    monkeypatch.setattr(RunWriter, "epoch", broken)
    model = train(digits, logger)
    assert len(model.history.history["loss"]) == 3
    output = capsys.readouterr().err
    assert output.count("the training goes on") == 1
    assert "the disk is gone" in output
    run = the_run(store)
    assert run.state == "failed"
    assert "the disk is gone" in run.status.reason
    assert not lease.held(run.path)


@pytest.mark.any_backend
def test_cancelling_the_run_in_the_dashboard_stops_the_training_and_keeps_what_there_is(store, digits) -> None:
    class Cancel(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                store.cancel(the_run(store).id)

    model = train(digits, mc.RunLogger("my net", dataset="digits", store=store), others=[Cancel()], epochs=9)
    run = the_run(store)
    assert len(model.history.history["loss"]) == 2
    assert (run.state, run.epochs_done) == ("cancelled", 2)
    assert run.test_scores() is not None


@pytest.mark.any_backend
def test_weights_that_early_stopping_restored_are_those_of_their_epoch(store, digits) -> None:
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    model = model_of(optimizer=keras.optimizers.SGD(0.0))
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 2 else 50.0)
    train(digits, mc.RunLogger("my net", dataset="digits", store=store), model=model, others=[rate, stop], epochs=9)
    run = the_run(store)
    assert run.epochs_done == 3
    assert run.status.kept_epoch == run.status.best_epoch == 2


@pytest.mark.any_backend
def test_logits_become_probabilities_where_the_loss_says_that_they_are_logits(store, digits) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = train(digits, mc.RunLogger("net", dataset="digits", store=store), model=model_of(10, None, loss=loss))
    logits = model.predict(digits.x_test.reshape(-1, 784) / 255, verbose=0)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    np.testing.assert_allclose(the_run(store).predictions().probabilities, expected, atol=1e-5)


def test_outputs_that_are_no_probabilities_end_the_run_with_the_reason(store, digits) -> None:
    train(digits, mc.RunLogger("net", dataset="digits", store=store), model=model_of(10, "relu"))
    run = the_run(store)
    assert run.state in ("failed", "diverged")
    assert "add up to" in run.status.reason


def test_two_classes_of_data_of_ones_own_by_a_single_sigmoid(store) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    names = ["benign", "malignant"]
    logger = mc.RunLogger("mine", dataset="cancer", x_test=x[40:], y_test=y[40:], classes=names, store=store)
    model.fit(x[:40], y[:40], verbose=0, callbacks=[logger])
    run = the_run(store)
    assert (run.state, run.dataset, run.classes, run.pictures) == ("finished", "cancer", tuple(names), False)
    assert run.predictions().classes == 2
    assert mc.diagnose(run, store=store) == ()


def test_one_logger_serves_several_trainings_each_its_own_run(store, digits) -> None:
    logger = mc.RunLogger("my net", dataset="digits", store=store)
    first = train(digits, logger, epochs=1)
    train(digits, logger, epochs=1, model=first)
    assert [run.state for run in store.runs() if run.recorded] == ["finished", "finished"]


def test_a_training_that_was_broken_off_is_closed(store, digits) -> None:
    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    logger = mc.RunLogger("my net", dataset="digits", store=store)
    with pytest.raises(KeyboardInterrupt):
        train(digits, logger, others=[Break()])
    assert the_run(store).state == "running"
    logger.close()
    assert (the_run(store).state, the_run(store).epochs_done) == ("cancelled", 1)


class TestRefusedBeforeTraining:
    def test_other_images(self, store, digits) -> None:
        with pytest.raises(DatasetError, match="are not the test images of digits"):
            mc.RunLogger("my net", dataset="digits", x_test=255 - digits.x_test, store=store)

    def test_no_images_of_unknown_data(self, store) -> None:
        with pytest.raises(PredictionsError, match="there are no images of mine to predict; give x_test"):
            mc.RunLogger("my net", dataset="mine", y_test=[0, 1], store=store)

    def test_images_are_recognised(self, store, digits) -> None:
        logger = mc.RunLogger("my net", x_test=digits.x_test.reshape(-1, 784) / 255, store=store)
        assert logger.data.dataset == "digits"
