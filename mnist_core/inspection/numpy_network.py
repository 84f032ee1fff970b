"""A trained network in NumPy: what its layers make of an image, without TensorFlow, for looking inside it.

Training and stored predictions come from Keras; this reads the weights out of a `.keras` file and repeats the forward
pass, which for a few images is at once where importing TensorFlow alone takes seconds. `tests/core/test_forward.py`
holds it against Keras for every kind of layer.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.images import Pixels
from mnist_core.errors import StoreError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers import Activation, ConvLayer, DenseLayer, PoolLayer

FloatArray = NDArray[np.float32]
Step = Callable[[FloatArray], FloatArray]

_KERAS_NAMES = {"dense": "dense", "conv": "conv2d", "batch_norm": "batch_normalization"}
_VARIANCE_FLOOR = np.float32(1e-3)  # what keras.layers.BatchNormalization adds to the variance by default
_BLOCK_VALUES = 1_000_000
"""Values that one layer may hold at a time: larger blocks leave the processor's cache and are no faster."""


class Network(NamedTuple):
    """A trained network. steps: one function a layer, the last of which makes the logits. block: images at a time."""

    steps: tuple[Step, ...]
    block: int

    def hidden(self, images: Pixels) -> FloatArray:
        """What goes into the output layer, shape (n, units), for uint8 images of shape (n, 28, 28)."""
        return self._run(images, self.steps[:-1])

    def logits(self, images: Pixels) -> FloatArray:
        """What the softmax is taken of, shape (n, 10), for uint8 images of shape (n, 28, 28).

        A logit less another is the logarithm of the ratio of the two probabilities.
        """
        return self._run(images, self.steps)

    def probabilities(self, images: Pixels) -> FloatArray:
        """Probabilities of shape (n, 10) for uint8 images of shape (n, 28, 28), as `models.predict` gives them."""
        logits = self.logits(images)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: FloatArray = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def _run(self, images: Pixels, steps: Sequence[Step]) -> FloatArray:
        parts = []
        for start in range(0, max(1, len(images)), self.block):
            values = images[start : start + self.block].astype(np.float32) / np.float32(255.0)
            for step in steps:
                values = step(values)
            parts.append(values)
        return np.concatenate(parts)


def load_network(model: ModelConfig, path: Path) -> Network:
    """The network of a `.keras` file that was made from `model`.

    Raises
    ------
    StoreError
        where the file is damaged, or its weights are not those of such a network.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            return _network(model, lambda name, index: np.asarray(file[f"layers/{name}/vars/{index}"], np.float32))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise StoreError(
            f"the weights in {path.name} of {path.parent.name} cannot be read ({error}); train it again"
        ) from error


def _network(model: ModelConfig, weight: Callable[[str, int], FloatArray]) -> Network:
    """The network whose weights `weight` gives by the layer's name in the file and the number of the variable."""
    steps: list[Step] = []
    seen: Counter[str] = Counter()
    most = 1
    before: tuple[int, ...] = (1,)
    for row in model.layer_table():
        layer = None if row.layer is None else model.layers[row.layer]
        variables: list[FloatArray] = []
        if row.kind in _KERAS_NAMES:
            name = _KERAS_NAMES[row.kind]
            stored = name if not seen[name] else f"{name}_{seen[name]}"
            seen[name] += 1
            bare = isinstance(layer, ConvLayer) and layer.batch_norm and row.kind == "conv"
            variables = [weight(stored, index) for index in range(4 if row.kind == "batch_norm" else 1 if bare else 2)]
            if sum(variable.size for variable in variables) != row.parameters:
                raise ValueError(f"layer {row.name} has other weights than its configuration says")
        if row.kind == "image":
            steps.append(lambda pixels: pixels[..., None])
        elif row.kind == "flatten":
            steps.append(lambda values: values.reshape(len(values), -1))
        elif row.kind == "dense":
            steps.append(
                _dense(variables[0], variables[1], layer.activation if isinstance(layer, DenseLayer) else None)
            )
        elif row.kind == "conv" and isinstance(layer, ConvLayer):
            steps.append(_conv(variables, layer))
            most = max(most, math.prod(row.output_shape[:2]) * layer.kernel**2 * before[-1])
        elif row.kind == "batch_norm":
            steps.append(_batch_norm(*variables))
        elif row.kind == "activation" and isinstance(layer, ConvLayer):
            steps.append(_ACTIVATIONS[layer.activation])
        elif row.kind == "pool":
            steps.append(_pool(layer) if isinstance(layer, PoolLayer) else lambda values: values.mean(axis=(1, 2)))
        elif row.kind != "dropout":  # which does nothing after training
            raise ValueError(f"layer {row.name} is of the unknown kind {row.kind}")
        most, before = max(most, math.prod(row.output_shape)), row.output_shape
    return Network(tuple(steps), max(1, _BLOCK_VALUES // most))


def _dense(kernel: FloatArray, bias: FloatArray, activation: Activation | None) -> Step:
    activate = _ACTIVATIONS[activation] if activation else lambda values: values
    return lambda values: activate(values @ kernel + bias)


def _conv(variables: list[FloatArray], layer: ConvLayer) -> Step:
    """A convolution as one matrix product: each row of the left factor is what one window sees."""
    kernel, size = variables[0], layer.kernel
    flat = kernel.reshape(-1, kernel.shape[-1])
    before = (size - 1) // 2 if layer.padding == "same" else 0
    after = size - 1 - before if layer.padding == "same" else 0

    def convolve(values: FloatArray) -> FloatArray:
        padded = np.pad(values, ((0, 0), (before, after), (before, after), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
        count, height, width = windows.shape[:3]
        seen = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(flat))
        made = (seen @ flat).reshape(count, height, width, -1)
        if layer.batch_norm:  # then the bias and the activation come later
            return made
        return _ACTIVATIONS[layer.activation](made + variables[1])

    return convolve


def _batch_norm(scale: FloatArray, offset: FloatArray, mean: FloatArray, variance: FloatArray) -> Step:
    factor = scale / np.sqrt(variance + _VARIANCE_FLOOR)
    return lambda values: values * factor + (offset - mean * factor)


def _pool(layer: PoolLayer) -> Step:
    side = layer.size

    def pool(values: FloatArray) -> FloatArray:
        height, width = values.shape[1] // side, values.shape[2] // side
        tiles = values[:, : height * side, : width * side].reshape(len(values), height, side, width, side, -1)
        made: FloatArray = tiles.max(axis=(2, 4)) if layer.pooling == "max" else tiles.mean(axis=(2, 4))
        return made

    return pool


def _gelu(values: FloatArray) -> FloatArray:
    from scipy.special import erf

    made: FloatArray = values * np.float32(0.5) * (1 + erf(values * np.float32(math.sqrt(0.5))))
    return made


def _sigmoid(values: FloatArray) -> FloatArray:
    from scipy.special import expit

    made: FloatArray = expit(values)
    return made


_ACTIVATIONS: dict[Activation, Step] = {
    "relu": lambda values: np.maximum(values, 0),
    "elu": lambda values: np.where(values > 0, values, np.expm1(np.minimum(values, 0))),
    "tanh": lambda values: np.tanh(values),
    "gelu": _gelu,
    "sigmoid": _sigmoid,
}
