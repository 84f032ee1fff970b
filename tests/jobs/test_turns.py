"""The fair queue: people take turns, however many runs each has requested."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mnist_core.jobs.turns import Turns, in_turn
from mnist_core.people import student
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.synthetic import FINGERPRINT, config
from tests.support.waiting import run_apart


def carried_out(requests: Sequence[str], later: dict[int, Sequence[str]] | None = None) -> str:
    """Return the order in which one worker takes the tasks of these owners, as a word of their letters.

    later: after so many tasks have begun, these come in too.
    """
    turns, waiting, order = Turns(), [], ""
    later = dict(later or {})
    count = 0

    def come(owners: Sequence[str]) -> None:
        nonlocal count
        for owner in owners:
            waiting.append((turns.round_of(f"{owner}{count}", owner), count, owner))
            count += 1

    come(requests)
    while waiting:
        task = min(waiting)
        waiting.remove(task)
        turns.started(f"{task[2]}{task[1]}", task[2])
        order += task[2]
        come(later.pop(len(order), ()))
    return order


def test_one_persons_runs_are_taken_as_they_came() -> None:
    turns = Turns()
    assert [turns.round_of(str(number), "") for number in range(5)] == [0, 1, 2, 3, 4]


def test_people_take_turns() -> None:
    assert carried_out("aaaaabbbcc") == "abcabcabaa"


def test_whoever_comes_late_waits_for_one_run_of_each_other_person_at_most() -> None:
    assert carried_out("aaaaaabbbbbb", {6: "c"}).index("c") <= 8


def test_whoever_was_away_has_no_turns_saved_up() -> None:
    order = carried_out("aaaaaaaaaa", {5: "bbbbb"})
    assert order[5:] == "ababababab" or order[5:] == "bababababa"


def test_somebody_who_always_has_two_in_the_queue_does_not_keep_others_from_theirs() -> None:
    order = carried_out("aaaaaabb", dict.fromkeys(range(1, 12), "b"))
    assert order[:12].count("a") >= 5


def test_a_task_that_is_tried_again_keeps_its_round_until_it_is_over() -> None:
    turns = Turns()
    first = turns.round_of("x", "a")
    turns.started("x", "a")
    turns.round_of("y", "a")
    assert turns.round_of("x", "a") == first
    turns.forgotten("x")
    assert turns.round_of("x", "a") > first


def test_the_place_in_line_that_is_shown_follows_the_turns(store: Store) -> None:
    def runs(owners: str) -> list[Run]:
        found = []
        for owner in owners:
            theirs = Store(store.root, who=lambda owner=owner: student(owner))
            number = len(store.runs())
            found.append(theirs.add(config((number + 1,)), name=f"{owner}{number}", fingerprint=FINGERPRINT)[0])
        return found

    waiting, running = runs("aaabc"), runs("a")
    assert [run.name for run in in_turn(waiting)] == ["a0", "b3", "c4", "a1", "a2"]
    assert [run.name for run in in_turn(waiting, running)] == ["b3", "c4", "a0", "a1", "a2"]


def test_the_scheduler_lets_people_take_turns() -> None:
    from dask.base import annotate
    from distributed import Client, SchedulerPlugin

    from mnist_core.jobs.nodes import LocalScheduler, LocalWorker

    taken = []

    class Note(SchedulerPlugin):
        """Notes down which task is given to the worker."""

        name = "note"

        def transition(self, key: Any, start: str, finish: str, *arguments: Any, **options: Any) -> None:
            """Note a task down."""
            if finish == "processing":
                taken.append(str(key)[0])

    async def carry_out() -> None:
        async with (
            LocalScheduler(protocol="inproc://", dashboard=False) as scheduler,
            Client(scheduler.address, asynchronous=True, set_as_default=False) as client,
        ):
            scheduler.add_plugin(Note())
            futures = []
            for number, owner in enumerate("aaaabbc"):  # before there is a worker, so that all of them wait
                with annotate(owner=owner):
                    futures.append(client.submit(abs, -1, key=f"{owner}{number}", pure=False))
            while len(scheduler.queued) < len(futures):
                await asyncio.sleep(0.01)
            async with LocalWorker(scheduler.address, nthreads=1, dashboard=False):
                await client.gather(futures)

    run_apart(carry_out())
    assert "".join(taken) == "abcabaa"
