"""Settings and their values in words."""

from __future__ import annotations

from typing import Any


def setting_words(path: str) -> str:
    """A configuration's dotted path in words, such as ``layer 1: dropout`` for ``model.layers.0.dropout``."""
    parts = path.split(".")
    if parts[:2] == ["model", "layers"] and len(parts) > 2:
        return f"layer {int(parts[2]) + 1}: {' '.join(parts[3:]).replace('_', ' ').replace('l2', 'L2')}"
    words = " ".join(parts[1:]) if parts[0] in ("training", "dataset") else " ".join(parts)
    return {"name": "dataset", "l2": "L2"}.get(words, words.replace("_", " "))


def value_words(value: Any, absent: str = "none") -> str:
    """A setting's value as a person writes it; `absent` where there is none."""
    if value is None:
        return absent
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
