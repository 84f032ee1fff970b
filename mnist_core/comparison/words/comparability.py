"""Sentences about other differences between two compared runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from mnist_core.comparison.comparability import Concern
from mnist_core.comparison.words.changes import moments
from mnist_core.comparison.words.held_out import gap_words
from mnist_core.comparison.words.numbers import listed
from mnist_core.comparison.words.selection import selection_words
from mnist_core.comparison.words.settings import own_setting_words, setting_words
from mnist_core.data.words import label_words, leak_words
from mnist_core.experiments.axis_words import words_of
from mnist_core.experiments.configs import HeldOutValidation, TestValidation
from mnist_core.runs.run import Run
from mnist_core.text import data_name


def concern_words(item: Concern, names: tuple[str, str]) -> str:
    """Return a concern as a sentence; `names` are what to call the baseline and the run."""
    own, other, v = names[item.which], names[1 - item.which], item.values
    part = item.severity != "compared"
    match item.code:
        case "unfinished":
            planned = f"{v[1]} of {v[2]} epochs" if v[2] else f"{v[1]} epochs"
            return f"{own} is {v[0]}, with {planned} done: it may not show what it can do."
        case "outside":
            return (
                f"{own} was recorded from outside: on which images it was trained, for how long and with which "
                "settings is not known here, and may explain a difference."
            )
        case "continued":
            return f"{own} went on from the trained weights of run {v[0]}: it has that run's epochs as well."
        case "changed":
            what = "; ".join(f"after epoch {epoch}: {text}" for epoch, text in moments(v[1], v[2]).items())
            return (
                f"{own} was changed by hand while it was trained ({what or f'after epoch {v[0]}'}): it was not trained "
                "with one configuration, no other seed of it can be trained, and whoever changed it had seen its curve."
            )
        case "validation":
            each = [f"{name} validates on {_validation_words(source)}" for name, source in zip(names, v, strict=True)]
            mixed = ", and their validation curves are of different images" if item.severity == "undermines" else ""
            return f"{listed(each)}, so they learned from different numbers of images{mixed}."
        case "split":
            return "Their seeds held out different training images, so they did not learn from quite the same ones."
        case "best_on_test":
            return (
                f"The best epoch of {_picked(names, v)} was chosen by the loss on the test images: "
                "the test accuracy of an epoch picked this way is flattered."
            )
        case "restored":
            text = (
                f"The figures of {own} are of epoch {v[0]}, which early stopping restored; those of {other} of its "
                f"last, {v[1]}."
            )
            return text + (" That epoch was picked on the test images, which flatters it." if v[2] else "")
        case "both_restored_on_test":
            return (
                f"Early stopping picked the kept epoch of {_picked(names, v)} by the loss on the test images: "
                "the very loss that is compared here was made as small as possible, and is flattered."
            )
        case "network":
            each = [
                f"{name} ({model.summary()}, {model.parameter_count():,} parameters)"
                for name, model in zip(names, v, strict=True)
            ]
            return f"{each[0]} against {each[1]}."
        case "setting":
            end = "; part of the difference may come from this." if part else "."
            return f"{setting_words(v[0]).capitalize()}: {words_of(v[0], v[1])} against {words_of(v[0], v[2])}{end}"
        case "absent":
            inside = [f"{own_setting_words(path)} {words_of(path, x)}" for path, x in v[0].items()]
            end = "; part of the difference may come from this." if part else "."
            return f"{item.topic.capitalize()}: none in {own}; in {other} {listed(inside)}{end}"
        case "several_settings":
            return f"{v[0]} settings differ at once: which of them made a difference, the two runs cannot tell."
        case "epochs":
            far = "; the shorter one had far less training, which alone may explain a difference" if v[2] else ""
            return f"{names[0]} was trained for {v[0]} epochs and {names[1]} for {v[1]}{far}."
        case "seed":
            end = "" if part else " Nothing else differs, so the verdict shows what luck can do."
            return f"Seeds {v[0]} and {v[1]}: initial weights and the order of the images differ by chance.{end}"
        case "versions":
            each = [f"{label} {first} and {second}" for label, first, second in v]
            return f"Trained with {', '.join(each)}: results may differ a little between versions."
        case "chosen_among" | "passed_over":
            return selection_words(v[0], own)
        case "leak":
            return leak_words(v[0], "these data")
        case "labels":
            return label_words(v[0], "these data")
        case "held_out_gap":
            return gap_words(v[0], own)
        case "machine":
            return f"Trained on {_machine(v[0])} and on {_machine(v[1])}: their training times cannot be compared."
        case _:
            assert_never(item.code)


def other_data_words(baseline: Run, others: Sequence[Run], names: Mapping[str, str]) -> str:
    """Return which runs cannot be compared as they were tested on other data; empty if there are none.

    One is named with its data; several are counted, as their names would hide the answer that stands before.
    """
    if not others:
        return ""
    if len(others) == 1:
        return f"{_with_data(others[0], names)} was tested on other images, and is not compared."
    data = {run.dataset for run in others}
    where = f" on {data_name(others[0].dataset)}" if len(data) == 1 and baseline.dataset not in data else ""
    return f"The {len(others)} runs{where} were tested on other images, and are not compared."


def names_of_compared(baseline: Run, others: Sequence[Run], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names without the baseline's data, which all that is compared with it has; `others` keep theirs.

    A name stays as it is where another one would then look the same.
    """
    words = f", on {data_name(baseline.dataset)}"
    apart = {run.id for run in others}
    shorter = {run_id: name if run_id in apart else name.removesuffix(words) for run_id, name in names.items()}
    looks = list(shorter.values())
    return {run_id: name if looks.count(name) == 1 else names[run_id] for run_id, name in shorter.items()}


def _with_data(run: Run, names: Mapping[str, str]) -> str:
    """Return a run's name with its dataset, which a label may name already."""
    name = names[run.id]
    data = data_name(run.dataset)
    return name if name.endswith(f"on {data}") else f"{name} (on {data})"


def _picked(names: tuple[str, str], shown: tuple[Any, ...]) -> str:
    return listed([name for name, is_it in zip(names, shown, strict=True) if is_it])


def _validation_words(source: TestValidation | HeldOutValidation) -> str:
    if isinstance(source, TestValidation):
        return "the test images"
    share = f"{source.count:,}" if source.count is not None else f"{100 * (source.fraction or 0):g} %"
    return f"{share} of the training images, held out"


def _machine(machine: tuple[str, int]) -> str:
    return f"{machine[0]} with {machine[1]} thread{'' if machine[1] == 1 else 's'}"
