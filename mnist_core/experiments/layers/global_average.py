"""The mean of each map, in place of its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from mnist_core.experiments.layers.base import Float32Array, HiddenLayer, KerasLayer, KerasReader, Part, Shape
from mnist_core.experiments.layers.keras_chain import KerasChain, require


def _read_global_average(chain: KerasChain, options: Mapping[str, Any]) -> None:
    chain.need_nothing_open()
    require(options, keepdims=False, data_format="channels_last")
    chain.add("global_average")


class GlobalAverageLayer(HiddenLayer):
    """The mean of each feature map, in place of its pixels."""

    label: ClassVar[str] = "Global average"
    about: ClassVar[str] = "Keeps of each map only the mean of its pixels. There is nothing to set."
    place = "to a row"
    reads: ClassVar[Mapping[str, KerasReader]] = {"GlobalAveragePooling2D": _read_global_average}

    kind: Literal["global_average"] = "global_average"

    def parts(self, shape: Shape) -> list[Part]:
        """Return the one part."""
        text = f"{shape[2]} · mean of each map"
        keras = KerasLayer("GlobalAveragePooling2D")
        return [Part("pool", "mean of each map", shape[2:], keras, text, step=lambda: _mean)]


def _mean(values: Float32Array) -> Float32Array:
    made: Float32Array = values.mean(axis=(1, 2))
    return made
