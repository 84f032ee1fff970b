"""How often somebody may do something: so many times at once, and then at a steady pace."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from mnist_core.errors import TooOften

MOST_KEYS = 10_000
"""Persons or addresses that one limit remembers; beyond, those that were quiet for the longest are forgotten."""


class RateLimit:
    """A limit for each key by itself, such as a person: a bucket of `most` tokens that fills again within `seconds`.

    All methods may be called from any thread.
    """

    def __init__(self, what: str, most: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """what: the things that are counted, in the plural, for the message. clock: seconds that only grow."""
        self.what, self.most, self.seconds = what, most, seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one; raise TooOften, which counts nothing, where the limit is reached."""
        self._look(key, 1)

    def check(self, key: str) -> None:
        """Raise TooOften where the limit is reached; count nothing."""
        self._look(key, 0)

    def _look(self, key: str, count: int) -> None:
        pace = self.seconds / self.most
        with self._lock:
            now = self._clock()
            spent, at = self._spent.pop(key, (0.0, now))
            spent = max(0.0, spent - (now - at) / pace)
            allowed = spent + 1 <= self.most
            self._spent[key] = (spent + count if allowed else spent), now
            while len(self._spent) > MOST_KEYS:
                self._spent.popitem(last=False)
        if not allowed:
            wait = max(1, round((spent + 1 - self.most) * pace))
            raise TooOften(
                f"{self.most} {self.what} in {self.seconds:g} seconds are the most; wait {wait} s, then try again"
            )
