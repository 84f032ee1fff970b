"""One decision: what decides, on which interval, and that every page, command and report gives the same."""

from __future__ import annotations

import ast
import contextlib
import datetime
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from mnist_core.cli import main
from mnist_core.comparison import exams
from mnist_core.comparison.abstention import Abstaining, Answers, Choosing, cascade, compare_answered
from mnist_core.comparison.board import Try, standings
from mnist_core.comparison.decide import (
    ALPHA,
    ANSWERS,
    POWER,
    STRICT_ALPHA,
    STRICT_LEVEL,
    chance_limit,
    decide,
    decide_one,
    detectable,
    differs,
    narrowest,
)
from mnist_core.comparison.diagnosis.findings import UnseenResult
from mnist_core.comparison.diagnosis.rules import LEAK_TEST, diagnose
from mnist_core.comparison.held_out import HeldOutGap
from mnist_core.comparison.loss_or_accuracy import relation
from mnist_core.comparison.production import Candidate, rank
from mnist_core.comparison.recipe_verdicts import compare_recipes
from mnist_core.comparison.selection import Noise, rank_values
from mnist_core.comparison.verdicts import Verdict, compare
from mnist_core.comparison.words.held_out import gap_words
from mnist_core.comparison.words.loss_or_accuracy import relation_words, relations_words
from mnist_core.comparison.words.numbers import p_words, points_words
from mnist_core.comparison.words.recipes import recipe_words
from mnist_core.comparison.words.verdicts import loss_verdict_words, verdict_words
from mnist_core.errors import PredictionsError
from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import (
    AccuracyDifference,
    Agreement,
    MeanDifference,
    agreement_of,
    sample,
    unpaired_difference,
)
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.presets import Published
from mnist_core.published import figures, words
from mnist_core.published.claims import rises
from mnist_core.published.reproduction import ReproductionRow, reproduction
from mnist_core.report import comparison_report
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

ROOT = Path(__file__).parents[2]


def table(lost: int, gained: int, images: int = 10_000) -> AccuracyDifference:
    """McNemar's table of so many images that only the baseline, and only the run, gets right."""
    return AccuracyDifference(Agreement(images - lost - gained, lost, gained, 0))


# -- one comparison ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "gained", "margin", "answer"),
    [
        (10, 40, 0.002, "better"), (40, 10, 0.002, "worse"), (5, 5, 0.002, "equivalent"), (25, 40, 0.002, "undecided"),
        (25, 40, 0.01, "equivalent"), (25, 40, None, "undecided"), (0, 0, 0.002, "equivalent"),
    ],
)  # fmt: skip
def test_the_four_answers(lost: int, gained: int, margin: float | None, answer: str) -> None:
    assert decide_one(table(lost, gained), margin=margin).answer == answer


def test_a_real_difference_that_does_not_matter_is_both() -> None:
    found = decide_one(table(2, 10), margin=0.002)
    assert (found.answer, found.within_margin) == ("better", True)
    assert decide_one(table(2, 10), margin=0.0005).within_margin is False


def test_no_set_of_a_few_hundred_images_can_show_equivalence_within_a_fifth_of_a_point() -> None:
    assert decide_one(table(0, 0, 355), margin=0.002).answer == "undecided"
    assert narrowest(355) == pytest.approx(0.0107, abs=5e-5)
    assert decide_one(table(0, 0, 355), margin=0.011).answer == "equivalent"
    z = stats.norm.ppf(0.975)
    assert narrowest(10_000) == pytest.approx(z**2 / (10_000 + z**2))


def test_for_a_loss_less_is_better() -> None:
    loss = MeanDifference(-0.1, 0.01, 999)
    assert decide_one(loss, lower_is_better=True).answer == "better"
    assert decide_one(loss).answer == "worse"
    assert decide_one(loss, lower_is_better=True).negated().answer == "worse"


def test_values_that_do_not_vary_decide_nothing() -> None:
    for value in (0.0, 0.28):
        found = decide_one(MeanDifference(value, 0.0, math.inf), margin=0.002)
        assert (found.answer, found.p, found.known) == ("undecided", 1.0, False)
        assert json.dumps(found.to_json(), allow_nan=False)


counts = st.integers(0, 60)


@given(counts, counts, st.integers(120, 10_000), st.sampled_from([0.0005, 0.002, 0.02]))
def test_the_interval_leaves_out_zero_exactly_where_one_is_better(
    lost: int, gained: int, images: int, margin: float
) -> None:
    found = decide_one(table(lost, gained, images), margin=margin)
    low, high = found.interval
    assert -1 <= low <= found.value <= high <= 1
    assert low < high
    assert (found.answer in ("better", "worse")) == (low > 0 or high < 0)
    assert (found.answer in ("better", "worse")) == (found.p < ALPHA)
    assert (found.answer == "equivalent") == (low <= 0 <= high and -margin < low and high < margin)
    other_way = decide_one(table(gained, lost, images), margin=margin)
    assert found.negated().answer == other_way.answer
    assert found.negated().interval == other_way.interval


# -- several comparisons -----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=8))
def test_with_holms_method_too_the_interval_agrees_with_the_decision(tables: list[tuple[int, int]]) -> None:
    found = decide([table(*pair) for pair in tables], margin=0.002)
    p_values = sorted(item.p for item in found)
    for item in found:
        assert item.differs == (item.interval.low > 0 or item.interval.high < 0)
        assert item.differs == (item.p_adjusted < ALPHA)
        assert item.comparisons == len(tables)
    # Holm's own rule, step by step
    rejected = 0
    for step, p in enumerate(p_values):
        if p >= ALPHA / (len(tables) - step):
            break
        rejected += 1
    assert sum(item.differs for item in found) == rejected
    levels = sorted({item.level for item in found if not item.differs})
    assert levels == pytest.approx([1 - ALPHA / (len(tables) - rejected)] if rejected < len(tables) else [])


def test_one_comparison_more_never_makes_another_look_different() -> None:
    alone = decide_one(table(20, 40), margin=0.002)
    many = decide([table(20, 40), *(table(20, 30) for _ in range(6))], margin=0.002)[0]
    assert (alone.answer, many.answer) == ("better", "undecided")
    assert many.interval.low < alone.interval.low


# -- what chance allows for --------------------------------------------------------------------------------------------


def test_a_gap_differs_beyond_196_standard_errors() -> None:
    assert (differs(1.95, 1.0), differs(1.97, 1.0), differs(-1.97, 1.0)) == (False, True, True)
    assert (differs(2.03, 1.0, 30), differs(2.05, 1.0, 30)) == (False, True)  # Student's t


@given(
    st.floats(-5, 5), st.floats(0, 2), st.sampled_from([1.0, 4.0, 30.0, math.inf]),
    st.sampled_from([0.95, STRICT_LEVEL]),
)  # fmt: skip
def test_the_limit_of_chance_is_what_a_difference_must_exceed(
    value: float, error: float, freedom: float, level: float
) -> None:
    limit = chance_limit(error, freedom, level=level)
    assert differs(value, error, freedom, level=level) == (abs(value) > limit)
    if error > 1e-9:
        assert limit == pytest.approx(stats.t.ppf((1 + level) / 2, freedom) * error)


@given(st.floats(0.001, 1), st.lists(st.floats(0, 3), min_size=1, max_size=6), st.sampled_from([2, 6, math.inf]))
def test_those_within_noise_of_a_winner_are_those_that_do_not_differ(
    error: float, behind: list[float], freedom: float
) -> None:
    found = rank_values("val_loss", [0.0, *behind], Noise(chance_limit(error, freedom), "seeds"))
    assert found.within == sum(not differs(value, error, freedom) for value in behind)


# -- two levels --------------------------------------------------------------------------------------------------------

shares = st.tuples(st.integers(1, 2_000), st.integers(1, 2_000)).map(lambda pair: (min(pair), max(pair)))
"""So many right of so many images."""


@given(shares, shares)
def test_the_difference_of_two_shares_is_pearsons(first: tuple[int, int], second: tuple[int, int]) -> None:
    (a, n), (b, m) = first, second
    found = unpaired_difference(a / n, n, b / m, m)
    assert found.value == pytest.approx(b / m - a / n)
    if 0 < a + b < n + m:
        oracle = stats.chi2_contingency([[a, n - a], [b, m - b]], correction=False)
        assert found.p == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)
    else:
        assert (found.p, found.known) == (1.0, False)


def test_a_gap_that_is_beyond_chance_for_a_comparison_is_not_for_a_check_of_every_run() -> None:
    gap = HeldOutGap(0.98, 10_000, 0.9845, 10_000)
    assert differs(gap.difference.value, gap.difference.error)
    assert not gap.differs
    assert STRICT_ALPHA < gap.difference.p < ALPHA
    wider = HeldOutGap(0.98, 10_000, 0.986, 10_000)
    assert wider.differs
    assert "; a gap this large comes by chance less than once in 100: " in gap_words(wider, "run")


def leak(held: tuple[int, int], tested: tuple[int, int]) -> bool:
    """True if the diagnosis of a run with so many right of its held-out and of its test images calls it a leak."""
    epochs = {"loss": [0.1], "val_loss": [0.1], "val_accuracy": [held[0] / held[1]]}
    test = UnseenResult(tested[0] / tested[1], tested[1])
    return any(
        item.code == "val_better_than_test" for item in diagnose(epochs, images=held[1], test=test, kept_epoch=1)
    )


@given(shares, shares)
def test_what_is_called_a_leak_is_a_gap_between_held_out_and_test_images_too(
    held: tuple[int, int], tested: tuple[int, int]
) -> None:
    gap = HeldOutGap(held[0] / held[1], held[1], tested[0] / tested[1], tested[1])
    if leak(held, tested):
        assert gap.differs
        assert gap.difference.value > LEAK_TEST
    shown = gap.difference.interval(STRICT_LEVEL).low
    if abs(shown - LEAK_TEST) > 1e-9:
        assert leak(held, tested) == (shown > LEAK_TEST)


def test_a_small_set_with_all_images_right_is_no_leak() -> None:
    """Four standard errors of each share by itself were exceeded here, and chance does it once in 80 times."""
    assert unpaired_difference(0.8, 10_000, 1.0, 25).p == pytest.approx(0.0125, abs=2e-4)
    assert not leak((25, 25), (8_000, 10_000))
    assert leak((250, 250), (8_000, 10_000))


# -- what can be found -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "discordant"), [(355, 14), (10_000, 250), (10_000, 40)])
def test_the_detectable_difference_is_found_as_often_as_is_said(images: int, discordant: int) -> None:
    difference = detectable(images, discordant)
    share = max(discordant / images, difference)
    drawn = np.random.default_rng(0).multinomial(
        images, [(share - difference) / 2, (share + difference) / 2, 1 - share], 4_000
    )
    lost, gained = drawn[:, 0], drawn[:, 1]
    found = np.abs(gained - lost) / np.sqrt(np.maximum(gained + lost, 1)) > stats.norm.ppf(1 - ALPHA / 2)
    assert found.mean() == pytest.approx(POWER, abs=0.05)


# -- everywhere the same -----------------------------------------------------------------------------------------------


@pytest.fixture
def pair(store: Store) -> tuple[Run, Run]:
    """Two finished runs whose predictions a test replaces."""
    return finished(store, "first", 16), finished(store, "second", 17)


@pytest.fixture
def recipes(pair: tuple[Run, Run], store: Store) -> list[list[Run]]:
    """Three seeds of the recipe of each run of `pair`."""
    return [
        [run, *(finished(store, f"{run.name}, seed {seed}", 16 + side, seed) for seed in (1, 2))]
        for side, run in enumerate(pair)
    ]


def finished(store: Store, name: str, units: int, seed: int = 0) -> Run:
    """Put a finished run into a store whose predictions a test replaces."""
    config = RunConfig.model_validate(
        {
            "model": {"layers": [{"units": units}]},
            "training": {"epochs": 1, "seed": seed},
            "dataset": {"name": "digits"},
        }
    )
    added, _ = store.add(config, name=name, fingerprint="5" * 16)
    writer = store.open_writer(added.id)
    assert writer is not None
    writer.started([])
    writer.epoch(EpochRow(1, *(0.5,) * 13))
    writer.predictions(guesses([True, True], 0.9))
    writer.ended("finished", "", best_epoch=1, kept_epoch=1)
    return store.get(added.id)


def guesses(right: list[bool], sure: float) -> Predictions:
    """Predictions that give `sure` to their guess, which is right where `right` says so."""
    labels = (np.arange(len(right)) % 10).astype(np.uint8)
    guess = np.where(right, labels, (labels + 1) % 10)
    probabilities = np.full((len(right), 10), (1 - sure) / 9, dtype=np.float32)
    probabilities[np.arange(len(right)), guess] = sure
    return Predictions(labels, probabilities)


def replace(run: Run, predictions: Predictions) -> None:
    np.savez(run.predictions_file(), labels=predictions.labels, probabilities=predictions.probabilities)


def json_of(*command: str) -> dict[str, object]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main([*command, "--json"]) == 0
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def verdict_of(pair: tuple[Run, Run], margin: float = 0.002) -> Verdict:
    (found,) = compare(pair, pair[0], margin=margin).verdicts
    return found


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.sampled_from([(True, True), (True, False), (False, True), (False, False)]), min_size=2,
                   max_size=4),
    repeats=st.lists(st.integers(1, 150), min_size=4, max_size=4),
    sure=st.tuples(st.sampled_from([0.5, 0.9, 0.999]), st.sampled_from([0.5, 0.9, 0.999])),
    points=st.sampled_from([0.2, 1.0, 5.0]),
)  # fmt: skip
def test_every_page_command_and_report_decides_the_same(
    pair: tuple[Run, Run], store: Store, cells: list[tuple[bool, bool]], repeats: list[int],
    sure: tuple[float, float], points: float,
) -> None:  # fmt: skip
    right = [cell for cell, count in zip(cells, repeats, strict=False) for _ in range(count)]
    for side, run in enumerate(pair):
        replace(run, guesses([cell[side] for cell in right], sure[side]))
    margin, names = points / 100, {run.id: run.name for run in pair}
    verdict = verdict_of(pair, margin)
    decided = verdict.accuracy
    assert decided.answer in ANSWERS
    assert decided.differs == (decided.interval.low > 0 or decided.interval.high < 0)
    assert verdict.loss.differs == (verdict.loss.interval.low > 0 or verdict.loss.interval.high < 0)
    # Loss or accuracy?
    assert (relation(verdict) in ("same", "opposite", "accuracy_only")) == decided.differs
    # Production
    predictions = {run.id: found for run in pair if (found := run.predictions())}
    candidates = [
        Candidate(key, 1 - len(one.wrong) / len(right), accuracy_interval(len(right) - len(one.wrong), len(right)), 1)
        for key, one in predictions.items()
    ]
    first, second = rank(candidates, predictions, margin=margin)
    assert second.against[pair[0].id] == decided
    assert first.against[pair[1].id].answer == decided.negated().answer
    assert (second.status == "suffices") == decided.not_worse
    # command line
    ids = [run.id for run in pair]
    options = ["--store", str(store.root), "--margin", str(points)]
    printed = json_of("compare", *ids, *options)["verdicts"]
    assert isinstance(printed, list)
    assert printed[0]["outcome"] == decided.answer
    assert printed[0]["sentence"] == verdict_words(verdict, names)
    found = json_of("disagreements", *ids, *options)["pairs"]
    assert isinstance(found, list)
    assert found[0]["outcome"] == decided.answer
    # report
    content = comparison_report.compared(store, list(pair), margin=margin)
    assert content.comparison.verdicts[0].accuracy == decided
    # exams
    hits = [predictions[run.id].predicted == predictions[run.id].labels for run in pair]
    sat = [exams.Result(one) for one in hits]
    assert [item for _, item in exams.against(sat[0], sat[1:], margin=margin)] == [decided]
    (exam,) = exams.verdicts({exams.ORIGINAL: sat[0]}, {exams.ORIGINAL: sat[1]}, margin=margin)
    assert exam.accuracy == decided
    # When to say "I don't know"?
    everything = np.ones(len(right), bool)
    assert compare_answered([Abstaining(everything, one) for one in hits], margin=margin) == [decided]
    models = [
        Answers(predictions[run.id].probabilities.max(axis=1).astype(float), one)
        for run, one in zip(pair, hits, strict=True)
    ]
    passed = cascade(Choosing(models, models, halved=False), 1.0, margin=margin)  # the second model answers everything
    tables = [verdict.table, agreement_of(hits[1], hits[1])]
    together = decide([AccuracyDifference(one) for one in tables], margin=margin)
    assert [passed.against_first, passed.against_second] == together
    # the board
    tries = {run.name: [Try(run.id, one)] for run, one in zip(pair, hits, strict=True)}
    places = {line.owner: line.place for line in standings(tries, everything)}
    expected = {"better": (2, 1), "worse": (1, 2)}.get(decided.answer, (1, 1))
    assert (places["first"], places["second"]) == expected


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wrong=st.tuples(*[st.lists(st.integers(0, 30), min_size=3, max_size=3)] * 2),
    points=st.sampled_from([0.2, 5.0, 20.0]),
)  # fmt: skip
def test_every_page_command_and_report_decides_the_same_on_recipes(
    pair: tuple[Run, Run], recipes: list[list[Run]], store: Store, wrong: tuple[list[int], list[int]], points: float
) -> None:
    for counts, runs in zip(wrong, recipes, strict=True):
        for count, run in zip(counts, runs, strict=True):
            replace(run, guesses([place >= count for place in range(100)], 0.9))
    margin, names = points / 100, {run.id: run.name for run in pair}
    (item,) = compare_recipes(pair, pair[0], store.runs(), margin=margin)
    decided = item.decision
    if item.estimate is None:
        assert decided is None
    else:
        assert decided == decide_one(item.estimate, margin=margin)
        assert (
            decided.differs
            == (item.estimate.p < ALPHA)
            == differs(item.estimate.value, item.estimate.error, item.estimate.freedom)
        )
    # report
    (reported,) = comparison_report.compared(store, list(pair), margin=margin).recipes
    assert reported.decision == decided
    # command line
    printed = json_of("compare", *names, "--store", str(store.root), "--margin", str(points))["recipes"]
    assert isinstance(printed, list)
    assert printed[0]["outcome"] == (decided.answer if decided else None)
    assert printed[0]["sentence"] == recipe_words(item, names)
    # Production
    predictions = {run.id: found for run in pair if (found := run.predictions())}
    candidates = [Candidate(key, 1 - len(one.wrong) / 100, accuracy_interval(100 - len(one.wrong), 100), 1)
                  for key, one in predictions.items()]  # fmt: skip
    between = {} if decided is None else {(pair[1].id, pair[0].id): decided}
    first, second = rank(candidates, predictions, margin=margin, recipes=between)
    assert list(second.recipes.values()) == ([] if decided is None else [decided])
    assert (second.status == "suffices") == all(one.not_worse for one in (*second.against.values(), *between.values()))
    assert list(first.recipes.values()) == ([] if decided is None else [decided.negated()])


@given(
    st.lists(st.tuples(st.sampled_from(figures.FIGURE_NAMES), st.floats(0.9, 0.99), st.floats(0, 0.02),
                       st.integers(1, 4)),
             min_size=1, max_size=4, unique_by=lambda item: item[0])
)  # fmt: skip
def test_published_figures_are_decided_by_the_same(drawn: list[tuple[figures.Figure, float, float, int]]) -> None:
    printed = {figure: here + off for figure, here, off, _ in drawn}
    here = {figure: sample([value] * count) for figure, value, _, count in drawn}
    measured = figures.Measured(("0" * 12,), here, (1,), (1,))
    published = Published(**printed)
    compared = figures.compare_model(published, measured)
    estimates = [
        MeanDifference(
            here[item.figure].mean - printed[item.figure],
            figures.seed_sd(item.figure, here[item.figure].mean) * math.sqrt(1 + 1 / here[item.figure].n),
            figures.SPREADS[item.figure].freedom,
        )
        for item in compared
    ]
    decided = decide(estimates, margin=None)
    assert [item.decision for item in compared] == decided
    outcome = reproduction(compared)
    assert (outcome == "differs") == any(item.p_adjusted < ALPHA for item in decided)
    row = ReproductionRow("a", "model", "b", (), 1, "", published, outcome, compared=compared, measured=measured)
    assert words.sentence(row).startswith("Differs: " if outcome == "differs" else "Reproduces: ")
    marks = [line.mark for line in words.figure_lines(row) if line.mark]
    assert [mark == "≠" for mark in marks[: len(compared)]] == [item.differs for item in decided]


@given(st.floats(0.005, 0.05), st.floats(0.005, 0.05))
def test_the_claims_of_a_sweeps_source_are_decided_by_the_same(before: float, after: float) -> None:
    error = math.hypot(*(figures.seed_sd("test_accuracy", 1 - one) for one in (before, after)))
    found = decide_one(MeanDifference(after - before, error, figures.SPREADS["test_accuracy"].freedom))
    assert rises(before, after) == (found.answer == "better")


def test_the_report_has_the_sentence_of_the_verdict(pair: tuple[Run, Run], store: Store) -> None:
    replace(pair[0], guesses([True] * 90 + [False] * 10, 0.9))
    replace(pair[1], guesses([True] * 100, 0.9))
    text = comparison_report.as_html(comparison_report.compared(store, list(pair)), datetime.datetime(2026, 1, 1))
    names = {run.id: run.name for run in pair}
    assert verdict_words(verdict_of(pair), names) in text.decode()


def test_a_margin_that_is_none_is_refused_in_words(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("0", "nan", "much"):
        with pytest.raises(SystemExit):
            main(["compare", "a", "b", "--store", str(store.root), "--margin", text])
        assert f"{text} is no margin; give percentage points above 0" in capsys.readouterr().err


# -- nowhere else ------------------------------------------------------------------------------------------------------

LEVELS = {0.05, 0.95, 0.975, 0.025, 1.96, 2.576, 0.99, 0.995}
"""Numbers that look like a level of significance, or like its normal quantile, to three decimals."""

QUANTILES = {"stdtrit", "ndtri", "ppf", "isf", "inv_cdf", "chdtri"}
"""Functions that turn a level into a limit."""

MAY_ASK_QUANTILES = {
    "mnist_core/comparison/decide.py", "mnist_core/evaluation/statistics.py", "mnist_core/evaluation/metrics.py",
}  # fmt: skip
"""The decision, the tests and intervals that it asks for, and the interval of one accuracy."""

NO_DECISIONS = {
    "mnist_core/evaluation/metrics.py ALPHA 0.05": "the definition of the level",
    "mnist_core/evaluation/metrics.py ALPHA name ALPHA": "the definition of the level",
    "mnist_core/comparison/planner.py power ndtri": "draws the present difference, which has not decided",
    "mnist_core/comparison/planner.py power chdtri": "draws the variances, which are not known",
    "mnist_core/comparison/diagnosis/rules.py GAP 0.05": "an effect size: 5 points of accuracy",
    "mnist_core/comparison/diagnosis/rules.py _Diagnosis._training_state 0.05": "chooses a suggestion",
    "mnist_core/comparison/loss_or_accuracy.py NOTABLE 0.05": "an effect size: a share of the loss",
    "mnist_core/report/tables.py _cost 0.95": "an effect size: fewer parameters",
    "mnist_core/lessons/answers.py EXACT 0.05": "how exact an answer to a question is",
    "mnist_core/lessons/answers.py outcome 0.05": "how exact an answer to a question is",
    "mnist_core/inspection/map_area.py MARGIN 0.05": "the space around a map",
    "mnist_core/plots/confusion_matrix.py _per_cent 0.05": "a share that is written as <0.1",
    "mnist_core/plots/learning_curves.py value_domain 0.05": "the space above and below a curve",
    "mnist_core/plots/style.py contrast 0.05": "WCAG's formula for contrast",
    "mnist_core/experiments/configs.py TrainingConfig.label_smoothing 0.05": "an example of a setting",
    "mnist_core/experiments/configs.py TrainingConfig.momentum 0.99": "the bound of a setting",
    "mnist_core/experiments/configs.py _factor 0.99": "the bound of a setting",
    "mnist_core/experiments/grids.py _ALL 0.05": "a value of a setting in a published sweep",
    "mnist_core/experiments/layers/base.py dropout_setting 0.05": "the step of a field",
    "mnist_core/experiments/presets.py _ALL 0.95": "a published figure",
    "mnist_core/jobs/local_service.py wait_for_another_machine 0.05": "seconds of waiting",
    "mnist_core/jobs/execution.py _EventWriter._wait 0.05": "seconds of waiting",
    "mnist_core/jobs/runners.py _wait_until_free 0.05": "seconds of waiting",
    "mnist_core/jobs/store_server.py start 0.05": "seconds of waiting",
    "dashboard/shared/drawing/edits.py controls 0.05": "the step of a field",
    "dashboard/views/compare/curve_panels.py _controls 0.05": "the step of a field",
    "dashboard/views/compare/curve_panels.py _controls 0.95": "the bound of a field",
}
"""Where such a number or function is no decision, and what it is."""


def suspects(path: Path) -> Iterator[str]:
    """Yield the levels, quantile functions and names of thresholds in a file: `path place what`.

    place: the function, class or constant in which it stands, from the outside.
    """
    place = path.relative_to(ROOT).as_posix()

    def look(node: ast.AST, within: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            here = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                here = f"{within}{'.' if within else ''}{child.name}"
            elif isinstance(child, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Module | ast.ClassDef):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                names = [item.id for target in targets for item in ast.walk(target) if isinstance(item, ast.Name)]
                here = ".".join(filter(None, [within, *names[:1]]))
            match child:
                case ast.Constant(value=float(value)) if round(value, 3) in LEVELS:
                    yield f"{place} {here} {round(value, 3):g}"
                case ast.Attribute(attr=name) | ast.alias(name=name) if name in QUANTILES:
                    if place not in MAY_ASK_QUANTILES:
                        yield f"{place} {here} {name}"
                case ast.Name(id=name, ctx=ast.Store()) if name == "Z" or name.startswith(("ALPHA", "SIGNIFICAN")):
                    yield f"{place} {here} name {name}"
            yield from look(child, here)

    yield from look(ast.parse(path.read_text(encoding="utf-8")), "")


def test_no_other_module_has_a_threshold_of_its_own() -> None:
    found = {
        item
        for folder in ("mnist_core", "dashboard")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for item in suspects(path)
    }
    assert found - set(NO_DECISIONS) == set(), "ask comparison/decide.py, or say above why this is no decision"
    assert set(NO_DECISIONS) - found == set(), "these are gone"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("LIMIT = 2.576", "LIMIT 2.576"),
        ("def near(gap):\n    return gap < 1.959964", "near 1.96"),
        ("def interval(n, level: float = 0.95): ...", "interval 0.95"),
        ("from scipy.special import stdtrit", " stdtrit"),
        ("def noise(freedom):\n    return stats.t.ppf(0.975, freedom)", "noise ppf"),
        ("class Rule:\n    ALPHA = 0.1", "Rule.ALPHA name ALPHA"),
    ],
)
def test_a_threshold_is_found_wherever_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str
) -> None:
    path = tmp_path / "rule.py"
    path.write_text(text)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert f"rule.py {what}" in set(suspects(path))


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_pair_on_which_two_pages_used_to_differ_has_one_answer(pair: tuple[Run, Run]) -> None:
    right = [(True, False)] * 21 + [(False, True)] * 10 + [(True, True)] * 969
    for side, run in enumerate(pair):
        replace(run, guesses([cell[side] for cell in right], 0.9))
    names, verdict = {run.id: run.name for run in pair}, verdict_of(pair)
    assert verdict.exact_p == pytest.approx(0.0708, abs=5e-5)
    assert verdict.answer == "worse"
    assert verdict_words(verdict, names).startswith("second is worse than first by 1.10 points")
    assert relation_words(verdict, names).startswith("By accuracy and by loss first is better: 1.10 points")


def test_identical_runs_are_never_better_by_nothing(pair: tuple[Run, Run]) -> None:
    for run in pair:
        replace(run, guesses([True] * 40 + [False] * 10, 0.9))
    names, verdict = {run.id: run.name for run in pair}, verdict_of(pair)
    assert "give the same probabilities to every digit" in relation_words(verdict, names)
    assert "do not differ: they give the same probabilities" in loss_verdict_words(verdict, names)
    assert relations_words([verdict], names) == "Against first, neither tells second apart."


def test_loss_and_accuracy_that_decide_for_different_runs_are_said_to_disagree(pair: tuple[Run, Run]) -> None:
    replace(pair[0], guesses([True] * 900 + [False] * 100, 0.8))
    replace(pair[1], guesses([True] * 930 + [False] * 70, 0.9999))
    names, verdict = {run.id: run.name for run in pair}, verdict_of(pair)
    text = relation_words(verdict, names, (1.2, 13.8))
    assert text.startswith("They disagree: by accuracy second is better, by 3.00 points [")
    assert "by loss first is, by" in text
    assert text.endswith("A wrong image costs 13.8 nats on average in second, and 1.2 in first.")


def test_a_p_value_next_to_the_threshold_is_not_written_as_the_threshold() -> None:
    assert p_words(0.0496) == "p = 0.0496"
    assert p_words(0.05004) == "p = 0.05004"
    assert (p_words(0.0816), p_words(0.0001), p_words(0.9999)) == ("p = 0.082", "p < 0.001", "p > 0.999")
    edge = decide_one(table(10, 21))
    assert edge.differs
    assert points_words(edge) == "0.11 points [0.001, 0.231]"


# -- what is compared --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: np.where(np.arange(10)[:, None] == 3, np.nan, p), "1 of 10 images have probabilities that are no"),
        (lambda p: 3 * p, "add up to 3 to 3; 10 of 10 are no probabilities, the first of them image 0"),
        (lambda p: p / 2, "add up to 0.5 to 0.5"),
        (lambda p: np.log(p), "give the softmax's output, not logits"),
        (lambda p: p[:, :9] / p[:, :9].sum(axis=1, keepdims=True), "with 9 columns of probabilities they must lie"),
        (lambda p: p[:9], "do not belong together"),
    ],
)
def test_what_is_no_probability_is_refused_where_predictions_are_made(change, says: str) -> None:
    good = guesses([True] * 10, 0.9)
    with pytest.raises(PredictionsError, match=re.escape(says)):
        Predictions(good.labels, change(good.probabilities).astype(np.float32))
    with pytest.raises(PredictionsError, match=re.escape(says)):
        Predictions(good.labels, good.probabilities, good.labels, change(good.probabilities).astype(np.float32))


def test_labels_that_are_no_digits_are_refused() -> None:
    good = guesses([True] * 10, 0.9)
    with pytest.raises(PredictionsError, match=r"the labels go up to 10; with 10 columns .* between 0 and 9"):
        Predictions(good.labels + np.uint8(1), good.probabilities)
