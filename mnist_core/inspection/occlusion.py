"""Which pixels decided: ink is taken away patch by patch, and what that does to a network's guess is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE

if TYPE_CHECKING:
    from mnist_core.data.images import Pixels
    from mnist_core.inspection.numpy_network import Network

PATCH = 4
"""Side of the square that is blanked, in pixels."""


class Occlusion(NamedTuple):
    """The evidence for the guess `top` against the digit `rival`, pixel by pixel, found by blanking parts of the image.

    weight: shape (28, 28), in nats of log odds; the mean, over the patches that cover a pixel, of how much blanking the
    patch lowers log(p(top) / p(rival)). Above 0 the ink there supports `top`, below 0 `rival`; 0 where nothing is
    drawn. evidence: log(p(top) / p(rival)) of the whole image, in nats.
    """

    top: int
    rival: int
    weight: NDArray[np.float64]
    evidence: float


def occlusion(network: Network, image: Pixels, true: int | None) -> Occlusion:
    """Return which parts of an image, shape (28, 28), support a network's guess; `true` is its label, if known.

    A patch of 4×4 pixels is set to the background at every place that it fits (after Zeiler and Fergus 2014, who looked
    at the probability of the class; log odds do not saturate where a network is sure). The guess is compared with the
    true digit or, if the guess is right or the true digit is not known, with the second most probable digit.

    Blanking removes ink only, so evidence that consists of missing ink is not found.
    """
    whole = network.logits(image[None])[0].astype(np.float64)
    order = np.argsort(-whole, kind="stable")
    top = int(order[0])
    rival = int(order[1]) if true is None or top == true else true
    height, width = IMAGE_SHAPE
    places = [
        (row, column)
        for row in range(height - PATCH + 1)
        for column in range(width - PATCH + 1)
        if image[row : row + PATCH, column : column + PATCH].any()  # blanking a blank patch changes nothing
    ]
    blanked = np.repeat(image[None], len(places), axis=0)
    for copy, (row, column) in zip(blanked, places, strict=True):
        copy[row : row + PATCH, column : column + PATCH] = 0
    evidence = float(whole[top] - whole[rival])
    total, covering = np.zeros(IMAGE_SHAPE), np.zeros(IMAGE_SHAPE)
    for row in range(height - PATCH + 1):
        for column in range(width - PATCH + 1):
            covering[row : row + PATCH, column : column + PATCH] += 1
    if places:
        logits = network.logits(blanked).astype(np.float64)
        for (row, column), lost in zip(places, evidence - (logits[:, top] - logits[:, rival]), strict=True):
            total[row : row + PATCH, column : column + PATCH] += lost
    return Occlusion(top, rival, np.where(image > 0, total / covering, 0.0), evidence)
