"""The runs of a sweep or a search in a table, the best first, and the way from there to Compare."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.run_picker import MOST_COMPARED as MOST
from mnist_core.experiments.axis_words import words_of
from mnist_core.studies import sweeps

OPEN = "sweep_open"
FIGURES = {
    "val_loss": "validation loss", "val_error": "validation error, %", "test_error": "test error, %",
    "train_error": "training error, %",
}  # fmt: skip


def open_in_compare(run_ids: list[str]) -> None:
    """Let `turn_page` open the runs, at most as many as Compare shows."""
    state.fill({OPEN: list(dict.fromkeys(run_ids))[:MOST]})
    st.rerun()


def turn_page() -> None:
    """Turn to the Compare page if `open_in_compare` requested it. Call it before anything of this page is drawn."""
    wanted = state.widget_value(OPEN)
    if isinstance(wanted, list) and wanted:
        state.fill({OPEN: None})
        state.choose(wanted)
        st.switch_page("views/compare/page.py", query_params={state.CHOSEN: ",".join(wanted)})


def with_words(table: pd.DataFrame, paths: Mapping[str, str]) -> pd.DataFrame:
    """Return a table for reading, with the choices in words; numbers stay. paths: those of the settings, by column."""
    texts = {
        name: table[name].map(lambda value, path=path: words_of(path, value) if isinstance(value, str) else value)
        for name, path in paths.items()
        if not pd.api.types.is_numeric_dtype(table[name].dtype)
    }
    return table.assign(**texts) if texts else table


def results_table(
    table: pd.DataFrame,
    names: Mapping[str, str],
    best: str | None,
    *,
    key: str,
    filename: str,
    kept: set[str] | None = None,
    decides: tuple[str, str] | None = None,
    higher_is_better: bool = False,
) -> None:
    """Draw the runs, the best first; those that are ticked can be opened in Compare.

    Parameters
    ----------
    table
        as a study's `table` gives it.
    names
        what the settings are called, by path.
    best
        the run that was chosen.
    key, filename
        of the table, and of its CSV.
    kept
        the runs to be shown; None for all.
    decides
        the column of the figure that decides and what it is called; the validation loss where it is not given.
    higher_is_better
        True if a high figure is good.
    """
    column, word = decides or ("val_loss", FIGURES["val_loss"])
    table = sweeps.best_first(table, column, higher_is_better=higher_is_better)
    shown_rows = table if kept is None else table[table["run"].isin(kept)].reset_index(drop=True)
    which = "All runs" if kept is None else f"{len(shown_rows)} of {len(table)} runs"
    panels.heading(which, "The best first. A click on a column's head sorts. Tick rows to compare their runs.")
    trial = "trial" in table
    figures = [column, *(item for item in FIGURES if item != column and not (trial and item == "val_loss"))]
    columns = [*names, *figures, "trial_state" if trial else "state", "epochs", "parameters", "seconds"]
    shown = with_words(shown_rows[[*(["trial"] if trial else []), *columns]], {path: path for path in names})
    shown = shown.rename(columns={"epochs": "epochs done", "trial_state": "state"} | dict(names))
    shown.insert(0, "best", ["★" if run == best else "" for run in shown_rows["run"]])
    percent = [item for item in FIGURES if item.endswith("error")]
    shown[percent] *= 100  # the format "percent" drops zeros, so that a column does not line up
    event = st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        key=key if kept is None else f"{key}_of_{len(shown_rows)}",
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        column_config={
            "best": st.column_config.TextColumn("", width=30),
            "parameters": st.column_config.NumberColumn(format="localized"),
            "seconds": st.column_config.NumberColumn("seconds", format="%.1f"),
            "val_loss": st.column_config.NumberColumn(FIGURES["val_loss"], format="%.4f"),
            column: st.column_config.NumberColumn(word, format="%.4f"),
        }
        | {item: st.column_config.NumberColumn(FIGURES[item], format="%.2f") for item in percent}
        | {
            name: st.column_config.NumberColumn(format="%.3g")
            for name in names.values()
            if pd.api.types.is_float_dtype(shown[name].dtype)
        },
    )
    ticked = [row for row in event["selection"]["rows"] if row < len(shown_rows)]
    ids = [str(shown_rows.iloc[row]["run"]) for row in ticked if shown_rows.iloc[row]["state"] != "missing"]
    with st.container(horizontal=True, gap="small"):
        label = f"Compare the {len(ids)} ticked runs" if len(ids) > 1 else "Compare the ticked run"
        if any(run_id != best for run_id in ids):
            st.caption("Compare shows test results, also of runs that were not chosen; each comparison is counted.")
        if ids and st.button(label, icon=":material/compare_arrows:", key=f"{key}_compare"):
            open_in_compare(ids)
        if len(ids) > MOST:
            st.caption(f"Compare shows the first {MOST}.")
        panels.csv_button(sweeps.with_names(table, resources.snapshot()), filename, key=f"{key}_csv")
