"""The metrics against scikit-learn, SciPy, and sums written out by hand."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from mnist_core.evaluation.metrics import (
    ALPHA,
    LEVEL,
    accuracy_interval,
    class_scores,
    confidence,
    confusion_matrix,
    expected_calibration_error,
    image_losses,
    scores,
    split_loss,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)


def sample(seed: int, images: int = 400, skill: float = 2.0, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a made-up classifier; the greater the skill, the fewer its errors."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, images).astype(np.uint8)
    logits = generator.normal(size=(images, 10))
    logits[np.arange(images), labels] += skill
    return labels, softmax(logits)


labels_and_guesses = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=200)
samples = st.builds(sample, st.integers(0, 10_000), st.integers(1, 300), st.floats(0.0, 6.0), st.integers(1, 10))


@given(labels_and_guesses)
def test_confusion_matrix_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, guessed = np.array(pairs, np.uint8).T
    expected = sklearn_metrics.confusion_matrix(labels, guessed, labels=range(10))
    np.testing.assert_array_equal(confusion_matrix(labels, guessed, 10), expected)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@given(labels_and_guesses)
def test_class_scores_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, guessed = np.array(pairs, np.uint8).T
    found = class_scores(confusion_matrix(labels, guessed, 10))
    present = np.unique(labels)
    expected = sklearn_metrics.precision_recall_fscore_support(labels, guessed, labels=range(10), zero_division=0)
    np.testing.assert_array_equal(found.support, expected[3])
    for ours, theirs in ((found.recall, expected[1]), (found.f1, expected[2])):
        np.testing.assert_allclose(ours[present], theirs[present])
        assert np.isnan(np.delete(ours, present)).all(), "a digit without images has no recall and no F1"
    guessed_or_present = np.union1d(labels, guessed)
    np.testing.assert_allclose(found.precision[guessed_or_present], expected[0][guessed_or_present])
    assert np.isnan(np.delete(found.precision, guessed_or_present)).all()
    macro = sklearn_metrics.f1_score(labels, guessed, labels=present, average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(macro)


@given(samples)
def test_mean_loss_is_scikit_learns_log_loss(labels_and_probabilities: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = labels_and_probabilities
    probabilities = probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assume(probabilities[np.arange(len(labels)), labels].min() > 1e-15)  # scikit-learn clips below
    expected = sklearn_metrics.log_loss(labels, probabilities, labels=range(10))
    assert image_losses(labels, probabilities).mean() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_sure_and_wrong_guess_costs_what_keras_says_of_its_logits() -> None:
    import keras
    from scipy.special import softmax

    logits = np.zeros((3, 10), np.float32)
    logits[:, 3] = [10, 30, 60]
    labels = np.full(3, 4)
    expected = keras.ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    np.testing.assert_allclose(image_losses(labels, softmax(logits, axis=1)), np.array(expected), rtol=1e-5)


def test_a_probability_of_zero_costs_much_and_not_infinity() -> None:
    probabilities = np.zeros((2, 10), np.float32)
    probabilities[:, 3] = 1.0
    losses = image_losses(np.array([3, 4]), probabilities)
    assert losses[0] == 0.0
    assert losses[1] == pytest.approx(87.34, abs=0.01)
    assert np.isfinite(losses).all()


def brute_force_ece(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    """The definition of Guo et al. (2017), bin by bin: B_m holds the confidences in ((m − 1)/M, m/M]."""
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    total = 0.0
    for m in range(1, bins + 1):
        low, high = np.linspace(0.0, 1.0, bins + 1)[m - 1 : m + 1]
        inside = (sure > low) & (sure <= high)
        if inside.any():
            total += inside.sum() / len(labels) * abs(right[inside].mean() - sure[inside].mean())
    return total


@given(samples, st.integers(1, 30))
def test_ece_is_the_definition_summed_bin_by_bin(
    labels_and_probabilities: tuple[np.ndarray, np.ndarray], bins: int
) -> None:
    labels, probabilities = labels_and_probabilities
    expected = brute_force_ece(labels, probabilities, bins)
    assert expected_calibration_error(labels, probabilities, bins) == pytest.approx(expected, abs=1e-9)


def test_ece_where_it_is_known() -> None:
    probabilities = np.zeros((4, 10), np.float32)
    probabilities[:, 0] = 1.0
    assert expected_calibration_error(np.zeros(4, int), probabilities) == 0.0
    assert expected_calibration_error(np.ones(4, int), probabilities) == 1.0
    assert expected_calibration_error(np.array([0, 0, 0, 1]), probabilities) == pytest.approx(0.25)


@pytest.mark.parametrize("edge", [0.2, 0.4, 0.6, 0.8, 1.0])
def test_a_confidence_on_the_edge_of_a_bin_belongs_to_the_lower_one(edge: float) -> None:
    # one image at the edge and wrong, one just below and right: together in a bin their gap is |0.5 − mean confidence|
    sure = np.array([np.linspace(0, 1, 6)[round(edge * 5)], edge - 0.01])
    probabilities = np.zeros((2, 10))
    probabilities[:, 0], probabilities[:, 1] = sure, 1 - sure
    probabilities[:, 2:] = 0
    if edge <= 0.5:  # the rest must be spread, or the rest is the guess
        probabilities[:, 1:] = (1 - sure)[:, None] / 9
    expected = abs(0.5 - sure.mean())
    assert expected_calibration_error(np.array([9, 0]), probabilities, bins=5) == pytest.approx(expected)


@given(samples)
def test_the_parts_of_the_loss_add_up_to_the_mean(labels_and_probabilities: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = labels_and_probabilities
    parts = split_loss(labels, probabilities)
    losses = image_losses(labels, probabilities)
    wrong = probabilities.argmax(axis=1) != labels
    assert parts.correct + parts.wrong == pytest.approx(losses.mean())
    assert parts.wrong == pytest.approx(losses[wrong].sum() / len(labels))
    assert (parts.wrong == 0) == (not wrong.any())


@given(samples)
def test_scores_agree_with_scikit_learn(labels_and_probabilities: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = labels_and_probabilities
    guessed = probabilities.argmax(axis=1)
    found = scores(labels, probabilities)
    assert found.images == len(labels)
    assert found.errors == int((guessed != labels).sum())
    assert found.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, guessed))
    assert found.mean_confidence == pytest.approx(confidence(probabilities).mean())
    assert found.loss == pytest.approx(image_losses(labels, probabilities).mean())
    assert found.ece == pytest.approx(brute_force_ece(labels, probabilities, 15), abs=1e-9)
    assert found.macro_f1 == pytest.approx(
        sklearn_metrics.f1_score(labels, guessed, labels=np.unique(labels), average="macro", zero_division=0)
    )


def wilson_written_out(correct: int, images: int, level: float) -> tuple[float, float]:
    z = stats.norm.ppf(0.5 + level / 2)
    share = correct / images
    centre = (share + z**2 / (2 * images)) / (1 + z**2 / images)
    half = z / (1 + z**2 / images) * math.sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    return max(0.0, centre - half), min(1.0, centre + half)


@settings(max_examples=60)
@given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_accuracy_interval_is_wilsons(images: int, share: float, level: float) -> None:
    correct = round(share * images)
    found = accuracy_interval(correct, images, level)
    assert (found.low, found.high) == pytest.approx(wilson_written_out(correct, images, level), abs=1e-9)
    assert found.low <= correct / images <= found.high


def test_without_a_level_the_interval_has_that_of_every_decision() -> None:
    assert (
        accuracy_interval(9762, 10_000)
        == accuracy_interval(9762, 10_000, LEVEL)
        == accuracy_interval(9762, 10_000, 1 - ALPHA)
    )


def test_accuracy_interval_is_that_of_binomtest() -> None:
    expected = stats.binomtest(9762, 10_000).proportion_ci(0.95, method="wilson")
    assert accuracy_interval(9762, 10_000) == pytest.approx((expected.low, expected.high))
    assert accuracy_interval(10, 10).low < 1.0, "ten out of ten is no proof of perfection"
