"""The corruptions do what the paper's definitions say, always alike, and to each image by itself."""

import numpy as np
import pytest
from scipy.ndimage import rotate, zoom
from scipy.stats import poisson

from mnist_core.data.images import Pixels
from mnist_core.errors import ConfigError
from mnist_core.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupted


@pytest.fixture(scope="module")
def digits() -> Pixels:
    """Sixty digits of scikit-learn's, which need no download."""
    from sklearn.datasets import load_digits

    from mnist_core.data.images import enlarge_8_to_28

    return enlarge_8_to_28(load_digits().images[:60].astype(int))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_equal_arguments_give_equal_images_and_another_seed_or_severity_others(
    name: str, severity: int, digits: Pixels
) -> None:
    found = corrupted(digits, name, severity)
    assert found.shape == digits.shape
    assert found.dtype == np.uint8
    assert (found != digits).any()
    np.testing.assert_array_equal(found, corrupted(digits, name, severity))
    other = severity % 5 + 1
    assert (found != corrupted(digits, name, other)).any()
    if name not in ("scale", "brightness", "stripe", "canny_edges"):  # the others draw random numbers
        assert (found != corrupted(digits, name, severity, seed=1)).any()


def test_the_images_that_are_given_stay_as_they_are(digits: Pixels) -> None:
    before = digits.copy()
    for name in CORRUPTIONS:
        corrupted(digits, name, 3)
    np.testing.assert_array_equal(digits, before)


@pytest.mark.parametrize("name", ["scale", "brightness", "stripe", "canny_edges", "glass_blur"])
def test_an_image_does_not_depend_on_its_neighbours(name: str, digits: Pixels) -> None:
    if name == "glass_blur":  # draws one number after the other for all images: only blank ones are certain
        alone = digits.copy()
        alone[1:] = 0
        assert not corrupted(alone, name, 5)[1:].any()
    else:
        np.testing.assert_array_equal(corrupted(digits, name, 3)[5:6], corrupted(digits[5:6], name, 3))


def test_an_unknown_corruption_or_severity_is_refused_in_words(digits: Pixels) -> None:
    with pytest.raises(ConfigError, match="no corruption 'snow'; choose one of shot_noise"):
        corrupted(digits, "snow", 1)
    with pytest.raises(ConfigError, match="severity is 6"):
        corrupted(digits, "fog", 6)


GREY = np.full((400, 28, 28), 128, np.uint8)


@pytest.mark.parametrize(("severity", "count"), list(zip(SEVERITIES, (60, 25, 12, 5, 3), strict=True)))
def test_shot_noise_is_poisson_of_so_many_photons(severity: int, count: int) -> None:
    found = corrupted(GREY, "shot_noise", severity) / 255
    share = 128 / 255
    photons = np.arange(200)  # what is brighter than full ink is cut off
    expected = (np.minimum(photons / count, 1) * poisson.pmf(photons, share * count)).sum()
    assert found.mean() == pytest.approx(expected, abs=0.003)
    steps = np.unique(np.rint(found[found < 0.999] * count - found[found < 0.999] * count))
    assert steps.tolist() == [0]
    if count > 10:
        assert found.std() == pytest.approx(np.sqrt(share / count), rel=0.05)


@pytest.mark.parametrize(("severity", "share"), list(zip(SEVERITIES, (0.03, 0.06, 0.09, 0.17, 0.27), strict=True)))
def test_impulse_noise_makes_such_a_share_black_or_white(severity: int, share: float) -> None:
    found = corrupted(GREY, "impulse_noise", severity)
    assert (found != 128).mean() == pytest.approx(share, rel=0.05)
    assert (found == 0).mean() == pytest.approx((found == 255).mean(), rel=0.05)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_adds_a_tenth_of_full_light_for_each_severity(severity: int) -> None:
    expected = np.rint(128 + 25.5 * severity)
    np.testing.assert_allclose(corrupted(GREY, "brightness", severity), expected, atol=1)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_translate_moves_every_digit_to_one_of_four_corners(severity: int, digits: Pixels) -> None:
    corners = [
        np.roll(np.pad(digits, ((0, 0), (9, 9), (9, 9))), (down * severity, right * severity), (1, 2))[:, 9:-9, 9:-9]
        for down in (-1, 1)
        for right in (-1, 1)
    ]
    found = corrupted(digits, "translate", severity)
    which = [[np.array_equal(image, corner[place]) for corner in corners] for place, image in enumerate(found)]
    assert np.array(which).any(axis=1).all()
    assert np.array(which).any(axis=0).all()


def test_rotate_turns_by_the_angle_one_way_or_the_other_as_scipy_does(digits: Pixels) -> None:
    found = corrupted(digits, "rotate", 2).astype(int)
    degrees = np.rad2deg(0.4)
    ways = [
        rotate(digits.astype(float), way * degrees, axes=(2, 1), reshape=False, order=1, mode="grid-constant")
        for way in (-1, 1)
    ]
    apart = np.array([np.abs(found - way).max(axis=(1, 2)) for way in ways])
    assert (apart.min(axis=0) <= 1).all()
    assert set(apart.argmin(axis=0)) == {0, 1}


def test_scale_makes_digits_smaller_about_the_centre() -> None:
    block = np.zeros((1, 28, 28), np.uint8)
    block[0, 4:24, 4:24] = 255
    found = corrupted(block, "scale", 5)[0].astype(float)
    assert found.sum() == pytest.approx(block.sum() / 4, rel=0.05)
    np.testing.assert_array_equal(found, found[::-1, ::-1])
    smaller = zoom(block[0].astype(float), 0.5, order=1)
    assert smaller.sum() == pytest.approx(found.sum(), rel=0.1)


def test_stripe_turns_seven_columns_about_on_either_side_at_the_published_severity(digits: Pixels) -> None:
    found = corrupted(digits, "stripe", CORRUPTIONS["stripe"].published)
    np.testing.assert_array_equal(found[:, :, :7], 255 - digits[:, :, :7])
    np.testing.assert_array_equal(found[:, :, 21:], 255 - digits[:, :, 21:])
    np.testing.assert_array_equal(found[:, :, 7:21], digits[:, :, 7:21])


def test_motion_blur_keeps_the_light_and_smears_a_point_to_the_right_along_a_line() -> None:
    point = np.zeros((50, 28, 28), np.uint8)
    point[:, 14, 20] = 255
    found = corrupted(point, "motion_blur", 1).astype(float)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 255, rtol=0.05)
    rows, columns = np.nonzero(found.sum(axis=0))
    assert columns.max() == 20
    assert columns.min() >= 20 - 12
    assert (np.abs(rows - 14) <= 20 - columns + 1).all()  # 45° at most


def test_fog_is_brightest_at_the_images_own_brightest_value_and_needs_ink(digits: Pixels) -> None:
    found = corrupted(digits, "fog", 5)
    assert (found.max(axis=(1, 2)) <= digits.max(axis=(1, 2))).all()
    assert found[:, 0, 0].std() > 10  # the paper is uneven
    assert not corrupted(np.zeros((3, 28, 28), np.uint8), "fog", 5).any()


def test_spatter_covers_with_dark_grey_and_leaves_the_rest_as_it_is() -> None:
    blank = np.zeros((50, 28, 28), np.uint8)
    mud = corrupted(blank, "spatter", 4)
    assert mud.max() == 63
    assert 0.01 < (mud > 0).mean() < 0.5
    assert mud[mud > 0].min() >= np.floor(0.8 * 63)


@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_lines_cross_the_image_and_only_add_ink(name: str, digits: Pixels) -> None:
    found = corrupted(digits, name, 1)
    assert (found.astype(int) >= digits).all()
    lines = corrupted(np.zeros((30, 28, 28), np.uint8), name, 1)
    columns = (lines > 0).any(axis=1)
    if name == "dotted_line":
        dotted = np.arange(28) // 2 % 2 == 1
        dotted[27] = False
        assert not columns[:, ~dotted].any()
        assert columns.mean(axis=0)[dotted].min() > 0.5
    else:
        assert columns[:, 3:25].mean() > 0.8
        assert not columns[:, 27].any()


def test_canny_leaves_the_outline_of_a_block_and_nothing_else() -> None:
    block = np.zeros((1, 28, 28), np.uint8)
    block[0, 8:20, 8:20] = 255
    found = corrupted(block, "canny_edges", 3)[0]
    assert set(np.unique(found)) == {0, 255}
    assert not found[11:17, 11:17].any()
    assert not found[:6].any()
    assert not found[22:].any()
    for line in (found[14], found[:, 14]):
        assert np.count_nonzero(line) == 2
