"""The page "When to say I don't know?": thresholds, the link, cascades, and what stands in their way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.comparison.abstention import cascade, split, threshold_for
from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.comparison.words.abstention import answered_words, cascade_words
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.text import for_markdown
from tests.support.pages import page_file, text_of, words
from tests.support.synthetic import MakeRun, config, guesses

PAGE = page_file("abstention")
OpenPage = Callable[..., AppTest]


def unsure_where_wrong(errors: int, images: int = 500) -> Predictions:
    """Predictions that are sure of the right digits, and less so the more of the last images are wrong."""
    predictions = guesses(errors, images)
    sure = np.where(predictions.predicted == predictions.labels, 0.97, 0.55) + np.linspace(0, 0.02, images)
    probabilities = np.full((images, 10), 0.0)
    probabilities += ((1 - sure) / 9)[:, None]
    probabilities[np.arange(images), predictions.predicted] = sure
    return Predictions(predictions.labels, probabilities.astype(np.float32))


@pytest.fixture
def both(make_run: MakeRun) -> list[Run]:
    return [
        make_run("small", config((8,)), predictions=unsure_where_wrong(90)),
        make_run("large", config((64,)), predictions=unsure_where_wrong(30)),
    ]


def link(runs: list[Run]) -> str:
    return ",".join(run.id for run in runs)


def test_an_empty_store_offers_to_train(app: OpenPage, store: Store) -> None:
    page = app(PAGE)
    assert not page.exception
    assert "No runs yet" in words(page)


def test_each_run_answers_what_it_is_sure_of_and_the_first_headline_compares_them(
    app: OpenPage, both: list[Run]
) -> None:
    page = app(PAGE, runs=link(both))
    assert not page.exception
    predictions = [run.predictions() for run in both]
    models = split([item for item in predictions if item is not None])
    for run, chosen, measured in zip(both, models.chosen_on, models.measured_on, strict=True):
        threshold = threshold_for(chosen, 0.995)
        assert for_markdown(answered_words(run.name, measured.at(threshold), threshold, 0.995)) in words(page)
    assert "large answers more images rightly than small" in text_of(page)
    assert "every second test image is used to choose the threshold" in words(page)


def test_the_accuracy_asked_for_is_in_the_link_and_lowers_the_threshold(app: OpenPage, both: list[Run]) -> None:
    page = app(PAGE, runs=link(both), wanted="90")
    assert page.select_slider(key="wanted").value == 90
    assert "is right on 100.00 %" not in words(page)
    page.select_slider(key="wanted").set_value(99.0).run()
    assert not page.exception
    assert page.query_params["wanted"] == "99"
    assert "is right on 100.00 %" in words(page)


def test_rubbish_in_the_link_is_the_opening_view(app: OpenPage, both: list[Run]) -> None:
    page = app(PAGE, runs=link(both), wanted="<b>", passed="-4", first="nobody", second="7")
    assert not page.exception
    assert page.select_slider(key="wanted").value == 99.5


def test_the_smaller_model_goes_first_and_the_other_takes_what_is_passed_on(app: OpenPage, both: list[Run]) -> None:
    page = app(PAGE, runs=link(both), passed="20")
    assert page.selectbox(key="first").value == both[0].id
    assert page.selectbox(key="second").value == both[1].id
    models = split([item for run in both if (item := run.predictions()) is not None])
    found = cascade(models, 0.2, margin=DEFAULT_MARGIN)
    assert for_markdown(cascade_words(found, "small", "large")) in words(page)
    assert "with large alone." in words(page)
    page.selectbox(key="first").set_value(both[1].id).run()
    assert not page.exception
    found = cascade(models, 0.2, margin=DEFAULT_MARGIN, first=1, second=0)
    assert for_markdown(cascade_words(found, "large", "small")) in words(page)


def test_one_run_alone_has_no_cascade(app: OpenPage, both: list[Run]) -> None:
    page = app(PAGE, runs=both[0].id)
    assert not page.exception
    assert "small answers the" in words(page)
    assert len(page.selectbox) == 0 or all(box.key != "first" for box in page.selectbox)


def test_a_run_on_other_images_is_left_out_with_the_reason(app: OpenPage, both: list[Run], make_run: MakeRun) -> None:
    other = make_run("other", config((9,)), predictions=unsure_where_wrong(9, 400))
    page = app(PAGE, runs=link([*both, other]))
    assert not page.exception
    assert "Left out, as it was tested on other images: other" in words(page)


def test_three_runs_are_a_table_instead_of_sentences(app: OpenPage, both: list[Run], make_run: MakeRun) -> None:
    third = make_run("third", config((32,)), predictions=unsure_where_wrong(60))
    page = app(PAGE, runs=link([*both, third]))
    assert not page.exception
    frame = next(item.value for item in page.dataframe if "threshold" in item.value and "run" in item.value)
    assert frame["run"].tolist() == ["small", "large", "third"]
    assert frame["answered rightly, against small"].str.startswith("better, +").tolist() == [False, True, True]
