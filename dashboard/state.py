"""What a viewer has chosen: the one module that touches `st.session_state` and `st.query_params`.

The chosen runs live in the URL (`?runs=…`), so that a view is a link, and travel from page to page.
"""

from __future__ import annotations

import streamlit as st

from mnist_core.runs import Run

CHOSEN = "runs"
MOST_AT_FIRST = 2


def chosen_ids(runs: list[Run]) -> list[str]:
    """The ids of the chosen runs that exist, in the order of choice; at first those in the URL, else a good default."""
    known = {run.id for run in runs}
    if CHOSEN in st.query_params:
        wanted = [part for part in st.query_params[CHOSEN].split(",") if part]
    else:
        wanted = st.session_state.get(CHOSEN) or [run.id for run in _default(runs)]
    ids = [run_id for run_id in dict.fromkeys(wanted) if run_id in known]
    choose(ids)
    return ids


def choose(ids: list[str]) -> None:
    """Remember the chosen runs for the other pages, and in the URL."""
    st.session_state[CHOSEN] = ids
    text = ",".join(ids)
    if st.query_params.get(CHOSEN) != text:
        st.query_params[CHOSEN] = text


def _default(runs: list[Run]) -> list[Run]:
    """The shipped model_1 and model_2 on MNIST, else the two newest finished runs."""
    shipped = [run for run in runs if run.read_only and run.meta.preset in ("notebook/model_1", "notebook/model_2")]
    for dataset in ("mnist", "digits"):
        found = [run for run in shipped if run.config.dataset.name == dataset]
        if found:
            return sorted(found, key=lambda run: run.meta.preset or "")[:MOST_AT_FIRST]
    return [run for run in runs if run.state == "finished"][-MOST_AT_FIRST:]
