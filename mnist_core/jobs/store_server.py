"""The store server: the only writer of a store for workers, notebooks and students on other machines.

    python -m mnist_core serve --address https://HOST:PORT

It listens on the network, encrypted always, and takes messages with a token only (see `remote.protocol`). The store's
folder `.service/server/` has its lease, its certificate and key, the secret of its tokens and its record, each readable
for their owner only. Certificate and secret stay when it is started again, so that workers find the same server again.

Importing this module imports neither uvicorn nor cryptography.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from pydantic import TypeAdapter

from mnist_core import processes
from mnist_core.errors import ConfigError, JobError
from mnist_core.files import make_folder, read_bytes, read_json, replacing, try_writing, write_json
from mnist_core.jobs import local_service
from mnist_core.jobs.attempts import SILENCE_S, Attempts
from mnist_core.remote import certificates
from mnist_core.remote.client import ServerAddress
from mnist_core.remote.protocol import Tokens
from mnist_core.runs import lease
from mnist_core.runs.store import Store

DEFAULT_PORT = 8790
START_LIMIT_S = 30.0
MOST_CONNECTIONS = 2000
"""The most connections at once; whoever comes then is answered 503, and tries again."""
TICK_S = 1.0

logger = logging.getLogger("mnist_core.jobs.store_server")


@dataclass(frozen=True)
class ServerRecord(processes.NamedProcess):
    """`server.json`: where the server is reached, with its fingerprint, and its process."""

    address: str


_RECORD = TypeAdapter(ServerRecord)


def folder(root: Path) -> Path:
    """Return the folder of the store's server, made if it does not exist. Raises WriteError."""
    found = local_service.lock_folder(root) / "server"
    make_folder(found)
    return found


def _record_path(root: Path) -> Path:
    return root / ".service" / "server" / "server.json"


def running(root: Path) -> ServerRecord | None:
    """Return the server of the store at `root`, where one is running."""
    try:
        record = _RECORD.validate_python(read_json(_record_path(root)))
    except (OSError, ValueError):
        return None
    return record if record.alive() else None


def tokens(root: Path) -> Tokens:
    """Return the tokens of the store's server; its secret is made where there is none. Raises WriteError."""
    return Tokens(_private(folder(root) / "secret", lambda: secrets.token_hex(32).encode()))


def _private(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the content of a file that its owner alone may read; it is made where it does not exist."""
    if not path.exists():
        with replacing(path, private=True) as file:
            file.write(make())
    if os.name == "posix":  # elsewhere the folders of a user's profile are private
        found = path.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise JobError(
                f"{path} belongs to, or may be read by, another account, which could then write to this store; use a "
                "store of your own on a file system with owners and modes, or delete that file where it is yours"
            )
    return read_bytes(path)


# -- the process -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """How a server is started.

    address: where others reach it, as ``https://HOST:PORT``; the fingerprint of its certificate is added. listen: the
    address of this machine that it listens on; port 0 in `address` takes a free one. certificate, key: files in PEM of
    a certificate that you have; without them it makes its own.
    """

    address: str
    listen: str = "0.0.0.0"
    certificate: Path | None = None
    key: Path | None = None
    silence_s: float = SILENCE_S


class StoreServer:
    """A server of a store in this process, in a thread of its own; `serve` runs one until it is stopped.

    Raises
    ------
    ConfigError
        where the address or the certificate cannot be used.
    JobError
        where another server serves this store, the port is taken, or others may read its secret.
    """

    def __init__(self, store: Store, options: Options, *, attempts: Attempts | None = None) -> None:
        self.store, self.options = store, options
        self._root = store.root.resolve()
        parts = urlsplit(options.address)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if parts.scheme != "https" or not host:
            raise ConfigError(
                f"{options.address!r} is no address that workers can reach; give https://HOST:PORT with the name of "
                "this machine as they know it"
            )
        self._host, self._port = host, DEFAULT_PORT if port is None else port
        self.tokens = tokens(self._root)
        self.attempts = attempts or Attempts(store, self.tokens, silence_s=options.silence_s)
        self._held: lease.Lease | None = None
        self._server: Any = None
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self.address = ""
        """Where it is reached, with the fingerprint; empty until it is started."""

    def start(self) -> None:
        """Listen, and return when requests are answered."""
        local_service.wait_for_another_machine(folder(self._root), "store server")
        self._held = lease.claim(folder(self._root))
        if self._held is None:
            raise JobError("another store server serves this store already; stop that one first")
        self._held.forget_earlier()
        try:
            self._listen()
        except BaseException:
            self._held.release()
            raise

    def _listen(self) -> None:
        import uvicorn

        from mnist_core.jobs.store_app import app
        from mnist_core.jobs.store_connections import TimedConnection

        certificate, key = self._certificate()
        try:
            pin = certificates.fingerprint(certificate)
        except (OSError, ValueError) as error:
            raise ConfigError(f"the certificate {certificate} cannot be used: {error}") from error
        socket = _socket(self.options.listen, self._port)
        self.address = str(ServerAddress(self._host, int(socket.getsockname()[1]), pin))
        config = uvicorn.Config(
            app(self.attempts, self.tokens),
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
            log_config=None,  # uvicorn's own would close the handlers of this process
            access_log=False,
            lifespan="off",
            timeout_keep_alive=75,
            http=TimedConnection,
            limit_concurrency=MOST_CONNECTIONS,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._threads = [
            threading.Thread(target=self._server.run, args=([socket],), name="store-server", daemon=True),
            threading.Thread(target=self._tick, name="store-server-silence", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + START_LIMIT_S
        while not self._server.started:
            if not self._threads[0].is_alive() or time.monotonic() > deadline:
                raise JobError("the store server could not be started; check its certificate and key")
            time.sleep(0.01)
        record = ServerRecord(self.address, **processes.this_process())
        write_json(_record_path(self._root), asdict(record), durable=False)

    def _certificate(self) -> tuple[Path, Path]:
        given = self.options.certificate
        if given is not None:
            return given, self.options.key or given
        path = folder(self._root) / "certificate.pem"
        _private(path, lambda: certificates.key_and_certificate("mnist-core store server"))
        return path, path

    def _tick(self) -> None:
        while not self._stopped.wait(TICK_S):
            try:
                self.attempts.release_silent()
                if self._held is not None:
                    self._held.check()
            except Exception:
                logger.exception("a look at the workers failed")

    def stop(self) -> None:
        """End it; runs that workers train are interrupted, and go on when a server is there again."""
        self._stopped.set()
        if self._server is not None:
            self._server.should_exit = True
        for thread in self._threads:
            thread.join(10)
        self.attempts.close()
        with contextlib.suppress(OSError):
            _record_path(self._root).unlink(missing_ok=True)
        if self._held is not None:
            self._held.release()


def _socket(host: str, port: int) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two servers listen on one port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise JobError(
            f"the store server cannot listen on {host}, port {port} ({error.strerror}); choose another port"
        ) from error
    return made


@contextlib.contextmanager
def serving(store: Store, options: Options) -> Iterator[StoreServer]:
    """Serve a store while the block lasts."""
    server = StoreServer(store, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def wait_for_a_signal() -> None:
    """Return when the process is asked to end."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    stopping.wait()


def start(root: Path, address: str) -> ServerRecord:
    """Return the running server of the store at `root`, started as a process of its own where there is none.

    Raises
    ------
    JobError
        where it does not come up; `server.log` in the store says why. Where another machine serves this store.
    """
    local_service.wait_for_another_machine(root / ".service" / "server", "store server")
    deadline = time.monotonic() + START_LIMIT_S
    process = None
    while time.monotonic() < deadline:
        record = running(root)
        if record is not None:
            return record
        if process is None:
            try_writing(root)
            arguments = ["-m", "mnist_core", "serve", "--store", str(root), "--address", address]
            process = local_service.detached(arguments, root / "server.log")
        elif process.poll() is not None and not lease.held(folder(root)):
            break  # where another one is about to serve, it gave way
        time.sleep(0.05)
    raise JobError(f"the store server for {address} did not come up; see server.log in the store")


def stop(root: Path, *, patience_s: float = 15.0) -> bool:
    """End the server of a store; True if there was one. Raises JobError where another account has started it."""
    record = running(root)
    if record is None:
        return False
    try:
        process = psutil.Process(record.pid)
        process.terminate()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        raise JobError("the store server was started by another account, which alone may stop it") from None
    processes.wait_for_end([process], patience_s)
    return True
