"""What was published and what was measured, in sentences."""

from __future__ import annotations

import math
from typing import Any

from mnist_core.evaluation.statistics import Sample
from mnist_core.experiments.grids import describe
from mnist_core.published.claims import Claim
from mnist_core.published.reproduction import Gap, Note, Row, Winner


def sentence(row: Row) -> str:
    """Return the verdict on a row in a sentence that begins with the verdict in a word."""
    text = reason(row)
    if row.outcome in ("reproduces", "differs"):
        text = f"{row.outcome.capitalize()}: {text[:1].lower()}{text[1:]}"
    return text


def reason(row: Row) -> str:
    """Return what the verdict on a row rests on, without the verdict itself."""
    text = _reason(row)
    if row.changed:
        text += f" Run with other settings than described: {describe(row.changed)}."
    return text


def _reason(row: Row) -> str:
    if row.progress is not None:
        kind, done, total = row.progress
        return {
            "runs": f"Not finished: {done} of {total} runs have ended.",
            "trials": f"Not finished: {done} of {total} trials are decided.",
            "no_winner": "Not finished: no run has finished.",
            "untested": "Not finished: the winner has not been tested.",
        }[kind]
    if row.outcome == "not trained":
        return "Not trained yet."
    if row.accuracy is not None:
        return accuracy_words(row.accuracy)
    if row.winner is not None:
        return winner_words(row.winner)
    if row.claims:
        holds = sum(claim.holds for claim in row.claims)
        which = f"All {holds}" if holds == len(row.claims) else f"{holds} of {len(row.claims)}"
        return f"{which} statements of the source hold."
    return (
        f"The source prints no test figure; here it is {percent_words(row.measured.accuracy) if row.measured else ''}."
    )


def accuracy_words(gap: Gap) -> str:
    """Return how far an accuracy is from the published one, and how much of that chance allows for."""
    far = f"{100 * abs(gap.value):.2f} points {'above' if gap.value > 0 else 'below'} what is published"
    if f"{100 * abs(gap.value):.2f}" == "0.00":
        far = "Just what is published"
    # two decimals, unless both figures would then read the same
    digits = 2 if f"{100 * abs(gap.value):.2f}" != f"{100 * gap.limit:.2f}" else 3
    if digits == 3 and gap.value:
        far = f"{100 * abs(gap.value):.3f} points {'above' if gap.value > 0 else 'below'} what is published"
    if gap.differs:
        return f"{far}, where up to {100 * gap.limit:.{digits}f} would be chance."
    return f"{far}, and up to {100 * gap.limit:.{digits}f} points are chance."


def loss_sentence(row: Row) -> str:
    """Return the verdict on a model's loss in a sentence; empty where there is nothing to compare."""
    gap = row.loss
    if gap is None:
        return ""
    far = f"{abs(gap.value):.4f} {'above' if gap.value > 0 else 'below'} what is published"
    if gap.differs:
        return f"The loss differs: {far}, where up to {gap.limit:.4f} would be chance."
    return f"The loss agrees: {far}, and up to {gap.limit:.4f} is chance."


def winner_words(winner: Winner) -> str:
    """Return what a winner is and what it came to, without a full stop."""
    how = "the lowest validation loss" if winner.by == "validation_loss" else "the best on held-out images"
    return f"{winner.settings}, {how}; tested once: {100 * winner.accuracy:.2f} %"


def claims(row: Row) -> tuple[Claim, ...]:
    """Return the source's statements with what was measured; for a winner, that of the model that the source chose."""
    if row.winner is None or row.published.test_accuracy is None:
        return row.claims
    return (
        Claim(
            f"the model that the source settled on ({row.winner.chose}) has a test accuracy of "
            f"{100 * row.published.test_accuracy:.2f} %",
            f"the winner here is {winner_words(row.winner)}",
            row.outcome == "reproduces",
        ),
    )


def reasons(row: Row) -> tuple[str, ...]:
    """Return why a result may differ, each without a full stop."""
    count = len(row.assumptions)
    assumed = f"{count} settings are not" if count > 1 else "one setting is not"
    texts: dict[Note, str] = {
        "unhealthy_parent": "what the source continued was not a healthy network (see the note)",
        "assumed": f"{assumed} stated by the source, and assumed",
        "one_seed": "one seed is trained here, and how much seeds differ is not in the rule then",
        "other_seed": "another seed, and another version of Keras, than the source's",
        "trained_longer": "the source may have trained what it settled on for longer than the trials that led to it",
    }
    return tuple(texts[note] for note in row.notes)


def percent_words(figure: Sample) -> str:
    """Return a mean accuracy with its standard deviation, where there are several seeds."""
    text = f"{100 * figure.mean:.2f}"
    return f"{text} %" if math.isnan(figure.sd) else f"{text} ± {100 * figure.sd:.2f} % ({figure.n} seeds)"


def row_json(row: Row) -> dict[str, Any]:
    """Return a row as plain data, with its sentences."""
    return {
        "name": row.name,
        "kind": row.kind,
        "source": row.source,
        "note": row.note,
        "assumptions": list(row.assumptions),
        "parameters": row.parameters,
        "planned": row.planned,
        "published": vars(row.published),
        "outcome": row.outcome,
        "sentence": sentence(row),
        "loss_sentence": loss_sentence(row),
        "reasons": list(reasons(row)),
        "measured": row.measured.to_json() if row.measured else None,
        "winner_accuracy": row.winner.accuracy if row.winner else None,
        "claims": [vars(claim) for claim in claims(row)],
        "stored": row.stored,
        "opens": list(row.opens),
    }
