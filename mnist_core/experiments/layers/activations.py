"""Activation functions in NumPy, as Keras has them."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from mnist_core.experiments.layers.base import Activation, Float32Array, ForwardStep

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


def _gelu(values: Float32Array) -> Float32Array:
    from scipy.special import erf

    made: Float32Array = values * np.float32(0.5) * (1 + erf(values * np.float32(math.sqrt(0.5))))
    return made


def _sigmoid(values: Float32Array) -> Float32Array:
    from scipy.special import expit

    made: Float32Array = expit(values)
    return made


STEPS: dict[Activation, ForwardStep] = {
    "relu": lambda values: np.maximum(values, 0),
    "elu": lambda values: np.where(values > 0, values, np.expm1(np.minimum(values, 0))),
    "tanh": lambda values: np.tanh(values),
    "gelu": _gelu,
    "sigmoid": _sigmoid,
}
"""Each activation as a step of a network."""
