"""Flatten: puts the pixels of all feature maps in one vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from mnist_core.experiments.layers.base import HiddenLayer, KerasReader, Part, Shape, flatten_part
from mnist_core.experiments.layers.keras_chain import KerasChain, require


def _read_flatten(chain: KerasChain, options: Mapping[str, Any]) -> None:
    require(options, data_format="channels_last")
    if chain.has_maps:
        chain.add("flatten")
    elif not chain.layers:
        chain.flatten_image()


class FlattenLayer(HiddenLayer):
    """All pixels of all feature maps in a row. It may be left out: it is implied before the first dense layer."""

    label: ClassVar[str] = "Flatten"
    about: ClassVar[str] = "Puts all pixels of all maps in a row, for the dense layers. There is nothing to set."
    place = "to a row"
    reads: ClassVar[Mapping[str, KerasReader]] = {"Flatten": _read_flatten}
    passes_dropout: ClassVar[bool] = True

    kind: Literal["flatten"] = "flatten"

    def parts(self, shape: Shape) -> list[Part]:
        """Return the one part."""
        return [flatten_part(shape)]
