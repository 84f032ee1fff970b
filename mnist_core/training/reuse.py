"""Engines kept for the next training of the same form, which then need not make its graph again.

Tracing a graph takes 0.2 seconds for a dense net and more for a convolutional one: for a small net on few images, most
of a training. Sweeps over seeds and learning rates, and runs that are paused and resumed, train one form many times.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from mnist_core.experiments.configs import RunConfig
from mnist_core.training.engine import Engine

Form = tuple[object, ...]
"""What a graph depends on: engines of equal forms are interchangeable."""

_MOST_KEPT = 16
_MOST_WEIGHTS = 4_000_000  # of all kept engines together: with the optimizer's values some 48 MB
_MOST_WEIGHTS_EACH = 500_000  # bigger nets train long enough for the graph not to matter

_kept: OrderedDict[Form, Engine] = OrderedDict()
_lock = threading.Lock()


def form(config: RunConfig, images: tuple[int, ...]) -> Form:
    """Return the form of a training of `config` on training images of the shape `images`."""
    training = config.training
    optimizer = (training.optimizer, training.momentum)
    return config.model.model_dump_json(), *optimizer, training.batch_size, training.label_smoothing, images


def worthwhile(weights: int) -> bool:
    """True if an engine whose model has so many weights is small enough to be kept."""
    return weights <= _MOST_WEIGHTS_EACH


def take(wanted: Form) -> Engine | None:
    """Return a kept engine of this form, which is then the caller's alone; None if there is none."""
    with _lock:
        return _kept.pop(wanted, None)


def keep(done: Form, engine: Engine) -> None:
    """Keep an engine that its training no longer needs; those that have waited longest make room for it."""
    engine.release()
    with _lock:
        _kept.pop(done, None)
        _kept[done] = engine
        while len(_kept) > _MOST_KEPT or sum(other.model.count_params() for other in _kept.values()) > _MOST_WEIGHTS:
            _kept.popitem(last=False)


def forget() -> None:
    """Drop all kept engines."""
    with _lock:
        _kept.clear()
