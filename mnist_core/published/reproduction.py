"""What the sources print beside what was measured here, and whether the one reproduces the other.

The rule for an accuracy. A source prints one training's, on n = 10,000 test images; measured is the mean of k
trainings that differ in their seeds alone. By chance alone the two differ, 19 times in 20, by at most

    1.96 · √(p(1 − p)/n + m(1 − m)/n + s²(1 + 1/k))

with p the published accuracy, m the measured mean and s the standard deviation between the seeds (0 where k = 1, so
that one seed alone is held to a stricter limit). Within that, the model *reproduces*. Both were tested on the same
images, whose luck they share, so the rule is on the generous side. For losses the first two terms are twice the
squared standard error of the mean loss of the test images, from the predictions.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mnist_core.comparison import decide
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.errors import ConfigError, StoreError
from mnist_core.evaluation.metrics import image_losses
from mnist_core.evaluation.statistics import Sample, sample
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.grids import SWEEPS, SweepSpec, describe
from mnist_core.experiments.presets import PRESETS, Preset, Published
from mnist_core.experiments.recipes import recipe_id
from mnist_core.experiments.spaces import SEARCHES, SearchSpec
from mnist_core.published.claims import CLAIMS, IMAGES, Claim
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary
from mnist_core.studies import searches, sweeps
from mnist_core.studies.searches import Search
from mnist_core.studies.sweeps import Sweep

DATASET = "mnist"

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["model", "sweep", "search"]
Reproduction = Literal["reproduces", "differs", "nothing to compare", "not trained"]

REPRODUCTIONS: tuple[Reproduction, ...] = ("reproduces", "differs", "nothing to compare", "not trained")


@dataclass(frozen=True)
class Gap:
    """What was measured minus what is published, with its standard error."""

    value: float
    error: float

    @property
    def limit(self) -> float:
        """The largest gap that chance allows for."""
        return decide.limit(self.error)

    @property
    def differs(self) -> bool:
        """True if chance does not allow for it."""
        return decide.differs(self.value, self.error)


@dataclass(frozen=True)
class Measured:
    """What the runs of a published model came to on MNIST.

    run_ids: by seed. accuracy, loss: on the test set, of the weights that are kept, the loss as `keras_loss` has it.
    best_epochs: of the lowest validation loss, by seed; best_val_loss, best_val_accuracy: at those. epochs: finished,
    by seed. loss_error: the standard error of the test loss, from the losses of the images of one run; None where none
    has its predictions.
    """

    run_ids: tuple[str, ...]
    accuracy: Sample
    loss: Sample
    best_epochs: tuple[int, ...]
    best_val_loss: Sample | None
    best_val_accuracy: Sample | None
    epochs: tuple[int, ...]
    loss_error: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            key: value.to_json() if isinstance(value, Sample) else list(value) if isinstance(value, tuple) else value
            for key, value in vars(self).items()
        }


Note = Literal["unhealthy_parent", "assumed", "one_seed", "other_seed", "trained_longer"]
"""Why a result may differ. unhealthy_parent: the source continued a network that was not healthy. assumed: settings are
not stated. one_seed: one is trained here. other_seed: the source had another one. trained_longer: the source may have
trained what it settled on for longer than the trials.
"""


@dataclass(frozen=True)
class Winner:
    """The winner of a sweep or search, chosen by validation: its run, its settings, and its test accuracy.

    by: lowest validation loss of a sweep, or best value of a search on held-out images. chose: the preset that the
    source settled on.
    """

    run: str
    settings: str
    accuracy: float
    by: Literal["validation_loss", "held_out"]
    chose: str


Progress = tuple[Literal["runs", "trials", "no_winner", "untested"], int, int]
"""Why a sweep or search is not finished: so many of so many runs have ended or trials are decided; no run has finished;
or the winner has not been tested."""


@dataclass(frozen=True)
class Row:
    """One published model, sweep or search.

    published: the source's figures; for a sweep or a search those of the model that the source chose, where it
    prints any. measured: of a model. winner: of a sweep or search, where it was tested. stored: id of the sweep or
    search here. opens: the runs to look at, at most a few. outcome: the verdict; accuracy, loss: what it rests on.
    notes: why it may differ. claims: of a sweep. progress: what is missing, where it is not finished.
    changed: settings that are not those described. `words` makes sentences of all this.
    """

    name: str
    kind: Kind
    source: str
    note: str
    assumptions: tuple[str, ...]
    parameters: int | None
    planned: str
    published: Published
    outcome: Reproduction
    accuracy: Gap | None = None
    loss: Gap | None = None
    notes: tuple[Note, ...] = ()
    measured: Measured | None = None
    winner: Winner | None = None
    claims: tuple[Claim, ...] = ()
    stored: str | None = None
    opens: tuple[str, ...] = ()
    progress: Progress | None = None
    changed: dict[str, Any] = field(default_factory=dict)


def rows(store: Store, *, reader: Reader = PLAIN) -> list[Row]:
    """All that is published, in the order of the sources: models, then sweeps, then searches.

    Parameters
    ----------
    store
        where the runs are.
    reader
        where results come from.
    """
    finished: dict[str, list[Run]] = {}
    for run in store.runs():
        if run.state == "finished" and run.status.fingerprint == MNIST_FINGERPRINT:
            finished.setdefault(recipe_id(run.config), []).append(run)
    found = [model_row(item, finished.get(recipe_id(item.config), []), reader) for item in PRESETS.values()]
    found += [_sweep_row(store, spec, reader) for spec in SWEEPS.values()]
    found += [_search_row(store, spec, reader) for spec in SEARCHES.values()]
    return found


# -- one model ---------------------------------------------------------------------------------------------------------


def model_row(preset: Preset, runs: Sequence[Run], reader: Reader = PLAIN) -> Row:
    """Return what is published of a model, and what its finished runs on MNIST, each of another seed, came to."""
    measured = measure(runs, reader)
    accuracy = accuracy_gap(preset.published.test_accuracy, measured)
    outcome: Reproduction = "not trained" if measured is None else reproduction(accuracy)
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
        accuracy=accuracy,
        loss=loss_gap(preset.published.test_loss, measured),
        notes=_notes(preset, measured) if outcome == "differs" else (),
        measured=measured,
        opens=measured.run_ids if measured else (),
    )


def measure(runs: Sequence[Run], reader: Reader = PLAIN) -> Measured | None:
    """Return the figures of runs of one recipe; None where none of them has been tested."""
    tested: list[tuple[Run, RunSummary]] = []
    for run in runs:
        with contextlib.suppress(StoreError):  # damaged: it has no figures, and its own page says why
            item = reader.summary(run)
            if item.test is not None:
                tested.append((run, item))
    if not tested:
        return None
    tested.sort(key=lambda pair: pair[0].config.training.seed)
    items = [item for _, item in tested]
    return Measured(
        run_ids=tuple(item.id for item in items),
        accuracy=sample([item.test.accuracy for item in items if item.test]),
        loss=sample([keras_loss(run, item) for run, item in tested]),
        best_epochs=tuple(item.best_epoch for item in items if item.best_epoch is not None),
        best_val_loss=_known(item.best_val_loss for item in items),
        best_val_accuracy=_known(item.best_val_accuracy for item in items),
        epochs=tuple(item.epochs_done for item in items),
        loss_error=next((error for run, _ in tested if (error := _loss_error(run, reader)) is not None), None),
    )


def keras_loss(run: Run, summary: RunSummary) -> float:
    """The test loss as Keras reports it, and so the sources: with the L2 penalty of the weights that are kept."""
    assert summary.test is not None
    row = sweeps.kept_row(run, run.rows())
    return summary.test.loss + (row.penalty if row else 0.0)


def _known(values: Iterable[float | None]) -> Sample | None:
    known = [value for value in values if value is not None]
    return sample(known) if known else None


def _loss_error(run: Run, reader: Reader) -> float | None:
    found = reader.predictions(run)
    if found is None:
        return None
    losses = image_losses(found.labels, found.probabilities)
    return float(losses.std(ddof=1) / math.sqrt(len(losses)))


def accuracy_gap(published: float | None, measured: Measured | None) -> Gap | None:
    """Return how far a measured accuracy is from the published one; None where one of them is missing."""
    if published is None or measured is None:
        return None
    return Gap(measured.accuracy.mean - published, accuracy_error(published, measured.accuracy))


def loss_gap(published: float | None, measured: Measured | None) -> Gap | None:
    """Return how far a measured loss is from the published one; None where one of them is missing."""
    if published is None or measured is None or measured.loss_error is None:
        return None
    return Gap(measured.loss.mean - published, math.sqrt(2 * measured.loss_error**2 + _seed_noise(measured.loss)))


def accuracy_error(published: float, measured: Sample, images: int = IMAGES) -> float:
    """Return the standard error of the gap between two accuracies; the rule at the top of this module."""
    test_noise = (published * (1 - published) + measured.mean * (1 - measured.mean)) / images
    return math.sqrt(test_noise + _seed_noise(measured))


def _seed_noise(measured: Sample) -> float:
    return 0.0 if math.isnan(measured.sd) else measured.sd**2 * (1 + 1 / measured.n)


def reproduction(gap: Gap | None) -> Reproduction:
    """Return the verdict on what was measured."""
    return "nothing to compare" if gap is None else "differs" if gap.differs else "reproduces"


def _notes(preset: Preset, measured: Measured | None) -> tuple[Note, ...]:
    """Return why a model may differ from its source."""
    found: list[Note] = []
    if preset.published.note and preset.continues:
        found.append("unhealthy_parent")
    if preset.assumptions:
        found.append("assumed")
    if measured and measured.accuracy.n == 1:
        found.append("one_seed")
    return (*found, "other_seed")


# -- sweeps and searches -----------------------------------------------------------------------------------------------

CHOSE = {
    "tuning/grid_90": "tuning/best_mlp",
    "tuning/hyperband_mlp": "tuning/best_mlp",
    "tuning/bayes_cnn": "tuning/cnn",
}
"""The model that the source of a sweep or search settled on: its published figures are what the winner is held to."""


def _sweep_row(store: Store, spec: SweepSpec, reader: Reader) -> Row:
    found = _best_match(spec, [item for item in sweeps.sweeps(store)[0] if item.dataset == DATASET])
    blank = _blank(spec, "sweep", f"{math.prod(len(axis) for axis in spec.grid.values())} runs")
    if not isinstance(found, Sweep):
        return blank
    row = _stored(blank, found)
    done = sweeps.progress(store, found.run_ids)
    if not done.complete:
        return replace(row, progress=("runs", done.ended, done.total))
    table = sweeps.results(store, found, reader=reader)
    best = sweeps.best(table)
    place = table["run"].tolist().index(best) if best is not None else None
    if spec.name in CLAIMS and len(table) > 1 and (table["state"] == "finished").all():
        claims = CLAIMS[spec.name](table)
        outcome: Reproduction = "reproduces" if all(claim.holds for claim in claims) else "differs"
        return replace(row, outcome=outcome, claims=claims, opens=_ends(table, best))
    if place is None or found.optimistic:
        return replace(row, progress=("no_winner", done.ended, done.total))
    settings, accuracy = describe(found.points[place].values), float(table.iloc[place]["test_accuracy"])
    return _winner_row(row, Winner(str(best), settings, accuracy, "validation_loss", CHOSE[row.name]))


def _search_row(store: Store, spec: SearchSpec, reader: Reader) -> Row:
    found = _best_match(spec, [item for item in searches.searches(store)[0] if item.dataset == DATASET])
    blank = _blank(spec, "search", f"{spec.trial_count} trials")
    if not isinstance(found, Search):
        return blank
    row, winner = _stored(blank, found), found.winner
    decided = sum(trial.state != "open" for trial in found.trials)
    if not found.complete or winner is None:
        return replace(row, progress=("trials", decided, found.spec.trial_count))
    try:
        scores = reader.test_scores(store.get(winner.run))
    except StoreError:  # deleted or damaged
        scores = None
    if scores is None:
        return replace(row, progress=("untested", decided, found.spec.trial_count))
    return _winner_row(row, Winner(winner.run, describe(winner.values), scores.accuracy, "held_out", CHOSE[row.name]))


def _winner_row(row: Row, winner: Winner) -> Row:
    """Return the row of a sweep or search whose winner was chosen by validation."""
    published = PRESETS[winner.chose].published.test_accuracy
    row = replace(row, winner=winner, opens=(winner.run,))
    if published is None:
        return replace(row, outcome="nothing to compare")
    gap = Gap(winner.accuracy - published, accuracy_error(published, sample([winner.accuracy])))
    outcome = reproduction(gap)
    notes: tuple[Note, ...] = ("assumed", "trained_longer") if outcome == "differs" else ()
    return replace(row, outcome=outcome, accuracy=gap, notes=notes)


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
    )


def _stored(blank: Row, found: Sweep | Search) -> Row:
    """Return the row of a sweep or search that is in the store."""
    described = (SWEEPS[blank.name] if blank.name in SWEEPS else SEARCHES[blank.name]).fixed
    changed = {path: value for path, value in found.spec.fixed.items() if described.get(path) != value}
    changed.pop("dataset.name", None)
    return replace(blank, stored=found.id, changed=changed)


def _ends(table: pd.DataFrame, best: str | None) -> tuple[str, ...]:
    """The first and the last run of a line, and the best."""
    ids = [str(table["run"].iloc[0]), *([best] if best else []), str(table["run"].iloc[-1])]
    return tuple(dict.fromkeys(ids))


def counts(found: Sequence[Row]) -> dict[Reproduction, int]:
    """Return how many rows have which outcome."""
    return {outcome: sum(row.outcome == outcome for row in found) for outcome in REPRODUCTIONS}
