"""A convolution, with or without batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from mnist_core.experiments.declare import setting
from mnist_core.experiments.layers.activations import STEPS
from mnist_core.experiments.layers.base import (
    Activation,
    Float32Array,
    ForwardStep,
    HiddenLayer,
    KerasLayer,
    KerasReader,
    Part,
    Shape,
    activation_setting,
    dropout_part,
    dropout_setting,
    l2_setting,
)
from mnist_core.experiments.layers.keras_chain import KerasChain, require, square

_VARIANCE_FLOOR = np.float32(1e-3)  # the default epsilon of keras.layers.BatchNormalization


def _read_conv(chain: KerasChain, options: Mapping[str, Any]) -> None:
    chain.need_maps()
    require(options, strides=[1, 1], dilation_rate=[1, 1], groups=1, data_format="channels_last", lora_rank=None)
    side = square(options["kernel_size"], "kernel_size")
    chain.add("conv", filters=options["filters"], kernel=side, padding=options["padding"])
    chain.activate(options["activation"])
    if not options["use_bias"]:
        if chain.open is None:
            raise ValueError("it has no bias; that is read only where batch normalisation follows")
        chain.expect("BatchNormalization", "follows a convolution without a bias; normalise it first")


def _read_batch_norm(chain: KerasChain, options: Mapping[str, Any]) -> None:
    require(options, center=True, scale=True, epsilon=0.001)
    if chain.open != "BatchNormalization" or options["axis"] not in (-1, 3):
        raise ValueError("it is read only after a convolution without bias and activation, over its maps")
    chain.layers[-1]["batch_norm"] = True
    chain.open = "activation"


class ConvLayer(HiddenLayer):
    """One convolution over the pixels, with stride 1, and what follows it: batch normalisation, activation, dropout.

    `ConvLayer(16, 3)` has 16 filters with windows of 3×3 pixels. With batch normalisation the convolution has no bias,
    since the normalisation subtracts the mean and adds an offset of its own; the activation then comes after it.
    """

    positional: ClassVar[tuple[str, ...]] = ("filters", "kernel")
    label: ClassVar[str] = "Convolution"
    about: ClassVar[str] = (
        "Small windows of weights slide over the picture; each gives a map of where it finds its pattern."
    )
    place = "pixels"
    reads: ClassVar[Mapping[str, KerasReader]] = {"Conv2D": _read_conv, "BatchNormalization": _read_batch_norm}

    kind: Literal["conv"] = "conv"
    filters: int = setting(
        16, ge=1, le=256, code="", label="Filters", help="How many patterns the layer looks for; each gives one map."
    )
    kernel: int = setting(
        3, ge=1, le=7, code="k", format="{0}×{0}", label="Kernel", help="The side of the sliding window, in pixels."
    )
    padding: Literal["same", "valid"] = setting(
        "same",
        choices={"same": "zeros around", "valid": "none"},
        code="",
        label="Padding",
        help="At the border: with zeros around the picture the maps are as large as what came in; without, they "
        "shrink by the kernel less one.",
    )
    batch_norm: bool = setting(
        False,
        code="bn",
        label="Batch normalisation",
        help="Brings each map to mean 0 and spread 1 over the images of a batch, before the activation. Training "
        "becomes steadier; each map gets four more parameters.",
    )
    activation: Activation = activation_setting()
    dropout: float = dropout_setting()
    l2: float = l2_setting()

    if TYPE_CHECKING:

        def __init__(
            self,
            filters: int = 16,
            kernel: int = 3,
            *,
            kind: Literal["conv"] = "conv",
            padding: Literal["same", "valid"] = "same",
            activation: Activation = "relu",
            batch_norm: bool = False,
            dropout: float = 0.0,
            l2: float = 0.0,
        ) -> None: ...

    @property
    def summary_size(self) -> int:
        """The filters."""
        return self.filters

    def described(self) -> str:
        """Return such as ``Convolution 24, 5×5 relu, batch norm``."""
        text = f"{self.label} {self.filters}, {self.kernel}×{self.kernel} {self.activation}"
        text += ", batch norm" if self.batch_norm else ""
        return text + (f", dropout {self.dropout:g}" if self.dropout else "")

    def misfit(self, side: int) -> tuple[str, str] | None:
        """Return what is wrong where the window is larger than the picture, without padding."""
        if self.padding == "same" or self.kernel <= side:
            return None
        window = f"its {self.kernel}×{self.kernel} window does not fit into the {side}×{side} that reach it"
        return window, "use padding same or a smaller kernel"

    def side_after(self, side: int) -> int:
        """Return the side of each map."""
        return side if self.padding == "same" else side - self.kernel + 1

    def parts(self, shape: Shape) -> list[Part]:
        """Return the convolution, its batch normalisation and activation, and its dropout."""
        height, width, maps = shape
        out = (self.side_after(height), self.side_after(width), self.filters)
        window = f"{self.kernel}×{self.kernel}" + (", no padding" if self.padding == "valid" else "")
        penalty = f", L2 {self.l2:g}" if self.l2 else ""
        detail = f"{window}{'' if self.batch_norm else f', {self.activation}'}{penalty}"
        after = {"use_bias": False} if self.batch_norm else {"activation": self.activation}
        kernel = (self.kernel, self.kernel, maps, self.filters)
        conv = Part(
            "conv",
            detail,
            out,
            KerasLayer("Conv2D", (self.filters, self.kernel), {"padding": self.padding, **after}, self.l2, "kernel"),
            f"{out[0]}×{out[1]}×{out[2]} · conv {detail}",
            (self.kernel**2 * maps + (not self.batch_norm)) * self.filters,
            weights=(kernel,) if self.batch_norm else (kernel, (self.filters,)),
            step=self._step,
            values=out[0] * out[1] * self.kernel**2 * maps,
        )
        return [conv, *(self._normalised(out) if self.batch_norm else []), *dropout_part(self.dropout, out)]

    def _normalised(self, out: Shape) -> list[Part]:
        norm = Part(
            "batch_norm",
            "by map",
            out,
            KerasLayer("BatchNormalization"),
            "batch normalisation",
            # scale and offset are trained, mean and variance are not
            4 * self.filters,
            2 * self.filters,
            weights=((self.filters,),) * 4,
            step=_batch_norm,
        )
        activate = STEPS[self.activation]
        keras = KerasLayer("Activation", (self.activation,))
        return [norm, Part("activation", self.activation, out, keras, self.activation, step=lambda: activate)]

    def _step(self, kernel: Float32Array, bias: Float32Array | None = None) -> ForwardStep:
        """Return the convolution as one matrix product: each row of the left factor is what one window sees."""
        size = self.kernel
        flat = kernel.reshape(-1, kernel.shape[-1])
        before = (size - 1) // 2 if self.padding == "same" else 0
        after = size - 1 - before if self.padding == "same" else 0

        def convolve(values: Float32Array) -> Float32Array:
            padded = np.pad(values, ((0, 0), (before, after), (before, after), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
            count, height, width = windows.shape[:3]
            seen = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, len(flat))
            made = (seen @ flat).reshape(count, height, width, -1)
            return made if bias is None else STEPS[self.activation](made + bias)

        return convolve


def _batch_norm(scale: Float32Array, offset: Float32Array, mean: Float32Array, variance: Float32Array) -> ForwardStep:
    factor = scale / np.sqrt(variance + _VARIANCE_FLOOR)
    return lambda values: values * factor + (offset - mean * factor)
