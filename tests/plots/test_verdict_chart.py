"""The picture of the verdicts: a dot on its interval for each run, hollow where it is too close to call."""

from __future__ import annotations

from typing import Any

import pytest
import vl_convert

from mnist_core.comparison.verdicts import Comparison, compare
from mnist_core.plots.verdicts import described, verdict_chart, verdict_frame, verdict_table
from tests.support.synthetic import MakeRun, config, guesses


@pytest.fixture
def found(make_run: MakeRun) -> Comparison:
    runs = [
        make_run(name, config((8 + number,), epochs=2), predictions=guesses(errors, seed=number))
        for number, (name, errors) in enumerate((("base", 100), ("good", 10), ("alike", 98)))
    ]
    return compare(runs, runs[0])


def test_the_frame_has_the_numbers_of_the_verdicts_in_points(found: Comparison) -> None:
    frame = verdict_frame(found.verdicts, {item.run: item.run for item in found.verdicts})
    for row, item in zip(frame.to_dict("records"), found.verdicts, strict=True):
        assert row["difference"] == pytest.approx(100 * item.accuracy.value)
        assert row["low"] < row["difference"] < row["high"]
        assert (row["only_baseline"], row["only_run"]) == (item.table.only_baseline, item.table.only_run)
        assert row["p_adjusted"] == item.accuracy.p_adjusted
    assert frame["outcome"].tolist() == ["better", "too close to call"]


@pytest.mark.parametrize(("dark", "paper"), [(False, "#FFFFFF"), (True, "#14171C")])
def test_an_unclear_dot_is_hollow_and_the_axis_holds_zero_and_all_intervals(
    found: Comparison, dark: bool, paper: str
) -> None:
    labels = {item.run: name for item, name in zip(found.verdicts, ("good", "alike"), strict=True)}
    colours = {item.run: colour for item, colour in zip(found.verdicts, ("#0072B2", "#D55E00"), strict=True)}
    frame = verdict_frame(found.verdicts, labels)
    spec: dict[str, Any] = verdict_chart(frame, colours, "base", dark=dark).to_dict()
    data = next(rows for rows in spec["datasets"].values() if "fill" in rows[0])
    assert [row["fill"] for row in data] == ["#0072B2", paper]
    low, high = spec["layer"][1]["encoding"]["x"]["scale"]["domain"]
    assert low < min(0, frame["low"].min())
    assert high > frame["high"].max()
    assert described(frame, "base").startswith(
        "Difference in test accuracy from base, with 95 % intervals, widened for 2 comparisons. good:  +18.00"
    )
    assert verdict_table(found.verdicts, labels)["McNemar p"].tolist()[0] == "< 0.0001"


@pytest.mark.parametrize(("width", "whole"), [(340, False), (900, True)])
def test_a_line_of_text_is_whole_or_brief_and_never_cut_off(found: Comparison, width: int, whole: bool) -> None:
    labels = {
        item.run: name for item, name in zip(found.verdicts, ("grid, first width 32, depth 2, relu", "b"), strict=True)
    }
    colours = dict.fromkeys(labels, "#0072B2")
    frame = verdict_frame(found.verdicts, labels)
    spec = verdict_chart(frame, colours, "base").properties(width=width).to_dict()
    svg = vl_convert.vegalite_to_svg(spec)
    assert (f">{frame['text'].iloc[0]}<" in svg) == whole
    assert "better<" in svg
    assert "too close to call<" in svg
    assert "…" not in svg or not whole
