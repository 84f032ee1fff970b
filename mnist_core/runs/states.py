"""The states of a run, and what leads from one to another: one table, which everything that changes a run goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from mnist_core.errors import InvalidTransition

RunState = Literal["queued", "running", "paused", "finished", "cancelled", "diverged", "failed", "interrupted"]
"""`paused`: it has stopped after a whole epoch at a request, and waits for a person or a search. `interrupted` is never
written: it is what a reader calls a `running` run whose process is gone, and a live one whose process could not write
down why it failed."""

StateEvent = Literal[
    "request",
    "begin",
    "finish",
    "diverge",
    "stop",
    "hold",
    "fail",
    "pause",
    "cancel",
    "prune",
    "vanish",
    "vanish_with_reason",
]
"""The events that change a run's state.

request: a person or a study requests the run again; a new run begins as `INITIAL`.
begin, finish, diverge, stop, hold, fail: its training begins and ends; only the holder of the lease reports them.
    `stop` is a training that ended at a request to cancel, `hold` one that ended after a whole epoch, at a request to
    pause.
pause: a person requests that the run stops after the epoch that is under way, or after its first.
cancel: a person or a study cancels the run. The holder of a `running` run receives a request to stop; the run has not
ended yet.
prune: a search gives up a run that it had paused.
vanish: no living process holds the run. vanish_with_reason: no living process holds it, and the last one has left in
its lease why its end could not be written.
"""

Ending = Literal["finished", "paused", "cancelled", "diverged", "failed"]
"""The states in which a training ends; one that is paused or cancelled can go on."""

INITIAL: RunState = "queued"

TRANSITIONS: Mapping[StateEvent, Mapping[RunState, RunState]] = {
    "request": {"paused": "queued", "cancelled": "queued", "interrupted": "queued", "failed": "queued"},
    "begin": {"queued": "running", "interrupted": "running"},
    "finish": {"running": "finished"},
    "diverge": {"running": "diverged"},
    # a training is stopped or fails before it has begun, too; and it may stop as somebody writes that it is cancelled
    "stop": {"queued": "cancelled", "running": "cancelled", "interrupted": "cancelled", "cancelled": "cancelled"},
    "hold": {"running": "paused"},
    "fail": {"queued": "failed", "running": "failed", "interrupted": "failed"},
    "pause": {"queued": "queued", "running": "running"},
    "cancel": {
        "queued": "cancelled",
        "paused": "cancelled",
        "interrupted": "cancelled",
        "running": "running",
        "finished": "finished",
        "cancelled": "cancelled",
        "diverged": "diverged",
        "failed": "failed",
    },
    "prune": {"paused": "cancelled", "cancelled": "cancelled"},
    "vanish": {
        "queued": "queued",
        "running": "interrupted",
        "interrupted": "interrupted",
        "paused": "paused",
        "finished": "finished",
        "cancelled": "cancelled",
        "diverged": "diverged",
        "failed": "failed",
    },
    "vanish_with_reason": {
        "queued": "interrupted",
        "running": "interrupted",
        "interrupted": "interrupted",
        "paused": "paused",
        "finished": "finished",
        "cancelled": "cancelled",
        "diverged": "diverged",
        "failed": "failed",
    },
}
"""By event and state: the state that follows. What is not here cannot happen."""

END: Mapping[Ending, StateEvent] = {
    "finished": "finish",
    "paused": "hold",
    "cancelled": "stop",
    "diverged": "diverge",
    "failed": "fail",
}
"""The event of each ending of a training."""

LIVE: frozenset[RunState] = frozenset({"queued", "running"})
"""A run that somebody waits for; the only stored states that are not an end."""
ENDED: frozenset[RunState] = frozenset(get_args(Ending))
RESUMABLE: frozenset[RunState] = frozenset(TRANSITIONS["request"])
TRAINABLE: frozenset[RunState] = frozenset(TRANSITIONS["begin"])
"""A runner may take such a run: nobody trains it, and it has not ended."""
SETTLED: frozenset[RunState] = frozenset(
    state for state in get_args(RunState) if all(row.get(state, state) == state for row in TRANSITIONS.values())
)
"""Nothing leads from such a state to another: the run's results are final."""

_CAN: Mapping[StateEvent, str] = {
    "request": "be resumed",
    "begin": "be trained",
    "finish": "finish",
    "diverge": "diverge",
    "stop": "stop",
    "hold": "stop after an epoch",
    "fail": "fail",
    "pause": "be paused",
    "cancel": "be cancelled",
    "prune": "be given up by a search",
    "vanish": "lose its process",
    "vanish_with_reason": "lose its process",
}


def can(state: RunState, event: StateEvent) -> bool:
    """True if the table has a state that follows."""
    return state in TRANSITIONS[event]


def after(state: RunState, event: StateEvent, name: str = "") -> RunState:
    """Return the state that follows when `event` happens to a run in `state`.

    Raises
    ------
    InvalidTransition
        where the table has none; the message has the run's `name` and the states in which this could happen.
    """
    if can(state, event):
        return TRANSITIONS[event][state]
    *others, last = TRANSITIONS[event]
    which = f"{', '.join(others)} or {last} runs" if others else f"{last} runs"
    raise InvalidTransition(f"{f'run {name}' if name else 'the run'} is {state}; only {which} can {_CAN[event]}")
