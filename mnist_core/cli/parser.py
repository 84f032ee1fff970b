"""The command line: `python -m mnist_core COMMAND`.

Every command takes `--json`; then standard output holds one JSON document and nothing else. The exit status is 0 only
on success, 1 where something did not work, 2 for bad usage, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mnist_core.cli import (
    compare,
    datasets,
    diagnosis,
    disagreements,
    importing,
    label_errors,
    latency,
    published,
    runs,
    serving,
    settings,
    sweeps,
    training,
)
from mnist_core.cli.options import add_run, add_runs
from mnist_core.cli.terminal import Reporter
from mnist_core.constants import __version__
from mnist_core.errors import ConfigError, FilterError, MnistCoreError


class Command(NamedTuple):
    """A command: its name, its line in the list of commands, what does it, and what adds its arguments."""

    name: str
    help: str
    do: Callable[[argparse.Namespace, Reporter], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None


COMMANDS = (
    Command("presets", "list the published models", published.presets),
    Command("settings", "list every setting: its path, values and meaning", settings.settings, settings.add_arguments),
    Command("datasets", "list the datasets, fetch MNIST, register a file", datasets.datasets, datasets.add_arguments),
    Command(
        "train",
        "train one or more presets, or go on from a run's weights, and wait for them",
        training.train,
        training.add_arguments,
    ),
    Command("runs", "list the runs", runs.runs, runs.add_arguments),
    Command(
        "import",
        "make a run of the predictions or the history of another tool",
        importing.import_runs,
        importing.add_arguments,
    ),
    Command(
        "serve",
        "let workers and notebooks on other machines send their runs to this store",
        serving.serve,
        serving.add_arguments,
    ),
    Command(
        "export", "write runs into files that other tools read", importing.export_runs, importing.add_export_arguments
    ),
    Command("show", "show one run: configuration, history and figures", runs.show, runs.add_show_arguments),
    Command("compare", "compare runs with the first of them", compare.compare, compare.add_arguments),
    Command(
        "report",
        "write the report of a comparison, as HTML or Markdown",
        compare.report,
        compare.add_report_arguments,
    ),
    Command(
        "disagreements",
        "on which images runs disagree, and who is right there",
        disagreements.disagreements,
        disagreements.add_arguments,
    ),
    Command(
        "label-errors",
        "which test labels are known to be wrong, or doubted by a run",
        label_errors.label_errors,
        add_run,
    ),
    Command("diagnose", "say in words what the curves of runs show, and by which rule", diagnosis.diagnose, add_runs),
    Command("published", "compare every published figure with what was measured here", published.published),
    Command("latency", "time the models of runs, here and now, and keep the figures", latency.latency, add_runs),
    Command("pause", "pause runs that are being trained, each after its present epoch", training.pause, add_runs),
    Command(
        "resume",
        "go on with a paused, cancelled, interrupted or failed run, and wait for it",
        training.resume,
        training.add_resume_arguments,
    ),
    Command("delete", "move runs to the trash", runs.delete, add_runs),
    Command("restore", "bring runs back from the trash", runs.restore, add_runs),
    Command("sweep", "train every combination of a grid, and wait for them", sweeps.sweep, sweeps.add_sweep_arguments),
    Command("sweeps", "list the sweeps, or show, cancel or forget one", sweeps.sweeps, sweeps.add_sweeps_arguments),
    Command(
        "search", "let a sampler choose what to train, and wait for it", sweeps.search, sweeps.add_search_arguments
    ),
    Command("searches", "list the searches, or show or cancel one", sweeps.searches, sweeps.add_searches_arguments),
)
"""All commands, in the order in which `--help` lists them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = make_parser().parse_args(arguments)
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


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `options.command` is then what does the chosen one."""
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
    for command in COMMANDS:
        added = commands.add_parser(
            command.name,
            help=command.help,
            description=command.help[0].upper() + command.help[1:] + ".",
            parents=[common],
        )
        added.set_defaults(command=command.do)
        if command.add_arguments:
            command.add_arguments(added)
    return parser
