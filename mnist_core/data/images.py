"""Images of digits as arrays: bringing small ones to 28×28, and laying many out on one sheet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE

Pixels = NDArray[np.uint8]


def enlarge_8_to_28(images: NDArray[np.integer]) -> Pixels:
    """Return 8×8 images of values 0 to 16 as 28×28 images of 0 to 255, shape (n, 28, 28).

    Each side grows three times by linear interpolation and gets a margin of two pixels, as MNIST has one. The
    arithmetic is in whole numbers, so that every machine gets the same bytes and so the same fingerprint.
    """
    weights = np.zeros((24, 8), np.int64)  # in thirds
    for row in range(24):
        centre, offset = divmod(row, 3)
        neighbour = min(max(centre + offset - 1, 0), 7)
        weights[row, centre] += 2 if offset != 1 else 3
        weights[row, neighbour] += 1 if offset != 1 else 0
    ninths = weights @ images.astype(np.int64) @ weights.T
    grown = (ninths * 255 + 72) // 144  # 144 = 9 × 16, rounded half up
    return np.pad(grown, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)


def sprite(images: Pixels, columns: int) -> Pixels:
    """Return images of shape (n, 28, 28) on one sheet, row by row, `columns` to a row.

    The rest of the last row is black.
    """
    height, width = IMAGE_SHAPE
    rows = max(1, -(-len(images) // columns))
    sheet = np.zeros((rows * columns, height, width), np.uint8)
    sheet[: len(images)] = images
    return sheet.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
