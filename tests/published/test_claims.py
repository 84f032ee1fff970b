"""What sources say of their sweeps, judged on constructed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mnist_core.published.claims import ErrorAt, lambda_claims, neuron_claims, rises
from mnist_core.published.figures import seed_sd
from mnist_core.published.words import claim_words


def lambdas(train: list[float], test: list[float]) -> pd.DataFrame:
    strengths = [0.0, 0.01, 0.1, 0.3][: len(train)]
    return pd.DataFrame({"model.layers.*.l2": strengths, "train_error": train, "test_error": test})


def widths(train: list[float], test: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"model.layers.0.units": [10, 100, 250, 500, 1200], "train_error": train, "test_error": test}
    ).sample(frac=1, random_state=0)  # in any order


def test_errors_of_equally_good_networks_differ_by_more_than_the_noise_once_in_twenty() -> None:
    sd = seed_sd("test_accuracy", 0.98)
    first, second = np.random.default_rng(0).normal(0.02, sd, (2, 4_000))
    beyond = [rises(a, b) or rises(b, a) for a, b in zip(first, second, strict=True)]
    # 30 degrees of freedom allow for a little more than the normal distribution does
    assert np.mean(beyond) == pytest.approx(0.045, abs=0.012)


def test_errors_that_rise_bear_the_claim_out() -> None:
    claims = lambda_claims(lambdas([0.01, 0.05, 0.1, 0.2], [0.034, 0.032, 0.1, 0.2]))
    assert [claim.holds for claim in claims] == [True, True]  # 0.034 to 0.032 is no fall beyond chance
    assert (claims[1].first, claims[1].last, claims[1].falling) == (ErrorAt(0.0, 0.034), ErrorAt(0.3, 0.2), 0)
    assert claim_words(claims[1]) == (
        "the test error rises with λ",
        "from 3.40 % at λ = 0 to 20.00 % at λ = 0.3; no step falls by more than chance",
        True,
    )


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ([0.03, 0.1, 0.05, 0.2], "1 of 3 steps fall"),
        ([0.03, 0.031, 0.031, 0.032], "no step falls"),
        ([0.2, 0.1, 0.05, 0.03], "3 of 3 steps fall"),
    ],
)
def test_errors_that_do_not_rise_do_not(test: list[float], says: str) -> None:
    claim = lambda_claims(lambdas([0.01, 0.05, 0.1, 0.2], test))[1]
    assert not claim.holds
    assert says in claim_words(claim).measured


def test_the_level_is_the_first_width_that_none_beats_by_more_than_chance() -> None:
    claims = neuron_claims(widths([0.05, 0.01, 0.005, 0.001, 0.0], [0.07, 0.026, 0.019, 0.0166, 0.0171]))
    assert [claim.holds for claim in claims] == [True, True, True]
    assert (claims[2].level, claims[2].worse) == (ErrorAt(250, 0.019), ())
    published, measured, _ = claim_words(claims[2])
    assert published == "the test error levels off at about 250 neurons"
    assert measured == "from 250 neurons on (1.90 %), none is better by more than chance"
    assert claim_words(claims[0])[:2] == (
        "the training error falls as layers widen",
        "from 5.00 % with 10 neurons to 0.00 % with 1200",
    )


def test_a_wider_network_that_is_worse_is_named() -> None:
    claim = neuron_claims(widths([0.05, 0.01, 0.005, 0.001, 0.0], [0.07, 0.026, 0.019, 0.03, 0.0171]))[2]
    assert claim.holds
    assert claim.worse == (ErrorAt(500, 0.03),)
    assert claim_words(claim).measured.endswith("500 neurons come to 3.00 %")


@pytest.mark.parametrize(
    "test", [[0.02, 0.02, 0.02, 0.02, 0.019], [0.09, 0.07, 0.05, 0.03, 0.01]], ids=["at once", "never"]
)
def test_a_test_error_that_levels_off_elsewhere_does_not_bear_the_claim_out(test: list[float]) -> None:
    assert not neuron_claims(widths([0.05, 0.01, 0.005, 0.001, 0.0], test))[2].holds
