"""Verdicts as cells of a table: each holds the answer of its decision, and the decision's own figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_core.comparison.comparability import Concern
from mnist_core.comparison.decide import Decision, decide, decide_one
from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.verdicts import Verdict
from mnist_core.comparison.words.numbers import ANSWER_WORDS
from mnist_core.comparison.words.verdict_rows import accuracy_cell, loss_cell, recipe_cell, undermined_by
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, MeanDifference, superiority

TABLE = Agreement(both_right=900, only_baseline=10, only_run=60, both_wrong=30)


def verdict(table: Agreement = TABLE, loss: Decision | None = None, **changes: Any) -> Verdict:
    (accuracy,) = decide([AccuracyDifference(table)], margin=None)
    item = Verdict("a", "b", (1, 1), table, accuracy, loss, 0.1, 0.1, identical=False, limits=(), concerns=())
    return replace(item, **changes)


def test_a_cell_has_the_answer_and_its_figures() -> None:
    cell = accuracy_cell(verdict())
    assert cell.answer == "better"
    assert cell.figures.startswith("+5.00 points [")
    assert cell.figures.endswith("p < 0.001")
    same = Agreement(both_right=900, only_baseline=20, only_run=21, both_wrong=59)
    assert accuracy_cell(verdict(same)).answer == "too close to call"


@pytest.mark.parametrize(("difference", "answer"), [(-0.1, "better"), (0.1, "worse"), (0.0001, "too close to call")])
def test_by_loss_less_is_better(difference: float, answer: str) -> None:
    item = verdict(loss=decide_one(MeanDifference(difference, 0.01, 999), lower_is_better=True))
    cell = loss_cell(item)
    assert cell.answer == answer == ANSWER_WORDS[item.loss.answer]  # type: ignore[union-attr]
    assert cell.figures.startswith(f"{difference:+.4f} [".replace("-", "−"))


def test_where_nothing_can_be_decided_the_cell_says_why() -> None:
    assert loss_cell(verdict()).answer == "no probabilities"
    loss = decide_one(MeanDifference(0.0, 0.01, 999))
    assert loss_cell(verdict(loss=loss, identical=True)).answer == "the same probabilities"
    few = RecipeVerdict("a", "b", (0.9,), (0.8, 0.7), reason="few_seeds")
    assert recipe_cell(few) == ("too few seeds", "2 and 1 seeds")
    assert recipe_cell(None).answer == "–"


def test_recipes_are_answered_by_their_own_decision() -> None:
    values = (0.90, 0.91, 0.92), (0.95, 0.96, 0.97)
    difference = float(np.mean(values[1]) - np.mean(values[0]))
    decision = decide_one(MeanDifference(difference, 0.005, 4))
    cell = recipe_cell(RecipeVerdict("a", "b", *values, decision=decision, superiority=superiority(*values)))
    assert cell.answer == ANSWER_WORDS[decision.answer] == "better"
    assert cell.figures.startswith("+5.00 points [")
    assert cell.figures.endswith("3 and 3 seeds")


def test_only_what_undermines_is_named_and_once() -> None:
    concerns = (
        Concern("validation", "undermines", "validation"),
        Concern("validation", "undermines", "split"),
        Concern("epochs", "worth knowing", "epochs"),
    )
    assert undermined_by(verdict(concerns=concerns)) == ["validation"]
