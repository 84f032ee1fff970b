"""One decision: what decides, on which interval, and that every page, command and report gives the same."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from mnist_core.cli import main
from mnist_core.comparison.decide import (
    ALPHA,
    ANSWERS,
    POWER,
    decide,
    decide_one,
    detectable,
    differs,
    narrowest,
)
from mnist_core.comparison.loss_or_accuracy import relation
from mnist_core.comparison.production import Candidate, rank
from mnist_core.comparison.verdicts import Verdict, compare
from mnist_core.comparison.words.loss_or_accuracy import relation_words, relations_words
from mnist_core.comparison.words.numbers import p_words, points_words
from mnist_core.comparison.words.verdicts import loss_verdict_words, verdict_words
from mnist_core.errors import PredictionsError
from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, MeanDifference
from mnist_core.experiments.configs import RunConfig
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


# -- what chance allows for, and what can be found ---------------------------------------------------------------------


def test_a_gap_differs_beyond_196_standard_errors() -> None:
    assert (differs(1.95, 1.0), differs(1.97, 1.0), differs(-1.97, 1.0)) == (False, True, True)
    assert (differs(2.03, 1.0, 30), differs(2.05, 1.0, 30)) == (False, True)  # Student's t


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
    found = []
    for number, name in enumerate(("first", "second")):
        config = RunConfig.model_validate(
            {"model": {"layers": [{"units": 16 + number}]}, "training": {"epochs": 1}, "dataset": {"name": "digits"}}
        )
        added, _ = store.add(config, name=name, fingerprint="5" * 16)
        writer = store.open_writer(added.id)
        assert writer is not None
        writer.started([])
        writer.epoch(EpochRow(1, *(0.5,) * 13))
        writer.predictions(guesses([True, True], 0.9))
        writer.ended("finished", "", best_epoch=1, kept_epoch=1)
        found.append(store.get(added.id))
    return found[0], found[1]


def guesses(right: list[bool], sure: float) -> Predictions:
    """Predictions that give `sure` to their guess, which is right where `right` says so."""
    labels = (np.arange(len(right)) % 10).astype(np.uint8)
    guess = np.where(right, labels, (labels + 1) % 10)
    probabilities = np.full((len(right), 10), (1 - sure) / 9, dtype=np.float32)
    probabilities[np.arange(len(right)), guess] = sure
    return Predictions(labels, probabilities)


def replace(run: Run, said: Predictions) -> None:
    np.savez(run.predictions_file(), labels=said.labels, probabilities=said.probabilities)


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
    said = {run.id: found for run in pair if (found := run.predictions())}
    candidates = [
        Candidate(key, 1 - len(one.wrong) / len(right), accuracy_interval(len(right) - len(one.wrong), len(right)), 1)
        for key, one in said.items()
    ]
    first, second = rank(candidates, said, margin=margin)
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


def test_no_other_module_has_a_threshold_of_its_own() -> None:
    named = [
        path.relative_to(ROOT).as_posix()
        for folder in ("mnist_core", "dashboard")
        for path in (ROOT / folder).rglob("*.py")
        if any(line.lstrip().startswith(("ALPHA", "Z =", "SIGNIFICAN")) for line in path.read_text().splitlines())
    ]
    assert named == ["mnist_core/comparison/decide.py"]


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_pair_on_which_two_pages_used_to_differ_has_one_answer(pair: tuple[Run, Run]) -> None:
    right = [(True, False)] * 21 + [(False, True)] * 10 + [(True, True)] * 969
    for side, run in enumerate(pair):
        replace(run, guesses([cell[side] for cell in right], 0.9))
    names, verdict = {run.id: run.name for run in pair}, verdict_of(pair)
    assert verdict.exact_p == pytest.approx(0.0708, abs=5e-5)
    assert verdict.outcome == "worse"
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
