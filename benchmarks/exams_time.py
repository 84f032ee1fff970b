"""model_1 against model_2 on sixteen exams of 10,000 images each, without TensorFlow: seconds, and of the processor.

    MNIST_NPZ=… python benchmarks/exams_time.py

From the weights on the disk to the sixteen decisions; the images of the exams are made anew in each repeat.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.comparison.exams import exam_images, exam_names, sit_all, verdicts
from mnist_core.inspection.numpy_network import load_network
from mnist_core.runs.store import Store

NAMES = ("notebook/model_1", "notebook/model_2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with np.load(os.environ["MNIST_NPZ"]) as data:
        images, labels = data["x_test"], data["y_test"]
    runs = [run for run in Store().runs() if run.model_file and run.config.dataset.name == "mnist"]
    chosen = [next(run for run in runs if run.name == name) for name in NAMES]
    exams = {name: functools.partial(exam_images, images, name) for name in exam_names()}
    walls, processors = [], []
    for _ in range(options.repeats):
        wall, processor = time.perf_counter(), time.process_time()
        networks = {run.name: load_network(run.config.model, run.model_file) for run in chosen if run.model_file}
        first, second = sit_all(networks, exams, labels).values()
        found = verdicts(first, second, margin=DEFAULT_MARGIN)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    print(f"load {os.getloadavg()[0]:.1f}; {len(found)} decisions; TensorFlow imported: {'tensorflow' in sys.modules}")
    for name, values in (("seconds", walls), ("of the processor", processors)):
        print(f"{name:18} median {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
