"""Flatten: puts the pixels of all feature maps in one vector."""

from __future__ import annotations

from typing import ClassVar, Literal

from mnist_core.experiments.layers.base import HiddenLayer, Part, Shape, flatten_part


class FlattenLayer(HiddenLayer):
    """All pixels of all feature maps in a row. It may be left out: it is implied before the first dense layer."""

    label: ClassVar[str] = "Flatten"
    about: ClassVar[str] = "Puts all pixels of all maps in a row, for the dense layers. There is nothing to set."
    place = "to a row"

    kind: Literal["flatten"] = "flatten"

    def parts(self, shape: Shape) -> list[Part]:
        """Return the one part."""
        return [flatten_part(shape)]
