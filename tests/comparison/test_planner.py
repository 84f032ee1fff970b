"""What would settle an undecided comparison: the power behind a plan, what is measured for it, where it is shown."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import mnist_core as mc
from mnist_core.cli import main
from mnist_core.comparison import planner
from mnist_core.comparison.decide import POWER, decide_one, detectable_mean, found_share
from mnist_core.comparison.planner import Evidence, Plan, PooledSpread, evidence, more_needed, power
from mnist_core.comparison.recipe_verdicts import compare_recipes
from mnist_core.comparison.recipes import group
from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words.planner import plan_words
from mnist_core.evaluation.statistics import MeanDifference, residual_square, welch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.synthetic import MakeRun, config, wrong_on

SHIPPED = Path(__file__).resolve().parents[2] / "artifacts" / "reference"


# -- the power of the test that decides --------------------------------------------------------------------------------


@pytest.mark.parametrize("freedom", [3.0, 4.0, 10.0, 100.0])
def test_how_often_a_t_test_decides_is_that_of_the_noncentral_distribution(freedom: float) -> None:
    critical = stats.t.ppf(0.975, freedom)
    for difference in (0.0, 1.0, 3.0, 5.0):
        oracle = stats.nct.sf(critical, freedom, difference) + stats.nct.cdf(-critical, freedom, difference)
        assert found_share(difference, 1.0, 1.0, freedom) == pytest.approx(oracle, abs=0.035)


def test_the_detectable_difference_of_means_is_found_with_the_power_that_is_named() -> None:
    found = detectable_mean(MeanDifference(0.0, 0.2, 6.0))
    critical = stats.t.ppf(0.975, 6)
    assert stats.nct.sf(critical, 6, found / 0.2) == pytest.approx(POWER, abs=0.03)
    assert detectable_mean(MeanDifference(0.0, 0.0, 6.0)) == np.inf


def known(**changes: object) -> Evidence:
    """Two recipes of three seeds each on 10,000 images, of which all is known but chance."""
    values = {
        "images": 10_000, "seeds": (3, 3), "variances": (1e-6, 2e-6), "freedoms": (1e6, 1e6),
        "residuals": (0.0, 0.0), "square": 2e-3, "square_freedom": 1e9, "luck": 0.0,
    }  # fmt: skip
    return Evidence(**values | changes)  # type: ignore[arg-type]


def test_the_power_is_that_of_trainings_drawn_again_and_again() -> None:
    rng, draws, wanted, more = np.random.default_rng(0), 4_000, 0.002, 4
    item = known()
    decided = left_open = 0
    for _ in range(draws):
        images = wanted + rng.normal() * np.sqrt(item.square / item.images)
        first = rng.normal(size=3 + more) * np.sqrt(item.variances[0])
        second = images + rng.normal(size=3 + more) * np.sqrt(item.variances[1])
        answers = []
        for count in (3, 3 + more):
            seeds = welch(list(first[:count]), list(second[:count]))
            error = np.sqrt(seeds.error**2 + item.square / item.images)
            freedom = error**4 / (seeds.error**4 / seeds.freedom + (item.square / item.images) ** 2 / (item.images - 1))
            answers.append(decide_one(MeanDifference(seeds.value, error, freedom)))
        if not answers[0].differs:
            left_open += 1
            decided += answers[1].differs
    half = float(stats.t.ppf(0.975, 5) * np.sqrt(1e-6 + 2e-7))
    assert power(item, np.array([more]), wanted, half)[0] == pytest.approx(decided / left_open, abs=0.06)


def test_more_seeds_and_larger_differences_need_less() -> None:
    counts = power(known(), np.arange(1, 21), 0.002)
    assert (np.diff(counts) > 0).all()
    needed = [more_needed(known(), wanted) for wanted in (0.0017, 0.002, 0.003)]
    assert all(needed)
    assert needed == sorted(needed, reverse=True)  # type: ignore[type-var]
    assert needed[0] != needed[-1]


def test_no_number_of_seeds_makes_up_for_too_few_images() -> None:
    assert more_needed(known(images=355), 0.002) is None
    assert more_needed(known(square=0.0, square_freedom=1.0), 0.0001) == 0  # so small that it takes more than MOST_MORE


def test_a_plan_never_ends_below_the_seeds_that_a_decision_needs() -> None:
    assert more_needed(known(seeds=(1, 1)), 0.5) == 2


# -- what is measured --------------------------------------------------------------------------------------------------


def test_the_residual_is_that_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    table = rng.random((4, 50)) < 0.8
    seeds, images = np.indices(table.shape)
    design = np.column_stack(
        [np.ones(table.size), *(seeds.ravel() == s for s in range(1, 4)), *(images.ravel() == i for i in range(1, 50))]
    )
    left = np.linalg.lstsq(design, table.ravel().astype(float), rcond=None)[1][0]
    assert residual_square(table) == pytest.approx(left / (3 * 49))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that holds nothing but what ships."""
    root = tmp_path_factory.mktemp("shipped")
    (root / "reference").symlink_to(SHIPPED)
    return Store(root)


def test_the_spread_of_other_recipes_is_measured_on_what_ships(shipped: Store) -> None:
    recipes = group(run for run in shipped.runs() if run.listed)
    mnist = next(item.fingerprint for item in recipes if item.runs[0].config.dataset.name == "mnist")
    found = planner.spread(recipes, mnist)
    assert found is not None
    shares = []
    for item in recipes:
        values = [scores.accuracy for run in item.runs if (scores := run.test_scores())]
        if item.fingerprint == mnist and len(values) > 1 and item.runs[0].config.parent is None:
            shares.append(np.var(values, ddof=1) * 10_000 / (1 - np.mean(values)))
    assert found.variance == pytest.approx(np.mean(shares))  # three seeds each
    assert (found.recipes, found.freedom, found.same_data) == (len(shares), 2 * len(shares), True)
    assert found.residual > 0
    assert found.between is not None
    elsewhere = planner.spread(recipes, "5" * 16)
    assert elsewhere is not None
    assert not elsewhere.same_data


def test_all_seeds_of_model_1_and_model_2_ship_with_predictions(shipped: Store) -> None:
    for item in group(run for run in shipped.runs() if run.meta.preset in ("notebook/model_1", "notebook/model_2")):
        assert len(item.runs) == 3
        assert all(run.predictions() is not None for run in item.runs)


def test_one_seed_a_side_is_planned_on_the_pooled_spread() -> None:
    rng = np.random.default_rng(0)
    tables = [rng.random((1, 1_000)) < 0.97 for _ in range(2)]
    pooled = PooledSpread(0.6, 30, 0.35, 0.05, 15, True)
    values = [table.mean(axis=1) for table in tables]
    found = evidence(values[0], values[1], tables[0], tables[1], pooled)
    assert found is not None
    assert found.variances[0] == pytest.approx(0.6 * (1 - tables[0].mean()) / 1_000)
    assert evidence(values[0], values[1], tables[0], tables[1], None) is None


# -- where it is shown -------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(make_run: MakeRun) -> tuple[list[Run], list[Run]]:
    """Three seeds of each of two recipes that are too close to call."""
    first = [
        make_run(f"first, seed {s}", config((16,), seed=s), predictions=wrong_on(range(40 + 9 * s))) for s in range(3)
    ]
    second = [
        make_run(f"second, seed {s}", config((17,), seed=s), predictions=wrong_on(range(8, 40 + 9 * s)))
        for s in range(3)
    ]
    return first, second


def planned(pair: tuple[list[Run], list[Run]], store: Store, margin: float) -> list[Plan]:
    """What would settle the comparison of the first seeds."""
    runs = [pair[0][0], pair[1][0]]
    everything = store.runs()
    recipes = compare_recipes(runs, runs[0], everything, margin=margin)
    return planner.plans(runs, compare(runs, runs[0], margin=margin), recipes, everything)


def test_an_undecided_comparison_of_recipes_has_a_plan_in_words(
    pair: tuple[list[Run], list[Run]], store: Store
) -> None:
    names = {pair[0][0].id: "first", pair[1][0].id: "second"}
    (plan,) = planned(pair, store, 0.01)
    assert (plan.code, plan.seeds) == ("seeds", (3, 3))
    assert plan.detectable is not None
    text = plan_words(plan, names, "6 min")
    assert text.startswith(
        f"{plan.more} more seeds of each of second and first (about 6 min) would show a difference of 1"
    )
    assert f"Those that are there show one of {100 * plan.detectable:.2f} points as often." in text
    (small,) = planned(pair, store, 0.0001)
    assert small.code == "images"
    assert "as these 2,000 images are too few" in plan_words(small, names)


def test_a_decided_comparison_has_none(make_run: MakeRun, store: Store) -> None:
    sides = [
        [make_run(f"{n}, {s}", config((n,), seed=s), predictions=wrong_on(range(n + s))) for s in range(3)]
        for n in (20, 200)
    ]
    assert planned((sides[0], sides[1]), store, 0.01) == []


def test_one_seed_a_side_says_where_the_spread_is_from(make_run: MakeRun, pair: object, store: Store) -> None:
    alone = [make_run(f"alone {n}", config((n,)), predictions=wrong_on(range(n, 60))) for n in (30, 33)]
    (plan,) = planned(([alone[0]], [alone[1]]), store, 0.004)
    assert plan.pooled is not None
    names = {alone[0].id: "a", alone[1].id: "b"}
    assert "One seed has no spread: that between seeds is taken from 2 other recipes on these data." in plan_words(
        plan, names
    )


def test_the_spread_is_measured_on_so_many_of_the_newest_recipes_and_no_more(
    make_run: MakeRun, pair: object, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [make_run(f"alone {n}", config((n,)), predictions=wrong_on(range(n, 60))) for n in (30, 33)]
    monkeypatch.setattr(planner, "MOST_POOLED", 1)
    (plan,) = planned(([alone[0]], [alone[1]]), store, 0.004)
    assert plan.pooled is not None
    assert plan.pooled.recipes == 1


def output_of(store: Store, *arguments: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        assert main([*arguments, "--store", str(store.root)]) == 0
    return out.getvalue()


def test_the_command_line_prints_the_plan_and_the_command_that_carries_it_out(
    pair: tuple[list[Run], list[Run]], store: Store
) -> None:
    runs = pair[0][0].id, pair[1][0].id
    text = output_of(store, "compare", *runs, "--margin", "1")
    (plan,) = planned(pair, store, 0.01)
    command = f"train --like {runs[0]} {runs[1]} --seeds {plan.more}"
    assert f"  python -m mnist_core {command}\n" in text
    assert text.index("As recipes, second") < text.index("on these 2,000 images (p = ")  # seeds first
    found = json.loads(output_of(store, "compare", *runs, "--margin", "1", "--json"))["plans"]
    assert [(item["code"], item["more"]) for item in found] == [("seeds", plan.more)]
    assert found[0]["command"].endswith(command)


def test_more_seeds_are_trained_by_that_command_without_a_preset(store: Store) -> None:
    first = mc.fit(config((8,), epochs=1), dataset="digits", name="mine", store=store)
    output_of(store, "train", "--like", first.id, "--seeds", "2", "--here")
    assert sorted((run.name, run.config.training.seed, run.state) for run in store.runs() if not run.read_only) == [
        ("mine", 0, "finished"), ("mine, seed 1", 1, "finished"), ("mine, seed 2", 2, "finished"),
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [["--name", "x"], ["--epochs", "3"], ["notebook/model_1"]])
def test_the_recipe_is_trained_as_it_is(
    wrong: list[str], pair: tuple[list[Run], list[Run]], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *wrong, "--store", str(store.root), "--like", pair[0][0].id]) == 2
    assert "--like" in capsys.readouterr().err


def test_a_notebook_shows_the_recipes_first_and_the_plan(pair: tuple[list[Run], list[Run]], store: Store) -> None:
    found = mc.compare(pair[0][0], pair[1][0], margin=0.01, store=store)
    assert found.sentence.startswith("As recipes, second, seed 0 and first, seed 0 are too close to call")
    assert any("would show a difference of 1 point in 80" in line for line in found.details)
