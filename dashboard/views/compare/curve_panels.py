"""Loss and accuracy of the chosen runs, side by side, with the controls of both, kept in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources, state
from dashboard.cache import cached
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.component_files import files_of
from dashboard.shared.groups import RunGroup
from dashboard.shared.run_curves import notes, planned
from mnist_core.plots.learning_curves import (
    AXES,
    FEW,
    HEIGHT,
    KINDS,
    LINK_JS,
    POINT_LIMIT,
    Axis,
    Curve,
    CurveKind,
    CurveMetric,
    bright_runs,
    changes_of,
    clipped_words,
    curve_frame,
    curves_chart,
    described,
    member_frame,
    thinned,
)
from mnist_core.plots.style import RUN_COLOURS
from mnist_core.runs.run import Run

HELP = {
    "loss": (
        "How surprised the network is by the true digits: cross-entropy in nats, minus the logarithm of the "
        "probability that the network gives to the true digit, averaged over the images, plus the L2 penalty where "
        "there is one. 0 is perfect; guessing among ten digits gives 2.303. While the training line falls and the "
        "validation line rises, the network learns its training images by heart: it overfits."
    ),
    "accuracy": (
        "Correctly classified images divided by all images. The axis does not start at 0 %, so that small differences "
        "can be seen. The training line may lie below the validation line: it is measured with dropout on, and while "
        "the weights still move."
    ),
}
BEST = " The dot is the epoch of the lowest validation loss, in both charts; its value stands in the margin."
NAMES: dict[CurveMetric, str] = {"loss": "Loss", "accuracy": "Accuracy"}
TITLES: dict[CurveMetric, str] = {
    "loss": f"{NAMES['loss']}: lower is better", "accuracy": f"{NAMES['accuracy']}: higher is better",
}  # fmt: skip
_LINK = st.components.v2.component(
    "linked_charts",
    html='<span class="linked" hidden></span>',
    js=LINK_JS + files_of(__file__)("linked_charts.js"),
)


@st.fragment  # so that a change of what is drawn redraws the curves alone, and not all that is known of the runs
def curve_panels(
    groups: Sequence[RunGroup],
    curves: Sequence[Curve],
    marks: Mapping[str, tuple[int, str]] | None = None,
    baseline: str | None = None,
) -> None:
    """Draw the two charts, side by side, with their controls below them; the pointer in one moves a line in both.

    Parameters
    ----------
    groups
        the chosen runs, and recipes with several seeds.
    curves
        of `curves_of`.
    marks
        run id → an epoch of its loss curve, and the words that are written there; of one run, so that the mean of
        several seeds does not get them.
    baseline
        the run that is drawn strongly, however many there are.
    """
    with st.container(key="curves_and_controls", gap="xsmall"):
        _curve_panels(groups, curves, marks or {}, baseline)


def _why_empty(groups: Sequence[RunGroup], metric: CurveMetric) -> str:
    if all(run.recorded and run.ended for group in groups for run in group.runs):
        return f"The {metric} by epoch was not recorded."
    return "No epoch is finished yet."


def _curve_panels(
    groups: Sequence[RunGroup], curves: Sequence[Curve], marks: Mapping[str, tuple[int, str]], baseline: str | None
) -> None:
    place = st.container(key="curves", gap="xsmall")  # the charts stand above their controls
    kinds, smoothing, log, x, zoom, singly = _controls(any(curve.members for curve in curves))
    colours = {curve.id: curve.colour for curve in curves}
    before = {curve.id: curve.before for curve in curves if not curve.members}
    shifted = {run_id: (epoch + before[run_id], text) for run_id, (epoch, text) in marks.items() if run_id in before}
    changes = changes_of(curves)
    changed = sum(map(len, changes.values()))
    rows = len(shifted) + changed if len(curves) <= FEW and not zoom and kinds else 0
    end = planned(groups)
    bright = bright_runs(curves, baseline)
    metrics: tuple[CurveMetric, ...] = ("loss", "accuracy")
    for metric, column in zip(metrics, place.columns(2, gap="medium"), strict=True):
        with column, st.container(gap="xxsmall", key=f"panel_{metric}"):
            frame = cached(curve_frame, curves, metric, kinds=kinds, smoothing=smoothing)
            on_log = log and metric == "loss"
            outside = "" if zoom or frame.empty else cached(clipped_words, frame, metric, x, log=on_log)
            st.markdown(f"**{TITLES[metric]}** :small[:gray[{outside}]]", help=HELP[metric] + BEST)
            if frame.empty:
                with st.container(height=HEIGHT, border=False, key=f"{metric}_empty"):
                    st.caption(_why_empty(groups, metric) if kinds else "Choose at least one line below.")
                continue

            members = member_frame(curves, metric, kinds=kinds) if singly else None

            panels.chart_with_table(
                Drawing(
                    curves_chart, frame, colours, metric, x=x, log=on_log, smoothing=smoothing,
                    zoom=zoom, x_max=end if x == "epoch" else None, members=members,
                    marks=shifted if metric == "loss" else None, changes=changes, bright=bright, headroom=rows,
                ),
                frame,
                alt_text=cached(described, frame, metric),
                key=f"curves_{metric}",
                filename=f"{metric}-by-{x}",
            )  # fmt: skip
            step = thinned(frame)[1]
            if step > 1:
                st.caption(f"Every {step}th epoch is drawn, {POINT_LIMIT:,} points at most; the table holds them all.")
    _LINK(key="linked_charts", data={"charts": [f"panel_{metric}" for metric in metrics], "field": x})
    dimmed = (
        [f"{len(curves) - len(bright)} of these {len(curves)} runs are drawn faintly, as there are {len(RUN_COLOURS)} "
         "colours: strong are the baseline, and of each other colour the run with the lowest validation loss. "
         "Point at a line to see it."]
        if len(bright) < len(curves)
        else []
    )  # fmt: skip
    validation = _validation_words([group.first for group in groups])
    st.caption(" ".join([*dimmed, validation, *notes(groups, resources.scan()[0])]))


def _controls(seeds: bool) -> tuple[list[CurveKind], float, bool, Axis, bool, bool]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="curve_controls"):
        kinds = st.pills(
            "Lines", KINDS, selection_mode="multi", default=["training", "validation"], key="lines",
            bind="query-params",
            format_func=lambda kind: "training, dropout off" if kind == "dropout off" else kind,
            help="Training: on the training images while the weights move, dropout on. Validation: on images that "
            "are not trained on, after each epoch. Training, dropout off: the training images evaluated as the "
            "validation images are; its gap to the validation line is the honest measure of overfitting. "
            "Dropout leaves out a random share of a layer's outputs while training.",
        )  # fmt: skip
        across = st.segmented_control(
            "Across", AXES, default="epoch", required=True, key="across", bind="query-params",
            help="Epoch: one pass over the training images. Seconds: the time spent training until then.",
        )  # fmt: skip
        smoothing = st.slider(
            "Smoothing", 0.0, 0.95, 0.0, 0.05, key="smoothing", bind="query-params", width=170,
            help="Exponential moving average; 0 shows the values as measured. The raw line stays, faintly.",
        )  # fmt: skip
        log = st.toggle(
            "Log loss axis",
            key="log",
            bind="query-params",
            help="Equal distances are equal ratios: shows small losses.",
        )
        zoom = st.toggle(
            "Zoom", key="zoom", bind="query-params", help="Drag and scroll in a chart; double-click resets."
        )
        singly = seeds and st.toggle(
            "Single seeds", key="singly", bind="query-params", help="Each seed as a thin line, under the mean of all."
        )
    chosen = [kind for kind in KINDS if kind in (kinds or [])]
    x = state.one_of(across, AXES, "epoch")
    return chosen, float(smoothing), bool(log), x, bool(zoom), bool(singly)


def _validation_words(runs: Sequence[Run]) -> str:
    outside = [run for run in runs if run.recorded]
    if outside:
        which = "these runs" if len(outside) == len(runs) else "some of these runs"
        return f"Which images {which} validated on is not known, as they were recorded from outside."
    on_test = [run.validated_on_test for run in runs]
    if all(on_test):
        return "Validation images are the test images here, so the test accuracy is not one on images never looked at."
    if not any(on_test):
        return "Validation images are a part of the training images that is held out; the test images stay unseen."
    return (
        "Some of these runs validate on the test images and some on a held-out part of the training images: "
        "their validation lines are not measured on the same images."
    )
