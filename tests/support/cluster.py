"""A cluster on one machine: each of its machines has a network, folders and a name of its own (Linux namespaces).

    scheduler    the dask scheduler, `tls://` only
    laboratory   the store, its store server, and whoever requests the sweep
    worker-1     has the data in another file; its training process is killed with SIGKILL
    worker-2     its clock is ten minutes ahead; it is ended with SIGTERM, and does not come back
    worker-3     has to fetch the data; its network cable is pulled for a while
    stranger     reaches scheduler and store server, and has no key

A machine can write to folders in memory only, which no other machine sees; the rest of the file system, the program
included, is read-only for it. A worker's service starts again when it ends, as under systemd or Kubernetes.

`prove` runs a sweep on such a cluster and on this machine alone, and compares. It runs this module as a process in
namespaces of its own; the machines are namespaces below that.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sklearn.datasets import load_digits

from mnist_core.files import write_json
from mnist_core.remote.certificates import key_and_certificate
from mnist_core.runs import lease
from mnist_core.runs.store import Store
from tests.support import namespaces
from tests.support.same_results import difference

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = {
    name: f"192.0.2.{number}"
    for number, name in enumerate(("scheduler", "laboratory", "worker-1", "worker-2", "worker-3", "stranger"), 1)
}
WORKERS = ("worker-1", "worker-2", "worker-3")
SCHEDULER = f"tls://{ADDRESSES['scheduler']}:8786"
SERVER = f"https://{ADDRESSES['laboratory']}:8790"
AHEAD_S = 600.0
KILL_AT, CUT_AT, TERMINATE_AT = 0.3, 0.45, 0.6
"""Shares of the sweep's epochs that are done when a worker is killed, cut off, and ended."""

SWEEP = """
name = "twelve"
base = "notebook/model_1"

[fixed]
"dataset.name" = "scans"
"training.epochs" = {epochs}
"training.batch_size" = {batch_size}

[grid]
"training.learning_rate" = [0.001, 0.002, 0.003]
"model.layers.*.dropout" = [0.0, 0.1, 0.2, 0.3]
"""
RUNS = 12

AHEAD = f"""
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {AHEAD_S}
time.time_ns = lambda: _time_ns() + {int(AHEAD_S)} * 10**9
"""
"""A module `sitecustomize`: Python imports it before all others, so that each of them sees this clock."""

INTRUDER = """
import http.client, json, socket, ssl, sys
import distributed
from distributed.security import Security

address, server, own, how = sys.argv[1:]
host, port = address.removeprefix("tls://").split(":")
security = None
if how == "with the cluster's certificate":
    security = Security(require_encryption=True, tls_ca_file=own, tls_client_cert=own, tls_client_key=own)
elif how == "with a certificate of its own":
    security = Security.temporary()
elif how == "with TLS and no certificate":
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(socket.create_connection((host, int(port)), 5)) as channel:
            channel.send(b"hello")
            print("answered" if channel.recv(100) else "closed")
    except (ssl.SSLError, ConnectionError) as error:
        print(getattr(error, "reason", None) or type(error).__name__)
    sys.exit()
elif how == "the scheduler's web pages":
    connection = http.client.HTTPConnection(host, 8787, timeout=5)
    connection.request("GET", "/info/main/workers.html")
    print(connection.getresponse().status)
    sys.exit()
elif how == "the store server, with a made-up token":
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = server.removeprefix("https://")
    connection = http.client.HTTPSConnection(place, timeout=5, context=context)
    connection.request("POST", "/v1/runs/0123456789ab/0/claim", json.dumps({"attempt": "0" * 64}),
                       {"Authorization": "Bearer " + "0" * 64})
    print(connection.getresponse().status)
    sys.exit()
try:
    with distributed.Client(
        address if security else address.replace("tls", "tcp"), security=security, timeout=3, set_as_default=False
    ) as client:
        print("runs code:", client.run_on_scheduler(int, "7"))
except Exception as error:
    print(type(error).__name__)
"""
STRANGERS = (
    "with the cluster's certificate",
    "with a certificate of its own",
    "with TLS and no certificate",
    "without encryption",
    "the scheduler's web pages",
    "the store server, with a made-up token",
)
"""The first is the control: it must be let in, or else the other results would say nothing."""


@dataclass(frozen=True)
class Lengths:
    """How long everything lasts.

    epochs, batch_size: of each run. cut_s: seconds for which the network of a worker is down. silence_s: seconds after
    which the store server gives up a worker. connection_s: seconds after which dask gives up a silent connection.
    limit_s: seconds for the whole.
    """

    epochs: int
    batch_size: int
    cut_s: float
    silence_s: float
    connection_s: float
    limit_s: float


SHORT = Lengths(epochs=30, batch_size=64, cut_s=14.0, silence_s=8.0, connection_s=11.0, limit_s=230.0)
"""For a test: the cut is longer than both limits, as it is in LONG; 11 s is the least that dask takes."""
LONG = Lengths(epochs=500, batch_size=16, cut_s=90.0, silence_s=60.0, connection_s=30.0, limit_s=1200.0)
"""With the limits that users have."""


@dataclass
class Proof:
    """What came of it.

    events: seconds from the beginning of the sweep, and what happened. runs: for each of them its state, the number of
    its attempts and how it differs from the run of the same configuration that was trained on one machine (empty: in
    no bit). strangers: what each of STRANGERS got. seconds: of the sweep on the cluster, and of that on one machine.
    left: names of files that workers have left in their temporary folders.
    """

    events: list[tuple[float, str]]
    runs: list[dict[str, Any]]
    strangers: dict[str, str]
    seconds: dict[str, float]
    left: list[str] = field(default_factory=list)


def reason_to_skip() -> str | None:
    """Return why there can be no such cluster here; None where there can."""
    return namespaces.missing("network") or namespaces.forbidden("network")


def prove(folder: Path, lengths: Lengths) -> Proof:
    """Train a sweep on a cluster that is disturbed and on this machine alone, and compare.

    Parameters
    ----------
    folder
        an empty one, for what comes of it.

    Raises
    ------
    AssertionError
        where one of the sweeps does not come to its end; with what its programs have printed.
    """
    _write_data(folder / "data" / "scans.npz")
    (folder / "sweep.toml").write_text(SWEEP.format(epochs=lengths.epochs, batch_size=lengths.batch_size))
    (folder / "lengths.json").write_text(json.dumps(asdict(lengths)))
    command = [*namespaces.MACHINES, sys.executable, "-m", "tests.support.cluster", str(folder)]
    with (folder / "cluster.log").open("wb") as log:
        cluster = subprocess.Popen(
            command, cwd=ROOT, env=_environment(folder, "hub"), stdout=log, stderr=log, start_new_session=True
        )
    try:
        alone = _train_alone(folder, lengths)
        cluster.wait(lengths.limit_s)
    finally:
        cluster.kill()
        cluster.wait()
    assert cluster.returncode == 0, _tail(folder / "cluster.log")
    found = json.loads((folder / "result.json").read_text())
    local = {run.id: run for run in Store(folder / "alone" / "runs").runs() if not run.read_only}
    runs = [
        {
            "run": run.id,
            "state": run.state,
            "attempts": found["attempts"].get(run.id, 0),
            "difference": difference(run, local.get(run.id)),
        }
        for run in Store(folder / "from the cluster").runs()
        if not run.read_only
    ]
    seconds = {"cluster": found["seconds"], "alone": alone}
    return Proof([tuple(item) for item in found["events"]], runs, found["strangers"], seconds, found["left"])


def _train_alone(folder: Path, lengths: Lengths) -> float:
    """Train the sweep on this machine, one run after another; return how many seconds it took."""
    store = folder / "alone" / "runs"
    _register(store, folder / "data" / "scans.npz")
    began = time.monotonic()
    command = [sys.executable, "-m", "mnist_core", "sweep", str(folder / "sweep.toml"), "--here", "--store", str(store)]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(folder / "alone", "alone"), capture_output=True, text=True, check=False,
        timeout=lengths.limit_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - began


def _write_data(path: Path) -> None:
    """Write scikit-learn's digits as a file in MNIST's form."""
    digits = load_digits()
    images = np.kron(digits.images, np.ones((3, 3)))  # 8 × 8 to 24 × 24
    images = np.pad(images * 15.9, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    path.parent.mkdir(parents=True)
    np.savez(path, x_train=images[:1400], y_train=labels[:1400], x_test=images[1400:], y_test=labels[1400:])


def _register(store: Path, data: Path, name: str = "scans") -> None:
    store.mkdir(parents=True, exist_ok=True)
    write_json(store / "datasets.json", {name: str(data)})


def _environment(home: Path, name: str, **more: str) -> dict[str, str]:
    """Return the environment of a program of the machine `name`: this one's, without what concerns this project."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MNIST_", "DASK_", "KERAS_"))}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    own = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    for folder in (home, home / "tmp"):
        with contextlib.suppress(OSError):  # of a machine: it is made there
            folder.mkdir(parents=True, exist_ok=True)
    return kept | threads | own | {"MNIST_CORE_CACHE": str(home / "cache"), "PYTHONUNBUFFERED": "1"} | more


def _tail(path: Path) -> str:
    return path.read_text(errors="replace")[-6000:]


# -- within the namespaces ---------------------------------------------------------------------------------------------


class Machine:
    """A machine of the cluster.

    Parameters
    ----------
    name
        one of ADDRESSES.
    folder
        the path at which it has its own folder, in memory; every machine has one at the same path.
    certificate
        the cluster's key and certificate, in PEM; None for a machine that has none.
    """

    def __init__(self, name: str, folder: Path, lengths: Lengths, certificate: bytes | None) -> None:
        self.name, self.home = name, folder / name
        self._folder, self._lengths, self._known = folder, lengths, certificate is not None
        self._holder = subprocess.Popen(["unshare", "--net", "--mount", "--uts", "sleep", "infinity"])
        while os.readlink(f"/proc/{self._holder.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        self._cable = f"to-{name}"[:15]
        pid = str(self._holder.pid)
        _do("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", pid)
        _do("ip", "link", "set", self._cable, "master", "switch", "up")
        make = f"""
            hostname {name}
            ip addr add {ADDRESSES[name]}/24 dev eth0
            ip link set eth0 up
            ip link set lo up
            mount --make-rprivate /
            mount -o remount,bind,ro /
            mount -t tmpfs none '{folder}'
            mount -t tmpfs none /dev/shm
            mkdir -p '{self.home}/tmp'
        """
        _do(*self._inside(), "sh", "-ec", make)
        self.files = Path(f"/proc/{pid}/root{self.home}")
        """This machine's own folder, as the others never see it."""
        if certificate is not None:
            (self.files / "cluster.pem").write_bytes(certificate)
            (self.files / "cluster.pem").chmod(0o600)

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self._holder.pid), "--net", "--mount", "--uts"]

    def start(self, log: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program on the machine, in its own folder; `log` is a file of the hub's."""
        own = str(self.home / "cluster.pem")
        dask = {
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{self._lengths.connection_s:g}s",
            "DASK_TEMPORARY_DIRECTORY": str(self.home / "tmp"),
            "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "warning",
        }
        if self._known:
            dask |= {
                "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
                "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
                "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": own,
                **{
                    f"DASK_DISTRIBUTED__COMM__TLS__{role}__{part}": own
                    for role in ("SCHEDULER", "WORKER", "CLIENT")
                    for part in ("CERT", "KEY")
                },
            }
        own_environment = _environment(self.home, self.name, **dask) | environment
        whole = [*self._inside(), "sh", "-c", 'cd "$0" && exec "$@"', str(self.home), *command]
        with (self._folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(whole, env=own_environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    def cable(self, state: str) -> None:
        """Set the network to "up" or "down"."""
        _do("ip", "link", "set", self._cable, state)


class WorkerService:
    """The service of a worker machine: `dask worker`, started again when it ends."""

    def __init__(self, machine: Machine, **environment: str) -> None:
        self.machine, self._environment, self.wanted = machine, environment, True
        self.starts = 0
        self._start()

    def _start(self) -> None:
        self.starts += 1
        self.process = self.machine.start(
            self.machine.name,
            *(sys.executable, "-m", "dask", "worker", SCHEDULER, "--nthreads", "1", "--no-dashboard"),
            *("--preload", "mnist_core.jobs.worker", "--local-directory", str(self.machine.home / "tmp")),
            **self._environment,
        )

    def look(self) -> bool:
        """Start it again where it has ended; True if so."""
        if self.process.poll() is None or not self.wanted:
            return False
        self._start()
        return True

    def training(self, epochs: int) -> str | None:
        """Return the run that it is in the middle of; None where it is not."""
        for path in (self.machine.files / "tmp").glob("mnist-core-*/runs/*/history.jsonl"):
            with contextlib.suppress(OSError):
                if epochs // 10 <= path.read_bytes().count(b"\n") <= epochs * 8 // 10:
                    return path.parent.name
        return None

    def training_process(self) -> psutil.Process:
        """Return the process that trains: the child of the nanny, which is the process that was started."""
        children = psutil.Process(self.process.pid).children()
        return max(children, key=lambda child: child.memory_info().rss)


class Cluster:
    """The machines, and what happens to them while a sweep is trained."""

    def __init__(self, folder: Path, lengths: Lengths) -> None:
        self.folder, self.lengths = folder, lengths
        _do("ip", "link", "set", "lo", "up")
        _do("ip", "link", "add", "name", "switch", "type", "bridge")
        _do("ip", "link", "set", "switch", "up")
        self.own = folder / "machines"
        self.own.mkdir()
        certificate = key_and_certificate("a cluster")
        self.machines = {
            name: Machine(name, self.own, lengths, None if name == "stranger" else certificate) for name in ADDRESSES
        }
        self.stranger_certificate = certificate
        self.events: list[tuple[float, str]] = []
        self.began = time.monotonic()
        self.attempts: dict[str, int] = {}

    def happened(self, what: str) -> None:
        """Take down an event."""
        seconds = round(time.monotonic() - self.began, 1)
        self.events.append((seconds, what))
        print(f"{seconds:6.1f} s  {what}", flush=True)

    def run(self) -> None:
        """Train the sweep, disturb it, and write what came of it into the folder."""
        laboratory = self.machines["laboratory"]
        data = (self.folder / "data" / "scans.npz").read_bytes()
        (laboratory.files / "measured").mkdir()
        (laboratory.files / "measured" / "scans.npz").write_bytes(data)
        _register(laboratory.files / "runs", laboratory.home / "measured" / "scans.npz")
        (laboratory.files / "sweep.toml").write_bytes((self.folder / "sweep.toml").read_bytes())
        scheduler = self.machines["scheduler"].start(
            "scheduler", sys.executable, "-m", "dask", "scheduler", "--host", SCHEDULER, "--no-dashboard"
        )
        server = laboratory.start(
            "server", sys.executable, "-m", "mnist_core", "serve", "--store", str(laboratory.home / "runs"),
            "--address", SERVER, "--listen", ADDRESSES["laboratory"], "--silence", str(self.lengths.silence_s),
        )  # fmt: skip
        services = self._workers(data)
        record = laboratory.files / "runs" / ".service" / "server" / "server.json"
        while not record.exists():
            assert server.poll() is None, _tail(self.own / "server.log")
            time.sleep(0.05)
        self.began = time.monotonic()
        sweep = laboratory.start(
            "sweep", sys.executable, "-m", "mnist_core", "sweep", str(laboratory.home / "sweep.toml"),
            "--store", str(laboratory.home / "runs"), MNIST_CORE_SCHEDULER=SCHEDULER,
        )  # fmt: skip
        self.happened("the sweep is requested")
        strangers = self._strangers()
        self._disturb(sweep, services)
        assert scheduler.poll() is None, _tail(self.own / "scheduler.log")
        assert server.poll() is None, _tail(self.own / "server.log")
        result = {
            "events": self.events,
            "seconds": self.seconds,
            "attempts": self.attempts,
            "strangers": {how: self._answer(*item) for how, item in strangers.items()},
            "left": self._left(),
        }
        shutil.copytree(laboratory.files / "runs", self.folder / "from the cluster", symlinks=True)
        (self.folder / "result.json").write_text(json.dumps(result))
        for service in services.values():
            service.wanted = False

    def _workers(self, data: bytes) -> dict[str, WorkerService]:
        """Start the workers; one has the data under another path and name, the others have to fetch them."""
        first, second, third = (self.machines[name] for name in WORKERS)
        (first.files / "elsewhere.npz").write_bytes(data)
        _register(first.files / "own", first.home / "elsewhere.npz", name="numbers")
        (second.files / "site").mkdir()
        (second.files / "site" / "sitecustomize.py").write_text(AHEAD)
        ahead = f"{second.home / 'site'}{os.pathsep}{ROOT}"
        return {
            first.name: WorkerService(first, MNIST_CORE_STORE=str(first.home / "own")),
            second.name: WorkerService(second, MNIST_CORE_STORE=str(second.home / "none"), PYTHONPATH=ahead),
            third.name: WorkerService(third, MNIST_CORE_STORE=str(third.home / "none")),
        }

    def _disturb(self, sweep: subprocess.Popen[bytes], services: Mapping[str, WorkerService]) -> None:
        """Do to the workers what is to be done to them, each in the middle of a run, until the sweep has ended."""
        first, second, third = services.values()
        todo = [
            (KILL_AT, first, self._kill),
            (CUT_AT, third, self._cut),
            (TERMINATE_AT, second, self._terminate),
        ]  # fmt: skip
        store = Store(self.machines["laboratory"].files / "runs")
        self._down_until = 0.0
        while sweep.poll() is None:
            time.sleep(0.05)
            if self._down_until and time.monotonic() > self._down_until:
                self._mend(third)
            for service in services.values():
                if service.look():
                    self.happened(f"the service of {service.machine.name} has ended, and is started again")
            if todo:
                share = self._share(store)
                at, service, act = todo[0]
                run = service.training(self.lengths.epochs) if share >= at else None
                if run is not None:
                    act(service, f"at {share:.0%}, training {run}")
                    todo.pop(0)
        self.happened(f"the sweep has ended, with exit code {sweep.returncode}")
        self.seconds = time.monotonic() - self.began
        if self._down_until:  # the others were faster: what it brings after its cut must change nothing either
            time.sleep(max(0.0, self._down_until - time.monotonic()))
            self._mend(third)
        assert sweep.returncode == 0, _tail(self.own / "sweep.log")
        assert not todo, f"the sweep ended before this could happen: {todo}"
        self.attempts = {run.id: lease.attempts(run.path) for run in store.runs() if not run.read_only}

    def _share(self, store: Store) -> float:
        files = (store.root / "runs").glob("*/history.jsonl")
        return sum(path.read_bytes().count(b"\n") for path in files) / (RUNS * self.lengths.epochs)

    def _kill(self, service: WorkerService, when: str) -> None:
        service.training_process().send_signal(signal.SIGKILL)
        self.happened(f"{service.machine.name} {when}: its process is killed with SIGKILL")

    def _cut(self, service: WorkerService, when: str) -> None:
        service.machine.cable("down")
        self._down_until = time.monotonic() + self.lengths.cut_s
        self.happened(f"{service.machine.name} {when}: its network is down for {self.lengths.cut_s:g} s")

    def _mend(self, service: WorkerService) -> None:
        self._down_until = 0.0
        service.machine.cable("up")
        self.happened(f"{service.machine.name} has its network again")

    def _terminate(self, service: WorkerService, when: str) -> None:
        service.wanted = False
        service.process.terminate()
        self.happened(f"{service.machine.name} {when}: it is ended with SIGTERM")

    def _strangers(self) -> dict[str, tuple[subprocess.Popen[bytes], str]]:
        stranger = self.machines["stranger"]
        (stranger.files / "stolen.pem").write_bytes(self.stranger_certificate)
        (stranger.files / "intruder.py").write_text(INTRUDER)
        found = {}
        for number, how in enumerate(STRANGERS):
            own = str(stranger.home / "stolen.pem")
            script = str(stranger.home / "intruder.py")
            log = f"stranger-{number}"
            found[how] = stranger.start(log, sys.executable, script, SCHEDULER, SERVER, own, how), log
        return found

    def _answer(self, process: subprocess.Popen[bytes], log: str) -> str:
        process.wait(60)
        return (_tail(self.own / f"{log}.log").strip().splitlines() or [""])[-1]

    def _left(self) -> list[str]:
        return sorted(
            f"{name}: {path.name}"
            for name in WORKERS
            for path in (self.machines[name].files / "tmp").glob("mnist-core-*")
        )


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:300]}: {done.stderr.strip()}")


def main(arguments: Sequence[str]) -> None:
    """Run the cluster in the namespaces of this process."""
    folder = Path(arguments[0])
    Cluster(folder, Lengths(**json.loads((folder / "lengths.json").read_text()))).run()


if __name__ == "__main__":
    main(sys.argv[1:])
