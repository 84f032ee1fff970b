"""The confusion matrix and the probability bars, from frame to chart specification."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from mnist_core.evaluation.mistakes import Cell, confusion_frame
from mnist_core.evaluation.predictions import Predictions
from mnist_core.plots.confusion_matrix import CELL_SELECTION, confusion_cells, confusion_chart
from mnist_core.plots.probabilities import Opinion, probability_chart, probability_frame
from tests.support.synthetic import guesses


def frame_of(pairs: list[tuple[int, int]]) -> pd.DataFrame:
    """The matrix of (true, guessed) pairs."""
    labels = np.array([true for true, _ in pairs], np.uint8)
    probabilities = np.eye(10, dtype=np.float32)[[guess for _, guess in pairs]]
    return confusion_frame(Predictions(labels, probabilities))


PAIRS = [(4, 9)] * 3 + [(4, 4)] * 997 + [(7, 2)]


@pytest.fixture
def cells() -> pd.DataFrame:
    return confusion_cells(frame_of(PAIRS))


def at(cells: pd.DataFrame, true: int, guess: int) -> pd.Series:
    return cells[(cells["true"] == true) & (cells["guess"] == guess)].iloc[0]


def test_every_cell_has_a_number(cells: pd.DataFrame) -> None:
    assert len(cells) == 100
    assert at(cells, 4, 9)["label"] == "3"
    assert at(cells, 4, 4)["label"] == "997"
    assert at(cells, 0, 1)["label"] == "0"


def test_shares_are_of_the_row_and_absent_without_images() -> None:
    cells = confusion_cells(frame_of(PAIRS), shares=True)
    assert at(cells, 4, 9)["label"] == "0.3"
    assert at(cells, 4, 4)["label"] == "99.7"
    assert at(cells, 7, 2)["label"] == "100.0"
    assert at(cells, 4, 1)["label"] == "0"
    assert at(cells, 0, 1)["label"] == "–"
    assert math.isnan(at(cells, 0, 1)["share"])


def test_a_small_share_is_not_shown_as_none() -> None:
    cells = confusion_cells(frame_of([(1, 1)] * 3000 + [(1, 7)]), shares=True)
    assert at(cells, 1, 7)["label"] == "<0.1"


def test_kinds_tell_mistakes_from_right_guesses(cells: pd.DataFrame) -> None:
    errors = cells[cells["kind"] == "error"]
    assert set(zip(errors["true"], errors["guess"], strict=True)) == {(4, 9), (7, 2)}
    assert set(cells.loc[cells["kind"] == "diagonal", "true"]) == set(range(10))


@pytest.mark.parametrize(("cell", "count"), [(Cell(), 0), (Cell(4, 9), 1), (Cell(true=4), 10), (Cell(guess=9), 10)])
def test_the_picked_cell_row_or_column_is_framed(cell: Cell, count: int) -> None:
    assert confusion_cells(frame_of(PAIRS), picked=cell)["picked"].sum() == count


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_has_cells_numbers_and_a_frame_and_answers_clicks(cells: pd.DataFrame, dark: bool) -> None:
    spec = confusion_chart(cells, dark=dark).to_dict()
    rects, numbers, frames = spec["layer"]
    assert [layer["mark"]["type"] for layer in (rects, numbers, frames)] == ["rect", "text", "rect"]
    assert numbers["encoding"]["text"]["field"] == "label"
    assert rects["encoding"]["x"]["title"] == "Guessed digit"
    assert rects["encoding"]["y"]["title"] == "True digit"
    (param,) = spec["params"]
    assert param["name"] == CELL_SELECTION
    assert param["select"] == {"type": "point", "fields": ["true", "guess"], "toggle": False}


def test_the_colours_span_the_mistakes_and_not_the_diagonal(cells: pd.DataFrame) -> None:
    spec = confusion_chart(cells).to_dict()
    condition = spec["layer"][0]["encoding"]["color"]["condition"]
    assert condition["scale"]["domain"] == [0, 3], "997 right guesses must not pale the three mistakes"
    assert "error" in condition["test"]


def test_light_and_dark_differ_and_without_mistakes_there_still_is_a_chart() -> None:
    cells = confusion_cells(frame_of([(digit, digit) for digit in range(10)]))
    light, dark = (confusion_chart(cells, dark=dark).to_dict() for dark in (False, True))
    assert light["layer"][0]["encoding"]["color"] != dark["layer"][0]["encoding"]["color"]
    assert light["layer"][0]["encoding"]["color"]["condition"]["scale"]["domain"] == [0, 1]


def test_the_specification_keeps_its_shape_whatever_is_picked() -> None:
    # a stable specification lets Streamlit change the data without drawing the chart anew
    specs = [
        confusion_chart(confusion_cells(frame_of(PAIRS), picked=cell)).to_dict()
        for cell in (Cell(), Cell(4, 9), Cell(2))
    ]
    for spec in specs:
        spec.pop("datasets")
        spec["data"].pop("name")
    assert specs[0] == specs[1] == specs[2]


@pytest.fixture
def opinions() -> list[Opinion]:
    sure, torn = np.full((2, 10), 0.01)
    sure[4], torn[4], torn[9] = 0.91, 0.5, 0.42
    return [Opinion("aaa", "model_1", "#0072B2", sure), Opinion("bbb", "model_2", "#D55E00", torn)]


def test_probabilities_are_in_per_cent_for_every_run_and_digit(opinions: list[Opinion]) -> None:
    frame = probability_frame(opinions, true=4)
    assert len(frame) == 20
    assert frame.loc[(frame["run"] == "bbb") & (frame["digit"] == 9), "probability"].item() == pytest.approx(42)
    assert set(frame.loc[frame["true"], "digit"]) == {4}


def test_bars_have_the_runs_colours_and_mark_the_true_digit(opinions: list[Opinion]) -> None:
    spec = probability_chart(probability_frame(opinions, true=4), opinions).to_dict()
    band, bars = spec["layer"]
    assert bars["encoding"]["color"]["scale"] == {"domain": ["aaa", "bbb"], "range": ["#0072B2", "#D55E00"]}
    assert bars["encoding"]["xOffset"]["sort"] == ["aaa", "bbb"]
    assert bars["encoding"]["y"]["scale"]["domain"] == [0, 100]
    assert spec["datasets"][band["data"]["name"]] == [{"digit": 4, "low": 0, "high": 100}]
    assert "datum.value === 4" in bars["encoding"]["x"]["axis"]["labelExpr"]


def test_bars_that_stand_alone_name_the_runs(opinions: list[Opinion]) -> None:
    frame = probability_frame(opinions, true=4)
    legend = [
        probability_chart(frame, opinions, named=named).to_dict()["layer"][1]["encoding"]["color"]["legend"]
        for named in (False, True)
    ]
    assert legend[0] is None
    assert json.loads(legend[1]["labelExpr"].removesuffix(")[datum.value]").removeprefix("(")) == {
        "aaa": "model_1",
        "bbb": "model_2",
    }


def test_matrices_side_by_side_end_their_colours_at_the_same_count() -> None:
    """With a scale of its own each, 5 errors of one run had the colour of 7 errors of the other."""
    few, many = (confusion_cells(confusion_frame(guesses(errors))) for errors in (10, 40))
    domains = []
    for cells in (few, many):
        encoded = confusion_chart(cells, top=12.0).to_dict()["layer"][0]["encoding"]["color"]
        domains.append(encoded["condition"]["scale"]["domain"])
    assert domains == [[0, 12.0], [0, 12.0]]
