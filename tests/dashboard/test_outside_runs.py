"""Every page opens on runs from outside, of 2, 26 and 100 classes, and says what they lack."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.views.runs import table
from mnist_core.cli.parser import main
from mnist_core.notebook import compare
from mnist_core.plots.labels import short_labels
from mnist_core.recording.record import record
from mnist_core.recording.run_archive import pack, unpack
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.outside import HISTORY, HUNDRED, LETTERS, labels_of, recorded
from tests.support.pages import PAGES, gallery_items, page_file, text_of, unfold
from tests.support.synthetic import MakeRun

OpenPage = Callable[..., AppTest]
SHIPPED = Path(__file__).parents[2] / "artifacts"
NAMES = {2: ("benign", "malignant"), 26: LETTERS, 100: HUNDRED}


def two_of(store: Store, classes: int) -> list[Run]:
    """Record two runs on the same data: one with all that can be given, one with its predictions alone."""
    whole = recorded(store, "whole", NAMES[classes], history=HISTORY, parameters=1234)
    return [whole, recorded(store, "bare", NAMES[classes], errors=30)]


def link(runs: list[Run]) -> str:
    return ",".join(run.id for run in runs)


def text(page: AppTest) -> str:
    return text_of(page)


@pytest.mark.parametrize("classes", NAMES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens(app: OpenPage, store: Store, runner: FakeRunner, name: str, classes: int) -> None:
    page = app(name, **{state.CHOSEN: link(two_of(store, classes))})
    assert not page.exception
    assert page.error == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_on_a_trained_run_and_runs_from_outside_together(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun, name: str
) -> None:
    hard = recorded(store, "hard", NAMES[26], predicted=labels_of(26))
    curves = record("curves", history=HISTORY, store=store)
    page = app(name, **{state.CHOSEN: link([make_run("trained"), *two_of(store, 26), hard, curves])})
    assert not page.exception
    assert page.error == []


def test_a_network_of_pytorch_a_forest_and_model_1_stand_in_one_comparison_one_gallery_and_one_report(
    app: OpenPage, store: Store, runner: FakeRunner, tmp_path: Path
) -> None:
    """Three ways in: a softmax of float32 logits, a forest's probabilities, and a run that ships, as an archive."""
    digits = store.catalog.load("digits")
    shipped = next(run for run in Store(SHIPPED).runs() if (run.name, run.dataset) == ("notebook/model_1", "digits"))
    pack([shipped], tmp_path / "model_1.zip")
    (arrived,) = unpack(tmp_path / "model_1.zip", store)
    flat, test = ((x / 255).reshape(len(x), -1).astype(np.float32) for x in (digits.x_train, digits.x_test))
    centres = np.stack([flat[digits.y_train == number].mean(axis=0) for number in range(10)])
    logits = (test @ centres.T - (centres**2).sum(axis=1) / 2).astype(np.float32)
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax /= softmax.sum(axis=1, keepdims=True)
    forest = RandomForestClassifier(20, random_state=0).fit(flat, digits.y_train)
    runs = [
        record("net", probabilities=softmax, images=test, framework="PyTorch 2", store=store),
        record("forest", probabilities=forest.predict_proba(test), dataset="digits", store=store),
        arrived.run,
    ]
    names = list(short_labels(runs).values())
    found = compare(*runs, store=store)
    assert [item.run for item in found.comparison.verdicts] == [run.id for run in runs[1:]]
    assert not found.comparison.refusals
    out = tmp_path / "report.html"
    assert main(["report", *(run.id for run in runs), "--out", str(out), "--store", str(store.root)]) == 0
    written = out.read_text(encoding="utf-8")
    assert [name for name in names if f"{name} right" not in written] == []
    page = app("views/disagreements/page.py", **{state.CHOSEN: link(runs), "view": "all"})
    assert not page.exception
    assert page.error == []
    shown = text(page)
    assert [name for name in names if name not in shown] == []
    items = gallery_items(page)
    assert items, "the digits on which the three disagree are shown with their pictures"


@pytest.mark.parametrize("view", ["groups", "matrices", "all"])
def test_disagreements_of_runs_from_outside_have_the_names_of_the_classes(
    app: OpenPage, store: Store, runner: FakeRunner, view: str
) -> None:
    runs = [*two_of(store, 26), recorded(store, "hard", NAMES[26], predicted=labels_of(26))]
    page = app(page_file("disagreements"), **{state.CHOSEN: link(runs), "view": view})
    assert not page.exception
    assert "No pictures" in text(page)
    if view == "matrices":
        (box,) = [item for item in page.selectbox if item.label == "True digit"]
        assert box.options == ["any", *LETTERS]


def test_mistakes_of_a_run_from_outside_have_the_names_of_the_classes_and_no_pictures(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    page = app(page_file("mistakes"), **{state.CHOSEN: link(two_of(store, 2)[:1]), "true": "0", "digit": "3"})
    assert not page.exception
    assert "No pictures" in text(page)
    assert "a true benign" in text(page)
    assert "True class: <b>malignant</b>" in text(page)


def test_a_run_with_its_guesses_only_shows_no_confidence(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    hard = recorded(store, "hard", NAMES[2], predicted=1 - labels_of(2))
    page = app(page_file("mistakes"), **{state.CHOSEN: hard.id, "digit": "3"})
    assert not page.exception
    assert "guesses <b>benign</b> (wrong)" in text(page)
    assert "100.0 %" not in text(page).split("guesses <b>benign")[1][:40]
    assert "needs probabilities" in text(page)
    page = app(page_file("loss_or_accuracy"), **{state.CHOSEN: hard.id})
    assert "its confidence is not known" in text(page)
    page = app(page_file("abstention"), **{state.CHOSEN: hard.id})
    assert not page.exception
    assert "its confidence is unknown" in text(page)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ("compare", "was recorded from outside: no configuration, so where its parameters are is not drawn"),
        ("models", "recorded from outside: no configuration: its layers are not known"),
        ("loss_or_accuracy", "no history of the loss of right and wrong images"),
        ("production", "how many parameters they have was not recorded: bare"),
    ],
)
def test_a_page_says_what_a_run_from_outside_lacks(
    app: OpenPage, store: Store, runner: FakeRunner, view: str, says: str
) -> None:
    page = app(page_file(view), **{state.CHOSEN: link(two_of(store, 2))})
    assert not page.exception
    assert says.lower() in text(unfold(page)).lower()


WITH_PICKER = (
    "compare", "mistakes", "disagreements", "draw", "exams", "loss_or_accuracy", "production", "abstention", "models"
)  # fmt: skip


@pytest.mark.parametrize("view", WITH_PICKER)
def test_no_page_leaves_a_chosen_run_from_outside_out_without_a_word(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun, view: str
) -> None:
    hard = recorded(store, "hard", NAMES[26], predicted=labels_of(26))
    curves = record("curves", history=HISTORY, store=store)
    page = app(page_file(view), **{state.CHOSEN: link([make_run("trained"), *two_of(store, 26), hard, curves])})
    shown = re.sub(r"<style>.*?</style>", "", text(unfold(page)), flags=re.DOTALL)
    shown += " ".join(option for box in page.radio for option in box.options)  # where one run is looked at at a time
    assert [name for name in ("whole", "bare", "hard", "curves") if not re.search(rf"\b{name}\b", shown)] == []


@pytest.mark.parametrize("view", ["draw", "exams", "mistakes"])
def test_a_run_without_its_network_is_not_to_be_trained_again_where_it_was_recorded_from_outside(
    app: OpenPage, store: Store, runner: FakeRunner, view: str
) -> None:
    page = app(page_file(view), **{state.CHOSEN: link(two_of(store, 2)[1:])})
    assert "it was recorded from outside, without its network" in text(page)
    assert "train it again" not in text(page)


def test_a_run_from_outside_without_a_history_is_not_said_to_wait_for_its_first_epoch(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    curves = record("curves", history=HISTORY, store=store)
    page = app(page_file("compare"), **{state.CHOSEN: link(two_of(store, 2)[1:])})
    assert "It was recorded without a history of its epochs." in text(page)
    assert "No epoch is finished yet" not in text(page)
    page = app(page_file("compare"), **{state.CHOSEN: curves.id})
    assert "Nothing can be compared on test images: curves has no stored predictions." in text(page)
    assert "No epoch is finished yet" not in text(page)


def test_the_train_form_does_not_start_from_a_run_from_outside(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    run = two_of(store, 2)[0]
    page = app(page_file("train"), run=run.id)
    assert not page.exception
    assert all("whole" not in option for box in page.selectbox for option in box.options)


def test_the_drawer_of_a_run_from_outside_says_what_it_lacks(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    run = two_of(store, 2)[0]
    page = app(page_file("runs"), **{table.OPEN: run.id})
    assert not page.exception
    assert page.error == []
    assert "It was recorded from outside: no configuration" in text(page)
    assert "No pictures" in text(page)


def test_a_training_elsewhere_is_shown_as_it_goes_and_its_process_is_never_ended(
    app: OpenPage, store: Store, runner: FakeRunner
) -> None:
    whole = two_of(store, 2)[0]
    assert whole.recorded is not None
    going = whole.recorded.model_copy(update={"content": "a" * 64, "source": "keras", "epochs": 5})
    run, _ = store.add_recorded(going, name="going", fingerprint=whole.status.fingerprint)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started(whole.rows()[:2])
    page = app(page_file("train"), **{state.CHOSEN: run.id})
    assert not page.exception
    assert page.error == []
    assert "going" in text(page)
    (button,) = [item for item in page.button if item.key == f"live_cancel_{run.id}"]
    button.click().run()
    assert not page.exception
    assert writer.cancel_requested
    assert not [item for item in page.button if item.key == f"live_kill_{run.id}"]
    writer.release()
