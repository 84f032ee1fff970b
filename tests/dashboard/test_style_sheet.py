"""The look of the dashboard is in style sheets, and one module writes what depends on data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard import theme
from dashboard.shared.component_files import COMPONENTS_CSS

DASHBOARD = Path(theme.__file__).parent
NOT_OF_ONE = {DASHBOARD / name for name in ("style.css", "join.css", "shared/components.css")}
OF_COMPONENTS = sorted(set(DASHBOARD.rglob("*.css")) - NOT_OF_ONE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def rules(css: str) -> dict[str, str]:
    """Return the outermost rules of CSS: selector → what is between its braces."""
    return {" ".join(s.split()): " ".join(body.split()) for s, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css)}


@pytest.mark.parametrize("file", sorted(DASHBOARD.rglob("*.py")), ids=lambda file: str(file.relative_to(DASHBOARD)))
def test_only_the_theme_writes_an_element_of_styles(file: Path) -> None:
    written = "<style" in file.read_text(encoding="utf-8")
    assert written == (file.name == "theme.py"), "rules go to style.css, and computed values to theme.set_style"


def test_the_sheet_is_sent_whole() -> None:
    assert (DASHBOARD / "style.css").read_text(encoding="utf-8") in theme.CSS
    assert theme.CSS.count("<style>") == theme.CSS.count("</style>") == 1


def test_a_computed_style_has_its_selector_and_its_values() -> None:
    assert theme.css_of({".a": {"--run": "#111111", "--chips": 2}}) == ".a { --run: #111111; --chips: 2; }\n"


@pytest.mark.parametrize("file", OF_COMPONENTS, ids=lambda file: file.name)
def test_a_component_does_not_repeat_what_all_components_have(file: Path) -> None:
    shared = {body for body in rules(COMMENT.sub("", COMPONENTS_CSS)).values() if body.count(";") > 1}
    own = rules(COMMENT.sub("", file.read_text(encoding="utf-8")))
    assert not [selector for selector, body in own.items() if body in shared]
