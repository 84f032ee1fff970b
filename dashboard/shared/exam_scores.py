"""How runs do on digits that are not of their data: who is better, in words, and a table of all scores."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard import state
from dashboard.shared import panels
from mnist_core.comparison.exams import Result, against
from mnist_core.comparison.words.verdicts import accuracy_words
from mnist_core.text import for_markdown

FEW = 1000
"""Of fewer images, an interval is so wide that it has no decimals."""


def exam_scores(results: Mapping[str, Result], labels: Mapping[str, str], *, key: str, filename: str) -> int:
    """Draw the sentences and the table, and return on how many images the baseline and another run differ at most.

    Parameters
    ----------
    results
        at least one, by run id, of the same images.
    labels
        of the runs, by id.
    key, filename
        of the table, as `panels.table` takes them.
    """
    base = state.baseline_id(list(results)) or next(iter(results))
    others = [run_id for run_id in results if run_id != base]
    compared = against(results[base], [results[run_id] for run_id in others], margin=state.margin())
    for run_id, (table, decision) in zip(others, compared, strict=True):
        st.markdown(f"**{for_markdown(accuracy_words(decision, table, labels[run_id], labels[base]))}**")
    digits = 0 if results[base].images < FEW else 2
    rows = [
        {
            "run": labels[run_id],
            "right": f"{found.correct:,} of {found.images:,}",
            "accuracy": 100 * found.accuracy,
            "interval": f"{100 * found.interval.low:.{digits}f} to {100 * found.interval.high:.{digits}f} %",
        }
        for run_id, found in results.items()
    ]
    panels.table(
        pd.DataFrame(rows),
        key=key,
        filename=filename,
        column_config={
            "accuracy": st.column_config.NumberColumn("accuracy in %", format="%.2f"),
            "interval": st.column_config.TextColumn(
                "95 % interval", help="Other digits of the same kind would give another figure within this range"
            ),
        },
    )
    return max((table.discordant for table, _ in compared), default=0)
