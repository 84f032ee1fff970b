"""Everything about one run, in a drawer that the link opens (`?details=…`)."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.resources import Entry
from dashboard.shared import panels
from dashboard.views.runs import table
from mnist_core.comparison.words.changes import moments
from mnist_core.errors import StoreError
from mnist_core.experiments.settings import LAYERS, SETTINGS, values_of
from mnist_core.files import printable
from mnist_core.plots import style
from mnist_core.runs.columns import FIGURES
from mnist_core.runs.recorded import OUTSIDE, Recorded
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown

FILES = {
    "model.keras": "the trained network, for `keras.models.load_model`",
    "predictions.npz": "its probabilities for each test image",
    "history.jsonl": "its figures by epoch, a line each",
    "config.json": "its configuration",
    "environment.json": "what it was trained with",
    "status.json": "how far it has come, and when",
    "meta.json": "its name, tags and note",
    "scores.json": "its figures on the test set",
}
"""The files of a run's folder, in the order of the list; predictions of other epochs come after."""
_OTHERS = 12
"""Relatives of a run that are named one by one."""


def show(run_id: str, entries: Sequence[Entry]) -> None:
    """Open the drawer of a run; nothing where there is no such run."""
    entry = next((entry for entry in entries if entry.run.id == run_id), None)
    if entry is None:
        close()
        st.toast(f"The run {run_id} is not in this store.")
        return
    st.dialog(for_markdown(entry.run.name), width="medium", position="right", icon=":material/info:", on_dismiss=close)(
        _content
    )(entry, entries)


def close() -> None:
    """Take the drawer out of the link."""
    state.set_link(**{table.OPEN: None})


def _content(entry: Entry, entries: Sequence[Entry]) -> None:
    run = entry.run
    st.caption(f"{run.id} · {run.state} · on {for_markdown(data_name(run.dataset))} · {for_markdown(run.model_words)}")
    if run.status.reason and run.state != "finished":
        st.warning(for_markdown(f"{run.state}: {run.status.reason}"), icon=":material/report:")
    with panels.errors_as_messages():
        overview, configuration, log, files, lineage = st.tabs(
            ["Overview", "Configuration", "Log", "Files", "Lineage"], key=f"drawer_{run.id}"
        )
        with overview:
            _describe(run)
            _figures(entry)
        with configuration:
            _configuration(run)
            _environment(run)
        with log:
            _log(run)
        with files:
            _files(run)
        with lineage:
            _lineage(run, entries)


def _describe(run: Run) -> None:
    """Draw name, tags and note, to be changed; and the buttons of the run."""
    if run.read_only:
        st.caption("This run ships with the project and cannot be changed.")
        if run.meta.note:
            st.markdown(for_markdown(run.meta.note))
    else:
        with st.form(f"describe_{run.id}", border=False):
            name = st.text_input("Name", run.name, max_chars=80, key=f"describe_name_{run.id}")
            tags = st.multiselect(
                "Tags", run.meta.tags, run.meta.tags, accept_new_options=True, key=f"describe_tags_{run.id}",
                placeholder="Write a tag, then Enter", select_all=False,
            )  # fmt: skip
            note = st.text_area("Note", run.meta.note, max_chars=4000, key=f"describe_note_{run.id}", height=80)
            if st.form_submit_button("Save", type="primary"):
                with panels.errors_as_messages():
                    resources.store().describe(run.id, name=name.strip(), tags=table.clean_tags(tags), note=note)
                    table.redraw()
                    st.rerun()
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if st.button("Make it the baseline", icon=":material/push_pin:", key=f"pin_{run.id}"):
            state.choose_baseline(run.id)
            st.rerun()
        query = {state.CHOSEN: run.id}
        st.page_link(
            "views/mistakes/page.py", label="Its mistakes", icon=":material/error_outline:", query_params=query
        )


def _figures(entry: Entry) -> None:
    rows = [(column.label, _in_words(name, entry.row[name])) for name, column in FIGURES.items() if name != "note"]
    st.dataframe(
        pd.DataFrame(rows, columns=["Figure", "Value"]), hide_index=True, height="content", alt="The figures of the run"
    )


def _in_words(name: str, value: object) -> str:
    column = FIGURES[name]
    if value is None:
        return "–"
    if column.kind == "time":
        return _time(float(str(value)))
    if column.kind == "flag":
        return "yes" if value else "no"
    if name == "dataset":
        return data_name(str(value))
    if isinstance(value, tuple):
        return ", ".join(value) or "–"
    if isinstance(value, float):
        return style.percent(value) if column.share else style.duration(value) if name == "seconds" else f"{value:.4f}"
    return style.count(value) if isinstance(value, int) else str(value) or "–"


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else f"{datetime.datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def _configuration(run: Run) -> None:
    if run.recorded:
        _recorded(run, run.recorded)
        return
    values = values_of(run.config)
    rows = [
        (setting.words[:1].upper() + setting.words[1:], setting.in_words(values[path]), path)
        for path, setting in SETTINGS.items()
        if setting.shown(values) and values[path] != ""
    ]
    layers = [
        {"Layer": row.name, "Kind": row.kind, "Settings": row.detail, "Output": "×".join(map(str, row.output_shape)),
         "Parameters": row.parameters}
        for row in run.config.model.layer_table()
    ]  # fmt: skip
    st.markdown("**Layers**")
    st.dataframe(
        pd.DataFrame(layers), hide_index=True, height="content", alt=f"The {values[LAYERS]} layers and the output",
        column_config={"Parameters": st.column_config.NumberColumn(format="localized")},
    )  # fmt: skip
    st.markdown("**Settings**")
    st.dataframe(
        pd.DataFrame(rows, columns=["Setting", "Value", "Path"]), hide_index=True, height="content", alt="All settings"
    )
    with st.expander("As JSON", key=f"json_{run.id}"):
        st.code(json.dumps(run.config.model_dump(mode="json"), indent=1, ensure_ascii=False), language="json")


def _recorded(run: Run, recorded: Recorded) -> None:
    """Draw the record of a run from outside in place of a configuration."""
    st.caption(f"It was {OUTSIDE}.")
    if not recorded.pictures:
        st.caption("No pictures: its test images are those of no data set that is known here.")
    if recorded.layers:
        st.markdown("**Layers**")
        st.dataframe(
            pd.DataFrame(
                [
                    {"Layer": item.name, "Kind": item.kind, "Output": item.shape, "Parameters": item.parameters}
                    for item in recorded.layers
                ]
            ),
            hide_index=True, height="content", alt="The layers, as its framework describes them",
        )  # fmt: skip
    with st.expander("As JSON", key=f"json_{run.id}"):
        st.code(json.dumps(recorded.model_dump(mode="json"), indent=1, ensure_ascii=False), language="json")


def _environment(run: Run) -> None:
    st.markdown("**Environment**")
    found = run.environment()
    if found is None:
        st.caption("It has not been trained, or its environment was not written down.")
        return
    rows = [(key, str(value)) for key, value in found.model_dump().items()]
    st.dataframe(
        pd.DataFrame(rows, columns=["What", "Version"]), hide_index=True, height="content", alt="The environment"
    )


def _log(run: Run) -> None:
    """Draw what happened and when, then the epochs."""
    status = run.status
    events = [("created", status.created_at), ("training began", status.started_at), (run.state, status.ended_at)]
    lines = [f"{_time(at)}  {what}" for what, at in events if at is not None]
    if status.requests:
        lines.append(f"requested again {status.requests} times")
    if status.reason:
        lines.append(f"reason: {status.reason}")
    try:
        rows = run.rows()
    except StoreError as error:
        rows = []
        lines.append(str(error))
    planned = run.planned_epochs or "?"
    lines += [
        f"epoch {row.epoch:>{len(str(planned))}}/{planned}  loss {row.loss:.4f}  accuracy {row.accuracy:.4f}  "
        f"val_loss {row.val_loss:.4f}  val_accuracy {row.val_accuracy:.4f}  learning_rate {row.learning_rate:g}  "
        f"{row.seconds:.1f} s"
        for row in rows
    ]
    st.code(printable("\n".join(lines)), language=None, height=480)


def _files(run: Run) -> None:
    others = sorted(path.name for path in run.path.glob("predictions-*.npz"))
    for name in (*FILES, *others):
        path = run.path / name
        if not path.is_file():
            continue
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"file_{run.id}_{name}"):
            panels.download(name, path.read_bytes, f"{run.name}-{name}", _mime(path), key=f"download_{run.id}_{name}")
            st.caption(
                f"{style.file_size(path.stat().st_size)} · {FILES.get(name, 'its probabilities after another epoch')}"
            )
    if run.model_file is None:
        st.caption("No weights are kept, so that there is no `model.keras`.")
    st.caption(f"They are in {for_markdown(printable(run.path))}.")


def _mime(path: Path) -> str:
    return {".json": "application/json", ".jsonl": "application/jsonl"}.get(path.suffix, "application/octet-stream")


def _lineage(run: Run, entries: Sequence[Entry]) -> None:
    """Draw the run it continues, the runs that continue it, and its recipe's other seeds."""
    by_id = {entry.run.id: entry for entry in entries}
    recipe = by_id[run.id].row["recipe"]
    if run.meta.preset:
        st.markdown(f"Made from the published model {for_markdown(run.meta.preset)}.")
    if run.parent:
        parent = by_id.get(run.parent)
        if run.changed_at is None:
            st.markdown("**Continues the weights of**")
        else:
            moment = moments(run.meta.changes, run.config.model).get(run.changed_at, "settings changed")
            st.markdown(f"**Changed by hand after epoch {run.changed_at}** ({for_markdown(moment)}) **of**")
        if parent is None:
            st.caption(f"The run {run.parent}, which is not in this store.")
        else:
            _relatives([parent.run], "parent")
    children = [entry.run for entry in entries if entry.run.parent == run.id]
    seeds = [
        entry.run
        for entry in entries
        if entry.run.id != run.id
        and entry.row["recipe"] == recipe
        and entry.run.status.fingerprint == run.status.fingerprint
    ]
    for title, found, key in (("Continued by", children, "child"), ("Other seeds of this recipe", seeds, "seed")):
        if found:
            st.markdown(f"**{title}**")
            _relatives(found, key)
    if not (run.meta.preset or run.parent or children or seeds):
        st.caption("It continues no run, no run continues it, and there is no other seed of it.")


def _relatives(runs: Sequence[Run], key: str) -> None:
    for run in runs[:_OTHERS]:
        named = run.seed is None or run.name.endswith(f"seed {run.seed}")
        seed = "" if named else f", seed {run.seed}"
        if st.button(
            for_markdown(f"{run.name}{seed}, {run.state}"), key=f"{key}_{run.id}",
            type="tertiary", icon=":material/arrow_forward:",
        ):  # fmt: skip
            state.set_link(**{table.OPEN: run.id})
            st.rerun()
    if len(runs) > _OTHERS:
        st.caption(f"And {len(runs) - _OTHERS} more.")
