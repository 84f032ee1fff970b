"""Paired statistics and seeds, each against SciPy, brute force or a published unit value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from mnist_core.errors import ComparisonError
from mnist_core.evaluation.metrics import image_losses
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import (
    AccuracyDifference,
    Agreement,
    MeanDifference,
    agreement,
    crossed_difference,
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
    # Fagerland, Lydersen & Laake (2014), airway reactivity before and after a transplantation (Bentur et al. 2009)
    airways = AccuracyDifference(Agreement(1, only_baseline=7, only_run=1, both_wrong=12))
    assert list(airways.interval(0.95)) == pytest.approx([-0.517, -0.026], abs=5e-4)
    assert [airways.p, mcnemar(7, 1), mcnemar_mid(7, 1)] == pytest.approx([0.034, 0.070, 0.039], abs=5e-4)


@pytest.mark.parametrize(("b", "c"), [(0, 1), (1, 0), (3, 3), (4, 3), (12, 40), (700, 600), (0, 30), (2_000, 2_300)])
def test_mcnemar_is_scipys_binomial_test(b: int, c: int) -> None:
    oracle = stats.binomtest(min(b, c), b + c, 0.5)
    assert mcnemar(b, c) == pytest.approx(oracle.pvalue, rel=1e-9)
    # mid-p leaves out half of what is exactly as extreme, on both sides
    middle = 1.0 if b == c else oracle.pvalue - stats.binom.pmf(min(b, c), b + c, 0.5)
    assert mcnemar_mid(b, c) == pytest.approx(middle, rel=1e-9)


def test_two_runs_that_never_differ_are_no_evidence_of_more_than_the_images_can_show() -> None:
    assert (mcnemar(0, 0), mcnemar_mid(0, 0)) == (1.0, 1.0)
    same = predictions(1)
    found = AccuracyDifference(agreement(same, same))
    z = stats.norm.ppf(0.975)
    end = z**2 / (400 + z**2)
    assert (found.value, found.p) == (0.0, 1.0)
    assert list(found.interval(0.95)) == pytest.approx([-end, end])
    assert loss_difference(same, same) == MeanDifference(0.0, 0.0, 399)


TABLES = [
    (0, 0, 355), (1, 0, 355), (4, 0, 355), (5, 0, 355), (0, 9, 10_000), (21, 10, 10_000), (25, 40, 10_000),
    (25, 25, 300), (0, 355, 355), (2, 0, 2), (1, 1, 2), (700, 600, 10_000),
]  # fmt: skip


@pytest.mark.parametrize("level", [0.8, 0.95, 0.995])
@pytest.mark.parametrize(("lost", "gained", "images"), TABLES)
def test_the_ends_of_tangos_interval_are_roots_of_its_quartic(
    lost: int, gained: int, images: int, level: float
) -> None:
    """(b−c−nδ)² = z²·n(2q̃ + δ(1−δ)) without its root: the polynomial of Yang, Sun & Hardin (2013)."""
    n, sum_, gap, g = images, lost + gained, gained - lost, stats.norm.ppf((1 + level) / 2) ** 2
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * gap * (n / g + 1) * (4 * n / g + 1),
        2 * n * gap**2 * (3 * n / g + 2) / g - n**2 * (sum_ / g + 1),
        n * gap * (2 * sum_ / g + 1) - gap**3 * (4 * n / g + 1) / g,
        gap**2 * (gap**2 / g - sum_) / g,
    ]
    roots = np.roots(quartic)
    real = np.append(roots[np.abs(roots.imag) < 1e-5].real, [-1.0, 1.0])
    for end in AccuracyDifference(Agreement(n - sum_, lost, gained, 0)).interval(level):
        assert np.abs(real - end).min() < 1e-5


@pytest.mark.parametrize(("lost", "gained", "images"), TABLES)
def test_the_score_is_that_of_the_likeliest_model_with_this_difference(lost: int, gained: int, images: int) -> None:
    found = AccuracyDifference(Agreement(images - lost - gained, lost, gained, 0))
    for difference in (-0.2, -0.01, 0.005, 0.3):
        low, high = max(0.0, -difference), (1 - difference) / 2

        def minus_log_likelihood(share: float, difference: float = difference) -> float:
            cells = ((gained, share + difference), (lost, share), (images - lost - gained, 1 - 2 * share - difference))
            return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

        share = optimize.minimize_scalar(
            minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
        ).x
        variance = images * (2 * share + difference * (1 - difference))
        expected = (gained - lost - images * difference) / math.sqrt(variance)
        assert found.score(difference) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(("images", "most"), [(355, 70), (10_000, 70)])
def test_false_alarms_and_coverage_over_all_tables_are_what_is_documented(images: int, most: int) -> None:
    """Not a simulation: every table with up to `most` discordant images, weighted by its probability."""
    tables = [(b, c) for b in range(most + 1) for c in range(most + 1 - b)]
    found = [AccuracyDifference(Agreement(images - b - c, c, b, 0)) for b, c in tables]
    alarms = np.array([item.p < 0.05 for item in found])
    ends = np.array([item.interval(0.95) for item in found])
    gained, lost = np.array(tables).T
    for expected in (1, 4, 10, 20, 30):
        for lean in (0.0, 0.5, 1.0):
            share = np.array([(1 + lean) / 2, (1 - lean) / 2]) * expected / images
            weight = stats.multinomial.pmf(
                np.stack([gained, lost, images - gained - lost], axis=1), images, [*share, 1 - share.sum()]
            )
            assert weight.sum() > 0.999
            difference = share[0] - share[1]
            held = (ends[:, 0] <= difference + 1e-12) & (ends[:, 1] >= difference - 1e-12)
            assert weight[held].sum() > 0.93
            if lean == 0:
                assert weight[alarms].sum() < 0.054


def test_the_loss_difference_is_scipys_paired_t_test() -> None:
    first, second = predictions(1), predictions(2)
    losses = [image_losses(item.labels, item.probabilities) for item in (second, first)]
    oracle = stats.ttest_rel(*losses)
    found = loss_difference(first, second)
    assert found.value == pytest.approx((losses[0] - losses[1]).mean())
    assert found.p == pytest.approx(oracle.pvalue)
    assert list(found.interval(0.95)) == pytest.approx(list(oracle.confidence_interval(0.95)))


def test_the_loss_interval_agrees_with_a_paired_bootstrap() -> None:
    first, second = predictions(1), predictions(2)
    losses = [image_losses(item.labels, item.probabilities) for item in (second, first)]
    drawn = stats.bootstrap(
        losses, lambda a, b, axis=-1: (a - b).mean(axis=axis), paired=True, method="percentile", batch=200,
        n_resamples=2_000, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    low, high = loss_difference(first, second).interval(0.95)
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
    assert list(found.interval(0.95)) == pytest.approx(list(oracle.confidence_interval(0.95)))
    assert not welch([0.5, 0.5], [0.5, 0.5]).known
    equal = welch([0.9723] * 3, [0.9751] * 3)  # no spread: nothing is known of chance, and nothing is claimed
    assert (equal.p, equal.interval(0.95)) == (1.0, (-math.inf, math.inf))
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


def crossed(first: np.ndarray, second: np.ndarray, known: int | None = None) -> MeanDifference:
    """The difference of recipes of which `known` seeds' tables are there."""
    return crossed_difference(first.mean(axis=1), second.mean(axis=1), first[:known], second[:known])


def test_crossed_seeds_and_images_hold_the_true_difference_19_times_in_20() -> None:
    """Welch's interval over seeds takes the test images as given; this one holds their chance too."""
    rng = np.random.default_rng(1)
    held = {"crossed": 0, "welch": 0}
    for _ in range(400):
        hard = rng.normal(6, 4, 400)  # how easy each image is, for both recipes
        sides = []
        for _ in range(2):
            easy = hard + rng.normal(0, 2, 400)
            sides.append(rng.random((5, 400)) < 1 / (1 + np.exp(-easy - rng.normal(0, 0.2, (5, 1)))))
        both = crossed(*sides).interval(0.95)
        plain = welch(sides[0].mean(axis=1), sides[1].mean(axis=1)).interval(0.95)
        held["crossed"] += both.low <= 0 <= both.high
        held["welch"] += plain.low <= 0 <= plain.high
    assert 0.93 <= held["crossed"] / 400 <= 0.99
    assert held["welch"] / 400 < 0.9


def test_with_one_difficulty_for_all_images_the_variance_is_that_of_independent_answers() -> None:
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(200):
        sides = [rng.random((6, 500)) < 0.9 for _ in range(2)]
        errors.append(crossed(*sides).error)
    assert np.mean(errors) == pytest.approx(math.sqrt(2 * 0.9 * 0.1 / 3000), rel=0.1)
    # with the table of one seed only, the interval is rather too wide
    assert crossed(*sides, known=1).error > np.mean(errors)
    with pytest.raises(ComparisonError, match="1 and 6 seeds have no spread"):
        crossed(sides[0][:1], sides[1])
    with pytest.raises(ComparisonError, match="tested on 500 and 499 images"):
        crossed(sides[0], sides[1][:, :499])
