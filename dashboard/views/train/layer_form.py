"""The layers of the network that the Train page is to train.

A dense network has a row of sliders a layer, for use in front of a class; so has any whose kinds of layers all name
`sliders`. A convolutional one has more to set than fits a row, so that its layers are a list, and each opens to be set.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboard import state, theme
from dashboard.shared import panels
from dashboard.views.train import draft
from dashboard.views.train.setting_widget import draw
from mnist_core.experiments import settings
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.layers import LAYER_KINDS
from mnist_core.experiments.settings import Setting
from mnist_core.plots import style
from mnist_core.plots.network import network_svg, network_words
from mnist_core.text import for_html

DROPOUT = "train_dropout_all"
PICTURE_HEIGHT = 170
"""Pixels, kept free so that nothing moves."""
OPEN = "train_open"
"""Which layer of a convolutional network is open, from 0."""
Read = Callable[[], dict[str, Any]]
"""A function that returns the present values of all widgets of the form."""

ADD_HELP = (
    "One more layer, a copy of the last of its kind. A dense layer comes last, the others after the last layer that "
    "works on pixels."
)


def layer_form(read: Read, known: Mapping[str, Any]) -> None:
    """Draw the layers.

    Parameters
    ----------
    read
        returns the values of the widgets; called again at each click.
    known
        the values that filled the form: they are on the sliders even if they are no round steps.
    """
    layers = settings.layers_in(read())
    if all(_sliders(layer) for layer in layers):
        for index in range(len(layers)):
            _row(index, layers, read, known)
        with st.expander("Dropout, layer by layer", key="train_dropout_each", icon=":material/stacks:"):
            for index in _with_dropout_slider(layers):
                _dropout(index, layers, known)
    else:
        _network(layers, read, known)


def _sliders(layer: Mapping[str, Any]) -> tuple[str, ...]:
    return LAYER_KINDS[layer["kind"]].sliders


def _with_dropout_slider(layers: list[dict[str, Any]]) -> list[int]:
    return [index for index, layer in enumerate(layers) if "dropout" in _sliders(layer)]


def dropout_for_all(read: Read) -> None:
    """Draw one slider for the dropout of all dense layers, as a class looks at it first, and the network under it."""
    layers = settings.layers_in(read())
    _dropout_slider(layers)
    _picture(layers)


def _dropout_slider(layers: list[dict[str, Any]]) -> None:
    having = _with_dropout_slider(layers)
    if not having:
        return
    kinds = list(dict.fromkeys(str(layers[index]["kind"]) for index in having))
    setting = settings.LAYER_SETTINGS[kinds[0]]["dropout"]
    values = [float(layers[index]["dropout"]) for index in having]
    alike = len(set(values)) == 1
    which = "all" if len(having) == len(layers) else " and ".join(kinds).replace("_", " ")
    label = "Dropout" if len(having) == 1 else f"Dropout, {which} layers"
    if not alike:
        label += f" (now {', '.join(f'{value:g}' for value in values)})"

    def moved() -> None:
        value = float(state.widget_value(DROPOUT))
        state.fill({draft.widget_key(settings.layer_path(index, "dropout")): value for index in having})

    state.widget(DROPOUT, values[0])
    fine = any(abs(value / setting.step - round(value / setting.step)) > 1e-6 for value in values)
    low, high = float(setting.minimum or 0.0), float(setting.maximum or 1.0)
    st.slider(
        label, low, high, step=setting.step / 5 if fine else setting.step, format=setting.declared.format,
        key=DROPOUT, on_change=moved,
        help=f"{setting.help} Crossed out in the picture: what is left out in one step.",
    )  # fmt: skip


def _picture(layers: list[dict[str, Any]]) -> None:
    """Draw the network, with the units crossed out that dropout leaves out.

    Its height is kept where it does not fit.
    """
    with st.container(height=PICTURE_HEIGHT, border=False, key="train_picture"):
        try:
            model = ModelConfig.model_validate({"layers": layers})
        except ValidationError:
            st.caption("The layers below do not fit together.")
            return
        svg = base64.b64encode(network_svg(model, dark=theme.is_dark()).encode()).decode()
        words = for_html(network_words(model))
        st.html(f'<img class="network-picture" alt="{words}" src="data:image/svg+xml;base64,{svg}">')


def _fill(values: Mapping[str, Any], opened: int | None = None) -> None:
    state.fill(draft.widget_values(values) | {OPEN: opened})


def add_menu(read: Read) -> None:
    """Draw the button that adds a layer."""
    kinds = draft.addable(settings.layers_in(read()))

    def added() -> None:
        kind = str(state.widget_value("train_add") or "dense")
        _fill(draft.with_layer_added(read(), kind))

    st.menu_button(
        "Layer",
        kinds or ["dense"],
        format_func=lambda kind: LAYER_KINDS[kind].label,
        icon=":material/add:",
        type="tertiary",
        key="train_add",
        help=ADD_HELP if kinds else f"A network may have at most {settings.MOST_LAYERS} layers.",
        disabled=not kinds,
        on_click=added,
    )


# -- rows --------------------------------------------------------------------------------------------------------------


def _row(index: int, layers: list[dict[str, Any]], read: Read, known: Mapping[str, Any]) -> None:
    row = st.container(horizontal=True, vertical_alignment="center", gap="medium")  # on a phone too
    fields = settings.LAYER_SETTINGS[layers[index]["kind"]]
    shown = _sliders(layers[index])
    with row.container():
        for name in shown:
            if name != "dropout":
                label = f"Layer {index + 1}: {settings.uncapitalised(fields[name].label)}"
                _field(index, fields[name], known, label=label, explained=index == 0)
    others = [setting for name, setting in fields.items() if name not in shown]
    activation, l2 = layers[index].get("activation", "more"), layers[index].get("l2")
    menu = row.popover(
        f"{activation}{f', L2 {settings.scientific(l2)}' if l2 else ''}",
        type="tertiary",
        key=f"train_more_{index}",
        on_change="rerun",
        help=f"{', '.join(setting.label for setting in others)}, remove the layer",
    )
    if menu.open:  # else not drawn: see _network
        with menu:
            for setting in others:
                _field(index, setting, known)
            if len(layers) > 1:
                _remove(index, read)


def _dropout(index: int, layers: list[dict[str, Any]], known: Mapping[str, Any]) -> None:
    setting = settings.LAYER_SETTINGS[layers[index]["kind"]]["dropout"]
    label = f"Layer {index + 1}: {settings.uncapitalised(setting.label)}"
    _field(index, setting, known, label=label, explained=index == 0)


# -- convolutional -----------------------------------------------------------------------------------------------------


def _network(layers: list[dict[str, Any]], read: Read, known: Mapping[str, Any]) -> None:
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
                f"{index + 1} {LAYER_KINDS[layer['kind']].model_validate(layer).described()}",
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
            # after the form has been filled again
            if is_open:
                with st.container(border=True, key="train_layer_open"):
                    _places(index, len(layers), read)
                    st.caption(LAYER_KINDS[layer["kind"]].about)
                    for setting in settings.LAYER_SETTINGS[layer["kind"]].values():
                        _field(index, setting, known)


def _places(index: int, count: int, read: Read) -> None:
    def moved(by: int) -> None:
        _fill(draft.with_layer_moved(read(), index, by), index + by)  # it stays open

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


def _field(
    index: int, setting: Setting, known: Mapping[str, Any], *, label: str | None = None, explained: bool = True
) -> None:
    """Draw one setting of one layer."""
    in_use = [layer[setting.name] for layer in settings.layers_in(known) if setting.name in layer]
    draw(setting, settings.layer_path(index, setting.name), in_use, label=label, explained=explained)


def _remove(index: int, read: Read, *, disabled: bool = False) -> None:
    st.button(
        f"Remove layer {index + 1}",
        icon=":material/close:",
        type="tertiary",
        key=f"train_remove_{index}",
        disabled=disabled,
        on_click=lambda: _fill(draft.without_layer(read(), index), None),
    )
