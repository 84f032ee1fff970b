"""Augmentation: the same picture with TensorFlow and without, within its limits, and another one in each epoch."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.data.augmentation import affine_transforms, moved, preview
from mnist_core.data.datasets import Catalog, Dataset
from mnist_core.experiments.configs import Augmentation, ModelConfig, TrainingConfig
from mnist_core.experiments.layers import PoolLayer
from mnist_core.training.engine import Engine
from mnist_core.training.models import backend, build_model
from mnist_core.training.optimizers import build_optimizer

EVERYTHING = Augmentation(shift=3, rotation=20, zoom=0.2)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalog(tmp_path_factory.mktemp("store")).load("digits")


def test_the_preview_is_what_the_graph_makes(digits: Dataset) -> None:
    tiny = build_model(ModelConfig(layers=(PoolLayer(size=7),)))
    engine = Engine(tiny, build_optimizer(TrainingConfig()), digits.x_train[:10], digits.y_train[:10], 10)
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    by = affine_transforms(EVERYTHING, 200, seed=3, epoch=7)
    in_graph = engine._moved(backend().tf.constant(images, "float32"), backend().tf.constant(by)).numpy()
    np.testing.assert_allclose(moved(images, by), in_graph, atol=0.05)
    assert np.abs(in_graph - images).mean() > 10


def test_a_preview_is_a_function_of_its_arguments(digits: Dataset) -> None:
    image = digits.x_test[0]
    first = preview(image, EVERYTHING, 6, seed=1)
    assert first.shape == (6, 28, 28)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, preview(image, EVERYTHING, 6, seed=1))
    assert (first != preview(image, EVERYTHING, 6, seed=2)).any()
    assert len({one.tobytes() for one in first}) == 6


def test_an_epoch_has_its_own_maps_and_an_image_its_own_place() -> None:
    one, two = affine_transforms(EVERYTHING, 50, seed=0, epoch=1), affine_transforms(EVERYTHING, 50, seed=0, epoch=2)
    assert len(np.unique(np.concatenate([one, two]), axis=0)) == 100
    np.testing.assert_array_equal(one, affine_transforms(EVERYTHING, 50, seed=0, epoch=1))
    assert (one != affine_transforms(EVERYTHING, 50, seed=1, epoch=1)).any()


def test_a_shift_moves_the_pixels_right_and_down() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 10, 5] = 200
    by = affine_transforms(Augmentation(shift=1), 1, seed=0, epoch=1)
    by[0, [2, 5]] = -3, -2  # the pixel (x, y) comes from (x − 3, y − 2)
    found = moved(image, by)[0]
    assert found[12, 8] == 200
    assert found.sum() == 200


@pytest.mark.parametrize("field", ["shift", "rotation", "zoom"])
def test_each_effect_keeps_to_its_limit_and_leaves_the_others_alone(field: str) -> None:
    limit = {"shift": 3.0, "rotation": 30.0, "zoom": 0.3}[field]
    found = affine_transforms(Augmentation(**{field: limit}), 5000, seed=0, epoch=1).astype(float)
    a0, a1, _, b0, b1, _ = found[:, :6].T
    centre = np.array([13.5, 13.5, 1.0])
    back = np.stack([found[:, :3] @ centre, found[:, 3:6] @ centre], axis=1) - 13.5  # what the centre comes from
    got = {
        "shift": np.abs(back).max(axis=1),
        "rotation": np.abs(np.rad2deg(np.arctan2(a1, a0))),
        "zoom": np.abs(1 / np.hypot(a0, a1) - 1),
    }
    for name, values in got.items():
        if name == field:
            assert limit * 0.98 < values.max() <= limit * 1.0001
        else:
            assert values.max() < 1e-4
    np.testing.assert_allclose([a0, b0], [b1, -a1], atol=1e-6)
