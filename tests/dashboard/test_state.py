"""The choices in the link, where a busy browser brings an older link than the server has written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state


def page(back: bool) -> None:
    """Choose runs; then a part draws itself again for a browser that has the old link, which Back may have brought."""
    import streamlit as st

    from dashboard import state

    links = []

    @state.again_every(1.0, going_on=False)
    def part() -> None:
        links.append(st.query_params.get("runs"))

    state.choose(["new"])
    part()
    st.query_params["runs"] = "old"
    if back:
        state.choose(["old"])  # what the whole page does with the link that it finds
    part()
    st.session_state["links"] = links


def opened(*, back: bool) -> AppTest:
    test = AppTest.from_function(page, kwargs={"back": back})
    test.query_params["runs"] = "old"
    test.run()
    assert not test.exception
    return test


def test_a_part_that_draws_itself_again_keeps_a_choice_that_the_browser_had_not_heard_of() -> None:
    test = opened(back=False)
    assert test.session_state["links"] == ["new", "new"]
    assert test.query_params["runs"] == "new", "a rerun of the whole page finds the choice too"


def test_the_browsers_back_is_no_late_rerun() -> None:
    assert opened(back=True).session_state["links"] == ["new", "old"]


def test_a_choice_is_put_back_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LATE_S", 0.0)
    assert opened(back=False).session_state["links"] == ["new", "old"]


@pytest.mark.parametrize(
    ("cookie", "width"),
    [
        ("390", 390),
        ("1280", 1280),
        ("", None),
        ("0", None),
        ("-5", None),
        ("wide", None),
        ("9" * 30, None),
        ("³90", None),
    ],
)
def test_the_width_of_the_window_is_that_of_the_cookie_where_it_is_a_number(
    monkeypatch: pytest.MonkeyPatch, cookie: str, width: int | None
) -> None:
    context = SimpleNamespace(cookies={state.WIDTH: cookie})
    monkeypatch.setattr(state.st, "context", context)
    assert state.window_width() == width
    context.cookies.clear()
    assert state.window_width() is None
