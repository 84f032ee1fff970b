"""The Models page, run whole on synthetic stores."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_core.experiments.keras_code import keras_code
from tests.support.pages import text_of, unfold
from tests.support.synthetic import MakeRun, config

OpenPage = Callable[..., AppTest]


def test_an_empty_store_shows_what_would_be_here(app: OpenPage) -> None:
    page = app("views/models.py")
    assert not page.exception
    assert "No model yet" in text_of(page)


def test_layers_pictures_and_code_stand_side_by_side(app: OpenPage, make_run: MakeRun) -> None:
    runs = [make_run("model_1", config((64, 64))), make_run("model_2", config((400, 300), dropout=0.4))]
    page = unfold(app("views/models.py"))
    text = text_of(page)
    assert "model_2 is the largest with 437,310 parameters, 7.9 times as many as model_1 with 55,050" in text
    assert "314,000" in text
    assert len(page.get("vega_lite_chart")) == 3
    assert [code.value.strip() for code in page.code] == [keras_code(run.config).strip() for run in runs]


def test_a_convolutional_network_is_shown_beside_a_dense_one(app: OpenPage, make_run: MakeRun) -> None:
    runs = [make_run("model_1", config((64, 64))), make_run("cnn", preset="coursera/cnn")]
    page = unfold(app("views/models.py", runs=",".join(run.id for run in runs)))
    text = text_of(page)
    assert "cnn, on MNIST is the largest with 129,194 parameters" in text
    assert "24×24×24" in text
    assert keras_code(runs[1].config).strip() in [code.value.strip() for code in page.code]


def test_networks_that_are_not_trained_are_shown_too(app: OpenPage, make_run: MakeRun) -> None:
    run = make_run("waiting", config((8,), dropout=0.0), state="queued")
    page = app("views/models.py", runs=run.id)
    page.multiselect(key="run_picker").set_value([run.id]).run()
    assert not page.exception
    assert "waiting has 6,370 parameters" in text_of(page)
