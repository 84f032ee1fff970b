"""Charts as Vega-Lite JSON, made once and sent many times.

Building a chart through Altair takes the server 20 to 200 ms, most of it checks against a schema, and sending one that
is built takes one. Here a chart is a function of `mnist_core.plots` and its arguments; its JSON is kept by their
content and by the theme (see `dashboard.cache`), and is the same for all sessions.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any, Literal

import altair as alt
import pandas as pd
import streamlit as st
from altair.utils import schemapi
from streamlit.dataframe_util import convert_anything_to_arrow_bytes

from dashboard import state, theme
from dashboard.cache import CACHE, key_of
from mnist_core.plots import style

Built = alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart

_COLLECTING: ContextVar[dict[str, bytes] | None] = ContextVar("collecting", default=None)
"""Destination of the data of the chart that this thread is building; None if they stay in the chart."""

_BUILDING = threading.Lock()

PADDING = {"left": 0, "top": 4, "right": 8, "bottom": 4}
"""Pixels around a chart: half of a last figure of an axis stands to the right of it. Streamlit would leave 20 below."""


def _transformed(data: Any, **options: Any) -> Any:
    """Return Altair's data transformer: the rows as Arrow, which is more compact than JSON, under a name by content."""
    collected = _COLLECTING.get()
    if collected is None or not isinstance(data, pd.DataFrame):
        return alt.default_data_transformer(data, **options)
    content = convert_anything_to_arrow_bytes(data)
    name = blake2b(content, digest_size=16).hexdigest()
    collected[name] = content
    return {"name": name}


# for the whole process and for good, as Altair's settings belong to no thread
alt.data_transformers.register("dashboard", _transformed)
alt.data_transformers.enable("dashboard")


class Drawing:
    """A chart that is not built yet.

    Parameters
    ----------
    function
        of `mnist_core.plots`; where it takes `dark`, that is the theme.
    arguments, options
        what it is called with.
    height
        in pixels, where the function does not say it.
    """

    def __init__(
        self, function: Callable[..., Built], *arguments: Any, height: int | None = None, **options: Any
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._options = options
        parameters = inspect.signature(function).parameters
        self._themed = "dark" in parameters
        self._height = height
        if height is not None and "height" in parameters:
            self._options = options | {"height": height}
            self._height = None

    def built(self, *, dark: bool = False) -> alt.TopLevelMixin:
        """Return the chart with the shared styles, for the screen or for white paper."""
        options = self._options | ({"dark": dark} if self._themed else {})
        chart = self._function(*self._arguments, **options)
        return style.styled(chart if self._height is None else chart.properties(height=self._height), dark=dark)

    def spec(self, *, dark: bool = False) -> dict[str, Any]:
        """Return the chart as Vega-Lite, its data sets as Arrow bytes; the caller's own, to be written into."""
        key = key_of(self._function, self._arguments, self._options, self._height, dark)
        text, data = CACHE.get(("spec", *key), lambda: _compiled(lambda: self.built(dark=dark)), _size)
        found: dict[str, Any] = json.loads(text)
        return found | {"datasets": dict(data)}

    def show(
        self,
        *,
        key: str,
        alt_text: str,
        width: int | Literal["content", "stretch"] = "stretch",
        height: int | Literal["content", "stretch"] = "content",
        on_select: Literal["ignore", "rerun"] | Callable[[], None] = "ignore",
    ) -> Any:
        """Draw it in the viewer's theme; parameters and result are those of `st.vega_lite_chart`."""
        spec = self.spec(dark=theme.is_dark())
        spec.setdefault("padding", PADDING)
        if state.presenting():
            spec = enlarged(spec)
        # of a chart with rows, only the height of its plot is known
        if height == "content" and "autosize" not in spec and isinstance(tall := spec.get("height"), int | float):
            height = round(tall)  # its room from the first moment: the code that draws it arrives later than the page
        return st.vega_lite_chart(spec, width=width, height=height, key=key, on_select=on_select, alt=alt_text)


ENLARGED = 1.75
"""How much larger charts are in presenter mode: text of 13 pixels has 23 then."""
_LARGER = frozenset({
    "fontSize", "labelFontSize", "titleFontSize", "strokeWidth", "symbolSize", "symbolStrokeWidth", "labelLimit",
    "limit", "dx", "dy", "minExtent", "maxExtent", "height", "offset", "size",
})  # fmt: skip
_TEXT = frozenset({"labelFontSize", "titleFontSize"})


def enlarged(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a chart whose text, lines and height are larger by `ENLARGED`; its data stay the same objects."""
    return {
        key: value if key in ("datasets", "data") else _enlarged(key, value) for key, value in spec.items()
    }  # fmt: skip


def _enlarged(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        if key in _TEXT and "expr" in value:  # which depends on the width of the screen
            return round(13 * ENLARGED)
        if key == "limit" and "expr" in value:
            return {"expr": f"({value['expr']}) * {ENLARGED}"}
        if key == "strokeWidth" and isinstance(value.get("scale", {}).get("range"), list):
            widths = [_enlarged(key, width) for width in value["scale"]["range"]]
            return value | {"scale": value["scale"] | {"range": widths}}
        return {name: each if name == "data" else _enlarged(name, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_enlarged("", each) for each in value]
    if key in _LARGER and isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * ENLARGED, 2)
    return value


Compiled = tuple[str, tuple[tuple[str, bytes], ...]]


def _compiled(build: Callable[[], alt.TopLevelMixin]) -> Compiled:
    """Return a chart as JSON, and its data sets by name."""
    data: dict[str, bytes] = {}
    token = _COLLECTING.set(data)
    try:
        # the tests of the charts check them against the schema; both are of the whole process, hence the lock
        with _BUILDING, schemapi.debug_mode(False), _shallow_copies():
            spec = build().to_dict(validate=False)
    finally:
        _COLLECTING.reset(token)
    view = spec.get("config", {}).get("view", {})
    for name in ("continuousWidth", "continuousHeight"):  # of Altair's own theme; the page decides
        view.pop(name, None)
    inline = spec.pop("datasets", {})
    data |= {name: convert_anything_to_arrow_bytes(pd.DataFrame(rows)) for name, rows in inline.items()}
    return json.dumps(spec, separators=(",", ":")), tuple(data.items())


@contextlib.contextmanager
def _shallow_copies() -> Iterator[None]:
    """Let Altair copy the outermost object only where it would copy all that is in it.

    It copies each layer six times over, and checks again that it fits: a fifth of the time that a chart takes. Nobody
    else has the parts of a chart that is just being built.
    """
    deep = schemapi.SchemaBase.copy
    schemapi.SchemaBase.copy = _shallow_copy  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        schemapi.SchemaBase.copy = deep  # type: ignore[method-assign]


def _shallow_copy(part: Any, deep: Any = True, ignore: Any = None) -> Any:
    """Return a copy of a part of a chart with the same content; lists of names in `deep` are copied one level more."""
    copy = object.__new__(type(part))
    object.__setattr__(copy, "_args", part._args)
    object.__setattr__(copy, "_kwds", dict(part._kwds))
    for name in [] if isinstance(deep, bool) else deep:
        copy[name] = schemapi._shallow_copy(copy._get(name))
    return copy


def _size(found: Compiled) -> int:
    text, data = found
    return len(text) + sum(len(content) for _, content in data)
