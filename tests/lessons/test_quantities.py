"""What a lesson prints is what the run has: each quantity against the run's own files, or against scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import shift
from sklearn.metrics import confusion_matrix, recall_score

from mnist_core.errors import LessonError
from mnist_core.lessons.answers import outcome
from mnist_core.lessons.quantities import QuantityValue, Subject, filled, moved_right, named, value
from mnist_core.lessons.reading import SHIPPED, read_lesson
from mnist_core.lessons.words import choice_words, number_words, outcome_words
from tests.support.lessons import SOURCES, STORE, subjects


@pytest.fixture(scope="module")
def both() -> Mapping[str, Subject]:
    return subjects(SHIPPED / "5-real-difference.toml")


def of(name: str, both: Mapping[str, Subject]) -> QuantityValue:
    return value(named(name, both), both, SOURCES)


def test_the_figures_are_those_of_the_run(both: Mapping[str, Subject]) -> None:
    run = both["model_1"].run
    assert run is not None
    rows, scores = run.rows(), run.test_scores()
    assert scores is not None
    assert of("accuracy of model_1", both).number == pytest.approx(100 * scores.accuracy)
    assert of("errors of model_1", both).number == scores.errors
    assert of("right images of model_1", both).number == scores.images - scores.errors
    assert of("loss of model_1", both).text == f"{scores.loss:.4f}"
    best = min(rows, key=lambda row: row.val_loss)
    assert of("best epoch of model_1", both).number == best.epoch
    assert of("last epoch of model_1", both).number == of("epochs of model_1", both).number == len(rows)
    for part, row in (("best", best), ("last", rows[-1])):
        where = f"in the {part} epoch of model_1"
        assert of(f"validation loss {where}", both).number == row.val_loss
        assert of(f"validation accuracy {where}", both).number == pytest.approx(100 * row.val_accuracy)
        assert of(f"training loss {where}", both).number == row.train_eval_loss
        assert of(f"training accuracy {where}", both).number == pytest.approx(100 * row.train_eval_accuracy)
        gap = 100 * (row.train_eval_accuracy - row.val_accuracy)
        assert of(f"gap {where}", both).number == pytest.approx(gap)
        cost = row.val_loss_wrong / (1 - row.val_accuracy)
        assert of(f"cost of a wrong image {where}", both).number == pytest.approx(cost)
    rise = 100 * (rows[-1].val_loss / best.val_loss - 1)
    assert of("rise of the validation loss of model_1", both).number == pytest.approx(rise)
    change = 100 * (rows[-1].val_accuracy - best.val_accuracy)
    assert of("change of the validation accuracy of model_1", both).number == pytest.approx(change)


def test_parameters_are_the_published_ones_and_add_up(both: Mapping[str, Subject]) -> None:
    assert of("parameters of model_1", both).text == "55,050"
    assert of("layers of model_1", both).number == 3
    parts = [of(f"parameters of layer {layer} of model_1", both).number or 0 for layer in (1, 2, 3)]
    assert sum(parts) == 55_050
    assert of("inputs of layer 1 of model_1", both).number == 784
    assert of("units of layer 3 of model_1", both).number == 10
    assert of("weights of layer 2 of model_1", both).number == 64 * 64
    assert of("parameters in times of model_2 against model_1", both).number == pytest.approx(437_310 / 55_050)
    assert of("dropout of model_2", both).text == "0.4"
    with pytest.raises(LessonError, match="it has layers 1 to 3"):
        of("units of layer 4 of model_1", both)


def test_digits_are_those_of_scikit_learn(both: Mapping[str, Subject]) -> None:
    run = both["model_1"].run
    assert run is not None
    found = run.predictions()
    assert found is not None
    recalls = recall_score(found.labels, found.predicted, average=None)
    assert of("hardest digit of model_1", both).code == str(int(np.argmin(recalls)))
    assert of("easiest digit of model_1", both).code == str(int(np.argmax(recalls)))
    assert of("accuracy on digit 4 of model_1", both).number == pytest.approx(100 * recalls[4])
    assert of("accuracy on the hardest digit of model_1", both).number == pytest.approx(100 * min(recalls))
    matrix = confusion_matrix(found.labels, found.predicted)
    np.fill_diagonal(matrix, 0)
    true, taken = np.unravel_index(matrix.argmax(), matrix.shape)
    assert of("most common confusion of model_1", both).text == f"{true} for {taken}"


def test_two_runs_are_decided_as_on_compare(both: Mapping[str, Subject]) -> None:
    assert of("decision of model_2 against model_1", both).code == "better"
    assert of("decision of model_1 against model_2", both).code == "worse"
    assert of("decision of small_2 against small_1", both).code == "undecided"
    assert of("verdict of model_2 against model_1", both).text.startswith(
        "model_2 is better than model_1 by 0.74 points"
    )
    accuracies = [of(f"accuracy of {name}", both).number or 0 for name in ("small_2", "small_1")]
    assert of("difference of small_2 against small_1", both).number == pytest.approx(accuracies[0] - accuracies[1])
    first, second = (run.predictions() for name in ("small_1", "small_2") if (run := both[name].run))
    assert first is not None
    assert second is not None
    only = int(((first.predicted == first.labels) & (second.predicted != second.labels)).sum())
    assert of("images that only the first gets right of small_1 against small_2", both).number == only
    assert of("images that only the second gets right of small_2 against small_1", both).number == only
    with pytest.raises(LessonError, match="cannot be compared"):
        of("decision of small_2 against model_1", both)


def test_moved_pictures_are_moved_as_scipy_moves_them(both: Mapping[str, Subject]) -> None:
    images = STORE.catalog.load("digits").x_test[:20]
    moved = shift(images, (0, 0, 4), order=0)
    assert np.array_equal(moved_right(images, 4), moved)
    still = of("accuracy with pictures moved 0 pixels of small_1", both)
    assert still == of("accuracy of small_1", both)
    assert (of("accuracy with pictures moved 4 pixels of small_1", both).number or 100) < 60
    with pytest.raises(LessonError, match="at most 14"):
        of("accuracy with pictures moved 20 pixels of small_1", both)


def test_a_run_that_is_not_trained_has_only_what_its_configuration_says(both: Mapping[str, Subject]) -> None:
    untrained = {"a": Subject("a", both["model_1"].config, None)}
    assert filled("{parameters of a}", untrained, SOURCES) == "55,050"
    with pytest.raises(LessonError, match="a is not trained yet"):
        filled("{accuracy of a}", untrained, SOURCES)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_every_number_of_a_shipped_lesson_can_be_computed(path: Path) -> None:
    lesson, found = read_lesson(path), subjects(path)
    missing = [name for name, subject in found.items() if subject.run is None]
    assert missing == (["without_dropout"] if "dropout" in path.name else [])
    for place, text in lesson.texts():
        if missing and place[0] == "answer":
            continue
        assert "{" not in filled(text, found, SOURCES)


def test_a_prediction_is_right_close_or_off() -> None:
    lesson = read_lesson(SHIPPED / "3-overfitting.toml")
    answer = QuantityValue("13", 13.0)
    assert [outcome(lesson, float(epoch), answer) for epoch in (13, 15, 16)] == ["right", "close", "off"]
    lesson = read_lesson(SHIPPED / "5-real-difference.toml")
    assert outcome(lesson, "better", QuantityValue("", code="undecided")) == "off"
    assert outcome(lesson, "undecided", QuantityValue("", code="undecided")) == "right"
    lesson = read_lesson(SHIPPED / "7-centred.toml")
    assert [outcome(lesson, share, QuantityValue("", 38.59)) for share in (38.59, 43.5, 44.0)] == [
        "right",
        "close",
        "off",
    ]


def test_sentences_say_the_prediction_and_the_answer() -> None:
    assert outcome_words("right", "13", "13") == "Your prediction is right: it is 13."
    assert outcome_words("close", number_words(12, "epoch"), "13") == "Your prediction, 12, is close: it is 13."
    assert outcome_words("off", number_words(1000, "count"), "55,050") == "You predicted 1,000; it is 55,050."
    assert number_words(-0.5, "points") == "−0.5 points"
    assert number_words(97.5, "%") == "97.5 %"
    assert choice_words("off", "Yes.", "No.") == "You predicted “Yes”. The answer is “No”."
    assert choice_words("right", "No.", "No.") == "Your prediction is right: “No”."
