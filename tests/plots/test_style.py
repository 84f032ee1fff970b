"""The colours of runs and of text: who can read them, on which background."""

import itertools
import tomllib
from pathlib import Path

import pytest

from mnist_core.plots import style

LIGHT, DARK = style.PAPER
ROOT = Path(__file__).parents[2]
THEME = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))["theme"]


def test_contrast_is_that_of_the_wcag() -> None:
    # worked examples of the W3C's "Understanding Success Criterion 1.4.3" and of its techniques
    assert style.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert style.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert style.contrast("#FFFFFF", "#767676") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("colour", style.RUN_COLOURS)
def test_text_in_the_colour_of_a_run_can_be_read_in_the_light_theme(colour: str) -> None:
    assert style.contrast(style.as_text(colour), LIGHT) >= 4.5


@pytest.mark.parametrize("colour", style.RUN_COLOURS_DARK)
def test_text_in_the_colour_of_a_run_can_be_read_in_the_dark_theme(colour: str) -> None:
    assert style.contrast(style.as_text(colour), DARK) >= 4.5


def test_a_size_has_the_unit_that_fits_it() -> None:
    assert [style.file_size(number) for number in (0, 999, 1_000, 215_400, 2_500_000)] == [
        "0 B", "999 B", "1 kB", "215 kB", "2.50 MB",
    ]  # fmt: skip


@pytest.mark.parametrize("palette", [style.RUN_COLOURS, style.RUN_COLOURS_DARK], ids=["light", "dark"])
def test_no_run_is_grey_and_no_two_have_one_colour(palette: tuple[str, ...]) -> None:
    assert len(set(palette)) == len(palette) == 7
    for colour in palette:
        parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert max(parts) - min(parts) > 60


def test_labels_can_be_read_in_both_themes() -> None:
    for dark in (False, True):
        assert style.contrast(style.QUIET[dark], style.PAPER[dark]) >= 7
        assert style.contrast(style.INK[dark], style.PAPER[dark]) >= 7


@pytest.mark.parametrize(
    ("colour", "opacity"), list(itertools.product(style.RUN_COLOURS + style.RUN_COLOURS_DARK, (1.0, 0.55, 0.28)))
)
def test_text_on_a_bar_of_any_colour_and_opacity_can_be_read(colour: str, opacity: float) -> None:
    paper = style.PAPER[colour in style.RUN_COLOURS_DARK]
    fill = style.over(colour, opacity, paper)
    assert style.contrast(style.ink_on(fill), fill) >= 4


def test_a_colour_over_paper_is_between_the_two() -> None:
    assert style.over("#000000", 0.5, "#FFFFFF") == "#808080"
    assert style.over("#123456", 1.0, "#FFFFFF") == "#123456"


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_pages_own_colours_can_be_read(name: str) -> None:
    theme = THEME[name]
    paper = theme["backgroundColor"]
    assert paper == style.PAPER[name == "dark"]
    caption = style.over(theme["textColor"], 0.6, paper)
    assert style.contrast(caption, paper) >= 4.5
    assert style.contrast(style.over(theme["textColor"], 0.6, "#F4F5F7"), "#F4F5F7") >= 4.5 or name == "dark"
    for colour in ("primaryColor", "linkColor"):
        assert style.contrast(theme[colour], paper) >= 4.5
        # a chosen segment: its colour at a tenth behind it
        assert style.contrast(theme[colour], style.over(theme[colour], 0.1, paper)) >= 4.5
    assert style.contrast(theme["dataframeHeaderTextColor"], theme["dataframeHeaderBackgroundColor"]) >= 4.5


def test_streamlits_own_charts_have_the_colours_of_runs() -> None:
    assert tuple(THEME["light"]["chartCategoricalColors"]) == style.RUN_COLOURS
    assert tuple(THEME["dark"]["chartCategoricalColors"]) == style.RUN_COLOURS_DARK


@pytest.mark.parametrize("colour", [style.GREY, style.PAPER[1]])
def test_grey_and_the_dark_paper_are_written_down_once(colour: str) -> None:
    files = [file for room in ("mnist_core", "dashboard") for file in sorted((ROOT / room).rglob("*.py"))]
    having = [file.name for file in files if colour.casefold() in file.read_text(encoding="utf-8").casefold()]
    assert having == ["style.py"]
