"""The commands that train single runs: `train`, `pause` and `resume`."""

from __future__ import annotations

import argparse
import time
from typing import Any

from mnist_core.cli.options import (
    add_changes,
    add_here,
    add_run,
    add_set,
    changed_values,
    make_available,
    make_runner,
    set_values,
)
from mnist_core.cli.runs import SUMMARY, summary_row
from mnist_core.cli.terminal import Reporter, follow
from mnist_core.comparison.recipes import with_seed_name, with_seeds
from mnist_core.errors import ConfigError
from mnist_core.experiments.axis_words import changed_name
from mnist_core.experiments.configs import RunConfig, with_values
from mnist_core.experiments.presets import PRESETS, Preset, on_dataset, preset
from mnist_core.jobs.changing import go_on_changed
from mnist_core.jobs.request import Requested, RunRequest, request, request_all, request_more_seeds
from mnist_core.jobs.request import resume as resume_run
from mnist_core.jobs.runners import Runner
from mnist_core.runs.records import LONGEST_NAME
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `train`."""
    parser.add_argument("presets", nargs="*", metavar="PRESET", help="name of a preset, such as notebook/model_1")
    parser.add_argument(
        "--from", dest="parent", metavar="RUN", help="in place of a preset: start from this run's trained weights"
    )
    parser.add_argument(
        "--like",
        nargs="+",
        metavar="RUN",
        help="in place of a preset: N more seeds (--seeds) of the recipe of each of these runs",
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="train N runs that differ in their seeds alone")
    add_changes(parser)
    parser.add_argument("--name", help="display name (with one preset only)")
    parser.add_argument("--again", action="store_true", help="train anew what is already trained")
    parser.add_argument(
        "--slow", type=float, default=0.0, metavar="SECONDS", help="slow motion: wait so long after each epoch"
    )
    add_here(parser)


def train(options: argparse.Namespace, reporter: Reporter) -> int:
    """Train presets, more seeds of recipes, or from a run's weights, and wait for them."""
    if sum(map(bool, (options.presets, options.parent, options.like))) != 1:
        raise ConfigError("required: PRESET, the name of a preset, --from RUN or --like RUN; one of them, and not both")
    if options.like:
        return _more_seeds(options, reporter)
    if options.name and len(options.presets) > 1:
        raise ConfigError(
            f"--name {options.name!r} fits one preset, not {len(options.presets)}; leave it out or give one"
        )
    values = changed_values(options)
    store = Store(options.store)
    chosen: list[tuple[Preset | Run, RunConfig]]
    if options.parent:
        chosen = [_continuation(store, options.parent, values)]
    else:
        chosen = [(item, with_values(item.config, values)) for item in map(preset, dict.fromkeys(options.presets))]
    many = options.seeds is not None
    for _, config in chosen:
        with_seeds(config, options.seeds if many else 1)  # refuses early what cannot be
    for dataset in {config.dataset.name for _, config in chosen}:
        make_available(store, dataset, options.json)
    runner = make_runner(store, options)
    wanted = []
    for item, config in chosen:
        if isinstance(item, Preset) and item.continues and "parent" not in values:
            config = _parent_first(store, runner, item, config, reporter)
        is_preset = isinstance(item, Preset)
        seed = item.config.training.seed if many else config.training.seed
        changed = config.replace(training__seed=seed)
        first = item.name if is_preset else f"{item.name}, continued"
        named = options.name or changed_name(first, item.config, changed)
        for one in with_seeds(config, options.seeds if many else 1):
            label = with_seed_name(named, one.training.seed) if many else named[:LONGEST_NAME]
            wanted.append(RunRequest(one, label, item.name if is_preset else None, delay_s=options.slow))
    return _finish(store, runner, request_all(store, runner, wanted, again=options.again), reporter)


def _more_seeds(options: argparse.Namespace, reporter: Reporter) -> int:
    """Train more seeds of the recipes of runs."""
    if changed_values(options) or options.name or options.again:
        raise ConfigError("--like trains the recipe as it is; leave --name, --again and all settings out")
    store = Store(options.store)
    runs = [store.find(text) for text in options.like]
    for dataset in {run.config.dataset.name for run in runs}:
        make_available(store, dataset, options.json)
    runner = make_runner(store, options)
    return _finish(store, runner, request_more_seeds(store, runner, runs, options.seeds or 1), reporter)


def _continuation(store: Store, text: str, values: dict[str, Any]) -> tuple[Run, RunConfig]:
    """Return the run that `text` means, and the configuration of its child."""
    parent = store.find(text)
    config = with_values(parent.config, {"parent": parent.id, "parent_epoch": None, **values})
    store.parent(config)  # refuses early what cannot be continued
    return parent, config


def _parent_first(store: Store, runner: Runner, item: Preset, config: RunConfig, reporter: Reporter) -> RunConfig:
    """Return `config` with its parent on the same dataset, which is trained first where it has not been."""
    name = config.dataset.name
    fingerprint = store.catalog.fingerprint(name)
    config = config.replace(parent=on_dataset(item, name, fingerprint).parent)
    first = PRESETS[item.continues]
    parent = request(
        store, runner, on_dataset(first, name, fingerprint), name=f"{first.name}, {name}", preset=first.name
    )
    if parent.run.live:
        reporter.say(f"{item.name} goes on from {first.name} on {name}, which is trained first")
        follow(store, [parent.run.id], reporter, runner)
    return config


def add_resume_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `resume`."""
    add_run(parser)
    parser.add_argument("--more", type=int, metavar="N", help="pause it again after N more epochs")
    add_set(
        parser,
        "change dropout, learning rate or epochs of a paused run, such as model.layers.0.dropout=0.5, and go on as a "
        "new run that is marked as changed by hand; repeatable",
    )
    add_here(parser)


def resume(options: argparse.Namespace, reporter: Reporter) -> int:
    """Go on with a run that has stopped before its end, changed or not, and wait for it."""
    store = Store(options.store)
    run = store.find(options.run)
    if not run.recorded:  # which `resume` refuses
        make_available(store, run.dataset, options.json)
    runner = make_runner(store, options)
    values = set_values(options)
    if values:
        requested = go_on_changed(store, runner, run.id, values, epochs=options.more)
        if requested.outcome == "new":
            reporter.say(f"{run.name} stays paused; {requested.run.name} ({requested.run.id}) goes on from it")
    else:
        requested = Requested(resume_run(store, runner, run.id, epochs=options.more), "resumed")
    return _finish(store, runner, [requested], reporter, may_pause=options.more is not None)


def pause(options: argparse.Namespace, reporter: Reporter) -> int:
    """Pause runs, each after its present epoch."""
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
    for run in runs:
        store.request_pause(run.id)
        reporter.say(f"{run.name} ({run.id}) is paused after its present epoch; `resume {run.id}` goes on with it")
    return reporter.json([store.get(run.id).to_json() for run in runs]) if reporter.as_json else 0


def _finish(
    store: Store, runner: Runner, requested: list[Requested], reporter: Reporter, *, may_pause: bool = False
) -> int:
    """Wait for the requested runs, showing their progress; cancel them on Ctrl-C.

    may_pause: whether a run that is paused has done what was requested.
    """
    wanted = ("finished", "paused") if may_pause else ("finished",)
    ids = [item.run.id for item in requested]
    phrases = {
        "stored": "is already trained; here is the stored run (--again trains it anew)",
        "joined": "is in progress already; following it",
        "resumed": "goes on from its last finished epoch",
    }
    for item in requested:
        if item.outcome in phrases:
            reporter.say(f"{item.run.name} ({item.run.id}) {phrases[item.outcome]}")
    try:
        follow(store, ids, reporter, runner)
    except KeyboardInterrupt:
        for run_id in ids:
            if not store.get(run_id).ended:  # an interrupted one may be on its way to a worker
                runner.cancel(run_id)
        while any(store.get(run_id).state == "running" for run_id in ids):
            time.sleep(0.1)
        raise
    runs = [store.get(run_id) for run_id in ids]
    rows = [summary_row(summarise(run)) | {"reason": run.status.reason} for run in runs]
    if reporter.as_json:
        outcomes = {item.run.id: item.outcome for item in requested}
        reporter.json([run.to_json() | summarise(run).to_json() | {"outcome": outcomes[run.id]} for run in runs])
    else:
        reporter.table(rows, list(SUMMARY))
    for run in runs:
        if run.state not in wanted:
            why = run.status.reason if run.ended else f"`resume {run.id}` goes on with it"
            reporter.error(f"{run.name} ({run.id}) is {run.state}: {why}")
    return 0 if all(run.state in wanted for run in runs) else 1
