"""A dense network as bytes, for a browser that computes its answers itself."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mnist_core.inspection.numpy_network import DenseWeights


def packed(name: str, layers: Sequence[DenseWeights], steps: Sequence[int]) -> bytes:
    """Return a dense network in the form that `dashboard/shared/drawing/digits.js` reads.

    The length of a header as uint32, the header in JSON, padded to four bytes, then kernel and bias of each layer as
    float32, all little endian.

    Parameters
    ----------
    name
        of the network.
    layers
        all its layers, the output layer last.
    steps
        of its hidden layers, as `Switchable.step` has them.
    """
    rows = [
        {"inputs": len(layer.kernel), "units": len(layer.bias), "activation": layer.activation, "step": step}
        for layer, step in zip(layers, [*steps, None], strict=True)
    ]
    header = json.dumps({"id": name, "layers": rows}).encode()
    header += b" " * (-len(header) % 4)
    arrays = [array.astype("<f4").tobytes() for layer in layers for array in (layer.kernel, layer.bias)]
    return b"".join([len(header).to_bytes(4, "little"), header, *arrays])
