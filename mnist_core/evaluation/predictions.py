"""Predictions: what any model says of known images. Whatever gives probabilities can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run says of the images it is judged on.

    labels: uint8, shape (n,), of the test set. probabilities: float32, shape (n, 10).
    val_labels, val_probabilities: the same for a held-out validation part; None where validation was the test set.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    val_labels: NDArray[np.uint8] | None = None
    val_probabilities: NDArray[np.float32] | None = None

    @property
    def predicted(self) -> NDArray[np.uint8]:
        """The guessed digit of each test image, shape (n,)."""
        guessed: NDArray[np.uint8] = self.probabilities.argmax(axis=1).astype(np.uint8)
        return guessed

    @property
    def wrong(self) -> NDArray[np.intp]:
        """Indices of the test images that are misclassified, ascending."""
        return np.flatnonzero(self.predicted != self.labels)
