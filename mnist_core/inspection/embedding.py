"""Maps: what the last hidden layer makes of test digits, brought down to two dimensions so that it can be drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.evaluation.predictions import Predictions

SAMPLE = 1_000
"""Number of digits on a map: few enough to see each one, and for t-SNE to finish in a few seconds."""


class Map(NamedTuple):
    """Places of digits on a plane. places: float64, shape (n, 2).

    explained: the shares of the variance that the two axes keep, 0 to 1; None where the axes mean nothing (t-SNE).
    """

    places: NDArray[np.float64]
    explained: tuple[float, float] | None


def sampled(predictions: Predictions, most: int = SAMPLE) -> NDArray[np.intp]:
    """Return ascending indices of at most `most` test images to draw: wrong guesses, at most half, then right ones.

    The wrong ones are few, and they are what one looks for; on the map they are therefore more frequent than in truth.
    Both are taken at equal distances, so that the choice is the same every time.
    """
    wrong = predictions.wrong
    right = np.flatnonzero(predictions.predicted == predictions.labels)
    few = wrong[_evenly(len(wrong), most // 2)]
    return np.sort(np.concatenate([few, right[_evenly(len(right), most - len(few))]]))


def _evenly(count: int, most: int) -> NDArray[np.intp]:
    """Return at most `most` of the numbers 0 to count − 1, at equal distances."""
    taken = min(count, most)
    return np.arange(taken) * count // max(1, taken)


def pca_map(values: NDArray[np.floating[Any]]) -> Map:
    """Return the two directions in which points of shape (n, units) differ most: principal components (Pearson 1901).

    A straight projection, the same every time: what is far apart on it is far apart in truth, though what is near may
    not be. The sign of each axis is chosen so that its largest loading is positive. Of a single unit the second axis is
    0 everywhere.
    """
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    _, strengths, directions = np.linalg.svd(centred, full_matrices=False)
    axes = directions[:2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    places = np.zeros((len(values), 2))
    places[:, : len(axes)] = centred @ axes.T
    shares = np.zeros(2)
    total = float((strengths**2).sum())
    if total > 0:
        shares[: len(axes)] = strengths[: len(axes)] ** 2 / total
    return Map(places, (float(shares[0]), float(shares[1])))


def tsne_map(values: NDArray[np.floating[Any]], seed: int = 0) -> Map:
    """Return points of shape (n, units) laid out so that near ones stay near: t-SNE (van der Maaten and Hinton 2008).

    Neither the axes, nor the distances between clusters, nor their sizes mean anything.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # the perplexity, about the number of neighbours that count, must be less than the number of points
    perplexity = min(30.0, (len(values) - 1) / 3)
    # a matrix of a single column has no two principal components to start from
    start = "pca" if min(values.shape) >= 2 else "random"
    # one thread: for so few points several wait for each other longer than they work, above all on a busy machine
    with threadpool_limits(limits=1):
        places = TSNE(init=start, perplexity=perplexity, random_state=seed, max_iter=500).fit_transform(values)
    return Map(places.astype(np.float64), None)
