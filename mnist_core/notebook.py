"""Functions for notebooks, one call for each task: `import mnist_core as mc`, then `mc.fit`, `mc.runs`.

A run is given as a `Run` or by its name; a preset by its name. Everything is kept in the usual store (`artifacts/`, or
the folder named by MNIST_CORE_STORE), so that an open dashboard shows it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.comparison.diagnosis import rules
from mnist_core.comparison.diagnosis.findings import Finding
from mnist_core.comparison.diagnosis.words import words
from mnist_core.comparison.planner import Plan, plans
from mnist_core.comparison.recipe_verdicts import RecipeVerdict, compare_recipes
from mnist_core.comparison.verdicts import Comparison
from mnist_core.comparison.verdicts import compare as compare_runs
from mnist_core.comparison.words.headline import headline
from mnist_core.comparison.words.planner import plan_words
from mnist_core.comparison.words.recipes import recipe_words
from mnist_core.comparison.words.verdicts import loss_verdict_words, open_words, refusal_words, verdict_words
from mnist_core.data.datasets import Dataset
from mnist_core.experiments.axis_words import changed_name
from mnist_core.experiments.configs import RunConfig, with_values
from mnist_core.experiments.presets import PRESETS, Preset, on_dataset, preset
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import LocalRunner, Runner, ServiceRunner
from mnist_core.jobs.watch import Watch, sentence
from mnist_core.plots.labels import run_labels
from mnist_core.runs.columns import COLUMNS, FIGURES, run_row, without_test_results
from mnist_core.runs.filters import parse
from mnist_core.runs.find import resolve
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise
from mnist_core.studies import selections
from mnist_core.studies.kinds import studies
from mnist_core.training.events import EpochEnded, TrainingEvent
from mnist_core.training.train import train

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

POLL_S = 0.2


def runs(
    where: str | None = None,
    *,
    settings: bool = False,
    every: bool = False,
    test: bool = False,
    store: Store | None = None,
) -> pd.DataFrame:
    """Return all runs as a table, one row each, oldest first.

    Parameters
    ----------
    where
        only the runs of which this is true, such as ``"accuracy > 0.97 and dropout == 0.2"`` (see
        `mnist_core.runs.filters`).
    settings
        also a column for each setting, such as ``learning_rate``; one that has no effect is missing.
    every
        also the runs of the sweeps and searches that ship with the project.
    test
        also the test results of runs that sweeps and searches have passed over. Each such look is counted, as whoever
        chooses by them has no new images left to test the choice on.
    store
        where the runs are; default: the usual store.

    Returns
    -------
    DataFrame
        index: id. Columns: `mnist_core.runs.columns.FIGURES`, among them name, state, dataset, model (in words),
        parameters, epochs (finished), val_loss and val_accuracy (of the last epoch), test_loss, test_accuracy,
        test_macro_f1 (of the kept weights), seconds (of training), created (UTC), tags, note. What was not measured is
        missing. Accuracies are shares, 0 to 1; losses in nats.

    Raises
    ------
    FilterError
        if `where` cannot be read.
    """
    import pandas as pd

    chosen = parse(where) if where is not None else None
    found = store or Store()
    everything = found.runs()
    known = studies(found)[0]
    if test:
        selections.reveal_all(found.root, everything, known)
    hidden = frozenset[str]() if test else selections.passed_over(everything, known)
    rows = [run_row(run) for run in everything if every or run.listed]
    rows = [without_test_results(row) if row["id"] in hidden else row for row in rows]
    columns = list(COLUMNS if settings else FIGURES)
    frame = pd.DataFrame([row for row in rows if chosen is None or chosen(row)], columns=columns).set_index("id")
    for name in frame.columns:
        if COLUMNS[name].kind == "number":
            frame[name] = pd.to_numeric(frame[name])
    return frame.assign(created=pd.to_datetime(frame["created"], unit="s", utc=True), tags=frame["tags"].map(list))


def fit(
    what: str | Preset | RunConfig,
    *,
    dataset: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    again: bool = False,
    service: bool = False,
    store: Store | None = None,
    **settings: Any,
) -> Run:
    """Train what a preset or a configuration describes, keep it in the store, and return the run.

    The same configuration on the same data is trained once; then the stored run is returned.

    Parameters
    ----------
    what
        the name of a preset, such as ``"notebook/model_1"``, a `Preset`, or a `RunConfig`.
    dataset, epochs, seed
        these settings in place of those of `what`.
    name
        a name for a new run; default: the preset's name and what was changed.
    again
        train from scratch although it is trained already; the earlier run goes to the trash.
    service
        train in the worker processes of the job service, which go on if this process ends; else in this process.
    store
        where the run is kept; default: the usual store.
    settings
        any other setting by its path, written with ``__`` for the dots: ``training__learning_rate=1e-4``.

    Returns
    -------
    Run
        finished, or ended otherwise: `run.state` and `run.status.reason` tell.

    Raises
    ------
    ConfigError
        if a setting does not exist or is out of its bounds, or no preset has this name.
    DatasetError
        if the dataset is not here.
    JobError
        if the job service cannot be started or reached.
    """
    store = store or Store()
    item = preset(what) if isinstance(what, str) else what if isinstance(what, Preset) else None
    base = item.config if item else what
    assert isinstance(base, RunConfig)
    named = {"dataset.name": dataset, "training.epochs": epochs, "training.seed": seed}
    values = {path: value for path, value in named.items() if value is not None}
    values |= {path.replace("__", "."): value for path, value in settings.items()}
    config = with_values(base, values)
    runner: Runner = ServiceRunner(store) if service else LocalRunner(store, train=_with_progress)
    try:
        if item is not None and item.continues and "parent" not in values:
            config = _after_its_parent(store, runner, item, config)
        label = name or changed_name(item.name, item.config, config) if item else name or config.model.summary()[:80]
        requested = request(store, runner, config, name=label, preset=item.name if item else None, again=again)
        _wait(store, runner, requested.run.id)
    finally:
        if isinstance(runner, ServiceRunner):
            runner.close()
    return store.get(requested.run.id)


@dataclass(frozen=True)
class ComparedRuns:
    """Runs compared with the first of them, image by image; a notebook shows it as a sentence and a table.

    runs: the baseline first. comparison: the values and decisions. names: what each run is called, by id. recipes: the
    same over all seeds of the store. plans: what would settle what is undecided.
    """

    runs: tuple[Run, ...]
    comparison: Comparison
    names: dict[str, str]
    recipes: tuple[RecipeVerdict, ...] = ()
    plans: tuple[Plan, ...] = ()

    @property
    def decision(self) -> str | None:
        """The answer for two runs: `better`, `worse`, `equivalent` or `undecided`; None for more runs, or a refusal."""
        verdicts = self.comparison.verdicts
        return verdicts[0].accuracy.answer if len(verdicts) == 1 and len(self.runs) == 2 else None

    @property
    def sentence(self) -> str:
        """The answer in one sentence; for several runs, about all of them."""
        return headline(self.comparison, self.names, self.recipes) or " ".join(self._refusals())

    @property
    def details(self) -> list[str]:
        """The details that the sentence leaves out: accuracy, loss and open questions, run by run, and runs that cannot
        be compared.
        """
        lines = []
        for item in self.comparison.verdicts:
            found = (verdict_words(item, self.names), open_words(item), loss_verdict_words(item, self.names))
            lines += [text for text in found if text]
        lines += [recipe_words(item, self.names) for item in self.recipes]
        lines += [plan_words(item, self.names) for item in self.plans]
        return lines + self._refusals()

    def to_frame(self) -> pd.DataFrame:
        """Return the figures as a table, one row a run, the baseline first.

        Columns: name, parameters, test_accuracy (0 to 1), test_loss (nats), seconds of training; accuracy_difference
        (from the baseline), low, high (its interval), answer. The last four are missing for the baseline.
        """
        import pandas as pd

        rows = []
        for run in self.runs:
            found, verdict = summarise(run, self.comparison.chosen), self.comparison.of(run.id)
            interval = verdict.accuracy.interval if verdict else None
            rows.append(
                {
                    "id": run.id,
                    "name": self.names[run.id],
                    "parameters": found.parameters,
                    "test_accuracy": found.test.accuracy if found.test else None,
                    "test_loss": found.test.loss if found.test else None,
                    "seconds": found.train_seconds,
                    "accuracy_difference": verdict.accuracy.value if verdict else None,
                    "low": interval[0] if interval else None,
                    "high": interval[1] if interval else None,
                    "answer": verdict.accuracy.answer if verdict else None,
                }
            )
        return pd.DataFrame(rows).set_index("id")

    def plot(self) -> alt.TopLevelMixin:
        """Return the learning curves of the runs."""
        from mnist_core.plots.of_runs import curves

        return curves(self.runs)

    def _refusals(self) -> list[str]:
        return [
            f"{self.names[item.run]} is not compared: {refusal_words(item, self.names)}."
            for item in self.comparison.refusals
        ]

    def __str__(self) -> str:
        return "\n".join([self.sentence, *self.details])

    def _repr_html_(self) -> str:
        details = "".join(f"<li>{escape(line)}</li>" for line in self.details)
        return f"<p><b>{escape(self.sentence)}</b></p><ul>{details}</ul>{self.to_frame().to_html()}"


def compare(
    baseline: Run | str,
    *others: Run | str,
    epoch: ChosenEpoch = "kept",
    margin: float = DEFAULT_MARGIN,
    store: Store | None = None,
) -> ComparedRuns:
    """Return if the other runs are better than the first, worse or equivalent, or if it cannot be decided.

    Parameters
    ----------
    baseline, others
        the runs, each a `Run` or its name.
    epoch
        whose weights are compared: those kept, or of the ``last`` or the ``best`` epoch.
    margin
        a difference in accuracy this large does not matter: a share of the images, 0.002 for 0.2 points.
    store
        the store with these names; default: the usual store.

    Raises
    ------
    RunNotFound
        if a name means no run, or several; where only one of them is on the data of the others, it means that one.
    """
    everything = (store := store or Store()).runs()
    found = tuple(store.find_all((baseline, *others), everything))
    comparison = compare_runs(found, found[0], epoch, margin=margin)
    recipes = compare_recipes(found, found[0], everything, epoch, margin=margin)
    open_ones = plans(found, comparison, recipes, everything)
    return ComparedRuns(found, comparison, run_labels(list(found), states=False), tuple(recipes), tuple(open_ones))


class Findings(tuple[Finding, ...]):
    """Findings about the curves of one training; shown as their sentences."""

    @property
    def sentences(self) -> list[str]:
        """One sentence a finding."""
        return [words(item).sentence for item in self]

    def __repr__(self) -> str:
        return "\n".join(self.sentences) or "no epoch is finished yet"

    def _repr_html_(self) -> str:
        return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in self.sentences) + "</ul>"


def diagnose(run: Run | str | pd.DataFrame, *, store: Store | None = None) -> Findings:
    """Return what the curves of a training show, the gravest first.

    Parameters
    ----------
    run
        a `Run`, its name, or a table with at least the columns `loss` and `val_loss`, one row an epoch.
    store
        where names are looked up; default: the usual store.

    Raises
    ------
    RunNotFound
        if a name means no run, or several.
    ConfigError
        if the table lacks a column or holds no numbers.
    """
    if isinstance(run, Run | str):
        return Findings(rules.diagnose_run(resolve(run, store)))
    return Findings(rules.diagnose(run))


def _after_its_parent(store: Store, runner: Runner, item: Preset, config: RunConfig) -> RunConfig:
    """Return `config` with the run it continues, which is trained first where it has not been."""
    name = config.dataset.name
    fingerprint = store.catalog.fingerprint(name)
    first = PRESETS[item.continues or ""]
    parent = request(
        store, runner, on_dataset(first, name, fingerprint), name=f"{first.name}, {name}", preset=first.name
    )
    _wait(store, runner, parent.run.id)
    return config.replace(parent=on_dataset(item, name, fingerprint).parent)


def _with_progress(
    config: RunConfig, dataset: Dataset, *, on_event: Callable[[TrainingEvent], None], **options: Any
) -> Any:
    """Train as `train` does, with a bar that shows the epochs."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns) as bar:
        task = bar.add_task("", total=config.training.epochs)

        def heard(event: TrainingEvent) -> None:
            on_event(event)
            if isinstance(event, EpochEnded):
                row = event.row
                words = f"loss {row.loss:.4f}, val_loss {row.val_loss:.4f}, val_accuracy {row.val_accuracy:.4f}"
                bar.update(task, completed=row.epoch, description=words)

        return train(config, dataset, on_event=heard, **options)


def _wait(store: Store, runner: Runner, run_id: str) -> None:
    """Wait until a run has ended. One whose training was lost is handed over again; what keeps it is printed."""
    with Watch(store, runner) as watch:
        notice = None
        while not (run := store.get(run_id)).ended:
            look = watch.look([run])
            if look.notice and look.notice.code != notice:
                notice = look.notice.code
                print(sentence(look.notice), file=sys.stderr)
            if not look.waited:
                return
            time.sleep(POLL_S)
