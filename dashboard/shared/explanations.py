"""Why the runs may have guessed so: the training digits that are most like an image, and the ink that decided."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import resources, state, theme
from dashboard.shared import panels
from dashboard.shared.gallery import png
from mnist_core.data.images import Pixels
from mnist_core.errors import DatasetError
from mnist_core.inspection.neighbours import Neighbours, nearest
from mnist_core.inspection.occlusion import PATCH, Occlusion, occlusion
from mnist_core.runs.recorded import NO_NETWORK
from mnist_core.runs.run import Run
from mnist_core.text import for_html, for_markdown

if TYPE_CHECKING:
    from mnist_core.inspection.numpy_network import Network

NEAREST = 8
SECTIONS = {"neighbours": "Nearest training digits", "pixels": "Which pixels decided"}
EXPLAIN = "explain"
"""The name in the URL, and the key, of what is explained."""
Off = Mapping[str, Mapping[int, Sequence[int]]]
"""Neurons that are switched off: by the id of a run, and the step of a layer (`Switchable`), counted from 0."""
Colour = tuple[int, int, int]
# for, against, undecided ink and paper; not colours that runs have
LIGHT: tuple[Colour, Colour, Colour, Colour] = (
    (0x8E, 0x1F, 0xA0),
    (0x1B, 0x85, 0x37),
    (0xC6, 0xCA, 0xD0),
    (255, 255, 255),
)
DARK: tuple[Colour, Colour, Colour, Colour] = (
    (0xE0, 0x8C, 0xF0),
    (0x5F, 0xD3, 0x7A),
    (0x55, 0x5C, 0x66),
    (0x14, 0x17, 0x1C),
)


def explanations(index: int, runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw the requested explanations of the test image `index`: nothing at first.

    Parameters
    ----------
    index
        of the test image.
    runs
        that were tested on it.
    labels, colours
        of these runs, by id.
    """
    chosen = choice()
    if chosen is None or not runs:
        return
    try:
        image, true = resources.test_images(runs[0])[index], int(resources.own_dataset(runs[0]).y_test[index])
        explain(chosen, image, true, runs, labels, colours)
    except DatasetError as error:
        panels.no_images(error)


def choice() -> str | None:
    """Draw the switch, and return which of SECTIONS is wanted; None at first."""
    wanted = state.link_text(EXPLAIN)
    chosen = wanted if wanted in SECTIONS else None
    state.widget(EXPLAIN, chosen)
    st.segmented_control(
        "Why these guesses?", list(SECTIONS), format_func=SECTIONS.__getitem__, key=EXPLAIN, on_change=_choose
    )
    return chosen


def explain(
    section: str,
    image: Pixels,
    true: int | None,
    runs: Sequence[Run],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    off: Off = MappingProxyType({}),
) -> None:
    """Draw one of SECTIONS for an image of shape (28, 28), of which `true` is the label, where it has one.

    off: which neurons of a run are switched off, by its id.

    All runs must be trained on the same data. Raises DatasetError where that is not on this machine.
    """
    if section == "neighbours":
        _neighbours(image, runs, labels, colours, off)
    else:
        _pixels(image, true, runs, labels, colours, off)


def _choose() -> None:
    state.set_link(**{EXPLAIN: state.widget_value(EXPLAIN)})


def _network(run: Run, off: Off) -> Network | None:
    found = resources.network(run)
    return found and found.without(off.get(run.id, {}))


def _neighbours(
    image: Pixels, runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str], off: Off
) -> None:
    data = resources.own_dataset(runs[0])
    st.caption(
        f"The {NEAREST} images of the training set that are most like this digit, with their labels and distances. A "
        "network learns from such examples: where the nearest carry another label, a wrong guess is no wonder.",
        help="Distances are Euclidean: the root of the summed squared differences. **By pixels** these are differences "
        "of brightness, each 0 to 1, so a digit that is shifted or slanted counts as far away. **By the last hidden "
        "layer** they are differences of what the network passes to its output layer: digits that are near each other "
        "there look alike to the network. Distances of two networks are on different scales.",
    )
    found = nearest(data.x_train, image, NEAREST)
    near = found._replace(distances=found.distances / 255)
    _strip("By pixels", None, near, data.x_train, data.y_train, "")
    for run in runs:
        with panels.errors_as_messages():
            hidden = resources.hidden_digits(run, off.get(run.id, {}))
            network = _network(run, off)
            if hidden is None or network is None:
                st.caption(for_markdown(no_weights(run, labels[run.id])))
                continue
            within = nearest(hidden.values, network.hidden(image[None])[0], NEAREST)
            among = len(hidden.indices)
            note = (
                "" if among == len(data.x_train) else f" Searched: {among:,} of {len(data.x_train):,} training images."
            )
            near = within._replace(indices=hidden.indices[within.indices])
            title = f"By the last hidden layer of {labels[run.id]}"
            _strip(title, colours[run.id], near, data.x_train, data.y_train, note)


def no_weights(run: Run, label: str) -> str:
    """Return why a run cannot be looked into."""
    if run.recorded:
        return f"There is no looking inside {label}: {NO_NETWORK}."
    return f"{label} has kept no weights, so there is no looking inside it; train it again, with weights kept."


def neighbour_sentence(labels: Sequence[int]) -> str:
    """Return how often each label occurs among the nearest, such as ``6 are labelled 9, 2 are labelled 4.``"""
    parts = [
        f"{times} {'is' if times == 1 else 'are'} labelled {digit}" for digit, times in Counter(labels).most_common()
    ]
    return ", ".join(parts) + "."


def _strip(
    title: str, colour: str | None, near: Neighbours, images: Pixels, labels: NDArray[np.uint8], note: str
) -> None:
    """Draw a row of neighbours under a title, with the colour of the run that finds them near."""
    shown = [int(labels[index]) for index in near.indices]
    paper = 0 if theme.is_dark() else 255  # chalk on a blackboard, or ink on paper
    figures = "".join(
        f"<figure style='margin:0;text-align:center'>"
        f"{picture(np.bitwise_xor(images[index], paper), 56, f'Training image {index}, a {label}')}"
        f"<figcaption style='line-height:1.25'><b>{label}</b><br><small style='opacity:.72'>{distance:.2f}</small>"
        "</figcaption></figure>"
        for index, label, distance in zip(near.indices, shown, near.distances, strict=True)
    )
    mark = _square(colour) if colour else ""
    st.html(
        f"<div style='margin-bottom:.3rem'>{mark}<b>{for_html(title)}</b>: {neighbour_sentence(shown)}{note}</div>"
        f"<div style='display:flex;flex-wrap:wrap;gap:10px'>{figures}</div>"
    )


def picture(pixels: NDArray[np.uint8], side: int, alt: str) -> str:
    """Return an `img` element of a grey (28, 28) or coloured (28, 28, 3) picture, `side` screen pixels wide."""
    data = base64.b64encode(png(pixels)).decode()
    return (
        f"<img src='data:image/png;base64,{data}' width='{side}' height='{side}' alt='{for_html(alt)}' "
        "style='image-rendering:pixelated;border-radius:3px'>"
    )


def _square(colour: str) -> str:
    return (
        f"<span style='display:inline-block;width:.8em;height:.8em;border-radius:2px;background:{colour};"
        "margin-right:.35em'></span>"
    )


def _pixels(
    image: Pixels,
    true: int | None,
    runs: Sequence[Run],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    off: Off,
) -> None:
    palette = DARK if theme.is_dark() else LIGHT
    speaks_for, against, *_ = (f"rgb{colour}" for colour in palette)
    st.html(
        f"<div>{_square(speaks_for)}this ink speaks for the network’s guess &emsp; "
        f"{_square(against)}this ink speaks against it &emsp; grey: it hardly matters</div>"
    )
    figures = []
    for run in runs:
        with panels.errors_as_messages():
            network = _network(run, off)
            if network is None:
                st.caption(for_markdown(no_weights(run, labels[run.id])))
                continue
            found = occlusion(network, image, true)
            figures.append(
                "<figure style='margin:0;width:224px'>"
                f"{picture(heat(image, found, palette), 224, f'Ink that decided for {labels[run.id]}')}"
                f"<figcaption>{_square(colours[run.id])}<b>{for_html(labels[run.id])}</b><br>"
                f"<small>{weighing(found, true)}</small></figcaption></figure>"
            )
    if figures:
        st.html(f"<div style='display:flex;flex-wrap:wrap;gap:24px'>{''.join(figures)}</div>")
    st.caption(
        f"A square of {PATCH}×{PATCH} pixels is wiped away at every place, and the network asked again (an occlusion "
        "map). Only ink that is there can be wiped away; what speaks by being absent is not seen.",
        help="What is measured is the odds of the guess against the other digit: the ratio of their probabilities. "
        "Where wiping lowers these odds, the ink speaks for the guess. A pixel’s colour is the mean, over all squares "
        "that cover it, of the change of the logarithm of the odds. Each picture has a scale of its own: full colour "
        "is its strongest pixel. After Zeiler and Fergus (2014).",
    )


def heat(image: Pixels, found: Occlusion, palette: tuple[Colour, Colour, Colour, Colour]) -> NDArray[np.uint8]:
    """Return the image, shape (28, 28, 3), its ink coloured by the guess it supports; the strongest pixel in full
    colour.
    """
    speaks_for, against, undecided, paper = (np.array(colour, float) for colour in palette)
    strength = (np.abs(found.weight) / max(np.abs(found.weight).max(), 1e-12))[..., None]
    hue = np.where(found.weight[..., None] > 0, speaks_for, against)
    ink = (image / 255.0)[..., None]
    shades: NDArray[np.float64] = np.rint(paper + ink * (undecided + strength * (hue - undecided) - paper))
    return shades.astype(np.uint8)


def weighing(found: Occlusion, true: int | None) -> str:
    """Return which two digits are compared, and the largest effect of the ink, as a sentence."""
    if true is None:
        text = f"Guess {found.top}, weighed against {found.rival}, its second choice."
    elif found.top == true:
        text = f"Rightly {found.top}, weighed against {found.rival}, its second choice."
    else:
        text = f"Guess {found.top}, weighed against {found.rival}, the label."
    strongest = float(found.weight.max())
    if strongest <= 0:
        return f"{text} No ink speaks for {found.top}: it is what is left when nothing else fits."
    return f"{text} Without the strongest ink, the odds of {found.top} fall {times(strongest)}."


def times(log_ratio: float) -> str:
    """Return a fall of odds from its natural logarithm, such as ``to 1/120 of what they were``, to two digits."""
    ratio = math.exp(min(log_ratio, 50.0))
    if ratio >= 1e6:
        return "to less than a millionth of what they were"
    rounded = float(f"{ratio:.2g}")
    return f"to 1/{rounded:,.0f} of what they were" if rounded >= 10 else f"to 1/{rounded:.1f} of what they were"
