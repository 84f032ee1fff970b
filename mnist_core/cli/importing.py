"""The command `import`: predictions and histories of other tools become runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from mnist_core.cli.terminal import Reporter
from mnist_core.errors import ConfigError
from mnist_core.recording.importing import read
from mnist_core.recording.record import record
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="predictions: .npz (labels, probabilities or predicted) or .csv (id, label, p0, p1 … or predicted); a "
        "history: .csv of Keras's CSVLogger, .json of History.history, TensorBoard's event file or folder",
    )
    parser.add_argument("--history", type=Path, metavar="FILE", help="the history that belongs to the predictions")
    parser.add_argument("--name", help="display name (default: the name of the file)")
    parser.add_argument("--dataset", help="mnist, digits, a registered name, or a name for data of your own")
    parser.add_argument("--classes", metavar="NAMES", help="names of the classes in their order, with commas between")
    parser.add_argument("--parameters", type=int, metavar="N", help="how many numbers the model learned")
    parser.add_argument("--framework", default="", help="what made the model, such as 'scikit-learn 1.7'")


def import_file(options: argparse.Namespace, reporter: Reporter) -> int:
    """Record what a file holds as a run, and show it."""
    given = read(options.file)
    history = given.history
    if options.history is not None:
        if history is not None:
            raise ConfigError(f"{options.file} is a history itself; give predictions, or leave --history out")
        history = read(options.history).history
        if history is None:
            raise ConfigError(f"{options.history} holds predictions; give a history to --history")
    run = record(
        options.name or options.file.stem[:80],
        probabilities=given.probabilities,
        predicted=given.predicted,
        dataset=options.dataset,
        labels=given.labels,
        images=given.images,
        classes=options.classes.split(",") if options.classes else given.classes,
        history=history,
        parameters=options.parameters,
        framework=options.framework,
        source="file",
        store=Store(options.store),
    )
    if reporter.as_json:
        return reporter.json(run.to_json() | summarise(run).to_json())
    score = run.test_scores()
    found = f"test accuracy {100 * score.accuracy:.2f} % on {score.images:,} images" if score else "no predictions"
    reporter.say(f"{run.name} ({run.id}) on {run.dataset}: {found}, {run.epochs_done} epochs")
    if not run.pictures:
        reporter.say("No pictures: the test images are those of no data set that is known here (--dataset names one).")
    return 0
