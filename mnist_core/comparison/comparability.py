"""The fair-comparison guard: what else differs between two runs than what is compared, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mnist_core.comparison.held_out import held_out_gap
from mnist_core.comparison.selection import Selection
from mnist_core.comparison.words.settings import setting_words
from mnist_core.data.duplicates import DataCheck
from mnist_core.experiments.configs import HeldOutValidation, TestValidation
from mnist_core.experiments.fields import flatten
from mnist_core.experiments.settings import OPTIONAL
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

DifferenceSeverity = Literal["undermines", "worth knowing", "compared"]
"""undermines: the verdict may be due to this alone. worth knowing: it may have a part in it. compared: this is what the
two runs are compared for."""

ConcernCode = Literal[
    "unfinished", "outside", "continued", "changed", "validation", "split", "best_on_test", "restored",
    "both_restored_on_test", "network", "setting", "absent", "several_settings", "epochs", "seed", "versions",
    "chosen_among", "passed_over", "leak", "labels", "held_out_gap", "machine",
]  # fmt: skip
"""Which sentence states a concern."""

SEVERITIES: tuple[DifferenceSeverity, ...] = ("undermines", "compared", "worth knowing")
"""The severities, in the order in which they are shown."""

FAR_FEWER = 2.0
"""One run with this many times the epochs of the other is no comparison of equals."""

FEW_LEAKS = 0.001
"""So large a share of test images that are trained on, and no larger, makes no difference that shows: 10 of 10,000."""

_VERSIONS = {"tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}


@dataclass(frozen=True)
class Concern:
    """One thing that differs between two runs, or that is odd with one of them; `comparison.words` says it.

    topic: what it is about, in a word or two. code: which sentence tells it. which: 0 for the baseline, 1 for the run,
    where it is about one of them. values: what the sentence needs, the baseline's first where there is one of each.
    """

    topic: str
    severity: DifferenceSeverity
    code: ConcernCode
    which: int = 0
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Background:
    """Knowledge about two runs that is not in their own files.

    selections: (run id, its place in a sweep or search), for each study that a run is of. data: the duplicates in the
    data of both; None if they were not searched for.
    """

    selections: tuple[tuple[str, Selection], ...] = ()
    data: DataCheck | None = None

    def of(self, run: Run) -> list[Selection]:
        """Return what a run is in the studies that it is of."""
        return [item for run_id, item in self.selections if run_id == run.id]


NOTHING_KNOWN = Background()


def on_other_data(baseline: Run, runs: Iterable[Run]) -> list[Run]:
    """Return the runs that were tested on other data than the baseline: their figures cannot be compared with its."""
    return [run for run in runs if run.status.fingerprint != baseline.status.fingerprint]


def concerns(
    baseline: Run, run: Run, chosen: ChosenEpoch = "kept", background: Background = NOTHING_KNOWN
) -> tuple[Concern, ...]:
    """Return all that differs between two runs on the same data, the gravest first.

    Parameters
    ----------
    baseline, run
        two different runs.
    chosen
        the epoch whose predictions are compared.
    background
        what is known of both besides.
    """
    if baseline.recorded or run.recorded:
        found: list[Concern] = list(_of_outside((baseline, run)))
    else:
        pair = _Pair(baseline, run, chosen)
        found = [*pair.states(), *pair.parents(), *pair.validation(), *pair.epoch(), *pair.settings()]
        found += pair.environments()
    found += _changed((baseline, run))
    found += [*_selection((baseline, run), background), *_data(background.data), *_held_out((baseline, run), chosen)]
    return tuple(sorted(found, key=lambda item: SEVERITIES.index(item.severity)))


def _of_outside(runs: tuple[Run, Run]) -> Iterator[Concern]:
    """Report a run from outside: it does not say how it was trained, so that no more than its end can be compared."""
    for which, run in enumerate(runs):
        if run.state != "finished":
            yield Concern("state", "undermines", "unfinished", which, (run.state, run.epochs_done, run.planned_epochs))
    for which, run in enumerate(runs):
        if run.recorded:
            yield Concern("origin", "worth knowing", "outside", which)


def _changed(runs: tuple[Run, Run]) -> Iterator[Concern]:
    """Report a run whose settings a person changed during its training: also where both were, as each saw its curve."""
    for which, run in enumerate(runs):
        if run.changed_at is not None:
            yield Concern(
                "changed by hand", "undermines", "changed", which, (run.changed_at, run.meta.changes, run.config.model)
            )


def _selection(runs: tuple[Run, Run], background: Background) -> Iterator[Concern]:
    """Report a run that a sweep or search has chosen among many, or has passed over."""
    for which, run in enumerate(runs):
        for item in background.of(run):
            severity: DifferenceSeverity = "undermines" if item.on_test else "worth knowing"
            yield Concern("selection", severity, "chosen_among" if item.won else "passed_over", which, (item,))


def _data(check: DataCheck | None) -> Iterator[Concern]:
    """Report test images that are trained on, and images with more than one label."""
    if check is None:
        return
    if check.leaks:
        most = (check.test_in_train + check.near) / check.test > FEW_LEAKS
        yield Concern("leak", "undermines" if most else "worth knowing", "leak", values=(check,))
    if check.conflicts:
        yield Concern("labels", "worth knowing", "labels", values=(check,))


def _held_out(runs: tuple[Run, Run], chosen: ChosenEpoch) -> Iterator[Concern]:
    """Report a run that does better or worse on held-out images than on the test images, by `decide.STRICT_LEVEL`."""
    for which, run in enumerate(runs):
        gap = held_out_gap(run, chosen)
        if gap is not None and gap.differs:
            yield Concern("held-out images", "worth knowing", "held_out_gap", which, (gap,))


class _Pair:
    """Two runs, and what differs between them, topic by topic."""

    def __init__(self, baseline: Run, run: Run, chosen: ChosenEpoch) -> None:
        self.runs, self.chosen = (baseline, run), chosen
        self.flat = tuple(flatten(item.config) for item in self.runs)
        paths = dict.fromkeys((*self.flat[0], *self.flat[1]))
        self.differing = [path for path in paths if self.flat[0].get(path) != self.flat[1].get(path)]

    def states(self) -> Iterator[Concern]:
        """Report a run that did not come to its end."""
        for which, run in enumerate(self.runs):
            if run.state != "finished":
                values = (run.state, run.epochs_done, run.config.training.epochs)
                yield Concern("state", "undermines", "unfinished", which, values)

    def parents(self) -> Iterator[Concern]:
        """Report a run that began from the weights of another. One that was changed by hand has its own concern."""
        if self.runs[0].config.parent == self.runs[1].config.parent:
            return
        for which, run in enumerate(self.runs):
            if run.config.parent is not None and run.changed_at is None:
                yield Concern("start", "undermines", "continued", which, (run.config.parent,))

    def validation(self) -> Iterator[Concern]:
        """Yield a concern if the validation images differ, which also decide how many were left to train on."""
        sources = [run.config.training.validation for run in self.runs]
        if sources[0] != sources[1]:
            mixed = sources[0].source != sources[1].source
            yield Concern("validation", "undermines" if mixed else "worth knowing", "validation", values=tuple(sources))
        elif isinstance(sources[0], HeldOutValidation) and self._seeds_differ:
            yield Concern("split", "worth knowing", "split")

    def epoch(self) -> Iterator[Concern]:
        """Report which epoch's weights are compared, and what chose it."""
        on_test = [isinstance(run.config.training.validation, TestValidation) for run in self.runs]
        restored = [_restored(run) for run in self.runs]
        if self.chosen == "best" and any(on_test):
            yield Concern("chosen epoch", "undermines", "best_on_test", values=tuple(on_test))
        picked = [kept and shown for kept, shown in zip(restored, on_test, strict=True)]
        if self.chosen == "kept" and restored[0] != restored[1]:
            index = restored.index(True)
            kept, last = self.runs[index].epoch("kept"), self.runs[1 - index].epoch("kept")
            grave: DifferenceSeverity = "undermines" if on_test[index] else "worth knowing"
            yield Concern("chosen epoch", grave, "restored", index, (kept, last, on_test[index]))
        elif self.chosen == "kept" and any(picked):
            yield Concern("chosen epoch", "undermines", "both_restored_on_test", values=tuple(picked))

    def settings(self) -> Iterator[Concern]:
        """Report the networks, and how they were trained: the thing compared is the first of these that differs."""
        taken = False
        if self.runs[0].config.model != self.runs[1].config.model:
            taken = True
            yield Concern("network", "compared", "network", values=tuple(run.config.model for run in self.runs))
        single = ("training.epochs", "training.seed", "parent", "parent_epoch")
        paths = [
            path for path in self.differing
            if not path.startswith(("model.", "training.validation")) and path not in single
        ]  # fmt: skip
        severity: DifferenceSeverity = "worth knowing" if taken else "compared"
        # where one run does without a structure, the other's settings inside it are no differences
        absent = {item: which for item in OPTIONAL if (which := self._without(item)) is not None}
        for item, which in absent.items():
            inside = {path: self.flat[1 - which].get(path) for path in paths if path.startswith(f"{item}.")}
            yield Concern(setting_words(item), severity, "absent", which, (inside,))
        alone = [path for path in paths if not path.startswith(tuple(f"{item}." for item in absent))]
        for path in alone:
            values = (path, *(flat.get(path) for flat in self.flat))
            yield Concern(setting_words(path), severity, "setting", values=values)
        count = len(absent) + len(alone)
        if count > 1 and not taken:
            yield Concern("settings", "worth knowing", "several_settings", values=(count,))
        taken = taken or bool(count)
        done = [run.epochs_done for run in self.runs]
        if done[0] != done[1]:
            far = max(done) >= FAR_FEWER * min(done)
            severity = "compared" if not taken else "undermines" if far else "worth knowing"
            yield Concern("epochs", severity, "epochs", values=(*done, far))
            taken = True
        if self._seeds_differ:
            seeds = tuple(run.config.training.seed for run in self.runs)
            yield Concern("seed", "worth knowing" if taken else "compared", "seed", values=seeds)

    def environments(self) -> Iterator[Concern]:
        """Yield a concern if the environments of the trainings differ."""
        found = [run.environment() for run in self.runs]
        if found[0] is None or found[1] is None:
            return
        first, second = (item.model_dump() for item in found if item)
        versions = tuple(
            (label, first[key], second[key]) for key, label in _VERSIONS.items() if first[key] != second[key]
        )
        if versions:
            yield Concern("versions", "worth knowing", "versions", values=versions)
        machines = tuple((item["processor"], item["threads"]) for item in (first, second))
        if machines[0] != machines[1]:
            yield Concern("machine", "worth knowing", "machine", values=machines)

    def _without(self, item: str) -> int | None:
        """Return which of the two has no such part, 0 or 1; None where both have it, or neither."""
        has = [any(path.startswith(f"{item}.") for path in flat) for flat in self.flat]
        return has.index(False) if has[0] != has[1] else None

    @property
    def _seeds_differ(self) -> bool:
        return self.runs[0].config.training.seed != self.runs[1].config.training.seed


def _restored(run: Run) -> bool:
    """True if the kept weights are those of an epoch before the last."""
    return run.status.kept_epoch is not None and run.status.kept_epoch != run.epoch("last")
