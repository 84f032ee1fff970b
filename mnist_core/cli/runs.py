"""The commands about runs that exist: `runs` and `show`, `delete` and `restore`."""

from __future__ import annotations

import argparse
from typing import Any

from mnist_core.cli.sweeps import add_reveal
from mnist_core.cli.terminal import NamingReader, Reporter, report_problems
from mnist_core.comparison.recipes import figures, group
from mnist_core.errors import RunNotFound, StoreError
from mnist_core.runs.columns import COLUMNS, run_row, without_test_results
from mnist_core.runs.filters import EXAMPLE, parse
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, summarise
from mnist_core.studies import selections
from mnist_core.studies.kinds import studies

_RUN = (
    "id", "name", "state", "dataset", "recipe", "parameters", "epochs", "val_loss", "val_accuracy", "test_loss",
    "test_accuracy",
)  # fmt: skip

SUMMARY = (
    "id", "name", "state", "dataset", "parameters", "best_epoch", "best_val_loss", "final_val_loss", "test_accuracy",
    "test_loss", "train_seconds",
)  # fmt: skip
"""The columns of a table of `summary_row`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `runs`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--trash", action="store_true", help="list the deleted ones instead")
    what.add_argument(
        "--recipes", action="store_true", help="a line for runs that differ in their seeds alone: mean and deviation"
    )
    what.add_argument("--columns", action="store_true", help="list what --where may be about: columns and settings")
    parser.add_argument("--all", action="store_true", help="also the runs of the sweeps and searches that ship")
    add_reveal(parser)
    parser.add_argument(
        "--where", metavar="CONDITION", help=f"only the runs of which this is true, such as '{EXAMPLE}'"
    )


def runs(options: argparse.Namespace, reporter: Reporter) -> int:
    """List the runs, the deleted ones, the recipes, or the columns that a condition may name."""
    if options.columns:
        return reporter.table(
            [{"name": item.name, "kind": item.kind, "meaning": item.help} for item in COLUMNS.values()],
            ["name", "kind", "meaning"],
        )
    chosen = parse(options.where) if options.where is not None else None
    store = Store(options.store)
    everything, problems = store.scan()
    runs, problems = store.trash() if options.trash else (everything, problems)
    report_problems(problems, reporter)
    if not options.all:
        left_out = sum(not run.listed for run in runs)
        runs = [run for run in runs if run.listed]
        if left_out:
            reporter.say(f"{left_out} runs of sweeps and searches that ship are left out; `runs --all` lists them")
    reader = NamingReader(reporter)
    hidden = _passed_over(store, everything, runs, reporter, reveal=options.test)
    if options.recipes:  # the mean of a recipe would show them
        runs = [run for run in runs if run.id not in hidden]
    rows = [(run, run_row(run, reader=reader)) for run in runs]
    rows = [(run, without_test_results(row) if run.id in hidden else row) for run, row in rows]
    rows = [(run, row) for run, row in rows if chosen is None or chosen(row)]
    if options.recipes:
        table = figures(group(run for run, _ in rows), reader=reader)
        found = table.replace({float("nan"): None}).to_dict("records") if rows else []
        columns = ["recipe", "name", "dataset", "seeds", "finished", "test_accuracy", "test_accuracy_sd"]
        return reporter.table(
            [{str(k): v for k, v in row.items()} for row in found], [*columns, "test_loss", "test_loss_sd"]
        )
    if reporter.as_json:
        return reporter.json([run.to_json() | row for run, row in rows])
    shown = [row | {"epochs": f"{run.epochs_done}/{row['planned_epochs'] or '?'}"} for run, row in rows]
    return reporter.table(shown, _RUN)


def _passed_over(
    store: Store, everything: list[Run], runs: list[Run], reporter: Reporter, *, reveal: bool
) -> frozenset[str]:
    """Return which of the runs studies have passed over, and report it; with `reveal`, count the look, and none.

    everything: all runs of the store. runs: those that are listed.
    """
    known = studies(store)[0]
    if reveal:
        selections.reveal_all(store.root, everything, known)
        return frozenset()
    hidden = selections.passed_over(everything, known) & {run.id for run in runs}
    if hidden:
        reporter.say(
            f"The test results of {len(hidden)} runs that sweeps and searches have passed over are hidden; --test "
            "shows them, which is counted."
        )
    return hidden


def add_show_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `show`."""
    parser.add_argument("run", metavar="RUN", help="id, the beginning of one, or name")


def show(options: argparse.Namespace, reporter: Reporter) -> int:
    """Show one run: what it is, its layers, its epochs and its figures."""
    run = Store(options.store).find(options.run)
    rows = run.rows()
    environment = run.environment()
    if reporter.as_json:
        return reporter.json(
            run.to_json()
            | summarise(run).to_json()
            | {"history": [row.to_json() for row in rows]}
            | {"environment": environment.model_dump() if environment else None}
        )
    reporter.say(f"{run.name} ({run.id}) is {run.state}" + (f": {run.status.reason}" if run.status.reason else ""))
    counted = "an unknown number of" if run.parameters is None else f"{run.parameters:,}"
    reporter.say(f"{run.model_words}, on {run.dataset}, {counted} parameters")
    if run.recorded:
        noted = [item.model_dump() for item in run.recorded.layers]
        if noted:
            reporter.table(noted, ["name", "kind", "shape", "parameters"])
    else:
        layers = [
            row._asdict() | {"output": "×".join(map(str, row.output_shape))} for row in run.config.model.layer_table()
        ]
        reporter.table(layers, ["name", "kind", "detail", "output", "parameters"])
    reporter.table(
        [row.known() for row in rows],
        [
            "epoch", "loss", "accuracy", "train_eval_loss", "train_eval_accuracy", "val_loss", "val_accuracy",
            "val_ece", "seconds",
        ],
    )  # fmt: skip
    return reporter.table([summary_row(summarise(run))], list(SUMMARY))


def summary_row(summary: RunSummary) -> dict[str, Any]:
    """Return the figures of a run as a row of the table with the columns `SUMMARY`."""
    test = summary.test
    return summary.to_json() | {
        "test_accuracy": test.accuracy if test else None,
        "test_loss": test.loss if test else None,
    }


def delete(options: argparse.Namespace, reporter: Reporter) -> int:
    """Move runs to the trash, damaged ones too."""
    store = Store(options.store)
    runs = []
    for text in options.runs:
        try:
            runs.append(store.find(text))
        except RunNotFound:
            raise
        except StoreError:  # damaged: there is no run to show, but its folder can go
            path = store.discard(text)
            reporter.say(f"{path.name}, which is damaged, is in the trash")
    for run in runs:
        store.delete(run.id)
        reporter.say(f"{run.name} ({run.id}) is in the trash; `restore {run.id}` brings it back")
    return reporter.json([run.to_json() for run in runs]) if reporter.as_json else 0


def restore(options: argparse.Namespace, reporter: Reporter) -> int:
    """Bring runs back from the trash."""
    store = Store(options.store)
    runs = [store.restore(text) for text in options.runs]
    for run in runs:
        reporter.say(f"{run.name} ({run.id}) is back")
    return reporter.json([run.to_json() for run in runs]) if reporter.as_json else 0
