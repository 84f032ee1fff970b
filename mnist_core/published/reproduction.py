"""What the sources print beside what was measured here, and whether the one reproduces the other.

The rule for an accuracy. A source prints one training's, on n = 10,000 test images; measured is the mean of k
trainings that differ in their seeds alone. By chance alone the two differ, 19 times in 20, by at most

    1.96 · √(p(1 − p)/n + m(1 − m)/n + s²(1 + 1/k))

with p the published accuracy, m the measured mean and s the standard deviation between the seeds (0 where k = 1, so
that one seed alone is judged more strictly). Within that, the model *reproduces*. Both were tested on the same images,
whose luck they share, so the rule is on the generous side. For losses the first two terms are twice the squared
standard error of the mean loss of the test images, from the predictions.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any, Literal

from mnist_core.comparison.recipes import recipe_id
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.errors import ConfigError, StoreError
from mnist_core.evaluation.metrics import Scores, image_losses
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.grids import SWEEPS, SweepSpec, describe
from mnist_core.experiments.presets import PRESETS, Preset, Published
from mnist_core.experiments.spaces import SEARCHES, SearchSpec
from mnist_core.published.claims import CLAIMS, IMAGES, Claim, Z
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, summarise
from mnist_core.studies import searches, sweeps
from mnist_core.studies.searches import Search
from mnist_core.studies.sweeps import Sweep

DATASET = "mnist"

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["model", "sweep", "search"]
Outcome = Literal["reproduces", "differs", "nothing to compare", "not trained"]
Figures = Callable[[Run], RunSummary]
Judge = Callable[[Run], Scores | None]


@dataclass(frozen=True)
class Spread:
    """Figures of runs that differ in their seeds alone: mean, sample standard deviation (None for one), how many."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True)
class Measured:
    """What the runs of a published model came to on MNIST.

    run_ids: by seed. accuracy, loss: on the test set, of the weights that are kept, the loss as `keras_loss` has it.
    best_epochs: of the lowest
    validation loss, by seed; best_val_loss, best_val_accuracy: at those. epochs: finished, by seed. loss_error: the
    standard error of the test loss, from the losses of the images of one run; None where none has its predictions.
    """

    run_ids: tuple[str, ...]
    accuracy: Spread
    loss: Spread
    best_epochs: tuple[int, ...]
    best_val_loss: Spread | None
    best_val_accuracy: Spread | None
    epochs: tuple[int, ...]
    loss_error: float | None


@dataclass(frozen=True)
class Row:
    """One published model, sweep or search.

    published: the source's figures; for a sweep or a search those of the model that the source chose, where it
    prints any. measured: of a model. winner_accuracy: of the winner of a sweep or search, on the test set, where one
    was tested. stored: id of the sweep or search here. opens: the runs to look at, at most a few.
    outcome, sentence: the verdict, in a word and in a sentence. loss_sentence: the same for the loss. reasons: why it
    may differ. claims: of a sweep.
    """

    name: str
    kind: Kind
    source: str
    note: str
    assumptions: tuple[str, ...]
    parameters: int | None
    planned: str
    published: Published
    outcome: Outcome
    sentence: str
    loss_sentence: str = ""
    reasons: tuple[str, ...] = ()
    measured: Measured | None = None
    winner_accuracy: float | None = None
    claims: tuple[Claim, ...] = ()
    stored: str | None = None
    opens: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)


def rows(store: Store, *, summary: Figures = summarise, test: Judge = Run.test_scores) -> list[Row]:
    """All that is published, in the order of the sources: models, then sweeps, then searches.

    Parameters
    ----------
    store
        where the runs are.
    summary, test
        what summarises a run and what scores it on the test set, for a caller that caches.
    """
    finished: dict[str, list[Run]] = {}
    for run in store.runs():
        if run.state == "finished" and run.status.fingerprint == MNIST_FINGERPRINT:
            finished.setdefault(recipe_id(run.config), []).append(run)
    found = [model_row(item, finished.get(recipe_id(item.config), []), summary) for item in PRESETS.values()]
    found += [_sweep_row(store, spec, test) for spec in SWEEPS.values()]
    found += [_search_row(store, spec, test) for spec in SEARCHES.values()]
    return found


# -- one model ---------------------------------------------------------------------------------------------------------


def model_row(preset: Preset, runs: Sequence[Run], summary: Figures = summarise) -> Row:
    """What is published of a model, and what its finished runs on MNIST, each of another seed, came to."""
    measured = measure(runs, summary)
    outcome, sentence = accuracy_verdict(preset.published.test_accuracy, measured)
    return Row(
        name=preset.name,
        kind="model",
        source=preset.source,
        note=preset.published.note,
        assumptions=preset.assumptions,
        parameters=preset.parameters,
        planned=preset.config.model.summary(),
        published=preset.published,
        outcome=outcome,
        sentence=sentence,
        loss_sentence=loss_verdict(preset.published.test_loss, measured),
        reasons=_reasons(preset, measured) if outcome == "differs" else (),
        measured=measured,
        opens=measured.run_ids if measured else (),
    )


def measure(runs: Sequence[Run], summary: Figures = summarise) -> Measured | None:
    """The figures of runs of one recipe; None where none of them has been tested."""
    tested: list[tuple[Run, RunSummary]] = []
    for run in runs:
        with contextlib.suppress(StoreError):  # damaged: it has no figures, and its own page says why
            item = summary(run)
            if item.test is not None:
                tested.append((run, item))
    if not tested:
        return None
    tested.sort(key=lambda pair: pair[0].config.training.seed)
    items = [item for _, item in tested]
    return Measured(
        run_ids=tuple(item.id for item in items),
        accuracy=_known_spread(item.test.accuracy for item in items if item.test),
        loss=_known_spread(keras_loss(run, item) for run, item in tested),
        best_epochs=tuple(item.best_epoch for item in items if item.best_epoch is not None),
        best_val_loss=_spread(item.best_val_loss for item in items),
        best_val_accuracy=_spread(item.best_val_accuracy for item in items),
        epochs=tuple(item.epochs_done for item in items),
        loss_error=next((error for run, _ in tested if (error := _loss_error(run)) is not None), None),
    )


def keras_loss(run: Run, summary: RunSummary) -> float:
    """The test loss as Keras reports it, and so the sources: with the L2 penalty of the weights that are kept."""
    assert summary.test is not None
    row = sweeps.kept_row(run, run.rows())
    return summary.test.loss + (row.penalty if row else 0.0)


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(mean(known), stdev(known) if len(known) > 1 else None, len(known)) if known else None


def _known_spread(values: Iterable[float]) -> Spread:
    found = _spread(values)
    assert found is not None
    return found


def _loss_error(run: Run) -> float | None:
    found = run.predictions()
    if found is None:
        return None
    losses = image_losses(found.labels, found.probabilities)
    return float(losses.std(ddof=1) / math.sqrt(len(losses)))


def accuracy_tolerance(published: float, measured: Spread, images: int = IMAGES) -> float:
    """By how much a measured accuracy may differ from a published one by chance; the rule at the top of this module."""
    test_noise = (published * (1 - published) + measured.mean * (1 - measured.mean)) / images
    return Z * math.sqrt(test_noise + _seed_noise(measured))


def loss_tolerance(measured: Spread, error: float) -> float:
    """The same for a loss, with the standard error of the mean loss of the test images."""
    return Z * math.sqrt(2 * error**2 + _seed_noise(measured))


def _seed_noise(measured: Spread) -> float:
    return (measured.sd or 0.0) ** 2 * (1 + 1 / measured.n)


def accuracy_verdict(published: float | None, measured: Measured | None) -> tuple[Outcome, str]:
    """The verdict on a model's accuracy, in a word and in a sentence."""
    if measured is None:
        return "not trained", "Not trained yet."
    if published is None:
        return "nothing to compare", f"The source prints no test figure; here it is {_percent(measured.accuracy)}."
    return _verdict(published, measured.accuracy)


def _verdict(published: float, accuracy: Spread) -> tuple[Outcome, str]:
    gap, limit = accuracy.mean - published, accuracy_tolerance(published, accuracy)
    far = f"{100 * abs(gap):.2f} points {'above' if gap > 0 else 'below'} what is published"
    if f"{100 * abs(gap):.2f}" == "0.00":
        far = "just what is published"
    if abs(gap) <= limit:
        return "reproduces", f"Reproduces: {far}, and up to {100 * limit:.2f} points are chance."
    return "differs", f"Differs: {far}, where up to {100 * limit:.2f} would be chance."


def loss_verdict(published: float | None, measured: Measured | None) -> str:
    """The verdict on a model's loss, in a sentence; empty where there is nothing to compare."""
    if published is None or measured is None or measured.loss_error is None:
        return ""
    gap, limit = measured.loss.mean - published, loss_tolerance(measured.loss, measured.loss_error)
    far = f"{abs(gap):.4f} {'above' if gap > 0 else 'below'} what is published"
    if abs(gap) <= limit:
        return f"The loss agrees: {far}, and up to {limit:.4f} is chance."
    return f"The loss differs: {far}, where up to {limit:.4f} would be chance."


def _reasons(preset: Preset, measured: Measured | None) -> tuple[str, ...]:
    """Why a model may differ from its source."""
    found = []
    if preset.published.note and preset.continues:
        found.append("what the source continued was not a healthy network (see the note)")
    if preset.assumptions:
        count = len(preset.assumptions)
        found.append(f"{count} settings are not" if count > 1 else "one setting is not")
        found[-1] += " stated by the source, and assumed"
    if measured and measured.accuracy.n == 1:
        found.append("one seed is trained here, and how much seeds differ is not in the rule then")
    found.append("another seed, and another version of Keras, than the source's")
    return tuple(found)


def _percent(spread: Spread) -> str:
    text = f"{100 * spread.mean:.2f}"
    return f"{text} %" if spread.sd is None else f"{text} ± {100 * spread.sd:.2f} % ({spread.n} seeds)"


# -- sweeps and searches -----------------------------------------------------------------------------------------------

CHOSE = {
    "tuning/grid_90": "tuning/best_mlp",
    "tuning/hyperband_mlp": "tuning/best_mlp",
    "tuning/bayes_cnn": "tuning/cnn",
}
"""The model that the source of a sweep or search settled on: its published figures are what the winner is held to."""


def _sweep_row(store: Store, spec: SweepSpec, test: Judge) -> Row:
    found = _best_match(spec, [item for item in sweeps.sweeps(store)[0] if item.dataset == DATASET])
    blank = _blank(spec, "sweep", f"{math.prod(len(axis) for axis in spec.grid.values())} runs")
    if not isinstance(found, Sweep):
        return blank
    done = sweeps.progress(store, found.run_ids)
    if not done.complete:
        return _unfinished(blank, found, f"{done.ended} of {done.total} runs have ended")
    table = sweeps.results(store, found, test=test)
    best = sweeps.best(table)
    place = table["run"].tolist().index(best) if best is not None else None
    if spec.name in CLAIMS and len(table) > 1 and (table["state"] == "finished").all():
        claims = CLAIMS[spec.name](table)
        holds = sum(claim.holds for claim in claims)
        outcome: Outcome = "reproduces" if holds == len(claims) else "differs"
        which = f"all {holds}" if holds == len(claims) else f"{holds} of {len(claims)}"
        sentence = f"{outcome.capitalize()}: {which} statements of the source hold."
        return _replaced(blank, found, outcome, sentence, claims=claims, opens=_ends(table, best))
    if place is None or found.optimistic:
        return _unfinished(blank, found, "no run has finished")
    row = table.iloc[place]
    settings = describe(found.points[place].values)
    return _winner_row(blank, found, settings, str(best), float(row["test_accuracy"]), "the lowest validation loss")


def _search_row(store: Store, spec: SearchSpec, test: Judge) -> Row:
    found = _best_match(spec, [item for item in searches.searches(store)[0] if item.dataset == DATASET])
    blank = _blank(spec, "search", f"{spec.trial_count} trials")
    if not isinstance(found, Search):
        return blank
    winner = found.winner
    if not found.complete or winner is None:
        decided = sum(trial.state != "open" for trial in found.trials)
        return _unfinished(blank, found, f"{decided} of {found.spec.trial_count} trials are decided")
    try:
        judged = test(store.get(winner.run))
    except StoreError:  # deleted or damaged
        judged = None
    if judged is None:
        return _unfinished(blank, found, "the winner has not been tested")
    return _winner_row(
        blank, found, describe(winner.values), winner.run, judged.accuracy, "the best on held-out images"
    )


def _winner_row(blank: Row, found: Sweep | Search, settings: str, run: str, accuracy: float, how: str) -> Row:
    """The row of a sweep or search whose winner was chosen by validation and tested once."""
    chose = CHOSE[blank.name]
    published = PRESETS[chose].published
    one = Spread(accuracy, None, 1)
    won = f"{settings}, {how}; tested once: {_percent(one)}"
    if published.test_accuracy is None:
        return _replaced(blank, found, "nothing to compare", won, opens=(run,), winner_accuracy=accuracy)
    outcome, sentence = _verdict(published.test_accuracy, one)
    claim = Claim(
        f"the model that the source settled on ({chose}) has a test accuracy of {100 * published.test_accuracy:.2f} %",
        f"the winner here is {won}",
        outcome == "reproduces",
    )
    reasons: tuple[str, ...] = ()
    if outcome == "differs":
        reasons = (
            f"{len(blank.assumptions)} settings are not stated by the source, and assumed",
            "the source may have trained what it settled on for longer than the trials that led to it",
        )
    values = {"claims": (claim,), "opens": (run,), "reasons": reasons, "winner_accuracy": accuracy}
    return _replaced(blank, found, outcome, sentence, **values)


def _best_match(spec: SweepSpec | SearchSpec, known: Sequence[Sweep | Search]) -> Sweep | Search | None:
    """Of those stored by this name, one made as described, else one with other fixed values; complete ones first."""
    same = [item for item in known if item.name == spec.name]
    wanted = _essence(spec)
    return max(
        same,
        key=lambda item: (
            _essence(item.spec) == wanted,
            not isinstance(item, Search) or item.complete,
            item.created_at,
        ),
        default=None,
    )


def _essence(spec: SweepSpec | SearchSpec) -> str:
    data = spec.model_dump(mode="json", exclude={"source", "note", "assumptions"})
    with contextlib.suppress(ConfigError):  # its base is a preset that is not known here
        data["base"] = flatten(spec.base_config())
    return json.dumps(data, sort_keys=True)


def _blank(spec: SweepSpec | SearchSpec, kind: Kind, planned: str) -> Row:
    chose = CHOSE.get(spec.name)
    return Row(
        name=spec.name,
        kind=kind,
        source=spec.source,
        note=spec.note,
        assumptions=spec.assumptions,
        parameters=None,
        planned=planned,
        published=PRESETS[chose].published if chose else Published(),
        outcome="not trained",
        sentence="Not trained yet.",
    )


def _unfinished(blank: Row, found: Sweep | Search, progress: str) -> Row:
    return _replaced(blank, found, "not trained", f"Not finished: {progress}.")


def _replaced(blank: Row, found: Sweep | Search, outcome: Outcome, sentence: str, **values: Any) -> Row:
    described = (SWEEPS[blank.name] if blank.name in SWEEPS else SEARCHES[blank.name]).fixed
    changed = {path: value for path, value in found.spec.fixed.items() if described.get(path) != value}
    changed.pop("dataset.name", None)
    if changed:
        sentence += f" Run with other settings than described: {describe(changed)}."
    return Row(**{**vars(blank), "stored": found.id, "outcome": outcome, "sentence": sentence, **values})


def _ends(table: pd.DataFrame, best: str | None) -> tuple[str, ...]:
    """The first and the last run of a line, and the best."""
    ids = [str(table["run"].iloc[0]), *([best] if best else []), str(table["run"].iloc[-1])]
    return tuple(dict.fromkeys(ids))


def counts(found: Sequence[Row]) -> dict[Outcome, int]:
    """How many rows have which outcome."""
    outcomes: tuple[Outcome, ...] = ("reproduces", "differs", "nothing to compare", "not trained")
    return {outcome: sum(row.outcome == outcome for row in found) for outcome in outcomes}
