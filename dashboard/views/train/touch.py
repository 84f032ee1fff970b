"""Training you can touch: pause, one more epoch, another dropout or learning rate, slow motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import resources, state
from dashboard.shared import groups, panels
from dashboard.shared.run_picker import MOST
from dashboard.views.train import draft
from mnist_core.experiments.settings import LAYER_SETTINGS, SETTINGS, layer_path
from mnist_core.jobs.changing import go_on_changed
from mnist_core.jobs.request import resume
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

SLOW_S = 1.0
"""Seconds that slow motion waits after each epoch."""
SLOW_HELP = (
    f"Wait {SLOW_S:g} second after each epoch, so that everybody can follow. The numbers are the same, and the wait is "
    "not counted as training time."
)
_RATE = "training.learning_rate"
Do = Callable[[Callable[[], object]], None]
"""Carries out a click and draws the page again; a problem is shown in words."""


def touchable(run: Run) -> bool:
    """True if a person may pause and change the run: one that is trained here, and of no sweep or search."""
    return run.recorded is None and not run.one_of_many and not run.read_only


def may_stop(run: Run) -> bool:
    """Write whose run it is, where it is not this person's own, and why it cannot be stopped; True if it can be.

    In a class, only the owner of a run and the teacher may stop it.
    """
    person, owner = resources.store().person, run.meta.owner
    refusal = person.refusal("stop", owner, f"the run {run.name}")
    if refusal or owner not in ("", person.name):
        st.caption(f"of {for_markdown(owner)}" if owner else "of nobody in the class", width="content",
                   help=panels.markdown_sentence(refusal) if refusal else None)  # fmt: skip
    return not refusal


def pause_button(run: Run, do: Do) -> None:
    """Draw the button that pauses a run that is being trained."""
    if st.button(
        "Pause", key=f"live_pause_{run.id}", type="tertiary", icon=":material/pause:",
        help="Finish this epoch, then wait: to look at the curves, to go on for one epoch, or with other settings",
    ):  # fmt: skip
        do(lambda: resources.store().request_pause(run.id))


def slow_toggle(run: Run) -> None:
    """Draw the switch of slow motion of a run that is being trained or paused."""

    def switched() -> None:
        # it may have ended since it was drawn; then there is nothing to slow down
        with panels.errors_as_toasts():
            resources.store().set_slow_motion(run.id, SLOW_S if state.widget_value(key) else 0.0)

    key = f"live_slow_{run.id}"
    st.toggle("Slow motion", value=run.slow_motion() > 0, key=key, on_change=switched, help=SLOW_HELP)


def controls(run: Run, do: Do) -> None:
    """Draw what can be done with a paused run: its sliders, and the buttons by which it goes on."""
    values: dict[str, Any] = {}
    with st.container(horizontal=True, gap="medium", key=f"live_change_{run.id}"):
        words = [*_dropout(run, values), *_rate(run, values)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"live_go_{run.id}"):
        changed = f"Go on with {' and '.join(words)}" if words else "Go on"
        if st.button(changed, key=f"live_resume_{run.id}", type="primary", icon=":material/play_arrow:",
                     help="Train to the last epoch"):  # fmt: skip
            do(lambda: _go_on(run, values))
        if st.button("One more epoch", key=f"live_step_{run.id}", icon=":material/skip_next:",
                     help="Train one epoch, then pause again"):  # fmt: skip
            do(lambda: _go_on(run, values, epochs=1))
        slow_toggle(run)
        if st.button("Cancel", key=f"live_cancel_{run.id}", type="tertiary", icon=":material/stop:",
                     help="Give it up; finished epochs are kept"):  # fmt: skip
            do(lambda: resources.runner().cancel(run.id))
    if words:
        st.caption(
            "It goes on as a new run, marked as changed by hand; this one stays paused.",
            help="The new run has these settings. This one can still go on unchanged.",
        )


def _dropout(run: Run, values: dict[str, Any]) -> list[str]:
    """Draw one slider for the dropout of all layers; note what it changes, and return that in words."""
    rates = {
        layer_path(index, "dropout"): float(layer.dropout)
        for index, layer in enumerate(run.config.model.layers)
        if hasattr(layer, "dropout")
    }
    if not rates:
        return []
    setting, first = LAYER_SETTINGS["dense"]["dropout"], max(rates.values())
    wanted = st.slider(
        "Dropout" if len(rates) == 1 else "Dropout, all layers", setting.minimum, setting.maximum, first,
        0.01 if round(first / setting.step, 6) % 1 else setting.step, format=setting.declared.format,
        key=f"live_dropout_{run.id}", help=setting.help, width=220,
    )  # fmt: skip
    if abs(wanted - first) < 1e-9:
        return []
    values.update(dict.fromkeys(rates, wanted))
    return [f"dropout {wanted:g}"]


def _rate(run: Run, values: dict[str, Any]) -> list[str]:
    """Draw the slider of the learning rate; note what it changes, and return that in words."""
    setting, first = SETTINGS[_RATE], run.config.training.learning_rate
    wanted = st.select_slider(
        setting.label, draft.stops(setting, [first]), first, format_func=setting.in_words,
        key=f"live_rate_{run.id}", help=setting.help, width=220,
    )  # fmt: skip
    if wanted == first:
        return []
    values[_RATE] = wanted
    return [f"learning rate {setting.in_words(wanted)}"]


def _go_on(run: Run, values: dict[str, Any], epochs: int | None = None) -> None:
    """Go on, to the end or for some epochs; a changed run takes the place of the paused one among the curves."""
    store, runner = resources.store(), resources.runner()
    if not values:
        resume(store, runner, run.id, epochs=epochs)
        return
    found = go_on_changed(store, runner, run.id, values, epochs=epochs).run
    runs = store.runs()
    chosen = [found.id if run_id == run.id else run_id for run_id in state.chosen_ids(runs)]
    state.choose(groups.newest(list(dict.fromkeys([*chosen, found.id])), runs, MOST))
