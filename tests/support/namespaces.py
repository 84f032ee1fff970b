"""Whether this machine lets a test have namespaces of its own: to mount a disk, or to stand for several machines."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys

MACHINES = (
    "unshare",
    "--map-root-user",
    "--net",
    "--mount",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
"""Begins a command that runs where it may make networks and mount folders."""
_MOUNTING = (("unshare", "-m"), ("unshare", "-rm"))
_PROGRAMS = {"mount": ("unshare", "mount"), "network": ("unshare", "mount", "nsenter", "ip")}


def missing(kind: str) -> str | None:
    """Return what has to be installed for namespaces of a kind, "mount" or "network"; None where all is here."""
    if sys.platform != "linux":
        return "namespaces are of Linux"
    lacking = [program for program in _PROGRAMS[kind] if shutil.which(program) is None]
    return f"not installed: {', '.join(lacking)} (Debian: util-linux, iproute2)" if lacking else None


@functools.cache
def forbidden(kind: str) -> str | None:
    """Return why the kernel grants no such namespaces, by trying; None where it does, or where it cannot be tried."""
    if missing(kind):
        return None
    mount = "mount -t tmpfs none /mnt"
    if kind == "mount":
        tries = [[*unshare, "sh", "-c", mount] for unshare in _MOUNTING]
    else:
        tries = [[*MACHINES, "sh", "-c", f"ip link add name probe type bridge && {mount}"]]
    done = None
    for command in tries:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
    assert done is not None
    return f"{kind} namespaces are forbidden on this machine ({' '.join(done.stderr.split())[:200]})"
