"""The command `label-errors`: which labels of the test images are wrong, or doubted, and what that does to a run."""

from __future__ import annotations

import argparse
from typing import Any

from mnist_core.cli.terminal import Reporter
from mnist_core.errors import StoreError
from mnist_core.evaluation.label_errors import effect, known_errors, likely_errors
from mnist_core.evaluation.words import known_error_words
from mnist_core.runs.store import Store


def label_errors(options: argparse.Namespace, reporter: Reporter) -> int:
    """Print known label errors with the run's guesses, its accuracy without them, and the labels it doubts."""
    run = Store(options.store).find(options.run)
    predictions = run.predictions()
    if predictions is None:
        raise StoreError(
            f"run {run.name} ({run.id}) has no guesses on the test images; train it, or choose another run"
        )
    guesses = predictions.predicted
    known = known_errors(run.status.fingerprint)
    found = effect(predictions, run.status.fingerprint)
    likely = likely_errors(predictions.labels, predictions.probabilities)
    rows: list[dict[str, Any]] = [
        {
            "index": error.image,
            "label": error.given,
            "likely": list(error.likely),
            "guess": int(guesses[error.image]),
            "sentence": known_error_words(error),
        }
        for error in known.values()
        if found is not None
    ]
    if reporter.as_json:
        return reporter.json(
            {
                "run": run.id,
                "effect": found._asdict() if found else None,
                "known": rows,
                "doubted": likely.to_dict("records"),
            }
        )
    if found is None:
        reporter.say(f"No label errors are known of {run.dataset}.")
    else:
        reporter.say(
            f"{found.wrong_known} of the {found.wrong:,} wrong guesses of {run.name} ({run.id}) are among MNIST's "
            f"{found.known} known label errors. Accuracy: {100 * found.accuracy:.2f} %; without these images "
            f"{100 * found.without:.2f} %; with the labels that most reviewers agreed on {100 * found.corrected:.2f} %."
        )
        shown = [row | {"likely": " or ".join(map(str, row["likely"])) or "neither"} for row in rows]
        reporter.table(shown, ["index", "label", "likely", "guess"])
    reporter.say(f"{len(likely)} labels are doubted by this model, which may be wrong itself; the most doubtful first:")
    doubted = [{str(key): value for key, value in row.items()} for row in likely.to_dict("records")]
    return reporter.table(doubted, ["index", "given", "likely", "self_confidence", "likely_confidence"])
