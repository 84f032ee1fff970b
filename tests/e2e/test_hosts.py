"""The dashboard answers to its own names and pages only: no DNS rebinding, no requests of foreign pages."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from mnist_core.runs.store import Store
from tests.support.browser import Server, end_everything, start_server

pytestmark = pytest.mark.browser

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
REQUESTS = {
    "page": ("GET", "/", {}),
    "stream": ("GET", "/_stcore/stream", HANDSHAKE),
    "upload": ("PUT", "/_stcore/upload_file/session/file", {}),
    "media": ("GET", "/media/file.png", {}),
}
ANSWERS = {"page": 200, "stream": 101, "upload": 403, "media": 404}
"""Without a session, an upload is refused by Streamlit itself, and there is no such file."""


def answer(server: Server, what: str, **headers: str) -> tuple[int, str]:
    """Status and text of the answer to one of REQUESTS with these headers besides."""
    method, path, own = REQUESTS[what]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in ({"Host": f"127.0.0.1:{server.port}"} | own | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        found = connection.getresponse()
        # of a WebSocket that is open there is no end to read
        return found.status, "" if found.status == 101 else found.read().decode(errors="replace")
    finally:
        connection.close()


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_the_names_of_this_machine_are_answered_on_any_port(empty_server: Server, what: str, host: str) -> None:
    for port in (empty_server.port, 8080):
        own = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        status, text = answer(empty_server, what, **own)
        assert (status, "dashboard" in text) == (ANSWERS[what], False)


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize(
    "host",
    ["foreign.example", "localhost.foreign.example", "127.0.0.1.foreign.example", "192.0.2.1", "", "a@localhost"],
)
def test_a_foreign_host_is_refused(empty_server: Server, what: str, host: str) -> None:
    status, text = answer(empty_server, what, Host=host)
    assert status == 403
    assert what == "stream" or "--server.allowedHosts" in text


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("origin", ["http://foreign.example", "http://localhost.foreign.example", "null", "http://"])
def test_a_foreign_origin_is_refused(empty_server: Server, what: str, origin: str) -> None:
    status, text = answer(empty_server, what, Origin=origin)
    assert status == 403
    assert what == "stream" or "another origin" in text


def test_a_server_for_others_answers_to_the_names_that_it_is_given(tmp_path: Path) -> None:
    options = ["--server.allowedHosts", "lab.example", "--server.allowedHosts", "127.0.0.1"]
    server = start_server(Store(tmp_path / "artifacts"), tmp_path / "server.log", *options, warm_up=False)
    try:
        assert answer(server, "page", Host="lab.example", Origin="https://lab.example")[0] == 200
        assert answer(server, "stream", Host="lab.example", Origin="https://lab.example")[0] == 101
        assert answer(server, "page", Host="localhost")[0] == 403
        assert answer(server, "stream", Host="lab.example", Origin="https://foreign.example")[0] == 403
    finally:
        end_everything(server)
