"""The table of runs: one row with figures and settings for each."""

from __future__ import annotations

import os

from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import ConvLayer, DenseLayer, FlattenLayer
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import SETTINGS, values_of
from mnist_core.runs.columns import COLUMNS, FIGURES, PATHS, SETTING_COLUMNS, contains, run_row, settings_row
from mnist_core.runs.records import SCORES
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise
from tests.support.synthetic import MakeRun, config, guesses


def test_a_row_has_every_column_and_the_figures_of_the_summary(make_run: MakeRun) -> None:
    run = make_run("one", config((64, 64), dropout=0.4))
    row, found = run_row(run), summarise(run)
    assert list(row) == list(COLUMNS)
    assert found.test
    assert (row["test_accuracy"], row["test_loss"]) == (found.test.accuracy, found.test.loss)
    assert (row["val_loss"], row["epochs"], row["seconds"]) == (found.final_val_loss, 6, found.train_seconds)
    assert (row["dropout"], row["units"], row["layers"], row["planned_epochs"]) == (0.4, 64, 2, 6)


def test_a_setting_of_layers_that_differ_is_the_greatest_or_all_of_them() -> None:
    layers = (
        ConvLayer(filters=8, activation="tanh"), FlattenLayer(), DenseLayer(units=64, dropout=0.2), DenseLayer(32),
    )  # fmt: skip
    row = settings_row(RunConfig(model=ModelConfig(layers=layers), training=TrainingConfig(), dataset=DatasetConfig()))
    assert (row["dropout"], row["units"], row["filters"], row["pooling"]) == (0.2, 64, 8, None)
    assert row["activation"] == "tanh, relu"


def test_every_setting_has_a_column_and_one_without_effect_is_missing() -> None:
    assert set(PATHS) == set(SETTINGS)
    for preset in PRESETS.values():
        row, values = settings_row(preset.config), values_of(preset.config)
        assert set(row) == set(SETTING_COLUMNS)
        for path, name in PATHS.items():
            if name not in FIGURES:
                shown = SETTINGS[path].shown(values) and values[path] != ""
                assert row[name] == (values[path] if shown else None), (preset.name, path)


def test_a_run_without_results_or_with_damaged_ones_is_still_a_row(make_run: MakeRun) -> None:
    waiting, broken = run_row(make_run("waiting", config((8,)), state="queued")), make_run("broken")
    assert (waiting["state"], waiting["epochs"], waiting["test_accuracy"]) == ("queued", 0, None)
    broken.predictions_file().write_bytes(b"no predictions")
    row = run_row(broken)
    assert (row["name"], row["units"], row["test_accuracy"]) == ("broken", 64, None)


def test_the_words_of_a_search_are_found_in_any_of_the_texts_and_the_tags(make_run: MakeRun, store: Store) -> None:
    run = make_run("Deep one", config((32,)))
    row = run_row(store.describe(run.id, tags=("Lesson 3",), note="too small"))
    assert contains(row, "")
    assert contains(row, "lesson deep digits")
    assert contains(row, "SMALL")
    assert not contains(row, "deep lesson9")


def test_stored_scores_spare_the_reading_of_predictions_until_these_are_newer(make_run: MakeRun) -> None:
    run = make_run("one", errors=20)
    assert run.test_scores() == summarise(run).test
    assert (run.path / SCORES).is_file()
    read = []
    before = type(run).predictions
    type(run).predictions = lambda self, chosen="kept": read.append(chosen) or before(self, chosen)  # type: ignore
    try:
        assert run.test_scores().errors == 20  # type: ignore[union-attr]
        assert read == []
        # a file from elsewhere, with an old time of its content
        with (run.path / "new.npz").open("wb") as file:
            import numpy as np

            other = guesses(7)
            np.savez_compressed(file, labels=other.labels, probabilities=other.probabilities)
        os.utime(run.path / "new.npz", (1, 1))
        (run.path / "new.npz").replace(run.predictions_file())
        assert run.test_scores().errors == 7  # type: ignore[union-attr]
        assert read == ["kept"]
    finally:
        type(run).predictions = before  # type: ignore[method-assign]


def test_damaged_scores_beside_whole_predictions_do_no_harm(make_run: MakeRun) -> None:
    run = make_run("one", errors=20)
    (run.path / SCORES).write_text("{")
    assert run.test_scores().errors == 20  # type: ignore[union-attr]
