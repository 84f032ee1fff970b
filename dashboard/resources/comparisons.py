"""What several runs show together: comparisons, disagreements, studies, the class board, published figures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.cache import CACHE, LARGE, Made, key_of, size_of
from dashboard.resources import readings, shared
from dashboard.resources.readings import READER, RunKey, run_key
from mnist_core.comparison.comparability import NOTHING_KNOWN, Background
from mnist_core.comparison.diagnosis.suggestions import Suggestion, runs_with_change
from mnist_core.comparison.diagnosis.words import Example, example
from mnist_core.evaluation.statistics import Sample
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from mnist_core.comparison.board import BoardLine
    from mnist_core.comparison.disagreements import ClassChange, ConfusionChange
    from mnist_core.comparison.planner import Plan
    from mnist_core.comparison.recipe_verdicts import RecipeVerdict
    from mnist_core.comparison.verdicts import Comparison
    from mnist_core.published.reproduction import ReproductionRow
    from mnist_core.studies.kinds import AnyStudy
    from mnist_core.studies.selections import StudyChoice

MOST_EXAMPLES = 2
"""Runs that are named for one suggested change."""


def comparison(
    runs: Sequence[Run], baseline: str, chosen: ChosenEpoch, margin: float, background: Background = NOTHING_KNOWN
) -> Comparison:
    """Return the comparison of all other runs with the run `baseline` (an id), cached until a run or background
    changes.
    """
    from mnist_core.comparison.verdicts import compare

    def made() -> Comparison:
        base = next(run for run in runs if run.id == baseline)
        return compare(runs, base, chosen, margin=margin, reader=READER, background=background)

    known = background.selections, background.data
    found: Comparison = CACHE.get(("comparison", _keys(runs), known, baseline, chosen, margin), made, size_of)
    return found


def recipe_comparison(
    runs: Sequence[Run],
    baseline: str,
    chosen: ChosenEpoch,
    margin: float,
    everything: Sequence[Run] | None = None,
) -> list[RecipeVerdict]:
    """Return the recipes of all other runs against that of the one with the id `baseline`, over all seeds in the store.

    Cached until one of the runs of these networks changes. everything: all runs of the store, where they are known.
    """
    from mnist_core.comparison.recipe_verdicts import compare_recipes

    models = {run.config.model for run in runs if not run.recorded}
    known = shared.scan()[0] if everything is None else everything
    alike = [run for run in known if not run.recorded and run.config.model in models]

    def made() -> list[RecipeVerdict]:
        base = next(run for run in runs if run.id == baseline)
        return compare_recipes(runs, base, alike, chosen, margin=margin, reader=READER)

    found: list[RecipeVerdict] = CACHE.get(
        ("recipe comparison", _keys(runs), _keys(alike), baseline, chosen, margin), made, size_of
    )
    return found


def recipe_sample(run: Run, chosen: ChosenEpoch = "kept") -> Sample | None:
    """Return the test accuracies of all finished seeds of a run's recipe; None where it has one seed only."""
    from mnist_core.comparison.recipe_verdicts import accuracy_sample

    everything = shared.snapshot()
    sample: Sample = CACHE.get(
        ("recipe sample", everything.number, run.id, chosen),
        lambda: accuracy_sample(run, everything.runs, chosen, READER),
        size_of,
    )
    return sample if sample.n > 1 else None


def plans(runs: Sequence[Run], comparison: Comparison, recipes: Sequence[RecipeVerdict]) -> list[Plan]:
    """Return the plans that settle what is undecided in `comparison` and `recipes`, cached until the store changes."""
    from mnist_core.comparison import planner

    by = comparison.baseline, comparison.chosen, comparison.margin
    key = ("plans", _finished(), by, *_keys(runs))
    made: list[Plan] = CACHE.get(
        key, lambda: planner.plans(runs, comparison, recipes, shared.snapshot().runs, reader=READER), size_of
    )
    return made


def _finished(fingerprint: str = "") -> str:
    """Return what changes with the finished runs of the store, or with those on these data: a part of keys.

    A training changes the snapshot with each epoch, and what is derived from finished runs only at its end.
    """
    found = shared.snapshot()

    def made() -> str:
        runs = [run for run in found.runs if run.state == "finished" and run.status.fingerprint.startswith(fingerprint)]
        return hashlib.blake2b(repr([(run.id, run.version()) for run in runs]).encode(), digest_size=16).hexdigest()

    digest: str = CACHE.get(("finished", found.number, fingerprint), made, size_of)
    return digest


def examples(run: Run, change: Suggestion, runs: Sequence[Run]) -> list[Example]:
    """Return the runs among `runs` that made just this change to `run`, cached until there are others."""
    found: list[Example] = CACHE.get(
        ("examples", run.id, run.version(), change, _finished(run.status.fingerprint)),
        lambda: [example(run, change, other) for other in runs_with_change(run, change, runs)[:MOST_EXAMPLES]],
        size_of,
    )
    return found


def background(runs: Sequence[Run]) -> Background:
    """Return what the store knows about runs besides their own files, cached until a run or a study changes."""
    from mnist_core.studies.selections import data_check, selections

    found, known, ids = shared.snapshot(), shared.studies(), [run.id for run in runs]
    key = ("selections", found.number, known.version, *ids)
    chosen = CACHE.get(key, lambda: selections(found.runs, known.known, ids, _choice), size_of)
    return Background(tuple(chosen), data_check(shared.store().root, runs))


def choice(study: AnyStudy) -> StudyChoice | None:
    """Return the choice of a sweep or search among its runs, cached until it or a finished run changes."""
    found = shared.snapshot()
    key = ("choice", found.number, shared.studies().version, study.kind, study.id)
    made: StudyChoice | None = CACHE.get(key, lambda: _choice(found.runs, study), size_of)
    return made


def _choice(everything: Sequence[Run], study: AnyStudy) -> StudyChoice | None:
    """Return the choice, which outlasts snapshots: the epochs of a run in training change none of it."""
    from mnist_core.studies.selections import choice

    finished = [(run.id, run.version()) for run in everything if run.state == "finished"]
    key = (str(shared.store().root), *key_of(choice, study, repr(finished)))
    made: StudyChoice | None = CACHE.get(key, lambda: choice(everything, study), size_of)
    return made


def of_study(function: Callable[..., Made], study: AnyStudy, *, reader: Reader | None = None, **options: Any) -> Made:
    """Return a function's result for the store and a study, cached until the study or one of its runs changes.

    `reader` and `options` are passed to it too. Callers must not change the result.
    """
    found = shared.snapshot()
    damaged = {problem.path.name for problem in found.problems}
    runs = [
        (run.id, run.state, run.version()) if (run := found.by_id.get(run_id)) else (run_id, run_id in damaged)
        for run_id in study.run_ids
    ]
    key = (str(shared.store().root), *key_of(function, study, options), *runs)
    given = options | ({"reader": reader} if reader else {})  # results do not depend on their reader
    made: Made = CACHE.get(key, lambda: function(found, study, **given), size_of)
    return made


def votes(runs: list[Run], chosen: ChosenEpoch = "kept") -> pd.DataFrame:
    """Return every test image with the guesses of paired runs that have predictions (see `comparison.disagreements`).

    Shared by all sessions: not to be written into.
    """
    from mnist_core.comparison.disagreements import votes

    def made() -> pd.DataFrame:
        found = [guesses for run in runs if (guesses := readings.predictions(run, chosen)) is not None]
        assert len(found) == len(runs)
        return votes(found)

    frame: pd.DataFrame = LARGE.get(("votes", _keys(runs), chosen), made, size_of)
    return frame


def changes(first: Run, second: Run, chosen: ChosenEpoch = "kept") -> tuple[list[ConfusionChange], list[ClassChange]]:
    """Return which confusions and which digits changed between two runs with predictions on one test set."""
    from mnist_core.comparison.disagreements import class_changes, confusion_changes

    def made() -> tuple[list[ConfusionChange], list[ClassChange]]:
        guesses = [readings.predictions(run, chosen) for run in (first, second)]
        assert guesses[0] is not None
        assert guesses[1] is not None
        return confusion_changes(guesses[0], guesses[1]), class_changes(guesses[0], guesses[1])

    found: tuple[list[ConfusionChange], list[ClassChange]] = CACHE.get(
        ("changes", _keys([first, second]), chosen), made, size_of
    )
    return found


def board(fingerprint: str, final: bool) -> list[BoardLine]:
    """Return the board of the class on one data set, cached until a finished run on it changes."""
    from mnist_core.comparison.board import board_half, eligible, standings, tries_of

    runs = [run for run in shared.snapshot().runs if eligible(run) and run.status.fingerprint == fingerprint]
    key = ("board", str(shared.store().root), final, *((run.id, run.version(), run.meta.owner) for run in runs))

    def make() -> list[BoardLine]:
        tries = tries_of(runs, fingerprint, _right)
        if not tries:
            return []
        images = len(next(iter(tries.values()))[0].right)
        return standings(tries, board_half(images, fingerprint), final=final)

    found: list[BoardLine] = CACHE.get(key, make, size_of)
    return found


def _right(run: Run) -> NDArray[np.bool_] | None:
    """Return on which test images a run is right, cached as bits; None where it has no predictions."""

    def make() -> tuple[int, NDArray[np.uint8]] | None:
        found = run.predictions()
        return None if found is None else (len(found.labels), np.packbits(found.predicted == found.labels))

    bits = CACHE.get(("right", str(shared.store().root), run.id, run.version()), make, size_of)
    return None if bits is None else np.unpackbits(bits[1], count=bits[0]).astype(np.bool_)


def published() -> list[ReproductionRow]:
    """Return the published figures next to those measured, cached until a run, a sweep or a search changes."""
    from mnist_core.published.reproduction import rows

    def made() -> list[ReproductionRow]:
        with st.spinner("Comparing with what is published …"):
            return rows(shared.store(), reader=READER)

    found: list[ReproductionRow] = CACHE.get(
        ("published", shared.snapshot().number, *shared.study_files()), made, size_of
    )
    return found


def _keys(runs: Sequence[Run]) -> tuple[RunKey, ...]:
    return tuple(run_key(run) for run in runs)
