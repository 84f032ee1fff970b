"""The store: a folder where each run is a folder of plain files.

    artifacts/
    ├── runs/<id>/           config.json  meta.json  status.json  history.jsonl  predictions.npz  model.keras
    │                        environment.json; while it trains: progress.json  checkpoint.npz  lease-N.json  cancel
    │                        pause.json  slow_motion.json; of other epochs than the kept one: predictions-N.npz
    ├── datasets/            data sets that were uploaded in the browser
    ├── drawings/            digits that people have drawn and kept (see `data/kept_digits.py`)
    ├── lessons/             the user's own lessons (see `lessons/reading.py`)
    ├── class/               class.json: code, names and secrets of a class (see `runs/classroom.py`)
    ├── sweeps/  searches/   which runs belong together (see `sweeps` and `searches`)
    ├── reference/           what ships with the project, read-only: finished runs as <id>/, their sweeps/ and searches/
    ├── trash/<id>/          deleted runs, until restored or emptied
    └── datasets.json        registered datasets

Several processes may use one store at once. Files are replaced whole (see `files`); only the holder of a run's lease
writes what training produces. A store that may only be read can be read: what would change it raises WriteError.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnist_core.data.datasets import Catalog
from mnist_core.errors import ConfigError, NoConfiguration, ReadOnlyRun, RunNotFound, StoreError, WriteError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig, parse_config
from mnist_core.experiments.frozen import damage, explain
from mnist_core.files import make_folder, may_write, printable, read_json, sweep, temporary_near, write_json, writing
from mnist_core.people import Action, Person, owner
from mnist_core.runs import lease, states
from mnist_core.runs.recorded import OUTSIDE, Recorded, parse_recorded
from mnist_core.runs.records import (
    LONGEST_TAG,
    MOST_TAGS,
    Change,
    Meta,
    Origin,
    Pause,
    SlowMotion,
    Status,
    read_part,
)  # fmt: skip
from mnist_core.runs.run import Run
from mnist_core.runs.writer import RunWriter, forget_training

STORE_VARIABLE = "MNIST_CORE_STORE"
GONE = "the process that trained it is gone"
"""The reason of an interrupted run whose process left none."""
INSTALLED_REFERENCE = Path(__file__).resolve().parents[1] / "reference"
"""The reference runs in an installed package; in the project's folder they are in `artifacts/`, and this is missing."""
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Problem:
    """A folder or file in the store that could not be read.

    reason: a sentence with the name of the file that is damaged. name: what a damaged run is called, where its
    `meta.json` can still be read.
    """

    path: Path
    reason: str
    name: str = ""


def default_root() -> Path:
    """Return the folder that the environment variable MNIST_CORE_STORE names, or else the usual one.

    That is `artifacts/` in the project's folder; where the packages are installed, the user's own `user_root()`.
    """
    given = os.environ.get(STORE_VARIABLE)
    if given:
        return Path(given)
    return user_root() if INSTALLED_REFERENCE.is_dir() else Path(__file__).resolve().parents[2] / "artifacts"


def user_root() -> Path:
    """Return the user's folder for data of this program, such as `~/.local/share/mnist-core` on Linux."""
    import platformdirs

    return platformdirs.user_data_path("mnist-core", appauthor=False)


def _reference_of(root: Path) -> Path:
    """Return where the reference runs of a store are; the user's own store has those that are installed."""
    if INSTALLED_REFERENCE.is_dir() and root.absolute() == user_root():
        return INSTALLED_REFERENCE
    return root / "reference"


class Store:
    """Runs on disk.

    Parameters
    ----------
    root
        the folder; made where it does not exist. One that may only be read is enough for reading. Default:
        `default_root()`.
    who
        returns the person who uses it now; each change is checked against what that person may do (see `people`), and
        raises NotAllowed. Default: the owner of the machine, who may do everything.
    """

    def __init__(self, root: Path | str | None = None, *, who: Callable[[], Person] = owner) -> None:
        self._who = who
        self.root = Path(root) if root is not None else default_root()
        self._runs = self.root / "runs"
        self._reference = _reference_of(self.root)
        self._trash = self.root / "trash"
        self.roots = (self.root, self._reference)
        """Folders with sweeps and searches: the user's, which may be written, comes first."""
        try:
            self._make_folders()
        except WriteError as error:
            cause = error.__cause__
            if not self.root.is_dir() or isinstance(cause, FileExistsError | NotADirectoryError):
                raise StoreError(
                    f"{self.root} cannot be used as a store ({cause}); choose a folder that can be written"
                ) from error
        self.run_folders = (self._reference, self._runs)
        """Folders with runs: a run in the later one hides the reference run of the same identity."""
        self.catalog = Catalog(self.root, check=lambda: self.person.check("data"))
        self._histories: dict[Path, tuple[object, str]] = {}
        self._numbers = itertools.count(1)
        self.changes = 0
        """Grows with every change that is made through this object, so that an index need not wait to see it."""

    def _make_folders(self) -> None:
        for folder in (self._runs, self._trash):
            make_folder(folder)

    @property
    def writable(self) -> bool:
        """True if this process may change the store; a full disk does not count."""
        return may_write(self._runs) and may_write(self.root)

    @property
    def person(self) -> Person:
        """Who uses the store now."""
        return self._who()

    def check(self, action: Action, run: Run | None = None) -> None:
        """Raise NotAllowed where the person who uses the store may not do this to the run, or at all."""
        self.person.check(action, run.meta.owner if run else "", f"the run {run.name}" if run else "")

    # -- reading -----------------------------------------------------------------------------------------------------

    def scan(self) -> tuple[list[Run], list[Problem]]:
        """Return all runs, oldest first, and the problems: files that could not be read, each with the reason.

        A run with a damaged history is among the problems; a history is read again only when it has changed.
        """
        runs: dict[str, Run] = {}
        problems: list[Problem] = []
        for folder in self.run_folders:
            found, damaged = self._scan_folder(folder)
            runs |= found
            problems += damaged
        if problem := self.catalog.problem():
            problems.append(Problem(self.root / "datasets.json", problem))
        return sorted(runs.values(), key=lambda run: (run.status.created_at, run.id)), problems

    def _scan_folder(self, folder: Path) -> tuple[dict[str, Run], list[Problem]]:
        """Return the runs in a folder by id, and what could not be read."""
        runs: dict[str, Run] = {}
        problems: list[Problem] = []
        try:
            paths = [folder / name for name in run_names(folder)]
        except OSError as error:
            return {}, [unlisted(folder, error)]
        for path in paths:
            found = self.read_folder(path)
            if isinstance(found, Run):
                runs[path.name] = found
            else:
                problems.append(found)
        return runs, problems

    def read_folder(self, path: Path) -> Run | Problem:
        """Return the run in one folder, or what is wrong with it; a damaged history is a problem, too."""
        try:
            run = self._read(path)
            if reason := self._history_problem(run):
                raise StoreError(reason)
            return run
        except StoreError as error:
            return Problem(path, str(error), _name_of(path))

    def _history_problem(self, run: Run) -> str:
        """Return the error in a run's history; empty if there is none."""
        path = run.path / "history.jsonl"
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"the history of run {run.id} cannot be read: {damage(path, error)}"
        version = found.st_mtime_ns, found.st_size, found.st_ino
        known = self._histories.get(path)
        if known is None or known[0] != version:
            try:
                run.rows()
                known = version, ""
            except StoreError as error:
                known = version, str(error)
            self._histories[path] = known
        return known[1]

    def runs(self) -> list[Run]:
        """Return all readable runs, oldest first."""
        return self.scan()[0]

    def get(self, run_id: str) -> Run:
        """Return the run with exactly this id; raises RunNotFound."""
        for folder in (self._runs, self._reference):
            if _ID.fullmatch(run_id) and (folder / run_id).is_dir():
                return self._read(folder / run_id)
        raise RunNotFound(f"there is no run {run_id!r} in {self.root}")

    def find(self, text: str) -> Run:
        """Return the run that `text` means: an id, the beginning of one (4 characters or more), or a name.

        Raises
        ------
        RunNotFound
            where no run answers to it, or several do; the message lists them.
        StoreError
            where only a damaged run answers to it; the message says what is wrong with it.
        """
        runs, problems = self.scan()
        found = _answering(runs, text)
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(f"{run.id} ({run.name}, {run.dataset}, {run.state})" for run in found)
            raise RunNotFound(f"{text!r} could be any of {listed}; give the id")
        for problem in problems:
            if _answers(problem, text):
                raise StoreError(problem.reason)
        raise RunNotFound(f"no run is called {text!r} in {self.root}; `runs` lists them")

    def find_all(self, wanted: Sequence[Run | str], everything: Sequence[Run] | None = None) -> list[Run]:
        """Return the runs to be compared with each other, each given as `find` takes it or as a run.

        everything: all runs, for a caller that has read them.

        A name that runs on several data sets have means the one on the data that all share. Of several runs on the same
        data that were recorded from outside under one name, as when a cell of a notebook is run again, it means the
        newest.

        Raises
        ------
        RunNotFound, StoreError
            as `find` does, where a text means no run or still several.
        """
        runs = self.runs() if everything is None else everything
        several = [[item] if isinstance(item, Run) else _answering(runs, item) for item in wanted]
        shared = (
            set.intersection(*({run.status.fingerprint for run in found} for found in several)) if several else set()
        )
        meant = []
        for item, found in zip(wanted, several, strict=True):
            here = found
            if len(found) > 1 and len(shared) == 1:
                here = [run for run in found if run.status.fingerprint in shared]
            if len({run.status.fingerprint for run in here}) == 1 and all(run.recorded for run in here):
                here = [max(here, key=lambda run: run.status.created_at)]
            meant.append(here[0] if len(here) == 1 else self.find(str(item)))
        return meant

    def _read(self, path: Path) -> Run:
        if not _ID.fullmatch(path.name):
            raise StoreError(f"{printable(path.name)} is not a run: its name is not an id of 12 hexadecimal digits")
        source = read_part(path / "config.json", _parse_source)
        meta = read_part(path / "meta.json", Meta.from_json)
        status = read_part(path / "status.json", Status.model_validate)
        if source.run_id(status.fingerprint) != path.name:
            raise StoreError(f"{path.name} is not the run that its config.json describes; was it changed by hand?")
        read_only = path.parent == self._reference
        state = status.state
        if state in states.LIVE and not lease.held(path):
            reason = lease.failure(path, status.attempts_before)
            # the holder may have ended between the two readings
            status = read_part(path / "status.json", Status.model_validate)
            state = states.after(status.state, "vanish_with_reason" if reason else "vanish")
            if state == "interrupted":
                status = status.model_copy(update={"reason": reason or GONE})
        return Run(path.name, path, source, meta, status, state, read_only)

    # -- making ------------------------------------------------------------------------------------------------------

    def add(
        self,
        config: RunConfig,
        *,
        name: str,
        preset: str | None = None,
        fingerprint: str | None = None,
        shadow_reference: bool = False,
        origin: Origin | None = None,
        keep_weights: bool = True,
        pause: Pause | None = None,
        delay_s: float = 0.0,
        changes: tuple[Change, ...] = (),
        begun: Mapping[str, bytes] | None = None,
    ) -> tuple[Run, bool]:
        """Return the run of this configuration, and True if it is new. A new one is `queued`; nothing trains it yet.

        The dataset's fingerprint is part of a run's identity, so the dataset must be available, or `fingerprint` given.
        An existing run of this identity is returned, but if that run ships, a new one is made that hides it in three
        cases: `shadow_reference` is True; `origin` is None and the shipped run has no predictions; or a search left the
        shipped run unfinished. A new run can continue another only if that one is in the store. `origin`,
        `keep_weights` and `changes` (see `Meta`), `pause`, `delay_s` (see `set_slow_motion`) and `begun`, the contents
        of the files that its training goes on from (see `jobs.changing`), are for a new run.

        Raises
        ------
        StoreError
            if the run exists, but is damaged; if it was changed in the middle of its training, and `begun` is not
            given.
        NotAllowed
            where the person who uses the store may train nothing.
        """
        config = parse_config(config.model_dump(mode="json"))  # a model_construct'ed one must not get past the bounds
        fingerprint = fingerprint or self.catalog.fingerprint(config.dataset.name)
        run_id = config.run_id(fingerprint)
        self.check("train")
        meta = checked_meta(
            name=name,
            preset=preset,
            origin=origin,
            keep_weights=keep_weights,
            changes=changes,
            owner=self.person.name,
        )
        with contextlib.suppress(RunNotFound):
            try:
                found = self.get(run_id)
            except RunNotFound:
                raise
            except StoreError as error:
                raise StoreError(f"{error}; delete {run_id}, which moves it to the trash, to train it anew") from error
            enough = found.ended_well and (found.predictions_file().exists() or origin)
            if not found.read_only or (enough and not shadow_reference):
                return found, False
        if config.parent_epoch is not None and not begun:
            raise StoreError(changed_by_hand(config))
        if config.parent is not None and not begun:
            self.parent(config)
        status = Status(state=states.INITIAL, fingerprint=fingerprint, created_at=time.time())
        files = {
            "config.json": config,
            "meta.json": meta,
            "status.json": status,
            "pause.json": pause,
            "slow_motion.json": _checked_delay(delay_s),
        }
        return self._place(
            run_id, {name: item.model_dump(mode="json") for name, item in files.items() if item}, begun or {}
        )

    def add_recorded(
        self,
        recorded: Recorded,
        *,
        name: str,
        fingerprint: str,
        tags: tuple[str, ...] = (),
        note: str = "",
    ) -> tuple[Run, bool]:
        """Return the run from outside that this describes, and whether it is new.

        A new one is `queued`; whoever recorded it writes what it has through `open_writer`.

        Raises
        ------
        StoreError
            where the run is there, but damaged.
        """
        self.check("add")
        _check_tags(tags)
        meta = checked_meta(name=name, tags=tags, note=note, owner=self.person.name)
        run_id = recorded.run_id(fingerprint)
        with contextlib.suppress(RunNotFound):
            return self.get(run_id), False
        status = Status(state=states.INITIAL, fingerprint=fingerprint, created_at=time.time())
        return self._place(
            run_id,
            {
                "config.json": {"recorded": recorded.model_dump(mode="json")},
                "meta.json": meta.model_dump(mode="json"),
                "status.json": status.model_dump(mode="json"),
            },
        )

    @writing("the store")
    def _place(self, run_id: str, files: dict[str, Any], begun: Mapping[str, bytes] | None = None) -> tuple[Run, bool]:
        """Make a run's folder, all at once; the run, and whether another process did not make it first."""
        self._make_folders()
        for folder in (self.root, self._trash):
            sweep(folder)
        staging = temporary_near(self._trash / run_id)
        try:
            staging.mkdir()
            for name, data in files.items():
                write_json(staging / name, data)
            for name, content in (begun or {}).items():
                (staging / name).write_bytes(content)
            staging.rename(self._runs / run_id)
            self._changed()
        except OSError:
            if not (self._runs / run_id).is_dir():
                raise
            return self.get(run_id), False
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # if it was not moved
        return self.get(run_id), True

    @writing("the store")
    def adopt(
        self, run_id: str, files: Mapping[str, bytes], check: Callable[[Run], None] = lambda run: None
    ) -> tuple[Run, bool]:
        """Return the run that was made in another store, and whether it is new here; one that is here stays as it is.

        A run from outside that was interrupted here is replaced, as its end could not be sent.

        Parameters
        ----------
        run_id
            its id.
        files
            the content of its files by name; the caller has checked the names.
        check
            raises StoreError where the run, which is not in its place yet, is not to be taken.

        Raises
        ------
        StoreError
            where a file of the run is damaged, or it has not ended.
        """
        with contextlib.suppress(RunNotFound):
            here = self.get(run_id)
            if not (here.recorded and here.state == "interrupted"):
                return here, False
            self.check("import")
            self._to_trash(here.path)  # its end could not be sent to this store; the archive has the whole run
        self.check("import")
        self._make_folders()
        staging = temporary_near(self._trash / run_id)
        folder = staging / run_id
        try:
            folder.mkdir(parents=True)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            found = self.read_folder(folder)
            if isinstance(found, Problem):
                raise StoreError(found.reason)
            if not found.ended:
                raise StoreError(f"run {run_id} is {found.state}; only runs that have ended can be taken over")
            for path in folder.glob("predictions*.npz"):
                if Predictions.read(path).classes != len(found.classes):
                    raise StoreError(f"{path.name} of run {run_id} has another number of classes than the run")
            found.test_scores()
            check(found)
            folder.rename(self._runs / run_id)
            self._changed()
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return self.get(run_id), True

    def parent(self, config: RunConfig) -> Path:
        """Return the weights of the run that `config` continues, as a Keras file.

        Raises
        ------
        StoreError
            where that run is not here, has not ended for good, or has not kept its weights.
        ConfigError
            where its weights do not fit the model.
        """
        try:
            found = self.get(config.parent or "")
        except RunNotFound:
            raise RunNotFound(
                f"the run {config.parent}, which this one continues, is not in {self.root}; train or restore it first"
            ) from None
        if found.recorded:
            raise NoConfiguration(
                f"run {found.name} was {OUTSIDE}, so that it cannot be continued; choose a run that was trained here"
            )
        # one that could still be resumed may yet get other weights, and this run would no longer be what its id says
        if not found.ended_well:
            raise StoreError(
                f"run {found.name} is {found.state}; only a finished run can be continued: let it finish first"
            )
        if found.model_file is None:
            raise StoreError(f"run {found.name} has not kept its weights; train it again to continue it")
        shapes, given = (
            [(row.kind, row.output_shape, row.parameters) for row in model.layer_table() if row.parameters]
            for model in (config.model, found.config.model)
        )
        if shapes != given:
            raise ConfigError(
                f"the weights of run {found.name} ({found.config.model.summary()}) do not fit a model of "
                f"{config.model.summary()}; keep its layers and their units"
            )
        return found.model_file

    @writing("the store")
    def request_pause(self, run_id: str) -> Run:
        """Have a queued or running run be paused after the epoch that is under way; it keeps all that it has reached.

        Raises
        ------
        InvalidTransition
            where it is neither.
        NoConfiguration
            for a run from outside, which is trained elsewhere.
        """
        run = self.get(run_id)
        self._refuse_change(run, "stop")
        if run.recorded:
            raise NoConfiguration(f"run {run.name} was {OUTSIDE}, so that it cannot be paused here; cancel it instead")
        states.after(run.state, "pause", run.name)
        epoch = run.epochs_done + 1
        write_json(run.path / "pause.json", Pause(epoch=epoch).model_dump(mode="json"), durable=False)
        return self.get(run_id)

    @writing("the store")
    def set_slow_motion(self, run_id: str, delay_s: float) -> None:
        """Have a run wait so many seconds after each epoch, from now on; 0 is full speed. No number changes by it.

        Raises
        ------
        ConfigError
            for a delay out of its bounds.
        """
        run = self.get(run_id)
        self._refuse_change(run, "stop")
        wanted = _checked_delay(delay_s)
        if wanted or run.was_slowed:
            found = wanted or SlowMotion(delay_s=0)
            write_json(run.path / "slow_motion.json", found.model_dump(mode="json"), durable=False)

    def open_writer(self, run_id: str, *, elsewhere: bool = False) -> RunWriter | None:
        """Return the right to train a run; None where a living process already does, or the run is not one to train.

        elsewhere: this process holds the run for a worker on another machine, and must not be ended in its place.
        """
        run = self.get(run_id)
        self._refuse_read_only(run)
        held = lease.claim(run.path, elsewhere=elsewhere)
        if held is None:
            return None
        sweep(run.path)
        return RunWriter(run, held)

    @writing("the store")
    def request_again(self, run_id: str, pause: Pause | None = None) -> Run:
        """Queue a resumable run once more, to go on from its last finished epoch; `pause`: to stop after an epoch."""
        run = self.get(run_id)
        self._refuse_change(run, "stop" if run.state == "paused" else "resume")
        if run.recorded:
            raise NoConfiguration(
                f"run {run.name} was {OUTSIDE}, so that it cannot be resumed here; train it again where it was made"
            )
        state = states.after(run.state, "request", run.name)
        for name in ("cancel", "pause.json"):
            (run.path / name).unlink(missing_ok=True)
        if pause is not None:
            write_json(run.path / "pause.json", pause.model_dump(mode="json"), durable=False)
        if run.meta.pruned:
            self._write_meta(run, pruned=False)
        update = {
            "state": state,
            "reason": "",
            "ended_at": None,
            "attempts_before": lease.attempts(run.path),
            "requests": run.status.requests + 1,
        }
        self._write_status(run, update)
        lease.forget_failure(run.path)
        self._changed()
        return self.get(run_id)

    @writing("the store")
    def cancel(self, run_id: str) -> Run:
        """Ask a queued or running run to stop; its worker looks between blocks of steps.

        An interrupted run becomes a cancelled one: its worker may be on the way back, and must find the request. A
        paused one becomes a cancelled one, too, which keeps what it has reached.
        """
        run = self.get(run_id)
        self._refuse_change(run, "stop")
        if run.state == "paused":
            update = {"state": states.after(run.state, "cancel"), "reason": "cancelled after it was paused"}
            self._write_status(run, update)
        elif not run.ended:
            (run.path / "cancel").touch()
            # read again, as the worker may have ended the run since; what it wrote stands
            if not lease.held(run.path) and (state := self.get(run_id).state) in states.TRAINABLE:
                when = "before it began" if run.live else "after it was interrupted"
                update = {"state": states.after(state, "cancel"), "reason": f"cancelled {when}"}
                self._write_status(run, update | {"ended_at": time.time()})
        return self.get(run_id)

    def prune(self, run_id: str, reason: str) -> Run:
        """Mark a paused run as stopped by a search for the given reason; it can still be resumed."""
        run = self.get(run_id)
        self._refuse_change(run, "stop")
        if states.can(run.state, "prune"):  # it may have been resumed since it paused
            self._write_status(run, {"state": states.after(run.state, "prune"), "reason": reason})
            self._write_meta(run, pruned=True)
        return self.get(run_id)

    def _write_status(self, run: Run, update: dict[str, Any]) -> None:
        status = read_part(run.path / "status.json", Status.model_validate).model_copy(update=update)
        write_json(run.path / "status.json", status.model_dump(mode="json"))
        self._changed()

    def _changed(self) -> None:
        self.changes = next(self._numbers)

    def tidy(self) -> None:
        """Delete what killed processes have left: temporary files, and what only the training of settled runs needs."""
        shelves = [self.root, *(path for path in _folders(self.root) if path != self._reference)]
        kept = [path for shelf in shelves[1:] if shelf != self._trash for path in _folders(shelf)]
        for folder in (*shelves, *kept):
            sweep(folder)
        for run in self.runs():
            if run.state in states.SETTLED and not run.read_only and not lease.held(run.path):
                forget_training(run.path, run.state)

    # -- what a person may change ------------------------------------------------------------------------------------

    def describe(
        self, run_id: str, *, name: str | None = None, tags: tuple[str, ...] | None = None, note: str | None = None
    ) -> Run:
        """Rename, tag or note a run; what is None stays."""
        run = self.get(run_id)
        self._refuse_change(run, "change")
        _check_tags(tags or (), run.meta.tags)
        given = {"name": name, "tags": tags, "note": note}
        self._write_meta(run, **{key: value for key, value in given.items() if value is not None})
        return self.get(run_id)

    def _write_meta(self, run: Run, **update: Any) -> None:
        meta = checked_meta(**(run.meta.model_dump() | update))
        write_json(run.path / "meta.json", meta.model_dump(mode="json"))
        self._changed()

    @writing("the store")
    def delete(self, run_id: str) -> None:
        """Move a run to the trash, from where it can be restored; a live one must be cancelled first."""
        run = self.get(run_id)
        self._refuse_change(run, "delete")
        if run.live and lease.held(run.path):
            raise StoreError(f"run {run.name} is being trained; cancel it first")
        self._to_trash(run.path)

    def discard(self, text: str) -> Path:
        """Move a damaged run to the trash, by id, beginning of one, or name; return where it was.

        Raises
        ------
        RunNotFound
            where no damaged run answers to it, or several do.
        """
        found = [item.path for item in self.scan()[1] if item.path.parent == self._runs and _answers(item, text)]
        if len(found) != 1:
            raise RunNotFound(f"{text!r} does not name one damaged run in {self._runs}")
        self.check("delete")
        self._to_trash(found[0])
        return found[0]

    def _to_trash(self, path: Path) -> None:
        run_id = path.name
        target = self._trash / run_id
        self._make_folders()
        if os.path.lexists(target):  # an earlier training of the same configuration: the newer one replaces it
            _remove(target)
        path.rename(target)
        self._changed()

    def trash(self) -> tuple[list[Run], list[Problem]]:
        """Return the deleted runs, oldest first, and the folders in the trash that could not be read."""
        runs, problems = self._scan_folder(self._trash)
        return sorted(runs.values(), key=lambda run: (run.status.created_at, run.id)), problems

    @writing("the store")
    def restore(self, text: str) -> Run:
        """Bring a run back from the trash, by id, beginning of one, or name."""
        runs = self.trash()[0]
        found = [r for r in runs if r.id == text or r.name == text or (len(text) >= 4 and r.id.startswith(text))]
        if len(found) != 1:
            listed = ", ".join(f"{run.id} ({run.name})" for run in runs) or "nothing"
            raise RunNotFound(f"{text!r} does not name one run in the trash, which holds {listed}")
        self.check("restore", found[0])
        target = self._runs / found[0].id
        if target.exists():
            raise StoreError(f"run {found[0].id} is in the store again already; delete that one first")
        found[0].path.rename(target)
        self._changed()
        return self.get(found[0].id)

    @writing("the store")
    def empty_trash(self) -> int:
        """Delete for good what is in the trash; how many folders that were."""
        self.check("empty_trash")
        names = run_names(self._trash)
        for name in names:
            _remove(self._trash / name)
        return len(names)

    def _refuse_change(self, run: Run, action: Action) -> None:
        self._refuse_read_only(run)
        self.check(action, run)

    @staticmethod
    def _refuse_read_only(run: Run) -> None:
        if run.read_only:
            raise ReadOnlyRun(
                f"run {run.name} ships with the project and cannot be changed; train it with another seed instead"
            )


def changed_by_hand(config: RunConfig) -> str:
    """Return why a run that was changed in the middle of its training cannot be made from its configuration alone."""
    return (
        f"this run goes on from epoch {config.parent_epoch} of the run {config.parent}, where a person changed "
        f"settings; it can only be made by a change while that run is paused after epoch {config.parent_epoch}"
    )


def _parse_source(data: Any) -> RunConfig | Recorded:
    """Return what `config.json` holds: a configuration, or what is known of a run from outside."""
    if isinstance(data, dict) and set(data) == {"recorded"}:
        return parse_recorded(data["recorded"])
    return parse_config(data)


def checked_meta(**data: Any) -> Meta:
    """Return a Meta from what a person typed; raises ConfigError."""
    try:
        return Meta.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None


def _check_tags(tags: Sequence[str], before: Sequence[str] = ()) -> None:
    """Raise ConfigError where new tags are too many or too long; those of an older file in `before` may stay."""
    new = [tag for tag in tags if tag not in before]
    if new and len(tags) > MOST_TAGS:
        raise ConfigError(f"there are {len(tags)} tags, and {MOST_TAGS} are allowed; leave some out")
    for tag in new:
        if len(tag) > LONGEST_TAG:
            raise ConfigError(
                f"the tag {tag[:20]!r} … has {len(tag)} characters, and {LONGEST_TAG} are allowed; make it shorter, "
                "or write a note"
            )


def _checked_delay(delay_s: float) -> SlowMotion | None:
    """Return the slow motion of so many seconds an epoch, None for none; raises ConfigError."""
    try:
        return SlowMotion(delay_s=delay_s) if delay_s else None
    except ValidationError as error:
        raise ConfigError(explain(error)) from None


def _answering(runs: Sequence[Run], text: str) -> list[Run]:
    """Return the runs with this id or name, else those whose id begins so."""
    found = [run for run in runs if run.id == text] or [run for run in runs if run.name == text]
    return found or [run for run in runs if len(text) >= 4 and run.id.startswith(text)]


def _answers(problem: Problem, text: str) -> bool:
    """True if `text` names the damaged run, by the rules of `Store.find`."""
    run_id = problem.path.name
    if not _ID.fullmatch(run_id):
        return False
    return text in (run_id, problem.name) or (len(text) >= 4 and run_id.startswith(text))


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, without links; none where it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return [Path(item.path) for item in found if item.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _remove(path: Path) -> None:
    """Delete a folder with all that is in it, or a file; of a link only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def run_names(folder: Path) -> list[str]:
    """Return the names in a folder that should be runs: all subfolders, and whatever else is called like a run.

    `sweeps` and `searches`, which are in the reference folder among its runs, are left out. Raises OSError where the
    folder cannot be listed; a folder that is not there is empty.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(
        name
        for name in names
        if _ID.fullmatch(name)
        or (not name.startswith(".") and name not in ("sweeps", "searches") and os.path.isdir(folder / name))
    )


def unlisted(folder: Path, error: OSError) -> Problem:
    """Return the problem of a folder whose content cannot be listed."""
    return Problem(folder, f"the folder {folder.name} cannot be listed: {printable(error)}")


def _name_of(path: Path) -> str:
    """Return the display name of a damaged run, empty where that cannot be read either."""
    try:
        return Meta.model_validate(read_json(path / "meta.json")).name
    except (OSError, ValueError):
        return ""
