"""Exams: images made harder or from elsewhere, and how runs do on them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.cache import EXAMS
from dashboard.resources import datasets, networks
from mnist_core.data.datasets import Dataset
from mnist_core.data.images import Pixels
from mnist_core.runs.run import Run

if TYPE_CHECKING:
    from mnist_core.comparison.exams import Result

Exam = tuple[str, int | None]
"""Name and severity, as `mnist_core.comparison.exams.exam_images` takes them."""


def exam_results(runs: Sequence[Run], exams: Sequence[Exam], count: int) -> dict[str, list[Result]]:
    """Return how runs with a network do on exams, by run id, in the order of the exams.

    Parameters
    ----------
    runs
        trained on the same data.
    exams
        names and severities.
    count
        on how many of the test images, taken at equal distances.

    Raises what `own_dataset` raises.
    """
    from mnist_core.comparison.exams import sit_all

    data = datasets.own_dataset(runs[0])

    def made() -> dict[str, list[Result]]:
        able = {run.id: found for run in runs if (found := networks.network(run)) is not None}
        images = {str(exam): functools.partial(_exam_images, data, exam, count) for exam in exams}
        with st.spinner("The runs sit their exams …"):
            results = sit_all(able, images, exam_labels(runs[0], count))
        return {run_id: list(of_run.values()) for run_id, of_run in results.items()}

    key = ("exam results", tuple(networks.weights_key(run) for run in runs), data.fingerprint, tuple(exams), count)
    results: dict[str, list[Result]] = EXAMS.get(
        key, made, lambda found: sum(result.images for of_run in found.values() for result in of_run)
    )
    return results


def sat_elsewhere(runs: Sequence[Run], images: Pixels, labels: NDArray[np.uint8], version: str) -> dict[str, Result]:
    """Return how runs with a network do on images that are not their data set's, by run id.

    Parameters
    ----------
    runs
        with a network.
    images, labels
        of shape (n, 28, 28) and (n,), n ≥ 1; as many of them are used, at equal distances, as all networks can afford.
    version
        changes when images or labels do.
    """
    from mnist_core.comparison.exams import affordable, equally_spaced, sit

    def made() -> dict[str, Result]:
        places = equally_spaced(len(images), affordable([run.config.model for run in runs], len(images), 1))
        able = {run.id: found for run in runs if (found := networks.network(run)) is not None}
        return {run_id: sit(found, images[places], labels[places]) for run_id, found in able.items()}

    key = ("exam elsewhere", tuple(networks.weights_key(run) for run in runs), version)
    results: dict[str, Result] = EXAMS.get(key, made, lambda found: sum(result.images for result in found.values()))
    return results


def exam_pictures(run: Run, exam: Exam, count: int) -> Pixels:
    """Return the images of an exam, made of those that the run was tested on; raise what `own_dataset` raises."""
    return _exam_images(datasets.own_dataset(run), exam, count)


def exam_labels(run: Run, count: int) -> NDArray[np.uint8]:
    """Return the labels of the images of every exam, shape (count,)."""
    from mnist_core.comparison.exams import equally_spaced

    labels = datasets.own_dataset(run).y_test
    found: NDArray[np.uint8] = labels[equally_spaced(len(labels), count)]
    return found


def _exam_images(data: Dataset, exam: Exam, count: int) -> Pixels:
    from mnist_core.comparison.exams import equally_spaced, exam_images

    def made() -> Pixels:
        name, severity = exam
        return exam_images(data.x_test[equally_spaced(len(data.x_test), count)], name, severity)

    images: Pixels = EXAMS.get(("exam images", data.fingerprint, exam, count), made, lambda found: int(found.nbytes))
    return images
