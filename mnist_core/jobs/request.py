"""Asking for runs to be trained, wherever that happens.

`request`, `request_all` and `resume` say what is wanted; a `Runner` sees to it: `LocalRunner` here and now,
`ServiceRunner` in worker processes that go on when this one ends. Both write nothing but the runs' folders, which is
where results are read.

Importing this module imports neither TensorFlow nor distributed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mnist_core.comparison.recipes import more_seeds, with_seed_name, without_seed
from mnist_core.errors import ConfigError, DatasetError, RunNotFound, StoreError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs.runners import Runner
from mnist_core.runs.records import Origin, Pause
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, changed_by_hand

RequestOutcome = Literal["new", "stored", "joined", "resumed"]


@dataclass(frozen=True)
class Requested:
    """The result of a request.

    outcome: `new`, the run starts at the first epoch; `stored`, it was trained before; `joined`, it is already being
    trained; `resumed`, it continues from its last finished epoch.
    """

    run: Run
    outcome: RequestOutcome


# -- requests ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunRequest:
    """A request for a run.

    config, name, preset: the experiment; `name`, `preset`, `origin` and `keep_weights` are given to a new run only.
    pause: be paused after this epoch; not heeded by a run in progress. delay_s: slow motion, seconds to wait after each
    epoch; given to a new run only.
    """

    config: RunConfig
    name: str
    preset: str | None = None
    origin: Origin | None = None
    keep_weights: bool = True
    pause: Pause | None = None
    delay_s: float = 0.0


def wanted_seeds(run: Run, everything: Iterable[Run], count: int) -> list[RunRequest]:
    """Return `count` more seeds of a run's recipe, named after it; raises what `more_seeds` raises.

    everything: all runs of the store.
    """
    stem = without_seed(run.name, run.config.training.seed)
    return [
        RunRequest(config, with_seed_name(stem, config.training.seed), run.meta.preset)
        for config in more_seeds(run, everything, count)
    ]


def request_more_seeds(store: Store, runner: Runner, runs: Sequence[Run], count: int) -> list[Requested]:
    """See to it that `count` more seeds of the recipe of each of `runs` are trained, on the same data.

    Raises
    ------
    ConfigError
        as `more_seeds` does.
    DatasetError
        where the data of a run are not here, or have changed: other seeds could not be compared with it.
    """
    everything = store.runs()
    for run in runs:
        name = run.config.dataset.name
        here = store.catalog.fingerprint(name)
        if here != run.status.fingerprint:
            raise DatasetError(
                f"{run.name} was trained on other data than those called {name} now (fingerprints "
                f"{run.status.fingerprint} and {here}): more seeds could not be compared with it; train it again first"
            )
    wanted = [one for run in runs for one in wanted_seeds(run, everything, count)]
    return request_all(store, runner, list(dict.fromkeys(wanted)))


def request(
    store: Store, runner: Runner, config: RunConfig, *, name: str, preset: str | None = None, again: bool = False
) -> Requested:
    """See to it that a configuration is trained, and train nothing twice.

    Parameters
    ----------
    store, runner
        where, and by what.
    config, name, preset
        the experiment; `name` is given to a new run only.
    again
        train from scratch although it has been trained: the earlier run goes to the trash. A run that ships with the
        project stays, hidden by the new one. A run in progress is joined even so.
    """
    return request_all(store, runner, [RunRequest(config, name, preset)], again=again)[0]


def request_all(store: Store, runner: Runner, wanted: Sequence[RunRequest], *, again: bool = False) -> list[Requested]:
    """Return what `request` does, for many: all are queued before the first begins, so that all can be cancelled."""
    fingerprints: dict[str, str] = {}  # reading a dataset to know it takes its time
    requested = []
    for item in wanted:
        dataset = item.config.dataset.name
        if dataset not in fingerprints:
            fingerprints[dataset] = store.catalog.fingerprint(dataset)
        requested.append(_queue(store, item, fingerprints[dataset], again=again))
    for one in requested:
        if store.get(one.run.id).state == "queued":  # also where it was before: whoever was to train it may be gone
            runner.submit(one.run.id)
    return [Requested(store.get(one.run.id), one.outcome) for one in requested]


def _queue(store: Store, wanted: RunRequest, fingerprint: str, *, again: bool) -> Requested:
    if again:
        if wanted.config.parent_epoch is not None:
            raise StoreError(f"{changed_by_hand(wanted.config)}; it cannot be trained again from its beginning")
        _put_aside(store, wanted.config.run_id(fingerprint))
    run, new = store.add(
        wanted.config,
        name=wanted.name,
        preset=wanted.preset,
        fingerprint=fingerprint,
        shadow_reference=again,
        origin=wanted.origin,
        keep_weights=wanted.keep_weights,
        pause=wanted.pause,
        delay_s=wanted.delay_s,
    )
    outcome: RequestOutcome = "new" if new else outcome_of(run)
    if outcome == "resumed":
        _queue_again(store, run.id, wanted.pause)
    return Requested(store.get(run.id), outcome)


def outcome_of(run: Run) -> RequestOutcome:
    """Return what a request makes of a run that is in the store already."""
    return "resumed" if run.resumable else "joined" if run.live else "stored"


def pause_after(done: int, epochs: int | None) -> Pause | None:
    """Return the pause of a run that has `done` epochs after so many more; None to go on to its end.

    Raises
    ------
    ConfigError
        for `epochs` below 1.
    """
    if epochs is not None and epochs < 1:
        raise ConfigError(f"{epochs} more epochs were asked for; ask for 1 or more")
    return None if epochs is None else Pause(epoch=done + epochs)


def _put_aside(store: Store, run_id: str) -> None:
    with contextlib.suppress(RunNotFound):
        run = store.get(run_id)
        if not run.read_only and not run.live:
            store.delete(run.id)


def _queue_again(store: Store, run_id: str, pause: Pause | None = None) -> None:
    try:
        store.request_again(run_id, pause)
    except StoreError:
        if not store.get(run_id).live:  # else somebody else has just resumed it
            raise


def resume(store: Store, runner: Runner, run_id: str, *, epochs: int | None = None) -> Run:
    """Have a paused, cancelled, interrupted or failed run go on from its last finished epoch.

    One in progress just goes on. epochs: pause it again after so many more; None to go on to its end.

    Raises
    ------
    ConfigError
        for `epochs` below 1.
    """
    run = store.get(run_id)
    pause = pause_after(run.epochs_done, epochs)
    if not run.live:
        _queue_again(store, run_id, pause)
    if store.get(run_id).state == "queued":
        runner.submit(run_id)
    return store.get(run_id)


# -- here --------------------------------------------------------------------------------------------------------------


# -- in the service ----------------------------------------------------------------------------------------------------
