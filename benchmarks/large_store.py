"""What a store of many runs costs: its first reading, the rows of its table, a look for changes, memory and disk.

    python -m benchmarks.large_store
    python -m benchmarks.large_store --runs 500 2000

The store has the runs that ship and so many made-up finished ones of 20 epochs, without weights. Seconds are of the
processor. The disk is that of the runs that ship with their weights and learned MNIST.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.view_cost import made_up
from mnist_core.runs.columns import run_row
from mnist_core.runs.index import Index
from mnist_core.runs.store import Store, default_root

LOOKS = 20


def seconds(action: Callable[[], object]) -> float:
    """Return how many seconds of the processor something takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def measure(root: Path) -> str:
    """Return the line of the table for a store; to be called in a process that has not read it."""
    before = psutil.Process().memory_info().rss
    index = Index(Store(root), fresh_s=0.0)
    reading = seconds(index.snapshot)
    runs = index.snapshot().runs
    rows = seconds(lambda: [(index.summary(run), run_row(run)) for run in runs])
    look = statistics.median(seconds(index.snapshot) for _ in range(LOOKS))
    more = (psutil.Process().memory_info().rss - before) / 1e6
    return f"| {len(runs):,} | {reading:.2f} s | {rows:.2f} s | {1000 * look:.0f} ms | {more:.0f} MB |"


def disk() -> str:
    """Return how much disk a run takes that ships with its weights."""
    found = []
    for path in (default_root() / "reference").iterdir():
        if (path / "model.keras").is_file() and '"name": "mnist"' in (path / "config.json").read_text(encoding="utf-8"):
            files = [file.stat().st_size for file in path.iterdir() if file.is_file()]
            found.append((sum(files), len(files)))
    size, files = (statistics.mean(column) for column in zip(*found, strict=True))
    return f"{size / 1e6:.2f} MB and {files:.1f} files for a run with weights (mean of {len(found)})"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", type=int, default=[0, 2000])
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.root:
        print(measure(given.root))
        return
    print("| runs | first reading | rows of the table | a look for changes | memory of the process for all of it |")
    print("|---|---|---|---|---|", flush=True)
    for count in given.runs:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "artifacts"
            shutil.copytree(default_root() / "reference", root / "reference")
            made_up(Store(root), count)
            command = [sys.executable, "-m", "benchmarks.large_store", "--root", str(root)]
            subprocess.run(command, check=True)
    print(f"{disk()}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
