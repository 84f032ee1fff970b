"""Would the seeds of a small dense net train faster as one stacked graph than one by one, as the workers do now?

    python benchmarks/stacked_seeds.py --repeats 5
    python benchmarks/stacked_seeds.py --batch 32 --nets 16-16 64-64

A prototype: five seeds of one recipe, their weights stacked to arrays of shape (seeds, inputs, units), each with its
own shuffle and dropout words, trained by batched matrix products, with one fused RMSprop update for all. Either way two
processes of one thread each run at the same time, as the job service has them; each trains five seeds, either one after
the other in the project's own `Engine`, or as a stack. A seed's epoch is one pass over the training images and an
evaluation of 20,000; metrics, checkpoints and history, which a stack would have to make for each seed as well, are left
out on both sides, which flatters the stack. Its losses are compared with those of the engine first: for some steps they
agree to float32's rounding, which training then amplifies.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SEEDS = (0, 1, 2, 3, 4)
NETS = {"16-16": (16, 16), "64-64": (64, 64), "128-128": (128, 128), "400-300": (400, 300)}
EVALUATED = 20_000
ONE_THREAD = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


class Alone:
    """One seed in the engine that trains it now."""

    def __init__(self, data: Any, units: tuple[int, ...], batch: int, seed: int) -> None:
        from mnist_core.experiments.configs import ModelConfig, TrainingConfig
        from mnist_core.experiments.layers import DenseLayer
        from mnist_core.training.engine import Engine
        from mnist_core.training.models import build_model
        from mnist_core.training.optimizers import build_optimizer

        model = ModelConfig(layers=tuple(DenseLayer(units=size, dropout=0.2) for size in units))
        self.seed, self.images = seed, data.x_train
        self.model = build_model(model, seed)
        self.engine = Engine(self.model, build_optimizer(TrainingConfig()), data.x_train, data.y_train, batch)

    def epoch(self, epoch: int, steps: int | None = None) -> list[float]:
        """Train and evaluate; the sum of the losses of each seed."""
        from mnist_core.training.engine import shuffled

        sizes, totals = self.engine.sizes, (0.0, 0)
        steps = steps or sizes.steps
        order, words = shuffled(sizes.images, self.seed, epoch), self.engine.dropout_bits(self.seed, epoch)
        for start in range(0, steps, 100):
            stop = min(start + 100, steps)
            totals = self.engine.train(order, self.engine.draw(words, start, stop), start, stop, totals)
        self.engine.probabilities(self.images[:EVALUATED])
        return [totals[0]]


class Stack:
    """All seeds in one graph; it begins with the weights that they would begin with alone."""

    def __init__(self, data: Any, units: tuple[int, ...], batch: int, seeds: tuple[int, ...]) -> None:
        from mnist_core.training.engine import Sizes
        from mnist_core.training.models import backend

        self.tf, _ = backend()
        tf = self.tf
        self.seeds, self.sizes, self.data = seeds, Sizes(len(data.x_train), batch), data
        self.units = units
        alone = [Alone(data, units, batch, seed).model.get_weights() for seed in seeds]
        self.variables = [tf.Variable(np.stack(arrays)) for arrays in zip(*alone, strict=True)]
        self.squares = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self.increments = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self.images = tf.constant(data.x_train.reshape(len(data.x_train), -1))
        self.labels = tf.constant(data.y_train.astype(np.int32))
        self.block = tf.function(self._block, autograph=False)
        self.evaluate = tf.function(self._evaluate, autograph=False)

    def epoch(self, epoch: int, steps: int | None = None) -> list[float]:
        """Train and evaluate; the sum of the losses of each seed."""
        from mnist_core.training.engine import DropoutBits, shuffled

        tf, sizes = self.tf, self.sizes
        steps = steps or sizes.steps
        order = tf.constant(np.stack([shuffled(sizes.images, seed, epoch) for seed in self.seeds]))
        words = [DropoutBits(list(self.units), seed, epoch) for seed in self.seeds]
        totals = tf.zeros([len(self.seeds)], tf.float64)
        for start in range(0, steps, 100):
            stop = min(start + 100, steps)
            images = sizes.images_until(stop) - sizes.images_until(start)
            drawn = [
                [tf.constant(word) for word in layer] for layer in zip(*(w.draw(images) for w in words), strict=True)
            ]
            totals = self.block(order, drawn, tf.constant(start), tf.constant(stop), totals)
        for start in range(0, EVALUATED, 1000):
            self.evaluate(self.images[start : start + 1000])
        return [float(total) for total in totals]

    def _logits(self, values: Any, words: list[Any] | None) -> Any:
        tf = self.tf
        for layer in range(len(self.units)):
            kernel, bias = self.variables[2 * layer : 2 * layer + 2]
            values = tf.nn.relu(tf.matmul(values, kernel) + bias[:, None, :])
            if words is not None:
                kept = tf.cast(words[layer][:, :, : self.units[layer]] >= 13107, tf.float32)
                values *= kept * np.float32(65536 / (65536 - 13107))
        return tf.matmul(values, self.variables[-2]) + self.variables[-1][:, None, :]

    def _block(self, order: Any, words: list[Any], start: Any, stop: Any, totals: Any) -> Any:
        tf, batch = self.tf, self.sizes.batch

        def step(number: Any, totals: Any) -> Any:
            begin = number * batch
            end = tf.minimum(begin + batch, self.sizes.images)
            rows, offset = order[:, begin:end], start * batch
            labels = tf.gather(self.labels, rows)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(self.variables)
                pixels = tf.cast(tf.gather(self.images, rows), tf.float32) * np.float32(1 / 255)
                here = [tf.stack([item[begin - offset : end - offset] for item in layer]) for layer in words]
                logits = self._logits(pixels, here)
                losses = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits), 1)
                target = tf.reduce_sum(losses) / tf.cast(end - begin, tf.float32)
            for variable, square, increment, gradient in zip(
                self.variables, self.squares, self.increments, tape.gradient(target, self.variables), strict=True
            ):
                tf.raw_ops.ResourceApplyRMSProp(
                    var=variable.handle, ms=square.handle, mom=increment.handle, lr=0.001, rho=0.9, momentum=0.0,
                    epsilon=1e-7, grad=gradient,
                )  # fmt: skip
            return number + 1, totals + tf.cast(losses, tf.float64)

        return tf.while_loop(lambda number, _: number < stop, step, (start, totals))[1]

    def _evaluate(self, images: Any) -> Any:
        pixels = self.tf.cast(images, self.tf.float32) * np.float32(1 / 255)
        return self.tf.nn.softmax(self._logits(pixels[None], None))  # the product broadcasts over the seeds


def measure(way: str, net: str, batch: int, epochs: int, dataset: str) -> None:
    """In a process of its own: print the seconds of a seed's epoch."""
    from mnist_core.data.datasets import Catalog

    data = Catalog(ROOT).load(dataset)
    trained = (
        [Stack(data, NETS[net], batch, SEEDS)]
        if way == "stack"
        else [Alone(data, NETS[net], batch, seed) for seed in SEEDS]
    )
    for item in trained:
        item.epoch(1, 101)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    for item in trained:
        for epoch in range(2, 2 + epochs):
            item.epoch(epoch)
    print(json.dumps((time.perf_counter() - began) / epochs / len(SEEDS)), flush=True)


def side_by_side(way: str, net: str, options: argparse.Namespace) -> float:
    """Seconds of a seed's epoch where two processes train at the same time, counted on both together."""
    command = [sys.executable, __file__, "--measure", way, net, "--batch", str(options.batch)]
    command += ["--epochs", str(options.epochs), "--dataset", options.dataset]
    started = [
        subprocess.Popen(
            command, env=os.environ | ONE_THREAD, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seconds = [json.loads(process.communicate()[0]) for process in started]
    return statistics.mean(seconds) / 2


def compare(dataset: str, batch: int) -> None:
    """The losses of 5 steps, alone and stacked."""
    from mnist_core.data.datasets import Catalog

    os.environ.update(ONE_THREAD)
    data = Catalog(ROOT).load(dataset)
    stacked = Stack(data, NETS["64-64"], batch, SEEDS).epoch(1, 5)
    alone = [Alone(data, NETS["64-64"], batch, seed).epoch(1, 5)[0] for seed in SEEDS]
    worst = max(abs(a / b - 1) for a, b in zip(stacked, alone, strict=True))
    print(f"loss of 5 steps: stacked and alone differ by at most {worst:.1e} of it")
    assert worst < 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--nets", nargs="*", default=list(NETS))
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure, options.batch, options.epochs, options.dataset)
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    compare(options.dataset, options.batch)
    for net in options.nets:
        pairs = [
            (side_by_side("alone", net, options), side_by_side("stack", net, options)) for _ in range(options.repeats)
        ]
        alone, stack = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios = sorted(a / b for a, b in pairs)
        print(
            f"{net}, batch {options.batch}: one by one {alone:.3f} s, stacked {stack:.3f} s a seed and epoch; "
            f"{statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f}–{ratios[-1]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
