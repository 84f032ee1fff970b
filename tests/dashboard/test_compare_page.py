"""The Compare page, run whole on synthetic stores."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

from dashboard.shared.panels import picture
from mnist_core.cli import main
from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words.verdict_rows import accuracy_cell, loss_cell
from mnist_core.evaluation.metrics import image_losses
from mnist_core.files import write_json
from mnist_core.plots import style
from mnist_core.runs.records import Origin
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.pages import text_of, unfold
from tests.support.synthetic import MakeRun, config, epoch_row, guesses

OpenPage = Callable[..., AppTest]


def link(page: AppTest, name: str) -> str:
    """A value in the URL; AppTest gives a list or a string, depending on who has set it."""
    value = page.query_params[name]
    return value if isinstance(value, str) else value[0]


def test_an_empty_store_shows_what_would_be_here_and_one_button(app: OpenPage) -> None:
    page = app()
    assert not page.exception
    assert "Nothing to compare yet" in text_of(page)
    assert [button.label for button in page.button if button.key == "empty_state_button"] == ["Train a first model"]


def test_two_runs_open_with_the_answer_the_figures_and_the_charts(app: OpenPage, make_run: MakeRun) -> None:
    make_run("model_1", config((64, 64)), errors=12)
    make_run("model_2", config((400, 300), dropout=0.4), errors=8)
    page = app()
    assert not page.exception
    text = text_of(page)
    assert "model_2 and model_1 are too close to call: a difference of +0.80 points [" in text
    assert "It has 7.9 times the parameters." in text
    assert re.search(r"98.40 %\[[0-9., ]+\]\+0.80 points437,310", re.sub("<[^>]*>", "", text))
    assert "97.60 %" in text
    assert "437,310" in text
    assert len(page.get("vega_lite_chart")) == 3
    assert "layer 1: units" not in text
    assert "layer 1: units" in text_of(unfold(page))
    assert len(page.get("vega_lite_chart")) == 4


def test_the_choice_and_the_baseline_are_in_the_link_and_come_back_from_it(app: OpenPage, make_run: MakeRun) -> None:
    first = make_run("model_1", config((64,)), errors=12)
    second = make_run("model_2", config((65,)), errors=8)
    third = make_run("model_3", config((66,)), errors=9)
    page = app(runs=f"{third.id},{first.id}", baseline=first.id, lines="validation", smoothing="0.4", log="true")
    assert not page.exception
    assert page.multiselect(key="run_picker").value == [third.id, first.id]
    assert page.selectbox(key="baseline_picker").value == first.id
    assert page.slider(key="smoothing").value == 0.4
    assert page.toggle(key="log").value is True
    page.multiselect(key="run_picker").set_value([third.id, first.id, second.id]).run()
    assert link(page, "runs") == f"{third.id},{first.id},{second.id}"
    page.selectbox(key="baseline_picker").set_value(second.id).run()
    assert link(page, "baseline") == second.id
    assert not page.exception


def test_the_choice_travels_to_another_page_and_back(app: OpenPage, make_run: MakeRun) -> None:
    runs = [make_run(f"model_{size}", config((size,))) for size in (16, 17, 18)]
    page = app()
    page.multiselect(key="run_picker").set_value([runs[0].id]).run()
    page.switch_page("views/models.py").run()
    assert page.multiselect(key="run_picker").value == [runs[0].id]
    page.multiselect(key="run_picker").set_value([runs[0].id, runs[2].id]).run()
    page.switch_page("views/compare/page.py").run()
    assert page.multiselect(key="run_picker").value == [runs[0].id, runs[2].id]


def test_a_link_to_runs_of_another_store_says_so(app: OpenPage, make_run: MakeRun) -> None:
    run = make_run("model_1")
    page = app(runs=f"{run.id},0123456789ab")
    assert "One run of this link is not in this store, or cannot be read: 0123456789ab." in text_of(page)
    assert page.multiselect(key="run_picker").value == [run.id]


def test_no_run_and_no_line_are_said_in_words(app: OpenPage, make_run: MakeRun) -> None:
    make_run("model_1")
    page = app()
    page.get("button_group")
    page.multiselect(key="run_picker").set_value([]).run()
    assert "No run is chosen" in text_of(page)
    assert not page.exception


def test_a_diverged_run_shows_its_reason_and_its_curve_until_then(app: OpenPage, make_run: MakeRun) -> None:
    good = epoch_row(1)
    broken = replace(good, epoch=2, loss=math.nan, val_loss=math.nan, train_eval_loss=math.nan)
    run = make_run("too fast", config((64,)), rows=[good, broken], state="diverged", reason="the loss is not finite")
    other = make_run("model_1", config((65,)), errors=10)
    page = app(runs=f"{other.id},{run.id}")
    assert not page.exception
    assert "too fast diverged: the loss is not finite." in text_of(page)
    assert "diverged: no test result" in text_of(page)


def test_waiting_and_running_runs_show_no_invented_number(app: OpenPage, make_run: MakeRun) -> None:
    waiting = make_run("waiting", config((8,)), state="queued")
    running = make_run("running", config((9,), epochs=10), rows=3, state="running")
    page = app(runs=f"{waiting.id},{running.id}")
    assert not page.exception
    text = text_of(page)
    assert "waiting to be trained" in text
    assert "training, 3 of 10 epochs done" in text
    assert "Nothing has been tested yet" in text


def test_the_curves_are_diagnosed_in_words_with_their_rule_and_marked(app: OpenPage, make_run: MakeRun) -> None:
    rows = [epoch_row(epoch, turn=6) for epoch in range(1, 21)]
    learning = [replace(row, train_eval_loss=0.3 * 0.9**row.epoch) for row in rows]
    run = make_run("model_1", config((64,), epochs=20), rows=learning)
    short = make_run("model_2", config((65,), epochs=2), rows=2)
    page = unfold(app(runs=f"{run.id},{short.id}"))
    text = text_of(page)
    assert "Overfits since about epoch 7:" in text
    assert "A rise counts from 0." in text, "the rule"
    assert "Early stopping or more dropout may help." in text
    assert "Not enough evidence: 2 epochs" in text
    loss = page.get("vega_lite_chart")[0].proto
    assert "overfits" in loss.spec or any(b"overfits" in data.data.data for data in loss.datasets)


def test_a_suggestion_links_a_run_that_made_just_this_change(app: OpenPage, make_run: MakeRun) -> None:
    rows = [replace(epoch_row(epoch, turn=6), train_eval_loss=0.3 * 0.9**epoch) for epoch in range(1, 21)]
    run = make_run("model_1", config((64,), epochs=20, dropout=0.1), rows=rows)
    tried = make_run("wetter", config((64,), epochs=20, dropout=0.4), rows=rows)
    make_run("wider", config((65,), epochs=20, dropout=0.4), rows=rows)
    page = app(runs=run.id)
    assert not page.exception
    text = text_of(page)
    assert "Trained with more dropout, all else equal:" in text
    assert f'<a href="?runs={run.id},{tried.id}" target="_self">wetter</a> (dropout 0.4, lowest validation loss' in text
    assert "wider" not in text.split("Trained with more dropout")[1].split("</p>")[0]


@pytest.fixture
def three(make_run: MakeRun) -> list[Run]:
    """500 images each; the last has a tenth of the errors and half the epochs. The third epoch is the best."""
    rows = [epoch_row(epoch, speed=2, turn=1) for epoch in range(1, 7)]
    return [
        make_run("base", config((64,)), rows=rows, predictions=guesses(100)),
        make_run("alike", config((65,)), rows=rows, predictions=guesses(98, seed=3)),
        make_run("good", config((66,), epochs=3), predictions=guesses(10, seed=4)),
    ]


def test_the_page_the_json_and_scipy_have_the_same_numbers(
    app: OpenPage, three: list[Run], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [run.id for run in three]
    assert main(["compare", *ids, "--json", "--store", str(store.root)]) == 0
    found = json.loads(capsys.readouterr().out)
    page = unfold(app(runs=",".join(ids)))
    text = unescape(text_of(page))
    assert "Against base: good is better; alike is too close to call." in text
    predictions = [run.predictions() for run in three]
    right = [item.predicted == item.labels for item in predictions if item]
    losses = [image_losses(item.labels, item.probabilities) for item in predictions if item]
    p_values = []
    for number, verdict in enumerate(found["verdicts"], start=1):
        b, c = int((right[0] & ~right[number]).sum()), int((~right[0] & right[number]).sum())
        p_values.append(stats.chi2.sf((b - c) ** 2 / (b + c), 1))
        paired = stats.ttest_rel(losses[number], losses[0])
        assert (verdict["table"]["only_baseline"], verdict["table"]["only_run"]) == (b, c)
        assert verdict["accuracy"]["p"] == pytest.approx(p_values[-1])
        assert verdict["exact_p"] == pytest.approx(stats.binomtest(min(b, c), b + c).pvalue)
        assert verdict["loss"]["p"] == pytest.approx(paired.pvalue)
        assert verdict["sentence"] in text
        assert verdict["loss_sentence"] in text
        for limit in (*verdict["limits"], *(concern["sentence"] for concern in verdict["concerns"])):
            assert limit in text
        assert f"{c:,}</td>" in text
    assert [item["p_adjusted"] for item in found["verdicts"]] == pytest.approx([p_values[0], 2 * p_values[1]])
    assert [recipe["outcome"] for recipe in found["recipes"]] == [None, None]
    assert text.count("too few seeds") == 2


def test_of_several_runs_the_verdicts_are_a_table_with_all_three_answers(app: OpenPage, three: list[Run]) -> None:
    text = unescape(text_of(app(runs=",".join(run.id for run in three))))
    rows = text.split('<div class="verdicts"')[1].split("</table>")[0].split("<tr>")[2:]
    assert [("alike" in row, "good" in row) for row in rows] == [(True, False), (False, True)]
    for verdict, row in zip(compare(three, three[0]).verdicts, rows, strict=True):
        assert accuracy_cell(verdict).figures in row
        assert loss_cell(verdict).figures in row
    assert "too few seeds" in rows[1]
    assert "not a fair comparison" in rows[1]  # of fewer epochs
    assert "not a fair comparison" not in rows[0]


def test_of_many_runs_the_first_words_of_each_finding_are_shown_and_the_rest_is_folded(
    app: OpenPage, make_run: MakeRun
) -> None:
    rows = [replace(epoch_row(number, turn=6), train_eval_loss=0.3 * 0.9**number) for number in range(1, 21)]
    ids = [make_run(f"run {units}", config((units,), epochs=20), rows=rows).id for units in range(8, 12)]
    page = app(runs=",".join(ids))
    brief = text_of(page).split('<div class="brief">')[1].split('<div class="findings">')[0]
    assert brief.count("<p><b>Overfits since about epoch") == 4
    assert "In full, and what may help" in [item.label for item in page.expander]
    assert '<div class="findings">' not in text_of(page), "what is folded is not made before somebody opens it"
    page = app(runs=",".join(ids[:2]))
    assert '<div class="findings">' in text_of(page)
    assert "In full, and what may help" not in [item.label for item in page.expander]


def test_what_undermines_a_verdict_is_said_aloud(app: OpenPage, three: list[Run]) -> None:
    page = app(runs=f"{three[0].id},{three[2].id}")
    assert [warning.value for warning in page.warning if "Not a fair comparison" in warning.value]
    assert "base was trained for 6 epochs and good for 3; the shorter one had far less training" in text_of(page)
    page = app(runs=f"{three[0].id},{three[1].id}")
    assert not [warning for warning in page.warning if "Not a fair comparison" in warning.value]


def test_the_epoch_is_chosen_once_and_is_never_silently_another(app: OpenPage, three: list[Run]) -> None:
    base, alike, _ = three
    page = app(runs=f"{base.id},{alike.id}")
    assert page.query_params.get("weights") is None
    page.button_group(key="epoch_switch").set_value("best").run()
    assert link(page, "weights") == "best"
    assert "base, alike have no test result of the best epoch" in text_of(page)
    assert "no test result of its best epoch (3) is stored" in text_of(page)
    assert "80.00 %" not in text_of(page)  # the accuracy of the kept epoch
    page.switch_page("views/models.py").run()
    page.switch_page("views/compare/page.py").run()
    assert link(page, "weights") == "best"
    for run, errors in ((base, 5), (alike, 45)):
        arrays = guesses(errors).arrays()
        np.savez(run.predictions_file(3), **arrays)
        (run.path / "status.json").touch()  # training writes it last
    again = app(runs=f"{base.id},{alike.id}", weights="best")
    assert "alike is worse than base by 8.00 points" in text_of(again)
    assert "test accuracy at epoch 3" in text_of(again)
    assert any("chosen by the loss on the test images" in warning.value for warning in again.warning)


def test_a_rerun_with_the_address_from_before_a_choice_undoes_neither_baseline_nor_epoch_nor_margin(
    app: OpenPage, three: list[Run]
) -> None:
    _, alike, short = three
    query = {"baseline": alike.id, "weights": "best", "margin": "5"}
    page = app(runs=",".join(run.id for run in three), **query)
    page.selectbox(key="baseline_picker").set_value(short.id)
    page.button_group(key="epoch_switch").set_value("last")
    page.number_input(key="margin_box").set_value(1.0).run()
    chosen = {"baseline": short.id, "weights": "last", "margin": "1"}
    assert {name: link(page, name) for name in query} == chosen
    for name, before in query.items():
        page.query_params[name] = before  # sent before the browser had heard of the new address
    page.run()
    assert {name: link(page, name) for name in query} == chosen
    assert page.selectbox(key="baseline_picker").value == short.id


def test_runs_on_other_data_are_refused_with_the_reason(app: OpenPage, make_run: MakeRun) -> None:
    here, there = make_run("here", config((8,))), make_run("there", config((9,)), fingerprint="6" * 16)
    text = text_of(app(runs=f"{here.id},{there.id}"))
    assert "These runs were tested on different images" in text
    assert "there is not compared: here was tested and there on different data, both called digits" in text


def test_seeds_of_both_recipes_in_the_store_are_compared_too(app: OpenPage, make_run: MakeRun) -> None:
    small = [make_run("small", config((8,), seed=seed), errors=60 + seed) for seed in range(3)]
    large = [make_run("large", config((9,), seed=seed), errors=20 + seed) for seed in range(3)]
    text = text_of(app(runs=f"{small[0].id},{large[0].id}"))
    assert "## As a recipe, large is better than small by 8.00 points" in text  # the headline holds both chances
    assert "large is better than small by 8.00 points [" in text.split("## As a recipe")[1]
    assert (
        "trained networks, one seed each; the first sentence is about the recipes" in text
    )  # two questions, two numbers
    assert "large 95.80 ± 0.20 % over 3 seeds, small 87.80 ± 0.20 % over 3" in text


def test_the_report_is_offered_in_both_forms(app: OpenPage, three: list[Run]) -> None:
    page = app(runs=",".join(run.id for run in three))
    assert [item.proto.label for item in page.get("download_button") if "report" in item.proto.id] == [
        "Report (HTML)", "Report (Markdown)",
    ]  # fmt: skip


def test_the_findings_of_several_seeds_are_counted(app: OpenPage, make_run: MakeRun) -> None:
    rows = [replace(epoch_row(number, turn=6), train_eval_loss=0.3 * 0.9**number) for number in range(1, 21)]
    ids = [
        make_run("model_1", config((64,), epochs=20, seed=seed), rows=rows if seed else rows[:2]).id
        for seed in range(3)
    ]
    page = app(runs=",".join(ids))
    assert not page.exception
    assert "Of 3 seeds: overfitting in 2, not enough evidence in 1. Seed 0:" in text_of(page)


def test_published_figures_stand_beside_the_measured_ones(app: OpenPage, make_run: MakeRun) -> None:
    run = make_run("model_1", preset="notebook/model_1", rows=3, errors=12)
    page = unfold(app(runs=run.id))
    assert "Published test accuracy 97.62 %; here 97.60 %" in text_of(page)


def test_a_damaged_folder_and_a_damaged_history_are_stated_plainly(
    app: OpenPage, make_run: MakeRun, store: Store
) -> None:
    run = make_run("model_1")
    other = make_run("model_2", config((32,)))
    (store.root / "runs" / "abcdefabcdef").mkdir()
    (other.path / "history.jsonl").write_text("nonsense\n{}\n")
    page = app(runs=f"{run.id},{other.id}")
    assert not page.exception
    assert "is incomplete" in text_of(page)
    assert f"the history of run {other.id} is damaged" in text_of(page)
    assert "95.00 %" not in text_of(page)
    assert "model_1 classifies 96.00 %" in text_of(page)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_charts_can_be_saved_as_pictures(kind: str) -> None:
    import pandas as pd

    from mnist_core.plots.learning_curves import Curve, curve_frame, curves_chart
    from mnist_core.runs.records import HISTORY_COLUMNS

    rows = pd.DataFrame([epoch_row(epoch) for epoch in (1, 2, 3)], columns=list(HISTORY_COLUMNS))
    frame = curve_frame([Curve("a", "model_1", "#0072B2", rows)], "loss")
    data = picture(style.styled(curves_chart(frame, {"a": "#0072B2"}, "loss")), kind)
    assert data.startswith(b"\x89PNG" if kind == "png" else b"<svg")
    assert kind == "png" or b"model_1" in data


def test_the_runs_of_a_sweep_are_offered_last(app: Callable[..., AppTest], store: Store, make_run: MakeRun) -> None:
    swept = make_run("swept", config(dropout=0.1), origin=Origin(kind="sweep", id="0123456789ab"))
    own = make_run("own", config(dropout=0.2))
    later = make_run("later swept", config(dropout=0.3), origin=Origin(kind="sweep", id="0123456789ab"))
    page = app()
    assert [label.split(",")[0] for label in page.multiselect(key="run_picker").options] == [
        own.name, later.name, swept.name,
    ]  # fmt: skip


def test_runs_of_a_family_that_is_chosen_are_offered_before_those_of_the_same_name_elsewhere(
    app: OpenPage, make_run: MakeRun
) -> None:
    chosen = make_run("notebook/model_1", config(dropout=0.1))
    same = make_run("notebook/model_3", config(dropout=0.2))
    make_run("readme/model_3", config(dropout=0.3))  # the newest, and the shortest
    page = app(runs=chosen.id)
    assert page.multiselect(key="run_picker").options == [same.name, chosen.name, "readme/model_3"]


def test_all_seeds_of_a_recipe_are_offered_right_before_them(app: OpenPage, make_run: MakeRun) -> None:
    first = make_run("mine", config(dropout=0.1))
    make_run("other", config(dropout=0.2))
    second = make_run("mine, seed 1", config(dropout=0.1, seed=1))
    page = app()
    assert [option.partition(" (")[0] for option in page.multiselect(key="run_picker").options] == [
        "mine", first.name, second.name, "other",
    ]  # fmt: skip


def test_the_page_counts_each_comparison_once_and_says_how_many_the_test_images_have_seen(
    app: Callable[..., AppTest], store: Store, make_run: MakeRun
) -> None:
    runs = [make_run(f"run {dropout}", config(dropout=dropout)) for dropout in (0.1, 0.2, 0.3)]
    page = app(runs=",".join(run.id for run in runs[:2]))
    assert "The test images of digits have served 1 comparison of two runs" in text_of(page)
    page.run()
    assert "1 comparison of two runs" in text_of(page)
    page = app(runs=",".join(run.id for run in runs))
    assert "2 comparisons of two runs" in text_of(page)


def test_a_winner_and_one_that_was_passed_over_say_so(
    app: Callable[..., AppTest], store: Store, make_run: MakeRun
) -> None:
    held = {"training__validation": {"source": "held_out", "count": 100}}
    runs = [make_run(f"run {floor}", config(dropout=floor).replace(**held), floor=floor) for floor in (0.1, 0.2, 0.3)]
    points = [{"values": {"model.layers.*.dropout": 0.1 * n}, "run": run.id} for n, run in enumerate(runs)]
    spec = {"name": "dropouts", "base": "notebook/model_1", "grid": {"model.layers.*.dropout": [0.0, 0.1, 0.2]}}
    (store.root / "sweeps").mkdir()
    document = {"id": "5" * 12, "spec": spec, "dataset": "digits", "optimistic": False, "created_at": 1.0}
    write_json(store.root / "sweeps" / f"{'5' * 12}.json", document | {"points": points})
    page = app(runs=",".join(run.id for run in runs[:2]))
    assert not page.exception
    text = text_of(page)
    assert "was chosen among 3 by validation loss" in text
    assert "is one of 3 candidates of the sweep dropouts, and not the one that it chose" in text


def test_a_run_on_other_data_is_muted_and_the_headline_says_that_it_is_not_compared(
    app: Callable[..., AppTest], make_run: MakeRun
) -> None:
    runs = [make_run(name, config(dropout=value)) for name, value in (("one", 0.1), ("two", 0.2))]
    other = make_run("elsewhere", config(dropout=0.3).replace(dataset__name="mnist"), fingerprint="6" * 16)
    page = app(runs=",".join(run.id for run in (*runs, other)))
    assert not page.exception
    headline = next(str(item.value) for item in page.markdown if str(item.value).startswith("## "))
    assert "elsewhere, on MNIST was tested on other images, and is not compared" in headline.replace("\\", "")
    assert "on digits" not in headline
    assert muted(page) == [False, False, True]
    text = unescape(text_of(page))
    assert "elsewhere, on MNIST" in text
    assert "not comparable: tested on other images" in text
    alone = app(runs=",".join(run.id for run in runs))
    assert muted(alone) == [False, False]
    assert "on digits" not in next(item.proto.body for item in alone.get("html") if 'class="lines' in item.proto.body)


def muted(page: AppTest) -> list[bool]:
    """Whether the line of each run is muted."""
    lines = next(item.proto.body for item in page.get("html") if 'class="lines' in item.proto.body)
    return [name == "muted" for name in re.findall('<tr class="([a-z]*)">', lines)]
