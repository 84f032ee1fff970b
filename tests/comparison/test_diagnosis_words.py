"""No sentence says what its numbers, or the history that they come from, deny."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.diagnosis_histories import all_cases, configuration, made_up_row
from benchmarks.diagnosis_rates import findings_of
from mnist_core.comparison.diagnosis import suggestions as diagnosis_suggestions
from mnist_core.comparison.diagnosis.findings import NUMBERS, Code, Finding, UnseenResult
from mnist_core.comparison.diagnosis.rules import diagnose
from mnist_core.comparison.diagnosis.suggestions import LOWER_RATE, MORE_EPOCHS, Suggestion
from mnist_core.comparison.diagnosis.words import (
    CHANGES,
    RULES,
    TEMPLATES,
    TITLES,
    claim_holds,
    suggestion_sentence,
    template_of,
    to_json,
    words,
)
from mnist_core.experiments.settings import setting_at
from mnist_core.runs.records import EpochRow

CODES = get_args(Code)


# -- complete ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_each_finding_has_a_name_sentences_with_claims_and_a_rule(code: Code) -> None:
    assert TITLES[code]
    assert RULES[code][-1][0] == "" or len(RULES[code]) > 1
    assert TEMPLATES[code]
    for template in TEMPLATES[code]:
        shown = set(re.findall(r"\{(\w+):", template.lead + template.text)) - {"epoch"}
        assert shown <= set(NUMBERS), "every number that is shown is documented"
        for claim in template.claims:
            left, sign, right = claim.split()
            assert sign in ("<", "<=", ">", ">=")
            for side in (left, right):
                assert side in NUMBERS or re.fullmatch(r"[\d.]+", side), f"{side} is no number of a finding"
        assert template.claims or code == "not_finite"
        assert {lead[-1] for lead in (template.lead, template.so_far) if lead} <= {":", ","}


def test_each_suggestion_has_words() -> None:
    every = {value for value in vars(diagnosis_suggestions).values() if isinstance(value, Suggestion)}
    assert every == set(CHANGES)
    assert all(setting_at(change.path) for change in every)


def test_every_number_that_is_found_is_documented_and_every_finding_occurs() -> None:
    found = [item for case in all_cases(range(6), (8, 20, 60)) for item in findings_of(case)]
    assert {name for item in found for name in item.numbers} <= set(NUMBERS)
    assert {item.code for item in found} >= set(CODES) - {"val_loss_rose"}, "that one is tested with few images"


def test_advice_is_a_suggestion() -> None:
    assert suggestion_sentence((MORE_EPOCHS, LOWER_RATE)) == "More epochs or a lower learning rate may help."
    assert suggestion_sentence(()) == ""


@pytest.mark.parametrize(
    ("claim", "holds"),
    [("a > b", True), ("a <= b", False), ("a > 1.5", True), ("missing > 0", False), ("a >= n", False)],
)
def test_a_claim_is_a_comparison_and_false_where_a_number_is_missing(claim: str, holds: bool) -> None:
    assert claim_holds(claim, {"a": 2.0, "b": 1.0, "n": float("nan")}) is holds


def test_a_sentence_for_a_training_that_still_runs_does_not_speak_of_its_end() -> None:
    (item,) = diagnose([made_up_row(epoch, 0.4 * 0.9**epoch, 0.4 * 0.93**epoch) for epoch in range(1, 13)])
    assert words(item).sentence.startswith("Still improving at the end: the validation loss fell from ")
    assert words(item, ended=False).sentence.startswith("Still improving: the validation loss fell from ")
    assert (words(item).lead_alone, words(item, ended=False).lead_alone) == (
        "Still improving at the end", "Still improving",
    )  # fmt: skip


def test_the_kinds_of_the_json_are_those_that_it_always_had() -> None:
    assert {"diverged", "stuck at chance", "overfitting", "still improving", "underfitting", "plateau", "unstable",
            "dropout makes training look worse", "not enough evidence"} <= set(TITLES.values())  # fmt: skip
    (item,) = diagnose([made_up_row(1, 0.1, 0.1)])
    assert set(to_json(item)) >= {"kind", "epoch", "severity", "sentence", "rule", "numbers"}


# -- true --------------------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[EpochRow]:
    """Histories of any shape: walks, jumps, levels, noise, of 1 to 60 epochs; in some the accuracies disagree."""
    count = draw(st.integers(1, 60))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    start, drift = draw(st.floats(-4, 1.5)), draw(st.floats(-0.2, 0.2))
    noise, jumps = draw(st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.6])), draw(st.sampled_from([0.0, 0.05, 0.3]))
    curves = []
    for _ in range(2):
        turn = draw(st.integers(0, count))
        steps = np.where(np.arange(count) < turn, drift, -drift * draw(st.floats(-1, 1)))
        steps = steps + (generator.random(count) < jumps) * generator.normal(0, 1.5, count)
        curves.append(np.exp(np.clip(start + np.cumsum(steps) + noise * generator.standard_normal(count), -16, 6)))
    clean, val = curves
    if draw(st.booleans()):
        clean = val * draw(st.floats(0.2, 1.2))
    rows = [
        made_up_row(index + 1, float(clean[index]), float(val[index]), training=float(clean[index]) * 1.1)
        for index in range(count)
    ]
    if draw(st.booleans()):
        shift = draw(st.floats(-0.3, 0.3))
        rows = [replace(row, train_eval_accuracy=min(1.0, max(0.0, row.train_eval_accuracy + shift))) for row in rows]
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, count - 1))
        rows[place] = replace(rows[place], loss=float("nan"))
    return rows


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=histories(),
    images=st.sampled_from([None, 50, 355, 10_000]),
    dropout=st.sampled_from([0.0, 0.4]),
    test=st.sampled_from([None, UnseenResult(0.5, 1000), UnseenResult(0.98, 10_000)]),
    kept=st.integers(1, 60),
)
def test_no_sentence_denies_its_numbers_or_the_history(
    rows: list[EpochRow], images: int | None, dropout: float, test: UnseenResult | None, kept: int
) -> None:
    found = diagnose(
        rows, configuration(60, dropout=dropout), images=images, test=test, kept_epoch=min(kept, len(rows))
    )
    assert found, "there is always something to say"
    for item in found:
        template = template_of(item)  # raises where no sentence fits the numbers
        assert template.holds(item.numbers)
        assert 1 <= item.epoch <= len(rows)
        shown = words(item)
        assert shown.sentence.endswith(".")
        assert "nan" not in shown.sentence + shown.rule
        CHECKS[item.code](item, rows)
    directions: dict[str, str] = {}
    for item in found:
        for change in item.suggestions:
            assert directions.setdefault(change.path, change.direction) == change.direction, "no opposite advice"
    places = [item.code for item in found if item.code in WHERE]
    assert len(places) == (0 if found[0].code in ENDINGS else 1), "one finding says where the loss goes"


ENDINGS = {"not_finite", "loss_explosion", "dead_network", "stuck_at_chance", "collapse"}
WHERE = {
    "got_worse", "overfitting", "val_loss_rose", "still_improving", "plateau", "too_few_epochs", "unclear",
}  # fmt: skip


def kept_losses(item: Finding, rows: list[EpochRow]) -> np.ndarray | None:
    """The validation losses that the means of a finding are over; None where spikes were left out."""
    return None if item.numbers.get("left_out") else np.array([row.val_loss for row in rows])


def means_of(values: np.ndarray, window: float) -> np.ndarray:
    return np.convolve(values, np.ones(int(window)) / int(window), "valid")


def check_rise(item: Finding, rows: list[EpochRow]) -> None:
    losses, numbers = kept_losses(item, rows), item.numbers
    if losses is None:
        return
    if "window" not in numbers:
        assert (losses[item.epoch :] >= 2 * losses[item.epoch - 1]).all()
        return
    means = means_of(losses, numbers["window"])
    assert numbers["low"] == pytest.approx(means.min())
    assert numbers["last"] == pytest.approx(means[-1])
    assert numbers["rise"] == pytest.approx(means[-1] - means.min())
    training = means_of(np.array([row.train_eval_loss for row in rows]), numbers["window"])
    assert numbers["training_last"] == pytest.approx(training[-1])
    if item.code == "overfitting":
        assert numbers["training_rise"] <= 0.2 * numbers["rise"] + 1e-12
    if item.code == "got_worse":
        assert training[-1] > numbers["training_before"]


def check_improving(item: Finding, rows: list[EpochRow]) -> None:
    losses, numbers = kept_losses(item, rows), item.numbers
    if losses is None:
        return
    if "window" not in numbers:
        assert (np.diff(losses) < 0).all()
        return
    means = means_of(losses, numbers["window"])
    assert numbers["last"] == pytest.approx(means[-1])
    assert numbers["last"] < numbers["before"] == pytest.approx(means[-1 - int(numbers["window"])])


def check_plateau(item: Finding, rows: list[EpochRow]) -> None:
    losses, numbers = kept_losses(item, rows), item.numbers
    if losses is None:
        return
    since = means_of(losses, numbers["window"])[item.epoch - int(numbers["window"]) :]
    assert numbers["lowest_mean"] == pytest.approx(since.min())
    assert numbers["highest_mean"] == pytest.approx(since.max())
    assert numbers["epochs"] == len(rows) - item.epoch
    assert since.max() - since.min() <= max(0.15 * since[-1], 0.001) + 1e-12, "a plateau holds to the end"


def check_unclear(item: Finding, rows: list[EpochRow]) -> None:
    losses, numbers = kept_losses(item, rows), item.numbers
    if losses is not None:
        means = means_of(losses, numbers["window"])
        assert numbers["rise"] == pytest.approx(means[-1] - means.min())
    assert numbers["rise"] <= numbers["needed"], "what rose enough is not unclear"


def check_accuracies(item: Finding, rows: list[EpochRow]) -> None:
    if item.numbers.get("left_out") or item.code == "val_better_than_test":
        return
    window = int(item.numbers["window"])
    late = rows[-window:]
    training, validation = (
        np.mean([getattr(row, name) for row in late]) for name in ("train_eval_accuracy", "val_accuracy")
    )
    if "training_accuracy" in item.numbers and not any(row.val_loss != row.val_loss for row in rows):
        assert item.numbers["training_accuracy"] == pytest.approx(training)
        assert item.numbers["val_accuracy"] == pytest.approx(validation)
    if item.code == "underfitting":
        best = means_of(np.array([row.train_eval_accuracy for row in rows]), window).max()
        assert item.numbers["best"] == pytest.approx(best)
        assert best < 0.97


def check_ending(item: Finding, rows: list[EpochRow]) -> None:
    since = rows[item.epoch - 1 :]
    if item.code == "not_finite":
        assert not np.isfinite(rows[item.epoch - 1].loss)
    elif item.code == "loss_explosion":
        lowest = min(row.train_eval_loss for row in rows)
        assert all(row.train_eval_loss > 2 * lowest for row in since)
        assert rows[-1].train_eval_loss > 2.303
    elif item.code in ("stuck_at_chance", "dead_network") or "chance" in item.numbers:
        assert all(row.val_accuracy <= item.numbers["chance"] for row in since)
    else:
        best = max(row.train_eval_accuracy for row in rows)
        assert all(row.train_eval_accuracy < best - 0.1 for row in since)


def check_swings(item: Finding, rows: list[EpochRow]) -> None:
    losses, numbers = np.array([row.val_loss for row in rows]), item.numbers
    if item.code == "spike":
        assert losses[item.epoch - 1] == numbers["peak"]
        assert losses[int(numbers["after"]) - 1] == numbers["recovered"] < numbers["peak"]
        assert numbers["peak"] >= 1.5 * numbers["before"] * (1 - 1e-9)
        assert numbers["before"] in losses[: item.epoch]
    else:
        part = losses[int(numbers["start"]) - 1 : int(numbers["until"])]
        assert (numbers["low"], numbers["peak"]) == (part.min(), part.max())
        assert np.abs(np.diff(np.log(np.maximum(part, 1e-3)))).sum() >= numbers["swings"] * np.log(1.5) - 1e-9


def check_dropout(item: Finding, rows: list[EpochRow]) -> None:
    assert item.numbers["clean"] < item.numbers["val"] < item.numbers["shown"]


def check_few(item: Finding, rows: list[EpochRow]) -> None:
    assert item.numbers["epochs"] < 6


CHECKS = {
    **dict.fromkeys(("overfitting", "got_worse", "val_loss_rose"), check_rise),
    **dict.fromkeys(ENDINGS, check_ending),
    **dict.fromkeys(
        ("underfitting", "generalisation_gap", "val_better_than_training", "val_better_than_test"), check_accuracies
    ),
    **dict.fromkeys(("spike", "oscillation"), check_swings),
    "still_improving": check_improving,
    "plateau": check_plateau,
    "unclear": check_unclear,
    "dropout_raises_training_loss": check_dropout,
    "too_few_epochs": check_few,
}
"""For each code, what must be true of the history itself, computed here by other code."""


def test_numbers_that_are_claimed_to_differ_are_shown_as_different() -> None:
    numbers = {"low": 0.1, "last": 0.2, "rise": 0.1, "needed": 0.01, "window": 4.0, "noise_sd": 0.001}
    numbers |= {"training_before": 0.200001, "training_last": 0.2, "training_rise": -1e-6, "training_needed": 0.02}
    sentence = words(Finding("overfitting", 5, numbers)).sentence
    assert "the training loss went from 0.2000 to 0.2000" in sentence, "and not: fell from 0.2000 to 0.2000"
