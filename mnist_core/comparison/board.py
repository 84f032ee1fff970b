"""The board of a class: everybody's best run in order, so that neither luck nor tuning to the board leads.

Whoever tries often enough is lucky once, and a table of the best scores shows luck. Two things are against that:

- **The Ladder** (Blum & Hardt 2015, "The Ladder: a reliable leaderboard for machine learning competitions", the form
  without a parameter): a later run takes a person's place only where it is better than the one before by more than one
  standard error of their paired difference. Smaller steps, by which one climbs by luck, are not shown.
- **Two halves.** While the class works, the board shows the accuracy on one half of the test images, always the same
  one. In the final order everybody has the run that scores highest on that half, and is ordered by the other half,
  which has chosen nothing. This is what helps most: whoever sees scores elsewhere too climbs over the Ladder (see
  docs/classroom.md for what was measured).

Places are shared where the images do not tell two people apart: a place is one more than the number of people who are
shown to be better, all pairs being compared at once.

Numbers only; `words.board` makes sentences of them. `benchmarks/class_board.py` measures it on simulated classes.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnist_core.comparison.decide import decide
from mnist_core.evaluation.metrics import Interval, accuracy_interval
from mnist_core.evaluation.statistics import AccuracyDifference, BoolArray, agreement_of
from mnist_core.runs.run import Run

STEP = 1.0
"""Standard errors by which a run must be better to be put forward in place of the one before."""


@dataclass(frozen=True, eq=False)
class Try:
    """A finished run of a person. run: its id. right: whether it is right on each test image, shape (n,)."""

    run: str
    right: BoolArray


@dataclass(frozen=True)
class BoardLine:
    """One line of the board.

    owner: the person. run: the id of the run that stands for them. tries: how many finished runs they have. accuracy:
    on `images` images, as a share, with Wilson's 95 % interval. place: one more than the number of people who are shown
    to be better. shared: True if others have this place.
    """

    owner: str
    run: str
    tries: int
    accuracy: float
    interval: Interval
    images: int
    place: int
    shared: bool


def eligible(run: Run) -> bool:
    """True if a run counts on the board: trained here to its end for a person of the class, as one clean training.

    Predictions that were uploaded may know the test images, and a training that was changed by hand was steered.
    """
    return bool(run.meta.owner) and run.state == "finished" and not run.recorded and not run.meta.changes


def tries_of(runs: Iterable[Run], fingerprint: str, right: Callable[[Run], BoolArray | None]) -> dict[str, list[Try]]:
    """Return the tries of each person on one data set, in the order in which they ended.

    right: returns on which test images a run is right; None where it has not kept its predictions.
    """
    found: dict[str, list[Try]] = {}
    ended = [run for run in runs if eligible(run) and run.status.fingerprint == fingerprint]
    for run in sorted(ended, key=lambda run: (run.status.ended_at or 0.0, run.id)):
        known = right(run)
        if known is not None:
            found.setdefault(run.meta.owner, []).append(Try(run.id, known))
    return found


def board_half(images: int, fingerprint: str) -> BoolArray:
    """Return which test images the board shows while the class works, shape (images,): half of them, fixed by the data.

    fingerprint: of the data set, which seeds the choice.
    """
    seed = int.from_bytes(hashlib.sha256(f"board {fingerprint}".encode()).digest()[:8], "big")
    chosen = np.zeros(images, dtype=np.bool_)
    chosen[np.random.default_rng(seed).permutation(images)[: images // 2]] = True
    return chosen


def put_forward(rights: Sequence[BoolArray], step: float = STEP) -> int:
    """Return which of a person's runs stands for them, by the Ladder.

    Parameters
    ----------
    rights
        whether each run is right on each image of the board's half, in the order in which the runs ended.
    step
        standard errors by which a run must be better than the one before; with 0, the best score is taken.
    """
    best = 0
    for number in range(1, len(rights)):
        gain = rights[number].astype(np.int8) - rights[best].astype(np.int8)
        mean = float(gain.mean())
        error = math.sqrt(max(0.0, float(np.mean(gain * gain)) - mean**2) / len(gain))
        if mean > step * error:
            best = number
    return best


def standings(
    tries: Mapping[str, Sequence[Try]], half: BoolArray, *, final: bool = False, step: float | None = None
) -> list[BoardLine]:
    """Return the board, the most accurate first.

    Parameters
    ----------
    tries
        the finished runs of each person, in the order in which they ended; a person without one is left out.
    half
        of `board_half`: the images by which runs are put forward, and, until the end, ordered.
    final
        True: order by the other half.
    step
        as of `put_forward`. Default: 0 for the final order, else STEP.
    """
    shown = ~half if final else half
    step = (0.0 if final else STEP) if step is None else step
    found = {
        owner: items[put_forward([item.right[half] for item in items], step)] for owner, items in tries.items() if items
    }
    right = {owner: item.right[shown] for owner, item in found.items()}
    images = int(shown.sum())
    order = sorted(found, key=lambda owner: (-int(right[owner].sum()), owner))
    better = dict.fromkeys(order, 0)
    pairs = list(itertools.combinations(order, 2))
    estimates = [AccuracyDifference(agreement_of(right[second], right[first])) for first, second in pairs]
    for (first, second), decision in zip(pairs, decide(estimates, margin=None), strict=True):
        if decision.differs:
            better[second if decision.answer == "better" else first] += 1
    places = list(better.values())
    return [
        BoardLine(
            owner=owner,
            run=found[owner].run,
            tries=len(tries[owner]),
            accuracy=float(right[owner].mean()),
            interval=accuracy_interval(int(right[owner].sum()), images),
            images=images,
            place=better[owner] + 1,
            shared=places.count(better[owner]) > 1,
        )
        for owner in order
    ]
