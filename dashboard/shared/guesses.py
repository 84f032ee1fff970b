"""Which of the chosen runs have guessed the test images, and why the others have not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from mnist_core.errors import StoreError
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown


def runs_with_predictions(runs: Sequence[Run], labels: Mapping[str, str], chosen: ChosenEpoch = "kept") -> list[Run]:
    """Return the runs that have predictions of an epoch's weights; the page says of each other one why it has none."""
    return [run for run in runs if _has_guesses(run, labels[run.id], chosen)]


def _has_guesses(run: Run, label: str, chosen: ChosenEpoch) -> bool:
    try:
        if resources.predictions(run, chosen) is not None:
            return True
        st.caption(
            f":material/hourglass_empty: {for_markdown(label)} has no guesses on the test images: "
            f"{for_markdown(_why(run, chosen))}."
        )
    except StoreError as error:
        st.warning(panels.markdown_sentence(error), icon=":material/report:")
    return False


def _why(run: Run, chosen: ChosenEpoch) -> str:
    if run.live:
        return "its training is not finished"
    if chosen != "kept" and resources.predictions(run) is not None:
        return f"those of its {chosen} epoch are not stored; choose the kept weights, or train it again"
    if run.recorded and run.state == "finished":
        return "it was recorded without predictions"
    if run.state == "finished":
        return "they are not stored with it; train it again to have them"
    return run.status.reason or f"its training was {run.state}"
