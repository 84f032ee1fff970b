"""Histories from elsewhere as epochs of this project."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_core.errors import ConfigError
from mnist_core.runs.records import FROM_FILE, HISTORY_COLUMNS, EpochRow

if TYPE_CHECKING:
    import pandas as pd

MOST_EPOCHS = 100_000

SYNONYMS = {
    "acc": "accuracy",
    "categorical_accuracy": "accuracy",
    "sparse_categorical_accuracy": "accuracy",
    "binary_accuracy": "accuracy",
    "train_loss": "loss",
    "train_accuracy": "accuracy",
    "train_acc": "accuracy",
    "training_loss": "loss",
    "training_accuracy": "accuracy",
    "validation_loss": "val_loss",
    "validation_accuracy": "val_accuracy",
    "valid_loss": "val_loss",
    "valid_accuracy": "val_accuracy",
    "eval_loss": "val_loss",
    "eval_accuracy": "val_accuracy",
    "lr": "learning_rate",
    **FROM_FILE,
}
"""Names of history columns in other tools; each may have `val_` before it."""


def column(name: str) -> str | None:
    """Return the column of a history that a name means, such as `val_accuracy` for `val_acc`; None where it is none."""
    text = name.strip().lower().replace(" ", "_").replace("/", "_").replace("-", "_")
    prefix = "val_" if text.startswith("val_") and text not in SYNONYMS else ""
    found = prefix + SYNONYMS.get(text.removeprefix(prefix), text.removeprefix(prefix))
    return found if found in HISTORY_COLUMNS and found != "epoch" else None


def row_of(epoch: int, values: Mapping[str, Any]) -> EpochRow:
    """Return an epoch with the values that are known by name; the others are NaN."""
    known = dict.fromkeys(HISTORY_COLUMNS, math.nan)
    for name, value in values.items():
        target = column(name)
        if target is not None:
            known[target] = _number(value, name, epoch)
    del known["epoch"]
    return EpochRow(epoch, **known)


def rows_of(history: pd.DataFrame | Mapping[str, Sequence[float]] | Any) -> list[EpochRow]:
    """Return a history as epochs.

    Parameters
    ----------
    history
        columns of equal length, one value an epoch, by the names of Keras (`loss`, `accuracy`, `val_loss`, …); a
        DataFrame, a mapping, or what `model.fit` returns. Columns of other names are passed over.

    Raises
    ------
    ConfigError
        where no column is known, their lengths differ, or a value is no number.
    """
    columns: Any = getattr(history, "history", history)
    try:
        named: dict[str, list[Any]] = {str(name): list(columns[name]) for name in columns}
    except (TypeError, KeyError, ValueError):
        raise ConfigError(
            f"a history must be columns by name, as `model.fit(…).history` is, and is a {type(history).__name__}"
        ) from None
    known = {name: values for name, values in named.items() if column(name) is not None}
    if not known:
        raise ConfigError(
            f"the history has the columns {', '.join(named) or 'none'}; "
            "it needs at least one of loss, accuracy, val_loss and val_accuracy"
        )
    lengths = {name: len(values) for name, values in known.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ConfigError(f"the columns of the history have different lengths ({shown}); give one value an epoch")
    count = next(iter(lengths.values()))
    if count > MOST_EPOCHS:
        raise ConfigError(f"the history has {count:,} epochs; at most {MOST_EPOCHS:,} are read")
    return [row_of(number + 1, {name: values[number] for name, values in known.items()}) for number in range(count)]


def _number(value: Any, name: str, epoch: int) -> float:
    if value is None:
        return math.nan
    try:
        return float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        raise ConfigError(f"{name} in epoch {epoch} is {str(value)[:80]!r}; it must be a number") from None
