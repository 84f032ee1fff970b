"""A fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mnist_core.constants import CLASSES
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
from mnist_core.experiments.layers.keras_chain import KerasChain, require


def _read_dense(chain: KerasChain, options: Mapping[str, Any]) -> None:
    chain.need_nothing_open()
    require(options, use_bias=True, lora_rank=None, quantization_config=None)
    chain.need_row()
    if options["activation"] == "softmax":
        chain.end(options["units"])
        return
    chain.add("dense", units=options["units"])
    chain.activate(options["activation"], classes=options["units"])


class DenseLayer(HiddenLayer):
    """One fully connected hidden layer, and the dropout that follows it: `DenseLayer(64, dropout=0.2)`."""

    positional: ClassVar[tuple[str, ...]] = ("units",)
    label: ClassVar[str] = "Dense layer"
    about: ClassVar[str] = "Each of its units is connected to everything that the layer before gives on."
    place = "row"
    sliders: ClassVar[tuple[str, ...]] = ("units", "dropout")
    reads: ClassVar[Mapping[str, KerasReader]] = {"Dense": _read_dense}

    kind: Literal["dense"] = "dense"
    units: int = setting(
        64,
        ge=1,
        le=2048,
        code="",
        label="Units",
        help="Neurons in the layer. More of them can learn finer differences, cost more time, and overfit sooner.",
    )
    activation: Activation = activation_setting()
    dropout: float = dropout_setting()
    l2: float = l2_setting()

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int = 64,
            *,
            kind: Literal["dense"] = "dense",
            activation: Activation = "relu",
            dropout: float = 0.0,
            l2: float = 0.0,
        ) -> None: ...

    @property
    def summary_size(self) -> int:
        """The units."""
        return self.units

    def described(self) -> str:
        """Return such as ``Dense layer 64 relu, dropout 0.2``."""
        return f"{self.label} {self.units} {self.activation}" + (f", dropout {self.dropout:g}" if self.dropout else "")

    def parts(self, shape: Shape) -> list[Part]:
        """Return the dense layer, with its activation, and its dropout."""
        detail = self.activation + (f", L2 {self.l2:g}" if self.l2 else "")
        keras = KerasLayer("Dense", (self.units,), {"activation": self.activation}, self.l2, "kernel")
        return [
            dense_part(shape, self.units, detail, keras, STEPS[self.activation], f"{self.units} units · {detail}"),
            *dropout_part(self.dropout, (self.units,)),
        ]


def dense_part(shape: Shape, units: int, detail: str, keras: KerasLayer, activate: ForwardStep, text: str) -> Part:
    """Return a fully connected layer of so many units, for inputs of `shape`."""

    def step(kernel: Float32Array, bias: Float32Array) -> ForwardStep:
        return lambda values: activate(values @ kernel + bias)

    weights = ((shape[0], units), (units,))
    return Part("dense", detail, (units,), keras, text, (shape[0] + 1) * units, weights=weights, step=step)


def output_part(shape: Shape) -> Part:
    """Return the output of every network: a dense layer with a softmax. Its step in NumPy gives the logits."""
    keras = KerasLayer("Dense", (CLASSES,), {"activation": "softmax"}, seeded="kernel")
    return dense_part(shape, CLASSES, "softmax", keras, lambda logits: logits, f"{CLASSES} classes · softmax")
