"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mnist_core.data.datasets import download_mnist
from mnist_core.errors import ConfigError
from mnist_core.files import parse_json
from mnist_core.jobs.runners import LocalRunner, Runner, ServiceRunner
from mnist_core.runs.store import Store


def add_changes(parser: argparse.ArgumentParser) -> None:
    """Add options that change a configuration, as `changed_values` reads them."""
    parser.add_argument("--dataset", help="mnist, digits or a registered name (default: the preset's)")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    add_set(
        parser,
        "any setting by its path, such as training.learning_rate=0.0005 or model.layers.0.dropout=0.3; repeatable "
        "(the command `settings` lists them all)",
    )


def add_set(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the option that changes a setting by its path."""
    parser.add_argument("--set", action="append", default=[], dest="values", metavar="FIELD=VALUE", help=text)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the one run that a command is about."""
    parser.add_argument("run", metavar="RUN")


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the runs that a command is about, one at least."""
    parser.add_argument("runs", nargs="+", metavar="RUN")


def add_here(parser: argparse.ArgumentParser) -> None:
    """Add the option that keeps training in this process."""
    parser.add_argument("--here", action="store_true", help="train in this process, one run after another")


def changed_values(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the options change, by path."""
    named = {"dataset.name": options.dataset, "training.epochs": options.epochs, "training.seed": options.seed}
    return {path: value for path, value in named.items() if value is not None} | set_values(options)


def set_values(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that `--set` changes, by path."""
    values: dict[str, Any] = {}
    for text in options.values:
        path, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(
                f"--set {text!r} has no '='; write it as FIELD=VALUE, such as training.learning_rate=0.0005"
            )
        try:
            values[path] = parse_json(value)
        except ValueError:
            values[path] = value
    return values


def make_available(store: Store, dataset: str, as_json: bool) -> None:
    """Fetch MNIST where that is meant and missing; raise DatasetError where a dataset cannot be used."""
    if dataset == "mnist" and not store.catalog.available("mnist"):
        with output_to_stderr(as_json):
            download_mnist()
    store.catalog.load(dataset)


def output_to_stderr(wanted: bool) -> contextlib.AbstractContextManager[Any]:
    """Keep what libraries print off standard output where that is to hold JSON only."""
    return contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext()


def make_runner(store: Store, options: argparse.Namespace) -> Runner:
    """Return the runner: the job service, or this process with `--here`."""
    return _Here(store) if options.here else ServiceRunner(store)


class _Here(LocalRunner):
    """Trains in this process, one run after another, while the caller shows how far they are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._queue = ThreadPoolExecutor(max_workers=1)

    def submit(self, run_id: str) -> None:
        self._held.add(run_id)
        self._queue.submit(super().submit, run_id)


@contextlib.contextmanager
def closing(runner: Runner) -> Iterator[None]:
    """Close the connection to the job service at the end, before the interpreter does so amid its callbacks."""
    try:
        yield
    finally:
        if isinstance(runner, ServiceRunner):
            runner.close()
