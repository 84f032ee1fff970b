"""The test images of a run from outside: which data set they are, and whether they are in its order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_core.constants import INPUT_SIZE, MOST_CLASSES
from mnist_core.data.datasets import MNIST_MD5, Catalog, idx_md5
from mnist_core.errors import DatasetError, DatasetMissing, PredictionsError
from mnist_core.recording.arrays import as_array
from mnist_core.runs.recorded import DIGITS

OWN = "own"
"""Name of data that has no other name."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, eq=False)
class TestData:
    """The test images that predictions are about.

    dataset: their name. fingerprint: 16 hexadecimal digits: those of the data set, where it is one that is known here,
    else of a SHA-256 over name and labels. labels: uint8, shape (n,). classes: their names. pictures: True if they are
    the images of a known data set. images: stands for images that were given and are no known data set's, else None.
    """

    __test__ = False

    dataset: str
    fingerprint: str
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    pictures: bool
    images: str | None = None


def find(
    catalog: Catalog,
    *,
    dataset: str | None,
    labels: ArrayLike | None,
    images: ArrayLike | None = None,
    classes: Sequence[str] | None = None,
    columns: int | None = None,
    guesses: NDArray[Any] | None = None,
) -> TestData:
    """Return what the predictions are about, checked.

    Parameters
    ----------
    catalog
        the data sets that are known here.
    dataset
        a name; None: known by its images, else `own`.
    labels
        shape (n,), numbers from 0 or names; may be left out for a known data set.
    images
        the test images as the model takes them: 0 to 255, 0 to 1, or shifted and scaled as a whole; flat or not.
    classes
        names, in the order of the numbers or columns.
    columns
        how many classes the probabilities have.
    guesses
        the guessed classes, where there are no probabilities: they may name further classes.

    Raises
    ------
    DatasetError
        where the images are others than those of the data set that was named, or in another order.
    PredictionsError
        where the labels are, or do not fit the classes.
    """
    given = None if images is None else as_array(images, "the images")
    if given is not None:
        _check_finite(given)
    if dataset is not None:
        _check_name(dataset)
    if dataset is None and given is not None:
        dataset = recognised(catalog, given)
    if dataset is not None and dataset in catalog.names():
        return _known(catalog, dataset, labels, given, classes, columns)
    if labels is None:
        known = ", ".join(catalog.names())
        what = "no data set was named" if dataset is None else f"there is no data set {dataset!r} here"
        raise PredictionsError(f"{what}, and no labels were given; give labels, or one of these data sets: {known}")
    found, names = numbered(labels, classes, columns, guesses)
    if given is not None and len(given) != len(found):
        raise PredictionsError(f"there are {len(found):,} labels and {len(given):,} images; give one label an image")
    name = dataset or OWN
    digest = hashlib.sha256(f"outside\n{name}\n{len(found)}\n".encode() + found.tobytes())
    return TestData(name, digest.hexdigest()[:16], found, names, False, None if given is None else images_digest(given))


def without_images(catalog: Catalog, dataset: str | None, classes: Sequence[str] | None) -> TestData:
    """Return what a run without predictions is about: only the name of its data is known."""
    name = OWN if dataset is None else dataset
    _check_name(name)
    known = name in catalog.names()
    fingerprint = catalog.fingerprint(name) if known else hashlib.sha256(f"history\n{name}".encode()).hexdigest()[:16]
    names = DIGITS if classes is None else tuple(map(str, classes))
    return TestData(name, fingerprint, np.zeros(0, np.uint8), names, known)


def _check_finite(images: NDArray[Any]) -> None:
    if images.dtype.kind not in "biuf":
        raise PredictionsError(f"the images have dtype {images.dtype}; give an array of numbers, one row an image")
    if images.ndim < 2 or not images.size:
        raise PredictionsError(f"the images have shape {images.shape}; give shape (n, pixels) or (n, height, width)")
    if images.dtype.kind == "f" and not (finite := np.isfinite(images.reshape(len(images), -1)).all(axis=1)).all():
        raise PredictionsError(
            f"{int((~finite).sum()):,} of {len(images):,} images have pixels that are no finite numbers, the first of "
            f"them image {int(finite.argmin())}; give the test images as the model takes them"
        )


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DatasetError(f"{name!r} is not a data set name; use lower-case letters, digits, - and _, such as fashion")


def _known(
    catalog: Catalog,
    dataset: str,
    labels: ArrayLike | None,
    images: NDArray[Any] | None,
    classes: Sequence[str] | None,
    columns: int | None,
) -> TestData:
    """Return the test images of a data set that can be loaded here, or whose sums are known."""
    names = DIGITS if classes is None else tuple(map(str, classes))
    if len(names) != len(DIGITS) or columns not in (None, len(DIGITS)):
        raise PredictionsError(
            f"{dataset} has {len(DIGITS)} classes, and the predictions have {columns or len(names)}; give one column a "
            "class, or the name of the data set that they are about"
        )
    given = None if labels is None else numbered(labels, names, None, None)[0]
    try:
        data = catalog.load(dataset)
    except DatasetMissing:
        if dataset != "mnist" or given is None or images is not None or idx_md5(given) != MNIST_MD5["y_test"]:
            raise
        return TestData(dataset, catalog.fingerprint(dataset), given, names, True)
    if given is not None:
        _check_labels(dataset, given, data.y_test)
    if images is not None:
        _check_images(dataset, images, data.x_test)
    return TestData(dataset, data.fingerprint, data.y_test, names, True)


def _check_labels(dataset: str, given: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    if len(given) != len(expected):
        raise PredictionsError(
            f"there are {len(given):,} labels, and {dataset} has {len(expected):,} test images; "
            "give the predictions of all its test images, in its order"
        )
    differ = np.flatnonzero(given != expected)
    if not len(differ):
        return
    same = np.array_equal(np.bincount(given, minlength=256), np.bincount(expected, minlength=256))
    why = "they are as many of each class, so that they are probably in another order" if same else "they are others"
    raise PredictionsError(
        f"{len(differ):,} of the {len(given):,} labels are not those of {dataset}'s test images, the first of them "
        f"label {int(differ[0])} ({given[differ[0]]}, and it should be {expected[differ[0]]}): {why}; "
        f"give labels and predictions in the order of {dataset}, without shuffling, or name the data set otherwise"
    )


def _check_images(dataset: str, given: NDArray[Any], expected: NDArray[np.uint8]) -> None:
    found = as_pixels(given, expected)
    if found is None:
        raise DatasetError(
            f"the images have shape {given.shape}, and {dataset} has {len(expected):,} test images of "
            f"{INPUT_SIZE} pixels; give all of them, or leave `dataset` out"
        )
    wanted = expected.reshape(len(expected), -1)
    if np.array_equal(found, wanted):
        return
    order = sorted(map(bytes, found)) == sorted(map(bytes, wanted))
    raise DatasetError(
        f"the images are those of {dataset}, in another order; give them in its order, without shuffling"
        if order
        else f"the images are not the test images of {dataset}, also after their scaling was undone; "
        "give its test images, or leave `dataset` out"
    )


def recognised(catalog: Catalog, images: NDArray[Any]) -> str | None:
    """Return the name of the data set that has these test images, in this order; None where there is none here."""
    for name in catalog.names():
        if catalog.available(name):
            try:
                expected = catalog.load(name).x_test
            except DatasetError:  # damaged: then it is not known by its images
                continue
            found = as_pixels(images, expected)
            if found is not None and np.array_equal(found, expected.reshape(len(expected), -1)):
                return name
    return None


def as_pixels(images: NDArray[Any], like: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return images as uint8 rows of pixels, with any shift and scale of the whole undone: shape (n, pixels).

    The smallest and largest value become those of `like`, as after a division by 255 or a standardisation by one mean
    and one deviation. None where there are not as many images, or pixels, or where they are no finite numbers.
    """
    count = len(like)
    if images.ndim < 2 or len(images) != count or images.size != like.size or images.dtype.kind not in "biuf":
        return None
    rows = images.reshape(count, -1)
    low, high = float(rows.min()), float(rows.max())
    if not (np.isfinite(low) and np.isfinite(high) and high > low):
        return None
    least, most = int(like.min()), int(like.max())
    scaled = np.rint((rows.astype(np.float64) - low) * ((most - least) / (high - low)) + least)
    found: NDArray[np.uint8] = scaled.astype(np.uint8)
    return found


def images_digest(images: NDArray[Any]) -> str:
    """Return 16 hexadecimal digits that stand for images, whatever their scale, number format and shape.

    The values are brought to 0 to 1 and rounded to 1/1000, so that float32 and float64 come out the same.
    """
    rows = images.reshape(len(images), -1).astype(np.float64)
    low, high = float(np.nanmin(rows)), float(np.nanmax(rows))
    scaled = np.rint((np.nan_to_num(rows) - low) * (1000 / (high - low) if high > low else 0.0)).astype(np.int16)
    return hashlib.sha256(f"{scaled.shape}".encode() + scaled.tobytes()).hexdigest()[:16]


def numbered(
    labels: ArrayLike, classes: Sequence[str] | None, columns: int | None, guesses: NDArray[Any] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return labels as numbers, shape (n,), and the names of the classes.

    Names as labels are numbered in the order of `classes`, else in the order of the alphabet, as scikit-learn does.
    Labels of shape (n, classes) with a single 1 a row are taken as one-hot.

    Raises
    ------
    PredictionsError
        where they do not fit.
    """
    values = as_array(labels, "the labels")
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "biuf":
        if not (np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()):
            raise PredictionsError(
                f"labels of shape {values.shape} have rows that are not one-hot; give one number each"
            )
        columns = columns or values.shape[1]
        values = values.argmax(axis=1)
    values = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or not len(values):
        raise PredictionsError(f"the labels have shape {values.shape}; give one label an image, shape (n,)")
    if values.dtype.kind in "OUS":
        return _from_names(values, classes, columns, guesses)
    numbers = whole_numbers(values, "labels")
    most = int(numbers.max())
    if guesses is not None and guesses.dtype.kind in "biuf" and len(guesses):
        most = max(most, int(whole_numbers(guesses, "guesses").max()))
    count = columns or (len(classes) if classes is not None else max(most + 1, 2))
    names = tuple(map(str, classes)) if classes is not None else tuple(map(str, range(count)))
    _check_count(names, count)
    if most >= count:
        raise PredictionsError(
            f"the labels go up to {most}; with {count} classes they must lie between 0 and {count - 1}"
        )
    return numbers.astype(np.uint8), names


def _from_names(
    values: NDArray[Any], classes: Sequence[str] | None, columns: int | None, guesses: NDArray[Any] | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    texts = values.astype(str)
    further = [] if guesses is None else guesses.astype(str).tolist()
    names = tuple(map(str, classes)) if classes is not None else tuple(sorted({*texts.tolist(), *further}))
    _check_count(names, columns or len(names))
    return by_name(texts, names, "labels"), names


def by_name(texts: NDArray[Any], names: Sequence[str], what: str) -> NDArray[np.uint8]:
    """Return the numbers of class names; raise PredictionsError where one is not among them."""
    places = {name: number for number, name in enumerate(names)}
    unknown = sorted(set(texts.tolist()) - set(places))
    if unknown:
        raise PredictionsError(
            f"{what} hold {unknown[0]!r}, and the classes are {', '.join(names[:20])}; "
            "give `classes` with all names, in the order of the columns"
        )
    return np.array([places[text] for text in texts.tolist()], np.uint8)


def _check_count(names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise PredictionsError(
            f"there are {len(names)} classes ({', '.join(names[:20])}) and {count} columns of probabilities; "
            "give `classes` with the name of each column, in their order"
        )
    if not 2 <= count <= MOST_CLASSES:
        raise PredictionsError(f"there are {count} classes; there may be 2 to {MOST_CLASSES}")


def whole_numbers(values: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Return values as integers from 0; raise PredictionsError where one is none."""
    if values.dtype.kind not in "biuf":
        raise PredictionsError(f"{what} have dtype {values.dtype}; give whole numbers from 0, or names")
    with np.errstate(invalid="ignore"):
        numbers = values.astype(np.int64)
    if not np.array_equal(numbers, values) or numbers.min() < 0:
        place = int(np.flatnonzero((numbers != values) | (numbers < 0))[0])
        raise PredictionsError(f"{what} hold {values[place]} at place {place}; give whole numbers from 0")
    return numbers
