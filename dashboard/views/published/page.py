"""Published against measured: what the sources print, what was measured here, and whether it reproduces."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.datasets import usable
from dashboard.shared.run_picker import MOST
from dashboard.views.published.published_rows import answer, head, row_html
from mnist_core.published.reproduction import Row
from mnist_core.text import for_markdown

RULE = (
    "A source prints one training's accuracy p on n = 10,000 test images; measured is the mean m of k trainings that "
    "differ in their seeds alone, with standard deviation s. By chance alone the two differ, 19 times in 20, by at "
    "most 1.96 · √(p(1 − p)/n + m(1 − m)/n + s²(1 + 1/k)): the luck of the test images, and that of the seeds (0 for "
    "one seed, which is thus judged more strictly). Within that a model **reproduces**. For the loss, the luck of the "
    "images comes from the spread of their losses; losses are as Keras reports them, with the L2 penalty. "
    "Two error rates within a sweep count as different beyond "
    "1.96 · √((e₁(1 − e₁) + e₂(1 − e₂))/n)."
)
COLUMNS = [7, 1]  # a row, and its button


def action(row: Row) -> None:
    """The button that leads on from a row: to its runs, to its sweep, or to where it can be trained."""
    key = f"published_{row.name}"
    if row.stored is not None:
        if st.button(
            "Sweep", icon=":material/grid_on:", key=key, help=f"{row.name} on the Sweeps page", width="stretch"
        ):
            st.switch_page("views/sweeps/page.py", query_params={"sweep": f"{row.kind}-{row.stored}"})
    elif row.opens:
        if st.button(
            "Compare", icon=":material/compare_arrows:", key=key, help=f"The runs of {row.name}", width="stretch"
        ):
            ids = list(row.opens[:MOST])
            state.choose(ids)
            st.switch_page("views/compare/page.py", query_params={state.CHOSEN: ",".join(ids)})
    elif st.button("Train", icon=":material/play_arrow:", key=key, help=f"Set up {row.name}", width="stretch"):
        dataset = "mnist" if usable(resources.store().catalog, "mnist") else "digits"
        if row.kind == "model":
            st.switch_page("views/train/page.py", query_params={"base": row.name, "dataset": dataset})
        st.switch_page("views/sweeps/page.py", query_params={"start": "1", "what": f"{row.kind}:{row.name}"})


def table(rows: list[Row]) -> None:
    """The rows of one source."""
    with st.container(key=f"published_rows_{rows[0].name.partition('/')[0]}"):
        st.columns(COLUMNS, gap="small")[0].html(head())
        for row in rows:
            with st.container(key=f"row_{row.name.replace('/', '_')}"):
                figures, button = st.columns(COLUMNS, gap="small", vertical_alignment="top")
                with figures:
                    st.html(row_html(row))
                with button:
                    action(row)


st.title("Published against measured")
with panels.in_words():
    found = resources.published()
    st.markdown(f"#### {answer(found)}", help=RULE, anchors=False)
    st.caption(
        "✓ reproduces: no further from the published figure than chance allows. ≠ differs: further. All on the 10,000 "
        "test images of MNIST, mean ± standard deviation where several seeds were trained."
    )
    sources = list(dict.fromkeys(row.source for row in found))
    for source in sources:
        st.markdown(f"##### {for_markdown(source[:1].upper() + source[1:])}")
        table([row for row in found if row.source == source])
panels.store_problems(resources.all_problems())
