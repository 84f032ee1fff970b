"""What was changed by hand in the middle of a training, in words."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.comparison.words.numbers import listed
from mnist_core.comparison.words.settings import setting_words
from mnist_core.experiments.axis_words import words_of
from mnist_core.experiments.configs import ModelConfig
from mnist_core.runs.records import Change


def changes_words(changes: Sequence[Change], model: ModelConfig) -> str:
    """Return what was changed at one moment, such as ``dropout 0.2 → 0.5``.

    changes: of one epoch. model: whose layers they are about; a change of all of them alike is written once.
    """
    rates = [change for change in changes if change.path.endswith(".dropout")]
    having = sum(hasattr(layer, "dropout") for layer in model.layers)
    alike = len(rates) == having and len({(change.before, change.after) for change in rates}) == 1
    parts = [f"dropout {_values(rates[0])}"] if alike else [_words(change) for change in rates]
    return listed([*parts, *(_words(change) for change in changes if change not in rates)])


def moments(changes: Sequence[Change], model: ModelConfig) -> dict[int, str]:
    """Return what was changed, in words, by the last epoch before each change."""
    epochs = dict.fromkeys(change.epoch for change in changes)
    return {epoch: changes_words([item for item in changes if item.epoch == epoch], model) for epoch in epochs}


def _words(change: Change) -> str:
    return f"{setting_words(change.path)} {_values(change)}"


def _values(change: Change) -> str:
    return " → ".join(words_of(change.path, value) for value in (change.before, change.after))
