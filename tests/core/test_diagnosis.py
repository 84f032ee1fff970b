"""What the curves say, on made-up histories where it is known what ought to be said, and on the shipped runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.diagnosis_rates import ALARMS, COURSES, configuration, history, made_up_row, rates
from mnist_core.cli import main
from mnist_core.comparison.diagnosis import Finding, diagnose, diagnose_run, loss_error, scatter
from mnist_core.evaluation.metrics import image_losses
from mnist_core.experiments.configs import CosineSchedule
from mnist_core.runs.records import EpochRow
from mnist_core.runs.store import Store, default_root

IMAGES = 10_000
REFERENCE = default_root() / "reference"


def rows_of(validation: list[float], training: list[float] | None = None) -> list[EpochRow]:
    clean = training or [0.9 * value for value in validation]
    return [made_up_row(index + 1, low, high) for index, (low, high) in enumerate(zip(clean, validation, strict=True))]


def findings(
    rows: list[EpochRow], *, dropout: float = 0.0, images: int | None = IMAGES, **options
) -> dict[str, Finding]:
    found = diagnose(rows, configuration(max(1, len(rows)), dropout=dropout), images=images, **options)
    assert len({item.kind for item in found}) == len(found)
    return {item.kind: item for item in found}


def zigzag(level: float, epochs: int, swing: float) -> list[float]:
    """A level with a scatter that is not smooth: the next value cannot be told from those before."""
    pattern = [1, -1, -1, 1, 1, -1, 1, -1, -1, 1]
    return [level * (1 + swing * pattern[index % 10]) for index in range(epochs)]


# -- each kind, and what is just not of it -----------------------------------------------------------------------------


def test_overfitting_is_dated_at_the_lowest_validation_loss_and_tells_the_rise() -> None:
    valley = [0.4, 0.2, 0.14, 0.11, 0.10] + [0.09 + 0.004 * index for index in range(15)]
    training = [0.35 * 0.8**index for index in range(20)]
    item = findings(rows_of(valley, training))["overfitting"]
    assert item.epoch == 6
    assert item.severity == "problem"
    assert item.numbers["high"] == pytest.approx(np.mean(valley[-4:]))
    assert item.numbers["rise"] == pytest.approx(
        np.mean(valley[-4:]) - np.convolve(valley, np.ones(4) / 4, "valid").min()
    )
    assert f"rose by {item.numbers['rise']:.4f} to {item.numbers['high']:.4f}" in item.sentence


def test_a_rise_within_the_scatter_is_no_overfitting() -> None:
    noisy = [0.4, 0.2, *zigzag(0.09, 18, 0.06)]
    noisy[-3:] = [value + 0.003 for value in noisy[-3:]]
    assert "overfitting" not in findings(rows_of(noisy, [0.35 * 0.8**index for index in range(20)]))


def test_a_rise_that_so_few_images_cannot_show_is_no_overfitting() -> None:
    valley = [0.4, 0.2, 0.14, 0.11, 0.10] + [0.09 + 0.0015 * index for index in range(15)]
    rows = rows_of(valley, [0.35 * 0.8**index for index in range(20)])
    assert "overfitting" in findings(rows, images=10_000)
    assert "overfitting" not in findings(rows, images=300)


def test_a_validation_loss_that_rises_with_the_training_loss_is_no_overfitting() -> None:
    valley = [0.4, 0.2, 0.14, 0.11, 0.10] + [0.09 + 0.004 * index for index in range(15)]
    assert "overfitting" not in findings(rows_of(valley, valley))


def test_early_stopping_that_restored_the_best_weights_makes_overfitting_a_note() -> None:
    valley = [0.4, 0.2, 0.14, 0.11, 0.10] + [0.09 + 0.004 * index for index in range(15)]
    item = findings(rows_of(valley, [0.35 * 0.8**index for index in range(20)]), kept_epoch=6)["overfitting"]
    assert item.severity == "note"
    assert "kept the weights of epoch 6" in item.sentence


def test_still_improving() -> None:
    item = findings(rows_of([0.4 * 0.93**index for index in range(20)]))["still improving"]
    assert item.epoch == 20
    assert item.sentence.startswith("Was still improving when it ended: the validation loss fell by ")
    live = findings(rows_of([0.4 * 0.93**index for index in range(20)]), ended=False)["still improving"]
    assert live.sentence.startswith("Still improving: ")


def test_a_fall_below_one_per_cent_is_not_worth_mentioning() -> None:
    assert "still improving" not in findings(rows_of([0.1 * 0.9995**index for index in range(20)]))


def test_plateau_is_dated_where_the_level_is_reached() -> None:
    found = findings(rows_of([0.5, 0.3, 0.2, 0.15, 0.12, *zigzag(0.1, 15, 0.01)]))
    assert list(found) == ["plateau"]
    assert 6 <= found["plateau"].epoch <= 10


def test_a_plateau_under_a_schedule_names_the_learning_rate() -> None:
    rows = rows_of([0.5, 0.3, 0.2, 0.15, 0.12, *zigzag(0.1, 15, 0.01)])
    rule = CosineSchedule(final=0.0)
    rows = [replace(row, learning_rate=rule.rate(1e-3, row.epoch, 20)) for row in rows]
    assert "the learning rate was down to" in findings(rows)["plateau"].sentence


def test_underfitting_needs_both_a_poor_fit_and_no_gap() -> None:
    level = [1.0, 0.6, 0.4, 0.3, 0.27, *zigzag(0.25, 15, 0.01)]
    assert findings(rows_of(level, [0.98 * value for value in level]))["underfitting"].severity == "problem"
    better_on_its_own = [0.7 * value for value in level]
    assert "underfitting" not in findings(rows_of(level, better_on_its_own))
    good = [0.3 * value for value in level]
    assert "underfitting" not in findings(rows_of(good, good))


@pytest.mark.parametrize("column", ["loss", "val_loss"])
def test_a_loss_that_is_not_finite_is_a_divergence_and_nothing_else(column: str) -> None:
    rows = rows_of([0.4 * 0.9**index for index in range(20)])
    rows[7] = replace(rows[7], **{column: math.nan})
    found = findings(rows)
    assert list(found) == ["diverged"]
    assert found["diverged"].epoch == 8
    assert "It was 0.1913 in the epoch before." in found["diverged"].sentence


def test_a_divergence_in_the_first_epoch() -> None:
    assert findings([replace(made_up_row(1, 1.0, 1.0), loss=math.inf)])["diverged"].epoch == 1


def test_a_loss_that_grows_beyond_guessing_runs_away() -> None:
    rows = [replace(row, val_accuracy=0.6) for row in rows_of([0.5, 0.6, 1.5, 4.0, 9.0, 30.0, 90.0])]
    found = findings(rows)
    assert list(found) == ["diverged"]
    assert found["diverged"].epoch == 4


def test_the_published_dead_run_is_recognised() -> None:
    dead = [replace(made_up_row(epoch, 14.5, 14.68), val_accuracy=0.0892, accuracy=0.1) for epoch in range(1, 31)]
    found = findings(dead)
    assert list(found) == ["stuck at chance"]
    assert found["stuck at chance"].epoch == 1
    assert "8.92 % right and a loss of 14.68: the network is dead" in found["stuck at chance"].sentence


def test_a_network_that_never_learns_is_stuck_but_not_dead() -> None:
    flat = [replace(made_up_row(epoch, 2.301, 2.302), val_accuracy=0.1135) for epoch in range(1, 4)]
    sentence = findings(flat)["stuck at chance"].sentence
    assert "has learnt nothing" in sentence


def test_a_collapse_is_dated_and_remembers_what_had_been_reached() -> None:
    rows = rows_of([0.5, 0.3, 0.2, 0.15]) + [
        replace(made_up_row(epoch, 2.3, 2.3), val_accuracy=0.098) for epoch in range(5, 12)
    ]
    item = findings(rows)["stuck at chance"]
    assert item.epoch == 5
    assert "before, it had reached 95.59 %" in item.sentence


def test_a_slow_start_above_chance_is_not_stuck() -> None:
    slow = [replace(made_up_row(epoch, 2.2, 2.2), val_accuracy=0.14) for epoch in range(1, 6)]
    assert "stuck at chance" not in findings(slow)
    assert "stuck at chance" in findings(slow, images=100), "on 100 images 14 % is chance as well"


def test_unstable_names_the_greatest_leap() -> None:
    values = [0.5, 0.3, 0.2, 0.15, *zigzag(0.12, 16, 0.45)]
    values[12] = 0.4
    item = findings(rows_of(values))["unstable"]
    assert item.epoch == 13
    assert "to 0.4000 in epoch 13" in item.sentence
    assert "unstable" not in findings(rows_of([0.5, 0.3, 0.2, 0.15, *zigzag(0.12, 16, 0.08)]))


def test_one_spike_alone_is_not_unstable() -> None:
    values = [0.5, 0.3, 0.2, 0.15, *zigzag(0.12, 16, 0.02)]
    values[12] = 0.4
    assert "unstable" not in findings(rows_of(values))


def test_dropout_that_makes_training_look_worse() -> None:
    rows = [made_up_row(e, 0.10, 0.12, training=0.2) for e in range(1, 11)]
    kind = "dropout makes training look worse"
    assert "0.2000, stands above the validation loss, 0.1200; with dropout off it is 0.1000" in (
        findings(rows, dropout=0.4)[kind].sentence
    )
    assert kind not in findings(rows), "without dropout there is nothing to explain"
    below = [made_up_row(e, 0.10, 0.12, training=0.11) for e in range(1, 11)]
    assert kind not in findings(below, dropout=0.4)


@pytest.mark.parametrize("epochs", [1, 2])
def test_one_or_two_epochs_are_not_enough(epochs: int) -> None:
    found = findings(rows_of([0.4, 0.3][:epochs]))
    assert list(found) == ["not enough evidence"]


def test_a_short_run_that_fell_in_every_epoch_was_still_improving() -> None:
    assert list(findings(rows_of([0.4, 0.3, 0.25, 0.22, 0.20]))) == ["still improving"]
    assert list(findings(rows_of([0.4, 0.3, 0.25, 0.22, 0.23]))) == ["not enough evidence"]


def test_no_epoch_no_finding() -> None:
    assert diagnose([], configuration(5)) == []


def test_a_continued_run_that_begins_at_its_level_is_a_plateau_from_the_start() -> None:
    assert findings(rows_of(zigzag(0.09, 20, 0.02)))["plateau"].epoch == 4


# -- how often it is wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("noise", "epochs"), [(0.02, 20), (0.06, 10), (0.06, 30)])
def test_false_alarms_on_clean_histories_are_rare(noise: float, epochs: int) -> None:
    assert rates(COURSES["levelled off, clean"][0], epochs, noise, seeds=150)["(alarm)"] <= 0.05 * 150


@pytest.mark.parametrize("name", COURSES)
def test_what_is_there_is_mostly_found(name: str) -> None:
    course, right = COURSES[name]
    assert rates(course, 30, 0.02, seeds=60)[right] >= 0.75 * 60


def test_no_history_of_any_length_or_noise_breaks_it() -> None:
    for epochs in range(1, 16):
        for seed in range(3):
            for item in diagnose(
                history(COURSES["overfitting"][0], epochs, 0.3, seed), configuration(epochs), images=50
            ):
                assert item.epoch is None or 1 <= item.epoch <= epochs
                json.dumps(item.to_json(), allow_nan=False)
    constant = rows_of([0.1] * 12)
    assert not set(findings(constant)) & set(ALARMS)


# -- its parts ---------------------------------------------------------------------------------------------------------


def test_the_scatter_is_that_of_the_noise_and_not_of_the_trend() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 3000)
    trend = np.linspace(1, 0, 3000)
    assert scatter(trend + noise) == pytest.approx(0.01, rel=0.05)
    assert scatter(trend) < 1e-12


def test_the_error_of_the_loss_is_near_the_true_one_and_not_below_it() -> None:
    judged = [(run, run.predictions("last")) for run in Store(REFERENCE.parent).runs() if run.listed]
    for run, predictions in judged:
        if predictions is None:  # of more seeds, the scores alone ship
            continue
        labels, probabilities = predictions.labels, predictions.probabilities
        if predictions.val_labels is not None and predictions.val_probabilities is not None:
            labels, probabilities = predictions.val_labels, predictions.val_probabilities
        losses = image_losses(labels, probabilities)
        true = losses.std() / math.sqrt(len(losses))
        assert 1.0 <= loss_error(run.rows()[-1], len(losses)) / true < 1.25, run.name


def test_what_is_said_of_the_shipped_runs() -> None:
    found = {
        (run.name, run.config.dataset.name): {item.kind: item.epoch for item in diagnose_run(run)}
        for run in Store(REFERENCE.parent).runs()
    }
    assert found["notebook/model_1", "mnist"] == {"overfitting": 13}
    assert found["notebook/model_2", "mnist"] == {"plateau": 6}
    assert set(found["notebook/model_3", "mnist"]) == {"still improving", "dropout makes training look worse"}
    assert found["readme/model_1", "mnist"] == {"overfitting": 13}


def test_the_command_says_the_same_in_words_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    run, _ = store.add(configuration(20), name="mine", preset=None, fingerprint="5" * 16)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    for row in history(COURSES["overfitting"][0], 20, 0.02, 0):
        writer.epoch(row)
    writer.ended("finished", "all epochs are done", best_epoch=9, kept_epoch=20)
    assert main(["diagnose", "mine", "--json", "--store", str(tmp_path)]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["findings"] == [item.to_json() for item in diagnose_run(store.get(run.id))]
    assert document["findings"][0]["kind"] == "overfitting"
    assert main(["diagnose", "mine", "--store", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert document["findings"][0]["sentence"] in printed
    assert document["findings"][0]["rule"] in printed
