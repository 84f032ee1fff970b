"""RunLogger sends a run to a store on another machine; the model is a fake, the server a real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import ConfigError
from mnist_core.jobs.store_server import Options, StoreServer
from mnist_core.recording import elsewhere, run_logger
from mnist_core.recording.run_archive import unpack
from mnist_core.recording.run_logger import Recorder
from mnist_core.remote import sync
from mnist_core.remote.client import ServerAddress
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.waiting import until


class FakeModel:
    """Predicts nothing but ones and zeros; `stop_training` is what a callback sets."""

    stop_training = False
    loss = "sparse_categorical_crossentropy"
    output_shape = (None, 10)
    input_shape = (None, 28, 28)

    def count_params(self) -> int:
        return 10

    def predict(self, images: Any, **_: Any) -> Any:
        return np.tile(np.eye(10, dtype=np.float32)[0], (len(images), 1))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run_logger, "_framework", lambda: "a fake")
    monkeypatch.setattr(sync, "INTERVAL_S", 0.02)
    monkeypatch.setattr(sync, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(elsewhere, "user_root", lambda: tmp_path / "user")
    monkeypatch.setattr(elsewhere, "PATIENCE_S", 0.5)


def made(store: Store, port: int = 0) -> StoreServer:
    server = StoreServer(store, Options(f"https://127.0.0.1:{port}", "127.0.0.1"))
    server.start()
    return server


@pytest.fixture
def server(store: Store) -> Iterator[StoreServer]:
    server = made(store)
    yield server
    server.stop()


def logger(server: StoreServer, name: str = "my net", **given: Any) -> Recorder:
    found = Recorder(name, dataset="digits", server=server.address, token=server.tokens.recording, **given)
    found.model = FakeModel()  # type: ignore[attr-defined]
    found.params = {"epochs": 3, "steps": 1}  # type: ignore[attr-defined]
    return found


def fit(recorder: Recorder, epochs: int = 3, before_end: Any = lambda epoch: None) -> None:
    """What `model.fit` calls."""
    recorder.on_train_begin()
    for epoch in range(epochs):
        recorder.on_epoch_begin(epoch)
        recorder.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1), "val_loss": 1.0 / (epoch + 1)})
        before_end(epoch)
        if recorder.model.stop_training:  # type: ignore[attr-defined]
            break
    recorder.on_train_end()


def the_run(store: Store) -> Run:
    (run,) = [run for run in store.runs() if run.recorded]
    return run


def test_a_run_is_shown_while_it_trains_elsewhere_and_is_kept_at_its_end(server: StoreServer, store: Store) -> None:
    def shown(epoch: int) -> None:
        until(
            lambda: [run.state for run in store.runs() if run.recorded and run.epochs_done == epoch + 1] == ["running"]
        )

    recorder = logger(server, tags=["mine"], note="from my laptop")
    fit(recorder, before_end=shown)
    run = the_run(store)
    assert (run.state, run.name, run.meta.tags, run.meta.note) == ("finished", "my net", ("mine",), "from my laptop")
    assert run.epochs_done == 3
    predictions = run.predictions()
    assert predictions is not None
    assert len(predictions.labels) == 355
    assert not list((elsewhere.user_root() / "unsent").iterdir())


def test_a_person_who_cancels_the_run_in_the_dashboard_ends_the_training(server: StoreServer, store: Store) -> None:
    def cancel(epoch: int) -> None:
        if epoch == 0:
            until(lambda: any(run.state == "running" for run in store.runs()))
            store.cancel(the_run(store).id)
            assert recorder._writer is not None
            until(lambda: recorder._writer.cancel_requested)  # type: ignore[union-attr]

    recorder = logger(server)
    fit(recorder, before_end=cancel)
    assert the_run(store).state == "cancelled"
    assert the_run(store).epochs_done == 2


def test_a_server_that_dies_in_the_middle_costs_nothing_and_gets_the_rest_later(store: Store) -> None:
    first = made(store)
    port = ServerAddress.parse(first.address).port
    later: list[StoreServer] = []

    def restart(epoch: int) -> None:
        if epoch == 0:
            until(lambda: any(run.epochs_done == 1 for run in store.runs()))
            first.stop()
        if epoch == 2:
            later.append(made(store, port))

    fit(logger(first), before_end=restart)
    later[0].stop()
    assert the_run(store).state == "finished"
    assert [row.epoch for row in the_run(store).rows()] == [1, 2, 3]


def test_a_run_that_cannot_be_sent_is_kept_as_an_archive_which_the_store_takes(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    server = made(store)

    def stop(epoch: int) -> None:
        if epoch == 1:
            until(lambda: any(run.epochs_done == 2 for run in store.runs()))
            server.stop()

    fit(logger(server, "my net, too"), before_end=stop)
    output = capsys.readouterr().err
    (archive,) = (elsewhere.user_root() / "unsent").iterdir()
    assert "could not be sent" in output
    assert str(archive) in output
    assert the_run(store).state == "interrupted"
    (arrived,) = unpack(archive, store)
    assert arrived.new
    assert (arrived.run.state, arrived.run.epochs_done) == ("finished", 3)


def test_a_wrong_token_does_not_end_the_training_and_the_run_is_kept(
    server: StoreServer, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder("mine", dataset="digits", server=server.address, token="0" * 64)
    recorder.model = FakeModel()  # type: ignore[attr-defined]
    fit(recorder)
    assert "token" in capsys.readouterr().err
    assert not recorder.model.stop_training  # type: ignore[attr-defined]
    assert store.runs() == []
    assert list((elsewhere.user_root() / "unsent").glob("mine-*.zip"))


def test_the_environment_names_the_server_and_the_token(
    server: StoreServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_CORE_SERVER", server.address)
    with pytest.raises(ConfigError, match="MNIST_CORE_SERVER_TOKEN"):
        Recorder("mine", dataset="digits")
    monkeypatch.setenv("MNIST_CORE_SERVER_TOKEN", server.tokens.recording)
    recorder = Recorder("mine", dataset="digits")
    recorder.model = FakeModel()  # type: ignore[attr-defined]
    fit(recorder)
    assert the_run(store).state == "finished"


def test_a_server_and_a_store_are_not_given_together(server: StoreServer, store: Store) -> None:
    with pytest.raises(ConfigError, match="either"):
        logger(server, store=store)
