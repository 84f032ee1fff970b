"""Settings in words by their paths, and their values: ``1st convolution: filters 32``, ``optimizer RMSprop``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from mnist_core.experiments.configs import ModelConfig, RunConfig
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.layers import LAYER_KINDS
from mnist_core.experiments.settings import (
    LAYER_SETTINGS,
    LAYERS,
    SETTINGS,
    Setting,
    setting_at,
    settings_of,
    uncapitalised,
    written_value,
)
from mnist_core.experiments.stack import Stack

SAMPLED_DIGITS = 3
"""Significant digits of a number that a sampler has drawn; more say nothing to a reader."""
MOST_LETTERS = 80
"""Letters of a name that lists settings."""
_STACK = settings_of(Stack, "stack.")


def axis_words(paths: Iterable[str], base: RunConfig | None = None) -> dict[str, str]:
    """Return the names of settings by path, such as ``1st convolution: filters``.

    Parameters
    ----------
    paths
        dotted, as in a grid (see `grids`).
    base
        what is varied: its layers say which one a number in a path means.

    Returns
    -------
    dict
        The names differ from each other; where two would be the same, both are paths.
    """
    words = {path: ": ".join(filter(None, _parts(path, base))) for path in paths}
    names = list(words.values())
    return {path: name if names.count(name) == 1 else path for path, name in words.items()}


def point_words(values: Mapping[str, Any], base: RunConfig | None = None, digits: int = 6) -> str:
    """Return the values of a point: ``1st convolution: filters 32, kernel 3; learning rate 0.001``.

    values: by path. base: as for `axis_words`. digits: significant ones of numbers that are not whole.
    """
    groups: dict[str, list[str]] = {}
    for path, value in values.items():
        group, name = _parts(path, base)
        groups.setdefault(group, []).append(f"{name} {words_of(path, value, digits=digits)}")
    parts = [f"{group}: {', '.join(items)}" if group else ", ".join(items) for group, items in groups.items()]
    return ("; " if any(groups) else ", ").join(parts)


def changed_name(name: str, before: RunConfig, after: RunConfig, most: int = MOST_LETTERS) -> str:
    """Return a name for `after` made from that of `before` and what was changed, in at most `most` letters.

    The dataset is left out, as every list shows it anyway.
    """
    old = flatten(before)
    changes = {
        path: value
        for path, value in flatten(after).items()
        if old.get(path) != value and path not in ("dataset.name", "parent", "parent_epoch")
    }
    return shortened(", ".join(filter(None, [name, point_words(changes, after)])), most)


def shortened(text: str, most: int = MOST_LETTERS) -> str:
    """Return a name without its last parts if it is longer than `most` letters."""
    return text if len(text) <= most else f"{re.split(r'[,;][^,;]*$', text[: most - 2])[0]}, …"


def words_of(path: str, value: Any, *, absent: str = "", digits: int = 6) -> str:
    """Return a value of a setting as a person writes it: ``RMSprop``, ``2·10⁻⁵``, ``yes``; layers in short.

    path: dotted. absent: what stands for None; empty for the setting's own word. digits: as for `point_words`.
    """
    if value is None and absent:
        return absent
    value = plain_value(path, value)
    # the field that says which kind a structure is has no setting; the choice of the structure has its words
    found = _setting(path) or SETTINGS.get(path.rpartition(".")[0])
    return found.in_words(value, digits) if found else written_value(value, digits)


def plain_value(path: str, value: Any) -> Any:
    """Return a value for a cell of a table: numbers and words as they are, layers in short, all else as JSON."""
    if path == "model.layers":
        try:
            return ModelConfig.model_validate({"layers": value}).summary()
        except ValidationError:
            return json.dumps(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, list | tuple | dict) else value


def plain_words(path: str) -> str:
    """Return a path in words that belongs to no layer, such as ``learning rate``."""
    found = _setting(path)
    if found:
        return found.words
    parts = path.split(".")
    # the field that says which kind a structure is has no setting
    return " ".join(parts[1:] if parts[0] in ("training", "stack", "model") and parts[1:] else parts).replace("_", " ")


def _setting(path: str) -> Setting | None:
    if path.startswith("stack."):
        return _STACK.get(path) or LAYER_SETTINGS["dense"].get(path.rpartition(".")[2])
    return setting_at(path)


def _parts(path: str, base: RunConfig | None) -> tuple[str, str]:
    """Return the layer that a path means, empty for none in particular, and the name of its field."""
    head, _, rest = path.removeprefix(f"{LAYERS}.").partition(".")
    if not path.startswith(f"{LAYERS}.") or not rest or not (head.isdigit() or head == "*"):
        return "", plain_words(path)
    kinds = [layer.kind for layer in base.model.layers] if base else []
    if head == "*":
        return "", plain_words(path)
    index = int(head)
    if index >= len(kinds):
        return f"{_ordinal(index + 1)} layer", plain_words(path)
    kind = kinds[index]
    found = LAYER_SETTINGS[kind].get(rest)
    label = uncapitalised(LAYER_KINDS[kind].label)
    if kinds.count(kind) > 1:
        label = f"{_ordinal(kinds[: index + 1].count(kind))} {label}"
    return label, found.words if found else plain_words(path)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
