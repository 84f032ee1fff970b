"""The command `diagnose`: what the curves of runs show, and by which rule."""

from __future__ import annotations

import argparse
from typing import Any

from mnist_core.cli.terminal import Reporter
from mnist_core.comparison.diagnosis.findings import Finding
from mnist_core.comparison.diagnosis.rules import diagnose_run
from mnist_core.comparison.diagnosis.suggestions import runs_with_change
from mnist_core.comparison.diagnosis.words import example, example_sentence, suggestion_sentence, to_json, words
from mnist_core.runs.recorded import NO_HISTORY
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

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
            wording = words(item, ended=not run.live)
            reporter.line(f"  {wording.sentence}")
            reporter.line(f"    Rule: {wording.rule}")
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
