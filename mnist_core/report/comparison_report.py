"""The report of a comparison: what a student hands in, made of the same sentences, tables and charts as the page.

No Streamlit: the command line writes it too (`python -m mnist_core report`), see docs/decisions.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import altair as alt

from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.comparison.diagnosis.rules import diagnose_run
from mnist_core.comparison.diagnosis.words import suggestion_sentence, words
from mnist_core.comparison.planner import Plan, plans
from mnist_core.comparison.recipe_verdicts import RecipeVerdict, compare_recipes
from mnist_core.comparison.test_set import counted
from mnist_core.comparison.verdicts import Comparison, compare
from mnist_core.comparison.words import setting_words
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.numbers import margin_words
from mnist_core.comparison.words.planner import plan_words
from mnist_core.comparison.words.recipes import recipe_words
from mnist_core.comparison.words.test_set import uses_words
from mnist_core.comparison.words.verdicts import (
    limit_words,
    loss_verdict_words,
    open_words,
    refusal_words,
    verdict_words,
)
from mnist_core.constants import __version__
from mnist_core.errors import WriteError
from mnist_core.experiments.axis_words import words_of
from mnist_core.experiments.fields import flatten
from mnist_core.plots.labels import run_colours, short_labels
from mnist_core.plots.learning_curves import CurveMetric, changes_of, curve_frame, curve_of, curves_chart, described
from mnist_core.plots.style import RUN_COLOURS, percent, styled
from mnist_core.plots.verdicts import described as described_verdicts
from mnist_core.plots.verdicts import verdict_chart, verdict_frame, verdict_table
from mnist_core.report import tables
from mnist_core.report.documents import Block, Bullets, Heading, Paragraph, Picture, Table, to_html, to_markdown
from mnist_core.report.export import picture, specification
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, summarise
from mnist_core.runs.test_set_uses import Uses
from mnist_core.studies.kinds import studies
from mnist_core.studies.selections import background
from mnist_core.text import data_name

EPOCHS: dict[ChosenEpoch, str] = {
    "kept": "the kept epoch: the last, or the one that early stopping restored",
    "last": "the last finished epoch",
    "best": "the epoch of the lowest validation loss",
}


@dataclass(frozen=True)
class Content:
    """All that a report tells. summaries: in the order of `runs`. colours: run id → colour on white paper."""

    runs: Sequence[Run]
    summaries: Sequence[RunSummary]
    comparison: Comparison
    recipes: Sequence[RecipeVerdict]
    labels: Mapping[str, str]
    colours: Mapping[str, str]
    uses: Uses | None = None
    """Number of uses of the baseline's test images; None if it cannot be counted."""
    plans: Sequence[Plan] = ()


def compared(
    store: Store, runs: Sequence[Run], chosen: ChosenEpoch = "kept", margin: float = DEFAULT_MARGIN
) -> Content:
    """Return the runs compared with the first of them, with labels and colours as on the dashboard."""
    everything = store.runs()
    known = background(store.root, everything, studies(store)[0], runs)
    summaries = [summarise(run, chosen) for run in runs]
    comparison = compare(runs, runs[0], chosen, margin=margin, background=known)
    recipes = compare_recipes(runs, runs[0], everything, chosen, margin=margin)
    return Content(
        runs=runs,
        summaries=summaries,
        comparison=comparison,
        recipes=recipes,
        plans=plans(runs, comparison, recipes, everything),
        labels=short_labels(list(runs)),
        colours=run_colours(store.root, [run.id for run in runs], RUN_COLOURS),
        uses=_counted(store, runs, summaries),
    )


def _counted(store: Store, runs: Sequence[Run], summaries: Sequence[RunSummary]) -> Uses | None:
    try:
        return counted(store.root, runs[0], runs, {item.id: item for item in summaries})
    except WriteError:
        return None


def compose(found: Content, now: datetime.datetime, *, live: bool = True) -> list[Block]:
    """Return the report as blocks.

    now: the date that it carries. live: False for pictures that stay still, as those of Markdown do.
    """
    names = [found.labels[run.id] for run in found.runs]
    return [
        Heading(1, f"Comparison of {', '.join(names)}"),
        Paragraph(f"Made on {now:%d %B %Y, %H:%M} with mnist_core {__version__}."),
        Paragraph(tables.answer(found.summaries, found.labels, found.comparison, found.recipes), lead=True),
        *_verdicts(found, live=live),
        *_curves(found, live=live),
        *_figures(found),
        *_settings(found),
        *_origins(found),
    ]


def as_html(found: Content, now: datetime.datetime) -> bytes:
    """Return the report as one HTML file."""
    return to_html(compose(found, now)).encode()


def as_markdown(found: Content, now: datetime.datetime) -> bytes:
    """Return the report as one Markdown file, with its pictures in it."""
    return to_markdown(compose(found, now, live=False)).encode()


def write(found: Content, path: Path, kind: str, now: datetime.datetime) -> list[Path]:
    """Write the report to `path`, and return the files written; a Markdown report has its pictures next to it as SVG
    files.
    """
    if kind == "html":
        path.write_bytes(as_html(found, now))
        return [path]
    written = [path]

    def next_to_it(item: Picture) -> str:
        name = f"{path.stem}-{item.name}.svg"
        written.append(path.with_name(name))
        written[-1].write_text(item.svg, encoding="utf-8")
        return quote(name)

    path.write_text(to_markdown(compose(found, now, live=False), next_to_it), encoding="utf-8")
    return written


def _verdicts(found: Content, *, live: bool) -> Iterator[Block]:
    comparison, labels = found.comparison, found.labels
    base = labels[comparison.baseline]
    yield Heading(2, "Is the difference real?")
    yield Paragraph(
        f"The baseline is {base}. Weights that are evaluated: those of {EPOCHS[comparison.chosen]}. A difference in "
        f"accuracy of up to {margin_words(comparison.margin)} is taken not to matter."
    )
    verdicts = comparison.verdicts
    if verdicts:
        frame = verdict_frame(verdicts, labels)
        chart = verdict_chart(frame, found.colours, base)
        yield _picture("verdicts", chart, chart if live else None, described_verdicts(frame, base))
    for item in verdicts:
        yield Heading(3, f"{labels[item.run]} against {base}")
        recipes = [recipe_words(recipe, labels) for recipe in found.recipes if recipe.run == item.run]
        recipes += [plan_words(plan, labels) for plan in found.plans if plan.run == item.run]
        sentences = [verdict_words(item, labels), open_words(item), loss_verdict_words(item, labels), *recipes]
        yield Bullets([text for text in sentences if text])
        table = item.table
        yield Table(
            ["images", f"{base} right", f"{base} wrong"],
            [
                [f"{labels[item.run]} right", f"{table.both_right:,}", f"{table.only_run:,}"],
                [f"{labels[item.run]} wrong", f"{table.only_baseline:,}", f"{table.both_wrong:,}"],
            ],
        )
        yield Paragraph("What to know of this comparison:")
        pair = base, labels[item.run]
        yield Bullets([f"{concern.severity}: {concern_words(concern, pair)}" for concern in item.concerns])
    if verdicts:
        numbers = verdict_table(verdicts, labels)
        yield Heading(3, "The numbers")
        yield Paragraph(
            "Differences are the run's minus the baseline's, each with its interval at the level shown: in accuracy "
            "Tango's score interval, with McNemar's score test, its exact p and mid-p; in loss a paired t interval "
            "over the images. Holm p: adjusted for the number of comparisons, as are the levels."
        )
        yield Table([str(name) for name in numbers.columns], [list(map(str, row)) for row in numbers.to_numpy()])
    if found.uses and (text := uses_words(found.uses, found.runs[0].dataset)):
        yield Paragraph(text)
    if comparison.refusals:
        yield Heading(3, "Not compared")
        yield Bullets([f"{labels[item.run]}: {refusal_words(item, labels)}." for item in comparison.refusals])
    limits = dict.fromkeys(limit_words(limit, labels) for item in verdicts for limit in item.limits)
    if limits:
        yield Heading(3, "What this does not cover")
        yield Bullets(list(limits))


def _curves(found: Content, *, live: bool) -> Iterator[Block]:
    curves = [curve_of(run, found.labels[run.id], found.colours[run.id]) for run in found.runs]
    changes = changes_of(curves)
    yield Heading(2, "Learning curves")
    metrics: tuple[CurveMetric, ...] = ("loss", "accuracy")
    for metric in metrics:
        frame = curve_frame(curves, metric)
        if len(frame):
            yield Heading(3, metric.capitalize())
            drawn = partial(curves_chart, frame, found.colours, metric, changes=changes)
            moving = drawn(pointer=True) if live else None
            yield _picture(metric, drawn(pointer=False), moving, described(frame, metric))
    findings = [(run, item) for run in found.runs for item in diagnose_run(run)]
    if findings:
        yield Heading(3, "What the curves say")
        lines = []
        for run, item in findings:
            wording = words(item, ended=not run.live)
            change = suggestion_sentence(item.suggestions)
            parts = (f"{found.labels[run.id]}:", wording.sentence, change, f"({wording.rule})")
            lines.append(" ".join(part for part in parts if part))
        yield Bullets(lines)


def _figures(found: Content) -> Iterator[Block]:
    fingerprints = {run.id: run.status.fingerprint for run in found.runs}
    yield Heading(2, "All figures")
    rows = []
    for row in tables.ROWS:
        cells = tables.cells(row, found.summaries, found.comparison.baseline, fingerprints)
        name = row.name if row.group == "Cost" or "epoch" in row.name else f"{row.name}, {row.group.lower()}"
        rows.append([name, *(f"{cell.text} ({cell.difference})" if cell.difference else cell.text for cell in cells)])
    intervals = [item.test_accuracy_interval for item in found.summaries]
    shown = [f"{percent(item.low)} to {percent(item.high)}" if item else tables.ABSENT for item in intervals]
    rows.append(["Accuracy, 95 % interval (Wilson)", *shown])
    yield Table(["", *_names(found)], rows)
    yield Paragraph("In parentheses: the difference from the baseline. A point is a percentage point.")


def _settings(found: Content) -> Iterator[Block]:
    flat = [{} if run.recorded else flatten(run.config) for run in found.runs]
    paths = dict.fromkeys(path for config in flat for path in config)
    yield Heading(2, "Configuration")
    yield Table(
        ["setting", *_names(found)],
        [["model", *(run.model_words for run in found.runs)]]
        + [
            [setting_words(path), *(words_of(path, config.get(path), absent=tables.ABSENT) for config in flat)]
            for path in paths
        ],
    )


def _origins(found: Content) -> Iterator[Block]:
    facts = ("python", "tensorflow", "keras", "numpy", "mnist_core", "platform", "processor", "threads")
    environments = [run.environment() for run in found.runs]
    yield Heading(2, "Data and versions")
    rows = [
        ["run id", *(run.id for run in found.runs)],
        ["state", *(run.state for run in found.runs)],
        ["data", *(data_name(run.dataset) for run in found.runs)],
        ["fingerprint of the data", *(run.status.fingerprint for run in found.runs)],
        ["trained on", *(_day(run.status.started_at) for run in found.runs)],
    ]
    rows += [[fact, *(str(getattr(item, fact)) if item else tables.ABSENT for item in environments)] for fact in facts]
    yield Table(["", *_names(found)], rows)


def _names(found: Content) -> list[str]:
    return [found.labels[run.id] for run in found.runs]


def _day(seconds: float | None) -> str:
    return datetime.datetime.fromtimestamp(seconds).strftime("%d %B %Y") if seconds else tables.ABSENT


def _picture(name: str, still: alt.LayerChart, live: alt.LayerChart | None, caption: str) -> Picture:
    moving = specification(styled(live)) if live else None
    return Picture(name, picture(styled(still), "svg").decode(), caption, moving)
