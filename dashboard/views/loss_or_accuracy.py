"""Which is more meaningful, the loss or the accuracy? Answered with the chosen runs, in numbers, pictures and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.cache import CACHE, cached, size_of
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.figures import plain_table
from dashboard.shared.guesses import runs_with_predictions
from dashboard.shared.opening import no_runs, question_page
from dashboard.shared.run_picker import nothing_chosen, run_picker, short_labels
from dashboard.shared.verdict_panel import epoch_switch, verdict_rows
from mnist_core.comparison.loss_or_accuracy import course, mistake_cost, wrong_cost
from mnist_core.comparison.words.captions import wrong_cost_words, wrong_share_words
from mnist_core.comparison.words.loss_or_accuracy import course_lead, course_sentence, relation_words, relations_words
from mnist_core.comparison.words.verdicts import refusal_words
from mnist_core.errors import StoreError
from mnist_core.evaluation.calibration import (
    BINS,
    COLDEST,
    ReliabilityBin,
    fit_temperature,
    loss_at,
    reliability,
    tempered_scores,
    with_temperature,
)
from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.plots import style
from mnist_core.plots.calibration import history_frame, reliability_chart, reliability_frame, temperature_chart
from mnist_core.plots.learning_curves import Curve, CurveMetric, curves_chart
from mnist_core.runs.records import ChosenEpoch, EpochRow
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

# 0.25 to 4 in 32 steps of equal ratio
TEMPERATURES = tuple(round(2 ** (step / 8), 4) for step in range(-16, 17))

MEANING = (
    "**Accuracy** counts right guesses. The **loss** (cross-entropy, in nats) is minus the logarithm of the "
    "probability given to the true digit, averaged over the images: it also asks how sure the network was, and "
    "has no upper bound. Go by the accuracy where only the guess counts; go by the loss where the stated "
    "probabilities are used, and to see when training should have stopped."
)
BRIEFLY = "Accuracy counts right guesses; the loss also measures how sure the network was of the true digits."
BIN_KINDS = ("equal counts", "equal widths")
HEIGHT = 300


def main() -> None:
    """Draw the page."""
    question_page("Loss or accuracy?", _page)


def _page(runs: list[Run]) -> None:
    if not runs:
        no_runs(
            "Train a model, and this page shows where its loss comes from and what its accuracy leaves out.",
            button="Train a first model",
        )
        return
    picked = run_picker(runs)
    if not picked:
        nothing_chosen(runs, "Choose one above to see where its loss comes from.")
        return
    chosen = [run for run in picked if _readable(run)]
    trained = [run for run in chosen if run.recorded or not resources.history(run).empty]
    if not trained:
        panels.empty_state("Nothing to show yet", "Choose a run above that has finished an epoch.")
        return
    labels = short_labels(chosen)
    colours = resources.colours([run.id for run in chosen])
    epoch = epoch_switch()
    tested = runs_with_predictions(trained, labels, epoch)
    predictions = {run.id: found for run in tested if (found := resources.predictions(run, epoch)) is not None}
    _answer([run for run in trained if _intact(run, epoch)], labels, colours, predictions)
    _histories(trained, labels, colours)
    for run_id in [run_id for run_id, item in predictions.items() if item.guesses_only]:
        st.caption(f"{for_markdown(labels[run_id])} was recorded with its guesses only; its confidence is not known.")
    _confidence(trained, labels, colours, {key: item for key, item in predictions.items() if not item.guesses_only})


def _histories(runs: list[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw the curves of the runs that have what they need; say which have not."""
    curves = {run.id: Curve(run.id, labels[run.id], colours[run.id], resources.history(run)) for run in runs}
    needed = ["val_loss_wrong", "val_loss_correct", "val_confidence", "val_ece"]
    whole = [run for run in runs if curves[run.id].history[needed].notna().any().all()]
    for run in runs:
        if run not in whole:
            st.caption(
                f"{for_markdown(labels[run.id])} has no history of the loss of right and wrong images, as it was "
                "recorded from outside: it is not in the curves by epoch."
            )
    if whole:
        histories = {for_markdown(labels[run.id]): resources.rows(run) for run in whole}
        _by_epoch([curves[run.id] for run in whole], histories)


def _intact(run: Run, epoch: ChosenEpoch) -> bool:
    """True unless the run's predictions are damaged, which `runs_with_predictions` has reported already."""
    try:
        resources.predictions(run, epoch)
    except StoreError:
        return False
    return True


def _readable(run: Run) -> bool:
    try:
        resources.history(run)
    except StoreError as error:
        st.error(panels.markdown_sentence(error), icon=":material/error:")
        return False
    return True


def _answer(
    runs: list[Run], labels: Mapping[str, str], colours: Mapping[str, str], predictions: Mapping[str, Predictions]
) -> None:
    """Write which run is better by which measure, decided as on Compare.

    What became of each since its best epoch follows.
    """
    if not runs:
        return
    baseline = state.baseline_id([run.id for run in runs]) or runs[0].id
    found = resources.comparison(runs, baseline, state.chosen_epoch(), state.margin())
    costs = {run_id: mistake_cost(predictions[run_id]) for item in found.verdicts for run_id in (baseline, item.run)}
    lines = [for_markdown(relation_words(item, labels, (costs[baseline], costs[item.run]))) for item in found.verdicts]
    several = len(lines) > 1
    if lines:
        panels.headline(for_markdown(relations_words(found.verdicts, labels)) if several else lines[0], help=MEANING)
    st.caption(BRIEFLY, help=None if lines else MEANING)
    for refusal in found.refusals:
        why = for_markdown(refusal_words(refusal, labels))
        st.caption(f":material/block: {for_markdown(labels[refusal.run])} is not compared: {why}.")
    if several:
        st.html(verdict_rows(found.verdicts, labels, colours))
    courses = [(run, turn) for run in runs if not run.recorded and (turn := course(resources.rows(run))) is not None]
    if courses:
        with st.container(gap="xxsmall"):
            for run, turn in courses:
                panels.dotted(colours[run.id], course_lead(labels[run.id], turn))
    if not courses and not several:
        return
    with panels.folded("Why, in full", key="loss_in_full") as opened:
        if not opened:
            return
        for line in lines if several else []:
            st.markdown(f"- {line}")
        for run, turn in courses:
            overfits = any(item.code == "overfitting" for item in resources.diagnosis(run))
            panels.dotted(colours[run.id], course_sentence(labels[run.id], turn, overfits=overfits))


def _by_epoch(curves: list[Curve], histories: Mapping[str, Sequence[EpochRow]]) -> None:
    """Draw the parts of the loss, and the confidence, epoch by epoch, on the validation images."""
    priced = [
        replace(curve, history=curve.history.assign(wrong_cost=cached(_costs, curve.history))) for curve in curves
    ]
    left, right = st.columns(2, gap="medium")
    with left:
        _lines(
            curves, {"from wrong images": "val_loss_wrong", "from right images": "val_loss_correct"}, "loss",
            key="split", title="Where the validation loss comes from",
            sentence=f"The two lines add up to the loss (without L2 penalty). {wrong_share_words(histories)}",
            help="The mean over all validation images, split into what the wrongly and the rightly guessed ones "
            "contribute. A right image costs the less, and a wrong one the more, the surer the network was.",
        )  # fmt: skip
    with right:
        _lines(
            curves, {"accuracy": "val_accuracy", "mean confidence": "val_confidence"}, "accuracy",
            key="confidence", title="Right, and sure",
            sentence="Share of images that are right, next to the mean probability that the network gives its guesses.",
            help="Confidence is the probability that the network gives to the digit that it guesses. Where the dashed "
            "line is above the solid one, the network is surer than it is right: overconfident.",
        )  # fmt: skip
    left, right = st.columns(2, gap="medium")
    with left:
        _lines(
            priced, {"from wrong images": "wrong_cost"}, "loss",
            key="cost", title="What a wrong image costs",
            sentence=f"Mean loss of a wrongly guessed image. {wrong_cost_words(histories)}",
            help="In nats: 2.3 means that the true digit was given a probability of a tenth, 4.6 a hundredth, 6.9 a "
            "thousandth.",
        )  # fmt: skip
    with right:
        _lines(
            curves, {"calibration error": "val_ece"}, "loss",
            key="ece", title="How far confidence is off",
            sentence="Expected calibration error: the gap between stated confidence and the share that is right.",
            help="ECE: the images are put into 15 bins by confidence; in each, mean confidence is compared with the "
            "share that is right; the gaps are averaged by the number of images (Guo et al. 2017). 0 is perfect.",
        )  # fmt: skip


def _costs(history: pd.DataFrame) -> pd.Series:
    rows = [EpochRow(**{str(key): value for key, value in row.items()}) for row in history.to_dict("records")]
    return pd.Series([wrong_cost(row) for row in rows], history.index, dtype=float)


def _lines(
    curves: list[Curve],
    columns: Mapping[str, str],
    metric: CurveMetric,
    *,
    key: str,
    title: str,
    sentence: str,
    help: str,
) -> None:
    frame = cached(history_frame, curves, columns)
    colours = {curve.id: curve.colour for curve in curves}

    panels.chart_with_table(
        Drawing(curves_chart, frame, colours, metric, height=HEIGHT),
        frame.drop(columns=["run", "smoothed", "best"]),
        alt_text=f"{title}, by epoch. {cached(_ends, frame)}",
        key=f"loss_{key}",
        filename=f"{key}-by-epoch",
        title=title,
        sentence=sentence,
        help=help,
    )


def _ends(frame: pd.DataFrame) -> str:
    """Return the last value of each line, in words."""
    ends = [
        f"{last['label']}, {kind}: {last['value']:.4f} in epoch {last['epoch']}"
        for (_, kind), part in frame.groupby(["run", "kind"], sort=False)
        for last in [part.iloc[-1]]
    ]
    return ". ".join(ends) + "."


# -- one run's confidence ----------------------------------------------------------------------------------------------


@st.fragment
def _confidence(
    runs: list[Run], labels: Mapping[str, str], colours: Mapping[str, str], predictions: Mapping[str, Predictions]
) -> None:
    """Draw reliability and temperature of one of the runs."""
    tested = [run for run in runs if run.id in predictions]
    panels.heading(
        "Can its confidence be trusted?",
        "Of all guesses made with 90 % confidence, 90 % should be right. A temperature makes all guesses more or less "
        "sure; no guess becomes another digit.",
        "Temperature scaling (Guo et al. 2017): the logarithms of the probabilities are divided by T, then made to add "
        "up to 1 again. T above 1 makes every guess less sure, T below 1 surer; the order of the digits, and so the "
        "accuracy, stays.",
    )
    if not tested:
        st.caption("No chosen run has guessed the test images yet; that happens when its training ends.")
        return
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        run = _inspected(tested, labels)
        kind = st.segmented_control(
            "Bins", BIN_KINDS, default=BIN_KINDS[0], required=True, key="bins", bind="query-params",
            help="Most guesses are made with nearly full confidence. Equal counts puts as many images in each bin; "
            "equal widths is the classic picture, in which the last bin holds nearly all of them.",
        )  # fmt: skip
    with right:
        temperature = st.select_slider(
            "Temperature", TEMPERATURES, 1.0, format_func=lambda value: f"{value:.2f}", key="temperature",
            bind="query-params",
            help="1 leaves the probabilities as trained.",
        )  # fmt: skip
    _tempered(run, predictions[run.id], float(temperature), colours[run.id], equal_counts=kind != BIN_KINDS[1])


def _inspected(tested: list[Run], labels: Mapping[str, str]) -> Run:
    ids = [run.id for run in tested]
    wanted = state.link_text("inspect")
    found = wanted if wanted in ids else ids[0]
    if len(ids) > 1:
        state.widget("calibrated", found)
        st.radio(
            "Run to look at", ids, format_func=lambda run_id: for_markdown(labels[run_id]), horizontal=True,
            key="calibrated",
            on_change=lambda: state.set_link(inspect=state.widget_value("calibrated")),
        )  # fmt: skip
    return tested[ids.index(found)]


def _fitted(predictions: Predictions) -> float | None:
    """Return the temperature that suits the held-out images best; None where there are none."""
    if predictions.val_labels is None or predictions.val_probabilities is None:
        return None
    return fit_temperature(predictions.val_labels, predictions.val_probabilities)


def _loss_by_temperature(predictions: Predictions) -> pd.DataFrame:
    losses = [loss_at(predictions.labels, predictions.probabilities, value) for value in TEMPERATURES]
    return pd.DataFrame({"temperature": TEMPERATURES, "loss": losses})


def _tempered(run: Run, predictions: Predictions, temperature: float, colour: str, *, equal_counts: bool) -> None:
    of = run.id, run.version(), state.chosen_epoch()
    fitted: float | None = CACHE.get(("fitted", *of), lambda: _fitted(predictions), size_of)
    wanted = {"as trained": 1.0, "chosen": temperature} | ({"fitted": fitted} if fitted else {})
    figures: dict[str, Scores] = {
        name: CACHE.get(
            ("tempered", *of, value),
            partial(tempered_scores, predictions.labels, predictions.probabilities, value),
            size_of,
        )
        for name, value in wanted.items()
    }
    bins: list[ReliabilityBin] = CACHE.get(
        ("reliability", *of, temperature, equal_counts),
        lambda: reliability(
            predictions.labels, with_temperature(predictions.probabilities, temperature), equal_counts=equal_counts
        ),
        size_of,
    )
    plain_table(
        pd.DataFrame(
            [
                {
                    "on the test images": name,
                    "temperature": f"{wanted[name]:.2f}",
                    "accuracy": style.percent(item.accuracy),
                    "loss": style.loss(item.loss or 0.0),
                    "calibration error (ECE)": style.loss(item.ece or 0.0),
                    "mean confidence": style.percent(item.mean_confidence or 0.0),
                }
                for name, item in figures.items()
            ]
        )
    )
    if fitted is not None and fitted < 1.1 * COLDEST:
        st.caption(
            "Every held-out image is guessed right, so the surer the better: no temperature can be fitted to them."
        )
    elif fitted is None:
        st.caption(
            "No fitted temperature: this run's validation images are the test images, so nothing was held out to fit "
            "it on, and the lowest point of the line below would be chosen on the images it is evaluated on. Train "
            "with a held-out part of the training images to get one."
        )
    else:
        held = len(predictions.val_labels) if predictions.val_labels is not None else 0
        st.caption(
            f"Fitted: the temperature with the lowest loss on the {held:,} held-out images, {fitted:.2f}. "
            + ("Above 1, so the network is surer than it should be." if fitted > 1.02 else "")
            + ("Below 1, so the network is less sure than it could be." if fitted < 0.98 else "")
        )
    left, right = st.columns(2, gap="medium")
    counts = [item.images for item in bins]
    with left:
        frame = reliability_frame(bins)
        many = f"{min(counts):,} images" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,} images"
        panels.chart_with_table(
            Drawing(reliability_chart, frame, colour, stretched=equal_counts),
            frame,
            alt_text=f"Reliability diagram at temperature {temperature:.2f}: "
            + "; ".join(f"confidence {item.confidence:.3f}, right {item.accuracy:.3f}" for item in bins),
            key="reliability",
            filename=f"reliability-{run.id}",
            title="Reliability diagram",
            sentence=f"At temperature {temperature:.2f}. Below the grey diagonal: surer than right. "
            f"{len(bins)} bins of {many}." + (" The axes are stretched towards 100 %." if equal_counts else ""),
            help=f"The guesses in at most {BINS} bins by confidence; bars are 95 % intervals (Wilson 1927) of the "
            "share that is right: with few images, a point off the diagonal may be chance.",
        )
    with right:
        curve: pd.DataFrame = CACHE.get(("by temperature", *of), lambda: _loss_by_temperature(predictions), size_of)
        panels.chart_with_table(
            Drawing(temperature_chart, curve, colour, chosen=temperature, fitted=fitted),
            curve,
            alt_text=f"Loss on the test images by temperature, {curve['loss'].min():.4f} at the lowest.",
            key="loss_by_temperature",
            filename=f"temperature-{run.id}",
            title="Loss by temperature",
            sentence="The dot is the chosen temperature. The accuracy is the same all along.",
        )


main()
