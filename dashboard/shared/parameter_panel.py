"""The panel of Compare and Models that shows the parameters of the chosen networks, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from mnist_core.comparison.words.captions import largest_layer_words
from mnist_core.plots.parameters import LabelledModel, parameter_chart, parameter_frame
from mnist_core.runs.recorded import OUTSIDE
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown


def parameter_panel(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw one bar a run, one segment a layer, with the sentence on the largest layer."""
    for run in [run for run in runs if run.recorded]:
        st.caption(f"{for_markdown(labels[run.id])} was {OUTSIDE}, so where its parameters are is not drawn.")
    runs = [run for run in runs if not run.recorded]
    if not runs:
        return
    frame = parameter_frame([LabelledModel(run.id, labels[run.id], run.config.model) for run in runs])
    largest = largest_layer_words({for_markdown(labels[run.id]): run.config.model for run in runs})
    panels.chart_with_table(
        Drawing(parameter_chart, frame, colours),
        frame,
        title="Parameters by layer",
        sentence=f"Parameters are the weights that training adjusts. {largest}",
        alt_text="Parameters by layer. "
        + " ".join(f"{labels[run.id]}: {run.config.model.parameter_count():,} in all." for run in runs),
        key="parameters",
        filename="parameters",
    )
