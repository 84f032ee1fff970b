"""Styles, scripts and preloads come with the page itself, and nothing else is touched."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import streamlit
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from dashboard.page_head import WIDGETS, PageHead, files, head, page_of
from dashboard.theme import CSS
from tests.support.waiting import run_apart

PAGE = "<html><head><title>é</title></head><body></body></html>"
TAG = '"of the page without additions"'
STATIC = Path(streamlit.__file__).parent / "static"


async def server(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a page for ``/runs`` and else with a script, and with the encodings that were asked for."""
    found = dict(scope["headers"])
    encodings = found.get(b"accept-encoding", b"none").decode()
    made = HTMLResponse(PAGE) if scope["path"] == "/runs" else PlainTextResponse("</head>")
    made.headers["seen"] = encodings
    made.headers["etag"] = TAG
    if found.get(b"if-none-match", b"").decode() == TAG:
        made = Response(status_code=304, headers={"etag": TAG})
    await made(scope, receive, send)


def answer(path: str, accept: str, *more: tuple[bytes, bytes]) -> tuple[dict[str, str], str]:
    """Return headers and body of the answer to a request, which may have more headers."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    headers = [(b"accept", accept.encode()), (b"accept-encoding", b"gzip"), *more]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    run_apart(PageHead(server)(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return found, b"".join(message["body"] for message in sent[1:]).decode()


def test_a_page_has_its_additions_at_the_end_of_its_head_and_is_not_compressed_before() -> None:
    headers, body = answer("/runs", "text/html")
    assert body == PAGE.replace("</head>", head("runs") + "</head>")
    assert CSS in body
    assert headers["content-length"] == str(len(body.encode()))
    assert headers["seen"] == "none"


def test_a_page_comes_whole_each_time_so_that_its_policy_can_name_its_scripts() -> None:
    headers, body = answer("/runs", "text/html", (b"if-none-match", TAG.encode()))
    assert body.count("<script>") == headers["content-security-policy"].count("'sha256-") > 0
    assert "etag" not in headers


def test_what_is_no_page_is_passed_on_as_it_is() -> None:
    headers, body = answer("/script", "*/*")
    assert body == "</head>"
    assert headers["etag"] == TAG
    assert headers["seen"] == "gzip"


@pytest.mark.parametrize(
    ("path", "base", "page"),
    [
        ("/", "", ""),
        ("/runs", "", "runs"),
        ("/runs/", "", "runs"),
        ("/class/digits", "class/digits", ""),
        ("/class/digits/runs", "/class/digits/", "runs"),
        ("/one/two", "", None),
    ],
)
def test_a_page_is_the_part_of_the_path_below_the_dashboards_own(path: str, base: str, page: str | None) -> None:
    assert page_of(path, base) == page


def test_only_at_an_address_that_may_be_a_page_the_browser_is_told_where_its_server_is_and_what_to_fetch() -> None:
    assert "BACKEND_BASE_URL" in head("runs")
    assert "BACKEND_BASE_URL" not in head(None)
    assert "preload" in head("runs")
    assert "preload" not in head(None)


def test_a_page_name_from_an_address_cannot_end_the_script() -> None:
    assert "</script><b>" not in head("</script><b>")


@pytest.mark.parametrize("page", WIDGETS)
def test_the_installed_streamlit_has_each_part_that_a_page_preloads(page: str) -> None:
    for widget in WIDGETS[page]:
        found = files([widget])
        assert any(Path(path).name.startswith(f"{widget}.") for path in found), widget
        assert all((STATIC / path).is_file() for path in found)


def test_a_page_fetches_the_fonts_of_text_and_icons_at_once() -> None:
    fonts = re.findall(r'as="font" type="font/woff2" crossorigin href="\./([^"]+)"', head("runs"))
    assert [Path(path).name.split(".")[0] for path in fonts] == ["SourceSansVF-Upright", "MaterialSymbols-Rounded"]
    assert all((STATIC / path).is_file() for path in fonts)


def test_what_every_page_loads_anyway_is_not_preloaded_twice() -> None:
    entry = (STATIC / "index.html").read_text()
    assert not [path for widgets in WIDGETS.values() for path in files(widgets) if path in entry]


def test_the_policy_of_a_page_names_its_own_scripts_and_allows_no_other() -> None:
    headers, body = answer("/runs", "text/html")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    scripts = re.findall(r"<script>(.*?)</script>", body, re.DOTALL)
    assert len(scripts) > 1
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert policy["script-src"].split() == ["'self'", "blob:", *(f"'sha256-{digest}'" for digest in digests)]
