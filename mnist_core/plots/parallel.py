"""Parallel coordinates: all settings of a sweep or search at once, a line a run, and parts of axes that are brushed.

The axes lie one below the other, so that their figures have room at any width. Their names stand to the left of them on
a wide screen, where no line crosses them, and above them on a narrow one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from mnist_core.experiments.axis_words import words_of
from mnist_core.plots.style import GREY, PAPER, WIDE_SCREEN, by_rows, halo, layer
from mnist_core.plots.sweeps import LINES, LINES_DARK, RUNS_SELECTION, is_numeric, scale_of, shown, spread, written

ROW_PX = 66
"""Height of an axis with its name and its figures."""
_NARROW_PX = 320
_LETTER_PX = 7.5
_BAND: dict[str, Any] = {"color": GREY, "opacity": 0.3, "height": 26, "cornerRadius": 3}

FIELD = "position"
"""What a drag along an axis selects: from and to which position."""

Brushes = Mapping[str, tuple[float, float]]
"""Parts of axes, by axis: from and to which position, 0 to 1."""


def brush_name(number: int) -> str:
    """Return the name of the interval that a drag along an axis makes. number: of the axis, from the top, from 0."""
    return f"brush_{number}"


def parallel_frame(table: pd.DataFrame, axes: Sequence[str], column: str) -> pd.DataFrame:
    """Return a row for each run and axis, for those with a value in `column`, which becomes the last axis.

    Returns
    -------
    Columns point (counted from 0), axis, position (0 to 1), text, value (of `column`), runs.
    """
    # the best is drawn last, over the others
    known = table[table[column].notna()]
    known = known.sort_values(column, ascending=column.endswith("accuracy")).reset_index(drop=True)
    parts = []
    for axis in [*axes, column]:
        if axis == column:
            positions, texts = spread(known[axis], "linear"), known[axis].map(lambda value: written(value, column))
        elif is_numeric(known[axis]):
            positions, texts = spread(known[axis], scale_of(known[axis])), known[axis].map(shown)
        else:
            texts = pd.Series([words_of(axis, value) for value in known[axis]], dtype=object)
            order = {text: index for index, text in enumerate(dict.fromkeys(texts))}
            positions = texts.map(lambda text, order=order: order[text] / max(1, len(order) - 1))
        parts.append(
            pd.DataFrame(
                {
                    "point": range(len(known)),
                    "axis": axis,
                    "position": list(positions),
                    "text": list(texts),
                    "value": list(known[column]),
                    "runs": list(known["run"]),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def ticks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the figures on the axes of `parallel_frame`: the first, the last, and between them what has room.

    Returns
    -------
    Columns axis, position, text, end (`first`, `last`, or empty between them).
    """
    rows: list[dict[str, Any]] = []
    for axis, part in frame.groupby("axis", sort=False):
        found = part.drop_duplicates("text").sort_values("position")
        ends = [found.iloc[0], *([found.iloc[-1]] if len(found) > 1 else [])]
        # where a label lies on a narrow screen, from and to; the two at the ends lie inside
        taken = [_extent(item["position"], item["text"], place) for item, place in zip(ends, (0.0, 1.0), strict=False)]
        kept = [(item, end) for item, end in zip(ends, ("first", "last"), strict=False)]
        for _, item in found.iloc[1:-1].iterrows():
            low, high = _extent(item["position"], item["text"], 0.5)
            if all(high < other_low or low > other_high for other_low, other_high in taken):
                taken.append((low, high))
                kept.append((item, ""))
        rows += [
            {"axis": axis, "position": item["position"], "text": item["text"], "end": end if len(found) > 1 else ""}
            for item, end in kept
        ]
    return pd.DataFrame(rows)


def _extent(position: float, text: str, anchor: float) -> tuple[float, float]:
    width = (len(text) + 1) * _LETTER_PX / _NARROW_PX
    return position - anchor * width, position + (1 - anchor) * width


def brushed(frame: pd.DataFrame, brushes: Brushes) -> set[str]:
    """Return the runs of `parallel_frame` that lie inside all brushes; all of them where there is none."""
    kept = set(frame["runs"])
    for axis, (low, high) in brushes.items():
        part = frame[frame["axis"] == axis]
        kept &= set(part["runs"][part["position"].between(low, high)])
    return kept


def brush_ends(frame: pd.DataFrame, axis: str, brush: tuple[float, float]) -> tuple[str, str] | None:
    """Return the least and the greatest figure of an axis inside a brush, as text; None where there is none."""
    part = frame[(frame["axis"] == axis) & frame["position"].between(*brush)].sort_values("position")
    return (str(part["text"].iloc[0]), str(part["text"].iloc[-1])) if len(part) else None


def parallel_chart(
    frame: pd.DataFrame,
    titles: Mapping[str, str],
    brushes: Brushes | None = None,
    *,
    higher_is_better: bool,
    dark: bool = False,
) -> alt.LayerChart:
    """Draw a line for each run through its settings to its value. Better lines stand out more.

    Runs outside of the `brushes` are grey.
    """
    axes = list(dict.fromkeys(frame["axis"]))
    kept = brushed(frame, brushes or {})
    frame = frame.assign(kept=frame["runs"].isin(kept))
    background, ink = PAPER[dark], ("#C9CED6" if dark else "#4A5159")
    y = alt.Y("axis:N", sort=axes, axis=None, scale=alt.Scale(type="band", paddingInner=0, paddingOuter=0))
    across: dict[str, Any] = {"axis": None, "scale": alt.Scale(domain=[0, 1], padding=10, nice=False, zero=False)}
    x = alt.X("position:Q", **across)
    colours = list(LINES_DARK if dark else LINES)
    scale = alt.Scale(range=colours if higher_is_better else colours[::-1])
    colour = alt.when("datum.kept").then(alt.Color("value:Q", legend=None, scale=scale)).otherwise(alt.value(GREY))
    rules = pd.DataFrame({"axis": axes, "low": 0.0, "high": 1.0})
    tracks = alt.Chart(rules).mark_rule(color=GREY, opacity=0.6).encode(x=alt.X("low:Q", **across), x2="high:Q", y=y)
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=1.7)
        .encode(
            x=x,
            y=y,
            color=colour,
            opacity=alt.when("datum.kept").then(alt.value(0.9)).otherwise(alt.value(0.15)),
            detail=[alt.Detail("point:N")],
            order=alt.Order("row:Q"),
        )
        .transform_calculate(row=f"indexof({axes!r}, datum.axis)")
    )
    drags = [_drag(number) for number in range(len(axes))]
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, size=55, cursor="pointer", strokeWidth=0)
        .encode(
            x=x,
            y=y,
            color=colour,
            opacity=alt.when("datum.kept").then(alt.value(1)).otherwise(alt.value(0.25)),
            tooltip=[alt.Tooltip("name:N", title="setting"), alt.Tooltip("text:N", title="value")],
        )
        .transform_lookup("axis", alt.LookupData(_names(axes, titles), "axis", ["name"]))
        .add_params(alt.selection_point(name=RUNS_SELECTION, fields=["runs"], toggle=False))
    )
    layers = [
        tracks,
        *(_dragged(number, axis, y, across) for number, axis in enumerate(axes)),
        lines.add_params(*drags),
        points,
    ]
    if brushes:
        bands = pd.DataFrame([{"axis": axis, "low": low, "high": high} for axis, (low, high) in brushes.items()])
        layers.insert(
            0,
            alt.Chart(bands).mark_rect(**_BAND).encode(x=alt.X("low:Q", **across), x2="high:Q", y=y),
        )
    # each text on a halo of the background, as lines run behind it
    outline = halo(background) | {"strokeWidth": 5}
    place: dict[str, Any] = {
        "align": alt.ExprRef(f"{WIDE_SCREEN} ? 'right' : 'left'"),
        "dx": alt.ExprRef(f"{WIDE_SCREEN} ? -14 : 4"),
        "dy": alt.ExprRef(f"{WIDE_SCREEN} ? 0 : -19"),
    }
    name = alt.Chart(_names(axes, titles)).encode(x=alt.value(0), y=y, text=alt.Text("name:N"))
    place |= {"fontSize": 13, "fontWeight": "bold", "aria": False}
    # on a narrow screen the names stand among the lines, and this halo leaves nothing of these between two letters
    layers += [name.mark_text(**place, **outline | {"strokeWidth": 10}), name.mark_text(**place, color=ink)]
    figures = ticks(frame)
    for end, align in (("first", "left"), ("", "center"), ("last", "right")):
        part = figures[figures["end"] == end]
        if len(part):
            text = alt.Chart(part).encode(x=x, y=y, text=alt.Text("text:N"))
            below: dict[str, Any] = {"align": align, "dy": 18, "fontSize": 12, "aria": False}
            below |= {"dx": {"left": -6, "center": 0, "right": 6}[align]}
            layers += [text.mark_text(**below, **outline), text.mark_text(**below, color=ink)]
    return by_rows(layer(*layers), len(axes), ROW_PX)


def _drag(number: int) -> alt.Parameter:
    """Return the interval of one axis.

    An interval of both directions would select nothing where the hand is steady: without height, Vega-Lite drops it.
    """
    return alt.selection_interval(
        name=brush_name(number),
        encodings=["x"],
        on=f"[pointerdown[floor(y() / {ROW_PX}) == {number}], window:pointerup] > window:pointermove!",
        translate=False,
        zoom=False,
        mark=alt.BrushConfig(fillOpacity=0, strokeOpacity=0),  # it would be as high as all axes
    )


def _dragged(number: int, axis: str, y: alt.Y, across: Mapping[str, Any]) -> alt.Chart:
    """Draw the part of an axis over which a drag is going."""
    part = f"{brush_name(number)}.{FIELD}"
    dragged = alt.Chart(pd.DataFrame({"axis": [axis]})).mark_rect(**_BAND)
    dragged = dragged.transform_filter(part).transform_calculate(low=f"{part}[0]", high=f"{part}[1]")
    found: alt.Chart = dragged.encode(x=alt.X("low:Q", **across), x2="high:Q", y=y)
    return found


def _names(axes: Sequence[str], titles: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"axis": axes, "name": [titles.get(axis, axis) for axis in axes]})
