"""The commands `compare` and `report`: which of several runs is better than the first, and whether that is real."""

from __future__ import annotations

import argparse
import datetime
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from mnist_core.cli.options import add_runs
from mnist_core.cli.terminal import NamingReader, Reporter, report_problems
from mnist_core.comparison.comparability import Background
from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.comparison.planner import Plan, plans
from mnist_core.comparison.recipe_verdicts import RecipeVerdict, compare_recipes
from mnist_core.comparison.test_set import counted
from mnist_core.comparison.verdicts import Comparison
from mnist_core.comparison.verdicts import compare as compare_runs
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.numbers import margin_words
from mnist_core.comparison.words.planner import plan_json, plan_words
from mnist_core.comparison.words.recipes import recipe_json, recipe_words
from mnist_core.comparison.words.selection import selection_words
from mnist_core.comparison.words.test_set import uses_words
from mnist_core.comparison.words.verdicts import (
    comparison_json,
    limit_words,
    loss_verdict_words,
    open_words,
    refusal_words,
    verdict_words,
)
from mnist_core.errors import ConfigError, StoreError, WriteError
from mnist_core.experiments.axis_words import words_of
from mnist_core.jobs import estimates
from mnist_core.plots.labels import run_labels
from mnist_core.runs import test_set_uses
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, differences, summarise
from mnist_core.runs.test_set_uses import Uses
from mnist_core.studies.kinds import studies
from mnist_core.studies.selections import background


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare`."""
    add_runs(parser)
    add_epoch(parser)
    add_margin(parser)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `report`."""
    add_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument(
        "--format",
        choices=("html", "markdown"),
        help="one HTML file with everything in it, or Markdown, with its pictures as SVG files next to FILE "
        "(default: by the ending of FILE, else html)",
    )


def report(options: argparse.Namespace, reporter: Reporter) -> int:
    """Write the report of a comparison, as the Compare page's download is."""
    from mnist_core.report import comparison_report as writer

    store = Store(options.store)
    out: Path | None = options.out
    kind = options.format or ("markdown" if out and out.suffix.lower() in (".md", ".markdown") else "html")
    if out is None and reporter.as_json:
        raise ConfigError("--json needs --out FILE: then it says what was written")
    if out is not None:
        _check_place(out)
    found = writer.compared(store, found_runs(store, options.runs), options.epoch, options.margin)
    now = datetime.datetime.now()
    if out is None:
        sys.stdout.write((writer.as_html if kind == "html" else writer.as_markdown)(found, now).decode())
        return 0
    try:
        replaced = out.exists()
        written = writer.write(found, out, kind, now)
    except OSError as error:
        raise StoreError(f"the report could not be written ({error}); give another --out") from error
    if reporter.as_json:
        return reporter.json({"format": kind, "files": [str(path) for path in written]})
    reporter.say(f"written: {', '.join(str(path) for path in written)}" + (" (replaced)" if replaced else ""))
    return 0


def _check_place(out: Path) -> None:
    """Raise ConfigError where a report cannot be written to `out`."""
    try:
        if out.is_dir():
            raise ConfigError(f"--out {out} is a folder; give a file in it, such as {out / 'comparison.html'}")
        if not out.parent.is_dir():
            raise ConfigError(f"the folder {out.parent} does not exist; make it, or give another --out")
    except OSError as error:  # such as a name that is too long
        raise ConfigError(f"--out {str(out)[:60]} … is no place for a file ({error.strerror}); give another") from error


def add_epoch(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses the epoch whose predictions are compared."""
    parser.add_argument(
        "--epoch",
        choices=get_args(ChosenEpoch),
        default="kept",
        help="whose weights are evaluated: those that are kept (restored by early stopping, where it did), those of "
        "the last epoch, or those of the lowest validation loss",
    )


def add_margin(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how large a difference matters."""
    parser.add_argument(
        "--margin",
        type=_margin,
        default=DEFAULT_MARGIN,
        metavar="POINTS",
        help="a difference in accuracy of up to so many percentage points does not matter: two runs are called "
        f"equivalent where no larger one is left (default: {100 * DEFAULT_MARGIN:g})",
    )


def _margin(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = float("nan")
    if not 0 < points < 100:
        raise argparse.ArgumentTypeError(f"{text} is no margin; give percentage points above 0 and below 100")
    return points / 100


def found_runs(store: Store, texts: list[str]) -> list[Run]:
    """Return the runs that these name; raises ConfigError where they are not two or more."""
    runs = store.find_all(texts)
    runs = list({run.id: run for run in runs}.values())
    if len(runs) < 2:
        raise ConfigError(f"{len(runs)} run was given; give two or more different runs")
    return runs


def compare(options: argparse.Namespace, reporter: Reporter) -> int:
    """Compare runs with the first of them."""
    store, chosen = Store(options.store), options.epoch
    runs = found_runs(store, options.runs)
    summaries = [summarise(run, chosen) for run in runs]
    names = run_labels(runs, states=False)
    everything, problems = store.scan()
    report_problems(problems, reporter)
    known = background(store.root, everything, studies(store)[0], runs)
    comparison = compare_runs(runs, runs[0], chosen, margin=options.margin, background=known)
    uses = _counted(store, runs, summaries, reporter)
    reader = NamingReader(reporter)
    recipes = compare_recipes(runs, runs[0], everything, chosen, margin=options.margin, reader=reader)
    found = plans(runs, comparison, recipes, everything, reader=reader)
    costs = [_cost(item, runs, everything, store) for item in found]
    differing = differences(runs)
    if reporter.as_json:
        return reporter.json(
            {"runs": [summary.to_json() for summary in summaries], "differences": differing}
            | comparison_json(comparison, names)
            | {"recipes": [recipe_json(item, names) for item in recipes]}
            | {"test_set_uses": asdict(uses)}
            | {
                "plans": [
                    plan_json(item, names, seconds=seconds, command=_command(item))
                    for item, seconds in zip(found, costs, strict=True)
                ]
            }
        )
    rows: list[dict[str, Any]] = []
    for summary in summaries:
        test = summary.test
        row = summary.to_json() | {
            "test_accuracy": test.accuracy if test else None,
            "test_loss": test.loss if test else None,
        }
        verdict = comparison.of(summary.id)
        if verdict:
            row["accuracy_points"] = f"{100 * verdict.accuracy.value:+.2f}"
            row["loss_difference"] = f"{verdict.loss.value:+.4f}" if verdict.loss else None
        rows.append(row)
    reporter.table(rows, _COLUMNS)
    _show_verdicts(reporter, comparison, recipes, names)
    from mnist_core.plots.style import duration  # imports altair

    for item, seconds in zip(found, costs, strict=True):
        reporter.line(plan_words(item, names, duration(seconds) if seconds else ""))
        if item.code == "seeds":
            reporter.line(f"  {_command(item)}")
    if found:
        reporter.line()
    for line in (*_selected(runs, known, comparison), uses_words(uses, runs[0].dataset)):
        if line:
            reporter.say(line)
    fields: list[dict[str, Any]] = [
        {"field": path} | {run.id: words_of(path, value, absent="–") for run, value in zip(runs, values, strict=True)}
        for path, values in differing.items()
    ]
    return reporter.table(fields, ["field", *(run.id for run in runs)])


def _command(plan: Plan) -> str:
    """Return the command that carries out a plan; empty where there is nothing to train."""
    if plan.code != "seeds":
        return ""
    return f"python -m mnist_core train --like {plan.baseline} {plan.run} --seeds {plan.more}"


def _cost(plan: Plan, runs: list[Run], everything: list[Run], store: Store) -> float | None:
    """Return how many seconds the seeds of a plan take one after the other; None where that is not known."""
    if plan.code != "seeds":
        return None
    sides = [run for run in runs if run.id in (plan.baseline, plan.run)]
    name = sides[0].config.dataset.name
    images = estimates.training_images(name, store.catalog.load)
    basis = estimates.on_this_processor(everything, lambda one: estimates.training_images(one, store.catalog.load))
    configs = [run.config for run in sides for _ in range(plan.more)]
    return estimates.total(configs, images, basis) if images else None


_COLUMNS = (
    "id", "name", "state", "dataset", "parameters", "best_epoch", "best_val_loss", "final_val_loss", "tested_epoch",
    "test_accuracy", "test_loss", "train_seconds", "accuracy_points", "loss_difference",
)  # fmt: skip


def _counted(store: Store, runs: list[Run], summaries: list[RunSummary], reporter: Reporter) -> Uses:
    """Count the comparisons, and return how often the test images have been used; say so where that fails."""
    try:
        return counted(store.root, runs[0], runs, {summary.id: summary for summary in summaries})
    except WriteError as error:
        reporter.error(str(error))
        return test_set_uses.seen(store.root, runs[0].status.fingerprint)


def _selected(runs: list[Run], known: Background, comparison: Comparison) -> list[str]:
    """Return the sweeps and searches of the runs that are not compared; the concerns have those of the others."""
    compared = {run for item in comparison.verdicts for run in (item.baseline, item.run)}
    return [selection_words(item, run.name) for run in runs if run.id not in compared for item in known.of(run)]


def _show_verdicts(
    reporter: Reporter, comparison: Comparison, recipes: list[RecipeVerdict], names: dict[str, str]
) -> None:
    margin = margin_words(comparison.margin)
    reporter.line()
    reporter.line(f"A difference in accuracy of up to {margin} is taken not to matter (--margin).")
    known = [recipe_words(item, names) for item in recipes if item.decision]
    for line in known:  # seeds first: an answer on recipes says more than one on two trained networks
        reporter.line()
        reporter.line(line)
    for item in comparison.verdicts:
        reporter.line()
        for text in filter(None, (verdict_words(item, names), open_words(item), loss_verdict_words(item, names))):
            reporter.line(text)
        for concern in item.concerns:
            reporter.line(f"  {concern.severity}: {concern_words(concern, (names[item.baseline], names[item.run]))}")
    for refusal in comparison.refusals:
        reporter.line()
        reporter.line(f"{names[refusal.run]} is not compared: {refusal_words(refusal, names)}.")
    reporter.line()
    limits = [limit_words(limit, names) for item in comparison.verdicts for limit in item.limits]
    unknown = [recipe_words(item, names) for item in recipes if not item.decision]
    for line in (*unknown, *dict.fromkeys(limits)):
        reporter.line(line)
    reporter.line()
