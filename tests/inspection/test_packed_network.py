"""A dense network as bytes: the form that the script of the drawing pad reads."""

import json

import numpy as np

from mnist_core.inspection.numpy_network import DenseWeights
from mnist_core.inspection.packed_network import packed


def test_header_and_arrays_are_read_back_as_they_were() -> None:
    generator = np.random.default_rng(0)
    kernels = [generator.normal(size=size).astype(np.float32) for size in ((784, 5), (5, 10))]
    biases = [generator.normal(size=size).astype(np.float32) for size in (5, 10)]
    layers = [DenseWeights(kernels[0], biases[0], "relu"), DenseWeights(kernels[1], biases[1], None)]
    content = packed("a name whose length is no multiple of four", layers, [1])
    length = int.from_bytes(content[:4], "little")
    assert length % 4 == 0
    assert json.loads(content[4 : 4 + length]) == {
        "id": "a name whose length is no multiple of four",
        "layers": [
            {"inputs": 784, "units": 5, "activation": "relu", "step": 1},
            {"inputs": 5, "units": 10, "activation": None, "step": None},
        ],
    }
    values = np.frombuffer(content[4 + length :], "<f4")
    expected = [array.ravel() for layer in layers for array in (layer.kernel, layer.bias)]
    np.testing.assert_array_equal(values, np.concatenate(expected))
