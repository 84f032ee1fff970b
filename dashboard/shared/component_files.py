"""The files of components that are written in JavaScript, and what several of them have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def files_of(module: str) -> Callable[[str], str]:
    """Return a function from the name of a file next to a module, which is given by its `__file__`, to its text."""
    folder = Path(module).parent
    return lambda name: (folder / name).read_text(encoding="utf-8")


_file = files_of(__file__)
ELEMENTS_JS = _file("elements.js")
"""JavaScript that makes elements; it comes before that of a component."""
SHEET_JS = _file("sheet.js")
"""JavaScript that shows pictures of a sheet; it comes before that of a component."""
COMPONENTS_CSS = _file("components.css")
"""CSS of buttons, of the focus, and of what only a screen reader reads; it comes before that of a component."""
