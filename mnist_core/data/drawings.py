"""A drawn, photographed or uploaded digit as the picture that a network sees: 28×28, as MNIST's digits are.

LeCun et al. (1998) fitted each digit into a box of 20×20 pixels, with its proportions kept and its edges smoothed, and
put the box into 28×28 pixels so that the centre of mass of the ink is in the middle. `seen` does the same.

All of it is arithmetic in whole numbers, because the page repeats it in JavaScript while a stroke is being drawn: both
give the same bytes, and so the same answers (`tests/e2e/test_draw_flow.py`).
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.data.images import Pixels
from mnist_core.errors import DrawingError

FINER = 4
"""Points of the pad to one pixel of the picture, in each direction."""
SIDE = IMAGE_SHAPE[0]
PAD_SIDE = FINER * SIDE
BOX = 20
"""The longer side of a digit in MNIST, in pixels."""
MIDDLE = 14.5
"""Position of the centre of mass of MNIST's digits, in pixels from the edge: in the middle of the pixel of index 14.

With it, `seen` gives 9,996 of the 10,000 test images back unchanged (tests/data/test_drawings.py).
"""

MOST_BYTES = 10_000_000
"""The largest picture file that is read: a photograph of a phone takes 2 to 6 MB."""
MOST_POINTS = 50_000_000
"""The most pixels that a picture may have."""
MOST_WHOLE_POINTS = 16_000_000
"""The most pixels of a picture that must be decoded whole, which takes 4 bytes each: all but a JPEG."""
LEAST_CONTRAST = 24
"""Grey levels of 255 between paper and ink, below which a picture counts as blank."""
_PHOTO_SIDE = 4 * PAD_SIDE


def decoded(text: str) -> Pixels:
    """Return the pad, uint8 of shape (112, 112) with ink 0 to 255, from its bytes in base64, row by row.

    Raises
    ------
    DrawingError
        where the text is not base64, or not of that many bytes.
    """
    most = 4 * (PAD_SIDE**2 // 3 + 1)
    try:
        content = base64.b64decode(text, validate=True) if isinstance(text, str) and len(text) <= most else b""
    except (binascii.Error, ValueError):
        content = b""
    if len(content) != PAD_SIDE**2:
        raise DrawingError(
            f"the drawing has {len(content):,} bytes in base64; it must have {PAD_SIDE**2:,}: reload the page and "
            "draw again"
        )
    return np.frombuffer(content, np.uint8).reshape(PAD_SIDE, PAD_SIDE)


def encoded(pad: Pixels) -> str:
    """Return a pad of shape (112, 112) in the form that `decoded` reads."""
    return base64.b64encode(pad.tobytes()).decode()


def seen(pad: Pixels, *, centred: bool = True) -> Pixels:
    """Return what a network sees of a pad: uint8 of shape (28, 28), 0 for paper to 255 for ink.

    Parameters
    ----------
    pad
        uint8 of shape (h, w).
    centred
        fit the digit into 20×20 pixels, and put its centre of mass into the middle, as in MNIST. Else the whole pad
        is only made smaller.
    """
    if not centred:
        return _resized(pad, *IMAGE_SHAPE)
    found = np.zeros(IMAGE_SHAPE, np.uint8)
    digit = _cut_out(pad)
    if not digit.size:
        return found
    height, width = _fitted(digit.shape[0], digit.shape[1])
    small = _resized(digit, height, width)
    top, left = _start(small.sum(axis=1)), _start(small.sum(axis=0))
    found[top : top + height, left : left + width] = small
    return found


def _cut_out(pad: Pixels) -> Pixels:
    """Return the smallest part of a pad that holds all its ink; of size 0 where there is none."""
    rows, columns = np.flatnonzero(pad.any(axis=1)), np.flatnonzero(pad.any(axis=0))
    return pad[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else pad[:0]


def _fitted(height: int, width: int, longest: int = BOX) -> tuple[int, int]:
    """Return height and width with the longer one made `longest`, and the proportions kept, to whole pixels."""
    longer = max(height, width)
    first, second = ((2 * longest * side + longer) // (2 * longer) for side in (height, width))
    return max(1, first), max(1, second)


def _resized(picture: Pixels, height: int, width: int) -> Pixels:
    """Return the picture with each new pixel the mean of the area that it covers, rounded half up."""
    sums = _overlaps(picture.shape[0], height) @ picture.astype(np.int64) @ _overlaps(picture.shape[1], width).T
    area = picture.shape[0] * picture.shape[1]
    rounded: Pixels = ((2 * sums + area) // (2 * area)).astype(np.uint8)
    return rounded


def _overlaps(old: int, new: int) -> NDArray[np.int64]:
    """Return by how much each of `new` cells of a line covers each of `old` ones, in 1/new of an old one."""
    from_new, from_old = old * np.arange(new)[:, None], new * np.arange(old)[None, :]
    covered: NDArray[np.int64] = np.minimum(from_new + old, from_old + new) - np.maximum(from_new, from_old)
    return np.maximum(covered, 0)


def _start(ink: NDArray[np.integer]) -> int:
    """Return where a digit begins among 28 pixels, so that its centre of mass is in the middle; it never leaves them.

    ink: its sums by row, or by column.
    """
    weights = ink.astype(np.int64)
    total = int(weights.sum())
    if not total:
        return (SIDE - len(weights)) // 2
    centre = int((weights * (2 * np.arange(len(weights)) + 1)).sum())  # in half pixels, times the total
    return min(max((int(2 * MIDDLE) * total - centre + total) // (2 * total), 0), SIDE - len(weights))


class Edit(NamedTuple):
    """Changes that the user makes to the picture before a network sees it.

    right, down: pixels, −14 to 14. turn: degrees clockwise, −180 to 180. noise: the standard deviation of what is
    added to each pixel, as a share of full ink, 0 to 1. seed: of the noise.
    """

    right: int = 0
    down: int = 0
    turn: float = 0.0
    noise: float = 0.0
    seed: int = 0


class EditTable(NamedTuple):
    """An edit as arithmetic in whole numbers, for Python and JavaScript alike.

    sources: int, shape (784, 4), the source pixels of each new pixel. weights: int, shape (784, 4), in 1/WHOLE.
    noise: int, shape (784,), grey levels that are added.
    """

    sources: NDArray[np.int64]
    weights: NDArray[np.int64]
    noise: NDArray[np.int64]


WHOLE = 4096
"""The weight of a pixel that is taken over as it is."""


def edit_table(edit: Edit) -> EditTable:
    """Return the table of an edit: turned about the middle with bilinear interpolation, then shifted, then noise."""
    places = np.arange(SIDE) - (SIDE - 1) / 2
    x, y = np.meshgrid(places - edit.right, places - edit.down)
    angle = np.deg2rad(edit.turn)
    # the place that each new pixel comes from: the edit backwards
    from_x = np.cos(angle) * x + np.sin(angle) * y + (SIDE - 1) / 2
    from_y = np.cos(angle) * y - np.sin(angle) * x + (SIDE - 1) / 2
    left, top = np.floor(from_x + 1e-9).astype(int), np.floor(from_y + 1e-9).astype(int)
    share_x, share_y = np.maximum(from_x - left, 0.0), np.maximum(from_y - top, 0.0)
    sources, weights = [], []
    for row, column, share in (
        (top, left, (1 - share_y) * (1 - share_x)),
        (top, left + 1, (1 - share_y) * share_x),
        (top + 1, left, share_y * (1 - share_x)),
        (top + 1, left + 1, share_y * share_x),
    ):
        inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
        sources.append(np.where(inside, row * SIDE + column, 0).ravel())
        weights.append(np.where(inside, np.rint(WHOLE * share), 0).ravel())
    drawn = np.random.default_rng(edit.seed).normal(0.0, 255 * edit.noise, SIDE * SIDE) if edit.noise else 0.0
    return EditTable(
        np.stack(sources, axis=1).astype(np.int64),
        np.stack(weights, axis=1).astype(np.int64),
        np.rint(np.broadcast_to(drawn, SIDE * SIDE)).astype(np.int64),
    )


def edited(picture: Pixels, table: EditTable) -> Pixels:
    """Return a picture, uint8 of shape (28, 28), after an edit."""
    mixed = (picture.ravel().astype(np.int64)[table.sources] * table.weights).sum(axis=1)
    levels: Pixels = np.clip((mixed + WHOLE // 2) // WHOLE + table.noise, 0, 255).astype(np.uint8)
    return levels.reshape(IMAGE_SHAPE)


def pad_of(content: bytes) -> Pixels:
    """Return the pad, uint8 of shape (112, 112), with the digit of a picture file: a photograph, a scan, a drawing.

    The picture's edge is assumed to be paper, which decides if the ink is dark or light. Shadows on the paper are
    evened out, Otsu's threshold (1979) separates ink from paper, and specks are removed. The digit is put into the
    middle of the pad, its longer side as long as in MNIST.

    Raises
    ------
    DrawingError
        if it is no picture, is too large, or has no ink on it.
    """
    ink = _ink(_grey(content))
    digit = _cut_out(ink)
    if not digit.size:
        raise DrawingError("no digit is found on the picture; use one with dark ink on light paper, in even light")
    height, width = _fitted(digit.shape[0], digit.shape[1], FINER * BOX)
    pad = np.zeros((PAD_SIDE, PAD_SIDE), np.uint8)
    top, left = (PAD_SIDE - height) // 2, (PAD_SIDE - width) // 2
    pad[top : top + height, left : left + width] = _resized(digit, height, width)
    return pad


def _grey(content: bytes) -> Pixels:
    """Return a picture file as grey levels, uint8 of shape (h, w), no side longer than four pads."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if len(content) > MOST_BYTES:
        raise DrawingError(
            f"the picture has {len(content) / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read: make it smaller"
        )
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "GIF", "BMP", "WEBP")) as opened:
            _check_points(opened.size, MOST_POINTS)
            opened.draft("L", (_PHOTO_SIDE, _PHOTO_SIDE))  # a large JPEG is decoded small, which is much faster
            _check_points(opened.size, MOST_WHOLE_POINTS, f"of a {opened.format} ", ", or use a JPEG")
            # first small, then turned and with colours of one kind: each of these steps makes a copy
            small = opened if opened.mode in ("L", "RGB", "RGBA") else opened.convert("RGBA")
            small.thumbnail((_PHOTO_SIDE, _PHOTO_SIDE))
            picture = ImageOps.exif_transpose(small).convert("RGBA")
            paper = Image.new("RGBA", picture.size, "white")
            return np.asarray(Image.alpha_composite(paper, picture).convert("L"))
    except DrawingError:
        raise
    except Exception as error:  # whatever Pillow makes of a damaged file
        # Pillow names the object that it reads from, which is no file to a person
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise DrawingError(f"the file cannot be read as a picture{reason}; use a PNG or JPEG") from error


def _check_points(size: tuple[int, int], most: int, kind: str = "", remedy: str = "") -> None:
    """Raise DrawingError where a picture of this size has too many pixels. remedy: another than to make it smaller."""
    width, height = size
    if width * height > most:
        raise DrawingError(
            f"the picture has {width:,}×{height:,} pixels; {kind}at most {most / 1e6:.0f} million are read: "
            f"make it smaller{remedy}"
        )


def _ink(grey: Pixels) -> Pixels:
    """Return how much ink there is, 0 to 255, on a picture of grey levels, with paper at 0 exactly."""
    from scipy.ndimage import label

    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    dark = (grey if np.median(edge) >= 128 else 255 - grey).astype(np.int64)  # dark ink on light paper
    if max(grey.shape) <= 2 * SIDE:  # too small for shadows, and as sharp as it will be
        depth = np.median(edge if np.median(edge) >= 128 else 255 - edge).astype(np.int64) - dark
        threshold = LEAST_CONTRAST // 2
        low, high = threshold // 2, int(depth.max())
    else:
        depth = np.clip(np.rint(_paper(dark) - dark), 0, 255).astype(np.int64)
        threshold = _otsu(depth)
        low, high = threshold * 6 // 10, threshold * 14 // 10
    if depth.max() < LEAST_CONTRAST:
        return np.zeros(grey.shape, np.uint8)
    ink = np.clip(255 * (depth - low) // max(1, high - low), 0, 255)
    pieces, count = label(ink > 0, structure=np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), weights=ink.ravel(), minlength=count + 1)
    kept = sizes >= 0.02 * sizes[1:].max(initial=1.0)
    kept[0] = False
    return np.where(kept[pieces], ink, 0).astype(np.uint8)


def _paper(dark: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how light the paper is under dark ink, of the same shape: a smooth surface, as a shadow or a lamp makes.

    A polynomial of the second degree is fitted to the picture, and again without what lies well below it, the ink.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in dark.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    some = terms[::4, ::4].reshape(-1, 6), dark[::4, ::4].ravel()
    kept = np.ones(len(some[1]), bool)
    for _ in range(6):
        factors = np.linalg.lstsq(some[0][kept], some[1][kept], rcond=None)[0]
        apart = some[1] - some[0] @ factors
        kept = apart > -max(4.0, float(apart[kept].std()))
    surface: NDArray[np.float64] = terms @ factors
    return surface


def _otsu(depth: NDArray[np.int64]) -> int:
    """Return the level that parts the values, 0 to 255, into two classes of the least variance within (Otsu 1979)."""
    counts = np.bincount(depth.ravel(), minlength=256).astype(float)
    below, total = np.cumsum(counts), counts.sum()
    sums = np.cumsum(counts * np.arange(256))
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (sums[-1] * below - sums * total) ** 2 / (below * (total - below))
    return int(np.nan_to_num(between[:255], posinf=0.0).argmax()) + 1
