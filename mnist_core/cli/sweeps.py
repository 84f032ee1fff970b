"""The commands about many runs at once: `sweep` and `sweeps`, `search` and `searches`."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mnist_core.cli.options import add_changes, add_here, changed_values, closing, make_available, make_runner
from mnist_core.cli.terminal import NamingReader, Notices, Reporter, report_problems
from mnist_core.comparison.words.selection import chosen_words, lead_words, looked_at_words
from mnist_core.errors import ConfigError, RunNotFound
from mnist_core.experiments.axis_words import SAMPLED_DIGITS, axis_words, point_words, words_of
from mnist_core.experiments.grids import SWEEPS, expand, sweep_spec
from mnist_core.experiments.spaces import SEARCHES, search_spec
from mnist_core.jobs.runners import Runner, ServiceRunner
from mnist_core.jobs.watch import Watch
from mnist_core.people import student
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies import searches as stored_searches
from mnist_core.studies import selections
from mnist_core.studies import sweeps as stored
from mnist_core.studies.progress import StudyProgress, progress_of, runs_of
from mnist_core.studies.searches import Search
from mnist_core.studies.selections import StudyChoice
from mnist_core.studies.study import Study
from mnist_core.studies.sweeps import Sweep

if TYPE_CHECKING:
    import pandas as pd

POLL_S = 0.5


def add_reveal(parser: argparse._ActionsContainer) -> None:
    """Add the option that shows the test results of the runs that were not chosen."""
    parser.add_argument(
        "--test",
        action="store_true",
        help="show the test results of all runs, not only of the one that validation chose; each look is counted, as "
        "whoever chooses by them has no new images left to test the choice on",
    )


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sweep`."""
    parser.add_argument(
        "sweep",
        metavar="SWEEP",
        help=f"{', '.join(SWEEPS)}, or a .toml or .json file; asked for again, it goes on where it was cut short",
    )
    add_changes(parser)
    parser.add_argument("--no-weights", action="store_true", help="do not keep model.keras for each run")
    parser.add_argument("--again", action="store_true", help="train anew what is already trained")
    add_here(parser)


def sweep(options: argparse.Namespace, reporter: Reporter) -> int:
    """Train the runs of a sweep and show what came of them."""
    spec = sweep_spec(options.sweep).with_fixed(changed_values(options))
    store = Store(options.store)
    for name in {point.config.dataset.name for point in expand(spec)}:
        make_available(store, name, options.json)
    runner = make_runner(store, options)
    if isinstance(runner, ServiceRunner):
        runner.warm()  # its workers start while the runs are being written down
    with closing(runner):
        found, requested = stored.start(store, runner, spec, keep_weights=not options.no_weights, again=options.again)
        new = sum(item.outcome != "stored" for item in requested)
        reporter.say(f"sweep {found.name} ({found.id}): {len(requested)} runs, {new} of them to be trained")
        try:
            follow_sweep(store, found, reporter, runner)
        except KeyboardInterrupt:
            _cancel(store, runner, found)
            raise
    done = found.progress(store)
    _report(store, found, reporter)
    if not done.complete:
        reporter.error(f"not all runs are finished: {_counted(done)}; the same command goes on with them")
    return 0 if done.complete else 1


def add_sweeps_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sweeps`."""
    parser.add_argument("sweep", nargs="?", metavar="SWEEP", help="id, the beginning of one, or name")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--cancel", action="store_true", help="stop its runs")
    action.add_argument("--forget", action="store_true", help="take it off the list; its runs stay")
    add_reveal(action)


def sweeps(options: argparse.Namespace, reporter: Reporter) -> int:
    """List the sweeps, or show, cancel or forget one."""
    store = Store(options.store)
    if not options.sweep:
        if options.cancel or options.forget:
            raise ConfigError("name the sweep to cancel or forget; `sweeps` lists them")
        found, problems = stored.SHELF.all(store)
        report_problems(problems, reporter)
        rows = [_row(store, item) for item in found]
        return reporter.table(rows, ["id", "name", "dataset", "runs", "finished", "state"])
    item = stored.SHELF.find(store, options.sweep)
    if options.cancel:
        _cancel(store, ServiceRunner(store), item)
    elif options.forget:
        stored.SHELF.forget(store, item.id)
        reporter.say(f"sweep {item.name} ({item.id}) is off the list; its runs are still there")
    if options.cancel or options.forget:
        return reporter.json(_row(store, item)) if options.json else 0
    return _report(store, item, reporter, reveal=options.test)


def _cancel(store: Store, runner: Runner, item: Sweep) -> None:
    item.cancel(store, runner)
    while item.progress(store).states.get("running"):
        time.sleep(0.1)


def _row(store: Store, item: Sweep) -> dict[str, Any]:
    done = item.progress(store)
    return {
        "id": item.id,
        "name": item.name,
        "dataset": item.dataset,
        "runs": done.total,
        "finished": done.states.get("finished", 0),
        "state": "complete" if done.complete else _counted(done),
        "states": done.states,
        "optimistic": item.optimistic,
        "created_at": item.created_at,
        "spec": item.spec.model_dump(mode="json"),
    }


def _counted(done: StudyProgress) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(done.states.items()))


def _report(store: Store, item: Sweep, reporter: Reporter, *, reveal: bool = False) -> int:
    """Print the results as a table, and the best by validation in a sentence."""
    everything = store.runs()
    chosen = selections.choice(everything, item)
    reveal = reveal or item.optimistic  # the validation results are those on the test images: there is nothing to hide
    if reveal:
        selections.reveal(store.root, everything, item, chosen.run if chosen else None)
    table = stored.with_names(item.table(store, reader=NamingReader(reporter), reveal=reveal), store)
    best = stored.best(table)
    if reporter.as_json:
        selection = _selection_json(store, item, chosen)
        return reporter.json(_row(store, item) | {"best": best, "selection": selection, "results": records(table)})
    axes = item.axes or list(item.points[0].values)
    base = item.spec.base_config()
    names = axis_words(axes, base)
    rows = _in_words(records(stored.best_first(table)), names)
    columns = [*names.values(), "val_loss", "val_error", "run", "state", "parameters", "seconds", "train_error"]
    reporter.table(rows, [*columns, *(["test_error"] if reveal else [])])
    if best is not None:
        found = next(row for row in rows if row["run"] == best)
        settings = point_words({path: found[path] for path in axes}, base)
        how = "on the test set, so that its test figures are optimistic" if item.optimistic else "on held-out images"
        tested = found["test_accuracy"]
        reporter.say(
            f"lowest validation loss: {settings} ({best})"
            + (f", test accuracy {100 * tested:.2f} %" if tested is not None else "")
            + f"; chosen {how}"
        )
    _say_choice(store, item, chosen, reporter, revealed=reveal)
    return 0


def _say_choice(store: Store, item: Study, chosen: StudyChoice | None, reporter: Reporter, *, revealed: bool) -> None:
    """Print how the winner compares with the others, and how many of their test results have been looked at."""
    if chosen is not None:
        reporter.say(f"{chosen_words(chosen.selection)}. {lead_words(chosen.selection)}")
    if not revealed:
        reporter.say("The test results of the others are hidden; --test shows them, which is counted.")
    reporter.say(looked_at_words(selections.looked_at(store.root, item, chosen.run if chosen else None)))


def _selection_json(store: Store, item: Study, chosen: StudyChoice | None) -> dict[str, Any] | None:
    if chosen is None:
        return None
    looked_at = selections.looked_at(store.root, item, chosen.run)
    return asdict(chosen.selection) | {"run": chosen.run, "looked_at": looked_at}


def _in_words(rows: list[dict[str, Any]], names: dict[str, str], digits: int = 6) -> list[dict[str, Any]]:
    """Add the values of the settings to rows of results, in words, under their names; the figures keep theirs."""
    named = [row | {"epochs done": row["epochs"]} for row in rows]  # a setting may be called epochs
    return [row | {name: _shown(path, row[path], digits) for path, name in names.items()} for row in named]


def _shown(path: str, value: Any, digits: int) -> Any:
    """Return a cell of a table on the terminal: whole numbers as they are, which stand to the right."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole or value is None else words_of(path, value, digits=digits)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain data, None where a figure is not a number."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in plain.to_dict("records")]


def follow_sweep(store: Store, item: Sweep, reporter: Reporter, runner: Runner) -> None:
    """Wait until all runs have ended, telling how far the sweep is whenever one more has.

    Runs whose training was lost are handed to `runner` again. Returns early where they can't be trained, after
    reporting why.
    """
    reported = -1
    with Notices(reporter) as report, Watch(store, runner) as watch:
        while True:
            runs = runs_of(store, item.run_ids)
            done = progress_of(runs)
            ended = done.total - sum(done.states.get(state, 0) for state in ("queued", "running", "interrupted"))
            if ended != reported:
                reported = ended
                left = f", about {done.seconds_left:.0f} s left" if done.seconds_left is not None else ""
                reporter.say(f"{ended} of {done.total} runs have ended{left}")
            look = watch.look([run for run in runs if isinstance(run, Run)])
            report(look.notice)
            if not look.waited:
                return
            time.sleep(POLL_S)


# -- searches ----------------------------------------------------------------------------------------------------------


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `search`."""
    parser.add_argument(
        "search",
        metavar="SEARCH",
        help=f"{', '.join(SEARCHES)}, a .toml or .json file, or the id of one to go on with",
    )
    add_changes(parser)
    add_here(parser)


def search(options: argparse.Namespace, reporter: Reporter) -> int:
    """Carry out a search and show what came of it."""
    store = Store(options.store)
    item = _search_of(store, options)
    make_available(store, item.dataset, options.json)
    item = item if item.created_at else stored_searches.add(store, item.spec)
    if item.owner:  # it was requested in a class: its runs are those of whoever requested it
        person = student(item.owner)
        store = Store(options.store, who=lambda: person)
    runner = make_runner(store, options)
    if isinstance(runner, ServiceRunner):
        runner.warm()
    reporter.say(f"search {item.name} ({item.id}): {item.spec.trial_count} trials")
    reported: dict[int, str] = {}

    def tell(changed: Search) -> None:
        for trial in changed.trials:
            if trial.state != "open" and reported.get(trial.number) != trial.state:
                reported[trial.number] = trial.state
                which = f"trial {trial.count} of {changed.spec.trial_count}"
                value = f", {changed.spec.metric} {trial.value:.4f}" if trial.value is not None else ""
                reporter.say(f"{which} is {trial.state} after epoch {trial.epochs}{value}")

    with closing(runner):
        try:
            with Notices(reporter) as report:
                item = stored_searches.run(store, runner, item.id, on_change=tell, on_notice=report)
        except KeyboardInterrupt:
            item.cancel(store, runner)
            raise
    _report_search(store, item, reporter)
    if not item.complete:
        reporter.error(f"the search was stopped; `search {item.id}` goes on with it")
    return 0 if item.complete and item.winner else 1


def _search_of(store: Store, options: argparse.Namespace) -> Search:
    """Return the stored search of this id, else one that is yet to be added (created_at 0)."""
    changes = changed_values(options)
    if not changes:
        try:
            return stored_searches.SHELF.get(store, options.search)
        except RunNotFound:
            pass
    spec = search_spec(options.search)
    spec = spec.with_fixed(changes) if changes else spec
    return Search(id="0" * 12, spec=spec, dataset=spec.dataset, created_at=0)


def add_searches_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `searches`."""
    parser.add_argument("search", nargs="?", metavar="SEARCH", help="id, the beginning of one, or name")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--cancel", action="store_true", help="stop it and its runs; `search` goes on with it")
    add_reveal(action)


def searches(options: argparse.Namespace, reporter: Reporter) -> int:
    """List the searches, or show or stop one."""
    store = Store(options.store)
    if not options.search:
        if options.cancel:
            raise ConfigError("name the search to cancel; `searches` lists them")
        found, problems = stored_searches.SHELF.all(store)
        report_problems(problems, reporter)
        columns = ["id", "name", "dataset", "state", "trials", "planned", "winner"]
        return reporter.table([_search_row(store, item) for item in found], columns)
    item = stored_searches.SHELF.find(store, options.search)
    if options.cancel:
        item.cancel(store, ServiceRunner(store))
        return reporter.json(_search_row(store, item)) if options.json else 0
    return _report_search(store, item, reporter, reveal=options.test)


def _search_row(store: Store, item: Search) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "dataset": item.dataset,
        "state": item.state(store),
        "trials": len(item.trials),
        "planned": item.spec.trial_count,
        "winner": item.winner.run if item.winner else None,
        "created_at": item.created_at,
        "spec": item.spec.model_dump(mode="json"),
    }


def _report_search(store: Store, item: Search, reporter: Reporter, *, reveal: bool = False) -> int:
    """Print the trials as a table, the winner in a sentence, and which field mattered."""
    everything = store.runs()
    chosen = selections.choice(everything, item)
    if reveal:
        selections.reveal(store.root, everything, item, chosen.run if chosen else None)
    table = stored.with_names(item.table(store, reader=NamingReader(reporter), reveal=reveal), store)
    weights, epochs = stored_searches.importances(store, item)
    if reporter.as_json:
        return reporter.json(
            _search_row(store, item)
            | {"selection": _selection_json(store, item, chosen), "results": records(table)}
            | {"importances": weights, "compared_after": epochs}
        )
    base = item.spec.base_config()
    names = axis_words(item.spec.space, base)
    ordered = stored.best_first(table, "value", higher_is_better=item.spec.metric == "val_accuracy")
    rows = _in_words(records(ordered), names, SAMPLED_DIGITS)
    columns = ["trial", *names.values(), "value", "run", "trial_state", "epochs done", "parameters", "seconds"]
    reporter.table(rows, [*columns, *(["test_error"] if reveal else [])])
    if item.winner:
        found = next(row for row in rows if row["trial"] == item.winner.count)
        tested = found["test_accuracy"]
        reporter.say(
            f"best {item.spec.metric} on held-out images: trial {item.winner.count} of {len(item.trials)}, "
            f"{point_words(item.winner.values, base, SAMPLED_DIGITS)} ({item.winner.run})"
            + (f", test accuracy {100 * tested:.2f} %" if tested is not None else "")
        )
        _say_choice(store, item, chosen, reporter, revealed=reveal)
    if weights:
        shares = ", ".join(f"{names[path]} {100 * share:.0f} %" for path, share in weights.items())
        reporter.say(f"share of the spread after epoch {epochs} that each setting explains: {shares}")
    return 0
