"""Activation functions in NumPy, as Keras has them."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from mnist_core.experiments.layers.base import Activation, FloatArray, Step

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


def _gelu(values: FloatArray) -> FloatArray:
    from scipy.special import erf

    made: FloatArray = values * np.float32(0.5) * (1 + erf(values * np.float32(math.sqrt(0.5))))
    return made


def _sigmoid(values: FloatArray) -> FloatArray:
    from scipy.special import expit

    made: FloatArray = expit(values)
    return made


STEPS: dict[Activation, Step] = {
    "relu": lambda values: np.maximum(values, 0),
    "elu": lambda values: np.where(values > 0, values, np.expm1(np.minimum(values, 0))),
    "tanh": lambda values: np.tanh(values),
    "gelu": _gelu,
    "sigmoid": _sigmoid,
}
"""Each activation as a step of a network."""
