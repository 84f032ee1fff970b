"""The published models: exact parameter counts, named sources, stated assumptions."""

from __future__ import annotations

import pytest

from mnist_core.errors import ConfigError
from mnist_core.experiments.presets import PRESETS, Preset, preset

PARAMETERS = {
    "notebook/model_1": 55_050,
    "notebook/model_2": 437_310,
    "notebook/model_3": 51_450,
    "notebook/model_1_lr_1e-4": 55_050,
    "readme/model_1": 50_890,
    "readme/model_2": 27_194,
    "readme/model_3": 27_194,
    "regularisation/baseline": 101_770,
    "regularisation/l2": 567_434,
    "regularisation/final": 567_434,
    "tuning/baseline": 42_310,
    "tuning/best_mlp": 118_282,
    "coursera/first": 20_175,
    "coursera/best_mlp": 222_360,
    "tuning/cnn": 83_322,
    "coursera/cnn": 129_194,
}


def test_every_published_model_is_there() -> None:
    assert {name: item.parameters for name, item in PRESETS.items()} == PARAMETERS


@pytest.mark.parametrize("item", PRESETS.values(), ids=PRESETS)
def test_the_parameter_count_is_the_published_one(item: Preset) -> None:
    from mnist_core.training.models import build_model

    assert item.config.model.parameter_count() == item.parameters
    assert build_model(item.config.model, seed=0).count_params() == item.parameters


@pytest.mark.parametrize("item", PRESETS.values(), ids=PRESETS)
def test_what_a_source_leaves_out_is_stated(item: Preset) -> None:
    assert item.source
    if item.name.startswith("notebook/"):
        assert not item.assumptions, "the notebook states everything"
    else:
        assert item.assumptions


def test_a_preset_is_found_by_its_whole_name_or_an_unambiguous_short_one() -> None:
    assert preset("notebook/model_2").parameters == 437_310
    assert preset("l2").name == "regularisation/l2"


@pytest.mark.parametrize(
    ("name", "says"),
    [("model_1", "notebook/model_1, readme/model_1; give the whole name"), ("resnet", "there is no preset 'resnet'")],
)
def test_an_unknown_or_ambiguous_name_is_refused_with_the_choices(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        preset(name)
