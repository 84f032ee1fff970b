"""A network as a small picture of its units, with those crossed out that dropout leaves out: configuration → SVG.

A layer is a column of circles (units) or squares (maps of a convolution). A wide layer shows a part of its units, and
says how many it has. The picture is a string of SVG, so that a slider can redraw it at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape

import numpy as np

from mnist_core.experiments.configs import ModelConfig

MOST_UNITS = 10
"""More circles than this in one column are too small to see from the back of a classroom."""
WIDTH, HEIGHT = 460, 170
TOP, BOTTOM = 6, 42
RADIUS = 5


@dataclass(frozen=True)
class LayerColumn:
    """One layer as it is drawn.

    units: how many it has. shown: how many are drawn. dropped: how many of those are crossed out. what: the
    plural of what they are. squares: True for maps of pixels. names: written next to each.
    """

    units: int
    shown: int
    dropped: int
    what: str
    squares: bool = False
    names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The text below it, such as ``64 units``."""
        return f"{self.units} {self.what}"


def network_columns(model: ModelConfig) -> list[LayerColumn]:
    """Return the columns of the picture: the pixels, the layers that have outputs of their own, the ten digits."""
    columns = [LayerColumn(784, MOST_UNITS, 0, "pixels")]
    for row, part in model.parts():
        if row.layer is None:
            continue
        if part.keras.seeded == "dropout":
            before = columns[-1]
            dropped = round(model.layers[row.layer].dropout_rate * before.shown)
            columns[-1] = replace(before, dropped=dropped)
        elif part.keras.seeded == "kernel":
            count = row.output_shape[-1]
            squares = len(row.output_shape) == 3
            columns.append(LayerColumn(count, min(count, MOST_UNITS), 0, "maps" if squares else "units", squares))
    digits = tuple(str(digit) for digit in range(10))
    return [*columns, LayerColumn(10, 10, 0, "digits", names=digits)]


def network_svg(model: ModelConfig, *, dark: bool = False) -> str:
    """Return the picture as SVG, `WIDTH` × `HEIGHT`.

    Which units are crossed out is drawn at random, always the same ones, so that a higher dropout crosses out more of
    them and no others.
    """
    ink, line, unit, gone = ("#E8EAED", "#7B838E", "#3D9BDC", "#EB7A2E") if dark else (
        "#31333F", "#9AA1AB", "#0072B2", "#C24E00"
    )  # fmt: skip
    columns = network_columns(model)
    gap = (WIDTH - 80) / max(1, len(columns) - 1)
    placed = [(36 + number * gap, column, _heights(column.shown)) for number, column in enumerate(columns)]
    off = [_crossed_out(number, column) for number, column in enumerate(columns)]
    parts = []
    for number in range(len(placed) - 1):
        (x, _, ys), (next_x, _, next_ys) = placed[number : number + 2]
        strokes = [
            f"M{x:.1f} {y:.1f}L{next_x:.1f} {next_y:.1f}"
            for index, y in enumerate(ys)
            for other, next_y in enumerate(next_ys)
            if index not in off[number] and other not in off[number + 1]
        ]
        parts.append(f'<path d="{"".join(strokes)}" stroke="{line}" stroke-width="0.6" opacity="0.35" fill="none"/>')
    for number, (x, column, ys) in enumerate(placed):
        for index, y in enumerate(ys):
            parts.append(_unit(x, y, column.squares, unit, gone, crossed=index in off[number]))
            if column.names:
                parts.append(_text(x + 11, y + 4.5, column.names[index], ink, size=13, anchor="start"))
        if column.shown < column.units:
            parts.append(_text(x, HEIGHT - BOTTOM + 3, "⋮", ink, size=14))
        parts += [
            _text(x, HEIGHT - 19, f"{column.units:,}", ink, size=13),
            _text(x, HEIGHT - 4, column.what, ink, size=13),
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif">{"".join(parts)}</svg>'
    )


def network_words(model: ModelConfig) -> str:
    """Return what the picture shows, in words, for who cannot see it."""
    return "A network: " + ", then ".join(
        column.label + (f" ({column.dropped} of {column.shown} drawn ones crossed out)" if column.dropped else "")
        for column in network_columns(model)
    )


def _heights(count: int) -> list[float]:
    room = HEIGHT - TOP - BOTTOM - 12
    step = min(room / max(1, count - 1), 18.0) if count > 1 else 0.0
    middle = TOP + room / 2
    return [middle + step * (index - (count - 1) / 2) for index in range(count)]


def _crossed_out(number: int, column: LayerColumn) -> set[int]:
    order = np.random.default_rng(number).permutation(column.shown)
    return set(order[: column.dropped].tolist())


def _unit(x: float, y: float, square: bool, colour: str, gone: str, *, crossed: bool) -> str:
    if crossed:
        r = RADIUS - 1
        return (
            f'<path class="dropped" d="M{x - r:.1f} {y - r:.1f}l{2 * r:.1f} {2 * r:.1f}m0 {-2 * r:.1f}l{-2 * r:.1f} '
            f'{2 * r:.1f}" stroke="{gone}" stroke-width="2" fill="none"/>'
        )
    if square:
        side = 2 * RADIUS - 1
        return (
            f'<rect class="unit" x="{x - RADIUS:.1f}" y="{y - RADIUS:.1f}" width="{side}" height="{side}" '
            f'fill="{colour}"/>'
        )
    return f'<circle class="unit" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, ink: str, *, size: int, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
