"""Facts that every room may use: the shape of the images, the number of classes, MNIST's fingerprint, the version."""

from __future__ import annotations

__version__ = "0.1.0"

IMAGE_SHAPE = (28, 28)
INPUT_SIZE = IMAGE_SHAPE[0] * IMAGE_SHAPE[1]
CLASSES = 10
"""Of the digit datasets, on which this project trains. Runs from outside may have others, see `MOST_CLASSES`."""
MOST_CLASSES = 100
# `fingerprint` of the arrays behind those sums: lets a run be identified before the data is read.
MNIST_FINGERPRINT = "2f6dc9b6c10f5181"
MNIST_TRAIN_IMAGES, MNIST_TEST_IMAGES = 60_000, 10_000
