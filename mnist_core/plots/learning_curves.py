"""Learning curves of several runs over one another: histories → frame → chart.

Colour = run; thin and dashed = training, strong and solid = validation, dotted = training images with dropout off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.plots.style import halo, layer

Metric = Literal["loss", "accuracy"]
Kind = Literal["training", "validation", "dropout off"]
Axis = Literal["epoch", "seconds"]
AXES: tuple[Axis, ...] = ("epoch", "seconds")

KINDS: tuple[Kind, ...] = ("training", "validation", "dropout off")
COLUMNS: dict[tuple[Metric, Kind], str] = {
    ("loss", "training"): "loss",
    ("loss", "validation"): "val_loss",
    ("loss", "dropout off"): "clean_loss",
    ("accuracy", "training"): "accuracy",
    ("accuracy", "validation"): "val_accuracy",
    ("accuracy", "dropout off"): "clean_accuracy",
}
DASH = {
    "training": [5, 3],
    "validation": [1, 0],
    "dropout off": [1, 3],
    "from wrong images": [1, 0],
    "from right images": [5, 3],
    "accuracy": [1, 0],
    "mean confidence": [5, 3],
    "calibration error": [1, 0],
}
"""The kinds of lines, in the order of the legend; the first three are those of `KINDS`."""
WIDTH = {
    "training": 1.3,
    "validation": 2.8,
    "dropout off": 1.8,
    "from wrong images": 2.8,
    "from right images": 1.6,
    "accuracy": 2.8,
    "mean confidence": 1.6,
    "calibration error": 2.8,
}
"""The strongest line of a run carries its name."""

POINT_LIMIT = 2000
"""A chart with more points than this is slow to send and to draw (measured)."""
HEIGHT = 340
PLOT_WIDTH = 420
"""Pixels that the curves of one of two charts side by side get on a laptop; only labels are placed by it."""
LABEL_GAP = 17
"""Pixels between two lines of text at the end of the curves."""
MOST_VALUES = 3
"""Runs of which the best value is written beside its dot, and the diagnosis at its epoch."""
LEGEND_COLUMNS, LEGEND_LETTERS = 2, 20
"""More columns, or longer names in two of them, would be cut off on a phone."""
LEGEND_ROW = 22
"""Pixels that each row of the runs' legend takes."""
DIMMED = 0.25
"""Opacity of the other runs' lines while the pointer is near one."""
DIMMED_POINTS = 600
"""With more, what the pointer is near is not looked for: each point carries the values of all lines."""
LABEL_SPACE = 96
"""Pixels kept free on the right for those."""


@dataclass(frozen=True)
class Curve:
    """One run, or the seeds of one recipe, as the charts need it.

    history: one row an epoch, columns as the fields of EpochRow; for several seeds their means. before, before_s:
    epochs and seconds that its first weights had been trained for; `epoch` counts on from there. low, high: as
    `history`, the lowest and the highest of the seeds. members: the history of each seed.
    """

    id: str
    label: str
    colour: str
    history: pd.DataFrame
    before: int = 0
    before_s: float = 0.0
    low: pd.DataFrame | None = None
    high: pd.DataFrame | None = None
    members: tuple[pd.DataFrame, ...] = ()


def curve_frame(
    curves: Sequence[Curve],
    metric: Metric,
    *,
    kinds: Sequence[Kind] = ("training", "validation"),
    smoothing: float = 0.0,
) -> pd.DataFrame:
    """The curves as a long frame.

    Parameters
    ----------
    curves
        the runs, in the order in which they are drawn.
    metric
        which pair of columns.
    kinds
        which lines a run has.
    smoothing
        weight of the past in an exponential moving average, 0 (none) to below 1, corrected for the missing past at the
        beginning as in TensorBoard.

    Returns
    -------
    Columns run (id), label, kind, epoch, seconds (since the training began), value, smoothed, best (whether this
    is the best validation epoch); where there are several seeds, also low and high, of their strongest line. Values
    that are not finite are left out, so that a diverged run ends where it broke.
    """
    parts = []
    strongest = strongest_kind(kinds)
    banded = any(curve.low is not None for curve in curves)
    for curve in curves:
        history = curve.history
        for kind in kinds:
            values = history[COLUMNS[metric, kind]].astype(float).replace([np.inf, -np.inf], np.nan)
            smoothed = _smoothed(values, smoothing)
            part = pd.DataFrame(
                {
                    "run": curve.id,
                    "label": curve.label,
                    "kind": kind,
                    "epoch": history["epoch"].astype(int),
                    "seconds": curve.before_s + history["seconds"].astype(float).fillna(0.0).cumsum(),
                    "value": values,
                    "smoothed": smoothed.where(values.notna()),
                }
            )
            best = best_epoch(history, metric) if kind == "validation" else None
            part["best"] = part["epoch"] == best if best is not None else False
            for name, edge in (("low", curve.low), ("high", curve.high)):
                drawn = edge is not None and kind == strongest
                part[name] = _smoothed(edge[COLUMNS[metric, kind]], smoothing) if edge is not None and drawn else np.nan
            parts.append(part)
    columns = ["run", "label", "kind", "epoch", "seconds", "value", "smoothed", "best", *(["low", "high"] * banded)]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns].dropna(subset="value").reset_index(drop=True)


def strongest_kind(kinds: Sequence[Kind]) -> Kind | None:
    """The kind of line among `kinds` that a run is named and judged by."""
    return max(kinds, key=WIDTH.__getitem__, default=None)


def member_frame(curves: Sequence[Curve], metric: Metric, *, kinds: Sequence[Kind]) -> pd.DataFrame:
    """The strongest line of each seed: columns run (id of the curve), member (from 0), epoch, seconds, value."""
    kind = strongest_kind(kinds)
    parts = [
        pd.DataFrame(
            {
                "run": curve.id,
                "member": number,
                "epoch": history["epoch"].astype(int),
                "seconds": curve.before_s + history["seconds"].astype(float).fillna(0.0).cumsum(),
                "value": history[COLUMNS[metric, kind]].astype(float).replace([np.inf, -np.inf], np.nan),
            }
        )
        for curve in curves
        for number, history in enumerate(curve.members)
        if kind is not None
    ]
    if not parts:
        return pd.DataFrame(columns=["run", "member", "epoch", "seconds", "value"])
    return pd.concat(parts, ignore_index=True).dropna(subset="value")


def _smoothed(values: pd.Series, smoothing: float) -> pd.Series:
    return values.ewm(alpha=1 - smoothing, ignore_na=True).mean() if smoothing else values


def best_epoch(history: pd.DataFrame, metric: Metric) -> int | None:
    """The epoch with the lowest validation loss, or the highest validation accuracy; the first where several tie."""
    values = history[COLUMNS[metric, "validation"]].astype(float).replace([np.inf, -np.inf], np.nan)
    if values.notna().sum() == 0:
        return None
    place = int(values.argmin() if metric == "loss" else values.argmax())
    return int(history["epoch"].iloc[place])


def thinned(frame: pd.DataFrame, limit: int = POINT_LIMIT) -> tuple[pd.DataFrame, int]:
    """At most about `limit` rows, and the step between the epochs that are left; 1 where all are.

    The first, best and last epoch of each curve always stay.
    """
    step = max(1, int(np.ceil(len(frame) / limit)))
    if step == 1:
        return frame, 1
    last = frame.groupby(["run", "kind"])["epoch"].transform("max")
    keep = ((frame["epoch"] - 1) % step == 0) | frame["best"] | (frame["epoch"] == last)
    return frame[keep].reset_index(drop=True), step


def end_labels(frame: pd.DataFrame, x: Axis, *, log: bool, height: int = HEIGHT) -> pd.DataFrame | None:
    """Where each run's name goes at the right end of its strongest line; None where they would collide.

    Names that are a little too close are moved apart by up to one line of text.

    Returns
    -------
    Columns run, label, x, y (in the units of the axes).
    """
    rows = []
    for run, of_run in frame.groupby("run", sort=False):
        kind = strongest_kind(list(of_run["kind"]))
        end = of_run[of_run["kind"] == kind].iloc[-1]
        rows.append({"run": run, "label": end["label"], "x": end[x], "y": end["smoothed"]})
    if not rows:
        return None
    ends = pd.DataFrame(rows)
    low, high = _extent(frame, log=log)
    span = max(high - low, 1e-9)
    wanted = (np.log(ends["y"]) if log else ends["y"]) - low
    pixels = (wanted / span * height).to_numpy(dtype=float)
    placed = _apart(pixels, LABEL_GAP)
    if np.abs(placed - pixels).max() > LABEL_GAP or ends["label"].str.len().max() > 16:
        return None
    y = placed / height * span + low
    ends["y"] = np.exp(y) if log else y
    return ends


def _apart(pixels: np.ndarray, gap: float) -> np.ndarray:
    """The positions, moved so that neighbours are at least `gap` apart; each cluster stays centred on where it was."""
    order = np.argsort(pixels, kind="stable")
    clusters: list[list[int]] = []
    for index in order:
        clusters.append([int(index)])
        while len(clusters) > 1:
            below, above = clusters[-2], clusters[-1]
            top = pixels[below].mean() + gap * (len(below) - 1) / 2
            bottom = pixels[above].mean() - gap * (len(above) - 1) / 2
            if bottom - top >= gap:
                break
            clusters[-2:] = [below + above]
    placed = pixels.astype(float).copy()
    for cluster in clusters:
        middle = pixels[cluster].mean()
        placed[cluster] = middle + gap * (np.arange(len(cluster)) - (len(cluster) - 1) / 2)
    return placed


def best_labels(
    frame: pd.DataFrame,
    ends: pd.DataFrame | None,
    metric: Metric,
    x: Axis,
    x_domain: Sequence[float],
    *,
    log: bool,
    height: int = HEIGHT,
) -> pd.DataFrame:
    """The best epochs of `frame`, each with its value as text and a free place for it, as near as there is.

    Returns
    -------
    The rows of `frame` that are best, with the columns text and text_y (in the units of the axis).
    """
    best = frame[frame["best"]].copy()
    low, high = _extent(frame, log=log)
    span = max(high - low, 1e-9)

    def place(across: float, up: float) -> tuple[float, float]:
        value = np.log(up) if log else up
        return (across - x_domain[0]) / (x_domain[1] - x_domain[0]) * PLOT_WIDTH, (value - low) / span * height

    taken = [(*place(row["x"], row["y"]), True) for _, row in ends.iterrows()] if ends is not None else []
    texts, places = [], []
    for _, row in best.iterrows():
        across, up = place(row[x], row["value"])
        away = (LABEL_GAP, -LABEL_GAP) if metric == "accuracy" else (-LABEL_GAP, LABEL_GAP)
        offsets = [step * side for step in (1, 2, 3, 4) for side in away]
        dots = [(*place(other[x], other["value"]), False) for _, other in best.iterrows() if other["run"] != row["run"]]
        full = taken + dots
        free = next((o for o in offsets if not any(_meets(across, up + o, *other) for other in full)), offsets[0])
        taken.append((across, up + free, False))
        y = (up + free) / height * span + low
        texts.append(f"{100 * row['value']:.2f} %" if metric == "accuracy" else f"{row['value']:.4f}")
        places.append(float(np.exp(y)) if log else float(y))
    return best.assign(text=pd.Series(texts, best.index, dtype=str), text_y=pd.Series(places, best.index, dtype=float))


def _meets(x: float, y: float, other_x: float, other_y: float, begins_there: bool) -> bool:
    """Whether a value centred at (x, y) would touch a text that is centred at, or begins at, the other place."""
    left, right = (10, LABEL_SPACE + 30) if begins_there else (62, 62)
    return abs(y - other_y) < LABEL_GAP and -left - 26 * begins_there < x - other_x < right


def _extent(frame: pd.DataFrame, *, log: bool) -> tuple[float, float]:
    """The lowest and highest value of the vertical axis, as logarithms where it is logarithmic."""
    drawn = frame[[name for name in ("value", "smoothed", "low", "high") if name in frame]]
    low, high = float(drawn.min().min()), float(drawn.max().max())
    return (float(np.log(low)), float(np.log(high))) if log else (low, high)


def hover_frame(frame: pd.DataFrame, x: Axis) -> tuple[pd.DataFrame, list[str]]:
    """What the tooltip says at each place: one row a value of `x`, one column a line, values as text.

    On the axis of seconds, a run shows its newest finished epoch at that time.
    """
    kinds = list(dict.fromkeys(frame["kind"]))
    names = [
        f"{label}, {kind}" if len(kinds) > 1 else label
        for label, kind in zip(frame["label"], frame["kind"], strict=True)
    ]
    wide = (
        frame.assign(line=names)
        .pivot_table(index=x, columns="line", values="value", aggfunc="last", sort=False)
        .sort_index()
    )
    if x == "seconds":
        known = wide.bfill().notna()  # do not carry a run on beyond its end
        wide = wide.ffill().where(known)
    lines = list(dict.fromkeys(names))
    text = wide[lines].map(lambda value: "–" if pd.isna(value) else f"{value:.4f}")
    return text.reset_index(), lines


def curves_chart(
    frame: pd.DataFrame,
    colours: Mapping[str, str],
    metric: Metric,
    *,
    x: Axis = "epoch",
    log: bool = False,
    smoothing: float = 0.0,
    dark: bool = False,
    height: int = HEIGHT,
    zoom: bool = False,
    x_max: float | None = None,
    marks: Mapping[str, tuple[int, str]] | None = None,
    members: pd.DataFrame | None = None,
) -> alt.LayerChart:
    """The curves of `curve_frame`, overlaid.

    Parameters
    ----------
    frame, metric
        as of `curve_frame`.
    colours
        run id → colour.
    x
        what the horizontal axis counts.
    log
        logarithmic vertical axis.
    smoothing
        as given to `curve_frame`; where it is not 0, the raw values stay as faint lines.
    dark
        whether the chart stands on the dark background.
    height
        in pixels, legends and axes included.
    zoom
        dragging and the wheel move the axes. The axes then start over whenever the data change.
    x_max
        end of the horizontal axis, such as the planned epochs of a training that still runs.
    marks
        run id → an epoch of its validation line and what to write there; see `mark_frame`.
    members
        of `member_frame`, to be drawn as thin lines under the means; None for the means alone.
    """
    frame, step = thinned(frame)
    if log:
        frame = frame[(frame["value"] > 0) & (frame["smoothed"] > 0)]
    runs = list(dict.fromkeys(frame["run"]))
    names = dict(zip(frame["run"], frame["label"], strict=True))
    kinds = [kind for kind in DASH if (frame["kind"] == kind).any()]
    # zoomed, a name at the end of its line would drift out of the picture
    ends = None if zoom else end_labels(frame, x, log=log, height=height)

    columns = LEGEND_COLUMNS if max(map(len, names.values()), default=0) <= LEGEND_LETTERS else 1
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=runs, range=[colours[run] for run in runs]),
        legend=None
        if ends is not None
        else alt.Legend(
            title=None, orient="bottom", columns=columns, labelLimit=300,
            labelExpr=_label_expression(names), symbolType="stroke", symbolStrokeWidth=3,
            symbolOpacity=1,
        ),
    )  # fmt: skip
    dash = alt.StrokeDash(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[DASH[kind] for kind in kinds]),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=300) if len(kinds) > 1 else None,
    )
    stroke_width = alt.StrokeWidth(
        "kind:N",
        scale=alt.Scale(type="ordinal", domain=kinds, range=[WIDTH[kind] for kind in kinds]),
        sort=kinds,
        legend=None,
    )
    last = float(frame[x].max()) if len(frame) else 1.0
    # where only continued runs are shown, there is nothing to see before them
    first = float(frame[x].min()) if x == "epoch" and len(frame) else 0.0
    x_domain = [first, max(x_max or 0.0, last, first + 1.0)]

    def across(field: str) -> alt.X:
        return alt.X(
            f"{field}:Q",
            title="epoch (one pass over the training images)" if x == "epoch" else "training time in seconds",
            scale=alt.Scale(domain=x_domain, nice=False),
            axis=alt.Axis(
                tickMinStep=1 if x == "epoch" else alt.Undefined, format="d" if x == "epoch" else "~g", grid=False
            ),
        )

    horizontal = across(x)
    y_scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False, nice=True, padding=4)
    y_axis = (
        alt.Axis(format=".0%" if _wide(frame) else ".1%", tickCount=5)
        if metric == "accuracy"
        else alt.Axis(tickCount=5, format="~g")
    )

    def vertical(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, scale=y_scale, axis=y_axis)

    base = alt.Chart(frame)
    layers: list[alt.Chart] = []
    if "low" in frame and frame["low"].notna().any():
        layers.append(
            alt.Chart(frame.dropna(subset="low"))
            .mark_area(opacity=0.2, clip=zoom)
            .encode(x=horizontal, y=vertical("low"), y2=alt.Y2("high:Q"), color=colour, detail=alt.Detail("run:N"))
        )
    if members is not None and len(members):
        layers.append(
            alt.Chart(members)
            .mark_line(opacity=0.55, strokeWidth=1, clip=zoom)
            .encode(x=horizontal, y=vertical("value"), color=colour, detail=alt.Detail("member:N"))
        )
    if smoothing:
        layers.append(
            base.mark_line(opacity=0.22, strokeWidth=1.2, clip=zoom).encode(
                x=horizontal, y=vertical("value"), color=colour, detail=alt.Detail("kind:N")
            )
        )
    lines = base.mark_line(interpolate="linear", clip=zoom).encode(
        x=horizontal, y=vertical("smoothed"), color=colour, strokeDash=dash, strokeWidth=stroke_width
    )
    # two lines are told apart as they are
    over = _nearest("over", "run", empty=True) if len(runs) > 2 and not zoom and len(frame) <= DIMMED_POINTS else None
    if over is not None:
        lines = lines.encode(opacity=_faded(over, 1.0, DIMMED))
    if zoom:
        lines = lines.add_params(alt.selection_interval(bind="scales", name="zoom"))
    layers.append(lines)
    if len(frame) and frame.groupby(["run", "kind"]).size().min() == 1:  # a line of one point cannot be seen
        single = frame.groupby(["run", "kind"]).filter(lambda part: len(part) == 1)
        layers.append(
            alt.Chart(single)
            .mark_point(filled=True, size=45, opacity=1)
            .encode(x=horizontal, y=vertical("smoothed"), color=colour)
        )
    paper = "#14171C" if dark else "#FFFFFF"
    best = best_labels(frame, ends, metric, x, x_domain, log=log, height=height)
    if len(best):
        dots = alt.Chart(best)
        layers.append(
            dots.mark_point(filled=True, size=85, opacity=1, clip=zoom, stroke=paper, strokeWidth=1.5).encode(
                x=horizontal, y=vertical("value"), color=colour
            )
        )
        # the dots of many runs speak for themselves; their values would hide the lines
        for outline in () if len(runs) > MOST_VALUES else (halo(paper), {}):
            mark = dots.mark_text(fontSize=13, fontWeight="bold", clip=zoom, **outline)
            layers.append(mark.encode(x=horizontal, y=vertical("text_y"), text=alt.Text("text:N"), color=colour))
    if ends is not None:
        named = alt.Chart(ends)
        for outline in (halo(paper), {}):
            mark = named.mark_text(
                align="left", dx=9, fontSize=14, fontWeight="bold", clip=False, limit=LABEL_SPACE + 60,
                **outline,
            )  # fmt: skip
            layers.append(
                mark.encode(
                    x=across("x"),
                    y=alt.Y("y:Q", scale=y_scale, title=None),
                    text=alt.Text("label:N"),
                    color=colour,
                )
            )
    if marks and len(runs) <= MOST_VALUES and not zoom:
        layers += _marks(mark_frame(frame, marks, x, x_domain), horizontal, vertical("smoothed"), colour, paper)
    if len(frame):
        layers += _hover(frame, x, horizontal, vertical("smoothed"), over)
    note = f"every {step}th epoch is drawn" if step > 1 else ""
    rows = 0 if ends is not None else -(-len(runs) // columns)
    chart = layer(*layers, height=height + rows * LEGEND_ROW)
    if note:
        chart = chart.properties(title=alt.TitleParams("", subtitle=note))
    return chart


def mark_frame(
    frame: pd.DataFrame, marks: Mapping[str, tuple[int, str]], x: Axis, x_domain: Sequence[float]
) -> pd.DataFrame:
    """Where each mark stands: a row a run whose validation line is drawn at that epoch.

    Returns
    -------
    The rows of `frame` with the columns text, and left: whether the text goes to the left of its rule, as there is no
    room to the right.
    """
    validation = frame[frame["kind"] == "validation"]
    at = {(row.run, row.epoch): index for index, row in zip(validation.index, validation.itertuples(), strict=True)}
    rows = [(at[run, epoch], text) for run, (epoch, text) in marks.items() if (run, epoch) in at]
    found = frame.loc[[index for index, _ in rows]].assign(text=[text for _, text in rows])
    middle = (x_domain[0] + x_domain[1]) / 2
    return found.assign(left=found[x] > middle).sort_values(x, kind="stable").reset_index(drop=True)


def _marks(marks: pd.DataFrame, horizontal: alt.X, value: alt.Y, colour: alt.Color, paper: str) -> list[alt.Chart]:
    """A rule from the top, where a loss has long fallen and there is room, down to the line, with its words."""
    layers = []
    for index, left in enumerate(marks["left"]):
        top = 8 + index * LABEL_GAP
        one = alt.Chart(marks.iloc[[index]])
        layers.append(
            one.mark_rule(strokeDash=[2, 3], strokeWidth=1.5).encode(
                x=horizontal, y=value, y2=alt.value(top), color=colour
            )
        )
        for outline in (halo(paper), {}):
            text = one.mark_text(
                align="right" if left else "left", dx=-5 if left else 5, fontSize=13, fontWeight="bold", **outline
            )
            layers.append(text.encode(x=horizontal, y=alt.value(top), text=alt.Text("text:N"), color=colour))
    return layers


def _hover(
    frame: pd.DataFrame, x: Axis, horizontal: alt.X, value: alt.Y, over: alt.Parameter | None
) -> list[alt.Chart]:
    """A rule that follows the pointer, and a tooltip with every run's values at that place.

    over: the selection of the run whose line is nearest to the pointer, where the others are to be dimmed.
    """
    wide, lines = hover_frame(frame, x)
    # field names with dots or brackets would be read as paths
    fields = {line: f"line{index}" for index, line in enumerate(lines)}
    wide = wide.rename(columns=fields)
    near = _nearest("near", x, empty=False)
    tooltip = [alt.Tooltip(f"{x}:Q", title=x, format="d" if x == "epoch" else ".1f")]
    tooltip += [alt.Tooltip(f"{fields[line]}:N", title=line) for line in lines]
    rule = (
        alt.Chart(wide)
        .mark_rule(color="#8A9099", strokeWidth=1)
        .encode(x=horizontal, opacity=_faded(near, 0.9, 0.0), tooltip=tooltip)
    )
    if over is None:
        return [rule.add_params(near)]
    # which run is near is told by points, so that these take the pointer for both
    points = (
        alt.Chart(frame[["run", x, "smoothed"]].merge(wide, on=x))
        .mark_point(opacity=0)
        .encode(x=horizontal, y=value, tooltip=tooltip)
        .add_params(near, over)
    )
    return [rule, points]


def _faded(near: alt.Parameter, chosen: float, other: float) -> alt.OpacityValue:
    """The opacity of what a selection holds, and of the rest; Altair takes far longer to read a bare condition."""
    return alt.OpacityValue(other, condition=alt.condition(near, alt.value(chosen), alt.value(other))["condition"])


def _nearest(name: str, field: str, *, empty: bool) -> alt.Parameter:
    """The selection of what is nearest to the pointer. empty: whether all is selected while there is no pointer."""
    return alt.selection_point(
        name=name, fields=[field], nearest=True, on="pointerover", empty=empty, clear="pointerout"
    )


def _wide(frame: pd.DataFrame) -> bool:
    """Whether whole per cents tell the ticks of an accuracy axis apart."""
    return len(frame) == 0 or float(frame["value"].max() - frame["value"].min()) > 0.04


def _label_expression(names: Mapping[str, str]) -> str:
    """A Vega expression from run id to name, for legends: ids are the data, as names need not be unique."""
    return f"{json.dumps(dict(names))}[datum.value] || datum.label"


def described(frame: pd.DataFrame, metric: Metric) -> str:
    """What the chart shows, in words: for each run its best and last validation value."""
    parts = []
    for _, part in frame[frame["kind"] == "validation"].groupby("run", sort=False):
        last = part.iloc[-1]
        text = f"{last['label']}: {last['value']:.4f} at epoch {last['epoch']}, the last"
        best = part[part["best"]]
        if len(best):
            word = "lowest" if metric == "loss" else "highest"
            text += f"; {word} {best.iloc[0]['value']:.4f} at epoch {best.iloc[0]['epoch']}"
        parts.append(text)
    return f"Learning curves, {metric} by epoch. " + (
        "Validation " + metric + ": " + ". ".join(parts) + "." if parts else "No validation values are shown."
    )
