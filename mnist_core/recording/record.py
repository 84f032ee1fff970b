"""A run from predictions that were made anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_core.errors import ConfigError, PredictionsError, StoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.recording.arrays import as_array
from mnist_core.recording.history import rows_of
from mnist_core.recording.known_images import TestData, by_name, find, whole_numbers, without_images
from mnist_core.runs.recorded import Source, parse_recorded
from mnist_core.runs.records import EpochRow, best_epoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

NO_PICTURES = "No pictures: its test images are those of no data set that is known here."


def record(
    name: str,
    *,
    probabilities: ArrayLike | None = None,
    predicted: ArrayLike | None = None,
    dataset: str | None = None,
    labels: ArrayLike | None = None,
    images: ArrayLike | None = None,
    classes: Sequence[str] | None = None,
    history: Any = None,
    parameters: int | None = None,
    framework: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    source: Source = "record",
    store: Store | None = None,
) -> Run:
    """Keep predictions that were made anywhere as a run, to be compared with all others on the same test images.

    Parameters
    ----------
    name
        what the run is called, at most 80 characters.
    probabilities
        shape (n, classes), rows that add up to 1; for two classes also shape (n,): that of the second one.
    predicted
        in place of probabilities the guessed class of each image, shape (n,), numbers or names. Such a run has an
        accuracy, but no loss and no calibration.
    dataset
        the data that the test images are of: `mnist`, `digits`, a registered name, or a name for your own data.
    labels
        the true classes, shape (n,), numbers from 0 or names. For known data they may be left out; where they are
        given, they must be those of its test images, in its order.
    images
        the test images, from which known data are recognised, also after a division by 255 or another scaling.
    classes
        the names of the classes, in the order of the columns; default: numbers, or the labels' names in the order of
        the alphabet.
    history
        columns by name, one value an epoch: a DataFrame, a mapping, or what `model.fit` returns. Without predictions,
        the run has its curves alone, and is compared with none.
    parameters
        how many numbers the model learned.
    framework
        what made the model, such as ``scikit-learn 1.7``.
    tags, note
        as a person writes them.
    source
        where it was recorded.
    store
        where the run is kept; default: the usual store.

    Returns
    -------
    Run
        finished. The same name and the same predictions on the same data are the same run.

    Raises
    ------
    PredictionsError
        where predictions, labels and classes do not fit together, or are no probabilities.
    DatasetError
        where the images are not those of the data that were named, or are in another order.
    ConfigError
        where the name, the history or another value is out of its bounds.
    """
    if probabilities is not None and predicted is not None:
        raise PredictionsError("give either `probabilities` or `predicted`, and not both")
    if probabilities is None and predicted is None and history is None:
        raise PredictionsError("give either `probabilities` or `predicted`; or a history, for its curves alone")
    store = store or Store()
    given = None if probabilities is None else as_probabilities(probabilities)
    guesses = None if predicted is None else as_array(predicted, "the guesses")
    if guesses is not None and guesses.ndim == 2 and guesses.shape[1] == 1:
        guesses = guesses.reshape(-1)
    found = None
    if given is None and guesses is None:
        data = without_images(store.catalog, dataset, classes)
    else:
        data = find(
            store.catalog, dataset=dataset, labels=labels, images=images, classes=classes,
            columns=None if given is None else given.shape[1], guesses=guesses,
        )  # fmt: skip
        found = fitting(data, given, guesses)
    rows = [] if history is None else rows_of(history)
    if parameters is not None and (isinstance(parameters, bool) or not isinstance(parameters, int | np.integer)):
        raise ConfigError(f"parameters is {parameters!r}; give how many numbers the model learned, as a whole number")
    recorded = parse_recorded(
        {
            "source": source,
            "framework": framework,
            "dataset": data.dataset,
            "classes": data.classes,
            "pictures": data.pictures,
            "images": data.images,
            "content": _content(name, found, data, rows, parameters, framework),
            "parameters": None if parameters is None else int(parameters),
            "epochs": len(rows) or None,
        }
    )
    note = note or ("" if data.pictures else NO_PICTURES)
    run, _ = store.add_recorded(recorded, name=name, fingerprint=data.fingerprint, tags=_listed(tags), note=note)
    if run.ended:
        return run
    writer = store.open_writer(run.id)
    if writer is None:
        raise StoreError(f"run {run.name} is being recorded by another process; wait until that has ended")
    try:
        writer.started(rows)
        if found is not None:
            writer.predictions(found)
        kept = len(rows) or None
        writer.ended("finished", "recorded from outside", best_epoch=best_epoch(rows), kept_epoch=kept)
    finally:
        writer.release()
    return store.get(run.id)


def _listed(tags: Sequence[str]) -> tuple[str, ...]:
    return (tags,) if isinstance(tags, str) else tuple(tags)


def as_probabilities(values: ArrayLike) -> NDArray[np.float64]:
    """Return probabilities of shape (n, classes); one column, or none, is the probability of the second of two classes.

    Raises
    ------
    PredictionsError
        where they are no numbers, or of another shape.
    """
    found = as_array(values, "the probabilities")
    if found.dtype.kind not in "biuf":
        raise PredictionsError(f"the probabilities have dtype {found.dtype}; give an array of numbers")
    found = found.astype(np.float64)
    if found.ndim == 1:
        found = found[:, np.newaxis]
    if found.ndim != 2:
        raise PredictionsError(f"the probabilities have shape {found.shape}; give shape (n, classes)")
    return np.hstack([1 - found, found]) if found.shape[1] == 1 else found


def fitting(data: TestData, probabilities: NDArray[Any] | None, guesses: NDArray[Any] | None) -> Predictions:
    """Return the predictions of these test images.

    Raises
    ------
    PredictionsError
        where there is not one for each image, or they are no probabilities or classes of this data.
    """
    made = probabilities if probabilities is not None else guesses
    assert made is not None
    if len(made) != len(data.labels):
        raise PredictionsError(
            f"there are predictions of {len(made):,} images, and {data.dataset} has {len(data.labels):,} test images; "
            "give one prediction for each, in the same order"
        )
    if probabilities is not None:
        return Predictions(data.labels, probabilities.astype(np.float32))
    assert guesses is not None
    if guesses.dtype.kind in "OUS":
        return Predictions.of_guesses(
            data.labels, by_name(guesses.astype(str), data.classes, "guesses"), len(data.classes)
        )
    if guesses.ndim != 1:
        raise PredictionsError(
            f"the guesses have shape {guesses.shape}; give one class an image, or pass probabilities as `probabilities`"
        )
    return Predictions.of_guesses(data.labels, whole_numbers(guesses, "guesses"), len(data.classes))


def _content(
    name: str, found: Predictions | None, data: TestData, rows: list[EpochRow], parameters: int | None, framework: str
) -> str:
    """Return what stands for all that was recorded: 64 hexadecimal digits of a SHA-256."""
    facts = [
        name,
        data.classes,
        data.images,
        parameters,
        framework,
        found is not None and found.guesses_only,
        [row.to_json() for row in rows],
    ]
    digest = hashlib.sha256(json.dumps(facts, default=int).encode())
    for array in (found.labels, found.probabilities) if found else ():
        digest.update(f"{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
