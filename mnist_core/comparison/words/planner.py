"""Sentences on what would settle an undecided comparison."""

from __future__ import annotations

from typing import Any

from mnist_core.comparison.decide import POWER
from mnist_core.comparison.planner import MOST_MORE, Plan
from mnist_core.comparison.words.numbers import margin_words
from mnist_core.comparison.words.verdicts import Names

_OFTEN = f"in {100 * POWER:.0f} of 100 such comparisons"


def plan_words(plan: Plan, names: Names, time: str = "") -> str:
    """Return what would settle it in a few sentences; `time` is how long the training takes, such as ``6 min``."""
    wanted, both = margin_words(plan.wanted), f"{names[plan.run]} and {names[plan.baseline]}"
    shows = f"show a difference of {wanted} {_OFTEN}"
    match plan.code:
        case "seeds":
            seeds = f"{plan.more} more seed{'' if plan.more == 1 else 's'} of each of {both}"
            text = f"{seeds}{f' (about {time})' if time else ''} would {shows}."
        case "images":
            text = f"No number of seeds of {both} would {shows}, as these {plan.images:,} images are too few."
        case _:
            text = f"More than {MOST_MORE} more seeds of each of {both} would be needed to {shows}."
    if plan.detectable is not None and plan.detectable < 1:
        text += f" Those that are there show one of {100 * plan.detectable:.2f} points as often."
    if plan.pooled is not None:
        recipes = f"{plan.pooled.recipes} other recipe{'' if plan.pooled.recipes == 1 else 's'}"
        data = "these data" if plan.pooled.same_data else "other data"
        text += f" One seed has no spread: that between seeds is taken from {recipes} on {data}."
    return text


def plan_json(plan: Plan, names: Names, *, seconds: float | None, command: str) -> dict[str, Any]:
    """Return a plan as plain data, with its sentence; `seconds` is how long the training takes, None if not known."""
    return {
        "baseline": plan.baseline,
        "run": plan.run,
        "code": plan.code,
        "wanted": plan.wanted,
        "images": plan.images,
        "seeds": list(plan.seeds),
        "more": plan.more,
        "detectable": plan.detectable,
        "pooled_recipes": plan.pooled.recipes if plan.pooled else None,
        "seconds": seconds,
        "command": command,
        "sentence": plan_words(plan, names),
    }
