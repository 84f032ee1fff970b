"""A gallery of digits: one sheet of pictures, and a real button for each digit (a components-v2 component)."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import NotRequired, TypedDict

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import state, theme
from dashboard.cache import CACHE
from dashboard.shared.component_files import COMPONENTS_CSS, ELEMENTS_JS, SHEET_JS, files_of
from mnist_core.data.images import Pixels, sprite
from mnist_core.runs.recorded import DIGITS

SHEET_COLUMNS = 20
"""Digits to a row of the sheet; the screen arranges them by its width."""

_file = files_of(__file__)
_COMPONENT = st.components.v2.component(
    "digit_gallery",
    html='<div class="gallery" role="group" aria-label="Digits; arrow keys go through them, Enter enlarges one"></div>',
    css=COMPONENTS_CSS + _file("gallery.css"),
    js=ELEMENTS_JS + SHEET_JS + _file("gallery.js"),
)


def gallery(
    items: Sequence[Item],
    images: Pixels,
    fingerprint: str,
    *,
    key: str,
    on_open: Callable[[int], None],
    small: bool = False,
) -> None:
    """Draw digits with their text below; `on_open` is called with the index of a digit that is pressed.

    Parameters
    ----------
    items
        the digits in their order.
    images
        all test images, shape (n, 28, 28).
    fingerprint
        of the dataset that the images belong to: with the indices, the key of the cached sheet.
    key
        of the widget.
    on_open
        called before the rerun that a press causes.
    small
        draw the digits at twice their size rather than three times.
    """

    def opened() -> None:
        event = state.widget_value(key)
        if event and event.get("opened") is not None:
            on_open(int(event["opened"]))

    indices = tuple(item["index"] for item in items)
    _COMPONENT(
        key=key,
        data={
            "sheet": sheet(fingerprint, indices, images),
            "columns": SHEET_COLUMNS,
            "items": list(items),
            "small": small,
        },
        on_opened_change=opened,
    )


class Item(TypedDict):
    """The text of one button. guess: the large line. sure: the small one. description: for a screen reader, and
    hovering.

    votes: the guesses of several runs, in their order. badge: a mark in the corner of the picture.
    """

    index: int
    guess: str
    sure: str
    description: str
    votes: NotRequired[list[Vote]]
    badge: NotRequired[str]


class Vote(TypedDict):
    """The guess of one run: its colour, the digit, whether that is right, and the confidence where there is room."""

    colour: str
    guess: str
    right: bool
    sure: str


def items(frame: pd.DataFrame, names: Sequence[str] = DIGITS) -> list[Item]:
    """Return the buttons for one run's guesses: true → guessed, and the confidence.

    Parameters
    ----------
    frame
        columns as in `mnist_core.evaluation.mistakes.prediction_frame`.
    names
        of the classes, in the order of their numbers.
    """
    true_names, guess_names = ([names[number] for number in frame[column]] for column in ("true", "guess"))
    rows = zip(frame["index"], true_names, guess_names, frame["confidence"], strict=True)
    return [
        {
            "index": int(index),
            "guess": str(guess) if true == guess else f"{true} → {guess}",
            "sure": confidence_text(sure),
            "description": f"Test image {index}: true digit {true}, guessed {guess}, "
            f"confidence {confidence_text(sure)}",
        }
        for index, true, guess, sure in rows
    ]


def vote_items(
    frame: pd.DataFrame, labels: Sequence[str], colours: Sequence[str], names: Sequence[str] = DIGITS
) -> list[Item]:
    """Return the buttons for several runs' guesses: the true digit, then each run's guess in its colour.

    Parameters
    ----------
    frame
        columns as in `mnist_core.comparison.disagreements.votes`.
    labels, colours
        of the runs, in their order. With more than two there is room for the guesses only.
    names
        of the classes, in the order of their numbers.
    """
    runs = range(len(labels))
    pairs = [(frame[f"guess_{run}"].tolist(), frame[f"confidence_{run}"].tolist()) for run in runs]
    found: list[Item] = []
    for place, (index, true) in enumerate(zip(frame["index"].tolist(), frame["true"].tolist(), strict=True)):
        each = [(names[guess[place]], confidence_text(sure[place])) for guess, sure in pairs]
        written = names[true]
        spoken = "; ".join(f"{label} guesses {each[run][0]} at {each[run][1]}" for run, label in enumerate(labels))
        found.append(
            {
                "index": index,
                "guess": f"a {written}" if written in DIGITS else written,
                "sure": "",
                "description": f"Test image {index}: true digit {written}; {spoken}",
                "votes": [
                    {
                        "colour": colours[run],
                        "guess": each[run][0],
                        "right": each[run][0] == written,
                        "sure": each[run][1] if len(labels) == 2 else "",
                    }
                    for run in runs
                ],
            }
        )
    return found


def confidence_text(sure: float) -> str:
    """Return a confidence in per cent, such as ``97.1 %``; never rounded up to a certainty that no network has.

    Of a model that gives its guesses only, it is a dash.
    """
    if sure != sure:
        return "–"
    return "> 99.9 %" if sure >= 0.9995 else f"{100 * sure:.1f} %"


def sheet(fingerprint: str, indices: Sequence[int], images: Pixels) -> str:
    """Return the images at these indices on one sheet, `SHEET_COLUMNS` to a row, as PNG in base64; drawn once."""
    places = np.asarray(indices, np.int64)
    drawn: str = CACHE.get(
        ("sheet", fingerprint, places.tobytes()),
        lambda: base64.b64encode(png(sprite(images[places], SHEET_COLUMNS))).decode(),
        len,
    )
    return drawn


def in_theme(digits: Pixels, scale: int = 1) -> Pixels:
    """Return grey digits, enlarged: white on black in the dark theme, black on white in the light one."""
    shown: Pixels = (digits if theme.is_dark() else 255 - digits).repeat(scale, 0).repeat(scale, 1)
    return shown


def png(pixels: Pixels) -> bytes:
    """Return a grey picture as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
