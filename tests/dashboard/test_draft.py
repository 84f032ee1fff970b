"""The form's values and the configuration are each other's inverse, and no slider leaves the declared bounds."""

from __future__ import annotations

from typing import Literal

import pytest

from dashboard.views.train import draft
from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import EarlyStopping, HeldOutValidation, RunConfig
from mnist_core.experiments.layers import LAYER_KINDS, FlattenLayer
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import MOST_LAYERS, config_of, layers_in, scientific, values_of

MODEL_1 = PRESETS["notebook/model_1"].config


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_the_form(name: str) -> None:
    config = PRESETS[name].config
    assert config_of(values_of(config)) == config


def test_what_is_folded_away_survives_the_form() -> None:
    config = MODEL_1.replace(
        training__optimizer="sgd",
        training__learning_rate=0.037,
        training__validation=HeldOutValidation(fraction=0.15).model_dump(),
        training__early_stopping=EarlyStopping(patience=7, min_delta=0.01, restore_best=False).model_dump(),
        training__seed=11,
    ).replace(training__momentum=0.9)
    assert config_of(values_of(config)) == config


def test_momentum_waits_while_another_optimizer_is_chosen() -> None:
    values = values_of(MODEL_1) | {"training.momentum": 0.9}
    assert config_of(values).training.momentum == 0.0
    assert config_of(values | {"training.optimizer": "sgd"}).training.momentum == 0.9


def test_a_value_out_of_bounds_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="batch_size"):
        config_of(values_of(MODEL_1) | {"training.batch_size": 0})


def test_an_emptied_number_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="seed: give a number"):
        config_of(values_of(MODEL_1) | {"training.seed": None})


def test_an_added_layer_is_like_the_last_and_removing_it_undoes_that() -> None:
    values = values_of(PRESETS["notebook/model_3"].config)
    added = draft.with_layer_added(values)
    layers = config_of(added).model.layers
    assert len(layers) == 3
    assert layers[2] == layers[1]
    assert draft.without_layer(added, 2) == values


def test_removing_the_first_layer_moves_the_others_up() -> None:
    config = PRESETS["regularisation/l2"].config
    left = config_of(draft.without_layer(values_of(config), 0))
    assert left.model.layers == config.model.layers[1:]


def test_layers_stay_between_one_and_the_limit() -> None:
    one = values_of(PRESETS["readme/model_1"].config)
    assert draft.without_layer(one, 0) == one
    values = one
    for _ in range(20):
        values = draft.with_layer_added(values)
    assert values["model.layers"] == MOST_LAYERS == 12
    assert len(config_of(values).model.layers) == 12


def kinds(values: dict[str, object]) -> list[str]:
    return [layer["kind"] for layer in layers_in(values)]


def test_a_layer_is_added_where_it_can_stand() -> None:
    values = values_of(MODEL_1)
    assert draft.addable(layers_in(values)) == ["dense", "conv", "pool"]
    for kind in ("conv", "pool", "global_average", "dense"):
        values = draft.with_layer_added(values, kind)
    assert kinds(values) == ["conv", "pool", "global_average", "dense", "dense", "dense"]
    assert "flatten" not in draft.addable(layers_in(values))
    assert config_of(values).model.layers[3:] == (MODEL_1.model.layers[0],) * 3


@pytest.mark.parametrize(("place", "alone"), [("pixels", True), ("to a row", False), ("row", True)])
def test_a_new_kind_of_layer_is_in_the_menu_once_it_is_registered(
    monkeypatch: pytest.MonkeyPatch, place: Literal["pixels", "to a row", "row"], alone: bool
) -> None:
    class NewLayer(FlattenLayer):
        pass

    monkeypatch.setattr(NewLayer, "place", place)
    monkeypatch.setitem(LAYER_KINDS, "new", NewLayer)
    assert ("new" in draft.addable([{"kind": "dense"}])) is alone
    assert "new" in draft.addable([{"kind": "conv"}, {"kind": "dense"}])
    assert ("new" in draft.addable([{"kind": "conv"}, {"kind": "flatten"}])) is alone


def test_a_layer_is_moved_within_the_network() -> None:
    values = draft.with_layer_added(values_of(MODEL_1), "conv")
    down = draft.with_layer_moved(values, 0, 1)
    assert kinds(down) == ["dense", "conv", "dense"]
    assert draft.with_layer_moved(down, 1, -1) == values
    assert draft.with_layer_moved(values, 0, -1) == values


@pytest.mark.parametrize("name", PRESETS)
def test_the_outcomes_of_the_layers_are_those_of_the_layer_table(name: str) -> None:
    model = PRESETS[name].config.model
    found = draft.outcomes(layers_in(values_of(PRESETS[name].config)))
    table = model.layer_table()
    implied = sum(row.parameters for row in table if row.layer is None)
    assert sum(outcome[1] for outcome in found if outcome) + implied == model.parameter_count()
    for index, outcome in enumerate(found):
        assert outcome is not None
        assert outcome[0] == [row for row in table if row.layer == index][-1].output_shape


def test_outcomes_end_where_the_layers_no_longer_fit() -> None:
    layers = [{"kind": "conv", "filters": 4}, {"kind": "dense"}, {"kind": "pool"}, {"kind": "dense"}]
    first, second, *others = draft.outcomes(layers)
    assert first == ((28, 28, 4), 40)
    assert second == ((64,), (28 * 28 * 4 + 1) * 64)
    assert others == [None, None]


@pytest.mark.parametrize("kind", ["step", "cosine", "plateau"])
def test_a_schedule_and_what_it_holds_survive_the_form(kind: str) -> None:
    fields = {"step": {"every": 3}, "cosine": {"final": 0.1}, "plateau": {"patience": 4, "cooldown": 2}}[kind]
    config = MODEL_1.replace(
        training__schedule={"kind": kind, **fields},
        training__augmentation={"shift": 1.5, "zoom": 0.05},
        training__label_smoothing=0.1,
    )
    assert config_of(values_of(config)) == config


def test_the_pictured_rate_is_that_of_the_schedule() -> None:
    from mnist_core.plots.schedule import rate_frame

    training = MODEL_1.replace(training__epochs=4, training__schedule={"kind": "step", "every": 2}).training
    frame = rate_frame(training)
    assert frame is not None
    assert list(frame["rate"]) == [1e-3, 1e-3, 5e-4, 5e-4]
    assert rate_frame(MODEL_1.replace(training__schedule={"kind": "plateau"}).training) is None


def test_whole_numbers_hold_bounds_powers_and_what_is_in_use() -> None:
    found = draft.whole_numbers(1, 2048, [25, 5000])
    assert found == sorted(set(found))
    assert found[0] == 1
    assert found[-1] == 2048
    assert {2**power for power in range(12)} <= set(found)
    assert 25 in found
    assert 5000 not in found
    assert len(found) < 110  # a slider's worth


def test_decades_hold_both_bounds_and_what_is_in_use() -> None:
    found = draft.decades(1e-7, 10.0, [0.037])
    assert found[0] == 1e-7
    assert found[-1] == 10.0
    assert 0.001 in found
    assert 0.037 in found


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.001, "0.001"), (1e-5, "10⁻⁵"), (2e-7, "2·10⁻⁷"), (10.0, "10"), (0.0001, "0.0001")],
)
def test_small_numbers_are_written_as_people_do(value: float, text: str) -> None:
    assert scientific(value) == text


def dropped(config: RunConfig, *rates: float) -> RunConfig:
    for index, rate in enumerate(rates):
        config = config.replace(**{f"model__layers__{index}__dropout": rate})
    return config


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (MODEL_1, "model_1"),
        (MODEL_1.replace(dataset__name="digits"), "model_1"),
        (dropped(MODEL_1, 0.4, 0.4), "model_1, dropout 0.4"),
        (dropped(MODEL_1, 0.4), "model_1, dropout 0.4/0.2"),
        (MODEL_1.replace(training__epochs=5, training__seed=3), "model_1, 5 epochs, seed 3"),
        (MODEL_1.replace(training__epochs=1), "model_1, 1 epoch"),
        (MODEL_1.replace(model__layers__0__units=32), "model_1, 32-64 relu, dropout 0.2"),
    ],
)
def test_the_suggested_name_says_what_is_different(config: RunConfig, name: str) -> None:
    assert draft.suggested_name("model_1", MODEL_1, config) == name


def test_every_training_setting_has_words_for_its_change() -> None:
    other = {
        "training__optimizer": "adam",
        "training__learning_rate": 0.01,
        "training__batch_size": 32,
        "training__epochs": 3,
        "training__validation": {"source": "held_out", "count": 500},
        "training__early_stopping": {"patience": 3},
        "training__seed": 9,
        "training__augmentation": {"shift": 2},
        "training__schedule": {"kind": "cosine"},
        "training__label_smoothing": 0.1,
    }
    for path, value in other.items():
        assert len(draft.changes(MODEL_1, MODEL_1.replace(**{path: value}))) == 1, path


def test_another_seed_or_dataset_is_the_same_recipe_and_another_dropout_is_not() -> None:
    assert draft.same_recipe(MODEL_1, MODEL_1.replace(training__seed=5, dataset__name="digits"))
    assert not draft.same_recipe(MODEL_1, dropped(MODEL_1, 0.3))
    assert not draft.same_recipe(MODEL_1, MODEL_1.replace(training__epochs=3))
