"""Files that a reader never sees half of: what a full disk, a killed process and the umask leave behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_core import files
from mnist_core.errors import WriteError
from mnist_core.files import append_json_line, placing, read_json, read_json_lines, replacing, sweep, write_json
from tests.support.disks import fill, refusing, tmpfs

ROOT = Path(__file__).parents[1]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system writes what fits, and refuses the rest, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestLines:
    def test_a_line_that_does_not_fit_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        append_json_line(path, {"epoch": 1})
        before = path.read_bytes()
        with files_of_at_most(len(before) + 5), pytest.raises(WriteError, match=r"history\.jsonl cannot be written"):
            append_json_line(path, {"epoch": 2})
        assert path.read_bytes() == before
        append_json_line(path, {"epoch": 2})
        assert read_json_lines(path) == [{"epoch": 1}, {"epoch": 2}]

    def test_a_line_that_a_full_disk_tears_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        with tmpfs(tmp_path / "disk", "64k"):
            path = tmp_path / "disk" / "history.jsonl"
            append_json_line(path, {"epoch": 1})
            fill(path.parent)
            before = path.read_bytes()
            with pytest.raises(WriteError, match="the disk is full; free some space"):
                append_json_line(path, {"text": "x" * 8000})  # the first of its pages still fits
            assert path.read_bytes() == before

    @pytest.mark.parametrize("torn", [b'{"epoch": 2, "lo', b"x" * 10_000])
    def test_a_line_after_a_torn_one_starts_afresh(self, tmp_path: Path, torn: bytes) -> None:
        path = tmp_path / "attempts.jsonl"
        append_json_line(path, {"epoch": 1})
        with path.open("ab") as file:
            file.write(torn)
        append_json_line(path, {"epoch": 2})
        assert read_json_lines(path) == [{"epoch": 1}, {"epoch": 2}]

    def test_a_file_that_is_all_torn_starts_afresh(self, tmp_path: Path) -> None:
        path = tmp_path / "attempts.jsonl"
        path.write_bytes(b'{"epo')
        append_json_line(path, {"epoch": 1})
        assert read_json_lines(path) == [{"epoch": 1}]


class TestRefusals:
    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (errno.ENOSPC, "the disk is full; free some space, then try again; nothing that is stored is lost"),
            (errno.EROFS, "the store is read-only; to train or to change runs, use a store that can be written"),
            (errno.EACCES, "permission is denied; ask the owner"),
            (errno.EIO, "Input/output error; check the disk"),
        ],
    )
    def test_a_refusal_says_what_why_and_what_to_do(self, tmp_path: Path, number: int, words: str) -> None:
        path = tmp_path / "run" / "status.json"
        path.parent.mkdir()
        write_json(path, {"state": "queued"})
        with refusing(tmp_path, number), pytest.raises(WriteError) as refused:
            write_json(path, {"state": "running"})
        assert str(refused.value).startswith(f"run/status.json cannot be written: {words}")
        assert read_json(path) == {"state": "queued"}

    def test_the_number_of_an_error_of_hdf5_is_in_its_text(self, tmp_path: Path) -> None:
        text = "Can't write data (file write failed: errno = 28, error message = 'No space left on device')"
        with (
            pytest.raises(WriteError, match=r"model\.keras cannot be written: the disk is full"),
            placing(tmp_path / "model.keras"),
        ):
            raise OSError(text)

    def test_a_full_disk_keeps_the_old_file_and_no_half_of_the_new(self, tmp_path: Path) -> None:
        with tmpfs(tmp_path / "disk", "64k"):
            path = tmp_path / "disk" / "meta.json"
            write_json(path, {"name": "old"})
            filler = fill(path.parent, free=4096)
            with pytest.raises(WriteError, match="the disk is full"):
                write_json(path, {"name": "n" * 10_000})
            assert sorted(os.listdir(path.parent)) == ["filler", "meta.json"]
            assert read_json(path) == {"name": "old"}
            filler.unlink()
            write_json(path, {"name": "new"})
            assert read_json(path) == {"name": "new"}


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002, 0o077])
def test_a_replaced_file_has_the_mode_that_the_umask_gives(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "whole.json", {})
        write_json(tmp_path / "whole.json", {})
        (tmp_path / "ordinary").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "whole.json").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


class TestWhatIsLeftBehind:
    @pytest.mark.parametrize("name", ["checkpoint.npz", "status.json", "model.keras"])
    def test_a_killed_process_leaves_a_file_that_is_swept(self, tmp_path: Path, name: str) -> None:
        code = (
            "import os, signal, sys; from pathlib import Path; from mnist_core.files import replacing\n"
            "with replacing(Path(sys.argv[1])) as file:\n"
            "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
        )
        (tmp_path / name).write_bytes(b"old")
        killed = subprocess.run([sys.executable, "-c", code, tmp_path / name], cwd=ROOT, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len(os.listdir(tmp_path)) == 2
        sweep(tmp_path)
        assert os.listdir(tmp_path) == [name]
        assert (tmp_path / name).read_bytes() == b"old"

    def test_what_a_living_process_is_writing_stays(self, tmp_path: Path) -> None:
        with replacing(tmp_path / "status.json") as file:
            file.write(b"{}")
            sweep(tmp_path)
        assert read_json(tmp_path / "status.json") == {}

    def test_a_later_process_of_the_same_number_does_not_keep_it(self, tmp_path: Path) -> None:
        mine = files.temporary_near(tmp_path / "status.json").name.split("-")
        mine[2] = str(time.time_ns() - 10**9 * 86400 * 365 * 20)
        (tmp_path / "-".join(mine)).touch()
        sweep(tmp_path)
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "name", [".tmp-1-1-0-elsewhere.status.json", ".checkpoint.npz.abcd1234", ".2.model.keras", ".new-0123-77-5"]
    )
    def test_whose_process_cannot_be_looked_up_goes_after_an_hour(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.touch()
        sweep(tmp_path)
        assert path.exists()
        os.utime(path, (time.time() - files.FORGOTTEN_AFTER_S - 10,) * 2)
        sweep(tmp_path)
        assert not path.exists()

    def test_what_is_not_ours_stays(self, tmp_path: Path) -> None:
        for name in (".DS_Store", ".gitignore", ".service", "status.json"):
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (0, 0))
        sweep(tmp_path)
        assert len(os.listdir(tmp_path)) == 4
