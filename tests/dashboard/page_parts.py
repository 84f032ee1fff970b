"""What a page under test says and shows."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def words(test: AppTest) -> str:
    """Everything that the page says."""
    parts = [*test.markdown, *test.caption, *test.info, *test.warning, *test.error, *test.title]
    return "\n".join([str(part.value) for part in parts] + [f"{item.label}: {item.value}" for item in test.metric])


def gallery_items(test: AppTest) -> list[dict]:
    """What the buttons of the first gallery say; empty where there is none."""

    def data(node) -> list[list[dict]]:
        found = []
        for child in getattr(node, "children", {}).values():
            if child.type == "bidi_component":
                found.append(json.loads(child.proto.json)["items"])
            found += data(child)
        return found

    return next(iter(data(test.main)), [])
