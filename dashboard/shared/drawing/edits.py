"""Changes that the user makes to the picture before the networks see it: centring, shift, rotation, noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import state
from mnist_core.data.drawings import Edit, edit_table, edited, seen
from mnist_core.data.images import Pixels
from mnist_core.inspection.numpy_network import switchable
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

CENTRED, RIGHT, DOWN, TURN, NOISE, OFF_RUN = (
    "draw_centred",
    "draw_right",
    "draw_down",
    "draw_turn",
    "draw_noise",
    "draw_off_run",
)
START: dict[str, Any] = {CENTRED: True, RIGHT: 0, DOWN: 0, TURN: 0, NOISE: 0.0}


def centred() -> bool:
    """True if the digit is put into the box and the middle, as in MNIST."""
    return bool(_value(CENTRED))


def chosen() -> Edit:
    """Return the edit that the sliders are set to."""
    return Edit(int(_value(RIGHT)), int(_value(DOWN)), float(_value(TURN)), float(_value(NOISE)))


def _value(key: str) -> Any:
    found = state.widget_value(key)
    return START[key] if found is None else found


def changes(edit: Edit) -> bool:
    """True if the edit changes a picture."""
    return edit != Edit()


def picture(ink: Pixels) -> Pixels:
    """Return what the networks see of a pad, uint8 of shape (28, 28)."""
    found, edit = seen(ink, centred=centred()), chosen()
    return edited(found, edit_table(edit)) if changes(edit) else found


def _off_key(run: Run, step: int) -> str:
    return f"draw_off_{run.id}_{step}"


def off(run: Run) -> dict[int, list[int]]:
    """Return the neurons of a run that are switched off, counted from 0, by the step of their layer."""
    found = {}
    for layer in switchable(run.config.model):
        text = state.widget_value(_off_key(run, layer.step))
        units = _numbers(str(text), layer.units)[0] if text else []
        if units:
            found[layer.step] = units
    return found


def _numbers(text: str, units: int) -> tuple[list[int], str]:
    """Return the neurons that a text such as ``1-5, 8`` names, counted from 0, and what it cannot mean."""
    found: set[int] = set()
    for part in filter(None, (each.strip() for each in text.replace(";", ",").split(","))):
        first, _, last = part.replace("–", "-").partition("-")
        if not first.strip().isdecimal() or (last.strip() and not last.strip().isdecimal()) or len(part) > 20:
            return [], f"“{part}” is not a number, or a range such as 1-5"
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= units:
            return [], f"“{part}” is not within 1 to {units}"
        found |= set(range(low - 1, high))
    return sorted(found), ""


def off_words(run: Run) -> str:
    """Return how many neurons of which layer are switched off, such as ``dense 1: 8 of 64 neurons off``, or ""."""
    found = off(run)
    return "; ".join(
        f"{layer.name}: {len(found[layer.step])} of {layer.units} neurons off"
        for layer in switchable(run.config.model)
        if layer.step in found
    )


def reset(runs: Sequence[Run]) -> None:
    """Set all sliders to their start, and switch the neurons of these runs on again."""
    fields = [_off_key(run, layer.step) for run in runs for layer in switchable(run.config.model)]
    state.fill(START | dict.fromkeys(fields, ""))


def controls(runs: Sequence[Run], labels: Mapping[str, str]) -> None:
    """Draw the switch for centring, and the sliders, in a panel that is closed at first."""
    for key, value in START.items():
        if state.widget_value(key) is None:
            state.fill({key: value})
    st.toggle(
        "Centre the digit, as MNIST does",
        key=CENTRED,
        help="Each digit of MNIST was fitted into a box of 20×20 pixels and put with its centre of mass into the "
        "middle of 28×28. The networks have seen no others. Switch it off, draw a small digit in a corner, and see "
        "what they make of it: most demonstrations that “always say 7” lack this step. Under each run stands what it "
        "would answer with the digit placed the other way.",
    )
    edit = chosen()
    with st.expander("Change what the networks see", icon=":material/tune:", key="draw_edits"):
        columns = st.columns(4, gap="medium")
        with columns[0]:
            st.slider("Shift to the right (pixels)", -10, 10, key=RIGHT)
        with columns[1]:
            st.slider("Shift down (pixels)", -10, 10, key=DOWN)
        with columns[2]:
            st.slider("Turn clockwise (degrees)", -90, 90, step=5, key=TURN)
        with columns[3]:
            st.slider(
                "Noise", 0.0, 0.5, step=0.05, key=NOISE, help="Standard deviation of random grey, as a share of ink"
            )
        changed = changes(edit) or not centred() or any(map(off, runs))
        st.button("Reset", key="draw_reset", on_click=reset, args=(runs,), disabled=not changed, type="tertiary")
        if runs:
            _neurons(runs, labels)


def _neurons(runs: Sequence[Run], labels: Mapping[str, str]) -> None:
    """Draw text fields for the neurons to switch off in one run."""
    ids = [run.id for run in runs]
    if state.widget_value(OFF_RUN) not in ids:
        state.fill({OFF_RUN: ids[0]})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Switch off neurons of",
            ids,
            format_func=lambda run_id: labels[run_id],
            key=OFF_RUN,
            width=260,
            help="Their outputs become 0, as dropout does to some at random while a network trains.",
        )
        run = runs[ids.index(str(state.widget_value(OFF_RUN)))]
        layers = switchable(run.config.model)
        for layer in layers:
            key = _off_key(run, layer.step)
            state.fill({key: state.widget_value(key) or ""})
            st.text_input(f"{layer.name}: 1 to {layer.units}", key=key, placeholder="such as 1-5, 8", width=190)
    for layer in layers:
        _, problem = _numbers(str(state.widget_value(_off_key(run, layer.step)) or ""), layer.units)
        if problem:
            st.caption(f":material/error: {layer.name}: {for_markdown(problem)}; none of it is switched off.")
    parts = [f"{for_markdown(labels[each.id])}, {off_words(each)}" for each in runs if off(each)]
    if parts:
        st.caption(f":material/power_off: {'; '.join(parts)}")
