"""The runs in training, and their curves as they grow.

Everything is read from the store's folders, so that a reload and a second browser see the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import resources, state, theme
from dashboard.cache import cached
from dashboard.shared import groups, panels, progress
from dashboard.shared.charts import Drawing
from dashboard.shared.run_curves import curves_of, notes, planned
from dashboard.shared.run_picker import MOST, run_labels
from dashboard.views.train.model_form import NOTICE
from dashboard.views.train.result_card import SHORT, result_card, short_result
from dashboard.views.train.touch import controls, may_stop, pause_button, slow_toggle, touchable
from mnist_core.comparison.diagnosis.words import words
from mnist_core.errors import MnistCoreError
from mnist_core.jobs.local_service import ServiceStatus
from mnist_core.jobs.request import request_all, resume, wanted_seeds
from mnist_core.jobs.watch import Look, sentence
from mnist_core.plots import style
from mnist_core.plots.learning_curves import CurveMetric, changes_of, curve_frame, curves_chart, member_frame
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown

TICK_S = 0.5
SEEN = "train_seen"
"""Key of the session: the runs that were in training when the page was last drawn."""
RECENT = 6
MOST_PAUSED = 2
"""Of the paused runs, so many have their sliders shown; the others are among those that ended before."""
MOST_WAITING = 3
"""Of the runs that wait, so many are shown one by one."""


def live_panel(chosen: list[Run], runs: list[Run]) -> None:
    """Draw what is being trained over the chosen runs, twice a second while something is."""
    look = resources.watch().look(runs)
    active = [run.id for run in _jobs_of(runs, look)]
    service = resources.runner().status()
    # runs that nothing will train would be polled for ever
    ticking = service.state == "starting" or bool(look.waited)
    if ticking:  # else Streamlit's sign of activity comes and goes in the corner twice a second
        theme.set_style({"[data-testid='stStatusWidget']": {"display": "none"}})
    panel = state.again_every(TICK_S, going_on=ticking)(_panel)
    panel([run.id for run in chosen], active, (service.state, bool(look.waited)))


def _jobs_of(runs: list[Run], look: Look) -> list[Run]:
    """Return the runs that are queued, running, or interrupted and about to go on."""
    waited = {run.id for run in look.waited}
    return [run for run in runs if run.live or run.id in waited]


def _panel(chosen: list[str], active: list[str], before: tuple[str, bool]) -> None:
    runs, _ = resources.scan()
    by_id = {run.id: run for run in runs}
    look = resources.watch().look(runs)
    live = _jobs_of(runs, look)
    service = resources.runner().status()
    changed = [run.id for run in live] != active or (service.state, bool(look.waited)) != before
    if changed:
        # runs that have just ended stay in view
        gone = [by_id[run_id] for run_id in active if run_id in by_id.keys() - {run.id for run in live}]
        ended = [run.id for run in gone if not run.one_of_many]  # a sweep would push out all that was chosen
        if set(ended) - set(chosen):
            chosen = groups.newest(list(dict.fromkeys([*chosen, *ended])), runs, MOST)
            state.choose(chosen)
    head = _service(service, live, look)
    with st.container(key="live_jobs", gap="xsmall"):
        drawn = _jobs(runs, live, chosen)
    shown = [by_id[run_id] for run_id in dict.fromkeys([*chosen, *(run.id for run in live if run.state != "queued")])
             if run_id in by_id]  # fmt: skip
    with panels.errors_as_messages():
        ids = groups.newest([run.id for run in shown], runs, MOST)
        _curves([by_id[run_id] for run_id in ids], runs, head)
    _recent(runs, [*live, *drawn])
    _short(by_id, live, chosen, runs)  # last, as what comes after a new part is drawn again
    if changed:
        # the interval is set on full runs only; not before the buttons are drawn, else a click would be lost
        st.rerun()


def _short(by_id: Mapping[str, Run], live: list[Run], chosen: list[str], runs: list[Run]) -> None:
    """Draw the short result of the run that this person has last seen in training, once nothing is trained."""
    training = [run.id for run in live if not run.one_of_many]
    ended = [run_id for run_id in state.widget_value(SEEN) or [] if run_id in by_id and run_id not in training]
    state.fill({SEEN: training} | ({SHORT: ended[-1]} if ended else {}))
    run = by_id.get(str(state.widget_value(SHORT)))
    if run is not None and not live:
        with panels.errors_as_messages():
            short_result(run, chosen, runs)


# -- the service -------------------------------------------------------------------------------------------------------


def service_sentence(service: ServiceStatus) -> str:
    """Return the state of the job service, in a few words."""
    workers = f"{service.workers} worker{'' if service.workers == 1 else 's'}"
    if service.problem:
        return service.problem
    if service.state == "stopped":
        return "The training service is not running; it starts with the next training."
    if service.state == "starting":
        return "Workers are starting: TensorFlow is being loaded."
    where = "Remote scheduler: " if service.state == "remote" else ""
    if service.busy:
        return f"{where}{service.busy} of {workers} busy."
    return f"{where}{workers} ready."


def _service(service: ServiceStatus, live: list[Run], look: Look) -> DeltaGenerator:
    """Draw the state of the service; return its line, which has room for a switch of the curves."""
    head = st.container(horizontal=True, vertical_alignment="center", key="live_service")
    with head:
        if look.notice:
            st.caption(f":material/warning: {sentence(look.notice)}", width="stretch")
        elif service.problem or not state.presenting():
            st.caption(service_sentence(service), width="stretch")
        waiting = [run for run in live if run.state == "queued" and not run.recorded]
        if service.state == "stopped" and waiting and st.button("Start the waiting runs", key="live_submit"):
            with panels.errors_as_toasts():
                for run in waiting:
                    resources.runner().submit(run.id)
                resources.watch().again()
                st.rerun()
    return head


# -- jobs --------------------------------------------------------------------------------------------------------------


def _jobs(runs: list[Run], live: list[Run], chosen: list[str]) -> list[Run]:
    """Draw the live jobs, the paused ones, and the last result; return which that are not live were drawn.

    The last result keeps its place while another run is trained, so that nothing moves when that one begins or ends.
    """
    labels = run_labels(runs, states=False)
    ended = recently_ended(runs)
    # while another is trained, a paused run that is not chosen waits among those that ended before
    last = _last([run for run in ended if not (live and run.state == "paused")])
    paused = [run for run in ended if run.state == "paused" and touchable(run) and (run.id in chosen or run in last)]
    paused = paused[:MOST_PAUSED]
    last = [run for run in last if run not in paused]
    if (paused and not live) or (live and state.presenting()):  # the room is for sliders, or for the curves
        last = []
    ids = [*chosen, *(run.id for run in [*live, *last, *paused])]
    first = {run_id: group.first.id for group in groups.grouped(ids, runs) for run_id in group.ids}
    palette = resources.colours(list(dict.fromkeys(first.values())))
    colours = {run_id: palette[of_group] for run_id, of_group in first.items()}
    if live:
        with st.container(key="live_now", gap="xsmall"):
            _now(live, labels, colours)
    for run in paused:
        _paused(run, labels[run.id], colours[run.id])
    for run in last:
        _ended(run, labels[run.id], colours[run.id])
        _details(run, chosen, runs)
    if not last and not paused and not (live and state.presenting()):
        _nothing_ended(training=bool(live))
    return [*paused, *last]


def _last(ended: list[Run]) -> list[Run]:
    """Return the run that ended last and, if it has no result, the last one that has."""
    finished = next((run for run in ended if run.state == "finished"), None)
    return list({run.id: run for run in (*ended[:1], *([finished] if finished else []))}.values())


def _now(live: list[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    waiting = progress.waiting(live)
    for run in [run for run in live if run not in waiting[MOST_WAITING:]]:
        place = waiting.index(run) + 1 if run in waiting else 0
        _job(run, labels[run.id], colours[run.id], place)
    if len(waiting) > MOST_WAITING:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{len(waiting) - MOST_WAITING} more are waiting.", width="content")
            if any(run.one_of_many for run in waiting):
                st.page_link("views/sweeps/page.py", label="Sweeps", icon=":material/grid_on:")


def _details(run: Run, chosen: list[str], runs: list[Run]) -> None:
    """Draw the result of a run that has ended, as far as it has one, and what its curves say."""
    if run.state == "finished" and run.id in chosen:
        with panels.errors_as_messages():
            result_card(run, chosen, runs)
    with contextlib.suppress(MnistCoreError):  # `_ended` has shown what is damaged
        found = resources.diagnosis(run)
        if found:
            with st.container(key=f"live_curves_say_{run.id}"):
                st.caption(for_markdown(words(found[0]).sentence))


def _nothing_ended(*, training: bool) -> None:
    """Write what will stand here, where no run has ended yet."""
    if training:
        st.caption("Its result will stand here: how many test digits it gets right, and how that compares.")
    else:
        panels.empty_state(
            "Nothing is training yet",
            "Set the sliders, then press Train. Its progress will stand here, and then its result.",
            key="live_none",
            icon=":material/play_arrow:",
        )


def _paused(run: Run, label: str, colour: str) -> None:
    panels.dotted(colour, "", name=label)
    st.progress(progress.share(run), f"paused after epoch {run.epochs_done} of {run.planned_epochs}")
    if may_stop(run):
        controls(run, _do)


def _job(run: Run, label: str, colour: str, place: int) -> None:
    stopping = (run.path / "cancel").exists()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        panels.dotted(colour, "", name=label)
        allowed = may_stop(run)
        if allowed and stopping:
            # the process of a run from outside is a person's notebook: it gets a request to stop, but is never killed
            if not run.recorded and st.button(
                "Stop at once", key=f"live_kill_{run.id}", type="tertiary", icon=":material/dangerous:",
                help="End the process; finished epochs are kept",
            ):  # fmt: skip
                with panels.errors_as_toasts():
                    resources.runner().kill(run.id)
        elif allowed:
            if run.state == "running" and touchable(run):
                slow_toggle(run)
                if run.pause() is None:
                    pause_button(run, _do)
            if st.button("Cancel", key=f"live_cancel_{run.id}", type="tertiary", icon=":material/stop:",
                         help="Stop after the current step; finished epochs are kept"):  # fmt: skip
                with panels.errors_as_toasts():
                    resources.runner().cancel(run.id)
                    stopping = True
    share, text = progress.words(run, place, stopping, time.time())
    st.progress(share, text)


# -- what has ended ----------------------------------------------------------------------------------------------------


def recently_ended(runs: list[Run]) -> list[Run]:
    """Return the runs of this store that are no longer live, the latest first; runs that ship are left out."""
    own = [run for run in runs if not run.live and not run.read_only]
    return sorted(
        own, key=lambda run: run.status.ended_at or run.status.started_at or run.status.created_at, reverse=True
    )


def ending_words(run: Run) -> str:
    """Return how a run ended, and its result."""
    words = progress.ENDINGS.get(run.state, run.state)
    reason = run.status.reason if run.state != "finished" else ""
    if reason:
        match run.state:
            case "paused" | "cancelled":  # the reason says by itself what happened: "cancelled in epoch 10 of 30"
                words = reason
            case "interrupted":
                words += f": {reason}"
            case _:
                words += f" ({reason})"
    done, planned = run.epochs_done, run.planned_epochs or 0
    words += f", {done} epoch{'' if done == 1 else 's'}" if done >= planned else f", {done} of {planned} epochs"
    found = resources.test_scores(run)
    if found:
        words += f", test accuracy {style.percent(found.accuracy)}"
    return words


def _ended(run: Run, label: str, colour: str, where: str = "last") -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"live_ended_{where}_{run.id}"):
        panels.dotted(colour, f" {_sentences(run)}", name=label)
        if run.resumable and st.button(
            "Resume", key=f"live_resume_{where}_{run.id}", type="tertiary", icon=":material/play_arrow:",
            help="Go on from the last finished epoch",
        ):  # fmt: skip
            _do(lambda: resume(resources.store(), resources.runner(), run.id))
        if not run.recorded and run.changed_at is None and st.button(
            "One more seed", key=f"live_seed_{where}_{run.id}", type="tertiary", icon=":material/casino:",
            help="Train the same recipe from another random start, to see how much is luck",
        ):  # fmt: skip
            _do(lambda: another_seed(run))


def _sentences(run: Run) -> str:
    try:
        return ending_words(run)
    except MnistCoreError as error:
        return panels.sentence(error)


def another_seed(run: Run) -> Run:
    """Train the run's configuration with the lowest seed that it has not been trained with."""
    store = resources.store()
    (requested,) = request_all(store, resources.runner(), wanted_seeds(run, store.runs(), 1))
    _watch(requested.run)
    return requested.run


def _watch(run: Run) -> None:
    runs = resources.scan()[0]
    others = [run_id for run_id in state.chosen_ids(runs) if run_id != run.id]
    state.choose(groups.newest([*others, run.id], runs, MOST))


def _do(action: Callable[[], object]) -> None:
    """Carry out a click and draw the page again; say in words why it cannot be done."""
    with panels.errors_as_toasts():
        with st.spinner("Handing over to the training service …"):
            action()
        state.fill({NOTICE: None})
        st.rerun()


def _recent(runs: list[Run], drawn: list[Run]) -> None:
    above = {run.id for run in drawn}
    ended = [run for run in recently_ended(runs) if run.id not in above][:RECENT]
    if not ended:
        return
    labels = run_labels(runs, states=False)
    colours = resources.colours([run.id for run in ended])
    with st.expander(f"Ended before ({len(ended)})", key="live_recent", icon=":material/history:"):
        for run in ended:
            _ended(run, labels[run.id], colours[run.id], "recent")


# -- curves ------------------------------------------------------------------------------------------------------------


def _curves(shown: list[Run], runs: list[Run], head: DeltaGenerator) -> None:
    found = groups.grouped([run.id for run in shown], runs)
    colours = resources.colours([group.first.id for group in found])
    curves = curves_of(found, colours)
    end = planned(found)
    if not curves:
        title = "The first epoch is under way" if end else "No curves yet"
        sentence = (
            "The curves begin with the first finished epoch."
            if end
            else "Choose runs above to see their curves, or set the sliders and press Train."
        )
        with st.container(height=360, border=False):
            panels.empty_state(title, sentence, key="live_empty", icon=":material/show_chart:")
        return
    begun = [run for run in shown if run.id in {curve.id for curve in curves}]
    datasets = {run.status.fingerprint: run.dataset for run in begun}
    if len(datasets) > 1:
        data = ", ".join(sorted(set(map(data_name, datasets.values()))))
        st.caption(
            f":material/warning: These runs were trained on different data ({for_markdown(data)}), so their curves "
            "cannot be compared with one another."
        )
    singly = False
    if any(curve.members for curve in curves):
        # in a line that is there without it too, so that the curves stay where they are
        singly = head.toggle("Single seeds", key="live_singly", help="Each seed as a thin line, under the mean of all.")
    charts: tuple[tuple[CurveMetric, str, str, str], ...] = (
        (
            "loss",
            "Loss",
            "How surprised the network is by the true digits: lower is better.",
            "Mean cross-entropy in nats: −log of the probability given to the true digit, plus the L2 penalty. "
            "Training values are measured while dropout is on and the weights move, so they may lie above validation.",
        ),
        (
            "accuracy",
            "Accuracy",
            "Share of the images that are guessed right: higher is better. The axis does not start at 0 %.",
            "Accuracy counts right guesses only; the loss also counts how sure the guesses are.",
        ),
    )
    changes = changes_of(curves)
    height = 270 if state.presenting() else 290  # the first is on the first screen, also enlarged there
    for metric, title, sentence, definition in charts:
        frame = cached(curve_frame, curves, metric)
        members = member_frame(curves, metric, kinds=("training", "validation")) if singly else None
        panels.chart_with_table(
            Drawing(curves_chart, frame, colours, metric, x_max=end, height=height, members=members, changes=changes),
            frame.drop(columns=["run", "smoothed"]),
            alt_text=f"{title} by epoch of {', '.join(curve.label for curve in curves)}",
            key=f"live_{metric}",
            filename=f"training-{metric}",
            title=title,
            sentence="" if state.presenting() else sentence,
            help=definition,
        )
    sentences = notes(found, runs)
    if sentences:
        st.caption(" ".join(sentences))
