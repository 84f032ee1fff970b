"""What a worker without the store's folder does: it trains in a temporary folder, and sends all to the store server.

The temporary folder holds a store with this one run, so that `execute` trains it as it trains any other. `Sync` sends
what it writes, and brings what people want. Importing this module imports neither distributed nor TensorFlow.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mnist_core.data import duplicates
from mnist_core.data.datasets import (
    BUILT_IN,
    MNIST_VARIABLE,
    MOST_DATASET_BYTES,
    Catalog,
    find_mnist,
    fingerprint,
    read_npz,
)
from mnist_core.errors import DatasetError, JobError, MnistCoreError, StaleAttempt, WriteError
from mnist_core.files import make_folder, parse_json, placing, write_json
from mnist_core.jobs.execution import Train, execute
from mnist_core.jobs.execution import sentence as error_sentence
from mnist_core.processes import may_have_made
from mnist_core.remote import protocol
from mnist_core.remote.client import Client, HeldByAnother, NothingToTrain, ServerAddress, Unreachable
from mnist_core.remote.protocol import Claimed
from mnist_core.remote.sync import Sync, wait_s
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.states import RunState
from mnist_core.runs.store import Store, default_root

_PREFIX = "mnist-core-run-"
CACHE_VARIABLE = "MNIST_CORE_CACHE"
CLAIM_PATIENCE_S = 300.0
"""Seconds for which a worker tries to reach the server before a training, and for which it waits for another holder."""
LEFT_BEHIND_S = 86_400.0
END_PATIENCE_S = 900.0
"""Seconds for which a worker tries to deliver a run that it has trained."""

logger = logging.getLogger("mnist_core.jobs.remote_training")


@dataclass(frozen=True)
class Task:
    """What a worker must know of a run to train it: all but the address is checked by the server.

    server: as `ServerAddress` writes it. token: of this run and request.
    """

    server: str
    token: str
    run_id: str
    requests: int


def train_remotely(task: Task, *, train: Train | None = None, interval_s: float | None = None) -> RunState | None:
    """Train a run of a store server; return what `execute` gives, None where it was not for this worker to train.

    Raises
    ------
    JobError
        where the server cannot be reached for CLAIM_PATIENCE_S, or refuses.
    """
    client = Client(ServerAddress.parse(task.server), task.token, secrets.token_hex(32))
    try:
        files = _claimed(client, task)
    except (NothingToTrain, StaleAttempt) as error:
        logger.info("nothing to train: %s", error)
        return None
    _sweep()
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        return _trained(client, task, files, Path(folder), train, interval_s)


def _sweep() -> None:
    """Delete the temporary folders of workers that were killed, a day later: containers may share the folder."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        found = re.match(rf"{_PREFIX}([0-9]+)-", path.name)
        with contextlib.suppress(OSError):
            made_at = path.stat().st_mtime
            if found and not may_have_made(int(found[1]), made_at) and time.time() - made_at > LEFT_BEHIND_S:
                shutil.rmtree(path, ignore_errors=True)  # that of another account stays


def _claimed(client: Client, task: Task) -> dict[str, bytes]:
    """Return the files that the server gives with the run; wait where it does not answer, or another process ends."""
    deadline, tries = time.monotonic() + CLAIM_PATIENCE_S, 0
    while True:
        try:
            return _unpacked(client.claim(task.run_id, task.requests))
        except HeldByAnother:
            # of a process that trains on the server's machine; it may be about to end, and is not waited for long
            if tries >= 3:
                raise
        except Unreachable:
            if time.monotonic() > deadline:
                raise
        tries += 1
        time.sleep(_wait(tries))


def _wait(tries: int) -> float:
    return wait_s(0.5, tries, longest_s=10.0)


def _unpacked(content: bytes) -> dict[str, bytes]:
    allowed = {"claim.json", *protocol.GIVEN, *(f"parent/{name}" for name in protocol.GIVEN_OF_PARENT)}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {name: archive.read(name) for name in archive.namelist() if name in allowed}
        Claimed.model_validate(parse_json(found["claim.json"]))
        return found
    except (zipfile.BadZipFile, ValueError, LookupError, RuntimeError) as error:
        raise JobError(f"the store server gave a run that cannot be read: {error}") from error


def _trained(
    client: Client, task: Task, files: dict[str, bytes], folder: Path, train: Train | None, interval_s: float | None
) -> RunState | None:
    store = _store_of(folder, task.run_id, files)
    run = store.get(task.run_id)
    sync = Sync(client, run.path, files, interval_s=interval_s)
    sync.start()  # now, so that the server hears of this worker while data are fetched
    state: RunState | None = None
    try:
        state = _failed_for_data(client, store, run, sync) or execute(store, run.id, train=train)
    finally:
        # also where this process is being ended: the run is then free at once, and not only after a silence
        delivered = sync.finish(END_PATIENCE_S if state is not None else 5.0)
    _keep_data_check(store, run)
    if not delivered:
        logger.warning("run %s was not delivered: %s", run.id, sync.lost or sync.problem)
        return None
    return state


def _failed_for_data(client: Client, store: Store, run: Run, sync: Sync) -> RunState | None:
    """See that the run's data are in the temporary store; end the run as failed, with the reason, where they cannot."""
    try:
        with contextlib.closing(client.again()) as other:  # the thread of `sync` uses the first one
            _provide_data(other, store, run, sync)
    except StaleAttempt:
        return None  # `sync` has found the same, and `execute` stops before it begins
    except MnistCoreError as error:
        writer = store.open_writer(run.id)
        assert writer is not None  # nobody else knows of this folder
        writer.ended("failed", error_sentence(error))
        return "failed"
    _bring_data_check(store, run)
    return None


def _store_of(folder: Path, run_id: str, files: dict[str, bytes]) -> Store:
    """Make a store with this one run, and the run that it continues."""
    claimed = Claimed.model_validate(parse_json(files["claim.json"]))
    store = Store(folder)
    place = folder / "runs" / run_id
    place.mkdir()
    for name in protocol.GIVEN:
        if name in files:
            (place / name).write_bytes(files[name])
    lease.count_from(place, claimed.lease)  # so that this attempt has the same number here and there
    of_parent = {name: files[f"parent/{name}"] for name in protocol.GIVEN_OF_PARENT if f"parent/{name}" in files}
    if of_parent:
        parent = json.loads(files["config.json"])["parent"]
        (folder / "runs" / parent).mkdir()
        for name, content in of_parent.items():
            (folder / "runs" / parent / name).write_bytes(content)
    return store


# -- the data ----------------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return where a worker keeps data sets that a store server has sent: MNIST_CORE_CACHE, or the user's cache."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_cache_path("mnist-core", appauthor=False)


def _provide_data(client: Client, store: Store, run: Run, sync: Sync) -> None:
    """See that the run's data set is found in the temporary store: here by its fingerprint, or sent by the server."""
    name, wanted = run.dataset, run.status.fingerprint
    if name in BUILT_IN and store.catalog.available(name):
        return  # `execute` compares the fingerprint
    path = _found(name, wanted) or _fetched(client, wanted, sync)
    if name == "mnist":
        os.environ[MNIST_VARIABLE] = str(path)
    else:
        write_json(store.root / "datasets.json", {name: str(path)})


_fingerprints: dict[tuple[str, int, int], str] = {}


def _fingerprint_of(path: Path) -> str | None:
    """Return the fingerprint of a file; None where it cannot be read. It is read once, as long as it stays as it is."""
    try:
        found = path.stat()
        key = str(path), found.st_mtime_ns, found.st_size
        if key not in _fingerprints:
            _fingerprints[key] = fingerprint(read_npz(path))
        return _fingerprints[key]
    except (OSError, DatasetError):
        return None


def _found(name: str, wanted: str) -> Path | None:
    """Return a file of this machine with these data: fetched earlier, or registered under whatever name."""
    registered = Catalog(default_root()).registered()
    places = [cache_folder() / f"{wanted}.npz", *([registered[name]] if name in registered else [])]
    given = find_mnist()
    places += [path for other, path in registered.items() if other != name] + ([given] if given else [])
    return next((path for path in places if path.is_file() and _fingerprint_of(path) == wanted), None)


def _fetched(client: Client, wanted: str, sync: Sync) -> Path:
    """Fetch the data from the server into the cache; refuse others than were wanted."""
    make_folder(cache_folder())
    path = cache_folder() / f"{wanted}.npz"
    deadline, tries = time.monotonic() + CLAIM_PATIENCE_S, 0
    while True:
        try:
            with placing(path) as arrived:
                client.fetch_data(arrived, MOST_DATASET_BYTES)
                found = fingerprint(read_npz(arrived, called="the data set that the store server sent"))
                if found != wanted:
                    raise DatasetError(f"the store server sent data of fingerprint {found}, not {wanted}; try again")
            return path
        except Unreachable:
            tries += 1
            if time.monotonic() > deadline or sync.lost:
                raise
            time.sleep(_wait(tries))


def _bring_data_check(store: Store, run: Run) -> None:
    """Bring what an earlier run found in these data, so that they are not examined for each run."""
    _copy_data_check(cache_folder(), store.root, run)


def _keep_data_check(store: Store, run: Run) -> None:
    _copy_data_check(store.root, cache_folder(), run)


def _copy_data_check(origin: Path, destination: Path, run: Run) -> None:
    source, target = (duplicates.file_of(root, run.status.fingerprint) for root in (origin, destination))
    if run.dataset in BUILT_IN or not source.is_file() or target.exists():
        return
    with contextlib.suppress(OSError, WriteError):
        make_folder(target.parent)
        with placing(target) as arriving:
            shutil.copyfile(source, arriving)
