"""From a ModelConfig to a plain Keras model, and from a Keras model to probabilities.

The models are nothing but standard layers, so their `.keras` files load anywhere with Keras's safe mode on. TensorFlow
is imported by the functions that need it, never by importing this module.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.configs import CLASSES, IMAGE_SHAPE, ModelConfig
from mnist_core.images import Pixels

_INITIALIZER = 0x1417


class Backend(NamedTuple):
    """The two modules that train: `tensorflow` and `keras`."""

    tf: Any
    keras: Any


def backend() -> Backend:
    """Import TensorFlow and Keras, quietly, and on first use choose how they thread.

    One operation runs on one thread and independent operations run side by side: measured, this is faster for small
    nets than to split each operation, and it makes the sums, hence the results, the same for any number of threads.
    The environment variables TF_NUM_INTRAOP_THREADS and TF_NUM_INTEROP_THREADS, where set, are respected.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    import keras
    import tensorflow as tf

    return Backend(tf, keras)


def initializer_seed(seed: int, layer: int) -> int:
    """The seed of layer number `layer` (from 0), so that no layer draws from a state that another has advanced."""
    return int(np.random.SeedSequence([seed, _INITIALIZER, layer]).generate_state(1)[0] >> 1)


def build_model(config: ModelConfig, seed: int = 0) -> Any:
    """A Keras model with freshly drawn weights.

    Parameters
    ----------
    config
        the layers.
    seed
        equal seeds give equal weights.

    Returns
    -------
    keras.Sequential
        float32 pixels of shape (n, 28, 28), 0 to 1 → probabilities of shape (n, 10). Its layers are named as in
        `ModelConfig.layer_table`.
    """
    layers = backend().keras.layers
    initializers = backend().keras.initializers
    regularizers = backend().keras.regularizers

    def dense(index: int, units: int, activation: str, name: str, l2: float = 0.0) -> Any:
        return layers.Dense(
            units,
            activation=activation,
            kernel_initializer=initializers.GlorotUniform(seed=initializer_seed(seed, index)),
            kernel_regularizer=regularizers.L2(l2) if l2 else None,
            name=name,
        )

    stack = [layers.Input(IMAGE_SHAPE, name="pixels"), layers.Flatten(name="input")]
    for index, layer in enumerate(config.layers):
        stack.append(dense(index, layer.units, layer.activation, f"dense_{index + 1}", layer.l2))
        if layer.dropout:
            stack.append(layers.Dropout(layer.dropout, seed=initializer_seed(seed, index), name=f"dropout_{index + 1}"))
    stack.append(dense(len(config.layers), CLASSES, "softmax", "output"))
    return backend().keras.Sequential(stack, name="classifier")


def load_model(path: Path) -> Any:
    """The Keras model of a `.keras` file, loaded in safe mode: no code from the file is run."""
    return backend().keras.saving.load_model(path, compile=False, safe_mode=True)


def predict(model: Any, images: Pixels) -> NDArray[np.float32]:
    """Probabilities of shape (n, 10) for a few uint8 images of shape (n, 28, 28)."""
    pixels = images.astype(np.float32) / np.float32(255.0)
    probabilities: NDArray[np.float32] = model(pixels, training=False).numpy()
    return probabilities
