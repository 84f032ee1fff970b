"""Fetching MNIST in a process of its own, and how far that is.

Keras downloads it, and Keras means TensorFlow, which has no place in the dashboard's process.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from mnist_core.data.datasets import MNIST_DOWNLOAD_BYTES, arriving
from mnist_core.files import writing
from mnist_core.runs.store import Store

COMMAND = ("datasets", "--download", "mnist")
SENTENCE = "MNIST could not be downloaded"


@dataclass(frozen=True)
class DownloadEnd:
    """The end of a download: True if MNIST is here now, and else the reason, in a sentence."""

    done: bool
    reason: str = ""


class Download:
    """One download, shared by all viewers.

    Parameters
    ----------
    store
        whose list of datasets the command looks at.
    command
        what fetches it.
    """

    def __init__(self, store: Store, command: tuple[str, ...] | None = None) -> None:
        self.store = store
        self._command = command or (sys.executable, "-m", "mnist_core", *COMMAND, "--store", str(store.root))
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = store.root / "download.log"

    def start(self) -> None:
        """Begin, unless it has begun already.

        Raises
        ------
        NotAllowed
            where the person who asks is a student of a class: the teacher's machine and network fetch it.
        WriteError
            where the store may not be written.
        """
        self.store.check("data")
        with self._lock:
            if self.running:
                return
            # into a file: a full pipe that nobody reads would stop the download
            with writing(self._log), self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=Path(__file__).resolve().parents[2],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    @property
    def running(self) -> bool:
        """True while it is under way."""
        return self._process is not None and self._process.poll() is None

    def share(self) -> float:
        """Return the share that has arrived, 0 to 1, from the size of the file that Keras is writing."""
        try:
            size = arriving().stat().st_size
        except OSError:
            size = 0
        return min(1.0, size / MNIST_DOWNLOAD_BYTES)

    def outcome(self) -> DownloadEnd | None:
        """Return how it ended; None if it is under way or was never begun."""
        if self._process is None or self.running:
            return None
        if self._process.returncode == 0:
            return DownloadEnd(True)
        return DownloadEnd(False, self._last_words())

    def stop(self) -> None:
        """End it; what has arrived is fetched again next time. Raises NotAllowed as `start` does."""
        self.store.check("data")
        if self._process is not None and self.running:
            self._process.terminate()
            self._process.wait(10)

    def _last_words(self) -> str:
        """Return the command's own sentence, which is its last line; a general one where it left none."""
        lines = (
            self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self._log.exists() else []
        )
        sentences = [line[line.index(SENTENCE) :].strip() for line in lines if SENTENCE in line]
        # Keras's message about a missing network is for programmers; other causes, such as a full disk, are shown
        return (
            re.sub(r" \(URL fetch failure.*?\)(?=\. |$)", "", sentences[-1])
            if sentences
            else f"{SENTENCE}; the end of {self._log.name} in the store says why"
        )
