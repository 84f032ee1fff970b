"""What came of a sweep or a search: pictures, a table, and the way to the runs themselves."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import resources, state, theme
from dashboard.shared import looks, panels
from dashboard.shared.charts import Drawing
from dashboard.shared.run_picker import MOST
from mnist_core.experiments.grids import short_path
from mnist_core.plots import style
from mnist_core.plots import sweeps as charts
from mnist_core.studies import searches, sweeps
from mnist_core.studies.searches import Search
from mnist_core.studies.sweeps import Sweep
from mnist_core.text import for_markdown

CLICKED = ("sweep_lines", "sweep_heat", "sweep_parallel")
OPEN = "sweep_open"
QUANTITIES = {"error": "error rate", "accuracy": "accuracy", "loss": "loss"}
OPTIMISTIC = (
    "These runs were judged on the test set while training. The best of many test results looks better than it is: "
    "on new images part of its lead would vanish. To choose honestly, hold out training images."
)


def titles(paths: list[str]) -> dict[str, str]:
    """Short names of settings, in full where two would be the same."""
    short = {path: short_path(path).replace("_", " ").replace("l2", "L2") for path in paths}
    return {path: name if list(short.values()).count(name) == 1 else path for path, name in short.items()}


def open_in_compare(run_ids: list[str]) -> None:
    """Have the runs opened by `turn_page`, at most as many as there are colours."""
    state.fill({OPEN: list(dict.fromkeys(run_ids))[:MOST]})
    st.rerun()


def turn_page() -> None:
    """Turn to the Compare page where that was asked for, before anything of this one is drawn."""
    wanted = state.widget_value(OPEN)
    if isinstance(wanted, list) and wanted:
        state.fill({OPEN: None})
        state.choose(wanted)
        st.switch_page("views/compare/page.py", query_params={state.CHOSEN: ",".join(wanted)})


def take_click() -> None:
    """Follow a click on a mark of a chart to its runs; before all widgets."""
    for key in CLICKED:
        clicked = state.new_selection(key, charts.SELECTION)
        if clicked:
            state.forget_selection(key)
            open_in_compare(str(clicked[0]["runs"]).split(","))


# -- a sweep -----------------------------------------------------------------------------------------------------------


def sweep_results(sweep: Sweep) -> None:
    """The pictures and the table of a sweep."""
    # where the test images were the validation images, there is nothing to hide
    revealed = sweep.optimistic or looks.revealed(sweep)
    if sweep.optimistic:
        looks.count_reveal(sweep)
    table = resources.of_study(sweeps.results, sweep, reader=resources.READER, reveal=revealed)
    best = sweeps.best(table)
    _answer(sweep, table, best)
    looks.choice_caption(sweep)
    if sweep.optimistic:
        st.warning(f"**Optimistic.** {OPTIMISTIC}", icon=":material/warning:")
    done = table[table["val_loss"].notna()]
    if len(done) < 2:
        st.caption("Pictures begin with the second finished run.")
    else:
        names = titles(list(sweep.axes))
        quantity = st.segmented_control(
            "Show", list(QUANTITIES), default="error", format_func=QUANTITIES.__getitem__, required=True,
            key="sweep_quantity", persist_state="session",
        )  # fmt: skip
        # the test set was the validation set: the same curve twice would say nothing more
        series = ("train", "test") if sweep.optimistic else tuple(charts.SERIES) if revealed else ("train", "val")
        judged = f"{'test' if sweep.optimistic else 'val'}_{quantity}"
        _pictures(done, names, str(quantity), series, judged)
    if not sweep.optimistic:
        looks.reveal_switch(sweep)
    results_table(table, titles(list(sweep.axes)), best, key=f"sweep_table_{sweep.id}", filename=f"sweep-{sweep.id}")


def _answer(sweep: Sweep, table: pd.DataFrame, best: str | None) -> None:
    if best is None:
        return
    row = table[table["run"] == best].iloc[0]
    names = titles(list(sweep.axes) or list(sweep.points[0].values))
    settings = ", ".join(f"{name} {_text(row[path])}" for path, name in names.items())
    text = f"Lowest validation loss: **{for_markdown(settings)}**"
    if pd.notna(row["test_accuracy"]):
        text += f", with **{style.percent(row['test_accuracy'])}** of the test images right"
    count = int((table["state"] == "finished").sum())
    chosen = "chosen by the test set itself" if sweep.optimistic else "chosen on held-out images"
    st.markdown(f"#### {text}", anchors=False)
    st.caption(f"The best of {count} finished runs, {chosen}, with one seed each unless the seed is varied.")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pictures(done: pd.DataFrame, names: dict[str, str], quantity: str, series: tuple[str, ...], judged: str) -> None:
    axes = list(names)
    if axes:
        first = axes[0]
        if len(axes) > 1:
            first = str(
                st.selectbox("Against", axes, format_func=names.__getitem__, key="sweep_axis", persist_state="session")
            )
            first = first if first in axes else axes[0]
        _lines(done, first, names[first], quantity, series, len(axes) > 1)
    if len(axes) >= 2:
        with st.container():
            _heat(done, axes, names, judged)
    if len(axes) > 2:
        parallel(done, names, judged)


def _lines(done: pd.DataFrame, axis: str, title: str, quantity: str, series: tuple[str, ...], several: bool) -> None:
    frame = charts.line_frame(done, axis, quantity, series=series)
    mean = "Means over the other settings; bars span the least and the greatest." if several else ""
    panels.chart_with_table(
        Drawing(charts.line_chart, frame, title, QUANTITIES[quantity] if quantity != "loss" else "loss"),
        frame.drop(columns="runs"),
        title=f"{QUANTITIES[quantity].capitalize()} by {title}",
        sentence=f"{mean} A click on a point opens its runs in Compare.".strip(),
        help="Of the weights that each run keeps, dropout off, without the L2 penalty. Training: a fixed part of the "
        "training images.",
        alt_text=f"{QUANTITIES[quantity]} by {title} for {', '.join(charts.SERIES[name] for name in series)}",
        key=state.fresh_key("sweep_lines"),
        filename=f"sweep-{quantity}",
        on_select="rerun",
    )


def _heat(done: pd.DataFrame, axes: list[str], names: dict[str, str], judged: str) -> None:
    x, y = axes[-1], axes[0]
    if len(axes) > 2:
        left, right = st.columns(2)
        y = str(left.selectbox("Rows", axes, format_func=names.__getitem__, key="sweep_rows", persist_state="session"))
        others = [axis for axis in axes if axis != y]
        last = len(others) - 1
        x = str(right.selectbox("Columns", others, last, format_func=names.__getitem__, key="sweep_columns"))
    if x not in axes or y not in axes or x == y:
        x, y = axes[-1], axes[0]
    frame = charts.heat_frame(done, x, y, judged)
    word = judged.replace("val_", "validation ").replace("_", " ")
    panels.chart_with_table(
        Drawing(charts.heat_chart, frame, names[x], names[y], word, higher_is_better=judged.endswith("accuracy")),
        frame.drop(columns="runs"),
        title=f"{word.capitalize()} by {names[y]} and {names[x]}",
        sentence="The darker, the better." + (" Means over the other settings." if len(axes) > 2 else ""),
        alt_text=f"Heatmap of the {word} by {names[y]} and {names[x]}",
        key=state.fresh_key("sweep_heat"),
        filename="sweep-heatmap",
        on_select="rerun",
    )


def parallel(done: pd.DataFrame, names: dict[str, str], judged: str) -> None:
    """All settings at once, a line a run."""
    frame = charts.parallel_frame(done, list(names), judged)
    standing_out = "brighter" if theme.is_dark() else "darker"
    word = judged.replace("val_", "validation ").replace("_", " ")
    panels.chart_with_table(
        Drawing(charts.parallel_chart, frame, {**names, judged: word}, higher_is_better=judged.endswith("accuracy")),
        done[["run", *names, judged]],
        title="All settings at once",
        sentence=f"Each line is a run, from its settings to its {word}; the {standing_out}, the better.",
        alt_text=f"Parallel coordinates of {', '.join(names.values())} and the {word}",
        key=state.fresh_key("sweep_parallel"),
        filename="sweep-parallel",
        on_select="rerun",
    )


def results_table(table: pd.DataFrame, names: dict[str, str], best: str | None, *, key: str, filename: str) -> None:
    """The runs in a table that can be sorted; those that are ticked can be opened in Compare."""
    panels.heading("All runs", "A click on a column's head sorts. Tick rows to compare their runs.")
    columns = [*names, "state", "epochs", "parameters", "seconds", "train_error", "val_loss", "val_error", "test_error"]
    if "trial" in table:
        columns = ["trial", *names, "trial_state", *columns[len(names) + 1 :]]
    shown = table[columns].rename(columns=names).rename(columns={"trial_state": "state"})
    shown.insert(0, "best", ["★" if run == best else "" for run in table["run"]])
    errors = {
        "train_error": "training error, %", "val_error": "validation error, %", "test_error": "test error, %"
    }  # fmt: skip
    shown[list(errors)] *= 100  # the format "percent" drops zeros, so that a column does not line up
    event = st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        column_config={
            "best": st.column_config.TextColumn("", width=30),
            "parameters": st.column_config.NumberColumn(format="localized"),
            "seconds": st.column_config.NumberColumn("seconds", format="%.1f"),
            "val_loss": st.column_config.NumberColumn("validation loss", format="%.4f"),
        }
        | {column: st.column_config.NumberColumn(title, format="%.2f") for column, title in errors.items()},
    )
    rows = list(event["selection"]["rows"])
    ids = [str(table.iloc[row]["run"]) for row in rows if table.iloc[row]["state"] != "missing"]
    with st.container(horizontal=True, gap="small"):
        label = f"Compare the {len(ids)} ticked runs" if len(ids) > 1 else "Compare the ticked run"
        if any(run_id != best for run_id in ids):
            st.caption("Compare shows test results, also of runs that were not chosen; each comparison is counted.")
        if ids and st.button(label, icon=":material/compare_arrows:", key=f"{key}_compare"):
            open_in_compare(ids)
        if len(ids) > MOST:
            st.caption(f"Compare shows the first {MOST}.")
        panels.csv_button(table, filename, key=f"{key}_csv")


# -- a search ----------------------------------------------------------------------------------------------------------


def search_results(search: Search) -> None:
    """The pictures and the table of a search."""
    table = resources.of_study(searches.results, search, reader=resources.READER, reveal=looks.revealed(search))
    names = titles(list(search.spec.space))
    winner = search.winner
    if winner is not None:
        row = table[table["trial"] == winner.number].iloc[0]
        settings = ", ".join(f"{name} {_text(row[path])}" for path, name in names.items())
        text = f"Best on held-out images: **{for_markdown(settings)}**"
        if pd.notna(row["test_accuracy"]):
            text += f", with **{style.percent(row['test_accuracy'])}** of the test images right"
        st.markdown(f"#### {text}", anchors=False)
        pruned = sum(trial.state == "pruned" for trial in search.trials)
        said = f" {pruned} were given up early." if pruned else ""
        st.caption(f"Trial {winner.number} of {len(search.trials)}.{said}")
        looks.choice_caption(search)
    metric = search.spec.metric.replace("val_", "validation ")
    done = searches.history(search)
    left, right = st.columns(2, gap="medium")
    if len(done) > 1:
        with left:
            panels.chart_with_table(
                Drawing(charts.history_chart, done, metric), done, title="Trial after trial",
                sentence=f"Dots: the {metric} of whole trainings. Line: the best so far.",
                alt_text=f"{metric} of each finished trial, and the best so far", key="search_history",
                filename=f"search-{search.id}-history",
            )  # fmt: skip
    shares, epochs = resources.of_study(searches.importances, search)
    if shares:
        with right:
            named = {names.get(path, path): share for path, share in shares.items()}
            panels.chart_with_table(
                Drawing(charts.importance_chart, named),
                pd.DataFrame({"setting": list(named), "share": list(named.values())}),
                title="Which settings matter",
                sentence=f"Share of the spread after epoch {epochs} that each explains.",
                help="Functional analysis of variance (fANOVA, Hutter et al. 2014) of the values of all trials after "
                "equally many epochs. With few trials it is a rough guide.",
                alt_text="Importance: " + ", ".join(f"{name} {share:.0%}" for name, share in named.items()),
                key="search_importance", filename=f"search-{search.id}-importance",
            )  # fmt: skip
    judged = table[table["trial_state"].isin(["finished", "pruned"]) & table["value"].notna()]
    if len(judged) > 1:
        parallel(judged, names, search.spec.metric)
    looks.reveal_switch(search)
    results_table(
        table, names, winner.run if winner else None, key=f"search_table_{search.id}", filename=f"search-{search.id}"
    )
