"""Settings that may be changed in the middle of a training: those that no earlier epoch has to be repeated for."""

from __future__ import annotations

import re
from typing import NamedTuple

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.fields import flatten

_CHANGEABLE = re.compile(r"model\.layers\.\d+\.dropout|training\.learning_rate|training\.epochs")


class Changed(NamedTuple):
    """A setting of a number, by its dotted path, and its values before and after a change."""

    path: str
    before: float | int
    after: float | int


def changed_settings(before: RunConfig, after: RunConfig) -> list[Changed]:
    """Return the settings that differ, in the order of the configuration.

    Only dropout, the learning rate and the number of epochs can be changed in the middle of a training: the images, the
    layers and the optimizer must stay, and with another L2 penalty the losses before and after would be of two kinds.

    Raises
    ------
    ConfigError
        where something else differs.
    """
    old, new = flatten(before), flatten(after)
    paths = [path for path in dict.fromkeys((*old, *new)) if old.get(path) != new.get(path)]
    others = [path for path in paths if not _CHANGEABLE.fullmatch(path)]
    if others:
        raise ConfigError(
            f"{', '.join(others)}: only the dropout of layers, training.learning_rate and training.epochs can be "
            "changed in the middle of a training; train a new run to change anything else"
        )
    return [Changed(path, old[path], new[path]) for path in paths]
