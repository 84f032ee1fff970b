"""Grids: what an axis may be, and what it expands to."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from mnist_core.errors import ConfigError
from mnist_core.experiments.axis_words import point_words
from mnist_core.experiments.grids import SWEEPS, expand, parse_spec, sweep_spec
from mnist_core.experiments.stack import Stack


def spec(**data: Any) -> Any:
    return parse_spec({"name": "a sweep", "base": "notebook/model_1", **data})


def models(**data: Any) -> list[str]:
    return [point.config.model.summary() for point in expand(spec(**data))]


def test_every_combination_is_a_point_and_the_last_axis_changes_fastest() -> None:
    points = expand(spec(grid={"training.batch_size": [32, 64], "training.learning_rate": [0.1, 0.01, 0.001]}))
    assert [(p.config.training.batch_size, p.config.training.learning_rate) for p in points] == [
        (32, 0.1), (32, 0.01), (32, 0.001), (64, 0.1), (64, 0.01), (64, 0.001),
    ]  # fmt: skip
    assert points[1].values == {"training.batch_size": 32, "training.learning_rate": 0.01}


def test_a_star_stands_for_every_layer() -> None:
    assert models(grid={"model.layers.*.dropout": [0.0, 0.4]}) == ["64-64 relu", "64-64 relu, dropout 0.4"]


def test_layers_can_be_swept_as_a_whole() -> None:
    assert models(grid={"model.layers": [[{"units": 8}], [{"units": 8}, {"units": 4}]]}) == ["8 relu", "8-4 relu"]


def test_a_field_inside_a_swept_structure_is_that_of_the_new_one() -> None:
    grid = {"model.layers.0.units": [5], "model.layers": [[{"units": 8}, {"units": 4, "activation": "tanh"}]]}
    assert models(grid=grid) == ["5-4 relu/tanh"]


def test_a_stack_halves_its_widths() -> None:
    grid = {"stack.units": [32], "stack.ratio": [1.0, 0.5], "stack.depth": [3], "stack.activation": ["elu"]}
    assert models(grid=grid) == ["32-32-32 elu", "32-16-8 elu"]
    assert [layer["units"] for layer in Stack(units=2, ratio=0.25, depth=3).layers()] == [2, 1, 1]


def test_what_is_fixed_of_a_stack_holds_for_every_point() -> None:
    assert models(fixed={"stack.depth": 1, "stack.dropout": 0.1}, grid={"stack.units": [16, 32]}) == [
        "16 relu, dropout 0.1", "32 relu, dropout 0.1",
    ]  # fmt: skip


def test_linked_fields_change_together() -> None:
    linked = [{"model.layers.0.units": 10, "model.layers.1.units": 5}, {"model.layers.0.units": 25}]
    points = expand(spec(grid={"widths": linked}))
    assert [point.config.model.summary()[:5] for point in points] == ["10-5 ", "25-64"]
    assert points[0].values == {"model.layers.0.units": 10, "model.layers.1.units": 5}


def test_fixed_values_take_the_place_of_an_axis() -> None:
    swept = spec(grid={"training.epochs": [1, 2], "training.seed": [0, 1]}).with_fixed({"training.epochs": 3})
    assert [(p.config.training.epochs, p.config.training.seed) for p in expand(swept)] == [(3, 0), (3, 1)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"grid": {}}, "at least 1 item"),
        ({"grid": {"training.epochs": []}}, "'training.epochs' has no values"),
        ({"grid": {"epochs": [1, 2]}}, "such as training.epochs"),
        ({"grid": {"training.rate": [1]}}, "has no field 'rate'"),
        ({"grid": {"training.epochs": [1, 501]}}, "at epochs 501: training.epochs: .*less than or equal to 500"),
        ({"grid": {"stack.width": [1]}}, "stack: width"),
        ({"grid": {"stack.depth": [13]}}, "less than or equal to 12"),
        ({"grid": {"stack.ratio": [2], "stack.units": [1024], "stack.depth": [3]}}, "less than or equal to 2048"),
        ({"grid": {"training.*.epochs": [1]}}, "stands for each layer only"),
        ({"grid": {"training.seed": list(range(1001))}}, "1,001 combinations; at most 1,000"),
        ({"base": "model_9", "grid": {"training.seed": [1]}}, "there is no preset"),
        ({"grids": {}}, "grids: there is no such field"),
    ],
)  # fmt: skip
def test_a_wrong_grid_is_refused_in_words(data: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        spec(**data)


def test_the_90_networks_of_the_published_grid() -> None:
    points = expand(SWEEPS["tuning/grid_90"])
    shapes = {tuple(layer.units for layer in point.config.model.layers) for point in points}
    assert len({point.config.canonical_json() for point in points}) == 90
    assert {widths[0] for widths in shapes} == {32, 64, 128, 256, 512}
    assert {len(widths) for widths in shapes} == {2, 3, 4}
    assert len(shapes) == 30
    for widths in shapes:
        assert len(set(widths)) == 1 or all(first == 2 * second for first, second in itertools.pairwise(widths))
    assert all(point.config.training.validation.source == "held_out" for point in points)


def test_the_published_sweeps_of_lambda_and_width() -> None:
    lambdas = expand(SWEEPS["coursera/lambda"])
    assert [point.config.model.layers[1].l2 for point in lambdas][:: len(lambdas) - 1] == [0.0, 0.3]
    assert {point.config.model.summary().split(",")[0] for point in lambdas} == {"25-15 relu"}
    widths = [tuple(la.units for la in point.config.model.layers) for point in expand(SWEEPS["coursera/neurons"])]
    assert (widths[0], widths[-1]) == ((10, 5), (1200, 480))
    assert all(item.source and item.assumptions for item in SWEEPS.values())


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_sweep_is_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    grid = {"training.learning_rate": [0.1, 0.01]}
    if suffix == ".json":
        path.write_text(json.dumps({"base": "readme/model_1", "grid": grid}))
    else:
        path.write_text('base = "readme/model_1"\n[grid]\n"training.learning_rate" = [0.1, 0.01]\n')
    found = sweep_spec(str(path))
    assert found.name == "mine"
    assert [point_words(point.values) for point in expand(found)] == ["learning rate 0.1", "learning rate 0.01"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("nothing", None, "there is no sweep 'nothing'; there are tuning/grid_90"),
        ("gone.toml", None, "gone.toml cannot be read"),
        ("torn.toml", "grid = [", "torn.toml cannot be read"),
        ("list.json", "[]", "holds a list"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises(ConfigError, match=says):
        sweep_spec(name)
