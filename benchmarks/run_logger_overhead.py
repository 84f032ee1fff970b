"""What `RunLogger` adds to an epoch of a plain `model.fit`.

    python benchmarks/run_logger_overhead.py                                 # digits
    MNIST_NPZ=… python benchmarks/run_logger_overhead.py --dataset mnist --batch 128 --pairs 35
    KERAS_BACKEND=jax python benchmarks/run_logger_overhead.py

One model of 64-64 is trained on again and again, in turn without and with the callback, so that whatever else the
machine does hits both alike. An epoch is the time from the end of one to the end of the next, after all callbacks; the
first one of each training is left out. A pair is two neighbouring trainings, whose order changes from pair to pair; its
overhead is the difference of their median epochs. Printed are the medians over the pairs, by the clock and by the time
that the process had a processor, with a 95 % interval of the median from its order statistics. Next to it stands the
same for the fastest tenth of all epochs, which other programs disturbed least: the difference of the 10th percentiles.

The last row needs no second training: the time inside the callback's own methods, as a share of the epoch. What a
training takes once, to make the run and to predict the test images at its end, is printed apart.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from scipy.stats import binom  # noqa: E402

import mnist_core as mc  # noqa: E402
from mnist_core.runs.store import Store  # noqa: E402

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
EACH_EPOCH = ("on_epoch_begin", "on_train_batch_end", "on_epoch_end")
ONCE = ("on_train_begin", "on_train_end")


class Ends(keras.callbacks.Callback):
    """Both clocks at the end of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[str, list[float]] = {name: [] for name in CLOCKS}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Note the time."""
        for name, clock in CLOCKS.items():
            self.times[name].append(clock())

    def epochs(self) -> dict[str, list[float]]:
        """Return the seconds of each epoch but the first."""
        return {name: np.diff(times).tolist() for name, times in self.times.items()}


@contextlib.contextmanager
def timed(logger: Any) -> Iterator[dict[str, float]]:
    """Seconds inside each method of the callback."""
    inside = dict.fromkeys((*EACH_EPOCH, *ONCE), 0.0)

    def wrapped(name: str, method: Any) -> Any:
        def call(*given: Any, **named: Any) -> None:
            began = time.perf_counter()
            method(*given, **named)
            inside[name] += time.perf_counter() - began

        return call

    for name in inside:
        setattr(logger, name, wrapped(name, getattr(logger, name)))
    yield inside


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--dataset", default="digits")
    options.add_argument("--pairs", type=int, default=40, help="at least 6, for an interval")
    options.add_argument("--epochs", type=int, default=4, help="in each training; the first is left out")
    options.add_argument("--batch", type=int, default=32)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Store(Path(folder)), chosen.dataset, chosen.pairs, chosen.epochs, chosen.batch)


def measure(store: Store, dataset: str, pairs: int, epochs: int, batch: int) -> None:
    data = store.catalog.load(dataset)
    x, x_test = ((images / 255).astype("float32") for images in (data.x_train, data.x_test))
    keras.utils.set_random_seed(0)
    dense = [keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), *dense])
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def trained(*callbacks: Any) -> dict[str, list[float]]:
        ends = Ends()
        model.fit(
            x, data.y_train, batch_size=batch, epochs=epochs, validation_data=(x_test, data.y_test), verbose=0,
            callbacks=[*callbacks, ends],
        )  # fmt: skip
        return ends.epochs()

    trained()  # makes the graphs
    without: dict[str, list[float]] = {name: [] for name in CLOCKS}
    added: dict[str, list[float]] = {name: [] for name in CLOCKS}
    every: dict[tuple[str, bool], list[float]] = {(name, logged): [] for name in CLOCKS for logged in (False, True)}
    shares, once = [], []
    for pair in range(pairs):
        found = {}
        for logged in (False, True) if pair % 2 else (True, False):
            if logged:
                logger = mc.RunLogger(f"pair {pair}", dataset=dataset, store=store)
                with timed(logger) as inside:
                    found[True] = trained(logger)
                assert logger.run is not None
                assert len(store.get(logger.run.id).rows()) == epochs
                shares.append(sum(inside[name] for name in EACH_EPOCH) / epochs)
                once.append(sum(inside[name] for name in ONCE))
            else:
                found[False] = trained()
        for name in CLOCKS:
            for logged in (False, True):
                every[name, logged] += found[logged][name]
            plain, more = (statistics.median(found[logged][name]) for logged in (False, True))
            without[name].append(plain)
            added[name].append(more - plain)
    print(
        f"{dataset}, {len(x):,} images in batches of {batch}, {pairs} pairs of {epochs - 1} epochs; "
        f"Keras {keras.__version__} on {keras.backend.backend()}; load {os.getloadavg()[0]:.1f}\n"
    )
    print("| | an epoch without | added by the callback | share | fastest tenth | added |\n|---|---|---|---|---|---|")
    for name in CLOCKS:
        base, ordered, rank = statistics.median(without[name]), sorted(added[name]), int(binom.ppf(0.025, pairs, 0.5))
        fast, fast_logged = (float(np.percentile(every[name, logged], 10)) for logged in (False, True))
        low, middle, high = ordered[rank - 1], statistics.median(ordered), ordered[pairs - rank]
        print(
            f"| {name} | {1000 * base:.1f} ms | {1000 * middle:.2f} ms ({1000 * low:.2f} to {1000 * high:.2f}) "
            f"| {middle / base:.1%} ({low / base:.1%} to {high / base:.1%}) "
            f"| {1000 * fast:.1f} ms | {1000 * (fast_logged - fast):.2f} ms, {fast_logged / fast - 1:.1%} |"
        )
    base, inside_ms = statistics.median(without["wall"]), statistics.median(shares)
    print(f"| inside its methods | | {1000 * inside_ms:.2f} ms | {inside_ms / base:.1%} | | |")
    print(f"\nonce a training, to make the run and to predict {len(x_test):,} images: {statistics.median(once):.2f} s")


if __name__ == "__main__":
    main()
