"""The sentences under charts that say what the chart shows of these very runs; each number is computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mnist_core.comparison.loss_or_accuracy import wrong_cost
from mnist_core.comparison.words.numbers import listed, percent
from mnist_core.experiments.configs import ModelConfig
from mnist_core.runs.records import EpochRow

MOST_NAMED = 3
"""A caption speaks of no more runs than this; the chart's table has the others."""


def largest_layer_words(models: Mapping[str, ModelConfig]) -> str:
    """Return which layer holds the most parameters, and what share of them, of networks by name."""
    parts = []
    for name, model in list(models.items())[:MOST_NAMED]:
        largest = max(model.layer_table(), key=lambda row: row.parameters)
        share = largest.parameters / model.parameter_count()
        parts.append(f"{100 * share:.0f} % in {name} ({largest.name.replace('_', ' ')})")
    return f"The largest layer holds {listed(parts)}{_others(models)}." if parts else ""


def wrong_share_words(histories: Mapping[str, Sequence[EpochRow]]) -> str:
    """Return how much of the validation loss comes from wrong images in each run's last epoch, by name."""
    parts = []
    for name, rows in histories.items():
        last = rows[-1] if rows else None
        total = last.val_loss_wrong + last.val_loss_correct if last else math.nan
        if last and last.val_accuracy == 1:
            parts.append(f"no image is wrong in {name}")
        elif last and math.isfinite(total) and total > 0:
            wrong = percent(1 - last.val_accuracy)
            parts.append(
                f"in {name} {100 * last.val_loss_wrong / total:.0f} % of the loss comes from the {wrong} that are wrong"
            )
    shown = parts[:MOST_NAMED]
    return f"In the last epoch, {listed(shown)}{_others(parts)}." if shown else ""


def wrong_cost_words(histories: Mapping[str, Sequence[EpochRow]]) -> str:
    """Return what a wrong image cost in the first and in the last epoch of each run, by name."""
    parts = []
    for name, rows in histories.items():
        costs = [(row.epoch, cost) for row in rows if math.isfinite(cost := wrong_cost(row))]
        if costs:
            (first, before), (last, after) = costs[0], costs[-1]
            change = f"from {before:.2f} to {after:.2f}" if last > first else f"{after:.2f}"
            parts.append(f"{change} in {name}")
    shown = parts[:MOST_NAMED]
    return f"First to last epoch: {listed(shown)}{_others(parts)}." if shown else ""


def _others(named: Sequence[str] | Mapping[str, object]) -> str:
    more = len(named) - MOST_NAMED
    return f" (and {more} more in the table)" if more > 0 else ""
