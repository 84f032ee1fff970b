"""Images: those of data sets, those that runs were tested on, and the digits that people drew and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard.cache import CACHE, size_of
from dashboard.resources import readings, shared
from mnist_core.data import duplicates
from mnist_core.data.datasets import Dataset
from mnist_core.data.duplicates import DataCheck
from mnist_core.data.images import Pixels
from mnist_core.errors import DatasetError
from mnist_core.runs.run import Run

if TYPE_CHECKING:
    from mnist_core.data.kept_digits import KeptDigits


def dataset(name: str) -> Dataset:
    """Return a dataset, loaded once for as long as its file stays the same; raises what `Catalog.load` raises."""
    return _dataset(name, shared.store().catalog.version(name))


@st.cache_resource(max_entries=4, show_spinner="Reading the images …")
def _dataset(name: str, version: tuple[str, int] | None) -> Dataset:
    return shared.store().catalog.load(name)


def data_check(name: str) -> DataCheck:
    """Return the duplicates in a dataset; searched for once. Raises what `Catalog.load` raises, and StoreError."""
    return duplicates.checked(shared.store().root, dataset(name))


def own_dataset(run: Run) -> Dataset:
    """Return the data that the run was trained on.

    Raises
    ------
    DatasetError
        where the dataset is not here, or is not the one that the run was trained on.
    """
    if not run.pictures:
        raise DatasetError(
            f"No pictures: run {run.name} was recorded with test images that are those of no data set known here"
        )
    name = run.dataset
    found = dataset(name)
    if found.fingerprint != run.status.fingerprint:
        raise DatasetError(
            f"run {run.name} was trained on other data called {name} (fingerprint {run.status.fingerprint}) than "
            f"what is here ({found.fingerprint}); its guesses would stand under the wrong images, so none are shown"
        )
    return found


def test_images(run: Run) -> Pixels:
    """Return the images that the run's predictions are about, shape (n, 28, 28).

    Raises
    ------
    DatasetError
        where the dataset is not here, or is not the one that the run was trained on.
    """
    found = own_dataset(run)
    guesses = readings.predictions(run)
    if guesses is not None and not np.array_equal(guesses.labels, found.y_test):
        raise DatasetError(
            f"the labels in the predictions of run {run.name} are not those of {found.name}; train it again"
        )
    return found.x_test


def kept_folder() -> Path:
    """Return where digits that people drew are kept."""
    return shared.store().root / "drawings"


def kept() -> KeptDigits:
    """Return the kept digits, cached until one is kept or removed."""
    from mnist_core.data.kept_digits import kept_digits

    folder = kept_folder()
    found: KeptDigits = CACHE.get(("kept digits", str(folder), kept_version()), lambda: kept_digits(folder), size_of)
    return found


def kept_version() -> tuple[int, int]:
    """Return what changes whenever a digit is kept or removed."""
    from mnist_core.data.kept_digits import version

    return version(kept_folder())
