"""The table of runs: its columns, and the row of one run. Notebook, command line, dashboard and filters all use it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mnist_core.errors import StoreError
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.settings import LAYER_SETTINGS, SETTINGS, Setting, layers_in, values_of
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.run import Run
from mnist_core.runs.states import RunState

ColumnKind = Literal["number", "text", "texts", "time", "flag"]
RunRow = dict[str, Any]
"""One run: column → value. A number, a text, a tuple of texts, Unix seconds, True or False; None for missing."""


@dataclass(frozen=True)
class Column:
    """One column of the table of runs.

    name: in expressions and frames. label, help: for a person. share: whether it is a number from 0 to 1, such as an
    accuracy. choices: all values of a text that is one of a few.
    """

    name: str
    label: str
    kind: ColumnKind
    help: str
    share: bool = False
    choices: tuple[str, ...] = ()


def _figure(name: str, label: str, kind: ColumnKind, help: str, **more: Any) -> Column:
    return Column(name, label, kind, help, **more)


FIGURES: dict[str, Column] = {
    column.name: column
    for column in (
        _figure("id", "Id", "text", "12 hexadecimal digits."),
        _figure("name", "Name", "text", "What a person calls it."),
        _figure(
            "state",
            "State",
            "text",
            "How far it has come.",
            choices=get_args(RunState),
        ),
        _figure("dataset", "Data", "text", "What it is trained on."),
        _figure("model", "Model", "text", "The layers in words."),
        _figure("recipe", "Recipe", "text", "12 hexadecimal digits that all seeds of one configuration share."),
        _figure("parameters", "Parameters", "number", "Weights that training adjusts."),
        _figure("epochs", "Epochs", "number", "Finished epochs."),
        _figure("best_epoch", "Best epoch", "number", "The epoch with the lowest validation loss."),
        _figure("val_loss", "Validation loss", "number", "Of the last epoch, in nats."),
        _figure("val_accuracy", "Validation accuracy", "number", "Of the last epoch, 0 to 1.", share=True),
        _figure("best_val_loss", "Lowest validation loss", "number", "Of the best epoch, in nats."),
        _figure("test_loss", "Test loss", "number", "Of the kept weights, in nats."),
        _figure("test_accuracy", "Test accuracy", "number", "Of the kept weights, 0 to 1.", share=True),
        _figure("test_macro_f1", "Macro F1", "number", "Of the kept weights on the test set, 0 to 1.", share=True),
        _figure("seconds", "Training time", "number", "All epochs together, in seconds."),
        _figure("created", "Created", "time", "When the run was requested."),
        _figure("preset", "Preset", "text", "The published model that it was made from."),
        _figure("tags", "Tags", "texts", "Words that a person has given it."),
        _figure("note", "Note", "text", "What a person has written about it."),
        _figure("owner", "Owner", "text", "Who of a class requested it; missing outside a class."),
        _figure("origin", "Requested by", "text", "The sweep or search that requested it, with its id."),
        _figure("pruned", "Given up", "flag", "Whether a search has given it up early."),
        _figure("ships", "Ships", "flag", "Whether it came with the project, and cannot be changed."),
    )
}
"""The columns of a run besides its settings."""

ALIASES = {"accuracy": "test_accuracy", "loss": "test_loss", "macro_f1": "test_macro_f1", "data": "dataset"}
"""Short names in expressions."""

_KINDS: dict[str, ColumnKind] = {
    "number": "number", "whole number": "number", "choice": "text", "switch": "flag", "text": "text",
}  # fmt: skip


def _of_setting(setting: Setting, name: str, more: str = "") -> Column:
    words = setting.words[:1].upper() + setting.words[1:]
    choices = tuple(map(str, setting.choices))
    return Column(name, words, _KINDS[setting.type], setting.help + more, choices=choices)


_BY_PATH = {path: setting for path, setting in SETTINGS.items() if setting.link not in FIGURES}
_DIFFERENT = " Where layers differ: the greatest, or all of them."
_OF_LAYERS: dict[str, Setting] = {
    name: setting for fields in LAYER_SETTINGS.values() for name, setting in reversed(fields.items())
}

SETTING_COLUMNS: dict[str, Column] = {
    "planned_epochs": Column("planned_epochs", "Planned epochs", "number", SETTINGS["training.epochs"].help),
    **{setting.link: _of_setting(setting, setting.link) for setting in _BY_PATH.values()},
    "layers": Column("layers", "Layers", "number", "How many layers stand before the output."),
    **{name: _of_setting(setting, name, _DIFFERENT) for name, setting in _OF_LAYERS.items()},
}
"""The settings of a run, by the names that they have in links. One that has no effect is missing."""

COLUMNS: dict[str, Column] = FIGURES | SETTING_COLUMNS
"""All columns, by name."""
assert len(COLUMNS) == len(FIGURES) + len(SETTING_COLUMNS), "a setting has the name of another column"

PATHS: dict[str, str] = {
    "training.epochs": "planned_epochs",
    "dataset.name": "dataset",
    **{path: setting.link for path, setting in _BY_PATH.items()},
}
"""Columns by the dotted paths of their settings."""


def settings_row(config: RunConfig) -> RunRow:
    """Return the settings of a configuration, one value for each of `SETTING_COLUMNS`.

    Of a setting of the layers it is the value that all of them share. Where they differ, it is the greatest of their
    numbers, or their texts with commas between them.
    """
    values = values_of(config)
    row: RunRow = dict.fromkeys(SETTING_COLUMNS)
    row["planned_epochs"] = values["training.epochs"]
    for path, setting in _BY_PATH.items():
        if setting.shown(values) and values[path] != "":
            row[setting.link] = values[path]
    layers = layers_in(values)
    row["layers"] = len(layers)
    for name in _OF_LAYERS:
        found = list(dict.fromkeys(layer[name] for layer in layers if name in layer))
        if found:
            row[name] = ", ".join(found) if isinstance(found[0], str) else max(found)
    return row


def figures_row(run: Run, *, reader: Reader = PLAIN) -> RunRow:
    """Return what is known of a run besides its settings, one value for each of `FIGURES`.

    What was not measured, or is in a damaged file, is None.
    """
    row: RunRow = dict.fromkeys(FIGURES)
    row |= {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "dataset": run.dataset,
        "model": run.model_words,
        "recipe": run.recipe,
        "parameters": run.parameters,
        "created": run.status.created_at,
        "preset": run.meta.preset,
        "tags": run.meta.tags,
        "note": run.meta.note,
        "owner": run.meta.owner or None,
        "origin": f"{origin.kind} {origin.id}" if (origin := run.meta.origin) else None,
        "pruned": run.meta.pruned,
        "ships": run.read_only,
    }
    try:
        found = reader.summary(run)
    except StoreError:
        return row
    test = found.test
    row |= {
        "epochs": found.epochs_done,
        "best_epoch": found.best_epoch,
        "val_loss": found.final_val_loss,
        "val_accuracy": found.final_val_accuracy,
        "best_val_loss": found.best_val_loss,
        "test_loss": test.loss if test else None,
        "test_accuracy": test.accuracy if test else None,
        "test_macro_f1": test.macro_f1 if test else None,
        "seconds": found.train_seconds,
    }
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def run_row(run: Run, *, reader: Reader = PLAIN) -> RunRow:
    """Return a run as one row with all of `COLUMNS`; see `figures_row` and `settings_row`.

    A run from outside has no settings: they are None.
    """
    if run.recorded:
        settings: RunRow = dict.fromkeys(SETTING_COLUMNS) | {"planned_epochs": run.planned_epochs}
    else:
        settings = settings_row(run.config)
    return figures_row(run, reader=reader) | settings


def without_test_results(row: RunRow) -> RunRow:
    """Return a row without what the test set says of the run, for one that a study passed over (see `selections`)."""
    return row | dict.fromkeys(name for name in FIGURES if name.startswith("test_"))


SEARCHED = ("id", "name", "state", "dataset", "model", "preset", "note", "owner")
"""The columns that `contains` looks at, besides the tags."""


def contains(row: Mapping[str, Any], text: str) -> bool:
    """True if every word of `text` is in the tags or in a column of SEARCHED, in any case."""
    known = " ".join([*(row[name] or "" for name in SEARCHED), *row["tags"]]).casefold()
    return all(word in known for word in text.casefold().split())
