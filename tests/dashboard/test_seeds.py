"""Seeds of one recipe: chosen, drawn and counted together; and runs that continue others."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shared import groups
from mnist_core.experiments.presets import PRESETS
from mnist_core.plots import style
from mnist_core.plots.learning_curves import Curve, curve_frame, curves_chart, member_frame
from mnist_core.runs.records import HISTORY_COLUMNS
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.pages import click, unfold, words
from tests.support.synthetic import MakeRun, config, epoch_row

OpenPage = Callable[..., AppTest]
FLOORS = (0.10, 0.13, 0.16)


@pytest.fixture
def three(make_run: MakeRun) -> list[Run]:
    """Three seeds of one recipe."""
    return [
        make_run(f"model_1, seed {seed}", config(seed=seed), errors=10 + 5 * seed, floor=floor)
        for seed, floor in enumerate(FLOORS)
    ]


def ids(runs: list[Run]) -> list[str]:
    return [run.id for run in runs]


# -- which belong together ---------------------------------------------------------------------------------------------


def test_seeds_are_together_where_all_are_chosen_and_single_where_not(three: list[Run], make_run: MakeRun) -> None:
    other = make_run("other", config(dropout=0.5))
    runs = [*three, other]
    [together, alone] = groups.grouped(ids([three[2], other, three[0], three[1]]), runs)
    assert together.ids == ids(three)
    assert together.name == "model_1"
    assert not alone.several
    assert [group.ids for group in groups.grouped(ids(three[:2]), runs)] == [[three[0].id], [three[1].id]]
    assert groups.newest(ids(runs), runs, 1) == [other.id]


def test_the_same_recipe_on_other_data_is_another_group(three: list[Run], make_run: MakeRun) -> None:
    elsewhere = make_run("elsewhere", config(seed=7), fingerprint="6" * 16)
    assert len(groups.grouped(ids([*three, elsewhere]), [*three, elsewhere])) == 2


# -- the picture -------------------------------------------------------------------------------------------------------


def seeds_of(values: list[list[float]], before: int = 0) -> Curve:
    """A curve of seeds whose validation losses are given, one list a seed."""
    parts = []
    for losses in values:
        rows = pd.DataFrame([epoch_row(epoch + 1) for epoch in range(len(losses))], columns=list(HISTORY_COLUMNS))
        parts.append(rows.assign(val_loss=losses, epoch=rows["epoch"] + before))
    together = pd.concat(parts).groupby("epoch")
    mean_, low, high = (getattr(together, name)().reset_index() for name in ("mean", "min", "max"))
    return Curve("a", "model_1, n = 2", "#0072B2", mean_, before, 0.0, low, high, tuple(parts))


def test_the_band_reaches_from_the_lowest_to_the_highest_seed_of_the_strongest_line() -> None:
    frame = curve_frame([seeds_of([[0.5, 0.3], [0.7, 0.4]])], "loss")
    validation = frame[frame["kind"] == "validation"]
    assert list(validation["value"]) == pytest.approx([0.6, 0.35])
    assert list(validation["low"]) == [0.5, 0.3]
    assert list(validation["high"]) == [0.7, 0.4]
    assert frame.loc[frame["kind"] == "training", ["low", "high"]].isna().all(axis=None)
    chart = curves_chart(frame, {"a": "#0072B2"}, "loss").to_dict()
    assert sum(layer["mark"]["type"] == "area" for layer in chart["layer"]) == 1


def test_single_seeds_are_drawn_under_the_mean() -> None:
    curve = seeds_of([[0.5, 0.3], [0.7, 0.4]])
    members = member_frame([curve], "loss", kinds=("training", "validation"))
    assert list(members["value"]) == [0.5, 0.3, 0.7, 0.4]
    frame = curve_frame([curve], "loss")
    count = [
        sum(
            layer["mark"]["type"] == "line"
            for layer in curves_chart(frame, {"a": "#0"}, "loss", members=m).to_dict()["layer"]
        )
        for m in (None, members)
    ]
    assert count == [1, 2]


def test_the_axis_of_a_continued_run_begins_where_it_does() -> None:
    frame = curve_frame([seeds_of([[0.5, 0.3], [0.7, 0.4]], before=10)], "loss")
    assert sorted(set(frame["epoch"])) == [11, 12]
    chart = curves_chart(frame, {"a": "#0072B2"}, "loss", x_max=14).to_dict()
    assert chart["layer"][0]["encoding"]["x"]["scale"]["domain"] == [11, 14]


# -- the pages ---------------------------------------------------------------------------------------------------------


def test_five_seeds_are_asked_for_at_once_and_become_one_chip(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    page = app("views/train/page.py")
    page.number_input(key="train_seeds").set_value(5).run()
    click(page, "Train 5 seeds")
    runs = store.runs()
    assert runner.submitted == ids(runs)
    expected = PRESETS["notebook/model_1"].config.replace(dataset__name="digits")
    assert [run.config for run in runs] == [expected.replace(training__seed=seed) for seed in range(5)]
    assert [run.name for run in runs] == [f"model_1, seed {seed}" for seed in range(5)]
    assert page.multiselect(key="run_picker").value == [f"seeds:{runs[0].id}"]
    assert page.query_params["runs"] == ",".join(ids(runs))
    click(page, "Train 5 seeds")
    assert len(store.runs()) == 5


def test_a_chip_for_all_seeds_and_single_ones_can_be_chosen(app: OpenPage, three: list[Run]) -> None:
    page = app(runs=three[1].id)
    picker = page.multiselect(key="run_picker")
    assert picker.options[0] == "model_1 (3 seeds)"
    assert picker.value == [three[1].id]
    picker.set_value([f"seeds:{three[0].id}"]).run()
    assert not page.exception
    assert page.query_params["runs"] == ",".join(ids(three))
    page.multiselect(key="run_picker").set_value([three[0].id, three[2].id]).run()
    assert page.query_params["runs"] == ",".join([three[0].id, three[2].id])


def test_compare_shows_means_with_standard_deviations_and_n(app: OpenPage, three: list[Run]) -> None:
    page = unfold(app(runs=",".join(ids(three))))
    shares = [1 - (10 + 5 * seed) / 500 for seed in range(3)]
    table = "".join(str(html.proto.body) for html in page.get("html"))
    assert f"{style.percent(mean(shares))} ± {style.percent(stdev(shares))}" in table
    assert "model_1, n = 3" in table
    assert "15.0 ± 5.0" in table  # errors
    assert "55,050 ±" not in table
    text = words(page)
    assert "the band reaches from the lowest to the highest" in text
    assert "Single seeds" in [toggle.label for toggle in page.toggle]


def test_a_page_for_one_model_at_a_time_shows_one_seed_and_says_so(app: OpenPage, three: list[Run]) -> None:
    page = app("views/models.py", runs=",".join(ids(three)))
    assert not page.exception
    assert "One seed of each recipe stands for all of them here" in words(page)


def test_more_than_a_screenful_in_a_link_is_survived(app: OpenPage, make_run: MakeRun) -> None:
    many = [make_run(f"run {number}", config(dropout=round(0.05 * number, 2))) for number in range(9)]
    page = app(runs=",".join(ids(many)))
    assert not page.exception
    assert page.multiselect(key="run_picker").value == ids(many), "Compare shows up to 20, the others faintly"
    assert "2 of these 9 runs are drawn faintly" in words(page)
    page.switch_page("views/models.py").run()
    assert page.multiselect(key="run_picker").value == ids(many)[-len(style.RUN_COLOURS) :]


def test_a_continued_run_goes_on_from_its_parents_epoch(app: OpenPage, make_run: MakeRun) -> None:
    from dashboard import resources
    from dashboard.shared.run_curves import curves_of

    app()
    parent = make_run("parent", config(epochs=6))
    (parent.path / "model.keras").write_bytes(b"weights")
    child = make_run("child", config(epochs=4).replace(parent=parent.id))
    (child.path / "model.keras").write_bytes(b"weights")
    grandchild = make_run("grandchild", config(epochs=2).replace(parent=child.id))
    [group] = groups.grouped([grandchild.id], [parent, child, grandchild])
    [curve] = curves_of([group], resources.colours([grandchild.id]))
    assert list(curve.history["epoch"]) == [11, 12]
    assert curve.before_s == pytest.approx(0.5 * 10)
    assert np.isfinite(curve.history["val_loss"]).all()
    page = app(runs=child.id)
    assert "child goes on from epoch 6 of parent" in words(page)


# -- seeds first -------------------------------------------------------------------------------------------------------


def test_the_lines_of_compare_and_production_speak_of_all_seeds(
    app: OpenPage, three: list[Run], make_run: MakeRun
) -> None:
    other = make_run("other", config(dropout=0.5), errors=10)
    values = [scores.accuracy for run in three if (scores := run.test_scores())]
    text = f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f} %"
    compare = words(app(runs=f"{three[0].id},{other.id}"))
    assert f">{text}</span>" in compare
    assert f"3 seeds; this one {100 * values[0]:.2f} % [" in compare
    production = app("views/production.py", runs=f"{three[0].id},{other.id}")
    assert not production.exception
    figures = words(production)
    assert f"<td>{text} over 3 seeds</td>" in figures
    assert "<td>one seed</td>" in figures
