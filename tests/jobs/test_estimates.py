"""The estimate follows what was measured, and says nothing where nothing was."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import HeldOutValidation, RunConfig
from mnist_core.jobs import estimates
from mnist_core.jobs.estimates import EpochWork, TimedTraining, cost, estimate, measured, time_left, total
from mnist_core.runs.records import LiveProgress
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.synthetic import row

PRINT = "a" * 16


def trained(store: Store, config: RunConfig, seconds: list[float], *, processor: str | None = "this one") -> Run:
    run, _ = store.add(config, name="synthetic", fingerprint=PRINT)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    if processor:
        names = ("python", "mnist_core", "tensorflow", "keras", "numpy", "platform")
        writer.environment(dict.fromkeys(names, "1") | {"processor": processor, "threads": 2})
    for epoch, value in enumerate(seconds, start=1):
        writer.epoch(row(epoch, seconds=value))
    writer.ended("finished", "all epochs done")
    return store.get(run.id)


def known(name: str, fingerprint: str) -> int | None:
    return 1000


def test_cost_counts_batches_and_multiplications_of_the_images_that_are_left(small_config: RunConfig) -> None:
    assert cost(small_config, 1000) == EpochWork(16, small_config.model.parameter_count() * 1000)
    held = small_config.replace(training__validation=HeldOutValidation(count=360).model_dump())
    assert cost(held, 1000) == EpochWork(10, small_config.model.parameter_count() * 640)


def test_holding_out_too_much_is_refused(small_config: RunConfig) -> None:
    held = small_config.replace(training__validation=HeldOutValidation(count=5000).model_dump())
    with pytest.raises(ConfigError, match="leaves too few"):
        estimate(held, 1000, [])


def test_without_measurements_there_is_no_estimate(small_config: RunConfig) -> None:
    assert estimate(small_config, 1000, []) is None


def test_one_measured_run_predicts_itself(small_config: RunConfig) -> None:
    basis = [TimedTraining(cost(small_config, 1000), 0.4, 1.5)]
    found = estimate(small_config, 1000, basis)
    assert found is not None
    assert found.epoch_s == pytest.approx(0.4, rel=0.01)
    assert found.seconds == pytest.approx(3 * 0.4 + 1.5, rel=0.01)
    assert found.runs == 1


def test_one_run_says_that_twice_the_images_take_twice_as_long(small_config: RunConfig) -> None:
    found = estimate(small_config, 2048, [TimedTraining(cost(small_config, 1024), 0.4, 0.0)])
    assert found is not None
    assert found.epoch_s == pytest.approx(0.8, rel=0.01)


def test_one_run_puts_half_of_its_time_on_the_batches_and_half_on_the_multiplications() -> None:
    basis = [TimedTraining(EpochWork(100, 1e9), 0.4, 0.0)]
    epoch_s = estimates._fitted(basis).epoch_s
    assert epoch_s(EpochWork(200, 1e9)) == pytest.approx(0.6, rel=0.01)
    assert epoch_s(EpochWork(100, 2e9)) == pytest.approx(0.6, rel=0.01)


def test_many_trainings_take_the_sum_of_what_each_takes(small_config: RunConfig) -> None:
    basis = [TimedTraining(cost(small_config, 1_000), 0.5, 2.0)]
    configs = [small_config, small_config.replace(training__epochs=7)]
    each = [estimate(config, 1_000, basis) for config in configs]
    assert total(configs, 1_000, basis) == pytest.approx(sum(one.seconds for one in each if one))
    assert total([], 1_000, basis) == 0
    assert total(configs, 1_000, []) is None


def test_both_prices_are_recovered_from_several_runs(small_config: RunConfig) -> None:
    def seconds(price: EpochWork) -> float:
        return 2e-4 * price.steps + 3e-10 * price.work

    costs = [
        cost(small_config.replace(model__layers__0__units=units, training__batch_size=batch), 60_000)
        for units, batch in ((16, 32), (64, 128), (400, 128), (400, 512))
    ]
    basis = [TimedTraining(price, seconds(price), 2.0) for price in costs]
    config = small_config.replace(model__layers__0__units=300, training__batch_size=64)
    found = estimate(config, 60_000, basis)
    assert found is not None
    assert found.epoch_s == pytest.approx(seconds(cost(config, 60_000)), rel=0.02)


def test_noise_never_makes_a_price_negative(small_config: RunConfig) -> None:
    basis = [
        TimedTraining(EpochWork(100, 1e9), 1.0, 0.0),
        TimedTraining(EpochWork(100, 2e9), 0.5, 0.0),
        TimedTraining(EpochWork(50, 2e9), 0.6, 0.0),
    ]
    for images in (100, 10_000, 60_000):
        found = estimate(small_config, images, basis)
        assert found is not None
        assert found.epoch_s > 0


def test_measured_takes_the_median_without_the_first_epoch(store: Store, small_config: RunConfig) -> None:
    run = trained(store, small_config, [9.0, 0.3, 0.2, 0.4])
    [found] = measured([run], known, lambda environment: True)
    assert found.epoch_s == pytest.approx(0.3)
    assert found.cost == cost(small_config, 1000)


def test_measured_leaves_out_other_machines_and_what_was_not_trained(store: Store, small_config: RunConfig) -> None:
    runs = [
        trained(store, small_config.replace(training__seed=1), [0.3], processor="another"),
        trained(store, small_config.replace(training__seed=2), [], processor="this one"),
        trained(store, small_config.replace(training__seed=3), [0.3], processor=None),
        trained(store, small_config.replace(training__seed=4), [0.7]),
    ]
    found = measured(runs, known, lambda environment: environment.processor == "this one")
    assert [item.epoch_s for item in found] == [0.7]
    assert measured(runs, lambda name, fingerprint: None, lambda environment: True) == []


def test_a_resumed_run_says_nothing_about_overhead(store: Store, small_config: RunConfig) -> None:
    run = trained(store, small_config, [0.3, 0.3])
    status = run.status.model_copy(update={"started_at": 100.0, "ended_at": 103.0})
    [once] = measured([replace(run, status=status)], known, lambda environment: True)
    assert once.overhead_s == pytest.approx(2.4)
    (run.path / "lease-2.json").write_text("{}")
    [twice] = measured([replace(run, status=status)], known, lambda environment: True)
    assert twice.overhead_s != twice.overhead_s  # NaN


def test_time_left_counts_whole_epochs_and_the_one_under_way() -> None:
    now = time.time()
    rows = [row(1, seconds=5.0), row(2, seconds=2.0)]
    assert time_left([], None, 10, now) is None
    assert time_left(rows, None, 10, now) == pytest.approx(16.0)
    progress = LiveProgress(epoch=3, epochs=10, step=5, steps=20, loss=0.5, accuracy=0.5, seconds=0.5, at=now - 0.25)
    assert time_left(rows, progress, 10, now) == pytest.approx(15.25)
    assert time_left(rows, replace(progress, at=now - 60), 10, now) == pytest.approx(14.0)
    assert time_left(rows, None, 2, now) == 0.0
