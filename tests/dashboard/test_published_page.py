"""The page Published: every row, its verdict, and where its button leads."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from dashboard.views.published.published_rows import answer, row_html
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.experiments.presets import PRESETS
from mnist_core.published.reproduction import rows
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.synthetic import guesses

OpenPage = Callable[..., AppTest]
PAGE = "views/published/page.py"


def texts(page: AppTest) -> str:
    return "\n".join(str(part.value) for part in [*page.markdown, *page.caption, *page.get("html")] if part)


def bodies(page: AppTest) -> str:
    return "\n".join(str(part.proto.body) for part in page.get("html"))


def test_an_empty_store_lists_all_and_offers_to_train(app: OpenPage) -> None:
    page = app(PAGE)
    assert not page.exception
    assert "None of the published models has been trained on MNIST yet." in texts(page)
    labels = [button.label for button in page.button]
    assert labels == ["Train"] * 21
    html = bodies(page)
    for name in (*PRESETS, "tuning/grid_90", "coursera/lambda", "coursera/neurons", "tuning/hyperband_mlp"):
        assert f"<b>{name}</b>" in html
    # what the documents got wrong is said
    for words in ("added it to model_2 by mistake", "is a typo", "leaked into training", "a network that was dead"):
        assert words in html


def test_train_opens_the_form_with_the_preset(app: OpenPage) -> None:
    page = app(PAGE)
    page.button(key="published_readme/model_2").click().run()
    assert not page.exception
    assert page.title[0].value == "Train"
    assert page.selectbox(key="train_source").value == "preset:readme/model_2"


def test_train_of_a_sweep_opens_its_form(app: OpenPage) -> None:
    page = app(PAGE)
    page.button(key="published_coursera/neurons").click().run()
    assert not page.exception
    assert page.title[0].value == "Sweeps"
    assert page.selectbox(key="sweep_what").value == "sweep:coursera/neurons"


def test_a_measured_model_has_its_verdict_and_opens_in_compare(
    app: OpenPage, store: Store, make_run: Callable[..., Run]
) -> None:
    config = PRESETS["notebook/model_1"].config
    runs = [
        make_run(
            f"model_1, {seed}", config.replace(training__seed=seed), fingerprint=MNIST_FINGERPRINT,
            predictions=guesses(errors, images=10_000),
        )
        for seed, errors in enumerate((240, 250))
    ]  # fmt: skip
    page = app(PAGE)
    assert not page.exception
    assert "**1 of 1** published results reproduce on MNIST" in texts(page)
    assert "97.55 ± 0.07 %, n = 2" in bodies(page)
    assert "published</small>97.62 %" in bodies(page)
    page.button(key="published_notebook/model_1").click().run()
    assert not page.exception
    assert page.title[0].value == "Compare"
    assert page.query_params["runs"] in (",".join(run.id for run in runs), [",".join(run.id for run in runs)])


def test_a_person_s_text_cannot_become_markup(store: Store) -> None:
    row = rows(store)[0]
    assert "<script>" not in row_html(type(row)(**{**vars(row), "name": "<script>", "note": "<script>"}))
    assert answer(rows(store)).startswith("None of the published models")
