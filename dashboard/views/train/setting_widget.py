"""One setting of the table as a widget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dashboard.views.train import draft
from mnist_core.experiments.settings import Setting


def draw(
    setting: Setting, path: str, known: Iterable[Any] = (), *, label: str | None = None, explained: bool = True
) -> None:
    """Draw the widget that holds the value at `path`.

    path: that of the setting, with the number of the layer where it is a layer's. known: values that its slider must be
    able to show, even where they are no round steps. label: in place of that of the setting. explained: whether its
    explanation is offered.
    """
    text = label or setting.label
    common: dict[str, Any] = {
        "key": draft.widget_key(path),
        "persist_state": "session",
        "help": setting.help if explained else None,
    }
    whole = int if setting.type == "whole number" else float
    low, high = (None if limit is None else whole(limit) for limit in (setting.minimum, setting.maximum))
    form = setting.declared.format
    if setting.widget == "slider":
        # fine steps only where a value needs them: coarse ones are easier to hit in front of a class
        off = any(abs(value / setting.step - round(value / setting.step)) > 1e-6 for value in known)
        st.slider(text, low, high, step=setting.step / 5 if off else setting.step, format=form, **common)
    elif setting.widget == "steps":
        template = (form or "").format if form else setting.in_words
        st.select_slider(text, draft.stops(setting, known), format_func=template, **common)
    elif setting.widget == "number":
        st.number_input(text, low, high, step=whole(setting.step), format=form, **common)
    elif setting.widget == "switch":
        st.toggle(text, **common)
    elif setting.widget == "buttons":
        words = setting.choices.__getitem__
        st.segmented_control(text, list(setting.choices), format_func=words, required=True, **common)
    elif setting.widget == "list":
        st.selectbox(text, list(setting.choices), format_func=setting.choices.__getitem__, **common)
