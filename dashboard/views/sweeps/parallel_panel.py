"""All settings of a sweep or a search at once, and the runs that lie within the brushed parts of the axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard import state, theme
from dashboard.cache import cached
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from mnist_core.plots import parallel as charts
from mnist_core.text import for_markdown

KEY = "sweep_parallel"
BRUSHES = "sweep_brushes"
SMALLEST = 0.01
"""A brush narrower than this share of its axis is a click."""


def _take_brush(study_id: str, axes: Sequence[str]) -> None:
    """Keep the part of an axis that was just brushed, for the study shown. axes: those of the chart, from the top."""
    for number, axis in enumerate(axes):
        drag = state.new_interval(KEY, charts.brush_name(number))
        if drag and drag.get(charts.FIELD):
            low, high = sorted(float(end) for end in drag[charts.FIELD])
            if high - low >= SMALLEST:
                part = (round(max(low, -0.01), 3), round(min(high, 1.01), 3))
                _keep(study_id, _brushes(study_id) | {axis: part})


def _brushes(study_id: str) -> dict[str, tuple[float, float]]:
    owner, brushes = state.widget_value(BRUSHES) or ("", {})
    return dict(brushes) if owner == study_id else {}


def _keep(study_id: str, brushes: Mapping[str, tuple[float, float]]) -> None:
    state.fill({BRUSHES: (study_id, dict(brushes))})
    state.forget_selection(KEY)  # the kept brushes are drawn in its place


def parallel(
    table: pd.DataFrame, names: Mapping[str, str], column: str, word: str, study_id: str, *, sentence: str = ""
) -> set[str] | None:
    """Draw all settings at once, a line a run. Return the ids of the runs within the brushes; None where there is none.

    Parameters
    ----------
    table
        as a study's `table` gives it.
    names
        what the settings are called, by path.
    column, word
        the figure at the end of each line, and what it is called.
    study_id
        of the study that is shown: brushes are kept for one study.
    sentence
        what else there is to say.
    """
    frame = cached(charts.parallel_frame, table[[*names, column, "run"]], list(names), column)
    titles = {**names, column: word}
    _take_brush(study_id, list(titles))
    brushes = {axis: part for axis, part in _brushes(study_id).items() if axis in titles}
    standing_out = theme.standing_out()
    panels.chart_with_table(
        Drawing(charts.parallel_chart, frame, titles, brushes, higher_is_better=column.endswith("accuracy")),
        table[["run", *names, column]],
        title="All settings at once",
        sentence=f"Each line is a run, from its settings to its {word}; the {standing_out}, the better. "
        f"Drag along an axis to keep the runs in that part of it. {sentence}".strip(),
        alt_text=f"Parallel coordinates of {', '.join(names.values())} and the {word}",
        key=state.fresh_key(KEY),
        filename="sweep-parallel",
        on_select="rerun",
    )
    if not brushes:
        return None
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f"Kept: {len(charts.brushed(frame, brushes))} of {frame['runs'].nunique()} runs", width="content")
        for axis, part in brushes.items():
            ends = charts.brush_ends(frame, axis, part)
            inside = "nothing" if ends is None else ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
            if st.button(
                f"{for_markdown(titles[axis])}: {for_markdown(inside)}",
                icon=":material/close:", type="tertiary", key=f"sweep_unbrush_{axis}", help="Keep all of this axis",
            ):  # fmt: skip
                _keep(study_id, {other: its for other, its in brushes.items() if other != axis})
                st.rerun()
    return charts.brushed(frame, brushes)
