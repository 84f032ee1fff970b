"""What a page under Streamlit's AppTest shows, and how to use it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from streamlit.testing.v1 import AppTest

from dashboard import classroom

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"


class MenuPage(NamedTuple):
    """A page of the navigation. path: of its address, empty for the front page; section: of the menu, or empty."""

    file: str
    title: str
    path: str
    section: str = ""


def _menu() -> list[MenuPage]:
    """Return the pages that `app.py` gives to Streamlit's navigation, those of a class left out."""
    tree = ast.parse(APP.read_text(encoding="utf-8"))
    menu = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PAGES" and isinstance(node.value, ast.Dict)
    )
    found = []
    for key, pages in zip(menu.keys, menu.values, strict=True):
        for call in pages.elts if isinstance(pages, ast.List) else []:
            assert isinstance(call, ast.Call)
            file = ast.literal_eval(call.args[0])
            named = {item.arg: item.value.value for item in call.keywords if isinstance(item.value, ast.Constant)}
            section = str(ast.literal_eval(key)) if key else ""
            found.append(MenuPage(str(file), str(named["title"]), str(named.get("url_path", "")), section))
    return found


MENU = _menu()
CLASS_MENU = [MenuPage(file, title, path) for file, title, _, path in classroom.PAGES]
PAGES = [page.file for page in MENU]
"""The file of every page, in the order of the menu."""


def page_file(name: str) -> str:
    """Return the file of the page whose view is called `name`, such as ``train``."""
    return next(path for path in PAGES if path in (f"views/{name}.py", f"views/{name}/page.py"))


def words(page: AppTest) -> str:
    """Return all text of the page outside its widgets, an element a line, in Streamlit's Markdown."""
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error, page.success, page.title, page.toast)
    parts = [str(element.value) for kind in kinds for element in kind]
    parts += [f"{item.label}: {item.value}" for item in page.metric]
    return "\n".join([*parts, *(item.proto.body for item in page.get("html"))])


def text_of(page: AppTest) -> str:
    """Return `words` as a reader sees them: without styles, and the marks of bold type and of escaped characters."""
    return re.sub("<style>.*?</style>", "", words(page), flags=re.DOTALL).replace("*", "").replace("\\", "")


def unfold(page: AppTest) -> AppTest:
    """Open all that is folded on the page and is drawn only while it is open; return the page after it."""
    for part in page.expander:
        if part.proto.id:  # the server knows whether it is open
            page.session_state[str(part.key)] = True
    page.run()
    assert not page.exception
    return page


def click(page: AppTest, label: str) -> AppTest:
    """Click the first button with this label; return the page after it. Raise AssertionError if there is none."""
    found = [button for button in page.button if button.label == label]
    assert found, f"there is no button {label!r}, but {[button.label for button in page.button]}"
    found[0].click().run()
    assert not page.exception
    return page


def gallery_items(page: AppTest) -> list[dict[str, Any]]:
    """Return what the first gallery of the page shows, a dictionary for each digit; empty if there is none."""

    def data(node: Any) -> list[list[dict[str, Any]]]:
        found = []
        for child in getattr(node, "children", {}).values():
            if child.type == "bidi_component" and "items" in (shown := json.loads(child.proto.json or "{}")):
                found.append(shown["items"])
            found += data(child)
        return found

    return next(iter(data(page.main)), [])
