"""Sentences about published and measured figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

from mnist_core.evaluation.statistics import Sample
from mnist_core.experiments.axis_words import point_words
from mnist_core.experiments.presets import PRESETS
from mnist_core.published.claims import Claim, ErrorAt, ErrorColumn, TrendClaim
from mnist_core.published.figures import Compared, Figure, is_loss
from mnist_core.published.reproduction import ChosenNetwork, Count, Missing, Note, ReproductionRow, SweepWinner, Tally

FIGURE_WORDS: dict[Figure, str] = {
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
    "best_val_loss": "lowest validation loss",
    "first_loss": "training loss of epoch 1",
    "first_accuracy": "training accuracy of epoch 1",
    "first_val_loss": "validation loss of epoch 1",
    "first_val_accuracy": "validation accuracy of epoch 1",
    "last_loss": "final training loss",
    "last_accuracy": "final training accuracy",
    "last_val_accuracy": "final validation accuracy",
}
ERROR_WORDS: dict[ErrorColumn, str] = {"train_error": "training error", "test_error": "test error"}
HOLDS: dict[bool | None, str] = {True: "holds", False: "does not hold", None: "cannot be told"}
FEW = 2
"""Figures that a phrase names before it stops."""


# -- a row -------------------------------------------------------------------------------------------------------------


def verdict(row: ReproductionRow) -> str:
    """Return the verdict in a word or three."""
    if row.outcome == "not trained":
        return "not trained yet" if row.stored is None else "not finished"
    return row.outcome


def sentence(row: ReproductionRow) -> str:
    """Return the verdict on a row in a sentence that begins with the verdict in a word."""
    text = reason(row)
    if row.outcome in ("reproduces", "differs", "chosen to match"):
        text = f"{row.outcome.capitalize()}: {text[:1].lower()}{text[1:]}"
    return text


def reason(row: ReproductionRow) -> str:
    """Return what the verdict on a row rests on, without the verdict itself."""
    text = _reason(row)
    if row.changed:
        text += f" Run with other settings than described: {point_words(row.changed)}."
    return text


def _reason(row: ReproductionRow) -> str:
    if row.progress is not None:
        return f"Not finished: {_progress(*row.progress)}."
    if row.outcome == "not trained":
        return "Not trained yet."
    if row.outcome == "nothing to compare":
        here = f"; here it is {percent_words(row.measured.accuracy)}" if row.measured else ""
        return f"The source prints no test figure{here}."
    if row.outcome == "chosen to match":
        return f"The settings were chosen here because they lead to the published result. {_capital(_agreeing(row))}."
    if row.winner is not None or row.claims:
        found = claims(row)
        if row.winner is not None and row.winner.gap is not None and len(found) == 1:
            return f"The winner’s {figure_words(row.winner.gap)}."
        return f"{_capital(_holding(found))}."
    if row.differing:
        of = f"{len(row.differing)} of {len(row.compared)} published figures" if len(row.compared) > 1 else "It"
        verb = "differ" if len(row.differing) > 1 else "differs"
        return f"{of} {verb} by more than chance: {', '.join(figure_words(item) for item in row.differing)}."
    return f"{_capital(_agreeing(row))}."


def _progress(kind: Missing, done: int, total: int) -> str:
    """Return what is missing, without a full stop."""
    match kind:
        case "runs":
            return f"{done} of {total} runs have ended"
        case "trials":
            return f"{done} of {total} trials are decided"
        case "no_winner":
            return "no run has finished"
        case "untested":
            return "the winner has not been tested"


def _holding(found: Sequence[Statement]) -> str:
    """Return how many statements hold, and how many are open."""
    holds, open_ = sum(claim.holds is True for claim in found), sum(claim.holds is None for claim in found)
    if holds == len(found):
        return f"all {holds} statements hold"
    text = f"{holds} of {len(found)} statements hold{'s' * (holds == 1)}"
    return text + (f", and {open_} cannot be told" if open_ else "")


def _agreeing(row: ReproductionRow) -> str:
    """Return that all figures of a model agree, and how closely the accuracy does."""
    accuracy = row.accuracy
    close = figure_words(accuracy) if accuracy else ""
    if len(row.compared) == 1:
        return close
    text = f"none of {len(row.compared)} published figures differs by more than chance"
    return f"{text}; {close}" if close else text


def short(row: ReproductionRow) -> str:
    """Return in a phrase what the verdict rests on; empty where the verdict says it all."""
    if row.progress is not None:
        return _progress(*row.progress)
    if row.winner is not None or row.claims:
        found = claims(row)
        if row.winner is not None and len(found) < 2:
            return "the winner’s test accuracy"
        return _holding(found)
    if row.differing:
        names = [FIGURE_WORDS[item.figure] for item in row.differing]
        if len(row.compared) == 1:
            return names[0]
        text = f"{len(names)} of {len(row.compared)} figures: {', '.join(names[:FEW])}"
        return text + (" and others" if len(names) > FEW else "")
    if row.compared:
        one = FIGURE_WORDS[row.compared[0].figure]
        return f"{one} agrees" if len(row.compared) == 1 else f"all {len(row.compared)} figures agree"
    return "no test figure published" if row.outcome == "nothing to compare" else ""


def figure_words(item: Compared) -> str:
    """Return how far a figure is from the published one, and how much of that chance allows for; no full stop."""
    unit, factor, digits = ("", 1.0, 4) if is_loss(item.figure) else (" points", 100.0, 2)
    gap, limit = factor * abs(item.gap), factor * item.limit
    # more decimals where both figures would read the same
    while f"{gap:.{digits}f}" == f"{limit:.{digits}f}" and digits < 8:
        digits += 1
    name, allowed = FIGURE_WORDS[item.figure], f"{limit:.{digits}f}"
    if f"{gap:.{digits}f}" == f"{0:.{digits}f}":
        return f"{name} is just as published"
    far = f"{name} is {gap:.{digits}f}{unit} {'above' if item.gap > 0 else 'below'} what is published"
    return f"{far}, where up to {allowed} would be chance" if item.differs else f"{far}, and up to {allowed} is chance"


class FigureLine(NamedTuple):
    """One figure as a page shows it, all of it text. mark: ✓ agrees, ≠ differs, empty where it is not compared."""

    name: str
    published: str
    measured: str
    chance: str
    mark: str


def figure_lines(row: ReproductionRow) -> list[FigureLine]:
    """Return a model's figures, each with the largest gap that chance allows for; then those that are not compared."""
    lines = [
        FigureLine(
            FIGURE_WORDS[item.figure],
            _value(item.figure, item.published),
            spread_words(item.figure, item.measured),
            f"± {item.limit:.4f}" if is_loss(item.figure) else f"± {100 * item.limit:.2f} points",
            "≠" if item.differs else "✓",
        )
        for item in row.compared
        if row.measured is not None
    ]
    if row.measured is None:
        return lines
    published = row.published
    for name, value, here in (
        ("epoch of the lowest validation loss", published.best_epoch, row.measured.best_epochs),
        ("epochs until it stopped itself", published.epochs, row.measured.epochs),
    ):
        if value is not None:
            lines.append(FigureLine(name, str(value), ", ".join(map(str, here)), "not compared", ""))
    if not row.compared:
        lines.append(
            FigureLine(FIGURE_WORDS["test_accuracy"], "–", spread_words("test_accuracy", row.measured.accuracy), "", "")
        )
    return lines


def _value(figure: Figure, value: float) -> str:
    return f"{value:.4f}" if is_loss(figure) else f"{100 * value:.2f} %"


def spread_words(figure: Figure, measured: Sample) -> str:
    """Return a mean with its standard deviation over seeds, where there are several."""
    unit, factor, digits = ("", 1.0, 4) if is_loss(figure) else (" %", 100.0, 2)
    text = f"{factor * measured.mean:.{digits}f}"
    return f"{text}{unit}" if measured.n < 2 else f"{text} ± {factor * measured.sd:.{digits}f}{unit}"


def percent_words(figure: Sample) -> str:
    """Return a mean accuracy with its standard deviation, where there are several seeds."""
    text = spread_words("test_accuracy", figure)
    return text if math.isnan(figure.sd) else f"{text} ({figure.n} seeds)"


# -- statements --------------------------------------------------------------------------------------------------------


class Statement(NamedTuple):
    """A source's statement and what was measured, both without a full stop.

    holds: True if the figures confirm it; None if chance allows for both.
    """

    published: str
    measured: str
    holds: bool | None


def claims(row: ReproductionRow) -> tuple[Statement, ...]:
    """Return the source's statements with what was measured; for a winner, about the model that the source chose."""
    if row.winner is None or row.winner.gap is None:
        return tuple(claim_words(claim) for claim in row.claims)
    found = [
        Statement(
            f"the winner has a test accuracy of {100 * row.winner.gap.published:.2f} %",
            f"the winner here is {winner_words(row.winner)}; its {figure_words(row.winner.gap)}",
            not row.winner.gap.differs,
        )
    ]
    if row.choice is not None:
        network = PRESETS[row.winner.chose].config.model.summary()
        found.insert(0, Statement(f"the winner is {network}", *_rank(row.choice)))
        found.append(
            Statement(
                f"that network has a test accuracy of {100 * row.choice.gap.published:.2f} %",
                f"{100 * row.choice.gap.measured.mean:.2f} % in this grid; its {figure_words(row.choice.gap)}",
                not row.choice.gap.differs,
            )
        )
    return tuple(found)


def claim_words(claim: Claim) -> Statement:
    """Return what a source claims about a sweep, in words."""
    if isinstance(claim, TrendClaim):
        word, first, last = ERROR_WORDS[claim.column], claim.first, claim.last
        match claim.code:
            case "rises_with_l2":
                published = f"the {word} rises with λ"
                measured = f"{_error(first)} at λ = {first.setting:g} to {_error(last)} at λ = {last.setting:g}"
            case "falls_with_width":
                published = f"the {word} falls as layers widen"
                measured = f"{_error(first)} with {first.setting} neurons to {_error(last)} with {last.setting}"
            case _:
                assert_never(claim.code)
        if claim.falling is not None:
            some = f"{claim.falling} of {claim.steps} steps fall"
            measured += f"; {some if claim.falling else 'no step falls by more than chance'}"
        return Statement(published, f"from {measured}", claim.holds)
    level = claim.level
    measured = f"from {level.setting:,} neurons on ({_error(level)}), none is better by more than chance"
    if claim.worse:
        worse = ", ".join(f"{point.setting:,} neurons come to {_error(point)}" for point in claim.worse)
        measured += f", though one may be worse: {worse}"
    return Statement(f"the test error levels off at about {claim.claimed} neurons", measured, claim.holds)


def _error(point: ErrorAt) -> str:
    return f"{100 * point.error:.2f} %"


def _rank(choice: ChosenNetwork) -> tuple[str, bool | None]:
    """Return where the source's network comes in by validation here, and whether it is the best, if that is clear."""
    if choice.behind is None:
        return f"it is here, too, the first of {choice.count} by validation loss", True
    text = (
        f"another network wins here; it is number {choice.rank} of {choice.count} by validation loss, "
        f"{choice.behind.gap:.4f} above the winner’s"
    )
    if choice.behind.differs:
        return f"{text}, where up to {choice.behind.limit:.4f} would be chance", False
    return f"{text}, and with one seed each up to {choice.behind.limit:.4f} would be chance", None


def winner_words(winner: SweepWinner) -> str:
    """Return a description of a winner and its result, without a full stop."""
    how = "the lowest validation loss" if winner.by == "validation_loss" else "the best on held-out images"
    return f"{winner.network} ({how}), at {100 * winner.accuracy:.2f} %"


# -- why, and what the sources got wrong -------------------------------------------------------------------------------


def reasons(row: ReproductionRow) -> tuple[str, ...]:
    """Return why a result may differ, each without a full stop."""
    count = len(row.assumptions)
    assumed = f"{count} settings are not" if count > 1 else "one setting is not"
    epochs = ", ".join(map(str, row.measured.epochs)) if row.measured else ""
    texts: dict[Note, str] = {
        "unhealthy_parent": "what the source continued was not a healthy network",
        "leak": "validation images leaked into training in the source, which went on for "
        f"{row.published.epochs} epochs; here, early stopping ended it after {epochs}",
        "assumed": f"{assumed} stated by the source, and assumed",
        "version": "another version of Keras than the source’s",
        "trained_longer": "the source may have trained what it settled on for longer than the trials that led to it",
    }
    return tuple(texts[note] for note in row.notes)


def source_errors(rows: Sequence[ReproductionRow]) -> list[tuple[str, str]]:
    """Return what the sources got wrong, as (name of the row, sentence without a full stop)."""
    return [(row.name, error) for row in rows if row.kind == "model" for error in row.published.errors]


# -- all together ------------------------------------------------------------------------------------------------------


def summary(found: Tally) -> str:
    """Return what came of all rows: those with assumed settings apart from those without."""
    if not found.stated.compared + found.assumed.compared + len(found.chosen):
        return "None of the published models has been trained on MNIST yet."
    parts = []
    if found.stated.compared:
        parts.append(f"Of {_rows(found.stated)} whose settings are all stated, {_number(found.stated)}.")
    if found.assumed.compared:
        rest = "rests" if found.assumed.compared == 1 else "rest"
        parts.append(f"Of {_rows(found.assumed)} that {rest} on assumed settings, {_number(found.assumed)}.")
    return " ".join(parts)


def left_out(found: Tally) -> str:
    """Return which rows are in none of the counts, and why; empty where all are."""
    parts = []
    if found.chosen:
        verb = "agrees, but its" if len(found.chosen) == 1 else "agree, but their"
        names = ", ".join(found.chosen)
        parts.append(f"{names} {verb} settings were chosen to match the published figure, so that confirms nothing.")
    if found.nothing:
        rows = "1 row has" if found.nothing == 1 else f"{found.nothing} rows have"
        parts.append(f"{rows} no published test figure.")
    if found.missing:
        parts.append(f"{found.missing} {'is' if found.missing == 1 else 'are'} not trained yet.")
    return " ".join(parts)


def _rows(count: Count) -> str:
    return f"{count.compared} published result{'s' * (count.compared > 1)}"


def _number(count: Count) -> str:
    return f"{count.reproduces or 'none'} reproduce{'s' * (count.reproduces == 1)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def row_json(row: ReproductionRow) -> dict[str, Any]:
    """Return a row as plain data, with its sentences."""
    return {
        "name": row.name,
        "kind": row.kind,
        "source": row.source,
        "note": row.note,
        "assumptions": list(row.assumptions),
        "chosen_to_match": row.chosen_to_match,
        "parameters": row.parameters,
        "planned": row.planned,
        "published": vars(row.published) | {"errors": list(row.published.errors)},
        "outcome": row.outcome,
        "sentence": sentence(row),
        "compared": [item.to_json() for item in row.compared],
        "reasons": list(reasons(row)),
        "measured": row.measured.to_json() if row.measured else None,
        "winner_accuracy": row.winner.accuracy if row.winner else None,
        "claims": [claim._asdict() for claim in claims(row)],
        "stored": row.stored,
        "opens": list(row.opens),
    }
