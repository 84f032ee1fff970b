"""Areas on a map: which digits lie in one, and its place in a link."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core.inspection.map_area import GRID, MARGIN, corners_of, corners_text, inside, on_grid


def test_the_outermost_points_are_a_margin_from_the_edges_and_the_order_is_kept() -> None:
    places = np.random.default_rng(0).normal(size=(50, 2)) * [3, 400]
    steps = on_grid(places)
    assert steps.min() == round(GRID * MARGIN)
    assert steps.max() == round(GRID * (1 - MARGIN))
    for axis in (0, 1):
        assert (np.diff(steps[np.argsort(places[:, axis]), axis]) >= 0).all()


def test_points_of_a_dead_layer_lie_in_the_middle_and_no_points_have_no_places() -> None:
    assert (on_grid(np.zeros((4, 2))) == GRID // 2).all()
    assert on_grid(np.zeros((0, 2))).shape == (0, 2)


def test_a_rectangle_holds_what_lies_between_its_sides() -> None:
    points = np.random.default_rng(1).integers(0, GRID, (500, 2))
    found = inside(points, ((100, 200), (600, 200), (600, 900), (100, 900)))
    x, y = points.T
    surely = (x > 100) & (x < 600) & (y > 200) & (y < 900)
    surely_not = (x < 100) | (x > 600) | (y < 200) | (y > 900)
    assert found[surely].all()
    assert not found[surely_not].any()
    assert surely.sum() > 50


@pytest.mark.parametrize("seed", range(4))
def test_any_outline_holds_the_points_that_a_drawing_of_it_covers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
    corners = tuple(
        (int(500 + radius * np.cos(angle)), int(500 + radius * np.sin(angle)))
        for angle, radius in zip(angles, rng.uniform(80, 480, 12), strict=True)
    )
    picture = Image.new("L", (GRID + 1, GRID + 1))
    ImageDraw.Draw(picture).polygon(list(corners), fill=1)
    points = rng.integers(0, GRID, (2_000, 2))
    drawn = np.asarray(picture)[points[:, 1], points[:, 0]] == 1
    differ = inside(points, corners) != drawn
    assert differ.mean() < 0.005  # pixels that the outline itself runs through
    assert drawn.sum() > 200


def test_a_line_that_crosses_itself_has_a_hole() -> None:
    twice = ((0, 0), (900, 0), (900, 900), (0, 900), (0, 0), (300, 300), (600, 300), (600, 600), (300, 600), (300, 300))
    assert inside(np.array([[450, 450], [100, 450]]), twice).tolist() == [False, True]


def test_corners_survive_the_link() -> None:
    corners = ((0, 1000), (17, 5), (999, 0))
    assert corners_of(corners_text(corners)) == corners


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2-3.4",
        "1.2-3.4-x.5",
        "1.2-3.4-5",
        "1.2-3.4-5.1001",
        "1.2-3.4--5.6",
        "²2.2-3.4-5.6",
        "-".join(["1.1"] * 25),
    ],
)
def test_nonsense_in_a_link_is_no_area(text: str) -> None:
    assert corners_of(text) is None
