"""Areas that a person draws on a map of digits, and the digits that lie in one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 1_000
"""Steps along each axis of a map; corners of areas are whole steps, so that an area is a short text."""
MARGIN = 0.05
"""Share of the grid that is free on each side of the outermost points."""
MOST_CORNERS = 24
"""Corners of an area in a link; a freehand line is simplified until it has no more."""

Corners = tuple[tuple[int, int], ...]


def on_grid(places: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return places of shape (n, 2) in whole steps of the grid, 0 to `GRID` from left to right and from bottom to top.

    The outermost points lie `MARGIN` from its edges. Along an axis on which all are the same, they lie in the middle.
    """
    if not len(places):
        return np.zeros((0, 2), np.int64)
    low, high = places.min(axis=0), places.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    shares = np.where(high > low, (places - low) / width, 0.5)
    return np.rint(GRID * (MARGIN + (1 - 2 * MARGIN) * shares)).astype(np.int64)


def inside(points: NDArray[np.int64], corners: Corners) -> NDArray[np.bool_]:
    """True for each point, shape (n, 2), that lies in the polygon with these corners.

    A ray from the point crosses the outline an odd number of times (the even-odd rule, as SVG has it), so that a line
    that crosses itself has holes.
    """
    x, y = points[:, 0].astype(float), points[:, 1].astype(float)
    found = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y0 == y1:  # the ray is horizontal, as this edge is
            continue
        between = (y0 > y) != (y1 > y)
        found ^= between & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return found


def corners_text(corners: Corners) -> str:
    """Return the corners as in a link, such as ``120.340-500.340-500.720``."""
    return "-".join(f"{x}.{y}" for x, y in corners)


def corners_of(text: str) -> Corners | None:
    """Return the corners that a text in the form of `corners_text` has; None where it is no area.

    An area has 3 to `MOST_CORNERS` corners, all on the grid.
    """
    pairs = [part.split(".") for part in text.split("-")]
    if not 3 <= len(pairs) <= MOST_CORNERS:
        return None
    if not all(len(pair) == 2 and all(part.isascii() and part.isdigit() for part in pair) for pair in pairs):
        return None
    if any(len(part) > 4 for pair in pairs for part in pair):
        return None
    corners = tuple((int(x), int(y)) for x, y in pairs)
    return corners if all(0 <= step <= GRID for corner in corners for step in corner) else None
