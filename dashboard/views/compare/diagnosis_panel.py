"""The diagnosis of the chosen runs: marks for the loss chart, and the sentences with the rules behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress

import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from dashboard.shared.groups import RunGroup
from mnist_core.comparison.diagnosis.findings import Code, Finding
from mnist_core.comparison.diagnosis.words import (
    TITLES,
    example_end,
    example_lead,
    lowest_loss,
    suggestion_sentence,
    words,
)
from mnist_core.errors import StoreError
from mnist_core.runs.recorded import NO_HISTORY
from mnist_core.runs.run import Run
from mnist_core.text import for_html

MARKS: dict[Code, str] = {
    "not_finite": "diverges",
    "loss_explosion": "diverges",
    "dead_network": "dead",
    "stuck_at_chance": "stuck",
    "collapse": "collapses",
    "got_worse": "gets worse",
    "overfitting": "overfits",
    "oscillation": "unstable",
    "spike": "spike",
    "plateau": "levels off",
}
"""Texts of the marks in the chart; a finding about the end of a curve, or all of it, has no mark."""

FEW = 3
"""Of more runs, the sentences are folded away under their beginnings."""


HELP = (
    "Overfitting: learning the training images by heart, so that the validation loss rises again. Underfitting: not "
    "even the training images are learnt well. Dropout leaves out a random share of a layer's outputs while training. "
    "The rules compare means over several epochs with the noise from epoch to epoch, so that chance is not taken for "
    "a trend; docs/diagnosis.md has how often they are wrong."
)


def diagnosis_marks(groups: Sequence[RunGroup]) -> dict[str, tuple[int, str]]:
    """Return, for each run, the epoch and the words of its gravest finding that has a place on the loss curve.

    The mean of several seeds has no such place: each seed has findings of its own.
    """
    marks = {}
    for group in groups:
        for item in [] if group.several else resources.diagnosis(group.first):
            if item.code in MARKS:
                marks[group.first.id] = (item.epoch, MARKS[item.code])
                break
    return marks


def diagnosis_panel(
    groups: Sequence[RunGroup], labels: Mapping[str, str], colours: Mapping[str, str], everything: Sequence[Run] = ()
) -> None:
    """Draw a line a finding, run by run, and the rules behind them folded away; several seeds are counted first.

    Parameters
    ----------
    groups, labels, colours
        what is shown, by run id.
    everything
        the runs of the store, among which examples of a suggested change are looked for.
    """
    runs = [group.first for group in groups]
    found = {run.id: resources.diagnosis(run) for run in runs}
    panels.heading(
        "What the curves say", "Read off by fixed rules; dotted lines in the loss chart mark the epochs.", HELP
    )
    heads = {
        run.id: f'<div class="who"><span class="dot" style="background:{for_html(colours[run.id])}"></span>'
        f"{for_html(labels[run.id])}</div>"
        for run in runs
    }
    many = len(runs) > FEW
    if many:
        brief = [f"<div>{heads[run.id]}<div>{_brief(run, found[run.id])}</div></div>" for run in runs]
        st.html(f'<div class="brief">{"".join(brief)}</div>')
    with panels.folded("In full, and what may help", key="diagnosis_full") if many else nullcontext(True) as opened:
        if opened:
            counted = {group.first.id: _counted(group) for group in groups if group.several}
            parts = []
            for run in runs:
                sentences = [_sentence(run, item, everything) for item in found[run.id]]
                text = counted.get(run.id, "") + ("".join(sentences) or _nothing(run))
                parts.append(f"{heads[run.id]}<div>{text}</div>")
            st.html(f'<div class="findings">{"".join(parts)}</div>')
    if any(found.values()):
        with panels.folded("The rules and their numbers", key="diagnosis_rules") as opened:
            if not opened:
                return
            rules = [
                f'<div class="who">{for_html(labels[run.id])}</div><div>{"".join(map(_rule, found[run.id]))}</div>'
                for run in runs
                if found[run.id]
            ]
            st.html(f'<div class="findings">{"".join(rules)}</div>')


def _brief(run: Run, found: Sequence[Finding]) -> str:
    """Return the beginnings of a run's sentences, as HTML."""
    leads = []
    for item in found:
        lead = for_html(words(item, ended=not run.live).lead_alone)
        leads.append(f"<b>{lead}</b>" if item.severity == "problem" else lead)
    return f"<p>{'. '.join(leads)}.</p>" if leads else _nothing(run)


def _nothing(run: Run) -> str:
    return f"<p>{NO_HISTORY if run.recorded and run.ended else 'No epoch is finished yet.'}</p>"


def _counted(group: RunGroup) -> str:
    """Return how many of a recipe's seeds have each finding, and whose sentences follow."""
    titles = Counter(title for run in group.runs for title in {TITLES[item.code] for item in _findings(run)})
    many = len(group.runs)
    counts = ", ".join(f"{title} in {count}" for title, count in titles.most_common()) or "no epoch is finished yet"
    seed = group.first.seed
    return f"<p>{for_html(f'Of {many} seeds: {counts}. Seed {seed}:')}</p>"


def _findings(run: Run) -> list[Finding]:
    with suppress(StoreError):  # the list of runs reports a damaged one
        return resources.diagnosis(run)
    return []


def _sentence(run: Run, item: Finding, everything: Sequence[Run]) -> str:
    """Return the sentence, its lead in bold where something is to be changed.

    What may help follows, and who has tried it.
    """
    text = words(item, ended=not run.live)
    lead = f"<b>{for_html(text.lead)}</b>" if item.severity == "problem" else for_html(text.lead)
    lines = [f"<p>{lead} {for_html(text.text)}</p>"]
    advice = [for_html(suggestion_sentence(item.suggestions))] if item.suggestions else []
    for change in item.suggestions:
        tried = resources.examples(run, change, everything)
        if not tried:
            continue
        links = [
            f'<a href="?runs={for_html(run.id)},{for_html(one.run_id)}" target="_self">{for_html(one.name)}</a> '
            f"({for_html(', '.join(filter(None, (one.setting, one.result))))})"
            for one in tried
        ]
        advice.append(f"{for_html(example_lead(change))} {', '.join(links)}. {for_html(example_end(lowest_loss(run)))}")
    if advice:
        lines.append(f'<p class="try">{" ".join(advice)}</p>')
    return "".join(lines)


def _rule(item: Finding) -> str:
    text = words(item)
    return f"<p><b>{for_html(text.title.capitalize())}.</b> {for_html(text.rule)}</p>"
