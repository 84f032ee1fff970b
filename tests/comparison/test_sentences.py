"""Every sentence that depends on results is listed with what it rests on, and is held to its numbers on random results.

A function that makes sentences and is missing from `RESTS_ON` fails here: whoever adds one says what it rests on and
which test would notice if it claimed something else.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mnist_core.comparison.decide import ALPHA, Decision, decide, decide_one, detectable, narrowest
from mnist_core.comparison.disagreements import Counts
from mnist_core.comparison.held_out import HeldOutGap
from mnist_core.comparison.loss_or_accuracy import NOTABLE, course
from mnist_core.comparison.production import COSTS, Candidate, dominated_by, rank, recommend
from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.verdicts import Verdict
from mnist_core.comparison.words.disagreements import disagreement_words
from mnist_core.comparison.words.held_out import gap_words
from mnist_core.comparison.words.loss_or_accuracy import course_sentence, relation_words, relations_words
from mnist_core.comparison.words.numbers import p_words
from mnist_core.comparison.words.production import (
    COST_WORDS,
    networks_only_words,
    reason_words,
    recommendation_reasons,
    recommendation_words,
    selection_words,
)
from mnist_core.comparison.words.recipes import recipe_answer, recipe_words
from mnist_core.comparison.words.verdicts import (
    accuracy_words,
    loss_verdict_words,
    open_accuracy_words,
    open_words,
    verdict_words,
)
from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, MeanDifference, superiority
from mnist_core.published.reproduction import SweepWinner
from mnist_core.published.words import winner_words
from tests.support.synthetic import row

ROOT = Path(__file__).parents[2]

HERE = "tests/comparison/test_sentences.py"
DIAGNOSIS, EXAMPLE = (
    "tests/comparison/test_diagnosis.py",
    r"all else equal: with dropout \(dropout 0.3, lowest",
)
BOARD = "tests/comparison/test_board.py"
ABSTENTION = "tests/comparison/test_abstention.py"
ROWS = "tests/comparison/test_verdict_rows.py"
EXAMS = "tests/dashboard/test_exams_page.py"
PUBLISHED = "tests/published/test_published.py"
RESTS_ON: dict[str, dict[str, tuple[str, ...]]] = {
    # function of a module of words: what its sentences rest on, the test file that holds them to it, and what of it
    # stands there, as a pattern, if not the function's name
    "comparison/diagnosis/words.py": {
        "words": ("numbers of a Finding, by the claims of its Template", "tests/comparison/test_diagnosis_words.py"),
        "suggestion_sentence": ("suggestions of a Finding", "tests/comparison/test_diagnosis_words.py"),
        "example_lead": ("the change that was made", DIAGNOSIS, EXAMPLE),
        "example_end": ("lowest validation losses of both runs", DIAGNOSIS, EXAMPLE),
        "example_sentence": ("lowest validation losses of both runs", DIAGNOSIS, EXAMPLE),
    },
    "comparison/words/abstention.py": {
        "chosen_words": ("how the images were split", ABSTENTION),
        "answered_words": ("what a model answers with a threshold", ABSTENTION),
        "compared_words": ("the decision on the images answered rightly", ABSTENTION),
        "cascade_words": ("a Cascade", ABSTENTION),
        "decided_words": ("a decision", ABSTENTION, "better, "),
        "cost_words": ("multiplications of a Cascade and of both models", ABSTENTION),
    },
    "comparison/words/board.py": {
        "lead_words": ("the places of BoardLines", BOARD),
        "place_words": ("the place of a BoardLines", BOARD),
        "rules_words": ("how the board is ordered", BOARD),
    },
    "comparison/words/captions.py": {
        "largest_layer_words": ("parameters of each layer", "tests/comparison/test_captions.py"),
        "wrong_share_words": ("val_loss_wrong, val_loss_correct, val_accuracy", "tests/comparison/test_captions.py"),
        "wrong_cost_words": ("val_loss_wrong and val_accuracy, first and last", "tests/comparison/test_captions.py"),
    },
    "comparison/words/changes.py": {
        "changes_words": ("values of Changes", "tests/jobs/test_changing.py", "dropout 0.2 → 0.5"),
    },
    "comparison/words/comparability.py": {
        "concern_words": ("values of a Concern", "tests/comparison/test_verdicts.py"),
        "other_data_words": (
            "datasets of the runs",
            "tests/dashboard/test_compare_page.py",
            "tested on other images, and is not compared",
        ),
    },
    "comparison/words/disagreements.py": {
        "disagreement_words": ("Counts", HERE),
        "confusion_change_words": ("decisions on the confusions", "tests/comparison/test_disagreements.py"),
        "class_change_words": ("decisions on the digits", "tests/comparison/test_disagreements.py"),
    },
    "comparison/words/exams.py": {
        **dict.fromkeys(("count_words", "robust_words"), ("answers of the decisions on exams", EXAMS)),
        "corrected_words": ("the number of comparisons", EXAMS),
    },
    "comparison/words/headline.py": {
        "headline": ("answers of the decisions", "tests/comparison/test_verdicts.py"),
        "changed_words": ("which runs were changed", "tests/jobs/test_changing.py", "was changed by hand during"),
    },
    "comparison/words/verdict_rows.py": {"undermined_by": ("concerns of a Verdict", ROWS)},
    "comparison/words/held_out.py": {"gap_words": ("both accuracies of a HeldOutGap", HERE)},
    "comparison/words/loss_or_accuracy.py": {
        "course_lead": ("the rows of the best and the last epoch", HERE, "course_sentence"),
        "course_sentence": ("the rows of the best and the last epoch", HERE),
        "relations_words": ("answers of both decisions", HERE),
        "relation_words": ("both decisions, and the costs of a wrong image", HERE),
    },
    "comparison/words/planner.py": {"plan_words": ("a Plan", "tests/comparison/test_planner.py")},
    "comparison/words/production.py": {
        "recommendation_words": ("decisions, costs and accuracies of all candidates", HERE),
        "recommendation_reasons": ("decisions, costs and accuracies of all candidates", HERE),
        "reason_words": ("decisions, costs and accuracies of all candidates", HERE),
        "networks_only_words": ("which candidates have decisions on recipes", HERE),
        "selection_words": ("the number of candidates", HERE),
        "share_words": ("a ratio of costs", "tests/comparison/test_production.py"),
    },
    "comparison/words/recipes.py": {
        "recipe_words": ("values and decision of a RecipeVerdict", HERE),
        "recipe_answer": ("the decision of a RecipeVerdict", HERE),
    },
    "comparison/words/selection.py": {
        "chosen_words": ("candidates and metric of a Selection", "tests/studies/test_selections.py"),
        "within_words": ("within of a Selection", "tests/studies/test_selections.py", "within noise"),
        "lead_words": ("lead and noise of a Selection", "tests/studies/test_selections.py"),
        "winner_words": ("a Selection that won", "tests/studies/test_selections.py", "was chosen among"),
        "passed_words": (
            "a Selection that was passed over",
            "tests/studies/test_selections.py",
            r"selection\(won=False\)",
        ),
        "looked_at_words": ("a count", "tests/studies/test_selections.py"),
        "selection_words": ("a Selection", "tests/studies/test_selections.py"),
    },
    "comparison/words/test_set.py": {"uses_words": ("counts of uses", "tests/runs/test_test_set_uses.py")},
    "comparison/words/verdicts.py": {
        "verdict_words": ("the decision by accuracy and McNemar's table", HERE),
        "accuracy_words": ("a decision and McNemar's table", HERE),
        "open_words": ("the detectable difference of McNemar's table", HERE),
        "open_accuracy_words": ("the detectable difference of McNemar's table", HERE),
        "loss_verdict_words": ("both decisions", HERE),
        "limit_words": ("a Limit", "tests/comparison/test_verdicts.py"),
        "refusal_words": ("a Refusal", "tests/comparison/test_verdicts.py"),
    },
    "data/words.py": {
        "leak_words": ("counts of a DataCheck", "tests/data/test_duplicates.py"),
        "label_words": ("counts of a DataCheck", "tests/data/test_duplicates.py"),
        "repeat_words": ("counts of a DataCheck", "tests/data/test_duplicates.py"),
        "check_words": ("counts of a DataCheck", "tests/data/test_duplicates.py"),
    },
    "evaluation/words.py": {
        "known_error_words": ("a LabelError", "tests/evaluation/test_label_errors.py"),
    },
    "lessons/words.py": dict.fromkeys(
        ("number_words", "outcome_words", "choice_words"),
        ("the prediction and the answer, as they are written", "tests/lessons/test_quantities.py"),
    ),
    "published/words.py": {
        "verdict": ("the outcome of a Row", PUBLISHED, "Reproduces: test accuracy is"),
        "reason": ("gaps and limits of a Row", PUBLISHED, r"0\.03 points below what is published"),
        "winner_words": ("a Winner", HERE),
        **dict.fromkeys(("sentence", "short"), ("gaps and limits of a Row", PUBLISHED)),
        **dict.fromkeys(("summary", "left_out"), ("counts of rows", PUBLISHED)),
        "source_errors": ("what the presets note of their sources", PUBLISHED),
    },
}
NUMBERS_ONLY = {
    "comparison/words/numbers.py", "comparison/words/settings.py", "comparison/words/__init__.py",
}  # fmt: skip
"""These write numbers and names, and claim nothing."""
FIGURES = {
    "figure_words",
    "figure_lines",
    "spread_words",
    "claim_words",
    "percent_words",
    "claims",
    "reasons",
    "lowest_loss",
    "template_of",
}
"""Functions of the same modules that give numbers, names or data."""


def test_every_function_that_makes_sentences_says_what_they_rest_on() -> None:
    found = {}
    for path in (ROOT / "mnist_core").rglob("*.py"):
        place = path.relative_to(ROOT / "mnist_core").as_posix()
        if (path.name == "words.py" or path.parent.name == "words") and place not in NUMBERS_ONLY:
            functions = [item for item in ast.parse(path.read_text()).body if isinstance(item, ast.FunctionDef)]
            found[place] = {
                item.name
                for item in functions
                if not item.name.startswith("_") and item.name not in FIGURES and item.returns is not None
                and ast.unparse(item.returns) in ("str", "Words", "list[str]", "list[tuple[str, str]]")
            }  # fmt: skip
    assert found == {place: set(functions) for place, functions in RESTS_ON.items()}


def test_the_tests_that_are_named_exist_and_reach_the_sentences() -> None:
    for place, functions in RESTS_ON.items():
        for name, (numbers, test, *phrase) in functions.items():
            text = (ROOT / test).read_text()
            assert numbers
            mark = phrase[0] if phrase else rf"\b{name}\("
            assert re.search(mark, text), f"{test} does not hold {name} of {place} to anything"


def test_the_winner_of_a_study_is_described_by_how_it_was_chosen() -> None:
    winner = SweepWinner("a", "128-128 tanh", 0.9782, "validation_loss", "tuning/best_mlp")
    assert winner_words(winner) == "128-128 tanh (the lowest validation loss), at 97.82 %"
    assert "(the best on held-out images)" in winner_words(replace(winner, by="held_out"))


# -- random results ----------------------------------------------------------------------------------------------------

NAMES = {"a": "first", "b": "second"}
margins = st.sampled_from([0.0005, 0.002, 0.01, 0.05])


@st.composite
def tables(draw: st.DrawFn) -> Agreement:
    images = draw(st.sampled_from([20, 355, 1_000, 10_000]))
    lost, gained = draw(st.integers(0, min(images // 3, 200))), draw(st.integers(0, min(images // 3, 200)))
    wrong = draw(st.integers(0, (images - lost - gained) // 2))
    return Agreement(images - lost - gained - wrong, lost, gained, wrong)


def numbers_of(text: str) -> tuple[float, float, float]:
    """Return the first difference in a sentence with the ends of its interval."""
    found = re.search(r"(?:by|of|is) ([+−]?[\d.]+)(?: points)? \[(−?[\d.]+), (−?[\d.]+)\]", text)
    assert found, text
    value, low, high = (float(part.replace("−", "-")) for part in found.groups())
    return value, low, high


def check_accuracy(text: str, item: Decision, table: Agreement) -> None:
    """Hold one sentence on accuracy to McNemar's table."""
    difference = 100 * (table.only_run - table.only_baseline) / table.images
    if table.discordant == 0:
        assert "no difference between them" in text
        assert ("equivalent" in text) == (narrowest(table.images, item.level) < (item.margin or 0))
        return
    value, low, high = numbers_of(text)
    assert low <= value <= high
    if text.startswith("second is "):
        assert (" better " in text) == (difference > 0)
        assert (" worse " in text) == (difference < 0)
        assert low > 0
        assert value == float(f"{abs(difference):.2f}")
        assert item.p_adjusted < ALPHA
        assert ("hardly" in text) == (item.p_adjusted < 0.001)
        assert ("less than the margin" in text) == item.within_margin
    else:
        assert value == float(f"{difference:+.2f}")
        assert low <= 0 <= high
        assert item.p_adjusted >= ALPHA
        inside = -100 * (item.margin or 0) < 100 * item.interval.low and item.interval.high < (item.margin or 0)
        assert ("equivalent" in text) == inside
        assert ("too close to call" in text) == (not inside)
    shown = re.search(r"p = ([\d.]+\d)", text)
    if shown:
        assert (float(shown.group(1)) < ALPHA) == item.differs


@settings(max_examples=200)
@given(st.lists(tables(), min_size=1, max_size=4), margins)
def test_verdicts_say_what_their_table_says(several: list[Agreement], margin: float) -> None:
    decisions = decide([AccuracyDifference(table) for table in several], margin=margin)
    for table, item in zip(several, decisions, strict=True):
        check_accuracy(accuracy_words(item, table, "second", "first"), item, table)
        text = open_accuracy_words(item, table)
        assert bool(text) == (item.answer == "undecided")
        if text:
            assert f"difference of {100 * detectable(table.images, table.discordant, item.level):.2f} points" in text
            assert ("Whatever the result" in text) == (narrowest(table.images, item.level) >= margin)


@settings(max_examples=200)
@given(tables(), st.floats(-0.5, 0.5), st.floats(0.0001, 0.3), margins)
def test_loss_and_accuracy_are_related_as_both_decisions_say(
    table: Agreement, value: float, error: float, margin: float
) -> None:
    accuracy = decide_one(AccuracyDifference(table), margin=margin)
    loss = decide_one(MeanDifference(value, error, table.images - 1), lower_is_better=True)
    item = Verdict("a", "b", (1, 1), table, accuracy, loss, 1.0, 1.0, identical=False, limits=(), concerns=())
    check_accuracy(verdict_words(item, NAMES), accuracy, table)
    assert open_words(item) == open_accuracy_words(accuracy, table)
    by_loss, both = loss_verdict_words(item, NAMES), relation_words(item, NAMES, (2.0, 3.0))
    assert ("too close to call" in by_loss) == (not loss.differs)
    if loss.differs:
        assert ("lower by" in by_loss) == (value < 0)
        assert ("says the same" in by_loss) == (accuracy.answer == loss.answer)
        assert numbers_of(by_loss)[1] > 0
    better = [{"better": "second", "worse": "first"}.get(one.answer) for one in (accuracy, loss)]
    if better[0] and better[0] == better[1]:
        assert both.startswith(f"By accuracy and by loss {better[0]} is better: ")
    elif better[0] and better[1]:
        assert f"by accuracy {better[0]} is better" in both
        assert f"by loss {better[1]} is" in both
    elif better[0] or better[1]:
        by = "accuracy" if better[0] else "loss"
        assert both.startswith(f"By {by} {better[0] or better[1]} is better, by ")
    else:
        assert "is better" not in both
    if "costs" in both:
        assert "costs 3.0 nats on average in second, and 2.0 in first" in both
    summary = relations_words([item], NAMES)
    assert ("neither" in summary) == (better == [None, None])
    assert ("disagree" in summary) == (None not in better and better[0] != better[1])


@settings(max_examples=200)
@given(
    st.lists(st.integers(900, 1_000), min_size=3, max_size=6),
    st.lists(st.integers(900, 1_000), min_size=3, max_size=6),
    st.floats(0.0001, 0.02),
    margins,
    st.booleans(),
)
def test_recipes_are_called_what_their_decision_and_seeds_say(
    first: list[int], second: list[int], error: float, margin: float, with_images: bool
) -> None:
    values = tuple(right / 1_000 for right in first), tuple(right / 1_000 for right in second)
    difference = float(np.mean(values[1]) - np.mean(values[0]))
    item = RecipeVerdict(
        "a", "b", *values, decision=decide_one(MeanDifference(difference, error, 4), margin=margin),
        superiority=superiority(*values), with_images=with_images,
    )  # fmt: skip
    text = recipe_answer(item, NAMES)
    value, low, high = numbers_of(text)
    assert low <= value <= high
    if text.startswith("As a recipe, second is "):
        assert ("better" in text) == (difference > 0)
        assert low > 0
    else:
        assert low <= 0 <= high
        assert ("equivalent" in text) == (abs(100 * item.decision.interval.low) < 100 * margin  # type: ignore[union-attr]
                                          and item.decision.interval.high < margin)  # type: ignore[union-attr]  # fmt: skip
    assert ("seeds and test images" in text) == with_images
    whole = recipe_words(item, NAMES)
    assert whole.startswith(text)
    wins = sum((b > a) + (a == b) / 2 for a in values[0] for b in values[1])
    assert f"in {wins:g} of the {len(first) * len(second)} pairs" in whole
    assert f"over {len(second)} seeds" in whole


def test_two_costs_that_differ_are_never_written_alike() -> None:
    rows = [
        replace(row(epoch, val_loss=loss, val_accuracy=0.9), val_loss_wrong=0.1 * cost, val_loss_correct=loss)
        for epoch, loss, cost in ((1, 0.25, 2.01), (2, 0.5, 2.04))
    ]
    found = course(rows)
    assert found is not None
    assert "cost more: 2.04 nats each on average instead of 2.01, 1.01 times as much" in course_sentence("run", found)


# -- courses -----------------------------------------------------------------------------------------------------------


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.floats(0.001, 6), st.floats(0, 0.3), st.floats(0, 0.2), st.floats(0.3, 1)),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_what_became_of_loss_and_accuracy_is_what_the_two_epochs_show(
    epochs: list[tuple[int, float, float, float, float]],
) -> None:
    rows = [
        replace(
            row(number, val_loss=wrong / 1_000 * cost + right + penalty, val_accuracy=1 - wrong / 1_000),
            val_loss_wrong=wrong / 1_000 * cost, val_loss_correct=right, penalty=penalty, val_confidence=sure,
        )
        for number, (wrong, cost, right, penalty, sure) in enumerate(epochs, 1)
    ]  # fmt: skip
    assume(min(item.val_loss for item in rows) > 1e-6)
    found = course(rows)
    assert found is not None
    text, best, last = course_sentence("run", found), found.best, found.last
    if best is last:
        assert "lowest at the end" in text
        return
    assert f"from {best.val_loss:.4f} in epoch {best.epoch}, its lowest, to {last.val_loss:.4f}" in text
    assert (" up." in text) == (last.val_accuracy - best.val_accuracy > 0.00004)
    assert ("little of either" in text) == (found.rise < NOTABLE)
    more = round(1_000 * (best.val_accuracy - last.val_accuracy))  # more wrong images, of 1,000
    if "More images are wrong" in text:
        assert more > 0
    if "No more images are wrong" in text:
        assert more <= 0
    costs = re.search(r"([\d.]+) nats (?:each )?on average instead of ([\d.]+\d)(?:, ([\d.]+) times)?", text)
    if costs and found.last_cost - found.best_cost > 1e-5:
        assert float(costs.group(1)) > float(costs.group(2))
        assert costs.group(3) is None or float(costs.group(3)) > 1 or found.last_cost / found.best_cost < 1 + 1e-5
    if re.search(r"cost more|costs more", text):
        assert last.val_accuracy < 1
        assert math.isnan(found.best_cost) or found.last_cost > found.best_cost
    if "costs no more than before" in text:
        assert found.last_cost <= found.best_cost
    if "surer" in text:
        assert last.val_confidence > best.val_confidence
    shown = re.search(r"[Tt]he loss of the right images went from ([\d.]+) to (\d+\.\d+)", text)
    if shown:
        assert [float(one) for one in shown.groups()] == [
            float(f"{one:.4f}") for one in (best.val_loss_correct, last.val_loss_correct)
        ]
        assert last.val_loss_correct > best.val_loss_correct
    if "the L2 penalty went" in text:
        assert last.penalty > best.penalty
    assert "nan" not in text


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_disagreements_favour_whom_they_favour(both: int, a: int, b: int, same: int, other: int) -> None:
    text = disagreement_words(Counts(both, a, b, same, other), "first", "second")
    assert ("guess the same" in text) == (a + b + other == 0)
    if a > b:
        assert re.search(r"it is (always )?first", text)
    if b > a:
        assert re.search(r"it is (always )?second", text)
    assert ("always" in text) == (min(a, b) == 0 < max(a, b))


@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_a_gap_says_on_which_images_there_are_fewer_right(held: int, test: int) -> None:
    assume(held != test)
    text = gap_words(HeldOutGap(held / 1_000, 5_000, test / 1_000, 10_000), "run")
    assert ("points fewer" in text) == (held > test)
    assert ("held-out images may be copies" in text) == (held > test)
    assert f"{abs(held - test) / 10:.2f} points" in text


@given(st.floats(0, 1, exclude_min=True))
def test_a_written_p_value_is_on_the_side_of_the_threshold_where_it_is(p: float) -> None:
    text = p_words(p)
    shown = float(re.sub("[^0-9.]", "", text))
    if text.startswith("p ="):
        assert (shown < ALPHA) == (p < ALPHA) or abs(p - ALPHA) < 1e-8
    else:
        assert p < shown if "<" in text else p > shown


# -- production --------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.sampled_from(COSTS), margins, st.booleans())
def test_what_is_recommended_is_shown_and_costs_what_is_claimed(
    seed: int, count: int, cost: str, margin: float, with_recipes: bool
) -> None:
    random = np.random.default_rng(seed)
    images = int(random.choice([100, 1_000, 4_000]))
    labels = (np.arange(images) % 10).astype(np.uint8)
    candidates, predictions = [], {}
    for number in range(count):
        wrong = random.random(images) < random.choice([0.005, 0.01, 0.02, 0.1])
        name = f"m{number}"
        predictions[name] = Predictions(labels, np.eye(10, dtype=np.float32)[(labels + wrong) % 10])
        costs = {key: float(random.choice([1, 2, 2.1, 9])) if random.random() < 0.8 else None for key in COSTS[1:]}
        right = images - int(wrong.sum())
        candidates.append(
            Candidate(name, right / images, accuracy_interval(right, images), int(random.choice([100, 200, 205, 900])),
                      quiet=bool(random.random() < 0.8), **costs)  # type: ignore[arg-type]
        )  # fmt: skip
    recipes = {}
    if with_recipes:
        value = MeanDifference(float(random.normal(0, 0.01)), float(random.choice([0.0005, 0.01])), 4)
        recipes["m0", "m1"] = decide_one(value, margin=margin)
    items = rank(candidates, predictions, margin=margin, recipes=recipes)
    names = {item.id: item.id for item in candidates}
    found = recommend(items, cost)  # type: ignore[arg-type]
    text = f"{recommendation_words(found, items, names)} {recommendation_reasons(found, items, names)}"
    enough = [item for item in items if all(one.not_worse for one in item.decisions)]
    most = max(item.accuracy for item in candidates)
    taken = re.match(r"Take (m\d):", text)
    assert bool(taken) == bool(enough)
    if taken:
        assert taken.group(1) in {item.candidate.id for item in enough}
        prices = [price for item in enough if (price := item.candidate.sure_cost(cost)) is not None]  # type: ignore[arg-type]
        own = found.pick.candidate.sure_cost(cost)  # type: ignore[arg-type]
        if "none is known to cost less" in text:
            assert own == min(prices, default=None)
        if "No cheaper one is shown" in text:
            assert len(enough) == 1
        assert ("is not known of any" in text) == (len(enough) > 1 and not prices)
    else:
        alone = any(all(one.not_worse for one in item.against.values()) for item in items)
        assert ("images and seeds can't tell" in text) == alone
    named = re.search(r"(m\d) has the most right|Take (m\d): it has the most right", text)
    if named:
        who = named.group(1) or named.group(2)
        assert next(item.accuracy for item in candidates if item.id == who) == most
    assert ("more, m" in text) == (found.alternative is not None)
    if found.alternative:
        other = found.alternative.candidate
        assert f"Where {COST_WORDS[cost]} count" in text  # type: ignore[index]
        assert other.sure_cost(cost) < found.pick.candidate.sure_cost(cost)  # type: ignore[arg-type, operator]
        assert other.id not in dominated_by(candidates, cost)  # type: ignore[arg-type]
        tail = text[text.index("more, m") :]
        assert re.search(rf"with [^,.]*{re.escape(COST_WORDS[cost])}", tail), "the chosen cost comes first"  # type: ignore[index]
    for item in items:
        reason = reason_words(item, items, names)
        leads = "shown to be better than every other one" in reason
        assert leads == (item in enough and item.best and all(one.answer == "better" for one in item.decisions))
        at_most = "shown to be at most" in reason or "shown that no other one is more than" in reason
        assert (leads or at_most) == (item in enough)
        assert not (item.best and "shown to be at most" in reason)
        worse = any(one.answer == "worse" for one in item.decisions)
        assert ("can't be told here" in reason) == (item not in enough and not worse)
        assert ("shown to be worse than" in reason) == (item not in enough and worse)
        if "costs no more in anything" in reason:
            assert any(
                other.accuracy >= item.candidate.accuracy and other.parameters <= item.candidate.parameters
                for other in candidates
                if other is not item.candidate
            )
    assert f"of these {count} models" in selection_words(items)
    alone_words = networks_only_words(items, names)
    assert {name for name in names if re.search(rf"\b{name}\b", alone_words)} == {
        item.candidate.id for item in items if not item.recipes
    }
