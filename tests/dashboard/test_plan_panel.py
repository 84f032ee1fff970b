"""On Compare, an undecided answer has a plan, and its button trains exactly that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.pages import click, text_of
from tests.support.synthetic import MakeRun, config, wrong_on

OpenPage = Callable[..., AppTest]


def close_runs(make_run: MakeRun, fingerprint: str) -> list[Run]:
    """Put three seeds of each of two recipes without a preset into the store, too close to call."""
    return [
        make_run(
            f"net {units}, seed {seed}", config((units,), seed=seed), fingerprint=fingerprint,
            predictions=wrong_on(range(first, 40 + 9 * seed)),
        )
        for units, first in ((16, 0), (17, 8))
        for seed in range(3)
    ]  # fmt: skip


@pytest.fixture
def close(make_run: MakeRun, store: Store) -> list[Run]:
    """Runs on the digits that are here."""
    return close_runs(make_run, store.catalog.fingerprint("digits"))


def link(runs: list[Run]) -> str:
    return ",".join(run.id for run in runs)


def test_the_button_queues_the_planned_seeds_of_both_recipes_and_the_page_follows_them(
    app: OpenPage, runner: FakeRunner, close: list[Run], store: Store
) -> None:
    page = app(runs=link([close[0], close[3]]), margin="1")
    assert not page.exception
    assert "What would settle it?" in text_of(page)
    (label,) = [button.label for button in page.button if button.label.startswith("Train ")]
    more = int(label.split()[1])
    assert f"{more} more seed" in text_of(page)
    click(page, label)
    new = [run for run in store.runs() if run.id not in {old.id for old in close}]
    assert sorted((run.name, run.config.training.seed) for run in new) == sorted(
        (f"net {units}, seed {seed}", seed) for units in (16, 17) for seed in range(3, 3 + more)
    )
    assert set(runner.submitted) == {run.id for run in new}
    # all seeds of both are chosen, so that the page shows them and their answer
    chosen = page.query_params["runs"]
    assert set((chosen if isinstance(chosen, str) else chosen[0]).split(",")) == {run.id for run in [*close, *new]}
    assert f"{2 * more} seeds of" in text_of(page)
    assert not [button for button in page.button if button.label.startswith("Train ")]


def test_on_data_that_are_no_longer_here_nothing_is_trained(
    app: OpenPage, runner: FakeRunner, make_run: MakeRun, store: Store
) -> None:
    runs = close_runs(make_run, "6" * 16)
    page = app(runs=link([runs[0], runs[3]]), margin="1")
    click(page, next(button.label for button in page.button if button.label.startswith("Train ")))
    assert "more seeds could not be compared with it; train it again first" in text_of(page)
    assert len(store.runs()) == len(runs)


def test_where_no_number_of_seeds_would_do_there_is_no_button(app: OpenPage, close: list[Run]) -> None:
    page = app(runs=link([close[0], close[3]]), margin="0.01")
    assert not page.exception
    assert "No number of seeds of" in text_of(page)
    assert not [button for button in page.button if button.label.startswith("Train ")]


def test_a_decided_comparison_has_no_plan(app: OpenPage, make_run: MakeRun) -> None:
    first = make_run("good", config((16,)), errors=10)
    second = make_run("bad", config((17,)), errors=90)
    page = app(runs=link([first, second]))
    assert not page.exception
    assert "What would settle it?" not in text_of(page)
