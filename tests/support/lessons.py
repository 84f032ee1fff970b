"""The shipped runs of the shipped lessons."""

from __future__ import annotations

from pathlib import Path

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.inspection.numpy_network import Network, load_network
from mnist_core.lessons.quantities import Sources, Subject
from mnist_core.lessons.reading import SHIPPED, read_lesson
from mnist_core.runs.reader import PLAIN
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root

STORE = Store(default_root())


def network(run: Run) -> Network | None:
    """Return the trained network of a run."""
    return load_network(run.config.model, run.model_file) if run.model_file else None


SOURCES = Sources(PLAIN, network, lambda run: STORE.catalog.load(run.dataset))


def subjects(lesson: Path | str) -> dict[str, Subject]:
    """Return the shipped runs of a lesson, of a file or of a shipped name; one that does not ship has none."""
    path = lesson if isinstance(lesson, Path) else next(SHIPPED.glob(f"*-{lesson}.toml"))
    prints = {"mnist": MNIST_FINGERPRINT, "digits": STORE.catalog.fingerprint("digits")}
    found = {}
    for name, wanted in read_lesson(path).runs.items():
        assert wanted.config is not None
        run_id = wanted.config.run_id(prints[wanted.config.dataset.name])
        shipped = STORE.root / "reference" / run_id
        found[name] = Subject(name, wanted.config, STORE._read(shipped) if shipped.is_dir() else None)
    return found
