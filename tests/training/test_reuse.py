"""A training that takes over the engine of an earlier one: quicker, with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_core.data.datasets import Catalog, Dataset
from mnist_core.experiments.configs import ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import ConvLayer, DenseLayer, GlobalAverageLayer, PoolLayer
from mnist_core.training import reuse
from mnist_core.training import train as training
from mnist_core.training.engine import Engine
from mnist_core.training.train import TrainingResult, train

DENSE = ModelConfig(layers=(DenseLayer(units=6, dropout=0.2, l2=1e-3),))
NORMALISED = ModelConfig(layers=(PoolLayer(size=4), ConvLayer(filters=3, batch_norm=True), GlobalAverageLayer()))


@pytest.fixture
def digits(tmp_path: Any) -> Dataset:
    whole = Catalog(tmp_path).load("digits")
    return Dataset("few", whole.x_train[:150], whole.y_train[:150], whole.x_test[:50], whole.y_test[:50], "few")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """The engines that trainings make from here on."""
    engines: list[Engine] = []

    def make(*arguments: Any) -> Engine:
        engines.append(Engine(*arguments))
        return engines[-1]

    reuse.forget()
    monkeypatch.setattr(training, "Engine", make)
    return engines


def run(model: ModelConfig = DENSE, **changes: Any) -> RunConfig:
    return RunConfig(model=model, training=TrainingConfig(**{"epochs": 2, "batch_size": 64} | changes))


def numbers(result: TrainingResult) -> list[Any]:
    rows = [{key: value for key, value in row.to_json().items() if key != "seconds"} for row in result.history]
    return [rows, [weight.tolist() for weight in result.model.get_weights()], result.probabilities]


def assert_same(first: list[Any], second: list[Any]) -> None:
    assert first[:2] == second[:2]
    np.testing.assert_array_equal(first[2], second[2])


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        (DENSE, {"optimizer": "rmsprop"}),
        (DENSE, {"optimizer": "adam"}),
        (DENSE, {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.05}),
        (NORMALISED, {"optimizer": "rmsprop"}),
    ],
    ids=["rmsprop", "adam", "momentum", "batch normalisation"],
)
def test_it_is_bit_for_bit_the_training_that_has_an_engine_of_its_own(
    digits: Dataset, made: list[Engine], model: ModelConfig, optimizer: dict[str, Any]
):
    first = train(run(model, **optimizer), digits)
    expected = numbers(first)
    not_finite = [np.full_like(weight, np.nan) for weight in first.model.get_weights()]
    diverged = train(run(model, **optimizer | {"seed": 3}), digits, initial_weights=not_finite)
    again = train(run(model, **optimizer), digits)
    assert diverged.state == "diverged"
    assert len(made) == 1
    assert_same(numbers(again), expected)
    assert_same(numbers(first), expected)  # a result stays as it was, whatever trains later


def test_what_the_graph_does_not_depend_on_may_differ(digits: Dataset, made: list[Engine]):
    train(run(), digits)
    other = Dataset("other", digits.x_train[::-1], digits.y_train[::-1], digits.x_test, digits.y_test, "other")
    varied = run(seed=4, learning_rate=0.01, epochs=1)
    taken_over = numbers(train(varied, other))
    assert len(made) == 1
    reuse.forget()
    assert_same(taken_over, numbers(train(varied, other)))
    assert len(made) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"model": NORMALISED},
        {"optimizer": "adam"},
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "momentum": 0.5},
        {"batch_size": 50},
        {"label_smoothing": 0.1},
    ],
    ids=str,
)
def test_what_the_graph_depends_on_makes_another_form(other: dict[str, Any]):
    assert reuse.form(run(**other), (150, 28, 28)) != reuse.form(run(), (150, 28, 28))


def test_a_training_of_another_form_makes_an_engine(digits: Dataset, made: list[Engine]):
    train(run(epochs=1), digits)
    train(run(epochs=1, validation={"source": "held_out", "count": 20}), digits)
    assert len(made) == 2


def test_the_saved_network_has_the_seeds_of_its_own_run(digits: Dataset, made: list[Engine]):
    configs = [train(run(seed=seed, epochs=1), digits).model.get_config() for seed in (0, 1)]
    assert len(made) == 1
    assert configs[0] != configs[1]


def test_engines_of_two_trainings_at_a_time_are_two(digits: Dataset, made: list[Engine]):
    inner: list[TrainingResult] = []

    def event(_: object) -> None:
        if not inner:
            inner.append(train(run(seed=1), digits))

    outer = train(run(), digits, on_event=event)
    assert len(made) == 2
    expected = numbers(train(run(seed=1), digits)), numbers(train(run(), digits))
    assert_same(numbers(inner[0]), expected[0])
    assert_same(numbers(outer), expected[1])


def test_only_so_many_engines_of_so_many_weights_are_kept(
    digits: Dataset, made: list[Engine], monkeypatch: pytest.MonkeyPatch
):
    models = [ModelConfig(layers=(DenseLayer(units=units),)) for units in (1, 2, 3)]
    weights = [785 * units + 10 * (units + 1) for units in (1, 2, 3)]
    monkeypatch.setattr(reuse, "_MOST_WEIGHTS", weights[1] + weights[2])
    for model in models:
        train(run(model, epochs=1), digits)
    assert [engine.model.count_params() for engine in reuse._kept.values()] == weights[1:]
    monkeypatch.setattr(reuse, "_MOST_WEIGHTS_EACH", weights[0])
    reuse.forget()
    train(run(models[1], epochs=1), digits)
    assert not reuse._kept
    monkeypatch.setattr(reuse, "_MOST_KEPT", 0)
    train(run(models[0], epochs=1), digits)
    assert not reuse._kept
