"""Sends a run that is recorded on this machine to a store server, while it is recorded and at its end.

The run is recorded in a folder of this machine first. So a server that does not answer costs the training nothing: what
was recorded is sent later, and what could not be sent at all is kept as an archive that the store can import.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import NamedTuple

from mnist_core.errors import ConfigError, MnistCoreError
from mnist_core.recording.run_archive import pack
from mnist_core.remote.client import SERVER_VARIABLE, TOKEN_VARIABLE, Client, ServerAddress
from mnist_core.remote.protocol import NewRun
from mnist_core.remote.sync import Sync
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, user_root

PATIENCE_S = 60.0
"""Seconds for which it is tried to send the end of a run."""


class Server(NamedTuple):
    """A store server, and the token with which runs may be added to its store."""

    address: ServerAddress
    token: str


def server_of(server: str | None, token: str | None, store: Store | None) -> Server | None:
    """Return where runs are sent to; None where they are kept in a store on this machine.

    Parameters
    ----------
    server, token
        as `python -m mnist_core serve` prints them. Default: the environment variables MNIST_CORE_SERVER and
        MNIST_CORE_SERVER_TOKEN, where no store is given.
    store
        on this machine.

    Raises
    ------
    ConfigError
        where both a server and a store are given, the address cannot be used, or there is no token.
    """
    if server and store is not None:
        raise ConfigError("give either `server` or `store`: a run is recorded in one place")
    given = server or (os.environ.get(SERVER_VARIABLE) if store is None else None)
    if not given:
        return None
    address = ServerAddress.parse(given)
    found = token or os.environ.get(TOKEN_VARIABLE)
    if not found:
        raise ConfigError(
            f"the store server at {address.short} needs a token: give `token`, or set {TOKEN_VARIABLE}, to what "
            "`python -m mnist_core serve --token` prints where the store is"
        )
    return Server(address, found)


class Elsewhere:
    """The way of one run to a store server.

    store: on this machine, for this run alone.
    """

    def __init__(self, server: Server) -> None:
        self.address, self._token = server
        self._folder = user_root() / "unsent" / secrets.token_hex(8)
        self.store = Store(self._folder)
        self._sync: Sync | None = None

    def begin(self, run: Run) -> None:
        """Begin to send a run of `store`."""
        assert run.recorded is not None
        client = Client(self.address, self._token, secrets.token_hex(32))
        new = NewRun(
            attempt=client.attempt,
            recorded=run.recorded,
            name=run.name,
            tags=run.meta.tags,
            note=run.meta.note,
            fingerprint=run.status.fingerprint,
        )
        self._sync = Sync(client, run.path, begin=lambda: client.record(new), stops=False)
        self._sync.start()

    def end(self, run: Run) -> str:
        """Send the end of the run; return nothing, or a sentence about where it is kept if it could not be sent."""
        if self._sync is None:
            return ""
        if self._sync.finish(PATIENCE_S):
            shutil.rmtree(self._folder, ignore_errors=True)
            return ""
        reason = self._sync.lost or self._sync.problem
        kept = self._kept(run)
        return (
            f"the run could not be sent to {self.address.short} ({reason}). It is kept in {kept}; where the store is, "
            f"`python -m mnist_core import {kept.name}` takes it in"
        )

    def _kept(self, run: Run) -> Path:
        """Return the archive with the run; the folder where no archive can be written."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", run.name).strip("-") or "run"
        path = self._folder.with_name(f"{stem}-{run.id}.zip")
        with contextlib.suppress(MnistCoreError, OSError):
            pack([self.store.get(run.id)], path)
            shutil.rmtree(self._folder, ignore_errors=True)
            return path
        return self._folder
