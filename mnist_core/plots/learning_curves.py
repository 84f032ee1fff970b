"""Learning curves of several runs over one another: histories → frame → chart.

Colour = run; thin and dashed = training, strong and solid = validation, dotted = training images with dropout off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.comparison.words.changes import moments
from mnist_core.plots.margin_names import margin_names
from mnist_core.plots.style import GREY, PAPER, RUN_COLOURS, WIDE_SCREEN, as_text, layer
from mnist_core.runs.records import lowest_place
from mnist_core.runs.run import Run

CurveMetric = Literal["loss", "accuracy"]
CurveKind = Literal["training", "validation", "dropout off"]
Axis = Literal["epoch", "seconds"]
AXES: tuple[Axis, ...] = ("epoch", "seconds")

KINDS: tuple[CurveKind, ...] = ("training", "validation", "dropout off")
CURVE_COLUMNS: dict[tuple[CurveMetric, CurveKind], str] = {
    ("loss", "training"): "loss",
    ("loss", "validation"): "val_loss",
    ("loss", "dropout off"): "train_eval_loss",
    ("accuracy", "training"): "accuracy",
    ("accuracy", "validation"): "val_accuracy",
    ("accuracy", "dropout off"): "train_eval_accuracy",
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

LINK_JS = Path(__file__).with_name("linked_charts.js").read_text(encoding="utf-8")
"""JavaScript: a function that moves the line in all charts of curves with the pointer in one."""
POINT_LIMIT = 2000
"""A chart with more points than this is slow to send and to draw (measured)."""
HEIGHT = 354
"""Pixels of the whole chart: those of the plot, the legend of the lines above it, and the horizontal axis below."""
PLOT_HEIGHT = 284
"""Pixels that are left for the curves; the names in the margin are placed by it."""
NAME_GAP = 17
"""Pixels between two names in the margin."""
NAME_LIMIT, NAME_LETTERS = 130, 17
"""Pixels and letters that a name in the margin may take; a longer one is shortened (see the tooltip)."""
WIDE_LIMIT, WIDE_LETTERS = 170, 23
"""The same on a wide screen."""
MARK_GAP = 15
"""Pixels between two rows of words above the plot."""
FEW = 3
"""Up to so many runs, the values of the best epochs stand in the margin, those of all runs in the tooltip, and the
findings of the diagnosis above the plot."""
DIMMED = 0.2
"""Opacity of the other runs' lines while the pointer is near one."""
IN_THE_BACK = 0.3
"""Opacity of the lines that share their colour with a better run."""
EARLY = 0.5
"""The share of a training line, from its beginning, that the vertical axis need not hold."""


@dataclass(frozen=True)
class Curve:
    """One run, or the seeds of one recipe, as the charts need it.

    history: one row an epoch, columns as the fields of EpochRow; for several seeds their means. before, before_s:
    epochs and seconds that its first weights had been trained for; `epoch` counts on from there. low, high: as
    `history`, the lowest and the highest of the seeds. members: the history of each seed. changes: what a person
    changed in the middle of its training, in words, by the last epoch before each change.
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
    changes: Mapping[int, str] = field(default_factory=dict)


def curve_of(run: Run, label: str, colour: str) -> Curve:
    """Return the curve of one run; its history may be empty."""
    changes = {} if run.recorded else moments(run.meta.changes, run.config.model)
    return Curve(run.id, label, colour, run.history(), changes=changes)


def changes_of(curves: Sequence[Curve]) -> dict[str, Mapping[int, str]]:
    """Return the changes by hand of the curves that have any, by run id, as `curves_chart` takes them."""
    return {curve.id: curve.changes for curve in curves if curve.changes}


def curve_frame(
    curves: Sequence[Curve],
    metric: CurveMetric,
    *,
    kinds: Sequence[CurveKind] = ("training", "validation"),
    smoothing: float = 0.0,
) -> pd.DataFrame:
    """Return the curves as a long frame.

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
    is the epoch of the lowest validation loss, whichever the metric); where there are several seeds, also low and
    high, of their strongest line. Values that are not finite are left out, so that a diverged run ends where it broke.
    """
    parts = []
    strongest = strongest_kind(kinds)
    banded = any(curve.low is not None for curve in curves)
    for curve in curves:
        history = curve.history
        for kind in kinds:
            values = history[CURVE_COLUMNS[metric, kind]].astype(float).replace([np.inf, -np.inf], np.nan)
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
            best = best_epoch(history) if kind == "validation" else None
            part["best"] = part["epoch"] == best if best is not None else False
            for name, edge in (("low", curve.low), ("high", curve.high)):
                drawn = edge is not None and kind == strongest
                part[name] = (
                    _smoothed(edge[CURVE_COLUMNS[metric, kind]], smoothing) if edge is not None and drawn else np.nan
                )
            parts.append(part)
    columns = ["run", "label", "kind", "epoch", "seconds", "value", "smoothed", "best", *(["low", "high"] * banded)]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns].dropna(subset="value").reset_index(drop=True)


def strongest_kind(kinds: Sequence[CurveKind]) -> CurveKind | None:
    """Return the kind of line among `kinds` that carries a run's name and its best value."""
    return max(kinds, key=WIDTH.__getitem__, default=None)


def member_frame(curves: Sequence[Curve], metric: CurveMetric, *, kinds: Sequence[CurveKind]) -> pd.DataFrame:
    """Return the strongest line of each seed: columns run (id of the curve), member (from 0), epoch, seconds, value."""
    kind = strongest_kind(kinds)
    parts = [
        pd.DataFrame(
            {
                "run": curve.id,
                "member": number,
                "epoch": history["epoch"].astype(int),
                "seconds": curve.before_s + history["seconds"].astype(float).fillna(0.0).cumsum(),
                "value": history[CURVE_COLUMNS[metric, kind]].astype(float).replace([np.inf, -np.inf], np.nan),
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


def best_epoch(history: pd.DataFrame) -> int | None:
    """Return the epoch with the lowest validation loss, the first where several tie; None where there is no loss."""
    place = lowest_place(history["val_loss"].astype(float))
    return None if place is None else int(history["epoch"].iloc[place])


def bright_runs(curves: Sequence[Curve], first: str | None = None) -> list[str]:
    """Return the ids of the runs that are drawn strongly: all, where the colours suffice.

    Where more runs than colours are shown, no two of these have the same colour: of each, it is the run with the
    lowest validation loss. `first`, such as the baseline, is always among them.
    """
    if len(curves) <= len(RUN_COLOURS):
        return [curve.id for curve in curves]

    def lowest(curve: Curve) -> float:
        best = curve.history["val_loss"].astype(float).min()
        return float(best) if np.isfinite(best) else np.inf

    best_of: dict[str, str] = {}
    for curve in sorted(curves, key=lambda one: (one.id != first, lowest(one))):
        best_of.setdefault(curve.colour, curve.id)
    return [curve.id for curve in curves if best_of[curve.colour] == curve.id]


def thinned(frame: pd.DataFrame, limit: int = POINT_LIMIT) -> tuple[pd.DataFrame, int]:
    """Return at most about `limit` rows, and the step between the epochs that are left; 1 where all are.

    The first, best and last epoch of each curve always stay.
    """
    step = max(1, int(np.ceil(len(frame) / limit)))
    if step == 1:
        return frame, 1
    last = frame.groupby(["run", "kind"])["epoch"].transform("max")
    keep = ((frame["epoch"] - 1) % step == 0) | frame["best"] | (frame["epoch"] == last)
    return frame[keep].reset_index(drop=True), step


def value_domain(frame: pd.DataFrame, metric: str, *, log: bool = False) -> tuple[float, float] | None:
    """Return the ends of the vertical axis: it holds all validation lines, and the later half of the others.

    A training line begins far from where it ends, and an axis that held it all would squeeze what is compared. Where
    there is no validation line, the axis holds everything. None where there is nothing to draw.
    """
    columns = [name for name in ("value", "smoothed", "low", "high") if name in frame]
    values = frame[columns].to_numpy(dtype=float)
    if not np.isfinite(values).any():
        return None
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    validation = (frame["kind"] == "validation").to_numpy()
    last = frame.groupby(["run", "kind"])["epoch"].transform("max")
    first = frame.groupby(["run", "kind"])["epoch"].transform("min")
    held = values[validation | (frame["epoch"] > first + EARLY * (last - first)).to_numpy()]
    if validation.any() and np.nanmax(values[validation]) > np.nanmin(values[validation]):
        if metric == "loss":
            high = float(np.nanmax(held))
        else:
            low = float(np.nanmin(held))
    if log:
        edge = 0.03 * (np.log(high) - np.log(low)) or 0.05
        return float(low * np.exp(-edge)), float(high * np.exp(edge))
    edge = 0.04 * (high - low) or 0.05 * abs(high) or 0.05
    return (max(0.0, low - edge) if low >= 0 else low - edge), high + edge


def clipped_frame(frame: pd.DataFrame, domain: tuple[float, float], x: Axis) -> pd.DataFrame:
    """Return where lines enter the plot that begin outside of it.

    Returns
    -------
    Columns run, kind, x and y (the place on the edge of the plot), above (whether the line comes from above), value
    (the farthest one that is not drawn).
    """
    rows = []
    for (run, kind), line in frame.groupby(["run", "kind"], sort=False):
        values, places = line["smoothed"].to_numpy(dtype=float), line[x].to_numpy(dtype=float)
        outside = (values > domain[1]) | (values < domain[0])
        if not outside[0] or outside.all():
            continue
        inside = int(np.argmin(outside))
        above = bool(values[0] > domain[1])
        edge = domain[1] if above else domain[0]
        share = (values[inside - 1] - edge) / (values[inside - 1] - values[inside])
        place = places[inside - 1] + share * (places[inside] - places[inside - 1])
        before = values[:inside]
        rows.append((run, kind, place, edge, above, float(before.max() if above else before.min())))
    return pd.DataFrame(rows, columns=["run", "kind", "x", "y", "above", "value"])


def clipped_words(frame: pd.DataFrame, metric: CurveMetric, x: Axis, *, log: bool = False) -> str:
    """Return in a sentence what of the lines is outside of the plot; empty where nothing is."""
    domain = value_domain(frame, metric, log=log)
    clipped = clipped_frame(frame, domain, x) if domain else pd.DataFrame()
    if not len(clipped):
        return ""
    above = bool(clipped["above"].iloc[0])
    far = float(clipped["value"].max() if above else clipped["value"].min())
    text = f"{100 * far:.1f} %" if metric == "accuracy" else f"{far:.2f}"
    kinds = " and ".join(dict.fromkeys(clipped["kind"]))
    return f"{'▲' if above else '▼'}: {kinds} {'comes from above' if above else 'comes from below'}, from {text}."


def end_names(
    frame: pd.DataFrame, domain: tuple[float, float], x: Axis, *, gap: int = NAME_GAP, log: bool = False
) -> pd.DataFrame:
    """Return where each run's name goes in the right margin: as near to the height of its line's end as there is room.

    Returns
    -------
    Columns run, label, x (where its strongest line ends), end (its value there), y (the height of the name): in the
    units of the axes.
    """
    rows = []
    for run, of_run in frame.groupby("run", sort=False):
        kind = strongest_kind(list(of_run["kind"]))
        last = of_run[of_run["kind"] == kind].iloc[-1]
        rows.append({"run": run, "label": last["label"], "x": last[x], "end": last["smoothed"]})
    ends = pd.DataFrame(rows, columns=["run", "label", "x", "end"])
    if not rows:
        return ends.assign(y=[])
    low, high = np.log(domain) if log else domain
    wanted = (np.log(ends["end"]) if log else ends["end"]).clip(low, high)
    pixels = ((wanted - low) / (high - low) * PLOT_HEIGHT).to_numpy(dtype=float)
    placed = _apart(pixels, gap)
    # neither above the plot nor below it, as long as there is room for all
    placed += max(0.0, gap / 2 - placed.min())
    placed -= max(0.0, placed.max() - (PLOT_HEIGHT - gap / 2))
    y = placed / PLOT_HEIGHT * (high - low) + low
    return ends.assign(y=np.exp(y) if log else y)


def _apart(pixels: np.ndarray, gap: float) -> np.ndarray:
    """Return the positions, moved until neighbours are at least `gap` apart; each cluster keeps its centre."""
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


def hover_frame(frame: pd.DataFrame, x: Axis) -> tuple[pd.DataFrame, list[str]]:
    """Return the texts of the tooltip at each place: one row a value of `x`, one column a line, values as text.

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
    metric: CurveMetric,
    *,
    x: Axis = "epoch",
    log: bool = False,
    smoothing: float = 0.0,
    dark: bool = False,
    height: int = HEIGHT,
    zoom: bool = False,
    x_max: float | None = None,
    marks: Mapping[str, tuple[int, str]] | None = None,
    changes: Mapping[str, Mapping[int, str]] | None = None,
    members: pd.DataFrame | None = None,
    bright: Sequence[str] | None = None,
    headroom: int = 0,
    pointer: bool = True,
) -> alt.LayerChart:
    """Return the curves of `curve_frame`, overlaid; the names of the runs stand in the right margin.

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
    changes
        run id → what a person changed in the middle of its training, by the last epoch before each change. Each is
        marked on the run's strongest line; of few runs in words, too.
    members
        of `member_frame`, to be drawn as thin lines under the means; None for the means alone.
    bright
        of `bright_runs`; the other runs are drawn faintly, by their strongest line alone, until the pointer is near
        one. None for all.
    headroom
        rows of words that are kept free above the plot where there are fewer marks: a chart next to this one has them.
        They add to the height.
    pointer
        a line follows the pointer, with the values there; False for a picture, where that would be dead weight.
    """
    frame, step = thinned(frame)
    if log:
        frame = frame[(frame["value"] > 0) & (frame["smoothed"] > 0)]
    runs = list(dict.fromkeys(frame["run"]))
    strong = [run for run in runs if bright is None or run in bright]
    back = frame[~frame["run"].isin(strong)]
    back = back[back["kind"] == strongest_kind(list(dict.fromkeys(back["kind"])))]
    front = frame[frame["run"].isin(strong)]
    kinds = [kind for kind in DASH if (frame["kind"] == kind).any()]
    few = len(runs) <= FEW
    last = float(frame[x].max()) if len(frame) else 1.0
    # if only continued runs are shown, there is nothing to see before them
    first = float(frame[x].min()) if x == "epoch" and len(frame) else 0.0
    x_domain = [first, max(x_max or 0.0, last, first + 1.0)]
    places = [(run, epoch, text) for run, (epoch, text) in (marks or {}).items()]
    changed = [(run, epoch, text) for run, texts in (changes or {}).items() for epoch, text in texts.items()]
    written = places + changed if few and not zoom else []
    marked = mark_frame(frame, written, x, x_domain) if written else None
    rows = max(headroom, 0 if marked is None else len(marked))

    colour = alt.Color("run:N", scale=alt.Scale(domain=runs, range=[colours[run] for run in runs]), legend=None)
    legend = (
        alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=300, padding=0, offset=4 + MARK_GAP * rows)
        if len(kinds) > 1
        else None
    )
    dash, stroke_width = kind_channels(kinds, legend)
    horizontal = alt.X(
        f"{x}:Q",
        title="epoch (one pass over the training images)" if x == "epoch" else "training time in seconds",
        scale=alt.Scale(domain=x_domain, nice=False),
        axis=alt.Axis(
            tickMinStep=1 if x == "epoch" else alt.Undefined,
            format="d" if x == "epoch" else "~g",
            grid=False,
            titlePadding=4,
            labelPadding=4,
        ),
    )
    domain = value_domain(frame, metric, log=log)
    y_scale = alt.Scale(
        type="log" if log else alt.Undefined, domain=list(domain) if domain else alt.Undefined, nice=False, zero=False
    )
    number = (".0%" if _wide(domain) else ".1%") if metric == "accuracy" else "~g"
    # as wide in the chart of the loss as in that of the accuracy, and wide enough for what zooming brings
    y_axis = alt.Axis(format=number, tickCount=5, minExtent=42, maxExtent=42)

    def vertical(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, scale=y_scale, axis=y_axis)

    over = _nearest("over", "run", empty=True) if len(runs) > 1 and not zoom and pointer else None
    dimmed = {} if over is None else {"opacity": _faded(over, 1.0, DIMMED)}
    layers: list[alt.Chart] = []
    if "low" in frame and frame["low"].notna().any():
        layers.append(
            alt.Chart(front.dropna(subset="low"))
            .mark_area(opacity=0.25, clip=True)
            .encode(x=horizontal, y=vertical("low"), y2=alt.Y2("high:Q"), color=colour, detail=alt.Detail("run:N"))
        )
    if members is not None and len(members):
        layers.append(
            alt.Chart(members)
            .mark_line(opacity=0.55, strokeWidth=1, clip=True)
            .encode(x=horizontal, y=vertical("value"), color=colour, detail=alt.Detail("member:N"))
        )
    if len(back):
        behind = alt.Chart(back).mark_line(opacity=IN_THE_BACK, strokeWidth=1.6, clip=True)
        behind = behind.encode(x=horizontal, y=vertical("smoothed"), color=colour, detail=alt.Detail("run:N"))
        layers.append(behind.encode(opacity=_faded(over, 1.0, IN_THE_BACK, empty=False)) if over else behind)
    if smoothing:
        layers.append(
            alt.Chart(front)
            .mark_line(opacity=0.22, strokeWidth=1.2, clip=True)
            .encode(x=horizontal, y=vertical("value"), color=colour, detail=alt.Detail("kind:N"))
        )
    lines = (
        alt.Chart(front)
        .mark_line(interpolate="linear", clip=True)
        .encode(x=horizontal, y=vertical("smoothed"), color=colour, strokeDash=dash, strokeWidth=stroke_width)
    )
    if over is not None:
        lines = lines.encode(opacity=_faded(over, 1.0, DIMMED))
    if zoom:
        lines = lines.add_params(alt.selection_interval(bind="scales", name="zoom"))
    layers.append(lines)
    if len(front) and front.groupby(["run", "kind"]).size().min() == 1:  # a line of one point cannot be seen
        single = front.groupby(["run", "kind"]).filter(lambda part: len(part) == 1)
        layers.append(
            alt.Chart(single)
            .mark_point(filled=True, size=45, opacity=1)
            .encode(x=horizontal, y=vertical("smoothed"), color=colour)
        )
    paper = PAPER[dark]
    best = front[front["best"]]
    if len(best):
        layers.append(
            alt.Chart(best)
            .mark_point(filled=True, size=85, opacity=1, clip=True, stroke=paper, strokeWidth=1.5)
            .encode(x=horizontal, y=vertical("value"), color=colour, **dimmed)
        )
    if changed:
        touched = mark_frame(front, changed, x, x_domain)
        layers += _change_points(touched, horizontal, vertical("smoothed"), colour, paper, dimmed)
    if domain and not zoom:
        clipped = clipped_frame(front, domain, x)
        if len(clipped):
            layers += _clipped(clipped, horizontal, vertical("y"), colour, x, dimmed)
    if domain:
        texts = {run: as_text(colours[run]) for run in runs}
        layers += _names(front, best if few else None, domain, metric, x, horizontal, vertical, texts, over, log, zoom)
    if marked is not None:
        layers += _marks(marked, horizontal, vertical("smoothed"), colour, colours, dimmed)
    if len(frame) and pointer:
        layers += _hover(frame, front, back, few, x, horizontal, vertical("smoothed"), over)
    note = f"every {step}th epoch is drawn" if step > 1 else ""
    chart = layer(*layers, height=height + MARK_GAP * rows)
    if note:
        chart = chart.properties(title=alt.TitleParams("", subtitle=note))
    return chart


def _clipped(
    clipped: pd.DataFrame, horizontal: alt.X, value: alt.Y, colour: alt.Color, x: Axis, dimmed: Mapping[str, Any]
) -> list[alt.Chart]:
    """Draw a triangle at the edge of the plot where a line enters it."""
    return [
        alt.Chart(part.rename(columns={"x": x}))
        .mark_point(filled=True, size=55, opacity=1, shape="triangle-up" if above else "triangle-down")
        .encode(x=horizontal, y=value, color=colour, **dimmed)
        for above, part in clipped.groupby("above")
    ]


def _names(
    front: pd.DataFrame,
    best: pd.DataFrame | None,
    domain: tuple[float, float],
    metric: CurveMetric,
    x: Axis,
    horizontal: alt.X,
    vertical: Callable[[str], alt.Y],
    texts: Mapping[str, str],
    over: alt.Parameter | None,
    log: bool,
    zoom: bool,
) -> list[alt.Chart]:
    """Draw the names in the right margin, each with a fine line to the end of its curve.

    best: the best epochs, of which the value is written under the name.
    """
    names = end_names(front, domain, x, gap=NAME_GAP if best is None else 2 * NAME_GAP, log=log)
    if not len(names):
        return []
    values = {} if best is None else dict(zip(best["run"], best["value"], strict=True))
    for column, letters in (("short", NAME_LETTERS), ("longer", WIDE_LETTERS)):
        names[column] = margin_names(list(names["label"]), letters)
    names["text"] = [_best_text(values[run], metric) if run in values else "" for run in names["run"]]
    names["ink"] = [texts[run] for run in names["run"]]
    inks = alt.Color("ink:N", scale=None)
    faded = {} if over is None else {"opacity": _faded(over, 1.0, IN_THE_BACK)}
    thin = {} if over is None else {"opacity": _faded(over, 0.8, DIMMED)}
    edge = _fixed(alt.XValue, "width")
    layers: list[alt.Chart] = []
    placed: list[tuple[alt.Chart, Any]]
    if zoom:  # the curves move, and the names stay, in the order in which the curves ended
        heights = [(row, NAME_GAP * (0.5 + place * (1 if best is None else 2)))
                   for place, row in enumerate(names.sort_values("end", ascending=False).index)]  # fmt: skip
        placed = [(alt.Chart(names.loc[[row]]), _fixed(alt.YValue, height)) for row, height in heights]
    else:
        leader = alt.Chart(names.rename(columns={"x": x}))
        short = names["x"] < names["x"].max()
        if short.any():
            layers.append(
                alt.Chart(names[short].rename(columns={"x": x}))
                .mark_rule(strokeDash=[1, 4], strokeWidth=1.2, opacity=0.7)
                .encode(x=horizontal, x2=_fixed(alt.X2Value, "width"), y=vertical("end"), color=inks, **thin)
            )
        layers.append(
            leader.mark_rule(strokeWidth=1.2, opacity=0.8).encode(
                x=edge,
                x2=_fixed(alt.X2Value, alt.ExprRef("width + 10")),
                y=vertical("end"),
                y2=alt.Y2("y:Q"),
                color=inks,
                **thin,
            )
        )
        placed = [(alt.Chart(names), vertical("y"))]
    up = 0 if best is None else -NAME_GAP // 2
    limit = alt.ExprRef(f"{WIDE_SCREEN} ? {WIDE_LIMIT} : {NAME_LIMIT}")
    # the width of the plot is named, so that it is drawn again when the window is made narrower
    shown = _fixed(alt.TextValue, alt.ExprRef(f"width && {WIDE_SCREEN} ? datum.longer : datum.short"))
    for chart, height in placed:
        name = chart.mark_text(align="left", dx=13, dy=up, fontSize=13, fontWeight="bold", limit=limit)
        layers.append(name.encode(x=edge, y=height, text=shown, color=inks, **faded))
        if best is not None:
            text = chart.mark_text(align="left", dx=13, dy=up + NAME_GAP - 2, fontSize=12, limit=limit)
            layers.append(text.encode(x=edge, y=height, text=alt.Text("text:N"), color=inks, **faded))
    return layers


def kind_channels(kinds: Sequence[str], legend: alt.Legend | None) -> tuple[alt.StrokeDash, alt.StrokeWidth]:
    """Return how the kinds of lines differ, for a column `kind`: dashes and widths, with one legend for both."""
    dash = alt.StrokeDash(
        "kind:N", scale=alt.Scale(domain=kinds, range=[DASH[kind] for kind in kinds]), sort=kinds, legend=legend
    )
    width = alt.StrokeWidth(
        "kind:N",
        scale=alt.Scale(type="ordinal", domain=kinds, range=[WIDTH[kind] for kind in kinds]),
        sort=kinds,
        legend=legend,
    )
    return dash, width


def _best_text(value: float, metric: CurveMetric) -> str:
    return f"● {100 * value:.2f} %" if metric == "accuracy" else f"● {value:.4f}"


def mark_frame(
    frame: pd.DataFrame, marks: Sequence[tuple[str, int, str]], x: Axis, x_domain: Sequence[float]
) -> pd.DataFrame:
    """Return the place of each mark (run, epoch, text): a row where the run's strongest line is drawn at that epoch.

    Returns
    -------
    The rows of `frame` with the columns text, and left: True if the text goes to the left of its rule, as there is no
    room to the right.
    """
    strongest = frame[frame["kind"] == strongest_kind(list(dict.fromkeys(frame["kind"])))]
    at = {(row.run, row.epoch): index for index, row in zip(strongest.index, strongest.itertuples(), strict=True)}
    rows = [(at[run, epoch], text) for run, epoch, text in marks if (run, epoch) in at]
    found = frame.loc[[index for index, _ in rows]].assign(text=[text for _, text in rows])
    middle = (x_domain[0] + x_domain[1]) / 2
    return found.assign(left=found[x] > middle).sort_values(x, kind="stable").reset_index(drop=True)


def mark_rows(left: Sequence[bool]) -> list[int]:
    """Return in which row above the plot, 0 the lowest, the words of each mark stand, so that no rule crosses them.

    left: of each mark, from the left to the right: True if its words go to the left of its rule. A rule rises to its
    own row, so words stand higher than those of the marks that they run towards.
    """
    rightwards = [index for index, goes_left in enumerate(left) if not goes_left]
    leftwards = [index for index, goes_left in enumerate(left) if goes_left]
    highest_first = [*rightwards, *reversed(leftwards)]
    return [len(left) - 1 - highest_first.index(index) for index in range(len(left))]


def _marks(
    marks: pd.DataFrame,
    horizontal: alt.X,
    value: alt.Y,
    colour: alt.Color,
    colours: Mapping[str, str],
    dimmed: Mapping[str, Any],
) -> list[alt.Chart]:
    """Draw a rule from the top of the plot down to the line; its words stand above the plot, where no data are."""
    layers = []
    rows = mark_rows(marks["left"].tolist())
    for index, left in enumerate(marks["left"]):
        one = alt.Chart(marks.iloc[[index]])
        height = _fixed(alt.YValue, -8 - rows[index] * MARK_GAP)
        layers.append(
            one.mark_rule(strokeDash=[2, 3], strokeWidth=1.5).encode(
                x=horizontal, y=value, y2=_fixed(alt.Y2Value, -2 - rows[index] * MARK_GAP), color=colour, **dimmed
            )
        )
        text = one.mark_text(
            align="right" if left else "left", dx=-5 if left else 5, fontSize=13, fontWeight="bold",
            color=as_text(colours[marks["run"].iloc[index]]),
        )  # fmt: skip
        layers.append(text.encode(x=horizontal, y=height, text=alt.Text("text:N"), **dimmed))
    return layers


def _change_points(
    changes: pd.DataFrame, horizontal: alt.X, value: alt.Y, colour: alt.Color, paper: str, dimmed: Mapping[str, Any]
) -> list[alt.Chart]:
    """Draw a diamond on the line where a person changed a setting."""
    if not len(changes):
        return []
    point = alt.Chart(changes).mark_point(
        filled=True, size=130, opacity=1, shape="diamond", clip=True, stroke=paper, strokeWidth=1.5
    )
    return [point.encode(x=horizontal, y=value, color=colour, **dimmed)]


def _hover(
    frame: pd.DataFrame,
    front: pd.DataFrame,
    back: pd.DataFrame,
    few: bool,
    x: Axis,
    horizontal: alt.X,
    value: alt.Y,
    over: alt.Parameter | None,
) -> list[alt.Chart]:
    """Draw a rule that follows the pointer, with a tooltip: of few runs all values there, else of the nearest run.

    over: the selection of the run whose line is nearest to the pointer, where the others are to be dimmed. The field
    names `run` and of the axis are those by which the page links two charts.
    """
    near = _nearest("near", x, empty=False)
    title = alt.Tooltip(f"{x}:Q", title=x, format="d" if x == "epoch" else ".1f")
    strongest = strongest_kind(list(dict.fromkeys(frame["kind"])))
    points = pd.concat([front, back])[lambda all_: all_["kind"] == strongest][["run", "label", x, "epoch", "smoothed"]]
    points = points.loc[:, ~points.columns.duplicated()]
    # field names with dots or brackets would be read as paths
    if few:
        wide, lines = hover_frame(frame, x)
        fields = {line: f"line{index}" for index, line in enumerate(lines)}
        wide = wide.rename(columns=fields)
        points = points.merge(wide, on=x)
        tooltip = [title, *(alt.Tooltip(f"{fields[line]}:N", title=line) for line in lines)]
    else:
        wide = frame[[x]].drop_duplicates()
        own = frame.pivot_table(index=["run", "epoch"], columns="kind", values="value", aggfunc="last", sort=False)
        fields = {kind: f"line{index}" for index, kind in enumerate(own.columns)}
        text = own.rename(columns=fields).map(lambda number: "–" if pd.isna(number) else f"{number:.4f}")
        points = points.merge(text.reset_index(), on=["run", "epoch"])
        tooltip = [alt.Tooltip("label:N", title="run"), title]
        tooltip += [alt.Tooltip(f"{field}:N", title=kind) for kind, field in fields.items()]
    rule = (
        alt.Chart(wide)
        .mark_rule(color=GREY, strokeWidth=1)
        .encode(x=horizontal, opacity=_faded(near, 0.9, 0.0), tooltip=tooltip if few else alt.Undefined)
    )
    if over is None:
        return [rule.add_params(near)]
    # points find the run near the pointer, so they take the pointer for both
    near_points = (
        alt.Chart(points).mark_point(opacity=0).encode(x=horizontal, y=value, tooltip=tooltip).add_params(near, over)
    )
    return [rule, near_points]


def _fixed(channel: Any, value: Any) -> Any:
    """Return a channel at a place in pixels; Altair takes far longer to find out the channel of a bare value."""
    return channel(value)


def _faded(near: alt.Parameter, chosen: float, other: float, *, empty: bool | None = None) -> alt.OpacityValue:
    """Return the opacity of the selected lines and of the others; Altair takes far longer to read a bare condition.

    empty: True if all lines count as selected while none is, False if none do; None keeps the selection's own setting.
    """
    options = {} if empty is None else {"empty": empty}
    condition = alt.condition(near, alt.value(chosen), alt.value(other), **options)["condition"]
    return alt.OpacityValue(other, condition=condition)


def _nearest(name: str, field: str, *, empty: bool) -> alt.Parameter:
    """Return the selection of the nearest point. empty: True if all is selected while there is no pointer."""
    return alt.selection_point(
        name=name, fields=[field], nearest=True, on="pointerover", empty=empty, clear="pointerout"
    )


def _wide(domain: tuple[float, float] | None) -> bool:
    """True if whole per cents distinguish the ticks of an accuracy axis."""
    return domain is None or domain[1] - domain[0] > 0.04


def described(frame: pd.DataFrame, metric: CurveMetric) -> str:
    """Return a description of the chart: for each run its last validation value and that of its best epoch."""
    parts = []
    for _, part in frame[frame["kind"] == "validation"].groupby("run", sort=False):
        last = part.iloc[-1]
        text = f"{last['label']}: {last['value']:.4f} at epoch {last['epoch']}, the last"
        best = part[part["best"]]
        if len(best):
            what = "lowest" if metric == "loss" else "at the lowest validation loss,"
            text += f"; {what} {best.iloc[0]['value']:.4f} at epoch {best.iloc[0]['epoch']}"
        parts.append(text)
    return f"Learning curves, {metric} by epoch. " + (
        "Validation " + metric + ": " + ". ".join(parts) + "." if parts else "No validation values are shown."
    )
