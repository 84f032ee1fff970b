"""A drawn or photographed digit becomes what MNIST would have made of it."""

import io
import os

import numpy as np
import pytest
from PIL import ExifTags, Image
from scipy.ndimage import shift

from mnist_core.data.drawings import (
    MOST_BYTES,
    PAD_SIDE,
    Edit,
    decoded,
    edit_table,
    edited,
    encoded,
    pad_of,
    seen,
)
from mnist_core.data.images import Pixels
from mnist_core.errors import DrawingError
from tests.support.memory import CAN_MEASURE, measured


def pad(top: int = 20, left: int = 30, height: int = 60, width: int = 12) -> Pixels:
    """A pad with one upright block of ink."""
    found = np.zeros((PAD_SIDE, PAD_SIDE), np.uint8)
    found[top : top + height, left : left + width] = 255
    return found


def file_of(grey: Pixels, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, kind)
    return buffer.getvalue()


def seven(side: int = 400) -> Pixels:
    """A seven: 255 for ink, 0 for paper, somewhere in the left half of a larger picture."""
    found = np.zeros((side, side), np.uint8)
    found[80:100, 60:180] = 255
    for row in range(100, 280):
        column = 170 - (row - 100) // 3
        found[row, column - 10 : column + 10] = 255
    return found


@pytest.mark.mnist
def test_digits_of_mnist_come_back_unchanged_wherever_they_are_put_and_however_large() -> None:
    with np.load(os.environ["MNIST_NPZ"]) as data:
        images = data["x_test"]
    unchanged = [np.array_equal(seen(np.pad(image, ((0, 9), (3, 0)))), image) for image in images]
    assert np.mean(unchanged) > 0.999  # a few of MNIST's are smaller than its own box of 20 pixels
    larger = images[:500].repeat(4, axis=1).repeat(4, axis=2)
    assert np.mean([np.array_equal(seen(big), image) for big, image in zip(larger, images, strict=False)]) > 0.99


@pytest.mark.parametrize(("top", "left"), [(0, 0), (5, 70), (50, 99)])
def test_where_on_the_pad_a_digit_is_drawn_makes_no_difference(top: int, left: int) -> None:
    np.testing.assert_array_equal(seen(pad(top, left)), seen(pad()))


def test_a_digit_fills_the_box_of_20_pixels_with_its_proportions_kept() -> None:
    picture = seen(pad(height=60, width=12))
    assert np.flatnonzero(picture.any(axis=1)).tolist() == list(range(4, 24)) or picture.any(axis=1).sum() == 20
    assert picture.any(axis=0).sum() == 4


def test_the_centre_of_mass_is_in_the_pixel_of_index_14() -> None:
    uneven = pad(height=60, width=12)
    uneven[20:32, 30:80] = 255  # like a gamma: most ink is at the top
    picture = seen(uneven).astype(float)
    for axis in (0, 1):
        centre = (picture.sum(axis=1 - axis) * (np.arange(28) + 0.5)).sum() / picture.sum()
        assert abs(centre - 14.5) <= 0.5


def test_without_centring_a_digit_stays_where_it_was_drawn() -> None:
    picture = seen(pad(top=80, left=8, height=20, width=4), centred=False)
    expected = np.zeros((28, 28), np.uint8)
    expected[20:25, 2] = 255
    np.testing.assert_array_equal(picture, expected)


def test_a_blank_pad_is_a_blank_picture() -> None:
    blank = np.zeros((PAD_SIDE, PAD_SIDE), np.uint8)
    assert not seen(blank).any()
    assert not seen(blank, centred=False).any()


def test_a_single_dot_is_a_picture_too() -> None:
    dot = np.zeros((PAD_SIDE, PAD_SIDE), np.uint8)
    dot[111, 0] = 1
    assert seen(dot).sum() == 400  # 20×20 pixels of the faintest ink


def test_a_pad_survives_the_way_from_the_browser() -> None:
    np.testing.assert_array_equal(decoded(encoded(pad())), pad())


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "A" * 20_000, "A" * 10**7, None, 7])
def test_what_is_no_pad_is_refused_in_words(text: object) -> None:
    with pytest.raises(DrawingError, match=r"12,544.*draw again"):
        decoded(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", ["dark on light", "light on dark", "in a shadow", "with specks", "transparent", "JPEG"]
)
def test_a_picture_gives_its_digit_however_it_was_taken(kind: str) -> None:
    digit = seven()
    if kind == "light on dark":
        content = file_of(20 + (digit // 255 * 200).astype(np.uint8))
    elif kind == "transparent":
        buffer = io.BytesIO()
        Image.fromarray(np.dstack([np.zeros_like(digit)] * 3 + [digit])).save(buffer, "PNG")
        content = buffer.getvalue()
    else:
        paper = np.full(digit.shape, 220.0)
        if kind == "in a shadow":
            paper = np.linspace(70, 230, 400)[None, :] * np.ones((400, 1))
        if kind == "with specks":
            paper[350:353, 350:353] = 60
        content = file_of(np.where(digit, 0.25 * paper, paper).astype(np.uint8), "JPEG" if kind == "JPEG" else "PNG")
    found, expected = seen(pad_of(content)).astype(int), seen(digit).astype(int)
    steps = (-1, 0, 1)  # the smoothed edge may move the centre of mass by a pixel
    apart = min(np.abs(np.roll(found, (y, x), (0, 1)) - expected).mean() for y in steps for x in steps)
    assert apart < 0.3 * expected.mean()


def test_a_small_picture_is_taken_as_it_is() -> None:
    small = seen(seven())
    np.testing.assert_allclose(seen(pad_of(file_of(small))).astype(int), small, atol=70)
    assert np.abs(seen(pad_of(file_of(small))).astype(int) - small).mean() < 3


def test_blank_paper_what_is_no_picture_and_what_is_too_large_are_refused_in_words() -> None:
    with pytest.raises(DrawingError, match="no digit is found"):
        pad_of(file_of(np.full((300, 300), 200, np.uint8)))
    with pytest.raises(DrawingError, match="no digit is found"):
        pad_of(file_of(np.full((20, 20), 200, np.uint8)))
    with pytest.raises(DrawingError, match="PNG or JPEG"):
        pad_of(b"GIF89a of nothing")
    with pytest.raises(DrawingError, match="10 MB"):
        pad_of(b"\0" * (MOST_BYTES + 1))
    with pytest.raises(DrawingError, match=r"8,000×8,000 pixels.*smaller"):
        pad_of(file_of(np.zeros((8000, 8000), np.uint8)))


def test_what_cannot_be_decoded_small_has_fewer_pixels() -> None:
    with pytest.raises(DrawingError, match=r"5,000×5,000 pixels; of a PNG at most 16 million.*use a JPEG"):
        pad_of(file_of(np.zeros((5000, 5000), np.uint8)))


@pytest.mark.skipif(not CAN_MEASURE, reason="the peak of the memory can be measured on Linux only")
@pytest.mark.parametrize(("kind", "mode", "side"), [("PNG", "RGBA", 4000), ("PNG", "P", 4000), ("JPEG", "RGB", 7000)])
def test_a_large_picture_takes_little_memory(kind: str, mode: str, side: int) -> None:
    written = io.BytesIO()
    Image.new(mode, (side, side)).save(written, kind)
    content = written.getvalue()
    with measured() as peak, pytest.raises(DrawingError, match="no digit is found"):
        pad_of(content)
    assert peak.bytes < 160e6


def test_a_photograph_is_turned_as_its_camera_says() -> None:
    picture = np.full((400, 300), 230, np.uint8)
    picture[60:340, 140:160] = 20
    upright, turned = io.BytesIO(), io.BytesIO()
    Image.fromarray(picture).save(upright, "PNG")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the file is to be turned by 90 degrees clockwise
    Image.fromarray(np.rot90(picture).copy()).save(turned, "PNG", exif=exif)
    np.testing.assert_array_equal(pad_of(turned.getvalue()), pad_of(upright.getvalue()))


def test_an_edit_that_changes_nothing_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    np.testing.assert_array_equal(edited(picture, edit_table(Edit())), picture)


def test_a_shift_moves_whole_pixels_and_what_leaves_the_picture_is_gone() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    expected = shift(picture.astype(float), (-2, 5), order=0)
    np.testing.assert_array_equal(edited(picture, edit_table(Edit(right=5, down=-2))), expected)


def test_a_quarter_turn_clockwise_is_that_of_numpy() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    np.testing.assert_array_equal(edited(picture, edit_table(Edit(turn=90))), np.rot90(picture, -1))


def test_any_turn_is_that_of_scipy_within_a_rounding() -> None:
    from scipy.ndimage import rotate

    picture = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    expected = rotate(picture.astype(float), -17, reshape=False, order=1, mode="grid-constant")
    np.testing.assert_allclose(edited(picture, edit_table(Edit(turn=17))), expected, atol=1.0)


def test_noise_is_that_of_its_seed_and_as_strong_as_it_says() -> None:
    grey = np.full((28, 28), 128, np.uint8)
    once, again = (edited(grey, edit_table(Edit(noise=0.1, seed=3))) for _ in range(2))
    other = edited(grey, edit_table(Edit(noise=0.1, seed=4)))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert once.std() == pytest.approx(25.5, rel=0.1)
