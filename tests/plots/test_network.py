"""The small picture of a network: as many columns as layers, and as many units crossed out as dropout leaves out."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.experiments.presets import PRESETS
from mnist_core.plots.network import HEIGHT, WIDTH, network_columns, network_svg, network_words

SVG = "{http://www.w3.org/2000/svg}"


def model(*dropout: float, units: int = 10) -> ModelConfig:
    return ModelConfig(layers=tuple(DenseLayer(units=units, dropout=rate) for rate in dropout))


def crosses(svg: str) -> list[str]:
    return [path.get("d", "") for path in ElementTree.fromstring(svg).iter(f"{SVG}path") if path.get("class")]


@pytest.mark.parametrize(("rate", "crossed"), [(0.0, 0), (0.2, 2), (0.5, 5), (0.9, 9)])
def test_dropout_crosses_out_its_share_of_the_units(rate: float, crossed: int) -> None:
    assert len(crosses(network_svg(model(rate)))) == crossed


def test_a_higher_dropout_crosses_out_more_and_no_others() -> None:
    low, high = (set(crosses(network_svg(model(rate)))) for rate in (0.3, 0.6))
    assert low < high


def test_each_layer_with_outputs_of_its_own_is_a_column() -> None:
    assert [column.label for column in network_columns(model(0.2, 0.2, units=64))] == [
        "784 pixels", "64 units", "64 units", "10 digits",
    ]  # fmt: skip
    labels = [column.label for column in network_columns(PRESETS["tuning/cnn"].config.model)]
    assert any(label.endswith("maps") for label in labels)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("dark", [False, True])
def test_every_published_network_fits_the_picture(name: str, dark: bool) -> None:
    root = ElementTree.fromstring(network_svg(PRESETS[name].config.model, dark=dark))
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx", "nan")) < WIDTH
        assert 0 < float(circle.get("cy", "nan")) < HEIGHT


def test_the_words_say_what_the_picture_shows() -> None:
    assert network_words(model(0.5)) == (
        "A network: 784 pixels, then 10 units (5 of 10 drawn ones crossed out), then 10 digits"
    )
