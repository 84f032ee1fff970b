"""The page Add your own: the lines to copy are true, and an upload is taken as the command takes it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import mnist_core as mc
from dashboard import state
from mnist_core.recording.exporting import as_bytes
from mnist_core.recording.record import record
from mnist_core.recording.run_archive import pack
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.outside import labels_of, probabilities
from tests.support.pages import click, text_of

PAGE = "views/add.py"
ROOT = Path(__file__).parents[2]
OpenPage = Callable[..., AppTest]


@pytest.fixture
def page(app: OpenPage, runner: FakeRunner) -> AppTest:
    return app(PAGE)


def upload(page: AppTest, name: str, content: bytes, dataset: str = "") -> AppTest:
    """Choose a file and press Add."""
    page.file_uploader(key="add_file").set_value((name, content, "application/octet-stream"))
    page.text_input(key="add_dataset").set_value(dataset)
    return click(page, "Add")


def test_the_lines_to_copy_call_what_there_is(page: AppTest) -> None:
    assert not page.exception
    shown = [code.value for code in page.code if code.language == "python"]
    calls = [node for text in shown for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    ours = [call for call in calls if ast.unparse(call.func).startswith("mc.")]
    assert {ast.unparse(call.func) for call in ours} == {"mc.RunLogger", "mc.record", "mc.compare"}
    for call in ours:
        function = getattr(mc, ast.unparse(call.func).removeprefix("mc."))
        inspect.signature(function).bind(*call.args, **{str(word.arg): word.value for word in call.keywords})
    assert all(len(text.strip().splitlines()) == 3 for text in shown)


def test_uploaded_predictions_become_a_run(page: AppTest, store: Store, tmp_path: Path) -> None:
    labels = labels_of(10)
    theirs = record(
        "theirs", dataset="own", labels=labels, probabilities=probabilities(labels, 10), store=Store(tmp_path)
    )
    page = upload(page, "../strange/name.csv", as_bytes(theirs, ".csv"), "own")
    assert not page.error
    (run,) = store.runs()
    assert run.dataset == "own"
    assert run.id in text_of(page)
    assert "is in the store now" in text_of(page)


def test_an_upload_with_several_runs_brings_each_under_its_own_name(page: AppTest, store: Store) -> None:
    table = "step,train/loss,series_key,run\n0,1.0,1,net\n0,0.9,2,\n1,0.5,1,net\n1,0.4,2,\n"
    page = upload(page, "train_loss.csv", table.encode(), "")
    assert not page.error
    assert sorted(run.name for run in store.runs()) == ["net", "train_loss"]


def test_an_uploaded_run_is_offered_for_comparison_with_one_on_the_same_images(
    page: AppTest, store: Store, tmp_path: Path
) -> None:
    labels = labels_of(10)
    made = {"dataset": "own", "labels": labels}
    other = record("other data", dataset="mine", labels=labels_of(3), predicted=labels_of(3), store=store)
    here = record("here", probabilities=probabilities(labels, 10, 30), store=store, **made)
    theirs = record("theirs", probabilities=probabilities(labels, 10), store=Store(tmp_path), **made)
    page = upload(page, "theirs.csv", as_bytes(theirs, ".csv"), "own")
    (new,) = {run.id for run in store.runs()} - {here.id, other.id}
    link = next(element.proto for element in page.get("page_link") if element.proto.label == "See it on Compare")
    assert link.query_string == f"{state.CHOSEN}={here.id}%2C{new}"


def test_as_many_added_runs_are_opened_on_compare_as_it_takes(page: AppTest, store: Store) -> None:
    rows = "".join(f"{step},{1 / (step + 1)},run {run}\n" for run in range(9) for step in range(2))
    page = upload(page, "many.csv", f"step,train/loss,run\n{rows}".encode(), "")
    link = next(element.proto for element in page.get("page_link") if element.proto.label == "See it on Compare")
    assert len(link.query_string.split("%2C")) == len(store.runs()) == 9


def test_an_uploaded_archive_brings_its_runs(page: AppTest, store: Store, tmp_path: Path) -> None:
    labels = labels_of(10)
    theirs = record("theirs", dataset="own", labels=labels, predicted=labels, store=Store(tmp_path / "theirs"))
    pack([theirs], tmp_path / "x.zip")
    page = upload(page, "x.zip", (tmp_path / "x.zip").read_bytes())
    assert [run.id for run in store.runs()] == [theirs.id]


@pytest.mark.parametrize("name", ["x.npz", "x.csv", "x.keras", "x.zip", "x.json"])
def test_a_damaged_upload_is_refused_in_a_sentence(page: AppTest, store: Store, name: str) -> None:
    page = upload(page, name, b"nothing that is read", "digits")
    assert len(page.error) == 1
    assert "upload." not in page.error[0].value.lower()
    assert "Traceback" not in text_of(page)
    assert store.runs() == []


def test_the_limit_of_an_upload_is_that_of_the_server(page: AppTest) -> None:
    assert "maxUploadSize = 64" in (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    assert page.file_uploader(key="add_file").label == "File, up to 64 MB"


def test_a_store_that_may_only_be_read_takes_nothing(app: OpenPage, runner: FakeRunner, monkeypatch) -> None:
    monkeypatch.setattr(Store, "writable", property(lambda self: False))
    page = app(PAGE)
    assert not page.exception
    assert list(page.file_uploader) == []
