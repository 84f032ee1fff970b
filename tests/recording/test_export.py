"""Runs as files for other tools: what is written is read, executed and compared."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from mnist_core.cli.parser import main
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import ConvLayer, DenseLayer, PoolLayer
from mnist_core.notebook import fit
from mnist_core.recording.importing import read
from mnist_core.recording.tensorboard import read_events
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.outside import LETTERS, labels_of, recorded

CONFIG = RunConfig(
    model=ModelConfig(layers=(ConvLayer(4, 3, batch_norm=True), PoolLayer(), DenseLayer(12, dropout=0.1))),
    training=TrainingConfig(epochs=2, batch_size=256, optimizer="adam"),
    dataset=DatasetConfig(name="digits"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small network, trained here on the digits."""
    return fit(CONFIG, name="Mine, v2", store=Store(tmp_path_factory.mktemp("trained")))


@pytest.fixture
def export(trained: Run, tmp_path: Path) -> Callable[[str], Path]:
    """`export("x.npz")` writes the run by the command and returns the file."""

    def write(name: str) -> Path:
        path = tmp_path / name
        assert main(["export", trained.id, "--out", str(path), "--store", str(trained.path.parents[1])]) == 0
        return path

    return write


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_exported_predictions_come_back_bit_for_bit(export, trained: Run, tmp_path: Path, ending: str) -> None:
    path = export(f"predictions{ending}")
    assert main(["import", str(path), "--dataset", "digits", "--store", str(tmp_path / "other")]) == 0
    (back,) = Store(tmp_path / "other").runs()
    found, ours = back.predictions(), trained.predictions()
    assert found is not None
    assert ours is not None
    np.testing.assert_array_equal(found.probabilities, ours.probabilities)
    np.testing.assert_array_equal(found.labels, ours.labels)


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_guesses_and_names_of_classes_are_exported_too(store: Store, tmp_path: Path, ending: str) -> None:
    run = recorded(store, "hard", LETTERS, predicted=labels_of(26))
    path = tmp_path / f"out{ending}"
    assert main(["export", run.name, "--out", str(path), "--store", str(store.root)]) == 0
    given = read(path)
    assert given.probabilities is None
    np.testing.assert_array_equal(given.predicted, labels_of(26))
    assert given.classes == (LETTERS if ending == ".npz" else None)


def executed(cells: list[str]) -> dict[str, Any]:
    """Execute the cells one after the other and return their names."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            exec(compile(cell, "<cell>", "exec"), names)
    return names


def test_script_and_notebook_are_the_same_training_and_their_network_gives_the_runs_numbers(export, trained) -> None:
    """Keras shuffles in its own order, so that it is the network, its data and its evaluation that are the run's."""
    notebook = nbformat.read(export("run.ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].source == "# Mine, v2"
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    script, steps = executed([export("run.py").read_text()]), executed(cells)
    assert steps["test_loss"] == pytest.approx(script["test_loss"], rel=1e-5)
    assert steps["history"].history["loss"] == pytest.approx(script["history"].history["loss"], rel=1e-5)
    assert len(steps["history"].history["loss"]) == CONFIG.training.epochs

    import keras

    steps["model"].set_weights(keras.saving.load_model(export("model.keras")).get_weights())
    loss, accuracy = steps["model"].evaluate(steps["x_test"], steps["y_test"], verbose=0)
    scores = trained.test_scores()
    assert scores is not None
    assert (loss, accuracy) == pytest.approx((scores.loss, scores.accuracy), rel=1e-4)


def test_event_files_are_those_that_tensorflow_and_this_project_read(export, trained: Run) -> None:
    folder = export("log")
    (own,) = folder.iterdir()
    assert own.name == f"Mine_v2-{trained.id}"
    history = read_events(own)
    for column in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert history[column] == pytest.approx([getattr(row, column) for row in trained.rows()], rel=1e-6)
    import tensorflow as tf

    (file,) = (own / "train").iterdir()
    events = list(tf.compat.v1.train.summary_iterator(str(file)))
    assert events[0].file_version == "brain.Event:2"
    losses = [value.simple_value for event in events for value in event.summary.value if value.tag == "epoch_loss"]
    assert losses == pytest.approx(history["loss"])
    assert [event.step for event in events[1:]] == [0, 1]


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("run.py", "recorded from outside: no configuration"),
        ("run.ipynb", "recorded from outside: no configuration"),
        ("run.keras", "has kept no weights"),
        ("log", "has no history"),
        ("run.xlsx", "give a name that ends in .npz, .csv, .py, .ipynb, .keras, .zip"),
    ],
)
def test_what_a_run_lacks_is_said_and_no_file_is_left(
    store: Store, tmp_path: Path, capsys, out: str, says: str
) -> None:
    recorded(store, "bare", LETTERS)
    assert main(["export", "bare", "--out", str(tmp_path / "out" / out), "--store", str(store.root)]) > 0
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out" / out).exists()


def test_only_an_archive_and_a_folder_take_several_runs(store: Store, tmp_path: Path, capsys) -> None:
    for name in ("one", "two"):
        recorded(store, name, LETTERS)
    arguments = ["export", "one", "two", "--store", str(store.root), "--json", "--out"]
    assert main([*arguments, str(tmp_path / "x.npz")]) == 2
    assert "write a .zip of them" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "x.zip")]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
