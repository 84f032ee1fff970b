"""The Exams page: sixteen exams with decisions, the severities of one corruption, and what stands in their way."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard import resources
from mnist_core.comparison.exams import Result, exam_names, verdicts
from mnist_core.comparison.words.exams import corrected_words, count_words, robust_words
from mnist_core.data.kept_digits import keep
from mnist_core.errors import DatasetError, DatasetMissing
from mnist_core.evaluation.corruptions import CORRUPTIONS
from mnist_core.runs.store import Store
from tests.support.pages import click, text_of, unfold, words
from tests.support.resources import share
from tests.support.seed import trained
from tests.support.synthetic import config

PAGE = "views/exams/page.py"


@pytest.fixture(scope="module")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a run that has hardly learned anything and one that has learned something."""
    store = Store(tmp_path_factory.mktemp("trained") / "artifacts")
    trained(store, config((4,), epochs=1).replace(training__batch_size=512), "weak")
    trained(store, config((32,), epochs=8).replace(training__batch_size=32), "strong")
    return store


@pytest.fixture
def store(weights_of: Store, tmp_path: Path) -> Store:
    """A copy of that store."""
    shutil.copytree(weights_of.root, tmp_path / "artifacts")
    return Store(tmp_path / "artifacts")


@pytest.fixture
def both(store: Store) -> str:
    return ",".join(store.find(name).id for name in ("weak", "strong"))


def table(page: Any) -> Any:
    return next(item.value for item in page.dataframe if "exam" in item.value.columns)


def test_an_empty_store_offers_to_train(app, store: Store) -> None:
    for run in store.runs():
        store.delete(run.id)
    page = app(PAGE)
    assert not page.exception
    assert "No runs yet" in words(page)


def test_sixteen_exams_are_sat_and_decided(app, store: Store, both: str) -> None:
    page = app(PAGE, runs=both)
    assert not page.exception
    frame = table(page)
    assert frame["exam"].tolist() == ["Test images as they are", *(item.label for item in CORRUPTIONS.values())]
    scores = store.find("strong").test_scores()
    assert scores is not None
    assert frame["strong in %"][0] == pytest.approx(100 * scores.accuracy)
    assert frame.columns[:3].tolist() == ["exam", "strong against weak", "severity"]  # what a phone has room for
    assert frame["severity"].tolist() == [0, *(item.published for item in CORRUPTIONS.values())]
    assert frame["strong against weak"][0] == "better"
    assert re.fullmatch(r"\+\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]", frame["strong minus weak, in points"][0])
    assert "strong against weak, on 16 exams: better on" in text_of(page)
    assert "All 16 comparisons are decided together" in text_of(page)
    never_worse = "worse" not in set(frame["strong against weak"])  # which this machine's arithmetic decides
    assert ("strong is the most robust of these: better on some exams" in text_of(page)) == never_worse


def test_the_other_run_can_be_the_baseline(app, store: Store, both: str) -> None:
    frame = table(app(PAGE, runs=both, baseline=store.find("strong").id))
    assert frame["weak against strong"][0] == "worse"


def test_one_run_alone_is_not_compared(app, store: Store) -> None:
    page = app(PAGE, runs=store.find("strong").id)
    assert not page.exception
    assert table(page).columns.tolist() == ["exam", "severity", "strong in %"]
    assert "against" not in text_of(page)


def test_the_corruption_in_the_link_is_the_one_that_is_shown(app, both: str) -> None:
    page = unfold(app(PAGE, runs=both, exam="rotate"))
    assert page.selectbox("exam").value == "rotate"
    frame = next(item.value for item in page.dataframe if "severity" in item.value.columns)
    assert sorted(set(frame["severity"])) == [0, 1, 2, 3, 4, 5]
    assert page.selectbox("exam").set_value("fog").run().query_params["exam"] == "fog"
    assert not app(PAGE, runs=both, exam="snow").exception


def test_a_run_without_weights_says_so(app, store: Store) -> None:
    run = store.find("weak")
    assert run.model_file is not None
    run.model_file.unlink()
    page = app(PAGE, runs=run.id)
    assert not page.exception
    assert "weak cannot answer: its weights were not kept" in text_of(page)
    assert "No run to examine" in words(page)


def result(wrong: int) -> Result:
    """A result on 1,000 images, of which the first so many are wrong."""
    return Result(np.arange(1000) >= wrong)


def test_sentences_count_the_decisions() -> None:
    names = exam_names()
    items = verdicts(
        {name: result(100) for name in names},
        {name: result(50 if place < 3 else 200 if place < 5 else 100) for place, name in enumerate(names)},
        margin=0.002,
    )
    assert count_words(items, "b", "a") == (
        "b against a, on 16 exams: better on 3, worse on 2, too close to call on 11."
    )
    assert "in 5 of 100 such tables" in corrected_words(16)
    assert robust_words("x", {"x": "b", "y": "c"}) == (
        "b is the most robust of these: better on some exams, and shown to be worse on none."
    )
    assert robust_words(None, {}) == (
        "None of these is the most robust: that is a run better on some exams, and shown to be worse on none."
    )


def test_without_mnist_one_press_continues_with_the_runs_of_the_digits_that_ship(
    app, store: Store, shipped_models: dict[str, str], without_mnist: None
) -> None:
    page = app(PAGE, runs=f"{shipped_models['model_1']},{shipped_models['model_2']}")
    assert not page.exception
    assert "MNIST is not on this machine" in text_of(page)
    assert [link.proto.page for link in page.get("page_link")] == ["data"]
    page = click(page, "Continue with model_1 and model_2 on digits")
    assert page.query_params["runs"] == f"{shipped_models['small_1']},{shipped_models['small_2']}"
    assert len(table(page)) == 16
    assert "is not on this machine" not in text_of(page)


def test_what_damaged_images_lack_is_not_on_the_data_page(
    app, store: Store, both: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(run: Any) -> None:
        raise DatasetError("fashion.npz is damaged")

    share(monkeypatch, "own_dataset", damaged)
    page = app(PAGE, runs=both)
    assert "Fashion.npz is damaged" in text_of(page)
    assert not page.get("page_link")


def other(page: Any) -> Any:
    return next(item.value for item in page.dataframe if "right" in item.value.columns)


def test_another_data_set_is_an_exam_of_its_own(app, store: Store, both: str, tmp_path: Path) -> None:
    data = store.catalog.load("digits")
    shifted = np.roll(data.x_test, 3, axis=2)
    file = tmp_path / "shifted.npz"
    np.savez(file, x_train=data.x_train, y_train=data.y_train, x_test=shifted, y_test=data.y_test)
    found = store.catalog.register("shifted", file)
    page = app(PAGE, runs=both, digits="shifted")
    assert not page.exception
    network = resources.network(store.find("strong"))
    assert network is not None
    right = int((network.logits(shifted).argmax(axis=1) == data.y_test).sum())
    assert other(page)["right"].tolist()[1] == f"{right:,} of {len(shifted):,}"
    assert "strong is better than weak by" in text_of(page)
    assert found.fingerprint in text_of(page)


def test_a_data_set_that_cannot_be_read_is_an_error_in_words(app, store: Store, both: str, tmp_path: Path) -> None:
    data = store.catalog.load("digits")
    file = tmp_path / "gone.npz"
    np.savez(file, x_train=data.x_train, y_train=data.y_train, x_test=data.x_test, y_test=data.y_test)
    store.catalog.register("gone", file)
    page = app(PAGE, runs=both, digits="gone")
    assert "the very images that the runs were trained and tested on" in text_of(page)
    file.write_bytes(b"rubbish")
    page = app(PAGE, runs=both, digits="gone")
    assert not page.exception
    assert page.error


def test_digits_that_people_drew_are_an_exam(app, store: Store, both: str) -> None:
    data = store.catalog.load("digits")
    assert "digits drawn here" not in app(PAGE, runs=both).selectbox("digits").options
    for place in range(12):
        keep(store.root / "drawings", data.x_test[place], int(data.y_test[place]))
    page = app(PAGE, runs=both, digits="drawn here")
    assert not page.exception
    assert [text.endswith(" of 12") for text in other(page)["right"]] == [True, True]


def test_without_the_runs_own_images_digits_of_other_origin_still_are_an_exam(
    app, store: Store, both: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(run: Any) -> None:
        raise DatasetMissing("MNIST is not on this machine")

    data = store.catalog.load("digits")
    for place in range(12):
        keep(store.root / "drawings", data.x_test[place], int(data.y_test[place]))
    share(monkeypatch, "own_dataset", gone)
    page = app(PAGE, runs=both, digits="drawn here")
    assert not page.exception
    assert "MNIST is not on this machine" in text_of(page)
    assert len(other(page)) == 2
