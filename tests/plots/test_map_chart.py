"""The chart of a map: what its points say, what its axes claim, and colours that can be told apart."""

import itertools

import numpy as np
import pandas as pd
import pytest

from mnist_core.evaluation.mistakes import prediction_frame
from mnist_core.evaluation.predictions import Predictions
from mnist_core.inspection.embedding import Map
from mnist_core.plots.embedding import CLASS_COLOURS, CLASS_COLOURS_DARK, map_chart, map_frame


@pytest.fixture
def frame() -> pd.DataFrame:
    labels = np.arange(30, dtype=np.uint8) % 10
    probabilities = np.full((30, 10), 0.01, np.float32)
    probabilities[np.arange(30), labels] = 0.91
    probabilities[4, [4, 9]] = 0.01, 0.91
    places = np.arange(10.0).reshape(5, 2)
    return map_frame(
        prediction_frame(Predictions(labels, probabilities)), np.array([3, 4, 5, 6, 14]), Map(places, (0.5, 0.25))
    )


def test_each_point_is_a_digit_with_its_place_and_guess(frame: pd.DataFrame) -> None:
    assert frame["index"].tolist() == [3, 4, 5, 6, 14]
    assert frame["correct"].tolist() == [True, False, True, True, True]
    assert frame.loc[1, ["true", "guess", "x", "y"]].tolist() == [4, 9, 2.0, 3.0]
    assert frame.loc[1, "confidence"] == pytest.approx(91)


def test_axes_say_what_they_keep_and_say_nothing_where_they_mean_nothing(frame: pd.DataFrame) -> None:
    straight = str(map_chart(frame, Map(np.zeros((5, 2)), (0.5, 0.25))).to_dict())
    assert "first principal component (50 % of the variance)" in straight
    assert "second principal component (25 % of the variance)" in straight
    assert "variance" not in str(map_chart(frame, Map(np.zeros((5, 2)), None)).to_dict())


def lab(colour: str) -> np.ndarray:
    """CIELAB, D65, of an sRGB colour such as #1F77B4."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("palette", "paper"), [(CLASS_COLOURS, "#FFFFFF"), (CLASS_COLOURS_DARK, "#14171C")])
def test_ten_classes_can_be_told_apart_in_both_themes(palette: tuple[str, ...], paper: str) -> None:
    for one, other in itertools.combinations([*palette, paper], 2):
        assert np.linalg.norm(lab(one) - lab(other)) > 20, (one, other)
