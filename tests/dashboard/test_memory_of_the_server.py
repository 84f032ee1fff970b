"""A busy server gives back what sessions that have ended held."""

from __future__ import annotations

import gc
import weakref

import pytest

from dashboard import server


class Session:
    """Refers to itself, as sessions do through their handlers."""

    def __init__(self) -> None:
        self.handler = self.__init__


def test_what_ended_sessions_left_behind_is_freed_though_it_refers_to_itself() -> None:
    gc.disable()
    try:
        ended = weakref.ref(Session())
        assert ended() is not None
        server.tidy_up()
        assert ended() is None
    finally:
        gc.enable()


def test_where_the_c_library_cannot_give_memory_back_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.ctypes, "CDLL", lambda name: object())
    server.tidy_up()
