"""Pictures of runs in one call, as a notebook wants them; the dashboard draws the same charts.

A run is given as a `Run` or by its name. Each chart is an Altair chart: a notebook shows it, and
`.save("x.png")` keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from mnist_core.comparison.disagreements import counts, votes
from mnist_core.errors import ComparisonError
from mnist_core.evaluation.mistakes import confusion_frame
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import check_paired
from mnist_core.plots.agreement import group_chart, group_frame
from mnist_core.plots.confusion_matrix import confusion_cells, confusion_chart
from mnist_core.plots.labels import run_colours, short_labels
from mnist_core.plots.learning_curves import CurveMetric, changes_of, curve_frame, curve_of, curves_chart
from mnist_core.plots.style import RUN_COLOURS, styled
from mnist_core.runs.find import resolve
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

WIDTH = 460
"""Pixels of one chart; two stand side by side in a notebook."""


def curves(
    runs: Sequence[Run | str] | Run | str,
    *,
    metrics: Sequence[CurveMetric] = ("loss", "accuracy"),
    store: Store | None = None,
) -> alt.TopLevelMixin:
    """Return the learning curves of runs over one another: training thin and dashed, validation strong.

    Parameters
    ----------
    runs
        one run or several, each a `Run` or its name.
    metrics
        what to draw, side by side: ``loss``, ``accuracy``.
    store
        where names are looked up; default: the usual store.

    Raises
    ------
    RunNotFound
        if a name means no run, or several.
    ComparisonError
        if none of the runs has an epoch yet.
    """
    given = [runs] if isinstance(runs, Run | str) else runs
    found = [resolve(run, store) for run in given]
    labels, colours = short_labels(found), _colours(found)
    drawn = [curve_of(run, labels[run.id], colours[run.id]) for run in found]
    drawn = [curve for curve in drawn if len(curve.history)]
    if not drawn:
        raise ComparisonError(f"none of the {len(found)} runs has a finished epoch; train first, then draw the curves")
    named = {curve.id: curve.colour for curve in drawn}
    charts = [
        curves_chart(curve_frame(drawn, metric), named, metric, changes=changes_of(drawn)).properties(
            width=WIDTH, title=metric
        )
        for metric in metrics
    ]
    return styled(alt.hconcat(*charts))


def confusion(run: Run | str, *, shares: bool = False, store: Store | None = None) -> alt.TopLevelMixin:
    """Return the confusion matrix of a run on its test images.

    Parameters
    ----------
    run
        a `Run` or its name.
    shares
        show per cent of each true class in place of counts.
    store
        where names are looked up; default: the usual store.

    Raises
    ------
    RunNotFound
        if a name means no run, or several.
    ComparisonError
        if the run has no stored predictions.
    """
    found = resolve(run, store)
    cells = confusion_cells(confusion_frame(_predictions(found)), shares=shares, names=found.classes)
    return styled(confusion_chart(cells, shares=shares, names=found.classes).properties(width=WIDTH, title=found.name))


def disagreements(first: Run | str, second: Run | str, *, store: Store | None = None) -> alt.TopLevelMixin:
    """Return on how many test images two runs agree: both right, only one right, same or different wrong guess.

    Parameters
    ----------
    first, second
        two runs on the same test images, each a `Run` or its name.
    store
        where names are looked up; default: the usual store.

    Raises
    ------
    RunNotFound
        if a name means no run, or several.
    ComparisonError
        if a run has no stored predictions, or the two were not tested on the same images.
    """
    runs = [resolve(run, store) for run in (first, second)]
    labels = list(short_labels(runs).values()) if runs[0].id != runs[1].id else [runs[0].name] * 2
    predictions = [_predictions(run) for run in runs]
    check_paired(*predictions)
    frame = group_frame(counts(votes(predictions)), labels[0], labels[1])
    colours = _colours(runs)
    return styled(
        group_chart(frame, labels[0], labels[1], (colours[runs[0].id], colours[runs[1].id])).properties(width=WIDTH)
    )


def _colours(runs: Sequence[Run]) -> dict[str, str]:
    root = next((run.path.parent.parent for run in runs if not run.read_only), Store().root)
    return run_colours(root, [run.id for run in runs], RUN_COLOURS)


def _predictions(run: Run) -> Predictions:
    found = run.predictions()
    if found is None:
        raise ComparisonError(
            f"run {run.name} ({run.id}) has no stored predictions; "
            f"{'it is ' + run.state if not run.ended_well else 'train it again to keep them'}"
        )
    return found
