"""Digits of other origin as an exam: another data set of this machine, or digits that people drew here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.exam_scores import exam_scores
from dashboard.shared.gallery import in_theme, png
from mnist_core.data.images import Pixels, sprite
from mnist_core.errors import DatasetError
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown

DIGITS = "digits"  # the key, and the name in the URL, of the chosen digits
DRAWN = "drawn here"  # with a space, which no name of a data set has
SHOWN = 20


def other_digits(runs: Sequence[Run], labels: Mapping[str, str]) -> None:
    """Draw the choice of other digits, and how the runs do on them. The runs were trained on the same data."""
    panels.heading(
        "Digits of other origin",
        "The test images of another data set, or digits that people drew on the page Draw.",
        help="Register an .npz file on the page Data, such as QMNIST or a part of MNIST-C. Images that a run was "
        "trained on are no exam for it: QMNIST and MNIST-C are made from the same writers' digits as MNIST.",
    )
    choices = [name for name in resources.store().catalog.names() if name != runs[0].dataset]
    choices = [name for name in choices if resources.store().catalog.available(name)]
    if resources.kept().digits:
        choices.append(DRAWN)
    given = state.link_text(DIGITS)
    state.widget(DIGITS, given if given in choices else None)
    chosen = st.selectbox(
        "Digits",
        choices,
        index=None,
        format_func=lambda name: "digits drawn here" if name == DRAWN else data_name(name),
        placeholder="Choose the digits of the exam",
        key=DIGITS,
        width=320,
        on_change=lambda: state.set_link(**{DIGITS: state.widget_value(DIGITS)}),
    )
    if not chosen:
        return
    try:
        images, answers, fingerprint = _read(chosen)
    except DatasetError as error:
        st.error(panels.markdown_sentence(error), icon=":material/error:")
        return
    if fingerprint == runs[0].status.fingerprint:
        st.caption("These are the very images that the runs were trained and tested on, under another name.")
        return
    _results(runs, labels, chosen, images, answers, fingerprint)


def _read(name: str) -> tuple[Pixels, NDArray[np.uint8], str]:
    """Return images, labels and what names their content; raise what `Catalog.load` raises."""
    if name == DRAWN:
        found = resources.kept()
        return found.images, found.labels, f"drawn {resources.kept_version()}"
    data = resources.dataset(name)
    return data.x_test, data.y_test, data.fingerprint


def _results(
    runs: Sequence[Run],
    labels: Mapping[str, str],
    name: str,
    images: Pixels,
    answers: NDArray[np.uint8],
    fingerprint: str,
) -> None:
    results = resources.sat_elsewhere(runs, images, answers, fingerprint)
    exam_scores(results, labels, key="other_digits", filename=f"exam-{name}")
    used = next(iter(results.values())).images
    few = f" Of its {len(answers):,} test images, {used:,} at equal distances are used." if used < len(answers) else ""
    if name != DRAWN:
        st.caption(f"The fingerprint of {for_markdown(data_name(name))}, a hash of its content, is {fingerprint}.{few}")
    sheet = sprite(images[np.arange(min(SHOWN, len(images))) * len(images) // min(SHOWN, len(images))], SHOWN // 2)
    st.image(
        png(in_theme(sheet, 2)),
        alt=f"{min(SHOWN, len(images))} digits of the exam",
        output_format="PNG",
        width=560,
    )
