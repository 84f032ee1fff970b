"""Answers, "I don't know" and cascades in sentences."""

from __future__ import annotations

from mnist_core.comparison.abstention import Abstaining, Cascade
from mnist_core.comparison.decide import Decision
from mnist_core.comparison.words.numbers import ANSWER_WORDS, percent, points_words, unlike


def chosen_words(*, halved: bool, images: int) -> str:
    """Return on which images a threshold is chosen and on which it is measured. images: those measured on."""
    if halved:
        return (
            "Not every run here held out validation images, so every second test image is used to choose the "
            f"threshold, and the other {images:,} to measure what it does."
        )
    return f"The threshold is chosen on each run's own validation images, and measured on the {images:,} test images."


def answered_words(name: str, found: Abstaining, threshold: float | None, wanted: float) -> str:
    """Return what a model answers with its threshold, and how often it is right. wanted: the accuracy asked for."""
    goal = f"{100 * wanted:g} %"
    if threshold is None or found.accuracy is None or found.interval is None:
        return f"{name} answers nothing: no confidence of it was right {goal} of the time on the images to choose on."
    low, high = found.interval
    answered = (
        f"all images, as it is at least {_sure(threshold)} sure of each"
        if found.share == 1
        else f"the {percent(found.share)} of the images of which it is at least {_sure(threshold)} sure"
    )
    sentence = (
        f"{name} answers {answered}, and is right on {percent(found.accuracy)} of them "
        f"[{100 * low:.2f}, {100 * high:.2f}]"
    )
    if high < wanted:
        return sentence + f": less than the {goal} asked for, which held on the images to choose on only."
    return sentence + "."


def compared_words(name: str, base: str, decision: Decision) -> str:
    """Return whether a model answers more images rightly than the baseline, in a sentence."""
    answers = {
        "better": f"{name} answers more images rightly than {base}",
        "worse": f"{name} answers fewer images rightly than {base}",
        "equivalent": f"{name} and {base} answer about as many images rightly",
        "undecided": f"Whether {name} or {base} answers more images rightly is too close to call",
    }
    return f"{answers[decision.answer]}: {points_words(decision, sign=True)}."


def cascade_words(found: Cascade, first: str, second: str) -> str:
    """Return how a cascade does, in a sentence."""
    low, high = found.interval
    passed = (
        f"the {unlike(100 * found.passed, 0, 1)} % of the images of which {first} is less than "
        f"{_sure(found.threshold)} sure"
        if found.passed
        else "none of the images"
    )
    return (
        f"{first} first, {second} for {passed}: right on {percent(found.accuracy)} "
        f"[{100 * low:.2f}, {100 * high:.2f}]. Against {first} alone: {decided_words(found.against_first)}. "
        f"Against {second} alone: {decided_words(found.against_second)}."
    )


def cost_words(found: Cascade, second: str, operations: tuple[int, int]) -> str:
    """Return what a cascade costs against its second model alone. operations: of both models, for an image."""
    cost = found.operations or 0.0
    number, percents = f"{cost:,.0f} multiplications on average", 100 * abs(1 - cost / operations[1])
    if percents < 0.5:
        return f"An image costs {'about ' if percents else ''}as much as with {second} alone: {number}."
    ratio = f"{unlike(percents, 100, 0)} % fewer than" if cost < operations[1] else f"{percents:.0f} % more than"
    return f"An image costs {number}, {ratio} with {second} alone."


def decided_words(item: Decision) -> str:
    """Return a decision as a part of a sentence or a cell of a table, such as ``better, +0.74 points [0.41, 1.07]``."""
    return f"{ANSWER_WORDS[item.answer]}, {points_words(item, sign=True)}"


def _sure(threshold: float) -> str:
    """Return a confidence in per cent with as many digits as tell it from 100 %."""
    return f"{unlike(100 * min(threshold, 1), 100, 1)} %"
