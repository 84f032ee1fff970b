"""The Lessons page: every shipped lesson to its end, a training, the user's own lessons, and what stands in the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.lessons.subjects import SOURCES
from mnist_core.lessons.lesson import Page
from mnist_core.lessons.quantities import QUANTITIES, value
from mnist_core.lessons.reading import SHIPPED, all_lessons
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.lessons import subjects
from tests.support.pages import MENU, click, text_of
from tests.support.synthetic import MakeRun

PAGE = "views/lessons/page.py"
OpenPage = Callable[..., AppTest]
LESSONS = all_lessons(Path("nowhere")).lessons
SHIPPED_RUNS = {
    subject.run.id: subject.run for filed in LESSONS for subject in subjects(filed.path).values() if subject.run
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with the shipped runs that the lessons use."""
    for run in SHIPPED_RUNS.values():
        (tmp_path / "artifacts" / "reference").mkdir(parents=True, exist_ok=True)
        (tmp_path / "artifacts" / "reference" / run.id).symlink_to(run.path)
    return Store(tmp_path / "artifacts")


def given(page: AppTest, name: str):
    """Return the widget of the prediction."""
    key = f"lesson:{name}:given"
    return next(item for item in [*page.radio, *page.number_input] if item.key == key)


def predict(page: AppTest, name: str, prediction: float | str) -> AppTest:
    given(page, name).set_value(prediction).run()
    button = page.button("lesson_predict")
    assert not button.disabled
    button.click().run()
    assert not page.exception
    return page


def test_the_list_has_every_lesson_in_order(app: OpenPage) -> None:
    page = app(PAGE)
    assert not page.exception
    text = text_of(page)
    places = [text.index(filed.lesson.title) for filed in LESSONS]
    assert places == sorted(places)
    page = click(page, "Begin")
    assert page.title[0].value == "What is a parameter?"
    assert page.query_params["lesson"] == "parameters"


def test_a_prediction_is_a_number_that_can_be(app: OpenPage) -> None:
    fields = {}
    for filed in LESSONS:
        if filed.lesson.kind != "choice":
            field, quantity = given(app(PAGE, lesson=filed.name), filed.name), filed.lesson.wanted.quantity
            fields[quantity.unit] = field
            if quantity.unit == "epoch":
                wanted = [subjects(filed.path)[name] for name in filed.lesson.wanted.runs]
                assert (field.min, field.max) == (1, max(subject.epochs or 0 for subject in wanted))
    assert {"epoch", "%"} <= fields.keys()
    assert (fields["%"].min, fields["%"].max) == (0, 100)
    assert QUANTITIES["rise of the validation loss"].most([]) is None, "a loss may more than double"
    assert QUANTITIES["difference"].least is None


@pytest.mark.parametrize("filed", [filed for filed in LESSONS if filed.name != "dropout"], ids=lambda filed: filed.name)
def test_every_lesson_asks_first_and_then_shows_the_numbers_of_the_runs(app: OpenPage, filed) -> None:
    found = subjects(filed.path)
    answer = value(filed.lesson.wanted, found, SOURCES)
    page = app(PAGE, lesson=filed.name)
    assert not page.exception
    assert page.button("lesson_predict").disabled
    before = text_of(page)
    assert answer.text not in before.replace(answer.code or "-", "") or filed.lesson.kind == "choice"
    page = predict(page, filed.name, answer.code or answer.number or 0.0)
    after = text_of(page)
    assert "Your prediction is right" in after
    if filed.lesson.kind != "choice":
        assert f"it is {answer.text}." in after
    assert "Go on" in after
    assert len(page.get("vega_lite_chart")) == len(filed.lesson.answer.pictures)
    page = click(page, "Predict again")
    assert page.button("lesson_predict").disabled
    assert "Your prediction" not in text_of(page)


def test_a_wrong_prediction_is_kept_next_to_the_answer(app: OpenPage) -> None:
    page = predict(app(PAGE, lesson="parameters"), "parameters", 1000)
    assert "You predicted 1,000; it is 55,050." in text_of(page)
    page = click(page, "All lessons")
    assert "lesson" not in page.query_params
    page = click(page, "Look again")
    assert "You predicted 1,000; it is 55,050." in text_of(page)
    page = click(page, "Next lesson: Does dropout help?")
    assert page.title[0].value == "Does dropout help?"


def test_the_question_about_an_epoch_does_not_give_the_epoch_away(app: OpenPage) -> None:
    page = app(PAGE, lesson="overfitting")
    (chart,) = page.get("vega_lite_chart")
    assert "13" not in chart.proto.alt
    assert not page.dataframe


def test_a_missing_run_is_trained_after_the_prediction(app: OpenPage, runner: FakeRunner, store: Store) -> None:
    page = app(PAGE, lesson="dropout")
    assert "without_dropout is trained then" in text_of(page)
    assert runner.submitted == []
    page = predict(page, "dropout", "undecided")
    (run_id,) = runner.submitted
    run = store.get(run_id)
    assert run.name == "Does dropout help? without_dropout"
    assert {layer.dropout for layer in run.config.model.layers} == {0.0}
    assert run.dataset == "digits"
    assert "Your prediction" not in text_of(page)
    # as a worker would train it
    shutil.copytree(store.get(subject(store).id).path, run.path, dirs_exist_ok=True, ignore=_identity)
    page = page.run()
    assert not page.exception
    assert "Your prediction is right: “It cannot be told from so few digits”." in text_of(page)


def _identity(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("config.json", "meta.json")]


def subject(store: Store):
    found = subjects(SHIPPED / "2-dropout.toml")["with_dropout"].run
    assert found is not None
    return found


def test_a_training_that_cannot_begin_says_why(app: OpenPage, runner: FakeRunner) -> None:
    runner.problem = "the job service does not answer; start it again"
    page = predict(app(PAGE, lesson="dropout"), "dropout", "better")
    assert "The job service does not answer; start it again." in text_of(page)


def test_own_lessons_are_read_and_a_bad_one_is_named_by_its_line(
    app: OpenPage, store: Store, make_run: MakeRun
) -> None:
    make_run("my run")
    folder = store.root / "lessons"
    folder.mkdir()
    (folder / "bad.toml").write_text('title = "Bad"\nintro = "x"\nruns = 3\n')
    (folder / "mine.toml").write_text(
        'title = "*Mine*"\nintro = "How good?"\n[runs.it]\nname = "my run"\n'
        '[question]\ntext = "How many errors?"\nanswer = "errors of it"\n'
        '[answer]\ntext = "{errors of it} of {test images of it}"\n[next]\npage = "Compare"\ntext = "Compare"\n'
    )
    page = app(PAGE)
    assert "bad.toml, line 3: " in text_of(page)
    assert "Mine" in text_of(page)
    page = predict(app(PAGE, lesson="mine"), "mine", 20)
    assert "Your prediction is right: it is 20." in text_of(page)


def test_an_own_lesson_of_a_run_that_is_not_here_says_so(app: OpenPage, store: Store) -> None:
    (store.root / "lessons").mkdir()
    (store.root / "lessons" / "mine.toml").write_text(
        'title = "Mine"\nintro = "x"\n[runs.it]\nname = "gone"\n[question]\ntext = "?"\nanswer = "errors of it"\n'
        '[answer]\ntext = "x"\n[next]\npage = "Draw"\ntext = "x"\n'
    )
    page = predict(app(PAGE, lesson="mine"), "mine", 20)
    assert "There is no run called gone in this store" in text_of(page)


def test_every_page_that_a_lesson_can_lead_to_is_in_the_menu_under_that_name() -> None:
    from typing import get_args

    from dashboard.views.lessons.files import FILES

    assert set(FILES) == set(get_args(Page))
    menu = {page.title: page.file for page in MENU}
    assert {title: menu.get(title) for title in FILES} == FILES


def test_all_runs_of_the_lessons_ship_but_the_one_that_is_trained_in_the_lesson() -> None:
    missing = [(filed.name, name) for filed in LESSONS for name, found in subjects(filed.path).items() if not found.run]
    assert missing == [("dropout", "without_dropout")]
