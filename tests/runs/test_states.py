"""The states of a run: what follows from what, in the table and in the store, with no process but this one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from mnist_core.errors import InvalidTransition, StoreError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import execution
from mnist_core.runs import lease, states
from mnist_core.runs.run import Run
from mnist_core.runs.states import RunState, StateEvent
from mnist_core.runs.store import Store
from mnist_core.runs.writer import RunWriter

ROOT = Path(__file__).parents[2]
STATES: tuple[RunState, ...] = get_args(RunState)
EVENTS: tuple[StateEvent, ...] = get_args(StateEvent)

EXPECTED = """
                    queued       running      paused     finished  cancelled  diverged  failed  interrupted
request             -            -            queued     -         queued     -         queued  queued
begin               running      -            -          -         -          -         -       running
finish              -            finished     -          -         -          -         -       -
diverge             -            diverged     -          -         -          -         -       -
stop                cancelled    cancelled    -          -         cancelled  -         -       cancelled
hold                -            paused       -          -         -          -         -       -
fail                failed       failed       -          -         -          -         -       failed
pause               queued       running      -          -         -          -         -       -
cancel              cancelled    running      cancelled  finished  cancelled  diverged  failed  cancelled
prune               -            -            cancelled  -         cancelled  -         -       -
vanish              queued       interrupted  paused     finished  cancelled  diverged  failed  interrupted
vanish_with_reason  interrupted  interrupted  paused     finished  cancelled  diverged  failed  interrupted
"""
"""What follows: a row an event, a column a state; `-` is a clear error."""

HEAD, *ROWS = [line.split() for line in EXPECTED.strip().splitlines()]
FOLLOWS = {(state, row[0]): after for row in ROWS for state, after in zip(HEAD, row[1:], strict=True)}
PAIRS = [(state, event) for state in STATES for event in EVENTS]


def test_every_pair_of_state_and_event_is_specified() -> None:
    assert set(FOLLOWS) == set(PAIRS)


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_the_table_says_what_follows_or_that_it_cannot_happen(state: RunState, event: StateEvent) -> None:
    expected = FOLLOWS[state, event]
    assert states.can(state, event) == (expected != "-")
    if expected != "-":
        assert states.after(state, event) == expected
        return
    with pytest.raises(InvalidTransition, match=f"^run mine is {state}; only .*runs can ") as refused:
        states.after(state, event, "mine")
    possible = [other for other in STATES if FOLLOWS[other, event] != "-"]
    remedy = str(refused.value).split("only ")[1].split(" runs")[0]
    assert set(remedy.replace(" or ", ", ").split(", ")) == set(possible)


def bring(store: Store, run_id: str, state: RunState) -> RunWriter | None:
    """Bring a queued run into a state, and return its writer where that still holds it."""
    if state == "queued":
        return None
    writer = claim(store, run_id)
    writer.started([])
    if state == "running":
        return writer
    if state == "interrupted":
        writer.release()
    else:
        writer.ended(state, "for the test")
    return None


def happen(store: Store, run_id: str, event: StateEvent, writer: RunWriter | None) -> None:
    """Have an event happen as a user, a search or a training makes it happen."""
    if event == "request":
        store.request_again(run_id)
    elif event == "pause":
        store.request_pause(run_id)
    elif event == "cancel":
        store.cancel(run_id)
    elif event == "prune":
        store.prune(run_id, "worse than the others")
    else:
        own = writer or claim(store, run_id)
        try:
            train(own, event)
        except InvalidTransition:
            if own is not writer:  # nothing was written, and so nobody holds the run afterwards
                own.release()
            raise


def claim(store: Store, run_id: str) -> RunWriter:
    writer = store.open_writer(run_id)
    assert writer
    return writer


def train(writer: RunWriter, event: StateEvent) -> None:
    if event == "begin":
        writer.started([])
    elif event == "vanish":
        writer.release()
    elif event == "vanish_with_reason":
        writer.release("the disk is full")
    else:
        writer.ended({event: state for state, event in states.END.items()}[event], "for the test")


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_the_store_goes_by_the_table(store: Store, small_config: RunConfig, state: RunState, event: StateEvent) -> None:
    run_id = store.add(small_config, name="mine")[0].id
    writer = bring(store, run_id, state)
    assert store.get(run_id).state == state
    expected = FOLLOWS[state, event]
    before = (store.get(run_id).path / "status.json").read_bytes()
    if expected != "-":
        happen(store, run_id, event, writer)
        assert store.get(run_id).state == expected
        return
    if event == "prune":  # a search does not know whether its paused run was resumed meanwhile
        happen(store, run_id, event, writer)
    else:
        with pytest.raises(InvalidTransition, match=f"^run mine is {state}; only "):
            happen(store, run_id, event, writer)
    assert store.get(run_id).state == state
    assert (store.get(run_id).path / "status.json").read_bytes() == before


@pytest.mark.parametrize(
    ("group", "members"),
    [
        (states.LIVE, {"queued", "running"}),
        (states.ENDED, {"finished", "paused", "cancelled", "diverged", "failed"}),
        (states.RESUMABLE, {"paused", "cancelled", "failed", "interrupted"}),
        (states.TRAINABLE, {"queued", "interrupted"}),
        (states.SETTLED, {"finished", "diverged"}),
    ],
)
def test_the_groups_of_states(group: frozenset[str], members: set[str]) -> None:
    assert group == members


def test_an_interrupted_run_is_written_down_as_running(store: Store, small_config: RunConfig) -> None:
    run_id = store.add(small_config, name="mine")[0].id
    bring(store, run_id, "interrupted")
    assert store.get(run_id).status.state == "running"


def test_a_run_that_is_cancelled_as_its_worker_begins_stays_cancelled(
    store: Store, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cancels sees that nobody holds the run, and writes after the worker has looked at it."""
    run = store.add(small_config, name="mine")[0]

    def write_late(found: Run, writer: RunWriter, epochs_done: int) -> None:
        other = Store(store.root)
        with monkeypatch.context() as patch:
            patch.setattr(lease, "held", lambda folder: False)
            assert other.cancel(run.id).state == "cancelled"

    def never(*given: object, **named: object) -> None:
        raise AssertionError("a cancelled run must not be trained")

    monkeypatch.setattr(execution, "_count_attempt", write_late)
    assert execution.execute(store, run.id, train=never) is None  # type: ignore[arg-type]
    assert store.get(run.id).state == "cancelled"


def test_the_error_is_a_store_error() -> None:
    assert issubclass(InvalidTransition, StoreError)


def test_no_other_module_says_which_state_follows() -> None:
    """Nobody else writes a state by its name into a status."""
    by_name = re.compile(rf"""(["']state["']: |\bstate=)["']({"|".join(STATES)})["']""")
    for path in [*(ROOT / "mnist_core/runs").glob("*.py"), *(ROOT / "mnist_core/jobs").glob("*.py")]:
        assert not by_name.search(path.read_text(encoding="utf-8")), path.name
