"""What an experiment is: the model, the training and the dataset, with every bound declared once.

The types are frozen pydantic models. Sliders, command line and validation all read the bounds here, through `bounds`.
A `RunConfig` is the three together, and the run that it continues, if any; its canonical JSON, with the dataset's
fingerprint, is the identity of a run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mnist_core.errors import ConfigError

SCHEMA_VERSION = 1
IMAGE_SHAPE = (28, 28)
INPUT_SIZE = IMAGE_SHAPE[0] * IMAGE_SHAPE[1]
CLASSES = 10

Activation = Literal["relu", "elu", "tanh", "gelu", "sigmoid"]
OptimizerName = Literal["rmsprop", "adam", "sgd"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
OPTIMIZERS: tuple[str, ...] = get_args(OptimizerName)


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


class LayerRow(NamedTuple):
    """One line of a layer table."""

    name: str
    kind: str
    detail: str
    output_shape: tuple[int, ...]
    parameters: int


class ModelConfig(Frozen):
    """A network from 784 pixels to 10 classes: its hidden layers, in order. The softmax output is implied."""

    layers: tuple[DenseLayer, ...] = Field(min_length=1, max_length=6)

    def layer_table(self) -> list[LayerRow]:
        """The layers with their output shapes and parameter counts, computed without TensorFlow."""
        rows = [LayerRow("input", "flatten", "28×28 pixels in a row", (INPUT_SIZE,), 0)]
        width = INPUT_SIZE
        for index, layer in enumerate(self.layers, start=1):
            detail = layer.activation + (f", L2 {layer.l2:g}" if layer.l2 else "")
            rows.append(LayerRow(f"dense_{index}", "dense", detail, (layer.units,), (width + 1) * layer.units))
            width = layer.units
            if layer.dropout:
                rows.append(LayerRow(f"dropout_{index}", "dropout", f"rate {layer.dropout:g}", (width,), 0))
        rows.append(LayerRow("output", "dense", "softmax", (CLASSES,), (width + 1) * CLASSES))
        return rows

    def parameter_count(self) -> int:
        """Trainable parameters; equal to `count_params()` of the Keras model."""
        return sum(row.parameters for row in self.layer_table())

    def summary(self) -> str:
        """One short line, such as ``64-64 relu, dropout 0.2``."""
        text = "-".join(str(layer.units) for layer in self.layers)
        text += " " + "/".join(dict.fromkeys(layer.activation for layer in self.layers))
        for label, values in (("dropout", [la.dropout for la in self.layers]), ("L2", [la.l2 for la in self.layers])):
            if any(values):
                shown = dict.fromkeys(values) if len(set(values)) == 1 else values
                text += f", {label} " + "/".join(f"{value:g}" for value in shown)
        return text


class TestValidation(Frozen):
    """Validate on the test set, as the course notebooks did: simple, but the test score is then no longer unseen."""

    __test__ = False
    source: Literal["test"] = "test"


class HeldOutValidation(Frozen):
    """Validate on a seeded part of the training set, given as a count of images or as a fraction."""

    source: Literal["held_out"] = "held_out"
    count: int | None = Field(None, ge=10, le=50_000)
    fraction: float | None = Field(None, ge=0.01, le=0.9)

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.count is None) == (self.fraction is None):
            raise ValueError("give either a count or a fraction of the training images to hold out, and not both")
        return self

    def size(self, images: int) -> int:
        """How many of `images` training images are held out.

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


class EarlyStopping(Frozen):
    """Stop when the validation loss has not fallen by `min_delta` for `patience` epochs."""

    patience: int = Field(2, ge=1, le=100, description="epochs without improvement before stopping")
    min_delta: float = Field(0.0, ge=0.0, le=1.0)
    restore_best: bool = True


class TrainingConfig(Frozen):
    """How a model is trained."""

    optimizer: OptimizerName = "rmsprop"
    momentum: float = Field(0.0, ge=0.0, le=0.99, description="momentum; only SGD uses it")
    learning_rate: float = Field(1e-3, ge=1e-7, le=10.0)
    batch_size: int = Field(128, ge=1, le=8192)
    epochs: int = Field(10, ge=1, le=500)
    validation: Validation = TestValidation()
    early_stopping: EarlyStopping | None = None
    seed: int = Field(0, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _momentum_is_for_sgd(self) -> Self:
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(f"momentum {self.momentum:g} has no effect with {self.optimizer}; use sgd, or set it to 0")
        return self


class DatasetConfig(Frozen):
    """Which dataset: `mnist`, `digits`, or the name of a registered one."""

    name: str = Field("digits", min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")


class RunConfig(Frozen):
    """One experiment: the same RunConfig on the same data is the same run."""

    model: ModelConfig
    training: TrainingConfig = TrainingConfig()
    dataset: DatasetConfig = DatasetConfig()
    parent: str | None = Field(
        None, pattern=r"^[0-9a-f]{12}$", description="id of the run whose trained weights this one starts from"
    )

    def canonical_json(self) -> str:
        """Sorted keys, no white space, no default left out but a `parent` of None: most runs have none."""
        data = self.model_dump(mode="json", exclude={"parent"} if self.parent is None else None)
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    def run_id(self, fingerprint: str) -> str:
        """The run's identity: 12 hexadecimal digits of a SHA-256 over configuration, data and schema version."""
        text = f"{SCHEMA_VERSION}\n{fingerprint}\n{self.canonical_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def replace(self, **paths: Any) -> RunConfig:
        """A copy with values replaced by dotted path, written with ``__``: ``replace(training__epochs=5)``."""
        return with_values(self, {path.replace("__", "."): value for path, value in paths.items()})


@dataclass(frozen=True)
class Bounds:
    """The bounds of one number; `None` where there is none."""

    minimum: float | None
    maximum: float | None


def bounds(config_type: type[BaseModel], field: str) -> Bounds:
    """The bounds that `config_type` declares for `field`; for a tuple field, those of its length."""
    low: float | None = None
    high: float | None = None
    for item in config_type.model_fields[field].metadata:
        low = getattr(item, "ge", getattr(item, "min_length", low))
        high = getattr(item, "le", getattr(item, "max_length", high))
    if low is None and high is None:
        # an optional field keeps its bounds inside the annotation
        for part in get_args(config_type.model_fields[field].annotation):
            for item in getattr(part, "__metadata__", ()):
                low, high = getattr(item, "ge", low), getattr(item, "le", high)
    return Bounds(low, high)


def parse_config(data: Mapping[str, Any]) -> RunConfig:
    """A RunConfig from plain data.

    Raises
    ------
    ConfigError
        with one sentence for each field that is wrong: its path, its value and the limit.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """A pydantic error as sentences: field, what is expected, the value given."""
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in item["loc"]) or "configuration"
        message = item["msg"].removeprefix("Value error, ")
        given = item["input"]
        shown = "" if isinstance(given, dict | BaseModel) else f" (given: {given!r})"
        lines.append(f"{path}: {message}{shown}")
    return "; ".join(lines)


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """A copy of `config` with the values at dotted paths replaced, such as ``{"model.layers.0.dropout": 0.3}``.

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


def flatten(config: RunConfig) -> dict[str, Any]:
    """The configuration as dotted paths to plain values, for tables of differences."""
    flat: dict[str, Any] = {}

    def walk(node: Any, path: str) -> None:
        items: Iterable[tuple[Any, Any]]
        if isinstance(node, dict):
            items = node.items()
        elif isinstance(node, list):
            items = enumerate(node)
        else:
            flat[path] = node
            return
        for key, child in items:
            walk(child, f"{path}.{key}" if path else str(key))

    walk(config.model_dump(mode="json"), "")
    return flat
