"""The store server's web application: checks tokens, sizes and hashes, and hands each message to `Attempts`."""

from __future__ import annotations

import asyncio
import hmac
import io
import logging
import re
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mnist_core.constants import __version__
from mnist_core.errors import MnistCoreError, RunNotFound, StaleAttempt, WriteError
from mnist_core.experiments.frozen import explain
from mnist_core.files import parse_json, printable
from mnist_core.jobs.attempts import Attempts
from mnist_core.remote import protocol
from mnist_core.remote.client import HeldByAnother, NothingToTrain
from mnist_core.remote.protocol import AttemptClaim, End, Heartbeat, NewRun, Release, Tokens

Message = TypeVar("Message", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]

_STATUS: Mapping[type[MnistCoreError], int] = {
    RunNotFound: 410,
    StaleAttempt: 409,
    HeldByAnother: 423,
    NothingToTrain: 410,
    WriteError: 507,
}
LONGEST_SILENCE_S = 30.0
"""Seconds that may pass between two pieces of a message."""
SLOWEST_BYTES = 128 * 2**10
"""Bytes a second: a message may take as long as the largest one of its kind takes at this pace."""
MOST_ARRIVING_BYTES = 2**30
"""The most that all messages which are arriving may take together."""
_REQUESTS = re.compile(r"0|[1-9][0-9]{0,8}")

logger = logging.getLogger("mnist_core.jobs.store_app")


class _ErrorAnswer(Exception):
    """A request that is answered with an error, before it reaches the store."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def app(attempts: Attempts, tokens: Tokens) -> Starlette:
    """Return the application. The modules `remote.protocol` and `attempts` say what each message does."""
    arriving = _Arriving()

    async def claim(request: Request) -> Response:
        run_id, requests = _run(request, tokens)
        message = _parsed(AttemptClaim, await arriving.body(request, protocol.MOST_MESSAGE_BYTES))
        claimed, files = await run_in_threadpool(attempts.claim, run_id, requests, message.attempt)
        packed = await run_in_threadpool(_packed, {"claim.json": claimed.model_dump_json().encode(), **files})
        return Response(packed, media_type="application/zip")

    async def record(request: Request) -> Response:
        _check_token(request, tokens.recording)
        message = _parsed(NewRun, await arriving.body(request, protocol.MOST_MESSAGE_BYTES))
        return _answer(await run_in_threadpool(attempts.record, message))

    async def heartbeat(request: Request) -> Response:
        run_id, requests = _run(request, tokens)
        message = _parsed(Heartbeat, await arriving.body(request, protocol.MOST_MESSAGE_BYTES))
        return _answer(await run_in_threadpool(attempts.heartbeat, run_id, requests, _secret(request), message))

    async def send(request: Request) -> Response:
        run_id, requests = _run(request, tokens)
        secret, name = _secret(request), request.path_params["name"]
        if not protocol.may_be_sent(name):
            raise _ErrorAnswer(422, f"{printable(name)[:100]!r} is no file that a worker may send")
        content = await arriving.body(request, protocol.most_bytes(name), lambda: attempts.sign_of_life(run_id, secret))
        expected = request.headers.get(protocol.DIGEST_HEADER, "")
        if not hmac.compare_digest(expected.encode(), protocol.digest(content).encode()):
            raise _ErrorAnswer(422, f"the hash of {name} does not fit; it was changed or damaged on the way")
        await run_in_threadpool(attempts.store_file, run_id, requests, secret, name, content)
        return JSONResponse({})

    async def end(request: Request) -> Response:
        run_id, requests = _run(request, tokens)
        message = _parsed(End, await arriving.body(request, protocol.MOST_MESSAGE_BYTES))
        await run_in_threadpool(attempts.end, run_id, requests, _secret(request), message)
        return JSONResponse({})

    async def release(request: Request) -> Response:
        run_id, requests = _run(request, tokens)
        message = _parsed(Release, await arriving.body(request, protocol.MOST_MESSAGE_BYTES))
        await run_in_threadpool(attempts.release, run_id, requests, _secret(request), message.reason)
        return JSONResponse({})

    async def data(request: Request) -> Response:
        run_id, requests = _run(request, tokens)
        path = await run_in_threadpool(attempts.data, run_id, requests, _secret(request))
        return FileResponse(path, media_type="application/octet-stream")

    async def version(request: Request) -> Response:
        return JSONResponse({"store_server": 1, "version": __version__})

    run = "/v1/runs/{run_id}/{requests}"
    return Starlette(
        exception_handlers={HTTPException: _no_such_route},
        routes=[
            Route("/v1", version, methods=["GET"]),
            Route("/v1/recorded", _guarded(record), methods=["POST"]),
            Route(f"{run}/claim", _guarded(claim), methods=["POST"]),
            Route(f"{run}/heartbeat", _guarded(heartbeat), methods=["POST"]),
            Route(f"{run}/files/{{name}}", _guarded(send), methods=["PUT"]),
            Route(f"{run}/end", _guarded(end), methods=["POST"]),
            Route(f"{run}/release", _guarded(release), methods=["POST"]),
            Route(f"{run}/data", _guarded(data), methods=["GET"]),
        ],
    )


def _guarded(handler: Handler) -> Handler:
    """Answer errors with a sentence, and none of them with a traceback."""

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except _ErrorAnswer as problem:
            return _refusal(problem.status, str(problem), closing=True)
        except ClientDisconnect:
            return _refusal(400, "the connection broke within the message")
        except MnistCoreError as error:
            found = (status for kind, status in _STATUS.items() if isinstance(error, kind))
            return _refusal(next(found, 422), str(error))
        except Exception:
            logger.exception("a message could not be dealt with")
            return _refusal(500, "the server failed at this; see its log")

    return guarded


async def _no_such_route(request: Request, problem: Exception) -> Response:
    """Answer for an address or a method that this server does not have."""
    assert isinstance(problem, HTTPException)
    reason = (
        f"{request.method} is no method of this address"
        if problem.status_code == 405
        else "there is nothing at this address; is the client of the same version as the server?"
    )
    answer = _refusal(problem.status_code, reason, closing=True)
    answer.headers.update(problem.headers or {})
    return answer


def _refusal(status: int, reason: str, *, closing: bool = False) -> Response:
    """Return an error as an answer. closing: what is left of the message is not read, so that the connection ends."""
    return JSONResponse({"error": reason}, status, headers={"Connection": "close"} if closing else None)


def _answer(message: BaseModel) -> Response:
    return Response(message.model_dump_json(), media_type="application/json")


def _run(request: Request, tokens: Tokens) -> tuple[str, int]:
    """Return which run, and which request of it, a message is about; refuse it without the token for this run."""
    run_id, number = str(request.path_params["run_id"]), str(request.path_params["requests"])
    if not _REQUESTS.fullmatch(number):
        raise _ErrorAnswer(404, f"{printable(number)[:40]!r} counts no requests; it must be below 1,000,000,000")
    requests = int(number)
    _check_token(request, tokens.training(run_id, requests))
    return run_id, requests


def _check_token(request: Request, expected: str) -> None:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or not hmac.compare_digest(given.strip().encode(), expected.encode()):
        raise _ErrorAnswer(
            401, "the token is missing, or is not the one for this; `python -m mnist_core serve` shows it"
        )


def _secret(request: Request) -> str:
    return request.headers.get(protocol.ATTEMPT_HEADER, "")


class _Arriving:
    """The messages that are arriving now, which have limits of size and time, each and all together."""

    def __init__(self) -> None:
        self._bytes = 0

    async def body(self, request: Request, most: int, alive: Callable[[], None] = lambda: None) -> bytes:
        """Return the content of a message of at most `most` bytes; `alive` is called as it comes."""
        too_long = _ErrorAnswer(413, f"the message is longer than {most / 2**20:.0f} MB, the most that is taken")
        length = request.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > most:
            raise too_long
        content = bytearray()
        now = asyncio.get_running_loop().time
        end = now() + LONGEST_SILENCE_S + most / SLOWEST_BYTES
        try:
            async with asyncio.timeout(LONGEST_SILENCE_S) as limit:
                async for chunk in request.stream():
                    content += chunk
                    self._bytes += len(chunk)
                    if len(content) > most:
                        raise too_long
                    if self._bytes > MOST_ARRIVING_BYTES:
                        raise _ErrorAnswer(503, "too many large messages arrive at once; try again")
                    alive()
                    limit.reschedule(min(end, now() + LONGEST_SILENCE_S))
        except TimeoutError:
            raise _ErrorAnswer(
                408, f"the message came too slowly: {len(content)} bytes, then nothing more in time; try again"
            ) from None
        finally:
            self._bytes -= len(content)
        return bytes(content)


def _parsed(kind: type[Message], content: bytes) -> Message:
    try:
        return kind.model_validate(parse_json(content))
    except ValidationError as error:
        raise _ErrorAnswer(422, f"the message is not as it must be: {explain(error)}") from None
    except ValueError as error:
        raise _ErrorAnswer(422, f"the message is not JSON: {error}") from None


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
