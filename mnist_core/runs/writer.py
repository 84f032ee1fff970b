"""Writing what training produces, for the holder of a run's lease."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.errors import WriteError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.files import append_json_line, placing, replacing, write_json
from mnist_core.runs import lease, states
from mnist_core.runs.records import SCORES, EpochRow, LiveProgress, Status, read_part
from mnist_core.runs.run import Run
from mnist_core.runs.states import Ending, RunState, StateEvent


class RunWriter:
    """Writes what a training produces into the run's folder, for as long as it holds the lease.

    Every method raises StaleAttempt once a later attempt has taken the run over, and WriteError where the disk refuses.
    `started` and `ended` raise InvalidTransition where the run was ended or queued by somebody else meanwhile.
    """

    def __init__(self, run: Run, held: lease.Lease) -> None:
        self.run = run
        self.attempt = held.attempt
        self._lease = held
        self._free = False
        self._began = False

    def check(self) -> None:
        """Raise StaleAttempt if this attempt no longer holds the run."""
        self._lease.check()

    @property
    def cancel_requested(self) -> bool:
        """True if the run has been requested to stop."""
        return (self.run.path / "cancel").exists()

    def started(self, rows: list[EpochRow]) -> None:
        """Write down that training begins, after the epochs in `rows` (of an earlier attempt)."""
        self.history(rows)
        self._happened("begin", started_at=self.run.status.started_at or time.time(), ended_at=None, reason="")
        self._began = True

    def history(self, rows: list[EpochRow]) -> None:
        """Replace the finished epochs by `rows`."""
        self.check()
        with replacing(self.run.path / "history.jsonl") as file:
            file.write(history_content(rows))

    def progress(self, progress: LiveProgress) -> None:
        """Write the progress within the epoch; an error of the disk is ignored, as training can go on without it."""
        self.check()
        with contextlib.suppress(WriteError):
            write_json(self.run.path / "progress.json", vars(progress), durable=False)

    def epoch(self, row: EpochRow) -> None:
        """Write down that one more epoch is finished."""
        self.check()
        append_json_line(self.run.path / "history.jsonl", row.to_json())

    def environment(self, data: dict[str, Any]) -> None:
        """Write the environment of the training."""
        self.check()
        write_json(self.run.path / "environment.json", data)

    def predictions(self, predictions: Predictions, epoch: int | None = None) -> None:
        """Write the predictions of an epoch's weights for the test images; without an epoch, of the kept weights.

        For the kept weights the scores are written too, so that a table of many runs need not read all predictions.
        """
        self.check()
        with replacing(self.run.predictions_file(epoch)) as file:
            np.savez_compressed(file, **predictions.arrays())  # type: ignore[arg-type]
        if epoch is None:
            with contextlib.suppress(WriteError):  # they can be taken from the predictions
                write_json(self.run.path / SCORES, predictions.scores()._asdict())

    def model(self, save: Any) -> None:
        """Keep the weights: `save(path)` writes a Keras file."""
        self.check()
        with placing(self.run.path / "model.keras") as temporary:
            save(temporary)

    def ended(
        self, state: Ending, reason: str, *, best_epoch: int | None = None, kept_epoch: int | None = None
    ) -> None:
        """Write down that training is over; a finished or diverged run needs no checkpoint any more."""
        self.check()
        self._happened(
            states.END[state], reason=reason, ended_at=time.time(), best_epoch=best_epoch, kept_epoch=kept_epoch
        )
        forget_training(self.run.path, state)
        self.release()

    def release(self, reason: str = "") -> None:
        """Release the lease without changing the run's state; the run then counts as queued or interrupted.

        With a `reason` why its status cannot be written, it counts as interrupted for that reason. A second call does
        nothing.
        """
        if not self._free:
            self._free = True
            self._lease.release(reason)

    def _happened(self, event: StateEvent, **update: Any) -> None:
        """Write the state that follows from `event`, and what else has changed."""
        status = read_part(self.run.path / "status.json", Status.model_validate)
        # this attempt holds the run: a `running` that it did not write is of a process that is gone
        state = status.state if self._began else states.after(status.state, "vanish")
        update["state"] = states.after(state, event, self.run.name)
        write_json(self.run.path / "status.json", status.model_copy(update=update).model_dump(mode="json"))


def forget_training(folder: Path, state: RunState) -> None:
    """Delete what only the training of a run needs, now that it has ended in this state."""
    settled = ("checkpoint.npz",) if state in states.SETTLED else ()
    for name in ("cancel", "pause.json", "progress.json", *settled):
        with contextlib.suppress(OSError):  # the end is written; a file that is left behind does no harm
            (folder / name).unlink(missing_ok=True)


def history_content(rows: Sequence[EpochRow]) -> bytes:
    """Return the content of `history.jsonl` with these finished epochs."""
    return "".join(json.dumps(row.to_json(), allow_nan=False) + "\n" for row in rows).encode()
