"""The card of the training that ended last: its result next to the run it is compared with, and links to go on."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import resources, state
from dashboard.shared import groups, panels, progress
from dashboard.shared.figures import seed_figures
from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.words.headline import headline, in_headline
from mnist_core.comparison.words.numbers import ANSWER_WORDS, number
from mnist_core.evaluation.statistics import sample
from mnist_core.plots import style
from mnist_core.plots.labels import short_labels
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

SHORT = "train_short"
"""Key of the session: the run whose short result a phone shows."""


def result_card(run: Run, chosen: list[str], runs: list[Run]) -> None:
    """Draw the card of a finished run.

    Parameters
    ----------
    run
        that has finished, with predictions.
    chosen
        ids of the chosen runs; the first of them on the same data, other than this recipe's, is the one to measure it
        against.
    runs
        all runs of the store.
    """
    own = next((group for group in groups.recipes_of(runs) if run.id in group.ids), groups.RunGroup((run,)))
    text = _seeds_words(own)
    base = _original(run, own, chosen, runs)
    if base is not None:
        pair = [base, run]
        comparison = resources.comparison(pair, base.id, "kept", state.margin())
        if comparison.verdicts:
            text = f"{headline(comparison, short_labels(pair), _as_recipes(base, run, runs))} {text}"
    if text:
        st.markdown(for_markdown(text.strip()))
    if state.presenting():  # the curves on the first screen
        return
    query = _pair_query(base, own)
    with st.container(horizontal=True, gap="small", key=f"live_links_{run.id}"):
        _compare_link(query)
        found = resources.test_scores(run)
        if found is not None and found.errors:
            st.page_link(
                "views/mistakes/page.py",
                label=f"See its {style.count(found.errors)} mistake{'' if found.errors == 1 else 's'}",
                icon=":material/error_outline:",
                query_params=query | {"inspect": run.id},
            )


def short_result(run: Run, chosen: list[str], runs: list[Run]) -> None:
    """Draw, at the bottom of a phone's screen, how the run that has just ended did, until somebody closes it.

    There the card is far below the form. `style.css` hides this on a wider screen.
    """
    with st.container(key="short_result", horizontal=True, vertical_alignment="center", gap="small"):
        own = next((group for group in groups.recipes_of(runs) if run.id in group.ids), groups.RunGroup((run,)))
        base = _original(run, own, chosen, runs) if run.state == "finished" else None
        panels.dotted(resources.colours([run.id])[run.id], f" {_short_words(run, base, runs)}", name=run.name)
        if run.state == "finished":
            _compare_link(_pair_query(base, own))
        st.button("Close", key="short_close", type="tertiary", icon=":material/close:",
                  on_click=lambda: state.fill({SHORT: ""}))  # fmt: skip


def _short_words(run: Run, base: Run | None, runs: list[Run]) -> str:
    """Return how a run ended: the share that is right, and the difference to the run it is measured against."""
    found = resources.test_scores(run)
    if run.state != "finished" or found is None:
        return f"{progress.ENDINGS.get(run.state, run.state)} after {run.epochs_done} of {run.planned_epochs} epochs"
    text = f"{style.percent(found.accuracy)} right"
    if base is None or any(in_headline(item) for item in _as_recipes(base, run, runs)):
        return text  # of recipes, the card gives the answer
    verdicts = resources.comparison([base, run], base.id, "kept", state.margin()).verdicts
    return text + "".join(
        f", {number(100 * item.accuracy.value, 2, sign=True)} points against {short_labels([base, run])[base.id]}: "
        f"{ANSWER_WORDS[item.answer]}"
        for item in verdicts
    )


def _as_recipes(base: Run, run: Run, runs: list[Run]) -> Sequence[RecipeVerdict]:
    return resources.recipe_comparison([base, run], base.id, "kept", state.margin(), runs)


def _pair_query(base: Run | None, own: groups.RunGroup) -> dict[str, str]:
    return {state.CHOSEN: ",".join([base.id, *own.ids] if base else own.ids)}


def _compare_link(query: dict[str, str]) -> None:
    st.page_link("views/compare/page.py", label="Compare", icon=":material/compare_arrows:", query_params=query)


def _original(run: Run, own: groups.RunGroup, chosen: list[str], runs: list[Run]) -> Run | None:
    """Return the baseline, else the first other chosen run, if it was tested on the same data."""
    by_id = {other.id: other for other in runs}
    fitting = [
        run_id
        for run_id in chosen
        if run_id in by_id
        and run_id not in own.ids
        and by_id[run_id].state == "finished"
        and by_id[run_id].status.fingerprint == run.status.fingerprint
    ]
    found = state.pinned_baseline(fitting) or next(iter(fitting), None)
    return by_id[found] if found else None


def _seeds_words(own: groups.RunGroup) -> str:
    """Return the mean over the finished seeds of the recipe, where there are several."""
    with panels.errors_as_messages():
        figures = seed_figures([own], "kept").get(own.first.id, [])
        accuracies = [item.test.accuracy for item in figures if item.test is not None]
        if len(accuracies) > 1:
            over = sample(accuracies)
            return f"{len(accuracies)} seeds: {style.percent(over.mean)} ± {100 * over.sd:.2f} % right."
    return ""
