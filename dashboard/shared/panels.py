"""The panels of every page: a chart with its sentence and table, empty states, errors as messages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pandas as pd
import streamlit as st

from dashboard import state
from dashboard.shared.charts import Drawing
from mnist_core.errors import ConfigError, DatasetError, DatasetMissing, MnistCoreError
from mnist_core.files import printable
from mnist_core.report.export import picture as picture
from mnist_core.runs.store import Problem, Store
from mnist_core.text import for_csv, for_file_name, for_html, for_markdown

GRID_ROWS = 10
"""So many rows of a grid are seen before it scrolls."""


def heading(title: str, sentence: str, help: str | None = None) -> None:
    """Draw a panel's title, with one plain sentence under it and the longer explanation behind a help mark."""
    st.markdown(f"## {title}", help=help)
    if sentence:
        st.caption(sentence)


def headline(text: str, help: str | None = None) -> None:
    """Draw the answer of a page (Markdown), once on it, in larger type than the titles of its panels."""
    with st.container(key="headline"):
        st.markdown(f"## {text}", help=help, anchors=False)


def swatch(label: str, colour: str) -> str:
    """Return HTML: a run's name next to a small square in its colour."""
    return (
        f"<span style='display:inline-block;width:.8em;height:.8em;border-radius:2px;background:{colour}'></span> "
        f"<b>{for_html(label)}</b>"
    )


def chart_with_table(
    drawing: Drawing,
    frame: pd.DataFrame,
    *,
    alt_text: str,
    key: str,
    filename: str,
    title: str = "",
    sentence: str = "",
    help: str | None = None,
    height: int | Literal["content", "stretch"] = "content",
    on_select: Literal["ignore", "rerun"] | Callable[[], None] = "ignore",
    column_config: dict[str, Any] | None = None,
    printed: Drawing | None = None,
) -> Any:
    """Draw a chart with its title, sentence, alternative text, data table and downloads.

    Parameters
    ----------
    drawing
        a chart function with its arguments; built only if it was not drawn before.
    frame
        the data of the table and the CSV.
    alt_text
        a description of the chart for people who do not see it.
    key
        stable across reruns; unique on the page.
    filename
        of the downloads, without an ending.
    title, sentence, help
        as of `heading`; without a title there is none.
    height
        of the chart, as `st.vega_lite_chart` takes it.
    on_select
        the effect of a click in the chart, as `st.vega_lite_chart` takes it.
    column_config
        of the table, as `st.dataframe` takes it.
    printed
        the chart of PNG and SVG on white paper, if it differs from the one on the screen.

    Returns
    -------
    The selection, if `on_select` is given.
    """
    if title:
        heading(title, sentence, help)
    event = drawing.show(height=height, key=key, on_select=on_select, alt_text=alt_text)
    data_and_downloads(frame, printed or drawing, key=key, filename=filename, column_config=column_config)
    return event


def dotted(colour: str, text: str, *, name: str = "") -> None:
    """Draw a line of text with a dot in a run's colour before it; `name` is bold and precedes the text.

    Not by `st.markdown`, which leaves another height free until its code for HTML has arrived.
    """
    strong = f"<b>{for_html(name)}</b>" if name else ""
    st.html(f'<span style="color:{colour}" aria-hidden="true">●</span> {strong}{for_html(text)}', width="stretch")


def grid(frame: pd.DataFrame, *, key: str, most: int = GRID_ROWS, **options: Any) -> None:
    """Draw a frame as `st.dataframe` does, with room for at most so many rows before the code of grids has arrived."""
    # with the rows in its key, as a style of its own would arrive too late; see `theme.MOST_GRID_ROWS`
    with st.container(key=f"rows_{1 + min(len(frame), most)}_{key}"):
        st.dataframe(frame, hide_index=True, width="stretch", key=key, **options)


@contextlib.contextmanager
def folded(label: str, *, key: str, icon: str | None = None) -> Iterator[bool]:
    """Draw a part of the page that is closed until somebody opens it; yield True if it is open.

    The caller draws its content only then: what nobody has opened costs the server nothing.
    """
    with st.expander(label, key=key, icon=icon, on_change="rerun") as part:
        yield bool(part.open)


def data_and_downloads(
    frame: pd.DataFrame,
    paper: Drawing,
    *,
    key: str,
    filename: str,
    shown: pd.DataFrame | None = None,
    column_config: dict[str, Any] | None = None,
) -> None:
    """Draw the folded part below a chart: its table, and CSV, PNG and SVG; nothing in presenter mode.

    Parameters
    ----------
    frame
        the data of the CSV.
    paper
        the chart; it is built for white paper when a picture is wanted.
    shown
        another arrangement of the frame for the table.
    key, filename, column_config
        as of `chart_with_table`.
    """
    if state.presenting():
        return
    with folded("Data and downloads", key=f"{key}_data") as opened:
        if not opened:
            return
        table = frame if shown is None else shown
        st.dataframe(table, hide_index=True, width="stretch", column_config=column_config)
        with st.container(horizontal=True, gap="small"):
            download("CSV", lambda: csv(frame), f"{filename}.csv", "text/csv", f"{key}_csv")
            download("PNG", lambda: picture(paper.built(), "png"), f"{filename}.png", "image/png", f"{key}_png")
            download("SVG", lambda: picture(paper.built(), "svg"), f"{filename}.svg", "image/svg+xml", f"{key}_svg")


def table(
    frame: pd.DataFrame,
    *,
    key: str,
    filename: str,
    exact: pd.DataFrame | None = None,
    column_config: dict[str, Any] | None = None,
) -> None:
    """Draw a small table whose whole content is visible, with a CSV of it; `exact` replaces it in the CSV."""
    grid(frame, key=key, column_config=column_config, placeholder="–")
    csv_button(frame if exact is None else exact, filename, key=f"{key}_csv")


def csv_button(frame: pd.DataFrame, filename: str, *, key: str, label: str = "CSV") -> None:
    """Draw a quiet button that downloads the frame as CSV."""
    download(label, lambda: csv(frame), f"{filename}.csv", "text/csv", key)


def download(label: str, make: Callable[[], bytes], filename: str, mime: str, key: str) -> None:
    """Draw a quiet button that downloads what `make` returns."""
    # made only on a click, and the page does not rerun for it
    st.download_button(
        label,
        make,
        for_file_name(filename),
        mime,
        key=key,
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def csv(frame: pd.DataFrame) -> bytes:
    """Return the frame as CSV, unrounded, UTF-8; no text in it is a formula where a spreadsheet opens it."""
    safe = frame.rename(columns=for_csv)
    for place, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            safe.isetitem(place, safe.iloc[:, place].map(for_csv).array)
    return safe.to_csv(index=False).encode()


def empty_state(
    title: str,
    sentence: str,
    *,
    button: str | None = None,
    page: str | None = None,
    icon: str = ":material/insights:",
    key: str = "empty_state",
    on_click: Callable[[], None] | None = None,
) -> None:
    """Write what would be here, with the one button that brings it: it opens `page`, or does `on_click`, or both."""
    with st.container(border=True, horizontal_alignment="center", key=key):
        st.markdown(f"## {icon} {title}", text_alignment="center", anchors=False)
        st.markdown(sentence, text_alignment="center")
        if button and st.button(button, type="primary", key=f"{key}_button", on_click=on_click) and page:
            st.switch_page(page)


MOST_UPLOAD_MB = 64
"""The largest file that is taken from a browser, as `server.maxUploadSize` in Streamlit's configuration."""


def check_upload(given: Any, remedy: str) -> None:
    """Raise ConfigError, with the remedy, where an uploaded file is larger than `MOST_UPLOAD_MB`."""
    if given.size > MOST_UPLOAD_MB * 2**20:
        raise ConfigError(
            f"the file has {given.size / 2**20:,.0f} MB, and {MOST_UPLOAD_MB} are taken from a browser; {remedy}"
        )


MOST_PROBLEMS = 50
"""Damaged folders that are named one by one."""


def no_images(error: DatasetError) -> None:
    """Write why there are no images, with the way to the page that fetches them where they are not on this machine."""
    if isinstance(error, DatasetMissing):
        st.info(markdown_sentence(error), icon=":material/hide_image:")
        st.page_link("views/data.py", label="Get the images on the Data page", icon=":material/dataset:")
    else:
        st.warning(markdown_sentence(error), icon=":material/hide_image:")


def store_problems(problems: list[Problem]) -> None:
    """State plainly which folders and files of the store could not be read; nothing where there are none."""
    if not problems:
        return
    kinds = {"folder" if problem.path.is_dir() else "file" for problem in problems}
    plural = " and ".join(f"{kind}s" for kind in sorted(kinds, reverse=True))
    what = f"One {kinds.pop()}" if len(problems) == 1 else f"{len(problems)} {plural}"
    with st.expander(f"{what} in the store could not be read", icon=":material/report:", key="store_problems"):
        st.caption("All other runs are unaffected. A damaged folder can be deleted by hand, or repaired from a copy.")
        for problem in problems[:MOST_PROBLEMS]:
            st.markdown(f"- {for_markdown(problem.reason)}  \n  {for_markdown(printable(problem.path))}")
        if len(problems) > MOST_PROBLEMS:
            st.caption(f"And {len(problems) - MOST_PROBLEMS} more; `python -m mnist_core runs` names them all.")


def read_only_note(store: Store) -> None:
    """Say once, quietly, that a store may only be read; nothing where it may be changed."""
    if not store.writable:
        with st.container(key="read_only_note"):
            st.caption(
                ":material/lock: This store is read-only: everything can be looked at. To train, or to change runs, "
                "use a store that can be written."
            )


@contextlib.contextmanager
def errors_as_messages() -> Iterator[None]:
    """Show a MnistCoreError as an error message, in place of the part of the page that raised it."""
    try:
        yield
    except MnistCoreError as error:
        st.error(markdown_sentence(error), icon=":material/error:")


@contextlib.contextmanager
def errors_as_toasts() -> Iterator[None]:
    """Show a MnistCoreError for ten seconds in a corner: for clicks in a part that is drawn again twice a second."""
    try:
        yield
    except MnistCoreError as error:
        st.toast(markdown_sentence(error), icon=":material/error:", duration="long")


def sentence(error: MnistCoreError | str) -> str:
    """Return an error's message, or a reason, as a sentence."""
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def markdown_sentence(error: MnistCoreError | str) -> str:
    """Return an error's message as a sentence of Markdown, in which names and paths are only text."""
    return for_markdown(sentence(error))
