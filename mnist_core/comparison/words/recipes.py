"""Comparisons of recipes over their seeds in sentences."""

from __future__ import annotations

from typing import Any

from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.words.numbers import listed, margin_words, p_words, points_words, sample_words
from mnist_core.comparison.words.verdicts import Names
from mnist_core.evaluation.statistics import FEWEST_SEEDS


def recipe_words(item: RecipeVerdict, names: Names) -> str:
    """Return which recipe is better and the evidence, or why no decision is possible."""
    base, run = names[item.baseline], names[item.run]
    first, second = item.samples
    if item.reason == "few_seeds":
        return (
            f"Whether {run} is better than {base} as a recipe, {second.n} finished seed"
            f"{'' if second.n == 1 else 's'} of the one and {first.n} of the other can't tell: train at least "
            f"{FEWEST_SEEDS} of each."
        )
    if item.reason == "not_stored":
        return (
            f"Whether {run} is better than {base} as a recipe can't be told by the {item.chosen} epoch: its results "
            f"are stored for {second.n} seed{'' if second.n == 1 else 's'} of the one and {first.n} of the other only, "
            f"of at least {FEWEST_SEEDS} finished ones each. The kept epoch has more."
        )
    if item.reason == "one_parent":
        who = listed([names[one] for one in item.continued])
        return (
            f"Whether {run} is better than {base} as a recipe, these seeds can't tell: those of {who} all went on from "
            "one trained network, so their spread is that of the continuation only."
        )
    figures = f"{run} {sample_words(second)}, {base} {sample_words(first)} (mean ± standard deviation)"
    if item.decision is None:
        return (
            f"Whether {run} is better than {base} as a recipe, these seeds can't tell: their accuracies have no "
            f"spread, so nothing is known of what chance does. {figures}."
        )
    pairs = first.n * second.n
    wins = item.superiority or 0.0
    return (
        f"{recipe_answer(item, names)} {figures}. A seed of {run} beats one of {base} in {wins * pairs:g} of the "
        f"{pairs} pairs (ties count half)."
    )


def recipe_answer(item: RecipeVerdict, names: Names) -> str:
    """Return which recipe is better in one sentence; empty if no decision is possible."""
    if item.decision is None:
        return ""
    base, run, decision = names[item.baseline], names[item.run], item.decision
    holds = "holds seeds and test images" if item.with_images else "holds the seeds, on these test images only"
    how = f"({p_words(decision.p_adjusted, decision.comparisons)}; the interval {holds})"
    if decision.answer == "undecided":
        return (
            f"As recipes, {run} and {base} are too close to call: a difference of "
            f"{points_words(decision, sign=True)} {how}."
        )
    if decision.answer == "equivalent":
        return (
            f"As recipes, {run} and {base} are equivalent within {margin_words(decision.margin or 0)}: a difference of "
            f"{points_words(decision, sign=True)} {how}."
        )
    lead = decision if decision.answer == "better" else decision.negated()
    return f"As a recipe, {run} is {decision.answer} than {base} by {points_words(lead)} {how}."


def recipe_json(item: RecipeVerdict, names: Names) -> dict[str, Any]:
    """Return the verdict as plain data, with its sentence; a standard deviation of one value is None."""
    first, second = (one.to_json() for one in item.samples)
    return {
        "baseline": item.baseline,
        "run": item.run,
        "baseline_values": list(item.baseline_values),
        "values": list(item.values),
        "baseline_sample": first,
        "sample": second,
        "difference": item.decision.to_json() if item.decision else None,
        "p_adjusted": item.decision.p_adjusted if item.decision else None,
        "superiority": item.superiority,
        "outcome": item.answer,
        "reason": item.reason,
        "with_images": item.with_images,
        "sentence": recipe_words(item, names),
    }
