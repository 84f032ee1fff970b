"""A trained network in NumPy: what its layers make of an image, without TensorFlow, for looking inside it.

Training and stored predictions come from Keras; this reads the weights out of a `.keras` file and repeats the forward
pass, which for a few images is at once where importing TensorFlow alone takes seconds.
`tests/inspection/test_numpy_network.py` holds it against Keras for every kind of layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist_core.data.images import Pixels
from mnist_core.errors import DamagedFile, StoreError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers.base import Activation, Float32Array, ForwardStep, LayerRow, Part
from mnist_core.files import printable
from mnist_core.runs.keras_file import read_weights

_BLOCK_VALUES = 1_000_000
"""Values that one layer may hold at a time: larger blocks leave the processor's cache and are no faster."""


class Network(NamedTuple):
    """A trained network. steps: one function a layer, the last of which makes the logits. block: images at a time."""

    steps: tuple[ForwardStep, ...]
    block: int

    def hidden(self, images: Pixels) -> Float32Array:
        """Return the inputs of the output layer, shape (n, units), for uint8 images of shape (n, 28, 28)."""
        return self._run(images, self.steps[:-1])

    def logits(self, images: Pixels) -> Float32Array:
        """Return the inputs of the softmax, shape (n, 10), for uint8 images of shape (n, 28, 28).

        The difference of two logits is the logarithm of the ratio of the two probabilities.
        """
        return self._run(images, self.steps)

    def probabilities(self, images: Pixels) -> Float32Array:
        """Return the probabilities, (n, 10), of uint8 images of shape (n, 28, 28), as `models.predict` gives them."""
        logits = self.logits(images)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: Float32Array = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def without(self, units: Mapping[int, Sequence[int]]) -> Network:
        """Return the network with neurons switched off, that is with their outputs at 0.

        units: which neurons, or maps of a convolution, by the `Switchable.step` of their layer.
        """
        return self._replace(steps=tuple(_muted(step, units.get(place, ())) for place, step in enumerate(self.steps)))

    def _run(self, images: Pixels, steps: Sequence[ForwardStep]) -> Float32Array:
        parts = []
        for start in range(0, max(1, len(images)), self.block):
            values = images[start : start + self.block].astype(np.float32) / np.float32(255.0)
            for step in steps:
                values = step(values)
            parts.append(values)
        return np.concatenate(parts)


class Switchable(NamedTuple):
    """A layer whose neurons can be switched off.

    step: its place in `Network.steps`. name: as in the layer table. units: how many neurons, or maps, it has.
    """

    step: int
    name: str
    units: int


def switchable(model: ModelConfig) -> list[Switchable]:
    """Return the layers with neurons, or maps, of their own; of each the step after its activation."""
    found: dict[int, Switchable] = {}
    step = -1
    for row, part in model.parts():
        step += part.step is not None
        if row.layer is not None and part.step is not None:
            name = found[row.layer].name if row.layer in found else row.name
            if row.layer in found or part.weights:
                found[row.layer] = Switchable(step, name, part.output_shape[-1])
    return list(found.values())


def _muted(step: ForwardStep, units: Sequence[int]) -> ForwardStep:
    if not units:
        return step
    off = list(units)

    def muted(values: Float32Array) -> Float32Array:
        made = step(values).copy()
        made[..., off] = 0.0
        return made

    return muted


class DenseWeights(NamedTuple):
    """A dense layer of a trained network: kernel of shape (inputs, units), bias of shape (units,), both float32.

    activation: None for the output layer, after which the softmax comes.
    """

    kernel: Float32Array
    bias: Float32Array
    activation: Activation | None


def dense_weights(model: ModelConfig, path: Path) -> list[DenseWeights] | None:
    """Return the layers of a network that has only dense ones, for a forward pass elsewhere; else None.

    Raises what `load_network` raises.
    """
    if model.convolutional:
        return None
    layers = [(row, part, variables) for row, part, variables in _stored(model, path) if variables]
    last = layers[-1][0]
    return [
        DenseWeights(kernel, bias, None if row is last else part.keras.options["activation"])
        for row, part, (kernel, bias) in layers
    ]


def load_network(model: ModelConfig, path: Path) -> Network:
    """Return the network of a `.keras` file that was made from `model`.

    Raises
    ------
    StoreError
        where the file is damaged, or its weights are not those of such a network.
    """
    return network_of(_stored(model, path))


def network_of(layers: Sequence[tuple[LayerRow, Part, list[Float32Array]]]) -> Network:
    """Return the network of layers with their weights, as `read_weights` gives them."""
    steps: list[ForwardStep] = []
    most = 1
    for _, part, variables in layers:
        if part.step is not None:
            steps.append(part.step(*variables))
        most = max(most, part.values, math.prod(part.output_shape))
    return Network(tuple(steps), max(1, _BLOCK_VALUES // most))


def _stored(model: ModelConfig, path: Path) -> list[tuple[LayerRow, Part, list[Float32Array]]]:
    """Return the layers with their weights; raise StoreError with the run's name where they cannot be read."""
    try:
        return read_weights(model, path)
    except (OSError, DamagedFile) as error:
        raise StoreError(
            f"the weights of {path.parent.name} cannot be read: {printable(error)}; train it again"
        ) from error
