"""The table of all runs, and the drawer with everything of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.views.runs.chips import AROUND_PX, LETTER_PX, REST, REST_PX, fitting
from dashboard.views.runs.table import CELL_PX, NAME_PX, compared, widths_of
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.grids import parse_spec
from mnist_core.files import write_json
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.records import Origin
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise
from mnist_core.runs.test_set_uses import seen
from mnist_core.studies import sweeps
from tests.support.pages import APP, text_of
from tests.support.synthetic import MakeRun, config

OpenPage = Callable[..., AppTest]


@pytest.fixture
def runs(make_run: MakeRun) -> list[Run]:
    """Two recipes with two seeds each, and a run of its own; in the order of their creation."""
    return [
        make_run("small", config((16,), seed=0), errors=30),
        make_run("small, seed 1", config((16,), seed=1), errors=20),
        make_run("large", config((64, 64), dropout=0.4, seed=0), errors=12),
        make_run("large, seed 1", config((64, 64), dropout=0.4, seed=1), errors=10),
        make_run("cut short", config((8,)), rows=2, state="cancelled", reason="cancelled by a person"),
    ]


def open_runs(app: OpenPage, **query: str) -> AppTest:
    page = app("views/runs/page.py", **query)
    assert not page.exception
    return page


def table(page: AppTest) -> pd.DataFrame:
    frame: pd.DataFrame = page.data_editor[0].value
    return frame


def names(page: AppTest) -> list[str]:
    return [str(name).strip(" ↳") for name in table(page)["name"]]


def edit(page: AppTest, row: int, **values: Any) -> AppTest:
    """Change cells of a row as a person does; what was changed before in this table stays changed."""
    key = page.data_editor[0].key
    before = page.session_state[key]["edited_rows"] if key in page.session_state else {}
    rows = {**before, row: {**before.get(row, {}), **values}}
    page.session_state[key] = {"edited_rows": rows, "added_rows": [], "deleted_rows": []}
    page.run()
    assert not page.exception
    return page


def link(page: AppTest, name: str) -> str:
    found = page.query_params[name]
    return found if isinstance(found, str) else found[0]


def test_every_run_is_a_line_with_its_figures_the_newest_first(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app)
    assert names(page) == [run.name for run in reversed(runs)]
    line = table(page).set_index("name").loc["large, seed 1"]
    found = summarise(runs[3])
    assert found.test
    assert (line["test_accuracy"], line["test_loss"]) == (100 * found.test.accuracy, found.test.loss)
    assert list(line["curve"]) == [row.val_loss for row in runs[3].rows()]
    assert (line["dataset"], line["seeds"], line["state"], line["parameters"]) == ("digits", "1", "finished", 55_050)
    assert pd.isna(table(page).set_index("name").loc["cut short", "test_accuracy"])


def test_words_and_a_condition_leave_lines_out_and_the_order_is_chosen(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app)
    page.text_input(key="q").set_value("seed 1 FINISHED").run()
    assert names(page) == ["large, seed 1", "small, seed 1"]
    page.text_input(key="q").set_value("").run()
    page.text_input(key="where").set_value("accuracy > 0.95 and dropout == 0.4").run()
    assert names(page) == ["large, seed 1", "large"]
    page.text_input(key="where").set_value("").run()
    page.selectbox(key="sort").set_value("test_accuracy").run()
    assert names(page) == ["large, seed 1", "large", "small, seed 1", "small", "cut short"], "what is missing is last"
    page.toggle(key="down").set_value(False).run()
    assert names(page) == ["small", "small, seed 1", "large", "large, seed 1", "cut short"]


def test_a_condition_that_cannot_be_read_is_explained_and_all_runs_stay(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app, where="accuracy > 98")
    assert "98 % is 0.98" in page.error[0].value
    assert len(table(page)) == 5
    page = open_runs(app, where="accuracy > 0.99999")
    assert not page.data_editor
    assert "No run fits" in text_of(page)


def test_a_rerun_with_the_address_from_before_a_choice_does_not_undo_the_choice(
    app: OpenPage, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = f"{runs[2].id},{runs[0].id}"
    page = open_runs(app, runs=before)
    page.button(key="runs_none").click().run()
    page.query_params["runs"] = before  # sent before the browser had heard of the new address
    page.run()
    assert link(page, "runs") == ""
    assert not any(table(page)["tick"])
    monkeypatch.setattr(state, "STALE_S", 0.0)
    page.query_params["runs"] = before  # later, as by a press of Back
    page.run()
    assert table(page)["tick"].sum() == 2


def test_a_view_is_a_link(app: OpenPage, runs: list[Run]) -> None:
    chosen = f"{runs[2].id},{runs[0].id}"
    page = open_runs(app, where="seed == 0", runs=chosen, baseline=runs[0].id, hide=f"{runs[0].id},{runs[4].id}")
    assert names(page) == ["small", "large"], "a pinned baseline comes first, whatever is hidden"
    assert list(table(page)["tick"]) == [True, True]
    difference = 100 * (summarise(runs[2]).test.accuracy - summarise(runs[0]).test.accuracy)  # type: ignore[union-attr]
    assert table(page)["difference"].dropna().tolist() == pytest.approx([0, difference])


def test_tick_all_keeps_the_order_and_the_baseline_of_what_is_chosen(app: OpenPage, runs: list[Run]) -> None:
    ids = [run.id for run in runs]
    page = open_runs(app, runs=f"{ids[2]},{ids[0]}", baseline=ids[0])
    page.button(key="runs_all").click().run()
    assert page.query_params["runs"].split(",")[:2] == [ids[2], ids[0]]
    assert set(page.query_params["runs"].split(",")) == set(ids)
    assert page.query_params["baseline"] == ids[0]


def test_of_more_than_can_be_compared_the_baseline_and_those_ticked_first_are() -> None:
    ids = list("abcdefgh")
    assert compared(ids, 20) == ids
    assert compared(ids, 3) == ["a", "b", "c"]
    assert compared(ids, 3, "g") == ["a", "b", "g"]
    assert compared(ids, 3, "gone") == ["a", "b", "c"]
    assert compared(ids, 1, "c") == ["c"]
    assert compared([], 3) == []


def test_tick_all_of_more_than_can_be_compared_keeps_what_was_chosen_and_says_how_many_are_left_out(
    app: OpenPage, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.shared.run_picker.MOST_COMPARED", 3)
    ids = [run.id for run in runs]
    page = open_runs(app, runs=f"{ids[2]},{ids[0]}")
    assert "left out" not in text_of(page)
    page.button(key="runs_all").click().run()
    assert page.query_params["runs"] == f"{ids[2]},{ids[0]},{ids[4]}", "those before, and the first line of the table"
    assert table(page)["tick"].all()
    assert "Compare draws 3 runs at once; 2 ticked runs are left out there" in text_of(page)
    assert page.button(key="runs_compare").label == "Compare 3"
    assert "opens this view again, with the 3 runs that Compare draws." in text_of(page)


def chips(page: AppTest) -> list[str]:
    return [button.label for button in page.button if str(button.key).startswith("chip_")]


def test_a_ticked_run_that_a_filter_leaves_out_is_above_the_table_and_can_be_unticked_there(
    app: OpenPage, runs: list[Run]
) -> None:
    page = open_runs(app, runs=f"{runs[2].id},{runs[0].id}", baseline=runs[0].id, where="seed == 1")
    assert chips(page) == ["small (baseline)", "large"]
    page = open_runs(app, runs=f"{runs[2].id},{runs[0].id}", where="seed == 1")
    assert chips(page) == ["large (baseline)", "small"], "without a pinned baseline, the first is it"
    page.button(key=f"chip_{runs[2].id}").click().run()
    assert chips(page) == ["small (baseline)"]
    assert link(page, "runs") == runs[0].id
    page.button(key=f"chip_{runs[0].id}").click().run()
    assert chips(page) == []


def test_chips_that_do_not_fit_into_the_line_are_behind_a_button(app: OpenPage, make_run: MakeRun) -> None:
    many = [make_run(f"a name of thirty letters or so {n:02}", config((8,), seed=n)) for n in range(6)]
    page = open_runs(app, runs=",".join(run.id for run in many))
    assert chips(page) == ["a name of thirty letters or so 00 (baseline)", "a name of thirty letters or so 01"]
    page.session_state[REST] = True  # as by a click on "+4 more"
    page.run()
    assert len(chips(page)) == 6


def test_as_many_chips_are_shown_as_fit() -> None:
    chip = AROUND_PX + 10 * LETTER_PX
    assert fitting([], 0) == 0
    assert fitting(["a" * 10], 0) == 1, "one is always shown"
    assert fitting(["a" * 10] * 3, 3 * chip) == 3
    assert fitting(["a" * 10] * 3, 3 * chip - 1) == (3 * chip - 1 - REST_PX) // chip
    assert fitting(["a" * 10] * 3, 3 * chip, more=True) == (3 * chip - REST_PX) // chip


@pytest.mark.parametrize("window", [360, 390, 640])
@pytest.mark.parametrize("by_recipe", [False, True])
def test_on_a_phone_tick_colour_name_and_accuracy_are_on_the_screen_together(window: int, by_recipe: bool) -> None:
    widths = widths_of(["tuning/grid_90, first width 128, width ratio 0.5"], window, by_recipe=by_recipe)
    fold = widths.fold if by_recipe else 0
    assert widths.tick + fold + widths.colour + widths.name + widths.accuracy <= window - 34
    assert widths.name >= NAME_PX[0]


def test_the_column_of_names_is_as_wide_as_the_longest_up_to_a_limit() -> None:
    assert widths_of(["a" * 32], 1280, by_recipe=False).name == CELL_PX + 32 * 7.5
    assert widths_of(["a" * 75], None, by_recipe=False).name == NAME_PX[1]
    assert widths_of([], None, by_recipe=False).name == NAME_PX[0]
    assert widths_of(["a"], 390, by_recipe=False).name == NAME_PX[0]


def test_ticks_are_the_chosen_runs_of_all_pages(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app, runs=runs[0].id)
    edit(page, 1, tick=True)
    assert link(page, "runs") == f"{runs[0].id},{runs[3].id}"
    edit(page, 4, tick=False)
    assert link(page, "runs") == runs[3].id
    assert page.button(key="runs_compare").label == "Compare 1"
    page.switch_page("views/compare/page.py").run()
    assert page.multiselect(key="run_picker").value == [runs[3].id]
    page.multiselect(key="run_picker").set_value([runs[2].id]).run()
    page.switch_page("views/runs/page.py").run()
    assert list(table(page).loc[table(page)["tick"], "name"]) == ["large"]
    page.button(key="runs_none").click().run()
    assert not table(page)["tick"].any()
    page.button(key="runs_all").click().run()
    assert table(page)["tick"].all()


def test_name_tags_and_note_are_changed_in_the_table(app: OpenPage, runs: list[Run], store: Store) -> None:
    page = open_runs(app)
    edit(page, 1, name=" best ", tags=["lesson 3", " lesson 3", "x"], note="why")
    meta = store.get(runs[3].id).meta
    assert (meta.name, meta.tags, meta.note) == ("best", ("lesson 3", "x"), "why")
    store.describe(runs[3].id, name="renamed elsewhere")
    edit(page, 2, note="another")
    assert store.get(runs[3].id).name == "renamed elsewhere", "an old change is not made again"
    page.text_input(key="q").set_value("lesson").run()
    assert names(page) == ["renamed elsewhere"]


def test_a_tag_that_sounds_like_a_sweep_does_not_move_a_run_among_the_runs_of_sweeps(
    app: OpenPage, make_run: MakeRun, store: Store
) -> None:
    run = make_run("model_1")
    edit(open_runs(app), 0, tags=["sweep lesson", "pruned"])
    found = store.get(run.id)
    assert (found.meta.tags, found.one_of_many, found.meta.pruned) == (("sweep lesson", "pruned"), False, False)


def test_the_tags_to_edit_are_only_a_persons_and_what_requested_a_run_stays(
    app: OpenPage, make_run: MakeRun, store: Store
) -> None:
    run = make_run("swept")
    own = ["sweep 0123456789ab", "lesson 1"]
    old = {"name": "swept", "tags": own, "note": "", "preset": None, "keep_weights": True}
    write_json(run.path / "meta.json", old)
    page = open_runs(app)
    assert [list(tags) for tags in table(page)["tags"]] == [["lesson 1"]]
    edit(page, 0, note="why")
    assert store.get(run.id).meta.origin == Origin(kind="sweep", id="0123456789ab")


def test_a_change_that_is_refused_is_explained_and_taken_back(app: OpenPage, runs: list[Run], store: Store) -> None:
    page = open_runs(app)
    edit(page, 1, name="n" * 81)
    assert "name" in page.error[0].value.lower()
    assert names(page)[1] == "large, seed 1"
    assert store.get(runs[3].id).name == "large, seed 1"


def test_seeds_of_a_recipe_are_one_line_that_unfolds(app: OpenPage, runs: list[Run], store: Store) -> None:
    page = open_runs(app, by_recipe="true")
    assert names(page) == ["cut short", "large", "small"]
    line = table(page).set_index("name").loc["large"]
    shares = [summarise(run).test.accuracy for run in runs[2:4]]  # type: ignore[union-attr]
    assert line["test_accuracy"] == pytest.approx(100 * sum(shares) / 2)
    assert line["spread"] == pytest.approx(100 * abs(shares[0] - shares[1]) / 2**0.5)
    assert (line["seeds"], line["state"]) == ("0, 1", "2 finished")
    edit(page, 1, fold=True)
    assert names(page) == ["cut short", "large", "large", "large, seed 1", "small"]
    edit(page, 1, tags=["all"])
    assert [store.get(run.id).meta.tags for run in runs[1:4]] == [(), ("all",), ("all",)]
    edit(page, 1, name="wide", tick=True)
    assert [store.get(run.id).name for run in runs[2:4]] == ["wide, seed 0", "wide, seed 1"]
    assert set(link(page, "runs").split(",")) >= {runs[2].id, runs[3].id}


def test_many_are_deleted_at_once_and_brought_back(app: OpenPage, runs: list[Run], store: Store) -> None:
    page = open_runs(app, runs=f"{runs[0].id},{runs[1].id}")
    page.button(key="runs_delete").click().run()
    assert not page.exception
    assert {run.id for run in store.runs()} == {run.id for run in runs[2:]}
    assert "2 runs are in the trash" in text_of(page)
    page.switch_page("views/compare/page.py").run()
    assert "not in this store" not in text_of(page)
    page.switch_page("views/runs/page.py").run()
    page.button(key="runs_undo").click().run()
    assert {run.id for run in store.runs()} == {run.id for run in runs}
    assert "in the trash" not in text_of(page)


def test_what_cannot_be_deleted_stays_and_says_why(
    app: OpenPage, make_run: MakeRun, runs: list[Run], store: Store
) -> None:
    live = make_run("live", config((24,)), rows=1, state="running")
    page = open_runs(app, runs=f"{live.id},{runs[0].id}")
    page.button(key="runs_delete").click().run()
    assert "is being trained" in page.error[0].value
    assert {run.id for run in store.runs()} == {live.id, *(run.id for run in runs[1:])}


def test_the_trash_is_read_when_it_is_opened_and_emptied_in_two_steps(
    app: OpenPage, runs: list[Run], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.delete(runs[0].id)
    store.delete(runs[1].id)
    read, before = [], Store.trash
    monkeypatch.setattr(Store, "trash", lambda self: read.append(1) or before(self))
    page = open_runs(app)
    assert not read
    page.session_state["runs_trash"] = True
    page.run()
    page.button(key=f"restore_{runs[0].id}").click().run()
    assert store.get(runs[0].id)
    page.session_state["runs_trash"] = True
    page.run()
    assert page.button(key="trash_empty").disabled
    page.checkbox(key="trash_sure").check().run()
    page.button(key="trash_empty").click().run()
    assert before(store) == ([], [])


def test_hidden_runs_are_left_out_until_they_are_shown_again(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app, runs=f"{runs[0].id},{runs[4].id}")
    page.button(key="runs_hide").click().run()
    assert names(page) == ["large, seed 1", "large", "small, seed 1"]
    assert set(link(page, "hide").split(",")) == {runs[0].id, runs[4].id}
    page.button(key="runs_unhide").click().run()
    assert len(names(page)) == 5


def test_a_view_to_begin_with_sets_all_controls(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app, q="large")
    page.button(key="view_Not finished").click().run()
    assert names(page) == ["cut short"]
    page.button(key="view_One line a recipe").click().run()
    assert names(page) == ["large", "small", "cut short"]


def test_the_drawer_has_everything_of_a_run(app: OpenPage, runs: list[Run], make_run: MakeRun, store: Store) -> None:
    run = runs[3]
    page = open_runs(app, details=run.id)
    frames = {tuple(item.value.columns): item.value for item in page.dataframe}
    settings = frames["Setting", "Value", "Path"].set_index("Path")["Value"]
    assert (settings["training.learning_rate"], settings["training.seed"]) == ("0.001", "1")
    assert len(frames["Layer", "Kind", "Settings", "Output", "Parameters"]) == len(run.config.model.layer_table())
    assert RunConfig.model_validate_json(page.code[0].value) == run.config
    assert "epoch 6/6  loss" in page.code[1].value
    assert {"config.json", "history.jsonl", "predictions.npz"} <= {
        button.label for button in page.get("download_button")
    }
    assert [button.label for button in page.button if str(button.key).startswith("seed_")] == [
        "large, seed 0, finished"
    ]
    page.button(key=f"seed_{runs[2].id}").click().run()
    assert link(page, "details") == runs[2].id


def test_a_run_is_described_in_its_drawer_and_made_the_baseline(app: OpenPage, runs: list[Run], store: Store) -> None:
    run = runs[0]
    page = open_runs(app, details=run.id)
    page.text_input(key=f"describe_name_{run.id}").set_value(" renamed ")
    page.text_area(key=f"describe_note_{run.id}").set_value("why")
    next(button for button in page.button if button.label == "Save").click().run()
    meta = store.get(run.id).meta
    assert (meta.name, meta.note) == ("renamed", "why")
    page.button(key=f"pin_{run.id}").click().run()
    assert names(page)[0] == "renamed"
    page.text_input(key=f"describe_name_{run.id}").set_value("   ")
    next(button for button in page.button if button.label == "Save").click().run()
    assert any("name" in error.value.lower() for error in page.error)
    assert store.get(run.id).name == "renamed"


def test_why_a_run_did_not_finish_is_in_its_drawer(app: OpenPage, runs: list[Run]) -> None:
    page = open_runs(app, details=runs[4].id)
    assert "cancelled: cancelled by a person" in text_of(page)
    page = open_runs(app, details="0123456789ab")
    assert "details" not in page.query_params


def test_runs_of_sweeps_that_ship_are_listed_when_wanted(app: OpenPage, store: Store) -> None:
    import shutil

    shipped = Store(APP.parents[1] / "artifacts").runs()
    hidden = next(run for run in shipped if run.read_only and not run.listed)
    plain = next(run for run in shipped if run.read_only and run.listed)
    for run in (hidden, plain):
        shutil.copytree(run.path, store.root / "reference" / run.id)
    page = open_runs(app)
    assert names(page) == [plain.name]
    assert page.button(key="runs_delete").disabled, "runs that ship cannot be deleted"
    page.toggle(key="every").set_value(True).run()
    assert set(names(page)) == {plain.name, hidden.name}


def test_test_results_that_a_sweep_passed_over_are_hidden_until_asked_for_which_is_counted(
    app: OpenPage, store: Store
) -> None:
    base = {
        "model": {"layers": [{"units": 4}]},
        "training": {"epochs": 1, "validation": {"source": "held_out", "fraction": 0.2}},
        "dataset": {"name": "digits"},
    }
    spec = parse_spec({"name": "widths", "base": base, "grid": {"stack.units": [4, 8, 64]}})
    found = sweeps.start(store, LocalRunner(store), spec)[0]
    fingerprint = store.get(found.run_ids[0]).status.fingerprint
    page = open_runs(app, runs=found.run_ids[0])
    assert table(page)["test_accuracy"].notna().sum() == 1
    assert table(page)["test_loss"].notna().sum() == 1
    page.text_input(key="where").set_value("accuracy >= 0").run()
    assert len(table(page)) == 1, "a condition does not tell either"
    page.text_input(key="where").set_value("").run()
    assert seen(store.root, fingerprint).reveals == 0
    page.toggle(key="reveal_tests").set_value(True).run()
    assert not page.exception
    assert table(page)["test_accuracy"].notna().all()
    assert seen(store.root, fingerprint).reveals == 1


def test_an_unchanged_run_is_not_read_again(
    app: OpenPage, runs: list[Run], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_runs(app)
    read: list[str] = []
    before = Run.rows
    monkeypatch.setattr(Run, "rows", lambda self: read.append(self.id) or before(self))
    page.text_input(key="q").set_value("small").run()
    page.toggle(key="by_recipe").set_value(True).run()
    assert not read
    store.describe(runs[1].id, note="new")
    page.run()
    assert set(read) <= {runs[1].id}


def test_an_empty_store_has_one_button(app: OpenPage) -> None:
    page = open_runs(app)
    assert "No run yet" in text_of(page)
    assert [button.label for button in page.button if button.key == "empty_state_button"] == ["Train a first model"]
