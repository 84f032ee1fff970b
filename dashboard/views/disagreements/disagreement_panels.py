"""Three ways to look at runs side by side: who is right, which digits they confuse, and what many get wrong.

Each is a picture, the digits of what is clicked in it, and boxes that choose the same by keyboard. The choice is in
the link, so that a view is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources, state, theme
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.digit_pages import digit_pages, size_box, sort_box
from dashboard.shared.gallery import vote_items
from dashboard.shared.matrix_keys import HELP, matrix_keys
from dashboard.shared.matrix_panel import chosen_cell, draw_matrix
from mnist_core.comparison.disagreements import (
    GROUPS,
    Counts,
    VoteOrder,
    counts,
    difference_frame,
    groups,
    guessed,
    moved,
    ordered,
    wrong_by,
    wrong_counts,
)
from mnist_core.comparison.words.disagreements import class_change_words, confusion_change_words
from mnist_core.evaluation.mistakes import Cell
from mnist_core.plots import agreement, confusion_matrix, style
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

ANY = "any"
ORDERS: dict[VoteOrder, str] = {
    "probability_gap": "Furthest apart first",
    "confident": "Surest wrong guess first",
    "unsure": "Least sure first",
    "index": "Order in the test set",
}
ORDER_HELP = (
    "Furthest apart: where the runs give the true digit the most different probabilities. Surest wrong guess: by the "
    "largest probability that one of them gives to a wrong digit."
)
GROUP_KEY, WRONG_KEY = "groups", "wrong_bars"
MATRICES = {"a": "matrix_a", "difference": "matrix_difference", "b": "matrix_b"}
MATRIX_HEIGHT = 380
FORGOTTEN = {"page": None, "digit": None}


@dataclass(frozen=True)
class Panel:
    """Runs that were tested on the same images, in their order, with their labels and colours by id.

    chosen: the epoch whose weights are compared.
    """

    runs: list[Run]
    labels: Mapping[str, str]
    colours: Mapping[str, str]
    chosen: ChosenEpoch = "kept"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; those of a run from outside, where one is, as it may name them better."""
        return next((run.classes for run in self.runs if run.recorded), self.runs[0].classes)

    def name(self, number: int | str | None) -> str:
        """Return the name of a class by its number; any other text as it is."""
        return self.classes[number] if isinstance(number, int) else str(number)

    @cached_property
    def names(self) -> list[str]:
        """Their labels, in their order."""
        return [self.labels[run.id] for run in self.runs]

    @cached_property
    def written(self) -> list[str]:
        """Their labels, so that Markdown shows them as they stand."""
        return [for_markdown(name) for name in self.names]

    @cached_property
    def shades(self) -> list[str]:
        """Their colours, in their order."""
        return [self.colours[run.id] for run in self.runs]

    @cached_property
    def votes(self) -> pd.DataFrame:
        """Every test image with their guesses; shared, not to be written into."""
        return resources.votes(self.runs, self.chosen)

    @cached_property
    def counts(self) -> Counts:
        """Number of images in each group, for two runs."""
        return counts(self.votes)

    def legend(self) -> str:
        """Return HTML that names the runs in their colours."""
        swatches = (panels.swatch(*pair) for pair in zip(self.names, self.shades, strict=True))
        return " ".join(f"<span style='display:inline-block;margin-right:1.2em'>{swatch}</span>" for swatch in swatches)


# -- who is right ------------------------------------------------------------------------------------------------------


def groups_panel(pair: Panel) -> None:
    """Draw the five groups of two runs, and the digits of one, or all on which they disagree."""
    first, second = pair.names
    clicked = state.new_selection(GROUP_KEY, agreement.GROUP_SELECTION)
    if clicked is not None:
        state.set_link(group=clicked[0]["group"] if clicked else None, **FORGOTTEN)
    group = next((name for name in GROUPS if name == state.link_text("group")), None)
    words = agreement.group_words(first, second)
    left, right = st.columns([9, 11], gap="medium")
    with left, st.container(key="groups_panel"):
        panels.heading(
            "Who is right",
            "Every test image is in one of these five groups. Click one for its digits.",
            help=f"This is the table of McNemar’s test: rows are {pair.written[0]}, columns {pair.written[1]}. What "
            "tells the two apart are the two coloured boxes: images that only one of them gets right. The box where "
            "both are wrong is cut in two: with the same wrong guess, and with different ones.",
        )
        frame = agreement.group_frame(pair.counts, first, second, group)
        _parts(
            Drawing(agreement.group_chart, frame, first, second, (pair.shades[0], pair.shades[1])),
            Drawing(agreement.group_chart, frame.assign(picked=False), first, second, _on_paper(pair)),
            frame,
            {"words": "group"},
            alt_text="Five boxes: "
            + "; ".join(f"{row.words}: {row.images:,} images" for row in frame.itertuples())
            + ". The box Group chooses one by keyboard.",
            key=GROUP_KEY,
            filename=_filename("groups", pair),
        )
    with right, st.container(key="gallery_panel"):
        frame = moved(pair.votes, Cell()) if group is None else pair.votes[groups(pair.votes) == group]
        what = "on which they disagree" if group is None else agreement.group_words(*pair.written)[group]
        _heading(f"{_digits(len(frame))}{' ' if group is None else ': '}{what}", clear=group is not None, pick=_group)
        with st.container(horizontal=True, gap="small", key="digits_controls"):
            state.widget("group", group or ANY)
            st.selectbox(
                "Group",
                [ANY, *GROUPS],
                format_func=lambda name: "all disagreements" if name == ANY else words[name],
                key="group",
                width=250,
                on_change=lambda: _group(state.widget_value("group")),
            )
            order = _order_boxes("unsure" if group == "both_right" else "probability_gap")
        _pages(ordered(frame, order), pair)


def _group(group: object = ANY) -> None:
    state.forget_selection(GROUP_KEY)
    state.set_link(group=None if group == ANY else group, **FORGOTTEN)


# -- which digits they confuse -----------------------------------------------------------------------------------------


def matrices_panel(pair: Panel) -> None:
    """Draw the two confusion matrices with their signed difference between them, and the digits of a cell."""
    _take_matrix_click()
    cell = chosen_cell(len(pair.classes))
    wanted = state.link_text("matrix")
    matrix = wanted if wanted in MATRICES else "difference"
    predictions = [resources.predictions(run, pair.chosen) for run in pair.runs]
    assert predictions[0] is not None
    assert predictions[1] is not None
    theme.set_style(
        {f".st-key-panel_{MATRICES[name]}": {"--run": colour} for name, colour in zip("ab", pair.shades, strict=True)}
    )
    compared = difference_frame(predictions[0], predictions[1])
    top = float(compared.loc[compared["true"] != compared["guess"], ["a", "b"]].to_numpy().max())
    places = st.columns(3, gap="small")
    for name, place in zip(MATRICES, places, strict=True):
        with place, st.container(key=f"panel_{MATRICES[name]}"):
            framed = cell if matrix == name else None
            if name == "difference":
                _difference(pair, compared, framed)
            else:
                side = 0 if name == "a" else 1
                panels.heading(pair.written[side], "Row: the digit written. Column: its guess.")
                draw_matrix(
                    pair.runs[side],
                    framed,
                    key=MATRICES[name],
                    height=MATRIX_HEIGHT,
                    chosen=pair.chosen,
                    top=top,
                    name=pair.names[side],
                )
    by_confusion, by_digit = resources.changes(pair.runs[0], pair.runs[1], pair.chosen)
    st.markdown(
        f"{class_change_words(by_digit, *pair.written)} {confusion_change_words(by_confusion, pair.written[1])}",
        help="By McNemar’s test on the images of each digit, and on those of each cell off the diagonal, at a level of "
        "5 % for all digits together and for all cells together (Holm 1979): among 90 cells, some differ by a lot "
        "through chance alone.",
    )
    with st.container(key="gallery_panel"):
        frame = _in_matrix(pair.votes, matrix, cell)
        _heading(_matrix_words(frame, matrix, cell, pair), clear=cell != Cell(), pick=_matrix_cell)
        with st.container(horizontal=True, gap="small", key="digits_controls"):
            names = {"a": pair.names[0], "difference": "difference", "b": pair.names[1]}
            state.fill({"matrix": matrix, "true": _shown(cell.true), "guess": _shown(cell.guess)})
            digits = [ANY, *range(len(pair.classes))]
            st.selectbox(
                "Matrix", list(MATRICES), format_func=names.__getitem__, key="matrix", width=190, on_change=_pick
            )
            st.selectbox("True digit", digits, format_func=pair.name, key="true", width=105, on_change=_pick)
            st.selectbox("Guessed digit", digits, format_func=pair.name, key="guess", width=125, on_change=_pick)
            order = _order_boxes("probability_gap" if matrix == "difference" else "confident")
        _pages(ordered(frame, order), pair)


def _difference(pair: Panel, compared: pd.DataFrame, framed: Cell | None) -> None:
    a, b = pair.written
    panels.heading(
        "Difference",
        f"{b} minus {a}: in the colour of {b} where it makes an error more often, of {a} where it does.",
        help=f"Each cell of the matrix of {b} minus the same cell of {a}, in the colour of the run that has more "
        f"there. Beside the diagonal, a minus is a confusion that {b} makes less often; on the diagonal, in grey, a "
        "plus counts digits that it finds more often. A cell "
        f"may show 0 although digits came and went: a click shows those that are in it for one run only.\n\n{HELP}",
    )
    cells = confusion_matrix.difference_cells(compared, *pair.names, picked=framed, names=pair.classes)
    matrix_keys(MATRICES["difference"], "Difference of the confusion matrices")
    panels.chart_with_table(
        Drawing(confusion_matrix.difference_chart, cells, (pair.shades[0], pair.shades[1]), height=MATRIX_HEIGHT),
        cells[["true", "guess", "a", "b", "difference", "entered", "left"]],
        alt_text="Difference of the two confusion matrices: true digit by guessed digit. Arrow keys go "
        "through its cells; the boxes below choose one, too.",
        key=state.fresh_key(MATRICES["difference"]),
        filename=_filename("difference", pair),
        on_select="rerun",
        column_config={
            "true": "true digit",
            "guess": "guessed digit",
            "a": pair.names[0],
            "b": pair.names[1],
            "entered": "came",
            "left": "went",
        },
        printed=Drawing(confusion_matrix.difference_chart, cells.assign(picked=False), _on_paper(pair)),
    )


def _take_matrix_click() -> None:
    for matrix, key in MATRICES.items():
        clicked = state.new_selection(key, confusion_matrix.CELL_SELECTION)
        if clicked is None:
            continue
        cell = clicked[0] if clicked else {}
        _link_matrix(matrix, cell.get("true"), cell.get("guess"))
        # forget the click in the other matrices, so that a click on the same cell there counts again
        for other in MATRICES.values():
            if other != key:
                state.forget_selection(other, only_used=True)
        return


def _link_matrix(matrix: object, true: object, guess: object) -> None:
    state.set_link(matrix=None if matrix == "difference" else matrix, true=true, guess=guess, **FORGOTTEN)


def _matrix_cell() -> None:
    """Show all disagreements again."""
    for key in MATRICES.values():
        state.forget_selection(key, only_used=True)
    _link_matrix("difference", None, None)


def _pick() -> None:
    for key in MATRICES.values():
        state.forget_selection(key, only_used=True)
    true, guess = (None if digit == ANY else digit for digit in map(state.widget_value, ("true", "guess")))
    _link_matrix(state.widget_value("matrix"), true, guess)


def _in_matrix(votes: pd.DataFrame, matrix: str, cell: Cell) -> pd.DataFrame:
    return moved(votes, cell) if matrix == "difference" else guessed(votes, 0 if matrix == "a" else 1, cell)


def _matrix_words(frame: pd.DataFrame, matrix: str, cell: Cell, pair: Panel) -> str:
    true, guess = (for_markdown(pair.name(number)) for number in cell)
    what = "a digit" if cell.true is None else f"a {true}"
    if matrix != "difference":
        name = pair.written[0 if matrix == "a" else 1]
        if cell.correct:
            return f"{_digits(len(frame))}: {what}, guessed right by {name}"
        return f"{_digits(len(frame))}: {what}, guessed {'wrong' if cell.guess is None else guess} by {name}"
    if cell.guess is None:
        of = "" if cell.true is None else f" of a {true}"
        return f"{_digits(len(frame))}{of} on which they disagree"
    came, went = int((frame["guess_1"] == cell.guess).sum()), int((frame["guess_0"] == cell.guess).sum())
    only = f"guessed {guess} by {pair.written[0]} only: {went:,}; by {pair.written[1]} only: {came:,}"
    return f"{_digits(len(frame))}: {what}, {only}"


# -- what many runs get wrong ------------------------------------------------------------------------------------------


def wrong_panel(panel: Panel) -> None:
    """Draw how many images k of the n runs get wrong, and the images of one k, at first of all n."""
    many = len(panel.runs)
    clicked = state.new_selection(WRONG_KEY, agreement.WRONG_SELECTION)
    if clicked is not None:
        state.set_link(wrong=clicked[0]["wrong"] if clicked else None, **FORGOTTEN)
    times, at_least = _wrong_chosen(many)
    found = wrong_counts(panel.votes, many)
    left, right = st.columns([9, 11], gap="medium")
    with left, st.container(key="wrong_panel"):
        panels.heading(
            f"How many of the {many} runs are wrong",
            f"{_images(int(found[many]))} {'is' if found[many] == 1 else 'are'} wrong in all {many} runs, "
            f"{_images(int(found[0]))} in none. Click a bar for its digits.",
            help="Look at the digits that every run gets wrong: are they hard to read, or is the label wrong? What "
            "only one run gets wrong, the others show to be readable.",
        )
        frame = agreement.wrong_frame(found, range(times, many + 1) if at_least else [times])
        _parts(
            Drawing(agreement.wrong_chart, frame),
            Drawing(agreement.wrong_chart, frame.assign(picked=False)),
            frame,
            {"wrong": "runs that are wrong"},
            alt_text="Bars: "
            + "; ".join(f"{row.runs} wrong: {row.images:,} images" for row in frame.itertuples())
            + ". The box Wrong runs chooses one by keyboard.",
            key=WRONG_KEY,
            filename=_filename("wrong", panel),
        )
    with right, st.container(key="gallery_panel"):
        frame = wrong_by(panel.votes, times, at_least=at_least)
        words = _wrong_words(many)
        chosen = _wrong_text(times, at_least)
        of = "" if times == many else f" of the {many}"
        _heading(f"{_digits(len(frame))} that {words[chosen]}{of} runs get wrong", clear=False)
        with st.container(horizontal=True, gap="small", key="digits_controls"):
            state.widget("wrong", chosen)
            st.selectbox(
                "Wrong runs",
                list(words),
                format_func=words.__getitem__,
                key="wrong",
                width=150,
                on_change=_pick_wrong,
            )
            order = _order_boxes("confident" if times else "unsure")
        _pages(ordered(frame, order), panel)


def _parts(
    drawn: Drawing, printed: Drawing, frame: pd.DataFrame, parts: dict[str, str], *,
    alt_text: str, key: str, filename: str,
) -> None:  # fmt: skip
    """Draw into which parts the test images fall, as a chart whose parts can be clicked and as a table.

    parts: the column that names them, and its head.
    """
    panels.chart_with_table(
        drawn,
        frame[[*parts, "images", "share"]],
        alt_text=alt_text,
        key=state.fresh_key(key),
        filename=filename,
        on_select="rerun",
        column_config=parts
        | {"images": "images", "share": st.column_config.NumberColumn("% of all images", format="%.2f")},
        printed=printed,
    )


def _wrong_chosen(many: int) -> tuple[int, bool]:
    """Return how many runs are to be wrong, and True if at least so many; at first all."""
    found = re.fullmatch(r"(\d)(up)?", state.link_text("wrong") or "")
    if found and int(found[1]) <= many and _wrong_text(int(found[1]), bool(found[2])) in _wrong_words(many):
        return int(found[1]), bool(found[2])
    return many, False


def _wrong_text(times: int, at_least: bool) -> str:
    return f"{times}up" if at_least else str(times)


def _wrong_words(many: int) -> dict[str, str]:
    """Return the choices: as in the link → in words."""
    words = {str(many): f"all {many}"}
    for times in range(many - 1, 0, -1):
        words |= {f"{times}up": f"at least {times}", str(times): f"exactly {times}"}
    return words | {"0": "none"}


def _pick_wrong() -> None:
    state.forget_selection(WRONG_KEY)
    state.set_link(wrong=state.widget_value("wrong"), **FORGOTTEN)


# -- what the three have in common -------------------------------------------------------------------------------------


def _heading(text: str, *, clear: bool, pick: Callable[[], None] | None = None) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", key="digits_heading"):
        st.markdown(f"## {text}", help=ORDER_HELP)
        if pick is not None:
            st.button("Show all disagreements", key="clear_cell", type="tertiary", disabled=not clear, on_click=pick)


def _order_boxes(default: VoteOrder) -> VoteOrder:
    """Draw the boxes for order and page size; returns the order."""
    order = state.one_of(state.link_text("sort"), ORDERS, default)
    sort_box(ORDERS, order)
    size_box()
    return order


def _pages(frame: pd.DataFrame, panel: Panel) -> None:
    """Draw the digits with everybody's guesses, as pages of a gallery or a table."""
    st.html(panel.legend())
    st.caption(
        "“a 4” is what was written; beneath it is each run’s guess, in bold where wrong. Press a picture to enlarge it."
    )
    digit_pages(
        frame,
        panel.runs[0],
        items=lambda shown: vote_items(shown, panel.names, panel.shades, panel.classes),
        as_table=lambda shown: _as_table(shown, panel),
        voters=panel.runs,
        labels=panel.labels,
        colours=panel.colours,
        chosen=panel.chosen,
    )
    renamed = {f"{kind}_{i}": f"{kind} of {run.id}" for i, run in enumerate(panel.runs) for kind in _KINDS}
    panels.csv_button(
        frame[["index", "true", "wrong", *renamed]].rename(columns=renamed),
        _filename("digits", panel),
        key="digits_csv",
        label="These digits as CSV",
    )


_KINDS = ("guess", "confidence")


def _as_table(frame: pd.DataFrame, panel: Panel) -> None:
    """Draw the digits as a table, where there are no images to show."""
    config: dict[str, Any] = {
        "index": st.column_config.NumberColumn("test image", format="%d"),
        "true": "true digit",
    }
    shown = frame[["index", "true"]].copy()
    shown["true"] = [panel.name(number) for number in frame["true"].tolist()]
    for place, name in enumerate(panel.names):
        shown[f"guess_{place}"] = [panel.name(number) for number in frame[f"guess_{place}"].tolist()]
        shown[f"confidence_{place}"] = 100 * frame[f"confidence_{place}"]
        config[f"guess_{place}"] = f"{name} guesses"
        config[f"confidence_{place}"] = st.column_config.NumberColumn(f"{name}, confidence in %", format="%.2f")
    st.dataframe(shown, hide_index=True, key="votes_table", column_config=config)


def _digits(count: int) -> str:
    return "1 digit" if count == 1 else f"{count:,} digits"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _shown(digit: int | None) -> int | str:
    return ANY if digit is None else digit


def _on_paper(panel: Panel) -> tuple[str, str]:
    return style.on_paper(panel.shades[0]), style.on_paper(panel.shades[1])


def _filename(what: str, panel: Panel) -> str:
    return "-".join([what, *(run.id for run in panel.runs)])
