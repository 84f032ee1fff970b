"""Training images moved, turned and scaled at random, so that a network sees each of them differently in each epoch.

The chance is drawn here, with NumPy, as one affine transform an image: a function of seed and epoch alone. The engine
applies them in its graph; `moved` applies the same transforms without TensorFlow, for pictures of what training sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.data.images import Pixels
from mnist_core.experiments.configs import Augmentation

_AUGMENT = 0xA06E
_CENTRE = (IMAGE_SHAPE[0] - 1) / 2

AffineTransforms = NDArray[np.float32]
"""Shape (n, 8): a0 a1 a2 b0 b1 b2 0 0. The pixel (x, y) of an image comes from (a0·x + a1·y + a2, b0·x + b1·y + b2) of
the original, x to the right and y down: the form of TensorFlow's ImageProjectiveTransformV3."""


def affine_transforms(augmentation: Augmentation, images: int, seed: int, epoch: int) -> AffineTransforms:
    """Return one epoch's transforms, in the order of training: uniform between the limits, centre fixed."""
    generator = np.random.default_rng([seed, _AUGMENT, epoch])
    right, down, turn, growth = generator.uniform(-1.0, 1.0, (4, images))
    right, down = augmentation.shift * right, augmentation.shift * down
    angle, scale = np.deg2rad(augmentation.rotation * turn), 1.0 + augmentation.zoom * growth
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    # from the image back to the original: undo the shift, then the turn and the growth about the centre
    from_x, from_y = _CENTRE + right, _CENTRE + down
    found = np.zeros((images, 8), np.float32)
    found[:, 0], found[:, 1], found[:, 2] = cosine, sine, _CENTRE - cosine * from_x - sine * from_y
    found[:, 3], found[:, 4], found[:, 5] = -sine, cosine, _CENTRE + sine * from_x - cosine * from_y
    return found


def moved(images: Pixels, by: AffineTransforms) -> NDArray[np.float32]:
    """Return images transformed, with bilinear interpolation and black outside: 0 to 255, shape (n, 28, 28).

    Parameters
    ----------
    images
        uint8 of shape (n, 28, 28).
    by
        one transform an image.
    """
    from scipy.ndimage import affine_transform

    found = np.empty(images.shape, np.float32)
    for image, (a0, a1, a2, b0, b1, b2, *_), out in zip(images, by.astype(float), found, strict=True):
        # SciPy counts rows first; only its "grid-constant" blends the border pixels with the black outside
        affine_transform(
            image.astype(np.float32), [[b1, b0], [a1, a0]], [b2, a2], output=out, order=1, mode="grid-constant"
        )
    return found


def preview(image: Pixels, augmentation: Augmentation, count: int, seed: int) -> Pixels:
    """Return one digit as training could see it, `count` times.

    Parameters
    ----------
    image
        uint8 of shape (28, 28).
    augmentation
        how far it may be moved.
    count
        how many pictures.
    seed
        equal seeds give equal pictures.

    Returns
    -------
    uint8 of shape (count, 28, 28)
    """
    by = affine_transforms(augmentation, count, seed, epoch=1)
    return np.rint(moved(np.broadcast_to(image, (count, *IMAGE_SHAPE)), by)).astype(np.uint8)
