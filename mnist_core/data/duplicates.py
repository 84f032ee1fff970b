"""Images that occur twice in a dataset: test images that are also trained on, and images with more than one label.

A test image that a network has trained on measures memory, not what the network does with new images.

Exact duplicates are found by a hash of each image. Near duplicates are found by their distance: a test image and a
training image are near where ‖a − b‖ ≤ NEAR · ‖b − mean(b)‖, with b the test image: they differ by at most a tenth of
the test image's own contrast. That finds copies with noise, or from another compression; not copies that were shifted
or turned. Most pairs are ruled out by images of 7×7 means, since 16 · ‖pool(a) − pool(b)‖² ≤ ‖a − b‖² (the mean of
squares is at least the square of the mean), and only the others are measured in full.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnist_core.constants import IMAGE_SHAPE, MNIST_FINGERPRINT, MNIST_TEST_IMAGES, MNIST_TRAIN_IMAGES
from mnist_core.data.datasets import Dataset
from mnist_core.data.images import Pixels
from mnist_core.errors import WriteError
from mnist_core.experiments.frozen import Frozen
from mnist_core.files import make_folder, read_json, write_json

NEAR = 0.1
"""The greatest distance of near duplicates, as a share of the test image's contrast."""
MOST_PAIRS = 1_000_000_000
"""Pairs of a test image and a training image that are looked at; in larger data, evenly spaced test images are."""
_MOST_VERIFIED = 20
"""Training images that are measured in full for one test image: those nearest by their means."""
DIGITS_FINGERPRINT = "ad007c825164269e"
_POOL = 4
_BLOCK = 500


class DataCheck(Frozen):
    """Duplicates in one dataset. All are counts of images.

    test_in_train: test images that are, pixel by pixel, training images too. repeated_train, repeated_test: images
    that repeat an earlier one of their own part. conflicts: different images that occur with more than one label, in
    both parts together. near: test images, of the `near_examined` that were examined, with a near duplicate among the
    training images; exact ones are not counted again.
    """

    fingerprint: str
    train: int = Field(ge=0)
    test: int = Field(ge=0)
    test_in_train: int = Field(ge=0)
    repeated_train: int = Field(ge=0)
    repeated_test: int = Field(ge=0)
    conflicts: int = Field(ge=0)
    near: int = Field(ge=0)
    near_examined: int = Field(ge=0)

    @property
    def leaks(self) -> bool:
        """True if test images, or near copies of them, are among the training images."""
        return bool(self.test_in_train or self.near)


def examine(dataset: Dataset) -> DataCheck:
    """Count the duplicates in a dataset. Takes about as long as an epoch of a small network."""
    exact = _exact(dataset)
    near, examined = _near(dataset, exact.leaked)
    return DataCheck(
        fingerprint=dataset.fingerprint,
        train=len(dataset.x_train),
        test=len(dataset.x_test),
        test_in_train=int(exact.leaked.sum()),
        repeated_train=exact.repeated_train,
        repeated_test=exact.repeated_test,
        conflicts=exact.conflicts,
        near=near,
        near_examined=examined,
    )


@dataclass(frozen=True, eq=False)
class _Exact:
    leaked: NDArray[np.bool_]
    repeated_train: int
    repeated_test: int
    conflicts: int


def _exact(dataset: Dataset) -> _Exact:
    train, test = _hashes(dataset.x_train), _hashes(dataset.x_test)
    known = set(train)
    labels: dict[bytes, set[int]] = defaultdict(set)
    for key, label in zip((*train, *test), (*dataset.y_train.tolist(), *dataset.y_test.tolist()), strict=True):
        labels[key].add(label)
    return _Exact(
        np.array([key in known for key in test], bool),
        len(train) - len(known),
        len(test) - len(set(test)),
        sum(len(found) > 1 for found in labels.values()),
    )


def _hashes(images: Pixels) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def _near(dataset: Dataset, leaked: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many test images have a near, not exact, duplicate in training, and how many were looked at."""
    places = np.flatnonzero(~leaked)
    if not len(places):
        return 0, 0
    most = max(1, MOST_PAIRS // len(dataset.x_train))
    if len(places) > most:
        places = places[np.arange(most) * len(places) // most]
    flat = dataset.x_test[places].reshape(len(places), -1).astype(np.float32)
    limits = (NEAR * np.linalg.norm(flat - flat.mean(axis=1, keepdims=True), axis=1)) ** 2
    train = _pooled(dataset.x_train)
    train_squares = (train**2).sum(axis=1)
    found = 0
    for start in range(0, len(places), _BLOCK):
        block = slice(start, start + _BLOCK)
        test = _pooled(dataset.x_test[places[block]])
        distances = train_squares - 2 * test @ train.T + (test**2).sum(axis=1)[:, None]
        # float32 rounds the differences of large squares: what is lost must not rule a pair out
        possible = _POOL**2 * distances <= limits[block, None] + 1e-4 * _POOL**2 * train_squares.max(initial=1)
        for row in np.flatnonzero(possible.any(axis=1)):
            candidates = np.flatnonzero(possible[row])
            if len(candidates) > _MOST_VERIFIED:
                candidates = candidates[np.argpartition(distances[row, candidates], _MOST_VERIFIED)[:_MOST_VERIFIED]]
            gaps = dataset.x_train[candidates].reshape(len(candidates), -1) - flat[start + row]
            found += bool(((gaps**2).sum(axis=1) <= limits[start + row]).any())
    return found, len(places)


def _pooled(images: Pixels) -> NDArray[np.float32]:
    """Return the means of 4×4 pixels, float32 of shape (n, 49)."""
    height, width = (size // _POOL for size in IMAGE_SHAPE)
    parts = images.reshape(len(images), height, _POOL, width, _POOL)
    means: NDArray[np.float32] = parts.mean(axis=(2, 4), dtype=np.float32).reshape(len(images), -1)
    return means


# -- what is known -----------------------------------------------------------------------------------------------------


def file_of(root: Path, fingerprint: str) -> Path:
    """Return the file in which a store keeps what was found in the data with this fingerprint."""
    return root / "data-checks" / f"{fingerprint}.json"


def known(root: Path, fingerprint: str) -> DataCheck | None:
    """Return what was found in the data with this fingerprint; None where nobody has looked yet.

    Parameters
    ----------
    root
        the folder of a store. A damaged file in it counts as none, and is written again by `checked`.
    fingerprint
        as a dataset and a run have it.
    """
    if fingerprint in BUILT_IN_CHECKS:
        return BUILT_IN_CHECKS[fingerprint]
    path = file_of(root, fingerprint)
    try:
        stat = path.stat()
    except OSError:
        return None
    found = _stored(path, (stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return found if found is not None and found.fingerprint == fingerprint else None


@functools.lru_cache(maxsize=32)
def _stored(path: Path, version: tuple[int, ...]) -> DataCheck | None:
    try:
        return DataCheck.model_validate(read_json(path))
    except (OSError, ValueError):
        return None


def checked(root: Path, dataset: Dataset) -> DataCheck:
    """Return what is known of a dataset; examine it, and remember what was found, where nothing is known yet.

    Where it cannot be remembered, as on a read-only disk, the next one examines it again.
    """
    found = known(root, dataset.fingerprint)
    if found is None:
        found = examine(dataset)
        path = file_of(root, dataset.fingerprint)
        with contextlib.suppress(WriteError):
            make_folder(path.parent)
            write_json(path, found.model_dump(mode="json"))
    return found


BUILT_IN_CHECKS = {
    found.fingerprint: found
    for found in (
        DataCheck(
            fingerprint=MNIST_FINGERPRINT, train=MNIST_TRAIN_IMAGES, test=MNIST_TEST_IMAGES, test_in_train=0,
            repeated_train=0, repeated_test=0, conflicts=0, near=0, near_examined=MNIST_TEST_IMAGES,
        ),
        DataCheck(
            fingerprint=DIGITS_FINGERPRINT, train=1_442, test=355, test_in_train=0, repeated_train=0,
            repeated_test=0, conflicts=0, near=1, near_examined=355,
        ),
    )
}  # fmt: skip
"""By fingerprint, as `examine` measured them; tests measure them again."""
