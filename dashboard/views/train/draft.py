"""The training form's operations on its values: add, move and remove layers, and name the changes.

No Streamlit here. The values are those of `mnist_core.experiments.settings`, by dotted path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mnist_core.experiments.configs import ModelConfig, RunConfig
from mnist_core.experiments.layers import LAYER_KINDS
from mnist_core.experiments.settings import (
    IMPLIED,
    LAYERS,
    MOST_LAYERS,
    SETTINGS,
    Setting,
    layers_in,
    uncapitalised,
    values_of,
    with_layers,
)

# Steps that a slider makes between two whole numbers, up to each limit: fine where a step matters.
_STEPS = ((20, 1), (50, 2), (100, 5), (200, 10), (500, 25), (1000, 50), (10**9, 100))


SMALLEST = 1e-6
"""Start of a logarithmic slider, if the lower bound is 0."""


def widget_key(path: str) -> str:
    """Return the key of the widget that holds the value at a path."""
    if path.startswith(f"{LAYERS}."):
        return f"train_layer_{path.removeprefix(f'{LAYERS}.').replace('.', '_')}"
    return "train_layers" if path == LAYERS else f"train_{SETTINGS[path].link}"


def widget_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a form's values by the keys of their widgets."""
    return {widget_key(path): value for path, value in values.items()}


def read_values(read: Callable[[str], Any]) -> dict[str, Any]:
    """Return the form's values by path, where `read` gives what the widget of a key holds."""
    values: dict[str, Any] = {path: read(widget_key(path)) for path in (*SETTINGS, LAYERS)}
    for index in range(int(values[LAYERS])):
        kind = read(widget_key(f"{LAYERS}.{index}.kind"))
        paths = [f"{LAYERS}.{index}.{name}" for name in LAYER_KINDS[kind].model_fields]
        values |= {path: read(widget_key(path)) for path in paths}
    return values


def addable(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the kinds of layers of which there may be one more."""
    if len(layers) >= MOST_LAYERS:
        return []
    places = {_place(layer["kind"]) for layer in layers}
    # one way of putting the pixels in a row is enough, and there must be pixels
    row = "pixels" in places and "to a row" not in places
    return [kind for kind in LAYER_KINDS if row or _place(kind) != "to a row"]


def _place(kind: str) -> str:
    return LAYER_KINDS[kind].place


def with_layer_added(values: Mapping[str, Any], kind: str = "dense") -> dict[str, Any]:
    """Return the values with one more layer, a copy of the last of its kind, where it can stand.

    A layer on a vector comes last; the others follow the last layer that works on pixels.
    """
    layers = layers_in(values)
    if kind not in addable(layers):
        return dict(values)
    alike = [layer for layer in layers if layer["kind"] == kind]
    new = dict(alike[-1]) if alike else LAYER_KINDS[kind]().model_dump(mode="json")
    on_pixels = [index for index, layer in enumerate(layers) if _place(layer["kind"]) == "pixels"]
    place = len(layers) if _place(kind) == "row" else max(on_pixels, default=-1) + 1
    return with_layers(values, [*layers[:place], new, *layers[place:]])


def without_layer(values: Mapping[str, Any], layer: int) -> dict[str, Any]:
    """Return the values without one layer; those after it move up. The only layer stays."""
    layers = layers_in(values)
    if len(layers) <= 1:
        return dict(values)
    return with_layers(values, layers[:layer] + layers[layer + 1 :])


def with_layer_moved(values: Mapping[str, Any], layer: int, by: int) -> dict[str, Any]:
    """Return the values with one layer moved by so many places, as far as there are places."""
    layers = layers_in(values)
    moved = layers.pop(layer)
    layers.insert(max(0, layer + by), moved)
    return with_layers(values, layers)


def outcomes(layers: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[int, ...], int] | None]:
    """Return, for each layer, the shape it gives on and its parameters; None from the first that does not fit."""
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
    """Return whole numbers from `low` to `high` in steps that grow with them, powers of two among them, and `extra`."""
    numbers = {low, high}
    value = low
    while value < high:
        numbers.add(value)
        step = next(step for limit, step in _STEPS if value < limit)
        value = (value // step + 1) * step
    numbers |= {2**power for power in range(high.bit_length()) if low <= 2**power <= high}
    return sorted(numbers | {value for value in extra if low <= value <= high})


def decades(low: float, high: float, extra: Iterable[float] = ()) -> list[float]:
    """Return numbers 1, 2 and 5 times each power of ten from `low` to `high`, and `extra`, ascending."""
    numbers = {float(f"{digit}e{power}") for power in range(-12, 13) for digit in (1, 2, 5)}
    return sorted({value for value in numbers if low <= value <= high} | {v for v in extra if low <= v <= high})


def stops(setting: Setting, known: Iterable[Any] = ()) -> list[Any]:
    """Return the values at which the slider of a setting stops, `known` ones that are in use among them."""
    low, high = setting.minimum or 0, setting.maximum or 1
    in_bounds = {value for value in known if low <= value <= high}
    if setting.scale == "each":
        return list(range(int(low), int(high) + 1))
    if setting.scale == "whole":
        return whole_numbers(int(low), int(high), in_bounds)
    if setting.scale == "powers of two":
        return sorted({2**power for power in range(64) if low <= 2**power <= high} | in_bounds)
    zero = [0.0] if setting.declared.zero else []
    return [*zero, *decades(low or SMALLEST, high, in_bounds)]


_RATES = {"layers": {"__all__": {"dropout", "l2"}}}


def changes(base: RunConfig, config: RunConfig) -> list[str]:
    """Return the changes of `config` from `base`, in a few words each; the dataset is left out."""
    if base.model.model_dump(exclude=_RATES) != config.model.model_dump(exclude=_RATES):
        parts = [config.model.summary()]
    else:
        parts = []
        for label, field in (("dropout", "dropout"), ("L2", "l2")):
            old_rates = [getattr(layer, field) for layer in base.model.layers if hasattr(layer, field)]
            rates = [getattr(layer, field) for layer in config.model.layers if hasattr(layer, field)]
            if old_rates != rates:
                shown = rates[:1] if len(set(rates)) == 1 else rates
                parts.append(f"{label} " + "/".join(f"{value:g}" for value in shown))
    before, after = values_of(base), values_of(config)
    for path, setting in SETTINGS.items():
        if path.count(".") == 1 and path.startswith("training."):
            old, new = getattr(base.training, setting.name), getattr(config.training, setting.name)
            if old != new:
                parts.append(_change(setting, after))
    for setting in IMPLIED.values():
        if getattr(base.training, setting.name) != getattr(config.training, setting.name):
            parts.append(setting.words if getattr(config.training, setting.name) else f"no {setting.words}")
    if before["parent"] != after["parent"]:
        parts.append("continued" if config.parent else "from new weights")
    return parts


def _change(setting: Setting, values: Mapping[str, Any]) -> str:
    """Return a changed setting in a few words, such as ``rate 0.01`` or ``no early stopping``."""
    value = values[setting.path]
    below = SETTINGS.get(f"{setting.path}.{value}")
    if below is not None:  # the number of held-out images implies the choice
        setting, value = below, values[below.path]
    template = setting.declared.named
    if value == 1 and setting.declared.named_one:
        template = setting.declared.named_one
    if setting.type == "switch":
        return uncapitalised(setting.label) if value else f"no {uncapitalised(setting.label)}"
    if setting.declared.absent:
        value = "no" if value == setting.declared.absent[0] else value
        return (template or "{}").format(value)
    template = template or f"{uncapitalised(setting.label)} {{}}"
    return template.format(value if "{:" in template else setting.in_words(value))


def suggested_name(base_name: str, base: RunConfig, config: RunConfig) -> str:
    """Return a name for `config` made from `base`: the base's, and what is different."""
    return ", ".join([base_name, *changes(base, config)])[:80]


def same_recipe(base: RunConfig, config: RunConfig) -> bool:
    """True if the two differ in seed and dataset at most, so that a preset's published figures apply to both."""
    return base.replace(training__seed=0).training == config.replace(training__seed=0).training and (
        (base.model, base.parent) == (config.model, config.parent)
    )
