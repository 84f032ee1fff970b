"""Calibration against brute force and other optimisers, and what is said of loss and accuracy against the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from benchmarks.diagnosis_histories import made_up_row
from mnist_core.comparison.loss_or_accuracy import closing, course, course_sentence, winners
from mnist_core.evaluation.calibration import fit_temperature, loss_at, reliability, tempered_scores, with_temperature
from mnist_core.evaluation.metrics import expected_calibration_error, scores
from mnist_core.evaluation.predictions import Predictions

Arrays = tuple[np.ndarray, np.ndarray]


def predictions_of(seed: int, *, sharpness: float, images: int = 2000, skill: float = 3.0) -> Arrays:
    """Labels, and probabilities that are `sharpness` times too sure: labels are drawn from the calibrated ones."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, skill, (images, 10))
    calibrated = softmax(logits, axis=1)
    labels = (calibrated.cumsum(axis=1) > generator.random((images, 1))).argmax(axis=1).astype(np.uint8)
    return labels, softmax(sharpness * logits, axis=1).astype(np.float32)


# -- temperature -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_a_temperature_divides_the_logits_and_leaves_every_guess(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(0, 4, (300, 10))
    found = with_temperature(softmax(logits, axis=1), temperature)
    assert found == pytest.approx(softmax(logits / temperature, axis=1), abs=1e-9)
    assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_temperature_1_changes_nothing_and_zeros_stay_finite() -> None:
    probabilities = np.array([[1.0] + [0.0] * 9, [0.5, 0.5] + [0.0] * 8], np.float32)
    assert with_temperature(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-12)
    assert np.isfinite(with_temperature(probabilities, 0.02)).all()
    assert math.isfinite(loss_at(np.array([3, 4]), probabilities, 4.0))


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.0])
def test_the_fitted_temperature_is_that_of_a_grid_and_of_another_optimiser(sharpness: float) -> None:
    labels, probabilities = predictions_of(1, sharpness=sharpness)
    found = fit_temperature(labels, probabilities)
    grid = np.geomspace(0.1, 10, 401)
    assert found == pytest.approx(grid[np.argmin([loss_at(labels, probabilities, t) for t in grid])], rel=0.02)

    log_p = np.log(probabilities.astype(np.float64))

    def loss(log_t: np.ndarray) -> float:
        return -float(log_softmax(log_p / np.exp(log_t[0]), axis=1)[np.arange(len(labels)), labels].mean())

    other = minimize(loss, x0=[0.0], method="Nelder-Mead", options={"xatol": 1e-6})
    assert found == pytest.approx(math.exp(other.x[0]), rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.1), "labels were drawn so that this temperature is the true one"


def test_the_fitted_temperature_calibrates_and_keeps_the_accuracy() -> None:
    held_out, judged = predictions_of(2, sharpness=2.0), predictions_of(3, sharpness=2.0)
    temperature = fit_temperature(*held_out)
    before, after = scores(*judged), tempered_scores(*judged, temperature)
    assert after.accuracy == before.accuracy
    assert after.loss < before.loss
    assert after.ece < before.ece / 2


# -- reliability -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("equal_counts", [True, False])
def test_every_image_is_in_one_bin_and_the_bins_are_as_by_brute_force(equal_counts: bool) -> None:
    labels, probabilities = predictions_of(4, sharpness=1.5)
    sure, right = probabilities.max(axis=1).astype(float), probabilities.argmax(axis=1) == labels
    bins = reliability(labels, probabilities, equal_counts=equal_counts)
    assert sum(item.images for item in bins) == len(labels)
    for index, item in enumerate(bins):
        above = sure >= item.low if equal_counts or index == 0 else sure > item.low
        here = above & (sure <= item.high)
        assert item.images == here.sum()
        assert item.confidence == pytest.approx(sure[here].mean())
        assert item.accuracy == pytest.approx(right[here].mean())
        assert item.interval.low <= item.accuracy <= item.interval.high


def test_equal_widths_add_up_to_the_calibration_error() -> None:
    labels, probabilities = predictions_of(5, sharpness=1.7)
    bins = reliability(labels, probabilities, equal_counts=False)
    error = sum(item.images / len(labels) * abs(item.accuracy - item.confidence) for item in bins)
    assert error == pytest.approx(expected_calibration_error(labels, probabilities))


def test_equal_counts_hold_as_many_images_and_ties_stay_together() -> None:
    labels, probabilities = predictions_of(6, sharpness=1.0, images=1500)
    assert {item.images for item in reliability(labels, probabilities)} == {100}
    certain = np.eye(10, dtype=np.float32)[np.arange(50) % 10]
    (only,) = reliability(np.arange(50) % 10, certain)
    assert (only.images, only.confidence, only.accuracy) == (50, 1.0, 1.0)


# -- words -------------------------------------------------------------------------------------------------------------


def certain(right: int, images: int, wrong_probability: float) -> Predictions:
    """The first `right` images guessed at 0.99; the others wrongly, with this probability left for the true digit."""
    labels = (np.arange(images) % 10).astype(np.uint8)
    probabilities = np.full((images, 10), 0.01 / 9, np.float32)
    probabilities[np.arange(images), labels] = 0.99
    for index in range(right, images):
        probabilities[index] = 0.0
        probabilities[index, labels[index]] = wrong_probability
        probabilities[index, (labels[index] + 1) % 10] = 1 - wrong_probability
    return Predictions(labels, probabilities)


def test_a_run_with_fewer_but_dearer_mistakes_wins_by_accuracy_and_loses_by_loss() -> None:
    sure, careful = certain(960, 1000, 1e-6), certain(930, 1000, 0.3)
    found = winners(sure, careful)
    assert found.accuracy.value == pytest.approx(-0.03)
    assert found.loss.value < 0
    assert not found.agree
    assert found.first_cost == pytest.approx(-math.log(1e-6), rel=1e-4)
    sentence = closing({"sure": sure, "careful": careful})
    assert "They disagree: by accuracy sure is better, by 3.00 percentage points; by loss careful is" in sentence
    assert "A wrong image costs 13.8 nats on average in sure, and 1.2 in careful." in sentence
    assert "Both differences are more than chance" in sentence


def test_agreement_and_a_difference_within_chance_are_said() -> None:
    sentence = closing({"one": certain(960, 1000, 0.1), "two": certain(961, 1000, 0.1)})
    assert sentence.startswith("By accuracy and by loss two is better: 0.10 percentage points more right")
    assert "Neither difference is more than chance" in sentence


def test_of_many_runs_the_two_best_are_compared() -> None:
    runs = {"poor": certain(900, 1000, 0.2), "sure": certain(980, 1000, 1e-9), "careful": certain(950, 1000, 0.4)}
    assert "by accuracy sure is better" in closing(runs)
    assert "by loss careful is" in closing(runs)


def test_one_run_or_other_images_give_no_verdict() -> None:
    assert closing({"one": certain(9, 10, 0.1)}) == ""
    assert "different images" in closing({"one": certain(9, 10, 0.1), "two": certain(9, 11, 0.1)})


def test_the_course_tells_how_much_dearer_wrong_images_became() -> None:
    rows = [made_up_row(1, 0.2, 0.3), made_up_row(2, 0.1, 0.1), made_up_row(3, 0.05, 0.13)]
    from dataclasses import replace

    rows = [rows[0], replace(rows[1], val_accuracy=0.97), replace(rows[2], val_accuracy=0.98)]
    found = course(rows)
    assert found is not None
    assert found.best_cost == pytest.approx(0.085 / 0.03)
    assert found.last_cost == pytest.approx(0.1105 / 0.02)
    sentence = course_sentence("model_2", found)
    assert "from 0.1000 in epoch 2, its lowest, to 0.1300 in epoch 3" in sentence
    assert "97.00 % to 98.00 %, 1.00 points up. No more images are wrong" in sentence
    assert "5.5 nats each on average instead of 2.8, 1.95 times as much" in sentence
    assert "scatter" not in sentence
    assert course_sentence("a", found, overfits=False).endswith(
        "not clearly more than the scatter from epoch to epoch."
    )


def test_a_run_that_is_best_at_its_end_and_one_without_a_finite_loss() -> None:
    found = course([made_up_row(1, 0.2, 0.3), made_up_row(2, 0.1, 0.1)])
    assert found is not None
    assert "lowest at the end" in course_sentence("a", found)
    assert course([made_up_row(1, math.nan, math.nan)]) is None
