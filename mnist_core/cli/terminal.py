"""The output of the command line: tables, sentences and live progress for people, or JSON alone for machines."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from mnist_core.errors import StoreError
from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.jobs.runners import Runner
from mnist_core.jobs.watch import Notice, Watch, sentence
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Problem, Store
from mnist_core.runs.summary import RunSummary
from mnist_core.text import for_json, for_terminal

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
        """Print a remark for a person."""
        if not self.as_json:
            print(for_terminal(text), file=sys.stderr)

    def error(self, text: str) -> None:
        """Print an error on standard error."""
        print(f"mnist_core: {for_terminal(text)}", file=sys.stderr)

    def line(self, text: str = "") -> None:
        """Print one line of a result for a person."""
        print(for_terminal(text))

    def json(self, data: Any) -> int:
        """Print `data` as the one JSON document; return the exit status 0."""
        print(for_json(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)))
        return 0

    def table(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> int:
        """Print rows as a table of these columns, or all their fields as JSON; return the exit status 0."""
        if self.as_json:
            return self.json(list(rows))
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        if not rows:
            self.say("nothing to show")
            return 0
        # off a terminal, rich would squeeze everything into 80 columns
        console = Console() if sys.stdout.isatty() else Console(width=250)
        table = Table(box=None, header_style="bold", pad_edge=False)
        used = [column for column in columns if any(row.get(column) is not None for row in rows)]
        for column in used:
            numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
            table.add_column(
                Text(for_terminal(column.replace("_", " "))), justify="right" if numeric else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(for_terminal(_shown(column, row.get(column)))) for column in used))
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
        """Return the same as `Reader.predictions`."""
        with self._naming():
            return super().predictions(run, chosen)

    def test_scores(self, run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:
        """Return the same as `Reader.test_scores`."""
        with self._naming():
            return super().test_scores(run, chosen)

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """Return the same as `Reader.summary`."""
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


class Notices:
    """What a command reports while it waits: what keeps runs from being trained, each time that changes.

    Within `with`, Ctrl-C is kept too. It raises KeyboardInterrupt at once, as always; but Python drops an exception
    that is raised in a destructor or a callback, and then the command would go on as if nothing had been pressed. So
    the next notice raises it again.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._last: str | None = None
        self._pressed = False
        self._before: Any = None

    def __enter__(self) -> Notices:
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def __call__(self, notice: Notice | None) -> None:
        """Report a notice that is new, or that training goes on.

        Raises
        ------
        KeyboardInterrupt
            if Ctrl-C was pressed and its own exception was dropped.
        """
        if self._pressed:
            raise KeyboardInterrupt
        code = notice.code if notice else None
        if code != self._last:
            self._last = code
            if notice:
                self._reporter.error(sentence(notice))
            else:
                self._reporter.say("training goes on")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._pressed = True
        raise KeyboardInterrupt


def follow(store: Store, run_ids: Sequence[str], reporter: Reporter, runner: Runner) -> None:
    """Wait until the runs have ended, showing how far they are: bars on a terminal, a line an epoch elsewhere.

    Runs whose training was lost are handed to `runner` again. Returns early where they can't be trained, after
    reporting why.
    """
    waiting = [run for run in map(store.get, dict.fromkeys(run_ids)) if not run.ended]
    if not waiting:
        return
    with Watch(store, runner) as watch:
        if reporter.as_json or not sys.stderr.isatty():
            _follow_by_lines(store, waiting, reporter, watch)
        else:
            _follow_by_bars(store, waiting, reporter, watch)


def _follow_by_lines(store: Store, waiting: list[Run], reporter: Reporter, watch: Watch) -> None:
    reported = {run.id: 0 for run in waiting}
    with Notices(reporter) as report:
        while waiting:
            runs = [store.get(run.id) for run in waiting]
            for run in runs:
                if not reporter.as_json:
                    for row in run.rows()[reported[run.id] :]:
                        reported[run.id] = row.epoch
                        reporter.say(
                            f"{run.name}: epoch {row.epoch}/{run.planned_epochs or '?'}, loss {row.loss:.4f}, "
                            f"val_loss {row.val_loss:.4f}, val_accuracy {row.val_accuracy:.4f}, {row.seconds:.1f} s"
                        )
            look = watch.look(runs)
            report(look.notice)
            waiting = look.waited
            if waiting:
                time.sleep(POLL_S)


def _follow_by_bars(store: Store, waiting: list[Run], reporter: Reporter, watch: Watch) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    # what is reported is printed above the bars
    with Notices(reporter) as report, Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {run.id: bars.add_task(for_terminal(run.name), total=1.0, detail="waiting") for run in waiting}
        while waiting:
            runs = [store.get(run.id) for run in waiting]
            for run in runs:
                bars.update(tasks[run.id], completed=_share(run), detail=_detail(run))
            look = watch.look(runs)
            report(look.notice)
            waiting = look.waited
            if waiting:
                time.sleep(POLL_S)


def _share(run: Run) -> float:
    if run.state == "finished":
        return 1.0
    progress = run.progress()
    return max(run.epochs_done / (run.planned_epochs or math.inf), progress.share if progress else 0.0)


def _detail(run: Run) -> str:
    rows = run.rows()
    where = f"epoch {len(rows)}/{run.planned_epochs or '?'}" if rows else run.state
    return where + (f", val_accuracy {rows[-1].val_accuracy:.4f}" if rows else "")
