"""How much memory a piece of work takes, that of HDF5, zlib and Pillow too, which do not allocate through Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CAN_MEASURE = Path("/proc/self/clear_refs").exists()
"""True on Linux, which counts the largest resident memory of a process anew when it is asked to."""


@dataclass
class Peak:
    """By how many bytes the resident memory of this process grew at most; known after the block of `measured`."""

    bytes: int = 0


@contextmanager
def measured() -> Iterator[Peak]:
    """Measure the peak of resident memory while the block runs, over what was resident before."""
    found = Peak()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): reset the peak to the present value
    before = _resident("VmRSS")
    try:
        yield found
    finally:
        found.bytes = max(0, _resident("VmHWM") - before)


def _resident(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    row = re.search(rf"{name}:\s+(\d+) kB", status)
    assert row is not None
    return 1024 * int(row[1])
