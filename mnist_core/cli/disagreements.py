"""The command `disagreements`: on which images runs disagree, and who is right there."""

from __future__ import annotations

import argparse
from typing import Any

from mnist_core.cli.compare import add_epoch, add_margin, found_runs
from mnist_core.cli.terminal import Reporter
from mnist_core.comparison.disagreements import (
    Counts,
    class_changes,
    confusion_changes,
    counts,
    difference_matrix,
    votes,
    wrong_counts,
)
from mnist_core.comparison.verdicts import Refusal, compare, paired
from mnist_core.comparison.words.disagreements import (
    class_change_words,
    confusion_change_words,
    disagreement_words,
)
from mnist_core.comparison.words.verdicts import refusal_words, verdict_words
from mnist_core.errors import ComparisonError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `disagreements`."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="two or more; the first is the baseline, A")
    add_epoch(parser)
    add_margin(parser)


def disagreements(options: argparse.Namespace, reporter: Reporter) -> int:
    """Compare each run with the first, A, image by image; of more than two, also how many get an image wrong."""
    store = Store(options.store)
    runs = found_runs(store, options.runs)
    baseline, names = runs[0], {run.id: f"{run.name} ({run.id})" for run in runs}

    predictions: list[Predictions] = []
    for run in runs[1:]:
        both = paired(baseline, run, options.epoch)
        if isinstance(both, Refusal):
            raise ComparisonError(refusal_words(both, names))
        predictions += [both[1]] if predictions else list(both)
    comparison = compare(runs, baseline, options.epoch, margin=options.margin)
    pairs: list[dict[str, Any]] = []
    for run, theirs in zip(runs[1:], predictions[1:], strict=True):
        found = counts(votes([predictions[0], theirs]))
        matrix = difference_matrix(predictions[0], theirs)
        changes, by_digit = confusion_changes(predictions[0], theirs), class_changes(predictions[0], theirs)
        verdict = comparison.of(run.id)
        assert verdict is not None
        pairs.append(
            {"a": baseline.id, "b": run.id}
            | found._asdict()
            | {
                "disagreements": found.disagreements,
                "images": found.images,
                "sentence": disagreement_words(found, names[baseline.id], names[run.id]),
                "outcome": verdict.answer,
                "verdict": verdict_words(verdict, names),
                "difference_matrix": matrix.tolist(),
                "confusions": confusion_change_words(changes, names[run.id]),
                "top_changes": [
                    {"true": change.true, "guess": change.guess, "difference": change.difference}
                    | change.decision.to_json()
                    for change in changes[:5]
                ],
                "digits": class_change_words(by_digit, names[baseline.id], names[run.id]),
                "by_digit": [
                    {"true": change.true, "images": change.images} | change.decision.to_json() for change in by_digit
                ],
            }
        )
    wrong = wrong_counts(votes(predictions), len(runs)).tolist()
    if reporter.as_json:
        found_all = {"wrong_by": wrong} if len(runs) > 2 else {}
        listed = [{"id": run.id, "name": run.name} for run in runs]
        return reporter.json({"runs": listed, "epoch": options.epoch, "pairs": pairs} | found_all)
    for pair in pairs:
        reporter.say(f"A = {names[pair['a']]}, B = {names[pair['b']]}. {pair['sentence']} {pair['verdict']}")
    reporter.table([{"B": pair["b"]} | pair for pair in pairs], ["B", *Counts._fields, "disagreements", "images"])
    for pair in pairs:
        reporter.say(f"{pair['digits']} {pair['confusions']}")
        if pair["top_changes"]:
            reporter.say(f"The confusions that changed most clearly from A to {names[pair['b']]}:")
            rows = [
                {
                    "true": item["true"],
                    "guessed": item["guess"],
                    "B_minus_A": f"{item['difference']:+d}",
                    "p_adjusted": item["p_adjusted"],
                }
                for item in pair["top_changes"]
            ]
            reporter.table(rows, ["true", "guessed", "B_minus_A", "p_adjusted"])
    if len(runs) > 2:
        reporter.say(f"How many of the {len(runs)} runs get an image wrong:")
        reporter.table([{"runs": k, "images": images} for k, images in enumerate(wrong)], ["runs", "images"])
    return 0
