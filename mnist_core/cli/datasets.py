"""The command `datasets`: which data there is, and bringing in more."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from mnist_core.cli.options import output_to_stderr
from mnist_core.cli.terminal import Reporter
from mnist_core.data import duplicates
from mnist_core.data.datasets import download_mnist
from mnist_core.data.words import label_words, leak_words
from mnist_core.errors import MnistCoreError
from mnist_core.runs.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `datasets`."""
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--download", choices=["mnist"], help="fetch a dataset")
    change.add_argument("--register", nargs=2, metavar=("NAME", "FILE"), help="make an .npz of MNIST's form usable")
    change.add_argument("--forget", metavar="NAME", help="take a registered file off the list")


def datasets(options: argparse.Namespace, reporter: Reporter) -> int:
    """List the datasets, after fetching, registering or forgetting one."""
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
