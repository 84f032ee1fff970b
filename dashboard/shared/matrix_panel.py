"""The confusion matrix with what belongs to it: the switch, the clicks, the table and the downloads."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.matrix_keys import HELP, matrix_keys
from mnist_core.evaluation.mistakes import Cell, confusion_frame
from mnist_core.plots.confusion_matrix import CELL_SELECTION, HEIGHT, confusion_cells, confusion_chart
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

KEY = "confusion"
PRESENTED = 250
"""Height of the matrix in presenter mode, before it is enlarged: all of it is on the first screen then."""
COUNTS, PER_CENT = "Counts", "In %"


def take_click() -> None:
    """Carry a click on the matrix into the link, from which everything else reads the cell; before all widgets."""
    clicked = state.new_selection(KEY, CELL_SELECTION)
    if clicked is not None:
        cell = clicked[0] if clicked else {}
        state.set_link(true=cell.get("true"), guess=cell.get("guess"), page=None, digit=None)


def chosen_cell(classes: int) -> Cell:
    """Return the cell, row or column that the link names, of a matrix of so many classes."""
    return Cell(state.link_number("true", 0, classes - 1), state.link_number("guess", 0, classes - 1))


def choose_cell(cell: Cell) -> None:
    """Choose a cell otherwise than by a click in the matrix."""
    state.forget_selection(KEY)
    state.set_link(true=cell.true, guess=cell.guess, page=None, digit=None)


def matrix_panel(run: Run, cell: Cell) -> None:
    """Draw the matrix of a run that has predictions, with `cell` framed."""
    panels.heading(
        "Which digits it confuses",
        "Row: the digit written. Column: the guess. Click a coloured cell.",
        help="This is a confusion matrix. Its diagonal, in grey, counts the right guesses; coloured ones are mistakes. "
        "A click shows the digits of a cell. “In %” divides each row by the number of images of that digit, so that "
        f"frequent and rare digits compare.\n\n{HELP}",
    )
    shares = state.link_text("cells") == "percent"
    state.widget("cells", PER_CENT if shares else COUNTS)
    st.radio("Cells show", [COUNTS, PER_CENT], horizontal=True, key="cells", on_change=_switch)
    draw_matrix(run, cell, key=KEY, shares=shares, height=PRESENTED if state.presenting() else HEIGHT)


def draw_matrix(
    run: Run,
    cell: Cell | None,
    *,
    key: str,
    shares: bool = False,
    height: int = HEIGHT,
    chosen: ChosenEpoch = "kept",
    top: float | None = None,
    name: str | None = None,
) -> None:
    """Draw the matrix alone of a run that has predictions, with its table and downloads.

    Parameters
    ----------
    run
        whose guesses these are.
    cell
        the cell, row or column to frame; None for none.
    key
        under which `state.new_selection` finds a click.
    shares
        whether to show per cent of the true digit's images in place of counts.
    height
        in pixels.
    chosen
        the epoch whose weights guess.
    top
        the count at which the colours end; None for the largest of this matrix.
    name
        of the run, where there are several matrices.
    """
    predictions = resources.predictions(run, chosen)
    assert predictions is not None
    cells = confusion_cells(confusion_frame(predictions), shares=shares, picked=cell or Cell(), names=run.classes)
    matrix_keys(key, "Confusion matrix" if name is None else f"Confusion matrix of {name}")
    panels.chart_with_table(
        Drawing(confusion_chart, cells, shares=shares, names=run.classes, height=height, top=top),
        cells[["true", "guess", "count", "share"]],
        alt_text="Confusion matrix: true digit by guessed digit. Arrow keys go through its cells; the boxes True digit "
        "and Guessed digit choose one, too.",
        key=state.fresh_key(key),
        filename=f"confusion-{run.id}",
        on_select="rerun",
        column_config={
            "true": "true digit",
            "guess": "guessed digit",
            "count": "images",
            "share": st.column_config.NumberColumn("% of the true digit", format="%.2f"),
        },
        printed=Drawing(confusion_chart, cells.assign(picked=False), shares=shares, names=run.classes, top=top),
    )


def _switch() -> None:
    state.set_link(cells="percent" if state.widget_value("cells") == PER_CENT else None)
