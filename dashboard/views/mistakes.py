"""Mistakes: how often a run is wrong, which digits it confuses, and the very images."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state, theme
from dashboard.charts.confusion import SELECTION, confusion_cells, confusion_chart
from dashboard.charts.probabilities import Opinion
from dashboard.components import digit_dialog, panels
from dashboard.components.gallery import gallery
from dashboard.components.run_picker import run_labels, run_picker
from mnist_core.errors import DatasetError, DatasetMissing
from mnist_core.metrics import accuracy_interval, confusion_matrix
from mnist_core.mistakes import Cell, confusion_frame, in_cell, mistakes, ordered, score_frame, top_confusions
from mnist_core.runs import Run

MATRIX = "confusion"
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


def main() -> None:
    """Draw the page."""
    st.title("Mistakes")
    runs, problems = resources.scan()
    chosen = run_picker(runs)
    panels.store_problems(problems)
    if not runs:
        panels.empty_state(
            "No runs yet",
            "Once a run is trained, its wrong guesses are here, digit by digit.",
            button="Train a first run",
            page="views/train.py",
        )
        return
    if not chosen:
        panels.empty_state("No run chosen", "Choose one above to see what it gets wrong.", icon=":material/checklist:")
        return
    with panels.in_words():
        judged = [run for run in chosen if resources.predictions(run) is not None]
        labels = run_labels(runs)
        for run in chosen:
            if run not in judged:
                st.caption(
                    f":material/hourglass_empty: {labels[run.id]} has no guesses on the test images: {_why(run)}."
                )
        if not judged:
            panels.empty_state(
                "Nothing to show yet",
                "A run guesses the test images when its training ends. Choose a finished run above, or wait.",
                button="See the training",
                page="views/train.py",
                icon=":material/hourglass_empty:",
            )
            return
        _inspect(_inspected(judged, labels), judged, labels)


def _why(run: Run) -> str:
    if run.live:
        return "its training is not finished"
    return run.status.reason or f"its training was {run.state}"


def _inspected(judged: list[Run], labels: dict[str, str]) -> Run:
    """The run to look at: the one in the link, else the first; with a choice where there are several."""
    ids = [run.id for run in judged]
    wanted = state.link_text("inspect")
    found = wanted if wanted in ids else ids[0]
    if len(ids) > 1:
        state.widget("inspect", found)
        st.radio(
            "Run to look at",
            ids,
            format_func=labels.__getitem__,
            horizontal=True,
            key="inspect",
            on_change=_inspect_other,
        )
    return judged[ids.index(found)]


def _inspect_other() -> None:
    state.set_link(inspect=state.widget_value("inspect"), page=None, digit=None)


def _inspect(run: Run, judged: list[Run], labels: dict[str, str]) -> None:
    colours = resources.colours([item.id for item in judged])
    with st.container(key="answer"):
        st.html(f"<style>.st-key-answer {{ border-left: 6px solid {colours[run.id]}; padding-left: 1rem; }}</style>")
        _answer(run)
    _take_click()
    cell = Cell(state.link_number("true", 0, 9), state.link_number("guess", 0, 9))
    left, right = st.columns([9, 11], gap="medium")
    with left, st.container(key="matrix_panel"):
        _matrix(run, cell)
    with right, st.container(key="gallery_panel"):
        _gallery(run, cell, judged, labels, colours)
    _scores(run)


# -- the answer first ------------------------------------------------------------------------------------------------


def _answer(run: Run) -> None:
    found, predictions = resources.test_scores(run), resources.predictions(run)
    assert found is not None
    assert predictions is not None
    interval = accuracy_interval(found.images - found.errors, found.images)
    top = top_confusions(confusion_matrix(predictions.labels, predictions.predicted))
    accuracy, wrong, confusion = st.columns([3, 3, 4], vertical_alignment="top")
    with accuracy:
        st.metric(
            "Test accuracy",
            theme.percent(found.accuracy),
            help="The share of test images guessed right. Other test images of the same kind would give another "
            "figure: the interval (Wilson, 95 %) says within which range.",
        )
        st.caption(f"95 % interval {100 * interval.low:.2f} to {theme.percent(interval.high)}")
    with wrong:
        st.metric("Wrong guesses", theme.count(found.errors))
        st.caption(f"of {found.images:,} test images of {run.config.dataset.name}")
    with confusion:
        if top:
            st.metric("Most frequent confusion", f"{top[0].true} → {top[0].guess}, {_times(top[0].times)}")
            rest = ", ".join(f"{item.true} → {item.guess} {_times(item.times)}" for item in top[1:])
            st.caption(f"a true {top[0].true} taken for a {top[0].guess}" + (f"; then {rest}" if rest else ""))
        else:
            st.metric("Most frequent confusion", "none")
            st.caption("every test image is guessed right")


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times:,} times"


# -- the matrix ------------------------------------------------------------------------------------------------------


def _take_click() -> None:
    """Carry a click on the matrix into the link, from which everything else reads it."""
    clicked = state.new_selection(MATRIX, SELECTION)
    if clicked is not None:
        cell = clicked[0] if clicked else {}
        state.set_link(true=cell.get("true"), guess=cell.get("guess"), page=None, digit=None)


def _matrix(run: Run, cell: Cell) -> None:
    predictions = resources.predictions(run)
    assert predictions is not None
    panels.heading(
        "Which digits it confuses",
        "A row is the digit that was written, a column the guess. Coloured cells are mistakes: click one to see them.",
        help="This is a confusion matrix. Its diagonal, in grey, counts the right guesses. "
        "“In %” divides each row by the number of images of that digit, so that frequent and rare digits compare.",
    )
    shares = state.link_text("cells") == "percent"
    state.widget("cells", "In %" if shares else "Counts")
    st.radio(
        "Cells show", ["Counts", "In %"], horizontal=True, key="cells", label_visibility="collapsed", on_change=_cells
    )
    cells = confusion_cells(confusion_frame(predictions), shares=shares, picked=cell)
    panels.chart_with_table(
        confusion_chart(cells, shares=shares, dark=theme.is_dark()),
        cells[["true", "guess", "count", "share"]],
        alt_text="Confusion matrix: true digit by guessed digit. The boxes named True digit and Guessed digit choose "
        "a cell by keyboard.",
        key=state.fresh_key(MATRIX),
        filename=f"confusion-{run.id}",
        on_select="rerun",
        column_config={
            "true": "true digit",
            "guess": "guessed digit",
            "count": "images",
            "share": st.column_config.NumberColumn("% of the true digit", format="%.2f"),
        },
    )


def _cells() -> None:
    state.set_link(cells="percent" if state.widget_value("cells") == "In %" else None)


# -- the digits ------------------------------------------------------------------------------------------------------


def _gallery(run: Run, cell: Cell, judged: list[Run], labels: dict[str, str], colours: dict[str, str]) -> None:
    everything, predictions = resources.judged(run), resources.predictions(run)
    assert everything is not None
    assert predictions is not None
    order = state.link_text("sort")
    order = order if order in ORDERS and (order != "correct" or cell == Cell()) else "confident"
    if order == "correct":
        frame = ordered(everything[everything["correct"]], "unsure")
    else:
        frame = ordered(in_cell(everything, cell), "unsure" if cell.correct and not state.link_text("sort") else order)
    panels.heading(_what(cell, order, len(frame)), _meaning(order))
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


def _what(cell: Cell, order: str, count: int) -> str:
    digits = f"{count:,} digit" if count == 1 else f"{count:,} digits"
    if order == "correct":
        return f"{digits} guessed right"
    if cell.correct:
        return f"{digits}: a true {cell.true}, guessed right"
    parts = [f"a true {cell.true}"] if cell.true is not None else []
    parts += [f"guessed {cell.guess}"] if cell.guess is not None else []
    return f"{digits}: {', '.join(parts)}" if parts else f"{digits} guessed wrong"


def _meaning(order: str) -> str:
    text = "True → guessed digit, and how sure the network was. Press a digit to enlarge it. "
    return text + TERMS["loss" if order == "loss" else "confidence"]


def _controls(cell: Cell, order: str) -> int:
    """Boxes for the cell, the order and the page size; returns the page size."""
    digits = [ANY, *range(10)]
    true, guess, sort, size = st.columns([3, 3, 5, 2], vertical_alignment="bottom")
    for column, label, key, value in (
        (true, "True digit", "true", cell.true),
        (guess, "Guessed digit", "guess", cell.guess),
    ):
        state.widget(key, value)
        column.selectbox(label, digits, format_func=lambda d: "any" if d is None else str(d), key=key, on_change=_pick)
    state.widget("sort", order)
    options = [name for name in ORDERS if name != "correct" or cell == Cell()]
    sort.selectbox("Sort", options, format_func=ORDERS.__getitem__, key="sort", on_change=_sort)
    found = state.link_number("size", min(SIZES), max(SIZES))
    state.widget("size", found if found in SIZES else SIZES[0])
    size.selectbox("Per page", SIZES, key="size", on_change=_size)
    if cell != Cell():
        st.button("Show all mistakes", icon=":material/close:", key="clear_cell", type="tertiary", on_click=_clear)
    return found if found in SIZES else SIZES[0]


def _pick() -> None:
    state.forget_selection(MATRIX)
    true, guess = (None if digit == ANY else digit for digit in map(state.widget_value, ("true", "guess")))
    state.set_link(true=true, guess=guess, page=None, digit=None)


def _clear() -> None:
    state.forget_selection(MATRIX)
    state.set_link(true=None, guess=None, page=None, digit=None)


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


def _as_table(frame) -> None:
    """The digits as a table, where there are no images to show."""
    st.dataframe(
        frame[["index", "true", "guess", "confidence", "loss"]],
        hide_index=True,
        key="mistakes_table",
        column_config={
            "index": st.column_config.NumberColumn("test image", format="%d"),
            "true": "true digit",
            "guess": "guessed digit",
            "confidence": st.column_config.NumberColumn("confidence", format="percent"),
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


# -- scores by class -------------------------------------------------------------------------------------------------


def _scores(run: Run) -> None:
    predictions, found = resources.predictions(run), resources.test_scores(run)
    assert predictions is not None
    assert found is not None
    panels.heading(
        "How well it knows each digit",
        f"Averaged over the digits, F1 is {found.macro_f1:.4f} (macro F1: every digit counts the same).",
        help="**Precision**: of the images guessed as this digit, the share that really are. "
        "**Recall**: of the images of this digit, the share that was found. "
        "**F1**: their harmonic mean, high only where both are. **Support**: how many test images of it there are.",
    )
    frame = score_frame(predictions)
    per_cent = {
        "precision": "Of the images guessed as this digit, the share that really are",
        "recall": "Of the images of this digit, the share that was found",
    }
    config = {
        name: st.column_config.NumberColumn(f"{name} in %", format="%.2f", help=text) for name, text in per_cent.items()
    }
    config |= {
        "f1": st.column_config.NumberColumn("F1", format="%.4f", help="Harmonic mean of precision and recall, 0 to 1"),
        "support": st.column_config.NumberColumn("support", help="Test images of this digit"),
    }
    shown = frame.assign(precision=100 * frame["precision"], recall=100 * frame["recall"])
    panels.table(shown, key="class_scores", filename=f"scores-{run.id}", exact=frame, column_config=config)


main()
