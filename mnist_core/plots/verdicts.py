"""Differences from the baseline with their intervals: verdicts → frame → chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from mnist_core.comparison.verdicts import Verdict
from mnist_core.comparison.words.numbers import (
    ANSWER_WORDS,
    bare_points_words,
    intervals_words,
    loss_words,
    number,
    points_words,
)
from mnist_core.plots.margin_names import margin_names
from mnist_core.plots.style import GREY, INK, PAPER, halo, layer

ROW = 62
"""Pixels a run takes: its line of text, and its interval beneath."""
ROW_OF_MANY, FEW = 46, 6
"""The same where there are more than `FEW` runs."""
AXIS = 84
"""Pixels that the axis, its title and the padding take from the chart's height (measured)."""
LINE = 5
LETTER_PX = {15: 7.8, 13: 6.8}
"""Pixels of a letter of the lines of text, by the size of the type (measured, rounded up)."""
NAME_LETTERS = 26
"""Letters of a run's name where a whole line of text has no room."""


def verdict_frame(verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return all numbers of the verdicts, one row a run.

    Returns
    -------
    Columns run (id), label, outcome (in words), decided (True where one is better); difference, low, high in
    percentage points, run minus baseline; level of that interval, 0 to 1; p (McNemar's score test), p_adjusted (Holm),
    exact_p, mid_p; loss_difference, loss_low, loss_high in nats, loss_p (paired t test), loss_p_adjusted,
    loss_outcome; both_right, only_baseline, only_run, both_wrong, images; comparisons; text, what the chart writes.
    """
    rows = [
        {
            "run": item.run,
            "label": labels[item.run],
            "outcome": ANSWER_WORDS[item.answer],
            "decided": item.accuracy.differs,
            "difference": 100 * item.accuracy.value,
            "low": 100 * item.accuracy.interval.low,
            "high": 100 * item.accuracy.interval.high,
            "level": item.accuracy.level,
            "p": item.accuracy.p,
            "p_adjusted": item.accuracy.p_adjusted,
            "exact_p": item.exact_p,
            "mid_p": item.mid_p,
            "loss_difference": item.loss.value if item.loss else None,
            "loss_low": item.loss.interval.low if item.loss else None,
            "loss_high": item.loss.interval.high if item.loss else None,
            "loss_p": item.loss.p if item.loss else None,
            "loss_p_adjusted": item.loss.p_adjusted if item.loss else None,
            "loss_outcome": ANSWER_WORDS[item.loss_answer] if item.loss_answer else None,
            **item.table._asdict(),
            "images": item.table.images,
            "comparisons": item.comparisons,
            "text": f"{labels[item.run]}:  {points_words(item.accuracy, sign=True)}, {ANSWER_WORDS[item.answer]}",
        }
        for item in verdicts
    ]
    return pd.DataFrame(rows)


def described(frame: pd.DataFrame, baseline: str) -> str:
    """Return a description of the chart."""
    intervals = intervals_words(int(frame["comparisons"].max()))
    return f"Difference in test accuracy from {baseline}, with {intervals}. " + " ".join(
        f"{text}." for text in frame["text"]
    )


def verdict_chart(
    frame: pd.DataFrame, colours: Mapping[str, str], baseline: str, *, dark: bool = False
) -> alt.LayerChart:
    """Draw each run's difference in accuracy as a dot on its interval, around the baseline at 0.

    A dot is hollow where the difference is unclear.

    Above each stands the verdict in words, as long as the width of the chart has room for: whole, or in brief.

    Parameters
    ----------
    frame
        as of `verdict_frame`.
    colours
        run id → colour.
    baseline
        its label.
    dark
        whether the chart stands on the dark background.
    """
    runs = list(frame["run"])
    low, high = min(0.0, float(frame["low"].min())), max(0.0, float(frame["high"].max()))
    margin = 0.08 * max(high - low, 0.02)
    paper, ink = PAPER[dark], INK[dark]
    height = ROW if len(frame) <= FEW else ROW_OF_MANY
    data = frame.assign(at=[height * (row + 0.68) for row in range(len(frame))])
    data["above"] = data["at"] - 0.4 * height
    data["top"], data["bottom"] = data["at"] - 0.22 * height, data["at"] + 0.26 * height  # of zero's line
    # where a whole line has no room: without the interval, which is drawn
    data["brief"] = [
        f"{name}:  {number(value, 2, sign=True)}, {outcome}"
        for name, value, outcome in zip(
            margin_names(list(data["label"]), NAME_LETTERS), data["difference"], data["outcome"], strict=True
        )
    ]
    data["fill"] = [
        colours[run] if decided else paper for run, decided in zip(data["run"], data["decided"], strict=True)
    ]
    scale = alt.Scale(domain=[low - margin, high + margin], nice=False, zero=False)
    axis = alt.Axis(
        tickCount=5,
        format="+.1f" if high - low >= 0.5 else "+.2f",
        labelFontSize=14,
        labelExpr="datum.value == 0 ? '0' : datum.label",
    )
    title = f"points of test accuracy from {margin_names([baseline], NAME_LETTERS)[0]} (0)"
    x = alt.X("difference:Q", scale=scale, axis=axis, title=title)
    y_scale = alt.Scale(domain=[height * len(frame), 0], nice=False)
    colour = alt.Color("run:N", scale=alt.Scale(domain=runs, range=[colours[run] for run in runs]), legend=None)
    tooltip = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("difference:Q", title="difference in points", format="+.2f"),
        alt.Tooltip("low:Q", title="interval from", format="+.2f"),
        alt.Tooltip("high:Q", title="to", format="+.2f"),
        alt.Tooltip("level:Q", title="level", format=".1%"),
        alt.Tooltip("p_adjusted:Q", title="p", format=".3f"),
    ]
    base = alt.Chart(data)
    y = alt.Y("at:Q", scale=y_scale, axis=None)
    zero = base.mark_rule(color=GREY, strokeWidth=2).encode(
        x=alt.XDatum(0, scale=scale), y=alt.Y("top:Q", scale=y_scale, axis=None), y2=alt.Y2("bottom:Q")
    )
    interval = base.mark_rule(strokeWidth=LINE, strokeCap="round").encode(
        x=alt.X("low:Q", scale=scale, axis=axis, title=title), x2=alt.X2("high:Q"), y=y, color=colour,
        tooltip=tooltip,
    )  # fmt: skip
    dot = base.mark_point(size=190, opacity=1, strokeWidth=3.5, filled=False).encode(
        x=x, y=y, color=colour, fill=alt.Fill("fill:N", scale=None), tooltip=tooltip
    )
    layers: list[alt.Chart] = [zero, interval, dot]
    size = 15 if len(frame) <= FEW else 13
    whole = f"width > {LETTER_PX[size] * frame['text'].str.len().max():.0f}"
    shown = alt.TextValue(alt.ExprRef(f"{whole} ? datum.text : datum.brief"))
    for outline in (halo(paper), {}):
        text = base.mark_text(
            align="left", fontSize=size, fontWeight=600, clip=False, limit=alt.ExprRef("width"), **outline
        )
        above = alt.Y("above:Q", scale=y_scale, axis=None)
        layers.append(text.encode(x=alt.value(0), y=above, text=shown, color=alt.value(ink)))
    return layer(*layers).properties(height=height * len(frame) + AXIS)


def verdict_table(verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return the numbers as a person reads them, one row a run; `verdict_frame` has them unrounded."""
    return pd.DataFrame(
        [
            {
                "run": labels[item.run],
                "accuracy, points [interval]": bare_points_words(item.accuracy, sign=True),
                "level": f"{100 * item.accuracy.level:.1f} %",
                "McNemar p": _p(item.accuracy.p),
                "Holm p": _p(item.accuracy.p_adjusted),
                "exact p": _p(item.exact_p),
                "mid-p": _p(item.mid_p),
                "loss [interval]": loss_words(item.loss, sign=True) if item.loss else "no probabilities",
                "loss level": f"{100 * item.loss.level:.1f} %" if item.loss else "",
                "loss p": _p(item.loss.p) if item.loss else "",
                "loss Holm p": _p(item.loss.p_adjusted) if item.loss else "",
            }
            for item in verdicts
        ]
    )


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
