"""The page Published: every row, its verdict, and where its button leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboard.views.published.published_rows import errors_html, row_html
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
        assert f'<span class="name">{name}</span>' in html
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
    config = PRESETS["coursera/first"].config
    runs = [
        make_run(
            f"first, {seed}", config.replace(training__seed=seed), fingerprint=MNIST_FINGERPRINT,
            predictions=guesses(errors, images=10_000),
        )
        for seed, errors in enumerate((350, 360))
    ]  # fmt: skip
    page = app(PAGE)
    assert not page.exception
    assert "Of 1 published result that rests on assumed settings, 1 reproduces." in texts(page)
    assert "96.45 ± 0.07 %" in bodies(page)
    assert 'data-what="published">96.40 %' in bodies(page)
    assert "test accuracy agrees" in bodies(page)
    page.button(key="published_coursera/first").click().run()
    assert not page.exception
    assert page.title[0].value == "Compare"
    assert page.query_params["runs"] in (",".join(run.id for run in runs), [",".join(run.id for run in runs)])


def test_the_chart_is_there_once_something_is_measured(
    app: OpenPage, store: Store, make_run: Callable[..., Run]
) -> None:
    assert not charts(app(PAGE))
    make_run(
        "first", PRESETS["coursera/first"].config, fingerprint=MNIST_FINGERPRINT,
        predictions=guesses(350, images=10_000),
    )  # fmt: skip
    page = app(PAGE)
    assert not page.exception
    (chart,) = charts(page)
    assert "coursera/first" in chart.proto.spec or "coursera/first" in str(chart.proto)


def charts(page: AppTest) -> list[Any]:
    return list(page.get("arrow_vega_lite_chart") or page.get("vega_lite_chart"))


def test_a_person_s_text_cannot_become_markup(store: Store) -> None:
    row = replace(
        rows(store)[0], name="<script>", note="<script>", chosen_to_match="<script>", assumptions=("<script>",)
    )
    row = replace(row, published=replace(row.published, errors=("<script>",)))
    assert "<script>" not in row_html(row)
    assert "<script>" not in errors_html([row])
