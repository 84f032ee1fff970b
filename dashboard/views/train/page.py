"""Train: set a network up, start it, and watch its curves grow over those of other runs."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import groups, panels
from dashboard.shared.run_picker import MOST, run_picker
from dashboard.views.train import form_link, live, model_form
from dashboard.views.train.result_card import SHORT
from mnist_core.errors import MnistCoreError
from mnist_core.jobs.request import request_all
from mnist_core.runs.run import Run

OUTCOMES = {
    "stored": "Already trained: here it is. Its curves are among those shown. Another seed would train it anew.",
    "joined": "This very training is in progress already; it is among those shown.",
    "resumed": "This run had been begun before; it goes on from its last finished epoch.",
}


@st.fragment
def form(runs: list[Run]) -> None:
    """Draw the form; a click on Train hands the run over and draws the whole page again."""
    request = model_form.training_form(runs)
    if request is not None:
        notice: str | MnistCoreError | None
        try:
            notice = start(request)
        except MnistCoreError as error:
            notice = error
        # kept, as the run may be there, waiting, and the whole page is drawn again for it
        state.fill({model_form.NOTICE: notice})
        st.rerun()


def start(request: model_form.TrainingRequest) -> str | None:
    """Ask for the training, and choose it with what it is to be compared with; what there is to say of it."""
    store = resources.store()
    wanted = request.run_requests()
    with st.spinner("Handing over to the training service …"):
        requested = request_all(store, resources.runner(), wanted)
        resources.watch().again()
    runs = store.runs()
    new = [item.run.id for item in requested]
    fingerprint = requested[0].run.status.fingerprint
    same_data = {run.id for run in runs if run.status.fingerprint == fingerprint}
    base = request.base.run_id(fingerprint)
    # the order of the chosen runs stays, as the first of them is the baseline on every page
    others = [*state.chosen_ids(runs), base]
    others = [run_id for run_id in dict.fromkeys(others) if run_id in same_data and run_id not in new]
    first = groups.grouped(others, runs)[: MOST - len(groups.grouped(new, runs))]
    state.choose([*(run_id for group in first for run_id in group.ids), *new])
    state.fill({SHORT: new[-1]})  # it may end before it is first seen in training
    outcomes = {item.outcome for item in requested}
    if len(requested) > 1:
        known = sum(item.outcome == "stored" for item in requested)
        return f"{known} of the {len(requested)} seeds had been trained already." if known else None
    return OUTCOMES.get(outcomes.pop())


st.title("Train")
found, problems = resources.scan()
form_link.take(found)  # in runs of the whole page only: see there
left, right = st.columns([5, 7], gap="large")
with left:
    form(found)
with right, st.container(key="live_panel"):
    live.live_panel(run_picker(found, label="Curves of", every_seed=True), found)
panels.store_problems(problems)
