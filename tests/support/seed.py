"""Fill a store with small runs that are really trained: `python -m tests.support.seed STORE`, some ten seconds.

A process of its own, so that the tests themselves never import TensorFlow. Not through the job service, which is what
other tests are about.
"""

from __future__ import annotations

import sys

from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.training.events import EpochEnded
from mnist_core.training.train import train
from tests.support.synthetic import config

SMALL, LARGE = "small", "large"
"""Names of the runs."""


def trained(store: Store, run_config: RunConfig, name: str) -> Run:
    """A finished run, trained here and now."""
    run, _ = store.add(run_config, name=name)
    dataset = store.catalog.load(run_config.dataset.name)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    result = train(
        run_config,
        dataset,
        on_event=lambda event: writer.epoch(event.row) if isinstance(event, EpochEnded) else None,
    )
    assert result.probabilities is not None
    writer.predictions(Predictions(dataset.y_test, result.probabilities, result.val_labels, result.val_probabilities))
    writer.model(result.model.save)
    writer.ended(result.state, result.reason, best_epoch=result.best_epoch, kept_epoch=result.kept_epoch)
    return store.get(run.id)


def main(root: str) -> None:
    """Put the runs into the store at `root`."""
    store = Store(root)
    trained(store, config((16,), epochs=4).replace(training__batch_size=32), SMALL)
    trained(store, config((48,), epochs=6).replace(training__batch_size=32), LARGE)


if __name__ == "__main__":
    main(sys.argv[1])
