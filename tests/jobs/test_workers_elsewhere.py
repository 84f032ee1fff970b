"""A scheduler and a worker as processes, with TLS and without a folder in common with the store; real trainings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
import distributed
import numpy as np
import pytest

from mnist_core.errors import JobError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import credentials, runners, store_server
from mnist_core.jobs.runners import ServiceRunner
from mnist_core.jobs.service import ENVIRONMENT
from mnist_core.runs.keras_file import read_weights
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
assert distributed.Client  # imported first: it puts its settings under those that a test sets
ROLES = ("scheduler", "worker", "client")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Cluster:
    """A scheduler with one worker, in folders of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem = folder / "cluster.pem"
        assert credentials.main([str(self.pem)]) == 0
        self.address = f"tls://127.0.0.1:{_free_port()}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        tls = [f"--tls-{part}={self.pem}" for part in ("ca-file", "cert", "key")]
        port = self.address.rpartition(":")[2]
        self._dask("dask_scheduler", "--host=127.0.0.1", f"--port={port}", "--protocol=tls", "--no-dashboard", *tls)
        self._dask(
            "dask_worker", self.address, "--nthreads=1", "--no-nanny", "--no-dashboard", *tls,
            "--preload=mnist_core.jobs.worker",
        )  # fmt: skip

    def _dask(self, name: str, *arguments: str) -> None:
        place = self.folder / name
        place.mkdir()
        variables = {"PYTHONPATH": str(ROOT), "MNIST_CORE_CACHE": str(place / "cache"), "TMPDIR": str(place)}
        inherited = dict(os.environ)
        self.processes.append(
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *arguments],
                cwd=place, env=inherited | ENVIRONMENT | variables, stdout=subprocess.DEVNULL,
                stderr=(self.folder / "log").open("ab"),
            )
        )  # fmt: skip

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)

    def configuration(self) -> dict[str, str]:
        parts = {f"{role}.{part}" for role in ROLES for part in ("cert", "key")} | {"ca-file"}
        return {f"distributed.comm.tls.{part}": str(self.pem) for part in parts}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, started_processes: object) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.start()
    yield cluster
    cluster.stop()


def trained(store: Store, cluster: Cluster, configs: list[RunConfig]) -> list[Run]:
    """Train these on the cluster, and return the runs."""
    with dask.config.set(cluster.configuration()):
        runner = ServiceRunner(store, cluster.address)
        wanted = [store.add(config, name="a run")[0].id for config in configs]
        for run_id in wanted:
            runner.submit(run_id)
        until(lambda: all(store.get(run_id).ended for run_id in wanted), limit_s=90)
        runner.close()
    return [store.get(run_id) for run_id in wanted]


def test_runs_that_are_sent_by_a_worker_are_to_the_last_bit_those_that_it_writes_itself(
    store: Store, small_config: RunConfig, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [small_config, small_config.replace(training__seed=5)]
    shared = Store(tmp_path / "shared")
    monkeypatch.setenv("MNIST_CORE_SERVER", f"https://127.0.0.1:{_free_port()}")
    try:
        sent = trained(store, cluster, configs)
        assert store_server.running(store.root) is not None, "the runner starts the store server"
    finally:
        store_server.stop(store.root)
    monkeypatch.delenv("MNIST_CORE_SERVER")
    written = trained(shared, cluster, configs)
    for one, other in zip(sent, written, strict=True):
        assert (one.state, one.status.reason) == ("finished", other.status.reason)
        assert (one.path / "attempt.json").exists()
        assert not (other.path / "attempt.json").exists()
        drop = {"seconds": 0.0}
        assert [row.to_json() | drop for row in one.rows()] == [row.to_json() | drop for row in other.rows()]
        assert (one.path / "predictions.npz").read_bytes() == (other.path / "predictions.npz").read_bytes()
        weights = [read_weights(run.config.model, run.path / "model.keras") for run in (one, other)]
        for (_, _, mine), (_, _, theirs) in zip(*weights, strict=True):
            for array, expected in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(array, expected)


def test_a_client_without_the_certificate_of_the_cluster_is_refused(
    store: Store, small_config: RunConfig, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "CONNECT_LIMIT_S", 1.0)
    run = store.add(small_config, name="a run")[0]
    foreign = Cluster(tmp_path)
    for address, settings in (
        (cluster.address, foreign.configuration()),
        (cluster.address.replace("tls", "tcp"), {}),
    ):
        with dask.config.set(settings), pytest.raises(JobError, match="no scheduler answers"):
            ServiceRunner(store, address).submit(run.id)
    assert store.get(run.id).state == "queued"
