"""The networks of the chosen runs side by side: as pictures, as layer tables, and as Keras code to take away."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.figures import plain_table
from dashboard.shared.parameter_panel import parameter_panel
from dashboard.shared.run_picker import nothing_chosen, run_picker, short_labels
from mnist_core.experiments.keras_code import keras_code
from mnist_core.plots import style
from mnist_core.plots.architecture import architecture_chart, architecture_frame, described
from mnist_core.runs.run import Run
from mnist_core.text import for_html, for_markdown

PER_ROW = 3


def answer(runs: list[Run], labels: dict[str, str]) -> str:
    """Return the sizes of the networks, in a sentence."""
    counts = {run.id: run.parameters for run in runs if run.parameters is not None}
    runs = [run for run in runs if run.id in counts]
    if not runs:
        return "How many parameters the chosen models have was not recorded."
    if len(runs) == 1:
        return f"**{for_markdown(labels[runs[0].id])}** has **{counts[runs[0].id]:,}** parameters."
    small, large = (choose(runs, key=lambda run: counts[run.id]) for choose in (min, max))
    if counts[small.id] == counts[large.id]:
        return f"All chosen networks have **{counts[small.id]:,}** parameters."
    return (
        f"**{for_markdown(labels[large.id])}** is the largest with **{counts[large.id]:,}** parameters, "
        f"{counts[large.id] / counts[small.id]:.1f} times as many as **{for_markdown(labels[small.id])}** "
        f"with **{counts[small.id]:,}**."
    )


def layer_frame(run: Run) -> pd.DataFrame:
    """Return the layer table as it is shown."""
    rows = [
        {
            "layer": row.name.replace("_", " "),
            "setting": row.detail,
            "output": "×".join(str(size) for size in row.output_shape),
            "parameters": style.count(row.parameters),
        }
        for row in run.config.model.layer_table()
    ]
    total = {"layer": "total", "setting": "", "output": ""}
    return pd.DataFrame([*rows, total | {"parameters": style.count(run.config.model.parameter_count())}])


def side_by_side(runs: list[Run], labels: dict[str, str], colours: dict[str, str]) -> None:
    """Draw one column a run: its picture, its layers and its code."""
    tables = {run.id: run.config.model.layer_table() for run in runs}
    widest = max(math.prod(row.output_shape) for table in tables.values() for row in table)
    for first in range(0, len(runs), PER_ROW):
        row = runs[first : first + PER_ROW]
        tallest = max(len(tables[run.id]) for run in row)
        for run, place in zip(row, st.columns(max(2, len(row)), gap="medium"), strict=False):
            with place:
                one(run, labels[run.id], colours[run.id], widest, tallest)


def outside(run: Run, label: str, colour: str) -> None:
    """Draw what is known of a model that was made outside."""
    assert run.recorded is not None
    st.html(f'<div style="border-top:4px solid {colour};padding-top:.5rem;font-weight:600">{for_html(label)}</div>')
    layers = run.recorded.layers
    missing = "its layers cannot be drawn, and there is no code" if layers else "its layers are not known"
    st.caption(f"{for_markdown(run.model_words[:1].upper() + run.model_words[1:])}: {missing}.")
    if layers:
        rows = [
            {"layer": item.name, "kind": item.kind, "output": item.shape, "parameters": style.count(item.parameters)}
            for item in layers
        ]
        plain_table(pd.DataFrame(rows), texts=3)


def one(run: Run, label: str, colour: str, widest: int, tallest: int) -> None:
    """Draw one network."""
    st.html(f'<div style="border-top:4px solid {colour};padding-top:.5rem;font-weight:600">{for_html(label)}</div>')
    frame = architecture_frame(run.config.model, widest)
    panels.chart_with_table(
        Drawing(architecture_chart, frame, colour, rows=tallest),
        frame[["layer", "kind", "text", "outputs", "parameters"]],
        alt_text=described(frame, label),
        key=f"architecture_{run.id}",
        filename=f"layers-{run.id}",
    )
    plain_table(layer_frame(run), texts=2)
    with panels.folded("Keras code", icon=":material/code:", key=f"code_{run.id}") as opened:
        if not opened:
            return
        code = keras_code(run.config)
        st.caption("A whole script: it loads the data, builds, trains and tests this network with plain Keras.")
        st.code(code, language="python", height=420)
        panels.download("Python file", lambda: code.encode(), f"{label}.py", "text/x-python", key=f"code_file_{run.id}")


st.title("Models")
all_runs, problems = resources.scan()
if not all_runs:
    panels.empty_state(
        "No model yet",
        "Train a model, and its layers, its parameters and the Keras code that builds it appear here.",
        button="Train a first model",
        page="views/train/page.py",
    )
else:
    chosen = run_picker(all_runs)
    if not chosen:
        nothing_chosen(all_runs, "Choose one run above to see its layers, or several side by side.")
    else:
        names = short_labels(chosen)
        palette = resources.colours([run.id for run in chosen])
        panels.headline(answer(chosen, names))
        panels.heading(
            "Layers",
            "From the pixels at the top to the ten digits at the bottom; a wider block has more outputs.",
            "A dense layer connects each of its units to every output of the layer above: (inputs + 1) × units "
            "parameters, the 1 being the bias. A convolution makes each of its maps with one small window of weights, "
            "used at every pixel; a pooling keeps one value of each tile of pixels. Dropout (dashed) leaves out the "
            "given share of the outputs above it, at random, while training; it has no parameters and does nothing in "
            "use. Softmax turns the last ten values into probabilities. Widths grow with the logarithm of the outputs, "
            "so that 784 and 10 fit one picture.",
        )
        for run in [run for run in chosen if run.recorded]:
            outside(run, names[run.id], palette[run.id])
        own = [run for run in chosen if not run.recorded]
        if own:
            side_by_side(own, names, palette)
            parameter_panel(own, names, palette)
panels.store_problems(problems)
