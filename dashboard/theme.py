"""Send `style.css`, the look that `.streamlit/config.toml` cannot give, and write the styles that depend on data.

Runs take the colours of Okabe and Ito (2008), which people with a colour-vision deficiency can tell apart; everything
else is grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

MOST_GRID_ROWS = 17
"""Grids of so many rows, their head included, have room before their code has arrived: those of `panels.grid`."""
ROW_REM = 2.1875
"""Height of a row of Streamlit's grids, in rem."""


def _grid_rooms() -> str:
    rows = range(1, MOST_GRID_ROWS + 1)
    waiting = ((f'[class*="st-key-rows_{number}_"]:has([data-testid="stSkeleton"])', number) for number in rows)
    return "".join(f"{grid} {{ min-height: calc({number * ROW_REM}rem + 2px); }}\n" for grid, number in waiting)


def style_element(css: str) -> str:
    """Return CSS as an element of HTML; no other module writes one."""
    return f"<style>\n{css}</style>\n"


CSS = style_element((Path(__file__).parent / "style.css").read_text(encoding="utf-8") + _grid_rooms())


def apply() -> None:
    """Put the page-wide styles in place; once on every rerun."""
    st.html(CSS)


def set_style(rules: Mapping[str, Mapping[str, object]]) -> None:
    """Put in place what depends on data, mostly variables of `style.css`: selector → property → value."""
    st.html(style_element(css_of(rules)))


def css_of(rules: Mapping[str, Mapping[str, object]]) -> str:
    """Return rules, given as selector → property → value, as CSS."""
    lines = (
        f"{selector} {{ {' '.join(f'{name}: {value};' for name, value in properties.items())} }}\n"
        for selector, properties in rules.items()
    )
    return "".join(lines)


def css_string(text: str) -> str:
    """Return the text as a CSS string in which nothing can end the string or the style element."""
    return '"' + "".join(c if c.isalnum() or c in " -_.,()" else f"\\{ord(c):x} " for c in text) + '"'


def is_dark() -> bool:
    """True if the viewer sees the dark theme."""
    return st.context.theme.type == "dark"


def standing_out() -> str:
    """Return how what stands out from the background looks: ``darker`` or ``brighter``."""
    return "brighter" if is_dark() else "darker"
