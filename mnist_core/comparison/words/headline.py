"""A whole comparison in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mnist_core.comparison.decide import ANSWERS, Answer
from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.verdicts import Comparison
from mnist_core.comparison.words.numbers import ANSWER_WORDS, listed
from mnist_core.comparison.words.recipes import recipe_answer
from mnist_core.comparison.words.verdicts import Names, verdict_words

MANY, NAMED = 3, 2
"""Of more than `MANY` runs against the baseline, an answer that more than `NAMED` of them have is given as a number."""


def in_headline(recipe: RecipeVerdict) -> bool:
    """True if the verdict on recipes stands in the headline: its interval holds the chance of seeds and images."""
    return recipe.decision is not None and recipe.with_images


def headline(comparison: Comparison, names: Names, recipes: Sequence[RecipeVerdict] = ()) -> str:
    """Return the answer in one sentence; empty where nothing is compared.

    Of each run, it is the verdict on its recipe where both recipes have enough seeds, else that on the trained network.
    Of many runs, long lists of names are counts.
    """
    text = _answers(comparison, names, recipes)
    return text + changed_words(comparison, names) if text else ""


def changed_words(comparison: Comparison, names: Names) -> str:
    """Return that runs were changed by hand while they were trained, in a sentence after others; empty for none."""
    found = {
        (item.baseline, item.run)[concern.which]: None
        for item in comparison.verdicts
        for concern in item.concerns
        if concern.code == "changed"
    }
    if not found:
        return ""
    was = "was" if len(found) == 1 else "were"
    return (
        f" But {listed([names[run] for run in found])} {was} changed by hand during training: this is no clean "
        "comparison of two configurations."
    )


def _answers(comparison: Comparison, names: Names, recipes: Sequence[RecipeVerdict]) -> str:
    verdicts = comparison.verdicts
    by_recipe = {item.run: item for item in recipes if in_headline(item)}
    if len(verdicts) < 2:
        return "".join(
            recipe_answer(by_recipe[item.run], names) if item.run in by_recipe else verdict_words(item, names)
            for item in verdicts
        )
    as_recipes = {run: item.decision.answer for run, item in by_recipe.items() if item.decision}
    as_networks = {item.run: item.answer for item in verdicts if item.run not in as_recipes}
    base = names[comparison.baseline]
    if not as_recipes:
        return f"Against {base}: {_groups(as_networks, names)}."
    text = f"Against {base}, as recipes: {_groups(as_recipes, names)}."
    return text + (f" As trained networks: {_groups(as_networks, names)}." if as_networks else "")


def _groups(answers: Mapping[str, Answer], names: Names) -> str:
    parts = []
    for answer in ANSWERS:
        members = [names[run] for run, own in answers.items() if own == answer]
        if members:
            who = listed(members) if len(answers) <= MANY or len(members) <= NAMED else f"{len(members)} others"
            parts.append(f"{who} {'is' if len(members) == 1 else 'are'} {ANSWER_WORDS[answer]}")
    return "; ".join(parts)
