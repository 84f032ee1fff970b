"""What is found in curves: in made-up histories whose truth is known, in sixty real trainings, in the shipped runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.diagnosis_histories import TRUTHS, all_cases, cases, configuration, made_up_row
from benchmarks.diagnosis_rates import contradicted, findings_of, findings_of_training, is_false_alarm, is_right
from benchmarks.diagnosis_runs import configurations, read
from mnist_core.cli import main
from mnist_core.comparison.diagnosis.findings import Finding, UnseenResult
from mnist_core.comparison.diagnosis.rules import diagnose, diagnose_run
from mnist_core.comparison.diagnosis.series import CurveNoise, Series, noise_of, pivots
from mnist_core.comparison.diagnosis.suggestions import Suggestion, runs_with_change
from mnist_core.comparison.diagnosis.trends import loss_error
from mnist_core.errors import ConfigError
from mnist_core.evaluation.metrics import image_losses
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root

IMAGES = 10_000
REFERENCE = default_root() / "reference"
VALLEY = [0.4, 0.2, 0.14, 0.11, 0.10] + [0.09 + 0.004 * index for index in range(15)]
LEARNING = [0.35 * 0.8**index for index in range(20)]
STOPPING = "training.early_stopping"
LOWER_RATE = Suggestion("training.learning_rate", "lower")


def rows_of(validation: list[float], training: list[float] | None = None) -> list[EpochRow]:
    clean = training or [0.9 * value for value in validation]
    return [made_up_row(index + 1, low, high) for index, (low, high) in enumerate(zip(clean, validation, strict=True))]


def findings(
    rows: list[EpochRow], *, dropout: float = 0.0, images: int | None = IMAGES, **options: object
) -> dict[str, Finding]:
    found = diagnose(rows, configuration(max(1, len(rows)), dropout=dropout), images=images, **options)  # type: ignore[arg-type]
    return {item.code: item for item in found}


def zigzag(level: float, epochs: int, swing: float) -> list[float]:
    """A level with noise: the next value cannot be told from those before."""
    pattern = [1, -1, -1, 1, 1, -1, 1, -1, -1, 1]
    return [level * (1 + swing * pattern[index % 10]) for index in range(epochs)]


# -- where the validation loss goes ------------------------------------------------------------------------------------


def test_overfitting_is_dated_at_the_lowest_validation_loss_and_has_the_means_that_were_compared() -> None:
    item = findings(rows_of(VALLEY, LEARNING))["overfitting"]
    assert 6 <= item.epoch <= 8
    assert item.severity == "problem"
    assert item.numbers["last"] == pytest.approx(np.mean(VALLEY[-4:]))
    assert item.numbers["low"] == pytest.approx(np.convolve(VALLEY, np.ones(4) / 4, "valid").min())
    assert item.numbers["rise"] == pytest.approx(item.numbers["last"] - item.numbers["low"])


def test_overfitting_is_found_where_the_training_loss_has_nothing_left_to_fall() -> None:
    assert "overfitting" in findings(rows_of(VALLEY, [max(1e-7, 0.3 * 0.01**index) for index in range(20)]))


def test_a_validation_loss_that_rises_with_the_training_loss_got_worse_and_is_no_overfitting_or_plateau() -> None:
    found = findings(rows_of(VALLEY, VALLEY))
    assert "got_worse" in found
    assert not {"overfitting", "plateau"} & set(found)
    assert found["got_worse"].suggestions == (LOWER_RATE,)


def test_a_rise_within_the_noise_is_no_rise() -> None:
    noisy = [0.4, 0.2, *zigzag(0.09, 18, 0.06)]
    noisy[-3:] = [value + 0.003 for value in noisy[-3:]]
    assert not {"overfitting", "got_worse", "val_loss_rose"} & set(findings(rows_of(noisy, LEARNING)))


def test_a_rise_that_other_images_might_not_show_is_reported_as_a_rise_and_not_as_a_plateau() -> None:
    valley = [0.4, 0.2, 0.14, 0.11, 0.10] + [0.09 + 0.0015 * index for index in range(15)]
    rows = rows_of(valley, LEARNING)
    assert "overfitting" in findings(rows, images=10_000)
    few = findings(rows, images=300)
    assert set(few) == {"val_loss_rose"}
    assert few["val_loss_rose"].numbers["rise"] <= few["val_loss_rose"].numbers["sampling"]


def test_early_stopping_that_kept_the_best_weights_makes_overfitting_a_note_without_advice() -> None:
    item = findings(rows_of(VALLEY, LEARNING), kept_epoch=6)["overfitting"]
    assert item.severity == "note"
    assert item.suggestions == ()


def test_still_improving_suggests_more_epochs() -> None:
    item = findings(rows_of([0.4 * 0.93**index for index in range(20)]))["still_improving"]
    assert item.epoch == 20
    assert item.suggestions[0] == Suggestion("training.epochs", "higher")


def test_where_early_stopping_ended_a_fall_more_patience_is_suggested_and_not_more_epochs() -> None:
    rows = rows_of([0.4 * 0.93**index for index in range(20)])
    (item,) = diagnose(rows, configuration(40, patience=3))
    assert item.suggestions[0].path == "training.early_stopping.patience"


def test_a_slow_fall_of_a_long_training_is_found() -> None:
    falling = [0.3 * (1 - 0.0008 * index) for index in range(500)]
    noisy = [value * (1 + 0.03 * math.sin(12.9898 * index * index)) for index, value in enumerate(falling)]
    assert "still_improving" in findings(rows_of(noisy))


def test_a_fall_below_one_per_cent_is_not_worth_a_finding() -> None:
    assert "still_improving" not in findings(rows_of([0.1 * 0.9995**index for index in range(20)]))


def test_a_plateau_is_dated_where_the_level_is_reached() -> None:
    found = findings(rows_of([0.5, 0.3, 0.2, 0.15, 0.12, *zigzag(0.1, 15, 0.01)]))
    assert list(found) == ["plateau"]
    assert 6 <= found["plateau"].epoch <= 10


def test_a_plateau_must_hold_to_the_end() -> None:
    level = [0.5, 0.3, 0.2, 0.15, 0.12, *zigzag(0.1, 20, 0.01)]
    assert "plateau" in findings(rows_of(level, [0.1] * 25))
    assert "plateau" not in findings(rows_of([*level[:-6], 0.11, 0.12, 0.14, 0.16, 0.18, 0.2], [0.1] * 25))


@pytest.mark.parametrize("column", ["val_loss", "both"])
def test_a_curve_that_is_neither_level_nor_clearly_rising_is_called_unclear(column: str) -> None:
    noisy = zigzag(0.1, 12, 0.2)
    rising = [value * 1.02**index for index, value in enumerate(noisy)]
    assert "unclear" in findings(rows_of(rising, rising if column == "both" else None))


# -- how well it fits --------------------------------------------------------------------------------------------------


def test_underfitting_is_measured_at_the_best_window_and_not_at_the_last_one() -> None:
    level = [1.0, 0.6, 0.4, 0.3, 0.27, *zigzag(0.25, 15, 0.01)]
    rows = rows_of(level, [0.98 * value for value in level])
    assert findings(rows)["underfitting"].severity == "problem"
    fitted_once = [
        replace(row, train_eval_accuracy=0.999) if 5 <= row.epoch <= 9 else row for row in rows
    ]  # a network that fitted all of its images is large enough
    assert "underfitting" not in findings(fitted_once)


def test_underfitting_with_a_high_learning_rate_suggests_a_lower_one_and_never_a_higher_one() -> None:
    level = [1.0, 0.6, 0.4, 0.3, 0.27, *zigzag(0.25, 15, 0.01)]
    rows = rows_of(level)
    usual, high = configuration(20), configuration(20).replace(training__learning_rate=0.05)
    advice = [
        next(item.suggestions for item in diagnose(rows, config) if item.code == "underfitting")
        for config in (usual, high)
    ]
    assert advice[1] == (LOWER_RATE,)
    assert advice[0] == (Suggestion("model.layers.*.units", "higher"),)


def test_a_gap_between_training_and_validation_is_found_where_the_loss_is_flat() -> None:
    level = [1.0, 0.7, 0.6, 0.55, 0.52, *zigzag(0.5, 15, 0.01)]
    item = findings(rows_of(level, [0.001] * 20))["generalisation_gap"]
    assert item.numbers["gap"] == pytest.approx(item.numbers["training_accuracy"] - item.numbers["val_accuracy"])
    assert item.numbers["gap"] > 0.14


def test_validation_images_that_are_too_well_known_hint_at_a_leak_and_not_at_underfitting() -> None:
    known_too_well = {"train_eval_accuracy": 0.95, "val_accuracy": 0.9988}
    rows = [replace(made_up_row(epoch, 0.17, 0.02), **known_too_well) for epoch in range(1, 21)]
    found = findings(rows)
    assert "val_better_than_training" in found
    assert "underfitting" not in found


def test_a_validation_accuracy_above_that_of_the_test_hints_at_a_leak() -> None:
    rows = [replace(made_up_row(epoch, 0.01, 0.02), val_accuracy=0.9988) for epoch in range(1, 21)]
    assert "val_better_than_test" in findings(rows, kept_epoch=20, test=UnseenResult(0.9801, 10_000))
    assert "val_better_than_test" not in findings(rows, kept_epoch=20, test=UnseenResult(0.9975, 10_000))
    assert "val_better_than_test" not in findings(rows, kept_epoch=20, images=200, test=UnseenResult(0.985, 355))


def test_dropout_that_makes_training_look_worse() -> None:
    rows = [made_up_row(e, 0.10, 0.12, training=0.2) for e in range(1, 11)]
    code = "dropout_raises_training_loss"
    item = findings(rows, dropout=0.4)[code]
    assert (item.numbers["shown"], item.numbers["val"], item.numbers["clean"]) == pytest.approx((0.2, 0.12, 0.1))
    assert code not in findings(rows), "without dropout there is nothing to explain"
    below = [made_up_row(e, 0.10, 0.12, training=0.11) for e in range(1, 11)]
    assert code not in findings(below, dropout=0.4)


# -- trainings that came to grief --------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["loss", "val_loss"])
def test_a_loss_that_is_not_finite_leaves_nothing_else_to_say(column: str) -> None:
    rows = rows_of([0.4 * 0.9**index for index in range(20)])
    rows[7] = replace(rows[7], **{column: math.nan})
    found = findings(rows)
    assert list(found) == ["not_finite"]
    assert found["not_finite"].epoch == 8
    assert found["not_finite"].numbers["last"] == pytest.approx(rows[6].loss)


def test_a_loss_that_is_not_finite_in_the_first_epoch() -> None:
    assert findings([replace(made_up_row(1, 1.0, 1.0), loss=math.inf)])["not_finite"].epoch == 1


def test_a_finite_explosion_is_dated_where_it_began_and_is_not_called_chance() -> None:
    losses = [0.3, 0.28, 0.25, 1.0, 4.0, 9.0, 30.0, 60.0, 60.0, 60.0, 60.0]
    rows = [replace(row, val_accuracy=0.10 if row.epoch > 8 else 0.6) for row in rows_of(losses)]
    found = findings(rows)
    assert list(found) == ["loss_explosion"]
    assert found["loss_explosion"].epoch == 4


def test_a_collapse_from_97_to_30_per_cent_is_found_though_the_loss_is_better_than_guessing() -> None:
    good, bad = made_up_row(1, 0.10, 0.12), replace(made_up_row(1, 1.9, 2.0), val_accuracy=0.3, train_eval_accuracy=0.3)
    rows = [replace(good if epoch < 13 else bad, epoch=epoch) for epoch in range(1, 21)]
    found = findings(rows)
    assert list(found) == ["collapse"]
    assert found["collapse"].epoch == 13


def test_a_collapse_to_chance_remembers_what_had_been_reached() -> None:
    rows = rows_of([0.5, 0.3, 0.2, 0.15]) + [
        replace(made_up_row(epoch, 2.3, 2.3), val_accuracy=0.098) for epoch in range(5, 12)
    ]
    item = findings(rows)["collapse"]
    assert item.epoch == 5
    assert item.numbers["best"] == pytest.approx(0.9559, abs=1e-4)


def test_the_published_dead_run_is_recognised() -> None:
    dead = [replace(made_up_row(epoch, 14.5, 14.68), val_accuracy=0.0892, accuracy=0.1) for epoch in range(1, 31)]
    found = findings(dead)
    assert list(found) == ["dead_network"]
    assert found["dead_network"].epoch == 1


def test_a_network_that_never_learns_is_stuck_but_not_dead() -> None:
    flat = [replace(made_up_row(epoch, 2.301, 2.302), val_accuracy=0.1135) for epoch in range(1, 4)]
    assert list(findings(flat)) == ["stuck_at_chance"]


def test_a_slow_start_above_chance_is_not_stuck() -> None:
    slow = [replace(made_up_row(epoch, 2.2, 2.2), val_accuracy=0.14) for epoch in range(1, 6)]
    assert "stuck_at_chance" not in findings(slow)
    assert "stuck_at_chance" in findings(slow, images=100), "on 100 images 14 % is chance as well"


# -- swings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("epochs", [14, 30])
def test_an_oscillation_is_found_at_any_period_and_is_no_plateau(period: int, epochs: int) -> None:
    values = [0.12 if index % period < period // 2 else 0.35 for index in range(epochs)]
    found = findings(rows_of(values))
    assert found["oscillation"].suggestions == (LOWER_RATE,)
    assert "plateau" not in found


@pytest.mark.parametrize("width", [1, 4])
def test_a_spike_quick_or_slow_has_a_finding_of_its_own_and_leaves_the_plateau_alone(width: int) -> None:
    values = [0.5, 0.3, 0.2, 0.15, *zigzag(0.12, 26, 0.02)]
    values[14 : 14 + width] = [0.4, 0.35, 0.3, 0.25][:width]
    found = findings(rows_of(values, [0.5 * value for value in values]))
    assert set(found) == {"spike", "plateau"}
    assert found["spike"].epoch == 15
    assert found["plateau"].numbers["left_out"] == width


def test_small_swings_are_neither() -> None:
    assert not {"oscillation", "spike"} & set(findings(rows_of([0.5, 0.3, 0.2, 0.15, *zigzag(0.12, 16, 0.08)])))


# -- too little to tell ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 2])
def test_one_or_two_epochs_are_too_few(epochs: int) -> None:
    assert list(findings(rows_of([0.4, 0.3][:epochs]))) == ["too_few_epochs"]


def test_a_short_run_that_fell_in_every_epoch_was_still_improving() -> None:
    assert list(findings(rows_of([0.4, 0.3, 0.25, 0.22, 0.20]))) == ["still_improving"]
    assert list(findings(rows_of([0.4, 0.3, 0.25, 0.22, 0.23]))) == ["too_few_epochs"]


def test_a_loss_four_times_the_lowest_is_a_rise_even_in_five_epochs() -> None:
    assert list(findings(rows_of([0.2, 0.1, 0.3, 0.35, 0.4]))) == ["val_loss_rose"]


def test_no_epoch_no_finding_and_else_always_one() -> None:
    assert diagnose([], configuration(5)) == []
    assert all(findings_of(case) for case in all_cases(range(1), (8, 20)))


# -- what goes in ------------------------------------------------------------------------------------------------------


def test_a_frame_with_only_loss_and_val_loss_is_enough() -> None:
    frame = pd.DataFrame({"loss": LEARNING, "val_loss": VALLEY})
    (item,) = diagnose(frame)
    assert item.code == "overfitting"
    assert item.columns == ("val_loss", "loss")
    assert item.epoch == findings(rows_of(VALLEY, LEARNING))["overfitting"].epoch
    assert diagnose({"loss": LEARNING, "val_loss": VALLEY}) == [item]
    collapsed = pd.DataFrame({"loss": [0.3] * 8 + [2.0] * 6, "val_loss": [0.3] * 8 + [2.1] * 6})
    assert [item.code for item in diagnose(collapsed)] == ["collapse"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"loss": [0.1]}, "add val_loss"),
        ({"loss": ["a"], "val_loss": [0.1]}, "loss of a history is not made of numbers"),
        ({"loss": [0.1, 0.2], "val_loss": [0.1]}, "val_loss has 1 values and loss has 2"),
        ({"loss": [0.1, 0.2], "val_loss": [0.1, 0.2], "epoch": [2, 1]}, "epoch must count upwards"),
        ({"loss": [0.1, 0.2], "val_loss": [0.1, -0.2]}, "val_loss is -0.2"),
    ],
)
def test_a_history_that_cannot_be_read_is_refused_with_the_reason(columns: dict[str, list], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        diagnose(columns)


# -- how often it is wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("truth", [name for name in TRUTHS if name.startswith("clean")])
def test_false_alarms_on_clean_histories_are_at_most_2_per_cent(truth: str) -> None:
    found = [is_false_alarm(case, findings_of(case)) for case in cases(truth, range(200, 220))]
    assert len(found) >= 200
    assert sum(found) <= 0.02 * len(found)


@pytest.mark.parametrize("truth", TRUTHS)
def test_clear_cases_are_found_at_their_epoch(truth: str) -> None:
    clear = [case for case in cases(truth, range(300, 308)) if case.clear]
    assert len(clear) >= 20
    # each truth by itself is a small sample; all together are held to 95 % below
    assert sum(is_right(case, findings_of(case)) for case in clear) >= 0.88 * len(clear)


def test_95_per_cent_of_all_clear_cases_are_found() -> None:
    clear = [case for case in all_cases(range(400, 403)) if case.clear]
    assert sum(is_right(case, findings_of(case)) for case in clear) >= 0.95 * len(clear)


# -- real trainings ----------------------------------------------------------------------------------------------------


def test_the_kept_histories_are_of_the_trainings_that_the_script_makes() -> None:
    assert [(item.name, item.config) for item in read()] == list(configurations())


def test_in_real_trainings_no_plateau_denies_a_rise_and_no_sentence_its_numbers() -> None:
    every = [(item.rows, findings_of_training(item)) for item in read()]
    every += [(run.rows(), diagnose_run(run)) for run in Store(REFERENCE.parent).runs()]
    assert sum(contradicted(found) for _, found in every) == 0
    for rows, found in every:
        assert found
        for item in found:
            if item.code != "plateau" or item.numbers.get("left_out"):
                continue
            window = int(item.numbers["window"])
            means = np.convolve([row.val_loss for row in rows], np.ones(window) / window, "valid")
            since = means[item.epoch - window :]
            assert since.max() / since.min() < 1.18
            assert means[-1] / means.min() < 1.15


def test_in_real_trainings_far_too_high_rates_are_never_advised_higher_and_far_too_low_ones_never_lower() -> None:
    for item in read():
        rate, changes = (
            item.config.training.learning_rate,
            [c for f in findings_of_training(item) for c in f.suggestions],
        )
        assert len({change.path for change in changes}) == len(changes), "no two pieces of advice on one setting"
        directions = {change.direction for change in changes if change.path == "training.learning_rate"}
        if rate >= 0.03 and item.config.training.optimizer != "sgd":
            assert directions == {"lower"}, item.name
        if rate <= 0.0003:
            assert directions <= {"higher"}, item.name


def test_what_is_found_in_the_shipped_runs() -> None:
    found = {
        (run.name, run.config.dataset.name): {item.code: item.epoch for item in diagnose_run(run)}
        for run in Store(REFERENCE.parent).runs()
    }
    assert found["notebook/model_1", "mnist"] == {"overfitting": 13}
    assert found["notebook/model_2", "mnist"] == {"plateau": 6}
    assert set(found["notebook/model_3", "mnist"]) == {"still_improving", "dropout_raises_training_loss"}
    assert found["coursera/best_mlp", "mnist"] == {"overfitting": 7}


# -- suggestions -------------------------------------------------------------------------------------------------------


def stored(store: Store, name: str, **changes: object) -> Run:
    config = configuration(20).replace(**changes)
    run, _ = store.add(config, name=name, preset=None, fingerprint="5" * 16)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    for row in rows_of(VALLEY, LEARNING):
        writer.epoch(row)
    writer.ended("finished", "all epochs are done", best_epoch=6, kept_epoch=20)
    return store.get(run.id)


def test_the_runs_that_made_just_the_suggested_change_are_found_nearest_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    own = stored(store, "own", training__learning_rate=0.01)
    near = stored(store, "near", training__learning_rate=0.003)
    far = stored(store, "far", training__learning_rate=0.0001)
    stored(store, "other way", training__learning_rate=0.03)
    stored(store, "more than that", training__learning_rate=0.003, training__batch_size=64)
    assert [run.id for run in runs_with_change(own, LOWER_RATE, store.runs())] == [near.id, far.id]


def test_changes_of_all_layers_and_of_settings_without_a_value_are_found_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    own = stored(store, "own")
    dropout = stored(store, "dropout", model__layers__0__dropout=0.3)
    stopping = stored(store, "stopping", training__early_stopping={"patience": 3})
    runs = store.runs()
    assert [run.id for run in runs_with_change(own, Suggestion("model.layers.*.dropout", "higher"), runs)] == [
        dropout.id
    ]
    assert [run.id for run in runs_with_change(own, Suggestion("training.early_stopping", "set"), runs)] == [
        stopping.id
    ]
    assert runs_with_change(dropout, Suggestion("model.layers.*.dropout", "higher"), runs) == []


def test_the_command_has_the_same_findings_in_words_and_as_json_and_points_to_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    run = stored(store, "mine")
    tried = stored(store, "with dropout", model__layers__0__dropout=0.3)
    assert main(["diagnose", "mine", "--json", "--store", str(tmp_path)]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    (item,) = document["findings"]
    (expected,) = diagnose_run(run)
    assert (item["kind"], item["code"], item["epoch"]) == ("overfitting", expected.code, expected.epoch)
    assert item["numbers"] == pytest.approx(dict(expected.numbers))
    assert item["suggestions"] == [
        {"path": "training.early_stopping", "direction": "set", "runs": []},
        {"path": "model.layers.*.dropout", "direction": "higher", "runs": [tried.id]},
    ]
    assert main(["diagnose", "mine", "--store", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert item["sentence"] in printed
    assert item["rule"] in printed
    assert (
        "Trained with more dropout, all else equal: with dropout (dropout 0.3, lowest validation loss 0.0900)"
        in printed
    )


# -- its parts ---------------------------------------------------------------------------------------------------------


def test_the_noise_is_that_around_the_trend_and_knows_of_its_memory() -> None:
    generator = np.random.default_rng(0)
    trend = np.linspace(1, 0, 3000)
    white = noise_of(trend + generator.normal(0, 0.01, 3000))
    assert white.sd == pytest.approx(0.01, rel=0.05)
    assert white.autocorrelation < 0.05
    assert noise_of(trend).sd < 1e-12
    steps = generator.normal(0, 0.01 * math.sqrt(1 - 0.5**2), 3000)
    slow = np.zeros(3000)
    for index in range(1, 3000):
        slow[index] = 0.5 * slow[index - 1] + steps[index]
    found = noise_of(trend + slow)
    assert found.sd == pytest.approx(0.01, rel=0.1)
    assert found.autocorrelation == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_standard_error_of_a_difference_of_means_is_that_of_a_simulation(rho: float) -> None:
    generator = np.random.default_rng(1)
    values = np.zeros((4000, 40))
    for index in range(40):
        fresh = generator.normal(0, 1, 4000)
        values[:, index] = fresh if index == 0 else rho * values[:, index - 1] + math.sqrt(1 - rho**2) * fresh
    differences = values[:, :5].mean(axis=1) - values[:, -5:].mean(axis=1)
    assert differences.std() == pytest.approx(CurveNoise(1.0, rho).error(5), rel=0.05)


def test_pivots_are_where_a_curve_turns_for_good() -> None:
    assert pivots(np.array([1.0, 0.5, 0.2, 0.21, 0.19, 0.4, 0.41, 0.1])) == [0, 4, 6, 7]
    assert pivots(np.array([1.0, 0.9, 0.8])) == []


def test_the_lowest_of_equal_means_is_the_last_one() -> None:
    assert Series(np.full(10, 0.1), np.arange(1, 11)).best == 8


def test_the_error_of_the_loss_is_near_the_true_one_and_hardly_below_it() -> None:
    evaluated = [(run, run.predictions("last")) for run in Store(REFERENCE.parent).runs() if run.listed]
    for run, predictions in evaluated:
        if predictions is None:  # of more seeds, the scores alone ship
            continue
        labels, probabilities = predictions.labels, predictions.probabilities
        if predictions.val_labels is not None and predictions.val_probabilities is not None:
            labels, probabilities = predictions.val_labels, predictions.val_probabilities
        losses = image_losses(labels, probabilities)
        true = losses.std() / math.sqrt(len(losses))
        row = run.rows()[-1]
        assert 0.95 < loss_error(row.val_loss_wrong, row.val_accuracy, len(losses)) / true < 1.3, run.name
