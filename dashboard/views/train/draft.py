"""The training form as plain data: a configuration as widget values, and widget values as a configuration.

No Streamlit here: `values_of` and `config_of` are each other's inverse, and the tests say so for every preset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    PlateauSchedule,
    RunConfig,
    StepSchedule,
    TrainingConfig,
    parse_config,
)
from mnist_core.experiments.fields import bounds, flatten
from mnist_core.experiments.layers import ConvLayer, DenseLayer, FlattenLayer, GlobalAverageLayer, PoolLayer

# Read from the configuration types, so that sliders, command line and validation agree.
LAYERS = bounds(ModelConfig, "layers")
DROPOUT, UNITS, L2 = (bounds(DenseLayer, field) for field in ("dropout", "units", "l2"))
RATE, BATCH, EPOCHS, MOMENTUM, SEED = (
    bounds(TrainingConfig, field) for field in ("learning_rate", "batch_size", "epochs", "momentum", "seed")
)
COUNT, FRACTION = (bounds(HeldOutValidation, field) for field in ("count", "fraction"))
PATIENCE, MIN_DELTA = (bounds(EarlyStopping, field) for field in ("patience", "min_delta"))
FILTERS, KERNEL = (bounds(ConvLayer, field) for field in ("filters", "kernel"))
TILE = bounds(PoolLayer, "size")
FACTOR, EVERY = (bounds(StepSchedule, field) for field in ("factor", "every"))
FINAL = bounds(CosineSchedule, "final")
SMOOTHING = bounds(TrainingConfig, "label_smoothing")


def _fields(config_type: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field for field in config_type.model_fields if field != "kind")


LAYER_TYPES: dict[str, type[BaseModel]] = {
    "conv": ConvLayer,
    "pool": PoolLayer,
    "flatten": FlattenLayer,
    "global_average": GlobalAverageLayer,
    "dense": DenseLayer,
}
LAYER_FIELDS = {kind: _fields(config_type) for kind, config_type in LAYER_TYPES.items()}
SCHEDULES: dict[str, type[BaseModel]] = {"step": StepSchedule, "cosine": CosineSchedule, "plateau": PlateauSchedule}
CONSTANT = "constant"
"""The form's word for no schedule."""
MOVES = {field: bounds(Augmentation, field) for field in _fields(Augmentation)}
"""The ways in which augmentation moves images, with their bounds."""

# Steps that a slider makes between two whole numbers, up to each limit: fine where a step matters.
_STEPS = ((20, 1), (50, 2), (100, 5), (200, 10), (500, 25), (1000, 50), (10**9, 100))


def layer_key(layer: int, field: str) -> str:
    """The widget of one field of one layer; layers are counted from 0."""
    return f"train_layer_{layer}_{field}"


def values_of(config: RunConfig) -> dict[str, Any]:
    """What each widget holds for `config`; choices that it leaves open (such as patience) get their defaults.

    A few settings of a schedule have no widget, and keep their value here.
    """
    training = config.training
    validation, stopping = training.validation, training.early_stopping or EarlyStopping()
    held = validation if isinstance(validation, HeldOutValidation) else None
    values: dict[str, Any] = {
        "train_dataset": config.dataset.name,
        "train_optimizer": training.optimizer,
        "train_momentum": training.momentum,
        "train_learning_rate": training.learning_rate,
        "train_batch_size": training.batch_size,
        "train_epochs": training.epochs,
        "train_validation": "test" if held is None else "count" if held.count is not None else "fraction",
        "train_held_count": held.count if held and held.count is not None else 10_000,
        "train_held_fraction": held.fraction if held and held.fraction is not None else 0.2,
        "train_stopping": training.early_stopping is not None,
        "train_patience": stopping.patience,
        "train_min_delta": stopping.min_delta,
        "train_restore_best": stopping.restore_best,
        "train_seed": training.seed,
        "train_parent": config.parent or "",
        "train_label_smoothing": training.label_smoothing,
        "train_schedule": training.schedule.kind if training.schedule else CONSTANT,
    }
    for config_type in SCHEDULES.values():
        values |= {schedule_key(name): config_type.model_fields[name].default for name in _fields(config_type)}
    if training.schedule:
        values |= {schedule_key(name): getattr(training.schedule, name) for name in _fields(type(training.schedule))}
    values |= {move_key(move): getattr(training.augmentation, move, 0.0) for move in MOVES}
    return with_layers(values, config.model.model_dump(mode="json")["layers"])


def schedule_key(field: str) -> str:
    """The widget of one setting of the learning-rate schedule."""
    return f"train_schedule_{field}"


def move_key(move: str) -> str:
    """The widget of one way in which augmentation moves images."""
    return f"train_augment_{move}"


def layers_in(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers that the widgets describe, as plain data."""
    kinds = [values[layer_key(index, "kind")] for index in range(values["train_layers"])]
    return [
        {"kind": kind, **{field: values[layer_key(index, field)] for field in LAYER_FIELDS[kind]}}
        for index, kind in enumerate(kinds)
    ]


def with_layers(values: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values with these layers, plain data, in place of those that they had."""
    kept = {key: value for key, value in values.items() if not key.startswith("train_layer_")}
    found = {layer_key(index, field): value for index, layer in enumerate(layers) for field, value in layer.items()}
    return {**kept, "train_layers": len(layers), **found}


def config_of(values: Mapping[str, Any]) -> RunConfig:
    """The configuration that the widgets describe.

    Raises
    ------
    ConfigError
        with one sentence for each value that is out of its bounds or missing.
    """
    empty = [key.removeprefix("train_").replace("_", " ") for key, value in values.items() if value is None]
    if empty:
        raise ConfigError(f"{' and '.join(empty)}: give a number; the field is empty")
    optimizer, source = values["train_optimizer"], values["train_validation"]
    validation: dict[str, Any] = {"source": "test"}
    if source != "test":
        validation = {"source": "held_out", source: values[f"train_held_{source}"]}
    stopping = None
    if values["train_stopping"]:
        names = {"patience": "train_patience", "min_delta": "train_min_delta", "restore_best": "train_restore_best"}
        stopping = {name: values[key] for name, key in names.items()}
    schedule = None
    if values["train_schedule"] != CONSTANT:
        kind = values["train_schedule"]
        schedule = {"kind": kind} | {name: values[schedule_key(name)] for name in _fields(SCHEDULES[kind])}
    moves = {move: values[move_key(move)] for move in MOVES}
    return parse_config(
        {
            "model": {"layers": layers_in(values)},
            "training": {
                "optimizer": optimizer,
                # the slider keeps its place while another optimizer is chosen
                "momentum": values["train_momentum"] if optimizer == "sgd" else 0.0,
                "learning_rate": values["train_learning_rate"],
                "batch_size": values["train_batch_size"],
                "epochs": values["train_epochs"],
                "validation": validation,
                "early_stopping": stopping,
                "seed": values["train_seed"],
                "augmentation": moves if any(moves.values()) else None,
                "schedule": schedule,
                "label_smoothing": values["train_label_smoothing"],
            },
            "dataset": {"name": values["train_dataset"]},
            "parent": values["train_parent"] or None,
        }
    )


def addable(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The kinds of layers of which there may be one more."""
    if len(layers) >= (LAYERS.maximum or 1):
        return []
    kinds = [layer["kind"] for layer in layers]
    found = ["dense", "conv", "pool"]
    # one way of putting the pixels in a row is enough, and there must be pixels
    if {"conv", "pool"} & set(kinds) and not {"flatten", "global_average"} & set(kinds):
        found += ["flatten", "global_average"]
    return found


def with_layer_added(values: Mapping[str, Any], kind: str = "dense") -> dict[str, Any]:
    """The values with one more layer, a copy of the last of its kind, where it can stand.

    A dense layer comes last; the others follow the last layer that works on pixels.
    """
    layers = layers_in(values)
    if kind not in addable(layers):
        return dict(values)
    alike = [layer for layer in layers if layer["kind"] == kind]
    new = dict(alike[-1]) if alike else LAYER_TYPES[kind]().model_dump(mode="json")
    on_pixels = [index for index, layer in enumerate(layers) if layer["kind"] in ("conv", "pool")]
    place = len(layers) if kind == "dense" else max(on_pixels, default=-1) + 1
    return with_layers(values, [*layers[:place], new, *layers[place:]])


def without_layer(values: Mapping[str, Any], layer: int) -> dict[str, Any]:
    """The values without one layer; those after it move up. The only layer stays."""
    layers = layers_in(values)
    if len(layers) <= 1:
        return dict(values)
    return with_layers(values, layers[:layer] + layers[layer + 1 :])


def with_layer_moved(values: Mapping[str, Any], layer: int, by: int) -> dict[str, Any]:
    """The values with one layer moved by so many places, as far as there are places."""
    layers = layers_in(values)
    moved = layers.pop(layer)
    layers.insert(max(0, layer + by), moved)
    return with_layers(values, layers)


def outcomes(layers: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[int, ...], int] | None]:
    """For each layer, the shape of what it gives on and its parameters; None from the first that does not fit."""
    for count in range(len(layers), 0, -1):
        try:
            rows = ModelConfig.model_validate({"layers": layers[:count]}).layer_table()
        except ValidationError:
            continue
        found: list[tuple[tuple[int, ...], int] | None] = []
        for index in range(count):
            own = [row for row in rows if row.layer == index]
            found.append((own[-1].output_shape, sum(row.parameters for row in own)))
        return found + [None] * (len(layers) - count)
    return [None] * len(layers)


def whole_numbers(low: int, high: int, extra: Iterable[int] = ()) -> list[int]:
    """Whole numbers from `low` to `high` in steps that grow with them, powers of two among them, and `extra`."""
    numbers = {low, high}
    value = low
    while value < high:
        numbers.add(value)
        step = next(step for limit, step in _STEPS if value < limit)
        value = (value // step + 1) * step
    numbers |= {2**power for power in range(high.bit_length()) if low <= 2**power <= high}
    return sorted(numbers | {value for value in extra if low <= value <= high})


def decades(low: float, high: float, extra: Iterable[float] = ()) -> list[float]:
    """Numbers 1, 2 and 5 times each power of ten from `low` to `high`, and `extra`, ascending."""
    numbers = {float(f"{digit}e{power}") for power in range(-12, 13) for digit in (1, 2, 5)}
    return sorted({value for value in numbers if low <= value <= high} | {v for v in extra if low <= v <= high})


def scientific(value: float) -> str:
    """A small number as people write it: ``0.001``, ``2·10⁻⁵``."""
    if value == 0 or value >= 1e-4:
        return f"{value:.10f}".rstrip("0").rstrip(".")
    digits, _, power = f"{value:e}".partition("e")
    digit = float(digits)
    exponent = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{exponent}" if digit == 1 else f"{digit:g}·10{exponent}"


_RATES = {"layers": {"__all__": {"dropout", "l2"}}}


def changes(base: RunConfig, config: RunConfig) -> list[str]:
    """What `config` does differently from `base`, in a few words each; the dataset is left out."""
    if base.model.model_dump(exclude=_RATES) != config.model.model_dump(exclude=_RATES):
        said = [config.model.summary()]
    else:
        said = []
        for label, field in (("dropout", "dropout"), ("L2", "l2")):
            before = [getattr(layer, field) for layer in base.model.layers if hasattr(layer, field)]
            after = [getattr(layer, field) for layer in config.model.layers if hasattr(layer, field)]
            if before != after:
                shown = after[:1] if len(set(after)) == 1 else after
                said.append(f"{label} " + "/".join(f"{value:g}" for value in shown))
    old, new = flatten(base), flatten(config)
    words = {
        "optimizer": lambda t: {"rmsprop": "RMSprop", "adam": "Adam", "sgd": "SGD"}[t.optimizer],
        "momentum": lambda t: f"momentum {t.momentum:g}",
        "learning_rate": lambda t: f"rate {scientific(t.learning_rate)}",
        "batch_size": lambda t: f"batch {t.batch_size}",
        "epochs": lambda t: f"{t.epochs} epoch{'' if t.epochs == 1 else 's'}",
        "seed": lambda t: f"seed {t.seed}",
    }
    said += [say(config.training) for key, say in words.items() if old[f"training.{key}"] != new[f"training.{key}"]]
    if base.training.validation != config.training.validation:
        held = config.training.validation
        size = "test set" if held.source == "test" else f"{held.count or f'{held.fraction:.0%}'} held out"
        said.append(f"validated on {size}" if held.source == "test" else size)
    if base.training.early_stopping != config.training.early_stopping:
        said.append("early stopping" if config.training.early_stopping else "no early stopping")
    if base.parent != config.parent:
        said.append("continued" if config.parent else "from new weights")
    for field, word in (("augmentation", "augmentation"), ("schedule", "schedule")):
        before, after = getattr(base.training, field), getattr(config.training, field)
        if before != after:
            said.append((f"{after.kind} {word}" if field == "schedule" else word) if after else f"no {word}")
    if base.training.label_smoothing != config.training.label_smoothing:
        said.append(f"label smoothing {config.training.label_smoothing:g}")
    return said


def suggested_name(base_name: str, base: RunConfig, config: RunConfig) -> str:
    """A name for `config` made from `base`: the base's, and what is different."""
    return ", ".join([base_name, *changes(base, config)])[:80]


def same_recipe(base: RunConfig, config: RunConfig) -> bool:
    """Whether the two differ in seed and dataset at most, so that a preset's published figures belong beside both."""
    return base.replace(training__seed=0).training == config.replace(training__seed=0).training and (
        (base.model, base.parent) == (config.model, config.parent)
    )
