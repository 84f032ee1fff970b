"""A grid and a Hyperband search here and with KerasTuner: the same networks, data, epochs and batches, by the clock.

    pip install keras-tuner tensorboard        # only this benchmark needs them
    python benchmarks/search_vs_keras_tuner.py grid
    python benchmarks/search_vs_keras_tuner.py hyperband --repeats 2

`grid`: the 90 configurations of `tuning/grid_90` for 3 epochs each, in slices of 18 by the first layer's width; slice
by slice ours, then KerasTuner's `GridSearch`. `hyperband`: the space of `tuning/hyperband_mlp` with at most
`--max-epochs` epochs and a factor of 3, ours and KerasTuner's `Hyperband` in turns; which networks are drawn is chance,
so the number of trials, epochs and parameters is printed next to the seconds.

Both train Keras networks with Adam in batches of 32 on the same 50,000 images and judge them after each epoch on the
same 10,000. KerasTuner runs as its documentation shows, in a process of its own, one trial after the other, with
TensorFlow's default threads, which use all cores. The clock starts when TensorFlow is imported and the data are loaded
(there) and when the job service's workers are warm (here), and stops when the last result can be read. Ours also
evaluates 10,000 training images after each epoch and the test images at the end, and stores curves, predictions and
weights of each run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WIDTHS = (32, 64, 128, 256, 512)
EPOCHS = 3
KERAS_THREADS = {"TF_NUM_INTRAOP_THREADS": "0", "TF_NUM_INTEROP_THREADS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""As TensorFlow chooses, not as mnist_core does."""


@dataclass(frozen=True)
class Took:
    """seconds: by the clock. trials, epochs: all together. parameters: of a network, weighted by its epochs."""

    seconds: float
    trials: int
    epochs: int
    parameters: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:6.1f} s  {self.trials} trials  {self.epochs} epochs  "
            f"{self.seconds / self.epochs:.3f} s an epoch  {self.parameters:,.0f} parameters"
        )


# -- KerasTuner, in a process of its own -------------------------------------------------------------------------------


def built(keras: Any, stack: dict[str, Any], rate: float) -> Any:
    """The network of these `stack.…` values, as KerasTuner's guide would build it."""
    from mnist_core.experiments.stack import Stack

    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten()])
    for layer in Stack(**stack).layers():
        model.add(keras.layers.Dense(layer["units"], activation=layer["activation"]))
        if layer["dropout"]:
            model.add(keras.layers.Dropout(layer["dropout"]))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def theirs(kind: str, dataset: str, width: int, max_epochs: int, seed: int) -> None:
    """Search with KerasTuner; print what it took as JSON."""
    import keras
    import keras_tuner
    import numpy as np

    from mnist_core.data.datasets import Catalog
    from mnist_core.experiments.presets import preset

    data = Catalog(ROOT).load(dataset)
    split = data.split(preset("tuning/baseline").config.training.validation, 0)
    train, judge = (images.astype(np.float32) / 255 for images in (split.x_train, split.x_val))

    def grid_network(hp: Any) -> Any:
        stack = {
            "units": width,
            "ratio": hp.Choice("ratio", [1.0, 0.5]),
            "depth": hp.Choice("depth", [2, 3, 4]),
            "activation": hp.Choice("activation", ["relu", "elu", "tanh"]),
        }
        return built(keras, stack, 0.001)

    def random_network(hp: Any) -> Any:
        stack = {
            "units": hp.Int("units", 32, 512, step=32),
            "ratio": hp.Choice("ratio", [1.0, 0.5]),
            "depth": hp.Int("depth", 1, 4),
            "activation": hp.Choice("activation", ["relu", "elu", "tanh"]),
            "dropout": hp.Float("dropout", 0.0, 0.5, step=0.1),
        }
        return built(keras, stack, hp.Float("rate", 1e-4, 1e-2, sampling="log"))

    sizes: list[int] = []  # of the network of each epoch

    class Count(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            sizes.append(self.model.count_params())

    with tempfile.TemporaryDirectory() as folder:
        shared: dict[str, Any] = {"objective": "val_loss", "directory": folder, "project_name": "benchmark"}
        if kind == "grid":
            tuner = keras_tuner.GridSearch(grid_network, **shared)
            options = {"epochs": EPOCHS}
        else:
            tuner = keras_tuner.Hyperband(random_network, max_epochs=max_epochs, factor=3, seed=seed, **shared)
            options = {}
        began = time.perf_counter()
        tuner.search(
            train, split.y_train, validation_data=(judge, split.y_val), batch_size=32, verbose=0, callbacks=[Count()],
            **options,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        trials = len(tuner.oracle.trials)
    print(json.dumps([seconds, trials, len(sizes), sum(sizes) / len(sizes)]))


def run_theirs(kind: str, options: argparse.Namespace, *, width: int = 0, seed: int = 0) -> Took:
    command = [sys.executable, __file__, kind, "--theirs", "--dataset", options.dataset, "--width", str(width)]
    command += ["--max-epochs", str(options.max_epochs), "--seed", str(seed)]
    # as TensorFlow chooses, not as mnist_core does
    environment = os.environ | {
        "TF_NUM_INTRAOP_THREADS": "0",
        "TF_NUM_INTEROP_THREADS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return Took(*json.loads(done.stdout.strip().splitlines()[-1]))


# -- ours --------------------------------------------------------------------------------------------------------------


def taken(store: Any, run_ids: list[str], seconds: float) -> Took:
    runs = [store.get(run_id) for run_id in run_ids]
    epochs = [run.epochs_done for run in runs]
    sizes = [run.config.model.parameter_count() for run in runs]
    total = sum(epochs)
    return Took(seconds, len(runs), total, sum(e * s for e, s in zip(epochs, sizes, strict=True)) / total)


def our_grid(store: Any, runner: Any, options: argparse.Namespace, width: int) -> Took:
    from mnist_core.experiments.grids import SWEEPS
    from mnist_core.studies import sweeps

    spec = SWEEPS["tuning/grid_90"]
    fixed = {**spec.fixed, "training.epochs": EPOCHS, "dataset.name": options.dataset}
    part = spec.model_copy(
        update={"name": f"width {width}", "grid": {**spec.grid, "stack.units": (width,)}, "fixed": fixed}
    )
    began = time.perf_counter()
    sweep, _ = sweeps.start(store, runner, part)
    while (found := sweep.progress(store)).live:
        time.sleep(0.1)
    assert found.complete, found.states
    return taken(store, sweep.run_ids, time.perf_counter() - began)


def our_hyperband(store: Any, runner: Any, options: argparse.Namespace, seed: int) -> Took:
    from mnist_core.experiments.spaces import SEARCHES
    from mnist_core.studies import searches

    spec = SEARCHES["tuning/hyperband_mlp"].model_copy(update={"seed": seed})
    spec = spec.with_fixed({"training.epochs": options.max_epochs, "dataset.name": options.dataset})
    began = time.perf_counter()
    done = searches.run(store, runner, searches.add(store, spec).id)
    assert done.complete
    return taken(store, done.run_ids, time.perf_counter() - began)


def compare(options: argparse.Namespace) -> None:
    from mnist_core.jobs.runners import ServiceRunner
    from mnist_core.runs.store import Store

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = Store(folder)
        runner = ServiceRunner(store)
        try:
            runner.warm()
            while not (runner.status().workers and runner.status().warm == runner.status().workers):
                time.sleep(0.1)
            pairs = []
            turns = options.widths if options.kind == "grid" else range(options.repeats)
            for turn in turns:
                if options.kind == "grid":
                    ours, other = our_grid(store, runner, options, turn), run_theirs("grid", options, width=turn)
                    title = f"first layer {turn}"
                else:
                    ours, other = (
                        our_hyperband(store, runner, options, turn),
                        run_theirs("hyperband", options, seed=turn),
                    )
                    title = f"round {turn + 1}"
                pairs.append((ours, other))
                print(f"{title}\n  ours        {ours}\n  KerasTuner  {other}", flush=True)
                print(f"  {other.seconds / ours.seconds:.2f} times as fast", flush=True)
        finally:
            runner.stop()
    total_ours, total_theirs = (sum(took.seconds for took in column) for column in zip(*pairs, strict=True))
    ratios = [other.seconds / ours.seconds for ours, other in pairs]
    per_epoch = [other.seconds / other.epochs / ours.seconds * ours.epochs for ours, other in pairs]
    print(
        f"all together: ours {total_ours:.0f} s, KerasTuner {total_theirs:.0f} s, "
        f"{total_theirs / total_ours:.2f} times as fast; median of the turns {statistics.median(ratios):.2f}, "
        f"by seconds an epoch {statistics.median(per_epoch):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("grid", "hyperband"))
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--widths", type=int, nargs="*", default=list(WIDTHS))
    parser.add_argument("--max-epochs", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=2)
    for hidden in ("--width", "--seed"):
        parser.add_argument(hidden, type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--theirs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        theirs(options.kind, options.dataset, options.width, options.max_epochs, options.seed)
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    compare(options)


if __name__ == "__main__":
    main()
