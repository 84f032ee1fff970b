"""Published figures next to measured ones, and the rule that decides if a result reproduces.

A model *reproduces* only where none of its published figures differs by more than chance: test accuracy and loss, and
whatever of the training its source prints. `figures` has the rule. Three kinds of rows are kept apart (`tally`): those
whose settings are all stated, those that rest on assumed settings, and those whose settings were chosen because they
lead to the published result, which therefore cannot confirm it.

A sweep's or search's winner is compared as a winner: its test accuracy with that of the model that the source chose,
and, where the source names a network of the same grid, that network too, with its rank and its own accuracy here.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.errors import ConfigError, StoreError
from mnist_core.evaluation.statistics import Sample, sample
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.grids import SWEEPS, SweepSpec, expand
from mnist_core.experiments.presets import PRESETS, Preset, Published
from mnist_core.experiments.recipes import recipe_id
from mnist_core.experiments.spaces import SEARCHES, SearchSpec
from mnist_core.published import figures
from mnist_core.published.claims import CLAIMS, Claim
from mnist_core.published.figures import Compared, Figure, Measured
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies import searches, sweeps
from mnist_core.studies.shelf import Shelf
from mnist_core.studies.study import Study
from mnist_core.studies.sweeps import Sweep

DATASET = "mnist"

if TYPE_CHECKING:
    import pandas as pd

RowKind = Literal["model", "sweep", "search"]
Reproduction = Literal["reproduces", "differs", "chosen to match", "nothing to compare", "not trained"]


Note = Literal["unhealthy_parent", "leak", "assumed", "version", "trained_longer"]
"""Why a result may differ. unhealthy_parent: the source continued a network that was not healthy. leak: its validation
images leaked into training. assumed: settings are not stated. version: the source had another version of Keras.
trained_longer: the source may have trained what it settled on for longer than the trials.
"""


@dataclass(frozen=True)
class ChosenNetwork:
    """The network that a source chose from a sweep, as a run of the sweep here; it may be the winner here, too.

    rank: by validation loss, of `count` runs. gap: its test accuracy here and the published one. behind: its validation
    loss, and the winner's in place of a published figure; None where it is the winner.
    """

    run: str
    rank: int
    count: int
    gap: Compared
    behind: Compared | None


@dataclass(frozen=True)
class SweepWinner:
    """The winner of a sweep or search, chosen by validation: its run, its network, and its test accuracy.

    by: lowest validation loss of a sweep, or best value of a search on held-out images. chose: the preset that the
    source settled on. gap: its test accuracy and the published one of `chose`, where there is one.
    """

    run: str
    network: str
    accuracy: float
    by: Literal["validation_loss", "held_out"]
    chose: str
    gap: Compared | None = None


Missing = Literal["runs", "trials", "no_winner", "untested"]
RowProgress = tuple[Missing, int, int]
"""Why a sweep or search is not finished: so many of so many runs have ended or trials are decided; no run has finished;
or the winner has not been tested."""


@dataclass(frozen=True)
class ReproductionRow:
    """One published model, sweep or search.

    published: the source's figures; for a sweep or a search those of the model that the source chose, where it
    prints any. measured: of a model. compared: figure by figure. winner: of a sweep or search, where it was tested.
    choice: of a sweep whose source names one. stored: id of the sweep or search here. opens: the runs to look at, at
    most a few. outcome: the verdict. notes: why it may differ. claims: of a sweep. progress: what is missing, where it
    is not finished. changed: settings that are not those described. `words` makes sentences of all this.
    """

    name: str
    kind: RowKind
    source: str
    assumptions: tuple[str, ...]
    parameters: int | None
    planned: str
    published: Published
    outcome: Reproduction
    note: str = ""
    chosen_to_match: str = ""
    compared: tuple[Compared, ...] = ()
    notes: tuple[Note, ...] = ()
    measured: Measured | None = None
    winner: SweepWinner | None = None
    choice: ChosenNetwork | None = None
    claims: tuple[Claim, ...] = ()
    stored: str | None = None
    opens: tuple[str, ...] = ()
    progress: RowProgress | None = None
    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def accuracy(self) -> Compared | None:
        """The test accuracy as published and as measured: of the winner, for a sweep or search."""
        return next((item for item in self.compared if item.figure == "test_accuracy"), None)

    @property
    def differing(self) -> tuple[Compared, ...]:
        """The published figures that differ by more than chance."""
        return tuple(item for item in self.compared if item.differs)


def rows(store: Store, *, reader: Reader = PLAIN) -> list[ReproductionRow]:
    """Return all that is published, in the order of the sources: models, then sweeps, then searches.

    Parameters
    ----------
    store
        where the runs are.
    reader
        where results come from.
    """
    finished: dict[str, list[Run]] = {}
    for run in store.runs():
        if run.recorded is None and run.state == "finished" and run.status.fingerprint == MNIST_FINGERPRINT:
            finished.setdefault(recipe_id(run.config), []).append(run)
    found = [model_row(item, finished.get(recipe_id(item.config), []), reader) for item in PRESETS.values()]
    found += [_sweep_row(store, spec, reader) for spec in SWEEPS.values()]
    found += [_search_row(store, spec, reader) for spec in SEARCHES.values()]
    return found


# -- one model ---------------------------------------------------------------------------------------------------------


def model_row(preset: Preset, runs: Sequence[Run], reader: Reader = PLAIN) -> ReproductionRow:
    """Return the published figures of a model, and those of its finished runs on MNIST, each with another seed."""
    measured = figures.measure(runs, reader)
    compared = figures.compare_model(preset.published, measured) if measured else ()
    outcome: Reproduction = "not trained" if measured is None else reproduction(compared)
    if outcome == "reproduces" and preset.chosen_to_match:
        outcome = "chosen to match"
    return ReproductionRow(
        name=preset.name,
        kind="model",
        source=preset.source,
        note=preset.published.note,
        assumptions=preset.assumptions,
        chosen_to_match=preset.chosen_to_match,
        parameters=preset.parameters,
        planned=preset.config.model.summary(),
        published=preset.published,
        outcome=outcome,
        compared=compared,
        notes=_notes(preset, measured) if outcome == "differs" else (),
        measured=measured,
        opens=measured.run_ids if measured else (),
    )


def reproduction(compared: Sequence[Compared]) -> Reproduction:
    """Return the verdict on figures that were compared."""
    if not compared:
        return "nothing to compare"
    return "differs" if any(item.differs for item in compared) else "reproduces"


def _notes(preset: Preset, measured: Measured | None) -> tuple[Note, ...]:
    """Return why a model may differ from its source."""
    found: list[Note] = []
    if preset.continues:
        found.append("unhealthy_parent")
    published = preset.published
    if published.last_val_accuracy is not None and published.last_accuracy is not None:
        # more right of the images that are held out than of those it learns from, without dropout
        leaked = published.last_val_accuracy > published.last_accuracy
        found += ["leak"] if leaked and measured else []
    if preset.assumptions:
        found.append("assumed")
    elif not preset.continues:
        found.append("version")
    return tuple(found)


# -- sweeps and searches -----------------------------------------------------------------------------------------------

Kept = TypeVar("Kept", bound=Study)

CHOSE = {
    "tuning/grid_90": "tuning/best_mlp",
    "tuning/hyperband_mlp": "tuning/best_mlp",
    "tuning/bayes_cnn": "tuning/cnn",
}
"""The model that the source of a sweep or search chose: the winner is compared with its published figures."""


def _sweep_row(store: Store, spec: SweepSpec, reader: Reader) -> ReproductionRow:
    found = _best_match(store, spec, sweeps.SHELF)
    blank = _blank(spec, "sweep", f"{math.prod(len(axis) for axis in spec.grid.values())} runs")
    if found is None:
        return blank
    row = _stored(blank, found)
    done = found.progress(store)
    if not done.complete:
        return replace(row, progress=("runs", done.ended, done.total))
    # the published figure is compared with the run it is about; nothing is chosen by test results here
    table = found.table(store, reader=reader, reveal=True)
    best = sweeps.best(table)
    place = table["run"].tolist().index(best) if best is not None else None
    if spec.name in CLAIMS and len(table) > 1 and (table["state"] == "finished").all():
        claims = CLAIMS[spec.name](table)
        outcome: Reproduction = "reproduces" if all(claim.holds for claim in claims) else "differs"
        return replace(row, outcome=outcome, claims=claims, opens=_ends(table, best))
    if place is None or found.optimistic:
        return replace(row, progress=("no_winner", done.ended, done.total))
    accuracy = float(table.iloc[place]["test_accuracy"])
    winner = SweepWinner(str(best), _network(store, str(best)), accuracy, "validation_loss", CHOSE[row.name])
    return _winner_row(row, winner, found, table)


def _search_row(store: Store, spec: SearchSpec, reader: Reader) -> ReproductionRow:
    found = _best_match(store, spec, searches.SHELF)
    blank = _blank(spec, "search", f"{spec.trial_count} trials")
    if found is None:
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
    return _winner_row(
        row, SweepWinner(winner.run, _network(store, winner.run), scores.accuracy, "held_out", CHOSE[row.name])
    )


def _winner_row(
    row: ReproductionRow, winner: SweepWinner, sweep: Sweep | None = None, table: pd.DataFrame | None = None
) -> ReproductionRow:
    """Return the row of a sweep or search whose winner was chosen by validation.

    sweep, table: where the network that the source chose may be one of the runs.
    """
    published = PRESETS[winner.chose].published.test_accuracy
    if published is None:
        return replace(row, winner=winner, opens=(winner.run,), outcome="nothing to compare")
    pairs: list[tuple[Figure, float, Sample]] = [("test_accuracy", published, sample([winner.accuracy]))]
    place = _choice_place(sweep, winner.chose) if sweep else None
    if place is not None and table is not None:
        chosen, won = table.iloc[place], table[table["run"] == winner.run].iloc[0]
        pairs.append(("test_accuracy", published, sample([float(chosen["test_accuracy"])])))
        # the loss of 10,000 validation images varies between seeds as that of 10,000 test images does
        if chosen["run"] != winner.run:
            pairs.append(("test_loss", float(won["val_loss"]), sample([float(chosen["val_loss"])])))
    compared = figures.compare(pairs)
    outcome = reproduction(compared)
    choice = None
    if len(compared) > 1 and sweep is not None and table is not None and place is not None:
        losses = table["val_loss"].dropna()
        rank = 1 + int((losses < table["val_loss"].iloc[place]).sum())
        choice = ChosenNetwork(
            str(table["run"].iloc[place]), rank, len(losses), compared[1], compared[2] if len(compared) > 2 else None
        )  # fmt: skip
    notes: tuple[Note, ...] = ("assumed", "trained_longer") if outcome == "differs" else ()
    opens = tuple(dict.fromkeys([winner.run, *([choice.run] if choice else [])]))
    winner = replace(winner, gap=compared[0])
    return replace(
        row, winner=winner, choice=choice, compared=compared[:2], outcome=outcome, notes=notes, opens=opens
    )  # fmt: skip


def _network(store: Store, run_id: str) -> str:
    return store.get(run_id).config.model.summary()


def _choice_place(sweep: Sweep, chose: str) -> int | None:
    """Return where in a sweep the network is that its source chose; None where it is not in the grid."""
    wanted, by_values = PRESETS[chose].config.model, {}
    with contextlib.suppress(ConfigError):  # its base is a preset that is not known here
        by_values = {json.dumps(point.values, sort_keys=True): point.config.model for point in expand(sweep.spec)}
    keys = [json.dumps(point.values, sort_keys=True) for point in sweep.points]
    return next((place for place, key in enumerate(keys) if by_values.get(key) == wanted), None)


def _best_match(store: Store, spec: SweepSpec | SearchSpec, shelf: Shelf[Kept]) -> Kept | None:
    """Return, of those stored by this name, one made as described, else one with other fixed values; complete first."""
    same = [item for item in shelf.all(store)[0] if item.dataset == DATASET and item.name == spec.name]
    wanted = _essence(spec)
    return max(
        same,
        key=lambda item: (
            _essence(item.spec) == wanted,
            item.state(store) == "complete",
            item.created_at,
        ),
        default=None,
    )


def _essence(spec: SweepSpec | SearchSpec) -> str:
    data = spec.model_dump(mode="json", exclude={"source", "note", "assumptions"})
    with contextlib.suppress(ConfigError):  # its base is a preset that is not known here
        data["base"] = flatten(spec.base_config())
    return json.dumps(data, sort_keys=True)


def _blank(spec: SweepSpec | SearchSpec, kind: RowKind, planned: str) -> ReproductionRow:
    chose = CHOSE.get(spec.name)
    return ReproductionRow(
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


def _stored(blank: ReproductionRow, found: Study) -> ReproductionRow:
    """Return the row of a sweep or search that is in the store."""
    described = (SWEEPS[blank.name] if blank.name in SWEEPS else SEARCHES[blank.name]).fixed
    changed = {path: value for path, value in found.spec.fixed.items() if described.get(path) != value}
    changed.pop("dataset.name", None)
    return replace(blank, stored=found.id, changed=changed)


def _ends(table: pd.DataFrame, best: str | None) -> tuple[str, ...]:
    """Return the first and the last run of a line, and the best."""
    ids = [str(table["run"].iloc[0]), *([best] if best else []), str(table["run"].iloc[-1])]
    return tuple(dict.fromkeys(ids))


# -- all together ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """Number of rows that reproduce, and of those that can be compared."""

    reproduces: int
    compared: int


@dataclass(frozen=True)
class Tally:
    """Summary of all rows. stated: those whose settings are all stated by the source; assumed: those that rest on
    assumed settings; chosen: names of those whose settings were chosen to match, in neither; differing: names.
    nothing, missing: number of rows with nothing to compare, and of those not trained.
    """

    stated: Count
    assumed: Count
    chosen: tuple[str, ...]
    differing: tuple[str, ...]
    nothing: int
    missing: int


def tally(found: Sequence[ReproductionRow]) -> Tally:
    """Return a summary of all rows, those that rest on assumptions apart from those that do not."""

    def count(rows: list[ReproductionRow]) -> Count:
        return Count(sum(row.outcome == "reproduces" for row in rows), len(rows))

    compared = [row for row in found if row.outcome in ("reproduces", "differs")]
    return Tally(
        stated=count([row for row in compared if not row.assumptions]),
        assumed=count([row for row in compared if row.assumptions]),
        chosen=tuple(row.name for row in found if row.outcome == "chosen to match"),
        differing=tuple(row.name for row in compared if row.outcome == "differs"),
        nothing=sum(row.outcome == "nothing to compare" for row in found),
        missing=sum(row.outcome == "not trained" for row in found),
    )
