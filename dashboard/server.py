"""The dashboard as a web application: Streamlit, behind a check of every request's origin. `python -m dashboard` starts
it.

The check guards against DNS rebinding (a foreign web page gives its own name the address 127.0.0.1, and then reads
the dashboard as if it were its own) and against requests that a foreign web page makes in a visitor's browser.
Streamlit checks the Host of a WebSocket only, so the same rule is put here before every request.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config
from streamlit.starlette import App
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed


def refusal(host: str | None, origin: str | None) -> str | None:
    """Return why a request with these headers is refused, in a sentence; None where it is served.

    The Host must be one of Streamlit's option `server.allowedHosts`, on any port. The Origin, which browsers send with
    WebSockets, uploads and the requests of foreign pages, must be that Host, or one of `server.corsAllowedOrigins`.
    """
    if not is_host_allowed(host):
        return (
            "This dashboard does not answer to this host name. Start it with --server.allowedHosts NAME "
            "for each name that it is to answer to.\n"
        )
    if origin is None or not config.get_option("server.enableCORS"):
        return None
    known = [str(item).rstrip("/") for item in config.get_option("server.corsAllowedOrigins")]
    if origin in known or (origin != "null" and urlsplit(origin).netloc == host):
        return None
    return "This dashboard answers to its own pages only, not to those of another origin.\n"


class OwnPagesOnly:
    """ASGI middleware that refuses HTTP requests and WebSockets as `refusal` says, with status 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            reason = refusal(headers.get("host"), headers.get("origin"))
            if reason and scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the status is 403
                return
            if reason:
                await PlainTextResponse(reason, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


app = App(Path(__file__).with_name("app.py"), middleware=[Middleware(OwnPagesOnly)])
