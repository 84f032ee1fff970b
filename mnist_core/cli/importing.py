"""The commands `import` and `export`: files of other tools become runs, and runs become such files."""

from __future__ import annotations

import argparse
from pathlib import Path

from mnist_core.cli.terminal import Reporter
from mnist_core.inspection.incoming import import_file
from mnist_core.recording.exporting import KINDS, TOOLS, export
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="predictions: .npz (labels, probabilities or predicted) or .csv (id, label, p0, p1 … or predicted); a "
        "history: .csv of Keras's CSVLogger or of Trackio, .json of History.history, TensorBoard's event file or "
        "folder; runs of MLflow: its folder (mlruns, an experiment or a run) or mlflow.db; a network: "
        ".keras; runs: .zip of `export`",
    )
    parser.add_argument(
        "--history", type=Path, nargs="+", default=[], metavar="FILE",
        help="the history that belongs to the predictions; or further columns, as Trackio writes a file a metric",
    )  # fmt: skip
    parser.add_argument("--name", help="display name (default: the run's name in the file, or the name of the file)")
    parser.add_argument("--dataset", help="mnist, digits, a registered name, or a name for data of your own")
    parser.add_argument("--classes", metavar="NAMES", help="names of the classes in their order, with commas between")
    parser.add_argument("--parameters", type=int, metavar="N", help="how many numbers the model learned")
    parser.add_argument("--framework", default="", help="what made the model, such as 'scikit-learn 1.7'")


def import_runs(options: argparse.Namespace, reporter: Reporter) -> int:
    """Record what a file holds as runs, and show them."""
    arrived = import_file(
        options.file,
        name=options.name,
        dataset=options.dataset,
        classes=options.classes.split(",") if options.classes else None,
        parameters=options.parameters,
        history=options.history,
        framework=options.framework,
        store=Store(options.store),
    )
    if options.file.suffix.lower() != ".zip" and len(arrived) == 1:
        return _shown(arrived[0].run, reporter)
    for run, new in arrived:
        reporter.say(f"{run.name} ({run.id}) {'is in the store now' if new else 'was in the store already'}")
    if reporter.as_json:
        return reporter.json([run.to_json() | {"new": new} for run, new in arrived])
    return 0


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id, the beginning of one, or name")
    kinds = "; ".join(f"{kind or 'no ending'}: {what}" for kind, what in KINDS.items())
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=f"the ending says what is written. {kinds}"
    )
    parser.add_argument("--to", choices=TOOLS, help="the tool that reads the folder (default: tensorboard)")


def export_runs(options: argparse.Namespace, reporter: Reporter) -> int:
    """Write runs into a file that other tools read."""
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
    export(runs, options.out, options.to)
    if reporter.as_json:
        return reporter.json({"file": str(options.out), "runs": [run.id for run in runs]})
    reporter.say(f"{options.out} holds {', '.join(f'{run.name} ({run.id})' for run in runs)}")
    return 0


def _shown(run: Run, reporter: Reporter) -> int:
    if reporter.as_json:
        return reporter.json(run.to_json() | summarise(run).to_json())
    score = run.test_scores()
    found = f"test accuracy {100 * score.accuracy:.2f} % on {score.images:,} images" if score else "no predictions"
    reporter.say(f"{run.name} ({run.id}) on {run.dataset}: {found}, {run.epochs_done} epochs")
    if not run.pictures:
        reporter.say("No pictures: the test images are those of no data set that is known here (--dataset names one).")
    return 0
