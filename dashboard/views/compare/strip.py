"""A few digits that only one of two runs gets right; each leads to Disagreements, where all of them are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.cache import cached
from dashboard.shared.gallery import Item, gallery, vote_items
from mnist_core.comparison.disagreements import one_right
from mnist_core.errors import DatasetError
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

MOST = 6
OPENED = "strip_opened"


def strip(
    pair: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str], chosen: ChosenEpoch, ids: Sequence[str]
) -> None:
    """Draw the digits.

    Parameters
    ----------
    pair
        the baseline, and a run that was tested on the same images.
    labels, colours
        of the runs, by id.
    chosen
        the epoch whose weights have their say.
    ids
        of all chosen runs, for the link to Disagreements.
    """
    groups = one_right_gallery(
        pair,
        labels,
        colours,
        chosen,
        MOST,
        key="strip_digits",
        title=":small[Digits that only one of the two gets right, the right guess in bold; press one for all]",
        on_open=lambda index: state.fill({OPENED: index}),
        small=True,
    )
    opened = state.widget_value(OPENED)
    if opened is not None:
        state.fill({OPENED: None})
        query = {"runs": ",".join(ids), "group": groups.get(opened), "digit": opened}
        st.switch_page(
            "views/disagreements/page.py",
            query_params={name: str(value) for name, value in query.items() if value is not None},
        )


def one_right_gallery(
    pair: Sequence[Run],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    chosen: ChosenEpoch,
    most: int,
    *,
    key: str,
    on_open: Callable[[int], None],
    title: str = "",
    small: bool = False,
) -> dict[int, str]:
    """Draw digits that only one of two runs gets right, and return the group of each by its index; none without images.

    Parameters
    ----------
    pair, labels, colours, chosen
        as of `strip`.
    most
        so many digits are shown.
    key, on_open, small
        as of `gallery`; small pictures have the two guesses alone, without the true digit.
    title
        above the digits.
    """
    found = cached(one_right, resources.votes(list(pair), chosen), most)
    if found.empty:
        st.caption("Both are right, or both are wrong, on each of the test images.")
        return {}
    try:
        images = resources.test_images(pair[0])
    except DatasetError:  # the page Disagreements says which, and what to do
        st.page_link(
            "views/disagreements/page.py",
            label="Digits that only one of the two gets right",
            icon=":material/call_split:",
        )
        return {}
    if title:
        st.markdown(title)
    items = cached(_items, found, [labels[run.id] for run in pair], [colours[run.id] for run in pair], truth=not small)
    gallery(items, images, pair[0].status.fingerprint, key=key, on_open=on_open, small=small)
    return dict(zip(found["index"].tolist(), found["group"].tolist(), strict=True))


def _items(found: pd.DataFrame, labels: Sequence[str], colours: Sequence[str], *, truth: bool) -> list[Item]:
    """Return the buttons: the two guesses without their confidence, which would be too small to be read."""
    items = vote_items(found, labels, colours)
    for item in items:
        if not truth:
            item["guess"] = ""
        for vote in item["votes"]:
            vote["sure"] = ""
    return items
