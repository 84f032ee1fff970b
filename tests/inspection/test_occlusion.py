"""Occlusion on linear networks, whose weights say by themselves what each pixel is worth."""

import numpy as np
import pytest

from mnist_core.inspection.numpy_network import Network
from mnist_core.inspection.occlusion import PATCH, occlusion


def linear(kernel: np.ndarray) -> Network:
    """A network without hidden layers: logits = pixels · kernel, kernel of shape (784, 10)."""
    return Network((lambda values: values.reshape(len(values), -1) @ kernel.astype(np.float32),), 256)


def kernel_of(**columns: np.ndarray) -> np.ndarray:
    kernel = np.zeros((784, 10))
    for name, values in columns.items():
        kernel[:, int(name[-1])] = values.ravel()
    return kernel


def test_ink_speaks_for_the_digit_whose_weight_it_has() -> None:
    for_nine, for_four = np.zeros((28, 28)), np.zeros((28, 28))
    for_nine[4:12, 10:18], for_four[20:24, 10:18] = 1.0, 0.5
    image = np.zeros((28, 28), np.uint8)
    image[4:12, 10:18], image[20:24, 10:18], image[14:16, 2:4] = 255, 255, 255
    found = occlusion(linear(kernel_of(digit_9=for_nine, digit_4=for_four)), image, true=4)
    assert (found.top, found.rival) == (9, 4)
    assert found.evidence == pytest.approx(64 - 16)
    # a patch wholly inside takes 16 pixels away, worth 1 each
    assert found.weight[7, 13] == pytest.approx(PATCH**2, rel=1e-5)
    assert found.weight[22, 13] < 0
    assert (found.weight[image == 0] == 0).all()
    assert found.weight[14:16, 2:4] == pytest.approx(0)  # ink to which the network is blind


def test_the_mean_over_patches_agrees_with_a_slow_count() -> None:
    generator = np.random.default_rng(2)
    image = (generator.integers(0, 256, (28, 28)) * (generator.random((28, 28)) < 0.2)).astype(np.uint8)
    network = linear(generator.normal(size=(784, 10)))
    found = occlusion(network, image, true=0)
    row, column = np.argwhere(image > 0)[5]
    drops = []
    for top in range(max(0, row - PATCH + 1), min(row, 28 - PATCH) + 1):
        for left in range(max(0, column - PATCH + 1), min(column, 28 - PATCH) + 1):
            blanked = image.copy()
            blanked[top : top + PATCH, left : left + PATCH] = 0
            logits = network.logits(blanked[None])[0]
            drops.append(found.evidence - (logits[found.top] - logits[found.rival]))
    assert found.weight[row, column] == pytest.approx(np.mean(drops), rel=1e-4, abs=1e-4)


def test_a_right_guess_is_weighed_against_the_second_best_and_a_blank_image_has_no_weight() -> None:
    kernel = kernel_of(digit_7=np.full((28, 28), 0.3), digit_2=np.full((28, 28), 0.2))
    image = np.full((28, 28), 255, np.uint8)
    found = occlusion(linear(kernel), image, true=7)
    assert (found.top, found.rival) == (7, 2)
    assert (found.weight > 0).all()
    blank = occlusion(linear(kernel), np.zeros((28, 28), np.uint8), true=7)
    assert (blank.weight == 0).all()
