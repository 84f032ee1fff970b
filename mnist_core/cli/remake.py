"""`python -m mnist_core.cli.remake` remakes what ships in `artifacts/reference/`, from real MNIST.

That is every published model with three seeds, and every published sweep and search. A name or several after `--only`
remake these alone. Cut short, the same command goes on where it was: what it trains is kept in the folder `--work`
until that is deleted. On two cores, the models and the sweeps took 13 minutes, half of it for the two convolutional
models, and the searches another 7.

The first seed of a model ships whole, but for weights of more than 2 MB. The other seeds of model_1 and model_2 ship
without weights, but with predictions, on MNIST and on `digits`. All other seeds, and the runs of sweeps and searches,
ship without weights and predictions, which are large; what their predictions were worth, in full precision, is in
`scores.json`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from mnist_core.cli.sweeps import follow_sweep
from mnist_core.cli.terminal import Reporter, follow
from mnist_core.comparison.recipes import with_seed_name, with_seeds
from mnist_core.errors import ConfigError, MnistCoreError
from mnist_core.experiments.grids import SWEEPS
from mnist_core.experiments.presets import PRESETS, Preset, on_dataset
from mnist_core.experiments.spaces import SEARCHES
from mnist_core.files import write_json
from mnist_core.jobs.request import RunRequest, request_all
from mnist_core.jobs.runners import LocalRunner, Runner, ServiceRunner
from mnist_core.runs.records import SCORES
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root
from mnist_core.studies import searches, sweeps

SEEDS = 3
ALSO_ON_DIGITS = ("notebook/model_1", "notebook/model_2")
"""So that there is something to compare on the data that are always here. All their seeds ship with predictions: from
these `comparison.planner` measures how much of the spread between seeds is luck on single images.
"""
MOST_WEIGHT_BYTES = 2_000_000
ALWAYS = ("config.json", "meta.json", "status.json", "history.jsonl", "environment.json")
NAMES = (*PRESETS, *SWEEPS, *SEARCHES)


class Maker:
    """Trains the models that ship, in a separate store, and copies them to the folder that ships.

    Parameters
    ----------
    store
        the store to train in; runs that it has already are not trained again.
    runner
        trains models, sweeps, and searches whose trials do not depend on each other.
    target
        the folder that ships.
    reporter
        prints the progress.
    """

    def __init__(self, store: Store, runner: Runner, target: Path, reporter: Reporter) -> None:
        self.store, self.runner, self.target, self.reporter = store, runner, target, reporter
        self.shipped: set[str] = set()
        """The runs copied so far, by id. A run that a preset and a sweep have in common ships as the preset's."""

    def make(self, name: str) -> None:
        """Train what goes by this name, and ship it; raises MnistCoreError where that does not succeed."""
        began = time.monotonic()
        if name in PRESETS:
            self._preset(PRESETS[name])
        elif name in SWEEPS:
            self._sweep(name)
        else:
            self._search(name)
        self.reporter.say(f"{name}: {time.monotonic() - began:.0f} s")

    def _preset(self, preset: Preset) -> None:
        if preset.continues and not self._first_run(preset.continues) <= self.shipped:
            self._preset(PRESETS[preset.continues])
        wanted = self._wanted(preset)
        requested = request_all(self.store, self.runner, wanted)
        follow(self.store, [item.run.id for item in requested], self.reporter, self.runner)
        for one, item in zip(wanted, requested, strict=True):
            first = one.config.training.seed == preset.config.training.seed
            self._ship(self._finished(item.run.id), whole=first, predictions=preset.name in ALSO_ON_DIGITS)

    def ask(self, names: Iterable[str]) -> None:
        """Have the models among `names` begun, so that no worker waits for another's last epochs."""
        first = [PRESETS[name] for name in names if name in PRESETS and not PRESETS[name].continues]
        request_all(self.store, self.runner, [one for preset in first for one in self._wanted(preset)])

    def _wanted(self, preset: Preset) -> list[RunRequest]:
        found = []
        for dataset in ("mnist", "digits") if preset.name in ALSO_ON_DIGITS else ("mnist",):
            config = on_dataset(preset, dataset, self.store.catalog.fingerprint(dataset))
            for number, one in enumerate(with_seeds(config, SEEDS)):
                name = with_seed_name(preset.name, one.training.seed) if number else preset.name
                found.append(RunRequest(one, name, preset.name))
        return found

    def _first_run(self, preset: str) -> set[str]:
        return {PRESETS[preset].config.run_id(self.store.catalog.fingerprint("mnist"))}

    def _presets_among(self, run_ids: Iterable[str]) -> None:
        """Make the presets whose runs are wanted for a sweep, so that they ship as presets."""
        wanted = set(run_ids) - self.shipped
        for name, preset in PRESETS.items():
            if not preset.continues and self._first_run(name) & wanted:
                self._preset(preset)

    def _sweep(self, name: str) -> None:
        self._presets_among(sweeps.make(self.store, SWEEPS[name])[0].run_ids)
        sweep, _ = sweeps.start(self.store, self.runner, SWEEPS[name], keep_weights=False)
        follow_sweep(self.store, sweep, self.reporter, self.runner)
        self._ship_all(self._finished(run_id) for run_id in sweep.run_ids)
        path = self.target / "sweeps" / f"{sweep.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, sweep.model_dump(mode="json"))
        self.shipped.add(sweep.id)

    def _search(self, name: str) -> None:
        spec = SEARCHES[name]
        # TPE's choice depends on which trials have ended: one after another, the search can be repeated
        runner = LocalRunner(self.store) if spec.sampler == "tpe" else self.runner
        search = searches.run(self.store, runner, searches.add(self.store, spec).id)
        if not search.complete:
            raise MnistCoreError(f"the search {name} is not complete; the same command goes on with it")
        runs = [self.store.get(run_id) for run_id in search.run_ids]
        for run in runs:
            if run.state == "failed":
                raise MnistCoreError(f"{run.name} of the search {name} failed: {run.status.reason}")
        self._ship_all(runs)
        path = self.target / "searches" / search.id / "search.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, search.model_dump(mode="json"))
        self.shipped.add(search.id)

    def _finished(self, run_id: str) -> Run:
        run = self.store.get(run_id)
        if run.state != "finished":
            raise MnistCoreError(f"{run.name} on {run.config.dataset.name} is {run.state}: {run.status.reason}")
        return run

    def _ship_all(self, runs: Iterable[Run]) -> None:
        for run in runs:
            if run.id not in self.shipped:
                self._ship(run, whole=False)

    def _ship(self, run: Run, *, whole: bool, predictions: bool = False) -> None:
        ship(run, self.target, whole=whole, predictions=predictions)
        self.shipped.add(run.id)

    def drop_others(self) -> None:
        """Delete the runs, sweeps and searches in the target that were not made now."""
        for path in (*self.target.glob("[0-9a-f]" * 12), *self.target.glob("searches/*")):
            if path.name not in self.shipped:
                shutil.rmtree(path)
        for path in self.target.glob("sweeps/*.json"):
            if path.stem not in self.shipped:
                path.unlink()


def ship(run: Run, target: Path, *, whole: bool, predictions: bool = False) -> None:
    """Copy a run into the folder that ships, in place of an earlier one.

    Parameters
    ----------
    run
        that has ended.
    target
        the folder.
    whole
        with its predictions, and with its weights where they are small; else with its test scores in their place.
    predictions
        where not whole: with the predictions of the kept weights after all.
    """
    files = [run.path / name for name in ALWAYS]
    if predictions and not whole:
        files.append(run.predictions_file())
    if whole:
        files += run.path.glob("predictions*.npz")
        if run.model_file and run.model_file.stat().st_size <= MOST_WEIGHT_BYTES:
            files.append(run.model_file)
    staging = target / f".new-{run.id}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for file in files:
        shutil.copy(file, staging / file.name)
    scores = None if whole or predictions else run.test_scores()
    if scores:
        write_json(staging / SCORES, scores._asdict())
    shutil.rmtree(target / run.id, ignore_errors=True)
    staging.rename(target / run.id)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m mnist_core.cli.remake", description=__doc__, formatter_class=form)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help=", ".join(NAMES))
    parser.add_argument("--target", type=Path, metavar="FOLDER", default=default_root() / "reference")
    parser.add_argument("--work", type=Path, metavar="FOLDER", default=default_root() / "remake")
    options = parser.parse_args(arguments)
    try:
        unknown = [name for name in options.only if name not in NAMES]
        if unknown:
            raise ConfigError(f"nothing ships by the name {unknown[0]!r}; there are {', '.join(NAMES)}")
        store = Store(options.work)
        runner = ServiceRunner(store)
        maker = Maker(store, runner, options.target, Reporter(as_json=False))
        try:
            maker.ask(options.only or NAMES)
            for name in options.only or NAMES:
                maker.make(name)
            if not options.only:
                maker.drop_others()
        finally:
            runner.stop()
    except MnistCoreError as error:
        Reporter(as_json=False).error(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
