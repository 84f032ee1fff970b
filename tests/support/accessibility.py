"""What axe-core finds on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OURS_TOO = ("heading-order", "empty-table-header", "label-content-name-mismatch")
"""Rules of less impact, or that axe-core holds for experimental, whose findings are mended all the same."""

GRID_CELLS = {"empty-table-header": '[role="columnheader"]'}
STREAMLITS = GRID_CELLS | {"color-contrast": ".token"}
"""What axe-core finds in Streamlit's own elements, which a page cannot mend: rule → what the element's HTML contains.

The hidden table that stands for a data grid has header cells without words where a column has none. `st.code` colours
the tokens of a program, and no theme key sets these colours.
"""


COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""Axe-core's rules on colours, the only ones whose findings depend on the theme."""


def findings(
    page: Page, context: str | None = None, *, exempt: Mapping[str, str] = STREAMLITS, only_colours: bool = False
) -> list[str]:
    """What axe-core finds serious or critical, or by the rules of `OURS_TOO`, but for what is exempt.

    `only_colours` is for the second theme of a page of which the first has been looked at by all rules.
    """
    options: dict[str, Any] = COLOURS if only_colours else {"rules": {rule: {"enabled": True} for rule in OURS_TOO}}
    # without it, each element that a rule accepts is handed over as well, which takes longer than looking for them
    options = options | {"resultTypes": ["violations"]}
    found: list[dict[str, Any]] = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{item['id']}: {node['html'][:160]} {[part['data'] for part in node['any'][:1]]}"
        for item in found
        if item["impact"] in ("serious", "critical") or item["id"] in OURS_TOO
        for node in item["nodes"]
        if not (item["id"] in exempt and _matches(page, node["target"], exempt[item["id"]]))
    ]


def _matches(page: Page, target: list[Any], selector: str) -> bool:
    """True if the element that axe-core names is one of the selector's; it names it by a path through shadow roots."""
    return len(target) == 1 and bool(
        page.evaluate("([path, wanted]) => document.querySelector(path)?.matches(wanted)", [target[0], selector])
    )
