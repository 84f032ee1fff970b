"""What the settings of sweeps and searches are called, and their values."""

from __future__ import annotations

import pytest

from mnist_core.experiments.axis_words import axis_words, changed_name, point_words, words_of
from mnist_core.experiments.grids import SWEEPS, expand
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import SETTINGS
from mnist_core.experiments.spaces import SEARCHES, extreme_values

CNN = PRESETS["coursera/cnn"].config


def test_a_layers_setting_names_its_kind_and_which_of_them_it_is() -> None:
    words = axis_words(["model.layers.0.filters", "model.layers.2.kernel", "model.layers.4.units"], CNN)
    assert list(words.values()) == ["1st convolution: filters", "2nd convolution: kernel", "dense layer: units"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("training.learning_rate", "learning rate"),
        ("model.layers.*.dropout", "dropout"),
        ("model.layers.*.l2", "L2 penalty"),
        ("stack.units", "first width"),
        ("stack.activation", "activation"),
        ("model.layers", "layers"),
        ("model.layers.9.units", "10th layer: units"),
    ],
)
def test_a_setting_is_called_as_in_the_form(path: str, words: str) -> None:
    assert axis_words([path], CNN) == {path: words}


def test_two_settings_of_one_name_keep_their_paths() -> None:
    paths = ["stack.dropout", "model.layers.*.dropout"]
    assert axis_words(paths, CNN) == {path: path for path in paths}


@pytest.mark.parametrize("name", [*SWEEPS, *SEARCHES])
def test_no_published_study_shows_a_path(name: str) -> None:
    spec = SWEEPS.get(name) or SEARCHES[name]
    values = expand(spec)[0].values if name in SWEEPS else extreme_values(spec, 0)  # type: ignore[arg-type]
    for words in [*axis_words(values, spec.base_config()).values(), point_words(values, spec.base_config())]:
        assert not set("_*") & set(words)
        assert "layers." not in words


def test_the_values_of_a_point_are_grouped_by_layer_and_sampled_numbers_rounded() -> None:
    values = {
        "model.layers.0.filters": 32,
        "model.layers.0.kernel": 3,
        "model.layers.4.units": 128,
        "training.learning_rate": 0.00187539,
    }
    text = "1st convolution: filters 32, kernel 3; dense layer: units 128; learning rate 0.00188"
    assert point_words(values, CNN, 3) == text
    assert point_words({"model.layers.*.dropout": 0.4, "training.seed": 3}) == "dropout 0.4, seed 3"


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("training.optimizer", "rmsprop", "RMSprop"),
        ("training.learning_rate", 2e-5, "2·10⁻⁵"),
        ("training.early_stopping.min_delta", 1e-5, "10⁻⁵"),
        ("training.early_stopping.restore_best", True, "yes"),
        ("training.schedule.kind", "step", "step (falls every few epochs)"),
        ("training.schedule", None, "constant"),
        ("training.validation.source", "test", "test set"),
        ("training.validation.count", None, "none"),
        ("model.layers.0.padding", "same", "zeros around"),
        ("model.layers", [{"units": 64}, {"units": 32}], "64-32 relu"),
        ("stack.ratio", 0.5, "0.5"),
        ("training.learning_rate", float("nan"), "nan"),
    ],
)
def test_a_value_is_written_by_the_table_of_settings(path: str, value: object, text: str) -> None:
    assert words_of(path, value) == text


def test_a_form_and_a_table_write_every_choice_alike() -> None:
    for path, setting in SETTINGS.items():
        for value, words in setting.choices.items():
            assert words_of(path, value) == setting.in_words(value) == words


def test_a_table_has_its_own_sign_for_no_value() -> None:
    assert words_of("training.schedule", None, absent="–") == "–"
    assert words_of("training.momentum", 0.0, absent="–") == "0"


def test_a_sampled_choice_and_a_sampled_small_number_are_written_as_in_the_form() -> None:
    values = {"training.optimizer": "adam", "training.learning_rate": 1.23456e-5}
    assert point_words(values, CNN, 3) == "optimizer Adam, learning rate 1.23·10⁻⁵"


def test_a_changed_configuration_is_named_in_words_and_cut_between_two_of_them() -> None:
    after = CNN.replace(model__layers__0__filters=16, training__learning_rate=0.0005)
    assert changed_name("mine", CNN, after) == "mine, 1st convolution: filters 16; learning rate 0.0005"
    assert changed_name("mine", CNN, CNN) == "mine"
    assert changed_name("mine", CNN, after, 40) == "mine, 1st convolution: filters 16, …"
