"""The layers of a network: their bounds, how they fit together, their shapes and parameter counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field

from mnist_core.constants import IMAGE_SHAPE

Activation = Literal["relu", "elu", "tanh", "gelu", "sigmoid"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)


class Frozen(BaseModel):
    """Base of all configurations: immutable, unknown fields refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DenseLayer(Frozen):
    """One fully connected hidden layer, and the dropout that follows it."""

    kind: Literal["dense"] = "dense"
    units: int = Field(64, ge=1, le=2048, description="neurons in the layer")
    activation: Activation = "relu"
    dropout: float = Field(0.0, ge=0.0, le=0.9, description="share of the layer's outputs dropped while training")
    l2: float = Field(0.0, ge=0.0, le=1.0, description="L2 penalty on the layer's kernel")


class ConvLayer(Frozen):
    """One convolution over the pixels, with stride 1, and what follows it: batch normalisation, activation, dropout.

    With batch normalisation the convolution has no bias, since the normalisation subtracts the mean and adds an offset
    of its own; the activation then comes after it.
    """

    kind: Literal["conv"] = "conv"
    filters: int = Field(16, ge=1, le=256, description="feature maps that the layer makes")
    kernel: int = Field(3, ge=1, le=7, description="side of the square window, in pixels")
    padding: Literal["same", "valid"] = "same"
    activation: Activation = "relu"
    batch_norm: bool = False
    dropout: float = Field(0.0, ge=0.0, le=0.9, description="share of the layer's outputs dropped while training")
    l2: float = Field(0.0, ge=0.0, le=1.0, description="L2 penalty on the layer's kernel")


class PoolLayer(Frozen):
    """One pooling of square tiles, each of which becomes a pixel; what is left over at the border is cut off."""

    kind: Literal["pool"] = "pool"
    pooling: Literal["max", "average"] = "max"
    size: int = Field(2, ge=2, le=7, description="side of a tile, in pixels")
    dropout: float = Field(0.0, ge=0.0, le=0.9, description="share of the layer's outputs dropped while training")


class FlattenLayer(Frozen):
    """All pixels of all feature maps in a row. It may be left out: it is implied before the first dense layer."""

    kind: Literal["flatten"] = "flatten"


class GlobalAverageLayer(Frozen):
    """The mean of each feature map, in place of its pixels."""

    kind: Literal["global_average"] = "global_average"


Layer = Annotated[
    DenseLayer | ConvLayer | PoolLayer | FlattenLayer | GlobalAverageLayer,
    Field(discriminator="kind"),
]


class LayerRow(NamedTuple):
    """One line of a layer table, and one layer of the Keras model.

    output_shape: without the batch; (height, width, maps) as long as there are pixels.
    parameters: all of them. fixed: those among them that no gradient trains (moving statistics of batch normalisation).
    layer: which of `ModelConfig.layers` it comes from, from 0; None for what is implied: input, flatten and output.
    """

    name: str
    kind: str
    detail: str
    output_shape: tuple[int, ...]
    parameters: int
    fixed: int = 0
    layer: int | None = None


_WITH_WEIGHTS = DenseLayer | ConvLayer


def _width(layer: Layer) -> int:
    """Units or filters; 0 where a layer has neither."""
    return layer.units if isinstance(layer, DenseLayer) else layer.filters if isinstance(layer, ConvLayer) else 0


def _check_order(layers: Sequence[Layer]) -> None:
    """Raise ValueError where the layers do not fit each other, naming the layer from 1, and the remedy."""
    height, row = IMAGE_SHAPE[0], ""  # row: what has put the pixels in a row
    for number, layer in enumerate(layers, start=1):
        place = f"layer {number} ({layer.kind.replace('_', ' ')})"
        if isinstance(layer, ConvLayer | PoolLayer):
            if row:
                raise ValueError(
                    f"{place} needs pixels in their places, but {row} has put them in a row; "
                    "move it before the first flatten, global average or dense layer"
                )
            window = layer.kernel if isinstance(layer, ConvLayer) else layer.size
            if window > height and not (isinstance(layer, ConvLayer) and layer.padding == "same"):
                remedy = "use padding same or a smaller kernel" if layer.kind == "conv" else "pool less"
                raise ValueError(
                    f"{place} leaves no pixels: its {window}×{window} window does not fit into the {height}×{height} "
                    f"that reach it; {remedy}"
                )
            height = _side_after(layer, height)
        elif isinstance(layer, FlattenLayer | GlobalAverageLayer):
            if row:
                raise ValueError(f"{place} has nothing to do, as {row} has put the pixels in a row; leave it out")
            if number == 1:
                raise ValueError(f"{place} needs a convolution or pooling before it; leave it out")
            row = place
        else:
            row = row or place


def _side_after(layer: ConvLayer | PoolLayer, side: int) -> int:
    """Height and width of what comes out, for what goes in."""
    if isinstance(layer, PoolLayer):
        return side // layer.size
    return side if layer.padding == "same" else side - layer.kernel + 1


def _layer_rows(layer: Layer, index: int, shape: tuple[int, ...]) -> list[LayerRow]:
    """The rows of one configured layer, which gets outputs of `shape`."""
    number, rows = index + 1, []
    if isinstance(layer, DenseLayer):
        detail = layer.activation + (f", L2 {layer.l2:g}" if layer.l2 else "")
        count = (shape[0] + 1) * layer.units
        shape = (layer.units,)
        rows.append(LayerRow(f"dense_{number}", "dense", detail, shape, count, 0, index))
    elif isinstance(layer, ConvLayer):
        window = f"{layer.kernel}×{layer.kernel}" + (", no padding" if layer.padding == "valid" else "")
        penalty = f", L2 {layer.l2:g}" if layer.l2 else ""
        count = (layer.kernel**2 * shape[2] + (not layer.batch_norm)) * layer.filters
        shape = (_side_after(layer, shape[0]), _side_after(layer, shape[1]), layer.filters)
        detail = f"{window}{'' if layer.batch_norm else f', {layer.activation}'}{penalty}"
        rows.append(LayerRow(f"conv_{number}", "conv", detail, shape, count, 0, index))
        if layer.batch_norm:
            counts = 4 * layer.filters, 2 * layer.filters  # scale and offset are trained, mean and variance are not
            rows.append(LayerRow(f"batch_norm_{number}", "batch_norm", "by map", shape, *counts, index))
            rows.append(LayerRow(f"activation_{number}", "activation", layer.activation, shape, 0, 0, index))
    elif isinstance(layer, PoolLayer):
        shape = (_side_after(layer, shape[0]), _side_after(layer, shape[1]), shape[2])
        tile = f"{layer.pooling} of {layer.size}×{layer.size}"
        rows.append(LayerRow(f"pool_{number}", "pool", tile, shape, 0, 0, index))
    elif isinstance(layer, FlattenLayer):
        rows.append(LayerRow(f"flatten_{number}", "flatten", "all maps in a row", (math.prod(shape),), 0, 0, index))
    else:
        rows.append(LayerRow(f"global_average_{number}", "pool", "mean of each map", shape[2:], 0, 0, index))
    if isinstance(layer, _WITH_WEIGHTS | PoolLayer) and layer.dropout:
        rows.append(LayerRow(f"dropout_{number}", "dropout", f"rate {layer.dropout:g}", shape, 0, 0, index))
    return rows
