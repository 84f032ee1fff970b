"""A verdict as cells of a table, for where several runs are compared: an answer, and the figures behind it."""

from __future__ import annotations

from typing import NamedTuple

from mnist_core.comparison.recipe_verdicts import Reason, RecipeVerdict
from mnist_core.comparison.verdicts import Verdict
from mnist_core.comparison.words.numbers import ANSWER_WORDS, loss_words, p_words, points_words

REASONS: dict[Reason, str] = {
    "few_seeds": "too few seeds",
    "not_stored": "too few results stored",
    "one_parent": "seeds of one parent",
    "no_spread": "no spread",
}


class AnswerCell(NamedTuple):
    """An answer in a word or two, and the figures behind it; the figures are empty where there are none."""

    answer: str
    figures: str = ""


def accuracy_cell(item: Verdict) -> AnswerCell:
    """Return the answer by accuracy, and the difference in points with its interval and its adjusted p value."""
    found = item.accuracy
    return AnswerCell(ANSWER_WORDS[item.answer], f"{points_words(found, sign=True)}, {p_words(found.p_adjusted)}")


def loss_cell(item: Verdict) -> AnswerCell:
    """Return the answer by loss, and the difference with its interval and its adjusted p value."""
    found = item.loss
    if found is None:
        return AnswerCell("no probabilities")
    if item.identical:
        return AnswerCell("the same probabilities")
    if not found.known or item.loss_answer is None:
        return AnswerCell("no spread")
    return AnswerCell(ANSWER_WORDS[item.loss_answer], f"{loss_words(found, sign=True)}, {p_words(found.p_adjusted)}")


def recipe_cell(item: RecipeVerdict | None) -> AnswerCell:
    """Return the answer on the recipes with its figures, or why there is none."""
    if item is None:
        return AnswerCell("–")
    first, second = item.samples
    seeds = f"{second.n} and {first.n} seeds"
    if item.decision is None or item.answer is None:
        return AnswerCell(REASONS[item.reason] if item.reason else "–", seeds)
    figures = f"{points_words(item.decision, sign=True)}, {p_words(item.decision.p_adjusted)}, {seeds}"
    return AnswerCell(ANSWER_WORDS[item.answer], figures)


def undermined_by(item: Verdict) -> list[str]:
    """Return the topics of what undermines a verdict, such as ``validation``."""
    return list(dict.fromkeys(found.topic for found in item.concerns if found.severity == "undermines"))
