"""The layers of a `.keras` file while they are read; each kind of layer adds its own to this chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_core.constants import CLASSES, IMAGE_SHAPE, INPUT_SIZE


class KerasChain:
    """What was read of a network so far.

    A kind's reader is called with the chain and the options of one layer of Keras, in the order of the file. It adds a
    layer of its kind, or changes the last one, or raises ValueError with what is wrong with the layer.
    """

    def __init__(self, places: Mapping[str, str], activations: tuple[str, ...]) -> None:
        self.layers: list[dict[str, Any]] = []
        """The layers of a ModelConfig."""
        self.shape: tuple[int, ...] | None = None
        """Shape in which the first layer gets the image."""
        self.ended = False
        """True from the ten classes on."""
        self.open: str | None = None
        """What the last layer still needs: an `activation`, or else the name of the class of Keras that must follow."""
        self.demand = ""
        """What is wrong with a layer that stands where `open` names another, in words that follow its name."""
        self._classes: int | None = None
        self._places, self._activations = places, activations

    @property
    def has_maps(self) -> bool:
        """True if the last layer gives on maps of pixels."""
        return bool(self.layers) and self._places[self.layers[-1]["kind"]] == "pixels"

    def add(self, kind: str, **values: Any) -> None:
        """Add a layer; raise ValueError where the one before it is not complete."""
        self.need_nothing_open()
        self.layers.append({"kind": kind, **values})
        self._classes = None

    def expect(self, name: str, demand: str) -> None:
        """Refuse any next layer but one of this class of Keras, with `demand` as the reason."""
        self.open, self.demand = name, demand

    def activate(self, name: Any, *, classes: int | None = None) -> None:
        """Give the last layer the activation of this name in Keras; one that is linear needs a layer that follows.

        classes: outputs of the last layer, where a softmax that follows makes classes of them.
        """
        if name == "linear":
            self.open, self._classes = "activation", classes
        elif name in self._activations:
            self.layers[-1]["activation"] = name
        else:
            raise ValueError(f"its activation is {str(name)[:80]!r}; there may be {', '.join(self._activations)}")

    def close(self, name: Any) -> None:
        """Give the last layer the activation that it needs."""
        if self.open != "activation":
            raise ValueError("the layer before it has an activation already, or none is due")
        if name == "softmax" and self._classes is not None:
            self.layers.pop()
            self.end(self._classes)
            return
        self.open = None
        self.activate(name, classes=self._classes)

    def end(self, units: int) -> None:
        """End the network with so many classes."""
        if units != CLASSES:
            raise ValueError(f"it has {units} classes; the digits are {CLASSES}")
        self.ended, self.open = True, None

    def flatten_image(self) -> None:
        """Note that the image comes as one row of pixels."""
        self.shape = (INPUT_SIZE,)

    def need_nothing_open(self) -> None:
        """Raise ValueError if the last layer still needs something."""
        if self.open is not None:
            raise ValueError("the layer before it has no activation")

    def need_maps(self) -> None:
        """Raise ValueError if the next layer, which works on maps, comes first and gets no image of 28×28×1."""
        self.need_nothing_open()
        if not self.layers and self.shape != (*IMAGE_SHAPE, 1):
            raise ValueError(f"it gets {self.shape}; it needs an image of {(*IMAGE_SHAPE, 1)}")

    def need_row(self) -> None:
        """Raise ValueError if the next layer, which works on a row of values, gets an image or maps."""
        self.need_nothing_open()
        if not self.layers and self.shape != (INPUT_SIZE,):
            raise ValueError("it gets an image; it needs a Flatten before it")
        if self.has_maps:
            raise ValueError("it gets feature maps; it needs a Flatten before it")


def require(options: Mapping[str, Any], **needed: Any) -> None:
    """Raise ValueError where an option is there and is not the one that is needed."""
    for name, value in needed.items():
        if options.get(name, value) != value:
            raise ValueError(f"{name} is {str(options[name])[:80]}; only {value} is read")


def square(sides: Any, name: str) -> int:
    """Return the side of a square; raise ValueError for any other shape."""
    if len(sides) != 2 or sides[0] != sides[1]:
        raise ValueError(f"{name} is {str(sides)[:80]}; it must be square")
    return int(sides[0])
