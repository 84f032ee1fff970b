"""Seconds per epoch: this project's training against a plain Keras `model.fit` on the same data.

    python benchmarks/epoch_time.py --repeats 5
    python benchmarks/epoch_time.py --conv
    python benchmarks/epoch_time.py --accuracy --epochs 10

Each measurement is a process of its own, since TensorFlow's threads are set once per process, and the processes take
turns, so that whatever else the machine does hits all alike. An epoch is the time from the end of one to the end of the
next: training on all images, validation on the test images and, on our side, everything that is recorded (10,000
training images evaluated with dropout off, calibration, checkpoint on disk). The first epoch, which makes the graphs,
is left out on both sides.

`--accuracy` trains three seeds with each, and prints the test accuracies; needs real MNIST (see `--dataset`).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MODELS = ("model_1", "model_2")
CONVOLUTIONAL = ("coursera/cnn", "coursera/cnn, batch norm")
WAYS = {
    "keras fit": {"TF_NUM_INTRAOP_THREADS": "0"},  # as TensorFlow chooses, not as mnist_core does
    "mnist_core": {},
    "mnist_core, one thread": {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
}
SEEDS = (0, 1, 2)


def experiment(name: str, epochs: int, seed: int) -> Any:
    """The configuration that both sides train; a batch is 128 images, validation is on the test set."""
    from mnist_core.experiments.presets import preset

    found, _, variant = name.partition(", ")
    config = preset(found if "/" in found else f"notebook/{found}").config
    if variant == "batch norm":
        layers = config.model.layers
        normalised = [la.model_copy(update={"batch_norm": True}) if la.kind == "conv" else la for la in layers]
        config = config.model_copy(update={"model": config.model.model_copy(update={"layers": tuple(normalised)})})
    return config.replace(training__epochs=epochs, training__seed=seed)


def keras_fit(data: Any, name: str, epochs: int) -> dict[str, Any]:
    """What the Keras documentation would do: float32 arrays, compile, fit."""
    import keras

    from mnist_core.training.models import build_model

    config = experiment(name, epochs, 0)
    model = build_model(config.model)
    model.compile(config.training.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    train, test = ((part / 255).astype("float32") for part in (data.x_train, data.x_test))
    ends: list[float] = []
    fitted = model.fit(
        train, data.y_train, batch_size=128, epochs=epochs, validation_data=(test, data.y_test), verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))],
    )  # fmt: skip
    return {"ends": ends, "accuracy": fitted.history["val_accuracy"][-1]}


def mnist_core(data: Any, name: str, epochs: int, seed: int) -> dict[str, Any]:
    """The same experiment here, with its checkpoints."""
    from mnist_core.training.events import EpochEnded
    from mnist_core.training.train import train

    config = experiment(name, epochs, seed)
    ends: list[float] = []

    def note(event: Any) -> None:
        if isinstance(event, EpochEnded):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        result = train(config, data, on_event=note, checkpoint=Path(folder) / "checkpoint.npz")
    return {"ends": ends, "accuracy": result.history[-1].val_accuracy}


def measure(way: str, name: str, dataset: str, epochs: int, seed: int) -> dict[str, Any]:
    """One training, in a new process: its result with the threads that TensorFlow used."""
    command = [sys.executable, __file__, "--one", way, "--model", name, "--dataset", dataset]
    command += ["--epochs", str(epochs), "--seed", str(seed)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", **WAYS[way]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measured_here(way: str, name: str, dataset: str, epochs: int, seed: int) -> dict[str, Any]:
    """One training, in this process."""
    from mnist_core.data.datasets import Catalog

    with tempfile.TemporaryDirectory() as folder:
        data = Catalog(Path(folder)).load(dataset)
    found = keras_fit(data, name, epochs) if way == "keras fit" else mnist_core(data, name, epochs, seed)
    import keras
    import tensorflow as tf

    chosen = (os.environ.get(f"TF_NUM_{kind}OP_THREADS", "0") for kind in ("INTRA", "INTER"))
    intra, inter = ("all" if threads == "0" else threads for threads in chosen)
    seconds = [after - before for before, after in itertools.pairwise(found["ends"])]
    return {
        "seconds": seconds,
        "accuracy": found["accuracy"],
        "threads": f"intra-op {intra}, inter-op {inter}",
        "versions": f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}",
    }


def compare_times(names: list[str], dataset: str, repeats: int, epochs: int) -> None:
    """Print medians, fastest epochs and ratios."""
    for name in names:
        times: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        threads = {}
        for _ in range(repeats):
            for way in WAYS:
                found = measure(way, name, dataset, epochs, 0)
                times[way].append(found["seconds"])
                threads[way] = found["threads"]
        print(
            f"\n{name}, {dataset}, {repeats} × {epochs - 1} epochs each; {found['versions']}; {os.cpu_count()} cores\n"
        )
        print("| | median s | fastest s | times as fast: by round | by fastest | threads |\n|---|---|---|---|---|---|")
        base = times["keras fit"]
        for way, rounds in times.items():
            # neighbours in time share the machine's mood: ratios are taken within a round, then their median
            ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(base, rounds, strict=True)]
            middle, fastest = statistics.median(itertools.chain(*rounds)), min(itertools.chain(*rounds))
            by_round = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            by_fastest = f"{min(itertools.chain(*base)) / fastest:.2f}"
            print(f"| {way} | {middle:.3f} | {fastest:.3f} | {by_round} | {by_fastest} | {threads[way]} |", flush=True)


def compare_accuracies(names: list[str], dataset: str, epochs: int) -> None:
    """Print the test accuracies of three seeds each after the same number of epochs."""
    print(f"\nTest accuracy after {epochs} epochs, {len(SEEDS)} seeds, {dataset}\n")
    print("| | keras fit | mnist_core |\n|---|---|---|")
    for name in names:
        cells = []
        for way in ("keras fit", "mnist_core"):
            values = [measure(way, name, dataset, epochs, seed)["accuracy"] for seed in SEEDS]
            listed = " ".join(f"{value:.4f}" for value in values)
            cells.append(f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} ({listed})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes for each way (default 5)")
    parser.add_argument("--epochs", type=int, default=6, help="epochs in each process (default 6)")
    parser.add_argument("--dataset", default="mnist", help="mnist (from MNIST_NPZ or the Keras cache) or digits")
    parser.add_argument("--accuracy", action="store_true", help="compare test accuracies over three seeds instead")
    parser.add_argument("--conv", action="store_true", help="convolutional networks in place of the dense ones")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--model", choices=[*MODELS, *CONVOLUTIONAL], help="only this model (default: two dense ones)")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = [given.model] if given.model else list(CONVOLUTIONAL if given.conv else MODELS)
    if given.one:
        print(json.dumps(measured_here(given.one, given.model, given.dataset, given.epochs, given.seed)))
    elif given.accuracy:
        compare_accuracies(names, given.dataset, given.epochs)
    else:
        compare_times(names, given.dataset, given.repeats, given.epochs)


if __name__ == "__main__":
    main()
