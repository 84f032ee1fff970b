"""What the curves of the chosen runs say: marks for the loss chart, and the sentences with the rules behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from dashboard import resources
from dashboard.components import panels
from mnist_core.diagnosis import Finding, Kind
from mnist_core.runs import Run

MARKS: dict[Kind, str] = {
    "diverged": "diverges",
    "stuck at chance": "stuck",
    "overfitting": "overfits",
    "unstable": "leaps",
    "plateau": "levels off",
}
"""What is written into the chart; a finding about the end of a curve, or all of it, needs no place there."""

STYLE = """
<style>
.said { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr; gap: .45rem .9rem; align-items: baseline; }
.said .who { font-weight: 600; overflow-wrap: anywhere; max-width: 14rem; }
.said .dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .4rem; }
.said b { font-weight: 600; }
.said p { margin: 0 0 .2rem; }
@media (max-width: 640px) { .said { grid-template-columns: 1fr; gap: .1rem; } .said p { margin-bottom: .5rem; } }
</style>
"""
HELP = (
    "Overfitting: learning the training images by heart, so that the validation loss rises again. Underfitting: not "
    "even the training images are learnt well. Dropout leaves out a random share of a layer's outputs while training. "
    "The rules compare means over several epochs with the scatter from epoch to epoch, so that chance is not taken for "
    "a trend; docs/diagnosis.md tells how often they are wrong."
)


def diagnosis_marks(runs: Sequence[Run]) -> dict[str, tuple[int, str]]:
    """For each run, the epoch and the words of its gravest finding that has a place on the loss curve."""
    marks = {}
    for run in runs:
        for item in resources.diagnosis(run):
            if item.epoch is not None and item.kind in MARKS:
                marks[run.id] = (item.epoch, MARKS[item.kind])
                break
    return marks


def diagnosis_panel(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """A line a finding, run by run, and the rules behind them folded away."""
    found = {run.id: resources.diagnosis(run) for run in runs}
    panels.heading(
        "What the curves say", "Read off by fixed rules; dotted lines in the loss chart mark the epochs.", HELP
    )
    parts = []
    for run in runs:
        dot = f'<span class="dot" style="background:{escape(colours[run.id])}"></span>'
        said = "".join(f"<p>{_sentence(item)}</p>" for item in found[run.id]) or f"<p>{_nothing(run)}</p>"
        parts.append(f'<div class="who">{dot}{escape(labels[run.id])}</div><div>{said}</div>')
    st.html(f'{STYLE}<div class="said">{"".join(parts)}</div>')
    if any(found.values()):
        with st.expander("The rules and their numbers", key="diagnosis_rules"):
            rules = [
                f'<div class="who">{escape(labels[run.id])}</div><div>'
                + "".join(
                    f"<p><b>{escape(item.kind.capitalize())}.</b> {escape(item.rule)}</p>" for item in found[run.id]
                )
                + "</div>"
                for run in runs
                if found[run.id]
            ]
            st.html(f'{STYLE}<div class="said">{"".join(rules)}</div>')


def _sentence(item: Finding) -> str:
    """The sentence, with what it comes to in bold where something is to be mended."""
    head, colon, rest = item.sentence.partition(":")
    if item.severity == "problem" and colon:
        return f"<b>{escape(head)}:</b>{escape(rest)}"
    return escape(item.sentence)


def _nothing(run: Run) -> str:
    return "Nothing unusual." if run.epochs_done else "No epoch is finished yet."
