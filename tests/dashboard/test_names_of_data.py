"""People read MNIST on every page; links, ids and conditions have mnist."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.runs.run import Run
from tests.support.pages import page_file, unfold, words
from tests.support.synthetic import MakeRun, config

OpenPage = Callable[..., AppTest]
SMALL = re.compile(r"(?<![\w/.=-])mnist(?![\w/.=-])")


@pytest.fixture
def runs(make_run: MakeRun) -> list[Run]:
    """A run on MNIST and one on digits."""
    on_mnist = config((16,), seed=1).replace(dataset__name="mnist")
    return [make_run("small", config((16,)), errors=30), make_run("large", on_mnist, errors=12)]


def shown(page: AppTest) -> str:
    """Return what a person reads on a page: its text, its tables, and the options of its widgets."""
    tables = [item.value.to_csv() for item in (*page.dataframe, *page.data_editor, *page.table)]
    options = [str(option) for item in (*page.selectbox, *page.multiselect) for option in item.options]
    buttons = [str(option) for item in page.button_group for option in item.options]
    code = [block.value for block in page.code]
    text = words(page)
    for block in code:
        text = text.replace(block, "")
    return "\n".join([text, *tables, *options, *buttons])


@pytest.mark.parametrize("name", ["compare", "runs", "train", "sweeps", "disagreements", "data", "loss_or_accuracy"])
def test_a_page_writes_mnist_as_people_do(app: OpenPage, runs: list[Run], name: str) -> None:
    page = unfold(app(page_file(name), runs=",".join(run.id for run in runs)))
    found = shown(page)
    assert not SMALL.findall(found), found
    assert "MNIST" in found


def test_everything_about_a_run_has_mnist_as_people_write_it_and_a_condition_as_it_is_stored(
    app: OpenPage, runs: list[Run]
) -> None:
    page = app(page_file("runs"), details=runs[1].id, where='data == "mnist"')
    found = shown(page)
    assert not SMALL.findall(found.replace('data == "mnist"', "")), found
    assert page.data_editor[0].value["dataset"].tolist() == ["MNIST"]
    page = app(page_file("runs"), q="MNIST")
    assert page.data_editor[0].value["name"].tolist() == ["large"]
