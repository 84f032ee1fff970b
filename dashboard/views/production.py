"""Which one would you put into production, and why? Accuracy against what it costs, for the chosen runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.figures import plain_table
from dashboard.shared.guesses import runs_with_predictions
from dashboard.shared.opening import no_runs, question_page
from dashboard.shared.run_picker import nothing_chosen, run_picker, short_labels
from dashboard.shared.verdict_panel import margin_box
from mnist_core.comparison.decide import Decision
from mnist_core.comparison.production import Candidate, CostName, Ranked, rank, recommend
from mnist_core.comparison.words.numbers import number, sample_words
from mnist_core.comparison.words.production import (
    networks_only_words,
    reason_words,
    recommendation_reasons,
    recommendation_words,
    selection_words,
)
from mnist_core.evaluation.statistics import Sample
from mnist_core.jobs import latency
from mnist_core.jobs.latency import Latency
from mnist_core.plots import style
from mnist_core.plots.production import AXES, pareto_chart, pareto_frame
from mnist_core.report import tables
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

COST_BY_NAME: dict[str, CostName] = {
    "parameters": "parameters",
    "file size": "bytes",
    "one image": "one",
    "256 images": "many",
    "training": "seconds",
}
NOT_YET = "not measured yet"
TIMES = ["one image", "256 images", "one image, predict"]
SUFFICES = (
    "A model suffices where it is shown to be at most the margin worse than every other one here: each interval of its "
    "accuracy minus another's lies above − the margin (non-inferiority, on the same test images). Where the recipes of "
    "two runs have at least three seeds each, their interval must as well. Not being shown to be worse is no reason to "
    "take a model, and adding a model never makes another one look better. Dominated: another run is at least as "
    "accurate and costs no more, and is better in one of the two."
)
TIMED = (
    "The time of one call in a worker process, from pixels in memory to probabilities, as the median of many calls: "
    "compiled, as a graph made by tf.function for this number of images; predict, through model.predict, as notebooks "
    "do, which mostly pays for its own preparations. One thread inside an operation."
)


def main() -> None:
    """Draw the page."""
    question_page("Which one for production?", _page)


def _page(runs: list[Run]) -> None:
    if not runs:
        no_runs(
            "Train two models, and this page weighs their accuracy against what they cost.",
            button="Train a first model",
        )
        return
    chosen = run_picker(runs)
    if not chosen:
        nothing_chosen(runs, "Choose some above to weigh their accuracy against what they cost.")
        return
    labels = short_labels(chosen)
    tested = runs_with_predictions(chosen, labels)
    if not tested:
        panels.empty_state("Nothing to weigh yet", "Choose runs above whose training has ended and been tested.")
        return
    same = [run for run in tested if run.status.fingerprint == tested[0].status.fingerprint]
    if len(same) < len(tested):
        left = ", ".join(labels[run.id] for run in tested if run not in same)
        st.caption(f"Left out, as they were tested on other images: {for_markdown(left)}.")
    unknown = [labels[run.id] for run in same if run.parameters is None]
    if unknown:
        st.caption(
            f"Left out, as how many parameters they have was not recorded: {for_markdown(', '.join(unknown))}. "
            "Record them with `parameters=`."
        )
        same = [run for run in same if run.parameters is not None]
        if not same:
            panels.empty_state("Nothing to weigh yet", "None of the chosen runs has a known cost. Choose others above.")
            return
    waiting = any(latency.waiting(resources.store(), run) for run in same)

    @state.again_every(1.0, going_on=waiting)
    def weighed(ids: list[str]) -> None:
        """Draw all that depends on the measured times, drawn again while some are awaited."""
        _weighed([run for run in same if run.id in ids], labels)
        if waiting and not any(latency.waiting(resources.store(), run) for run in same):
            st.rerun()  # after the buttons are drawn: the whole page once more, without polling

    weighed([run.id for run in same])


def _weighed(runs: list[Run], labels: Mapping[str, str]) -> None:
    colours = resources.colours([run.id for run in runs])
    times = {run.id: latency.stored(resources.store(), run) for run in runs}
    predictions = {run.id: found for run in runs if (found := resources.predictions(run)) is not None}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="weighing"):
        name = st.segmented_control(
            "Cost", list(COST_BY_NAME), default="parameters", required=True, key="cost", bind="query-params", wrap=True,
            help="Parameters and file size: what it takes to store. One image, 256 images: how long it takes to "
            "answer. Training: how long it took to train.",
        )  # fmt: skip
        margin = margin_box()
    cost = COST_BY_NAME[name or "parameters"]
    candidates = [_candidate(run, times[run.id]) for run in runs]
    items = rank(candidates, predictions, margin=margin, recipes=_recipes(runs, margin))
    advice = recommend(items, cost)
    seeds = {run.id: sample for run in runs if (sample := resources.recipe_sample(run))}
    panels.headline(for_markdown(recommendation_words(advice, items, labels)), help=SUFFICES)
    if reasons := recommendation_reasons(advice, items, labels, seeds):
        st.markdown(for_markdown(reasons))
    if len(items) > 1:
        st.caption(for_markdown(f"{selection_words(items)} {networks_only_words(items, labels)}".rstrip()))
    _pareto(items, labels, colours, cost)
    for item in items:
        run_id = item.candidate.id
        panels.dotted(colours[run_id], f": {reason_words(item, items, labels)}", name=labels[run_id])
    _figures(seeds, items, labels, times)
    _latency(runs, labels, times)


def _recipes(runs: list[Run], margin: float) -> dict[tuple[str, str], Decision]:
    """Return the decision between two recipes from their seeds, for each pair that has enough of them."""
    everything = resources.scan()[0]
    found: dict[tuple[str, str], Decision] = {}
    for place, baseline in enumerate(runs):
        for run in runs[place + 1 :]:
            for item in resources.recipe_comparison([baseline, run], baseline.id, "kept", margin, everything):
                if item.decision is not None:
                    found[run.id, baseline.id] = item.decision
    return found


def _candidate(run: Run, found: Latency | None) -> Candidate:
    figures = resources.summary(run)
    assert figures.test is not None
    assert figures.test_accuracy_interval is not None
    assert figures.parameters is not None
    return Candidate(
        id=run.id,
        accuracy=figures.test.accuracy,
        interval=figures.test_accuracy_interval,
        parameters=figures.parameters,
        bytes=figures.model_bytes,
        one=found.batch(1).compiled_s if found else None,
        many=found.batch(256).compiled_s if found else None,
        seconds=figures.train_seconds,
        quiet=found.quiet if found else True,
    )


def _pareto(items: Sequence[Ranked], labels: Mapping[str, str], colours: Mapping[str, str], cost: CostName) -> None:
    frame = pareto_frame(items, labels, cost)
    panels.heading(
        "Accuracy against cost",
        "Up and to the left is better. Hollow: dominated, as another is at least as accurate at no more cost, and "
        "better in one of the two. The dashed line joins the others. Bars: 95 % intervals.",
        SUFFICES,
    )
    missing = [labels[item.candidate.id] for item in items if item.candidate.cost(cost) is None]
    if missing:
        what = "No time has been measured" if cost in ("one", "many") else "This cost is not known"
        st.caption(f"{what} for {for_markdown(', '.join(missing))}.")
    if frame.empty:
        return
    panels.chart_with_table(
        Drawing(pareto_chart, frame, colours, cost),
        frame.drop(columns="run").rename(columns={"cost": AXES[cost][0]}),
        alt_text="Accuracy against cost. "
        + " ".join(
            f"{row['label']}: {style.percent(row['accuracy'])} at {row['cost']:,.4g} {AXES[cost][0]}, {row['verdict']}"
            + (f", dominated by {row['dominated']}." if row["dominated"] else ".")
            for row in frame.to_dict("records")
        ),
        key="pareto",
        filename=f"accuracy-against-{cost}",
    )


def _figures(
    seeds: Mapping[str, Sample],
    items: Sequence[Ranked],
    labels: Mapping[str, str],
    times: Mapping[str, Latency | None],
) -> None:
    panels.heading("What was measured", "Of the kept weights: those in the model's file, which production would use.")
    rows = []
    best = next(item.candidate.id for item in items if item.best)
    for item in items:
        own, found = item.candidate, times[item.candidate.id]
        rows.append(
            {
                "run": labels[own.id],
                "recipe, over its seeds": sample_words(seeds[own.id]) if own.id in seeds else "one seed",
                "accuracy": style.percent(own.accuracy),
                "95 % interval": f"{100 * own.interval.low:.2f} to {100 * own.interval.high:.2f}",
                "points from the best": "the best" if item.best else _from_best(item.against[best]),
                "parameters": style.count(own.parameters),
                "file size": style.size(own.bytes) if own.bytes else tables.ABSENT,
                TIMES[0]: _milliseconds(found.batch(1).compiled_s if found else None),
                TIMES[1]: _milliseconds(found.batch(256).compiled_s if found else None),
                TIMES[2]: _milliseconds(found.batch(1).predict_s if found else None),
                "training": style.duration(own.seconds) if own.seconds is not None else tables.ABSENT,
            }
        )
    frame = pd.DataFrame(rows)
    if not any(times.values()):  # three columns of "not measured yet" would push the others off the screen
        frame = frame.drop(columns=TIMES)
    plain_table(frame)


def _from_best(item: Decision) -> str:
    low, high = (number(100 * end, 2) for end in item.interval)
    return f"{number(100 * item.value, 2, sign=True)} [{low}, {high}]"


def _milliseconds(seconds: float | None) -> str:
    return NOT_YET if seconds is None else f"{1000 * seconds:.2f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def _latency(runs: list[Run], labels: Mapping[str, str], times: Mapping[str, Latency | None]) -> None:
    """Ask for times, and tell how the present ones came about."""
    store = resources.store()
    able = [run for run in runs if run.model_file is not None]
    pending = [run for run in able if latency.waiting(store, run)]
    missing = [run for run in able if times[run.id] is None]
    with st.container(horizontal=True, vertical_alignment="center", key="latency"):
        if pending:
            st.caption(
                f":material/hourglass_empty: Measuring in a worker: {len(pending)} to go; some seconds each, after "
                "the trainings that are waiting.",
                width="stretch",
            )
        else:
            label = "Measure latency" if missing else "Measure latency again"
            if able and st.button(label, key="measure", icon=":material/timer:", help=TIMED):
                with panels.errors_as_messages():
                    with st.spinner("Handing over to the training service …"):
                        for run in missing or able:
                            resources.runner().measure_latency(run.id)
                    st.rerun()
            st.caption(for_markdown(_how(runs, times)), width="stretch")
    for run in runs:
        name = for_markdown(labels[run.id])
        if run.model_file is None:
            st.caption(f"{name} has kept no weights, so there is no model to time.")
        elif problem := latency.problem(store, run):
            st.warning(f"{name} could not be timed: {for_markdown(problem)}.", icon=":material/report:")


def _how(runs: list[Run], times: Mapping[str, Latency | None]) -> str:
    found = [item for run in runs if (item := times[run.id]) is not None]
    if not found:
        return "How long the models take to answer has not been measured on this machine yet."
    last = max(found, key=lambda item: item.measured_at)
    one, when = last.batch(1), datetime.fromtimestamp(last.measured_at)
    text = (
        f"Measured {when.day} {when:%B %Y, %H:%M} on {last.processor}, {last.cores} cores, "
        f"{last.threads} thread{'' if last.threads == 1 else 's'} inside an operation: medians of {one.compiled_calls} "
        f"calls (one image) and {last.batch(256).compiled_calls} (256)."
    )
    if not all(item.quiet for item in found):
        text += (
            " Other programs kept the processors busy meanwhile, so these times are too long and do not compare; no "
            "sentence above is built on them. Measure again when it is quiet."
        )
    if len({(item.processor, item.cores, item.threads) for item in found}) > 1:
        text += " Not all were measured on the same machine in the same way; their times do not compare."
    return text


main()
