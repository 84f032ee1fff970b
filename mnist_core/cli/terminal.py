"""What the command line shows a person: tables, sentences and live progress; or, for machines, JSON alone."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from mnist_core.errors import StoreError
from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Problem, Store
from mnist_core.runs.summary import RunSummary

POLL_S = 0.2


class Reporter:
    """Writes results to standard output and remarks to standard error.

    Parameters
    ----------
    as_json
        print JSON documents instead of tables, and no remarks.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def say(self, text: str) -> None:
        """A remark for a person."""
        if not self.as_json:
            print(text, file=sys.stderr)

    def error(self, text: str) -> None:
        """What went wrong, on standard error."""
        print(f"mnist_core: {text}", file=sys.stderr)

    def json(self, data: Any) -> int:
        """Print `data` as the one JSON document; return the exit status 0."""
        print(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))
        return 0

    def table(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> int:
        """Print rows as a table of these columns, or all their fields as JSON; return the exit status 0."""
        if self.as_json:
            return self.json(list(rows))
        from rich.console import Console
        from rich.table import Table

        if not rows:
            self.say("nothing to show")
            return 0
        # off a terminal, rich would squeeze everything into 80 columns
        console = Console() if sys.stdout.isatty() else Console(width=250)
        table = Table(box=None, header_style="bold", pad_edge=False)
        used = [column for column in columns if any(row.get(column) is not None for row in rows)]
        for column in used:
            numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
            table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_shown(column, row.get(column)) for column in used))
        console.print(table)
        return 0


def report_problems(problems: Sequence[Problem], reporter: Reporter) -> None:
    """Name what could not be read, on standard error; the rest is shown all the same."""
    for problem in problems:
        reporter.error(f"skipped: {problem.reason}")


class NamingReader(Reader):
    """Reads results, and names each damaged run once; it still raises StoreError for it."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._named: set[str] = set()

    def predictions(self, run: Run, chosen: ChosenEpoch = "kept") -> Predictions | None:
        """As `Reader.predictions`."""
        with self._naming():
            return super().predictions(run, chosen)

    def test_scores(self, run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:
        """As `Reader.test_scores`."""
        with self._naming():
            return super().test_scores(run, chosen)

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """As `Reader.summary`."""
        with self._naming():
            return super().summary(run, chosen)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            if str(error) not in self._named:
                self._named.add(str(error))
                self._reporter.error(f"skipped: {error}")
            raise


def _shown(column: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if column.endswith("accuracy"):
            return f"{100 * value:.2f} %"
        return f"{value:.1f} s" if column.endswith("seconds") else f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def follow(store: Store, run_ids: Sequence[str], reporter: Reporter) -> None:
    """Wait until the runs have ended, showing how far they are: bars on a terminal, a line an epoch elsewhere."""
    if reporter.as_json or not sys.stderr.isatty():
        _follow_by_lines(store, run_ids, reporter)
    else:
        _follow_by_bars(store, run_ids)


def _follow_by_lines(store: Store, run_ids: Sequence[str], reporter: Reporter) -> None:
    told = dict.fromkeys(run_ids, 0)
    waiting = {run_id for run_id in run_ids if store.get(run_id).live}
    while waiting:
        for run_id in sorted(waiting):
            run = store.get(run_id)
            if not reporter.as_json:
                for row in run.rows()[told[run_id] :]:
                    told[run_id] = row.epoch
                    reporter.say(
                        f"{run.name}: epoch {row.epoch}/{run.config.training.epochs}, loss {row.loss:.4f}, "
                        f"val_loss {row.val_loss:.4f}, val_accuracy {row.val_accuracy:.4f}, {row.seconds:.1f} s"
                    )
            if not run.live:
                waiting.discard(run_id)
        time.sleep(POLL_S)


def _follow_by_bars(store: Store, run_ids: Sequence[str]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    waiting = {run_id for run_id in run_ids if store.get(run_id).live}
    if not waiting:
        return
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {
            run_id: bars.add_task(store.get(run_id).name, total=1.0, detail="waiting") for run_id in sorted(waiting)
        }
        while waiting:
            for run_id in sorted(waiting):
                run = store.get(run_id)
                bars.update(tasks[run_id], completed=_share(run), detail=_detail(run))
                if not run.live:
                    waiting.discard(run_id)
            time.sleep(POLL_S)


def _share(run: Run) -> float:
    if run.state == "finished":
        return 1.0
    progress = run.progress()
    return max(run.epochs_done / run.config.training.epochs, progress.share if progress else 0.0)


def _detail(run: Run) -> str:
    rows = run.rows()
    where = f"epoch {len(rows)}/{run.config.training.epochs}" if rows else run.state
    return where + (f", val_accuracy {rows[-1].val_accuracy:.4f}" if rows else "")
