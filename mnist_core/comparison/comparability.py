"""The fair-comparison guard: what else differs between two runs than what is compared, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mnist_core.comparison.words import setting_words, value_words
from mnist_core.experiments.configs import HeldOutValidation, TestValidation
from mnist_core.experiments.fields import flatten
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

Severity = Literal["undermines", "worth knowing", "compared"]
"""undermines: the verdict may be due to this alone. worth knowing: it may have a part in it. compared: this is what the
two runs are compared for."""

SEVERITIES: tuple[Severity, ...] = ("undermines", "compared", "worth knowing")
"""In the order in which a person is told."""

FAR_FEWER = 2.0
"""One run with this many times the epochs of the other is no comparison of equals."""

_VERSIONS = {"tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}


@dataclass(frozen=True)
class Concern:
    """One thing that differs between two runs, or that is odd with one of them: a topic in a word, and a sentence."""

    topic: str
    severity: Severity
    sentence: str


def concerns(
    baseline: Run, run: Run, chosen: ChosenEpoch = "kept", names: Mapping[str, str] | None = None
) -> tuple[Concern, ...]:
    """All that differs between two runs on the same data, the gravest first.

    Parameters
    ----------
    baseline, run
        two different runs.
    chosen
        the epoch whose predictions are compared.
    names
        run id → what to call it; its display name where it is missing.
    """
    pair = _Pair(baseline, run, chosen, names or {})
    found = [*pair.states(), *pair.parents(), *pair.validation(), *pair.epoch(), *pair.settings()]
    found += [*pair.environments()]
    return tuple(sorted(found, key=lambda item: SEVERITIES.index(item.severity)))


class _Pair:
    """Two runs, and what differs between them, topic by topic."""

    def __init__(self, baseline: Run, run: Run, chosen: ChosenEpoch, names: Mapping[str, str]) -> None:
        self.runs, self.chosen = (baseline, run), chosen
        self.names = tuple(names.get(item.id, item.name) for item in self.runs)
        self.flat = tuple(flatten(item.config) for item in self.runs)
        paths = dict.fromkeys((*self.flat[0], *self.flat[1]))
        self.differing = [path for path in paths if self.flat[0].get(path) != self.flat[1].get(path)]

    def each(self) -> Iterator[tuple[str, Run]]:
        """The two with their names."""
        yield from zip(self.names, self.runs, strict=True)

    def states(self) -> Iterator[Concern]:
        """A run that did not come to its end."""
        for name, run in self.each():
            if run.state != "finished":
                done, planned = run.epochs_done, run.config.training.epochs
                yield Concern(
                    "state",
                    "undermines",
                    f"{name} is {run.state}, with {done} of {planned} epochs done: it may not show what it can do.",
                )

    def parents(self) -> Iterator[Concern]:
        """A run that began from the weights of another."""
        if self.runs[0].config.parent == self.runs[1].config.parent:
            return
        for name, run in self.each():
            if run.config.parent is not None:
                yield Concern(
                    "start",
                    "undermines",
                    f"{name} went on from the trained weights of run {run.config.parent}: "
                    "it has that run's epochs as well.",
                )

    def validation(self) -> Iterator[Concern]:
        """Where the validation images came from, which also decides how many were left to train on."""
        sources = [run.config.training.validation for run in self.runs]
        if sources[0] != sources[1]:
            words = " and ".join(
                f"{name} validates on {_validation_words(source)}"
                for name, source in zip(self.names, sources, strict=True)
            )
            mixed = sources[0].source != sources[1].source
            yield Concern(
                "validation",
                "undermines" if mixed else "worth knowing",
                f"{words}, so they learned from different numbers of images"
                + (", and their validation curves are of different images." if mixed else "."),
            )
        elif isinstance(sources[0], HeldOutValidation) and self._seeds_differ:
            yield Concern(
                "split",
                "worth knowing",
                "Their seeds held out different training images, so they did not learn from quite the same ones.",
            )

    def epoch(self) -> Iterator[Concern]:
        """Which epoch's weights are compared, and who chose it."""
        on_test = [isinstance(run.config.training.validation, TestValidation) for run in self.runs]
        restored = [_restored(run) for run in self.runs]
        if self.chosen == "best" and any(on_test):
            who = " and ".join(name for name, shown in zip(self.names, on_test, strict=True) if shown)
            yield Concern(
                "chosen epoch",
                "undermines",
                f"The best epoch of {who} was chosen by the loss on the test images: "
                "the test accuracy of an epoch picked this way is flattered.",
            )
        if self.chosen == "kept" and restored[0] != restored[1]:
            index = restored.index(True)
            name, other, run = self.names[index], self.names[1 - index], self.runs[index]
            kept, last = run.epoch("kept"), self.runs[1 - index].epoch("kept")
            yield Concern(
                "chosen epoch",
                "undermines" if on_test[index] else "worth knowing",
                f"The figures of {name} are of epoch {kept}, which early stopping restored; "
                f"those of {other} of its last, {last}."
                + (" That epoch was picked on the test images, which flatters it." if on_test[index] else ""),
            )

    def settings(self) -> Iterator[Concern]:
        """The networks, and how they were trained: the thing compared is the first of these that differs."""
        taken = False
        if self.runs[0].config.model != self.runs[1].config.model:
            taken = True
            yield Concern("network", "compared", f"{self._network(0)} against {self._network(1)}.")
        single = ("training.epochs", "training.seed", "parent")
        paths = [
            path for path in self.differing
            if not path.startswith(("model.", "training.validation")) and path not in single
        ]  # fmt: skip
        for path in paths:
            first, second = (value_words(flat.get(path)) for flat in self.flat)
            yield Concern(
                setting_words(path),
                "worth knowing" if taken else "compared",
                f"{setting_words(path).capitalize()}: {first} against {second}"
                + ("; part of the difference may come from this." if taken else "."),
            )
        if len(paths) > 1 and not taken:
            yield Concern(
                "settings",
                "worth knowing",
                f"{len(paths)} settings differ at once: which of them made a difference, the two runs cannot tell.",
            )
        taken = taken or bool(paths)
        done = [run.epochs_done for run in self.runs]
        if done[0] != done[1]:
            far = max(done) >= FAR_FEWER * min(done)
            text = f"{self.names[0]} was trained for {done[0]} epochs and {self.names[1]} for {done[1]}"
            text += "; the shorter one had far less training, which alone may explain a difference." if far else "."
            yield Concern("epochs", "compared" if not taken else "undermines" if far else "worth knowing", text)
            taken = True
        if self._seeds_differ:
            seeds = [run.config.training.seed for run in self.runs]
            yield Concern(
                "seed",
                "worth knowing" if taken else "compared",
                f"Seeds {seeds[0]} and {seeds[1]}: initial weights and the order of the images differ by chance."
                + ("" if taken else " Nothing else differs, so the verdict shows what luck can do."),
            )

    def environments(self) -> Iterator[Concern]:
        """What they were trained with."""
        found = [run.environment() for run in self.runs]
        if found[0] is None or found[1] is None:
            return
        first, second = (item.model_dump() for item in found if item)
        versions = [
            f"{label} {first[key]} and {second[key]}" for key, label in _VERSIONS.items() if first[key] != second[key]
        ]
        if versions:
            yield Concern(
                "versions",
                "worth knowing",
                f"Trained with {', '.join(versions)}: results may differ a little between versions.",
            )
        if (first["processor"], first["threads"]) != (second["processor"], second["threads"]):
            yield Concern(
                "machine",
                "worth knowing",
                f"Trained on {_machine(first)} and on {_machine(second)}: their training times cannot be compared.",
            )

    @property
    def _seeds_differ(self) -> bool:
        return self.runs[0].config.training.seed != self.runs[1].config.training.seed

    def _network(self, index: int) -> str:
        model = self.runs[index].config.model
        return f"{self.names[index]} ({model.summary()}, {model.parameter_count():,} parameters)"


def _restored(run: Run) -> bool:
    """Whether the kept weights are those of an epoch before the last."""
    return run.status.kept_epoch is not None and run.status.kept_epoch != run.epoch("last")


def _validation_words(source: TestValidation | HeldOutValidation) -> str:
    if isinstance(source, TestValidation):
        return "the test images"
    share = f"{source.count:,}" if source.count is not None else f"{100 * (source.fraction or 0):g} %"
    return f"{share} of the training images, held out"


def _machine(environment: Mapping[str, Any]) -> str:
    threads = environment["threads"]
    return f"{environment['processor']} with {threads} thread{'' if threads == 1 else 's'}"
