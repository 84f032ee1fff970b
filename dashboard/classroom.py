"""A class on one server, as the dashboard serves it: who a browser is, and the page on which it joins.

`python -m dashboard class` sets CLASS_VARIABLE to the address that it has printed; without it there is no class, and
nothing here has an effect. Whoever has not joined gets nothing of the dashboard, neither pages nor data.
"""

from __future__ import annotations

import base64
import functools
import html
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, quote, urlencode

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import theme
from mnist_core.errors import MnistCoreError, NotAllowed, TooOften
from mnist_core.limits import RateLimit
from mnist_core.people import LONGEST_PERSON, OWNER, Person
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.store import default_root

CLASS_VARIABLE = "MNIST_CORE_CLASS"
COOKIE = "mnist_class"
COOKIE_DAYS = 120
ENTER = "/class/enter"
"""The page on which a browser joins; `?code=…`, `?teacher=…` and `?me=…` fill it in, as links and QR pictures do."""
OPEN_TO_ALL = (ENTER, "/_stcore/health")
MOST_FORM_BYTES = 4096

PAGES = [
    ("views/classroom.py", "Class", ":material/groups:", "class"),
    ("views/board.py", "Board", ":material/leaderboard:", "board"),
]
"""The pages that are there in a class only: file, title, icon, and path in the address."""

TRIES = RateLimit("tries", 20, 60)
"""To guess the code or the secret, for each address. A class may come through one address: only failures count."""
UPLOADS = RateLimit("uploads", 10, 60)
DRAWINGS = RateLimit("drawings", 300, 60)
"""Strokes that the server answers, for each person."""
NEW_DIGITS = RateLimit("kept digits", 20, 60)
"""Digits that are kept, for each person."""


def address() -> str:
    """Return the address that the class opens, such as ``http://192.168.1.5:8501``; empty where there is no class."""
    return os.environ.get(CLASS_VARIABLE, "")


def classroom() -> Classroom | None:
    """Return the class that is served; None where there is none."""
    return _classroom(default_root()) if address() else None


@functools.lru_cache(maxsize=1)
def _classroom(root: Path) -> Classroom:
    return Classroom(root)


def token() -> str | None:
    """Return what the viewer's browser has shown; None outside of a page."""
    return st.context.cookies.get(COOKIE)


def person() -> Person:
    """Return the viewer of this page; where there is no class, the owner of the machine."""
    room = classroom()
    return OWNER if room is None else room.person(token())


def pinned() -> tuple[str, ...]:
    """Return the ids of the runs that the teacher has put in front of the class; none where there is no class."""
    room = classroom()
    return () if room is None else room.pinned


def count(limit: RateLimit) -> None:
    """Count something that the viewer of this page does; raise TooOften. Without a class nothing is counted."""
    if address():
        limit.take(person().name)


def link(**query: str) -> str:
    """Return the address at which a browser joins."""
    return f"{address()}{ENTER}?{urlencode(query)}"


# -- requests ----------------------------------------------------------------------------------------------------------


class MembersOnly:
    """ASGI middleware that keeps out whoever has not joined, and counts uploads; without a class it does nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        room = classroom() if scope["type"] in ("http", "websocket") else None
        if room is None or scope["path"] in OPEN_TO_ALL:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        who = room.person(_cookie(headers.get("cookie", "")))
        if who.role == "visitor":
            await self._turn_away(scope, receive, send, headers)
            return
        if scope["type"] == "http" and scope["method"] == "PUT":
            try:
                UPLOADS.take(who.name)
            except MnistCoreError as error:
                await PlainTextResponse(f"{error}\n", 429)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @staticmethod
    async def _turn_away(scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str]) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the status is 403
        elif scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            wanted = quote(scope["path"] + (f"?{query}" if query else ""))
            await RedirectResponse(f"{ENTER}?to={wanted}", 303)(scope, receive, send)
        else:
            await PlainTextResponse("Join the class first.\n", 403)(scope, receive, send)


def _cookie(header: str) -> str | None:
    """Return the token in the Cookie header of a request."""
    return cookie_parser(header).get(COOKIE)


async def enter(request: Request) -> Response:
    """Show the page on which a browser joins, or let it in."""
    room = classroom()
    if room is None:
        return PlainTextResponse("There is no class here.\n", 404)
    given = _fields(request.url.query)
    post = request.method == "POST"
    if post:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_FORM_BYTES:
                return PlainTextResponse("The form is too long.\n", 413)
        given = _fields(body.decode("utf-8", "replace"))
    source = request.client.host if request.client else ""
    try:
        if given["teacher"] and not post:
            return _let_in(_tried(source, lambda: room.teach(given["teacher"])), given["to"])
        if given["me"] and not post and room.person(given["me"]).role != "visitor":
            return _let_in(given["me"], given["to"])
        if post:
            return _let_in(_tried(source, lambda: room.join(given["code"], given["name"])), given["to"])
    except MnistCoreError as error:
        return _form(given, str(error), 429 if isinstance(error, TooOften) else 403)
    return _form(given)


def _fields(text: str) -> dict[str, str]:
    """Return the fields of the page, as an address or a form has them; empty where one is missing."""
    found = parse_qs(text)
    return {name: found.get(name, [""])[0] for name in ("code", "name", "to", "teacher", "me")}


def _tried(source: str, admit: Callable[[], str]) -> str:
    """Return the token that `admit` gives; a wrong code or secret counts against the address that it came from."""
    TRIES.check(source)
    try:
        return admit()
    except NotAllowed:
        TRIES.take(source)
        raise


def _let_in(token: str, wanted: str) -> Response:
    """Send the browser to the page that it wanted, of this server alone, with its token in a cookie."""
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    answer = RedirectResponse(wanted if own else "/", 303)
    # no script can read it, and no page of another site can send it along with a request
    answer.set_cookie(COOKIE, token, max_age=COOKIE_DAYS * 86_400, httponly=True, samesite="lax")
    return answer


FORM = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Join the class</title>
<link rel="icon" href="data:image/png;base64,$icon">
$style</head>
<body>
<main>
<h1>Join the class</h1>
<p>Digit classifiers, compared: look at trained networks, train your own, draw digits.</p>
$problem
<form method="post" action="$action">
<input type="hidden" name="to" value="$to">
<label for="name">Your name</label>
<input id="name" name="name" value="$name" maxlength="$longest" required autocomplete="nickname"$focus_name>
<label for="code">Code of the class</label>
<input id="code" name="code" value="$code" maxlength="12" required autocomplete="off" spellcheck="false"$focus_code>
<button>Join</button>
</form>
<p class="small">There is no account and no password. Everybody in the class sees your name next to what you train.</p>
</main>
</body>
</html>
""")


@functools.cache
def _icon() -> str:
    """Return the icon as text: it is within the page, as a file of its own is for the class only."""
    return base64.b64encode(Path(__file__).with_name("icon.png").read_bytes()).decode()


@functools.cache
def _style() -> str:
    return theme.style_element(Path(__file__).with_name("join.css").read_text(encoding="utf-8"))


def _form(given: Mapping[str, str], problem: str = "", status: int = 200) -> Response:
    """Return the page on which a name and the code are typed; a code that came with the address is filled in."""
    text = {name: html.escape(given[name]) for name in ("name", "code", "to")}
    sentence = html.escape(problem[:1].upper() + problem[1:])
    known = bool(given["code"]) and "code" not in problem
    page = FORM.substitute(
        text,
        action=ENTER,
        icon=_icon(),
        style=_style(),
        longest=LONGEST_PERSON,
        problem=f'<p class="problem" role="alert">{sentence}.</p>' if problem else "",
        focus_name=" autofocus" if known or not given["code"] else "",
        focus_code=" autofocus" if not known and given["code"] else "",
    )
    return HTMLResponse(page, status)


ROUTES = [Route(ENTER, enter, methods=["GET", "POST"])]
