"""The configuration of an experiment: model, training and dataset, with every bound declared once.

The types are frozen pydantic models. Sliders, command line and validation all read the bounds here, through `bounds`.
A `RunConfig` is the three together, and the run that it continues, if any; its canonical JSON, with the dataset's
fingerprint, is the identity of a run.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.errors import ConfigError
from mnist_core.experiments.declare import OnlyIf, declaration, setting
from mnist_core.experiments.frozen import Config, explain
from mnist_core.experiments.layers import Layer, LayerRow, Part, check_order
from mnist_core.experiments.layers.base import Shape, flat_image_part, flatten_part, image_part, kind_of
from mnist_core.experiments.layers.dense import output_part

SCHEMA_VERSION = 1
MOST_PARAMETERS = 50_000_000
"""More would need gigabytes for weights and optimizer; no digit classifier gains from them."""

OptimizerName = Literal["rmsprop", "adam", "sgd"]
OPTIMIZERS: dict[OptimizerName, str] = {"rmsprop": "RMSprop", "adam": "Adam", "sgd": "SGD"}
"""Each optimizer as it is written, which is also the name of its class in `keras.optimizers`."""


class ModelConfig(Config):
    """A network from 784 pixels to 10 classes: its hidden layers, in order. The softmax output is implied.

    Convolutions and poolings come first, as they need the pixels in their places; then at most one flatten or global
    average, then dense layers. A layer without a `kind` is dense, and so is a number, its units: `layers=[64, 64]`.
    """

    layers: tuple[Layer, ...] = setting(
        ...,
        min_length=1,
        max_length=12,
        label="Layers",
        help="The hidden layers in their order. The last layer, ten units with softmax, is always there.",
    )

    @field_validator("layers", mode="before")
    @classmethod
    def _dense_where_unsaid(cls, layers: Any) -> Any:
        if not isinstance(layers, list | tuple):
            return layers
        layers = [{"units": layer} if isinstance(layer, int) else layer for layer in layers]
        return [{"kind": "dense", **layer} if isinstance(layer, dict) else layer for layer in layers]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_order(self.layers, IMAGE_SHAPE[0])
        count = self.parameter_count()
        if count > MOST_PARAMETERS:
            raise ValueError(
                f"the network has {count:,} parameters, and at most {MOST_PARAMETERS:,} are allowed; "
                "pool more, or choose fewer filters or units"
            )
        return self

    @property
    def convolutional(self) -> bool:
        """True if it works on pixels in their places: if any layer is not dense."""
        return any(layer.place != "row" for layer in self.layers)

    def parts(self) -> list[tuple[LayerRow, Part]]:
        """Return every layer of the network, input, implied flatten and output included, with its line of the table."""
        found: list[tuple[LayerRow, Part]] = []

        def add(name: str, part: Part, layer: int | None = None) -> Shape:
            row = LayerRow(name, part.kind, part.detail, part.output_shape, part.parameters, part.fixed, layer)
            found.append((row, part))
            return part.output_shape

        shape = add("input", image_part() if self.convolutional else flat_image_part())
        for index, layer in enumerate(self.layers):
            if layer.place == "row" and len(shape) > 1:
                shape = add("flatten", flatten_part(shape))
            for number, part in enumerate(layer.parts(shape)):
                shape = add(f"{part.kind if number else kind_of(layer)}_{index + 1}", part, index)
        if len(shape) > 1:
            shape = add("flatten", flatten_part(shape))
        add("output", output_part(shape))
        return found

    def layer_table(self) -> list[LayerRow]:
        """Return the layers with their output shapes and parameter counts, computed without TensorFlow."""
        return [row for row, _ in self.parts()]

    def parameter_count(self) -> int:
        """Return all parameters; equal to `count_params()` of the Keras model."""
        return sum(row.parameters for row in self.layer_table())

    def operations(self) -> int:
        """Return about how many multiplications an image takes: a convolution's parameter counts at every pixel."""
        return sum(row.parameters * math.prod(row.output_shape[:-1]) for row in self.layer_table())

    def summary(self) -> str:
        """Return one short line, such as ``64-64 relu, dropout 0.2`` or ``conv 16-32, pool, dense 64 relu``."""
        if self.convolutional or not all(layer.summary_size for layer in self.layers):
            parts = []
            for kind, group in itertools.groupby(self.layers, key=lambda layer: layer.kind):
                sizes = "-".join(str(size) for layer in group if (size := layer.summary_size))
                parts.append(f"{kind.replace('_', ' ')} {sizes}".strip())
            text = ", ".join(parts)
        else:
            text = "-".join(str(layer.summary_size) for layer in self.layers)
        activations = dict.fromkeys(self._settings("activation"))
        text += f" {'/'.join(activations)}" if activations else ""
        for label, values in (("dropout", self._settings("dropout")), ("L2", self._settings("l2"))):
            if any(values):
                shown: Iterable[float] = dict.fromkeys(values) if len(set(values)) == 1 else values
                if self.convolutional:  # among layers of several kinds, zeros would only puzzle
                    shown = dict.fromkeys(value for value in values if value)
                text += f", {label} " + "/".join(f"{value:g}" for value in shown)
        return text + (", batch norm" if any(self._settings("batch_norm")) else "")

    def _settings(self, name: str) -> list[Any]:
        """Return a setting of all the layers that have it."""
        return [getattr(layer, name) for layer in self.layers if hasattr(layer, name)]


class TestValidation(Config):
    """Validate on the test set, as the course notebooks did: simple, but the test score is then no longer unseen."""

    __test__ = False
    in_words: ClassVar[str] = "test set"
    source: Literal["test"] = "test"


class HeldOutValidation(Config):
    """Validate on a seeded part of the training set, given as a count of images or as a fraction."""

    one_of: ClassVar[dict[str, str]] = {
        "count": "a number of training images",
        "fraction": "a share of the training images",
    }
    source: Literal["held_out"] = "held_out"
    count: int | None = setting(
        None, ge=10, le=50_000, label="Images held out", help="So many training images are not trained on.",
        widget="number", step=100, start=10_000, link="held_count", named="{} held out",
    )  # fmt: skip
    fraction: float | None = setting(
        None, ge=0.01, le=0.9, label="Share held out", help="This share of the training images is not trained on.",
        start=0.2, link="held_fraction", named="{:.0%} held out",
    )  # fmt: skip

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.count is None) == (self.fraction is None):
            raise ValueError("give either a count or a fraction of the training images to hold out, and not both")
        return self

    def size(self, images: int) -> int:
        """Return how many of `images` training images are held out.

        Raises
        ------
        ConfigError
            if fewer than 10 images would be left on either side.
        """
        held = self.count if self.count is not None else round(images * (self.fraction or 0.0))
        if not 10 <= held <= images - 10:
            raise ConfigError(
                f"holding out {held} of {images} training images leaves too few on one side; "
                f"hold out between 10 and {images - 10}"
            )
        return held


Validation = Annotated[TestValidation | HeldOutValidation, Field(discriminator="source")]


class EarlyStopping(Config):
    """Stop when the validation loss has not fallen by `min_delta` for `patience` epochs."""

    patience: int = setting(
        2, ge=1, le=100, label="Patience in epochs", link="patience",
        help="Epochs without a lower validation loss that are waited for.",
    )  # fmt: skip
    restore_best: bool = setting(
        True, label="Restore the best epoch", link="restore_best",
        help="Keep the weights of the epoch with the lowest validation loss instead of the last one's.",
    )  # fmt: skip
    min_delta: float = setting(
        0.0, ge=0.0, le=1.0, label="Least improvement of the validation loss", link="min_delta",
        help="How far the validation loss must fall to count as lower.", widget="number", step=0.001, format="%.4f",
    )  # fmt: skip


class Augmentation(Config):
    """Limits of the random shift, rotation and scaling of each training image, drawn again in each epoch; see
    `augmentation`.
    """

    shift: float = setting(
        0.0, ge=0.0, le=10.0, label="Shift, pixels", help="At most so many pixels to the left, right, up and down.",
        step=0.5, format="%.1f", link="shift",
    )  # fmt: skip
    rotation: float = setting(
        0.0, ge=0.0, le=45.0, label="Rotation", help="At most so far to each side, in degrees.", step=1.0,
        format="%.0f°", link="rotation",
    )  # fmt: skip
    zoom: float = setting(
        0.0, ge=0.0, le=0.5, label="Zoom", help="At most so much larger or smaller, as a share.", format="percent",
        link="zoom",
    )  # fmt: skip

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.shift or self.rotation or self.zoom):
            raise ValueError("an augmentation of nothing; set shift, rotation or zoom, or leave augmentation out")
        return self

    def summary(self) -> str:
        """Return words such as ``shift 2 px, rotation 10°, zoom 10 %``."""
        parts = (f"shift {self.shift:g} px" if self.shift else "", f"rotation {self.rotation:g}°" * bool(self.rotation))
        return ", ".join(filter(None, (*parts, f"zoom {100 * self.zoom:g} %" if self.zoom else "")))


def _factor() -> Any:
    return setting(
        0.5, ge=0.01, le=0.99, label="The rate is multiplied by", help="What is left of the rate each time it falls."
    )


class StepSchedule(Config):
    """The learning rate times `factor` after every `every` epochs."""

    in_words: ClassVar[str] = "step (falls every few epochs)"
    kind: Literal["step"] = "step"
    factor: float = _factor()
    every: int = setting(
        5, ge=1, le=500, label="Epochs between two falls", help="The rate falls after every so many epochs."
    )

    def rate(self, first: float, epoch: int, epochs: int) -> float:
        """Return the rate in `epoch` (from 1), where it began at `first`."""
        return first * self.factor ** ((epoch - 1) // self.every)


class CosineSchedule(Config):
    """Half a cosine from the learning rate to `final` of it, which would be reached after the last planned epoch."""

    in_words: ClassVar[str] = "cosine (falls smoothly to the end)"
    kind: Literal["cosine"] = "cosine"
    final: float = setting(
        0.0, ge=0.0, le=1.0, label="Share of the rate that is left at the end", help="0 lets the rate fall to nothing."
    )

    def rate(self, first: float, epoch: int, epochs: int) -> float:
        """Return the rate in `epoch` (from 1) of `epochs`, from `first` on: as `keras…CosineDecay`, by the epoch."""
        return first * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs)))


class PlateauSchedule(Config):
    """The rate times `factor` where the validation loss stops falling: `keras.callbacks.ReduceLROnPlateau`."""

    in_words: ClassVar[str] = "plateau (falls when the loss stops falling)"
    kind: Literal["plateau"] = "plateau"
    factor: float = _factor()
    patience: int = setting(
        2, ge=1, le=100, label="Epochs without a lower validation loss", help="The rate falls after so many of them."
    )
    min_delta: float = setting(
        1e-4, ge=0.0, le=1.0, label="Least improvement of the validation loss", widget="none",
        help="How far the validation loss must fall to count as lower.",
    )  # fmt: skip
    cooldown: int = setting(
        0, ge=0, le=100, label="Cooldown", help="Epochs that are not counted after the rate has fallen.", widget="none"
    )
    min_rate: float = setting(
        0.0, ge=0.0, le=10.0, label="Lowest rate", help="The rate falls no further than this.", widget="none"
    )


Schedule = Annotated[StepSchedule | CosineSchedule | PlateauSchedule, Field(discriminator="kind")]


class TrainingConfig(Config):
    """The settings of a training.

    schedule: None keeps the learning rate as it is. label_smoothing: the share of each label that is spread evenly
    over all classes while training, as `keras.losses.CategoricalCrossentropy` does; the training loss contains it, and
    the losses of clean and validation images do not, so that they can be compared with those of other runs.
    """

    epochs: int = setting(
        10, ge=1, le=500, label="Epochs", help="One epoch is one pass over all training images.", named="{} epochs",
        named_one="{} epoch", examples=(2, 5, 10),
    )  # fmt: skip
    optimizer: OptimizerName = setting(
        "rmsprop", label="Optimizer", help="The rule that turns the slope of the loss into corrections of the weights.",
        choices=OPTIMIZERS, named="{}",
    )  # fmt: skip
    momentum: float = setting(
        0.0, ge=0.0, le=0.99, label="Momentum", only_if=OnlyIf("training.optimizer", ("sgd",)),
        help="How much of the last correction is carried over into the next one. Only SGD uses it.",
    )  # fmt: skip
    learning_rate: float = setting(
        1e-3, ge=1e-7, le=10.0, label="Learning rate", scale="decades", named="rate {}",
        help="How large each correction of the weights is. Too large, and training diverges; too small, and it crawls.",
        examples=(0.0001, 0.001, 0.01),
    )  # fmt: skip
    schedule: Schedule | None = setting(
        None, label="Learning-rate schedule", widget="list", absent=("constant", "constant"), came_later=True,
        help="How the learning rate changes from epoch to epoch: large corrections at first, fine ones at the end.",
        named="{} schedule",
    )  # fmt: skip
    batch_size: int = setting(
        128, ge=1, le=8192, label="Batch size", scale="powers of two", named="batch {}",
        help="Images that the network sees before each correction of its weights.", examples=(32, 128, 512),
    )  # fmt: skip
    label_smoothing: float = setting(
        0.0, ge=0.0, le=0.5, label="Label smoothing", came_later=True, examples=(0.0, 0.05, 0.1),
        help="The share of each label that is spread evenly over all ten digits while training: the network is not "
        "asked to be entirely sure, and learns to be less overconfident. 0 is none.",
    )  # fmt: skip
    validation: Validation = setting(
        TestValidation(), label="Validate on", widget="list", named="validated on {}",
        help="The images on which each epoch is evaluated. If these are the test set, as in the course notebooks, the "
        "test score is no longer that of unseen images; holding out part of the training images avoids this.",
    )  # fmt: skip
    early_stopping: EarlyStopping | None = setting(
        None, label="Early stopping", help="End the training when the validation loss has stopped falling."
    )
    seed: int = setting(
        0, ge=0, le=2**31 - 1, label="Seed", widget="number", step=1, examples=(0, 1, 2, 3, 4),
        help="The number that all chance starts from: first weights, dropout, order of images. The same seed gives the "
        "same training again; another seed shows how much of a difference is luck.",
    )  # fmt: skip
    augmentation: Augmentation | None = setting(
        None, label="Augmentation", implied=True, came_later=True,
        help="Each training image is moved a little, at random and anew in each epoch; test images never are.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _momentum_is_for_sgd(self) -> Self:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f"momentum {self.momentum:g} has no effect with {self.optimizer}; use sgd, or set it to 0")
        return self


class DatasetConfig(Config):
    """Which dataset: `mnist`, `digits`, or the name of a registered one."""

    name: str = setting(
        "digits", min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$", label="Dataset", link="dataset",
        help="The images to train on: mnist, digits, or the name of a registered file.",
    )  # fmt: skip


class RunConfig(Config):
    """One experiment: the same RunConfig on the same data is the same run."""

    model: ModelConfig
    training: TrainingConfig = TrainingConfig()
    dataset: DatasetConfig = DatasetConfig()
    parent: str | None = setting(
        None, pattern=r"^[0-9a-f]{12}$", label="Parent", start="",
        help="The id of the run whose trained weights this one starts from.",
    )  # fmt: skip

    parent_epoch: int | None = Field(None, ge=1)
    """The epoch of the parent that this run goes on from with changed settings, the optimizer's state included; None
    for a run that begins its own training. Not a setting: only a change in the middle of a training makes it."""

    @model_validator(mode="after")
    def _an_epoch_has_a_parent(self) -> Self:
        if self.parent_epoch is not None and self.parent is None:
            raise ValueError("parent_epoch is an epoch of the parent; give the parent too")
        return self

    def canonical_json(self) -> str:
        """Return JSON with sorted keys and no white space.

        No default is left out but those of fields that came later, so that ids stay.
        """
        absent = {name for name in ("parent", "parent_epoch") if getattr(self, name) is None}
        data = self.model_dump(mode="json", exclude=absent)
        _leave_out_newer(self, data)
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    def run_id(self, fingerprint: str) -> str:
        """Return the run's identity: 12 hexadecimal digits of a SHA-256 over configuration, data and schema version."""
        text = f"{SCHEMA_VERSION}\n{fingerprint}\n{self.canonical_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def replace(self, **paths: Any) -> RunConfig:
        """Return a copy with values replaced by dotted path, written with ``__``: ``replace(training__epochs=5)``."""
        return with_values(self, {path.replace("__", "."): value for path, value in paths.items()})


def _leave_out_newer(config: Any, data: Any) -> None:
    """Take the fields that came later out of a configuration's `data`, where they have their defaults."""
    if isinstance(config, tuple):
        for one, its_data in zip(config, data, strict=True):
            _leave_out_newer(one, its_data)
    elif isinstance(config, Config):
        for name, default, came_later in _defaults(type(config)):
            value = getattr(config, name)
            if came_later and value == default:
                del data[name]
            elif isinstance(value, tuple | Config):
                _leave_out_newer(value, data.get(name))


@functools.cache
def _defaults(kind: type[Config]) -> tuple[tuple[str, Any, bool], ...]:
    """Return the name and the default of each field, and whether it came later; a store asks once for each run."""
    return tuple((name, info.default, declaration(info).came_later) for name, info in kind.model_fields.items())


def parse_config(data: Mapping[str, Any]) -> RunConfig:
    """Return a RunConfig from plain data.

    Raises
    ------
    ConfigError
        with one sentence for each field that is wrong: its path, its value and the limit.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return a copy of `config` with the values at dotted paths replaced, such as ``{"model.layers.0.dropout": 0.3}``.

    Raises
    ------
    ConfigError
        for a path that does not exist, naming what does, or for a value out of bounds.
    """
    data = config.model_dump(mode="json")
    for path, value in values.items():
        *parents, last = path.split(".")
        node: Any = data
        for depth, part in enumerate(parents):
            node = _child(node, part, path, ".".join(parents[:depth]))
            if node is None:
                raise ConfigError(
                    f"{path}: {part} is not set; set {'.'.join(parents[: depth + 1])} as a whole, as JSON"
                )
        _child(node, last, path, ".".join(parents))
        node[int(last) if isinstance(node, list) else last] = value
    return parse_config(data)


def _child(node: Any, part: str, path: str, parent: str) -> Any:
    if isinstance(node, list):
        if part.isdigit() and int(part) < len(node):
            return node[int(part)]
        raise ConfigError(f"{path}: {parent} has items 0 to {len(node) - 1}, not {part!r}")
    if isinstance(node, dict) and part in node:
        return node[part]
    known = ", ".join(node) if isinstance(node, dict) else "nothing below it"
    raise ConfigError(f"{path}: {parent or 'the configuration'} has no field {part!r}; it has {known}")
