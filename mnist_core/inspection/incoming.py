"""Any file from elsewhere as runs: the one way in for the command line and for uploads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mnist_core.errors import ConfigError
from mnist_core.inspection.network_file import record_network
from mnist_core.recording.importing import Given, joined, read_all
from mnist_core.recording.record import record
from mnist_core.recording.run_archive import Arrived, unpack
from mnist_core.runs.store import Store

FILE_ENDINGS = (".npz", ".csv", ".tsv", ".json", ".keras", ".zip", ".db")
"""Of the files that are read; event files of TensorBoard have none of their own, and ``.db`` is MLflow's database."""


def import_file(
    path: Path,
    *,
    store: Store,
    name: str | None = None,
    otherwise: str | None = None,
    dataset: str | None = None,
    classes: Sequence[str] | None = None,
    parameters: int | None = None,
    history: Sequence[Path] = (),
    framework: str = "",
) -> list[Arrived]:
    """Return the runs that a file holds, which are in the store then.

    Parameters
    ----------
    path
        predictions, a history, runs of MLflow or Trackio, a network (``.keras``) or an archive of runs (``.zip``).
    store
        where the runs are kept.
    name
        what the run is called; default: as the file calls it, else `otherwise`.
    otherwise
        what a run is called that has no name in the file; default: the name of the file.
    history
        the files of the history that belongs to predictions or to a network; or of further columns of a history, as
        Trackio writes a file for each metric.
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
    before = {run.id for run in store.runs()}
    unnamed = otherwise or path.stem
    if kind == ".keras":
        rows = joined([Given()], history)[0].history
        run = record_network(name or unnamed[:80], path, dataset=dataset, history=rows, store=store)
        return [Arrived(run, run.id not in before)]
    found = joined(read_all(path), history)
    if len(found) > 1 and (name or parameters is not None):
        unwanted = "--name" if name else "--parameters"
        raise ConfigError(
            f"{unwanted} is for one run, and {path.name} holds {len(found)}; leave it out, or give one run"
        )
    runs = [
        record(
            name or (item.name or unnamed)[:80],
            probabilities=item.probabilities,
            predicted=item.predicted,
            dataset=dataset or item.dataset,
            labels=item.labels,
            images=item.images,
            classes=classes or item.classes,
            history=item.history,
            parameters=parameters,
            framework=framework or item.framework,
            note=item.note,
            source="file",
            store=store,
        )
        for item in found
    ]
    return [Arrived(run, run.id not in before) for run in runs]
