"""Paired statistics and seeds, each against SciPy, brute force or a published unit value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mnist_core.errors import ComparisonError
from mnist_core.evaluation.metrics import image_losses
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import (
    Agreement,
    accuracy_difference,
    agreement,
    holm,
    loss_difference,
    mcnemar,
    mcnemar_mid,
    sample,
    superiority,
    welch,
)


def predictions(seed: int, images: int = 400, labels: np.ndarray | None = None) -> Predictions:
    """Made-up predictions, right on most images."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(images) % 10).astype(np.uint8) if labels is None else labels
    probabilities = rng.dirichlet(np.full(10, 0.3), images)
    probabilities[np.arange(images), labels] += rng.uniform(0.0, 1.5, images)
    return Predictions(labels, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32))


def test_the_table_counts_what_both_one_or_neither_get_right() -> None:
    first, second = predictions(1), predictions(2)
    pairs = [
        (bool(a), bool(b))
        for a, b in zip(first.predicted == first.labels, second.predicted == second.labels, strict=True)
    ]
    expected = [pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
    assert list(agreement(first, second)) == expected
    assert agreement(first, second).images == 400


def test_the_published_unit_values() -> None:
    assert mcnemar(40, 25) == pytest.approx(0.08168, abs=5e-6)
    assert mcnemar_mid(40, 25) == pytest.approx(0.06402, abs=5e-6)
    found = accuracy_difference(Agreement(9_900, only_baseline=25, only_run=40, both_wrong=35))
    assert 100 * found.value == pytest.approx(0.15)
    assert [100 * end for end in found.interval] == pytest.approx([-0.008, 0.308], abs=5e-4)


@pytest.mark.parametrize(("b", "c"), [(0, 1), (1, 0), (3, 3), (4, 3), (12, 40), (700, 600), (0, 30), (2_000, 2_300)])
def test_mcnemar_is_scipys_binomial_test(b: int, c: int) -> None:
    oracle = stats.binomtest(min(b, c), b + c, 0.5)
    assert mcnemar(b, c) == pytest.approx(oracle.pvalue, rel=1e-9)
    # mid-p leaves out half of what is exactly as extreme, on both sides
    middle = 1.0 if b == c else oracle.pvalue - stats.binom.pmf(min(b, c), b + c, 0.5)
    assert mcnemar_mid(b, c) == pytest.approx(middle, rel=1e-9)


def test_two_runs_that_never_differ_are_no_evidence() -> None:
    assert (mcnemar(0, 0), mcnemar_mid(0, 0)) == (1.0, 1.0)
    same = predictions(1)
    assert accuracy_difference(agreement(same, same)) == (0.0, (0.0, 0.0), 1.0)
    assert loss_difference(same, same) == (0.0, (0.0, 0.0), 1.0)


def test_the_interval_is_that_of_the_mean_of_the_paired_differences() -> None:
    """−1, 0 or 1 an image; the formula is the mean's, with the standard deviation over n and not n−1."""
    first, second = predictions(1), predictions(2)
    each = (second.predicted == second.labels).astype(int) - (first.predicted == first.labels)
    low, high = stats.norm.interval(0.95, each.mean(), each.std(ddof=0) / math.sqrt(len(each)))
    found = accuracy_difference(agreement(first, second))
    assert found.value == pytest.approx(each.mean())
    assert list(found.interval) == pytest.approx([low, high])
    turned = accuracy_difference(agreement(second, first))
    assert (turned.value, turned.p) == (-found.value, found.p)


def test_the_loss_difference_is_scipys_paired_t_test() -> None:
    first, second = predictions(1), predictions(2)
    losses = [image_losses(item.labels, item.probabilities) for item in (second, first)]
    oracle = stats.ttest_rel(*losses)
    found = loss_difference(first, second)
    assert found.value == pytest.approx((losses[0] - losses[1]).mean())
    assert found.p == pytest.approx(oracle.pvalue)
    assert list(found.interval) == pytest.approx(list(oracle.confidence_interval(0.95)))


def test_the_loss_interval_agrees_with_a_paired_bootstrap() -> None:
    first, second = predictions(1), predictions(2)
    losses = [image_losses(item.labels, item.probabilities) for item in (second, first)]
    drawn = stats.bootstrap(
        losses, lambda a, b, axis=-1: (a - b).mean(axis=axis), paired=True, method="percentile", batch=200,
        n_resamples=2_000, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    low, high = loss_difference(first, second).interval
    assert [low, high] == pytest.approx([drawn.low, drawn.high], abs=0.1 * (high - low))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (predictions(2, images=300), "400 images and the other on 300"),
        (predictions(2, labels=np.flip((np.arange(400) % 10).astype(np.uint8))), "not in the same order"),
    ],
)
def test_unpaired_predictions_are_refused(other: Predictions, says: str) -> None:
    for compare in (agreement, loss_difference):
        with pytest.raises(ComparisonError, match=says):
            compare(predictions(1), other)


def test_holm_by_hand_and_by_its_definition() -> None:
    assert holm([]) == []
    assert holm([0.03]) == [0.03]
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Wikipedia's example
    rng = np.random.default_rng(3)
    for _ in range(50):
        p = rng.uniform(0, 0.4, 6)
        ranked = sorted(p)
        expected = [
            min(1.0, max((6 - j) * ranked[j] for j in range(6) if ranked[j] <= value)) for value in p
        ]  # the closed form: the largest step up to it
        assert holm(list(p)) == pytest.approx(expected)


def test_welch_is_scipys() -> None:
    first, second = [0.9751, 0.9760, 0.9748, 0.9755], [0.9840, 0.9851, 0.9846]
    oracle = stats.ttest_ind(second, first, equal_var=False)
    found = welch(first, second)
    assert found.value == pytest.approx(np.mean(second) - np.mean(first))
    assert found.p == pytest.approx(oracle.pvalue)
    assert list(found.interval) == pytest.approx(list(oracle.confidence_interval(0.95)))
    assert welch([0.5, 0.5], [0.5, 0.5]) == (0.0, (0.0, 0.0), 1.0)
    with pytest.raises(ComparisonError, match="1 and 3 seeds have no spread"):
        welch([0.9], second)


def test_superiority_is_mann_and_whitneys_u_over_the_pairs() -> None:
    rng = np.random.default_rng(0)
    first, second = list(rng.integers(0, 6, 7) / 10), list(rng.integers(0, 6, 5) / 10)  # with ties
    oracle = stats.mannwhitneyu(second, first).statistic / 35
    assert superiority(first, second) == pytest.approx(oracle)
    assert superiority([1.0, 2.0], [3.0, 4.0]) == 1.0
    with pytest.raises(ComparisonError, match="no finished seeds"):
        superiority([], second)


def test_a_sample_is_count_mean_and_standard_deviation() -> None:
    assert sample([1.0, 2.0, 3.0]) == (3, 2.0, 1.0)
    assert sample([1.0])[:2] == (1, 1.0)
    assert math.isnan(sample([1.0]).sd)
    assert math.isnan(sample([]).mean)
