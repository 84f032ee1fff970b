"""Selection: which runs a sweep or a search chose, and which it passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mnist_core.comparison.comparability import Background
from mnist_core.comparison.recipes import group
from mnist_core.comparison.selection import Noise, Selection, image_noise, rank_values, seed_noise
from mnist_core.data import duplicates
from mnist_core.data.duplicates import DataCheck
from mnist_core.errors import StoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import TestValidation
from mnist_core.experiments.spaces import Metric
from mnist_core.runs import test_set_uses
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run
from mnist_core.runs.test_set_uses import Use
from mnist_core.studies import sweeps
from mnist_core.studies.kinds import AnyStudy
from mnist_core.studies.study import Study


class StudyChoice(NamedTuple):
    """The id of the run that a study has chosen so far, and how it stands."""

    run: str
    selection: Selection


Choose = Callable[[Sequence[Run], AnyStudy], StudyChoice | None]
FindWinner = Callable[[Sequence[Run], AnyStudy], str | None]


def background(root: Path, everything: Sequence[Run], studies: Iterable[AnyStudy], runs: Sequence[Run]) -> Background:
    """Return what is known of `runs` besides what they say themselves.

    Parameters
    ----------
    root
        the store's folder.
    everything, studies
        all runs of the store, and all its sweeps and searches.
    runs
        those that are compared.
    """
    found = selections(everything, studies, [run.id for run in runs])
    return Background(tuple(found), data_check(root, runs))


def data_check(root: Path, runs: Iterable[Run]) -> DataCheck | None:
    """Return what is known of the data that all of `runs` are of; None where they are of several."""
    fingerprints = {run.status.fingerprint for run in runs}
    return duplicates.known(root, fingerprints.pop()) if len(fingerprints) == 1 else None


def selections(
    everything: Sequence[Run], studies: Iterable[AnyStudy], run_ids: Iterable[str], choose: Choose | None = None
) -> list[tuple[str, Selection]]:
    """Return (run id, what it is) for each study that a run is of; none for those that have not chosen yet.

    `choose`: as `choice`, for a caller that caches.
    """
    found: list[tuple[str, Selection]] = []
    wanted = set(run_ids)
    for study in studies:
        members = [run_id for run_id in study.run_ids if run_id in wanted]
        chosen = (choose or choice)(everything, study) if members else None
        if chosen is not None:
            found += [(run_id, replace(chosen.selection, won=run_id == chosen.run)) for run_id in members]
    return found


def choice(everything: Sequence[Run], study: AnyStudy) -> StudyChoice | None:
    """Return what a study has chosen so far; None where it had fewer than two to choose among.

    `everything`: all runs of the store, as other runs show how much chance makes.
    """
    found = study.candidates(everything)
    winner = found.winner
    if winner is None:
        return None
    run = next((run for run in everything if run.id == winner), None)
    metric = found.metric
    noise = _noise(everything, run, metric, dict(found.done)[winner], penalised=found.penalised) if run else None
    ranked = rank_values(metric, [value for _, value in found.done], noise)
    return StudyChoice(
        winner,
        Selection(
            study.kind,
            study.id,
            study.name,
            won=True,
            on_test=study.optimistic,
            metric=metric,
            candidates=found.size,
            value=ranked.value,
            lead=ranked.lead,
            noise=noise,
            within=ranked.within,
        ),
    )


def winner_of(everything: Sequence[Run], study: AnyStudy) -> str | None:
    """Return the id of the run that `choice` returns, without what is read to say how it stands among the others."""
    return study.candidates(everything).winner


def _noise(everything: Sequence[Run], winner: Run, metric: Metric, value: float, *, penalised: bool) -> Noise | None:
    """Return the noise of seeds, from recipes on the same data and as many validation images; else that of images."""
    validation = winner.config.training.validation
    alike = [
        run
        for run in everything
        if run.state == "finished"
        and not run.recorded
        and run.status.fingerprint == winner.status.fingerprint
        and run.config.training.validation == validation
    ]
    recipes = []
    for recipe in group(alike):
        # seeds that continue one trained network share its luck, so that their spread is too small
        if len(recipe.runs) > 1 and recipe.runs[0].config.parent is None:
            rows = [row for run in recipe.runs if (row := sweeps.stored_kept_row(run)) is not None]
            recipes.append([_figure(row, metric, penalised=penalised) for row in rows])
    found = seed_noise(metric, value, recipes)
    if found is not None:
        return found
    try:
        predictions = winner.predictions()
    except StoreError:
        return None
    if predictions is not None and isinstance(validation, TestValidation):
        return image_noise(metric, _as_validation(predictions))
    return image_noise(metric, predictions)


def _as_validation(predictions: Predictions) -> Predictions:
    return Predictions(predictions.labels, predictions.probabilities, predictions.labels, predictions.probabilities)


def _figure(row: EpochRow, metric: Metric, *, penalised: bool) -> float:
    if metric == "val_accuracy":
        return row.val_accuracy
    return row.val_loss if penalised else sweeps.unpenalised_loss(row)


# -- looking at what was passed over -----------------------------------------------------------------------------------


def reveal(root: Path, everything: Iterable[Run], study: Study, winner: str | None) -> None:
    """Count a look at the test results of the runs that a study has passed over. Raise StoreError if that fails.

    `root`: the store's folder. `everything`: all its runs. `winner`: the id of the run that the study has chosen.
    """
    members = set(study.run_ids) - {winner}
    others = [run for run in everything if run.id in members]
    uses: list[Use] = []
    for fingerprint in dict.fromkeys(run.status.fingerprint for run in others):
        ids = [run.id for run in others if run.status.fingerprint == fingerprint]
        uses.append(test_set_uses.reveal(fingerprint, study.id, ids))
    test_set_uses.record(root, uses)


def passed_over(
    everything: Sequence[Run], studies: Iterable[AnyStudy], winner: FindWinner = winner_of
) -> frozenset[str]:
    """Return the ids of the runs that studies have passed over by held-out images.

    A run that one of them has chosen, or that a person has requested, is not among them. `winner`: as `winner_of`, for
    a caller that caches.
    """
    held_out = [study for study in studies if not study.optimistic]
    found = {run_id for study in held_out for run_id in study.run_ids}
    found -= {winner(everything, study) for study in held_out}
    return frozenset(run.id for run in everything if run.id in found and run.one_of_many)


def reveal_all(
    root: Path, everything: Sequence[Run], studies: Iterable[AnyStudy], winner: FindWinner = winner_of
) -> None:
    """Count a look at the test results that every study has passed over. Raise StoreError if that fails."""
    for study in studies:
        if not study.optimistic:
            reveal(root, everything, study, winner(everything, study))


def looked_at(root: Path, study: Study, winner: str | None) -> int:
    """Return how many of the runs that a study has passed over have a use of their test results on record here."""
    return len((set(study.run_ids) - {winner}) & test_set_uses.runs_seen(root))
