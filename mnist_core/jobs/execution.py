"""From a queued run to an ended one: claim it, train it, and write down what happens.

This is what a worker does, whichever runner it belongs to. All that it knows and all that it finds out is in the run's
folder.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mnist_core.constants import __version__
from mnist_core.data import duplicates
from mnist_core.data.datasets import Dataset, find_mnist
from mnist_core.errors import (
    DatasetError,
    InvalidTransition,
    JobError,
    MnistCoreError,
    StaleAttempt,
    StoreError,
    WriteError,
)
from mnist_core.evaluation.predictions import Predictions
from mnist_core.files import append_json_line, is_refusal, read_json_lines, refusal, writing
from mnist_core.runs.records import EpochRow, LiveProgress, Pause
from mnist_core.runs.run import Run
from mnist_core.runs.states import LIVE, Ending, RunState
from mnist_core.runs.store import Store
from mnist_core.runs.writer import RunWriter
from mnist_core.training import checkpoints
from mnist_core.training.events import EpochEnded, Progress, Started, TrainingEvent

if TYPE_CHECKING:
    from mnist_core.training.train import TrainingResult

Train = Callable[..., "TrainingResult"]
"""`mnist_core.training.train`, or something of its form."""

MAX_ATTEMPTS = 3
"""So many attempts may die in the same epoch; then the fault is the run's, and it is not tried again by itself."""

PROGRESS_INTERVAL_S = 0.2


def execute(store: Store, run_id: str, *, train: Train | None = None) -> RunState | None:
    """Train a run to its end, from its last finished epoch where an earlier attempt left one.

    Parameters
    ----------
    store, run_id
        the run; it should be queued or interrupted.
    train
        what trains. Default: `mnist_core.training.train`.

    Returns
    -------
    RunState | None
        the state that the run ended in; `interrupted` where the disk did not even take why it failed; None where there
        was nothing to do here: it has ended already, somebody else trains it, or somebody else took it over meanwhile.

    Raises
    ------
    WriteError
        where the disk does not take the claim to the run, which stays as it is.
    """
    run = store.get(run_id)
    if run.read_only or run.ended:
        return None
    writer = store.open_writer(run_id)
    if writer is None:
        return None
    try:
        run = store.get(run_id)
        if run.status.state not in LIVE:  # it was ended between the two looks
            return None
        return _attempt(store, run, writer, train)
    except (StaleAttempt, InvalidTransition):  # somebody has taken it over, or cancelled it in the same moment
        return None
    except Exception as error:
        return _failed(run, writer, error)
    finally:
        # also when the process is stopped: the run is then interrupted, and can be resumed
        writer.release()


def _attempt(store: Store, run: Run, writer: RunWriter, train: Train | None) -> RunState:
    if writer.cancel_requested:
        return _end(run, writer, "cancelled", "cancelled before it began")
    with writing(run.path):
        (run.path / "error.txt").unlink(missing_ok=True)
    history, checkpointed = _rows(run)
    _count_attempt(run, writer, len(checkpointed))
    writer.started(history)
    dataset = _dataset(store, run)
    # a checkpoint holds the weights already; the parent is then not looked at, and may be gone
    start = {} if checkpointed else _start(store, run)
    recorder = _EventWriter(writer, history, checkpointed)
    result = (train or _default_train())(
        run.config,
        dataset,
        on_event=recorder,
        should_stop=lambda: writer.cancel_requested or recorder.pause is not None,
        checkpoint=run.checkpoint_file,
        **start,
    )
    if result.probabilities is not None:
        if run.meta.keep_weights:
            writer.model(result.model.save)
            for epoch, outputs in result.others.items():
                writer.predictions(Predictions(dataset.y_test, outputs[0], result.val_labels, outputs[1]), epoch)
        writer.predictions(
            Predictions(dataset.y_test, result.probabilities, result.val_labels, result.val_probabilities)
        )
    ending: Ending = result.state
    reason = result.reason
    if recorder.pause and ending == "cancelled" and not writer.cancel_requested:
        ending = "paused"
        done = f"paused after epoch {recorder.epochs_done} of {run.config.training.epochs}"
        reason = recorder.pause.reason or done
    writer.ended(ending, reason, best_epoch=result.best_epoch, kept_epoch=result.kept_epoch)
    duplicates.checked(store.root, dataset)
    return ending


def _start(store: Store, run: Run) -> dict[str, Any]:
    """Return the weights to start from, as `train` takes them: those that the run's parent kept, where it has one."""
    if run.config.parent is None:
        return {}
    from mnist_core.runs.keras_file import read_weights

    weights = read_weights(run.config.model, store.parent(run.config))
    return {"initial_weights": [array for _, _, arrays in weights for array in arrays]}


def _default_train() -> Train:
    from mnist_core.training.train import train

    return train


def _rows(run: Run) -> tuple[list[EpochRow], list[EpochRow]]:
    """Return the finished epochs as the history has them, and as the checkpoint has them, which is written first."""
    try:
        history = run.rows()
    except StoreError:  # damaged; the checkpoint has the same, or training begins again
        history = []
    state = checkpoints.load(run.checkpoint_file, checkpoints.identity(run.config, run.status.fingerprint))
    return history, state.rows if state else []


class _AttemptLine(BaseModel):
    """A line of `attempts.jsonl`: an attempt that began, and how many epochs were done then."""

    attempt: int
    epochs_done: int


def _attempts(path: Path) -> list[_AttemptLine]:
    """Return the attempts so far; none where the file is damaged, which only lets a run try more often."""
    try:
        return [_AttemptLine.model_validate(line) for line in read_json_lines(path)]
    except (OSError, ValueError):
        return []


def _count_attempt(run: Run, writer: RunWriter, epochs_done: int) -> None:
    """Take note of this attempt; refuse it where too many since the last request died in this same epoch."""
    path = run.path / "attempts.jsonl"
    earlier = [item for item in _attempts(path) if item.attempt > run.status.attempts_before]
    # each attempt began in the epoch in which the one before it had died
    died_after = [item.epochs_done for item in earlier[1:]] + [epochs_done] * bool(earlier)
    here = died_after.count(epochs_done)
    if here >= MAX_ATTEMPTS:
        raise JobError(
            f"the training process died {here} times in epoch {epochs_done + 1}, perhaps for want of memory; "
            f"close other programs or choose a smaller model or batch, then resume the run"
        )
    writer.check()
    append_json_line(path, {"attempt": writer.attempt, "epochs_done": epochs_done})


class _EventWriter:
    """Turns what a training says into what is written; progress at most a few times a second.

    pause: the request by which training is to stop now, as its epoch is done; None while there is none.
    """

    def __init__(self, writer: RunWriter, history: list[EpochRow], checkpointed: list[EpochRow]) -> None:
        self._writer = writer
        self._history = history
        self._checkpointed = checkpointed
        self._next_progress = 0.0
        self.epochs_done = 0
        self.pause: Pause | None = None
        self._requested: Pause | None = None  # also one for a later epoch

    def _rows_before(self, event: Started) -> list[EpochRow]:
        """Return the epochs that training goes on from.

        A process can die between writing the checkpoint and the history.
        """
        # `epochs` rows: all are done, and only the last evaluation is missing
        for rows in (self._checkpointed, self._history):
            if len(rows) in (event.epoch - 1, event.epochs):
                return rows
        return [row for row in self._history if row.epoch < event.epoch]

    def __call__(self, event: TrainingEvent) -> None:
        """Write down one event."""
        if isinstance(event, Started):
            rows = self._rows_before(event)
            self.epochs_done = len(rows)
            if rows != self._history:
                self._writer.history(rows)
            self._writer.environment(environment())
            self._look_for_pause()
        elif isinstance(event, EpochEnded):
            self._writer.epoch(event.row)
            self.epochs_done = event.row.epoch
            self._look_for_pause()
            if event.row.epoch < event.epochs:
                self._wait()
        elif isinstance(event, Progress) and time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + PROGRESS_INTERVAL_S
            self._writer.progress(
                LiveProgress(
                    epoch=event.epoch,
                    epochs=event.epochs,
                    step=event.step,
                    steps=event.steps,
                    loss=event.loss if math.isfinite(event.loss) else None,
                    accuracy=event.accuracy if math.isfinite(event.accuracy) else None,
                    seconds=event.seconds,
                )
            )

    def _look_for_pause(self) -> None:
        self._requested = self._writer.run.pause()
        found = self._requested
        self.pause = found if found and self.epochs_done >= found.epoch else None

    def _wait(self) -> None:
        """Wait as long as slow motion asks for; a request to stop or to pause is heeded at once."""
        run, began = self._writer.run, time.monotonic()
        while not self.pause and time.monotonic() - began < run.slow_motion() and not self._writer.cancel_requested:
            time.sleep(0.05)
            now = run.pause()
            self.pause = now if now != self._requested else None


# -- the dataset -------------------------------------------------------------------------------------------------------

_last_dataset: tuple[object, Dataset] | None = None


def _dataset(store: Store, run: Run) -> Dataset:
    """Return the run's dataset, the very one that it was made for.

    A worker keeps the last one, as reading takes its time.
    """
    global _last_dataset
    name = run.config.dataset.name
    path = find_mnist() if name == "mnist" else store.catalog.registered().get(name)
    key = (name, path, path.stat().st_mtime_ns if path and path.is_file() else None)
    if _last_dataset is None or _last_dataset[0] != key:
        _last_dataset = None  # before loading: two at once would double the memory
        _last_dataset = (key, store.catalog.load(name))
    dataset = _last_dataset[1]
    if dataset.fingerprint != run.status.fingerprint:
        raise DatasetError(
            f"the dataset {name} has changed since this run was made "
            f"({run.status.fingerprint} then, {dataset.fingerprint} now); train it as a new run"
        )
    return dataset


# -- the environment ---------------------------------------------------------------------------------------------------


def environment() -> dict[str, Any]:
    """Return what the numbers depend on besides the configuration; nothing that names the machine or its user."""
    return {
        "python": platform.python_version(),
        "mnist_core": __version__,
        **{name: _version(name) for name in ("tensorflow", "keras", "numpy")},
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "threads": _threads(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> int:
    """Return the operations that run side by side.

    Inside each there is one thread, unless the environment says otherwise.
    """
    tensorflow = sys.modules.get("tensorflow")
    chosen = tensorflow.config.threading.get_inter_op_parallelism_threads() if tensorflow else 0
    return int(chosen or os.environ.get("TF_NUM_INTEROP_THREADS") or os.cpu_count() or 1)


# -- endings -----------------------------------------------------------------------------------------------------------


def _end(run: Run, writer: RunWriter, state: Ending, reason: str) -> RunState:
    """End an attempt that trained nothing: the results of an earlier one, where there are any, stand."""
    writer.ended(state, reason, best_epoch=run.status.best_epoch, kept_epoch=run.status.kept_epoch)
    return state


def _failed(run: Run, writer: RunWriter, error: Exception) -> RunState | None:
    """Say why in a sentence; the traceback goes to `error.txt`."""
    try:
        writer.check()
        report = run.path / "error.txt"
        with contextlib.suppress(OSError):
            report.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        try:
            return _end(run, writer, "failed", sentence(error))
        except WriteError:  # the report may have taken the last of the space
            for path in (report, run.path / "progress.json"):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            return _end(run, writer, "failed", sentence(error))
    except (StaleAttempt, InvalidTransition):
        return None
    except StoreError:  # the status cannot be written either; readers learn the reason from the lease
        writer.release(sentence(error))
        return "interrupted"


def sentence(error: BaseException) -> str:
    """Return the error in one line for a person."""
    text = " ".join(str(error).split())
    if isinstance(error, MnistCoreError):
        return text
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "not enough memory; close other programs, or choose a smaller model or batch, and resume the run"
    if isinstance(error, OSError) and is_refusal(error):  # by what a library wrote
        return refusal(error, "a file")
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
