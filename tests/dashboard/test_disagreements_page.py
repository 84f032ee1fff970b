"""The Disagreements page on stores of every kind, and that link, click and box choose the same digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.comparison.disagreements import counts, votes
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.pages import gallery_items, unfold, words

PAGE = "views/disagreements/page.py"
NAME = "three-hundred"
LABELS = (np.arange(300) % 10).astype(np.uint8)
# index → wrong guess and its confidence; everything else is right at 0.91
WRONG = {
    "one": {4: (9, 0.95), 14: (9, 0.6), 7: (2, 0.8), 5: (3, 0.7)},
    "two": {14: (9, 0.9), 5: (8, 0.6), 6: (0, 0.5)},
    "three": {14: (4 + 1, 0.5), 8: (3, 0.6)},
}
ONLY_ONE_RIGHT, ONLY_TWO_RIGHT, SAME_WRONG, DIFFERENT_WRONG = [6], [4, 7], [14], [5]


def config(units: int) -> RunConfig:
    return RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=units),)),
        training=TrainingConfig(epochs=2),
        dataset=DatasetConfig(name=NAME),
    )


def guessed(name: str, labels: np.ndarray = LABELS) -> Predictions:
    probabilities = np.full((300, 10), 0.01, np.float32)
    probabilities[np.arange(300), labels] = 0.91
    for index, (guess, sure) in WRONG[name].items():
        probabilities[index] = (1 - sure) / 9
        probabilities[index, guess] = sure
    return Predictions(labels, probabilities)


@pytest.fixture
def fingerprint(store: Store, tmp_path: Path) -> str:
    """Of a registered dataset whose test labels are LABELS."""
    images = np.random.default_rng(0).integers(0, 256, (300, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x_train=images[:20], y_train=LABELS[:20], x_test=images, y_test=LABELS)
    return store.catalog.register(NAME, tmp_path / "data.npz").fingerprint


@pytest.fixture
def runs(make_run, fingerprint: str) -> dict[str, Run]:
    return {
        name: make_run(name, config(16 + place), predictions=guessed(name), fingerprint=fingerprint)
        for place, name in enumerate(WRONG)
    }


def ids(*runs: Run) -> str:
    return ",".join(run.id for run in runs)


def shown(test: AppTest) -> set[int]:
    assert not test.exception
    return {item["index"] for item in gallery_items(test)}


def opened(app, link: str, **query: str) -> AppTest:
    """The page with a link's values: the first page of the app takes the address over, so they are given after it."""
    test = app(PAGE, runs=link)
    for key, value in query.items():
        test.query_params[key] = value
    return test.run()


def test_the_answer_comes_first_and_all_disagreements_are_shown(app, runs: dict[str, Run]) -> None:
    test = app(PAGE, runs=ids(runs["one"], runs["two"]))
    assert "They disagree on 4 of 300 images; where only one is right, it is two 2 times and one once" in words(test)
    assert shown(test) == {4, 5, 6, 7}
    # furthest apart first: 4 has 0.91 against 0.05 / 9
    first = gallery_items(test)[0]
    assert (first["index"], first["guess"]) == (4, "a 4")
    assert [(vote["guess"], vote["right"], vote["sure"]) for vote in first["votes"]] == [
        ("9", False, "95.0 %"), ("4", True, "91.0 %"),
    ]  # fmt: skip
    assert "one guesses 9 at 95.0 %; two guesses 4 at 91.0 %" in first["description"]


def test_a_link_a_click_and_the_box_choose_a_group(app, runs: dict[str, Run]) -> None:
    test = app(PAGE, runs=ids(runs["one"], runs["two"]))
    groups = {
        "only_a": ONLY_ONE_RIGHT, "only_b": ONLY_TWO_RIGHT, "same_wrong": SAME_WRONG,
        "different_wrong": DIFFERENT_WRONG,
    }  # fmt: skip
    for group, indices in groups.items():
        test.query_params["group"] = group
        test.run()
        assert shown(test) == set(indices)
        assert test.selectbox("group").value == group
    test.selectbox("group").set_value("only_b").run()
    assert (shown(test), test.query_params["group"]) == (set(ONLY_TWO_RIGHT), "only_b")
    test.session_state["groups_1"] = {"selection": {"group": [{"group": "only_a"}]}}
    test.run()
    assert (shown(test), test.query_params["group"]) == (set(ONLY_ONE_RIGHT), "only_a")
    test.button("clear_cell").click().run()
    assert "group" not in test.query_params
    assert shown(test) == {4, 5, 6, 7}


def test_the_counts_on_the_page_are_those_of_the_core(app, runs: dict[str, Run]) -> None:
    test = unfold(app(PAGE, runs=ids(runs["one"], runs["two"])))
    table = test.dataframe[0].value
    assert table["images"].tolist() == list(counts(votes([guessed("one"), guessed("two")])))


def test_a_cell_of_the_difference_shows_what_came_and_went(app, runs: dict[str, Run]) -> None:
    test = opened(app, ids(runs["one"], runs["two"]), view="matrices", true="4", guess="9")
    assert shown(test) == {4}  # 14 is a 9 for both
    assert "guessed 9 by one only: 1; by two only: 0" in words(test)
    # nothing is called a change that the largest of 90 differences shows by chance
    assert "No single confusion changed by more than chance" in words(test)
    assert "On none of the 10 digits is one of them better by more than chance" in words(test)
    # the same cell of the matrix of the first run has both
    test.selectbox("matrix").set_value("a").run()
    assert test.query_params["matrix"] == "a"
    assert shown(test) == {4, 14}
    assert "2 digits: a 4, guessed 9 by one" in words(test)


def test_a_click_in_one_matrix_forgets_the_click_in_another(app, runs: dict[str, Run]) -> None:
    test = opened(app, ids(runs["one"], runs["two"]), view="matrices")
    assert shown(test) == {4, 5, 6, 7}
    test.session_state["matrix_a_0"] = {"selection": {"cell": [{"true": 7, "guess": 2}]}}
    test.run()
    assert (shown(test), test.query_params["matrix"]) == ({7}, "a")
    test.session_state["matrix_difference_0"] = {"selection": {"cell": [{"true": 6, "guess": 0}]}}
    test.run()
    assert shown(test) == {6}
    assert "matrix" not in test.query_params
    assert test.session_state["matrix_a:fresh"] == 1
    # the first matrix is drawn anew, and the same click in it is heard again
    test.session_state["matrix_a_1"] = {"selection": {"cell": [{"true": 7, "guess": 2}]}}
    test.run()
    assert (shown(test), test.query_params["matrix"]) == ({7}, "a")


def test_of_three_runs_the_pair_can_be_chosen_and_the_link_follows(app, runs: dict[str, Run]) -> None:
    test = app(PAGE, runs=ids(*runs.values()))
    assert "it is two 2 times and one once" in words(test)
    test.selectbox("pair_b").set_value(runs["three"].id).run()
    assert test.query_params["against"] == runs["three"].id
    assert "it is three 3 times and one once" in words(test)
    test.selectbox("pair_a").set_value(runs["two"].id).run()
    assert test.query_params["baseline"] == runs["two"].id
    assert "it is three 2 times and two once" in words(test)


def test_how_many_of_three_are_wrong(app, runs: dict[str, Run]) -> None:
    test = opened(app, ids(*runs.values()), view="all")
    assert shown(test) == {14}
    assert "1 image is wrong in all 3 runs, 294 images in none" in words(test)
    assert [vote["sure"] for vote in gallery_items(test)[0]["votes"]] == ["", "", ""]
    for wrong, indices in {"2": {5}, "2up": {5, 14}, "1": {4, 6, 7, 8}, "9up": {14}, "x": {14}, "3": {14}}.items():
        test.query_params["wrong"] = wrong
        test.run()
        assert shown(test) == indices, wrong


def test_a_click_on_a_bar_shows_its_digits(app, runs: dict[str, Run]) -> None:
    test = opened(app, ids(*runs.values()), view="all")
    test.session_state["wrong_bars_0"] = {"selection": {"wrong": [{"wrong": 2}]}}
    test.run()
    assert (shown(test), test.query_params["wrong"]) == ({5}, "2")
    test.selectbox("wrong").set_value("1up").run()
    assert shown(test) == {4, 5, 6, 7, 8, 14}


def test_an_enlarged_digit_shows_what_both_think(app, runs: dict[str, Run]) -> None:
    test = opened(app, ids(runs["one"], runs["two"]), group="different_wrong", digit="5")
    html = " ".join(item.proto.body for item in test.get("html"))
    assert "True digit: <b>5</b>" in html
    assert "guesses <b>3</b> at 70.0 % (wrong)" in html
    assert "guesses <b>8</b> at 60.0 % (wrong)" in html


def test_the_chosen_epoch_is_honoured_and_its_absence_told(
    app, make_run, runs: dict[str, Run], fingerprint: str
) -> None:
    # the last epoch of these synthetic runs is the kept one
    test = opened(app, ids(runs["one"], runs["two"]), weights="last")
    assert shown(test) == {4, 5, 6, 7}
    # the validation loss of this one rises again, and what its best epoch guesses is not stored
    rising = config(60).replace(training__epochs=9)
    risen = make_run("risen", rising, predictions=guessed("two"), fingerprint=fingerprint)
    test = opened(app, ids(runs["one"], risen), weights="best")
    assert "Nothing to compare yet" in words(test)
    assert "risen has no guesses on the test images: those of its best epoch are not stored" in words(test)


def test_nonsense_in_the_link_is_ignored(app, runs: dict[str, Run]) -> None:
    test = opened(
        app, ids(runs["one"], runs["two"]), group="both", view="all", matrix="c", true="77", against="x", sort="y",
        page="-3", baseline="z",
    )  # fmt: skip
    assert shown(test) == {4, 5, 6, 7}


def test_runs_on_other_data_are_refused_with_the_reason(app, make_run, runs: dict[str, Run]) -> None:
    other = make_run("elsewhere", config(99), predictions=guessed("two"), fingerprint="e" * 16)
    test = app(PAGE, runs=ids(runs["one"], other))
    assert not test.exception
    assert "These runs cannot be compared" in words(test)
    assert "different data" in words(test)
    # next to two that can be compared, it is left out by name
    test = app(PAGE, runs=ids(runs["one"], other, runs["two"]))
    assert "elsewhere on different data" in words(test)
    assert shown(test) == {4, 5, 6, 7}


def test_without_images_there_are_counts_and_a_table(app, make_run) -> None:
    pair = [make_run(name, config(units), predictions=guessed(name)) for name, units in (("one", 8), ("two", 9))]
    test = app(PAGE, runs=ids(*pair))
    assert not test.exception
    assert "They disagree on 4 of 300 images" in words(test)
    assert gallery_items(test) == []
    table = next(item.value for item in test.dataframe if "guess_0" in item.value)
    assert set(table["index"]) == {4, 5, 6, 7}


def test_too_few_runs_say_what_to_choose(app, make_run, runs: dict[str, Run]) -> None:
    assert "Choose two runs" in words(app(PAGE, runs=runs["one"].id))
    waiting = make_run("waiting", config(50), state="running")
    test = app(PAGE, runs=ids(runs["one"], waiting))
    assert "Nothing to compare yet" in words(test)
    assert "its training is not finished" in words(test)


def test_an_empty_store_offers_to_train(app) -> None:
    test = app(PAGE)
    assert not test.exception
    assert "No runs yet" in words(test)
