"""The card of the training that ended last: its result next to the run it is compared with, and links to go on."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import groups, panels
from dashboard.shared.figures import seed_figures
from mnist_core.comparison.words.headline import headline
from mnist_core.evaluation.statistics import sample
from mnist_core.plots import style
from mnist_core.plots.labels import short_labels
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown


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
        pair, margin = [base, run], state.margin()
        names = short_labels(pair)
        comparison = resources.comparison(pair, base.id, "kept", margin)
        if comparison.verdicts:
            recipes = resources.recipe_comparison(pair, base.id, "kept", margin, runs)
            text = f"{headline(comparison, names, recipes)} {text}"
    if text:
        st.markdown(for_markdown(text.strip()))
    if state.presenting():  # the curves on the first screen
        return
    query = {state.CHOSEN: ",".join([base.id, *own.ids] if base else own.ids)}
    with st.container(horizontal=True, gap="small"):
        st.page_link("views/compare/page.py", label="Compare", icon=":material/compare_arrows:", query_params=query)
        found = resources.test_scores(run)
        if found is not None and found.errors:
            st.page_link(
                "views/mistakes/page.py",
                label=f"See its {style.count(found.errors)} mistake{'' if found.errors == 1 else 's'}",
                icon=":material/error_outline:",
                query_params=query | {"inspect": run.id},
            )


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
