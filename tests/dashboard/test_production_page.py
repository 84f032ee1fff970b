"""The page "Which one for production?", run whole on synthetic stores, and its picture."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import vl_convert
from streamlit.testing.v1 import AppTest

from mnist_core.comparison.decide import decide_one
from mnist_core.comparison.production import Candidate, Ranked
from mnist_core.errors import JobError
from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.statistics import MeanDifference
from mnist_core.jobs import latency
from mnist_core.jobs.latency import BatchTime, Latency
from mnist_core.plots.production import pareto_chart, pareto_frame
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.text import for_markdown
from tests.support.pages import text_of
from tests.support.resources import share
from tests.support.synthetic import MakeRun, config

PAGE = "views/production.py"
OpenPage = Callable[..., AppTest]


class FakeRunner:
    """Takes note of whose time is asked for, and measures nothing."""

    def __init__(self, store: Store) -> None:
        self.store, self.evaluated, self.problem = store, [], ""

    def measure_latency(self, run_id: str) -> None:
        if self.problem:
            raise JobError(self.problem)
        latency.ask(self.store, self.store.get(run_id))
        self.evaluated.append(run_id)


@pytest.fixture
def runner(app: OpenPage, store: Store, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:

    fake = FakeRunner(store)
    share(monkeypatch, "runner", functools.cache(lambda: fake))
    return fake


def with_weights(run: Run) -> Run:
    (run.path / "model.keras").write_bytes(b"weights" * 1000)
    return run


def time_it(store: Store, run: Run, one: float, many: float, load: float = 0.1) -> None:
    assert run.model_file is not None
    times = [
        BatchTime(images=images, compiled_s=seconds, compiled_calls=300, predict_s=0.05, predict_calls=20)
        for images, seconds in ((1, one), (256, many))
    ]
    found = Latency(
        batches=tuple(times), model_stamp=run.model_file.stat().st_mtime_ns, measured_at=1e9, processor="a processor",
        threads=1, cores=2, load=load, tensorflow="2",
    )  # fmt: skip
    latency.latency_file(store, run).write_text(found.model_dump_json())


def test_an_empty_store_says_what_would_be_here(app: OpenPage) -> None:
    page = app(PAGE)
    assert not page.exception
    assert "No runs yet" in text_of(page)


def test_the_answer_the_reasons_and_the_picture(app: OpenPage, make_run: MakeRun) -> None:
    small = with_weights(make_run("model_1", config((64,)), errors=12))
    large = with_weights(make_run("model_2", config((400, 300)), errors=10))
    page = app(PAGE, runs=f"{small.id},{large.id}")
    assert not page.exception
    text = text_of(page)
    assert "## These 500 images can't tell which one to take.\n" in text, "the headline is one sentence"
    assert "None is shown to be at most 0.2 points worse than every other." in text
    assert "model_2</b>: the most right, 98.00 %" in text
    assert "The most accurate of these 2 models was found on the same test images" in text
    assert "not been measured on this machine yet" in text
    assert "one image, predict" not in text
    assert len(page.get("vega_lite_chart")) == 1


def test_the_margin_is_the_viewers_and_stays_in_the_link(app: OpenPage, make_run: MakeRun) -> None:
    small = with_weights(make_run("model_1", config((64,)), errors=12))
    large = with_weights(make_run("model_2", config((400, 300)), errors=10))
    page = app(PAGE, runs=f"{small.id},{large.id}")
    page.number_input(key="margin_box").set_value(5.0).run()
    assert not page.exception
    assert page.query_params["margin"] in ("5", ["5"])
    assert "Take model_1: at most 5 points worse than any other one here." in text_of(page)
    again = app(PAGE, runs=f"{small.id},{large.id}", margin="5")
    assert "Take model_1: at most 5 points worse" in text_of(again)
    for wrong in ("much", "-1", "nan"):
        assert "None is shown to be at most 0.2 points worse" in text_of(
            app(PAGE, runs=f"{small.id},{large.id}", margin=wrong)
        )


def test_times_that_were_measured_are_shown_and_others_are_not_invented(
    app: OpenPage, make_run: MakeRun, store: Store
) -> None:
    timed = with_weights(make_run("model_1", config((64,)), errors=12))
    other = with_weights(make_run("model_2", config((65,)), errors=10))
    time_it(store, timed, 0.000417, 0.0031)
    page = app(PAGE, runs=f"{timed.id},{other.id}")
    page.button_group(key="cost").set_value("one image").run()
    assert not page.exception
    text = text_of(page)
    assert "0.42 ms" in text
    assert "3.10 ms" in text
    assert "No time has been measured for model_2." in text
    assert "medians of 300 calls" in text
    assert "busy meanwhile" not in text
    time_it(store, timed, 0.000417, 0.0031, load=5.0)
    assert "Other programs kept the processors busy meanwhile" in text_of(page.run())


def test_the_button_asks_for_what_is_missing_and_the_page_waits(
    app: OpenPage, make_run: MakeRun, store: Store, runner: FakeRunner
) -> None:
    timed = with_weights(make_run("model_1", config((64,))))
    missing = with_weights(make_run("model_2", config((65,))))
    time_it(store, timed, 0.001, 0.01)
    page = app(PAGE, runs=f"{timed.id},{missing.id}")
    page.button(key="measure").click().run()
    assert not page.exception
    assert runner.evaluated == [missing.id]
    assert "Measuring in a worker: 1 to go" in text_of(page)
    assert not [button for button in page.button if button.key == "measure"]


def test_what_goes_wrong_is_said_in_words(app: OpenPage, make_run: MakeRun, store: Store, runner: FakeRunner) -> None:
    run = with_weights(make_run("model_1", config((64,))))
    runner.problem = "no scheduler answers at tcp://x; check that it runs there"
    page = app(PAGE, runs=run.id)
    page.button(key="measure").click().run()
    assert for_markdown("No scheduler answers at tcp://x") in text_of(page)
    latency.answer(store, run)  # these are no weights
    page.run()
    assert "model_1 could not be timed: " in text_of(page)


def test_runs_without_weights_or_results_or_on_other_images_are_sane(app: OpenPage, make_run: MakeRun) -> None:
    first = make_run("model_1", config((64,)))
    elsewhere = make_run("model_2", config((65,)), fingerprint="6" * 16)
    waiting = make_run("waiting", config((66,)), state="queued")
    page = app(PAGE, runs=f"{first.id},{elsewhere.id},{waiting.id}")
    assert not page.exception
    text = text_of(page)
    assert "Left out, as they were tested on other images: model_2." in text
    assert "model_1 has kept no weights, so there is no model to time." in text
    assert "model_1 is the only tested model here: 96.00 %" in text
    assert "Nothing to weigh yet" in text_of(app(PAGE, runs=waiting.id))


def ranked(name: str, wrong: int, parameters: int, behind: float, error: float) -> Ranked:
    interval = accuracy_interval(1000 - wrong, 1000)
    against = {} if not error else {"a": decide_one(MeanDifference(-behind, error, 900), margin=0.01)}
    return Ranked(Candidate(name, 1 - wrong / 1000, interval, parameters), not error, 1000, against)


def test_the_picture_marks_the_dominated_and_compiles() -> None:
    items = [ranked("a", 20, 400, 0, 0), ranked("b", 22, 50, 0.002, 0.003), ranked("c", 40, 100, 0.02, 0.003)]
    labels = {name: f"run {name}" for name in "abc"}
    frame = pareto_frame(items, labels, "parameters")
    assert frame[["run", "verdict", "dominated"]].to_numpy().tolist() == [
        ["b", "within the margin of all others", ""],
        ["c", "behind", "run b"],
        ["a", "within the margin of all others", ""],
    ]
    assert pareto_frame(items, labels, "one").empty
    spec = pareto_chart(frame, dict.fromkeys("abc", "#0072B2"), "parameters").to_dict()
    assert vl_convert.vegalite_to_vega(spec)["marks"]
