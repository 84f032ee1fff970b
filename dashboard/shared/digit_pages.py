"""A list of digits, page by page: the gallery or, without images, a table; and the one that is enlarged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import digit_dialog, panels
from dashboard.shared.explanations import explanations
from dashboard.shared.gallery import Item, gallery
from dashboard.shared.label_errors import badged, label_badges
from mnist_core.data.images import Pixels
from mnist_core.errors import DatasetError
from mnist_core.plots.probabilities import Opinion
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

NEVER = "There is no such digit: this never happened on the test images."
SIZES = (24, 60, 120, 200)


def page_size() -> int:
    """Return how many digits a page has, as the link says."""
    found = state.link_number("size", min(SIZES), max(SIZES))
    return found if found in SIZES else SIZES[0]


def size_box() -> None:
    """Draw the box that chooses how many digits are on a page."""
    state.widget("size", page_size())
    st.selectbox("Per page", SIZES, key="size", width=85, on_change=_size)


def sort_box(orders: Mapping[Any, str], order: str) -> None:
    """Draw the box that chooses the order of the digits: name in the link → its words."""
    state.widget("sort", order)
    st.selectbox("Sort", list(orders), format_func=orders.__getitem__, key="sort", width=200, on_change=_sort)


def _sort() -> None:
    state.set_link(sort=state.widget_value("sort"), page=None)


def _size() -> None:
    state.set_link(size=state.widget_value("size"), page=None)


def digit_pages(
    frame: pd.DataFrame,
    run: Run,
    *,
    items: Callable[[pd.DataFrame], Sequence[Item]],
    as_table: Callable[[pd.DataFrame], None],
    voters: Sequence[Run],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    chosen: ChosenEpoch = "kept",
    nothing: str = NEVER,
) -> None:
    """Draw one page of digits, the buttons to the other pages, and the enlarged digit that the link names.

    Parameters
    ----------
    frame
        all digits in their order; `index` is their place in the test set.
    run
        has predictions on the images that these digits are.
    items, as_table
        the gallery's buttons for a page, and how a page is drawn if there are no images.
    voters
        the runs whose predictions the enlarged digit shows; runs tested on other images are left out.
    labels, colours
        of the voters, by id.
    chosen
        the epoch whose predictions are shown.
    nothing
        the sentence where there are no digits.
    """
    predictions = resources.predictions(run, chosen)
    assert predictions is not None
    size = page_size()
    pages = max(1, -(-len(frame) // size))
    number = min(state.link_number("page", 1, 10**6) or 1, pages)
    shown = frame.iloc[(number - 1) * size : number * size]
    images = _images(run)
    if frame.empty:
        st.info(nothing, icon=":material/check:")
    elif images is None:
        as_table(shown)
    else:
        gallery(badged(items(shown), run), images, run.status.fingerprint, key="gallery", on_open=digit_dialog.show)
    _pager(number, pages, size, len(frame))
    wanted = state.link_text(digit_dialog.DIGIT)
    last = len(predictions.labels) - 1
    if wanted and state.link_number(digit_dialog.DIGIT, 0, last) is None:
        st.info(
            f"The link names the test image “{for_markdown(wanted[:20])}”, and there is none; they are counted from "
            f"0 to {last:,}.",
            icon=":material/link_off:",
        )
    elif wanted:
        heard = [item for item in voters if item.status.fingerprint == run.status.fingerprint]
        digit_dialog.digit_dialog(
            frame["index"].tolist(),
            predictions.labels,
            images,
            lambda index: [
                Opinion(
                    item.id,
                    labels[item.id],
                    colours[item.id],
                    found.probabilities[index],
                    names=run.classes,
                    guesses_only=found.guesses_only,
                )
                for item in heard
                if (found := resources.predictions(item, chosen)) is not None
            ],
            page_size=size,
            badges=label_badges(run),
            explain=lambda index: explanations(index, heard, labels, colours),
        )


def _images(run: Run) -> Pixels | None:
    """Return the run's test images; None, with the reason on the page, if they are not here."""
    try:
        return resources.test_images(run)
    except DatasetError as error:
        panels.no_images(error)
    return None


def _pager(number: int, pages: int, size: int, count: int) -> None:
    if pages == 1:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        for key, label, target, icon in (
            ("previous", "Previous page", number - 1, "chevron_left"),
            ("next", "Next page", number + 1, "chevron_right"),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"to_{key}",
                disabled=not 1 <= target <= pages,
                on_click=_to_page,
                args=(target,),
            )
        first = (number - 1) * size + 1
        st.caption(f"{first:,} to {min(number * size, count):,} of {count:,}")


def _to_page(number: int) -> None:
    state.set_link(page=state.page_number(number), digit=None)
