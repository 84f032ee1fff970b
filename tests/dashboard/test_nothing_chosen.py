"""What the pages that need runs show while none is chosen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import page_file, text_of
from tests.support.synthetic import MakeRun, config

PAGES = (
    "compare", "mistakes", "disagreements", "draw", "exams", "loss_or_accuracy", "production", "abstention", "models",
)  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_where_no_run_is_chosen_a_button_chooses_the_first_two(
    app: Callable[..., AppTest], make_run: MakeRun, name: str
) -> None:
    runs = [make_run(label, config(hidden), errors=5) for label, hidden in (("one", (8,)), ("two", (9,)))]
    page = app(page_file(name), runs="")
    assert not page.exception
    assert "No run is chosen" in text_of(page) or "Choose two runs" in text_of(page)
    button = page.button(key="empty_state_button")
    assert button.label.endswith("one and two")
    button.click().run()
    assert not page.exception
    assert page.multiselect(key="run_picker").value == [run.id for run in runs]
