"""Known label errors of MNIST's test set, and likely ones found by confident learning on noise that is known."""

import numpy as np
import pytest

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.data.datasets import Catalog
from mnist_core.evaluation.label_errors import class_thresholds, effect, known_errors, likely_errors
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.words import known_error_words

CORRECTED = {947: 9, 1621: 6, 1901: 4, 2462: 0, 2597: 3, 3558: 0, 5937: 3, 6651: 6, 6783: 6, 9729: 6}


@pytest.fixture
def known_labels() -> np.ndarray:
    """10,000 labels that agree with MNIST's where they are known to be wrong."""
    labels = (np.arange(10_000) % 10).astype(np.uint8)
    for index, error in known_errors(MNIST_FINGERPRINT).items():
        labels[index] = error.given
    return labels


def saying(labels: np.ndarray, **guesses: int) -> Predictions:
    """Predictions that are all right, but for the guesses given as image_12=3."""
    probabilities = np.full((len(labels), 10), 0.01, np.float32)
    guessed = labels.copy()
    for name, digit in guesses.items():
        guessed[int(name.removeprefix("image_"))] = digit
    probabilities[np.arange(len(labels)), guessed] = 0.91
    return Predictions(labels, probabilities)


def test_ten_of_the_fifteen_known_errors_have_a_majority_two_are_ties_and_three_are_neither() -> None:
    errors = known_errors(MNIST_FINGERPRINT)
    assert len(errors) == 15
    assert {index: error.corrected for index, error in errors.items() if error.corrected is not None} == CORRECTED
    assert [index for index, error in errors.items() if error.likely == (4, 9)] == [2130, 8527]
    assert [index for index, error in errors.items() if not error.likely] == [2654, 3520, 9679]
    assert known_error_words(errors[947]) == "Known label error: the label says 8, most reviewers saw a 9."
    assert "as many reviewers saw a 4 as a 9" in known_error_words(errors[2130])
    assert "neither" in known_error_words(errors[9679])


@pytest.mark.mnist
def test_the_given_labels_are_those_of_mnist(tmp_path) -> None:
    labels = Catalog(tmp_path).load("mnist").y_test
    assert all(labels[error.image] == error.given for error in known_errors(MNIST_FINGERPRINT).values())


def test_other_data_has_no_known_errors() -> None:
    assert known_errors("0123456789abcdef") == {}
    labels = (np.arange(20) % 10).astype(np.uint8)
    assert effect(saying(labels), "0123456789abcdef") is None


def test_accuracy_with_and_without_known_errors(known_labels: np.ndarray) -> None:
    # three wrong guesses: an image of a good label, one that agrees with the reviewers, one where there is no majority
    found = effect(saying(known_labels, image_0=5, image_947=9, image_2654=1), MNIST_FINGERPRINT)
    assert found is not None
    assert (found.known, found.wrong, found.wrong_known, found.agreeing) == (15, 3, 2, 1)
    assert found.accuracy == pytest.approx(1 - 3 / 10_000)
    assert found.without == pytest.approx(1 - 1 / 9_985)
    # the nine others with a majority now count as wrong, and the five without one are left out
    assert found.corrected == pytest.approx(1 - 10 / 9_995)


def noisy(flips: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of which `flips` are wrong, out-of-sample probabilities of a fair model, and the wrong ones' indices."""
    generator = np.random.default_rng(5)
    true = generator.integers(0, 10, 2_000)
    logits = generator.normal(size=(2_000, 10))
    logits[np.arange(2_000), true] += 7
    exponential = np.exp(logits)
    wrong = generator.choice(2_000, flips, replace=False)
    labels = true.copy()
    labels[wrong] = (true[wrong] + generator.integers(1, 10, flips)) % 10
    return labels.astype(np.uint8), exponential / exponential.sum(axis=1, keepdims=True), np.sort(wrong)


def test_likely_errors_find_flipped_labels_and_little_else() -> None:
    labels, probabilities, wrong = noisy()
    found = likely_errors(labels, probabilities)
    caught = np.isin(wrong, found["index"]).mean()
    assert caught >= 0.8
    assert np.isin(found["index"], wrong).mean() >= 0.9
    assert set(found["index"][:20]) <= set(wrong)
    assert found["self_confidence"].is_monotonic_increasing
    assert (found["margin"] < 0).all()


def test_thresholds_are_the_mean_self_confidence_of_each_class() -> None:
    labels = np.array([0, 0, 1], np.uint8)
    probabilities = np.zeros((3, 10))
    probabilities[:, :2] = [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]]
    thresholds = class_thresholds(labels, probabilities)
    assert thresholds[:2].tolist() == pytest.approx([0.7, 0.7])
    assert np.isinf(thresholds[2:]).all()
    assert likely_errors(labels, probabilities).empty


def test_a_confident_other_class_is_named_with_both_confidences() -> None:
    labels = np.array([0, 0, 0, 1, 1], np.uint8)
    probabilities = np.zeros((5, 10))
    probabilities[:, :2] = [[0.9, 0.1], [0.9, 0.1], [0.05, 0.95], [0.2, 0.8], [0.1, 0.9]]
    (row,) = likely_errors(labels, probabilities).to_dict("records")
    assert (row["index"], row["given"], row["likely"]) == (2, 0, 1)
    assert row["self_confidence"] == pytest.approx(0.05)
    assert row["likely_confidence"] == pytest.approx(0.95)
    assert row["margin"] == pytest.approx(-0.9)


def test_an_image_is_no_likely_error_where_the_model_guesses_its_label() -> None:
    """The last image is confidently a 1, and not confidently a 0, yet 0 is the guess."""
    labels = np.array([0, 0, 1, 1, 0], np.uint8)
    probabilities = np.zeros((5, 10))
    probabilities[:, :2] = [[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.6, 0.4], [0.55, 0.45]]
    thresholds = class_thresholds(labels, probabilities)
    assert probabilities[4, 1] >= thresholds[1]
    assert probabilities[4, 0] < thresholds[0]
    assert 4 not in likely_errors(labels, probabilities)["index"].tolist()
    probabilities[4, :2] = [0.45, 0.55]
    assert 4 in likely_errors(labels, probabilities)["index"].tolist()
