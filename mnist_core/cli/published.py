"""The commands about published models: `presets` lists them, `published` compares their figures with those here."""

from __future__ import annotations

import argparse

from mnist_core.cli.terminal import NamingReader, Reporter, report_problems
from mnist_core.experiments.presets import PRESETS
from mnist_core.published import reproduction as compared
from mnist_core.published import words as published_words
from mnist_core.runs.store import Store
from mnist_core.studies.kinds import studies


def presets(options: argparse.Namespace, reporter: Reporter) -> int:
    """List the published models with their sources, figures and assumptions."""
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


def _measured(row: compared.ReproductionRow) -> float | None:
    """Return the accuracy that was measured for a row; None where nothing was."""
    if row.measured:
        return row.measured.accuracy.mean
    return row.winner.accuracy if row.winner else None
