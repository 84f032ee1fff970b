"""The description of a kind of layer; each kind is one file in this folder.

A kind is a configuration (`HiddenLayer`: its bounds, and how it fits between other layers) and lists, for a given input
shape, its `Part`s: shape, parameters, the Keras layer, and the same step in NumPy. Layer tables, Keras models, Keras
code, the NumPy network and drawings are all made from the parts, and `.keras` files are read by what each kind `reads`,
so that a new kind is one new file and its name in `layers/__init__.py`.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.experiments.declare import setting
from mnist_core.experiments.frozen import Config
from mnist_core.experiments.layers.keras_chain import KerasChain

Float32Array = NDArray[np.float32]
ForwardStep = Callable[[Float32Array], Float32Array]
"""One layer after training: values of shape (n, …) → values of shape (n, …)."""
Shape = tuple[int, ...]


KerasReader = Callable[[KerasChain, Mapping[str, Any]], None]
"""A function that adds a layer of Keras, with these options, to what was read; it raises ValueError if it cannot."""


class LayerRow(NamedTuple):
    """One line of a layer table, and one layer of the Keras model.

    output_shape: without the batch; (height, width, maps) as long as there are pixels.
    parameters: all of them. fixed: those among them that no gradient trains (moving statistics of batch normalisation).
    layer: which of `ModelConfig.layers` it comes from, from 0; None for what is implied: input, flatten and output.
    """

    name: str
    kind: str
    detail: str
    output_shape: Shape
    parameters: int
    fixed: int = 0
    layer: int | None = None


class KerasLayer(NamedTuple):
    """A layer of Keras as data: `keras.layers.<name>(*positional, **options)`.

    l2: the penalty on the kernel; 0 for none.
    seeded: what draws random numbers: the kernel's initial weights, the dropout, or nothing.
    """

    name: str
    positional: tuple[Any, ...] = ()
    options: Mapping[str, Any] = {}  # never written to
    l2: float = 0.0
    seeded: Literal["kernel", "dropout"] | None = None

    def code(self) -> str:
        """Return the line of Python that makes this layer, without seeds."""
        given = [_literal(value) for value in self.positional]
        given += [f"{name}={_literal(value)}" for name, value in self.options.items()]
        if self.l2:
            given.append(f"kernel_regularizer=keras.regularizers.L2({self.l2!r})")
        return f"keras.layers.{self.name}({', '.join(given)})"


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


class Part(NamedTuple):
    """One Keras layer of a network: what a configured layer, or what is implied between layers, consists of.

    kind, detail, output_shape, parameters, fixed: as in `LayerRow`.
    keras: the layer of Keras.
    text: what a drawing of the network writes into its block.
    weights: the shapes of the arrays that Keras stores for it, in the order in which `step` takes them.
    step: from its arrays of weights to the step in NumPy; None for what does nothing after training.
    values: values that the step holds for one image at a time, where these are more than its outputs.
    """

    kind: str
    detail: str
    output_shape: Shape
    keras: KerasLayer
    text: str
    parameters: int = 0
    fixed: int = 0
    weights: tuple[Shape, ...] = ()
    step: Callable[..., ForwardStep] | None = None
    values: int = 0


class HiddenLayer(Config):
    """Base of all kinds of layers. A kind declares a field `kind`, its settings, and what follows here."""

    label: ClassVar[str]
    """The kind's name for a person, such as ``Dense layer``."""
    reads: ClassVar[Mapping[str, KerasReader]] = {}
    """How a layer of a `.keras` file becomes one of this kind, by the name of Keras's class."""
    passes_dropout: ClassVar[bool] = False
    """True where dropout of its outputs is the same as dropout of what goes in."""
    about: ClassVar[str]
    """Description of the kind, in one or two sentences for a student."""
    place: ClassVar[Literal["pixels", "to a row", "row"]]
    """Place in the network: on an image, from image to vector, or on a vector."""
    sliders: ClassVar[tuple[str, ...]] = ()
    """The settings that a form shows at once where all layers have such; of a layer with none, all are in a list."""

    @property
    def summary_size(self) -> int:
        """The number that tells a layer from others of its kind in a summary: units or filters; 0 for none."""
        return 0

    @property
    def dropout_rate(self) -> float:
        """The share of its outputs that is dropped while training; 0 for a kind without dropout."""
        return float(getattr(self, "dropout", 0.0))

    @abstractmethod
    def parts(self, shape: Shape) -> list[Part]:
        """Return what the layer consists of, for inputs of `shape` (without the batch)."""

    def described(self) -> str:
        """Return the layer in a few words, such as ``Convolution 24, 5×5 relu``."""
        return self.label

    def misfit(self, side: int) -> tuple[str, str] | None:
        """Return what is wrong and the remedy, where `side`×`side` pixels are too few for it; else None."""
        return None

    def side_after(self, side: int) -> int:
        """Return height and width of what comes out, for what goes in."""
        return side


Activation = Literal["relu", "elu", "tanh", "gelu", "sigmoid"]


def dropout_setting() -> Any:
    """Declare the share of a layer's outputs that is dropped while training, 0 to 0.9."""
    return setting(
        0.0,
        ge=0.0,
        le=0.9,
        step=0.05,
        code="d",
        examples=(0.0, 0.2, 0.4, 0.6),
        label="Dropout",
        help="The share of the layer's outputs that is switched off at random at each training step. It keeps the "
        "network from relying on single neurons, and so from learning the training images by heart (overfitting). "
        "0 is no dropout.",
    )


def l2_setting() -> Any:
    """Declare the penalty on a layer's kernel, 0 to 1."""
    return setting(
        0.0,
        ge=0.0,
        le=1.0,
        scale="decades",
        zero=True,
        code="l",
        named="L2 {}",
        examples=(0.0, 0.0001, 0.001, 0.01),
        label="L2 penalty",
        help="A penalty on large weights, added to the loss. It is another way to hold overfitting down. 0 is none.",
    )


def activation_setting() -> Any:
    """Declare the function that follows a layer's weighted sums."""
    return setting(
        "relu",
        widget="list",
        code="",
        label="Activation",
        help="The function that bends each neuron's output. Without it, several layers are no better than one.",
    )


def dropout_part(rate: float, shape: Shape) -> list[Part]:
    """Return the dropout of `rate` after a layer, where there is any."""
    if not rate:
        return []
    keras = KerasLayer("Dropout", (rate,), seeded="dropout")
    return [Part("dropout", f"rate {rate:g}", shape, keras, f"dropout {rate:g}")]


def flatten_part(shape: Shape) -> Part:
    """Return what puts all values of `shape` in a row."""
    size = int(np.prod(shape))
    return Part(
        "flatten", "all maps in a row", (size,), KerasLayer("Flatten"), f"{size} in a row", step=lambda: _in_a_row
    )


def image_part() -> Part:
    """Return the input of a network that works on pixels in their places."""
    shape = (*IMAGE_SHAPE, 1)
    keras = KerasLayer("Reshape", (shape,))
    return Part(
        "image", "28×28 pixels", shape, keras, "784 pixels, 28×28", step=lambda: lambda pixels: pixels[..., None]
    )


def flat_image_part() -> Part:
    """Return the input of a network of dense layers."""
    return flatten_part(IMAGE_SHAPE)._replace(detail="28×28 pixels in a row", text="784 pixels, 28×28")


def _in_a_row(values: Float32Array) -> Float32Array:
    return values.reshape(len(values), -1)


def check_order(layers: Sequence[HiddenLayer], side: int) -> None:
    """Raise ValueError where the layers do not fit each other, naming the layer from 1, and the remedy.

    side: height and width of the image.
    """
    row = ""  # the layer that has flattened the image, in words
    for number, layer in enumerate(layers, start=1):
        place = f"layer {number} ({kind_of(layer).replace('_', ' ')})"
        if layer.place == "pixels":
            if row:
                raise ValueError(
                    f"{place} needs pixels in their places, but {row} has put them in a row; "
                    "move it before the first flatten, global average or dense layer"
                )
            misfit = layer.misfit(side)
            if misfit:
                wrong, remedy = misfit
                raise ValueError(f"{place} leaves no pixels: {wrong}; {remedy}")
            side = layer.side_after(side)
        elif layer.place == "to a row":
            if row:
                raise ValueError(f"{place} has nothing to do, as {row} has put the pixels in a row; leave it out")
            if number == 1:
                raise ValueError(f"{place} needs a convolution or pooling before it; leave it out")
            row = place
        else:
            row = row or place


def kind_of(layer: HiddenLayer) -> str:
    """Return the value of the field `kind`, which each kind of layer declares."""
    kind: str = layer.kind  # type: ignore[attr-defined]
    return kind
