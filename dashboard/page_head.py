"""What the head of Streamlit's page has besides: page-wide styles, scripts, and files that its page will want.

All of it comes with the very first answer, so that nothing moves when the styles would arrive with the first run, no
rerun has to send what never changes, and the browser fetches at once what it would ask for one after the other.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import streamlit
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from dashboard.policy import policy
from dashboard.state import WIDTH
from dashboard.theme import CSS

_STATIC = Path(streamlit.__file__).parent / "static"
_HISTORY = (Path(__file__).parent / "history.js").read_text(encoding="utf-8")

_USUAL = ("Html", "Button", "Selectbox", "DownloadButton")
_TABLE = ("DataFrame", "TextInput", "Checkbox", "Multiselect")
_CHARTS = ("ArrowVegaLiteChart", "ButtonGroup")
_RUNS = ("Multiselect", "PageLink")
_UPLOAD = ("FileUploader", "TextInput")
WIDGETS: dict[str, Collection[str]] = {
    "": (*_USUAL, *_CHARTS, *_RUNS, "Slider", "Checkbox", "NumberInput", "BidiComponent"),
    "runs": (*_USUAL, *_TABLE),
    "train": (
        *_USUAL, *_CHARTS, *_RUNS, "Slider", "Checkbox", "NumberInput", "TextInput", "Radio", "MenuButton", "Table",
    ),
    "mistakes": (*_USUAL, *_CHARTS, *_RUNS, "Radio", "Metric", "BidiComponent"),
    "disagreements": (*_USUAL, *_CHARTS, *_RUNS, "BidiComponent"),
    "draw": (*_USUAL, *_RUNS, *_UPLOAD, "Checkbox", "Slider", "ButtonGroup", "BidiComponent"),
    "sweeps": (*_USUAL, *_CHARTS, "NumberInput", "Checkbox"),
    "loss-or-accuracy": (*_USUAL, *_CHARTS, *_RUNS),
    "production": (*_USUAL, *_CHARTS, *_RUNS, "NumberInput"),
    "i-dont-know": (*_USUAL, *_CHARTS, *_RUNS, "Slider"),
    "exams": (*_USUAL, *_CHARTS, *_RUNS),
    "published": (*_USUAL, "ArrowVegaLiteChart"),
    "models": (*_USUAL, "ArrowVegaLiteChart", "Multiselect"),
    "data": (*_USUAL, *_CHARTS, *_UPLOAD, "ImageList"),
    "add": (*_USUAL, *_UPLOAD, "StreamlitSyntaxHighlighter"),
}  # fmt: skip
"""Parts of Streamlit's page that a page of ours shows at first, by its path. Streamlit loads each when it is drawn."""

_FONTS = ("SourceSansVF-Upright", "MaterialSymbols-Rounded")
_WIDTH_IS_KNOWN = f"<script>document.cookie = `{WIDTH}=${{innerWidth}}; path=/; SameSite=Lax`;</script>"
"""Tells the server how wide the window is: it gives the columns of a table their widths, which no style can."""
_NOT_FOR_PAGES = (b"accept-encoding", b"if-none-match", b"if-modified-since")
"""Headers of a request for a page that are dropped. A compressed page could not be read here; it is 20 kB. An answer
"not modified" would have no page whose scripts its content policy could name, and the browser would block them."""
_NOT_OF_PAGES = (b"content-length", b"etag", b"last-modified")
"""Headers of Streamlit's page that are not true of what is sent."""


class PageHead:
    """ASGI middleware that adds to the end of the head of Streamlit's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; hold back an answer that is a page of HTML until it is whole."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        if _of_page(scope):
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _NOT_FOR_PAGES]
        start: Message | None = None
        body = b""

        async def changed(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            addition = head(page_of(scope["path"], str(config.get_option("server.baseUrlPath") or ""))).encode()
            whole = body.replace(b"</head>", addition + b"</head>", 1)
            headers = [pair for pair in start["headers"] if pair[0].lower() not in _NOT_OF_PAGES]
            headers.append((b"content-length", str(len(whole)).encode()))
            headers.append((b"content-security-policy", policy(whole.decode()).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, changed)


def page_of(path: str, base: str) -> str | None:
    """Return the page at a path below the path `base` of the dashboard: "" is the first one. None for a deeper path."""
    parts = [part for part in path.split("/") if part]
    own = [part for part in base.split("/") if part]
    rest = parts[len(own) :] if parts[: len(own)] == own else parts
    return None if len(rest) > 1 else "".join(rest)


@functools.lru_cache(maxsize=64)
def head(page: str | None) -> str:
    """Return what is added to the head for a page; None for a path that is none."""
    if page is None:  # the page on which one joins a class, say: it is not made of Streamlit's parts
        return f"{CSS}<script>{_HISTORY}</script>"
    scripts = f"{_server_is_known(page)}<script>{_HISTORY}</script>{_WIDTH_IS_KNOWN}"
    return f"{CSS}{scripts}{_fonts()}{_preloads(WIDGETS.get(page, _USUAL))}"


def _server_is_known(page: str) -> str:
    """Return the script that tells Streamlit's page where its server is.

    It would try first the address of the page and then that of the folder above, and connect only after an answer.
    A proxy may have the dashboard below another path than the server knows, so that the browser works it out.
    """
    suffix = json.dumps(f"/{page}" if page else "").replace("<", "\\u003c")
    return f"""<script>(() => {{
  const path = location.pathname.replace(/\\/+$/, ""), page = {suffix};
  const base = page && path.endsWith(page) ? path.slice(0, -page.length) : path;
  window.__streamlit = {{
    BACKEND_BASE_URL: location.origin + base,
    HOST_CONFIG: {{ allowedOrigins: [location.origin], useExternalAuthToken: false }},
  }};
}})();</script>"""


@functools.cache
def _manifest() -> dict[str, dict[str, Any]]:
    """Return what Streamlit's own build has written about its files; empty where it has not."""
    try:
        found: dict[str, dict[str, Any]] = json.loads((_STATIC / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def files(widgets: Collection[str]) -> list[str]:
    """Return the files of parts of Streamlit's page, with all that they import, without those that every page loads.

    Paths are relative to Streamlit's static folder. A part that this Streamlit does not have adds nothing.
    """
    manifest = _manifest()
    seen = dict.fromkeys(_imports("index.html"))
    before = len(seen)
    for key in [key for name in widgets for key, entry in manifest.items() if entry.get("name") == name]:
        seen |= dict.fromkeys(_imports(key))
    entries = [manifest[key] for key in list(seen)[before:]]
    return [path for entry in entries for path in (entry["file"], *entry.get("css", []))]


def _imports(key: str) -> list[str]:
    """Return an entry of the manifest and all that it imports, and those import."""
    found: dict[str, None] = {}
    open_ = [key]
    while open_:
        key = open_.pop()
        if key not in found and key in _manifest():
            found[key] = None
            open_ += _manifest()[key].get("imports", [])
    return list(found)


def _preloads(widgets: Collection[str]) -> str:
    return "".join(
        f'<link rel="modulepreload" crossorigin href="./{path}">'
        if path.endswith(".js")
        else f'<link rel="preload" as="style" crossorigin href="./{path}">'
        for path in files(widgets)
    )


@functools.cache
def _fonts() -> str:
    """Return links to the fonts of text and icons: a line that wraps again when its font comes moves all below it."""
    found = [path for name in _FONTS for path in sorted((_STATIC / "static" / "media").glob(f"{name}.*woff2"))]
    return "".join(
        f'<link rel="preload" as="font" type="font/woff2" crossorigin href="./{path.relative_to(_STATIC).as_posix()}">'
        for path in found
    )


def _of_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _is_page(message: Message) -> bool:
    headers = {name.lower(): value for name, value in message["headers"]}
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
