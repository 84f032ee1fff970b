"""A stack of dense layers by a few numbers, which a sweep or a search can vary."""

from __future__ import annotations

from typing import Any

from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.declare import setting
from mnist_core.experiments.fields import bounds
from mnist_core.experiments.frozen import Frozen
from mnist_core.experiments.layers import Activation, DenseLayer

_UNITS = bounds(DenseLayer, "units")
_DEPTH = bounds(ModelConfig, "layers")


class Stack(Frozen):
    """A stack of dense layers by a few numbers, for axes such as ``stack.depth``."""

    units: int = setting(
        64, ge=_UNITS.minimum, le=_UNITS.maximum, label="First width", link="stack_units",
        help="Units of the first layer.", examples=(16, 32, 64, 128),
    )  # fmt: skip
    depth: int = setting(
        2, ge=_DEPTH.minimum, le=_DEPTH.maximum, label="Layers", link="stack_depth",
        help="Dense layers one after the other.", examples=(1, 2, 3),
    )  # fmt: skip
    ratio: float = setting(
        1.0, gt=0.0, le=4.0, label="Width ratio", link="stack_ratio",
        help="From the width of each layer to that of the next: 1 constant, 0.5 halved.", examples=(1.0, 0.5),
    )  # fmt: skip
    activation: Activation = "relu"
    dropout: float = 0.0
    l2: float = 0.0

    def layers(self) -> list[dict[str, Any]]:
        """Return the layers as plain data, widths rounded to at least one neuron."""
        widths = [max(1, round(self.units * self.ratio**index)) for index in range(self.depth)]
        same = {"activation": self.activation, "dropout": self.dropout, "l2": self.l2}
        return [{"units": width, **same} for width in widths]
