"""Who may write a run: one process at a time, and never again once it has been overtaken."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from mnist_core.errors import StaleAttempt
from mnist_core.runs import lease
from tests.support.disks import refusing
from tests.support.waiting import until


def holder(**changes: object) -> str:
    me = psutil.Process()
    data = {"host": socket.gethostname(), "pid": me.pid, "process_started": me.create_time()}
    return json.dumps(data | changes)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_attempts_are_numbered_from_one(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        claimed = lease.claim(tmp_path)
        assert claimed is not None
        assert claimed.attempt == number == lease.attempts(tmp_path)
        claimed.release()


def test_a_held_run_cannot_be_claimed(tmp_path: Path) -> None:
    assert lease.claim(tmp_path) is not None
    assert lease.held(tmp_path)
    assert lease.holder_pid(tmp_path) == os.getpid()
    assert lease.claim(tmp_path) is None


def test_a_released_run_is_free_but_its_number_is_used(tmp_path: Path) -> None:
    claimed = lease.claim(tmp_path)
    assert claimed is not None
    claimed.release()
    assert not lease.held(tmp_path)
    assert lease.holder_pid(tmp_path) is None
    assert lease.attempts(tmp_path) == 1


def test_the_holder_stays_fresh_until_overtaken(tmp_path: Path) -> None:
    claimed = lease.claim(tmp_path)
    assert claimed is not None
    claimed.check()
    (tmp_path / "lease-2.json").write_text(holder())
    with pytest.raises(StaleAttempt, match="attempt 1"):
        claimed.check()


def test_the_holder_of_a_deleted_run_is_stale(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    claimed = lease.claim(folder)
    assert claimed is not None
    (folder / "lease-1.json").unlink()
    folder.rmdir()
    with pytest.raises(StaleAttempt):
        claimed.check()
    claimed.release()  # harmless
    assert not folder.exists()


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from mnist_core.runs import lease; assert lease.claim(Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    assert lease.attempts(tmp_path) == 1
    assert not lease.held(tmp_path)
    claimed = lease.claim(tmp_path)
    assert claimed is not None
    assert claimed.attempt == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no zombies")
def test_a_process_that_has_ended_and_is_not_yet_waited_for_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        (tmp_path / "lease-1.json").write_text(holder(pid=process.pid, process_started=started))
        assert lease.held(tmp_path)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays as a zombie
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert not lease.held(tmp_path)


def test_a_later_process_of_the_same_number_is_another(tmp_path: Path) -> None:
    (tmp_path / "lease-1.json").write_text(holder(process_started=psutil.Process().create_time() - 3600))
    assert not lease.held(tmp_path)


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere the system keeps start times as they were")
@pytest.mark.parametrize("seconds", [600, -600])
def test_a_holder_still_holds_after_the_clock_is_set(
    tmp_path: Path, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lease.claim(tmp_path) is not None
    before = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: before + seconds)  # as the kernel then reports it
    assert lease.held(tmp_path)
    assert lease.holder_pid(tmp_path) == os.getpid()
    assert lease.claim(tmp_path) is None


@pytest.mark.skipif(not psutil.LINUX, reason="only there a process has a mark")
def test_a_process_of_an_earlier_boot_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "lease-1.json").write_text(holder(process_mark="another-boot 17"))
    assert not lease.held(tmp_path)


def test_a_lease_just_made_and_not_yet_written_counts_as_held(tmp_path: Path) -> None:
    path = tmp_path / "lease-1.json"
    path.touch()
    assert lease.held(tmp_path)
    age(path, 5)
    assert not lease.held(tmp_path)
    age(path, -600)  # the clock was set back since
    assert not lease.held(tmp_path)


def test_a_holder_elsewhere_holds_for_as_long_as_its_heart_beats(tmp_path: Path) -> None:
    path = tmp_path / "lease-1.json"
    path.write_text(holder(host="another-machine"))
    assert lease.held(tmp_path)
    assert lease.holder_pid(tmp_path) is None  # its process cannot be ended from here
    age(path, lease.SILENCE_LIMIT_S + 5)
    assert not lease.held(tmp_path)
    (tmp_path / "progress.json").touch()
    assert lease.held(tmp_path)


@pytest.mark.parametrize("seconds", [600, -600])
@pytest.mark.parametrize("fresh", [True, False], ids=["living", "gone"])
def test_a_machine_with_a_wrong_clock_knows_all_the_same_whether_a_holder_elsewhere_lives(
    tmp_path: Path, seconds: int, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lease-1.json"
    path.write_text(holder(host="another-machine"))
    if not fresh:
        age(path, lease.SILENCE_LIMIT_S + 5)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)
    assert lease.held(tmp_path) == fresh
    assert (lease.claim(tmp_path) is None) == fresh


@pytest.mark.parametrize("seconds", [600, -600])
def test_the_clock_that_counts_is_that_of_the_file_system(
    tmp_path: Path, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the files are on a server whose clock is another one than that of every machine that writes there."""
    monkeypatch.setattr(lease, "_clocks", {})
    real = Path.touch

    def touch(path: Path, *arguments: object, **options: object) -> None:
        real(path, *arguments, **options)  # type: ignore[arg-type]
        age(path, -seconds)

    monkeypatch.setattr(Path, "touch", touch)
    path = tmp_path / "lease-1.json"
    path.write_text(holder(host="another-machine"))
    age(path, -seconds)
    assert lease.held(tmp_path)
    age(path, lease.SILENCE_LIMIT_S + 5 - seconds)
    assert not lease.held(tmp_path)


def test_a_holder_shows_that_it_lives_until_it_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat = lease._BeatingLeases()
    monkeypatch.setattr(lease, "_heartbeat", heartbeat)
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    for name in ("deleted", "kept"):
        (tmp_path / name).mkdir()
    deleted, kept = lease.claim(tmp_path / "deleted"), lease.claim(tmp_path / "kept")
    assert deleted is not None
    assert kept is not None
    (tmp_path / "deleted" / "lease-1.json").unlink()
    path = tmp_path / "kept" / "lease-1.json"
    for _ in range(3):
        age(path, 3600)
        until(lambda: time.time() - path.stat().st_mtime < 60)
    kept.release()
    until(lambda: not heartbeat._beats)
    assert lease.claim(tmp_path / "kept") is not None
    assert heartbeat._beats


def test_looking_whether_a_holder_elsewhere_lives_leaves_nothing_and_is_seldom_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_clocks", {})
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "lease-1.json").write_text(holder(host="another-machine"))
    before = folder.stat().st_mtime_ns
    assert lease.held(folder)
    changed = tmp_path.stat().st_mtime_ns
    assert lease.held(folder)
    assert tmp_path.stat().st_mtime_ns == changed
    assert folder.stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_where_nothing_can_be_written_a_holder_elsewhere_is_looked_at_with_the_clock_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_clocks", {})
    path = tmp_path / "lease-1.json"
    path.write_text(holder(host="another-machine"))
    with refusing(tmp_path.parent, errno.EROFS):
        assert lease.held(tmp_path)
    age(path, lease.SILENCE_LIMIT_S + 5)
    with refusing(tmp_path.parent, errno.EROFS):
        assert not lease.held(tmp_path)


def test_of_many_claims_at_once_one_wins(tmp_path: Path) -> None:
    won: list[lease.Lease] = []
    ready = threading.Barrier(8)

    def claim() -> None:
        ready.wait()
        claimed = lease.claim(tmp_path)
        if claimed:
            won.append(claimed)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].check()


def test_a_claim_made_between_two_looks_is_not_overtaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the number was counted after looking at the holder, so a rival's fresh claim could be overtaken."""
    look = lease.held
    rivals: list[lease.Lease | None] = []

    def look_while_a_rival_claims(folder: Path) -> bool:
        result = look(folder)
        if not rivals:
            rivals.append(None)
            rivals.append(lease.claim(folder))
        return result

    monkeypatch.setattr(lease, "held", look_while_a_rival_claims)
    assert lease.claim(tmp_path) is None
    assert rivals[1] is not None
    rivals[1].check()


def test_the_next_attempt_has_the_number_that_attempts_elsewhere_leave_it(tmp_path: Path) -> None:
    lease.count_from(tmp_path, 3)
    claimed = lease.claim(tmp_path)
    assert claimed is not None
    assert claimed.attempt == 3
