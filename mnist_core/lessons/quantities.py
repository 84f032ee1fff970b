"""The quantities that a lesson may name, such as ``{accuracy of model_1}``: a closed table, and nothing is evaluated.

A text names a quantity in braces. Each is computed from runs when the text is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.comparison.loss_or_accuracy import Course, course
from mnist_core.comparison.verdicts import Refusal, Verdict, compare
from mnist_core.comparison.words.numbers import ANSWER_WORDS, number, percent
from mnist_core.comparison.words.verdicts import refusal_words, verdict_words
from mnist_core.data.datasets import Dataset
from mnist_core.data.images import Pixels
from mnist_core.errors import ConfigError, LessonError
from mnist_core.evaluation.metrics import accuracy_interval, class_scores, confusion_matrix
from mnist_core.evaluation.mistakes import top_confusions
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import ModelConfig, RunConfig
from mnist_core.experiments.layers import LayerRow
from mnist_core.inspection.numpy_network import Network
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

Unit = Literal["count", "%", "points", "loss", "epoch", "times", "seconds", "pixels", "none"]

MOST_MOVED = 14
"""Pixels that pictures can be moved by: half of their width."""


@dataclass(frozen=True)
class QuantityValue:
    """The value of a quantity. text: as a sentence has it. number: in the unit of its text. code: of a choice."""

    text: str
    number: float | None = None
    code: str = ""


@dataclass(frozen=True)
class Subject:
    """A run of a lesson, by the name that it has there.

    config: None for a run from outside. run: None where it is not trained yet.
    """

    name: str
    config: RunConfig | None
    run: Run | None

    @property
    def epochs(self) -> int | None:
        """How many epochs it has, or will have; None where that is unknown."""
        if self.run is not None and self.run.ended:
            return self.run.epochs_done
        return self.config.training.epochs if self.config else None


@dataclass(frozen=True)
class Sources:
    """Where results come from. network, dataset: of a run; the network is None where no weights were kept."""

    reader: Reader
    network: Callable[[Run], Network | None]
    dataset: Callable[[Run], Dataset]


Compute = Callable[[Sources, Sequence[Subject], int], QuantityValue]


@dataclass(frozen=True)
class Quantity:
    """A quantity of one run, or of one run against another.

    words: what it is, for docs/lessons.md. unit: of its number. runs: 1 or 2. planned: True if the configuration alone
    is enough, so that it is known before the training. codes: the codes that it can have, and their words. grows: True
    of a growth, which may be below 0 % and above 100 %.
    """

    words: str
    compute: Compute
    unit: Unit = "none"
    runs: int = 1
    planned: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    grows: bool = False

    @property
    def least(self) -> float | None:
        """The least number that it can have, in its unit; None where there is none."""
        if self.grows or self.unit in ("points", "times", "none"):
            return None
        return 1 if self.unit == "epoch" else 0

    def most(self, subjects: Sequence[Subject]) -> float | None:
        """Return the greatest number that it can have of these runs, in its unit; None where there is none."""
        if self.unit == "%" and not self.grows:
            return 100
        epochs = [epochs for subject in subjects if (epochs := subject.epochs)]
        return max(epochs) if self.unit == "epoch" and len(epochs) == len(subjects) else None


class Named(NamedTuple):
    """A quantity with the number in its name (0 for none) and its runs, by their names in the lesson."""

    quantity: Quantity
    number: int
    runs: tuple[str, ...]


# -- names in texts ----------------------------------------------------------------------------------------------------

_SPAN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def spans(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a text: plain text with None, and what stands in braces; raise ConfigError for a lone brace.

    ``{{`` and ``}}`` are braces that name nothing.
    """
    place = 0
    for match in _SPAN.finditer(text):
        if match.start() > place:
            yield text[place : match.start()], None
        place = match.end()
        if match[0] in ("{{", "}}"):
            yield match[0][0], None
        elif match[1] is None:
            raise ConfigError(f"a {match[0]!r} stands alone; write it twice for a brace in the text")
        else:
            yield match[0], " ".join(match[1].split())
    if place < len(text):
        yield text[place:], None


def named(text: str, runs: Iterable[str]) -> Named:
    """Return the quantity that a text such as ``accuracy of model_1`` names, in a lesson with these runs.

    Raises
    ------
    ConfigError
        for a name that is not in the table, or a run that the lesson does not have.
    """
    known = list(runs)
    for match in reversed(list(re.finditer(r" of ", text))):
        name, rest = text[: match.start()], text[match.end() :]
        found = _in_table(name)
        if found is None:
            continue
        quantity, given = found
        parts = tuple(rest.split(" against ")) if quantity.runs == 2 else (rest,)
        for part in parts:
            if part not in known:
                raise ConfigError(f"{text!r} names the run {part!r}; this lesson has {', '.join(known)}")
        if len(parts) != quantity.runs:
            raise ConfigError(f"{text!r} must name two runs, such as `{name} of {known[0]} against {known[-1]}`")
        return Named(quantity, given, parts)
    raise ConfigError(
        f"there is no quantity {text!r}; write `NAME of RUN` with a name of docs/lessons.md, such as "
        f"`accuracy of {known[0]}`"
    )


def _in_table(name: str) -> tuple[Quantity, int] | None:
    if name in QUANTITIES and "N" not in name.split():
        return QUANTITIES[name], 0
    for key, quantity in QUANTITIES.items():
        if "N" in key.split():
            match = re.fullmatch(re.sub(r"\bN\b", r"(\\d{1,3})", key), name)
            if match:
                return quantity, int(match[1])
    return None


def value(name: Named, subjects: Mapping[str, Subject], sources: Sources) -> QuantityValue:
    """Return the value of a quantity.

    Raises
    ------
    LessonError
        where a run is not trained yet, or has not what the quantity needs.
    """
    chosen = [subjects[run] for run in name.runs]
    for subject in chosen:
        if subject.run is None and not (name.quantity.planned and subject.config):
            raise LessonError(f"{subject.name} is not trained yet; predict first, then train it")
    return name.quantity.compute(sources, chosen, name.number)


def filled(text: str, subjects: Mapping[str, Subject], sources: Sources) -> str:
    """Return a text of a lesson (Markdown) with the value of each quantity in its place; raises what `value` raises."""
    return "".join(
        plain if name is None else for_markdown(value(named(name, subjects), subjects, sources).text)
        for plain, name in spans(text)
    )


# -- values ------------------------------------------------------------------------------------------------------------


def _count(found: float) -> QuantityValue:
    return QuantityValue(f"{round(found):,}", float(round(found)))


def _percent(share: float) -> QuantityValue:
    return QuantityValue(percent(share), 100 * share)


def _points(difference: float) -> QuantityValue:
    return QuantityValue(f"{number(100 * difference, 2, sign=True)} points", 100 * difference)


def _loss(found: float) -> QuantityValue:
    return QuantityValue(number(found, 4), found)


def _seconds(found: float) -> QuantityValue:
    return QuantityValue(f"{found:.1f} seconds" if found < 10 else f"{found:.0f} seconds", found)


def _run(subject: Subject) -> Run:
    assert subject.run is not None  # `value` has checked it
    return subject.run


def _model(subject: Subject) -> ModelConfig:
    config = subject.config or (None if subject.run is None or subject.run.recorded else subject.run.config)
    if config is None:
        raise LessonError(f"{subject.name} was recorded from outside and has no configuration; choose another run")
    return config.model


def _layers(subject: Subject) -> list[LayerRow]:
    return [row for row in _model(subject).layer_table() if row.parameters]


def _of_model(compute: Callable[[ModelConfig], QuantityValue]) -> Compute:
    return lambda sources, subjects, place: compute(_model(subjects[0]))


def _of_layer(compute: Callable[[LayerRow], float]) -> Compute:
    def found(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
        rows = _layers(subjects[0])
        if not 1 <= place <= len(rows):
            raise LessonError(f"there is no layer {place} in {subjects[0].name}; it has layers 1 to {len(rows)}")
        return _count(compute(rows[place - 1]))

    return found


def _dropout(model: ModelConfig) -> QuantityValue:
    rates = [layer.dropout for layer in model.layers if hasattr(layer, "dropout")]
    return QuantityValue(" and ".join(f"{rate:g}" for rate in dict.fromkeys(rates)) or "0")


def _units(row: LayerRow) -> int:
    return int(row.output_shape[-1])


def _of_rows(compute: Callable[[list[EpochRow]], QuantityValue]) -> Compute:
    def found(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
        rows = _run(subjects[0]).rows()
        if not rows:
            raise LessonError(f"{subjects[0].name} has no finished epoch; choose another run")
        return compute(rows)

    return found


def _of_course(compute: Callable[[Course], QuantityValue]) -> Compute:
    def from_rows(rows: list[EpochRow]) -> QuantityValue:
        turn = course(rows)
        if turn is None:
            raise LessonError("no epoch has a finite validation loss; choose another run")
        return compute(turn)

    return _of_rows(from_rows)


def _predicted(sources: Sources, subject: Subject) -> Predictions:
    found = sources.reader.predictions(_run(subject))
    if found is None:
        raise LessonError(f"{subject.name} is stored without predictions; choose another run")
    return found


def _of_scores(compute: Callable[[int, int, float | None], QuantityValue]) -> Compute:
    """Make a quantity of the number of test images, that of errors, and the loss."""

    def found(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
        scores = sources.reader.test_scores(_run(subjects[0]))
        if scores is None:
            raise LessonError(f"{subjects[0].name} has no test result; choose another run")
        return compute(scores.images, scores.errors, scores.loss)

    return found


def _known_loss(images: int, errors: int, loss: float | None) -> QuantityValue:
    if loss is None:
        raise LessonError("a run that was recorded with its guesses only has no loss; choose another run")
    return _loss(loss)


def _interval(images: int, errors: int, loss: float | None) -> QuantityValue:
    low, high = accuracy_interval(images - errors, images)
    return QuantityValue(f"{100 * low:.2f} to {percent(high)}")


def digit_shares(predictions: Predictions) -> NDArray[np.float64]:
    """Return the share of the images of each class that is right (the recall), shape (K,); NaN without images."""
    matrix = confusion_matrix(predictions.labels, predictions.predicted, predictions.classes)
    return class_scores(matrix).recall


def _of_digits(compute: Callable[[NDArray[np.float64], int], QuantityValue]) -> Compute:
    def found(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
        shares = digit_shares(_predicted(sources, subjects[0]))
        if place >= len(shares) or np.isnan(shares[place]):
            raise LessonError(f"there is no image of class {place} in the test images of {subjects[0].name}")
        return compute(shares, place)

    return found


def _digit(place: np.intp) -> QuantityValue:
    return QuantityValue(str(int(place)), float(place), str(int(place)))


def _confusion(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
    predictions = _predicted(sources, subjects[0])
    matrix = confusion_matrix(predictions.labels, predictions.predicted, predictions.classes)
    most = top_confusions(matrix, 1)
    return QuantityValue(f"{most[0].true} for {most[0].guess}" if most else "no digit for another")


def moved_right(images: Pixels, pixels: int) -> Pixels:
    """Return pictures, uint8 of shape (n, 28, 28), moved to the right; what leaves the picture is lost."""
    moved = np.zeros_like(images)
    moved[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return moved


def moved_accuracy(sources: Sources, subject: Subject, pixels: int) -> float:
    """Return the accuracy, 0 to 1, on test images that are moved to the right; raise LessonError without weights."""
    network, data = sources.network(_run(subject)), sources.dataset(_run(subject))
    if network is None:
        raise LessonError(f"{subject.name} has no stored weights, so it cannot answer; choose another run")
    if pixels > MOST_MOVED:
        raise LessonError(f"pictures are moved by {pixels} pixels; at most {MOST_MOVED} are possible")
    guesses = network.probabilities(moved_right(data.x_test, pixels)).argmax(axis=1)
    return float((guesses == data.y_test).mean())


# -- two runs ----------------------------------------------------------------------------------------------------------


def verdict(sources: Sources, subjects: Sequence[Subject]) -> Verdict:
    """Return the verdict on the first of two runs against the second; raise LessonError with the reason for none."""
    run, base = map(_run, subjects)
    names = {run.id: subjects[0].name, base.id: subjects[1].name}
    (result,) = compare([run], base, margin=DEFAULT_MARGIN, reader=sources.reader).results or (None,)
    if result is None:
        raise LessonError(f"{subjects[0].name} and {subjects[1].name} are the same run; choose two")
    if isinstance(result, Refusal):
        raise LessonError(f"{names[run.id]} and {names[base.id]} cannot be compared: {refusal_words(result, names)}")
    return result


def _of_two(compute: Callable[[Verdict], QuantityValue]) -> Compute:
    return lambda sources, subjects, place: compute(verdict(sources, subjects))


def _sentence(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
    names = {_run(subject).id: subject.name for subject in subjects}
    return QuantityValue(verdict_words(verdict(sources, subjects), names))


def _ratio(sources: Sources, subjects: Sequence[Subject], place: int) -> QuantityValue:
    run, base = (_model(subject).parameter_count() for subject in subjects)
    return QuantityValue(f"{run / base:.1f}", run / base)


DECISIONS = {
    "better": "Yes, it is better",
    "worse": "No, it is worse",
    "equivalent": "The two are as good as the same",
    "undecided": "These images are too few to tell",
}
DIGIT_CODES = {str(digit): str(digit) for digit in range(10)}


def _each(part: Literal["best", "last"]) -> dict[str, Quantity]:
    """Return the quantities of the epoch of the lowest validation loss, or of the last one."""

    def row(turn: Course) -> EpochRow:
        return turn.best if part == "best" else turn.last

    def cost(turn: Course) -> QuantityValue:
        found = turn.best_cost if part == "best" else turn.last_cost
        return (
            QuantityValue("0, as none is wrong", 0.0) if math.isnan(found) else QuantityValue(number(found, 2), found)
        )

    where = f"in the {part} epoch"
    values: dict[str, tuple[str, Callable[[Course], QuantityValue], Unit]] = {
        "validation loss": ("the validation loss", lambda turn: _loss(row(turn).val_loss), "loss"),
        "validation accuracy": ("the validation accuracy", lambda turn: _percent(row(turn).val_accuracy), "%"),
        "training loss": (
            "the loss on training images, dropout off", lambda turn: _loss(row(turn).train_eval_loss), "loss",
        ),
        "training accuracy": (
            "the accuracy on training images, dropout off", lambda turn: _percent(row(turn).train_eval_accuracy), "%",
        ),
        "gap": (
            "training accuracy, dropout off, minus validation accuracy",
            lambda turn: _points(row(turn).train_eval_accuracy - row(turn).val_accuracy), "points",
        ),
        "cost of a wrong image": ("the mean loss of a wrongly classified validation image", cost, "loss"),
    }  # fmt: skip
    return {
        f"{name} {where}": Quantity(f"{words}, {where}", _of_course(compute), unit)
        for name, (words, compute, unit) in values.items()
    }


QUANTITIES: dict[str, Quantity] = {
    "parameters": Quantity(
        "parameters of the network", _of_model(lambda m: _count(m.parameter_count())), "count", planned=True
    ),
    "layers": Quantity(
        "layers that have parameters, the output layer included",
        lambda sources, subjects, place: _count(len(_layers(subjects[0]))), "count", planned=True,
    ),
    "inputs of layer N": Quantity(
        "inputs of each unit of the Nth layer that has parameters",
        _of_layer(lambda row: (row.parameters - row.fixed) / _units(row) - 1), "count", planned=True,
    ),
    "units of layer N": Quantity("units of that layer", _of_layer(_units), "count", planned=True),
    "weights of layer N": Quantity(
        "weights of that layer: inputs times units", _of_layer(lambda row: row.parameters - _units(row)), "count",
        planned=True,
    ),
    "parameters of layer N": Quantity(
        "weights and biases of that layer", _of_layer(lambda row: row.parameters), "count", planned=True
    ),
    "dropout": Quantity("the dropout of each layer that can have it", _of_model(_dropout), planned=True),
    "epochs": Quantity("finished epochs", _of_rows(lambda rows: _count(len(rows))), "count"),
    "training time": Quantity(
        "seconds that all epochs took", _of_rows(lambda rows: _seconds(sum(row.seconds for row in rows))), "seconds"
    ),
    "test images": Quantity("how many test images there are", _of_scores(lambda n, wrong, loss: _count(n)), "count"),
    "accuracy": Quantity("the test accuracy", _of_scores(lambda n, wrong, loss: _percent(1 - wrong / n)), "%"),
    "interval of the accuracy": Quantity("its 95 % interval (Wilson 1927)", _of_scores(_interval)),
    "errors": Quantity(
        "test images that are classified wrongly", _of_scores(lambda n, wrong, loss: _count(wrong)), "count"
    ),
    "right images": Quantity(
        "test images that are classified rightly", _of_scores(lambda n, wrong, loss: _count(n - wrong)), "count"
    ),
    "loss": Quantity("the test loss, cross-entropy in nats", _of_scores(_known_loss), "loss"),
    "best epoch": Quantity(
        "the epoch with the lowest validation loss", _of_course(lambda turn: _count(turn.best.epoch)), "epoch"
    ),
    "last epoch": Quantity("the last finished epoch", _of_course(lambda turn: _count(turn.last.epoch)), "epoch"),
    **_each("best"),
    **_each("last"),
    "rise of the validation loss": Quantity(
        "by how much it is higher in the last epoch than in the best, in per cent of its lowest value",
        _of_course(lambda turn: QuantityValue(f"{100 * turn.rise:.0f} %", 100 * turn.rise)), "%", grows=True,
    ),
    "change of the validation accuracy": Quantity(
        "that in the last epoch minus that in the best",
        _of_course(lambda turn: _points(turn.last.val_accuracy - turn.best.val_accuracy)), "points",
    ),
    "hardest digit": Quantity(
        "the digit of which the smallest share is right", _of_digits(lambda shares, _: _digit(np.nanargmin(shares))),
        codes=DIGIT_CODES,
    ),
    "easiest digit": Quantity(
        "the digit of which the largest share is right", _of_digits(lambda shares, _: _digit(np.nanargmax(shares))),
        codes=DIGIT_CODES,
    ),
    "accuracy on the hardest digit": Quantity(
        "the share of it that is right", _of_digits(lambda shares, _: _percent(float(np.nanmin(shares)))), "%"
    ),
    "accuracy on the easiest digit": Quantity(
        "the share of it that is right", _of_digits(lambda shares, _: _percent(float(np.nanmax(shares)))), "%"
    ),
    "accuracy on digit N": Quantity(
        "the share of the digit N that is right", _of_digits(lambda shares, place: _percent(float(shares[place]))), "%"
    ),
    "most common confusion": Quantity("such as `4 for 9`: the true digit, then the guess", _confusion),
    "accuracy with pictures moved N pixels": Quantity(
        f"the accuracy on test images that are moved to the right, by {MOST_MOVED} pixels at most",
        lambda sources, subjects, place: _percent(moved_accuracy(sources, subjects[0], place)), "%",
    ),
    "difference": Quantity(
        "the test accuracy of A minus that of B", _of_two(lambda found: _points(found.accuracy.value)), "points", runs=2
    ),
    "decision": Quantity(
        "whether A is shown to be better than B by accuracy, as on Compare",
        _of_two(lambda found: QuantityValue(ANSWER_WORDS[found.answer], code=found.answer)), runs=2, codes=DECISIONS,
    ),
    "verdict": Quantity("the same as a sentence, with interval and p value", _sentence, runs=2),
    "images that only the first gets right": Quantity(
        "test images that A gets right and B does not", _of_two(lambda found: _count(found.table.only_run)), "count",
        runs=2,
    ),
    "images that only the second gets right": Quantity(
        "test images that B gets right and A does not", _of_two(lambda found: _count(found.table.only_baseline)),
        "count", runs=2,
    ),
    "parameters in times": Quantity(
        "parameters of A divided by those of B", _ratio, "times", runs=2, planned=True
    ),
}  # fmt: skip
"""Name → quantity. An N in a name stands for a whole number."""
