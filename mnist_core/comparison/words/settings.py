"""Settings and their values in words."""

from __future__ import annotations

from typing import Any

from mnist_core.experiments.axis_words import plain_words
from mnist_core.experiments.settings import setting_at, uncapitalised


def setting_words(path: str) -> str:
    """A configuration's dotted path in words, such as ``layer 1: dropout`` for ``model.layers.0.dropout``."""
    setting, parts = setting_at(path), path.split(".")
    if parts[:2] == ["model", "layers"] and len(parts) > 2 and parts[2].isdigit():
        return f"layer {int(parts[2]) + 1}: {uncapitalised(setting.label) if setting else ' '.join(parts[3:])}"
    return plain_words(path)


def value_words(value: Any, absent: str = "none") -> str:
    """A setting's value as a person writes it; `absent` where there is none."""
    if value is None:
        return absent
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
