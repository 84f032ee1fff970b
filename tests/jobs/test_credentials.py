"""The job service runs code for the account that started it, and for nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mnist_core.errors import JobError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import credentials, local_service, runners
from mnist_core.jobs.local_service import ServiceRecord
from mnist_core.jobs.runners import ServiceRunner
from mnist_core.runs.store import Store
from tests.support.jobs import workers_without_tensorflow
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
NOBODY = 65534
FORKS = pytest.mark.skipif(os.name != "posix", reason="this system has no account numbers")
MODES = pytest.mark.skipif(os.name != "posix", reason="this system has no file modes")

Alive = Callable[[], list[psutil.Process]]

# What somebody on this machine would try, several of them, each in a process of its own (the parent only waits). It
# imports all first, as another account may be unable to read this Python.
INTRUDERS = """
import json, os, sys
import distributed, distributed.comm.tcp, distributed.security
from mnist_core.jobs import credentials

def intrude(address, secret, own, uid):
    if own == "foreign":
        trusted = distributed.Security.temporary()
    else:
        trusted = credentials.security(own) if own else None
    os.setgid(uid), os.setuid(uid)
    found = {}
    try:
        open(secret).read()
        found["reads"] = True
    except OSError as error:
        found["reads"] = type(error).__name__
    try:
        with distributed.Client(address, security=trusted, timeout=2, set_as_default=False) as client:
            found["runs as"] = client.run_on_scheduler(os.getuid)
    except Exception as error:
        found["runs as"] = type(error).__name__
    return found

for given in json.loads(sys.argv[1]):
    pid = os.fork()
    if pid == 0:
        print(json.dumps(intrude(*given)), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""
Intrusion = tuple[str, str, int]
"""The scheme; a file with credentials that the intruder shows, or `foreign` for some that it makes, or none; a user."""
Intrude = Callable[[Intrusion], dict[str, Any]]


@pytest.fixture(scope="module")
def no_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with workers_without_tensorflow(tmp_path_factory.mktemp("no-tensorflow")):
        yield


@pytest.fixture(scope="module")
def service(started_processes: Alive, no_tensorflow: None) -> Iterator[ServiceRecord]:
    """A service with one worker. Other accounts may look into its store, so only the files' own modes protect them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = Store(Path(folder) / "artifacts").root
        local_service.start(root, "--workers", "1")
        until(lambda: local_service.status(root).workers == 1)
        record = local_service.running(root)
        assert record
        yield record
        local_service.stop(root)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Path]:
    """Credentials made in the same way, by somebody else."""
    with credentials.made(tmp_path, 1) as path:
        yield path


REFUSED = {"OSError", "CommClosedError", "FatalCommClosedError"}


@pytest.fixture(scope="module")
def intrude(service: ServiceRecord) -> Intrude:
    """What an account gets that tries to read the credentials and to run code in the scheduler."""
    own = os.getuid()
    wanted: list[Intrusion] = [("tls", service.credentials, own), ("tcp", "", own), ("tls", "foreign", own)]
    if own == 0:
        wanted += [("tcp", "", NOBODY), ("tls", "foreign", NOBODY)]
    place = service.address.removeprefix("tls://")
    given = json.dumps([(f"{scheme}://{place}", service.credentials, shown, uid) for scheme, shown, uid in wanted])
    result = subprocess.run(
        [sys.executable, "-c", INTRUDERS, given], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return dict(zip(wanted, map(json.loads, result.stdout.splitlines()), strict=True)).__getitem__


def listening(processes: list[psutil.Process]) -> list[tuple[str, int]]:
    return [
        tuple(connection.laddr)
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]


def sockets(record: ServiceRecord, started_processes: Alive) -> list[tuple[str, int]]:
    """Where the service and all its children listen: scheduler, nanny and worker at least."""
    family = [psutil.Process(record.pid), *psutil.Process(record.pid).children(recursive=True)]
    found = listening(family)
    assert len(found) >= 3
    assert sorted(found) == sorted(listening(started_processes()))
    return found


# -- who may come in ---------------------------------------------------------------------------------------------------


@FORKS
def test_the_account_that_started_it_runs_code_there(service: ServiceRecord, intrude: Intrude) -> None:
    """Shows also that the attempts below are refused for what they are, and not for how they are made."""
    assert intrude(("tls", service.credentials, os.getuid())) == {"reads": True, "runs as": os.getuid()}


@FORKS
def test_a_client_without_encryption_is_refused(intrude: Intrude) -> None:
    assert intrude(("tcp", "", os.getuid()))["runs as"] in REFUSED


@FORKS
def test_a_client_with_a_foreign_certificate_is_refused(intrude: Intrude) -> None:
    assert intrude(("tls", "foreign", os.getuid()))["runs as"] in REFUSED


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can act as another account")
@pytest.mark.parametrize(("scheme", "own"), [("tcp", ""), ("tls", "foreign")])
def test_another_account_neither_reads_the_credentials_nor_runs_code(scheme: str, own: str, intrude: Intrude) -> None:
    found = intrude((scheme, own, NOBODY))
    assert found["reads"] == "PermissionError"
    assert found["runs as"] in REFUSED


def test_all_that_listens_is_on_this_machine_and_shows_the_certificate(
    service: ServiceRecord, started_processes: Alive
) -> None:
    text = Path(service.credentials).read_text()
    certificate = text[text.index("-----BEGIN CERTIFICATE") :]
    for address in sockets(service, started_processes):
        assert address[0] == "127.0.0.1"
        assert ssl.get_server_certificate(address, timeout=10) == certificate


def test_all_that_listens_wants_the_certificate(
    service: ServiceRecord, foreign: Path, started_processes: Alive
) -> None:
    for address in sockets(service, started_processes):
        for shown in (None, foreign, Path(service.credentials)):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if shown:
                context.load_cert_chain(shown)
            with (
                socket.create_connection(address, timeout=10) as plain,
                context.wrap_socket(plain) as encrypted,
                pytest.raises(ssl.SSLError) if shown != Path(service.credentials) else contextlib.nullcontext(),
            ):
                assert encrypted.recv(1)  # a scheduler, a nanny and a worker all speak first


# -- where the key is --------------------------------------------------------------------------------------------------


@MODES
def test_only_its_owner_may_read_the_file_whatever_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    replace_ = os.replace

    def look(source: str, target: Path) -> None:
        modes.append(os.stat(source).st_mode & 0o777)
        replace_(source, target)

    monkeypatch.setattr(os, "replace", look)
    before = os.umask(0)
    try:
        with credentials.made(tmp_path, 1) as path:
            modes.append(path.stat().st_mode & 0o777)
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]


def test_credentials_are_new_each_time_and_gone_afterwards(tmp_path: Path) -> None:
    contents = set()
    for attempt in (1, 2):
        with credentials.made(tmp_path, attempt) as path:
            contents.add(path.read_bytes())
        assert list(tmp_path.iterdir()) == []
    assert len(contents) == 2


def test_what_a_killed_service_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "credentials-1.pem").write_text("left")
    with credentials.made(tmp_path, 2) as path:
        assert list(tmp_path.iterdir()) == [path]


@MODES
def test_where_the_store_keeps_no_modes_the_file_lies_among_the_temporary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, temporary = tmp_path / "store", tmp_path / "temporary"
    store.mkdir()
    temporary.mkdir()
    replace_ = os.replace
    readable = []

    def as_on_fat(source: str, target: Path) -> None:
        replace_(source, target)
        if store in Path(target).parents:
            os.chmod(target, 0o777)
            readable.append(Path(target).read_bytes())

    monkeypatch.setattr(os, "replace", as_on_fat)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with credentials.made(store, 1) as path:
        assert path.parent.parent == temporary
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert credentials.security(str(path)).require_encryption
        assert list(store.iterdir()) == []
        assert path.read_bytes() not in readable
    assert list(temporary.iterdir()) == []


def test_the_key_is_in_no_command_line_environment_log_or_address_file(
    service: ServiceRecord, started_processes: Alive
) -> None:
    key = Path(service.credentials).read_text().splitlines()[1]
    assert len(key) == 64
    root = Path(service.credentials).parents[1]
    places = [path.read_text() for path in (local_service.record_path(root), local_service.log_path(root))]
    for process in started_processes():
        places += [*process.cmdline(), *process.environ().values()]
    assert len(places) > 10
    assert not [place for place in places if key in place]


# -- what a client trusts ----------------------------------------------------------------------------------------------


@MODES
def test_credentials_that_others_may_read_are_refused(foreign: Path) -> None:
    os.chmod(foreign, 0o640)
    with pytest.raises(JobError, match="other accounts may read"):
        credentials.security(str(foreign))


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give a file away")
def test_credentials_of_another_account_are_refused_even_by_root(foreign: Path) -> None:
    os.chown(foreign, NOBODY, NOBODY)
    with pytest.raises(JobError, match=r"another account \(user id 65534\)"):
        credentials.security(str(foreign))


def test_a_service_of_an_earlier_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="earlier version"):
        credentials.security("")
    with pytest.raises(JobError, match="no credentials"):
        credentials.security(str(tmp_path / "credentials-1.pem"))


def test_a_client_of_a_service_that_was_replaced_reads_the_new_credentials(
    tmp_path: Path, small_config: RunConfig, started_processes: Alive, no_tensorflow: None
) -> None:
    store = Store(tmp_path / "artifacts")
    runner = ServiceRunner(store, options=("--workers", "1"))
    try:
        runner.submit(store.add(small_config, name="a run")[0].id)
        first = local_service.running(store.root)
        assert first
        stale = Path(first.credentials).read_bytes()
        psutil.Process(first.pid).kill()
        until(lambda: local_service.running(store.root) is None)
        runner.submit(store.add(small_config.replace(training__seed=1), name="a run")[0].id)
        second = local_service.running(store.root)
        assert second
        assert second.credentials != first.credentials
        assert not Path(first.credentials).exists()
        assert Path(second.credentials).read_bytes() != stale
    finally:
        runner.stop()
    assert not Path(second.credentials).exists()


# -- a scheduler elsewhere ---------------------------------------------------------------------------------------------


def test_a_scheduler_elsewhere_is_reached_with_the_certificates_of_dasks_own_configuration(
    service: ServiceRecord, store: Store
) -> None:
    """In a process of its own, as dask reads its environment when it is imported."""
    code = (
        "import sys; from pathlib import Path; from mnist_core.jobs.runners import ServiceRunner; "
        "from mnist_core.runs.store import Store; runner = ServiceRunner(Store(Path(sys.argv[1]))); "
        "print(runner._connected().scheduler_info()['address'], runner.status().state); runner.close()"
    )
    names = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
    environment = os.environ | {
        "MNIST_CORE_SCHEDULER": service.address,
        **{f"DASK_DISTRIBUTED__COMM__TLS__{name}": service.credentials for name in names},
    }
    command = [sys.executable, "-c", code, str(store.root)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.split() == [service.address, "remote"]


def test_a_scheduler_elsewhere_without_certificates_says_which_settings_name_them(
    service: ServiceRecord, store: Store, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "CONNECT_LIMIT_S", 1.0)
    run = store.add(small_config, name="a run")[0]
    with pytest.raises(JobError, match="DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        ServiceRunner(store, service.address).submit(run.id)
    assert store.get(run.id).state == "queued"
