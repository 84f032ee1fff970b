"""The answer in words: what it claims, what it must not claim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.shared.run_picker import chip_colours, run_labels, short_labels
from dashboard.theme import css_of
from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words import setting_words
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.presets import PRESETS
from mnist_core.report.tables import ROWS, FigureCell, answer, cells, difference_frame, exact_frame
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, summarise
from tests.support.synthetic import MakeRun, config

ROW = {row.name: row for row in ROWS}


@pytest.fixture
def pair(make_run: MakeRun) -> list[RunSummary]:
    """500 test images each: 20 errors and 10, so that the intervals overlap."""
    return [
        summarise(make_run("small", config((32,)), errors=20)),
        summarise(make_run("large", config((128, 64)), errors=10)),
    ]


def summary_of(items: list[RunSummary], store: Store, baseline: int = 0) -> str:
    labels = {item.id: item.name for item in items}
    runs = [store.get(item.id) for item in items]
    return answer(items, labels, compare(runs, runs[baseline]))


def test_the_answer_is_the_verdict_with_its_cost(pair: list[RunSummary], store: Store) -> None:
    text = summary_of(pair, store)
    assert text.startswith("large and small are too close to call: a difference of +2.00 points [")
    assert text.endswith("It has 4.3 times the parameters.")
    assert summary_of(pair, store, 1).endswith("It has 77 % fewer parameters.")


@pytest.mark.parametrize(
    ("units", "says"),
    [(94, "It has 6 % fewer parameters."), (96, ""), (104, ""), (106, "It has 1.1 times the parameters.")],
)
def test_the_cost_is_stated_where_it_differs_by_more_than_five_percent(
    make_run: MakeRun, store: Store, units: int, says: str
) -> None:
    pair = [
        summarise(make_run("first", config((100,)), errors=20)),
        summarise(make_run("other", config((units,)), errors=10)),
    ]
    text = summary_of(pair, store)
    assert text.endswith(says)
    assert ("parameters" in text) == bool(says)


def test_a_run_alone_is_stated(pair: list[RunSummary], store: Store) -> None:
    text = "small classifies 96.00 % of 500 test images correctly: 20 are wrong."
    assert summary_of(pair[:1], store) == text


def test_different_test_images_are_not_compared(pair: list[RunSummary], make_run: MakeRun, store: Store) -> None:
    other = summarise(make_run("other", config((16,)), fingerprint="6" * 16))
    assert summary_of([pair[0], other], store) == (
        "These runs were tested on different images, so their accuracies cannot be compared."
    )
    fingerprints = {pair[0].id: "one", pair[1].id: "another"}
    assert cells(ROW["Accuracy"], pair, pair[0].id, fingerprints)[1].difference == ""
    assert cells(ROW["Parameters"], pair, pair[0].id, fingerprints)[1].difference.startswith("+")


def test_nothing_is_said_of_what_was_not_measured(make_run: MakeRun, store: Store) -> None:
    waiting = summarise(make_run("waiting", config((16,)), state="queued"))
    done = summarise(make_run("done", config((32,)), errors=3))
    assert summary_of([waiting], store) == "Nothing has been tested yet: waiting has no test result so far."
    assert summary_of([waiting, done], store) == (
        "waiting, the baseline, has no test result: nothing to measure the others against."
    )
    assert summary_of([done, waiting], store) == (
        "done classifies 99.40 % of 500 test images correctly; the others have no test result yet."
    )
    same = dict.fromkeys((waiting.id, done.id), "s")
    assert cells(ROW["Accuracy"], [waiting, done], waiting.id, same)[0].text == "–"
    assert cells(ROW["Loss at the best epoch"], [waiting, done], done.id, same)[0].text == "–"


def test_a_cell_is_the_number_and_its_signed_difference(pair: list[RunSummary]) -> None:
    same = dict.fromkeys((item.id for item in pair), "same")
    assert cells(ROW["Errors"], pair, pair[0].id, same)[1].text == "10"
    assert cells(ROW["Errors"], pair, pair[0].id, same)[1].difference == "−10"
    assert cells(ROW["Accuracy"], pair, pair[0].id, same)[1].difference == "+2.00 points"
    assert cells(ROW["Accuracy"], pair, pair[0].id, same)[0].difference == ""


def test_a_difference_that_says_nothing_is_left_out(pair: list[RunSummary]) -> None:
    same = dict.fromkeys((item.id for item in pair), "same")
    first = replace(pair[0], tested_epoch=30, best_epoch=13, model_bytes=245_000)
    second = replace(pair[1], tested_epoch=20, best_epoch=18, model_bytes=245_040)
    for name in ("Epoch", "Best epoch", "Last epoch"):
        assert cells(ROW[name], [first, second], first.id, same)[1].difference == ""
    assert cells(ROW["File size"], [first, second], first.id, same)[1] == FigureCell("245 kB")
    larger = replace(second, model_bytes=260_000)
    assert cells(ROW["File size"], [first, larger], first.id, same)[1].difference == "+15 kB"
    seeds = {first.id: [first, second]}
    assert cells(ROW["File size"], [first], first.id, same, seeds)[0].text == "245 kB"


def test_the_csv_is_unrounded(pair: list[RunSummary]) -> None:
    frame = exact_frame(pair)
    assert frame["on the test images: loss"].tolist() == [item.test.loss for item in pair if item.test]
    assert frame["test accuracy, 95 % interval, low"].notna().all()


def test_only_settings_that_differ_are_listed_in_words(make_run: MakeRun) -> None:
    runs = [make_run("a", config((64,), dropout=0.2)), make_run("b", config((64, 32), dropout=0.4))]
    frame = difference_frame(runs, ["a", "b"]).set_index("setting")
    assert frame.loc["layer 1: dropout"].tolist() == ["0.2", "0.4"]
    assert frame.loc["layer 2: units"].tolist() == ["–", "32"]
    assert "epochs" not in frame.index
    assert difference_frame(runs[:1], ["a"]).empty


def test_a_difference_is_written_as_the_form_writes_it(make_run: MakeRun) -> None:
    runs = [
        make_run("a", config().replace(training__optimizer="adam", training__learning_rate=2e-5)),
        make_run("b", config()),
    ]
    frame = difference_frame(runs, ["a", "b"]).set_index("setting")
    assert frame.loc["optimizer"].tolist() == ["Adam", "RMSprop"]
    assert frame.loc["learning rate"].tolist() == ["2·10⁻⁵", "0.001"]


def test_every_setting_has_words() -> None:
    for preset in PRESETS.values():
        words = [setting_words(path) for path in flatten(preset.config)]
        assert len(set(words)) == len(words)
        assert not any("." in text or "_" in text for text in words)


def test_runs_of_one_name_are_told_apart(make_run: MakeRun) -> None:
    first, second = make_run("m", config(seed=0)), make_run("m", config(seed=1))
    other, waiting = make_run("n", config((8,))), make_run("w", config((9,)), state="queued")
    labels = run_labels([first, second, other, waiting])
    assert labels == {first.id: "m, seed 0", second.id: "m, seed 1", other.id: "n", waiting.id: "w (waiting)"}
    assert run_labels([waiting], states=False)[waiting.id] == "w"


def test_charts_leave_out_a_source_only_where_all_runs_share_it(make_run: MakeRun) -> None:
    first, second = make_run("notebook/model_1", config((8,))), make_run("notebook/model_2", config((9,)))
    other = make_run("readme/model_1", config((10,)))
    assert list(short_labels([first, second]).values()) == ["model_1", "model_2"]
    assert list(short_labels([first, second, other]).values()) == [
        "notebook/model_1", "notebook/model_2", "readme/model_1",
    ]  # fmt: skip


def test_runs_on_several_datasets_are_called_by_them(make_run: MakeRun) -> None:
    here = make_run("notebook/model_1", config((8,)))
    there = make_run("notebook/model_2", config((9,)).replace(dataset__name="mnist"))
    assert list(short_labels([here, there]).values()) == ["model_1, on digits", "model_2, on MNIST"]


def test_a_name_cannot_break_out_of_the_chips_style() -> None:
    css = css_of(chip_colours({"a": "#111111"}, {"a": '"]{} </style><script>'}))
    assert "</style>" not in css
    assert '"]{}' not in css


def test_a_source_stays_where_another_data_set_would_hide_the_clash(make_run: MakeRun) -> None:
    runs = [
        make_run("notebook/model_1", config((8,))), make_run("notebook/model_1", config((9,))),
        make_run("readme/model_1", config((10,))),
    ]  # fmt: skip
    assert all("/" in label for label in short_labels(runs).values())
