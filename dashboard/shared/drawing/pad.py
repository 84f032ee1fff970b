"""The pad to draw on, with the answers of the runs next to it (a components-v2 component)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from dashboard import state
from dashboard.shared.component_files import COMPONENTS_CSS, ELEMENTS_JS, files_of
from mnist_core.data.drawings import EditTable, decoded
from mnist_core.data.images import Pixels

KEY = "pad"
LAST = "draw:last"
"""Session key of the drawing, so that it is still there after a visit to another page."""
FRESH = "draw:fresh"
"""True in the first run of the fragment after the whole page ran: the pad may be new, and empty."""

_file = files_of(__file__)
DIGITS_JS = _file("digits.js")
_PAD = st.components.v2.component(
    "digit_pad",
    html=_file("pad.html"),
    css=COMPONENTS_CSS + _file("pad.css"),
    js=ELEMENTS_JS + DIGITS_JS + _file("pad.js"),
)
_WEIGHTS = st.components.v2.component(
    "digit_network",
    html='<div class="weights"></div>',
    js=DIGITS_JS + _file("weights.js"),
)


class PadDrawing(NamedTuple):
    """The drawing on the pad. stamp: changes with every stroke. ink: uint8 of shape (112, 112)."""

    stamp: str
    ink: Pixels


class Card(NamedTuple):
    """A run on the pad.

    network: of its weights in the page; empty where there are none. off: neurons that are switched off, by step.
    off_words: the same as text.
    answer: ten probabilities; None for a blank pad. other: the same with the digit placed the other way.
    """

    id: str
    label: str
    colour: str
    network: str
    off: Mapping[int, Sequence[int]]
    off_words: str
    answer: Sequence[float] | None
    other: Sequence[float] | None


def current() -> PadDrawing | None:
    """Return the drawing of this session; None before there is one. Raise DrawingError where it is damaged."""
    last = state.widget_value(LAST)
    if not isinstance(last, dict) or "stamp" not in last or "ink" not in last:
        return None
    return PadDrawing(str(last["stamp"]), decoded(last["ink"]))


def put(stamp: str, ink: str) -> None:
    """Put a drawing, in the form of `encoded`, on the pad from here, in place of what is there."""
    state.fill({LAST: {"stamp": stamp, "ink": ink, "put": True}})


def pad(
    cards: Sequence[Card], stamp: str, *, centred: bool, table: EditTable | None, large: bool, few_tools: bool
) -> None:
    """Draw the pad.

    Parameters
    ----------
    cards
        the runs, with their answers to the drawing.
    stamp
        of that drawing; empty where there is none.
    centred
        whether the digit is put into the box and the middle, as in MNIST.
    table
        how the picture is changed after that; None: not at all.
    large
        whether all of it is to be read from the last row of a class.
    few_tools
        whether a pen and Clear are the only tools.
    """

    def drawn() -> None:
        event: Any = state.widget_value(KEY)
        found = event.get("drawing") if event else None
        if isinstance(found, dict):
            state.fill({LAST: {"stamp": found.get("stamp"), "ink": found.get("ink")}})

    last: Any = state.widget_value(LAST)
    fresh = bool(state.widget_value(FRESH))
    state.fill({FRESH: False})
    load = last if last and (fresh or last.get("put")) else None
    _PAD(
        key=KEY,
        data={
            "runs": [
                {
                    "id": card.id,
                    "label": card.label,
                    "colour": card.colour,
                    "network": card.network,
                    "off": card.off,
                    "off_words": card.off_words,
                }
                for card in cards
            ],
            "stamp": stamp,
            "answers": {card.id: card.answer for card in cards if card.answer is not None},
            "others": {card.id: card.other for card in cards if card.other is not None},
            "otherwise": "not centred:" if centred else "centred as in MNIST:",
            "centred": centred,
            "table": table and {name: values.ravel().tolist() for name, values in table._asdict().items()},
            "load": load,
            "large": large,
            "few_tools": few_tools,
        },
        on_drawing_change=drawn,
    )


def weights(network: str, content: bytes) -> None:
    """Send the weights of a dense network to the page; the browser keeps them, and gets them once."""
    _WEIGHTS(key=f"weights_{network}", data=content, height=1)
