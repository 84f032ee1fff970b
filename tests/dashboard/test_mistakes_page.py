"""The Mistakes page on stores of every kind: empty, unfinished, without images, with the wrong ones, and complete."""

from pathlib import Path

import numpy as np
import pytest

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.pages import gallery_items, words
from tests.support.resources import share

PAGE = "views/mistakes/page.py"
# 500 test images, 50 of each digit: 4 is taken for 9 twice, 7 for 2 once; each mistake has a confidence of its own
LABELS = (np.arange(500) % 10).astype(np.uint8)
WRONG = {4: (9, 0.95), 14: (9, 0.60), 7: (2, 0.80)}


NAME = "five-hundred"


def config(units: int = 16) -> RunConfig:
    return RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=units),)),
        training=TrainingConfig(epochs=2),
        dataset=DatasetConfig(name=NAME),
    )


def known_guesses() -> Predictions:
    probabilities = np.full((500, 10), 0.01, np.float32)
    probabilities[np.arange(500), LABELS] = 0.91
    for index, (guess, sure) in WRONG.items():
        probabilities[index] = (1 - sure) / 9
        probabilities[index, guess] = sure
    return Predictions(LABELS, probabilities)


@pytest.fixture
def fingerprint(store: Store, tmp_path: Path) -> str:
    """Of a registered dataset whose test labels are LABELS."""
    images = np.random.default_rng(0).integers(0, 256, (500, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x_train=images[:20], y_train=LABELS[:20], x_test=images, y_test=LABELS)
    return store.catalog.register(NAME, tmp_path / "data.npz").fingerprint


@pytest.fixture
def run(make_run, fingerprint: str) -> Run:
    return make_run("known", config(), predictions=known_guesses(), fingerprint=fingerprint)


def test_an_empty_store_offers_to_train(app) -> None:
    test = app(PAGE)
    assert not test.exception
    assert "No runs yet" in words(test)
    assert test.button("empty_state_button").label == "Train a first run"


def test_an_unfinished_run_says_so_and_shows_no_number(app, make_run) -> None:
    run = make_run("cut off", state="running")
    test = app(PAGE, runs=run.id)
    assert not test.exception
    assert "Nothing to show yet" in words(test)
    assert "cut off" in words(test)
    assert not test.metric


def test_the_answer_comes_first(app, run: Run) -> None:
    test = app(PAGE, runs=run.id)
    assert not test.exception
    assert [item.value for item in test.metric] == ["99.40 %", "3", "4 → 9"]
    assert "2 times a true 4 taken for a 9" in words(test)
    assert "of 500 test images of five-hundred" in words(test)
    assert "7 → 2 (1)" in words(test)


def test_all_mistakes_are_shown_surest_first(app, run: Run) -> None:
    items = gallery_items(app(PAGE, runs=run.id))
    assert [item["index"] for item in items] == [4, 7, 14]
    assert [item["guess"] for item in items] == ["4 → 9", "7 → 2", "4 → 9"]
    assert items[0]["sure"] == "95.0 %"


@pytest.mark.parametrize(
    ("query", "indices"),
    [
        ({"true": "4", "guess": "9"}, [4, 14]),
        ({"guess": "2"}, [7]),
        ({"true": "4", "guess": "4"}, [*range(24, 264, 10)]),
        ({"sort": "unsure"}, [14, 7, 4]),
        ({"sort": "index"}, [4, 7, 14]),
        ({"true": "x", "guess": "77", "sort": "nonsense", "page": "-3", "size": "5", "cells": "?"}, [4, 7, 14]),
        ({"page": "900"}, [4, 7, 14]),
    ],
)
def test_a_link_restores_the_view_and_nonsense_in_it_is_ignored(
    app,
    run: Run,
    query: dict[str, str],
    indices: list[int],
) -> None:
    test = app(PAGE, runs=run.id)  # the first page of the app takes the address over, so the link is given here
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception
    assert [item["index"] for item in gallery_items(test)] == indices


def test_correct_but_least_confident_shows_right_guesses(app, run: Run) -> None:
    test = app(PAGE, runs=run.id)
    test.selectbox("sort").set_value("correct").run()
    items = gallery_items(test)
    assert len(items) == 24
    assert not any("→" in item["guess"] for item in items)
    assert "497 digits guessed right" in words(test)


def test_boxes_filter_and_the_link_follows(app, run: Run) -> None:
    test = app(PAGE, runs=run.id)
    test.selectbox("true").set_value(4).run()
    test.selectbox("guess").set_value(9).run()
    assert [item["index"] for item in gallery_items(test)] == [4, 14]
    assert test.query_params["true"] == "4"
    assert test.query_params["guess"] == "9"
    test.button("clear_cell").click().run()
    assert "true" not in test.query_params
    assert test.selectbox("true").value == "any"
    assert len(gallery_items(test)) == 3


def test_a_click_on_the_matrix_filters_and_sets_the_boxes(app, run: Run) -> None:
    test = app(PAGE, runs=run.id)
    test.session_state["confusion_0"] = {"selection": {"cell": [{"true": 7, "guess": 2}]}}
    test.run()
    assert [item["index"] for item in gallery_items(test)] == [7]
    assert (test.selectbox("true").value, test.selectbox("guess").value) == (7, 2)


def test_a_cell_that_never_happened_says_so(app, run: Run) -> None:
    test = app(PAGE, runs=run.id)
    test.selectbox("true").set_value(0).run()
    assert not test.exception
    assert "never happened" in words(test)


@pytest.fixture
def mapped(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose map holds the images 0 to 19 in a row: one step right for each, and all wrong guesses among them."""
    from mnist_core.inspection.embedding import Map

    places = np.column_stack([np.arange(20.0), np.arange(20.0) % 2])
    share(monkeypatch, "network", lambda run: object())
    share(monkeypatch, "digit_map", lambda run, kind: (np.arange(20), Map(places, (0.5, 0.25))))
    return run


FIRST_TEN = "0.0-500.0-500.1000-0.1000"
"""Corners of the left half of the map: the images 0 to 9."""


def test_an_area_on_the_map_lists_its_digits_the_wrong_ones_first(app, mapped: Run) -> None:
    test = app(PAGE, runs=mapped.id)
    test.query_params["area"] = f"{mapped.id[:6]}~{FIRST_TEN}"
    test.run()
    assert not test.exception
    indices = [item["index"] for item in gallery_items(test)]
    assert indices[:2] == [4, 7]
    assert sorted(indices) == list(range(10))
    assert "10 digits in the area: 2 guessed wrong, 8 right" in words(test)


def test_a_cell_and_an_area_show_what_is_in_both_and_all_mistakes_come_back(app, mapped: Run) -> None:
    test = app(PAGE, runs=mapped.id)
    test.query_params["area"] = f"{mapped.id[:6]}~{FIRST_TEN}"
    test.query_params["true"] = "4"
    test.run()
    assert [item["index"] for item in gallery_items(test)] == [4]
    assert "1 digit in the area: a true 4, guessed wrong" in words(test)
    test.button("clear_cell").click().run()
    assert "area" not in test.query_params
    assert [item["index"] for item in gallery_items(test)] == [4, 7, 14]


@pytest.mark.parametrize("area", ["{run}~1.1-2.2", "{run}", "abcdef~0.0-500.0-500.1000", "{run}~0.0-0.0-a.b", "~"])
def test_an_area_of_another_run_and_nonsense_are_ignored(app, mapped: Run, area: str) -> None:
    test = app(PAGE, runs=mapped.id)
    test.query_params["area"] = area.format(run=mapped.id[:6])
    test.run()
    assert not test.exception
    assert [item["index"] for item in gallery_items(test)] == [4, 7, 14]


def test_an_area_without_digits_says_so(app, mapped: Run) -> None:
    test = app(PAGE, runs=mapped.id)
    test.query_params["area"] = f"{mapped.id[:6]}~0.0-10.0-10.10"
    test.run()
    assert "No digit of the map is in the area." in words(test)
    assert "There is no such digit in the area." in words(test)


def test_pages_of_a_long_list(app, make_run, fingerprint: str) -> None:
    run = make_run("many", config(), errors=60, fingerprint=fingerprint)
    test = app(PAGE, runs=run.id)
    first = {item["index"] for item in gallery_items(test)}
    assert len(first) == 24
    test.button("to_next").click().run()
    assert test.query_params["page"] == "2"
    second = {item["index"] for item in gallery_items(test)}
    assert len(second) == 24
    assert not first & second
    test.button("to_next").click().run()
    assert len(gallery_items(test)) == 12
    assert test.button("to_next").disabled
    test.selectbox("size").set_value(60).run()
    assert "page" not in test.query_params
    assert len(gallery_items(test)) == 60


def test_an_enlarged_digit_shows_what_every_chosen_run_thinks(
    app,
    make_run,
    run: Run,
    fingerprint: str,
) -> None:
    other = make_run("other", config(32), fingerprint=fingerprint, predictions=known_guesses())
    test = app(PAGE, runs=f"{run.id},{other.id}")
    test.query_params["digit"] = "4"
    test.run()
    assert not test.exception
    html = " ".join(item.proto.body for item in test.get("html"))
    assert "True digit: <b>4</b>" in html
    assert "known" in html
    assert "other" in html
    test.button("digit_next").click().run()
    assert test.query_params["digit"] == "7"


@pytest.mark.parametrize("wanted", ["abc", "500", "-1"])
def test_a_link_to_a_digit_that_there_is_not_says_so_and_opens_nothing(app, run: Run, wanted: str) -> None:
    test = app("views/mistakes/page.py", runs=run.id, digit=wanted)
    assert not test.exception
    assert f"the test image “{wanted}”, and there is none; they are counted from 0 to 499" in words(test).replace(
        "\\", ""
    )
    assert not [box for box in test.button if box.key == "digit_next"]


def test_the_gallery_behind_an_enlarged_digit_turns_its_page_with_it(app, make_run, fingerprint: str) -> None:
    run = make_run("many", config(), errors=30, fingerprint=fingerprint)
    test = app(PAGE, runs=run.id)
    last, first = gallery_items(test)[-1]["index"], gallery_items(test)[0]["index"]
    test.query_params["digit"] = str(last)
    test.run()
    test.button("digit_next").click().run()
    assert test.query_params["page"] == "2"
    shown = [item["index"] for item in gallery_items(test)]
    assert test.query_params["digit"] == str(shown[0])
    test.button("digit_previous").click().run()
    assert "page" not in test.query_params
    assert gallery_items(test)[0]["index"] == first


def test_images_of_other_data_are_refused_with_the_reason_and_the_rest_works(app, make_run, fingerprint: str) -> None:
    run = make_run("elsewhere", config(), predictions=known_guesses())  # made with another fingerprint than that
    test = app(PAGE, runs=run.id)
    assert not test.exception
    assert "wrong images" in words(test)
    assert gallery_items(test) == []
    assert [item.value for item in test.metric][1] == "3"
    assert test.dataframe[0].value["index"].tolist() == [4, 7, 14]


def test_without_mnist_the_numbers_and_a_table_are_there_and_the_way_to_the_images(
    app,
    make_run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path,
) -> None:
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    run = make_run("m1", preset="notebook/model_1", rows=3, fingerprint=MNIST_FINGERPRINT, predictions=known_guesses())
    test = app(PAGE, runs=run.id)
    assert not test.exception
    assert "MNIST_NPZ" in words(test)
    assert gallery_items(test) == []
    assert test.dataframe[0].value["index"].tolist() == [4, 7, 14]


def test_damaged_predictions_are_a_sentence_and_other_runs_still_show(
    app,
    make_run,
    run: Run,
    fingerprint: str,
) -> None:
    broken = make_run("broken", config(32), fingerprint=fingerprint)
    (broken.path / "predictions.npz").write_bytes(b"torn")
    test = app(PAGE, runs=f"{broken.id},{run.id}")
    assert not test.exception
    assert "damaged" in words(test)
    assert [item.value for item in test.metric][1] == "3"


def test_predictions_of_other_labels_never_get_pictures(app, make_run, fingerprint: str) -> None:
    shifted = Predictions(np.roll(LABELS, 1), known_guesses().probabilities)
    run = make_run("shifted", config(), predictions=shifted, fingerprint=fingerprint)
    test = app(PAGE, runs=run.id)
    assert not test.exception
    assert gallery_items(test) == []
    assert "labels" in words(test)


def test_labels_that_the_model_doubts_are_listed_and_no_known_error_is_claimed_for_other_data(app, run: Run) -> None:
    test = app(PAGE, runs=run.id)
    assert not test.exception
    # 4 → 9 at 95 % is above the mean confidence of 9; the other mistakes are not
    assert "**1** label is doubted." in words(test)
    assert "known label error" not in words(test)


def test_known_label_errors_are_counted_badged_and_explained(app, make_run, monkeypatch: pytest.MonkeyPatch) -> None:

    labels = (np.arange(10_000) % 10).astype(np.uint8)
    probabilities = np.full((10_000, 10), 0.01, np.float32)
    labels[947], guess = 8, labels.copy()
    guess[[947, 20]] = 9, 5
    probabilities[np.arange(10_000), guess] = 0.91
    run = make_run(
        "m1",
        preset="notebook/model_1",
        rows=3,
        fingerprint=MNIST_FINGERPRINT,
        predictions=Predictions(labels, probabilities),
    )
    share(monkeypatch, "test_images", lambda run: np.zeros((10_000, 28, 28), np.uint8))
    test = app(PAGE, runs=run.id)
    assert not test.exception
    # the other 14 labels of this constructed data are not MNIST's, and the guesses agree with them
    assert "**1** of its 2 wrong guesses is a known label error; on 1 of these" in words(test)
    assert "the accuracy is **99.99 %**" in words(test)
    by_index = {item["index"]: item for item in gallery_items(test)}
    assert by_index[947]["badge"] == "label?"
    assert "most reviewers saw a 9" in by_index[947]["description"]
    assert "badge" not in by_index[20]
    test.query_params["digit"] = "947"
    test.run()
    assert "the label says 8, most reviewers saw a 9" in words(test)
