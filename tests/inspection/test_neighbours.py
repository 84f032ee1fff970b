"""Nearest training digits, against scikit-learn, and how many digits a network may read."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from mnist_core.experiments.configs import ModelConfig
from mnist_core.inspection.neighbours import MOST_OPERATIONS, hidden_digits, nearest, readable
from mnist_core.inspection.numpy_network import Network

DENSE = ModelConfig(layers=({"units": 300},))
CONV = ModelConfig(
    layers=({"kind": "conv", "filters": 64}, {"kind": "conv", "filters": 64}, {"kind": "global_average"})
)


def test_the_nearest_are_those_of_scikit_learn() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9_000, 28, 28)).astype(np.uint8)
    query = np.random.default_rng(1).integers(0, 256, (28, 28)).astype(np.uint8)
    found = nearest(images, query, 8)
    oracle = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(images.reshape(9_000, -1).astype(float))
    distances, indices = oracle.kneighbors(query.reshape(1, -1).astype(float))
    assert found.indices.tolist() == indices[0].tolist()
    assert found.distances == pytest.approx(distances[0], rel=1e-6)


def test_the_same_image_is_at_distance_zero_and_the_first_of_equals_comes_first() -> None:
    points = np.array([[3.0, 4.0], [1.0, 1.0], [1.0, 1.0], [1.0, 2.0]])
    found = nearest(points, np.array([1.0, 1.0]), 3)
    assert found.indices.tolist() == [1, 2, 3]
    assert found.distances.tolist() == [0, 0, 1]


def test_a_dense_net_reads_all_of_mnist_and_a_large_convolution_a_part_of_it() -> None:
    assert readable(DENSE, 60_000) == 60_000
    assert readable(CONV, 60_000) == MOST_OPERATIONS // CONV.operations() < 60_000


def test_a_part_is_spread_over_the_whole_training_set() -> None:
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(60_000) % 256
    pixels = Network((lambda values: values.reshape(len(values), -1), lambda values: values), 512)
    found = hidden_digits(pixels, CONV, images)
    gaps = np.diff(found.indices)
    assert len(found.indices) == readable(CONV, 60_000) == len(found.values)
    assert gaps.max() - gaps.min() <= 1
    assert found.indices[-1] >= 60_000 - gaps.max()
    np.testing.assert_allclose(found.values[:, 0] * 255, found.indices % 256, atol=1e-3)
