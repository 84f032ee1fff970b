"""Who is right on which images: groups, bars and the difference matrix, from frame to chart specification."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import vl_convert

from mnist_core.comparison.disagreements import GROUPS, Counts, difference_frame
from mnist_core.evaluation.mistakes import Cell
from mnist_core.evaluation.predictions import Predictions
from mnist_core.plots.agreement import (
    GROUP_SELECTION,
    WRONG_SELECTION,
    group_chart,
    group_frame,
    wrong_chart,
    wrong_frame,
)
from mnist_core.plots.confusion_matrix import difference_cells, difference_chart, signed

COUNTS = Counts(9_703, 54, 128, 93, 22)
BLUE, ORANGE = "#0072B2", "#D55E00"


def area(row) -> float:
    return (row.right - row.left) * (row.bottom - row.top)


def test_the_groups_are_the_mcnemar_table_with_a_in_the_rows() -> None:
    frame = group_frame(COUNTS, "model_1", "model_2", "only_b").set_index("group")
    assert frame["label"].to_dict() == dict(zip(GROUPS, ["9,703", "54", "128", "93", "22"], strict=True))
    assert frame["share"].sum() == pytest.approx(100)
    # A right is above, B right is on the left; where both are wrong, the quarter is cut in two
    only_a, only_b = frame.loc["only_a"], frame.loc["only_b"]
    assert (only_a["x"] > 1, only_a["y"] < 1) == (True, True)
    assert (only_b["x"] < 1, only_b["y"] > 1) == (True, True)
    assert only_a["words"] == "only model_1 right"
    halves = frame[~frame["large"]]
    assert list(halves.index) == ["same_wrong", "different_wrong"]
    assert list(frame.index[frame["picked"]]) == ["only_b"]
    assert group_frame(COUNTS, "a", "b")["picked"].sum() == 0


def test_a_click_on_a_group_selects_it_and_the_runs_lend_their_colours() -> None:
    frame = group_frame(COUNTS, "model_1", "model_2")
    spec = group_chart(frame, 'one "quoted"', "model_2", (BLUE, ORANGE)).to_dict()
    (param,) = spec["params"]
    assert (param["name"], param["select"]["fields"]) == (GROUP_SELECTION, ["group"])
    colours = dict(zip(*spec["layer"][0]["encoding"]["color"]["scale"].values(), strict=True))
    assert (colours["only_a"], colours["only_b"]) == (BLUE, ORANGE)
    assert '\\"quoted\\" right' in spec["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    assert (
        spec["layer"][0]["encoding"]["color"]
        != group_chart(frame, "a", "b", (ORANGE, BLUE)).to_dict()["layer"][0]["encoding"]["color"]
    )


@pytest.mark.parametrize(("width", "name"), [(300, "model_1"), (700, "notebook/model_1")])
def test_names_are_written_in_full_where_they_have_room(width: int, name: str) -> None:
    names = ("notebook/model_1", "tuning/cnn")
    chart = group_chart(group_frame(COUNTS, *names), *names, (BLUE, ORANGE))
    svg = vl_convert.vegalite_to_svg(chart.properties(width=width).to_dict())
    for words in (f"only {name} right", f"{name} wrong"):
        assert f">{words}<" in svg
    assert chart.to_dict()["layer"][0]["encoding"]["opacity"]["type"] == "quantitative", "Vega warns of names"


def test_the_bar_of_images_that_nobody_gets_wrong_is_cut_off_and_says_so() -> None:
    frame = wrong_frame(np.array([9_522, 227, 107, 67, 77]), picked=[4])
    assert frame["images"].tolist() == [9_522, 227, 107, 67, 77]
    assert frame["bar"].tolist() == [284, 227, 107, 67, 77]
    assert frame["label"].tolist() == ["9,522 (cut off)", "227", "107", "67", "77"]
    assert frame["runs"].tolist() == ["none", "1 of 4", "2 of 4", "3 of 4", "all 4"]
    assert frame["picked"].tolist() == [False] * 4 + [True]


def test_bars_that_fit_are_not_cut() -> None:
    frame = wrong_frame(np.array([10, 9, 0]))
    assert frame["bar"].tolist() == [10, 9, 0]
    assert frame["label"].tolist() == ["10", "9", "0"]
    # and where nobody ever errs, there still is a chart
    spec = wrong_chart(wrong_frame(np.array([10, 0, 0, 0]))).to_dict()
    assert [param["name"] for param in spec["params"]] == [WRONG_SELECTION]


@pytest.fixture
def cells() -> pd.DataFrame:
    #         4→9 left, 4→9 entered, stays 4→9, 7→2 left
    labels = np.array([4, 4, 4, 4, 7], np.uint8)
    a, b = [9, 4, 9, 9, 2], [4, 9, 9, 4, 7]
    first, second = (Predictions(labels, np.eye(10, dtype=np.float32)[guesses]) for guesses in (a, b))
    return difference_cells(difference_frame(first, second), "one", "two", picked=Cell(4, 9))


def test_differences_carry_their_sign_and_what_came_and_went(cells: pd.DataFrame) -> None:
    cell = cells[(cells["true"] == 4) & (cells["guess"] == 9)].iloc[0]
    assert (cell["label"], cell["kind"], cell["picked"]) == ("−1", "error", True)
    assert cell["meaning"] == "a 4 taken for a 9: one 3, two 2; 1 came, 2 went"
    diagonal = cells[(cells["true"] == 7) & (cells["guess"] == 7)].iloc[0]
    assert (diagonal["label"], diagonal["kind"]) == ("+1", "diagonal")
    assert diagonal["meaning"].startswith("a 7 guessed right: one 0, two 1")
    assert cells.loc[(cells["true"] == 0) & (cells["guess"] == 1), "kind"].item() == "none"
    assert cells["picked"].sum() == 1
    assert [signed(number) for number in (1_200, 0, -3)] == ["+1,200", "0", "−3"]


def test_the_scale_of_differences_is_symmetric_and_neutral_at_zero(cells: pd.DataFrame) -> None:
    for dark in (False, True):
        spec = difference_chart(cells, (BLUE, ORANGE), dark=dark).to_dict()
        scale = spec["layer"][0]["encoding"]["color"]["condition"]["scale"]
        assert scale["domain"] == [-1, 0, 1]
        assert (scale["range"][0], scale["range"][2]) == (BLUE, ORANGE)
        assert scale["range"][1] not in (BLUE, ORANGE)


def test_runs_that_confuse_the_same_have_a_matrix_without_colour() -> None:
    same = Predictions(np.array([4, 7], np.uint8), np.eye(10, dtype=np.float32)[[9, 7]])
    spec = difference_chart(difference_cells(difference_frame(same, same), "one", "two"), (BLUE, ORANGE)).to_dict()
    assert spec["layer"][0]["encoding"]["color"]["condition"]["scale"]["domain"] == [-1, 0, 1]
