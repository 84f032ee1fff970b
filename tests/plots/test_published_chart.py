"""Published against measured: the frame and the dot plot."""

from __future__ import annotations

import pytest

from mnist_core.evaluation.statistics import Sample
from mnist_core.experiments.presets import Published
from mnist_core.plots.published import described, published_chart, published_frame
from mnist_core.published.figures import Measured, compare_model
from mnist_core.published.reproduction import ReproductionRow, reproduction


def row(name: str, source: str, published: float | None, measured: float) -> ReproductionRow:
    found = Measured(("0" * 12,), {"test_accuracy": Sample(3, measured, 0.001)}, (1,), (1,))
    printed = Published(published)
    compared = compare_model(printed, found)
    return ReproductionRow(
        name, "model", source, (), 1, "", printed, reproduction(compared), compared=compared, measured=found
    )


ROWS = [
    row("notebook/a", "notebook", 0.976, 0.975),
    row("tuning/b", "study", 0.98, 0.975),
    row("notebook/dead", "notebook", 0.09, 0.978),
    row("notebook/silent", "notebook", None, 0.978),
]


def test_the_frame_has_a_row_for_each_published_accuracy_source_by_source() -> None:
    frame = published_frame(ROWS)
    assert list(frame["name"]) == ["notebook/a", "notebook/dead", "tuning/b"]
    assert list(frame["far"]) == [False, True, False]
    assert list(frame["outcome"]) == ["reproduces", "differs", "differs"]


def test_the_accuracy_differs_exactly_where_the_published_one_is_outside_the_bar() -> None:
    frame = published_frame(ROWS).set_index("name")
    assert frame.loc["notebook/a", "low"] < frame.loc["notebook/a", "published"] < frame.loc["notebook/a", "high"]
    assert frame.loc["tuning/b", "published"] > frame.loc["tuning/b", "high"]
    middle = (frame["low"] + frame["high"]) / 2
    assert middle.tolist() == pytest.approx(frame["measured"].tolist())


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_is_valid_and_a_far_figure_does_not_stretch_its_axis(dark: bool) -> None:
    spec = published_chart(published_frame(ROWS), dark=dark).to_dict()
    domains = {tuple(layer["encoding"]["x"]["scale"]["domain"]) for layer in spec["layer"] if "x" in layer["encoding"]}
    ((low, high),) = domains
    assert 95 < low < 97.6
    assert 98 < high < 99
    texts = [point["text"] for points in spec["datasets"].values() for point in points if "text" in point]
    assert texts == ["◂ ◆ 9.00 %"]


def test_the_chart_holds_where_all_published_figures_are_far() -> None:
    assert published_chart(published_frame(ROWS[2:])).to_dict()["layer"]


def test_the_words_for_those_who_do_not_see_it_have_every_figure() -> None:
    text = described(published_frame(ROWS))
    assert "notebook/dead: published 9.00 %, measured 97.80 %" in text
    assert "tuning/b: published 98.00 %, measured 97.50 %" in text
