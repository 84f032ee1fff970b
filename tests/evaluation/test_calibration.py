"""Calibration against brute force and other optimisers, and what is said of loss and accuracy against the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from benchmarks.diagnosis_histories import made_up_row
from mnist_core.comparison.loss_or_accuracy import course, mistake_cost
from mnist_core.comparison.words.loss_or_accuracy import course_sentence
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


def test_the_cost_of_a_wrong_image_is_the_mean_of_minus_the_logarithm_of_what_the_true_digit_got() -> None:
    assert mistake_cost(certain(960, 1000, 1e-6)) == pytest.approx(-math.log(1e-6), rel=1e-4)
    assert math.isnan(mistake_cost(certain(10, 10, 0.1)))


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
