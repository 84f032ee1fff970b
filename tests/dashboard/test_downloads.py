"""Fetching MNIST: its progress, its end, and why it failed. A stand-in takes the place of the command: no network."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dashboard.shared.downloads import Download
from mnist_core.data.datasets import MNIST_DOWNLOAD_BYTES, arriving
from mnist_core.errors import NotAllowed
from mnist_core.people import OWNER, Person, student
from mnist_core.runs.store import Store


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def download(store: Store, code: str) -> Download:
    return Download(store, (sys.executable, "-c", code))


def ended(fetching: Download) -> None:
    limit = time.monotonic() + 20
    while fetching.running and time.monotonic() < limit:
        time.sleep(0.02)
    assert not fetching.running


def test_nothing_is_said_before_it_begins(store: Store) -> None:
    fetching = download(store, "")
    assert fetching.outcome() is None
    assert not fetching.running
    assert fetching.share() == 0.0


def test_progress_is_the_size_of_the_file_that_grows(store: Store) -> None:
    arriving().parent.mkdir(parents=True)
    arriving().write_bytes(b"x" * (MNIST_DOWNLOAD_BYTES // 4))
    assert download(store, "").share() == pytest.approx(0.25, abs=0.001)


def test_success(store: Store) -> None:
    fetching = download(store, "print('MNIST is in ...')")
    fetching.start()
    ended(fetching)
    outcome = fetching.outcome()
    assert outcome is not None
    assert outcome.done


def test_failure_gives_the_commands_own_sentence(store: Store) -> None:
    sentence = "MNIST could not be downloaded (no network). Without a network, use the dataset digits"
    fetching = download(store, f"import sys; print('noise'); sys.exit('mnist_core: {sentence}')")
    fetching.start()
    ended(fetching)
    outcome = fetching.outcome()
    assert outcome is not None
    assert not outcome.done
    assert outcome.reason == sentence


def test_without_a_network_keras_own_words_are_left_out(store: Store) -> None:
    raw = "(URL fetch failure on https://host/mnist.npz: None -- [Errno -2] Name or service not known)"
    rest = ". Without a network, use the dataset digits"
    fetching = download(store, f"import sys; sys.exit('mnist_core: MNIST could not be downloaded {raw}{rest}')")
    fetching.start()
    ended(fetching)
    outcome = fetching.outcome()
    assert outcome is not None
    assert outcome.reason == f"MNIST could not be downloaded{rest}"


def test_failure_without_a_word_says_where_to_look(store: Store) -> None:
    fetching = download(store, "import sys; sys.exit(3)")
    fetching.start()
    ended(fetching)
    outcome = fetching.outcome()
    assert outcome is not None
    assert "download.log" in outcome.reason


def test_it_can_be_stopped_and_begun_again(store: Store) -> None:
    fetching = download(store, "import time; time.sleep(60)")
    fetching.start()
    assert fetching.running
    fetching.stop()
    assert not fetching.running
    fetching.start()
    assert fetching.running
    fetching.stop()


def test_a_student_of_a_class_can_neither_start_nor_stop_it(tmp_path: Path) -> None:
    viewer: list[Person] = [student("Ada")]
    fetching = download(Store(tmp_path, who=lambda: viewer[0]), "import time; time.sleep(60)")
    with pytest.raises(NotAllowed, match="Ada may not download"):
        fetching.start()
    assert not fetching.running
    viewer[0] = OWNER
    fetching.start()
    viewer[0] = student("Ada")
    with pytest.raises(NotAllowed, match="Ada may not download"):
        fetching.stop()
    assert fetching.running
    viewer[0] = OWNER
    fetching.stop()


def test_a_second_start_joins_the_first(store: Store, tmp_path: Path) -> None:
    code = (
        f"import time, uuid, pathlib; pathlib.Path({str(tmp_path)!r}, uuid.uuid4().hex + '.go').touch(); time.sleep(60)"
    )
    fetching = download(store, code)
    fetching.start()
    fetching.start()
    limit = time.monotonic() + 20
    while not list(tmp_path.glob("*.go")) and time.monotonic() < limit:
        time.sleep(0.02)
    time.sleep(0.2)
    fetching.stop()
    assert len(list(tmp_path.glob("*.go"))) == 1


def test_the_real_command_is_the_command_lines_own(store: Store) -> None:
    command = Download(store)._command
    assert command[1:5] == ("-m", "mnist_core", "datasets", "--download")
