"""Every page on a store with every kind of damage: the rest is shown, and what is damaged is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from mnist_core.runs.store import Store
from tests.support.damaged_store import DAMAGED_COLOURS, HEALTHY, DamagedStore, build
from tests.support.jobs import FakeRunner
from tests.support.pages import PAGES

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> DamagedStore:
    return build(tmp_path_factory.mktemp("damaged") / "store")


@pytest.fixture
def store(damaged: DamagedStore) -> Store:
    """The store of `app`; the first page makes the damaged colours anew, which the next is to find damaged again."""
    (damaged.store.root / "colours.json").write_text(DAMAGED_COLOURS)
    return damaged.store


def shown(page: AppTest) -> str:
    return "\n".join(item.value for kind in ("markdown", "caption", "error", "warning") for item in page.get(kind))


def problems_of(page: AppTest) -> str:
    (found,) = [item for item in page.expander if "in the store could not be read" in item.label]
    return found.label + "\n" + "\n".join(item.value for item in found.markdown)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_rest_and_names_what_is_damaged(
    app: OpenPage, damaged: DamagedStore, runner: FakeRunner, name: str
) -> None:
    page = app(name, **{state.CHOSEN: ",".join(damaged.healthy)})
    assert not page.exception
    assert "more; " in shown(page)
    reasons = problems_of(page)
    assert any(run_id in reasons for run_id in damaged.unreadable)
    assert "folders and files" in reasons
    pickers = [item for item in page.multiselect if item.key == "run_picker"]
    if pickers:
        assert list(pickers[0].value)
        assert all(any(name in option for option in pickers[0].options) for name in HEALTHY)
    assert page.error == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_healthy_runs_beside_chosen_ones_with_damaged_predictions(
    app: OpenPage, damaged: DamagedStore, runner: FakeRunner, name: str
) -> None:
    bad = [damaged.unpredictable[f"predictions, {what}"] for what in ("NaN", "nine classes", "a zip bomb")]
    bad += [damaged.unpredictable["scores, deep"], damaged.harmless[0]]
    page = app(name, **{state.CHOSEN: ",".join([bad[0], damaged.healthy[0], *bad[1:], damaged.healthy[1]])})
    assert not page.exception
    of_chosen_runs = (
        "compare/page",
        "mistakes/page",
        "disagreements/page",
        "loss_or_accuracy",
        "production",
        "abstention",
    )
    if name in [f"views/{view}.py" for view in of_chosen_runs]:
        assert bad[0] in shown(page).replace("\\", "")
        assert HEALTHY[0] in shown(page) or HEALTHY[1] in shown(page) or page.metric
