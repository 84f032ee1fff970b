"""The connections of the store server: uvicorn's, which end where no whole request comes in time.

uvicorn itself waits without end for the rest of a request's headers, so that anybody could hold its connections.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LONGEST_WAIT_S = 30.0
"""Seconds from the first byte of a request, or from the beginning of a connection, to the end of the headers."""


class TimedConnection(H11Protocol):
    """A connection that is closed unless the headers of a request come within LONGEST_WAIT_S."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait for the rest where it is a part of the headers."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the headers are there
            self._wait_no_more()
        elif self._overdue is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._overdue = self.loop.call_later(LONGEST_WAIT_S, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
