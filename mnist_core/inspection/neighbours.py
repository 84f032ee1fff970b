"""The training digits that are most like a given one: by their pixels, or by what a network makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.experiments.configs import ModelConfig

if TYPE_CHECKING:
    from mnist_core.data.images import Pixels
    from mnist_core.inspection.numpy_network import Network

MOST_OPERATIONS = 30_000_000_000
"""Multiplications that one reading of the training digits may cost: a second or two on a laptop."""
MOST_VALUES = 30_000_000
"""Values of hidden units that may be kept for one run: 120 MB."""
_BLOCK = 4096


class Neighbours(NamedTuple):
    """The nearest of some points, nearest first. indices: their places. distances: Euclidean. Both of shape (k,)."""

    indices: NDArray[np.intp]
    distances: NDArray[np.float64]


def nearest(points: NDArray[np.generic], query: NDArray[np.generic], k: int) -> Neighbours:
    """Return the `k` of `points` that are nearest to `query` by Euclidean distance; of equally near ones the first.

    Parameters
    ----------
    points
        numbers of shape (n, …), n ≥ k.
    query
        of the shape of one point.
    k
        how many.
    """
    rows, wanted = points.reshape(len(points), -1), query.ravel().astype(np.float32)
    squares = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _BLOCK):
        apart = rows[start : start + _BLOCK].astype(np.float32) - wanted
        squares[start : start + _BLOCK] = np.einsum("ij,ij->i", apart, apart)
    indices = np.argsort(squares, kind="stable")[:k]
    return Neighbours(indices, np.sqrt(squares[indices].astype(np.float64)))


class HiddenDigits(NamedTuple):
    """Hidden activations of training digits. indices: which ones, ascending. values: (len(indices), units)."""

    indices: NDArray[np.intp]
    values: NDArray[np.float32]


def readable(model: ModelConfig, images: int) -> int:
    """Return for how many of `images` digits the hidden activations fit the limits of this module; at least 1."""
    rows = model.layer_table()
    width = (rows[-1].parameters // rows[-1].output_shape[0]) - 1  # of what goes into the output layer
    return max(1, min(images, MOST_OPERATIONS // model.operations(), MOST_VALUES // width))


def hidden_digits(network: Network, model: ModelConfig, images: Pixels) -> HiddenDigits:
    """Return the last hidden layer's activations of the training images, shape (n, 28, 28), or of a `readable` part.

    If there are too many, images are taken at equal distances, so that every class has its share.
    """
    count = readable(model, len(images))
    indices = np.arange(count) * len(images) // count
    return HiddenDigits(indices, network.hidden(images if count == len(images) else images[indices]))
