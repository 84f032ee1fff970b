"""Searches in the store: a sampler chooses the trials (see `spaces`), and Hyperband those that go on.

A search is a folder, `searches/<id>/`: `search.json` has the search space and the decided results of the trials; the
trials' runs are ordinary runs. One controller at a time, the holder of the folder's lease, requests runs and decides.
When it dies, its runs go on, and the next controller takes up where it was. Some searches ship, complete, in
`reference/searches/`.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mnist_core.comparison.selection import StudyKind
from mnist_core.errors import JobError, RunNotFound, StoreError
from mnist_core.experiments import spaces
from mnist_core.experiments.frozen import Frozen
from mnist_core.experiments.spaces import Observation, SearchSpec
from mnist_core.files import writing
from mnist_core.jobs import local_service
from mnist_core.jobs.request import RunRequest, request_all
from mnist_core.jobs.runners import Runner
from mnist_core.jobs.watch import Notice, Watch, sentence
from mnist_core.runs import lease
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import Origin, Pause, Seconds
from mnist_core.runs.run import Run, Runs
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from mnist_core.studies.progress import StudyProgress, cancel_runs, progress_of, runs_of
from mnist_core.studies.shelf import Shelf
from mnist_core.studies.study import Candidates, StudyState

if TYPE_CHECKING:
    import pandas as pd

POLL_S = 0.1

TrialState = Literal["open", "pruned", "finished", "failed"]


class Trial(Frozen):
    """One trial of a search.

    values: by path. run: the id of its run. bracket, rung: where in Hyperband it is, counted from 0. state: `open`
    until it is decided. value: the metric after `epochs` epochs; None while it is unknown.
    """

    number: int
    values: dict[str, Any]
    run: str
    bracket: int = 0
    rung: int = 0
    state: TrialState = "open"
    value: float | None = None
    epochs: int = 0

    @property
    def count(self) -> int:
        """Which trial it is, counted from 1, as people count."""
        return self.number + 1


class Search(Frozen):
    """`search.json`. created_at: Unix seconds."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    spec: SearchSpec
    dataset: str
    created_at: Seconds
    owner: str = ""
    """The person of a class who requested it; empty outside a class."""
    trials: tuple[Trial, ...] = ()

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.spec.name

    @property
    def run_ids(self) -> list[str]:
        """The runs of the trials, each once, in the order of asking."""
        return list(dict.fromkeys(trial.run for trial in self.trials))

    @property
    def complete(self) -> bool:
        """True if all trials have been requested and decided."""
        return len(self.trials) == self.spec.trial_count and all(trial.state != "open" for trial in self.trials)

    @property
    def settings(self) -> int:
        """How many settings it varies."""
        return len(self.spec.space)

    @property
    def kind(self) -> StudyKind:
        """Which kind of study it is."""
        return "search"

    @property
    def optimistic(self) -> bool:
        """Return False: a search chooses on held-out images only."""
        return False

    @property
    def size(self) -> str:
        """Number of trials planned, in words."""
        return f"{self.spec.trial_count} trials"

    def candidates(self, everything: Sequence[Run]) -> Candidates:
        """Return its finished trials, by the metric that it searches by."""
        done = [(t.run, t.value) for t in self.trials if t.state == "finished" and t.value is not None]
        best = self.winner if len(self.trials) > 1 else None
        return Candidates(self.spec.metric, True, done, len(self.trials), best.run if best else None)

    def progress(self, runs: Runs) -> StudyProgress:
        """Return how far it is; its share is that of the trials that are decided."""
        decided = sum(trial.state != "open" for trial in self.trials)
        found = progress_of(runs_of(runs, self.run_ids))
        return replace(found, share=decided / self.spec.trial_count, complete=self.complete)

    def state(self, store: Store) -> StudyState:
        """Return whether all trials are decided, and whether a controller is at work on them."""
        return "complete" if self.complete else "running" if self.carried_out(store) else "stopped"

    def carried_out(self, store: Store) -> bool:
        """True if a controller is at work on it."""
        return not self.complete and lease.held(_folder(store, self.id))

    def table(self, runs: Runs, *, reader: Reader = PLAIN, reveal: bool = False) -> pd.DataFrame:
        """Return the results of its trials, as `results`."""
        return results(runs, self, reader=reader, reveal=reveal)

    def resume(self, store: Store, runner: Runner) -> None:
        """Carry it on in a process of its own, where none is at work on it."""
        if not self.complete and not self.carried_out(store):
            store.person.check("resume", self.owner, f"the search {self.name}")
            spawn(store, self.id)

    def cancel(self, store: Store, runner: Runner) -> None:
        """Ask its controller to end, and its runs to stop."""
        search = SHELF.get(store, self.id)  # as it is now: it may have more trials
        if search.complete:
            return
        store.person.check("stop", search.owner, f"the search {search.name}")
        with writing(store.root):
            (_folder(store, search.id) / "stop").touch()
        cancel_runs(store, runner, search.run_ids)

    @property
    def winner(self) -> Trial | None:
        """The finished trial that validation says is best; None where none has finished."""
        done = [trial for trial in self.trials if trial.state == "finished" and trial.value is not None]
        return min(done, key=lambda trial: (_rank(self.spec, trial.value), trial.number), default=None)


def _rank(spec: SearchSpec, value: float | None) -> float:
    """Return the rank: lower is better; what is unknown or not finite comes last."""
    if value is None or not math.isfinite(value):
        return math.inf
    return value if spec.metric == "val_loss" else -value


def _check(search: Search) -> None:
    spaces.check(search.spec)
    for number, trial in enumerate(search.trials):
        if trial.number != number:
            raise ValueError(f"trial {number} has the number {trial.number}")
        if not spaces.holds(search.spec, trial.values):
            raise ValueError(f"the values of trial {number} do not lie in the search space")


def _request(store: Store, runner: Runner, spec: SearchSpec, keep_weights: bool) -> Search:
    """Write the search down and carry it on; a search keeps the weights of its runs, as it goes on from them."""
    search = add(store, spec)
    search.resume(store, runner)
    return search


SHELF = Shelf("search", "searches", "search.json", Search, _check, _request)


# -- in the store ------------------------------------------------------------------------------------------------------


def _folder(store: Store, search_id: str) -> Path:
    return store.root / "searches" / search_id


def add(store: Store, spec: SearchSpec) -> Search:
    """Return the search that `spec` describes on the data as they are here, written down where it is new.

    Raises
    ------
    ConfigError
        where it cannot be trained.
    """
    spec = spaces.parse_search(spec.model_dump(mode="json"))
    dataset = spec.dataset
    sweeps.check_held_out(store, [spec.config(spaces.extreme_values(spec, 0))])
    text = f"{spec.model_dump_json(exclude={'source', 'note', 'assumptions'})} {store.catalog.fingerprint(dataset)}"
    search_id = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        return SHELF.get(store, search_id)
    except RunNotFound:
        store.check("train")
        found = Search(id=search_id, spec=spec, dataset=dataset, created_at=time.time(), owner=store.person.name)
        SHELF.put(store, found)
        return SHELF.get(store, search_id)


# -- the controller ----------------------------------------------------------------------------------------------------


def run(
    store: Store,
    runner: Runner,
    search_id: str,
    *,
    on_change: Callable[[Search], None] = lambda search: None,
    on_notice: Callable[[Notice | None], None] = lambda notice: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Search:
    """Carry a search out, from where an earlier controller left it, until it is complete or stopped.

    Trials whose training failed, as on a full disk, are tried again; those that diverged have failed for good. With
    Hyperband, trials that are tried again are compared with each other alone.

    Parameters
    ----------
    store, runner
        where the runs are stored, and what trains them.
    search_id
        as `add` gives it.
    on_change
        is called with the search after each request and decision.
    on_notice
        is called on each poll with the reason why runs are not being trained; None if they are.
    should_stop
        is called several times a second; True stops the controller.

    Raises
    ------
    JobError
        if another process is carrying it out, or its runs can't be trained.
    """
    search, folder = SHELF.get(store, search_id), _folder(store, search_id)
    if search.complete and not _failed_runs(store, search):
        return search
    held = lease.claim(folder)
    if held is None:
        raise JobError(f"another process is carrying out the search {search_id}; follow it, or stop it first")
    try:
        with writing(folder):
            (folder / "stop").unlink(missing_ok=True)
        controller = _Controller(store, runner, search_id, held, on_change, on_notice, should_stop)
        try:
            with controller.watch:
                controller.reopen()
                controller.carry_out()
        except _Stopped:
            cancel_runs(store, runner, [trial.run for trial in controller.search.trials if trial.state == "open"])
        return controller.search
    finally:
        held.release()
        held.forget_earlier()


def _failed_runs(store: Store, search: Search) -> dict[str, Run]:
    """Return the runs, by id, of failed trials whose training has failed and can be resumed."""
    found = runs_of(store, [trial.run for trial in search.trials if trial.state == "failed"])
    return {run.id: run for run in found if isinstance(run, Run) and run.state == "failed" and run.resumable}


class _Stopped(Exception):
    """Raised when the controller is to stop."""


class _Controller:
    """Carries out a search: requests runs, waits, decides, and writes each decision down before the next step."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        search_id: str,
        held: lease.Lease,
        on_change: Callable[[Search], None],
        on_notice: Callable[[Notice | None], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self.store, self.runner, self._lease = store, runner, held
        self._on_change, self._on_notice, self._should_stop = on_change, on_notice, should_stop
        self.watch = Watch(store, runner)
        self._submitted = False
        self.search = SHELF.get(store, search_id)
        self._fingerprint = store.catalog.fingerprint(self.search.dataset)

    def reopen(self) -> None:
        """Have the trials tried again whose training failed."""
        failed = _failed_runs(self.store, self.search)
        if failed:
            self._save(
                tuple(
                    trial.model_copy(update={"state": "open"}) if trial.run in failed else trial
                    for trial in self.search.trials
                )
            )

    def carry_out(self) -> None:
        rule = self.search.spec.hyperband
        if rule is None:
            self._one_by_one()
            return
        for number, bracket in enumerate(spaces.brackets(rule, self.search.spec.epochs)):
            while len(self._of(number)) < bracket.trials:
                self._ask(number)
            for rung, epochs in enumerate(bracket.rungs):
                self._rung(number, rung, epochs, last=rung == len(bracket.rungs) - 1)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, bracket: int = 0) -> Trial:
        """Write down one more trial; nothing is trained yet."""
        spec, trials = self.search.spec, self.search.trials
        observations = [Observation(t.values, t.value, t.epochs, t.state == "pruned") for t in trials]
        values = spaces.suggest(spec, observations)
        run_id = spec.config(values).run_id(self._fingerprint)
        trial = Trial(number=len(trials), values=values, run=run_id, bracket=bracket)
        self._save((*trials, trial))
        return trial

    def _request(self, trials: Sequence[Trial], pause: int | None) -> None:
        search = self.search
        paused = None
        if pause is not None:
            reason = f"paused after epoch {pause} of {search.spec.epochs} by the search {search.name}, to be compared"
            paused = Pause(epoch=pause, reason=reason)
        wanted = [
            RunRequest(
                search.spec.config(trial.values),
                f"{search.name.rpartition('/')[2]}, trial {trial.count}"[:80],
                origin=Origin(kind="search", id=search.id),
                pause=paused,
            )
            for trial in trials
        ]
        try:
            request_all(self.store, self.runner, wanted)
        except JobError:
            if not self._submitted:
                raise
            return  # all are queued; the watch hands them over, or says what is missing
        self._submitted = True

    # -- without Hyperband -------------------------------------------------------------------------------------------

    def _one_by_one(self) -> None:
        """Keep as many trials going as there are workers, and ask for the next whenever one has ended."""
        begun: set[int] = set()
        while not self.search.complete:
            self._check()
            waited = self._waited([trial for trial in self._open() if trial.number in begun])
            for trial in self._open():
                if trial.number in begun and trial.run not in waited:
                    self._decide([self._evaluated(trial, self.search.spec.epochs, last=True)])
            workers = max(1, self.runner.status().workers)
            while len(self._open()) < workers and len(self.search.trials) < self.search.spec.trials:
                self._ask()
            for trial in self._open():
                if trial.number not in begun:
                    begun.add(trial.number)
                    self._request([trial], None)
            time.sleep(POLL_S)

    # -- with Hyperband ----------------------------------------------------------------------------------------------

    def _rung(self, bracket: int, rung: int, epochs: int, *, last: bool) -> None:
        """Bring the trials that have come so far to `epochs` epochs, and promote the best of them."""
        here = [trial for trial in self._of(bracket) if trial.rung == rung and trial.state == "open"]
        if not here:  # decided by an earlier controller, or all have failed
            return
        short = [trial for trial in here if not self._has(trial, epochs)]
        if short:
            self._request(short, None if last else epochs)
        while self._waited(here):
            self._check()
            time.sleep(POLL_S)
        evaluated = [self._evaluated(trial, epochs, last=last) for trial in here]
        if last:
            self._decide(evaluated)
            return
        able = sorted(
            (t for t in evaluated if t.state == "open"), key=lambda t: (_rank(self.search.spec, t.value), t.number)
        )
        factor = self.search.spec.hyperband.factor if self.search.spec.hyperband else 1
        promoted = {trial.number for trial in able[: max(1, len(here) // factor)]}
        self._decide(
            [
                trial
                if trial.state != "open"
                else trial.model_copy(update={"rung": rung + 1} if trial.number in promoted else {"state": "pruned"})
                for trial in evaluated
            ]
        )
        for place, trial in enumerate(able, start=1):
            if trial.number not in promoted:
                reason = (
                    f"pruned after epoch {trial.epochs} by the search {self.search.name}: place {place} of {len(able)}"
                )
                self.store.prune(trial.run, reason)

    def _of(self, bracket: int) -> list[Trial]:
        return [trial for trial in self.search.trials if trial.bracket == bracket]

    def _has(self, trial: Trial, epochs: int) -> bool:
        """True if nothing needs to be trained for this rung."""
        found = self._run(trial)
        return found is not None and not found.live and (found.ended_well or found.epochs_done >= epochs)

    # -- both --------------------------------------------------------------------------------------------------------

    def _open(self) -> list[Trial]:
        return [trial for trial in self.search.trials if trial.state == "open"]

    def _run(self, trial: Trial) -> Run | None:
        try:
            return self.store.get(trial.run)
        except StoreError:  # deleted or damaged: the trial has failed
            return None

    def _waited(self, trials: Sequence[Trial]) -> set[str]:
        """Return the runs of these trials that are to be waited for; raises JobError where one can't be trained."""
        runs = [found for trial in trials if (found := self._run(trial)) is not None]
        look = self.watch.look(runs)
        self._on_notice(look.notice)
        waited = {run.id for run in look.waited}
        if look.notice and any(not run.ended and run.id not in waited for run in runs):
            raise JobError(f"{sentence(look.notice)} The search goes on when it is started again.")
        return waited

    def _evaluated(self, trial: Trial, epochs: int, *, last: bool) -> Trial:
        """Return the trial with what its run has come to after at most `epochs` epochs.

        It has failed where that is too little.
        """
        found = self._run(trial)
        rows = found.rows() if found else []
        enough = found is not None and (found.state == "finished" or (not last and len(rows) >= epochs))
        row = sweeps.kept_row(found, rows) if found and found.state == "finished" else None
        if row is None or row.epoch > epochs or not last:
            row = rows[min(epochs, len(rows)) - 1] if rows else None
        value = getattr(row, self.search.spec.metric) if row else None
        if not enough or value is None or not math.isfinite(value):
            return trial.model_copy(update={"state": "failed", "epochs": len(rows)})
        update = {"value": value, "epochs": row.epoch if row else 0, "state": "finished" if last else "open"}
        return trial.model_copy(update=update)

    def _decide(self, trials: Sequence[Trial]) -> None:
        self._check()  # a run that stopped because the search was to stop has not failed
        by_number = {trial.number: trial for trial in trials}
        self._save(tuple(by_number.get(trial.number, trial) for trial in self.search.trials))

    def _save(self, trials: tuple[Trial, ...]) -> None:
        self._lease.check()
        self.search = self.search.model_copy(update={"trials": trials})
        SHELF.put(self.store, self.search)
        self._on_change(self.search)

    def _check(self) -> None:
        if self._should_stop() or (_folder(self.store, self.search.id) / "stop").exists():
            raise _Stopped


def spawn(store: Store, search_id: str) -> subprocess.Popen[bytes]:
    """Carry a search out in a separate process, which outlives this one; its output goes to a file in the search's
    folder.
    """
    log = _folder(store, search_id) / "search.log"
    return local_service.detached(["-m", "mnist_core", "search", search_id, "--store", str(store.root.resolve())], log)


# -- what came of it ---------------------------------------------------------------------------------------------------


def results(runs: Runs, search: Search, *, reader: Reader = PLAIN, reveal: bool = False) -> pd.DataFrame:
    """Return the results of the trials: one row a trial, in the order of their requests.

    Parameters
    ----------
    runs, search
        the store of the search, or a snapshot of it, and the search.
    reader
        reads the results.
    reveal
        as for `sweeps.results`.

    Returns
    -------
    pandas.DataFrame
        as `sweeps.results`, with `trial` (counted from 1), `bracket`, `trial_state` and `value` in front. Figures on
        the test set are left out for all but the winner of a complete search, unless `reveal` asks for them.
    """
    winner = search.winner if search.complete else None
    tested = reader if reveal else sweeps.WinnerAlone(winner.run if winner else None)
    table = sweeps.frame([(trial.values, trial.run) for trial in search.trials], runs, reader=tested)
    front: dict[str, list[Any]] = {
        "trial": [trial.count for trial in search.trials],
        "bracket": [trial.bracket for trial in search.trials],
        "trial_state": [trial.state for trial in search.trials],
        "value": [math.nan if trial.value is None else trial.value for trial in search.trials],
    }
    for place, (name, values) in enumerate(front.items()):
        table.insert(place, name, values)
    return table


def history(search: Search) -> pd.DataFrame:
    """Return the best value so far: one row a trial that has finished: `trial` (counted from 1), `value`, `best`."""
    import pandas as pd

    done = [trial for trial in search.trials if trial.state == "finished" and trial.value is not None]
    frame = pd.DataFrame([{"trial": t.count, "value": t.value} for t in done], columns=["trial", "value"])
    best = frame["value"].cummin() if search.spec.metric == "val_loss" else frame["value"].cummax()
    return frame.assign(best=best)


def compared(runs: Runs, search: Search) -> tuple[dict[int, float], int]:
    """Return the metric of the trials after equally many epochs, by trial counted from 1, and after how many.

    As many epochs as the shortest of the finished and pruned trials has done; empty and 0 where there is none.
    """
    known: dict[int, list[float]] = {}
    for trial in search.trials:
        if trial.state not in ("finished", "pruned"):
            continue
        try:
            values = [getattr(row, search.spec.metric) for row in runs.get(trial.run).rows()]
        except StoreError:
            continue
        if values:
            known[trial.count] = values
    epochs = min(map(len, known.values()), default=0)
    return {count: values[epochs - 1] for count, values in known.items()}, epochs


def importances(runs: Runs, search: Search) -> tuple[dict[str, float], int]:
    """Return each field's share of the variance, greatest first, and after how many epochs (see `compared`)."""
    values, epochs = compared(runs, search)
    if not values:
        return {}, 0
    by_count = {trial.count: trial.values for trial in search.trials}
    return spaces.importances(
        search.spec, [Observation(by_count[count], value) for count, value in values.items()]
    ), epochs
