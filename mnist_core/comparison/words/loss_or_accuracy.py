"""Loss and accuracy in sentences: what became of a run, and whether the two decide alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mnist_core.comparison.loss_or_accuracy import NOTABLE, Course, Relation, relation
from mnist_core.comparison.verdicts import Verdict
from mnist_core.comparison.words.numbers import (
    ANSWER_WORDS,
    listed,
    loss_words,
    p_words,
    percent,
    points_words,
    unlike,
)
from mnist_core.comparison.words.verdicts import Names, loss_verdict_words, verdict_words
from mnist_core.runs.records import EpochRow


def course_lead(name: str, found: Course) -> str:
    """Return how loss and accuracy changed after the best epoch, in one sentence."""
    best, last = found.best, found.last
    if best.epoch == last.epoch:
        return (
            f"{name}: the validation loss was lowest at the end, {best.val_loss:.4f} in epoch {best.epoch}, with "
            f"{percent(best.val_accuracy)} right."
        )
    points = 100 * (last.val_accuracy - best.val_accuracy)
    kept = f"{abs(points):.2f} points {'up' if points > 0 else 'down'}" if abs(points) >= 0.005 else "unchanged"
    return (
        f"{name}: the validation loss went from {best.val_loss:.4f} in epoch {best.epoch}, its lowest, to "
        f"{last.val_loss:.4f} in epoch {last.epoch}; the accuracy from {percent(best.val_accuracy)} to "
        f"{percent(last.val_accuracy)}, {kept}."
    )


def course_sentence(name: str, found: Course, *, overfits: bool = True) -> str:
    """Return how loss and accuracy changed after the best epoch and, if the loss rose, why.

    overfits: True if `mnist_core.comparison.diagnosis` finds the rise to be more than the scatter from epoch to epoch.
    """
    best, last = found.best, found.last
    text = course_lead(name, found)
    if best.epoch == last.epoch:
        return text
    points = 100 * (last.val_accuracy - best.val_accuracy)
    if found.rise < NOTABLE:
        return text + " That is little of either."
    dearer = found.last_cost > found.best_cost  # false where no image is wrong in one of the epochs
    if points <= -0.1:
        text += " More images are wrong"
    else:
        text += " Hardly more images are wrong" if points < -1e-9 else " No more images are wrong"
    if dearer and points > -0.1:
        text += (
            f", but the wrong ones cost more: {unlike(found.last_cost, found.best_cost, 1)} nats each on average "
            f"instead of {unlike(found.best_cost, found.last_cost, 1)}, "
            f"{unlike(found.last_cost / found.best_cost, 1, 2)} times as much"
        )
        sure = f"mean confidence {percent(best.val_confidence)}, then {percent(last.val_confidence)}"
        text += (
            f", as the network grew surer of all its guesses ({sure})."
            if last.val_confidence > best.val_confidence
            else "."
        )
    elif dearer:
        text += (
            f", and each costs more: {unlike(found.last_cost, found.best_cost, 1)} nats on average instead of "
            f"{unlike(found.best_cost, found.last_cost, 1)}."
        )
    else:
        text += "; each costs no more than before." if found.last_cost <= found.best_cost else "."
        text += _elsewhere(best, last)
    return text if overfits else text + " But this rise is not clearly more than the scatter from epoch to epoch."


def _elsewhere(best: EpochRow, last: EpochRow) -> str:
    """Return what else the loss rose by, where it is not that wrong images cost more."""
    parts = []
    if last.val_loss_correct > best.val_loss_correct:
        parts.append(
            f"the loss of the right images went from {best.val_loss_correct:.4f} to {last.val_loss_correct:.4f}"
        )
    if last.penalty > best.penalty:
        parts.append(f"the penalty of L2 went from {best.penalty:.4f} to {last.penalty:.4f}")
    if not parts:
        return ""
    text = listed(parts)
    return f" {text[0].upper()}{text[1:]}."


_SUMMARY: dict[Relation, str] = {
    "same": "loss and accuracy say the same of {}",
    "opposite": "they disagree on {}",
    "accuracy_only": "only the accuracy tells {} apart",
    "loss_only": "only the loss tells {} apart",
    "neither": "neither tells {} apart",
    "no_loss": "{} cannot be compared by loss, as there are no probabilities",
}


def relations_words(verdicts: Sequence[Verdict], names: Names) -> str:
    """Return in a sentence on which runs loss and accuracy agree; empty where nothing is compared."""
    if not verdicts:
        return ""
    parts = []
    for code, text in _SUMMARY.items():
        members = [names[item.run] for item in verdicts if relation(item) == code]
        if members:
            parts.append(text.format(listed(members)))
    return f"Against {names[verdicts[0].baseline]}, {'; '.join(parts)}."


def relation_words(verdict: Verdict, names: Names, costs: tuple[float, float] = (math.nan, math.nan)) -> str:
    """Return which of two runs is better by accuracy, which by loss, and why they differ.

    costs: the mean loss of a wrong image of the baseline and of the run, in nats; NaN where none is wrong.
    """
    base, run, accuracy, loss = names[verdict.baseline], names[verdict.run], verdict.accuracy, verdict.loss
    if loss is None:
        return f"{verdict_words(verdict, names)} {loss_verdict_words(verdict, names)}"
    if verdict.identical:
        return f"{run} and {base} give the same probabilities to every digit: neither loss nor accuracy differs."
    by_accuracy = (run, accuracy) if accuracy.answer == "better" else (base, accuracy.negated())
    by_loss = (run, loss.negated()) if loss.answer == "better" else (base, loss)
    points = f"{points_words(by_accuracy[1])}, {p_words(accuracy.p_adjusted, accuracy.comparisons)}"
    nats = f"{loss_words(by_loss[1])}, {p_words(loss.p_adjusted, loss.comparisons)}"
    open_points = f"{points_words(accuracy, sign=True)}, {p_words(accuracy.p_adjusted, accuracy.comparisons)}"
    open_nats = f"{loss_words(loss, sign=True)}, {p_words(loss.p_adjusted, loss.comparisons)}"
    match relation(verdict):
        case "same":
            return f"By accuracy and by loss {by_accuracy[0]} is better: {points} more right; loss {nats} lower."
        case "opposite":
            text = (
                f"They disagree: by accuracy {by_accuracy[0]} is better, by {points}; by loss {by_loss[0]} is, by "
                f"{nats}."
            )
        case "accuracy_only":
            text = f"By accuracy {by_accuracy[0]} is better, by {points}; "
            text += f"in loss they are too close to call ({open_nats})."
        case "loss_only":
            text = (
                f"By loss {by_loss[0]} is better, by {nats}; in accuracy they are {ANSWER_WORDS[accuracy.answer]} "
                f"({open_points})."
            )
        case _:
            return (
                f"{run} and {base} are {ANSWER_WORDS[accuracy.answer]} by accuracy ({open_points}) and too close to "
                f"call by loss ({open_nats})."
            )
    if all(math.isfinite(cost) for cost in costs):
        dear, cheap = (base, run) if costs[0] > costs[1] else (run, base)
        most, least = unlike(max(costs), min(costs), 1), unlike(min(costs), max(costs), 1)
        text += f" A wrong image costs {most} nats on average in {dear}, and {least} in {cheap}."
    return text
