"""Changing settings in the middle of a training: the paused run stays as it is, and a new run goes on from its state.

The new run has its own configuration and id. It begins with the epochs, the weights and the optimizer's state of the
paused run, whose id and epoch are part of its identity, so that an id still means one training. It is marked as changed
by hand, which every comparison names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_core.comparison.words.changes import changes_words
from mnist_core.errors import ConfigError, StoreError
from mnist_core.experiments.changes import changed_settings
from mnist_core.experiments.configs import with_values
from mnist_core.jobs.request import Requested, outcome_of, pause_after, resume
from mnist_core.jobs.runners import Runner
from mnist_core.runs.records import LONGEST_NAME, Change
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.writer import history_content
from mnist_core.training import checkpoints


def go_on_changed(
    store: Store, runner: Runner, run_id: str, values: Mapping[str, Any], *, name: str = "", epochs: int | None = None
) -> Requested:
    """Go on from a paused run with other settings, as a new run; without a change the paused run itself goes on.

    Parameters
    ----------
    store, runner
        where, and by what.
    run_id
        the paused run. It stays paused, and can still go on as it was.
    values
        the new values by dotted path; see `changed_settings` for what can be changed.
    name
        of the new run; default: that of the paused run, with the change.
    epochs
        pause the new run after so many epochs; None to go on to its end.

    Raises
    ------
    StoreError
        where the run is not paused, or its checkpoint cannot be used.
    ConfigError
        where something else would be changed, no epoch would be left to train, or `epochs` is below 1.
    """
    run = store.get(run_id)
    if run.state != "paused":
        raise StoreError(f"run {run.name} is {run.state}; only a paused run can be changed: pause it first")
    wanted = with_values(run.config, values)
    settings = changed_settings(run.config, wanted)
    if not settings:
        return Requested(resume(store, runner, run_id, epochs=epochs), "resumed")
    state = checkpoints.load(run.checkpoint_file, checkpoints.identity(run.config, run.status.fingerprint))
    if state is None:
        raise StoreError(
            f"the checkpoint of run {run.name} is missing or damaged; resume the run, which then begins anew, and "
            "pause it again"
        )
    done = len(state.rows)
    if wanted.training.epochs <= done:
        raise ConfigError(
            f"training.epochs is {wanted.training.epochs}, and {done} epochs are done; give {done + 1} or more"
        )
    if wanted.training.learning_rate != run.config.training.learning_rate:
        state.plateau.rate = wanted.training.learning_rate  # which a schedule by plateaus would go on to lower
    pause = pause_after(done, epochs)
    config = wanted.replace(parent=run.id, parent_epoch=done)
    changes = tuple(Change(epoch=done, **setting._asdict()) for setting in settings)
    found, new = store.add(
        config,
        name=name or _name(run, changes_words(changes, config.model), done),
        fingerprint=run.status.fingerprint,
        keep_weights=run.meta.keep_weights,
        changes=(*run.meta.changes, *changes),
        begun={
            "checkpoint.npz": checkpoints.content(checkpoints.identity(config, run.status.fingerprint), state),
            "history.jsonl": history_content(state.rows),
        },
        pause=pause,
        delay_s=run.slow_motion(),
    )
    if not new:  # this very change was made before
        outcome = outcome_of(found)
        return Requested(found if outcome == "stored" else resume(store, runner, found.id, epochs=epochs), outcome)
    runner.submit(found.id)
    return Requested(store.get(found.id), "new")


def _name(run: Run, change: str, epoch: int) -> str:
    end = f", {change} after epoch {epoch}"
    return run.name[: max(0, LONGEST_NAME - len(end))] + end[-LONGEST_NAME:]
