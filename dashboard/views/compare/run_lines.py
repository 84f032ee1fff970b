"""One line a run: its test accuracy with the interval, the difference from the baseline, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources
from dashboard.shared.figures import seed_label, status_words
from mnist_core.comparison.verdicts import Comparison
from mnist_core.comparison.words.numbers import ANSWER_WORDS
from mnist_core.evaluation.statistics import Sample
from mnist_core.plots import style
from mnist_core.report import tables
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary
from mnist_core.text import for_html

MOST = 3
"""More lines are set closer, so that the curves stay on the first screen."""
SEEN = 6
"""More lines scroll in a box of so many."""
WORDS = {"Accuracy": "test accuracy [95 % interval]", "Parameters": "parameters", "Training time": "training time"}
ROWS = {row.name: row for row in tables.ROWS if row.name in WORDS}


def run_lines(
    runs: Sequence[Run],
    figures: Mapping[str, RunSummary],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    baseline: str,
    chosen: ChosenEpoch,
    seeds: Mapping[str, Sequence[RunSummary]],
    comparison: Comparison,
) -> None:
    """Draw the lines.

    Parameters
    ----------
    runs, figures, labels, colours
        what is shown; all but the runs by run id.
    baseline
        the id of the run that the others are measured against.
    chosen
        the epoch whose weights were evaluated.
    seeds
        of `seed_figures`: the line of such a run holds the means of its recipe.
    comparison
        of all runs against the baseline; with three runs or more, each line has its verdict.
    """
    items = [figures[run.id] for run in runs]
    fingerprints = {run.id: run.status.fingerprint for run in runs}
    shown = {name: tables.cells(row, items, baseline, fingerprints, seeds) for name, row in ROWS.items()}
    # seeds first: the accuracy of one training is partly luck
    means = {run.id: mean for run in runs if (mean := resources.recipe_sample(run, chosen))}
    base = next(run for run in runs if run.id == baseline)
    verdicts, many = len(runs) > 2, len(runs) > MOST
    head = [f"{len(runs)} runs, scroll for all" if len(runs) > SEEN else "", WORDS["Accuracy"],
            *(["difference"] if len(runs) > 1 else []), *(["verdict"] if verdicts else []),
            WORDS["Parameters"], WORDS["Training time"]]  # fmt: skip
    body = []
    for place, run in enumerate(runs):
        apart = fingerprints[run.id] != fingerprints[baseline]
        role = "baseline" if run.id == baseline and len(runs) > 1 else ""
        if apart:
            role = "not comparable: tested on other images"
        shown_label = for_html(seed_label(labels[run.id], seeds.get(run.id))).replace("/", "/<wbr>")
        name = (
            f'<span class="dot" style="background:{colours[run.id]}"></span>'
            f'<span class="who" title="{for_html(labels[run.id])}">{shown_label}</span> '
            f'<span class="quiet">{for_html(role)}</span>'
        )
        found = comparison.of(run.id)
        cells = [
            name,
            _accuracy(
                run, figures[run.id], shown["Accuracy"][place].text, chosen, seeds, means.get(run.id), brief=many
            ),
            *([for_html(_difference(run, base, shown["Accuracy"][place].difference, means))] if len(runs) > 1 else []),
            *([for_html(ANSWER_WORDS[found.answer]) if found else ""] if verdicts else []),
            for_html(shown["Parameters"][place].text),
            for_html(shown["Training time"][place].text),
        ]
        body.append(f'<tr class="{"muted" if apart else ""}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    titles = "".join(f"<th>{for_html(title)}</th>" if title else "<td></td>" for title in head)
    kind = "lines many" if many else "lines"
    st.html(
        f'<div class="{kind}" tabindex="0" role="region" aria-label="Figures of the chosen runs"><table>'
        f"<thead><tr>{titles}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _difference(run: Run, base: Run, text: str, means: Mapping[str, Sample]) -> str:
    """Return the difference from the baseline: that of the means where both recipes have several seeds."""
    if text and run.id in means and base.id in means:
        return style.points(means[run.id].mean - means[base.id].mean)
    return text


def _accuracy(
    run: Run, item: RunSummary, text: str, chosen: ChosenEpoch, seeds: Mapping[str, Sequence[RunSummary]],
    mean: Sample | None, *, brief: bool,
) -> str:  # fmt: skip
    """Return the accuracy with its interval, or mean and standard deviation over the seeds; or why there is none.

    brief: True to leave out the figures of the one seed where there is a mean.
    """
    if text == tables.ABSENT:
        return f'<span class="quiet">{for_html(status_words(run, item.epochs_done, chosen))}</span>'
    title = f' title="test accuracy at epoch {item.tested_epoch}"' if item.tested_epoch else ""
    large = f'<span class="large"{title}>{for_html(text)}</span>'
    if len(seeds.get(run.id, ())) > 1 or not item.test_accuracy_interval:
        return large
    low, high = item.test_accuracy_interval
    words = f"[{100 * low:.2f}, {100 * high:.2f}]"
    if mean:
        large = f'<span class="large"{title}>{100 * mean.mean:.2f} ± {style.percent(mean.sd)}</span>'
        words = f"{mean.n} seeds" if brief else f"{mean.n} seeds; this one {text} {words}"
    return f'{large}<span class="quiet{" below" if mean else ""}">{for_html(words)}</span>'
