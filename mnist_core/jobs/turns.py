"""A fair queue: people take turns, however many runs each of them has requested.

Each waiting run gets a round. The runs of one person are in rounds that follow each other, and the first of them is in
the round that is being trained now, or in the one after the person's last. Runs are trained by round, within a round
as they came. So somebody with one run waits for one run of each other person at most, and nobody is passed over for
ever: this is start-time fair queueing (Goyal, Vin & Cheng 1996) with runs of equal length. Where all runs are one
person's, it is first come, first served.
"""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.runs.run import Run

OWNER_KEY = "owner"
"""The annotation of a scheduler's task that says whose run it trains."""


class Turns:
    """The rounds of the tasks of a scheduler. A key is a task's, an owner a person's name, empty for nobody's."""

    def __init__(self) -> None:
        self._now = 0
        self._last: dict[str, int] = {}
        self._rounds: dict[str, int] = {}

    def round_of(self, key: str, owner: str) -> int:
        """Return the round of a task, the same one until it is forgotten, so that one tried again comes first."""
        if key not in self._rounds:
            found = max(self._now, self._last.get(owner, -1) + 1)
            self._last[owner] = self._rounds[key] = found
        return self._rounds[key]

    def started(self, key: str, owner: str) -> None:
        """Take note that a task is being carried out."""
        self._now = max(self._now, self.round_of(key, owner))

    def forgotten(self, key: str) -> None:
        """Take note that a task is over."""
        self._rounds.pop(key, None)


def in_turn(waiting: Sequence[Run], running: Sequence[Run] = ()) -> list[Run]:
    """Return waiting runs in the order in which the queue will take them, as far as it can be known from the store.

    waiting: as they were requested. running: the runs that are being trained, which are their owners' turns.
    """
    taken: dict[str, int] = {}
    for run in running:
        taken[run.meta.owner] = taken.get(run.meta.owner, 0) + 1
    rounds = []
    for run in waiting:
        rounds.append(taken.get(run.meta.owner, 0))
        taken[run.meta.owner] = rounds[-1] + 1
    return [waiting[index] for index in sorted(range(len(waiting)), key=lambda index: rounds[index])]
