"""A run's accuracy on its held-out images against that on the test images: both are of images that it did not learn.

Where the two differ at `decide.STRICT_LEVEL`, something besides the network differs: copies of training images among
the held-out ones, a choice (of the epoch, of the settings) that was made by the held-out images, or test images that
are harder, or from elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnist_core.comparison import decide
from mnist_core.constants import MNIST_FINGERPRINT, MNIST_TRAIN_IMAGES
from mnist_core.evaluation.statistics import MeanDifference, unpaired_difference
from mnist_core.experiments.configs import HeldOutValidation
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run


@dataclass(frozen=True)
class HeldOutGap:
    """Accuracies, 0 to 1, of the same weights on `held_out_images` and on `test_images` images."""

    held_out: float
    held_out_images: int
    test: float
    test_images: int

    @property
    def difference(self) -> MeanDifference:
        """The accuracy on the held-out images minus that on the test images."""
        return unpaired_difference(self.test, self.test_images, self.held_out, self.held_out_images)

    @property
    def differs(self) -> bool:
        """True if they differ at `decide.STRICT_LEVEL`, as every run that holds images out is checked."""
        return decide.differs(self.difference.value, self.difference.error, level=decide.STRICT_LEVEL)


def held_out_gap(run: Run, chosen: ChosenEpoch = "kept") -> HeldOutGap | None:
    """Return the two accuracies of an epoch's weights; None for a run that held nothing out, or was not tested.

    Raises
    ------
    StoreError
        where the run's files are damaged.
    """
    if run.recorded:  # its held-out images are not known
        return None
    validation, epoch = run.config.training.validation, run.epoch(chosen)
    if not isinstance(validation, HeldOutValidation) or epoch is None:
        return None
    test, rows = run.test_scores(chosen), run.rows()
    held = _images(run, validation)
    if test is None or held is None or epoch > len(rows):
        return None
    accuracy = rows[epoch - 1].val_accuracy
    if not math.isfinite(accuracy):
        return None
    return HeldOutGap(accuracy, held, test.accuracy, test.images)


def _images(run: Run, validation: HeldOutValidation) -> int | None:
    """Return how many images were held out; None where that is stored nowhere."""
    if validation.count is not None:
        return validation.count
    if run.status.fingerprint == MNIST_FINGERPRINT:
        return validation.size(MNIST_TRAIN_IMAGES)
    found = run.predictions()
    return len(found.val_labels) if found is not None and found.val_labels is not None else None
