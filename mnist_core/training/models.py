"""From a ModelConfig to a plain Keras model, and from a Keras model to probabilities.

The models are nothing but standard layers, so their `.keras` files load anywhere with Keras. TensorFlow
is imported by the functions that need it, never by importing this module.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.data.images import Pixels
from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers import KerasLayer
from mnist_core.runs.keras_file import read_weights

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

    Raises
    ------
    ConfigError
        if Keras was set to another backend than TensorFlow.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    import keras

    if (chosen := keras.backend.backend()) != "tensorflow":
        raise ConfigError(
            f"Keras runs on {chosen} in this process, and mnist_core trains with TensorFlow only; start it with "
            "KERAS_BACKEND=tensorflow. To compare a model that is trained elsewhere, use RunLogger or record"
        )
    import tensorflow as tf

    return Backend(tf, keras)


@contextlib.contextmanager
def not_importable(*packages: str) -> Iterator[None]:
    """Let imports of these packages fail for a while, for libraries that import them only where they are installed.

    What this process has already imported stays importable. Not for a process in which others import meanwhile.
    """
    hidden = [name for name in packages if name not in sys.modules]
    none: dict[str, Any] = dict.fromkeys(hidden)
    sys.modules.update(none)  # Python's own mark for what cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def initializer_seed(seed: int, layer: int) -> int:
    """Return the seed of layer `layer` (from 0), so that no layer draws from a state that another has advanced."""
    return int(np.random.SeedSequence([seed, _INITIALIZER, layer]).generate_state(1)[0] >> 1)


def build_model(config: ModelConfig, seed: int = 0) -> Any:
    """Return a Keras model with freshly drawn weights.

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
    stack = [backend().keras.layers.Input(IMAGE_SHAPE, name="pixels")]
    for row, part in config.parts():
        index = len(config.layers) if row.layer is None else row.layer
        stack.append(_keras_layer(part.keras, row.name, initializer_seed(seed, index)))
    return backend().keras.Sequential(stack, name="classifier")


def _keras_layer(layer: KerasLayer, name: str, seed: int) -> Any:
    """Return the layer of Keras that `layer` describes."""
    keras, options = backend().keras, dict(layer.options)
    if layer.l2:
        options["kernel_regularizer"] = keras.regularizers.L2(layer.l2)
    if layer.seeded == "kernel":
        options["kernel_initializer"] = keras.initializers.GlorotUniform(seed=seed)
    elif layer.seeded == "dropout":
        options["seed"] = seed
    return getattr(keras.layers, layer.name)(*layer.positional, **options, name=name)


def trained_model(config: ModelConfig, path: Path) -> Any:
    """Return the Keras model of `config` with the weights of a `.keras` file.

    Keras's own loader, which builds what the file names, is not used. Raises what `read_weights` raises.
    """
    model = build_model(config)
    model.set_weights([array for _, _, arrays in read_weights(config, path) for array in arrays])
    return model


def predict(model: Any, images: Pixels) -> NDArray[np.float32]:
    """Return probabilities of shape (n, 10) for a few uint8 images of shape (n, 28, 28)."""
    pixels = images.astype(np.float32) / np.float32(255.0)
    probabilities: NDArray[np.float32] = model(pixels, training=False).numpy()
    return probabilities
