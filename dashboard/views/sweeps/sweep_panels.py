"""The results of a sweep or a search: pictures, a table, and the way to the runs themselves."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from dashboard import resources, state, theme
from dashboard.cache import cached
from dashboard.shared import looks, panels, presenter
from dashboard.shared.charts import Drawing
from dashboard.views.sweeps.parallel_panel import parallel
from dashboard.views.sweeps.results_table import open_in_compare, results_table, with_words
from mnist_core.experiments.axis_words import SAMPLED_DIGITS, axis_words, point_words
from mnist_core.plots import style
from mnist_core.plots import sweeps as charts
from mnist_core.studies import searches, sweeps
from mnist_core.studies.searches import Search
from mnist_core.studies.sweeps import Sweep
from mnist_core.text import for_markdown

CLICKED = ("sweep_lines", "sweep_heat", "sweep_parallel", "search_pair")
SLICES_ABREAST = 4
PRESENTED, PRESENTED_BELOW_A_BOX = 280, 200
"""Height of the lines in presenter mode, before they are enlarged: all of them are on the first screen then."""
QUANTITIES = {"error": "error rate", "accuracy": "accuracy", "loss": "loss"}
OPTIMISTIC = (
    "These runs were evaluated on the test set while training. The best of many test results looks better than it is: "
    "on new images part of its lead would vanish. To choose honestly, hold out training images."
)


def take_click() -> None:
    """Open the runs of the mark that was just clicked in a chart. Call it before any widget is drawn."""
    for key in CLICKED:
        clicked = state.new_selection(key, charts.RUNS_SELECTION)
        if clicked:
            state.forget_selection(key)
            open_in_compare(str(clicked[0]["runs"]).split(","))


# -- a sweep -----------------------------------------------------------------------------------------------------------


def sweep_results(sweep: Sweep) -> None:
    """Draw the pictures and the table of a sweep."""
    # where the test images were the validation images, there is nothing to hide
    revealed = sweep.optimistic or looks.revealed(sweep)
    if sweep.optimistic:
        looks.count_reveal(sweep)
    table = resources.of_study(sweeps.results, sweep, reader=resources.READER, reveal=revealed)
    best, brushed = sweeps.best(table), None
    names = axis_words(sweep.axes or sweep.points[0].values, sweep.spec.base_config())
    words, pictures = presenter.next_to_each_other(2)
    with words:
        _answer(sweep, table, best)
        looks.choice_caption(sweep)
        if sweep.optimistic:
            st.warning(f"**Optimistic.** {OPTIMISTIC}", icon=":material/warning:")
    done = table[table["val_loss"].notna()]
    with pictures:
        if len(done) < 2:
            st.caption("Pictures begin with the second finished run.")
        else:
            quantity = st.segmented_control(
                "Show", list(QUANTITIES), default="error", format_func=QUANTITIES.__getitem__, required=True,
                key="sweep_quantity", persist_state="session", label_visibility=_labels(),
            )  # fmt: skip
            # the test set was the validation set: the same curve twice would say nothing more
            series = ("train", "test") if sweep.optimistic else tuple(charts.SERIES) if revealed else ("train", "val")
            decides = f"{'test' if sweep.optimistic else 'val'}_{quantity}"
            brushed = _pictures(sweep, done, names, str(quantity), series, decides)
    if not sweep.optimistic:
        looks.reveal_switch(sweep)
    results_table(table, names, best, key=f"sweep_table_{sweep.id}", filename=f"sweep-{sweep.id}", kept=brushed)


def _labels() -> Literal["collapsed", "visible"]:
    """Return how labels above the boxes look: in presenter mode, the heading of the chart has their words."""
    return "collapsed" if state.presenting() else "visible"


def _answer(sweep: Sweep, table: pd.DataFrame, best: str | None) -> None:
    if best is None:
        return
    row = table[table["run"] == best].iloc[0]
    settings = point_words({path: row[path] for path in sweep.axes or sweep.points[0].values}, sweep.spec.base_config())
    text = f"Lowest validation loss: **{for_markdown(settings)}**"
    if pd.notna(row["test_accuracy"]):
        text += f", with **{style.percent(row['test_accuracy'])}** of the test images right"
    count = int((table["state"] == "finished").sum())
    chosen = "chosen by the test set itself" if sweep.optimistic else "chosen on held-out images"
    panels.headline(text)
    st.caption(f"The best of {count} finished runs, {chosen}, with one seed each unless the seed is varied.")


def _pictures(
    sweep: Sweep, done: pd.DataFrame, names: dict[str, str], quantity: str, series: tuple[str, ...], decides: str
) -> set[str] | None:
    """Draw the effect of each setting. Return the ids of the brushed runs; None where nothing is brushed."""
    axes = [path for path in sweep.independent_axes if path in names]
    if axes:
        first = axes[0]
        if len(axes) > 1:
            first = str(
                st.selectbox(
                    "Against",
                    axes,
                    format_func=names.__getitem__,
                    key="sweep_axis",
                    persist_state="session",
                    label_visibility=_labels(),
                )
            )
            first = first if first in axes else axes[0]
        _lines(done, first, names[first], quantity, series, len(axes) > 1)
    if len(axes) >= 2:
        with st.container():
            _heat(done, axes, names, decides)
    return parallel(done, names, decides, word_of(decides), sweep.id) if len(axes) > 2 else None


def word_of(column: str) -> str:
    """Return what a column of results is called: ``validation loss`` for ``val_loss``."""
    return column.replace("val_", "validation ").replace("_", " ")


def _lines(done: pd.DataFrame, axis: str, title: str, quantity: str, series: tuple[str, ...], several: bool) -> None:
    frame = cached(charts.line_frame, done, axis, quantity, series=series)
    drawn = with_words(frame, {"setting": axis})
    mean = "Means over the other settings; bars span the least and the greatest." if several else ""
    click = "" if state.presenting() else "A click on a point opens its runs in Compare."
    panels.chart_with_table(
        Drawing(
            charts.line_chart,
            drawn,
            title,
            QUANTITIES[quantity] if quantity != "loss" else "loss",
            height=None if not state.presenting() else PRESENTED_BELOW_A_BOX if several else PRESENTED,
        ),
        frame.drop(columns="runs"),
        title=f"{QUANTITIES[quantity].capitalize()} by {title}",
        sentence=f"{mean} {click}".strip(),
        help="Of the weights that each run keeps, dropout off, without the L2 penalty. Training: a fixed part of the "
        "training images.",
        alt_text=f"{QUANTITIES[quantity]} by {title} for {', '.join(charts.SERIES[name] for name in series)}",
        key=state.fresh_key("sweep_lines"),
        filename=f"sweep-{quantity}",
        on_select="rerun",
    )


def _heat(done: pd.DataFrame, axes: list[str], names: dict[str, str], decides: str) -> None:
    x, y = axes[-1], axes[0]
    if len(axes) > 2:
        left, right = st.columns(2)
        y = str(left.selectbox("Rows", axes, format_func=names.__getitem__, key="sweep_rows", persist_state="session"))
        others = [axis for axis in axes if axis != y]
        last = len(others) - 1
        x = str(right.selectbox("Columns", others, last, format_func=names.__getitem__, key="sweep_columns"))
    if x not in axes or y not in axes or x == y:
        x, y = axes[-1], axes[0]
    frame = cached(charts.heat_frame, done, x, y, decides)
    word, cells = word_of(decides), with_words(frame, {"x": x, "y": y})
    standing_out = theme.standing_out()
    panels.chart_with_table(
        Drawing(charts.heat_chart, cells, names[x], names[y], word, higher_is_better=decides.endswith("accuracy")),
        frame.drop(columns="runs"),
        title=f"{word.capitalize()} by {names[y]} and {names[x]}{'' if decides.endswith('loss') else ', in %'}",
        sentence=f"The {standing_out}, the better." + (" Means over the other settings." if len(axes) > 2 else ""),
        alt_text=f"Heat map of the {word} by {names[y]} and {names[x]}",
        key=state.fresh_key("sweep_heat"),
        filename="sweep-heat-map",
        on_select="rerun",
    )


# -- a search ----------------------------------------------------------------------------------------------------------


def search_results(search: Search) -> None:
    """Draw the pictures and the table of a search."""
    table = resources.of_study(searches.results, search, reader=resources.READER, reveal=looks.revealed(search))
    names = axis_words(search.spec.space, search.spec.base_config())
    winner = search.winner
    if winner is not None:
        row = table[table["trial"] == winner.count].iloc[0]
        settings = point_words(winner.values, search.spec.base_config(), SAMPLED_DIGITS)
        text = f"Best on held-out images: **{for_markdown(settings)}**"
        if pd.notna(row["test_accuracy"]):
            text += f", with **{style.percent(row['test_accuracy'])}** of the test images right"
        panels.headline(text)
        pruned = sum(trial.state == "pruned" for trial in search.trials)
        note = f" {pruned} were given up early." if pruned else ""
        st.caption(f"Trial {winner.count} of {len(search.trials)}.{note}")
        looks.choice_caption(search)
    metric = word_of(search.spec.metric)
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
    brushed = _trials(search, table, names, list(shares) or list(names))
    looks.reveal_switch(search)
    results_table(
        table, names, winner.run if winner else None, key=f"search_table_{search.id}", filename=f"search-{search.id}",
        kept=brushed, decides=("value", metric), higher_is_better=search.spec.metric == "val_accuracy",
    )  # fmt: skip


def _trials(search: Search, table: pd.DataFrame, names: dict[str, str], by_weight: list[str]) -> set[str] | None:
    """Draw the trials against one setting, two and all. Return the ids of the brushed runs; None where none are."""
    values, epochs = resources.of_study(searches.compared, search)
    column = f"compared_{search.spec.metric}"
    compared = table.assign(**{column: table["trial"].map(values)})
    compared = compared[compared[column].notna()].reset_index(drop=True)
    if len(compared) < 2:
        return None
    word = f"{word_of(search.spec.metric)} after epoch {epochs}"
    _slices(compared, column, word, {path: names[path] for path in by_weight})
    if len(by_weight) > 1:
        _pair(compared, column, word, {path: names[path] for path in by_weight})
    return parallel(compared, names, column, word, search.id)


def _slices(compared: pd.DataFrame, column: str, word: str, names: dict[str, str]) -> None:
    """Draw a small chart for each setting, the most important setting first."""
    standing_out = theme.standing_out()
    panels.heading(
        "Each setting by itself",
        f"Each dot is a trial: its {word} against one of its settings; the {standing_out}, the later it was tried. "
        "The other settings differ as well.",
    )
    paths = list(names)
    frames = cached(charts.slice_frames, compared, paths, column)
    for begin in range(0, len(paths), SLICES_ABREAST):
        columns = st.columns(SLICES_ABREAST, gap="small")
        for place, path in zip(columns, paths[begin : begin + SLICES_ABREAST], strict=False):
            with place:
                frame = with_words(frames[path], {"setting": path})
                Drawing(charts.slice_chart, frame, names[path], word).show(
                    key=f"search_slice_{path}", alt_text=f"{word} of each trial against {names[path]}"
                )


def _pair(compared: pd.DataFrame, column: str, word: str, names: dict[str, str]) -> None:
    """Draw two settings at once: the mean of the trials in each cell. A cell without a trial stays empty."""
    paths = list(names)
    standing_out = theme.standing_out()
    panels.heading(
        "Two settings at once",
        f"Mean {word} of the trials in each cell; the {standing_out}, the better. A cell without a number has none, "
        "and nothing is interpolated.",
    )
    left, right = st.columns(2)
    y = str(left.selectbox("Rows", paths, format_func=names.__getitem__, key="search_rows"))
    others = [path for path in paths if path != y]
    x = str(right.selectbox("Columns", others, format_func=names.__getitem__, key="search_columns"))
    frame = cached(charts.pair_frame, compared, x, y, column)
    cells = with_words(frame, {"x": x, "y": y})
    panels.chart_with_table(
        Drawing(charts.heat_chart, cells, names[x], names[y], word, higher_is_better=column.endswith("accuracy")),
        frame.drop(columns="runs"),
        alt_text=f"Heat map of the {word} by {names[y]} and {names[x]}",
        key=state.fresh_key("search_pair"),
        filename="search-two-settings",
        on_select="rerun",
    )
