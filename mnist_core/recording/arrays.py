"""Arrays and tensors of any framework as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import PredictionsError


def as_array(values: Any, what: str) -> NDArray[Any]:
    """Return what a person passes as a NumPy array: an array, a list, or a tensor of TensorFlow, JAX or PyTorch.

    A PyTorch tensor may have a gradient, stand on another device, or be of bfloat16, which NumPy does not have.

    Raises
    ------
    PredictionsError
        where the rows of a list differ in length; the message begins with `what`.
    """
    if callable(getattr(values, "detach", None)):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    try:
        found = np.asarray(values)
    except ValueError:
        raise PredictionsError(f"the rows of {what} differ in length; give as many values in each") from None
    return found.astype(np.float32) if found.dtype.name == "bfloat16" else found
