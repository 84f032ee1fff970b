"""Predictions from anywhere become a run, or are refused with the reason."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import mnist_core as mc
from mnist_core.comparison.recipe_verdicts import compare_recipes
from mnist_core.comparison.recipes import group
from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words.verdicts import refusal_words
from mnist_core.errors import ConfigError, DatasetError, NoConfiguration, PredictionsError, RunNotFound, StoreError
from mnist_core.evaluation.predictions import Predictions
from tests.support.outside import HISTORY, HUNDRED, LETTERS, labels_of, probabilities, recorded
from tests.support.synthetic import config

IMAGES = 355
"""Test images of the digits."""


@pytest.fixture
def good(digits) -> np.ndarray:
    return probabilities(digits.y_test, 10)


def test_a_scikit_learn_model_and_a_trained_run_stand_in_one_comparison(store, digits) -> None:
    flat = digits.x_train.reshape(len(digits.x_train), -1)[::4] / 255
    model = LogisticRegression(max_iter=200).fit(flat, digits.y_train[::4])
    outputs = model.predict_proba(digits.x_test.reshape(len(digits.x_test), -1) / 255)
    run = mc.record("regression", probabilities=outputs, dataset="digits", framework="scikit-learn", store=store)
    other = mc.record("weaker", probabilities=probabilities(digits.y_test, 10, 60), dataset="digits", store=store)
    found = mc.compare(run, other, store=store)
    assert found.decision in ("better", "worse", "equivalent", "undecided")
    assert [item.code for item in found.comparison.verdicts[0].concerns] == ["outside", "outside"]
    score = run.test_scores()
    assert score is not None
    assert score.accuracy == pytest.approx(
        model.score(digits.x_test.reshape(len(digits.x_test), -1) / 255, digits.y_test)
    )


class Tensor:
    """Stands for a PyTorch tensor with a gradient, on another device: NumPy cannot convert it."""

    def __init__(self, values, dtype="torch.float32", *, steps=("detach", "cpu")):
        self.values, self.dtype, self.steps = values, dtype, steps

    def detach(self):
        return Tensor(self.values, self.dtype, steps=self.steps[1:])

    def cpu(self):
        return Tensor(self.values, self.dtype, steps=self.steps[1:])

    def float(self):
        return Tensor(self.values, steps=self.steps)

    def __array__(self, dtype=None, copy=None):
        if self.steps or self.dtype == "torch.bfloat16":
            raise RuntimeError(f"call {self.steps} first; dtype {self.dtype}")
        return self.values


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16"])
def test_a_tensor_with_a_gradient_on_another_device_is_taken_as_it_is(store, digits, good, dtype) -> None:
    images = Tensor(digits.x_test / np.float32(255))
    run = mc.record("net", probabilities=Tensor(good, dtype), images=images, labels=Tensor(digits.y_test), store=store)
    assert run.dataset == "digits"
    np.testing.assert_allclose(run.predictions().probabilities, good, rtol=1e-6)


def test_a_name_on_several_data_sets_means_the_run_on_the_data_of_the_others(store, good) -> None:
    meant = mc.record("model", probabilities=good, dataset="digits", store=store)
    recorded(store, "model", LETTERS)
    run = mc.record("mine", probabilities=np.roll(good, 1, axis=0), dataset="digits", store=store)
    assert [found.id for found in mc.compare("mine", "model", store=store).runs] == [run.id, meant.id]


def test_a_cell_of_a_notebook_that_is_run_again_compares_its_newest_run(store, good) -> None:
    base = mc.record("base", probabilities=good, dataset="digits", store=store)
    mc.record("mine", probabilities=np.roll(good, 1, axis=0), dataset="digits", store=store)
    again = mc.record("mine", probabilities=np.roll(good, 2, axis=0), dataset="digits", store=store)
    assert [found.id for found in mc.compare("mine", base, store=store).runs] == [again.id, base.id]


def test_of_several_trained_runs_of_one_name_none_is_taken_silently(store, good, make_run) -> None:
    first, second = make_run("twice"), make_run("twice", config(epochs=2))
    base = make_run("base", config((8,)))
    with pytest.raises(RunNotFound, match="could be any of"):
        store.find_all([base, "twice"])
    assert store.find_all([first.id, second]) == [first, second]


def test_a_recorded_run_says_what_it_lacks(store, good) -> None:
    run = mc.record("mine", probabilities=good, dataset="digits", store=store)
    assert run.state == "finished"
    assert run.recorded is not None
    assert run.model_words == "recorded from outside: no configuration"
    assert (run.parameters, run.seed, run.planned_epochs, run.parent, run.validated_on_test) == (None,) * 5
    assert run.to_json()["config"] is None
    with pytest.raises(NoConfiguration, match="recorded from outside: no configuration"):
        _ = run.config
    row = mc.runs(store=store).loc[run.id]
    assert row["model"] == "recorded from outside: no configuration"
    assert math.isnan(float("nan") if row["parameters"] is None else row["parameters"])


def test_the_same_predictions_under_the_same_name_are_the_same_run_and_under_another_name_another(store, good) -> None:
    first = mc.record("mine", probabilities=good, dataset="digits", store=store)
    assert mc.record("mine", probabilities=good, dataset="digits", store=store).id == first.id
    store.describe(first.id, name="renamed")
    assert mc.record("mine", probabilities=good, dataset="digits", store=store).name == "renamed"
    others = [
        mc.record("other", probabilities=good, dataset="digits", store=store),
        mc.record("mine", probabilities=good, dataset="digits", parameters=7, store=store),
        mc.record("mine", probabilities=good, dataset="digits", history=HISTORY, store=store),
    ]
    assert len({run.id for run in (first, *others)}) == 4


def test_a_changed_file_of_a_recorded_run_is_found_out(store, good) -> None:
    run = mc.record("mine", probabilities=good, dataset="digits", store=store)
    data = json.loads((run.path / "config.json").read_text())
    data["recorded"]["content"] = "0" * 64
    (run.path / "config.json").write_text(json.dumps(data))
    with pytest.raises(StoreError, match="was it changed by hand"):
        store.get(run.id)


def test_predictions_of_another_number_of_classes_than_the_run_has_are_damaged(store, good) -> None:
    run = mc.record("mine", probabilities=good, dataset="digits", store=store)
    few = labels_of(5)
    np.savez(run.predictions_file(), **Predictions(few, probabilities(few, 5).astype(np.float32)).arrays())
    with pytest.raises(StoreError, match="has 5 classes, and the run has 10"):
        run.predictions()


class TestHistory:
    def test_columns_by_keras_names_become_epochs_and_what_is_missing_stays_unknown(self, store, good) -> None:
        given = {
            "loss": [1.0, 0.5],
            "acc": [0.5, 0.7],
            "val_loss": [0.8, 0.9],
            "val_sparse_categorical_accuracy": [0.6, 0.5],
            "lr": [0.1, 0.1],
            "my_metric": [1, 2],
        }
        run = mc.record("mine", probabilities=good, dataset="digits", history=given, store=store)
        rows = run.rows()
        assert [row.accuracy for row in rows] == [0.5, 0.7]
        assert [row.val_accuracy for row in rows] == [0.6, 0.5]
        assert [row.learning_rate for row in rows] == [0.1, 0.1]
        assert all(math.isnan(row.train_eval_loss) for row in rows)
        assert (run.status.best_epoch, run.status.kept_epoch, run.planned_epochs) == (1, 2, 2)
        figures = mc.summarise(run)
        assert (figures.best_val_loss, figures.final_val_loss, figures.train_seconds) == (0.8, 0.9, None)

    def test_a_history_without_validation_is_no_diverged_training(self, store, good) -> None:
        run = mc.record("mine", probabilities=good, dataset="digits", history={"loss": [1.0, 0.5]}, store=store)
        assert mc.diagnose(run, store=store) == ()
        assert mc.summarise(run).best_val_loss is None

    def test_a_history_is_diagnosed_by_the_columns_that_it_has(self, store, good) -> None:
        falling = {"loss": [1 / n for n in range(1, 20)], "val_loss": [0.5 + 0.05 * abs(n - 6) for n in range(1, 20)]}
        run = mc.record("mine", probabilities=good, dataset="digits", history=falling, store=store)
        assert [item.code for item in mc.diagnose(run, store=store)] == [
            item.code for item in mc.diagnose(pd.DataFrame(falling))
        ]

    @pytest.mark.parametrize(
        ("history", "says"),
        [
            ({"mystery": [1]}, "it needs at least one of loss, accuracy"),
            ({"loss": [1, 2], "val_loss": [1]}, "different lengths (loss 2, val_loss 1)"),
            ({"loss": ["a"]}, "loss in epoch 1 is 'a'; it must be a number"),
            (7, "is a int"),
        ],
    )
    def test_what_is_no_history_is_refused(self, store, good, history, says) -> None:
        with pytest.raises(ConfigError) as caught:
            mc.record("mine", probabilities=good, dataset="digits", history=history, store=store)
        assert says in str(caught.value)
        assert not [run for run in store.runs() if run.recorded]


def test_a_history_alone_is_a_run_with_curves_that_is_compared_with_none(store, good) -> None:
    run = mc.record("curves", history=HISTORY, dataset="digits", store=store)
    assert (run.state, run.epochs_done, run.predictions()) == ("finished", 3, None)
    assert [item.code for item in mc.diagnose(run, store=store)]
    other = mc.record("mine", probabilities=good, dataset="digits", store=store)
    assert [item.code for item in compare([run, other], run).refusals] == ["not_stored"]
    unknown = mc.record("curves", history=HISTORY, store=store)
    assert (unknown.dataset, unknown.pictures) == ("own", False)


class TestRefusals:
    def test_another_number_of_images(self, store, good) -> None:
        with pytest.raises(PredictionsError, match=r"predictions of 100 images, and digits has \d+ test images"):
            mc.record("mine", probabilities=good[:100], dataset="digits", store=store)

    def test_another_order(self, store, digits, good) -> None:
        with pytest.raises(PredictionsError, match="probably in another order; give labels and predictions in"):
            mc.record("mine", probabilities=good[::-1], labels=digits.y_test[::-1], dataset="digits", store=store)

    def test_other_labels(self, store, digits, good) -> None:
        changed = digits.y_test.copy()
        changed[7] = (changed[7] + 1) % 10
        with pytest.raises(PredictionsError, match=r"1 of the \d+ labels are not those of digits's .*they are others"):
            mc.record("mine", probabilities=good, labels=changed, dataset="digits", store=store)

    def test_other_images_and_another_order_of_images(self, store, digits, good) -> None:
        with pytest.raises(DatasetError, match="are not the test images of digits"):
            mc.record("mine", probabilities=good, images=255 - digits.x_test, dataset="digits", store=store)
        with pytest.raises(DatasetError, match="those of digits, in another order"):
            mc.record("mine", probabilities=good, images=digits.x_test[::-1], dataset="digits", store=store)
        with pytest.raises(DatasetError, match="the images have shape"):
            mc.record("mine", probabilities=good, images=digits.x_test[:9], dataset="digits", store=store)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (
                lambda p: np.where(np.arange(len(p))[:, None] == 3, np.nan, p),
                "no finite numbers, the first of them image 3",
            ),
            (lambda p: 2 * p, "add up to 2 to 2"),
            (
                lambda p: np.where(np.arange(len(p))[:, None] == 5, 1.5 * p, p),
                f"1 of {IMAGES} are no probabilities, the first of them image 5",
            ),
            (lambda p: [[0.5, 0.5], [1.0]], "the rows of the probabilities differ in length"),
            (lambda p: np.log(p), "give the softmax's output, not logits"),
            (lambda p: p[:, :9], "digits has 10 classes, and the predictions have 9"),
            (lambda p: p[None], "have shape (1, "),
            (lambda p: p.astype(str), "give an array of numbers"),
        ],
    )
    def test_what_is_no_probability(self, store, good, change, says) -> None:
        with pytest.raises(PredictionsError) as caught:
            mc.record("mine", probabilities=change(good), dataset="digits", store=store)
        assert says in str(caught.value)
        assert not [run for run in store.runs() if run.recorded]

    @pytest.mark.parametrize(
        ("images", "says"),
        [
            (lambda x: np.where(np.arange(len(x))[:, None, None] == 4, np.nan, x), "1 of 355 images have pixels that"),
            (lambda x: ["a"] * len(x), "the images have dtype <U1"),
            (lambda x: x.reshape(-1), "give shape (n, pixels)"),
            (lambda x: [[1.0], [1.0, 2.0]], "the rows of the images differ in length"),
        ],
    )
    def test_what_is_no_image(self, store, digits, good, images, says) -> None:
        for given in ({"dataset": "digits"}, {"labels": digits.y_test}):
            with pytest.raises(PredictionsError) as caught:
                mc.record("mine", probabilities=good, images=images(digits.x_test), store=store, **given)
            assert says in str(caught.value)

    def test_a_data_set_that_is_no_name(self, store, good) -> None:
        with pytest.raises(DatasetError, match="5 is not a data set name"):
            mc.record("mine", probabilities=good, dataset=5, store=store)

    def test_one_tag_may_be_given_as_a_text(self, store, good) -> None:
        run = mc.record("mine", probabilities=good, dataset="digits", tags="forest", store=store)
        assert run.meta.tags == ("forest",)

    def test_both_or_neither_kind_of_prediction(self, store, good) -> None:
        for given in ({}, {"probabilities": good, "predicted": good.argmax(axis=1)}):
            with pytest.raises(PredictionsError, match="give either `probabilities` or `predicted`"):
                mc.record("mine", dataset="digits", store=store, **given)

    def test_unknown_data_without_labels(self, store, good) -> None:
        with pytest.raises(PredictionsError, match="there is no data set 'fashion' here, and no labels were given"):
            mc.record("mine", probabilities=good, dataset="fashion", store=store)

    @pytest.mark.parametrize(
        ("labels", "says"),
        [
            ([0, 1, 2.5], "labels hold 2.5 at place 2"),
            ([0, -1, 2], "labels hold -1 at place 1"),
            ([[0, 1], [1, 1], [0, 1]], "not one-hot"),
            ([0, 1, 3], "the labels go up to 3; with 3 classes"),
            ([], "give one label an image"),
        ],
    )
    def test_labels_that_are_no_classes(self, store, labels, says) -> None:
        with pytest.raises(PredictionsError) as caught:
            mc.record("mine", probabilities=np.full((3, 3), 1 / 3), labels=labels, store=store)
        assert says in str(caught.value)

    def test_too_many_classes(self, store) -> None:
        with pytest.raises(PredictionsError, match="there may be 2 to 100"):
            mc.record("mine", probabilities=np.full((3, 101), 1 / 101), labels=[0, 1, 2], store=store)

    def test_guesses_that_are_no_classes(self, store) -> None:
        with pytest.raises(PredictionsError, match="guesses hold 'd', and the classes are a, b, c"):
            mc.record("mine", predicted=["a", "d"], labels=["a", "b"], classes=["a", "b", "c"], store=store)


class TestKnownImages:
    @pytest.mark.parametrize(
        "prepared",
        [
            lambda x: x,
            lambda x: (x / 255).astype(np.float32),
            lambda x: x.reshape(len(x), 784) / 255,
            lambda x: x[..., None].astype(np.float32),
            lambda x: ((x / 255 - 0.1307) / 0.3081).astype(np.float32)[:, None],
        ],
    )
    def test_data_are_recognised_by_their_images_however_they_were_scaled(self, store, digits, good, prepared) -> None:
        run = mc.record("mine", probabilities=good, images=prepared(digits.x_test), store=store)
        assert run.dataset == "digits"
        assert run.pictures
        assert run.status.fingerprint == digits.fingerprint

    def test_a_run_on_unknown_images_says_no_pictures_and_compares_with_its_own_kind(self, store, digits, good) -> None:
        rng = np.random.default_rng(0)
        images = rng.uniform(size=(len(digits.y_test), 20))
        first = mc.record("a", probabilities=good, images=images, labels=digits.y_test, store=store)
        assert not first.pictures
        assert first.meta.note.startswith("No pictures")
        second = mc.record("b", probabilities=good, images=images.astype(np.float32), labels=digits.y_test, store=store)
        third = mc.record(
            "c", probabilities=good, images=rng.uniform(size=images.shape), labels=digits.y_test, store=store
        )
        known = mc.record("d", probabilities=good, dataset="digits", store=store)
        found = compare([first, second, third, known], first)
        assert [item.run for item in found.verdicts] == [second.id]
        assert [item.code for item in found.refusals] == ["other_images", "other_data"]
        names = {run.id: run.name for run in (first, second, third, known)}
        assert all(refusal_words(item, names) for item in found.refusals)


class TestGuessesOnly:
    def test_guesses_have_an_accuracy_and_no_loss(self, store, digits, good) -> None:
        run = mc.record("hard", predicted=good.argmax(axis=1), dataset="digits", store=store)
        soft = mc.record("soft", probabilities=good, dataset="digits", store=store)
        score, other = run.test_scores(), soft.test_scores()
        assert score is not None
        assert other is not None
        assert (score.accuracy, score.macro_f1) == (other.accuracy, other.macro_f1)
        assert (score.loss, score.ece, score.mean_confidence) == (None, None, None)
        verdict = compare([run, soft], run).verdicts[0]
        assert verdict.loss is None
        assert verdict.table.discordant == 0
        assert "cannot be compared: one of them gives classes without probabilities" in str(mc.compare(run, soft))

    def test_names_and_numbers_mean_the_same_guesses(self, store) -> None:
        named = mc.record("a", predicted=["cat", "dog", "cat"], labels=["cat", "dog", "dog"], store=store)
        numbers = mc.record("b", predicted=[0, 1, 0], labels=[0, 1, 1], classes=["cat", "dog"], store=store)
        found = [run.predictions() for run in (named, numbers)]
        assert named.classes == numbers.classes == ("cat", "dog")
        np.testing.assert_array_equal(found[0].predicted, found[1].predicted)


class TestClasses:
    @pytest.mark.parametrize("names", [("benign", "malignant"), LETTERS, HUNDRED], ids=["2", "26", "100"])
    def test_runs_of_other_numbers_of_classes_are_compared_diagnosed_and_listed(self, store, names) -> None:
        first = recorded(store, "a", names, history=HISTORY)
        second = recorded(store, "b", names, errors=60)
        found = mc.compare(first, second, store=store)
        assert found.decision == "worse"
        assert first.test_scores().errors == 20
        assert len(mc.runs(store=store)) >= 2
        mc.diagnose(first, store=store)
        for chart in (mc.plots.confusion(first), mc.plots.disagreements(first, second), found.plot()):
            assert chart.to_dict()["$schema"]
        assert len(group([first, second])) == 2
        assert [item.reason for item in compare_recipes([first, second], first, [first, second])] == ["few_seeds"]

    def test_the_probability_of_the_second_class_alone_is_enough_for_two(self, store) -> None:
        run = mc.record("a", probabilities=[0.1, 0.9, 0.6], labels=[0, 1, 0], store=store)
        np.testing.assert_allclose(run.predictions().probabilities[:, 1], [0.1, 0.9, 0.6], rtol=1e-6)

    def test_classes_in_another_order_are_not_compared(self, store) -> None:
        labels = labels_of(3)
        made = probabilities(labels, 3)
        first = mc.record("a", probabilities=made, labels=labels, classes="xyz", store=store)
        second = mc.record("b", probabilities=made, labels=labels, classes="zyx", store=store)
        assert compare([first, second], first).refusals[0].code == "other_classes"


def test_a_run_from_outside_is_neither_resumed_nor_continued(store, good) -> None:
    run = mc.record("mine", probabilities=good, dataset="digits", store=store)
    assert not run.resumable
    with pytest.raises(NoConfiguration, match="cannot be resumed"):
        store.request_again(run.id)
    from mnist_core.experiments.presets import preset

    child = preset("notebook/model_1").config.replace(dataset__name="digits", parent=run.id)
    with pytest.raises(NoConfiguration, match="cannot be continued"):
        store.parent(child)
