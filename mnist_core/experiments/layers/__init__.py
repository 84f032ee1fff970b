"""The layers of a network, one file a kind. A new kind is a file, and its name in `Layer`."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from mnist_core.experiments.frozen import hide_tags
from mnist_core.experiments.layers.activations import ACTIVATIONS
from mnist_core.experiments.layers.base import Activation, HiddenLayer, KerasLayer, LayerRow, Part, check_order
from mnist_core.experiments.layers.conv import ConvLayer
from mnist_core.experiments.layers.dense import DenseLayer
from mnist_core.experiments.layers.flatten import FlattenLayer
from mnist_core.experiments.layers.global_average import GlobalAverageLayer
from mnist_core.experiments.layers.pool import PoolLayer

Layer = Annotated[
    DenseLayer | ConvLayer | PoolLayer | FlattenLayer | GlobalAverageLayer,
    Field(discriminator="kind"),
]

LAYER_KINDS: dict[str, type[HiddenLayer]] = {
    layer.model_fields["kind"].default: layer for layer in get_args(get_args(Layer)[0])
}
"""All kinds of layers by the value of their field `kind`."""

hide_tags(*LAYER_KINDS)

__all__ = [
    "ACTIVATIONS",
    "LAYER_KINDS",
    "Activation",
    "ConvLayer",
    "DenseLayer",
    "FlattenLayer",
    "GlobalAverageLayer",
    "HiddenLayer",
    "KerasLayer",
    "Layer",
    "LayerRow",
    "Part",
    "PoolLayer",
    "check_order",
]
