"""Search spaces: what a search may be, Hyperband's brackets, and what the samplers suggest."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_core.errors import ConfigError
from mnist_core.experiments.spaces import (
    SEARCHES,
    Bracket,
    Hyperband,
    Observation,
    Range,
    SearchSpec,
    brackets,
    extreme_values,
    importances,
    parse_search,
    search_spec,
    suggest,
)

HELD_OUT = {"training.validation": {"source": "held_out", "fraction": 0.2}}


def search(**changes: Any) -> SearchSpec:
    space = {
        "stack.units": {"low": 8, "high": 64, "step": 8},
        "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "stack.activation": ["relu", "tanh"],
    }
    return parse_search({"name": "a search", "base": "notebook/model_1", "fixed": HELD_OUT, "space": space} | changes)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_suggestions_lie_in_the_space_and_depend_on_what_is_known_alone(sampler: str) -> None:
    spec = search(sampler=sampler)
    observed: list[Observation] = []
    for number in range(15):
        values = suggest(spec, observed)
        assert values == suggest(spec, observed)
        assert values["stack.units"] in range(8, 65, 8)
        assert 1e-4 <= values["training.learning_rate"] <= 1e-1
        assert values["stack.activation"] in ("relu", "tanh")
        spec.config(values)
        observed.append(Observation(values, float(number), epochs=3))
    assert len({str(item.values) for item in observed}) > 10


def test_another_seed_suggests_something_else() -> None:
    assert suggest(search(), []) != suggest(search(seed=1), [])


def test_tpe_learns_where_the_values_are_low() -> None:
    spec = search(sampler="tpe", space={"training.learning_rate": {"low": 1e-3, "high": 1.0}})
    observed: list[Observation] = []
    for _ in range(40):
        values = suggest(spec, observed)
        observed.append(Observation(values, abs(values["training.learning_rate"] - 0.8)))
    late = [abs(item.values["training.learning_rate"] - 0.8) for item in observed[25:]]
    assert sum(late) / len(late) < 0.15  # by chance it would be 0.34


def test_structures_can_be_chosen() -> None:
    layers = [[{"units": 4}], [{"units": 8}, {"units": 4}]]
    spec = search(space={"model.layers": layers})
    assert suggest(spec, [])["model.layers"] in layers


def test_importance_finds_the_field_that_matters() -> None:
    spec = search()
    observed: list[Observation] = []
    for _ in range(30):
        values = suggest(spec, [Observation(item.values, None) for item in observed])
        observed.append(Observation(values, values["stack.units"] / 10))
    found = importances(spec, observed)
    assert next(iter(found)) == "stack.units"
    assert sum(found.values()) == pytest.approx(1)
    assert found["stack.units"] > 0.8
    assert importances(spec, observed[:3]) == {}
    assert importances(spec, [Observation(item.values, 1.0) for item in observed]) == {}


def test_the_brackets_of_hyperband_are_those_of_its_paper() -> None:
    # Li et al. 2018, table 1: R = 81, factor 3
    assert [(item.trials, item.rungs[0]) for item in brackets(Hyperband(), 81)] == [
        (81, 1), (34, 3), (15, 9), (8, 27), (5, 81),
    ]  # fmt: skip
    assert brackets(Hyperband(min_epochs=2, factor=2), 9)[0] == Bracket(4, (2, 4, 9))
    assert search(fixed=HELD_OUT | {"training.epochs": 27}, hyperband={}).trial_count == 27 + 12 + 6 + 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fixed": {}}, "would choose by the test set, which must stay unseen"),
        ({"space": {"stack.units": {"low": 5, "high": 5}}}, "low 5 is not below high 5"),
        ({"space": {"training.learning_rate": {"low": 0, "high": 1.0, "log": True}}}, "needs low above 0"),
        ({"space": {"stack.units": []}}, "stack.units has no values"),
        ({"space": {"stack.units": {"low": 8, "high": 4096}}}, "less than or equal to 2048"),
        ({"space": {"training.epochs": [1, 2]}}, "training.epochs cannot be searched"),
        ({"space": {"training.rate": [1, 2]}}, "has no field 'rate'"),
        ({"hyperband": {"min_epochs": 20}}, "cannot promote from 20 epochs by a factor of 3 within 30"),
        ({"sampler": "grid"}, "sampler"),
        ({"trials": 0}, "trials"),
    ],
)
def test_a_wrong_search_is_refused_in_words(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        search(**changes)


def test_what_is_fixed_is_not_searched() -> None:
    spec = search().with_fixed({"stack.units": 12})
    assert set(spec.space) == {"training.learning_rate", "stack.activation"}
    assert spec.config(suggest(spec, [])).model.layers[0].units == 12


def test_the_published_search_by_bayesian_optimisation() -> None:
    spec = search_spec("tuning/bayes_cnn")
    assert parse_search(spec.model_dump(mode="json")) == spec
    assert (spec.sampler, spec.trial_count, spec.epochs, spec.dataset) == ("tpe", 20, 4, "mnist")
    # the extremes are networks of the same form, chosen by held-out images
    for end in (0, -1):
        config = spec.config(extreme_values(spec, end))
        assert [layer.kind for layer in config.model.layers] == ["conv", "pool", "conv", "pool", "dense"]
        assert config.training.validation.source == "held_out"
    first = suggest(spec, [])
    assert suggest(spec, [Observation(first, 0.05, epochs=4)]) != first


def test_the_published_search_by_hyperband() -> None:
    spec = search_spec("tuning/hyperband_mlp")
    assert parse_search(spec.model_dump(mode="json")) == spec
    assert (spec.trial_count, spec.epochs, spec.dataset) == (49, 27, "mnist")
    assert isinstance(spec.space["stack.units"], Range)
    assert all(item.source and item.assumptions for item in SEARCHES.values())
    with pytest.raises(ConfigError, match="there is no search 'nothing'"):
        search_spec("nothing")
