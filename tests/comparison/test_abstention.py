"""Models that may say "I don't know": coverage, thresholds and cascades, against counting by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_core.comparison.abstention import (
    Answers,
    Choosing,
    cascade,
    cascade_accuracies,
    compare_answered,
    split,
    threshold_for,
    threshold_that_passes,
)
from mnist_core.comparison.words.abstention import (
    answered_words,
    cascade_words,
    chosen_words,
    compared_words,
    cost_words,
)
from mnist_core.evaluation.predictions import Predictions
from mnist_core.plots.abstention import cascade_frame, coverage_frame


def answers(sure: list[float], right: list[int]) -> Answers:
    return Answers(np.array(sure), np.array(right, bool))


def predictions(
    seed: int, images: int = 60, *, held: int = 0, sure: float = 3.0, labels: NDArray[np.uint8] | None = None
) -> Predictions:
    """Predictions of a model that is right more often where it is surer."""
    rng = np.random.default_rng(seed)

    def made(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits = rng.normal(size=(len(labels), 10))
        logits[np.arange(len(labels)), labels] += sure * rng.random(len(labels))
        powers = np.exp(logits)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    truth = np.random.default_rng(1).integers(0, 10, images).astype(np.uint8) if labels is None else labels
    if not held:
        return Predictions(truth, made(truth))
    other = np.random.default_rng(2).integers(0, 10, held).astype(np.uint8)
    return Predictions(truth, made(truth), other, made(other))


SOME = st.lists(st.tuples(st.integers(0, 5).map(lambda n: n / 5), st.booleans()), min_size=1, max_size=30).map(
    lambda pairs: Answers(np.array([sure for sure, _ in pairs]), np.array([right for _, right in pairs]))
)


@given(SOME)
def test_coverage_is_what_counting_at_every_threshold_gives(given: Answers) -> None:
    found = given.coverage()
    assert found.threshold.tolist() == sorted(set(given.sure.tolist()), reverse=True)
    for threshold, coverage, accuracy in zip(*found, strict=True):
        answered = [hit for sure, hit in zip(given.sure, given.right, strict=True) if sure >= threshold]
        assert coverage == pytest.approx(len(answered) / given.images)
        assert accuracy == pytest.approx(sum(answered) / len(answered))
    assert found.coverage[-1] == 1


@given(SOME, st.floats(0, 1))
def test_the_threshold_answers_as_many_images_as_can_be_with_the_accuracy_asked_for(
    given: Answers, wanted: float
) -> None:
    threshold = threshold_for(given, wanted)
    able = [at for at in set(given.sure.tolist()) if (given.at(at).accuracy or 0) >= wanted]
    assert threshold == (min(able) if able else None)


def test_no_threshold_is_found_where_even_the_surest_answers_are_wrong() -> None:
    wrong = answers([0.9, 0.5], [0, 1])
    assert threshold_for(wrong, 0.99) is None
    nothing = wrong.at(None)
    assert (nothing.answers, nothing.accuracy, nothing.interval) == (0, None, None)


def test_validation_images_choose_the_threshold_where_every_model_has_some() -> None:
    models = split([predictions(3, held=40), predictions(4, held=40)])
    assert not models.halved
    assert [item.images for item in models.chosen_on] == [40, 40]
    assert [item.images for item in models.measured_on] == [60, 60]


def test_else_one_half_of_the_test_images_chooses_and_the_other_is_measured() -> None:
    first, second = predictions(3, held=40), predictions(4, 60)
    models = split([first, second])
    assert models.halved
    right = second.predicted == second.labels
    assert models.chosen_on[1].right.tolist() == right[0::2].tolist()
    assert models.measured_on[1].right.tolist() == right[1::2].tolist()


def test_models_on_other_images_or_with_guesses_only_are_refused() -> None:
    model = predictions(3)
    other = predictions(3, labels=np.roll(model.labels, 1))
    with pytest.raises(ValueError, match="other test labels"):
        split([model, other])
    with pytest.raises(ValueError, match="guesses only"):
        split([model, Predictions.of_guesses(model.labels, model.predicted, 10)])
    with pytest.raises(ValueError, match="1 test image"):
        split([predictions(3, 1)])


@given(SOME, st.floats(0, 1))
def test_no_more_images_are_passed_on_than_asked_for(given: Answers, share: float) -> None:
    threshold = threshold_that_passes(given, share)
    passed = int((given.sure < threshold).sum())
    assert passed <= share * given.images
    if threshold < np.inf:  # the next threshold would pass more on than were asked for
        assert int((given.sure <= threshold).sum()) > share * given.images


def test_a_cascade_asks_the_second_model_for_what_the_first_is_not_sure_of() -> None:
    first = answers([0.9, 0.8, 0.3, 0.2], [1, 0, 0, 1])
    second = answers([0.5, 0.5, 0.5, 0.5], [0, 1, 1, 0])
    models = Choosing([first, second], [first, second], halved=False)
    found = cascade(models, 0.5, margin=0.002, operations=(10, 100))
    assert found.threshold == 0.8
    assert found.right.tolist() == [True, False, True, False]
    assert (found.passed, found.correct, found.operations) == (0.5, 2, 60)
    assert found.against_first.value == 0


@given(SOME, st.integers(0, 2**30))
def test_the_curve_of_a_cascade_agrees_with_each_cascade_on_it(first: Answers, seed: int) -> None:
    second = Answers(first.sure, np.random.default_rng(seed).random(first.images) < 0.5)
    shares, accuracies = cascade_accuracies(first, second)
    assert accuracies[0] == pytest.approx(first.right.mean())
    assert (shares[-1], accuracies[-1]) == (1, pytest.approx(second.right.mean()))
    for threshold in set(first.sure.tolist()):
        right = np.where(first.sure >= threshold, first.right, second.right)
        place = int(np.argmin(abs(shares - (first.sure < threshold).mean())))
        assert accuracies[place] == pytest.approx(right.mean())


def test_frames_stay_small_and_keep_both_ends() -> None:
    model = split([predictions(3, 5_000)]).measured_on[0]
    frame = coverage_frame({"a": model}, {"a": "model"})
    assert 190 < len(frame) <= 200
    assert frame["coverage"].iloc[-1] == 1
    passed = cascade_frame(model, model)
    assert passed["passed"].iloc[0] == 0
    assert len(passed) <= 200


# -- in words ----------------------------------------------------------------------------------------------------------


def test_what_is_answered_is_said_with_its_numbers() -> None:
    found = answers([0.9] * 40 + [0.1] * 60, [1] * 40 + [0] * 60).at(0.5)
    sentence = answered_words("model_1", found, 0.5, 0.95)
    assert "40.00 % of the images of which it is at least 50.0 % sure, and is right on 100.00 %" in sentence
    assert "less than" not in sentence


def test_an_accuracy_that_was_asked_for_and_clearly_missed_is_said_to_be_missed() -> None:
    found = answers([0.9] * 400, [1] * 300 + [0] * 100).at(0.5)
    assert "less than the 99.5 % asked for" in answered_words("model_1", found, 0.5, 0.995)


def test_a_model_that_answers_nothing_is_said_to_answer_nothing() -> None:
    found = answers([0.9, 0.5], [0, 0]).at(None)
    assert "answers nothing" in answered_words("model_1", found, None, 0.99)


@given(st.integers(0, 2**20), st.integers(0, 2**20))
def test_the_sentence_on_two_models_follows_the_decision(one: int, two: int) -> None:
    models = split([predictions(one, sure=2), predictions(two, sure=6)])
    results = [item.at(0.4) for item in models.measured_on]
    decision = compare_answered(results, margin=0.002)[0]
    assert decision.value == pytest.approx((results[1].correct - results[0].correct) / results[0].images)
    start = {"better": "b answers more", "worse": "b answers fewer", "undecided": "Whether b or a"}[decision.answer]
    assert compared_words("b", "a", decision).startswith(start)


def test_the_sentence_on_a_cascade_has_its_share_its_accuracy_and_both_decisions() -> None:
    models = split([predictions(3, 4_000, sure=3), predictions(4, 4_000, sure=9)])
    found = cascade(models, 0.2, margin=0.002, operations=(1_000, 4_000))
    sentence = cascade_words(found, "small", "large")
    assert f"large for the {100 * found.passed:.1f} % of the images" in sentence
    assert f"right on {100 * found.accuracy:.2f} %" in sentence
    assert re.search(r"Against small alone: better, \+\d", sentence)
    assert "Against large alone: worse, −" in sentence
    cost = 1_000 + found.passed * 4_000
    assert cost_words(found, "large", (1_000, 4_000)) == (
        f"An image costs {cost:,.0f} multiplications on average, {100 - cost / 40:.0f} % fewer than with large alone."
    )


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        (4_000.0, "An image costs as much as with large alone: 4,000 multiplications on average."),
        (4_010.0, "An image costs about as much as with large alone: 4,010 multiplications on average."),
        (3_990.0, "An image costs about as much as with large alone: 3,990 multiplications on average."),
        (4_040.0, "An image costs 4,040 multiplications on average, 1 % more than with large alone."),
        (3_960.0, "An image costs 3,960 multiplications on average, 1 % fewer than with large alone."),
        (8.0, "An image costs 8 multiplications on average, 99.8 % fewer than with large alone."),
    ],
)
def test_a_cascade_that_saves_nothing_costs_as_much_as_its_second_model(operations: float, words: str) -> None:
    models = split([predictions(3, 400), predictions(4, 400)])
    found = replace(cascade(models, 0.2, margin=0.002, operations=(1_000, 4_000)), operations=operations)
    assert cost_words(found, "large", (1_000, 4_000)) == words


def test_no_share_of_the_images_is_called_zero_and_all_of_them_are_called_all() -> None:
    first = answers([0.9, 0.8, 0.3, 0.2], [1, 1, 1, 1])
    models = Choosing([first, first], [first, first], halved=False)
    found = cascade(models, 0.0, margin=0.002, operations=(10, 100))
    assert cascade_words(found, "small", "large").startswith("small first, large for none of the images: right on")
    few = cascade_words(replace(found, passed=0.0004), "small", "large")
    assert "large for the 0.04 % of the images" in few
    assert answered_words("small", first.at(0.2), 0.2, 0.9).startswith(
        "small answers all images, as it is at least 20.0 % sure of each, and is right on 100.00 % of them"
    )


def test_on_which_images_was_chosen_and_measured_is_said() -> None:
    assert "every second test image" in chosen_words(halved=True, images=5_000)
    assert "own validation images, and measured on the 10,000 test images" in chosen_words(halved=False, images=10_000)
