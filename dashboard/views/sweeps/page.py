"""Sweeps: train a grid of settings, or let a search choose, and see which setting matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.views.sweeps import results_table, sweep_form, sweep_panels
from mnist_core.comparison.selection import StudyKind
from mnist_core.errors import StoreError
from mnist_core.jobs.watch import Look, sentence
from mnist_core.plots import style
from mnist_core.runs.run import Run
from mnist_core.studies.kinds import SHELVES, AnyStudy
from mnist_core.studies.progress import StudyProgress, runs_of
from mnist_core.studies.searches import Search
from mnist_core.studies.sweeps import Sweep
from mnist_core.text import data_name

TICK_S = 1.5


def known() -> dict[str, AnyStudy]:
    """Return all sweeps and searches by their names in the link: the user's, the newest first, then those that ship.

    Of those that ship, the one that is easiest to read is first: it varies the fewest settings, and of such it has the
    most runs. So the page opens on one line that tells everything.
    """
    store = resources.store()
    own = {item.id for item in resources.studies().known if SHELVES[item.kind].path(store.root, item.id).is_file()}

    def place(item: AnyStudy) -> tuple[float, ...]:
        if item.id in own:
            return (0, -item.created_at)
        return (1, item.settings, -len(item.run_ids))

    return {f"{item.kind}-{item.id}": item for item in sorted(resources.studies().known, key=place)}


def picker(items: dict[str, AnyStudy]) -> str:
    """Draw the box that chooses a sweep or a search, and return the choice, which is in the link."""
    wanted = state.link_text("sweep")
    chosen = wanted if wanted in items else next(iter(items))
    state.widget("sweep_picker", chosen)

    def label(key: str) -> str:
        item = items[key]
        same = [other for other in items.values() if (other.name, other.dataset) == (item.name, item.dataset)]
        return f"{item.name} on {data_name(item.dataset)}, {item.size}" + (f", {item.id[:4]}" if len(same) > 1 else "")

    st.selectbox(
        "Sweep or search",
        list(items),
        format_func=label,
        key="sweep_picker",
        on_change=lambda: state.set_link(sweep=str(state.widget_value("sweep_picker"))),
    )
    state.set_link(sweep=chosen)
    return chosen


def look_at(item: AnyStudy) -> tuple[StudyProgress, Look, bool]:
    """Return the progress, what keeps the runs from being trained, and whether something may change by itself."""
    runs = runs_of(resources.snapshot(), item.run_ids)
    look = resources.watch().look([run for run in runs if isinstance(run, Run)])
    return item.progress(resources.snapshot()), look, item.carried_out(resources.store()) or bool(look.waited)


def head(item: AnyStudy) -> bool:
    """Draw the progress, and the buttons that cancel or resume. Return True if something may change by itself."""
    store, runner = resources.store(), resources.runner()
    done, look, live = look_at(item)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if live or not state.presenting():
            st.caption(words(item, done), width="stretch")
        if live and st.button("Cancel", icon=":material/stop:", type="tertiary", key="sweep_cancel"):
            with panels.errors_as_messages():
                item.cancel(store, runner)
                st.rerun()
        if not live and not done.complete and st.button(
            "Go on", icon=":material/play_arrow:", type="tertiary", key="sweep_resume",
            help="Train what is not finished; nothing is trained twice",
        ):  # fmt: skip
            with panels.errors_as_messages():
                with st.spinner("Handing over to the training service …"):
                    sweep_form.hand_over(item.spec)
                st.rerun()
    if look.notice:
        st.caption(f":material/warning: {sentence(look.notice)}")
    if live:
        st.progress(min(1.0, done.share))
    return live


def words(item: AnyStudy, done: StudyProgress) -> str:
    """Return the progress in words."""
    return SHOWN[item.kind].words(item, done)


def _sweep_words(item: Sweep, done: StudyProgress) -> str:
    states = {state: count for state, count in done.states.items() if count}
    text = ", ".join(f"{count} {'waiting' if name == 'queued' else name}" for name, count in sorted(states.items()))
    left = f" About {style.duration(done.seconds_left)} left." if done.seconds_left is not None else ""
    return f"{done.total} runs: {text}.{left}"


def _search_words(item: Search, done: StudyProgress) -> str:
    counts = {name: sum(trial.state == name for trial in item.trials) for name in ("finished", "pruned", "failed")}
    text = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none decided yet"
    return f"{len(item.trials)} of {item.spec.trial_count} trials started: {text}."


def _search_results(item: Search) -> None:
    if item.trials:
        sweep_panels.search_results(item)


class Shown(NamedTuple):
    """How the page shows a kind of study: its progress in words, and its results."""

    words: Callable[[Any, StudyProgress], str]
    results: Callable[[Any], None]


SHOWN: Mapping[StudyKind, Shown] = {
    "sweep": Shown(_sweep_words, sweep_panels.sweep_results),
    "search": Shown(_search_words, _search_results),
}


results_table.turn_page()
st.title("Sweeps")
with panels.errors_as_messages():
    items = known()
    wanted = not items or state.link_text("start") is not None
    with st.expander("Start a sweep or a search", expanded=wanted, icon=":material/add:", key="sweep_start"):
        sweep_form.start_form()
    if not items:
        panels.empty_state(
            "No sweep yet",
            "A sweep trains one model for every combination of some settings, and shows what each setting does.",
        )
    else:
        chosen = picker(items)
        live = look_at(items[chosen])[2]

        @state.again_every(TICK_S, going_on=live)
        def following(key: str) -> None:
            """Draw everything about one sweep, again and again while it is going on."""
            kind, _, item_id = key.partition("-")
            sweep_panels.take_click()  # a click in here draws this part alone
            store = resources.store()
            try:
                item: AnyStudy = SHELVES[cast(StudyKind, kind)].get(store, item_id)
            except StoreError:  # forgotten, or damaged since
                st.rerun()
            going = head(item)
            SHOWN[item.kind].results(item)
            if live and not going:
                st.rerun()  # the whole page once more, without polling

        following(chosen)
panels.store_problems(resources.all_problems())
