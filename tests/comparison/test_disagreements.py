"""Disagreements of runs: against brute force over single images, scikit-learn, and cases small enough to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mnist_core.comparison.disagreements import (
    GROUPS,
    Counts,
    class_changes,
    confusion_changes,
    counts,
    difference_frame,
    difference_matrix,
    groups,
    guessed,
    moved,
    one_right,
    ordered,
    votes,
    wrong_by,
    wrong_counts,
)
from mnist_core.comparison.verdicts import Refusal, paired
from mnist_core.comparison.words.disagreements import (
    class_change_words,
    confusion_change_words,
    disagreement_words,
)
from mnist_core.comparison.words.verdicts import refusal_words
from mnist_core.evaluation.mistakes import Cell
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

IMAGES = 400


def random_guesses(seed: int) -> Predictions:
    """Right on about two images of three; the labels are the same for every seed."""
    generator = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, 10, IMAGES).astype(np.uint8)
    logits = generator.normal(size=(IMAGES, 10))
    logits[np.arange(IMAGES), labels] += 2
    exp = np.exp(logits)
    return Predictions(labels, (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32))


def certain(labels: list[int], guesses: list[int]) -> Predictions:
    return Predictions(np.array(labels, np.uint8), np.eye(10, dtype=np.float32)[guesses])


A, B, C = (random_guesses(seed) for seed in (1, 2, 3))


def group_of(true: int, a: int, b: int) -> str:
    """The definition, one image at a time."""
    if a == true:
        return "both_right" if b == true else "only_a"
    if b == true:
        return "only_b"
    return "same_wrong" if a == b else "different_wrong"


def test_groups_are_those_of_the_definition_and_every_one_occurs() -> None:
    expected = [group_of(*row) for row in zip(A.labels, A.predicted, B.predicted, strict=True)]
    assert groups(votes([A, B])).tolist() == expected
    assert set(expected) == set(GROUPS)


def test_the_counts_are_the_mcnemar_table() -> None:
    found = counts(votes([A, B]))
    # rows: A wrong, right; columns: B wrong, right
    table = sklearn_metrics.confusion_matrix(A.predicted == A.labels, B.predicted == B.labels)
    assert [[found.both_wrong, found.only_b], [found.only_a, found.both_right]] == table.tolist()
    assert found.images == IMAGES
    assert found.disagreements == int((A.predicted != B.predicted).sum())
    # the accuracy of A minus that of B is (b − c) / n
    difference = np.mean(A.predicted == A.labels) - np.mean(B.predicted == B.labels)
    assert (found.only_a - found.only_b) / IMAGES == pytest.approx(difference)


def test_swapping_the_runs_swaps_only_a_and_only_b() -> None:
    there, back = counts(votes([A, B])), counts(votes([B, A]))
    assert there._replace(only_a=there.only_b, only_b=there.only_a) == back


def test_the_difference_matrix_is_scikit_learns_b_minus_a() -> None:
    expected = sklearn_metrics.confusion_matrix(B.labels, B.predicted) - sklearn_metrics.confusion_matrix(
        A.labels, A.predicted
    )
    found = difference_matrix(A, B)
    np.testing.assert_array_equal(found, expected)
    assert not found.sum(axis=1).any()
    np.testing.assert_array_equal(difference_matrix(B, A), -found)


def test_what_entered_and_left_a_cell_makes_its_difference_and_is_what_a_click_shows() -> None:
    frame, predictions = difference_frame(A, B), votes([A, B])
    assert frame["difference"].tolist() == (frame["entered"] - frame["left"]).tolist()
    assert frame["difference"].to_numpy().reshape(10, 10).tolist() == difference_matrix(A, B).tolist()
    assert (frame["b"] - frame["a"]).tolist() == frame["difference"].tolist()
    for row in frame.itertuples():
        shown = moved(predictions, Cell(row.true, row.guess))
        here = (shown["guess_1"] == row.guess).sum(), (shown["guess_0"] == row.guess).sum()
        assert here == (row.entered, row.left)
        assert len(shown) == row.entered + row.left
        assert set(shown["true"]) <= {row.true}


@pytest.mark.parametrize(
    ("cell", "indices"), [(Cell(), [1, 2, 3]), (Cell(true=4), [1, 2]), (Cell(guess=9), [2]), (Cell(4, 9), [2])]
)
def test_rows_and_columns_of_the_difference_hold_the_images_that_moved(cell: Cell, indices: list[int]) -> None:
    #                  0  1  2  3        0 same guess; 1 and 2 a true 4; 3 a true 7
    labels, a, b = [4, 4, 4, 7], [9, 4, 9, 7], [9, 1, 4, 2]
    assert moved(votes([certain(labels, a), certain(labels, b)]), cell)["index"].tolist() == indices


def test_a_cell_of_one_matrix_holds_its_images() -> None:
    found = guessed(votes([A, B]), 1, Cell(3, 5))
    expected = np.flatnonzero((B.labels == 3) & (B.predicted == 5))
    assert found["index"].tolist() == expected.tolist()
    mistaken = np.flatnonzero((A.labels == 3) & (A.predicted != 3))
    assert guessed(votes([A, B]), 0, Cell(true=3))["index"].tolist() == mistaken.tolist()


def test_every_confusion_that_changed_is_tested_against_all_that_could_have() -> None:
    found = confusion_changes(A, B)
    errors = difference_matrix(A, B)
    np.fill_diagonal(errors, 0)
    assert {(item.true, item.guess) for item in found} >= set(zip(*np.nonzero(errors), strict=True))
    assert all(errors[item.true, item.guess] == item.difference for item in found)
    assert {item.decision.comparisons for item in found} == {90}
    p_values = [item.decision.p for item in found]
    assert p_values == sorted(p_values)
    assert all(item.decision.p_adjusted >= min(1.0, 90 * p_values[0]) for item in found)
    assert confusion_changes(A, A) == []


def one_digit(errors_a: int, errors_b: int) -> tuple[Predictions, Predictions]:
    """100 images of a 4: A takes the first for 9s, B the last."""
    labels = [4] * 100
    return (
        certain(labels, [9] * errors_a + [4] * (100 - errors_a)),
        certain(labels, [4] * (100 - errors_b) + [9] * errors_b),
    )


def test_a_confusion_is_called_changed_only_beyond_what_the_largest_of_many_shows_by_chance() -> None:
    """6 to 0 is p = 0.014 alone, which is nothing among 9; 30 to 0 is more than chance among any number."""
    small, large = (confusion_changes(*one_digit(errors, 0))[0].decision for errors in (6, 30))
    assert small.p == pytest.approx(0.0143, abs=1e-4)
    assert small.comparisons == 9
    assert not small.differs
    assert large.answer == "better"
    assert confusion_changes(*one_digit(0, 30))[0].decision.answer == "worse"


def test_equal_networks_seldom_show_a_changed_confusion_or_a_better_digit() -> None:
    """Two networks that err at the same rate: any false alarm in at most 5 of 100 pairs, beyond chance 10."""
    alarms = [0, 0]
    for seed in range(100):
        pair = random_guesses(1000 + 2 * seed), random_guesses(1001 + 2 * seed)
        alarms[0] += any(item.decision.differs for item in confusion_changes(*pair))
        alarms[1] += any(item.decision.differs for item in class_changes(*pair))
    assert max(alarms) <= 10


def test_digits_are_decided_one_by_one_on_their_own_images() -> None:
    found = class_changes(A, B)
    assert [item.true for item in found] == list(range(10))
    assert sum(item.images for item in found) == IMAGES
    for item in found:
        mine = A.labels == item.true
        accuracy = [float((one.predicted == one.labels)[mine].mean()) for one in (A, B)]
        assert item.decision.value == pytest.approx(accuracy[1] - accuracy[0])
        assert item.decision.comparisons == 10


def test_sentences_on_confusions_and_digits_say_what_the_decisions_say() -> None:
    few, many = confusion_changes(*one_digit(6, 0)), confusion_changes(*one_digit(30, 0))
    assert confusion_change_words(few, "B") == (
        "No single confusion changed by more than chance. The clearest change: B takes a 4 for a 9 6 times less often "
        "(p = 0.129, adjusted for 9 comparisons)."
    )
    assert confusion_change_words(many, "B") == (
        "More than chance, adjusted for 9 confusions: B takes a 4 for a 9 30 times less often (p < 0.001)."
    )
    assert confusion_change_words([], "B") == "Both make the same errors on the same images."
    assert class_change_words(class_changes(A, A), "A", "B") == (
        "On none of the 10 digits is one of them better by more than chance."
    )
    better = class_change_words(class_changes(*one_digit(30, 0)), "A", "B")
    assert better.startswith("More than chance: B is better on the digit 4 (by 30.00 points [")
    worse = class_change_words(class_changes(*one_digit(0, 30)), "A", "B")
    assert worse.startswith("More than chance: A is better on the digit 4 (by 30.00 points [")


def test_how_many_of_n_are_wrong_by_brute_force() -> None:
    predictions = [A, B, C]
    frame = votes(predictions)
    expected = [sum(int(one.predicted[i] != one.labels[i]) for one in predictions) for i in range(IMAGES)]
    assert frame["wrong"].tolist() == expected
    assert wrong_counts(frame, 3).tolist() == [expected.count(k) for k in range(4)]
    assert wrong_counts(votes([A, A]), 2)[1] == 0
    for k in range(4):
        assert len(wrong_by(frame, k)) == expected.count(k)
        assert len(wrong_by(frame, k, at_least=True)) == sum(number >= k for number in expected)


def test_no_image_is_too_hard_where_all_are_right() -> None:
    right = certain([1, 2, 3], [1, 2, 3])
    assert wrong_counts(votes([right, right, right]), 3).tolist() == [3, 0, 0, 0]


def test_orders_are_by_their_definition() -> None:
    frame = votes([A, B])
    given = [one.probabilities[np.arange(IMAGES), one.labels].astype(float) for one in (A, B)]
    np.testing.assert_allclose(frame["probability_gap"], np.abs(given[0] - given[1]))
    for row in frame.itertuples():
        wrong = [
            sure
            for guess, sure in ((row.guess_0, row.confidence_0), (row.guess_1, row.confidence_1))
            if guess != row.true
        ]
        assert row.surest == max(wrong or [row.confidence_0, row.confidence_1])
    assert all(x >= y for x, y in pairwise(ordered(frame, "probability_gap")["probability_gap"]))
    assert all(x >= y for x, y in pairwise(ordered(frame, "confident")["surest"]))
    assert all(x <= y for x, y in pairwise(ordered(frame, "unsure")["surest"]))
    assert ordered(frame.sample(frac=1, random_state=0), "index")["index"].tolist() == list(range(IMAGES))


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Counts(9_700, 50, 160, 90, 0), "They disagree on 210 of 10,000 images; where only one is right, it is "
         "model_2 160 times and model_1 50 times."),
        (Counts(8, 2, 0, 0, 0), "They disagree on 2 of 10 images; where only one is right, it is always model_1, "
         "2 times."),
        (Counts(8, 1, 1, 0, 0), "They disagree on 2 of 10 images; where only one is right, it is each of them "
         "equally often, once."),
        (Counts(9, 0, 0, 0, 1), "They disagree on 1 of 10 images; both are wrong on all of these, with different "
         "guesses."),
        (Counts(9, 0, 0, 1, 0), "They guess the same on all 10 images."),
    ],
)  # fmt: skip
def test_the_sentence_says_whom_the_disagreements_favour(found: Counts, says: str) -> None:
    assert disagreement_words(found, "model_1", "model_2") == says


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def make(store: Store, small_config: RunConfig) -> Callable[..., Run]:
    def run(name: str, predictions: Predictions | None, *, seed: int, fingerprint: str = "a" * 16) -> Run:
        added, _ = store.add(small_config.replace(training__seed=seed), name=name, fingerprint=fingerprint)
        writer = store.open_writer(added.id)
        assert writer is not None
        writer.started([])
        if predictions is not None:
            writer.predictions(predictions)
        writer.ended("finished" if predictions else "cancelled", "")
        return store.get(added.id)

    return run


def refused(baseline: Run, run: Run, chosen: ChosenEpoch = "kept") -> str:
    """Why these two cannot be set side by side."""
    found = paired(baseline, run, chosen)
    assert isinstance(found, Refusal)
    return refusal_words(found, {baseline.id: "A", run.id: "B"})


def test_paired_runs_give_their_predictions(make) -> None:
    one, two = make("one", A, seed=0), make("two", B, seed=1)
    found = paired(one, two)
    assert not isinstance(found, Refusal)
    np.testing.assert_array_equal(found[1].probabilities, B.probabilities)


def test_runs_on_other_data_are_refused_with_the_reason(make) -> None:
    assert "different data" in refused(make("one", A, seed=0), make("two", B, seed=1, fingerprint="b" * 16))


def test_other_labels_are_refused_even_where_the_fingerprint_agrees(make) -> None:
    shifted = replace(B, labels=np.roll(B.labels, 1))
    assert "labels of the test images are not the same" in refused(make("one", A, seed=0), make("two", shifted, seed=1))


def test_a_run_without_guesses_is_refused_by_name(make) -> None:
    assert "B is cancelled" in refused(make("one", A, seed=0), make("two", None, seed=1))


def test_the_few_digits_that_only_one_gets_right_are_by_turns_each_runs_and_furthest_apart_first() -> None:
    frame = votes([A, B])
    found = one_right(frame, 6)
    assert found["group"].tolist() == ["only_a", "only_b"] * 3
    for name in ("only_a", "only_b"):
        everyone = frame[groups(frame) == name].sort_values(["probability_gap", "index"], ascending=[False, True])
        assert found.loc[found["group"] == name, "index"].tolist() == everyone["index"].tolist()[:3]
    same = votes([A, A])
    assert one_right(same, 6).empty
    one_sided = votes([certain([1] * 9, [1] * 9), certain([1] * 9, [2] * 9)])
    assert one_right(one_sided, 6)["group"].tolist() == ["only_a"] * 6
