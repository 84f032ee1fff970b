"""Which change of a setting may help against a finding, as code, and the runs that made just that change."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.fields import flatten

if TYPE_CHECKING:
    from mnist_core.comparison.diagnosis.findings import Finding
    from mnist_core.runs.run import Run

Direction = Literal["higher", "lower", "set"]
"""`set`: give a value to a setting that has none."""

USUAL_RATE = {"adam": 1e-3, "rmsprop": 1e-3, "sgd": 1e-2}
"""The default learning rate of each optimiser in Keras."""
FAR = 10.0
"""A learning rate so many times the usual one, or more, is high; one so many times smaller is low."""


@dataclass(frozen=True)
class Suggestion:
    """One change of a setting. path: dotted, with ``*`` for every layer, such as ``model.layers.*.dropout``."""

    path: str
    direction: Direction


LOWER_RATE = Suggestion("training.learning_rate", "lower")
HIGHER_RATE = Suggestion("training.learning_rate", "higher")
STOP_EARLY = Suggestion("training.early_stopping", "set")
MORE_PATIENCE = Suggestion("training.early_stopping.patience", "higher")
MORE_EPOCHS = Suggestion("training.epochs", "higher")
MORE_DROPOUT = Suggestion("model.layers.*.dropout", "higher")
LESS_DROPOUT = Suggestion("model.layers.*.dropout", "lower")
LESS_L2 = Suggestion("model.layers.*.l2", "lower")
MORE_UNITS = Suggestion("model.layers.*.units", "higher")
MORE_FILTERS = Suggestion("model.layers.*.filters", "higher")


def suggestions(
    code: str, config: RunConfig | None, *, smooth: bool, steady: bool, stopped_early: bool
) -> tuple[Suggestion, ...]:
    """Return the changes that may help against a finding, the best first.

    Parameters
    ----------
    code
        of the finding.
    config
        what was trained; None leaves those out that depend on it.
    smooth
        whether the training loss fell in every epoch, and the training images are not fitted well yet.
    steady
        whether the training loss varies little from epoch to epoch.
    stopped_early
        whether training ended before its last planned epoch.
    """
    if code in ("not_finite", "loss_explosion", "dead_network", "collapse", "got_worse", "oscillation"):
        return (LOWER_RATE,)
    if code == "still_improving":
        longer = MORE_PATIENCE if stopped_early and config and config.training.early_stopping else MORE_EPOCHS
        return (longer, HIGHER_RATE) if smooth and not _rate_is("high", config) else (longer,)
    if code == "overfitting":
        stopping = () if config is not None and config.training.early_stopping else (STOP_EARLY,)
        return (*stopping, MORE_DROPOUT)
    if code == "generalisation_gap":
        return (MORE_DROPOUT,)
    if code == "stuck_at_chance":
        return (HIGHER_RATE,) if _rate_is("low", config) else (LOWER_RATE,) if _rate_is("high", config) else ()
    if code == "underfitting":
        return _for_underfitting(config, steady)
    return ()


def _for_underfitting(config: RunConfig | None, steady: bool) -> tuple[Suggestion, ...]:
    """Return what may help: the rate first, and not the size, where it is high or the training loss jumps."""
    if not steady or _rate_is("high", config):
        return (LOWER_RATE,)
    if config is None:
        return (MORE_UNITS,)
    layers = [layer.model_dump() for layer in config.model.layers]
    held_back = (LESS_DROPOUT,) if any(layer.get("dropout") for layer in layers) else ()
    held_back = (*held_back, LESS_L2) if any(layer.get("l2") for layer in layers) else held_back
    return (*held_back, MORE_UNITS if any("units" in layer for layer in layers) else MORE_FILTERS)


def _rate_is(what: Literal["high", "low"], config: RunConfig | None) -> bool:
    if config is None:
        return False
    ratio = config.training.learning_rate / USUAL_RATE[config.training.optimizer]
    return ratio >= FAR if what == "high" else ratio <= 1 / FAR


def without_contradictions(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, where a later one no longer suggests the opposite of, or the same as, an earlier one."""
    taken: dict[str, Direction] = {}
    found = []
    for finding in findings:
        kept = tuple(change for change in finding.suggestions if change.path not in taken)
        taken |= {change.path: change.direction for change in kept}
        found.append(replace(finding, suggestions=kept))
    return found


RunT = TypeVar("RunT", bound="Run")


def runs_with_change(run: Run, change: Suggestion, runs: Iterable[RunT]) -> list[RunT]:
    """Return the finished runs on the same data whose configuration differs from that of `run` in this change alone.

    Parameters
    ----------
    run
        that the suggestion is about.
    change
        the suggestion.
    runs
        to look among.

    Returns
    -------
    list
        the smallest change first.
    """
    if run.recorded:
        return []
    own = flatten(run.config)
    part = change.path.partition(".")[0]
    alike = [name for name in type(run.config).model_fields if name != part]
    found = []
    for other in runs:
        if (
            other.recorded
            or other.id == run.id
            or other.state != "finished"
            or other.status.fingerprint != run.status.fingerprint
            # nearly all runs of a large store differ elsewhere, and this is quick
            or any(getattr(other.config, name) != getattr(run.config, name) for name in alike)
        ):
            continue
        size = _size(own, flatten(other.config), change)
        if size is not None:
            found.append((size, other.name, other))
    return [other for _, _, other in sorted(found, key=lambda item: item[:2])]


def _size(own: dict[str, Any], other: dict[str, Any], change: Suggestion) -> float | None:
    """Return how large a change is; None where the configurations differ in something else, or the other way."""
    paths = [path for path in {**own, **other} if own.get(path) != other.get(path)]
    if not paths:
        return None
    if change.direction == "set":
        inside = all(path == change.path or path.startswith(f"{change.path}.") for path in paths)
        return 0.0 if inside and own.get(change.path, own) is None else None
    total = 0.0
    for path in paths:
        before, after = own.get(path), other.get(path)
        if (
            not fnmatchcase(path, change.path)
            or not isinstance(before, int | float)
            or not isinstance(after, int | float)
        ):
            return None
        if (after > before) != (change.direction == "higher"):
            return None
        total += abs(math.log(after / before)) if before > 0 and after > 0 else abs(after - before)
    return total
