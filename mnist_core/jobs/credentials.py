"""Credentials of the local job service: whoever holds them may run code as the account that the service belongs to.

Key and certificate lie in one file, which only its owner may read. They are made at each start of the service and
removed when it stops. Scheduler, workers and clients all show this certificate, and accept no other.

Importing this module imports neither distributed nor cryptography.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_core.errors import JobError
from mnist_core.files import replacing

if TYPE_CHECKING:
    from distributed.security import Security

YEARS = 10
"""The certificate outlasts any service: what ends its use is that the service stops."""


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
        file.write(_key_and_certificate())


def _key_and_certificate() -> bytes:
    """Return a new private key and a certificate that it signed itself, in PEM.

    An elliptic curve: its key takes 10 µs, where one of RSA with 2048 bits takes 10 to 70 ms.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mnist-core job service")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # the clock may be set back a little
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret + certificate.public_bytes(serialization.Encoding.PEM)


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
