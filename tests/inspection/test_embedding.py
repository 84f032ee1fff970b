"""Maps of the last hidden layer, against scikit-learn, and the choice of the digits on them."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mnist_core.evaluation.predictions import Predictions
from mnist_core.inspection.embedding import pca_map, sampled, tsne_map


def predictions(images: int, wrong: int) -> Predictions:
    labels = (np.arange(images) % 10).astype(np.uint8)
    guessed = labels.copy()
    guessed[:wrong] = (guessed[:wrong] + 1) % 10
    return Predictions(labels, np.eye(10, dtype=np.float32)[guessed])


def test_principal_components_are_those_of_scikit_learn_up_to_sign() -> None:
    values = np.random.default_rng(0).normal(size=(200, 30)) * np.linspace(1, 5, 30)
    found, oracle = pca_map(values), PCA(2).fit(values)
    np.testing.assert_allclose(np.abs(found.places), np.abs(oracle.transform(values)), atol=1e-8)
    assert found.explained == pytest.approx(tuple(oracle.explained_variance_ratio_))
    again = pca_map(values[::-1])
    np.testing.assert_allclose(again.places[::-1], found.places, atol=1e-8)


def test_a_single_unit_and_a_dead_layer_have_a_map() -> None:
    line = pca_map(np.arange(5.0)[:, None])
    assert (line.places[:, 1] == 0).all()
    assert line.explained == pytest.approx((1.0, 0.0))
    assert pca_map(np.zeros((5, 3))).explained == (0.0, 0.0)


def test_t_sne_keeps_clusters_together() -> None:
    centres = np.random.default_rng(1).normal(0, 20, (3, 8))
    values = (centres[:, None] + np.random.default_rng(2).normal(size=(3, 20, 8))).reshape(60, 8).astype(np.float32)
    found = tsne_map(values)
    assert found.explained is None
    groups = found.places.reshape(3, 20, 2)
    spread = np.linalg.norm(groups - groups.mean(axis=1, keepdims=True), axis=2).max()
    apart = min(np.linalg.norm(groups[a].mean(0) - groups[b].mean(0)) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * spread


def test_wrong_guesses_come_first_but_never_fill_the_map() -> None:
    few = sampled(predictions(10_000, 200))
    assert len(few) == 1_000
    assert set(range(200)) <= set(few)
    many = sampled(predictions(10_000, 9_000))
    assert (many < 9_000).sum() == 500
    assert len(sampled(predictions(40, 3))) == 40
    assert len(set(sampled(predictions(1_500, 0)))) == 1_000
