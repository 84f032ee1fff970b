"""The digits of a cell of the confusion matrix, or all mistakes: boxes to choose, gallery, pages, download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import matrix_panel, panels
from dashboard.shared.digit_pages import NEVER, digit_pages, size_box, sort_box
from dashboard.shared.gallery import items
from dashboard.views.mistakes.digit_map import DrawnArea
from dashboard.views.mistakes.map_panel import AREA
from mnist_core.evaluation.mistakes import Cell, Order, in_cell, mistakes, ordered
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

ANY = "any"
ORDERS: dict[Order | Literal["correct"], str] = {
    "confident": "Most confident first",
    "unsure": "Least confident first",
    "loss": "Largest loss first",
    "index": "Order in the test set",
    "correct": "Correct, but least confident",
}
TERMS = {
    "confidence": "Confidence is the probability that the network gives to its own guess.",
    "loss": "Loss is −log of the probability given to the true digit: 0 is perfect, and being surely wrong costs most.",
}


def digits_panel(
    run: Run, cell: Cell, area: DrawnArea | None, tested: list[Run], labels: dict[str, str], colours: dict[str, str]
) -> None:
    """Draw the digits of a cell, of an area of the map, or all mistakes, of a run that has predictions.

    Parameters
    ----------
    run
        the run with these guesses.
    cell
        the cell chosen in the matrix.
    area
        the area drawn on the map; with a cell, the digits that are in both are shown.
    tested
        the runs whose predictions the enlarged digit shows.
    labels, colours
        of those runs, by id.
    """
    everything = resources.prediction_frame(run)
    assert everything is not None
    order = _order(cell)
    frame = _digits(everything, cell, area, order)
    with st.container(horizontal=True, horizontal_alignment="distribute", key="digits_heading"):
        st.markdown(
            f"## {for_markdown(_what(cell, area, order, frame, run.classes))}",
            help=TERMS["loss" if order == "loss" else "confidence"],
        )
        st.button(
            "Show all mistakes",
            key="clear_cell",
            type="tertiary",
            disabled=cell == Cell() and area is None,
            on_click=_show_all,
        )
    st.caption("True → guessed digit, with the network’s confidence in its guess. Press a picture to enlarge it.")
    _controls(cell, order, run.classes)
    digit_pages(
        frame,
        run,
        items=lambda shown: items(shown, run.classes),
        as_table=lambda shown: _as_table(shown, run.classes),
        voters=tested,
        labels=labels,
        colours=colours,
        nothing=NEVER if area is None else "There is no such digit in the area.",
    )
    _export(run)


def _order(cell: Cell) -> Order | Literal["correct"]:
    """Return the order in the link, else the telling one: of mistakes the surest, of right guesses the least sure."""
    orders = [name for name in ORDERS if name != "correct" or cell == Cell()]
    return state.one_of(state.link_text("sort"), orders, "unsure" if cell.correct else "confident")


def _digits(
    everything: pd.DataFrame, cell: Cell, area: DrawnArea | None, order: Order | Literal["correct"]
) -> pd.DataFrame:
    """Return the digits to show, in their order; of an area all, the wrong guesses first."""
    if area is not None:
        everything = everything[everything["index"].isin(area.indices)]
    if order == "correct":
        return ordered(everything[everything["correct"]], "unsure")
    found = ordered(in_cell(everything, cell), order)
    if area is None or cell != Cell():
        return found
    return pd.concat([found, ordered(everything[everything["correct"]], order)])


def _what(cell: Cell, area: DrawnArea | None, order: str, frame: pd.DataFrame, names: Sequence[str]) -> str:
    if area is not None and cell == Cell() and order != "correct":
        return area.summary
    true, guess = (None if number is None else names[number] for number in cell)
    count = len(frame)
    digits = f"{count:,} digit" if count == 1 else f"{count:,} digits"
    if area is not None:
        digits += " in the area"
    if order == "correct":
        return f"{digits} guessed right"
    if cell.correct:
        return f"{digits}: a true {true}, guessed right"
    if cell == Cell():
        return f"{digits} guessed wrong"
    if cell.true is None:
        return f"{digits} wrongly guessed {guess}"
    return f"{digits}: a true {true}, guessed {'wrong' if guess is None else guess}"


def _show_all() -> None:
    matrix_panel.choose_cell(Cell())
    state.set_link(**{AREA: None})


def _controls(cell: Cell, order: str, names: Sequence[str]) -> None:
    """Draw boxes for the cell, the order and the page size."""
    state.widget("true", ANY if cell.true is None else cell.true)
    state.widget("guess", ANY if cell.guess is None else cell.guess)
    digits = [ANY, *range(len(names))]
    orders = {name: words for name, words in ORDERS.items() if name != "correct" or cell == Cell()}

    def shown(number: int | str) -> str:
        return names[number] if isinstance(number, int) else number

    with st.container(horizontal=True, gap="small", key="digits_controls"):
        st.selectbox("True digit", digits, format_func=shown, key="true", width=105, on_change=_pick)
        st.selectbox("Guessed digit", digits, format_func=shown, key="guess", width=125, on_change=_pick)
        sort_box(orders, order)
        size_box()


def _pick() -> None:
    true, guess = (None if digit == ANY else digit for digit in map(state.widget_value, ("true", "guess")))
    matrix_panel.choose_cell(Cell(true, guess))


def _as_table(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Draw the digits as a table, where there are no images to show."""
    st.dataframe(
        frame[["index", "true", "guess", "confidence", "loss"]].assign(
            true=[names[number] for number in frame["true"]],
            guess=[names[number] for number in frame["guess"]],
            confidence=100 * frame["confidence"],
        ),
        hide_index=True,
        key="mistakes_table",
        column_config={
            "index": st.column_config.NumberColumn("test image", format="%d"),
            "true": "true digit",
            "guess": "guessed digit",
            "confidence": st.column_config.NumberColumn("confidence in %", format="%.2f"),
            "loss": st.column_config.NumberColumn("loss", format="%.4f"),
        },
    )


def _export(run: Run) -> None:
    predictions = resources.predictions(run)
    assert predictions is not None
    panels.csv_button(mistakes(predictions), f"mistakes-{run.id}", key="mistakes_csv", label="All mistakes as CSV")
