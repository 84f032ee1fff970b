"""One digit, enlarged: its picture, and what every chosen run thinks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.gallery import confidence_text, in_theme, png
from mnist_core.data.images import Pixels
from mnist_core.plots import style
from mnist_core.plots.probabilities import Opinion, probability_chart, probability_frame
from mnist_core.runs.recorded import DIGITS
from mnist_core.text import for_html

ENLARGED = 10
"""Screen pixels to one pixel of the image."""
DIGIT = "digit"
"""The name in the URL of the enlarged image's index."""


def close() -> None:
    """Close the enlarged digit, here and in the link."""
    state.set_link(**{DIGIT: None})


def show(index: int) -> None:
    """Enlarge the test image `index`, here and in the link."""
    state.set_link(**{DIGIT: index})


def _go_to(index: int, page: int) -> None:
    """Enlarge the test image `index`, and turn the gallery behind it to its page."""
    state.set_link(**{DIGIT: index, "page": state.page_number(page)})


@st.dialog("Enlarged digit", width="large", icon=":material/zoom_in:", on_dismiss=close)
def digit_dialog(
    order: Sequence[int],
    labels: NDArray[np.uint8],
    images: Pixels | None,
    opinions: Callable[[int], list[Opinion]],
    *,
    page_size: int,
    badges: Mapping[int, str],
    explain: Callable[[int], None],
) -> None:
    """Draw the digit that the link names, with buttons to its neighbours.

    Parameters
    ----------
    order
        indices of the digits in the gallery's order, all pages.
    labels
        true digits of all test images, shape (n,).
    images
        all test images, shape (n, 28, 28); None where they are not on this machine.
    opinions
        index → what the runs say of that image.
    page_size
        digits to a page of the gallery, which follows the enlarged one.
    badges
        index → what is known of that image's label; most have none.
    explain
        index → draws why the runs may guess so.
    """
    index = state.link_number(DIGIT, 0, len(labels) - 1)
    if index is None:
        return
    answers, true = opinions(index), int(labels[index])
    picture, guesses = st.columns([2, 3], gap="medium")
    with picture:
        if images is None:
            st.info("Its picture is not on this machine.", icon=":material/hide_image:")
        else:
            st.image(
                png(in_theme(images[index], ENLARGED)),
                width=28 * ENLARGED,
                output_format="PNG",
                alt=described(answers, true),
            )
        st.caption(f"Test image {index:,}, counted from 0")
        if index in badges:
            st.info(badges[index], icon=":material/label_off:")
    with guesses:
        st.html(verdict(answers, true))
        names = answers[0].names if answers else DIGITS
        with_probabilities = [item for item in answers if not item.guesses_only]
        frame = probability_frame(with_probabilities, true)
        if with_probabilities:
            Drawing(probability_chart, frame, with_probabilities).show(
                key="digit_probabilities",
                alt_text=f"Bars: the probability that each run gives to each class; the true one is {names[true]}.",
            )
            st.caption(
                f"A network gives each of the {'ten digits' if names == DIGITS else f'{len(names)} classes'} a "
                "probability; together they make 100 %. The largest is its guess."
            )
        if len(with_probabilities) < len(answers):
            st.caption("A run that was recorded with its guesses only gives no probabilities.")
    _neighbours(list(order), index, page_size)
    explain(index)
    if not with_probabilities:
        return
    panels.data_and_downloads(
        frame,
        Drawing(
            probability_chart,
            frame,
            [replace(item, colour=style.on_paper(item.colour)) for item in with_probabilities],
            named=True,
        ),
        shown=frame.pivot(index="digit", columns="label", values="probability").reset_index(),
        key="digit",
        filename=f"digit-{index}",
        column_config={item.label: st.column_config.NumberColumn(format="%.2f %%") for item in with_probabilities},
    )


def _neighbours(order: list[int], index: int, page_size: int) -> None:
    """Draw buttons to the digits before and after it in the gallery."""
    place = order.index(index) if index in order else None
    before = place - 1 if place else None
    after = place + 1 if place is not None and place + 1 < len(order) else None
    with st.container(horizontal=True, vertical_alignment="center", key="digit_neighbours"):
        for label, target, shortcut in (("Previous", before, "Left"), ("Next", after, "Right")):
            st.button(
                label,
                key=f"digit_{label.lower()}",
                shortcut=shortcut,
                disabled=target is None,
                on_click=_go_to,
                args=(order[target], target // page_size + 1) if target is not None else None,
            )
        if place is not None:
            st.caption(f"{place + 1:,} of {len(order):,}")


def described(opinions: Sequence[Opinion], true: int) -> str:
    """Return the enlarged picture in words, such as ``a 4, guessed 9 by model_1 and 4 by model_2``."""
    names = opinions[0].names if opinions else DIGITS
    guesses = [f"{names[int(item.probabilities.argmax())]} by {item.label}" for item in opinions]
    what = f"a {names[true]}" if names == DIGITS else names[true]
    return what + (f", guessed {' and '.join(guesses)}" if guesses else "")


def verdict(opinions: Sequence[Opinion], true: int) -> str:
    """Return HTML: the true digit, and each run's guess next to its colour; it is also the legend of the bars."""
    names = opinions[0].names if opinions else DIGITS
    word = "digit" if names == DIGITS else "class"
    lines = [f"<div class='verdict-true'>True {word}: <b>{for_html(names[true])}</b></div>"]
    for opinion in opinions:
        guess = int(opinion.probabilities.argmax())
        sure = "" if opinion.guesses_only else f" at {confidence_text(float(opinion.probabilities[guess]))}"
        right = "right" if guess == true else "wrong"
        lines.append(
            f"<div>{panels.swatch(opinion.label, opinion.colour)} guesses "
            f"<b>{for_html(names[guess])}</b>{sure} ({right})</div>"
        )
    return "<div style='line-height:1.7'>" + "".join(lines) + "</div>"
