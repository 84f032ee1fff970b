"""The page-wide styles come with the page itself, and nothing else is touched."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from dashboard.early_styles import EarlyStyles
from dashboard.theme import CSS
from tests.support.waiting import run_apart

PAGE = "<html><head><title>é</title></head><body></body></html>"


async def server(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a page for ``/`` and else with a script, and with the encodings that were asked for."""
    encodings = dict(scope["headers"]).get(b"accept-encoding", b"none").decode()
    made = HTMLResponse(PAGE) if scope["path"] == "/" else PlainTextResponse("</head>")
    made.headers["seen"] = encodings
    await made(scope, receive, send)


def answer(path: str, accept: str) -> tuple[dict[str, str], str]:
    """Return headers and body of the answer to a request."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    headers = [(b"accept", accept.encode()), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    run_apart(EarlyStyles(server)(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return found, b"".join(message["body"] for message in sent[1:]).decode()


def test_a_page_has_the_styles_at_the_end_of_its_head_and_is_not_compressed_before() -> None:
    headers, body = answer("/", "text/html")
    assert body == PAGE.replace("</head>", CSS + "</head>")
    assert headers["content-length"] == str(len(body.encode()))
    assert headers["seen"] == "none"


def test_what_is_no_page_is_passed_on_as_it_is() -> None:
    headers, body = answer("/script", "*/*")
    assert body == "</head>"
    assert headers["seen"] == "gzip"
