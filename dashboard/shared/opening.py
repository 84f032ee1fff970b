"""How pages about runs open: the title, what is said where there are no runs, and errors as messages."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from mnist_core.runs.run import Run


def question_page(title: str, answer: Callable[[list[Run]], None]) -> None:
    """Draw a page that answers a question: its title, what `answer` draws for all runs, and the store's problems."""
    st.title(title)
    with panels.errors_as_messages():
        runs, problems = resources.scan()
        answer(runs)
        panels.store_problems(problems)


def no_runs(sentence: str, *, button: str = "Train a first run") -> None:
    """Write what a page shows once there are runs, with a button that opens Train."""
    panels.empty_state("No runs yet", sentence, button=button, page="views/train/page.py")
