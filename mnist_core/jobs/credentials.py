"""Credentials of the local job service: whoever holds them may run code as the account that the service belongs to.

Key and certificate lie in one file, which only its owner may read. They are made at each start of the service and
removed when it stops. Scheduler, workers and clients all show this certificate, and accept no other.

Importing this module imports neither distributed nor cryptography.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_core.errors import JobError, WriteError
from mnist_core.files import replacing
from mnist_core.remote.certificates import key_and_certificate

if TYPE_CHECKING:
    from distributed.security import Security


@contextlib.contextmanager
def made(folder: Path, attempt: int) -> Iterator[Path]:
    """Make new credentials, and remove them when the block ends.

    Parameters
    ----------
    folder
        where the file `credentials-ATTEMPT.pem` goes. On a file system that keeps no modes, such as FAT or a Windows
        drive under WSL, it goes to a private folder among the system's temporary files.
    attempt
        the number of the service's lease, so that the file of one service is never taken for that of another.
    """
    for left in folder.glob("credentials-*.pem"):  # by services that were killed
        left.unlink(missing_ok=True)
    path = folder / f"credentials-{attempt}.pem"
    _write_new(path)
    elsewhere = None if _problem(path) is None else Path(tempfile.mkdtemp(prefix="mnist-core-"))
    if elsewhere:
        path.unlink()
        path = elsewhere / path.name
        _write_new(path)  # another key, as that one could be read
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        if elsewhere:
            shutil.rmtree(elsewhere, ignore_errors=True)


def _write_new(path: Path) -> None:
    with replacing(path, durable=False, private=True) as file:
        file.write(key_and_certificate("mnist-core job service"))


def security(file: str) -> Security:
    """Return what scheduler, workers and clients need to talk to each other with these credentials.

    It names the file and does not hold the key, so nothing that is sent, logged or put in an environment has the key.

    Raises
    ------
    JobError
        where the file is not there, may not be read, or may be read or was made by another account; or there is no
        file, as services had none once.
    """
    if not file:
        raise JobError(
            "the job service that is running was started by an earlier version, which did not encrypt; "
            "stop it with `python -m mnist_core.jobs.service --stop`, and it starts anew"
        )
    problem = _problem(Path(file))
    if problem:
        raise JobError(problem)
    from distributed.security import Security

    make: Any = Security  # distributed has no types
    parts = ("ca_file", *(f"{role}_{part}" for role in ("client", "scheduler", "worker") for part in ("cert", "key")))
    found: Security = make(require_encryption=True, **{f"tls_{part}": file for part in parts})
    return found


def _problem(path: Path) -> str | None:
    """Return why the credentials cannot be trusted, or None.

    Whoever made them may run code here: a client reads what a scheduler sends with pickle.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except PermissionError:
        return (
            "the job service of this store was started by another account, which alone may use it; use a store of "
            "your own (MNIST_CORE_STORE), or wait until it has stopped"
        )
    except OSError as error:
        return f"the job service has no credentials ({error.strerror}); it is about to stop, so try again"
    if os.name != "posix":
        return None  # there the folders of a user's profile are private
    if status.st_uid != os.geteuid():
        return (
            f"the job service of this store was started by another account (user id {status.st_uid}); use a store of "
            "your own (MNIST_CORE_STORE), or wait until it has stopped"
        )
    if status.st_mode & 0o077:
        return f"other accounts may read the job service's credentials, {path}; stop the service, and it starts anew"
    return None


def main(arguments: list[str] | None = None) -> int:
    """Write a key with its certificate for a scheduler elsewhere, its workers and its clients into one new file."""
    parser = argparse.ArgumentParser(prog="python -m mnist_core.jobs.credentials", description=main.__doc__)
    parser.add_argument("file", type=Path, help="where it goes; readable for its owner alone")
    path: Path = parser.parse_args(arguments).file
    if path.exists():
        parser.exit(1, f"{path} is there already; delete it first, or choose another name\n")
    try:
        with replacing(path, private=True) as file:
            file.write(key_and_certificate("mnist-core cluster"))
    except WriteError as error:
        parser.exit(1, f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
