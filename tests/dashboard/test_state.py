"""The choices in the link, where a busy browser brings an older link than the server has written."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state


def chosen_then_late() -> None:
    """A page on which runs are chosen, and whose part draws itself again for a browser that has the old link."""
    import streamlit as st

    from dashboard import state

    links = []

    @state.again_every(1.0, going_on=False)
    def part() -> None:
        links.append(st.query_params.get("runs"))

    state.choose(["new"])
    part()
    st.query_params["runs"] = "old"
    part()
    st.session_state["links"] = links


def chosen_then_back() -> None:
    """A page on which runs are chosen, and the browser's Back is pressed before its part draws itself again."""
    import streamlit as st

    from dashboard import state

    links = []

    @state.again_every(1.0, going_on=False)
    def part() -> None:
        links.append(st.query_params.get("runs"))

    state.choose(["new"])
    part()
    st.query_params["runs"] = "old"
    state.choose(["old"])  # what the whole page does with the link that it finds
    part()
    st.session_state["links"] = links


def links(page: AppTest) -> list[str | None]:
    page.query_params["runs"] = "old"
    page.run()
    assert not page.exception
    found: list[str | None] = page.session_state["links"]
    return found


def test_a_part_that_draws_itself_again_keeps_a_choice_that_the_browser_had_not_heard_of() -> None:
    page = AppTest.from_function(chosen_then_late)
    assert links(page) == ["new", "new"]
    assert page.query_params["runs"] == "new", "a rerun of the whole page finds the choice too"


def test_the_browsers_back_is_no_late_rerun() -> None:
    assert links(AppTest.from_function(chosen_then_back)) == ["new", "old"]


def test_a_choice_is_put_back_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LATE_S", 0.0)
    assert links(AppTest.from_function(chosen_then_late)) == ["new", "old"]
