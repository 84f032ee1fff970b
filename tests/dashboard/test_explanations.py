"""Why a network guesses so: sentences and pictures, and the sections of an enlarged digit on a shipped run."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dashboard.shared.explanations import DARK, LIGHT, heat, neighbour_sentence, times, weighing
from mnist_core.inspection.occlusion import Occlusion
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.pages import words

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"

PAGE = "views/mistakes/page.py"


@pytest.fixture
def shipped(store: Store) -> Run:
    """The shipped model_1 on `digits`, with its weights."""
    for run in Store(ARTIFACTS).scan()[0]:
        if run.read_only and run.name == "notebook/model_1" and run.config.dataset.name == "digits":
            shutil.copytree(run.path, store.root / "reference" / run.id)
            return store.get(run.id)
    raise AssertionError("the run does not ship")


def html(test) -> str:
    return " ".join(item.proto.body for item in test.get("html"))


def enlarged(app, run: Run, index: int, **query: str):
    test = app(PAGE, runs=run.id)
    for key, value in {"digit": str(index), **query}.items():
        test.query_params[key] = value
    return test.run()


def test_an_enlarged_digit_is_explained_when_asked(app, shipped: Run) -> None:
    predictions = shipped.predictions()
    assert predictions is not None
    index = int(predictions.wrong[0])
    test = enlarged(app, shipped, index)
    assert not test.exception
    assert "By pixels" not in html(test)
    test = enlarged(app, shipped, index, explain="neighbours")
    assert not test.exception
    assert "By the last hidden layer of notebook/model_1" in html(test)
    assert html(test).count("<figure") == 16
    test = enlarged(app, shipped, index, explain="pixels")
    assert not test.exception
    assert f"Guess {predictions.predicted[index]}, weighed against {predictions.labels[index]}, the label" in html(test)


def test_a_run_without_weights_says_so_and_pixels_are_compared_all_the_same(app, shipped: Run) -> None:
    (shipped.path / "model.keras").unlink()
    test = enlarged(app, shipped, 0, explain="neighbours")
    assert not test.exception
    assert "has kept no weights" in words(test)
    assert html(test).count("<figure") == 8
    test = enlarged(app, shipped, 0, explain="pixels")
    assert "has kept no weights" in words(test)


def test_torn_weights_are_a_sentence(app, shipped: Run) -> None:
    (shipped.path / "model.keras").write_bytes(b"torn")
    test = enlarged(app, shipped, 0, explain="pixels")
    assert not test.exception
    assert "cannot be read" in words(test)


def test_labels_of_neighbours_are_counted_most_frequent_first() -> None:
    assert neighbour_sentence([4, 9, 9, 9]) == "3 are labelled 9, 1 is labelled 4."


def test_the_strongest_ink_has_the_full_colour_and_paper_stays_paper() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[0, :3] = 255
    weight = np.zeros((28, 28))
    weight[0, :3] = [4.0, -4.0, 0.0]
    for palette in (LIGHT, DARK):
        speaks_for, against, undecided, paper = palette
        pixels = heat(image, Occlusion(9, 4, weight, 1.0), palette)
        assert [tuple(pixels[0, column]) for column in range(4)] == [speaks_for, against, undecided, paper]
    assert (heat(image, Occlusion(9, 4, np.zeros((28, 28)), 1.0), LIGHT)[0, 0] == LIGHT[2]).all()


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.5, "to 1/1.5 of"), (9.96, "to 1/10 of"), (830_823, "to 1/830,000 of"), (1e9, "to less than a millionth of")],
)
def test_a_fall_of_odds_has_two_digits(ratio: float, text: str) -> None:
    assert times(np.log(ratio)).startswith(text)


def test_what_is_weighed_is_said() -> None:
    weight = np.full((28, 28), np.log(12))
    assert weighing(Occlusion(9, 4, weight, 1.0), true=4) == (
        "Guess 9, weighed against 4, the label. "
        "Without the strongest ink, the odds of 9 fall to 1/12 of what they were."
    )
    assert weighing(Occlusion(4, 9, -weight, 1.0), true=4).startswith(
        "Rightly 4, weighed against 9, its second choice."
    )
    assert "No ink speaks for 4" in weighing(Occlusion(4, 9, -weight, 1.0), true=4)


def test_a_map_is_drawn_at_once(app, shipped: Run) -> None:
    test = app(PAGE, runs=shipped.id)
    assert not test.exception
    assert "Drawn are all 9 wrong guesses and 346 of the 346 right ones" in words(test)


def test_there_is_no_map_without_weights(app, shipped: Run) -> None:
    (shipped.path / "model.keras").unlink()
    test = app(PAGE, runs=shipped.id)
    test.query_params["map"] = "pca"
    test.run()
    assert not test.exception
    assert "has kept no weights" in words(test)
    assert "Drawn are" not in words(test)
