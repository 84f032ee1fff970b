"""From runs to the curves that are drawn of them: continued runs go on where their parents ended, seeds are a mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from dashboard import resources
from dashboard.cache import CACHE, size_of
from dashboard.shared.groups import RunGroup
from mnist_core.comparison import recipes
from mnist_core.comparison.words.changes import moments
from mnist_core.errors import MnistCoreError
from mnist_core.plots.labels import SOURCE, short_labels
from mnist_core.plots.learning_curves import Curve
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown


class Before(NamedTuple):
    """The training of a run's weights before the run began: epochs, and their seconds."""

    epochs: int
    seconds: float


def before(run: Run) -> Before:
    """Return the training before a run that continues another; nothing if the other is no longer here."""
    epochs, seconds = 0, 0.0
    seen = {run.id}
    # one that was changed by hand has the epochs of its parent itself
    while run.parent and run.changed_at is None and run.parent not in seen:
        seen.add(run.parent)
        try:
            run = resources.snapshot().get(run.parent)
            history = resources.history(run)
        except MnistCoreError:
            break
        # the weights that were gone on from are those of the epoch that was kept
        kept = run.status.kept_epoch or len(history)
        epochs += kept
        seconds += float(history["seconds"].iloc[:kept].sum())
    return Before(epochs, seconds)


def curves_of(
    groups: Sequence[RunGroup], colours: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> list[Curve]:
    """Return a curve for each group that has begun.

    Parameters
    ----------
    groups
        single runs, and recipes with several seeds: of these the mean with its band.
    colours
        run id → colour; of the first run of each group at least.
    labels
        run id → label of single runs.
    """
    labels = labels or short_labels([group.first for group in groups])
    found = []
    for group in groups:
        begun = [run for run in _readable(group) if len(resources.history(run))]
        # a seed under way would make the mean jump at its last epoch
        counted = [run for run in begun if not run.live] or begun
        if not counted:
            continue
        first, earlier = group.first, before(group.first)
        label, colour = labels[first.id], colours[first.id]
        histories = tuple(_shifted(resources.history(run), earlier) for run in begun)
        if not group.several:
            changes = {} if first.recorded else moments(first.meta.changes, first.config.model)
            found.append(Curve(first.id, label, colour, histories[0], earlier.epochs, earlier.seconds, changes=changes))
            continue
        mean, low, high = (_shifted(part, earlier) for part in seeds(counted))
        label = f"{recipes.without_seed(label, first.config.training.seed)}, n = {len(counted)}"
        found.append(Curve(first.id, label, colour, mean, earlier.epochs, earlier.seconds, low, high, histories))
    return found


def _readable(group: RunGroup) -> list[Run]:
    """Return the runs with a readable history; if a single run is given and it is damaged, its error is raised."""
    found = []
    for run in group.runs:
        try:
            resources.history(run)
        except MnistCoreError:
            if not group.several:
                raise
        else:
            found.append(run)
    return found


def _bare(name: str) -> str:
    """Return a name without the source of a preset before it."""
    return re.sub(SOURCE, "", name)


def _shifted(history: pd.DataFrame, earlier: Before) -> pd.DataFrame:
    return history.assign(epoch=history["epoch"] + earlier.epochs) if earlier.epochs else history


def seeds(runs: Sequence[Run]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the mean, the lowest and the highest value of each column of the history, by epoch.

    Epochs that only one of several runs has reached are left out.
    """
    made: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame] = CACHE.get(
        ("seeds", *((run.id, run.version()) for run in runs)), lambda: _seeds(runs), size_of
    )
    return made


def _seeds(runs: Sequence[Run]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    long = recipes.curves(runs)
    long = long[long["runs"] >= min(2, len(runs))]
    mean, low, high = (
        long.pivot(index="epoch", columns="metric", values=value).reindex(columns=list(recipes.METRICS)).reset_index()
        for value in ("mean", "low", "high")
    )
    return mean, low, high


def planned(groups: Sequence[RunGroup]) -> int | None:
    """Return the last epoch that the live and paused ones of the runs are to reach; None where there is none."""
    ends = [
        before(run).epochs + (run.planned_epochs or run.epochs_done)
        for group in groups
        for run in group.runs
        if run.live or run.state == "paused"
    ]
    return max(ends, default=None)


def notes(groups: Sequence[RunGroup], runs: Sequence[Run]) -> list[str]:
    """Return the notes on these curves, a sentence (Markdown) each."""
    sentences = []
    if any(group.several for group in groups):
        sentences.append(
            "Several seeds of one recipe are drawn as their mean (n: how many); the band reaches from the lowest to "
            "the highest of them."
        )
    names = {run.id: _bare(run.name) for run in runs}
    for group in groups:
        run, earlier = group.first, before(group.first)
        if run.changed_at is not None:
            words = moments(run.meta.changes, run.config.model)
            what = "; ".join(f"{text} after epoch {epoch}" for epoch, text in words.items()) or "what is not known"
            sentences.append(
                f"◆ {for_markdown(_bare(run.name))} was changed by hand while it was trained "
                f"({for_markdown(what)}): it is no training with one configuration."
            )
        elif run.parent and earlier.epochs:
            parent = names.get(run.parent, f"run {run.parent}")
            child = _bare(group.name if group.several else run.name)
            sentences.append(
                f"{for_markdown(child)} goes on from epoch {earlier.epochs} of "
                f"{for_markdown(parent)}: its epochs are counted on from there."
            )
        elif run.parent and run.changed_at is None:
            sentences.append(
                f"{for_markdown(_bare(run.name))} goes on from run {run.parent}, which is no longer here: "
                "its epochs are counted from 1."
            )
    return sentences
