"""`python -m mnist_core.reference` remakes the finished runs that ship in `artifacts/reference/`.

It needs real MNIST, and trains on this machine alone, one run after another: about a minute on two cores.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from mnist_core.errors import MnistCoreError
from mnist_core.jobs import LocalRunner, request
from mnist_core.presets import preset
from mnist_core.store import Store, default_root
from mnist_core.terminal import Reporter, follow

SHIPPED = (
    ("notebook/model_1", "mnist"),
    ("notebook/model_2", "mnist"),
    ("notebook/model_3", "mnist"),
    ("readme/model_1", "mnist"),
    ("readme/model_2", "mnist"),
    ("readme/model_3", "mnist"),
    ("notebook/model_1", "digits"),
    ("notebook/model_2", "digits"),
)
FILES = (
    "config.json",
    "meta.json",
    "status.json",
    "history.jsonl",
    "predictions.npz",
    "environment.json",
    "model.keras",
)


def remake(target: Path) -> None:
    """Train the shipped runs in a temporary store, then replace the folders in `target` by what came out.

    Raises
    ------
    MnistCoreError
        where MNIST is missing or a training does not finish; `target` is then as before.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        runner = LocalRunner(store)
        reporter = Reporter(as_json=False)
        ids = []
        for name, dataset in SHIPPED:
            config = preset(name).config.replace(dataset__name=dataset)
            reporter.say(f"{name} on {dataset}")
            run = request(store, runner, config, name=name, preset=name).run
            follow(store, [run.id], reporter)
            if store.get(run.id).state != "finished":
                raise MnistCoreError(f"{name} on {dataset} did not finish: {store.get(run.id).status.reason}")
            ids.append(run.id)
        for old in target.glob("[0-9a-f]" * 12):
            shutil.rmtree(old)
        for run_id in ids:
            (target / run_id).mkdir(parents=True)
            path = store.get(run_id).path
            for file in [*(path / name for name in FILES), *path.glob("predictions-*.npz")]:
                shutil.copy(file, target / run_id / file.name)


def main() -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mnist_core.reference", description=__doc__)
    parser.add_argument("--target", type=Path, default=default_root() / "reference")
    options = parser.parse_args()
    try:
        remake(options.target)
    except MnistCoreError as error:
        print(f"mnist_core: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
