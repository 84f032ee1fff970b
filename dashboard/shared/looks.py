"""The sweeps and searches that runs belong to, and the count of looks at test results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from mnist_core.comparison.comparability import Background
from mnist_core.comparison.test_set import counted
from mnist_core.comparison.words.selection import chosen_words, lead_words, looked_at_words, selection_words
from mnist_core.comparison.words.test_set import uses_words
from mnist_core.errors import StoreError
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary
from mnist_core.runs.test_set_uses import Uses
from mnist_core.studies import selections
from mnist_core.studies.kinds import AnyStudy
from mnist_core.text import for_markdown


def selection_captions(runs: Sequence[Run], known: Background, labels: Mapping[str, str]) -> None:
    """Write what the runs are in the sweeps and searches that they are of, a line each; nothing for the others."""
    lines = [selection_words(item, labels[run.id]) for run in runs for item in known.of(run)]
    if lines:
        st.caption("\n\n".join(for_markdown(line) for line in lines))


def count_caption(baseline: Run, runs: Sequence[Run], summaries: Mapping[str, RunSummary]) -> Uses | None:
    """Count the comparisons that a page shows, write how many the test images have seen, and return that."""
    try:
        uses = counted(resources.store().root, baseline, runs, summaries)
    except StoreError as error:
        st.caption(panels.markdown_sentence(error))
        return None
    if text := uses_words(uses, baseline.dataset):
        st.caption(for_markdown(text))
    return uses


# -- the runs that a sweep or search has passed over ------------------------------------------------------------------


def revealed(study: AnyStudy) -> bool:
    """True if this viewer has requested the test results of the runs that a study passed over."""
    return bool(state.widget_value(f"reveal_{study.id}"))


def reveal_switch(study: AnyStudy) -> None:
    """Offer to show the test results of the runs that were passed over; asking is counted."""
    st.toggle(
        "Show the test results of all runs",
        key=f"reveal_{study.id}",
        on_change=lambda: count_reveal(study),
        help="Only the run that validation chose is shown with its test result. Whoever looks at the others may choose "
        "by them, and then has no new images left to test the choice on. A look is counted.",
    )


def count_reveal(study: AnyStudy) -> None:
    """Count a look at the test results that a study has passed over, where it is one; say so where that fails."""
    if revealed(study) or study.optimistic:
        with panels.errors_as_messages():
            selections.reveal(resources.store().root, resources.snapshot().runs, study, _winner((), study))


def passed_over() -> frozenset[str]:
    """Return the ids of the runs that sweeps and searches have passed over by held-out images.

    A run that one of them has chosen, or that a person has requested, is not among them.
    """
    return selections.passed_over(resources.snapshot().runs, resources.studies().known, _winner)


def count_all_reveals() -> None:
    """Count a look at the test results that every study has passed over; say so where that fails."""
    with panels.errors_as_messages():
        selections.reveal_all(resources.store().root, resources.snapshot().runs, resources.studies().known, _winner)


def _winner(_: Sequence[Run], study: AnyStudy) -> str | None:
    """Return what `selections.winner_of` returns, from the cache of all sessions."""
    chosen = resources.choice(study)
    return chosen.run if chosen else None


def choice_caption(study: AnyStudy) -> None:
    """Write how the run that a study chose stands among the others, and whether those have been looked at."""
    chosen = resources.choice(study)
    lines = [f"{_capital(chosen_words(chosen.selection))}. {lead_words(chosen.selection)}"] if chosen else []
    if not study.optimistic:
        lines.append(looked_at_words(selections.looked_at(resources.store().root, study, _winner((), study))))
    st.caption("  \n".join(for_markdown(line) for line in lines))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
