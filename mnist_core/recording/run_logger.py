"""A Keras callback that shows a training in an open dashboard, and keeps its predictions as a run.

Keras is imported when the class is first used, not with this module.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_core.data.datasets import Catalog
from mnist_core.errors import PredictionsError, StoreError
from mnist_core.recording import elsewhere
from mnist_core.recording.arrays import as_array
from mnist_core.recording.history import row_of
from mnist_core.recording.known_images import find
from mnist_core.recording.record import NO_PICTURES, as_probabilities, fitting
from mnist_core.runs.recorded import LayerNote, Recorded
from mnist_core.runs.records import EpochRow, LiveProgress, best_epoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root
from mnist_core.runs.writer import RunWriter

PROGRESS_EVERY_S = 0.5
"""Seconds between two looks at where an epoch is; a look costs a file, and every step may come after a millisecond."""
MOST_LAYERS = 1000


class Recorder:
    """The callback without Keras: the methods are those that `model.fit` calls.

    Parameters
    ----------
    name
        name of the run, at most 80 characters.
    dataset
        the data that the test images belong to; None: recognised by the images, else the user's data.
    x_test
        the test images as the model takes them. Left out for known data, whose test images are then divided by 255 and
        brought to the model's input shape.
    y_test
        their labels: numbers, names or one-hot rows. May be left out for known data.
    classes
        the names of the classes, in the order of the model's outputs.
    tags
        as a person writes them.
    store
        where the run is kept; default: the usual store.
    server, token
        in place of `store`, a store on another machine: its address and token, as `python -m mnist_core serve` prints
        them. Default: MNIST_CORE_SERVER and MNIST_CORE_SERVER_TOKEN, where they are set. While the server does not
        answer, the training goes on, and what is recorded is sent later. What cannot be sent at the end is kept as an
        archive on this machine, which is then named.

    The run has the epochs in their order, the layers and the number of parameters, and when the training ends the
    predictions of the weights that the model then has: to record weights that another callback restores, put this one
    after it in the list. No error of this callback ends a training: it is printed once, and the training goes on. Only
    a person who cancels the run in the dashboard ends it, after the current step.

    Raises
    ------
    PredictionsError
        if the labels do not fit the images or the data, before training begins.
    DatasetError
        if the data are not here, or the images are others.
    ConfigError
        if the server's address cannot be used, or has no token.
    """

    async_safe = True
    """Keras need not wait for `on_train_batch_end`, which reads no state of the model."""

    def __init__(
        self,
        name: str,
        *,
        dataset: str | None = None,
        x_test: ArrayLike | None = None,
        y_test: ArrayLike | None = None,
        classes: Sequence[str] | None = None,
        tags: Sequence[str] = (),
        note: str = "",
        store: Store | None = None,
        server: str | None = None,
        token: str | None = None,
    ) -> None:
        super().__init__()
        self.name, self.tags, self.note = name, tuple(tags), note
        self._server = elsewhere.server_of(server, token, store)
        self._way: elsewhere.Elsewhere | None = None
        self.store = None if self._server else store or Store()
        """The store on this machine; with a server, that of the present run, until it is sent."""
        self._catalog = self.store.catalog if self.store else Catalog(default_root())
        self.data = find(self._catalog, dataset=dataset, labels=y_test, images=x_test, classes=classes)
        if x_test is None and not self.data.pictures:
            raise PredictionsError(
                f"there are no images of {self.data.dataset} to predict; give x_test, as the model takes it"
            )
        self._named = classes is not None
        self.x_test = None if x_test is None else as_array(x_test, "x_test")
        self.run: Run | None = None
        """The run, from the beginning of the training on."""
        self._writer: RunWriter | None = None
        self._rows: list[EpochRow] = []
        self._marks: list[float] = []
        self._failed = self._cancelled = False
        self._epoch_began = self._next_look = 0.0

    # -- what model.fit calls ------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Make the run, which an open dashboard then shows as running."""
        self._safely(self._begin)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's clock."""
        self._epoch_began = time.perf_counter()
        self._next_look = time.monotonic() + PROGRESS_EVERY_S

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write where the epoch is, now and then, and stop where a person has cancelled the run."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + PROGRESS_EVERY_S
            self._safely(lambda: self._look(batch + 1, logs or {}))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the finished epoch."""
        self._safely(lambda: self._epoch(logs or {}))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Predict the test images, and end the run."""
        self._safely(self._end)

    def close(self) -> None:
        """End a run whose training was broken off, such as by Ctrl-C; without effect after `on_train_end`."""
        self._safely(lambda: self._ended("cancelled", "broken off"))

    # -- each of them, where an error is an error ----------------------------------------------------------------------

    def _safely(self, action: Callable[[], None]) -> None:
        """Do this; print an error once, and do nothing more."""
        if self._failed:
            return
        try:
            action()
        except Exception as error:  # whatever it is, the training is worth more than its record
            self._failed = True
            with contextlib.suppress(Exception):
                print(
                    f"RunLogger {self.name!r} records no more; the training goes on. "
                    f"{type(error).__name__}: {' '.join(str(error).split())[:500]}",
                    file=sys.stderr,
                )
            with contextlib.suppress(Exception):
                self._ended("failed", f"recording failed: {error}"[:500])
            with contextlib.suppress(Exception):
                if self._writer is not None:
                    self._writer.release()

    def _begin(self) -> None:
        with contextlib.suppress(StoreError):  # of an earlier training with this logger, which did not end
            self._ended("cancelled", "broken off")
        self._writer, self._rows, self._marks, self._cancelled = None, [], [], False
        model, params = self._net(), getattr(self, "params", None) or {}
        epochs = params.get("epochs")
        self._match_classes(model)
        recorded = Recorded(
            source="keras",
            framework=_framework(),
            dataset=self.data.dataset,
            classes=self.data.classes,
            pictures=self.data.pictures,
            images=self.data.images,
            content=secrets.token_hex(32),
            parameters=_parameters(model),
            epochs=epochs if isinstance(epochs, int) and epochs > 0 else None,
            layers=_layers(model),
        )
        note = self.note or ("" if self.data.pictures else NO_PICTURES)
        if self._server:
            self._way = elsewhere.Elsewhere(self._server)
            self.store = self._way.store
        assert self.store is not None
        self.run, _ = self.store.add_recorded(
            recorded, name=self.name, fingerprint=self.data.fingerprint, tags=self.tags, note=note
        )
        self._writer = self.store.open_writer(self.run.id)
        if self._writer is None:
            raise StoreError(f"run {self.run.id} is held by another process")
        self._writer.started([])
        if self._way is not None:
            self._way.begin(self.run)

    def _match_classes(self, model: Any) -> None:
        """Give data that are not known here as many classes as the model has outputs, where the labels name fewer."""
        shape = getattr(model, "output_shape", None)
        columns = shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None
        if columns is None or max(columns, 2) == len(self.data.classes):
            return
        if self._named or self.data.pictures or columns < len(self.data.classes):
            raise PredictionsError(
                f"the model has {columns} outputs, and {self.data.dataset} has {len(self.data.classes)} classes; "
                "give `classes` with one name an output, or the data that the model is for"
            )
        self.data = replace(self.data, classes=tuple(map(str, range(columns))))

    def _look(self, step: int, logs: dict[str, Any]) -> None:
        if self._writer is None or self.run is None:
            return
        if self._writer.cancel_requested and not self._cancelled:
            self._cancelled = True
            self._net().stop_training = True
        values = row_of(1, logs)
        epoch = len(self._rows) + 1
        steps = (getattr(self, "params", None) or {}).get("steps") or step
        self._writer.progress(
            LiveProgress(
                epoch, max(self.run.planned_epochs or epoch, epoch), step, max(int(steps), step), _known(values.loss),
                _known(values.accuracy), time.perf_counter() - self._epoch_began,
            )
        )  # fmt: skip

    def _epoch(self, logs: dict[str, Any]) -> None:
        if self._writer is None:
            return
        seconds = time.perf_counter() - self._epoch_began
        known = {"learning_rate": _learning_rate(self._net())} | logs | {"seconds": seconds}
        row = row_of(len(self._rows) + 1, known)
        self._rows.append(row)
        self._marks.append(_mark(self._net()))
        self._writer.epoch(row)
        if self._writer.cancel_requested:
            self._cancelled = True
            self._net().stop_training = True

    def _end(self) -> None:
        if self._writer is None:
            return
        try:
            found = fitting(self.data, as_probabilities(self._predicted()), None)
        except PredictionsError as error:
            diverged = any(not np.isfinite(row.loss) for row in self._rows[-1:])
            self._ended("diverged" if diverged else "failed", str(error))
            return
        self._writer.predictions(found)
        if self._cancelled:
            self._ended("cancelled", f"cancelled after epoch {len(self._rows)}", kept=self._kept_epoch())
        else:
            self._ended("finished", "recorded by RunLogger", kept=self._kept_epoch())

    def _ended(
        self, state: Literal["finished", "cancelled", "diverged", "failed"], reason: str, *, kept: int | None = None
    ) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.ended(state, reason, best_epoch=best_epoch(self._rows), kept_epoch=kept)
            finally:
                writer.release()
                problem = self._way.end(writer.run) if self._way is not None else ""
            if problem:
                print(f"RunLogger {self.name!r}: {problem}", file=sys.stderr)

    def _kept_epoch(self) -> int | None:
        """Return the last epoch that had the weights of now; None where none had, as of averaged ones."""
        now = _mark(self._net())
        return next((len(self._marks) - back for back, mark in enumerate(reversed(self._marks)) if mark == now), None)

    def _predicted(self) -> NDArray[Any]:
        model = self._net()
        images = self.x_test
        if images is None:
            images = _as_input(self._catalog.load(self.data.dataset).x_test, model)
        outputs = model.predict(images, batch_size=1024, verbose=0)
        if isinstance(outputs, list | tuple | dict):
            raise PredictionsError(
                f"the model has {len(outputs)} outputs; record one of them with `record`, as a run has one"
            )
        return _softmax(np.asarray(outputs)) if getattr(model.loss, "from_logits", False) else np.asarray(outputs)

    def _net(self) -> Any:
        return self.model  # type: ignore[attr-defined]


def _as_input(images: NDArray[np.uint8], model: Any) -> NDArray[np.float32]:
    """Return test images, 0 to 1, in the shape that a model takes."""
    pixels = (images / np.float32(255)).astype(np.float32)
    shape = getattr(model, "input_shape", None)
    wanted = tuple(shape[1:]) if isinstance(shape, tuple) else images.shape[1:]
    if None in wanted or int(np.prod(wanted)) != int(np.prod(images.shape[1:])):
        raise PredictionsError(
            f"the model takes images of shape {wanted}, and the test images have {images.shape[1:]}; "
            "give x_test, as the model takes it"
        )
    return pixels.reshape(len(pixels), *wanted)


def _softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probabilities that logits stand for; of a single column by the sigmoid."""
    values = logits.astype(np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        values = np.hstack([np.zeros_like(values), values])
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _parameters(model: Any) -> int | None:
    try:
        return int(model.count_params())
    except Exception:  # a model that is not built yet has none
        return None


def _layers(model: Any) -> tuple[LayerNote, ...]:
    found = []
    for layer in list(getattr(model, "layers", []))[:MOST_LAYERS]:
        try:
            shape = "×".join(str(size) for size in layer.output.shape[1:])
        except Exception:  # a layer with several outputs, or none yet
            shape = ""
        found.append(
            LayerNote(
                name=str(layer.name)[:200],
                kind=type(layer).__name__[:200],
                shape=shape[:200],
                parameters=_parameters(layer) or 0,
            )
        )
    return tuple(found)


def _learning_rate(model: Any) -> float | None:
    try:
        return float(_value(model.optimizer.learning_rate))
    except Exception:
        return None


def _mark(model: Any) -> float:
    """Return a number that stands for the weights: the sum of the last trained variable, which is a small one."""
    try:
        return float(_value(model.trainable_variables[-1]).astype(np.float64).sum())
    except Exception:
        return float("nan")


def _value(variable: Any) -> NDArray[Any]:
    """Return the value of a variable of any backend, which may be on another device."""
    import keras

    return np.asarray(keras.ops.convert_to_numpy(variable))


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _framework() -> str:
    import keras

    return f"Keras {keras.__version__} on {keras.backend.backend()}"


@functools.cache
def run_logger() -> type[Recorder]:
    """Return the callback class; this imports Keras."""
    import keras

    class RunLogger(Recorder, keras.callbacks.Callback):  # type: ignore[misc]
        __doc__ = Recorder.__doc__

    RunLogger.__module__, RunLogger.__qualname__ = "mnist_core", "RunLogger"
    return RunLogger
