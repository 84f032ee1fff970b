"""The command line: `python -m mnist_core COMMAND`.

Every command takes `--json`; then standard output holds one JSON document and nothing else. The exit status is 0 only
on success, 1 where something did not work, 2 for bad usage, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mnist_core.cli import compare, disagreements, importing, label_errors, questions, serving, settings, sweeps
from mnist_core.cli.options import (
    add_changes,
    add_here,
    add_set,
    changed_values,
    make_available,
    make_runner,
    output_to_stderr,
    set_values,
)
from mnist_core.cli.terminal import NamingReader, Reporter, follow, report_problems
from mnist_core.comparison.recipes import figures, group, with_seed_name, with_seeds
from mnist_core.constants import __version__
from mnist_core.data import duplicates
from mnist_core.data.datasets import download_mnist
from mnist_core.data.words import label_words, leak_words
from mnist_core.errors import ConfigError, FilterError, MnistCoreError, RunNotFound, StoreError
from mnist_core.experiments.configs import RunConfig, with_values
from mnist_core.experiments.fields import changed_name
from mnist_core.experiments.grids import SWEEPS
from mnist_core.experiments.presets import PRESETS, Preset, on_dataset, preset
from mnist_core.experiments.spaces import SEARCHES
from mnist_core.jobs.changing import go_on_changed
from mnist_core.jobs.request import Requested, RunRequest, request, request_all, request_more_seeds, resume
from mnist_core.jobs.runners import Runner
from mnist_core.runs.columns import COLUMNS, run_row, without_test_results
from mnist_core.runs.filters import EXAMPLE, parse
from mnist_core.runs.records import LONGEST_NAME
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, summarise
from mnist_core.studies import selections
from mnist_core.studies.kinds import studies


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    reporter = Reporter(as_json=options.json)
    try:
        command: Callable[[argparse.Namespace, Reporter], int] = options.command
        return command(options, reporter)
    except (ConfigError, FilterError) as error:
        reporter.error(str(error))
        return 2
    except MnistCoreError as error:
        reporter.error(str(error))
        return 1
    except KeyboardInterrupt:
        reporter.error("stopped")
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone, as `head` does
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    common.add_argument(
        "--store",
        type=Path,
        metavar="FOLDER",
        help="where runs live (default: artifacts in the project's folder; if installed, a folder of the user)",
    )

    parser = argparse.ArgumentParser(
        prog="python -m mnist_core", description="Train small digit classifiers and compare them honestly."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function: Callable[..., int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", parents=[common])
        added.set_defaults(command=function)
        return added

    command("presets", _presets, "list the published models")

    settings.add_arguments(command("settings", settings.settings, "list every setting: its path, values and meaning"))

    datasets = command("datasets", _datasets, "list the datasets, fetch MNIST, register a file")
    change = datasets.add_mutually_exclusive_group()
    change.add_argument("--download", choices=["mnist"], help="fetch a dataset")
    change.add_argument("--register", nargs=2, metavar=("NAME", "FILE"), help="make an .npz of MNIST's form usable")
    change.add_argument("--forget", metavar="NAME", help="take a registered file off the list")

    train = command("train", _train, "train one or more presets, or go on from a run's weights, and wait for them")
    train.add_argument("presets", nargs="*", metavar="PRESET", help="name of a preset, such as notebook/model_1")
    train.add_argument(
        "--from", dest="parent", metavar="RUN", help="in place of a preset: start from this run's trained weights"
    )
    train.add_argument(
        "--like",
        nargs="+",
        metavar="RUN",
        help="in place of a preset: N more seeds (--seeds) of the recipe of each of these runs",
    )
    train.add_argument("--seeds", type=int, metavar="N", help="train N runs that differ in their seeds alone")
    add_changes(train)
    train.add_argument("--name", help="display name (with one preset only)")
    train.add_argument("--again", action="store_true", help="train anew what is already trained")
    train.add_argument(
        "--slow", type=float, default=0.0, metavar="SECONDS", help="slow motion: wait so long after each epoch"
    )
    add_here(train)

    runs = command("runs", _runs, "list the runs")
    what = runs.add_mutually_exclusive_group()
    what.add_argument("--trash", action="store_true", help="list the deleted ones instead")
    what.add_argument(
        "--recipes", action="store_true", help="a line for runs that differ in their seeds alone: mean and deviation"
    )
    what.add_argument("--columns", action="store_true", help="list what --where may be about: columns and settings")
    runs.add_argument("--all", action="store_true", help="also the runs of the sweeps and searches that ship")
    sweeps.add_reveal(runs)
    runs.add_argument("--where", metavar="CONDITION", help=f"only the runs of which this is true, such as '{EXAMPLE}'")

    importing.add_arguments(
        command("import", importing.import_runs, "make a run of the predictions or the history of another tool")
    )

    serving.add_arguments(
        command("serve", serving.serve, "let workers and notebooks on other machines send their runs to this store")
    )

    importing.add_export_arguments(
        command("export", importing.export_runs, "write runs into files that other tools read")
    )

    show = command("show", _show, "show one run: configuration, history and figures")
    show.add_argument("run", metavar="RUN", help="id, the beginning of one, or name")

    compare.add_arguments(command("compare", compare.compare, "compare runs with the first of them"))
    compare.add_report_arguments(
        command("report", compare.report, "write the report of a comparison, as HTML or Markdown")
    )

    disagreements.add_arguments(
        command("disagreements", disagreements.disagreements, "on which images runs disagree, and who is right there")
    )

    wrong_labels = command(
        "label-errors", label_errors.label_errors, "which test labels are known to be wrong, or doubted by a run"
    )
    wrong_labels.add_argument("run", metavar="RUN")

    diagnose = command("diagnose", questions.diagnose, "say in words what the curves of runs show, and by which rule")
    diagnose.add_argument("runs", nargs="+", metavar="RUN")

    command("published", questions.published, "compare every published figure with what was measured here")

    latency = command("latency", questions.time_runs, "time the models of runs, here and now, and keep the figures")
    latency.add_argument("runs", nargs="+", metavar="RUN")

    pause = command("pause", _pause, "pause runs that are being trained, each after its present epoch")
    pause.add_argument("runs", nargs="+", metavar="RUN")

    again = command("resume", _resume, "go on with a paused, cancelled, interrupted or failed run, and wait for it")
    again.add_argument("run", metavar="RUN")
    again.add_argument("--more", type=int, metavar="N", help="pause it again after N more epochs")
    add_set(
        again,
        "change dropout, learning rate or epochs of a paused run, such as model.layers.0.dropout=0.5, and go on as a "
        "new run that is marked as changed by hand; repeatable",
    )
    add_here(again)

    delete = command("delete", _delete, "move runs to the trash")
    delete.add_argument("runs", nargs="+", metavar="RUN")

    restore = command("restore", _restore, "bring runs back from the trash")
    restore.add_argument("runs", nargs="+", metavar="RUN")

    sweep = command("sweep", sweeps.sweep, "train every combination of a grid, and wait for them")
    sweep.add_argument(
        "sweep",
        metavar="SWEEP",
        help=f"{', '.join(SWEEPS)}, or a .toml or .json file; asked for again, it goes on where it was cut short",
    )
    add_changes(sweep)
    sweep.add_argument("--no-weights", action="store_true", help="do not keep model.keras for each run")
    sweep.add_argument("--again", action="store_true", help="train anew what is already trained")
    add_here(sweep)

    listing = command("sweeps", sweeps.sweeps, "list the sweeps, or show, cancel or forget one")
    listing.add_argument("sweep", nargs="?", metavar="SWEEP", help="id, the beginning of one, or name")
    action = listing.add_mutually_exclusive_group()
    action.add_argument("--cancel", action="store_true", help="stop its runs")
    action.add_argument("--forget", action="store_true", help="take it off the list; its runs stay")
    sweeps.add_reveal(action)

    search = command("search", sweeps.search, "let a sampler choose what to train, and wait for it")
    search.add_argument(
        "search",
        metavar="SEARCH",
        help=f"{', '.join(SEARCHES)}, a .toml or .json file, or the id of one to go on with",
    )
    add_changes(search)
    add_here(search)

    listing = command("searches", sweeps.searches, "list the searches, or show or cancel one")
    listing.add_argument("search", nargs="?", metavar="SEARCH", help="id, the beginning of one, or name")
    action = listing.add_mutually_exclusive_group()
    action.add_argument("--cancel", action="store_true", help="stop it and its runs; `search` goes on with it")
    sweeps.add_reveal(action)
    return parser


# -- commands ----------------------------------------------------------------------------------------------


def _presets(options: argparse.Namespace, reporter: Reporter) -> int:
    rows = [
        {
            "name": item.name,
            "model": item.config.model.summary(),
            "parameters": item.parameters,
            "epochs": item.config.training.epochs,
            "published_test_accuracy": item.published.test_accuracy,
            "source": item.source,
            "note": item.published.note,
            "source_errors": list(item.published.errors),
            "assumptions": list(item.assumptions),
            "chosen_to_match": item.chosen_to_match,
            "config": item.config.model_dump(mode="json"),
        }
        for item in PRESETS.values()
    ]
    return reporter.table(rows, ["name", "model", "parameters", "epochs", "published_test_accuracy", "source"])


def _datasets(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    catalog = store.catalog
    if options.download:
        with output_to_stderr(options.json):
            reporter.say(f"MNIST is in {download_mnist()}")
            catalog.load("mnist")
    elif options.register:
        name, path = options.register
        found = duplicates.checked(store.root, catalog.register(name, Path(path)))
        for text in filter(None, (leak_words(found, name), label_words(found, name))):
            reporter.say(f"warning: {text}")
    elif options.forget:
        catalog.forget(options.forget)
    rows = [
        {"name": name, "available": catalog.available(name)}
        | _found_in(store, name)
        | {"description": catalog.describe(name)}
        for name in catalog.names()
    ]
    if problem := catalog.problem():
        reporter.error(f"skipped: {problem}")
    return reporter.table(
        rows, ["name", "available", "test images in training", "near duplicates", "several labels", "description"]
    )


def _found_in(store: Store, name: str) -> dict[str, int | None]:
    """Return how many images of a dataset occur twice; None if the data is not here, or cannot be read."""
    found = None
    if store.catalog.available(name):
        with contextlib.suppress(MnistCoreError, OSError):
            known = duplicates.known(store.root, store.catalog.fingerprint(name))
            found = known or duplicates.checked(store.root, store.catalog.load(name))
    return {
        "test images in training": found.test_in_train if found else None,
        "near duplicates": found.near if found else None,
        "several labels": found.conflicts if found else None,
    }


def _train(options: argparse.Namespace, reporter: Reporter) -> int:
    if sum(map(bool, (options.presets, options.parent, options.like))) != 1:
        raise ConfigError("required: PRESET, the name of a preset, --from RUN or --like RUN; one of them, and not both")
    if options.like:
        return _more_seeds(options, reporter)
    if options.name and len(options.presets) > 1:
        raise ConfigError(
            f"--name {options.name!r} fits one preset, not {len(options.presets)}; leave it out or give one"
        )
    values = changed_values(options)
    store = Store(options.store)
    chosen: list[tuple[Preset | Run, RunConfig]]
    if options.parent:
        chosen = [_continuation(store, options.parent, values)]
    else:
        chosen = [(item, with_values(item.config, values)) for item in map(preset, dict.fromkeys(options.presets))]
    many = options.seeds is not None
    for _, config in chosen:
        with_seeds(config, options.seeds if many else 1)  # refuses early what cannot be
    for dataset in {config.dataset.name for _, config in chosen}:
        make_available(store, dataset, options.json)
    runner = make_runner(store, options)
    wanted = []
    for item, config in chosen:
        if isinstance(item, Preset) and item.continues and "parent" not in values:
            config = _parent_first(store, runner, item, config, reporter)
        is_preset = isinstance(item, Preset)
        seed = item.config.training.seed if many else config.training.seed
        changed = config.replace(training__seed=seed)
        first = item.name if is_preset else f"{item.name}, continued"
        named = options.name or changed_name(first, item.config, changed)
        for one in with_seeds(config, options.seeds if many else 1):
            label = with_seed_name(named, one.training.seed) if many else named[:LONGEST_NAME]
            wanted.append(RunRequest(one, label, item.name if is_preset else None, delay_s=options.slow))
    return _finish(store, runner, request_all(store, runner, wanted, again=options.again), reporter)


def _more_seeds(options: argparse.Namespace, reporter: Reporter) -> int:
    """Train more seeds of the recipes of runs."""
    if changed_values(options) or options.name or options.again:
        raise ConfigError("--like trains the recipe as it is; leave --name, --again and all settings out")
    store = Store(options.store)
    runs = [store.find(text) for text in options.like]
    for dataset in {run.config.dataset.name for run in runs}:
        make_available(store, dataset, options.json)
    runner = make_runner(store, options)
    return _finish(store, runner, request_more_seeds(store, runner, runs, options.seeds or 1), reporter)


def _continuation(store: Store, text: str, values: dict[str, Any]) -> tuple[Run, RunConfig]:
    """Return the run that `text` means, and the configuration of its child."""
    parent = store.find(text)
    config = with_values(parent.config, {"parent": parent.id, "parent_epoch": None, **values})
    store.parent(config)  # refuses early what cannot be continued
    return parent, config


def _parent_first(store: Store, runner: Runner, item: Preset, config: RunConfig, reporter: Reporter) -> RunConfig:
    """`config` with its parent on the same dataset, which is trained first where it has not been."""
    name = config.dataset.name
    fingerprint = store.catalog.fingerprint(name)
    config = config.replace(parent=on_dataset(item, name, fingerprint).parent)
    first = PRESETS[item.continues]
    parent = request(
        store, runner, on_dataset(first, name, fingerprint), name=f"{first.name}, {name}", preset=first.name
    )
    if parent.run.live:
        reporter.say(f"{item.name} goes on from {first.name} on {name}, which is trained first")
        follow(store, [parent.run.id], reporter, runner)
    return config


def _finish(
    store: Store, runner: Runner, requested: list[Requested], reporter: Reporter, *, may_pause: bool = False
) -> int:
    """Wait for the requested runs, showing their progress; cancel them on Ctrl-C.

    may_pause: whether a run that is paused has done what was requested.
    """
    wanted = ("finished", "paused") if may_pause else ("finished",)
    ids = [item.run.id for item in requested]
    said = {
        "stored": "is already trained; here is the stored run (--again trains it anew)",
        "joined": "is in progress already; following it",
        "resumed": "goes on from its last finished epoch",
    }
    for item in requested:
        if item.outcome in said:
            reporter.say(f"{item.run.name} ({item.run.id}) {said[item.outcome]}")
    try:
        follow(store, ids, reporter, runner)
    except KeyboardInterrupt:
        for run_id in ids:
            if not store.get(run_id).ended:  # an interrupted one may be on its way to a worker
                runner.cancel(run_id)
        while any(store.get(run_id).state == "running" for run_id in ids):
            time.sleep(0.1)
        raise
    runs = [store.get(run_id) for run_id in ids]
    rows = [_summary_row(summarise(run)) | {"reason": run.status.reason} for run in runs]
    if reporter.as_json:
        outcomes = {item.run.id: item.outcome for item in requested}
        reporter.json([run.to_json() | summarise(run).to_json() | {"outcome": outcomes[run.id]} for run in runs])
    else:
        reporter.table(rows, list(_SUMMARY))
    for run in runs:
        if run.state not in wanted:
            why = run.status.reason if run.ended else f"`resume {run.id}` goes on with it"
            reporter.error(f"{run.name} ({run.id}) is {run.state}: {why}")
    return 0 if all(run.state in wanted for run in runs) else 1


def _runs(options: argparse.Namespace, reporter: Reporter) -> int:
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


_RUN = (
    "id", "name", "state", "dataset", "recipe", "parameters", "epochs", "val_loss", "val_accuracy", "test_loss",
    "test_accuracy",
)  # fmt: skip


def _show(options: argparse.Namespace, reporter: Reporter) -> int:
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
    return reporter.table([_summary_row(summarise(run))], list(_SUMMARY))


_SUMMARY = (
    "id", "name", "state", "dataset", "parameters", "best_epoch", "best_val_loss", "final_val_loss", "test_accuracy",
    "test_loss", "train_seconds",
)  # fmt: skip


def _summary_row(summary: RunSummary) -> dict[str, Any]:
    test = summary.test
    return summary.to_json() | {
        "test_accuracy": test.accuracy if test else None,
        "test_loss": test.loss if test else None,
    }


def _resume(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    run = store.find(options.run)
    if not run.recorded:  # which `resume` refuses
        make_available(store, run.dataset, options.json)
    runner = make_runner(store, options)
    values = set_values(options)
    if values:
        requested = go_on_changed(store, runner, run.id, values, epochs=options.more)
        if requested.outcome == "new":
            reporter.say(f"{run.name} stays paused; {requested.run.name} ({requested.run.id}) goes on from it")
    else:
        requested = Requested(resume(store, runner, run.id, epochs=options.more), "resumed")
    return _finish(store, runner, [requested], reporter, may_pause=options.more is not None)


def _pause(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
    for run in runs:
        store.request_pause(run.id)
        reporter.say(f"{run.name} ({run.id}) is paused after its present epoch; `resume {run.id}` goes on with it")
    return reporter.json([store.get(run.id).to_json() for run in runs]) if reporter.as_json else 0


def _delete(options: argparse.Namespace, reporter: Reporter) -> int:
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


def _restore(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    runs = [store.restore(text) for text in options.runs]
    for run in runs:
        reporter.say(f"{run.name} ({run.id}) is back")
    return reporter.json([run.to_json() for run in runs]) if reporter.as_json else 0
