"""The dashboard as a web application: Streamlit, behind a check of every request's origin. `python -m dashboard` starts
it.

In a class (see `classroom`), whoever has not joined gets nothing of it. Every answer has headers that keep browsers
from running what is not the dashboard's own.

The check guards against DNS rebinding (a foreign web page gives its own name the address 127.0.0.1, and then reads
the dashboard as if it were its own) and against requests that a foreign web page makes in a visitor's browser.
Streamlit checks the Host of a WebSocket only, so the same rule is put here before every request.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, delta_generator
from streamlit.starlette import App
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from dashboard.classroom import ROUTES, MembersOnly
from dashboard.page_head import PageHead
from dashboard.policy import policy


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


POLICY = "content-security-policy"
HEADERS = {
    POLICY: policy(),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class SafeHeaders:
    """ASGI middleware that gives every HTTP answer HEADERS, and a content policy where it has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to the answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS | {POLICY: headers.get(POLICY, HEADERS[POLICY])})
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def few_heaps() -> None:
    """Let the C library keep two heaps instead of eight a core: each keeps what its threads have freed.

    Every rerun is a thread of its own. Where there is no such setting, nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(-8, 2)  # M_ARENA_MAX


READ_ALL_AFTER_S = 3.0
"""Seconds after which a new server also makes the rows of the table of runs, where nobody has opened it before."""

TIDY_S = 10.0
"""Seconds between two times at which a busy server gives back memory."""
_BUSY_S = 1.0


def tidy_up() -> None:
    """Free what sessions that have ended left behind, and give free memory back to the system.

    Python looks for it by itself only once there is a quarter more than all that has lived for long, such as pandas and
    Altair. What is there at first is not looked at again, so that this takes a few hundredths of a second.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _tidy_up_for_good() -> None:
    """Tidy up every now and then where the server has had something to do."""
    done = 0.0
    while True:
        time.sleep(TIDY_S)
        if time.process_time() - done < _BUSY_S:
            continue
        tidy_up()
        done = time.process_time()


@contextlib.asynccontextmanager
async def reading_ahead(app: App) -> AsyncIterator[None]:
    """Read the store while the first browser still loads Streamlit's own files."""
    few_heaps()
    threading.Thread(target=_read_ahead, name="read ahead", daemon=True).start()
    threading.Thread(target=_tidy_up_for_good, name="tidy up", daemon=True).start()
    yield


def _read_ahead() -> None:
    from dashboard import resources  # loads pandas and Altair, too, so that the first page need not

    # Before its first element, Streamlit looks through all modules to find out whether it runs in a notebook, and would
    # warn there. That takes 0.08 s of the first page.
    delta_generator._use_warning_has_been_displayed = True
    try:
        resources.snapshot()
        import scipy.special  # noqa: F401  # for the decisions on the first page

        # the table of runs alone needs more, and is not to hold up the page that is just being opened
        time.sleep(READ_ALL_AFTER_S)
        resources.entries()
    except Exception:  # the pages report it, to somebody who can read it
        logging.getLogger(__name__).debug("the store could not be read ahead", exc_info=True)
    gc.freeze()  # libraries and the store live for long; see `tidy_up`


app = App(
    Path(__file__).with_name("app.py"),
    routes=ROUTES,
    middleware=[Middleware(SafeHeaders), Middleware(OwnPagesOnly), Middleware(MembersOnly), Middleware(PageHead)],
    lifespan=reading_ahead,
)
