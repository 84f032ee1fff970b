"""Large figures and quiet tables, drawn as HTML: right-aligned, in tabular numerals, readable on a phone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.shared.groups import RunGroup
from mnist_core.errors import MnistCoreError
from mnist_core.report import tables
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary
from mnist_core.text import for_html


class RunColumn(NamedTuple):
    """A run as the head of a column."""

    label: str
    colour: str
    role: str = ""


def status_words(run: Run, epochs_done: int, chosen: ChosenEpoch = "kept") -> str:
    """Return why a run has no test result of the chosen epoch, in words."""
    if chosen != "kept" and run.ended and run.status.kept_epoch is not None:
        return f"no test result of its {chosen} epoch ({run.epoch(chosen)}) is stored: choose the kept epoch"
    if run.state == "running":
        return f"training, {epochs_done} of {run.planned_epochs or 'an unknown number of'} epochs done"
    words = {
        "queued": "waiting to be trained",
        "paused": f"paused after {epochs_done} epochs",
        "finished": "finished, but without stored predictions",
        "diverged": "diverged: no test result",
        "failed": "failed: no test result",
        "cancelled": f"cancelled after {epochs_done} epochs",
        "interrupted": f"interrupted after {epochs_done} epochs",
    }
    return words[run.state]


def seed_figures(groups: Sequence[RunGroup], chosen: ChosenEpoch) -> dict[str, list[RunSummary]]:
    """Return the figures of the finished seeds of each recipe with several, by the id of the run that represents them.

    chosen: the epoch of which they tell.
    """
    found: dict[str, list[RunSummary]] = {}
    for group in groups:
        if group.several:
            found[group.first.id] = []
            for run in group.runs:
                # a damaged one is no figure; the page of its own says what is wrong with it
                with contextlib.suppress(MnistCoreError):
                    if run.state == "finished":
                        found[group.first.id].append(resources.summary(run, chosen))
    return found


def seed_label(label: str, seeds: Sequence[RunSummary] | None) -> str:
    """Return the head of a column: for several seeds, what they are called without them, and how many there are."""
    if not seeds:
        return label
    return re.sub(r", seed \d+$", "", label) + f", n = {len(seeds)}"


def figure_table(
    items: Sequence[RunSummary],
    columns: Sequence[RunColumn],
    baseline: str,
    fingerprints: Mapping[str, str],
    seeds: Mapping[str, Sequence[RunSummary]] | None = None,
) -> None:
    """Draw the table of figures: one column a run, each with its difference from the baseline.

    seeds: run id → the figures of all seeds of its recipe; its column then holds means ± standard deviations.
    """
    body, group = [], ""
    for row in tables.ROWS:
        if row.group != group:
            group = row.group
            body.append(f'<tr class="group"><td colspan="{len(columns) + 1}">{for_html(group)}</td></tr>')
        why = f' <span class="why">{for_html(row.explanation)}</span>' if row.explanation else ""
        shown = "".join(
            f'<td>{for_html(cell.text)}<span class="delta">{for_html(cell.difference)}</span></td>'
            for cell in tables.cells(row, items, baseline, fingerprints, seeds or {})
        )
        body.append(f"<tr><td>{for_html(row.name)}{why}</td>{shown}</tr>")
    if any(len(found) > 1 for found in (seeds or {}).values()):
        st.caption("n: seeds of one recipe; their figures are means ± sample standard deviations, over finished runs.")
    st.html(_table(_head("", columns), "".join(body)))


def text_table(frame: pd.DataFrame, columns: Sequence[RunColumn]) -> None:
    """Draw a small table of texts: its first column names the rows, each of the others belongs to a run."""
    rows = (
        "<tr>" + "".join(f"<td>{for_html(str(value))}</td>" for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    st.html(_table(_head(str(frame.columns[0]), columns), "".join(rows), "figures text"))


def plain_table(frame: pd.DataFrame, *, texts: int = 1) -> None:
    """Draw a small table as it stands: the first `texts` columns are left-aligned, the others right-aligned."""
    head = "".join(f"<th{_side(i < texts)}>{for_html(str(name))}</th>" for i, name in enumerate(frame.columns))
    rows = (
        "<tr>" + "".join(f"<td{_side(i < texts)}>{for_html(str(value))}</td>" for i, value in enumerate(row)) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    st.html(_table(head, "".join(rows), "figures tight"))


def _side(left: bool) -> str:
    return ' style="text-align:left"' if left else ""


def _head(first: str, columns: Sequence[RunColumn]) -> str:
    cells = "".join(
        f'<th><span class="dot" style="background:{column.colour}"></span>{for_html(column.label)}'
        f"{f' <span class=why>{for_html(column.role)}</span>' if column.role else ''}</th>"
        for column in columns
    )
    corner = f"<th>{for_html(first)}</th>" if first else "<td></td>"  # a heading without words is none
    return f"{corner}{cells}"


def _table(head: str, body: str, kind: str = "figures") -> str:
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
