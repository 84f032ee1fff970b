"""A trained network in NumPy: what its layers make of an image, without TensorFlow, for looking inside it.

Training and stored predictions come from Keras; this reads the weights out of a `.keras` file and repeats the forward
pass, which for a few images is at once where importing TensorFlow alone takes seconds.
`tests/inspection/test_numpy_network.py` holds it against Keras for every kind of layer.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist_core.data.images import Pixels
from mnist_core.errors import StoreError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers.base import FloatArray, Step

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
    """Return the network whose weights `weight` gives by the layer's name in the file and the number of the array."""
    steps: list[Step] = []
    seen: Counter[str] = Counter()
    most = 1
    for row, part in model.parts():
        name = _stored_name(part.keras.name)
        stored = name if not seen[name] else f"{name}_{seen[name]}"
        seen[name] += 1
        variables = [weight(stored, index) for index in range(part.variables)]
        if sum(variable.size for variable in variables) != part.parameters:
            raise ValueError(f"layer {row.name} has other weights than its configuration says")
        if part.step is not None:
            steps.append(part.step(*variables))
        most = max(most, part.values, math.prod(part.output_shape))
    return Network(tuple(steps), max(1, _BLOCK_VALUES // most))


def _stored_name(layer: str) -> str:
    """Return the name under which a `.keras` file holds the weights of the first layer of a class."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", layer)).lower()
