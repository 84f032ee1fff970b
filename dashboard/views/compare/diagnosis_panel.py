"""What the curves of the chosen runs say: marks for the loss chart, and the sentences with the rules behind them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from dashboard.shared.groups import Group
from mnist_core.comparison.diagnosis import Finding, Kind
from mnist_core.errors import StoreError
from mnist_core.runs.run import Run

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


def diagnosis_marks(groups: Sequence[Group]) -> dict[str, tuple[int, str]]:
    """For each run, the epoch and the words of its gravest finding that has a place on the loss curve.

    The mean of several seeds has no such place: each seed has findings of its own.
    """
    marks = {}
    for group in groups:
        for item in [] if group.several else resources.diagnosis(group.first):
            if item.epoch is not None and item.kind in MARKS:
                marks[group.first.id] = (item.epoch, MARKS[item.kind])
                break
    return marks


def diagnosis_panel(groups: Sequence[Group], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """A line a finding, run by run, and the rules behind them folded away; several seeds are counted first."""
    runs = [group.first for group in groups]
    counted = {group.first.id: _counted(group) for group in groups if group.several}
    found = {run.id: resources.diagnosis(run) for run in runs}
    panels.heading(
        "What the curves say", "Read off by fixed rules; dotted lines in the loss chart mark the epochs.", HELP
    )
    parts = []
    for run in runs:
        dot = f'<span class="dot" style="background:{escape(colours[run.id])}"></span>'
        said = counted.get(run.id, "")
        said += "".join(f"<p>{_sentence(item)}</p>" for item in found[run.id]) or f"<p>{_nothing(run)}</p>"
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


def _counted(group: Group) -> str:
    """How many of a recipe's seeds have each finding, and whose sentences follow."""
    kinds = Counter(item.kind for run in group.runs for item in _findings(run))
    many = len(group.runs)
    counts = ", ".join(f"{kind} in {count}" for kind, count in kinds.most_common()) or "nothing unusual"
    seed = group.first.config.training.seed
    return f"<p>{escape(f'Of {many} seeds: {counts}. Seed {seed}:')}</p>"


def _findings(run: Run) -> list[Finding]:
    with contextlib.suppress(StoreError):  # a damaged run is told of where the runs are listed
        return resources.diagnosis(run)
    return []


def _sentence(item: Finding) -> str:
    """The sentence, with what it comes to in bold where something is to be mended."""
    head, colon, rest = item.sentence.partition(":")
    if item.severity == "problem" and colon:
        return f"<b>{escape(head)}:</b>{escape(rest)}"
    return escape(item.sentence)


def _nothing(run: Run) -> str:
    return "Nothing unusual." if run.epochs_done else "No epoch is finished yet."
