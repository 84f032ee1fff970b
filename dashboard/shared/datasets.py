"""The parts of the Data page: the list of datasets, a look at one, downloading MNIST, registering files."""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources, state, theme
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.downloads import Download
from dashboard.shared.gallery import in_theme
from mnist_core.constants import CLASSES
from mnist_core.data import duplicates
from mnist_core.data.datasets import ARRAYS, BUILT_IN, MNIST_MD5, MNIST_VARIABLE, Catalog, Dataset
from mnist_core.data.images import Pixels, sprite
from mnist_core.data.words import check_words, label_words, leak_words
from mnist_core.errors import ConfigError, MnistCoreError
from mnist_core.plots import style
from mnist_core.plots.classes import class_chart, class_frame
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown

SAMPLES = 4
PICTURE = "data_picture"
NOTICE = "data_told"
LOOK = "data"
"""The name in the URL of the dataset that is looked at."""


@functools.cache
def download() -> Download:
    """Return the download of MNIST, shared by all viewers."""
    return Download(resources.store())


def usable(catalog: Catalog, name: str) -> bool:
    """True if a dataset can be used now; False for MNIST while it is being downloaded."""
    return catalog.available(name) and not (name == "mnist" and download().running)


# -- the list ----------------------------------------------------------------------------------------------------------


def overview(names: list[str], catalog: Catalog, runs: list[Run]) -> pd.DataFrame:
    """Return one row a dataset, by its name for people; what is not known of it stays empty."""
    used = Counter(run.dataset for run in runs)
    rows = []
    for name in names:
        row: dict[str, object] = {"Dataset": data_name(name), "On this machine": "no", "Runs": used[name]}
        if usable(catalog, name):
            try:
                dataset = resources.dataset(name)
                row |= {
                    "On this machine": "yes",
                    "Training images": len(dataset.y_train),
                    "Test images": len(dataset.y_test),
                    "Fingerprint": dataset.fingerprint,
                }
                found = duplicates.known(resources.store().root, dataset.fingerprint)
                row["Test images in training"] = found.test_in_train + found.near if found else None
            except MnistCoreError as error:
                row["On this machine"] = f"unusable: {error}"
        rows.append(row)
    columns = [
        "Dataset",
        "On this machine",
        "Training images",
        "Test images",
        "Test images in training",
        "Runs",
        "Fingerprint",
    ]
    return pd.DataFrame(rows, columns=columns)


def dataset_list(names: list[str], runs: list[Run]) -> None:
    """Draw the list."""
    panels.heading(
        "Datasets",
        "What can be trained on here, and how many runs do.",
        "The fingerprint is the beginning of a SHA-256 over all images and labels. A run remembers it, so that results "
        "on different data are never mistaken for one another.",
    )
    whole = st.column_config.NumberColumn(format="localized")
    panels.table(
        overview(names, resources.store().catalog, runs),
        key="data_list",
        filename="datasets",
        column_config={"Training images": whole, "Test images": whole, "Runs": whole},
    )


def chosen(here: list[str]) -> str:
    """Draw the switch between the datasets that are here, and return the one in the link, else the first."""
    found = state.one_of(state.link_text(LOOK), here, here[0])
    state.widget("data_look", found)
    st.segmented_control(
        "Look at",
        here,
        format_func=lambda name: for_markdown(data_name(name)),
        key="data_look",
        required=True,
        wrap=True,
        on_change=lambda: state.set_link(**{LOOK: state.widget_value("data_look")}),
    )
    return found


# -- a look at one -----------------------------------------------------------------------------------------------------


def samples(dataset: Dataset, rows: int, seed: int) -> Pixels:
    """Return training images, shape (10 · rows, 28, 28): in each row one image of every digit, 0 to 9.

    A place is black where there are too few.
    """
    rng = np.random.default_rng(seed)
    sheet = np.zeros((rows, CLASSES, *dataset.x_train.shape[1:]), np.uint8)
    for digit in range(CLASSES):
        members = np.flatnonzero(dataset.y_train == digit)
        chosen = rng.permutation(members)[:rows]
        sheet[: len(chosen), digit] = dataset.x_train[chosen]
    return sheet.reshape(rows * CLASSES, *dataset.x_train.shape[1:])


def look(name: str) -> None:
    """Draw sample images, the share of each digit, and the checksums of one dataset."""
    catalog = resources.store().catalog
    dataset = resources.dataset(name)
    st.markdown(f"{for_markdown(catalog.describe(name))}.")
    left, right = st.columns([6, 5], gap="large")
    with left:
        panels.heading("Examples", "Training images drawn at random: one column for each digit, 0 to 9.")
        seed = int(str(state.widget_value("data_seed") or 0))
        sheet = sprite(samples(dataset, SAMPLES, seed), CLASSES)
        # ink on paper in the light theme, chalk on a blackboard in the dark one, as on every page; their own background
        # vanishes
        blend = "screen" if theme.is_dark() else "multiply"
        theme.set_style({f".st-key-{PICTURE}": {"--blend": blend}})
        with st.container(key=PICTURE):
            st.image(
                in_theme(sheet),
                width="stretch",
                output_format="PNG",
                alt=f"{SAMPLES} training images of each digit of {data_name(name)}",
            )
        st.button(
            "Show other examples",
            icon=":material/casino:",
            type="tertiary",
            key="data_others",
            on_click=lambda: state.fill({"data_seed": seed + 1}),
        )
    with right:
        frame = class_frame(dataset)
        panels.chart_with_table(
            Drawing(class_chart, frame),
            frame,
            alt_text=f"Share of each digit among the training and test images of {data_name(name)}",
            key="data_classes",
            filename=f"{name}-classes",
            title="Digits",
            sentence="Each digit's share of the training images and of the test images.",
            help="Where all ten digits are about as frequent, accuracy is a fair measure: guessing alone is right for "
            "about one image in ten.",
        )
    found = resources.data_check(name)
    panels.heading("Duplicates", "Images that occur twice, looked for in both parts.")
    for text in check_words(found, data_name(name)):
        if found.leaks or found.conflicts:
            st.warning(for_markdown(text), icon=":material/warning:")
        else:
            st.caption(for_markdown(text))
    _checksums(dataset)


def _checksums(dataset: Dataset) -> None:
    with st.expander("Fingerprint and checksums", key="data_checksums", icon=":material/fingerprint:"):
        st.markdown(f"Fingerprint of all images and labels: `{dataset.fingerprint}`")
        if dataset.name == "mnist":
            st.caption("The MD5 sums of the four original files. They are checked whenever MNIST is read.")
            st.table(
                {"Array": list(ARRAYS), "MD5": [MNIST_MD5[key] for key in ARRAYS]}, border="horizontal", hide_index=True
            )


# -- MNIST -------------------------------------------------------------------------------------------------------------


def mnist_panel() -> None:
    """Offer to fetch MNIST where it is not here, and show how far that is; nothing where it is here."""
    running = download().running
    if resources.store().catalog.available("mnist") and not running:
        return
    state.again_every(0.5, going_on=running)(_mnist)(running)


def _mnist(was_running: bool) -> None:
    fetching, refusal = download(), resources.store().person.refusal("data")
    if fetching.running != was_running:
        st.rerun()
    with st.container(border=True, key="data_mnist"):
        panels.heading(
            "MNIST is not on this machine yet",
            "60,000 training and 10,000 test images of handwritten digits, 11.5 MB. Until it is here, digits is used.",
        )
        if fetching.running:
            share = fetching.share()
            st.progress(share, f"{100 * share:.0f} % of 11.5 MB" if share else "Asking for the file …")
            st.button(
                "Stop",
                key="data_stop",
                type="tertiary",
                icon=":material/stop:",
                on_click=_stop,
                disabled=bool(refusal),
            )
            _refused(refusal)
            return
        given = os.environ.get(MNIST_VARIABLE)
        if given:
            st.warning(
                f"The environment variable {MNIST_VARIABLE} names {for_markdown(given)}, where there is no file. "
                "Correct it, or remove it and start the dashboard again to download MNIST.",
                icon=":material/warning:",
            )
            return
        ended = fetching.outcome()
        if ended is not None and not ended.done:
            st.info(f"{for_markdown(ended.reason)}.", icon=":material/wifi_off:")
        if st.button("Download MNIST" if ended is None else "Try again", type="primary", key="data_download",
                     icon=":material/download:", disabled=bool(refusal)):  # fmt: skip
            with panels.errors_as_messages():
                fetching.start()
                st.rerun()
        _refused(refusal)
        if not refusal:
            _mnist_from_a_file()


def _mnist_from_a_file() -> None:
    """Take an mnist.npz from the viewer's machine: a classroom may have no network."""
    given = st.file_uploader("Or choose an mnist.npz, such as from a USB stick", ["npz"], key="data_mnist_file")
    if given is None:
        return
    with panels.errors_as_messages(), st.spinner("Checking the file …"):
        panels.check_upload(given, "an mnist.npz has 11.5 MB")
        resources.store().catalog.keep_mnist(given.getvalue(), Path(given.name).name)
        _changed("MNIST can be used now: 60,000 training and 10,000 test images.")


def _stop() -> None:
    with panels.errors_as_toasts():
        download().stop()


def _refused(reason: str) -> None:
    if reason:
        st.caption(panels.markdown_sentence(reason))


# -- the user's files --------------------------------------------------------------------------------------------------


def registered_panel(runs: list[Run]) -> None:
    """Add a dataset from an uploaded .npz file or by its path, and forget one."""
    catalog = resources.store().catalog
    panels.heading(
        "Datasets of your own",
        "Any .npz file of MNIST’s form can be used, such as Fashion-MNIST.",
        f"The file must hold the arrays {', '.join(ARRAYS)}: images as uint8 of shape (n, 28, 28), 0 = background, and "
        "whole-number labels of shape (n,) from 0 to 9. An uploaded file is kept in the store. A file that is named by "
        "its path stays where it is; only the path is remembered.",
    )
    if notice := state.widget_value(NOTICE):
        text, new = notice
        st.success(for_markdown(text) + (" [Look at it above](#examples)" if new else ""), icon=":material/check:")
        state.fill({NOTICE: None} | ({"data_path": "", "data_name": ""} if new else {}))
    refusal = resources.store().person.refusal("data")
    if refusal:
        _refused(refusal)
    elif resources.store().writable:
        _form(catalog)
    else:
        st.caption("Nothing can be added to a store that may only be read.")
    for known, file in sorted(catalog.registered().items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            missing = "" if file.is_file() else " (the file is gone)"
            users = sum(run.dataset == known for run in runs)
            st.markdown(
                f"**{for_markdown(known)}**: {for_markdown(str(file))}{missing}, "
                f"{style.count(users)} run{'' if users == 1 else 's'}",
                width="stretch",
            )
            if st.button("Forget", key=f"data_forget_{known}", type="tertiary", icon=":material/close:",
                         help="Take it off the list; the file and its runs stay",
                         disabled=bool(refusal)):  # fmt: skip
                with panels.errors_as_messages():
                    catalog.forget(known)
                    state.set_link(**{LOOK: None})
                    _changed(f"{known} is off the list; its file and its runs stay.")


def _form(catalog: Catalog) -> None:
    key = state.fresh_key("data_file")  # an uploaded file can be cleared in no other way
    with st.form("data_register", border=True):
        left, right = st.columns(2, gap="medium")
        given = left.file_uploader(f"Upload an .npz file, up to {panels.MOST_UPLOAD_MB} MB", ["npz"], key=key)
        path = right.text_input(
            "Or the path of a file",
            key="data_path",
            placeholder="fashion.npz",
            help="On the machine that the dashboard runs on; for what is too large to upload.",
        )
        name = right.text_input("Name", key="data_name", placeholder="that of the file", max_chars=64)
        if st.form_submit_button("Register", icon=":material/add:"):
            with panels.errors_as_messages():
                _register(catalog, name.strip(), given, path.strip())


def _register(catalog: Catalog, name: str, given: Any, path: str) -> None:
    if (given is None) == (not path):
        raise ConfigError("upload a file or give the path of one, and not both")
    name = name or name_of_file(path or given.name)
    with st.spinner("Checking the file …"):
        if given is None:
            dataset = catalog.register(name, Path(path).expanduser())
        else:
            panels.check_upload(given, "give its path")
            dataset = catalog.keep(name, given.getvalue(), Path(given.name).name)
        found = duplicates.checked(resources.store().root, dataset)
    images = style.count(len(dataset.y_train))
    text = f"{name} can be used now: {images} training and {style.count(len(dataset.y_test))} test images."
    warnings = [words for words in (leak_words(found, name), label_words(found, name)) if words]
    state.set_link(**{LOOK: name})
    state.forget_selection("data_file")
    _changed(" ".join([text, *warnings]), new=True)


def name_of_file(file: str) -> str:
    """Return the name of a dataset after that of its file, such as ``fashion-mnist`` for ``Fashion MNIST.npz``."""
    return re.sub(r"[^a-z0-9_]+", "-", Path(file).stem.lower()).strip("-_")[:64]


def _changed(notice: str, *, new: bool = False) -> None:
    state.fill({NOTICE: (notice, new)})
    st.rerun()


def names_or_words(catalog: Catalog) -> list[str]:
    """Return the names of all datasets; if the list of registered ones is damaged, show the error and return the
    built-in ones.
    """
    try:
        return catalog.names()
    except MnistCoreError as error:
        st.error(panels.markdown_sentence(error), icon=":material/error:")
        return list(BUILT_IN)
