"""Comparisons of trained runs in sentences: verdicts, what they leave open, and why a run is not compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_core.comparison.decide import POWER, Decision, detectable, narrowest
from mnist_core.comparison.verdicts import Comparison, Limit, Refusal, Verdict
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.numbers import (
    SMALLEST_P,
    listed,
    loss_words,
    margin_words,
    p_words,
    points_words,
)
from mnist_core.evaluation.statistics import Agreement
from mnist_core.text import data_name

Names = Mapping[str, str]
"""Run id → what to call it."""


def verdict_words(verdict: Verdict, names: Names) -> str:
    """Return the verdict by accuracy in a sentence or two."""
    return accuracy_words(verdict.accuracy, verdict.table, names[verdict.run], names[verdict.baseline])


def accuracy_words(item: Decision, table: Agreement, run: str, base: str) -> str:
    """Return a decision on two accuracies on the same images in a sentence or two, with the names of both models."""
    images = f"{table.images:,}"
    p = p_words(item.p_adjusted, item.comparisons)
    if table.discordant == 0:
        same = "are both right, or both wrong, on this one image"
        if table.images > 1:
            same = f"are right on the very same of these {images} images"
        return f"{run} and {base} {same}: no difference between them." + (
            f" They are equivalent within {margin_words(item.margin or 0)}."
            if item.answer == "equivalent"
            else f" Up to {100 * item.interval.high:.2f} points may still lie between them on other images."
        )
    if item.answer == "undecided":
        return (
            f"{run} and {base} are too close to call: a difference of {points_words(item, sign=True)} "
            f"could well arise by chance on these {images} images ({p})."
        )
    if item.answer == "equivalent":
        return (
            f"{run} and {base} are equivalent within {margin_words(item.margin or 0)}: the difference is "
            f"{points_words(item, sign=True)} on these {images} images."
        )
    lead = item if item.answer == "better" else item.negated()
    chance = "would hardly arise" if item.p_adjusted < SMALLEST_P else "would seldom arise"
    text = (
        f"{run} is {item.answer} than {base} by {points_words(lead)}; "
        f"a difference this large {chance} by chance on these {images} images ({p})."
    )
    return text + (f" It is less than the margin of {margin_words(item.margin or 0)}." if item.within_margin else "")


def open_words(verdict: Verdict) -> str:
    """Return what an undecided verdict leaves open, in a sentence; empty for a decided one."""
    return open_accuracy_words(verdict.accuracy, verdict.table)


def open_accuracy_words(item: Decision, table: Agreement) -> str:
    """Return what a decision on two accuracies leaves open, in a sentence; empty where it is decided."""
    if item.answer != "undecided":
        return ""
    images = table.images
    found, least = 100 * detectable(images, table.discordant, item.level), narrowest(images, item.level)
    text = (
        f"These {images:,} images would show a difference of {found:.2f} points in {100 * POWER:.0f} of 100 such "
        "tests; a smaller one would more often be missed."
    )
    if item.margin is not None and least >= item.margin:
        text += (
            f" Whatever the result, they cannot show that two models are within {margin_words(item.margin)}: "
            f"set a margin above {100 * least:.2f} points, or test on more images."
        )
    return text


def loss_verdict_words(verdict: Verdict, names: Names) -> str:
    """Return the verdict by loss in a sentence, and how it fits the one by accuracy."""
    base, run, item = names[verdict.baseline], names[verdict.run], verdict.loss
    if item is None:
        return f"By loss, {run} and {base} cannot be compared: one of them gives classes without probabilities."
    if verdict.identical:
        return f"By loss, {run} and {base} do not differ: they give the same probabilities to every digit."
    if not item.known:
        return f"By loss, {run} and {base} cannot be compared: every image has the same difference, so nothing varies."
    p = p_words(item.p_adjusted, item.comparisons)
    if not item.differs:
        return f"By loss, {run} and {base} are too close to call: a difference of {loss_words(item, sign=True)} ({p})."
    lower = item.answer == "better"
    change = f"{'lower' if lower else 'higher'} by {loss_words(item.negated() if lower else item)} ({p})"
    if not verdict.accuracy.differs:
        return f"By loss, {run} is {item.answer}: {change}."
    if verdict.answer == item.answer:
        return f"Its loss says the same: {change}."
    often, much = ("wrong", "more") if lower else ("right", "less")
    return f"But its loss is {change}: {often} more often, it gives the true digits {much} probability on the whole."


def limit_words(limit: Limit, names: Names) -> str:
    """Return what a verdict does not cover, in a sentence."""
    match limit.code:
        case "one_training":
            return (
                "One training of each: the verdict is about these two trained networks. Another seed would give "
                "others; whether one recipe is better than the other, only several seeds a side can tell."
            )
        case "test_validation":
            return (
                f"{listed([names[run] for run in limit.runs])} used the test images for validation too: whatever was "
                "chosen by looking at that curve (epochs, settings) makes the test accuracy look better than it would "
                "be on new digits."
            )
        case "few_images":
            return (
                f"The loss is the mean of a few large values. On {limit.count:,} images the interval of a difference "
                "in loss is too narrow: drawn from shipped runs, 81 to 97 of 100 such 95 % intervals held the true one."
            )
        case _:
            return (
                f"{limit.count} runs are compared with {names[limit.runs[0]]} at once, which gives chance more "
                "opportunities: the p values are adjusted for that, and each interval has the level at which it was "
                "tested (Holm's method)."
            )


def refusal_words(item: Refusal, names: Names) -> str:
    """Return why a run is not compared, without a full stop at the end."""
    base, run, which = names[item.baseline], names[item.run], names.get(item.which, "")
    data = [data_name(name) for name in item.data]
    match item.code:
        case "other_data":
            what = (
                f"on {data[0]} and {run} on {data[1]}"
                if data[0] != data[1]
                else f"and {run} on different data, both called {data[0]} (fingerprints "
                f"{item.fingerprints[0]} and {item.fingerprints[1]})"
            )
            return (
                f"{base} was tested {what}: their accuracies are of different images and cannot be compared; "
                "train both on the same data"
            )
        case "live":
            return f"{which} is {item.state} and has no test result yet; wait until it has ended"
        case "no_result":
            return f"{which} is {item.state} and has no test result; train it again"
        case "no_epoch":
            return (
                f"no predictions of the {item.chosen} epoch ({item.epoch}) of {which} are stored; "
                "choose the kept epoch, or train it again"
            )
        case "not_stored":
            return f"{which} is {item.state} without stored predictions; train it again"
        case "other_count":
            return (
                f"one run was tested on {item.counts[0]:,} images and the other on {item.counts[1]:,}; "
                "only runs tested on the same images can be compared image by image"
            )
        case "other_images":
            return (
                f"{base} and {run} were recorded with different test images, although both call them "
                f"{data[0]}; record both with the same images, in the same order"
            )
        case "other_classes":
            return (
                f"{base} has {item.counts[0]} classes and {run} {item.counts[1]}, or they are named or ordered "
                "otherwise; record both with the same names in the same order"
            )
        case "one_image":
            return f"{item.counts[0]} test image cannot tell two models apart; use more test images"
        case _:
            return (
                "the labels of the test images are not the same, or not in the same order; "
                "train both runs on the same data, and compare those"
            )


def verdict_json(verdict: Verdict, names: Names) -> dict[str, Any]:
    """Return a verdict as plain data, with its sentences."""
    pair = names[verdict.baseline], names[verdict.run]
    return {
        "baseline": verdict.baseline,
        "run": verdict.run,
        "epochs": list(verdict.epochs),
        "table": verdict.table._asdict() | {"images": verdict.table.images},
        "accuracy": verdict.accuracy.to_json(),
        "loss": verdict.loss.to_json() if verdict.loss else None,
        "exact_p": verdict.exact_p,
        "mid_p": verdict.mid_p,
        "comparisons": verdict.comparisons,
        "p_adjusted": verdict.accuracy.p_adjusted,
        "loss_p_adjusted": verdict.loss.p_adjusted if verdict.loss else None,
        "outcome": verdict.answer,
        "loss_outcome": verdict.loss_answer,
        "sentence": verdict_words(verdict, names),
        "loss_sentence": loss_verdict_words(verdict, names),
        "limits": [limit_words(item, names) for item in verdict.limits],
        "concerns": [
            {"topic": item.topic, "severity": item.severity, "sentence": concern_words(item, pair)}
            for item in verdict.concerns
        ],
    }


def comparison_json(comparison: Comparison, names: Names) -> dict[str, Any]:
    """Return a comparison as plain data, with its sentences."""
    return {
        "baseline": comparison.baseline,
        "epoch": comparison.chosen,
        "margin": comparison.margin,
        "verdicts": [verdict_json(item, names) for item in comparison.verdicts],
        "refused": [
            {"baseline": item.baseline, "run": item.run, "code": item.code, "reason": refusal_words(item, names)}
            for item in comparison.refusals
        ],
    }
