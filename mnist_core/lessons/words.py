"""What became of a prediction, in sentences."""

from __future__ import annotations

from mnist_core.lessons.answers import Closeness
from mnist_core.lessons.quantities import Unit
from mnist_core.text import with_minus


def number_words(found: float, unit: Unit) -> str:
    """Return a predicted number as sentences write it, such as ``50,000`` or ``97.5 %``."""
    text = f"{found:,.0f}" if unit in ("count", "epoch") else f"{found:,.6g}"
    return with_minus(text) + {"%": " %", "points": " points", "seconds": " seconds"}.get(unit, "")


def outcome_words(found: Closeness, prediction: str, answer: str) -> str:
    """Return what became of a prediction of a number, in a sentence; both are given as they are written."""
    if found == "right":
        return f"Your prediction is right: it is {answer}."
    if found == "close":
        return f"Your prediction, {prediction}, is close: it is {answer}."
    return f"You predicted {prediction}; it is {answer}."


def choice_words(found: Closeness, prediction: str, answer: str) -> str:
    """Return what became of a choice, in a sentence or two; both are given in the words of the choices."""
    predicted, true = prediction.rstrip("."), answer.rstrip(".")
    if found == "right":
        return f"Your prediction is right: “{true}”."
    return f"You predicted “{predicted}”. The answer is “{true}”."
