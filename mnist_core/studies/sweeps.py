"""Sweeps in the store: many runs over a grid (see `grids`), their progress and their results.

A sweep is a file, `sweeps/<id>.json`, which names its runs; everything else is read from those. To continue a sweep
that was cut short, start it again: trained runs are not trained twice. Some ship, finished, in `reference/sweeps/`.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mnist_core.comparison.selection import StudyKind
from mnist_core.constants import MNIST_TRAIN_IMAGES
from mnist_core.errors import RunNotFound, StoreError
from mnist_core.evaluation.metrics import Scores
from mnist_core.experiments.axis_words import plain_value, point_words, shortened
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.frozen import Frozen
from mnist_core.experiments.grids import Point, SweepSpec, expand
from mnist_core.experiments.presets import PRESETS
from mnist_core.jobs.request import Requested, RunRequest, request_all
from mnist_core.jobs.runners import Runner
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.records import ChosenEpoch, EpochRow, Origin, Seconds
from mnist_core.runs.run import Run, Runs
from mnist_core.runs.store import Store
from mnist_core.studies.progress import StudyProgress, cancel_runs, progress_of, read_run, runs_of
from mnist_core.studies.shelf import Shelf
from mnist_core.studies.study import Candidates, StudyState

if TYPE_CHECKING:
    import pandas as pd


class SweepPoint(Frozen):
    """A point of a stored sweep: its values by path, and the id of its run."""

    values: dict[str, Any]
    run: str


class Sweep(Frozen):
    """`sweeps/<id>.json`: a sweep that was started. created_at: Unix seconds."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    spec: SweepSpec
    dataset: str
    optimistic: bool
    """True if some of its runs are validated on the test set: the best of them is then chosen by test results, which
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

    @property
    def independent_axes(self) -> list[str]:
        """Those of `axes` that vary by themselves; of linked ones, which change together, the first."""
        linked = [set(paths) for name, values in self.spec.grid.items() if "." not in name for paths in values]
        found: list[str] = []
        for path in self.axes:
            if not any(path in group and other in group for group in linked for other in found):
                found.append(path)
        return found

    @property
    def settings(self) -> int:
        """How many settings it varies, where those that change together count as one."""
        return len(self.independent_axes)

    @property
    def kind(self) -> StudyKind:
        """Which kind of study it is."""
        return "sweep"

    @property
    def size(self) -> str:
        """Number of points, in words."""
        return f"{len(self.points)} runs"

    def candidates(self, everything: Sequence[Run]) -> Candidates:
        """Return its finished runs, by the lowest validation loss without the L2 penalty."""
        by_id = {run.id: run for run in everything}
        finished = [by_id[run_id] for run_id in self.run_ids if run_id in by_id and by_id[run_id].state == "finished"]
        rows = [(run.id, row) for run in finished if (row := stored_kept_row(run)) is not None]
        done = [(run_id, unpenalised_loss(row)) for run_id, row in rows]
        done = [(run_id, value) for run_id, value in done if math.isfinite(value)]
        winner = min(done, key=lambda item: item[1])[0] if len(done) > 1 else None
        return Candidates("val_loss", False, done, len(done), winner)

    def progress(self, runs: Runs) -> StudyProgress:
        """Return how far it is."""
        return progress_of(runs_of(runs, self.run_ids))

    def state(self, store: Store) -> StudyState:
        """Return whether all runs are trained, and whether some are queued or running."""
        done = self.progress(store)
        return "complete" if done.complete else "running" if done.live else "stopped"

    def carried_out(self, store: Store) -> bool:
        """Return False: all its runs are requested at once, and nothing is decided about them."""
        return False

    def table(self, runs: Runs, *, reader: Reader = PLAIN, reveal: bool = False) -> pd.DataFrame:
        """Return the results of its runs, as `results`."""
        return results(runs, self, reader=reader, reveal=reveal)

    def resume(self, store: Store, runner: Runner) -> None:
        """Have trained what is not finished; nothing is trained twice."""
        start(store, runner, self.spec)

    def cancel(self, store: Store, runner: Runner) -> None:
        """Ask all runs to stop that may still be trained."""
        cancel_runs(store, runner, self.run_ids)


def _check(sweep: Sweep) -> None:
    if len({tuple(point.values) for point in sweep.points}) > 1:
        raise ValueError("its points have different fields")


def _request(store: Store, runner: Runner, spec: SweepSpec, keep_weights: bool) -> Sweep:
    return start(store, runner, spec, keep_weights=keep_weights)[0]


SHELF = Shelf("sweep", "sweeps", "", Sweep, _check, _request)


def make(store: Store, spec: SweepSpec) -> tuple[Sweep, list[Point]]:
    """Return the sweep that `spec` describes, on the data as they are here; nothing is written or trained yet.

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
            validation.size(MNIST_TRAIN_IMAGES if name == "mnist" else len(store.catalog.load(name).y_train))


def start(
    store: Store, runner: Runner, spec: SweepSpec, *, keep_weights: bool = True, again: bool = False
) -> tuple[Sweep, list[Requested]]:
    """Request all runs of a sweep; runs that are trained already are reused.

    Parameters
    ----------
    store, runner
        where the runs are stored, and what trains them.
    spec
        the sweep; started again, it goes on where it was cut short.
    keep_weights
        False saves the space of a `model.keras` for each new run.
    again
        train all again.
    """
    sweep, points = make(store, spec)
    try:
        sweep = SHELF.get(store, sweep.id)
    except RunNotFound:
        store.check("train")
        SHELF.put(store, sweep)
    distinct = {point.run: point_.config for point, point_ in zip(sweep.points, points, strict=True)}
    values = {point.run: point.values for point in sweep.points}
    wanted = [
        RunRequest(
            config,
            run_name(spec, values[run_id]),
            _preset_of(config),
            origin=Origin(kind="sweep", id=sweep.id),
            keep_weights=keep_weights,
        )
        for run_id, config in distinct.items()
    ]
    return sweep, request_all(store, runner, wanted, again=again)


def run_name(spec: SweepSpec, values: Mapping[str, Any]) -> str:
    """Return what a run of a sweep is called: what is varied, and its values: ``model_1, dropout 0.4, units 64``."""
    start = spec.base if isinstance(spec.base, str) else spec.name
    return shortened(f"{start.rpartition('/')[2]}, {point_words(values, spec.base_config())}")


def _preset_of(config: RunConfig) -> str | None:
    return next((item.name for item in PRESETS.values() if item.config == config), None)


# -- what came of it ---------------------------------------------------------------------------------------------------


def results(runs: Runs, sweep: Sweep, *, reader: Reader = PLAIN, reveal: bool = False) -> pd.DataFrame:
    """Return the results of the runs of a sweep.

    Parameters
    ----------
    runs, sweep
        the store of the sweep, or a snapshot of it, and the sweep.
    reader
        reads the results.
    reveal
        True to return the test figures of all runs, and not only of the run with the best validation result: who sees
        them may choose by them. A caller that shows them counts it (`selections.reveal`).

    Returns
    -------
    pandas.DataFrame
        one row a point: its values in columns named by their paths; `run`, `state` (also `missing` or `damaged`),
        `epochs` (finished), `parameters`, `seconds` (of all epochs); then, for the weights that are kept, `train_…` on
        the fixed subset of the training images with dropout off, `val_…` and `test_…`: each `loss` (mean cross-entropy
        in nats, without the L2 penalty, so that the three can be compared), `accuracy` and `error` (1 − accuracy).
        What has not been measured is NaN. `with_names` adds the names of the runs.
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
    """Return the same as `results`, for (values, run id) pairs."""
    import pandas as pd

    paths = list(dict.fromkeys(path for values, _ in points for path in values))
    rows, known = [], {}
    for values, run_id in points:
        if run_id not in known:
            known[run_id] = _figures(read_run(runs, run_id), reader)
        rows.append({path: plain_value(path, values.get(path)) for path in paths} | {"run": run_id} | known[run_id])
    return pd.DataFrame(rows)


def with_names(table: pd.DataFrame, runs: Runs) -> pd.DataFrame:
    """Return a table of results with the column `name`, after `run`: the run's display name, empty without the run.

    A name can change at any time and is no result, so it is added where the table is written out.
    """
    if table.empty:  # without a run, a table has no columns
        return table
    found = [read_run(runs, run_id) for run_id in table["run"]]
    named = table.copy(deep=False)
    named.insert(list(table).index("run") + 1, "name", [run.name if isinstance(run, Run) else "" for run in found])
    return named


def _with_test(table: pd.DataFrame, runs: Runs, winner: str | None, reader: Reader) -> pd.DataFrame:
    """Return a table as of `frame` with the figures on the test set of the run `winner`, if it has any."""
    found = read_run(runs, winner) if winner is not None else None
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
    scores: Scores | None = None
    run = found if isinstance(found, Run) else None
    if run is not None:
        try:
            rows, scores = run.rows(), reader.test_scores(run)
        except StoreError:  # damaged: there are no figures, and the run's own page says why
            rows, scores = [], None
    nan = math.nan
    row = kept_row(run, rows) if run else None
    return {
        "state": run.state if run else found,
        "epochs": len(rows),
        "parameters": run.parameters if run else None,
        "seconds": sum(row.seconds for row in rows) if rows else nan,
        "train_loss": row.train_eval_loss - row.penalty if row else nan,
        "train_accuracy": row.train_eval_accuracy if row else nan,
        "train_error": 1 - row.train_eval_accuracy if row else nan,
        "val_loss": row.val_loss_correct + row.val_loss_wrong if row else nan,
        "val_accuracy": row.val_accuracy if row else nan,
        "val_error": 1 - row.val_accuracy if row else nan,
    } | _test_figures(scores)


def kept_row(run: Run, rows: Sequence[EpochRow]) -> EpochRow | None:
    """Return the epoch whose weights the run keeps, or would keep if it ended now: the last finite one."""
    kept = run.status.kept_epoch
    if kept is not None and kept <= len(rows) and not run.live:
        return rows[kept - 1]
    finite = [row for row in rows if math.isfinite(row.val_loss)]
    return finite[-1] if finite else None


def stored_kept_row(run: Run) -> EpochRow | None:
    """Return `kept_row` of what is stored of a run; None where that cannot be read."""
    try:
        return kept_row(run, run.rows())
    except StoreError:
        return None


def unpenalised_loss(row: EpochRow) -> float:
    """Return the validation loss without the L2 penalty."""
    return row.val_loss_correct + row.val_loss_wrong


def best(table: pd.DataFrame, metric: str = "val_loss") -> str | None:
    """Return the id of the finished run that validation says is best, None where none has finished.

    `metric` is a column of `results`: an accuracy is to be high, anything else low.
    """
    done = table[(table["state"] == "finished") & table[metric].notna()] if len(table) else table
    if not len(done):
        return None
    values = -done[metric] if metric.endswith("accuracy") else done[metric]
    return str(done["run"].iloc[int(values.to_numpy().argmin())])


def best_first(table: pd.DataFrame, column: str = "val_loss", *, higher_is_better: bool = False) -> pd.DataFrame:
    """Return a table of results with the best finished run first, then the other finished ones, then the rest.

    `column` holds the figure that decides. What has the same figure stays in order; rows are counted from 0 again.
    """
    if not len(table):
        return table
    state = table["trial_state"] if "trial_state" in table else table["state"]
    # a run that was given up early has a figure of fewer epochs, which cannot be compared with the others
    keys = table.assign(_open=state != "finished", _figure=-table[column] if higher_is_better else table[column])
    order = keys.sort_values(["_open", "_figure"], kind="stable", na_position="last").index
    return table.loc[order].reset_index(drop=True)
