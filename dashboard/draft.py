"""The training form as plain data: a configuration as widget values, and widget values as a configuration.

No Streamlit here: `values_of` and `config_of` are each other's inverse, and the tests say so for every preset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mnist_core.configs import (
    DenseLayer,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    bounds,
    flatten,
    parse_config,
)
from mnist_core.errors import ConfigError

# Read from the configuration types, so that sliders, command line and validation agree.
LAYERS = bounds(ModelConfig, "layers")
DROPOUT, UNITS, L2 = (bounds(DenseLayer, field) for field in ("dropout", "units", "l2"))
RATE, BATCH, EPOCHS, MOMENTUM, SEED = (
    bounds(TrainingConfig, field) for field in ("learning_rate", "batch_size", "epochs", "momentum", "seed")
)
COUNT, FRACTION = (bounds(HeldOutValidation, field) for field in ("count", "fraction"))
PATIENCE, MIN_DELTA = (bounds(EarlyStopping, field) for field in ("patience", "min_delta"))

LAYER_FIELDS = ("dropout", "units", "activation", "l2")

# What the form has no widgets for, and hands on as it is.
CARRIED = ("augmentation", "schedule", "label_smoothing")

# Steps that a slider makes between two whole numbers, up to each limit: fine where a step matters.
_STEPS = ((20, 1), (50, 2), (100, 5), (200, 10), (500, 25), (1000, 50), (10**9, 100))


def layer_key(layer: int, field: str) -> str:
    """The widget of one field of one layer; layers are counted from 0."""
    return f"train_layer_{layer}_{field}"


def values_of(config: RunConfig) -> dict[str, Any]:
    """What each widget holds for `config`; choices that it leaves open (such as patience) get their defaults.

    The layers of a convolutional network have no widgets: they are in `train_network` as plain data, empty for a dense
    one. What else has none is in `train_carried`.
    """
    training = config.training
    validation, stopping = training.validation, training.early_stopping or EarlyStopping()
    held = validation if isinstance(validation, HeldOutValidation) else None
    values: dict[str, Any] = {
        "train_layers": 0 if config.model.convolutional else len(config.model.layers),
        "train_network": config.model.model_dump(mode="json")["layers"] if config.model.convolutional else [],
        "train_carried": {field: training.model_dump(mode="json")[field] for field in CARRIED},
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
    }
    if not config.model.convolutional:
        for index, layer in enumerate(config.model.layers):
            values |= {layer_key(index, field): getattr(layer, field) for field in LAYER_FIELDS}
    return values


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
    layers = values["train_network"] or [
        {field: values[layer_key(index, field)] for field in LAYER_FIELDS} for index in range(values["train_layers"])
    ]
    return parse_config(
        {
            "model": {"layers": layers},
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
                **values["train_carried"],
            },
            "dataset": {"name": values["train_dataset"]},
            "parent": values["train_parent"] or None,
        }
    )


def with_layer_added(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with one more layer at the end, a copy of the last."""
    count = values["train_layers"]
    if not 0 < count < LAYERS.maximum:
        return dict(values)
    copy = {layer_key(count, field): values[layer_key(count - 1, field)] for field in LAYER_FIELDS}
    return {**values, **copy, "train_layers": count + 1}


def without_layer(values: Mapping[str, Any], layer: int) -> dict[str, Any]:
    """The values without one layer; those after it move up. The only layer stays."""
    count = values["train_layers"]
    if count <= 1:
        return dict(values)
    moved = {
        layer_key(index, field): values[layer_key(index + 1, field)]
        for index in range(layer, count - 1)
        for field in LAYER_FIELDS
    }
    last = {layer_key(count - 1, field) for field in LAYER_FIELDS}
    kept = {key: value for key, value in values.items() if key not in last}
    return {**kept, **moved, "train_layers": count - 1}


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
        "epochs": lambda t: f"{t.epochs} epochs",
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
