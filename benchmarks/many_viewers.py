"""Many people look at one server: how long each waits for a changed view, and how much memory they take.

    python benchmarks/many_viewers.py
    python benchmarks/many_viewers.py --viewers 30 --every 4 --seconds 40 --come-and-go 200

Real sessions over real websockets, in Streamlit's own protocol and without a browser: each viewer opens Compare and
then moves the smoothing slider every few seconds, to another value each time, so that every view is one that this
viewer has not seen. Half of the changes redraw the curves alone, as a browser asks for it, and half the whole page, as
the choice of another run does; `--whole 1` redraws the whole page each time. Then so many sessions come one after the
other, look, and leave. Memory is that of the server's process (resident), after its sessions have ended.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from mnist_core.runs.store import Store, default_root
from tests.support.browser import Server, end_everything, start_server

SLIDER = "smoothing"
PATIENCE_S = 240


class Viewer:
    """One session on Compare."""

    def __init__(self, url: str) -> None:
        self._address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self._origin = url
        self.slider = ""
        self.fragment = ""
        self._page = ""
        self.received = 0
        """Bytes."""

    async def __aenter__(self) -> Viewer:
        self._socket = await websockets.connect(
            self._address, subprotocols=["streamlit"], max_size=None, origin=self._origin, open_timeout=PATIENCE_S,
            ping_timeout=None,
        )  # fmt: skip
        await self.rerun()
        if not self.slider:
            raise SystemExit(f"the page has no slider {SLIDER!r}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def rerun(self, smoothing: float | None = None, *, whole: bool = True) -> float:
        """Ask for the page, or the curves alone, with the slider at a value; return the seconds until all is there."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_script_hash = self._page
        if not whole:
            message.rerun_script.fragment_id = self.fragment
        if smoothing is not None:
            state = message.rerun_script.widget_states.widgets.add()
            state.id = self.slider
            state.double_array_value.data.append(smoothing)
        began = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(PATIENCE_S):
            while True:
                content = await self._socket.recv()
                self.received += len(content)
                found = ForwardMsg.FromString(content)
                kind = found.WhichOneof("type")
                if kind == "delta":
                    self._look(found)
                elif kind == "new_session":
                    self._page = found.new_session.page_script_hash
                elif kind == "script_finished" and found.script_finished in (
                    ForwardMsg.FINISHED_SUCCESSFULLY,
                    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
                ):
                    return time.perf_counter() - began

    def _look(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            raise SystemExit(f"the page failed: {element.exception.message}")
        if kind == "slider" and element.slider.id.endswith(SLIDER):
            self.slider, self.fragment = element.slider.id, message.delta.fragment_id


VALUES = itertools.cycle(round(value, 2) for value in np.arange(0.05, 0.96, 0.05))


async def looked(
    url: str, viewers: int, every: float, seconds: float, whole: float = 0.5
) -> tuple[list[float], list[float], int]:
    """Seconds until the first view, and until each changed one; and bytes received for all.

    whole: share of the changes that redraw the whole page.
    """
    first: list[float] = []
    waits: list[float] = []
    received = 0

    async def one(number: int) -> None:
        nonlocal received
        await asyncio.sleep(number * every / viewers)  # a class does not click in step
        began = time.perf_counter()
        async with Viewer(url) as viewer:
            first.append(time.perf_counter() - began)
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                wait = await viewer.rerun(next(VALUES), whole=random.random() < whole)
                waits.append(wait)
                await asyncio.sleep(max(0.0, random.uniform(0.7, 1.3) * every - wait))
            received += viewer.received

    async with asyncio.TaskGroup() as group:
        for number in range(viewers):
            group.create_task(one(number))
    return first, waits, received


async def came_and_went(url: str, sessions: int) -> None:
    """Let sessions come, look, change the view twice, and leave; five at a time."""
    places = asyncio.Semaphore(5)

    async def one() -> None:
        async with places, Viewer(url) as viewer:
            for _ in range(2):
                await viewer.rerun(next(VALUES))

    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(one())


def megabytes(server: Server) -> float:
    """Resident memory of the server itself, without the job service and its workers."""
    return psutil.Process(server.process.pid).memory_info().rss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between two changes of a viewer")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--come-and-go", type=int, default=200, help="sessions that come and go after that")
    parser.add_argument("--whole", type=float, default=0.5, help="share of the changes that redraw the whole page")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "artifacts"
        shutil.copytree(default_root() / "reference", root / "reference")
        server = start_server(Store(root), Path(folder) / "server.log")
        try:
            asyncio.run(looked(server.url, 1, 1.0, 3.0))
            found: dict[str, float] = {"MB with one viewer": megabytes(server)}
            process = psutil.Process(server.process.pid)
            used = sum(process.cpu_times()[:2])
            began = time.perf_counter()
            first, waits, received = asyncio.run(
                looked(server.url, options.viewers, options.every, options.seconds, options.whole)
            )
            took = time.perf_counter() - began
            found |= {
                "first view, median s": float(np.median(first)),
                "first view, longest s": max(first),
                "changed view, median s": float(np.median(waits)),
                "changed view, p95 s": float(np.percentile(waits, 95)),
                "changed view, longest s": max(waits),
                "changed views": len(waits),
                "processor s of the server a view": (sum(process.cpu_times()[:2]) - used) / (len(first) + len(waits)),
                "kB received a view": received / 1000 / (len(first) + len(waits)),
                "MB afterwards": megabytes(server),
                "MB more a minute": (megabytes(server) - found["MB with one viewer"]) / took * 60,
            }
            for number in range(0, options.come_and_go, 50):
                asyncio.run(came_and_went(server.url, min(50, options.come_and_go - number)))
                found[f"MB after {number + 50} more sessions have come and gone"] = megabytes(server)
        finally:
            end_everything(server)
    if options.json:
        print(json.dumps(found | {"load": os.getloadavg()[0]}))
        return
    print(f"{options.viewers} viewers, a change every {options.every:g} s each; load {os.getloadavg()[0]:.1f}")
    for name, value in found.items():
        print(f"{name:52} {value:9.3f}" if isinstance(value, float) else f"{name:52} {value:9}")


if __name__ == "__main__":
    main()
