"""`serve` on the command line: its token, its end, and what it refuses."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mnist_core.cli import main
from mnist_core.jobs import store_server
from mnist_core.jobs.store_server import Options, StoreServer
from mnist_core.runs.store import Store


def serve(store: Store, *arguments: str) -> int:
    return main(["serve", "--store", str(store.root), *arguments])


def test_the_token_for_recording_is_printed_and_stays_the_same(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve(store, "--token") == serve(store, "--token") == 0
    first, second = capsys.readouterr().out.split()
    assert first == second == store_server.tokens(store.root).recording


def test_without_a_server_there_is_none_to_stop(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(store, "--stop") == 0
    assert "no store server runs for this store" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["http://store:8790", "store:8790", "https://store:port"])
def test_an_address_that_workers_could_not_use_is_refused_with_its_form(
    store: Store, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert serve(store, "--address", address) == 2
    assert "https://HOST:PORT" in capsys.readouterr().err


def test_a_certificate_that_is_none_is_refused_by_its_name(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine.pem").write_text("no certificate")
    options = ("--address", "https://127.0.0.1:0", "--listen", "127.0.0.1", "--certificate", str(tmp_path / "mine.pem"))
    assert serve(store, *options) == 2
    assert "mine.pem" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_and_the_server_can_be_started_on_another(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = StoreServer(store, Options("https://127.0.0.1:0", "127.0.0.1"))
    first.start()
    try:
        taken = first.address.partition("#")[0]
        other = Store(tmp_path / "other")
        assert serve(other, "--address", taken, "--listen", "127.0.0.1") == 1
        assert "choose another port" in capsys.readouterr().err
        second = StoreServer(other, Options("https://127.0.0.1:0", "127.0.0.1"))
        second.start()
        second.stop()
    finally:
        first.stop()


def test_a_server_leaves_the_log_of_its_process_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, closed = logging.NullHandler(), []
    monkeypatch.setattr(handler, "close", lambda: closed.append(handler))
    server = StoreServer(store, Options("https://127.0.0.1:0", "127.0.0.1"))
    server.start()
    server.stop()
    assert not closed, "TensorFlow's handler closes with it the stream that it was made with"
