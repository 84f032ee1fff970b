"""Strangers' requests to the store server: whatever comes, the answer is a sentence, and nothing waits without end."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mnist_core.data.datasets import fingerprint
from mnist_core.errors import JobError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import store_app, store_connections
from mnist_core.jobs.store_server import Options, StoreServer
from mnist_core.remote import protocol
from mnist_core.remote.client import Client, ServerAddress, Unreachable
from mnist_core.remote.protocol import Heartbeat, NewRun
from mnist_core.runs.recorded import Recorded
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

RUN = "0123456789ab"
ATTEMPT = "a" * 64
SOON_S = 0.2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """One server for all tests here, as none of these requests may do it any harm."""
    store = Store(tmp_path_factory.mktemp("served") / "artifacts")
    server = StoreServer(store, Options("https://127.0.0.1:0", "127.0.0.1"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def run(server: StoreServer, small_config: RunConfig) -> Run:
    return server.store.add(small_config, name="a run", keep_weights=False)[0]


def connected(server: StoreServer) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = ServerAddress.parse(server.address)
    return context.wrap_socket(socket.create_connection((address.host, address.port), 20))


def answer(connection: ssl.SSLSocket) -> tuple[int, str]:
    """The status and the body of what the server sends until it ends the connection."""
    content = b""
    while chunk := connection.recv(65536):
        content += chunk
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body.decode()


def answer_to(
    server: StoreServer, line: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, str]:
    """Send one request as it stands, also one that no client would send."""
    given = {"Host": "x", "Connection": "close", "Content-Length": str(len(body))} | (headers or {})
    text = "".join([f"{line} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in given.items()), "\r\n"])
    with connected(server) as connection:
        connection.sendall(text.encode("utf-8", "surrogateescape") + body)
        return answer(connection)


def of_run(server: StoreServer, run: Run) -> tuple[str, dict[str, str]]:
    """The path of a run that an attempt has claimed, and the headers of that attempt."""
    token = server.tokens.training(run.id, 0)
    worker = Client(ServerAddress.parse(server.address), token, ATTEMPT)
    worker.claim(run.id, 0)
    worker.close()
    return f"/v1/runs/{run.id}/0", {"Authorization": f"Bearer {token}", protocol.ATTEMPT_HEADER: ATTEMPT}


# -- what may be read --------------------------------------------------------------------------------------------------


def test_whoever_may_only_record_gets_no_data_of_the_server(server: StoreServer, tmp_path: Path) -> None:
    labels = np.arange(20, dtype=np.uint8) % 10
    images = np.random.default_rng(0).integers(0, 255, (20, 28, 28), np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "private.npz", **arrays)
    server.store.catalog.register("private", tmp_path / "private.npz")
    recorder = Client(ServerAddress.parse(server.address), server.tokens.recording, secrets.token_hex(32))
    source = Recorded(dataset="private", content=secrets.token_hex(32))
    recorder.record(NewRun(attempt=recorder.attempt, recorded=source, name="mine", fingerprint=fingerprint(arrays)))
    with pytest.raises(JobError, match="recorded from outside, and is sent no data"):
        recorder.fetch_data(tmp_path / "fetched.npz", 2**20)
    assert not (tmp_path / "fetched.npz").exists()
    recorder.heartbeat(Heartbeat(began=True))  # what it is for goes on


# -- requests that no client sends -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"POST /v1/runs/{RUN}/{'9' * 5000}/claim", 404),  # more digits than Python makes a number of
        (f"POST /v1/runs/{RUN}/{'9' * 20}/heartbeat", 404),
        (f"POST /v1/runs/{RUN}/-1/claim", 404),
        (f"POST /v1/runs/{RUN}/00/claim", 404),
        (f"POST /v1/runs/{RUN}/%D9%A3/claim", 404),  # an Arabic three
        (f"POST /v1/runs/{RUN}/%FF%FE/claim", 404),
        (f"POST /v1/runs/{'a' * 5000}/0/claim", 401),
        ("POST /v1/runs/%00%2e%2e/0/claim", 401),
        (f"PUT /v1/runs/{RUN}/0/files/%ED%A0%80", 401),
        (f"PUT /v1/runs/{RUN}/0/files/..%2Fstatus.json", 404),
        ("GET /", 404),
        ("GET /v1/recorded", 405),
        (f"DELETE /v1/runs/{RUN}/0/claim", 405),
        (f"BREW /v1/runs/{RUN}/0/data", 405),
        ("POST /v1", 405),
    ],
)
def test_an_address_or_a_method_that_is_none_is_answered_in_a_sentence(
    server: StoreServer, line: str, status: int
) -> None:
    found, body = answer_to(server, line)
    assert found == status
    assert len(json.loads(body)["error"].split()) > 4


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Large": "x" * 200_000}, 400),
        ({f"X-{number}": "x" * 1000 for number in range(200)}, 400),
        ({"Content-Length": "9" * 400}, 400),
        ({"Content-Length": "9" * 19}, 413),
        ({"Content-Length": "-1"}, 400),
        ({"Authorization": "Bearer " + "\udcff\udcfe"}, 401),
        ({"Authorization": "Basic " + "0" * 64}, 401),
        ({protocol.ATTEMPT_HEADER: "\udcff"}, 409),
    ],
)
def test_headers_that_are_too_large_or_make_no_sense_are_refused(
    server: StoreServer, run: Run, headers: dict[str, str], status: int
) -> None:
    path, own = of_run(server, run)
    assert answer_to(server, f"POST {path}/heartbeat", own | headers, b'{"began": true}')[0] == status


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"null", b"[" * 100_000, b'{"began": ' + b"9" * 5000 + b"}", b'{"began": true, "began',
        b'{"began": true, "rows": [{}]}', b'{"began": true, "rows": [{"epoch": 1e999}]}',
        b'{"began": true, "rows_from": -1}', b'{"attempt": "\\ud800"}', b'{"state": "finished"}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", ["claim", "heartbeat", "end", "release", "files/error.txt", "recorded"])
def test_a_body_that_is_missing_or_spoiled_is_refused(server: StoreServer, run: Run, route: str, body: bytes) -> None:
    path, own = of_run(server, run)
    if route == "recorded":
        path, own = "/v1", {"Authorization": f"Bearer {server.tokens.recording}"}
    status, found = answer_to(server, f"{'PUT' if '/' in route else 'POST'} {path}/{route}", own, body)
    assert status == 422
    assert json.loads(found)["error"]


def test_a_number_that_no_float_can_hold_is_refused(server: StoreServer, run: Run) -> None:
    path, own = of_run(server, run)
    body = b'{"began": true, "rows": [{"epoch": 1, "loss": ' + b"9" * 400 + b"}]}"
    assert answer_to(server, f"POST {path}/heartbeat", own, body)[0] == 422


def test_a_body_that_grows_beyond_its_limit_is_refused_before_it_ends(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_MESSAGE_BYTES", 1000)
    path, own = of_run(server, run)
    headers = own | {"Transfer-Encoding": "chunked", "Content-Length": ""}
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    with connected(server) as connection:
        connection.sendall(f"POST {path}/heartbeat HTTP/1.1\r\nHost: x\r\n{text}\r\n".encode())
        connection.sendall(b"3e9\r\n" + b" " * 1001 + b"\r\n")  # and there is no end of it
        status, body = answer(connection)
    assert status == 413
    assert "longer than" in json.loads(body)["error"]


def test_messages_that_arrive_together_have_a_limit_which_counts_only_while_they_arrive(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, own = of_run(server, run)
    monkeypatch.setattr(store_app, "MOST_ARRIVING_BYTES", 100)
    for _ in range(3):
        assert answer_to(server, f"POST {path}/heartbeat", own, b'{"began": true}' + b" " * 60)[0] == 200
    status, body = answer_to(server, f"POST {path}/heartbeat", own, b'{"began": true}' + b" " * 120)
    assert (status, json.loads(body)["error"]) == (503, "too many large messages arrive at once; try again")


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_message_that_does_not_go_on_is_given_up_and_may_be_sent_again(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, own = of_run(server, run)
    text = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    with connected(server) as connection, monkeypatch.context() as patch:
        patch.setattr(store_app, "LONGEST_SILENCE_S", SOON_S)
        connection.sendall(f"POST {path}/heartbeat HTTP/1.1\r\nHost: x\r\n{text}Content-Length: 15\r\n\r\n{{".encode())
        status, body = answer(connection)
    assert status == 408
    assert "too slowly: 1 bytes" in json.loads(body)["error"]
    assert answer_to(server, f"POST {path}/heartbeat", own, b'{"began": true}')[0] == 200


def test_a_message_that_comes_byte_by_byte_is_given_up_too(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, own = of_run(server, run)
    text = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    monkeypatch.setattr(store_app, "SLOWEST_BYTES", 2**40)
    monkeypatch.setattr(store_app, "LONGEST_SILENCE_S", SOON_S)
    with connected(server) as connection:
        connection.sendall(f"POST {path}/heartbeat HTTP/1.1\r\nHost: x\r\n{text}Content-Length: 99999\r\n\r\n".encode())
        connection.settimeout(SOON_S / 10)  # never silent for as long as a silence may be
        content = b""
        for _ in range(5000):
            try:
                connection.sendall(b" ")
                content = connection.recv(65536)
                break
            except TimeoutError:
                continue
    assert content.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("sent", [b"", b"POST /v1", b"POST /v1 HTTP/1.1\r\nX-Slow: "])
def test_a_connection_on_which_no_whole_request_comes_is_closed(
    server: StoreServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(store_connections, "LONGEST_WAIT_S", SOON_S)
    with connected(server) as connection:
        connection.sendall(sent)
        assert answer(connection) == (0, "")


def test_the_second_request_of_a_connection_is_not_waited_for_without_end_either(
    server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n")
        first = b""
        while b"}" not in first:
            first += connection.recv(65536)
        monkeypatch.setattr(store_connections, "LONGEST_WAIT_S", SOON_S)
        connection.sendall(b"GET /v1 HT")
        assert connection.recv(65536) == b""


def test_a_client_tries_again_what_came_too_slowly(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, own = of_run(server, run)
    worker = Client(ServerAddress.parse(server.address), server.tokens.training(run.id, 0), ATTEMPT)
    monkeypatch.setattr(store_app, "LONGEST_SILENCE_S", SOON_S)
    with pytest.raises(Unreachable, match="too slowly"):
        worker._ask("POST", f"{path}/heartbeat", b"{", own | {"Content-Length": "15"})
