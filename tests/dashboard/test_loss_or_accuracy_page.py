"""The page "Loss or accuracy?", run whole on synthetic stores, and its charts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import vl_convert
from streamlit.testing.v1 import AppTest

from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words.loss_or_accuracy import relation_words
from mnist_core.evaluation.calibration import fit_temperature, loss_at, reliability, tempered_scores
from mnist_core.evaluation.metrics import scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import HeldOutValidation
from mnist_core.plots.calibration import reliability_chart, reliability_frame, temperature_chart
from tests.support.pages import text_of
from tests.support.synthetic import MakeRun, config, epoch_row, guesses

PAGE = "views/loss_or_accuracy.py"
OpenPage = Callable[..., AppTest]


def test_an_empty_store_says_what_would_be_here(app: OpenPage) -> None:
    page = app(PAGE)
    assert not page.exception
    assert "No runs yet" in text_of(page)


def test_the_answer_is_that_of_the_numbers(app: OpenPage, make_run: MakeRun) -> None:
    first = make_run("model_1", config((64,)), errors=20)
    second = make_run("model_2", config((65,)), errors=8)
    page = app(PAGE, runs=f"{first.id},{second.id}")
    assert not page.exception
    text = text_of(page)
    (verdict,) = compare([first, second], first).verdicts
    assert relation_words(verdict, {first.id: "model_1", second.id: "model_2"}).split(" A wrong image")[0] in text
    assert "model_1: the validation loss" in text
    assert len(page.get("vega_lite_chart")) == 6


def test_three_pages_give_the_same_decision_on_a_pair_at_the_edge(app: OpenPage, make_run: MakeRun) -> None:
    """10 and 21 images that only one gets right: an exact test and an interval used to contradict each other here."""
    labels = (np.arange(1000) % 10).astype(np.uint8)

    def guessed(wrong: range) -> Predictions:
        guess = labels.copy()
        guess[wrong.start : wrong.stop] = (guess[wrong.start : wrong.stop] + 1) % 10
        return Predictions(labels, (0.01 + 0.9 * np.eye(10)[guess]).astype(np.float32))

    runs = [make_run(name, config((8 + n,)), predictions=guessed(wrong)) for n, (name, wrong) in enumerate(
        (("first", range(10)), ("second", range(10, 31)))
    )]  # fmt: skip
    ids = ",".join(run.id for run in runs)
    (verdict,) = compare(runs, runs[0]).verdicts
    assert (verdict.exact_p > 0.05, verdict.answer) == (True, "worse")
    lead = "1.10 points [0.01, 2.30]"
    for page, sentence in (
        ("views/compare/page.py", "second is worse than first by 1.10 points"),
        ("views/disagreements/page.py", "second is worse than first by 1.10 points"),
        (PAGE, "By accuracy and by loss first is better: 1.10 points"),
    ):
        text = text_of(app(page, runs=ids))
        assert sentence in text
        assert lead in text


def test_the_temperature_changes_the_loss_and_not_the_accuracy(app: OpenPage, make_run: MakeRun) -> None:
    run = make_run("model_1", errors=20)
    page = app(PAGE, runs=run.id)
    page.select_slider(key="temperature").set_value(2.0).run()
    assert not page.exception
    predictions = run.predictions()
    assert predictions is not None
    labels, probabilities = predictions.labels, predictions.probabilities
    before, after = scores(labels, probabilities), tempered_scores(labels, probabilities, 2.0)
    assert after.loss != pytest.approx(before.loss)
    for figure in (f"{before.loss:.4f}", f"{after.loss:.4f}", f"{after.ece:.4f}"):
        assert figure in text_of(page)
    assert text_of(page).count("96.00 %") >= 2


def test_without_held_out_images_no_temperature_is_fitted_and_the_page_says_why(
    app: OpenPage, make_run: MakeRun
) -> None:
    page = app(PAGE, runs=make_run("model_1").id)
    assert "No fitted temperature: this run's validation images are the test images" in text_of(page)


def test_with_held_out_images_the_fitted_temperature_is_theirs(app: OpenPage, make_run: MakeRun) -> None:
    held, test = guesses(30, images=300, seed=1), guesses(20)
    both = Predictions(test.labels, test.probabilities, held.labels, held.probabilities)
    held_out = config((33,)).replace(training__validation=HeldOutValidation(count=300))
    page = app(PAGE, runs=make_run("held", held_out, predictions=both).id)
    assert not page.exception
    fitted = fit_temperature(held.labels, held.probabilities)
    assert f"the lowest loss on the 300 held-out images, {fitted:.2f}." in text_of(page)
    assert f"{loss_at(test.labels, test.probabilities, fitted):.4f}" in text_of(page)


def test_waiting_diverged_and_single_runs_are_sane(app: OpenPage, make_run: MakeRun) -> None:
    waiting = make_run("waiting", config((8,)), state="queued")
    running = make_run("running", config((9,), epochs=10), rows=1, state="running")
    page = app(PAGE, runs=f"{waiting.id},{running.id}")
    assert not page.exception
    assert "No chosen run has guessed the test images yet" in text_of(page)
    assert not app(PAGE, runs=waiting.id).exception


@pytest.mark.parametrize("stretched", [True, False])
def test_the_reliability_diagram_compiles_and_holds_the_bins(stretched: bool) -> None:
    predictions = guesses(25)
    frame = reliability_frame(reliability(predictions.labels, predictions.probabilities, equal_counts=stretched))
    assert frame["images"].sum() == 500
    spec = reliability_chart(frame, "#0072B2", stretched=stretched).to_dict()
    assert vl_convert.vegalite_to_vega(spec)["marks"]
    assert ("images" in str([layer["encoding"].get("text") for layer in spec["layer"]])) is not stretched


def test_the_temperature_chart_marks_the_fitted_value_where_there_is_one() -> None:
    import pandas as pd

    frame = pd.DataFrame({"temperature": np.geomspace(0.25, 4, 9), "loss": np.linspace(0.3, 0.1, 9)})
    with_fit = temperature_chart(frame, "#0072B2", chosen=1.0, fitted=1.234)
    assert "fitted: 1.23" in with_fit.to_json()
    assert "fitted" not in temperature_chart(frame, "#0072B2", chosen=1.0, fitted=None).to_json()
    assert vl_convert.vegalite_to_vega(with_fit.to_dict())["marks"]


def test_an_epoch_without_stored_guesses_is_said_to_have_none(app: OpenPage, make_run: MakeRun) -> None:
    rows = [epoch_row(number, turn=1) for number in range(1, 11)]
    page = app(PAGE, runs=make_run("model_1", config(epochs=10), rows=rows).id)
    page.button_group(key="epoch_switch").set_value("best").run()
    assert not page.exception
    assert "those of its best epoch are not stored" in text_of(page)
    assert "No chosen run has guessed the test images yet" in text_of(page)


def test_temperature_and_bins_are_in_the_link_beside_the_run_that_is_looked_at(
    app: OpenPage, make_run: MakeRun
) -> None:
    first, second = make_run("one"), make_run("two", config((8,)))
    page = app(runs=f"{first.id},{second.id}").switch_page(PAGE)
    page.query_params["temperature"] = "2.00"  # a link; in the page, it is the browser that writes it
    page.run()
    assert page.select_slider(key="temperature").value == 2.0
    page.radio(key="calibrated").set_value(second.id).run()
    assert not page.exception
    assert page.query_params["temperature"] in ("2.00", ["2.00"])
    assert page.query_params["inspect"] in (second.id, [second.id])
    assert page.select_slider(key="temperature").value == 2.0
