"""The commands that answer questions about trained runs; other modules have those that train and list runs."""

from __future__ import annotations

import argparse
from typing import Any

from mnist_core.cli.terminal import NamingReader, Reporter, report_problems
from mnist_core.comparison.diagnosis.findings import Finding
from mnist_core.comparison.diagnosis.rules import diagnose_run
from mnist_core.comparison.diagnosis.suggestions import runs_with_change
from mnist_core.comparison.diagnosis.words import example, example_sentence, suggestion_sentence, to_json, words
from mnist_core.jobs.latency import measure_run
from mnist_core.published import reproduction as compared
from mnist_core.published import words as published_words
from mnist_core.runs.recorded import NO_HISTORY
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies.kinds import studies

MOST_EXAMPLES = 3
"""Runs that are named for one suggested change."""


def diagnose(options: argparse.Namespace, reporter: Reporter) -> int:
    """Print what the curves of each run show, by which rule, and what may help."""
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
    found = [(run, diagnose_run(run)) for run in runs]
    others = store.runs() if any(item.suggestions for _, items in found for item in items) else []
    if reporter.as_json:
        documents: list[dict[str, Any]] = [
            {"id": run.id, "name": run.name, "findings": [_finding_json(run, item, others) for item in items]}
            for run, items in found
        ]
        return reporter.json(documents)
    for run, items in found:
        reporter.line(f"{run.name} ({run.id}), {run.epochs_done} epochs")
        for item in items:
            said = words(item, ended=not run.live)
            reporter.line(f"  {said.sentence}")
            reporter.line(f"    Rule: {said.rule}")
            if item.suggestions:
                reporter.line(f"    Suggestion: {suggestion_sentence(item.suggestions)}")
            for change in item.suggestions:
                similar = runs_with_change(run, change, others)[:MOST_EXAMPLES]
                if similar:
                    reporter.line(
                        f"    {example_sentence(run, change, [example(run, change, other) for other in similar])}"
                    )
        if not items:
            reporter.line(f"  {NO_HISTORY if run.recorded and run.ended else 'No epoch is finished yet.'}")
    return 0


def _finding_json(run: Run, item: Finding, others: list[Run]) -> dict[str, Any]:
    """Return a finding as plain data; each suggestion with the ids of runs that made just this change."""
    data = to_json(item, ended=not run.live)
    for shown, change in zip(data["suggestions"], item.suggestions, strict=True):
        shown["runs"] = [other.id for other in runs_with_change(run, change, others)]
    return data


def published(options: argparse.Namespace, reporter: Reporter) -> int:
    """Print every published figure next to the one measured here, and if it reproduces."""
    store = Store(options.store)
    report_problems([*store.scan()[1], *studies(store)[1]], reporter)
    found = compared.rows(store, reader=NamingReader(reporter))
    if reporter.as_json:
        return reporter.json([published_words.row_json(row) for row in found])
    lines = [
        {
            "name": row.name,
            "published_accuracy": row.published.test_accuracy,
            "measured_accuracy": _measured(row),
            "sd_points": 100 * row.measured.accuracy.sd if row.measured and row.measured.accuracy.n > 1 else None,
            "seeds": row.measured.accuracy.n if row.measured else None,
            "published_loss": row.published.test_loss,
            "measured_loss": row.measured.figures["test_loss"].mean if row.measured else None,
            "verdict": published_words.sentence(row),
        }
        for row in found
    ]
    reporter.table(lines, list(lines[0]))
    for row in found:
        for claim in published_words.claims(row):
            reporter.say(f"{row.name}: {published_words.HOLDS[claim.holds]}: {claim.published}; {claim.measured}")
    for name, error in published_words.source_errors(found):
        reporter.say(f"{name}: an error of the source: {error}")
    total = compared.tally(found)
    reporter.say(" ".join(filter(None, [published_words.summary(total), published_words.left_out(total)])))
    return 0


def _measured(row: compared.Row) -> float | None:
    """Return the accuracy that was measured for a row; None where nothing was."""
    if row.measured:
        return row.measured.accuracy.mean
    return row.winner.accuracy if row.winner else None


def time_runs(options: argparse.Namespace, reporter: Reporter) -> int:
    """Print how long the models of runs take to answer, measured in this process."""
    store = Store(options.store)
    found = [(run, measure_run(store, run)) for run in [store.find(text) for text in options.runs]]
    if reporter.as_json:
        return reporter.json([{"id": run.id, "name": run.name} | item.model_dump(mode="json") for run, item in found])
    rows = [
        {
            "id": run.id,
            "name": run.name,
            "images": batch.images,
            "compiled_ms": f"{1000 * batch.compiled_s:.3f}",
            "predict_ms": f"{1000 * batch.predict_s:.2f}",
            "calls": f"{batch.compiled_calls} and {batch.predict_calls}",
        }
        for run, item in found
        for batch in item.batches
    ]
    last = found[-1][1]
    reporter.say(
        f"Medians, {last.threads} thread{'' if last.threads == 1 else 's'} inside an operation, {last.cores} cores, "
        f"{last.processor}" + (f", load {last.load:.1f}" if last.load is not None else "")
    )
    return reporter.table(rows, ["id", "name", "images", "compiled_ms", "predict_ms", "calls"])
