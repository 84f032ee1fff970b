"""The panel of plans that settle an undecided comparison, each with a button that trains exactly its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels, timings
from mnist_core.comparison.planner import Plan
from mnist_core.comparison.recipes import same_recipe
from mnist_core.comparison.words.planner import plan_words
from mnist_core.errors import MnistCoreError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs.request import request_more_seeds
from mnist_core.plots import style
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

HELP = (
    "On few seeds or few images a small difference is often missed. The plan says how many more seeds would show one "
    "as large as the margin, if it is there: in 80 of 100 cases, by the same test that decides here. Seeds average out "
    "the luck of training; the luck of the test images stays. Train what is planned and decide then: each further look "
    "gives chance another opportunity."
)


def plan_panel(plans: Sequence[Plan], runs: Sequence[Run], labels: Mapping[str, str], everything: list[Run]) -> None:
    """Draw each plan as a sentence and, where seeds help, a button; while such seeds are trained, how many are left."""
    by_id = {run.id: run for run in runs}
    for plan in plans:
        sides = [by_id[plan.baseline], by_id[plan.run]]
        recipes = [same_recipe(run, everything) for run in sides]
        under_way = sum(run.live for recipe in recipes for run in recipe)
        with st.container(key=f"plan_{plan.run}", gap="small"):
            if under_way:
                names = " and ".join(labels[run.id] for run in sides)
                seeds = f"{under_way} seed{'' if under_way == 1 else 's'}"
                st.caption(f":material/hourglass_top: {seeds} of {for_markdown(names)} in training; then the answer.")
                continue
            seconds = _seconds([run.config for run in sides for _ in range(plan.more)], everything)
            time = style.duration(seconds) if seconds else ""
            st.markdown(f"**What would settle it?** {for_markdown(plan_words(plan, labels, time))}", help=HELP)
            if plan.code == "seeds" and st.button(
                f"Train {plan.more} more seed{'' if plan.more == 1 else 's'} of each",
                icon=":material/model_training:",
                key=f"train_plan_{plan.run}",
                disabled=not resources.store().writable,
            ):
                _train(plan, sides, everything)


def _seconds(configs: list[RunConfig], everything: list[Run]) -> float | None:
    try:
        return timings.total(configs, everything) if configs else None
    except MnistCoreError:
        return None  # too few images to train on: the request says so


def _train(plan: Plan, sides: Sequence[Run], everything: Sequence[Run]) -> None:
    """Queue the seeds of a plan, and choose all seeds of both recipes, so that the page follows them."""
    with panels.errors_as_messages():
        with st.spinner("Handing over to the training service …"):
            requested = request_more_seeds(resources.store(), resources.runner(), sides, plan.more)
            resources.watch().again()
        seeds = [item.id for run in sides for item in same_recipe(run, everything)]
        chosen = state.chosen_ids(list(everything))
        state.choose(list(dict.fromkeys([*chosen, *seeds, *(item.run.id for item in requested)])))
        st.rerun()
