"""The command line: `python -m mnist_core COMMAND`.

Every command takes `--json`; then standard output holds one JSON document and nothing else. The exit status is 0 only
on success, 1 where something did not work, 2 for bad usage, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mnist_core import __version__
from mnist_core.comparison import RunSummary, differences, summarise
from mnist_core.configs import RunConfig, flatten, with_values
from mnist_core.datasets import download_mnist
from mnist_core.errors import ConfigError, MnistCoreError
from mnist_core.jobs import LocalRunner, Requested, Runner, ServiceRunner, request, resume
from mnist_core.presets import PRESETS, preset
from mnist_core.runs import Run
from mnist_core.store import Problem, Store
from mnist_core.terminal import Reporter, follow


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    reporter = Reporter(as_json=options.json)
    try:
        command: Callable[[argparse.Namespace, Reporter], int] = options.command
        return command(options, reporter)
    except ConfigError as error:
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
    common.add_argument("--store", type=Path, metavar="FOLDER", help="where runs live (default: artifacts)")

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

    datasets = command("datasets", _datasets, "list the datasets, fetch MNIST, register a file")
    change = datasets.add_mutually_exclusive_group()
    change.add_argument("--download", choices=["mnist"], help="fetch a dataset")
    change.add_argument("--register", nargs=2, metavar=("NAME", "FILE"), help="make an .npz of MNIST's form usable")
    change.add_argument("--forget", metavar="NAME", help="take a registered file off the list")

    train = command("train", _train, "train one or more presets, and wait for them")
    train.add_argument("presets", nargs="+", metavar="PRESET", help="name of a preset, such as notebook/model_1")
    train.add_argument("--dataset", help="mnist, digits or a registered name (default: the preset's)")
    train.add_argument("--epochs", type=int)
    train.add_argument("--seed", type=int)
    train.add_argument(
        "--set",
        action="append",
        default=[],
        dest="values",
        metavar="FIELD=VALUE",
        help="any field by its path, such as training.learning_rate=0.0005 or model.layers.0.dropout=0.3; repeatable",
    )
    train.add_argument("--name", help="display name (with one preset only)")
    train.add_argument("--again", action="store_true", help="train anew what is already trained")
    _add_here(train)

    runs = command("runs", _runs, "list the runs")
    runs.add_argument("--trash", action="store_true", help="list the deleted ones instead")

    show = command("show", _show, "show one run: configuration, history and figures")
    show.add_argument("run", metavar="RUN", help="id, the beginning of one, or name")

    compare = command("compare", _compare, "compare runs with the first of them")
    compare.add_argument("runs", nargs="+", metavar="RUN")

    again = command("resume", _resume, "go on with a cancelled, interrupted or failed run, and wait for it")
    again.add_argument("run", metavar="RUN")
    _add_here(again)

    delete = command("delete", _delete, "move runs to the trash")
    delete.add_argument("runs", nargs="+", metavar="RUN")

    restore = command("restore", _restore, "bring runs back from the trash")
    restore.add_argument("runs", nargs="+", metavar="RUN")
    return parser


def _add_here(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--here", action="store_true", help="train in this process, one run after another")


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
            "assumptions": list(item.assumptions),
            "config": item.config.model_dump(mode="json"),
        }
        for item in PRESETS.values()
    ]
    return reporter.table(rows, ["name", "model", "parameters", "epochs", "published_test_accuracy", "source"])


def _datasets(options: argparse.Namespace, reporter: Reporter) -> int:
    catalog = Store(options.store).catalog
    if options.download:
        with _output_to_stderr(options.json):
            reporter.say(f"MNIST is in {download_mnist()}")
            catalog.load("mnist")
    elif options.register:
        name, path = options.register
        catalog.register(name, Path(path))
    elif options.forget:
        catalog.forget(options.forget)
    rows = [
        {"name": name, "available": catalog.available(name), "description": catalog.describe(name)}
        for name in catalog.names()
    ]
    return reporter.table(rows, ["name", "available", "description"])


def _train(options: argparse.Namespace, reporter: Reporter) -> int:
    if options.name and len(options.presets) > 1:
        raise ConfigError(
            f"--name {options.name!r} fits one preset, not {len(options.presets)}; leave it out or give one"
        )
    values = _values(options)
    chosen = [(preset(name), _configured(name, values)) for name in dict.fromkeys(options.presets)]
    store = Store(options.store)
    for dataset in {config.dataset.name for _, config in chosen}:
        _make_available(store, dataset, options.json)
    runner = _runner(store, options)
    requested = [
        request(
            store,
            runner,
            config,
            name=options.name or _name(item.name, item.config, config),
            preset=item.name,
            again=options.again,
        )
        for item, config in chosen
    ]
    return _finish(store, runner, requested, reporter)


def _values(options: argparse.Namespace) -> dict[str, Any]:
    named = {"dataset.name": options.dataset, "training.epochs": options.epochs, "training.seed": options.seed}
    values: dict[str, Any] = {path: value for path, value in named.items() if value is not None}
    for text in options.values:
        path, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(
                f"--set {text!r} has no '='; write it as FIELD=VALUE, such as training.learning_rate=0.0005"
            )
        try:
            values[path] = json.loads(value)
        except ValueError:
            values[path] = value
    return values


def _configured(name: str, values: dict[str, Any]) -> RunConfig:
    return with_values(preset(name).config, values)


def _name(preset_name: str, before: RunConfig, after: RunConfig) -> str:
    """The preset's name and what was changed in it, the dataset apart, which every list shows anyway."""
    old = flatten(before)
    changes = [
        f"{path.rpartition('.')[2] if not path.startswith('model.') else path.removeprefix('model.')} {value}"
        for path, value in flatten(after).items()
        if old.get(path) != value and path != "dataset.name"
    ]
    return ", ".join([preset_name, *changes])[:80]


def _make_available(store: Store, dataset: str, as_json: bool) -> None:
    if dataset == "mnist" and not store.catalog.available("mnist"):
        with _output_to_stderr(as_json):
            download_mnist()
    store.catalog.load(dataset)


def _output_to_stderr(wanted: bool) -> contextlib.AbstractContextManager[Any]:
    """Keep what libraries print off standard output where that is to hold JSON only."""
    return contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext()


def _runner(store: Store, options: argparse.Namespace) -> Runner:
    return _Here(store) if options.here else ServiceRunner(store)


class _Here(LocalRunner):
    """Trains in this process, one run after another, while the caller shows how far they are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._queue = ThreadPoolExecutor(max_workers=1)

    def submit(self, run_id: str) -> None:
        self._queue.submit(super().submit, run_id)


def _finish(store: Store, runner: Runner, requested: list[Requested], reporter: Reporter) -> int:
    """Wait for the requested runs, showing their progress; cancel them on Ctrl-C."""
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
        follow(store, ids, reporter)
    except KeyboardInterrupt:
        for run_id in ids:
            if store.get(run_id).live:
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
        if run.state != "finished":
            reporter.error(f"{run.name} ({run.id}) is {run.state}: {run.status.reason}")
    return 0 if all(run.state == "finished" for run in runs) else 1


def _runs(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    runs, problems = store.trash() if options.trash else store.scan()
    rows = [_run_row(run) for run in runs]
    _report(problems, reporter)
    return reporter.table(rows, ["id", "name", "state", "dataset", "parameters", "epochs", "val_loss", "val_accuracy"])


def _run_row(run: Run) -> dict[str, Any]:
    rows = run.rows()
    last = rows[-1].to_json() if rows else {}
    return run.to_json() | {
        "epochs": f"{len(rows)}/{run.config.training.epochs}",
        "val_loss": last.get("val_loss"),
        "val_accuracy": last.get("val_accuracy"),
    }


def _report(problems: list[Problem], reporter: Reporter) -> None:
    for problem in problems:
        reporter.error(f"skipped: {problem.reason}")


def _show(options: argparse.Namespace, reporter: Reporter) -> int:
    run = Store(options.store).find(options.run)
    history = [row.to_json() for row in run.rows()]
    environment = run.environment()
    if reporter.as_json:
        return reporter.json(
            run.to_json()
            | summarise(run).to_json()
            | {"history": history, "environment": environment.model_dump() if environment else None}
        )
    reporter.say(f"{run.name} ({run.id}) is {run.state}" + (f": {run.status.reason}" if run.status.reason else ""))
    reporter.say(
        f"{run.config.model.summary()} on {run.config.dataset.name}, {run.config.model.parameter_count():,} parameters"
    )
    layers = [
        row._asdict() | {"output": "×".join(map(str, row.output_shape))} for row in run.config.model.layer_table()
    ]
    reporter.table(layers, ["name", "kind", "detail", "output", "parameters"])
    reporter.table(
        history,
        ["epoch", "loss", "accuracy", "clean_loss", "clean_accuracy", "val_loss", "val_accuracy", "val_ece", "seconds"],
    )
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


def _compare(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
    if len({run.id for run in runs}) < 2:
        raise ConfigError(f"{len(runs)} run was given; give two or more different runs")
    summaries = [summarise(run) for run in runs]
    differing = differences(runs)
    if reporter.as_json:
        return reporter.json({"runs": [summary.to_json() for summary in summaries], "differences": differing})
    baseline = summaries[0]
    rows = []
    for run, summary in zip(runs, summaries, strict=True):
        row = _summary_row(summary)
        same_images = run.status.fingerprint == runs[0].status.fingerprint
        if summary is not baseline and same_images and summary.test and baseline.test:
            row["accuracy_points"] = f"{100 * (summary.test.accuracy - baseline.test.accuracy):+.2f}"
            row["loss_difference"] = f"{summary.test.loss - baseline.test.loss:+.4f}"
        rows.append(row)
    reporter.table(rows, [*_SUMMARY, "accuracy_points", "loss_difference"])
    fields: list[dict[str, Any]] = [
        {"field": path} | {run.id: _plain(value) for run, value in zip(runs, values, strict=True)}
        for path, values in differing.items()
    ]
    return reporter.table(fields, ["field", *(run.id for run in runs)])


def _plain(value: Any) -> str | None:
    return f"{value:g}" if isinstance(value, float) else None if value is None else str(value)


def _resume(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    run = store.find(options.run)
    _make_available(store, run.config.dataset.name, options.json)
    runner = _runner(store, options)
    return _finish(store, runner, [Requested(resume(store, runner, run.id), "resumed")], reporter)


def _delete(options: argparse.Namespace, reporter: Reporter) -> int:
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
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
