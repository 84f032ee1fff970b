"""The table of settings is complete, and a form's values and the configuration are each other's inverse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from mnist_core.cli.settings import PAGE, page
from mnist_core.comparison.words import setting_words
from mnist_core.experiments import links
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import (
    LAYER_SETTINGS,
    OPTIONAL,
    SETTINGS,
    Setting,
    config_of,
    layers_in,
    setting_at,
    values_of,
    with_layers,
)

EVERY = [*SETTINGS.values(), *(item for fields in LAYER_SETTINGS.values() for item in fields.values())]
FULL = PRESETS["tuning/cnn"].config.replace(training__augmentation={"shift": 1, "rotation": 2, "zoom": 0.1})
MODEL_1 = values_of(PRESETS["notebook/model_1"].config)


@pytest.mark.parametrize("setting", EVERY, ids=lambda setting: f"{setting.path}-{setting.link}")
def test_every_setting_has_label_explanation_and_a_default_in_bounds(setting: Setting) -> None:
    assert setting.label
    assert setting.help.endswith(".")
    assert not setting.problem(setting.default)
    assert not any(setting.problem(value) for value in setting.examples())


def test_every_field_of_a_configuration_is_in_the_table() -> None:
    by_kind = ("kind", "source")
    by_a_change = ("parent_epoch",)  # a change while a run trains sets it; no form and no `--set` does
    for config in (FULL, *(preset.config for preset in PRESETS.values())):
        for path in flatten(config):
            if path.rpartition(".")[2] not in by_kind and path not in by_a_change:
                assert setting_at(path), path
                assert "_" not in setting_words(path)


def test_a_structure_that_a_training_may_do_without_has_a_row_also_where_no_widget_chooses_it() -> None:
    words = {path: setting.words for path, setting in OPTIONAL.items()}
    assert words == {
        "training.schedule": "learning-rate schedule",
        "training.early_stopping": "early stopping",
        "training.augmentation": "augmentation",
    }
    assert all(setting_at(path) is setting for path, setting in OPTIONAL.items())
    assert "training.augmentation" not in SETTINGS


# -- random configurations ---------------------------------------------------------------------------------------------


def value_for(setting: Setting) -> strategies.SearchStrategy:
    if setting.choices:
        return strategies.sampled_from(list(setting.choices))
    if setting.type == "switch":
        return strategies.booleans()
    low, high = setting.minimum, setting.maximum
    if setting.type == "whole number":
        return strategies.integers(int(low), min(int(high), 200))
    return strategies.just(setting.default) if setting.type == "text" else strategies.floats(low, high)


@strategies.composite
def layers(draw: strategies.DrawFn) -> list[dict]:
    kinds = draw(strategies.lists(strategies.sampled_from(["conv", "pool"]), max_size=3))
    kinds += draw(strategies.lists(strategies.sampled_from(["flatten", "global_average"]), max_size=1)) if kinds else []
    kinds += draw(strategies.lists(strategies.just("dense"), min_size=1, max_size=3))
    small = {"size": strategies.just(2), "padding": strategies.just("same")}  # so that pixels are left

    def value(name: str, item: Setting) -> object:
        return draw(small[name] if name in small else value_for(item))

    return [{"kind": kind} | {name: value(name, item) for name, item in LAYER_SETTINGS[kind].items()} for kind in kinds]


@strategies.composite
def forms(draw: strategies.DrawFn) -> dict:
    values = {path: draw(value_for(item)) for path, item in SETTINGS.items()}
    return with_layers(values, draw(layers()))


@settings(max_examples=60)
@given(forms())
def test_any_form_is_a_configuration_that_fills_the_same_form_and_has_a_link(values: dict) -> None:
    config = config_of(values)
    assert config_of(values_of(config)) == config
    for preset in ("notebook/model_1", "tuning/cnn"):
        start = values_of(PRESETS[preset].config)
        back, problems = links.apply(start, links.differences(start, values))
        assert problems == []
        assert config_of(back) == config


@pytest.mark.parametrize("start", PRESETS)
@pytest.mark.parametrize("name", PRESETS)
def test_the_link_from_any_preset_to_any_other_leads_there(start: str, name: str) -> None:
    before, after = values_of(PRESETS[start].config), values_of(PRESETS[name].config)
    back, problems = links.apply(before, links.differences(before, after))
    assert problems == []
    assert config_of(back) == PRESETS[name].config


def test_links_are_short_and_can_be_read() -> None:
    def link(**changes: object) -> dict[str, str]:
        return links.differences(MODEL_1, values_of(PRESETS["notebook/model_1"].config.replace(**changes)))

    assert link() == {}
    assert link(training__epochs=5) == {"epochs": "5"}
    layer = {"kind": "dense", "units": 64}
    assert link(model__layers=[layer | {"dropout": 0.5}] * 2) == {"dropout": "0.5"}
    assert link(model__layers=[layer | {"dropout": 0.5}, layer]) == {"layers": "dense64d0.5-dense64"}
    net = [{"kind": "conv", "kernel": 5}, {"kind": "pool"}, {"kind": "dense", "units": 64, "activation": "tanh"}]
    assert link(model__layers=net) == {"layers": "conv16k5-pool2-dense64tanh"}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"epochs": "many"}, "epochs=many is not a whole number"),
        ({"epochs": "501"}, "epochs=501 must be from 1 to 500"),
        ({"learning_rate": "nan"}, "learning_rate=nan must be from"),
        ({"learning_rate": "1e999"}, "learning_rate=1e999 must be from"),
        ({"optimizer": "<script>"}, "optimizer=<script> must be one of rmsprop, adam, sgd"),
        ({"early_stopping": "maybe"}, "early_stopping=maybe is not on or off"),
        ({"dropout": "-0.1"}, "dropout=-0.1 must be from 0 to 0.9"),
        ({"layers": ""}, "layers:  is none of"),
        ({"layers": "dense64x9"}, "x9 in dense64x9 is no setting of dense"),
        ({"layers": "dense99999"}, "layers: units=99999 must be from 1 to 2048"),
        ({"layers": "-".join(["dense1"] * 13)}, "has 13 layers; at most 12"),
        ({"parent": "../../etc"}, "parent=../../etc has not the form"),
        ({"dataset": "a b"}, "dataset=a b has not the form"),
        ({"epochs": "9" * 5000}, "epochs=9999"),
    ],
)  # fmt: skip
def test_a_hostile_link_changes_nothing_and_is_reported_in_words(link: dict[str, str], words: str) -> None:
    values, problems = links.apply(MODEL_1, link)
    assert values == MODEL_1
    assert len(problems) == 1
    assert words in problems[0]
    assert len(problems[0]) < 200


@settings(max_examples=200)
@given(strategies.sampled_from(links.KEYS), strategies.text(max_size=30))
def test_no_text_in_a_link_breaks_the_form(key: str, text: str) -> None:
    values, _ = links.apply(MODEL_1, {key: text})
    assert layers_in(values)
    if key != "layers":  # layers may not fit together, which the form says
        config_of(values)


def test_the_page_of_settings_is_up_to_date() -> None:
    path = Path(__file__).resolve().parents[2] / PAGE
    assert path.read_text(encoding="utf-8") == page(), f"run: python -m mnist_core settings --markdown > {PAGE}"


def test_every_setting_is_in_the_page_and_a_new_one_would_be() -> None:
    text = page()
    for setting in EVERY:
        assert f"`{setting.path}`" in text
        assert setting.help in text
