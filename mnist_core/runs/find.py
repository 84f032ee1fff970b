"""The run that a person means, wherever a function takes a run or its name."""

from __future__ import annotations

from mnist_core.runs.run import Run
from mnist_core.runs.store import Store


def resolve(run: Run | str, store: Store | None = None) -> Run:
    """Return `run` itself, or the run of this id, beginning of an id, or name.

    Parameters
    ----------
    run
        a run, or what `Store.find` understands.
    store
        where to look; default: the usual store.

    Raises
    ------
    RunNotFound
        if no run answers to the text, or several do; the message lists them.
    """
    return run if isinstance(run, Run) else (store or Store()).find(run)
