"""The client of a store server: HTTPS with the standard library, to a server whose certificate is known beforehand."""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from mnist_core.errors import ConfigError, JobError, StaleAttempt
from mnist_core.files import parse_json, printable, writing
from mnist_core.remote import protocol
from mnist_core.remote.protocol import AttemptClaim, Claimed, End, Heartbeat, NewRun, Release, Wishes

SERVER_VARIABLE = "MNIST_CORE_SERVER"
TOKEN_VARIABLE = "MNIST_CORE_SERVER_TOKEN"
TIMEOUT_S = 20.0
"""Seconds that the network may be silent within one request."""
MOST_ANSWER_BYTES = 2**30
_FORM = "https://HOST:PORT#sha256=FINGERPRINT, as `python -m mnist_core serve` prints it"

ReplyT = TypeVar("ReplyT", bound=BaseModel)


class Unreachable(JobError):
    """The server does not answer now; the same request may succeed later."""


class NothingToTrain(JobError):
    """The run has ended, or somebody else trains it."""


class HeldByAnother(NothingToTrain):
    """Another process holds the run now."""


@dataclass(frozen=True)
class ServerAddress:
    """The address of a store server.

    pin: SHA-256 of its certificate in DER, 64 hexadecimal digits; empty for a certificate of a public authority, which
    is then checked against those that the system trusts.
    """

    host: str
    port: int
    pin: str = ""

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Return the address in a text.

        Raises
        ------
        ConfigError
            where it is not of the form ``https://HOST:PORT#sha256=FINGERPRINT``; plain HTTP is refused.
        """
        shown = repr(printable(text)[:200])
        try:
            parts = urlsplit(text.strip())
            port = parts.port or 443
        except ValueError as error:
            raise ConfigError(f"{shown} is not the address of a store server; give {_FORM}") from error
        if parts.scheme == "http":
            raise ConfigError(f"{shown} is not encrypted, and runs are sent encrypted only; give {_FORM}")
        pin = parts.fragment.lower().removeprefix("sha256=").replace(":", "")
        wrong = parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query
        if wrong or (parts.fragment and not re.fullmatch(r"[0-9a-f]{64}", pin)):
            raise ConfigError(f"{shown} is not the address of a store server; give {_FORM}")
        return cls(str(parts.hostname), port, pin)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}" + (f"#sha256={self.pin}" if self.pin else "")

    @property
    def short(self) -> str:
        """The address without the fingerprint, for messages."""
        return str(self).partition("#")[0]


class _Connection(http.client.HTTPSConnection):
    """Compares the server's certificate with the fingerprint before anything is sent."""

    def __init__(self, address: ServerAddress) -> None:
        context = ssl.create_default_context()
        if address.pin:
            # The fingerprint takes the place of names, authorities and dates, so that no clock has to be right.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        super().__init__(address.host, address.port, timeout=TIMEOUT_S, context=context)
        self._address = address

    def connect(self) -> None:
        super().connect()
        if self._address.pin:
            certificate = self.sock.getpeercert(binary_form=True) or b""
            found = protocol.sha256(certificate)
            if not hmac.compare_digest(found, self._address.pin):
                self.close()
                raise JobError(
                    f"the server at {self._address.short} shows another certificate (SHA-256 {found}) than the address "
                    f"names ({self._address.pin}); nothing was sent. Check the address with whoever runs the server"
                )


class Client:
    """Sends the runs of one attempt; for one thread at a time.

    Parameters
    ----------
    address, token
        of the server; the token is replaced by that of the run where a run from outside is made.
    attempt
        the secret of the attempt, 64 hexadecimal digits.

    All methods raise Unreachable where the server does not answer or asks to try again, StaleAttempt where the attempt
    does not hold the run any more, and JobError where the server refuses or is another one.
    """

    def __init__(self, address: ServerAddress, token: str, attempt: str) -> None:
        self.address = address
        self.attempt = attempt
        self._token = token
        self._run = ""
        self._connection: _Connection | None = None

    def again(self) -> Client:
        """Return another client of the same attempt, for another thread."""
        other = Client(self.address, self._token, self.attempt)
        other._run = self._run
        return other

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    # -- the messages --------------------------------------------------------------------------------------------------

    def claim(self, run_id: str, requests: int) -> bytes:
        """Claim a run for this attempt; return a zip file with what its folder needs.

        Raises NothingToTrain where it has ended, and HeldByAnother where another process trains it.
        """
        self._run = f"/v1/runs/{run_id}/{requests}"
        claim = AttemptClaim(attempt=self.attempt)
        return self._ask("POST", f"{self._run}/claim", _json(claim), most=MOST_ANSWER_BYTES)

    def record(self, new: NewRun) -> Claimed:
        """Make a run from outside, and claim it."""
        found = self._parsed(Claimed, self._ask("POST", "/v1/recorded", _json(new)))
        self._run, self._token = f"/v1/runs/{found.run_id}/{found.requests}", found.token
        return found

    def heartbeat(self, message: Heartbeat) -> Wishes:
        """Send a sign of life, with what is new."""
        return self._parsed(Wishes, self._ask("POST", f"{self._run}/heartbeat", _json(message)))

    def send(self, name: str, content: bytes) -> None:
        """Send a file of the run."""
        headers = {protocol.DIGEST_HEADER: protocol.digest(content), "Content-Type": "application/octet-stream"}
        self._ask("PUT", f"{self._run}/files/{name}", content, headers)

    def end(self, message: End) -> None:
        """End the run."""
        self._ask("POST", f"{self._run}/end", _json(message))

    def release(self, message: Release) -> None:
        """Give the run up."""
        self._ask("POST", f"{self._run}/release", _json(message))

    def fetch_data(self, path: Path, most: int) -> None:
        """Fetch the run's data set, of at most `most` bytes, into a file; what has come stays where this fails."""
        with self._answer("GET", f"{self._run}/data", b"", {}) as answer, writing(path), path.open("wb") as file:
            taken = 0
            while chunk := _reading(answer, 2**20, self.address):
                taken += len(chunk)
                if taken > most:
                    raise JobError(f"the data set is longer than {most / 2**20:.0f} MB, the most that is fetched")
                file.write(chunk)
            if answer.length:
                raise Unreachable(f"the connection to {self.address.short} broke within the data set")

    # -- one request ---------------------------------------------------------------------------------------------------

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None, *, most: int = 2**20
    ) -> bytes:
        with self._answer(method, path, body, headers or {"Content-Type": "application/json"}) as answer:
            content = _reading(answer, most + 1, self.address)
            if len(content) > most:
                raise JobError(
                    f"the answer of {self.address.short} is longer than {most >> 20} MB; is it a store server?"
                )
            return content

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request; give the answer where it is a good one. The connection is kept for the next one."""
        try:
            answer = self._sent(method, path, body, headers)
        except JobError:
            self.close()
            raise
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise JobError(
                f"this machine does not trust the certificate of {self.address.short} ({error.verify_message}); "
                f"give its fingerprint with the address: {_FORM}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"the store server at {self.address.short} does not answer ({_words(error)})") from error
        try:
            if answer.status >= 300:
                self._raise(answer)
            yield answer
        finally:
            if not answer.isclosed():
                self.close()

    def _sent(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        always = {"Authorization": f"Bearer {self._token}", protocol.ATTEMPT_HEADER: self.attempt}
        fresh = self._connection is None
        if self._connection is None:
            self._connection = _Connection(self.address)
        try:
            self._connection.request(method, path, body=body, headers=always | headers)
            return self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest):
            if fresh:
                raise
            self.close()  # the server closes connections that were idle for a while; every request may be repeated
            return self._sent(method, path, body, headers)

    def _raise(self, answer: http.client.HTTPResponse) -> None:
        try:
            reason = str(parse_json(answer.read(2**16))["error"])[:1000]
        except (OSError, http.client.HTTPException, ValueError, TypeError, LookupError):
            reason = f"the answer was {answer.status} {answer.reason}"
        if answer.status == 409:
            raise StaleAttempt(reason)
        if answer.status == 410:
            raise NothingToTrain(reason)
        if answer.status == 423:
            raise HeldByAnother(reason)
        if answer.status == 408 or answer.status >= 500:
            raise Unreachable(f"the store server at {self.address.short} cannot do this now: {reason}")
        raise JobError(f"the store server at {self.address.short} refuses: {reason}")

    def _parsed(self, kind: type[ReplyT], content: bytes) -> ReplyT:
        try:
            return kind.model_validate(parse_json(content))
        except ValueError as error:
            raise JobError(f"{self.address.short} does not answer as a store server of this version does") from error


def _reading(answer: http.client.HTTPResponse, most: int, address: ServerAddress) -> bytes:
    try:
        return answer.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the connection to {address.short} broke ({_words(error)})") from error


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _json(message: BaseModel) -> bytes:
    return json.dumps(message.model_dump(mode="json"), allow_nan=False).encode()
