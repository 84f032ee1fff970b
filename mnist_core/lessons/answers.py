"""How near a prediction is to the answer."""

from __future__ import annotations

from typing import Literal

from mnist_core.lessons.lesson import Lesson
from mnist_core.lessons.quantities import QuantityValue, Unit

Closeness = Literal["right", "close", "off"]

EXACT: dict[Unit, float] = {"count": 0.5, "epoch": 0.5, "%": 0.005, "points": 0.005, "loss": 0.00005, "times": 0.05}
"""A number this near to the answer is the same number as it is written."""

CLOSE: dict[Unit, float] = {"%": 1.0, "points": 0.5, "epoch": 2.0}
"""A number this near is close, if the lesson does not say how near that is; of other units it is a tenth of it."""


def outcome(lesson: Lesson, prediction: float | str, answer: QuantityValue) -> Closeness:
    """Return how near a prediction is: a number in the unit of the answer, or the code of a choice."""
    if lesson.kind == "choice" or isinstance(prediction, str) or answer.number is None:
        return "right" if prediction == answer.code else "off"
    unit = lesson.wanted.quantity.unit
    apart = abs(prediction - answer.number)
    if apart <= EXACT.get(unit, 0.05):
        return "right"
    near = lesson.question.near
    return "close" if apart <= (CLOSE.get(unit, abs(answer.number) / 10) if near is None else near) else "off"
