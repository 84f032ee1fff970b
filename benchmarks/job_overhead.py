"""What a job costs besides its training, and how soon a person sees something.

    python benchmarks/job_overhead.py
    MNIST_NPZ=… python benchmarks/job_overhead.py --dataset mnist

Each line is measured on a service of its own with a store of its own, warm unless said otherwise; medians over
`--repeats` trainings of a 64-64 net that differ in their seeds. The overhead of a job is the time from asking for it to
reading that it has ended, less the time of such a training called directly, in a warm process, right after it: it holds
scheduling, the files of a run, predictions and model saved, and the polling by which the end is noticed.
Cancelling is measured in the 400-300 net, whose steps take longest.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mnist_core.data.datasets import Dataset  # noqa: E402
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig  # noqa: E402
from mnist_core.experiments.layers import DenseLayer  # noqa: E402
from mnist_core.jobs import local_service  # noqa: E402
from mnist_core.jobs.request import request  # noqa: E402
from mnist_core.jobs.runners import ServiceRunner  # noqa: E402
from mnist_core.jobs.service import ENVIRONMENT  # noqa: E402
from mnist_core.runs import lease  # noqa: E402
from mnist_core.runs.store import Store  # noqa: E402


def config(dataset: str, seed: int, epochs: int, units: tuple[int, ...] = (64, 64)) -> RunConfig:
    return RunConfig(
        model=ModelConfig(layers=tuple(DenseLayer(units=size, dropout=0.2) for size in units)),
        training=TrainingConfig(epochs=epochs, seed=seed),
        dataset=DatasetConfig(name=dataset),
    )


def seconds_until(condition: Callable[[], bool]) -> float:
    began = time.perf_counter()
    while not condition():
        time.sleep(0.002)
    return time.perf_counter() - began


def direct(wanted: RunConfig, data: Dataset) -> float:
    """Seconds of `train` alone, in this process, with one thread as in a worker."""
    from mnist_core.training.train import train

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        train(wanted, data, checkpoint=Path(folder) / "checkpoint.npz")
        return time.perf_counter() - began


def megabytes(pid: int) -> int:
    return round(psutil.Process(pid).memory_full_info().uss / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    dataset, epochs, repeats = options.dataset, options.epochs, options.repeats
    os.environ.update(ENVIRONMENT)

    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    store = Store(folder.name)
    runner = ServiceRunner(store)
    rows: list[tuple[str, str]] = []
    try:
        began = time.perf_counter()
        runner.warm()
        seconds_until(lambda: local_service.running(store.root.resolve()) is not None)
        rows.append(("start of the service, until it takes jobs", f"{time.perf_counter() - began:.1f} s"))
        seconds_until(lambda: runner.status().workers > 0 and runner.status().warm == runner.status().workers)
        rows.append((f"until all {runner.status().workers} workers are warm", f"{time.perf_counter() - began:.1f} s"))

        from mnist_core.training.train import warm_up

        warm_up()
        data = store.catalog.load(dataset)
        submits, firsts, totals, alone = [], [], [], []
        for seed in range(repeats):
            began = time.perf_counter()
            run = request(store, runner, config(dataset, seed, epochs), name="benchmark").run
            submits.append(time.perf_counter() - began)
            history = run.path / "history.jsonl"
            seconds_until(lambda: history.exists() and history.stat().st_size > 0)  # noqa: B023
            firsts.append(time.perf_counter() - began)
            seconds_until(lambda: store.get(run.id).ended)  # noqa: B023
            totals.append(time.perf_counter() - began)
            assert store.get(run.id).state == "finished", store.get(run.id).status.reason
            alone.append(direct(config(dataset, 1000 + seed, epochs), data))
        rows.append(("a request, until it returns", f"{statistics.median(submits) * 1000:.0f} ms"))
        rows.append(("until its first epoch is in the history, first job ever", f"{firsts[0]:.2f} s"))
        rows.append(("until its first epoch is in the history, median", f"{statistics.median(firsts):.2f} s"))
        rows.append(
            (f"until its {epochs} epochs, predictions and model are stored", f"{statistics.median(totals):.2f} s")
        )

        overheads = [total - one for total, one in zip(totals, alone, strict=True)]
        rows.append((f"the same training called directly, {epochs} epochs", f"{statistics.median(alone):.2f} s"))
        rows.append(("overhead of a job, median of the differences", f"{statistics.median(overheads) * 1000:.0f} ms"))

        seeds = range(100, 100 + 4 * repeats)
        began = time.perf_counter()
        ids = [request(store, runner, config(dataset, seed, 1), name="benchmark").run.id for seed in seeds]
        seconds_until(lambda: all(store.get(run_id).ended for run_id in ids))
        rows.append(
            (f"{len(ids)} jobs of one epoch at once, per job", f"{(time.perf_counter() - began) / len(ids):.2f} s")
        )

        time.sleep(2)  # a worker that has grown too far is replaced now
        seconds_until(lambda: runner.status().workers > 0 and runner.status().warm == runner.status().workers)
        time.sleep(2)
        pid = local_service.start(store.root.resolve()).pid
        workers = [child.pid for child in psutil.Process(pid).children() if megabytes(child.pid) > 100]
        rows.append(("memory of the service itself", f"{megabytes(pid)} MB"))
        rows.append(("memory of each worker", ", ".join(f"{megabytes(worker)} MB" for worker in workers)))
        family = [psutil.Process(each) for each in (pid, *workers)]
        before = sum(sum(process.cpu_times()[:2]) for process in family)
        time.sleep(10)
        idle = sum(sum(process.cpu_times()[:2]) for process in family) - before
        rows.append(("idle, share of one core", f"{idle * 10:.1f} %"))

        latencies = []
        for seed in range(5):
            run = request(store, runner, config(dataset, seed, 500, (400, 300)), name="benchmark").run
            seconds_until(lambda: store.get(run.id).epochs_done >= 1)  # noqa: B023
            time.sleep(0.1 + 0.13 * seed)
            runner.cancel(run.id)
            latencies.append(seconds_until(lambda: not lease.held(run.path)))  # noqa: B023
        rows.append(("cancelling, until the run has ended, median", f"{statistics.median(latencies):.2f} s"))
        rows.append(("cancelling, longest of 5", f"{max(latencies):.2f} s"))
    finally:
        began = time.perf_counter()
        runner.stop()
    rows.append(("stopping the service", f"{time.perf_counter() - began:.1f} s"))

    folder.cleanup()

    print(
        f"{dataset}; {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {repeats} repeats"
    )
    print(f"load of the machine when done: {os.getloadavg()[0]:.1f}\n")
    print("| | |\n|---|---|")
    for label, value in rows:
        print(f"| {label} | {value} |")


if __name__ == "__main__":
    main()
