"""Several runs side by side: their figures, their differences from a baseline, and how their configurations differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mnist_core.evaluation.metrics import Interval, Scores, accuracy_interval
from mnist_core.experiments.fields import flatten
from mnist_core.runs.records import ChosenEpoch, best_row
from mnist_core.runs.run import Run


@dataclass(frozen=True)
class RunSummary:
    """The figures of one run; what was not measured is None.

    final_*, best_*: validation figures of the last epoch and of the epoch with the lowest validation loss.
    test: scores on the test set of the weights of `tested_epoch`, with Wilson's 95 % interval of the accuracy.
    parameters: None where a run from outside does not say.
    train_seconds: all epochs together. model_bytes: size of the Keras file. val_losses: the validation loss by epoch,
        where it is finite.
    """

    id: str
    name: str
    state: str
    dataset: str
    parameters: int | None
    epochs_done: int
    final_val_loss: float | None
    final_val_accuracy: float | None
    best_epoch: int | None
    best_val_loss: float | None
    best_val_accuracy: float | None
    tested_epoch: int | None
    test: Scores | None
    test_accuracy_interval: Interval | None
    train_seconds: float | None
    model_bytes: int | None
    val_losses: tuple[float, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain data, without the losses by epoch, which are the history's."""
        data = asdict(self)
        del data["val_losses"]
        data["test"] = self.test._asdict() if self.test else None
        data["test_accuracy_interval"] = list(self.test_accuracy_interval) if self.test_accuracy_interval else None
        return data


def summarise(run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
    """Return the figures of a run, from its history and its stored predictions of the chosen epoch."""
    rows = run.rows()
    best = best_row(rows)
    last = rows[-1] if rows else None
    test = run.test_scores(chosen)
    return RunSummary(
        id=run.id,
        name=run.name,
        state=run.state,
        dataset=run.dataset,
        parameters=run.parameters,
        epochs_done=len(rows),
        final_val_loss=_finite(last.val_loss) if last else None,
        final_val_accuracy=_finite(last.val_accuracy) if last else None,
        best_epoch=best.epoch if best else None,
        best_val_loss=best.val_loss if best else None,
        best_val_accuracy=_finite(best.val_accuracy) if best else None,
        tested_epoch=run.epoch(chosen) if test else None,
        test=test,
        test_accuracy_interval=accuracy_interval(test.images - test.errors, test.images) if test else None,
        train_seconds=_finite(sum(row.seconds for row in rows)) if rows else None,
        model_bytes=run.model_file.stat().st_size if run.model_file else None,
        val_losses=tuple(row.val_loss for row in rows if math.isfinite(row.val_loss)),
    )


def _finite(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return the settings that differ: dotted path → one value a run, None if it has no such field.

    Runs from outside, which have no configuration, have no field at all.
    """
    flat = [{} if run.recorded else flatten(run.config) for run in runs]
    paths = dict.fromkeys(path for config in flat for path in config)
    rows = {path: [config.get(path) for config in flat] for path in paths}
    known = [index for index, run in enumerate(runs) if not run.recorded]
    return {path: row for path, row in rows.items() if any(row[index] != row[known[0]] for index in known)}
