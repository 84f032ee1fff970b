"""The data: `mnist`, the embedded `digits`, and any `.npz` file of the same form.

A dataset file is an `.npz` with the arrays `x_train`, `y_train`, `x_test`, `y_test`: uint8 images of shape (n, 28, 28),
0 = background, and integer labels of shape (n,) from 0 to 9.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.constants import CLASSES, IMAGE_SHAPE, MNIST_FINGERPRINT
from mnist_core.data.images import Pixels, enlarge_8_to_28
from mnist_core.errors import DamagedFile, DatasetError, DatasetMissing
from mnist_core.experiments.configs import TestValidation, Validation
from mnist_core.files import make_folder, placing, printable, read_json, write_json

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
MOST_DATASET_BYTES = 2 * 2**30
"""The most memory that a dataset file may take: 2.7 million images of 28 × 28 pixels."""
MOST_KEPT_BYTES = 512 * 2**20
"""The most memory that a dataset file may take that is kept in the store: 680,000 images of 28 × 28 pixels."""
MNIST_VARIABLE = "MNIST_NPZ"
MNIST_DOWNLOAD_BYTES = 11_490_434

# MD5 of the four original IDX files, uncompressed, in the order of ARRAYS.
MNIST_MD5 = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

BUILT_IN = {
    "mnist": "MNIST: 60,000 training and 10,000 test images of handwritten digits, 28×28",
    "digits": "scikit-learn's 1,797 embedded digits, 8×8 brought to 28×28: always here, but few"
    " images, whose scores say little about MNIST. They are by 13 people, and every fifth image of a class is for"
    " testing, so the test images are hardly by new writers",
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, split into training and test.

    x_train, x_test: uint8, shape (n, 28, 28). y_train, y_test: uint8, shape (n,), 0 to 9.
    fingerprint: 16 hexadecimal digits of a SHA-256 over the four arrays.
    """

    name: str
    x_train: Pixels
    y_train: NDArray[np.uint8]
    x_test: Pixels
    y_test: NDArray[np.uint8]
    fingerprint: str

    def split(self, validation: Validation, seed: int) -> Split:
        """Return the training and validation images for a run; a held-out part is drawn by class, seeded by `seed`."""
        if isinstance(validation, TestValidation):
            return Split(self.x_train, self.y_train, self.x_test, self.y_test)
        held = validation.size(len(self.y_train))
        chosen = _stratified(self.y_train, held, seed)
        return Split(self.x_train[~chosen], self.y_train[~chosen], self.x_train[chosen], self.y_train[chosen])


@dataclass(frozen=True, eq=False)
class Split:
    """The images that a run trains on and those that it validates on, as in `Dataset`."""

    x_train: Pixels
    y_train: NDArray[np.uint8]
    x_val: Pixels
    y_val: NDArray[np.uint8]


def _stratified(labels: NDArray[np.uint8], held: int, seed: int) -> NDArray[np.bool_]:
    """Return a mask of `held` images in which each class has its share, to the nearest image."""
    generator = np.random.default_rng([seed, 0x5B117])
    order = generator.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    # equally spaced places along the images sorted by class, shuffled within each class
    places = (np.arange(held) * len(labels)) // held
    mask = np.zeros(len(labels), bool)
    mask[by_class[places]] = True
    return mask


def fingerprint(arrays: dict[str, NDArray[np.uint8]]) -> str:
    """Return 16 hexadecimal digits of a SHA-256 over shapes and bytes of the four arrays."""
    digest = hashlib.sha256()
    for key in ARRAYS:
        digest.update(f"{key}{arrays[key].shape}".encode())
        digest.update(arrays[key].tobytes())
    return digest.hexdigest()[:16]


def read_npz(
    path: Path, *, called: str | None = None, most_bytes: int = MOST_DATASET_BYTES
) -> dict[str, NDArray[np.uint8]]:
    """Return the four arrays of a dataset file, checked.

    Parameters
    ----------
    path
        the file.
    called
        its name in messages; the path where it is None.
    most_bytes
        the most memory that its arrays may take.

    Raises
    ------
    DatasetError
        naming the file and what is wrong with it.
    """
    name = printable(path if called is None else called)
    try:
        arrays = read_arrays(path, ARRAYS, most_bytes=most_bytes, others=True, called=name)
    except FileNotFoundError:
        raise DatasetMissing(f"{name} does not exist; check the path") from None
    except OSError as error:
        raise DatasetError(f"{name} cannot be read ({printable(error.strerror or error)}); check the path") from error
    except DamagedFile as error:
        raise DatasetError(f"{error}; fetch it again, or write it with numpy.savez_compressed") from error
    missing = [key for key in ARRAYS if key not in arrays]
    if missing:
        raise DatasetError(f"{name} has no array {', '.join(missing)}; it needs {', '.join(ARRAYS)}")
    for part in ("train", "test"):
        _check_images(name, f"x_{part}", arrays[f"x_{part}"])
        arrays[f"y_{part}"] = _checked_labels(name, f"y_{part}", arrays[f"y_{part}"], len(arrays[f"x_{part}"]))
    return arrays


def _check_images(name: str, key: str, images: NDArray[np.generic]) -> None:
    if images.dtype != np.uint8:
        raise DatasetError(f"{name}: {key} has dtype {images.dtype}; images must be uint8, 0 to 255")
    if images.ndim != 3 or images.shape[1:] != IMAGE_SHAPE:
        raise DatasetError(f"{name}: {key} has shape {images.shape}; images must have shape (n, 28, 28)")
    if len(images) < CLASSES:
        raise DatasetError(f"{name}: {key} has {len(images)} images; at least {CLASSES} are needed")


def _checked_labels(name: str, key: str, labels: NDArray[np.generic], images: int) -> NDArray[np.uint8]:
    if not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(f"{name}: {key} has dtype {labels.dtype}; labels must be integers")
    if labels.shape != (images,):
        raise DatasetError(f"{name}: {key} has shape {labels.shape} for {images} images; it must be ({images},)")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= CLASSES:
        raise DatasetError(
            f"{name}: {key} holds labels from {low} to {high}; they must lie between 0 and {CLASSES - 1}"
        )
    return labels.astype(np.uint8)


def idx_md5(array: NDArray[np.uint8]) -> str:
    """Return MD5 of the array as an IDX file: a header of magic number and big-endian sizes, then the bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(array.tobytes())
    return digest.hexdigest()


def keras_cache() -> Path:
    """Return the file in which Keras keeps its copy of MNIST."""
    home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
    return Path(home) / "datasets" / "mnist.npz"


def arriving() -> Path:
    """Return the file of an unfinished download of MNIST; it is apart, so that half a file is never read as data."""
    return keras_cache().with_name("mnist.arriving.npz")


def find_mnist() -> Path | None:
    """Return the MNIST file that `load` reads: of the environment variable, else the Keras cache; None if neither."""
    given = os.environ.get(MNIST_VARIABLE)
    if given:
        return Path(given)
    return keras_cache() if keras_cache().is_file() else None


def _load_mnist(path: Path) -> Dataset:
    return _checked_mnist(read_npz(path), str(path), "delete the file and fetch it again")


def _checked_mnist(arrays: dict[str, NDArray[np.uint8]], called: str, remedy: str) -> Dataset:
    """Return the arrays of a file as MNIST. Raises DatasetError with the remedy where they are not."""
    for key in ARRAYS:
        if idx_md5(arrays[key]) != MNIST_MD5[key]:
            raise DatasetError(f"{called} is not MNIST: the checksum of {key} differs from the published one; {remedy}")
    return Dataset("mnist", **arrays, fingerprint=MNIST_FINGERPRINT)


def _scikit_learns_digits() -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return the 1,797 images of `sklearn.datasets.load_digits`, 8×8 with values from 0 to 16, and their labels.

    They are read from the file in its package, as importing scikit-learn takes a second and 120 MB of each worker;
    where a version keeps it elsewhere, scikit-learn itself reads them.
    """
    package = importlib.util.find_spec("sklearn")
    for folder in (package.submodule_search_locations or ()) if package else ():
        with (
            contextlib.suppress(OSError),
            gzip.open(Path(folder) / "datasets" / "data" / "digits.csv.gz", "rt") as file,
        ):
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.uint8)
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images, bunch.target.astype(np.uint8)


@cache
def _load_digits() -> Dataset:
    images, labels = _scikit_learns_digits()
    images = enlarge_8_to_28(images)
    # every fifth image of each class is for testing: stratified, and the same everywhere without a random number
    rank = np.zeros(len(labels), int)
    for digit in range(CLASSES):
        members = labels == digit
        rank[members] = np.arange(members.sum())
    test = rank % 5 == 4
    arrays = {"x_train": images[~test], "y_train": labels[~test], "x_test": images[test], "y_test": labels[test]}
    for array in arrays.values():
        array.flags.writeable = False  # all callers share them
    return Dataset("digits", **arrays, fingerprint=fingerprint(arrays))


def download_mnist() -> Path:
    """Fetch MNIST through Keras into its cache, with Keras's progress bar on standard output; return the file.

    Raises
    ------
    DatasetMissing
        where it cannot be fetched, in one sentence.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras

        keras.datasets.mnist.load_data(path=arriving().name)
        arriving().replace(keras_cache())
    except Exception as error:  # urllib, ssl and Keras each have their own; the person needs one sentence
        raise DatasetMissing(
            f"MNIST could not be downloaded ({_first_line(error)}). Without a network, use the dataset digits, "
            f"or set {MNIST_VARIABLE} to the path of an mnist.npz"
        ) from error
    return keras_cache()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:200]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise DatasetError(f"{name!r} is not a dataset name; use lower-case letters, digits, - and _, such as fashion")
    if name in BUILT_IN:
        raise DatasetError(f"{name} is built in; choose another name")


class Catalog:
    """The datasets that can be used with one store: built-in ones, and those registered by path in `datasets.json`."""

    def __init__(self, root: Path, *, check: Callable[[], None] = lambda: None) -> None:
        """check: raises NotAllowed where the registered datasets may not be changed by whoever asks."""
        self._registry = root / "datasets.json"
        self._check = check
        self._kept = root / "datasets"

    def names(self) -> list[str]:
        """Return the built-in names, then the registered ones."""
        return [*BUILT_IN, *sorted(self.registered())]

    def registered(self) -> dict[str, Path]:
        """Return name → path of the registered files; none where `datasets.json` is damaged (see `problem`)."""
        try:
            return self._entries()
        except DatasetError:
            return {}

    def problem(self) -> str:
        """Return the error in `datasets.json`; empty if there is none."""
        try:
            self._entries()
        except DatasetError as error:
            return str(error)
        return ""

    def _entries(self) -> dict[str, Path]:
        """Return the same as `registered`; raises DatasetError where the file is damaged."""
        try:
            found = read_json(self._registry)
            if not isinstance(found, dict):
                raise ValueError(f"it must be a table, and is a {type(found).__name__}")
            for name, path in found.items():
                if not _NAME.fullmatch(name) or name in BUILT_IN or not isinstance(path, str) or "\0" in path:
                    raise ValueError(f"the entry {name[:80]!r} is not a dataset name with the path of a file")
            return {name: Path(path) for name, path in found.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self._registry} cannot be read ({printable(error)}); mend or delete it") from error

    def describe(self, name: str) -> str:
        """Return one line on what the dataset is."""
        return BUILT_IN.get(name) or f"registered file {self._path(name)}"

    def available(self, name: str) -> bool:
        """True if `load` finds the data on this machine without downloading it."""
        if name == "digits":
            return True
        path = self.file(name)
        return path is not None and os.path.isfile(path)  # Path.is_file raises where a name is too long

    def version(self, name: str) -> tuple[str, int] | None:
        """Return what changes whenever the dataset's file does: a key for caches, with the name.

        The result is None where there is no file.
        """
        path = self.file(name)
        try:
            return (str(path), path.stat().st_mtime_ns) if path else None
        except OSError:
            return None

    def file(self, name: str) -> Path | None:
        """Return the file of a dataset, which may be missing; None for `digits`, which has none."""
        if name == "digits":
            return None
        return find_mnist() if name == "mnist" else self.registered().get(name)

    def load(self, name: str) -> Dataset:
        """Return the dataset, checked.

        Raises
        ------
        DatasetMissing
            where its file is not on this machine (`download_mnist` can fetch MNIST).
        DatasetError
            where the file is damaged or of the wrong form, or the name is unknown.
        """
        if name == "digits":
            return _load_digits()
        if name == "mnist":
            path = find_mnist()
            if path is None:
                raise DatasetMissing(
                    f"MNIST is not on this machine: download it, or set {MNIST_VARIABLE} to the path of an mnist.npz"
                )
            return _load_mnist(path)
        arrays = read_npz(self._path(name))
        return Dataset(name, **arrays, fingerprint=fingerprint(arrays))

    def fingerprint(self, name: str) -> str:
        """Return the dataset's fingerprint; for `mnist` without reading it, as its bytes are pinned."""
        return MNIST_FINGERPRINT if name == "mnist" else self.load(name).fingerprint

    def register(self, name: str, path: Path) -> Dataset:
        """Check the file at `path` and make it usable as `name`; return it loaded.

        Raises
        ------
        DatasetError
            where the name is taken or odd, or the file is not of the form described at the top of this module.
        """
        _check_name(name)
        self._check()
        arrays = read_npz(path)
        self._enter(name, path.resolve())
        return Dataset(name, **arrays, fingerprint=fingerprint(arrays))

    def keep(self, name: str, content: bytes, called: str) -> Dataset:
        """Check the content of a file, keep it in the store and make it usable as `name`; return it loaded.

        Parameters
        ----------
        name
            of the dataset, which must be new.
        content
            of a file that came from another machine, of the form described at the top of this module.
        called
            the name of that file, for messages only.

        Raises
        ------
        DatasetError
            as `register`, where the name is on the list already, or where the arrays would take more than
            `MOST_KEPT_BYTES`.
        WriteError
            where it cannot be kept.
        """
        _check_name(name)
        self._check()
        if name in self._entries():
            raise DatasetError(f"there is a dataset {name} already; choose another name, or forget that one first")
        make_folder(self._kept)
        # other data under a name that was forgotten do not take the place of what was kept under it
        path = self._kept / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
        with placing(path) as arrived:
            _write(arrived, content)
            arrays = read_npz(arrived, called=called, most_bytes=MOST_KEPT_BYTES)
        self._enter(name, path.resolve())
        return Dataset(name, **arrays, fingerprint=fingerprint(arrays))

    def keep_mnist(self, content: bytes, called: str) -> Dataset:
        """Check that the content of a file is MNIST, and keep it where Keras would; return it loaded.

        Parameters
        ----------
        content
            of an mnist.npz that came from another machine.
        called
            the name of that file, for messages only.

        Raises
        ------
        DatasetError
            where it is not MNIST, by the published checksums.
        WriteError
            where it cannot be kept.
        """
        self._check()
        make_folder(keras_cache().parent)
        with placing(keras_cache()) as arrived:
            _write(arrived, content)
            arrays = read_npz(arrived, called=called, most_bytes=MOST_KEPT_BYTES)
            return _checked_mnist(arrays, printable(called), "take the mnist.npz that Keras uses, of 11.5 MB")

    def _enter(self, name: str, path: Path) -> None:
        write_json(self._registry, {k: str(v) for k, v in (self._entries() | {name: path}).items()})

    def forget(self, name: str) -> None:
        """Take a registered dataset off the list; its file and its runs stay."""
        self._path(name)
        self._check()
        write_json(self._registry, {k: str(v) for k, v in self._entries().items() if k != name})

    def _path(self, name: str) -> Path:
        try:
            return self.registered()[name]
        except KeyError:
            known = f"there is no dataset {name!r}; there are {', '.join(self.names())}"
            raise DatasetError("; ".join(filter(None, (known, self.problem())))) from None
