"""Any file from elsewhere as runs: the one way in for the command line and for uploads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnist_core.errors import ConfigError
from mnist_core.inspection.network_file import record_network
from mnist_core.recording.importing import read
from mnist_core.recording.record import record
from mnist_core.recording.run_archive import Arrived, unpack
from mnist_core.runs.store import Store

ENDINGS = (".npz", ".csv", ".tsv", ".json", ".keras", ".zip")
"""Of the files that are read; event files of TensorBoard have none of their own."""


def import_file(
    path: Path,
    *,
    store: Store,
    name: str | None = None,
    dataset: str | None = None,
    classes: Sequence[str] | None = None,
    parameters: int | None = None,
    history: Path | None = None,
    framework: str = "",
) -> list[Arrived]:
    """Return the runs that a file holds, which are in the store then.

    Parameters
    ----------
    path
        predictions, a history, a network (``.keras``) or an archive of runs (``.zip``).
    store
        where the runs are kept.
    name
        what the run is called; default: the name of the file.
    history
        the file of the history that belongs to predictions or to a network.
    dataset, classes, parameters, framework
        as `record` takes them; the runs of an archive have their own.

    Raises
    ------
    MnistCoreError
        where the file is damaged, of no kind that is read, or does not fit what else was given.
    """
    kind = path.suffix.lower()
    if kind == ".zip":
        given = {
            "name": name, "dataset": dataset, "classes": classes, "parameters": parameters, "history": history,
            "framework": framework,
        }  # fmt: skip
        unused = [f"--{key}" for key, value in given.items() if value]
        if unused:
            raise ConfigError(f"{unused[0]} is for predictions of another tool; the runs of an archive have their own")
        return unpack(path, store)
    called = name or path.stem[:80]
    rows = None if history is None else _history(history)
    before = {run.id for run in store.runs()}
    if kind == ".keras":
        run = record_network(called, path, dataset=dataset, history=rows, store=store)
    else:
        found = read(path)
        if found.history is not None and rows is not None:
            raise ConfigError(f"{path} is a history itself; give predictions, or leave --history out")
        run = record(
            called,
            probabilities=found.probabilities,
            predicted=found.predicted,
            dataset=dataset,
            labels=found.labels,
            images=found.images,
            classes=classes or found.classes,
            history=found.history if rows is None else rows,
            parameters=parameters,
            framework=framework,
            source="file",
            store=store,
        )
    return [Arrived(run, run.id not in before)]


def _history(path: Path) -> dict[str, list[float | None]]:
    found = read(path).history
    if found is None:
        raise ConfigError(f"{path} holds predictions; give a history to --history")
    return found
