"""The layers of the network that the Train page is to train.

A dense network has a row of sliders a layer, for use in front of a class. A convolutional one has more to set than fits
a row, so that its layers are a list, and each opens to be set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import state
from dashboard.shared import panels
from dashboard.views.train import draft
from dashboard.views.train.draft import layer_key
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.fields import Bounds
from mnist_core.experiments.layers import ACTIVATIONS
from mnist_core.plots import style

OPEN = "train_open"
"""Which layer of a convolutional network is open, from 0."""
Read = Callable[[], dict[str, Any]]
"""What all widgets of the form hold, as they are at the moment."""

KIND_NAMES = {
    "dense": "Dense layer",
    "conv": "Convolution",
    "pool": "Pooling",
    "flatten": "Flatten",
    "global_average": "Global average",
}
KIND_HELP = {
    "dense": "Each of its units is connected to everything that the layer before gives on.",
    "conv": "Small windows of weights slide over the picture; each gives a map of where it finds its pattern.",
    "pool": "Puts one pixel in the place of each tile of pixels: what remains is smaller, and cares less where.",
    "flatten": "Puts all pixels of all maps in a row, for the dense layers. There is nothing to set.",
    "global_average": "Keeps of each map only the mean of its pixels. There is nothing to set.",
}
HELP = {
    "dropout": "The share of the layer's outputs that is switched off at random at each training step. It keeps the "
    "network from relying on single neurons, and so from learning the training images by heart (overfitting). "
    "0 is no dropout.",
    "units": "Neurons in the layer. More of them can learn finer differences, cost more time, and overfit sooner.",
    "activation": "The function that bends each neuron's output. Without it, several layers are no better than one.",
    "l2": "A penalty on large weights, added to the loss. It is another way to hold overfitting down. 0 is none.",
    "filters": "How many patterns the layer looks for; each gives one map.",
    "kernel": "The side of the sliding window, in pixels.",
    "padding": "At the border: with zeros around the picture the maps are as large as what came in; without, they "
    "shrink by the kernel less one.",
    "batch_norm": "Brings each map to mean 0 and spread 1 over the images of a batch, before the activation. Training "
    "becomes steadier; each map gets four more parameters.",
    "pooling": "Which value stands for a tile: its largest or its mean.",
    "size": "The side of a tile, in pixels.",
    "add": "One more layer, a copy of the last of its kind. A dense layer comes last, the others after the last layer "
    "that works on pixels.",
}  # fmt: skip


def layer_form(read: Read, base: RunConfig) -> None:
    """Draw the layers.

    Parameters
    ----------
    read
        what the widgets hold; asked again at each click.
    base
        what the form was filled from: its values are on the sliders even where they are no round steps.
    """
    layers = draft.layers_in(read())
    if all(layer["kind"] == "dense" for layer in layers):
        for index in range(len(layers)):
            _dense_row(index, layers, read, base)
    else:
        _network(layers, read, base)


def add_menu(read: Read) -> None:
    """The button that adds a layer."""
    kinds = draft.addable(draft.layers_in(read()))

    def added() -> None:
        kind = str(state.widget_value("train_add") or "dense")
        state.fill(draft.with_layer_added(read(), kind))

    st.menu_button(
        "Layer",
        kinds or ["dense"],
        format_func=KIND_NAMES.__getitem__,
        icon=":material/add:",
        type="tertiary",
        key="train_add",
        help=HELP["add"] if kinds else f"A network may have at most {draft.LAYERS.maximum} layers.",
        disabled=not kinds,
        on_click=added,
    )


# -- dense -------------------------------------------------------------------------------------------------------------


def _dense_row(index: int, layers: list[dict[str, Any]], read: Read, base: RunConfig) -> None:
    dropout, units, more = st.columns([5, 5, 3], gap="medium", vertical_alignment="center")
    with dropout:
        _dropout(index, base, label=f"Layer {index + 1}: dropout", explained=index == 0)
    with units:
        _units(index, base, explained=index == 0)
    l2 = layers[index]["l2"]
    label = f"{layers[index]['activation']}{f', L2 {draft.scientific(l2)}' if l2 else ''}"
    menu = more.popover(
        label, type="tertiary", key=f"train_more_{index}", on_change="rerun",
        help="Activation, L2 penalty, remove the layer",
    )  # fmt: skip
    if menu.open:  # else not drawn: see _network
        with menu:
            _activation(index)
            _l2(index, base)
            if len(layers) > 1:
                _remove(index, read)


# -- convolutional -----------------------------------------------------------------------------------------------------


def _network(layers: list[dict[str, Any]], read: Read, base: RunConfig) -> None:
    panels.heading(
        "Layers",
        "From the picture to the ten digits. Press a layer to set it.",
        "On the right: the shape of what each layer gives on (height × width × maps as long as there are pixels), and "
        "its parameters, the numbers that training adjusts. The last layer, ten units with softmax, is always there.",
    )
    found = draft.outcomes(layers)
    with st.container(key="train_network", gap="xsmall"):
        for index, (layer, outcome) in enumerate(zip(layers, found, strict=True)):
            button, result = st.columns([7, 5], gap="small", vertical_alignment="center")
            is_open = state.widget_value(OPEN) == index
            button.button(
                _described(index, layer),
                icon=":material/expand_less:" if is_open else ":material/expand_more:",
                type="tertiary",
                key=f"train_open_{index}",
                on_click=lambda index, is_open: state.fill({OPEN: None if is_open else index}),
                args=(index, is_open),
            )
            if outcome is None:
                result.caption("does not fit")
            else:
                shape, parameters = outcome
                size = "×".join(style.count(side) for side in shape)
                result.caption(f"{size}{f' · {style.count(parameters)}' if parameters else ''}")
            # only the open one's: a widget that the browser keeps but does not show would send its old value back
            # after the form has been filled anew
            if is_open:
                with st.container(border=True, key="train_layer_open"):
                    _places(index, len(layers), read)
                    st.caption(KIND_HELP[layer["kind"]])
                    _settings(index, layer["kind"], base)


def _described(index: int, layer: dict[str, Any]) -> str:
    """A layer in a few words, such as ``1 Convolution 24, 5×5 relu``."""
    text = f"{index + 1} {KIND_NAMES[layer['kind']]}"
    if layer["kind"] == "conv":
        text += f" {layer['filters']}, {layer['kernel']}×{layer['kernel']} {layer['activation']}"
        text += ", batch norm" if layer["batch_norm"] else ""
    elif layer["kind"] == "pool":
        text += f" {layer['pooling']} {layer['size']}×{layer['size']}"
    elif layer["kind"] == "dense":
        text += f" {layer['units']} {layer['activation']}"
    return text + (f", dropout {layer['dropout']:g}" if layer.get("dropout") else "")


def _settings(index: int, kind: str, base: RunConfig) -> None:
    """Everything that a layer of this kind has."""
    if kind == "conv":
        known = [layer.filters for layer in base.model.layers if layer.kind == "conv"]
        st.select_slider(
            "Filters",
            draft.whole_numbers(int(draft.FILTERS.minimum or 1), int(draft.FILTERS.maximum or 1), known),
            key=layer_key(index, "filters"),
            persist_state="session",
            help=HELP["filters"],
        )
        _side("Kernel", index, "kernel", draft.KERNEL)
        st.segmented_control(
            "Padding",
            ["same", "valid"],
            format_func={"same": "zeros around", "valid": "none"}.__getitem__,
            key=layer_key(index, "padding"),
            persist_state="session",
            required=True,
            help=HELP["padding"],
        )
        st.toggle(
            "Batch normalisation", key=layer_key(index, "batch_norm"), persist_state="session", help=HELP["batch_norm"]
        )
    elif kind == "pool":
        st.segmented_control(
            "Keep of each tile",
            ["max", "average"],
            key=layer_key(index, "pooling"),
            persist_state="session",
            required=True,
            help=HELP["pooling"],
        )
        _side("Tile", index, "size", draft.TILE)
    elif kind == "dense":
        _units(index, base, explained=True)
    if kind in ("conv", "dense"):
        _activation(index)
    if kind in ("conv", "dense", "pool"):
        _dropout(index, base, label="Dropout", explained=True)
    if kind in ("conv", "dense"):
        _l2(index, base)


def _places(index: int, count: int, read: Read) -> None:
    def moved(by: int) -> None:
        state.fill(draft.with_layer_moved(read(), index, by) | {OPEN: index + by})  # it stays open

    with st.container(horizontal=True, gap="small"):
        for word, by, icon, possible in (
            ("Up", -1, ":material/arrow_upward:", index > 0),
            ("Down", 1, ":material/arrow_downward:", index < count - 1),
        ):
            st.button(
                word,
                icon=icon,
                type="tertiary",
                key=f"train_{word.lower()}_{index}",
                disabled=not possible,
                on_click=moved,
                args=(by,),
            )
        _remove(index, read, disabled=count < 2)


# -- one setting each --------------------------------------------------------------------------------------------------


def _side(label: str, index: int, field: str, limits: Bounds) -> None:
    """The side of a square of pixels."""
    st.select_slider(
        label,
        range(int(limits.minimum or 1), int(limits.maximum or 1) + 1),
        format_func=lambda side: f"{side}×{side}",
        key=layer_key(index, field),
        persist_state="session",
        help=HELP[field],
    )


def _dropout(index: int, base: RunConfig, *, label: str, explained: bool) -> None:
    # fine steps only where the start needs them: five hundredths are easier to hit in front of a class
    fine = any(round(getattr(layer, "dropout", 0.0) * 100) % 5 for layer in base.model.layers)
    st.slider(
        label,
        draft.DROPOUT.minimum,
        draft.DROPOUT.maximum,
        step=0.01 if fine else 0.05,
        key=layer_key(index, "dropout"),
        persist_state="session",
        help=HELP["dropout"] if explained else None,
    )


def _units(index: int, base: RunConfig, *, explained: bool) -> None:
    known = [layer.units for layer in base.model.layers if layer.kind == "dense"]
    st.select_slider(
        "Units",
        draft.whole_numbers(int(draft.UNITS.minimum or 1), int(draft.UNITS.maximum or 1), known),
        key=layer_key(index, "units"),
        persist_state="session",
        help=HELP["units"] if explained else None,
    )


def _activation(index: int) -> None:
    st.selectbox(
        "Activation",
        ACTIVATIONS,
        key=layer_key(index, "activation"),
        persist_state="session",
        help=HELP["activation"],
    )


def _l2(index: int, base: RunConfig) -> None:
    known = [layer.l2 for layer in base.model.layers if layer.kind in ("dense", "conv")]
    st.select_slider(
        "L2 penalty",
        [0.0, *draft.decades(1e-6, draft.L2.maximum or 1.0, known)],
        format_func=draft.scientific,
        key=layer_key(index, "l2"),
        persist_state="session",
        help=HELP["l2"],
    )


def _remove(index: int, read: Read, *, disabled: bool = False) -> None:
    st.button(
        f"Remove layer {index + 1}",
        icon=":material/close:",
        type="tertiary",
        key=f"train_remove_{index}",
        disabled=disabled,
        on_click=lambda: state.fill(draft.without_layer(read(), index) | {OPEN: None}),
    )
