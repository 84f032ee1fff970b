"""A form's settings as part of a link: those that differ from given start values, in short and readable words.

    dropout=0.5&epochs=5&layers=conv16k3-pool2-dense64d0.2

Each setting has its name from the table; what has no effect is left out. Layers are a row of kinds with what differs
from the kind's defaults: `dense64tanh` has 64 units and tanh, `conv24k5bn` has 24 filters of 5×5 and batch
normalisation, `d` is dropout, `l` the L2 penalty. A layer's setting is written alone (`dropout=0.5`) if it is the same
in every layer that has it and the layers do not differ otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.errors import ConfigError
from mnist_core.experiments.layers import LAYER_KINDS
from mnist_core.experiments.settings import (
    LAYER_SETTINGS,
    MOST_LAYERS,
    SETTINGS,
    Setting,
    layers_in,
    with_layers,
)

LAYERS_KEY = "layers"
_BY_LINK = {setting.link: setting for setting in SETTINGS.values()}
_EVERY_LAYER: dict[str, Setting] = {
    name: setting for fields in LAYER_SETTINGS.values() for name, setting in fields.items()
}
KEYS: tuple[str, ...] = (*_BY_LINK, LAYERS_KEY, *_EVERY_LAYER)
"""All names that a link may have for settings."""
assert len(set(KEYS)) == len(KEYS), "a layer's setting has the name of another setting in links"

_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"


def differences(start: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return what `values` has other than `start`, by name in the link; both are values of a form."""
    found: dict[str, str] = {}
    before, after = layers_in(start), layers_in(values)
    if before != after:
        found |= _same_everywhere(before, after) or {LAYERS_KEY: layers_text(after)}
    for path, setting in SETTINGS.items():
        value = values[path]
        # if it had no effect at the start, its start value is the one that a link without it gives
        if setting.shown(values) and value != start[path] and value is not None:
            found[setting.link] = _text(value)
    return found


def _same_everywhere(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, str]:
    """Return the settings that make `after` of `before` where each is the same in all layers; else nothing."""
    if [layer["kind"] for layer in before] != [layer["kind"] for layer in after]:
        return {}
    found: dict[str, str] = {}
    for old, new in zip(before, after, strict=True):
        for name in old:
            if old[name] != new[name]:
                if len({repr(layer[name]) for layer in after if name in layer}) > 1:
                    return {}
                found[name] = _text(new[name])
    return found


def apply(start: Mapping[str, Any], link: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return a form's values: those of `start` with what `link` changes, and what of it cannot be used.

    Each problem says name, value and what was expected. Names that are no setting are left alone.
    """
    values, problems = dict(start), []
    if LAYERS_KEY in link:
        try:
            values = with_layers(values, layers_from(link[LAYERS_KEY]))
        except ConfigError as error:
            problems.append(str(error))
    for name, setting in _EVERY_LAYER.items():
        if name in link:
            try:
                value = _read(setting, name, link[name])
            except ConfigError as error:
                problems.append(str(error))
                continue
            layers = [layer | ({name: value} if name in layer else {}) for layer in layers_in(values)]
            values = with_layers(values, layers)
    for name, setting in _BY_LINK.items():
        if name in link:
            try:
                values[setting.path] = _read(setting, name, link[name])
            except ConfigError as error:
                problems.append(str(error))
    return values, problems


def layers_text(layers: Sequence[Mapping[str, Any]]) -> str:
    """Return layers, plain data, in the short form: ``conv16k3-pool2-dense64d0.2``."""
    return "-".join(_layer_text(layer) for layer in layers)


def _layer_text(layer: Mapping[str, Any]) -> str:
    text = str(layer["kind"])
    for name, setting in LAYER_SETTINGS[layer["kind"]].items():
        value = layer[name]
        # the size is always there
        if value == setting.default and (setting.link or setting.type != "whole number"):
            continue
        if setting.type == "switch":
            text += setting.link if value else f"{setting.link}0"
        else:
            text += f"{setting.link}{_text(value)}"
    return text


def layers_from(text: str) -> list[dict[str, Any]]:
    """Return the layers of the short form, as plain data.

    Raises
    ------
    ConfigError
        for what is not a layer or out of its bounds, naming the part; for more layers than there may be.
    """
    parts = re.split(r"-(?=[a-z])", text)
    if len(parts) > MOST_LAYERS:
        raise ConfigError(f"layers={_shown(text)} has {len(parts)} layers; at most {MOST_LAYERS} are allowed")
    return [_layer_from(part) for part in parts]


def _layer_from(text: str) -> dict[str, Any]:
    kind = next((kind for kind in sorted(LAYER_KINDS, key=len, reverse=True) if text.startswith(kind)), None)
    if kind is None:
        raise ConfigError(f"layers: {_shown(text)} is none of {', '.join(LAYER_KINDS)}")
    fields = LAYER_SETTINGS[kind]
    layer: dict[str, Any] = {"kind": kind, **{name: setting.default for name, setting in fields.items()}}
    rest = text.removeprefix(kind)
    while rest:
        matches = ((name, re.match(_pattern(setting), rest)) for name, setting in fields.items())
        name, found = next(((name, found) for name, found in matches if found), ("", None))
        if found is None:
            raise ConfigError(f"layers: {_shown(rest)} in {_shown(text)} is no setting of {kind}")
        setting = fields[name]
        given = found.group(1)
        layer[name] = given != "0" if setting.type == "switch" else _read(setting, f"layers: {name}", given)
        rest = rest[found.end() :]
    return layer


def _pattern(setting: Setting) -> str:
    if setting.type == "switch":
        return f"{re.escape(setting.link)}(0?)"
    if setting.type == "choice":
        return f"{re.escape(setting.link)}({'|'.join(map(re.escape, setting.choices))})"
    return f"{re.escape(setting.link)}({_NUMBER})"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    # a whole number needs no point; repr is the shortest text that gives the same number back
    return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value).strip("'")


def _read(setting: Setting, name: str, text: str) -> Any:
    """Return the value that a link gives; raises ConfigError with name, value and what was expected."""
    value: Any = text
    try:
        if setting.type == "whole number":
            value = int(text)
        elif setting.type == "number":
            value = float(text)
        elif setting.type == "switch":
            value = {"on": True, "off": False}[text]
    except (ValueError, KeyError):
        expected = {"whole number": "a whole number", "number": "a number", "switch": "on or off"}[setting.type]
        raise ConfigError(f"{name}={_shown(text)} is not {expected}") from None
    if problem := setting.problem(value):
        raise ConfigError(f"{name}={_shown(text)} {problem}")
    return value


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
