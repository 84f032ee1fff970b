"""The digits of a cell of the confusion matrix, or all mistakes: boxes to choose, gallery, pages, download."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.charts.probabilities import Opinion
from dashboard.components import digit_dialog, matrix_panel, panels
from dashboard.components.gallery import gallery
from mnist_core.errors import DatasetError, DatasetMissing
from mnist_core.mistakes import Cell, in_cell, mistakes, ordered
from mnist_core.runs import Run

ANY = "any"
SIZES = (24, 60, 120, 200)
ORDERS = {
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


def digits_panel(run: Run, cell: Cell, judged: list[Run], labels: dict[str, str], colours: dict[str, str]) -> None:
    """Draw the digits of a cell, or all mistakes, of a run that has predictions.

    Parameters
    ----------
    run
        whose guesses these are.
    cell
        what is chosen in the matrix.
    judged
        the runs that have their say on an enlarged digit.
    labels, colours
        of those runs, by id.
    """
    everything, predictions = resources.judged(run), resources.predictions(run)
    assert everything is not None
    assert predictions is not None
    order = _order(cell)
    if order == "correct":
        frame = ordered(everything[everything["correct"]], "unsure")
    else:
        frame = ordered(in_cell(everything, cell), order)
    with st.container(horizontal=True, horizontal_alignment="distribute", key="digits_heading"):
        st.markdown(f"##### {_what(cell, order, len(frame))}", help=TERMS["loss" if order == "loss" else "confidence"])
        st.button(
            "Show all mistakes",
            key="clear_cell",
            type="tertiary",
            disabled=cell == Cell(),
            on_click=matrix_panel.choose_cell,
            args=(Cell(),),
        )
    st.caption("True → guessed digit, with the network’s confidence in its guess. Press a picture to enlarge it.")
    size = _controls(cell, order)
    pages = max(1, -(-len(frame) // size))
    number = min(state.link_number("page", 1, 10**6) or 1, pages)
    shown = frame.iloc[(number - 1) * size : number * size]
    images = None
    try:
        images = resources.test_images(run)
    except DatasetMissing as error:
        st.info(panels.sentence(error), icon=":material/hide_image:")
        st.page_link("views/data.py", label="Get the images on the Data page", icon=":material/dataset:")
    except DatasetError as error:
        st.warning(panels.sentence(error), icon=":material/hide_image:")
    if frame.empty:
        st.info("There is no such digit: this never happened on the test images.", icon=":material/check:")
    elif images is None:
        _as_table(shown)
    else:
        gallery(shown, images, run.status.fingerprint, key="gallery", on_open=digit_dialog.show)
    _pager(number, pages, size, len(frame))
    _export(run)
    if state.link_text(digit_dialog.DIGIT):
        voters = [item for item in judged if item.status.fingerprint == run.status.fingerprint]
        digit_dialog.digit_dialog(
            frame["index"].tolist(),
            predictions.labels,
            images,
            lambda index: [
                Opinion(item.id, labels[item.id], colours[item.id], found.probabilities[index])
                for item in voters
                if (found := resources.predictions(item)) is not None
            ],
        )


def _order(cell: Cell) -> str:
    """The order in the link, else the telling one: of mistakes the surest, of right guesses the least sure."""
    wanted = state.link_text("sort")
    if wanted in ORDERS and (wanted != "correct" or cell == Cell()):
        return wanted
    return "unsure" if cell.correct else "confident"


def _what(cell: Cell, order: str, count: int) -> str:
    digits = f"{count:,} digit" if count == 1 else f"{count:,} digits"
    if order == "correct":
        return f"{digits} guessed right"
    if cell.correct:
        return f"{digits}: a true {cell.true}, guessed right"
    if cell == Cell():
        return f"{digits} guessed wrong"
    if cell.true is None:
        return f"{digits} wrongly guessed {cell.guess}"
    return f"{digits}: a true {cell.true}, guessed {'wrong' if cell.guess is None else cell.guess}"


def _controls(cell: Cell, order: str) -> int:
    """Boxes for the cell, the order and the page size; returns the page size."""
    found = state.link_number("size", min(SIZES), max(SIZES))
    found = found if found in SIZES else SIZES[0]
    state.widget("true", ANY if cell.true is None else cell.true)
    state.widget("guess", ANY if cell.guess is None else cell.guess)
    state.widget("sort", order)
    state.widget("size", found)
    digits = [ANY, *range(10)]
    orders = [name for name in ORDERS if name != "correct" or cell == Cell()]
    with st.container(horizontal=True, gap="small", key="digits_controls"):
        st.selectbox("True digit", digits, key="true", width=105, on_change=_pick)
        st.selectbox("Guessed digit", digits, key="guess", width=125, on_change=_pick)
        st.selectbox("Sort", orders, format_func=ORDERS.__getitem__, key="sort", width=200, on_change=_sort)
        st.selectbox("Per page", SIZES, key="size", width=85, on_change=_size)
    return found


def _pick() -> None:
    true, guess = (None if digit == ANY else digit for digit in map(state.widget_value, ("true", "guess")))
    matrix_panel.choose_cell(Cell(true, guess))


def _sort() -> None:
    state.set_link(sort=state.widget_value("sort"), page=None)


def _size() -> None:
    state.set_link(size=state.widget_value("size"), page=None)


def _pager(number: int, pages: int, size: int, count: int) -> None:
    if pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        for label, target, icon in (
            ("Previous page", number - 1, "chevron_left"),
            ("Next page", number + 1, "chevron_right"),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"to_{label.split()[0].lower()}",
                disabled=not 1 <= target <= pages,
                on_click=_to_page,
                args=(target,),
            )
        first = (number - 1) * size + 1
        st.caption(f"{first:,} to {min(number * size, count):,} of {count:,}")


def _to_page(number: int) -> None:
    state.set_link(page=number if number > 1 else None, digit=None)


def _as_table(frame: pd.DataFrame) -> None:
    """The digits as a table, where there are no images to show."""
    st.dataframe(
        frame[["index", "true", "guess", "confidence", "loss"]].assign(confidence=100 * frame["confidence"]),
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
    st.download_button(
        "All mistakes as CSV",
        lambda: panels.csv(mistakes(predictions)),
        f"mistakes-{run.id}.csv",
        "text/csv",
        key="mistakes_csv",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
