"""Confusion matrices as heatmaps: what was written against what was guessed; and the difference of two of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from mnist_core.evaluation.mistakes import Cell
from mnist_core.plots.style import layer
from mnist_core.runs.recorded import DIGITS
from mnist_core.text import with_minus

HEIGHT = 430
CELL_SELECTION = "cell"
"""Name of the selection that a click makes; its fields are `true` and `guess`."""
ALL = Cell()
MOST_NUMBERED = 20
"""Of more classes the cells hold no numbers, and the axes some of the names."""


class Shades(NamedTuple):
    """Colours of the matrix on one background."""

    few: str
    many: str
    diagonal: str
    none: str
    text: str
    text_on_many: str
    frame: str
    zero: str


# The diagonal is grey and the numbers of empty cells are pale, so that mistakes are all that is coloured.
LIGHT = Shades("#DCE9F7", "#08519C", "#ECEEF1", "#A9AFB7", "#1B1F24", "#FFFFFF", "#D55E00", "#F7F8F9")
DARK = Shades("#1F3550", "#9CCBFF", "#262C35", "#5C6672", "#E8EBEF", "#10141A", "#FFA45C", "#1C222B")


def confusion_cells(
    frame: pd.DataFrame, *, shares: bool = False, picked: Cell = ALL, names: Sequence[str] = DIGITS
) -> pd.DataFrame:
    """Return the cells as the chart needs them, one row each.

    Parameters
    ----------
    frame
        as `mnist_core.evaluation.mistakes.confusion_frame` gives it.
    shares
        show per cent of the true digit's images in place of counts.
    picked
        the cell, row or column to frame.
    names
        of the classes, in the order of their numbers.

    Returns
    -------
    Columns true, guess, count, share (per cent), value (what is coloured), label (what is printed),
    kind (``diagonal``, ``error`` or ``none``), picked, and meaning (a sentence for the tooltip).
    """
    cells = frame.assign(share=100 * frame["share"])
    cells["value"] = cells["share"].fillna(0.0) if shares else cells["count"]
    cells["label"] = cells["share"].map(_per_cent) if shares else cells["count"].map(str)
    cells["kind"] = _kind(cells, cells["count"] == 0)
    cells["picked"] = _picked(cells, picked)
    cells["meaning"] = [
        _meaning(names[true], names[guess], count)
        for true, guess, count in cells[["true", "guess", "count"]].itertuples(index=False)
    ]
    return _thinned(cells, names)


def difference_cells(
    frame: pd.DataFrame, first: str, second: str, *, picked: Cell | None = None, names: Sequence[str] = DIGITS
) -> pd.DataFrame:
    """Return the cells of a signed difference matrix as the chart needs them, one row each.

    Parameters
    ----------
    frame
        as `mnist_core.comparison.disagreements.difference_frame` gives it.
    first, second
        how to call A and B.
    picked
        the cell, row or column to frame; None for none.
    names
        of the classes, in the order of their numbers.

    Returns
    -------
    The columns of the frame, and value (what is coloured), label (what is printed, with its sign), kind
    (``diagonal``, ``error``, or ``none`` where neither run has an image), picked, and meaning (for the tooltip).
    """
    cells = frame.assign(value=frame["difference"], label=frame["difference"].map(signed))
    cells["kind"] = _kind(cells, (cells["a"] == 0) & (cells["b"] == 0))
    cells["picked"] = _picked(cells, picked or ALL)
    cells["meaning"] = [
        f"{_a(names[true])} {'guessed right' if true == guess else f'taken for {_a(names[guess])}'}: "
        f"{first} {a:,}, {second} {b:,}; {entered:,} came, {left:,} went"
        for true, guess, a, b, entered, left in zip(
            *(frame[name].tolist() for name in ("true", "guess", "a", "b", "entered", "left")), strict=True
        )
    ]
    return _thinned(cells, names)


def _thinned(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the cells with the names of their classes; of many classes only those that are not empty.

    A matrix of 100 classes has 10,000 cells, of which a browser draws only some hundreds quickly.
    """
    cells = cells.assign(true_name=[names[n] for n in cells["true"]], guess_name=[names[n] for n in cells["guess"]])
    return cells if len(names) <= MOST_NUMBERED else cells[(cells["kind"] != "none") | cells["picked"]]


def _a(name: str) -> str:
    return f"a {name}" if name in DIGITS else name


def signed(difference: int) -> str:
    """Return a difference of counts with its sign, such as ``+12`` or ``−3``."""
    return with_minus(f"{difference:+,d}") if difference else "0"


def _kind(cells: pd.DataFrame, empty: pd.Series) -> pd.Series:
    kind = empty.map({True: "none", False: "error"})
    return kind.mask(cells["true"] == cells["guess"], "diagonal")


def _picked(cells: pd.DataFrame, picked: Cell) -> pd.Series:
    found = pd.Series(picked != ALL, index=cells.index)
    for column, digit in (("true", picked.true), ("guess", picked.guess)):
        if digit is not None:
            found &= cells[column] == digit
    return found


def _per_cent(share: float) -> str:
    if pd.isna(share):
        return "–"
    return "0" if share == 0 else f"{share:.1f}" if share >= 0.05 else "<0.1"


def _meaning(true: str, guess: str, count: int) -> str:
    images = "image" if count == 1 else "images"
    return f"{count:,} {images} of {_a(true)}, " + ("guessed right" if true == guess else f"taken for {_a(guess)}")


def confusion_chart(
    cells: pd.DataFrame,
    *,
    shares: bool = False,
    top: float | None = None,
    dark: bool = False,
    names: Sequence[str] = DIGITS,
) -> alt.LayerChart:
    """Return the matrix of `confusion_cells`, with a number in every cell and the diagonal muted.

    A click selects a cell by the selection `CELL_SELECTION`. The picked cells are framed by the data, not by the
    selection, so that a link or a list box can pick one as well.

    top: the value off the diagonal at which the colours end, the same for matrices that stand side by side; the largest
    one of this matrix where it is None.
    """
    shades = DARK if dark else LIGHT
    top = top or _top(cells)
    return _matrix(
        cells,
        shades,
        scale=alt.Scale(domain=[0, top], range=[shades.few, shades.many], clamp=True),
        strong=f"datum.value > {0.55 * top}",
        frame=shades.frame,
        tooltip=[
            alt.Tooltip("meaning:N", title=" "),
            alt.Tooltip("share:Q", title=f"% of the true {_word(names)}", format=".2f"),
        ],
        names=names,
    )


def difference_chart(
    cells: pd.DataFrame, colours: tuple[str, str], *, dark: bool = False, names: Sequence[str] = DIGITS
) -> alt.LayerChart:
    """Return the signed difference of `difference_cells`, in the colour of the run that has more in a cell.

    Without colour where they have the same; the diagonal is muted, and clicks select as in `confusion_chart`.

    Parameters
    ----------
    cells
        of the two runs.
    colours
        of A, for negative differences, and of B, for positive ones.
    dark
        for a dark background.
    names
        of the classes, in the order of their numbers.
    """
    shades = DARK if dark else LIGHT
    top = _top(cells)
    return _matrix(
        cells,
        shades,
        scale=alt.Scale(domain=[-top, 0, top], range=[colours[0], shades.zero, colours[1]], interpolate="rgb"),
        strong=f"abs(datum.value) > {0.55 * top}",
        frame=shades.text,  # the colours of the runs are taken
        tooltip=[alt.Tooltip("meaning:N", title=" ")],
        names=names,
    )


def _top(cells: pd.DataFrame) -> float:
    """Return the largest value off the diagonal, at which the colours end; 1 where there is none."""
    values = cells.loc[cells["kind"] == "error", "value"].abs()
    return float(values.max()) or 1.0 if len(values) else 1.0


def _word(names: Sequence[str]) -> str:
    return "digit" if tuple(names) == DIGITS else "class"


def _matrix(
    cells: pd.DataFrame,
    shades: Shades,
    *,
    scale: alt.Scale,
    strong: str,
    frame: str,
    tooltip: list[alt.Tooltip],
    names: Sequence[str],
) -> alt.LayerChart:
    """Return a heatmap with a number in each cell; `strong` is a Vega expression: the cells that need light numbers."""
    many, word = len(names) > MOST_NUMBERED, _word(names)
    numbers_of = list(range(len(names)))
    axis: dict[str, Any] = {
        "ticks": False,
        "labelPadding": 6,
        "grid": False,
        "labelFontSize": 9 if many else 15 if word == "digit" else 11,
        "titleFontSize": 14,
    }
    if word != "digit":
        axis |= {"labelExpr": f"({json.dumps(list(names))})[datum.value]", "labelLimit": 90, "labelOverlap": True}
    base = alt.Chart(cells).encode(
        x=alt.X(
            "guess:O",
            title=f"Guessed {word}",
            scale=alt.Scale(domain=numbers_of, paddingInner=0.04, paddingOuter=0),
            axis=alt.Axis(labelAngle=0 if word == "digit" else -60, **axis),
        ),
        y=alt.Y(
            "true:O",
            title=f"True {word}",
            scale=alt.Scale(domain=numbers_of, paddingInner=0.04, paddingOuter=0),
            axis=alt.Axis(**axis),
        ),
    )
    fill = (
        alt.when("datum.kind === 'error'")
        .then(alt.Color("value:Q", scale=scale, legend=None))
        .otherwise(alt.value(shades.diagonal))
    )
    opacity = alt.when("datum.kind === 'none'").then(alt.value(0.35)).otherwise(alt.value(1.0))
    rects = (
        base.mark_rect(cursor="pointer")
        .encode(color=fill, opacity=opacity, tooltip=tooltip)
        .add_params(alt.selection_point(name=CELL_SELECTION, fields=["true", "guess"], toggle=False))
    )
    ink = (
        alt.when("datum.kind === 'none'")
        .then(alt.value(shades.none))
        .when(f"datum.kind === 'error' && {strong}")
        .then(alt.value(shades.text_on_many))
        .when("datum.kind === 'diagonal'")
        .then(alt.value("#7A828C"))
        .otherwise(alt.value(shades.text))
    )
    numbers = base.mark_text(fontSize=13, cursor="pointer", aria=False).encode(
        text=alt.Text("label:N"), color=ink, tooltip=tooltip
    )
    frames = (
        base.transform_filter("datum.picked")
        .mark_rect(filled=False, stroke=frame, strokeWidth=3, cursor="pointer", aria=False)
        .encode(tooltip=tooltip)
    )
    shown = (rects, frames) if many else (rects, numbers, frames)  # so many cells have no room for numbers
    return layer(*shown).properties(height=HEIGHT)
