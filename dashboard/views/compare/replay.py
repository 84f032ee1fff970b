"""A training played epoch by epoch: the curves as they grew, and the confusion matrices of the stored epochs.

All of it is sent once, and the page plays it by itself (a components-v2 component).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.cache import cached
from dashboard.shared import panels
from dashboard.shared.component_files import COMPONENTS_CSS, ELEMENTS_JS, files_of
from dashboard.shared.groups import RunGroup
from dashboard.views.compare.curve_panels import NAMES, TITLES
from mnist_core.errors import MnistCoreError
from mnist_core.evaluation.metrics import confusion_matrix
from mnist_core.plots import style
from mnist_core.plots.learning_curves import CURVE_COLUMNS, Curve, CurveKind, CurveMetric, curve_frame, value_domain
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

EPOCH_WORDS: dict[ChosenEpoch, str] = {"best": "lowest validation loss", "kept": "kept weights", "last": "last epoch"}
KINDS: tuple[CurveKind, ...] = ("training", "validation")
MOST_MATRICES = 3
"""Of the first so many runs, the confusion matrices are shown."""
CAPTION = (
    "Dashed: training; solid: validation. A confusion matrix needs the predictions of an epoch: stored are those of "
    "the kept weights, and those of the last epoch and of the one with the lowest validation loss where these are "
    "others. Rows are the true classes, columns the guesses."
)
_file = files_of(__file__)
_REPLAY = st.components.v2.component(
    "training_replay",
    html=_file("replay.html"),
    css=COMPONENTS_CSS + _file("replay.css"),
    js=ELEMENTS_JS + _file("replay.js"),
)


def replay_panel(groups: Sequence[RunGroup], curves: Sequence[Curve]) -> None:
    """Draw the replay of the chosen runs, folded until somebody opens it.

    groups, curves: as for `curve_panels`.
    """
    if not any(len(curve.history) > 1 for curve in curves):
        return
    with panels.folded("Replay, epoch by epoch", key="replay", icon=":material/replay:") as opened:
        if opened:
            with panels.errors_as_messages():
                _REPLAY(key="replay_board", data=replay_data(groups, curves))
                st.caption(CAPTION)


def replay_data(groups: Sequence[RunGroup], curves: Sequence[Curve]) -> dict[str, Any]:
    """Return all that the page needs to play the trainings of these curves, as plain data.

    epochs: the first and the last epoch. panels: a chart each, with the ends of its vertical axis. runs: a curve each,
    with its values by kind of line from epoch `first` on (None where one is not finite), what a person changed in the
    middle of it, and the stored confusion matrices in the order of their epochs.
    """
    by_id = {group.first.id: group for group in groups}
    drawn = [curve for curve in curves if len(curve.history)]
    last = max(int(curve.history["epoch"].max()) for curve in drawn)
    first = min(int(curve.history["epoch"].min()) for curve in drawn)
    charts = []
    for metric, title in TITLES.items():
        domain = value_domain(cached(curve_frame, drawn, metric, kinds=KINDS), metric) or (0.0, 1.0)
        label = f"{NAMES[metric]} by epoch of {', '.join(curve.label for curve in drawn)}"
        charts.append(
            {"key": metric, "title": title, "share": metric == "accuracy", "domain": list(domain), "label": label}
        )
    return {
        "epochs": [first, last],
        "panels": charts,
        "runs": [_run(curve, by_id[curve.id], place < MOST_MATRICES) for place, curve in enumerate(drawn)],
    }


def _run(curve: Curve, group: RunGroup, matrices: bool) -> dict[str, Any]:
    metrics: tuple[CurveMetric, ...] = ("loss", "accuracy")
    history = curve.history
    lines = {metric: {kind: _values(history[CURVE_COLUMNS[metric, kind]]) for kind in KINDS} for metric in metrics}
    stored: list[dict[str, Any]] = []
    if group.several:
        note = "The mean of several seeds: confusion matrices are those of single runs."
    elif not matrices:
        note = f"Confusion matrices are shown of the first {MOST_MATRICES} runs."
    else:
        stored = _stored(group.first, curve.before)
        epochs = " and ".join(str(item["epoch"]) for item in stored)
        if stored:
            note = f"No confusion matrix is stored of so early an epoch; {_there(len(stored))} of epoch {epochs}."
        else:
            note = "No predictions of this run are stored, so that there is no confusion matrix."
    return {
        "id": curve.id,
        "label": curve.label,
        "colour": curve.colour,
        "first": int(curve.history["epoch"].iloc[0]),
        "lines": lines,
        "changes": [[epoch, words] for epoch, words in curve.changes.items()],
        "classes": list(group.first.classes),
        "stored": stored,
        "note": note,
    }


def _there(count: int) -> str:
    return "there is one" if count == 1 else f"there are {count},"


def _values(column: pd.Series) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in column.astype(float)]


def _stored(run: Run, before: int) -> list[dict[str, Any]]:
    """Return the confusion matrices of the stored epochs of a run, in order.

    before: epochs of its parent, from which its epochs are counted on.
    """
    epochs: dict[int, list[ChosenEpoch]] = {}
    for chosen in EPOCH_WORDS:
        epoch = run.epoch(chosen)
        if epoch is not None:
            epochs.setdefault(epoch, []).append(chosen)
    found = []
    for epoch, kinds in sorted(epochs.items()):
        predictions = None
        try:
            predictions = resources.predictions(run, kinds[0])
        except MnistCoreError:  # damaged: it has no matrix; the other pages say what is wrong
            continue
        if predictions is None:
            continue
        counts = confusion_matrix(predictions.labels, predictions.predicted, len(run.classes))
        wrong, images = int(counts.sum() - counts.trace()), int(counts.sum())
        words = ", ".join(EPOCH_WORDS[kind] for kind in kinds)
        found.append(
            {
                "epoch": epoch + before,
                "words": words,
                "matrix": counts.tolist(),
                "caption": f"Confusion matrix after epoch {epoch + before} ({words}): {style.count(wrong)} of "
                f"{style.count(images)} test images are wrong.",
            }
        )
    return found
