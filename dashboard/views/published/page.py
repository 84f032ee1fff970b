"""Published against measured: what the sources print, what was measured here, and whether it reproduces."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.datasets import usable
from dashboard.shared.run_picker import MOST_COMPARED as MOST
from dashboard.views.published.published_rows import errors_html, head, row_html
from mnist_core.plots.published import described, published_chart, published_frame
from mnist_core.published import words
from mnist_core.published.reproduction import ReproductionRow, tally
from mnist_core.text import for_markdown

RULE = (
    "A source prints one training’s figure p; measured is the mean m of k trainings that differ in their seeds alone. "
    "Both are about the same images, so the luck of the images drops out, and by chance alone m − p has the standard "
    "error s · √(1 + 1/k). The standard deviation s between seeds is pooled over all models that ship with three "
    "seeds, in proportion to √(m(1 − m)) for an accuracy and to m for a loss. All figures that a source prints are "
    "compared, together at 95 % (Student’s t, Holm’s method): test accuracy and loss, and those of the training. "
    "A model **reproduces** only where none of them differs. Losses are as Keras reports them, with the L2 penalty."
)


def action(row: ReproductionRow) -> None:
    """Draw the button that leads on from a row: to its runs, to its sweep, or to where it can be trained."""
    key = f"published_{row.name}"
    if row.stored is not None:
        if st.button(
            "Sweep", icon=":material/grid_on:", key=key, help=f"{row.name} on the Sweeps page", type="tertiary"
        ):
            st.switch_page("views/sweeps/page.py", query_params={"sweep": f"{row.kind}-{row.stored}"})
    elif row.opens:
        if st.button(
            "Compare", icon=":material/compare_arrows:", key=key, help=f"The runs of {row.name}", type="tertiary"
        ):
            ids = list(row.opens[:MOST])
            state.choose(ids)
            st.switch_page("views/compare/page.py", query_params={state.CHOSEN: ",".join(ids)})
    elif st.button("Train", icon=":material/play_arrow:", key=key, help=f"Set up {row.name}", type="tertiary"):
        dataset = "mnist" if usable(resources.store().catalog, "mnist") else "digits"
        if row.kind == "model":
            st.switch_page("views/train/page.py", query_params={"base": row.name, "dataset": dataset})
        st.switch_page("views/sweeps/page.py", query_params={"start": "1", "what": f"{row.kind}:{row.name}"})


def table(rows: list[ReproductionRow]) -> None:
    """Draw the rows of one source."""
    with st.container(key=f"published_rows_{rows[0].name.partition('/')[0]}"):
        for row in rows:
            with st.container(
                key=f"row_{row.name.replace('/', '_')}", horizontal=True, vertical_alignment="top", gap="small"
            ):
                st.html(row_html(row), width="stretch")
                action(row)


st.title("Published against measured")
with panels.errors_as_messages():
    found = resources.published()
    counted = tally(found)
    panels.headline(words.summary(counted), help=RULE)
    st.caption(
        f"{for_markdown(words.left_out(counted))} ✓ reproduces: no published figure differs by more than chance. "
        "≠ differs: at least one does. All on MNIST; accuracies are of its 10,000 test images."
    )
    frame = published_frame(found)
    if len(frame):
        panels.chart_with_table(
            Drawing(published_chart, frame),
            frame,
            alt_text=described(frame),
            key="published_chart",
            filename="published",
            title="Test accuracy",
            sentence="The bar is where another training with the same settings falls by chance alone, 19 times in 20. "
            "Colour is the verdict on all figures that a source prints, not on the accuracy alone.",
        )
    sources = list(dict.fromkeys(row.source for row in found))
    for source in sources:
        st.markdown(f"## {for_markdown(source[:1].upper() + source[1:])}")
        if source == sources[0]:
            st.html(head())
        table([row for row in found if row.source == source])
    with st.expander(f"What the sources got wrong: {len(words.source_errors(found))} points", key="source_errors"):
        st.html(errors_html(found))
panels.store_problems(resources.all_problems())
