"""How many messages of workers a store server takes: each worker that trains sends one a second.

    python -m benchmarks.store_server_load
    python -m benchmarks.store_server_load --workers 8 64 --seconds 10

A real server, in a process of its own, with TLS, on a store in a temporary folder. So many workers each hold a run and
send a heartbeat with one new epoch as soon as the last one is answered; they are threads of this process, so that they
take part of the machine too. Printed are the messages a second in all, the server's seconds of processor for each, and
how long an answer took.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from mnist_core.jobs import store_server
from mnist_core.remote.client import Client, ServerAddress
from mnist_core.remote.protocol import Heartbeat
from mnist_core.runs.store import Store
from tests.support.browser import ROOT
from tests.support.synthetic import config, row
from tests.support.waiting import until


def send(client: Client, end: threading.Event, took: list[float]) -> None:
    """Send heartbeats, each with one more epoch, until the end or the last epoch that a run may have."""
    epoch = 0
    while not end.is_set() and epoch < 500:
        message = Heartbeat(began=True, rows_from=epoch, rows=[row(epoch + 1).to_json()])
        began = time.perf_counter()
        client.heartbeat(message)
        took.append(time.perf_counter() - began)
        epoch += 1


def measure(workers: int, seconds: float) -> str:
    """Return the line of the table for so many workers."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "artifacts")
        command = [sys.executable, "-m", "mnist_core", "serve", "--address", "https://127.0.0.1:0",
                   "--listen", "127.0.0.1", "--store", str(store.root)]  # fmt: skip
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: store_server.running(store.root) is not None)
            record = store_server.running(store.root)
            assert record is not None
            address, tokens = ServerAddress.parse(record.address), store_server.tokens(store.root)
            clients = []
            for number in range(workers):
                run, _ = store.add(config((8,), epochs=500, seed=number), name=f"run {number}")
                client = Client(address, tokens.training(run.id, run.status.requests), secrets.token_hex(32))
                client.claim(run.id, run.status.requests)
                clients.append(client)
            end, took = threading.Event(), [[] for _ in clients]
            threads = [
                threading.Thread(target=send, args=(client, end, times))
                for client, times in zip(clients, took, strict=True)
            ]
            before, began = psutil.Process(server.pid).cpu_times(), time.perf_counter()
            for thread in threads:
                thread.start()
            threading.Timer(seconds, end.set).start()
            for thread in threads:
                thread.join()
            passed, after = time.perf_counter() - began, psutil.Process(server.pid).cpu_times()
        finally:
            server.terminate()
            server.wait(30)
    answers = sorted(time for times in took for time in times)
    processor = after.user + after.system - before.user - before.system
    return (
        f"| {workers} | {len(answers) / passed:.0f} | {1000 * processor / len(answers):.1f} ms | "
        f"{1000 * statistics.median(answers):.0f} ms | {1000 * answers[int(0.95 * len(answers))]:.0f} ms |"
    )


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=8.0)
    given = parser.parse_args()
    print("| workers | messages a second | processor for each | answer, median | answer, p95 |\n|---|---|---|---|---|")
    for workers in given.workers:
        print(measure(workers, given.seconds), flush=True)


if __name__ == "__main__":
    main()
