"""Bringing 8×8 digits to 28×28, and laying images out on a sheet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from mnist_core.data.images import enlarge_8_to_28, sprite

small_images = hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(8), st.just(8)), elements=st.integers(0, 16))


@given(small_images)
def test_enlarging_is_linear_interpolation_between_pixel_centres(images: np.ndarray) -> None:
    """Against SciPy: zoom by 3 on a grid of pixel centres, edges repeated; to the rounding of whole numbers."""
    found = enlarge_8_to_28(images)
    assert found.shape == (len(images), 28, 28)
    assert found.dtype == np.uint8
    for small, large in zip(images, found, strict=True):
        expected = ndimage.zoom(small.astype(float), 3, order=1, mode="nearest", grid_mode=True) * 255 / 16
        np.testing.assert_allclose(large[2:-2, 2:-2], expected, atol=0.5 + 1e-9)


@given(small_images)
def test_the_margin_is_empty(images: np.ndarray) -> None:
    found = enlarge_8_to_28(images)
    found[:, 2:-2, 2:-2] = 0
    assert not found.any()


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (8, 128), (16, 255)])
def test_a_flat_image_stays_flat_and_the_range_is_kept(value: int, expected: int) -> None:
    found = enlarge_8_to_28(np.full((1, 8, 8), value, np.uint8))
    assert (found[0, 2:-2, 2:-2] == expected).all()


def test_enlarging_commutes_with_turning() -> None:
    image = np.random.default_rng(0).integers(0, 17, (1, 8, 8))
    turned = enlarge_8_to_28(np.rot90(image, axes=(1, 2)))
    np.testing.assert_array_equal(turned, np.rot90(enlarge_8_to_28(image), axes=(1, 2)))


@given(st.integers(0, 30), st.integers(1, 12))
def test_every_image_is_at_its_place_on_the_sheet(count: int, columns: int) -> None:
    images = np.random.default_rng(count).integers(1, 256, (count, 28, 28)).astype(np.uint8)
    sheet = sprite(images, columns)
    assert sheet.shape == (28 * max(1, -(-count // columns)), 28 * columns)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        np.testing.assert_array_equal(sheet[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28], image)
    assert np.count_nonzero(sheet) == images.size, "what no image covers is black"
