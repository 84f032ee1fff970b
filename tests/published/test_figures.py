"""The rule for published figures: what chance allows for, and all figures of a model at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mnist_core.evaluation.statistics import Sample, sample
from mnist_core.experiments.presets import Published
from mnist_core.published.figures import (
    FIGURE_NAMES,
    SPREADS,
    Figure,
    Spread,
    compare,
    is_loss,
    pooled,
    printed,
    scale,
    seed_sd,
)

ONE = math.nan
"""The standard deviation of one value."""


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_a_model_that_is_the_published_one_reproduces_19_times_in_20(seeds: int) -> None:
    random, within = np.random.default_rng(0), []
    for _ in range(2000):
        luck = random.normal(0, 0.0015)  # of the images, which both share
        own = random.normal(0.976, seed_sd("test_accuracy", 0.976), seeds + 1) + luck
        within.append(not compare([("test_accuracy", own[0], sample(own[1:]))])[0].differs)
    assert np.mean(within) == pytest.approx(0.955, abs=0.012)


def test_several_figures_of_a_model_that_is_the_published_one_all_agree_19_times_in_20() -> None:
    random, agree = np.random.default_rng(1), []
    centre: dict[Figure, float] = {"test_accuracy": 0.976, "test_loss": 0.1, "first_loss": 0.5, "last_accuracy": 0.977}
    for _ in range(1000):
        pairs = []
        for figure, value in centre.items():
            own = random.normal(value, seed_sd(figure, value), 4)
            pairs.append((figure, float(own[0]), sample(own[1:])))
        agree.append(not any(item.differs for item in compare(pairs)))
    assert 0.94 <= np.mean(agree) <= 0.98


def test_the_limit_is_student_s_of_the_pooled_spread_and_the_images_are_not_in_it() -> None:
    (item,) = compare([("test_accuracy", 0.9722, Sample(3, 0.9762, 0.0014))])
    relative, freedom = SPREADS["test_accuracy"]
    expected = stats.t.ppf(0.975, freedom) * relative * math.sqrt(0.9762 * 0.0238) * math.sqrt(1 + 1 / 3)
    assert item.limit == pytest.approx(expected, rel=1e-9)
    assert item.limit < 0.003  # with the luck of 10,000 images counted twice it would be 0.0051
    assert item.differs
    (alone,) = compare([("test_accuracy", 0.9722, Sample(1, 0.9762, ONE))])
    assert alone.limit == pytest.approx(expected * math.sqrt(2 / (4 / 3)), rel=1e-9)  # one seed says less


def test_a_figure_differs_exactly_where_it_is_outside_the_range_of_chance() -> None:
    for published in np.linspace(0.97, 0.98, 41):
        (item,) = compare([("test_accuracy", float(published), Sample(3, 0.975, 0.001))])
        assert item.differs == (abs(item.gap) > item.limit)


def test_the_spread_is_pooled_by_degrees_of_freedom() -> None:
    samples = [Sample(3, 0.1, 0.01), Sample(2, 0.2, 0.01), Sample(1, 0.3, ONE)]
    found = pooled("test_loss", samples)
    assert found == Spread(pytest.approx(math.sqrt((2 * 0.1**2 + 0.05**2) / 3)), 3)
    assert pooled("test_loss", [Sample(1, 0.3, ONE)]) is None


def test_a_perfect_accuracy_still_has_a_spread() -> None:
    assert scale("test_accuracy", 1.0) == pytest.approx(0.01)
    assert scale("test_loss", 0.25) == 0.25


def test_every_figure_has_a_spread_and_is_a_field_of_what_is_published() -> None:
    assert set(SPREADS) == set(FIGURE_NAMES)
    everything = Published(**dict.fromkeys(FIGURE_NAMES, 0.5))  # type: ignore[arg-type]
    assert list(printed(everything)) == list(FIGURE_NAMES)
    assert [figure for figure in FIGURE_NAMES if is_loss(figure)] == [
        "test_loss",
        "best_val_loss",
        "first_loss",
        "first_val_loss",
        "last_loss",
    ]
    assert printed(Published()) == {}
    assert compare([]) == ()
