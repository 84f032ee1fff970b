"""Prediction time of a trained model: measured and stored with the run, never estimated.

What is timed is one call, from uint8 pixels in memory to probabilities as a NumPy array. *Compiled* is a graph made by
`tf.function` for this number of images, with the division by 255 inside it: the form in which a service would use it.
*Predict* is `model.predict` with one batch, as notebooks do. Each figure is the median of many calls, after a few that
are not counted. The content of the images makes no difference, so random ones do.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.constants import IMAGE_SHAPE
from mnist_core.errors import StoreError, WriteError
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.frozen import Frozen
from mnist_core.files import make_folder, read_json, try_writing, write_json
from mnist_core.jobs.execution import environment, sentence
from mnist_core.runs.recorded import NO_NETWORK
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.training.models import backend, trained_model

BATCHES = (1, 256)
"""One image, as a person who draws a digit; and many at once, as a service that has plenty to do."""
CALLS = {1: 300, 256: 100}
PREDICT_CALLS = 20
UNCOUNTED = 5
LAPSES_AFTER_S = 900.0
"""A request that has brought nothing by then is taken for lost with its worker. It waits for trainings before it."""


class BatchTime(Frozen):
    """Seconds that one call takes for so many images, as medians over so many calls."""

    images: int
    compiled_s: float
    compiled_calls: int
    predict_s: float
    predict_calls: int


class Latency(Frozen):
    """`latency.json`: what was measured, of which weights, when and on what machine.

    model_stamp: of the Keras file; another one means other weights. measured_at: Unix seconds. load: processes that
    wanted a processor in the minute before, where the system tells; well above `cores`, others slowed it down.
    """

    batches: tuple[BatchTime, ...]
    model_stamp: int
    measured_at: float
    processor: str
    threads: int
    cores: int
    load: float | None
    tensorflow: str

    @property
    def quiet(self) -> bool:
        """True if the processors were idle enough for the times to be compared with others."""
        return self.load is None or self.load <= self.cores + 0.5

    def batch(self, images: int) -> BatchTime:
        """Return the times for this number of images, one of `BATCHES`."""
        return next(item for item in self.batches if item.images == images)


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(config: ModelConfig, model_file: Path) -> Latency:
    """Time a model in this process, which loads TensorFlow; some seconds."""
    tensorflow = backend().tf
    model = trained_model(config, model_file)
    found = environment()
    return Latency(
        batches=tuple(_batch_time(tensorflow, model, images) for images in BATCHES),
        model_stamp=model_file.stat().st_mtime_ns,
        measured_at=time.time(),
        processor=found["processor"],
        threads=_threads(tensorflow),
        cores=os.cpu_count() or 1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        tensorflow=found["tensorflow"],
    )


def _batch_time(tensorflow: Any, model: Any, images: int) -> BatchTime:
    shape = (images, *IMAGE_SHAPE)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def forward(batch: Any) -> Any:
        return model(tensorflow.cast(batch, tensorflow.float32) / 255.0, training=False)

    compiled = tensorflow.function(forward, input_signature=[tensorflow.TensorSpec(shape, tensorflow.uint8)])

    return BatchTime(
        images=images,
        compiled_s=_median(lambda: compiled(pixels).numpy(), CALLS[images]),
        compiled_calls=CALLS[images],
        predict_s=_median(
            lambda: model.predict(pixels / np.float32(255.0), batch_size=images, verbose=0), PREDICT_CALLS
        ),
        predict_calls=PREDICT_CALLS,
    )


def _median(call: Callable[[], object], calls: int) -> float:
    seconds = []
    for index in range(UNCOUNTED + calls):
        began = time.perf_counter()
        call()
        if index >= UNCOUNTED:
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _threads(tensorflow: Any) -> int:
    """Return the threads inside one operation."""
    chosen = tensorflow.config.threading.get_intra_op_parallelism_threads()
    return int(chosen or os.environ.get("TF_NUM_INTRAOP_THREADS") or os.cpu_count() or 1)


# -- keeping -----------------------------------------------------------------------------------------------------------


def latency_file(store: Store, run: Run) -> Path:
    """Return the file with a run's times, which is in its folder. For a run that ships, which must not change and was
    timed on another machine if at all, it is in the store's `cache`.
    """
    return store.root / "cache" / "latency" / f"{run.id}.json" if run.read_only else run.path / "latency.json"


def stored(store: Store, run: Run) -> Latency | None:
    """Return the times measured with the run's present weights; None if there are none."""
    try:
        found = Latency.model_validate(read_json(latency_file(store, run)))
    except (OSError, ValueError):
        return None
    model = run.model_file
    complete = {item.images for item in found.batches} >= set(BATCHES)
    return found if complete and model is not None and found.model_stamp == model.stat().st_mtime_ns else None


def measure_run(store: Store, run: Run) -> Latency:
    """Measure a run's kept weights here and now, and keep the figures; raises StoreError where it has no weights.

    Raises WriteError, before anything is measured, where the figures could not be kept.
    """
    model = run.model_file
    if model is None:
        remedy = NO_NETWORK if run.recorded else "train it again to keep them"
        raise StoreError(f"run {run.name} has kept no weights, so there is no model to time; {remedy}")
    path = latency_file(store, run)
    make_folder(path.parent)
    try_writing(path.parent)
    found = measure(run.config.model, model)
    write_json(path, found.model_dump(mode="json"), durable=False)
    return found


# -- asking for it -----------------------------------------------------------------------------------------------------


def _request_file(store: Store, run: Run) -> Path:
    return latency_file(store, run).with_suffix(".request")


def ask(store: Store, run: Run) -> None:
    """Write a request for a measurement; the caller must also have `answer` called in a worker."""
    path = _request_file(store, run)
    make_folder(path.parent)
    write_json(path, {"asked_at": time.time(), "problem": ""}, durable=False)


def answer(store: Store, run: Run) -> None:
    """Carry out the requested measurement; an error is stored for those who wait, unless the disk refuses that too."""
    path = _request_file(store, run)
    try:
        measure_run(store, run)
        path.unlink(missing_ok=True)
    except Exception as error:
        with contextlib.suppress(WriteError):
            write_json(path, {"asked_at": 0.0, "problem": sentence(error)}, durable=False)


def waiting(store: Store, run: Run) -> bool:
    """True if a measurement was requested and may still arrive."""
    return time.time() - _request(store, run).asked_at < LAPSES_AFTER_S


def problem(store: Store, run: Run) -> str:
    """Return why the last requested measurement failed; empty if no error is known."""
    found = _request(store, run)
    lapsed = found.asked_at and not waiting(store, run)
    return "the worker did not answer; try again" if lapsed else found.problem


class _Request(Frozen):
    """A request file: when a measurement was requested, in Unix seconds, and the error, if any."""

    asked_at: float = 0.0
    problem: str = ""


def _request(store: Store, run: Run) -> _Request:
    try:
        return _Request.model_validate(read_json(_request_file(store, run)))
    except (OSError, ValueError):
        return _Request()
