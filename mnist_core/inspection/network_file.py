"""A network from a `.keras` file of another program as a run: the NumPy network predicts, and Keras loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_core.errors import ConfigError
from mnist_core.inspection.numpy_network import network_of
from mnist_core.recording.record import record
from mnist_core.runs.keras_file import read_network, read_weights
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store


def record_network(
    name: str,
    path: Path,
    *,
    dataset: str | None,
    history: Any = None,
    tags: Sequence[str] = (),
    store: Store | None = None,
) -> Run:
    """Keep what the network of a `.keras` file predicts of the test images of a data set as a run.

    Parameters
    ----------
    name
        what the run is called.
    path
        the file; `read_network` says which networks are read.
    dataset
        a data set that is known here, such as `mnist` or `digits`.
    history, tags, store
        as in `record`.

    Raises
    ------
    DamagedFile
        where the file is damaged, or holds what is not read; the message names it.
    ConfigError
        where no known data set is named.
    DatasetMissing
        where it is not on this machine.
    """
    store = store or Store()
    known = store.catalog.names()
    if dataset is None or dataset not in known:
        raise ConfigError(
            f"{'no data set is' if dataset is None else repr(dataset) + ' is not'} named whose test images the network "
            f"of {path.name} can be tried on; give one of {', '.join(known)} as the data set"
        )
    model = read_network(path)
    network = network_of(read_weights(model, path))
    return record(
        name,
        probabilities=network.probabilities(store.catalog.load(dataset).x_test),
        dataset=dataset,
        history=history,
        parameters=model.parameter_count(),
        framework=f"Keras file: {model.summary()}"[:200],
        tags=tags,
        source="file",
        store=store,
    )
