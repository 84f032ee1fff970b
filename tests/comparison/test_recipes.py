"""Seeds of one recipe: what groups them, and their means and spreads."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.comparison.recipes import MOST_SEEDS, curves, figures, group, with_seeds, without_seed
from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.recipes import recipe_id
from mnist_core.jobs.request import RunRequest, request_all
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.variants import fields, variants


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three seeds of one recipe and one run of another, all trained on `digits`."""
    store = Store(tmp_path_factory.mktemp("recipes"))
    base = RunConfig.model_validate(
        {"model": {"layers": [{"units": 8}]}, "training": {"epochs": 2, "batch_size": 128, "seed": 4}}
    )
    wanted = [RunRequest(config, f"small, seed {config.training.seed}") for config in with_seeds(base, 3)]
    wanted.append(RunRequest(base.replace(training__learning_rate=1e-4), "slow"))
    return [item.run for item in request_all(store, LocalRunner(store), wanted)]


EVERY_KIND = [
    RunConfig.model_validate(data)
    for data in (
        {
            "model": {
                "layers": [
                    {"kind": "conv", "dropout": 0.1, "l2": 0.1},
                    {"kind": "pool", "dropout": 0.1},
                    {"kind": "flatten"},
                    {"kind": "dense", "dropout": 0.1, "l2": 0.1},
                ]
            },
            "training": {
                "optimizer": "sgd",
                "momentum": 0.5,
                "validation": {"source": "held_out", "count": 100},
                "early_stopping": {"min_delta": 0.1},
                "augmentation": {"shift": 1, "rotation": 1, "zoom": 0.1},
                "schedule": {"kind": "step"},
                "label_smoothing": 0.1,
            },
            "parent": "0123456789ab",
        },
        {
            "model": {"layers": [{"kind": "conv"}, {"kind": "global_average"}]},
            "training": {
                "validation": {"source": "held_out", "fraction": 0.2},
                "schedule": {"kind": "cosine", "final": 0.1},
            },
        },
        {"model": {"layers": [{}]}, "training": {"schedule": {"kind": "plateau", "cooldown": 1, "min_rate": 1e-4}}},
        {"model": {"layers": [{}]}, "parent": "0123456789ab", "parent_epoch": 3},
    )
]
"""Configurations that together have every type of layer, validation and schedule, and every optional part."""


def test_every_field_but_the_seed_makes_another_recipe_and_every_field_another_run() -> None:
    tried = set()
    for config in EVERY_KIND:
        for field, changed in variants(config):
            tried.add(field)
            assert changed.run_id("data") != config.run_id("data"), field
            assert (recipe_id(changed) == recipe_id(config)) == (field == ("TrainingConfig", "seed")), field
    # an optional part is tried by leaving it out, and a count or a fraction of held-out images by another one
    assert tried == fields()


def test_configurations_that_differ_in_a_kind_alone_are_other_recipes() -> None:
    stacks = [[{"kind": "conv"}, {"kind": kind}] for kind in ("conv", "pool", "flatten", "dense", "global_average")]
    trainings: list[dict[str, object]] = [{"schedule": {"kind": kind}} for kind in ("step", "cosine", "plateau")]
    trainings += [{}, {"validation": {"source": "held_out", "count": 100}}]
    data = [{"model": {"layers": stack}} for stack in stacks]
    data += [{"model": {"layers": [{}]}, "training": training} for training in trainings]
    assert len({recipe_id(RunConfig.model_validate(item)) for item in data}) == len(data)


def test_all_seeds_of_a_configuration_are_one_recipe(small_config: RunConfig) -> None:
    assert recipe_id(small_config) == recipe_id(small_config.replace(training__seed=77))


def test_seeds_count_up_from_that_of_the_configuration(small_config: RunConfig) -> None:
    configs = with_seeds(small_config.replace(training__seed=10), 3)
    assert [config.training.seed for config in configs] == [10, 11, 12]
    assert len({recipe_id(config) for config in configs}) == 1


@pytest.mark.parametrize(
    ("first", "count", "says"),
    [(0, 0, "0 seeds were asked for"), (0, MOST_SEEDS + 1, "ask for 1 to 100"), (2**31 - 2, 3, "highest seed")],
)
def test_too_few_or_too_many_seeds_are_refused(small_config: RunConfig, first: int, count: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_seeds(small_config.replace(training__seed=first), count)


def test_a_name_loses_its_own_seed_only() -> None:
    assert without_seed("model_1, seed 12", 12) == "model_1"
    assert without_seed("model_1, seed 12", 2) == "model_1, seed 12"


def test_runs_are_grouped_by_recipe(runs: list[Run]) -> None:
    small, slow = group(reversed(runs))[::-1]
    assert (small.name, small.seeds) == ("small", [4, 5, 6])
    assert (slow.name, slow.seeds) == ("slow", [4])


def test_curves_are_means_with_the_sample_deviation(runs: list[Run]) -> None:
    frame = curves(runs[:3])
    losses = np.array([[row.val_loss for row in run.rows()] for run in runs[:3]])
    found = frame[frame["metric"] == "val_loss"]
    assert list(found["epoch"]) == [1, 2]
    assert list(found["runs"]) == [3, 3]
    assert np.allclose(found["mean"], losses.mean(axis=0))
    assert np.allclose(found["sd"], losses.std(axis=0, ddof=1))
    assert np.allclose(found["low"], losses.min(axis=0))
    assert np.allclose(found["high"], losses.max(axis=0))


def test_one_run_has_no_deviation(runs: list[Run]) -> None:
    frame = curves(runs[3:])
    assert frame["sd"].isna().all()
    assert (frame["runs"] == 1).all()
    assert curves([]).empty


def test_figures_are_over_the_finished_seeds(runs: list[Run]) -> None:
    frame = figures(group(runs)).set_index("name")
    accuracies = []
    for run in runs[:3]:
        found = run.predictions()
        assert found is not None
        accuracies.append((found.predicted == found.labels).mean())
    row = frame.loc["small"]
    assert (row["seeds"], row["finished"]) == (3, 3)
    assert row["test_accuracy"] == pytest.approx(np.mean(accuracies))
    assert row["test_accuracy_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert np.isnan(frame.loc["slow", "test_accuracy_sd"])
