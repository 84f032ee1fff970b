"""Disks that refuse: real ones, mounted for a test, and made-up refusals that work without the right to mount."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_MAKING = os.O_CREAT | os.O_WRONLY | os.O_RDWR


def contents(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _mount(*arguments: str | Path) -> None:
    result = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"this process may not mount: {result.stderr.strip()}")


@contextlib.contextmanager
def mounted(folder: Path, *arguments: str | Path) -> Iterator[None]:
    """Mount something on a folder; skip the test where this process may not."""
    _mount(*arguments, folder)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A real disk of this size, in a folder that is made."""
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield


@contextlib.contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    """A folder with all that is in it as a disk that really cannot be written, not even by root."""
    with mounted(folder, "--bind", folder):
        _mount("-o", "remount,bind,ro", folder)
        yield


@contextlib.contextmanager
def refusing(root: Path, number: int) -> Iterator[None]:
    """Have the system refuse to write below `root`: EROFS everything, ENOSPC what takes space."""

    def refused(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).absolute().is_relative_to(root)

    def refuse(function: Callable[..., Any], *, writes: Callable[..., bool] = lambda *rest: True) -> Callable[..., Any]:
        def wrapped(path: Any, *rest: Any, **options: Any) -> Any:
            if refused(path) and writes(*rest, *options.values()):
                raise OSError(number, os.strerror(number), str(path))
            return function(path, *rest, **options)

        return wrapped

    def may_access(path: Any, mode: int, **options: Any) -> bool:
        return access(path, mode, **options) and not (refused(path) and mode & os.W_OK and number == errno.EROFS)

    access = os.access
    in_place = () if number == errno.EROFS else ("r+b",)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refuse(os.open, writes=lambda flags, *rest: bool(flags & _MAKING)))
        opens = refuse(
            io.open, writes=lambda mode="r", *rest: bool(set(str(mode)) & set("wax+")) and mode not in in_place
        )
        patch.setattr(io, "open", opens)
        patch.setattr("builtins.open", opens)
        patch.setattr(os, "access", may_access)
        patch.setattr(shutil, "_use_fd_functions", False)  # else it names files by what is open, not by their paths
        names = ("mkdir", "rename", "replace", "unlink", "rmdir", "utime") if number == errno.EROFS else ("mkdir",)
        for name in names:
            real = getattr(os, name)
            patch.setattr(os, name, _unless_there(real, refuse(real)) if name == "mkdir" else refuse(real))
        yield


def _unless_there(real: Callable[..., Any], refuse: Callable[..., Any]) -> Callable[..., Any]:
    """A folder that exists is not refused but exists, as the kernel has it."""

    def mkdir(path: Any, *rest: Any, **options: Any) -> Any:
        return (real if os.path.lexists(path) else refuse)(path, *rest, **options)

    return mkdir


def fill(folder: Path, *, free: int = 0) -> Path:
    """Fill the disk that a folder is on, all but `free` bytes; the file that does it, to be deleted."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    with path.open("r+b") as file:
        file.truncate(max(0, path.stat().st_size - free))
    return path
