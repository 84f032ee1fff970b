"""The mistakes of a run, on predictions small enough to check by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mnist_core.evaluation.metrics import confusion_matrix
from mnist_core.evaluation.mistakes import (
    Cell,
    Confusion,
    confusion_frame,
    in_cell,
    mistakes,
    ordered,
    prediction_frame,
    score_frame,
    top_confusions,
)
from mnist_core.evaluation.predictions import Predictions


def guesses(*rows: tuple[int, int, float]) -> Predictions:
    """Predictions from (true digit, guessed digit, confidence); the rest of the probability is spread evenly."""
    probabilities = np.empty((len(rows), 10), np.float32)
    for row, (_, guess, sure) in zip(probabilities, rows, strict=True):
        row[:] = (1 - sure) / 9
        row[guess] = sure
    return Predictions(np.array([row[0] for row in rows], np.uint8), probabilities)


FIVE = guesses((4, 9, 0.7), (4, 4, 0.99), (4, 9, 0.9), (7, 2, 0.5), (3, 3, 0.4))


@pytest.fixture
def random_predictions() -> Predictions:
    generator = np.random.default_rng(3)
    logits = generator.normal(size=(500, 10))
    labels = generator.integers(0, 10, 500).astype(np.uint8)
    logits[np.arange(500), labels] += 2
    exp = np.exp(logits)
    return Predictions(labels, (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32))


def test_judged_has_every_image_with_its_guess_and_loss() -> None:
    frame = prediction_frame(FIVE)
    assert frame["index"].tolist() == [0, 1, 2, 3, 4]
    assert frame["true"].tolist() == [4, 4, 4, 7, 3]
    assert frame["guess"].tolist() == [9, 4, 9, 2, 3]
    assert frame["correct"].tolist() == [False, True, False, False, True]
    assert frame["confidence"].tolist() == pytest.approx([0.7, 0.99, 0.9, 0.5, 0.4], abs=1e-6)
    assert frame["true_probability"].tolist() == pytest.approx([0.3 / 9, 0.99, 0.1 / 9, 0.5 / 9, 0.4], abs=1e-6)
    assert frame["loss"].tolist() == pytest.approx(-np.log(frame["true_probability"]), abs=1e-6)


def test_mistakes_are_the_wrong_ones_only() -> None:
    frame = mistakes(FIVE)
    assert frame["index"].tolist() == [0, 2, 3] == FIVE.wrong.tolist()
    assert "correct" not in frame


def test_loss_is_that_of_scikit_learn(random_predictions: Predictions) -> None:
    probabilities = random_predictions.probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = sklearn_metrics.log_loss(random_predictions.labels, probabilities, labels=range(10))
    assert prediction_frame(random_predictions)["loss"].mean() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("cell", "indices"),
    [
        (Cell(), [0, 2, 3]),
        (Cell(true=4), [0, 2]),
        (Cell(guess=2), [3]),
        (Cell(4, 9), [0, 2]),
        (Cell(9, 4), []),
        (Cell(4, 4), [1]),
    ],
)
def test_a_cell_selects_its_images_and_only_the_diagonal_selects_correct_ones(cell: Cell, indices: list[int]) -> None:
    assert in_cell(prediction_frame(FIVE), cell)["index"].tolist() == indices


def test_selecting_leaves_the_frame_as_it_was() -> None:
    frame = prediction_frame(FIVE)  # it is cached by the dashboard, so writing into it would spoil every later view
    before = frame.copy()
    in_cell(frame, Cell(4, 4))
    in_cell(frame, Cell(4, 9))
    assert frame.equals(before)


@pytest.mark.parametrize(
    ("order", "indices"),
    [("confident", [2, 0, 3]), ("unsure", [3, 0, 2]), ("loss", [2, 0, 3]), ("index", [0, 2, 3])],
)
def test_orders(order: str, indices: list[int]) -> None:
    assert ordered(mistakes(FIVE).sample(frac=1, random_state=1), order)["index"].tolist() == indices  # type: ignore[arg-type]


def test_loss_and_confidence_are_different_orders() -> None:
    # the second is less sure of its wrong guess, but gives the true digit less
    predictions = guesses((1, 2, 0.6), (1, 2, 0.5))
    predictions.probabilities[1, 1] = 0.001
    assert ordered(prediction_frame(predictions), "confident")["index"].tolist() == [0, 1]
    assert ordered(prediction_frame(predictions), "loss")["index"].tolist() == [1, 0]


def test_equal_confidences_keep_the_order_of_the_test_set() -> None:
    predictions = guesses((1, 2, 0.5), (1, 3, 0.5), (1, 4, 0.5))
    for order in ("confident", "unsure"):
        assert ordered(prediction_frame(predictions), order)["index"].tolist() == [0, 1, 2]  # type: ignore[arg-type]


def test_top_confusions_are_the_largest_cells_off_the_diagonal(random_predictions: Predictions) -> None:
    matrix = sklearn_metrics.confusion_matrix(random_predictions.labels, random_predictions.predicted)
    found = top_confusions(matrix, 4)
    errors = matrix - np.diag(np.diag(matrix))
    assert [item.times for item in found] == sorted(errors.ravel(), reverse=True)[:4]
    assert all(errors[item.true, item.guess] == item.times for item in found)
    assert len({(item.true, item.guess) for item in found}) == 4


def test_top_confusions_of_few_errors_and_of_none() -> None:
    matrix = confusion_matrix(FIVE.labels, FIVE.predicted, 10)
    assert top_confusions(matrix, 5) == [Confusion(4, 9, 2), Confusion(7, 2, 1)]
    assert top_confusions(np.diag(np.arange(10))) == []


def test_confusion_frame_is_scikit_learns_matrix_in_counts_and_shares(random_predictions: Predictions) -> None:
    labels, predicted = random_predictions.labels, random_predictions.predicted
    frame = confusion_frame(random_predictions)
    for column, normalize in (("count", None), ("share", "true")):
        matrix = frame.pivot(index="true", columns="guess", values=column).to_numpy()
        np.testing.assert_allclose(matrix, sklearn_metrics.confusion_matrix(labels, predicted, normalize=normalize))


def test_a_digit_that_never_occurs_has_no_share_rather_than_zero() -> None:
    frame = confusion_frame(FIVE)
    assert frame.loc[frame["true"] == 0, "share"].isna().all()
    assert frame.loc[frame["true"] == 4, "share"].sum() == pytest.approx(1.0)


def test_score_frame_is_scikit_learns(random_predictions: Predictions) -> None:
    frame = score_frame(random_predictions)
    expected = sklearn_metrics.precision_recall_fscore_support(random_predictions.labels, random_predictions.predicted)
    for column, values in zip(["precision", "recall", "f1", "support"], expected, strict=True):
        np.testing.assert_allclose(frame[column], values)
    assert frame["digit"].tolist() == list(range(10))
