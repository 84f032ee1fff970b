"""Settings in words."""

from __future__ import annotations

from mnist_core.experiments.axis_words import plain_words
from mnist_core.experiments.settings import setting_at


def setting_words(path: str) -> str:
    """Return a configuration's dotted path in words, such as ``layer 1: dropout`` for ``model.layers.0.dropout``."""
    setting, parts = setting_at(path), path.split(".")
    if parts[:2] == ["model", "layers"] and len(parts) > 2 and parts[2].isdigit():
        return f"layer {int(parts[2]) + 1}: {setting.own_words if setting else ' '.join(parts[3:])}"
    return plain_words(path)


def own_setting_words(path: str) -> str:
    """Return the same as `setting_words` without the layer or structure that the setting belongs to: ``dropout``."""
    setting = setting_at(path)
    return setting.own_words if setting else plain_words(path)
