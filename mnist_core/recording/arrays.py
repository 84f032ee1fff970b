"""Arrays and tensors of any framework as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(values: Any) -> NDArray[Any]:
    """Return what a person passes as a NumPy array: an array, a list, or a tensor of TensorFlow, JAX or PyTorch.

    A PyTorch tensor may have a gradient, stand on another device, or be of bfloat16, which NumPy does not have.
    """
    if callable(getattr(values, "detach", None)):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    found = np.asarray(values)
    return found.astype(np.float32) if found.dtype.name == "bfloat16" else found
