"""Test images made harder: the fifteen corruptions of MNIST-C (Mu and Gilmer 2019), at five severities.

N. Mu and J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", arXiv:1906.02337. The parameters are those
of the authors' published program (github.com/google-research/mnist-c); MNIST-C itself has each corruption at one
severity, `Corruption.published`. This is another program for the same definitions, on many images at once, with other
random numbers: its images are not those of the published file, and figures measured on the two are not to be mixed.

Where the definitions leave something open, or are not followed to the letter, it says so:

- Stripe, dotted line, zigzag and Canny edges have one severity in MNIST-C. Their other severities are defined here.
- Fog: each image gets a window of one of 64 random landscapes in place of the corner of its own.
- Motion blur: the angle is a whole number of degrees.
- Zigzag: its last point lies on the line.
- Canny edges: no sub-pixel interpolation of the gradient; its direction is one of four.
"""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.data.images import Pixels
from mnist_core.errors import ConfigError

SEVERITIES = (1, 2, 3, 4, 5)
SIDE = IMAGE_SHAPE[0]

_Images = NDArray[np.float32]
"""Images of shape (n, 28, 28), 0 to 1."""
_Random = np.random.Generator


class Corruption(NamedTuple):
    """One way to make images harder.

    label: for a person. published: the severity of MNIST-C. own: True if the other severities are defined here.
    apply: from images, severity and random numbers to images.
    """

    label: str
    published: int
    own: bool
    apply: Callable[[_Images, int, _Random], _Images]


def corrupted(images: Pixels, name: str, severity: int, seed: int = 0) -> Pixels:
    """Return images of shape (n, 28, 28), uint8, after a corruption; the same for equal arguments.

    Raises
    ------
    ConfigError
        where there is no such corruption, or no such severity.
    """
    if name not in CORRUPTIONS:
        raise ConfigError(f"there is no corruption {name!r}; choose one of {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise ConfigError(f"the severity is {severity!r}; it must be 1, 2, 3, 4 or 5")
    random = np.random.default_rng([seed, zlib.crc32(name.encode()), severity])
    values = CORRUPTIONS[name].apply(images.astype(np.float32) / np.float32(255), severity, random)
    found: Pixels = np.rint(np.clip(values, 0, 1) * np.float32(255)).astype(np.uint8)
    return found


def _blurred(values: _Images, sigma: float) -> _Images:
    from scipy.ndimage import gaussian_filter

    found: _Images = gaussian_filter(values, (0, sigma, sigma), mode="nearest")
    return found


def _shot_noise(values: _Images, severity: int, random: _Random) -> _Images:
    """Count photons: Poisson with `count` for full ink; fewer of them are noisier."""
    count = (60, 25, 12, 5, 3)[severity - 1]
    found = np.zeros_like(values)
    inked = values > 0  # paper stays paper
    found[inked] = random.poisson(values[inked] * count) / count
    return found


def _impulse_noise(values: _Images, severity: int, random: _Random) -> _Images:
    """Return images with salt and pepper: a share of the pixels becomes black or white, half each."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    drawn = random.random(values.shape, np.float32)
    found: _Images = np.where(drawn < share, (drawn < share / 2).astype(np.float32), values)
    return found


def _glass_blur(values: _Images, severity: int, random: _Random) -> _Images:
    """Blur, swap each pixel with a near one at every second place on average, and blur again."""
    sigma, most, rounds = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    count = len(values)
    levels = np.floor(_blurred(values, sigma) * 255).astype(np.uint8)
    pixels = np.ascontiguousarray(levels.reshape(count, -1).T)  # one row a pixel: a swap touches two rows
    images = np.arange(count)
    for _ in range(rounds):
        for row in range(SIDE - most, most, -1):
            for column in range(SIDE - most, most, -1):
                right, down = random.integers(-most, most, (2, count), dtype=np.int8).astype(np.intp)
                swapped = random.integers(0, 2, count, dtype=np.int8).astype(bool)
                here = row * SIDE + column
                there = np.where(swapped, here + down * SIDE + right, here)
                kept = pixels[here].copy()
                pixels[here] = pixels[there, images]
                pixels[there, images] = kept
    return _blurred(pixels.T.reshape(values.shape).astype(np.float32) / np.float32(255), sigma)


def _motion_blur(values: _Images, severity: int, random: _Random) -> _Images:
    """Smear each image along a line of −45° to 45°: half a Gaussian of `sigma`, cut after 2·radius pixels."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-(taps**2) / (2 * sigma**2))
    taps, weights = taps[weights > 1e-3], weights[weights > 1e-3]
    weights = (weights / weights.sum()).astype(np.float32)
    margin = int(taps[-1]) + 1
    padded = np.pad(values, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    angles = random.integers(-45, 45, len(values))
    found = np.zeros_like(values)
    for angle in np.unique(angles):
        of_angle = np.flatnonzero(angles == angle)
        some, total = padded[of_angle], np.zeros((len(of_angle), SIDE, SIDE), np.float32)
        for tap, weight in zip(taps, weights, strict=True):
            right = margin + math.ceil(tap * math.cos(math.radians(angle)) - 0.5)
            down = margin + math.ceil(tap * math.sin(math.radians(angle)) - 0.5)
            total += weight * some[:, down : down + SIDE, right : right + SIDE]
        found[of_angle] = total
    return found


def _warped(values: _Images, maps: list[tuple[float, float, float, float]], random: _Random) -> _Images:
    """Return each image under one of some linear maps about its centre, chosen at random.

    A map (a, b, c, d): the pixel at x to the right and y down of the centre comes from (a·x + b·y, c·x + d·y), by
    bilinear interpolation, black outside.
    """
    chosen = random.integers(0, len(maps), len(values))
    flat, found = values.reshape(len(values), -1), np.empty((len(values), SIDE * SIDE), np.float32)
    for number, factors in enumerate(maps):
        found[chosen == number] = flat[chosen == number] @ _bilinear(factors)
    return found.reshape(values.shape)


@functools.lru_cache(maxsize=64)
def _bilinear(factors: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """Return a linear map of images as a matrix of shape (784, 784), old pixels by new ones."""
    a, b, c, d = factors
    places = np.arange(SIDE) - (SIDE - 1) / 2
    x, y = np.meshgrid(places, places)
    from_x, from_y = (a * x + b * y + (SIDE - 1) / 2).ravel(), (c * x + d * y + (SIDE - 1) / 2).ravel()
    left, top = np.floor(from_x + 1e-9).astype(int), np.floor(from_y + 1e-9).astype(int)
    right, down = np.maximum(from_x - left, 0), np.maximum(from_y - top, 0)
    matrix = np.zeros((SIDE * SIDE, SIDE * SIDE), np.float32)
    for row, column, share in (
        (top, left, (1 - down) * (1 - right)),
        (top, left + 1, (1 - down) * right),
        (top + 1, left, down * (1 - right)),
        (top + 1, left + 1, down * right),
    ):
        inside = np.flatnonzero((row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE))
        np.add.at(matrix, (row[inside] * SIDE + column[inside], inside), share[inside].astype(np.float32))
    return matrix


def _shear(values: _Images, severity: int, random: _Random) -> _Images:
    """Slant by an angle, to one side or the other."""
    angle = (0.2, 0.4, 0.6, 0.8, 1.0)[severity - 1]
    return _warped(values, [(1, -math.sin(turn), 0, math.cos(turn)) for turn in (-angle, angle)], random)


def _scale(values: _Images, severity: int, random: _Random) -> _Images:
    """Make smaller."""
    factor = 1 / (0.9, 0.8, 0.7, 0.6, 0.5)[severity - 1]
    return _warped(values, [(factor, 0, 0, factor)], random)


def _rotate(values: _Images, severity: int, random: _Random) -> _Images:
    """Turn by an angle in radians, one way or the other."""
    angle = (0.2, 0.4, 0.6, 0.8, 1.0)[severity - 1]
    turns = [(math.cos(turn), -math.sin(turn), math.sin(turn), math.cos(turn)) for turn in (-angle, angle)]
    return _warped(values, turns, random)


def _brightness(values: _Images, severity: int, random: _Random) -> _Images:
    """Add light everywhere."""
    return values + np.float32((0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1])


def _translate(values: _Images, severity: int, random: _Random) -> _Images:
    """Move by so many pixels in both directions, towards one of the four corners."""
    padded = np.pad(values, ((0, 0), (severity, severity), (severity, severity)))
    corner = random.integers(0, 4, len(values))
    found = np.empty_like(values)
    for number in range(4):
        down, right = (2 * severity * step for step in divmod(number, 2))
        found[corner == number] = padded[corner == number, down : down + SIDE, right : right + SIDE]
    return found


def _stripe(values: _Images, severity: int, random: _Random) -> _Images:
    """Turn ink and paper about in a stripe at the left and one at the right."""
    width = (3, 5, 7, 9, 11)[severity - 1]
    found = values.copy()
    for side in (np.s_[:, :, :width], np.s_[:, :, SIDE - width :]):
        found[side] = 1 - found[side]
    return found


def _fog(values: _Images, severity: int, random: _Random) -> _Images:
    """Lay a random landscape of light over the image, and bring the sum back to the image's brightest value."""
    strength, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    land = _landscapes(64, 256, decay, random)
    which, top, left = (random.integers(0, most, len(values)) for most in (64, 256, 256))
    places = np.arange(SIDE)
    rows, columns = (top[:, None] + places) % 256, (left[:, None] + places) % 256  # a landscape has no edge
    light = land[which[:, None, None], rows[:, :, None], columns[:, None, :]]
    brightest = values.max(axis=(1, 2), keepdims=True)
    found: _Images = (values + np.float32(strength) * light) * (brightest / (brightest + np.float32(strength)))
    return found


def _landscapes(count: int, side: int, decay: float, random: _Random) -> _Images:
    """Return random landscapes of shape (count, side, side), 0 to 1, by the diamond-square method.

    Every new point is the mean of four neighbours and a random offset, which shrinks by `decay` from scale to scale
    (Fournier, Fussell and Carpenter 1982). side: a power of two. Opposite edges meet.
    """
    land = np.zeros((count, side, side), np.float32)
    step, offset = side, 1.0

    def near(corners: _Images) -> _Images:
        made: _Images = (corners / 4 + random.uniform(-offset, offset, corners.shape)).astype(np.float32)
        return made

    while step >= 2:
        half = step // 2
        grid = land[:, ::step, ::step]
        across = grid + np.roll(grid, -1, axis=1)
        land[:, half::step, half::step] = near(across + np.roll(across, -1, axis=2))
        middle = land[:, half::step, half::step]
        land[:, ::step, half::step] = near(middle + np.roll(middle, 1, axis=1) + grid + np.roll(grid, -1, axis=2))
        land[:, half::step, ::step] = near(middle + np.roll(middle, 1, axis=2) + grid + np.roll(grid, -1, axis=1))
        step, offset = half, offset / decay
    low, high = land.min(axis=(1, 2), keepdims=True), land.max(axis=(1, 2), keepdims=True)
    found: _Images = ((land - low) / (high - low)).astype(np.float32)
    return found


def _spatter(values: _Images, severity: int, random: _Random) -> _Images:
    """Throw mud: smooth noise above a threshold, blurred, covers the ink with a dark grey."""
    mean, spread, sigma, least, soft = (
        (0.65, 0.3, 4.0, 0.69, 0.6),
        (0.65, 0.3, 3.0, 0.68, 0.6),
        (0.65, 0.3, 2.0, 0.68, 0.5),
        (0.65, 0.3, 1.0, 0.65, 1.5),
        (0.67, 0.4, 1.0, 0.65, 1.5),
    )[severity - 1]
    noise = random.standard_normal(values.shape, np.float32) * np.float32(spread) + np.float32(mean)
    mud = _blurred((_blurred(noise, sigma) > least).astype(np.float32), soft)
    mud[mud < 0.8] = 0
    found: _Images = values * (1 - mud) + np.float32(63 / 255) * mud
    return found


def _segment(x0: float, y0: float, x1: float, y1: float) -> _Images:
    """Return a soft line from (x0, y0) to (x1, y1), x0 < x1: ink 1 + log(1 − d/2.3), where d is how far above it is."""
    x, y = np.meshgrid(np.arange(SIDE, dtype=float), np.arange(SIDE, dtype=float))
    apart = np.abs(y - (y0 + (y1 - y0) / (x1 - x0) * (x - x0)))
    ink = np.clip(np.log(1 - np.clip(apart, 0, 2.3 - 1e-10) / 2.3) + 1, 0, 1)
    ink[:, : max(0, math.floor(x0))] = 0
    ink[:, max(0, math.ceil(x1)) :] = 0
    found: _Images = ink.astype(np.float32)
    return found


@functools.lru_cache(maxsize=1)
def _dotted_lines() -> _Images:
    """Return the dotted lines from each row at the left, 0 to 26, to each at the right, shape (27 · 27, 28, 28)."""
    lines = np.stack([_segment(0, left, 27, right) for left in range(27) for right in range(27)])
    lines[:, :, np.arange(SIDE) // 2 % 2 == 0] = 0  # two columns off, two on
    return lines


@functools.lru_cache(maxsize=1)
def _zigzags() -> _Images:
    """Return the zigzags that begin in row 0 to 26 and end −5 to 4 rows lower, shape (27 · 10, 28, 28)."""
    return np.stack([_zigzag_line(row, row + fall) for row in range(27) for fall in range(-5, 5)])


def _zigzag_line(first: int, last: int, left: int = 2, right: int = 25, size: float = 2.0) -> _Images:
    """Return a line from column `left` to `right` that turns every 2·size pixels, `size` to either side."""
    slope = math.atan((last - first) / (right - left))
    length = (right - left) / math.cos(slope)
    along = [0.0, *np.arange(size, length, 2 * size), length]
    aside = [0.0, *(size * (-1) ** turn for turn in range(len(along) - 2)), 0.0]
    points = [
        (left + a * math.cos(slope) - b * math.sin(slope), first + a * math.sin(slope) + b * math.cos(slope))
        for a, b in zip(along, aside, strict=True)
    ]
    total = np.zeros(IMAGE_SHAPE, np.float32)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x1 > x0:
            total = np.minimum(total + _segment(x0, y0, x1, y1), 1)
    return total


def _with_lines(values: _Images, lines: _Images, times: int, random: _Random) -> _Images:
    found: _Images = values
    for _ in range(times):
        found = np.minimum(found + lines[random.integers(0, len(lines), len(values))], 1)
    return found


def _dotted_line(values: _Images, severity: int, random: _Random) -> _Images:
    """Draw as many dotted lines across the image as the severity."""
    return _with_lines(values, _dotted_lines(), severity, random)


def _zigzag(values: _Images, severity: int, random: _Random) -> _Images:
    """Draw as many zigzags across the image as the severity."""
    return _with_lines(values, _zigzags(), severity, random)


def _canny_edges(values: _Images, severity: int, random: _Random) -> _Images:
    """Leave the edges only (Canny 1986): smoothed by `sigma`, thresholds 0.1 and 0.2 of the gradient."""
    from scipy.ndimage import correlate1d, label

    smooth = _blurred(values, (0.6, 0.8, 1.0, 1.2, 1.5)[severity - 1])
    # Sobel's gradient; SciPy's own function for it would mix neighbouring images
    down = correlate1d(correlate1d(smooth, [-1, 0, 1], axis=1), [1, 2, 1], axis=2)
    right = correlate1d(correlate1d(smooth, [-1, 0, 1], axis=2), [1, 2, 1], axis=1)
    strength = np.hypot(down, right)
    direction = np.rint(np.arctan2(down, right) / (np.pi / 4)).astype(np.int8) % 4
    padded = np.pad(strength, ((0, 0), (1, 1), (1, 1)))
    ridge = np.zeros(values.shape, bool)
    for number, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[:, 1 + y : 1 + y + SIDE, 1 + x : 1 + x + SIDE]
        behind = padded[:, 1 - y : 1 - y + SIDE, 1 - x : 1 - x + SIDE]
        ridge |= (direction == number) & (strength >= ahead) & (strength > behind)
    ridge[:, [0, -1], :] = ridge[:, :, [0, -1]] = False
    weak = ridge & (strength >= 0.1)
    together = np.zeros((3, 3, 3), bool)
    together[1] = True  # never from one image to the next
    pieces, count = label(weak, structure=together)
    strong = np.zeros(count + 1, bool)
    strong[np.unique(pieces[weak & (strength >= 0.2)])] = True
    strong[0] = False
    found: _Images = strong[pieces].astype(np.float32)
    return found


CORRUPTIONS: dict[str, Corruption] = {
    "shot_noise": Corruption("Shot noise", 5, False, _shot_noise),
    "impulse_noise": Corruption("Impulse noise", 4, False, _impulse_noise),
    "glass_blur": Corruption("Glass blur", 1, False, _glass_blur),
    "motion_blur": Corruption("Motion blur", 1, False, _motion_blur),
    "shear": Corruption("Shear", 2, False, _shear),
    "scale": Corruption("Scale", 3, False, _scale),
    "rotate": Corruption("Rotate", 2, False, _rotate),
    "brightness": Corruption("Brightness", 5, False, _brightness),
    "translate": Corruption("Translate", 3, False, _translate),
    "stripe": Corruption("Stripe", 3, True, _stripe),
    "fog": Corruption("Fog", 5, False, _fog),
    "spatter": Corruption("Spatter", 4, False, _spatter),
    "dotted_line": Corruption("Dotted line", 1, True, _dotted_line),
    "zigzag": Corruption("Zigzag", 1, True, _zigzag),
    "canny_edges": Corruption("Canny edges", 3, True, _canny_edges),
}
"""The corruptions of MNIST-C, in the paper's order."""
