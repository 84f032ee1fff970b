"""A pooling: one pixel in the place of each tile of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from mnist_core.experiments.declare import setting
from mnist_core.experiments.layers.base import (
    Float32Array,
    ForwardStep,
    HiddenLayer,
    KerasLayer,
    KerasReader,
    Part,
    Shape,
    dropout_part,
    dropout_setting,
)
from mnist_core.experiments.layers.keras_chain import KerasChain, require, square


def _read_pool(pooling: str, chain: KerasChain, options: Mapping[str, Any]) -> None:
    chain.need_maps()
    require(options, padding="valid", data_format="channels_last")
    side = square(options["pool_size"], "pool_size")
    if options["strides"] not in (None, [side, side]):
        raise ValueError(f"its strides are {options['strides']}; they must be those of its tiles")
    chain.add("pool", pooling=pooling, size=side)


class PoolLayer(HiddenLayer):
    """One pooling of square tiles, each of which becomes a pixel; what is left over at the border is cut off."""

    label: ClassVar[str] = "Pooling"
    about: ClassVar[str] = (
        "Puts one pixel in the place of each tile of pixels: what remains is smaller, and cares less where."
    )
    place = "pixels"
    reads: ClassVar[Mapping[str, KerasReader]] = {
        "MaxPooling2D": partial(_read_pool, "max"),
        "AveragePooling2D": partial(_read_pool, "average"),
    }

    kind: Literal["pool"] = "pool"
    pooling: Literal["max", "average"] = setting(
        "max", code="", label="Keep of each tile", help="Which value stands for a tile: its largest or its mean."
    )
    size: int = setting(2, ge=2, le=7, code="", format="{0}×{0}", label="Tile", help="The side of a tile, in pixels.")
    dropout: float = dropout_setting()

    def described(self) -> str:
        """Return such as ``Pooling max 2×2``."""
        text = f"{self.label} {self.pooling} {self.size}×{self.size}"
        return text + (f", dropout {self.dropout:g}" if self.dropout else "")

    def misfit(self, side: int) -> tuple[str, str] | None:
        """Return what is wrong where a tile is larger than the picture."""
        if self.size <= side:
            return None
        return f"its {self.size}×{self.size} window does not fit into the {side}×{side} that reach it", "pool less"

    def side_after(self, side: int) -> int:
        """Return how many whole tiles fit."""
        return side // self.size

    def parts(self, shape: Shape) -> list[Part]:
        """Return the pooling and its dropout."""
        out = (self.side_after(shape[0]), self.side_after(shape[1]), shape[2])
        tile = f"{self.pooling} of {self.size}×{self.size}"
        keras = KerasLayer(f"{self.pooling.capitalize()}Pooling2D", (self.size,))
        text = f"{out[0]}×{out[1]}×{out[2]} · {tile}"
        return [Part("pool", tile, out, keras, text, step=self._step), *dropout_part(self.dropout, out)]

    def _step(self) -> ForwardStep:
        side = self.size

        def pool(values: Float32Array) -> Float32Array:
            height, width = values.shape[1] // side, values.shape[2] // side
            tiles = values[:, : height * side, : width * side].reshape(len(values), height, side, width, side, -1)
            made: Float32Array = tiles.max(axis=(2, 4)) if self.pooling == "max" else tiles.mean(axis=(2, 4))
            return made

        return pool
