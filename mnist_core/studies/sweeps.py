"""Sweeps in the store: many runs over a grid (see `grids`), how far they are, and what came of them.

A sweep is a file, `sweeps/<id>.json`, which names its runs; everything else is read from those. A sweep that was cut
short is simply asked for again: what is trained is not trained twice. Some ship, finished, in `reference/sweeps/`.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from pydantic import Field

from mnist_core.errors import ReadOnlyRun, RunNotFound, StoreError
from mnist_core.evaluation.metrics import Scores
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.frozen import Frozen, damage
from mnist_core.experiments.grids import Point, SweepSpec, describe, expand, plain_value
from mnist_core.experiments.presets import PRESETS
from mnist_core.files import make_folder, read_json, write_json, writing
from mnist_core.jobs.request import Requested, Wanted, request_all
from mnist_core.jobs.runners import Runner
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import ChosenEpoch, EpochRow, Origin, Seconds
from mnist_core.runs.run import Run, Runs
from mnist_core.runs.store import Problem, Store

if TYPE_CHECKING:
    import pandas as pd

MNIST_TRAINING = 60_000


class SweepPoint(Frozen):
    """A point of a stored sweep: its values by path, and the id of its run."""

    values: dict[str, Any]
    run: str


class Sweep(Frozen):
    """`sweeps/<id>.json`: a sweep that was asked for. created_at: Unix seconds."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    spec: SweepSpec
    dataset: str
    optimistic: bool
    """Whether some of its runs are validated on the test set: the best of them is then chosen by test results, which
    are no longer those of unseen images."""
    created_at: Seconds
    points: tuple[SweepPoint, ...] = Field(min_length=1)

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.spec.name

    @property
    def run_ids(self) -> list[str]:
        """The runs, each once, in the order of the grid."""
        return list(dict.fromkeys(point.run for point in self.points))

    @property
    def axes(self) -> list[str]:
        """The paths that vary, in the order of the grid."""
        paths = dict.fromkeys(path for point in self.points for path in point.values)
        return [path for path in paths if len({json.dumps(p.values.get(path)) for p in self.points}) > 1]


def make(store: Store, spec: SweepSpec) -> tuple[Sweep, list[Point]]:
    """The sweep that `spec` describes, on the data as they are here; nothing is written or trained yet.

    Raises
    ------
    ConfigError
        as `expand`, and where so many images are to be held out that too few are left: all runs would fail.
    """
    points = expand(spec)
    names = {point.config.dataset.name for point in points}
    fingerprints = {name: store.catalog.fingerprint(name) for name in names}
    check_held_out(store, [point.config for point in points])
    ids = [point.config.run_id(fingerprints[point.config.dataset.name]) for point in points]
    # fields that only describe the sweep are no part of its identity
    identity = json.dumps([spec.name, spec.grid, ids], sort_keys=True)
    sweep = Sweep(
        id=hashlib.sha256(identity.encode()).hexdigest()[:12],
        spec=spec,
        dataset=", ".join(sorted(names)),
        optimistic=any(point.config.training.validation.source == "test" for point in points),
        created_at=time.time(),
        points=tuple(SweepPoint(values=p.values, run=run) for p, run in zip(points, ids, strict=True)),
    )
    return sweep, points


def check_held_out(store: Store, configs: Sequence[RunConfig]) -> None:
    """Raise ConfigError where so many images would be held out that too few are left."""
    for name, validation in {(config.dataset.name, config.training.validation) for config in configs}:
        if validation.source == "held_out":
            validation.size(MNIST_TRAINING if name == "mnist" else len(store.catalog.load(name).y_train))


def start(
    store: Store, runner: Runner, spec: SweepSpec, *, keep_weights: bool = True, again: bool = False
) -> tuple[Sweep, list[Requested]]:
    """See to it that all runs of a sweep are trained; those that are trained already are taken as they are.

    Parameters
    ----------
    store, runner
        where, and by what.
    spec
        the sweep; asked for again, it goes on where it was cut short.
    keep_weights
        False saves the space of a `model.keras` for each new run.
    again
        train all anew.
    """
    sweep, points = make(store, spec)
    try:
        sweep = get(store, sweep.id)
    except RunNotFound:
        path = _path(store.root, sweep.id)
        make_folder(path.parent)
        write_json(path, sweep.model_dump(mode="json"))
    distinct = {point.run: point_.config for point, point_ in zip(sweep.points, points, strict=True)}
    values = {point.run: point.values for point in sweep.points}
    wanted = [
        Wanted(
            config,
            f"{spec.name}: {describe(values[run_id])}"[:80],
            _preset_of(config),
            origin=Origin(kind="sweep", id=sweep.id),
            keep_weights=keep_weights,
        )
        for run_id, config in distinct.items()
    ]
    return sweep, request_all(store, runner, wanted, again=again)


def _preset_of(config: RunConfig) -> str | None:
    return next((item.name for item in PRESETS.values() if item.config == config), None)


def _path(root: Path, sweep_id: str) -> Path:
    return root / "sweeps" / f"{sweep_id}.json"


def sweeps(store: Store) -> tuple[list[Sweep], list[Problem]]:
    """The sweeps of a store and those that ship, oldest first, and the files that cannot be read, with the reason."""
    found: dict[str, Sweep] = {}
    problems = []
    for root in reversed(store.roots):  # one's own hides the one that ships
        for path in sorted((root / "sweeps").glob("*.json")):
            try:
                found[path.stem] = _read(path)
            except StoreError as error:
                problems.append(Problem(path, str(error)))
    return sorted(found.values(), key=lambda sweep: (sweep.created_at, sweep.id)), problems


def _read(path: Path) -> Sweep:
    try:
        sweep = Sweep.model_validate(read_json(path))
        if sweep.id != path.stem:
            raise ValueError(f"it holds the sweep {sweep.id}")
        if len({tuple(point.values) for point in sweep.points}) > 1:
            raise ValueError("its points have different fields")
        return sweep
    except (OSError, ValueError) as error:
        raise StoreError(f"a sweep is damaged: {damage(path, error)}; delete the file") from error


def get(store: Store, sweep_id: str) -> Sweep:
    """The sweep with exactly this id; raises RunNotFound."""
    for root in store.roots:
        if sweep_id.isalnum() and _path(root, sweep_id).is_file():
            return _read(_path(root, sweep_id))
    raise RunNotFound(f"there is no sweep {sweep_id!r} in {store.root}")


def find(store: Store, text: str) -> Sweep:
    """The sweep that `text` means: an id, the beginning of one (4 characters or more), or a name, then the newest.

    Raises
    ------
    RunNotFound
        where none answers to it; the message lists them.
    """
    return newest_called(text, sweeps(store)[0], "sweep", store)


class _Called(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def dataset(self) -> str: ...


Called = TypeVar("Called", bound=_Called)


def newest_called(text: str, known: Sequence[Called], what: str, store: Store) -> Called:
    """The last of `known`, sweeps or searches, that `text` means, as `find` has it; `what` they are, in one word.

    Raises
    ------
    RunNotFound
        where none answers to it; the message lists them.
    """
    found = [item for item in known if text in (item.id, item.name)]
    if not found and len(text) >= 4:
        found = [item for item in known if item.id.startswith(text)]
    if not found:
        listed = ", ".join(f"{item.id} ({item.name}, {item.dataset})" for item in known) or "none yet"
        raise RunNotFound(f"no {what} is called {text!r} in {store.root}; there are: {listed}")
    return found[-1]


def forget(store: Store, sweep_id: str) -> None:
    """Take a sweep off the list; its runs stay. Raises ReadOnlyRun for one that ships."""
    sweep = get(store, sweep_id)
    path = _path(store.root, sweep_id)
    if not path.is_file():
        raise ReadOnlyRun(f"the sweep {sweep.name} ships with the project and stays on the list")
    with writing(path):
        path.unlink()


# -- how far it is -----------------------------------------------------------------------------------------------------


Found = Run | Literal["missing", "damaged"]
"""A run, or why there is none to read."""


@dataclass(frozen=True)
class SweepProgress:
    """How far a set of runs is.

    total: distinct runs. states: how many are in which state; `missing` for those that are not in the store, deleted
    or not added yet, `damaged` for those that cannot be read. share: of all epochs planned, those done, 0 to 1; a run
    that has ended for good counts as whole.
    seconds_left: at the pace so far; None where nothing is being trained or none has finished.
    """

    total: int
    states: dict[str, int]
    share: float
    seconds_left: float | None

    @property
    def live(self) -> bool:
        """Whether some are queued or running."""
        return bool(self.states.get("queued") or self.states.get("running"))

    @property
    def ended(self) -> int:
        """How many have come to an end of their own."""
        return sum(self.states.get(state, 0) for state in ("finished", "diverged"))

    @property
    def complete(self) -> bool:
        """Whether nothing is left to train."""
        return self.ended == self.total


def progress(runs: Runs, run_ids: Sequence[str]) -> SweepProgress:
    """Return how far the runs are, which a store reads from their folders."""
    return progress_of(runs_of(runs, run_ids))


def runs_of(runs: Runs, run_ids: Sequence[str]) -> list[Found]:
    """Return the runs as they are now; why it cannot be read in place of one that is missing or damaged."""
    return [_run(runs, run_id) for run_id in run_ids]


def progress_of(found: Sequence[Found]) -> SweepProgress:
    """Return how far these runs, as `runs_of` reads them, are."""
    known = [run if isinstance(run, Run) else None for run in found]
    states: Counter[str] = Counter(run.state if isinstance(run, Run) else run for run in found)
    shares, durations = [], []
    for run in known:
        if run is None:
            shares.append(0.0)
        elif run.state in ("finished", "diverged"):
            shares.append(1.0)
            if run.status.started_at and run.status.ended_at:
                durations.append(run.status.ended_at - run.status.started_at)
        elif run.state == "queued" and run.status.started_at is None:
            shares.append(0.0)  # without opening its history, which matters for a thousand
        else:
            live = run.progress() if run.state == "running" else None
            shares.append(max(_share(run), live.share if live else 0.0))
    left = None
    if states["running"] and durations:
        unfinished = sum(1 - share for run, share in zip(known, shares, strict=True) if run and run.live)
        left = median(durations) * unfinished / states["running"]
    return SweepProgress(len(known), dict(states), sum(shares) / len(shares) if shares else 1.0, left)


def _share(run: Run) -> float:
    """The share of the epochs that is done; 0 where the history is damaged, as training then begins anew."""
    try:
        return run.epochs_done / (run.planned_epochs or 1)
    except StoreError:
        return 0.0


def _run(runs: Runs, run_id: str) -> Found:
    try:
        return runs.get(run_id)
    except RunNotFound:
        return "missing"
    except StoreError:
        return "damaged"


def cancel(store: Store, runner: Runner, run_ids: Sequence[str]) -> int:
    """Ask all runs that may still be trained to stop, the queued ones first; how many those were."""
    live = [run for run in runs_of(store, run_ids) if isinstance(run, Run) and not run.ended and not run.read_only]
    for run in sorted(live, key=lambda run: run.state != "queued"):
        runner.cancel(run.id)
    return len(live)


# -- what came of it ---------------------------------------------------------------------------------------------------


def results(runs: Runs, sweep: Sweep, *, reader: Reader = PLAIN, reveal: bool = False) -> pd.DataFrame:
    """What the runs of a sweep came to.

    Parameters
    ----------
    runs, sweep
        the store of the sweep, or a snapshot of it, and the sweep.
    reader
        where results come from.
    reveal
        whether to give the figures on the test set of all runs, and not only of the one that validation says is best:
        whoever looks at them may choose by them. A caller that shows them counts it (`selections.reveal`).

    Returns
    -------
    pandas.DataFrame
        one row a point: its values in columns named by their paths; `run`, `name`, `state` (also `missing` or
        `damaged`), `epochs` (finished),
        `parameters`, `seconds` (of all epochs); then, for the weights that are kept, `train_…` on the fixed subset of
        the training images with dropout off, `val_…` and `test_…`: each `loss` (mean cross-entropy in nats, without
        the L2 penalty, so that the three can be compared), `accuracy` and `error` (1 − accuracy). What has not been
        measured is NaN.
    """
    points = [(point.values, point.run) for point in sweep.points]
    if reveal:
        return frame(points, runs, reader=reader)
    table = frame(points, runs, reader=WinnerAlone(None))
    return _with_test(table, runs, best(table), reader)


class WinnerAlone(Reader):
    """Reads scores on the test set of one run only; None: of no run."""

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id

    def test_scores(self, run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:
        """Return the winner's scores, and None for all others."""
        return super().test_scores(run, chosen) if run.id == self.run_id else None


def frame(
    points: Sequence[tuple[Mapping[str, Any], str]],
    runs: Runs,
    *,
    reader: Reader = PLAIN,
) -> pd.DataFrame:
    """As `results`, for (values, run id) pairs."""
    import pandas as pd

    paths = list(dict.fromkeys(path for values, _ in points for path in values))
    rows, known = [], {}
    for values, run_id in points:
        if run_id not in known:
            known[run_id] = _figures(_run(runs, run_id), reader)
        rows.append({path: plain_value(path, values.get(path)) for path in paths} | {"run": run_id} | known[run_id])
    return pd.DataFrame(rows)


def _with_test(table: pd.DataFrame, runs: Runs, winner: str | None, reader: Reader) -> pd.DataFrame:
    """Return a table as of `frame` with the figures on the test set of the run `winner`, if it has any."""
    found = _run(runs, winner) if winner is not None else None
    if not isinstance(found, Run):
        return table
    try:
        figures = _test_figures(reader.test_scores(found))
    except StoreError:  # damaged: the run's own page says why
        return table
    return table.assign(
        **{column: table[column].mask(table["run"] == found.id, value) for column, value in figures.items()}
    )


def _test_figures(scores: Scores | None) -> dict[str, float]:
    return {
        "test_loss": math.nan if scores is None or scores.loss is None else scores.loss,
        "test_accuracy": scores.accuracy if scores else math.nan,
        "test_error": 1 - scores.accuracy if scores else math.nan,
    }


def _figures(found: Run | str, reader: Reader) -> dict[str, Any]:
    rows: list[EpochRow] = []
    judged: Scores | None = None
    run = found if isinstance(found, Run) else None
    if run is not None:
        try:
            rows, judged = run.rows(), reader.test_scores(run)
        except StoreError:  # damaged: there are no figures, and the run's own page says why
            rows, judged = [], None
    nan = math.nan
    row = kept_row(run, rows) if run else None
    return {
        "name": run.name if run else "",
        "state": run.state if run else found,
        "epochs": len(rows),
        "parameters": run.parameters if run else None,
        "seconds": sum(row.seconds for row in rows) if rows else nan,
        "train_loss": row.clean_loss - row.penalty if row else nan,
        "train_accuracy": row.clean_accuracy if row else nan,
        "train_error": 1 - row.clean_accuracy if row else nan,
        "val_loss": row.val_loss_correct + row.val_loss_wrong if row else nan,
        "val_accuracy": row.val_accuracy if row else nan,
        "val_error": 1 - row.val_accuracy if row else nan,
    } | _test_figures(judged)


def kept_row(run: Run, rows: Sequence[EpochRow]) -> EpochRow | None:
    """The epoch whose weights the run keeps, or would keep if it ended now: the last finite one."""
    kept = run.status.kept_epoch
    if kept is not None and kept <= len(rows) and not run.live:
        return rows[kept - 1]
    finite = [row for row in rows if math.isfinite(row.val_loss)]
    return finite[-1] if finite else None


def best(table: pd.DataFrame, metric: str = "val_loss") -> str | None:
    """The id of the finished run that validation says is best, None where none has finished.

    `metric` is a column of `results`: an accuracy is to be high, anything else low.
    """
    done = table[(table["state"] == "finished") & table[metric].notna()] if len(table) else table
    if not len(done):
        return None
    values = -done[metric] if metric.endswith("accuracy") else done[metric]
    return str(done["run"].iloc[int(values.to_numpy().argmin())])
