"""Colours, fonts and number formats of all pictures and tables.

Runs take the colours of Okabe and Ito (2008), which people with a colour-vision deficiency can tell apart; everything
else is grey.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import altair as alt

from mnist_core.text import with_minus

# Okabe–Ito without black and yellow, which vanish on one of the two backgrounds; and Paul Tol's wine. Grey is for all
# that is not a run.
RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255")
# The same hues, lighter, for a dark background: lines and names in them have a contrast of at least 4.5 to 1 there.
RUN_COLOURS_DARK = ("#3D9BDC", "#EB7A2E", "#1FB88B", "#DB94BC", "#8CCDF2", "#F0B429", "#FF3366")
# The same hues, darker, for text on white: a contrast of at least 4.5 to 1.
RUN_TEXT = ("#0072B2", "#C05500", "#008561", "#A16084", "#3A7A9E", "#9C6C00", "#882255")
GREY = "#8A9099"
INK, PAPER = ("#1B1F24", "#E8EBEF"), ("#FFFFFF", "#14171C")
"""Of text, and of what is behind it: in the light theme and in the dark one."""
QUIET = ("#4A5159", "#B4BAC4")
"""Of labels, whose grey is dark enough to be read: `GREY` is for lines and areas."""
FONT = "Source Sans, sans-serif"
LARGE_SCREEN, WIDE_SCREEN = "windowSize()[0] >= 1600", "windowSize()[0] >= 1100"
"""Vega expressions; false where a chart is made into a picture without a browser."""
ChartT = TypeVar("ChartT", bound=alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart)


def on_paper(colour: str) -> str:
    """Return a run's colour as it is on white paper, whichever theme it was chosen for."""
    return RUN_COLOURS[RUN_COLOURS_DARK.index(colour)] if colour in RUN_COLOURS_DARK else colour


def as_text(colour: str) -> str:
    """Return a run's colour as text can be read in it: on white a darker one; on the dark background it is as it is."""
    return RUN_TEXT[RUN_COLOURS.index(colour)] if colour in RUN_COLOURS else colour


def luminance(colour: str) -> float:
    """Return the relative luminance, 0 to 1, of a colour such as ``#0072B2`` (WCAG 2.2, relative luminance)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2); text needs 4.5, lines need 3."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def over(colour: str, opacity: float, paper: str) -> str:
    """Return the colour that is seen where `colour` with this opacity, 0 to 1, lies on `paper`."""
    parts = ((int(colour[place : place + 2], 16), int(paper[place : place + 2], 16)) for place in (1, 3, 5))
    return "#" + "".join(f"{round(opacity * top + (1 - opacity) * below):02X}" for top, below in parts)


def ink_on(fill: str) -> str:
    """Return the text colour, nearly black or white, that has the larger contrast with `fill`."""
    return max((INK[0], PAPER[0]), key=lambda ink: contrast(ink, fill))


def styled(chart: ChartT, *, dark: bool = False) -> ChartT:
    """Put the fonts and quiet axes that all charts share on a chart, and return it; `dark` for the dark background."""
    # not by `configure`, which makes a copy of the whole chart, data and all
    chart.config = alt.Config(
        axis=alt.AxisConfig(
            labelFontSize=13,
            titleFontSize=13,
            titleFontWeight="normal",
            gridOpacity=0.35,
            domain=False,
            # else the first and the last label are pushed inwards, away from their ticks
            labelFlush=False,
            labelLimit=180,
        ),
        # Vega's own limits: what enlarges a chart enlarges them with the labels
        legend=alt.LegendConfig(labelFontSize=13, titleFontSize=13, symbolStrokeWidth=3, labelLimit=160),
        title=alt.TitleConfig(fontSize=15, anchor="start", fontWeight="bold"),
        view=alt.ViewConfig(strokeWidth=0),
        font=FONT,
    )
    quiet = QUIET[dark]
    for part in (chart.config.axis, chart.config.legend):
        part.labelColor = part.titleColor = quiet
        part.labelFontSize = part.titleFontSize = alt.ExprRef(f"{LARGE_SCREEN} ? 16 : 13")
    return chart


def interval_tooltips() -> list[alt.Tooltip]:
    """Return what a tooltip shows of the columns accuracy, low and high: an accuracy and its interval, as shares."""
    return [
        alt.Tooltip("accuracy:Q", format=".2%"),
        alt.Tooltip("low:Q", format=".2%", title="interval, from"),
        alt.Tooltip("high:Q", format=".2%", title="to"),
    ]


def layer(*charts: alt.Chart | alt.LayerChart, height: int | None = None) -> alt.LayerChart:
    """Return the charts on top of each other. `alt.layer` is typed as if facets could come out.

    `height` is given here rather than by `properties`, which makes a copy of the whole chart.
    """
    return cast(alt.LayerChart, alt.layer(*charts, **({} if height is None else {"height": height})))


def by_rows(chart: alt.LayerChart, rows: int, row_px: int) -> alt.LayerChart:
    """Return the chart with a plot of so many rows of `row_px` pixels each; axes and titles come on top of it.

    The height is a number, as Vega warns of a step wherever a chart is as wide as its place.
    """
    fitted = alt.AutoSizeParams(type="fit-x", contains="padding")
    return chart.properties(height=max(1, rows) * row_px, autosize=fitted)


def halo(paper: str) -> dict[str, Any]:
    """Return the options of a text mark that is drawn in the colour of the paper, behind the same text in its own."""
    return {"stroke": paper, "strokeWidth": 4, "strokeJoin": "round"}


def percent(share: float) -> str:
    """Return an accuracy, such as ``97.62 %``."""
    return f"{100 * share:.2f} %"


def points(difference: float) -> str:
    """Return a difference of two accuracies in percentage points, with its sign, such as ``+0.86 points``."""
    return with_minus(f"{100 * difference:+.2f} points")


def loss(value: float) -> str:
    """Return a cross-entropy, such as ``0.108``."""
    return f"{value:.4f}"


def count(value: int) -> str:
    """Return a whole number, such as ``55,050``."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """Return a time span, such as ``28 s`` or ``3 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def file_size(size_bytes: int) -> str:
    """Return a size of any file, such as ``215 kB`` or ``312 B``."""
    return size(size_bytes) if size_bytes >= 1000 else f"{size_bytes} B"


def size(size_bytes: int) -> str:
    """Return a size of weights, such as ``215 kB``: files of a few bytes more or less read the same."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
