"""A lesson: its runs, its question, its answer. The form of the file is described in docs/lessons.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator

from mnist_core.errors import ConfigError
from mnist_core.experiments import links
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.frozen import Frozen
from mnist_core.experiments.presets import preset
from mnist_core.experiments.settings import config_of, values_of
from mnist_core.lessons.quantities import Named, named

Page = Literal[
    "Compare", "Train", "Runs", "Mistakes", "Disagreements", "Draw", "Sweeps", "Exams", "Loss or accuracy?",
    "Which one for production?", "When to say “I don't know”?", "Published", "Models", "Data",
]  # fmt: skip
"""The pages that a lesson can end with, by their names in the menu."""

PICTURES: dict[str, str] = {
    "loss": "the losses by epoch",
    "accuracy": "the accuracies by epoch",
    "layers": "the parameters, layer by layer",
    "digits": "the share that is right of each digit",
    "moved pictures": "the accuracy on pictures that are moved to the right by 0 to 8 pixels",
    "difference": "the difference of two accuracies with its 95 % interval; `of A against B`",
}
"""What a lesson can draw, and in what words docs/lessons.md describes it."""

Text = str
QuestionKind = Literal["number", "choice", "epoch"]


class Wanted(Frozen):
    """A run of a lesson: a configuration, which is trained where it is not stored; or the name of a stored run."""

    config: RunConfig | None = None
    name: str = ""


class Question(Frozen):
    """What is asked. `answer` names a quantity.

    choices: code → words, for a quantity that is one of a few codes. near: a prediction this far from the answer is
    close, in the unit in which the answer is written. picture: drawn with the question; in one of losses or accuracies
    an epoch is clicked where the answer is one.
    """

    text: Text = Field(min_length=1)
    answer: str = Field(min_length=1)
    choices: dict[str, Text] = Field(default_factory=dict)
    near: float | None = Field(None, ge=0)
    picture: str = ""


class Reveal(Frozen):
    """What is shown once there is a prediction."""

    text: Text = Field(min_length=1)
    pictures: tuple[str, ...] = ()


class NextPage(Frozen):
    """Where to go on: a page, with these runs of the lesson (by name) chosen."""

    page: Page
    text: Text = Field(min_length=1)
    runs: tuple[str, ...] = ()


class Lesson(Frozen):
    """A lesson as its file has it, checked by `mnist_core.lessons.reading`."""

    title: str = Field(min_length=1, max_length=80)
    intro: Text = Field(min_length=1)
    runs: dict[str, Wanted] = Field(min_length=1)
    question: Question
    answer: Reveal
    next: NextPage

    @field_validator("runs", mode="before")
    @classmethod
    def _configured(cls, runs: Any) -> Any:
        """Make configurations of the tables of runs."""
        if not isinstance(runs, dict):
            raise ValueError("must be tables such as [runs.model_1]")
        return {name: _wanted(name, table) for name, table in runs.items()}

    @property
    def wanted(self) -> Named:
        """The quantity that answers the question."""
        return named(self.question.answer, self.runs)

    @property
    def kind(self) -> QuestionKind:
        """The kind of prediction: a choice among codes, an epoch of a curve, or a number."""
        quantity = self.wanted.quantity
        if quantity.codes:
            return "choice"
        return "epoch" if quantity.unit == "epoch" and self.question.picture else "number"

    @property
    def choices(self) -> Mapping[str, str]:
        """The codes that can be predicted, and their words."""
        return self.question.choices or dict(self.wanted.quantity.codes)

    def texts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield each text that may name quantities, with its place in the file."""
        yield ("intro",), self.intro
        yield ("question", "text"), self.question.text
        for code, text in self.question.choices.items():
            yield ("question", "choices", code), text
        yield ("answer", "text"), self.answer.text
        yield ("next", "text"), self.next.text

    def pictures(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield each picture, with its place in the file."""
        if self.question.picture:
            yield ("question", "picture"), self.question.picture
        for text in self.answer.pictures:
            yield ("answer", "pictures"), text


class LessonPicture(NamedTuple):
    """A picture of a lesson. what: a key of PICTURES. runs: names in the lesson."""

    what: str
    runs: tuple[str, ...]


def picture(text: str, runs: Mapping[str, Any]) -> LessonPicture:
    """Return the picture that a text such as ``loss of model_1, model_2`` names; raise ConfigError for another."""
    what, _, rest = text.partition(" of ")
    if what not in PICTURES:
        raise ConfigError(f"there is no picture {what!r}; there are {', '.join(PICTURES)}")
    names = tuple(part.strip() for part in rest.split(" against " if what == "difference" else ","))
    for name in names:
        if name not in runs:
            raise ConfigError(f"{text!r} names the run {name!r}; this lesson has {', '.join(runs)}")
    if what == "difference" and len(names) != 2:
        raise ConfigError(f"{text!r} must name two runs, such as `difference of {names[0]} against …`")
    if what in ("layers", "moved pictures") and len(names) != 1:
        raise ConfigError(f"{text!r} must name one run")
    return LessonPicture(what, names)


def _wanted(name: str, table: Any) -> Wanted:
    """Return what a table such as ``{preset = "notebook/model_1", dropout = 0.5}`` asks for; raise ValueError."""
    if isinstance(table, Wanted):
        return table
    if not isinstance(table, dict):
        raise ValueError(f"{name} must be a table with `preset`, or with `name`")
    if set(table) == {"name"} and isinstance(table["name"], str):
        return Wanted(name=table["name"])
    settings = {key: value for key, value in table.items() if key != "preset"}
    unknown = [key for key in settings if key not in links.KEYS]
    if unknown or not isinstance(table.get("preset"), str):
        problem = f"{name} has {unknown[0]!r}, which is no setting" if unknown else f"{name} has no `preset`"
        raise ValueError(f"{problem}; give preset and settings by their names in a link (docs/settings.md), or `name`")
    try:
        found = preset(table["preset"]).config
    except ConfigError as error:
        raise ValueError(f"{name}: {error}") from error
    values, problems = links.apply(values_of(found), {key: _as_link(value) for key, value in settings.items()})
    if problems:
        raise ValueError(f"{name}: {problems[0]}")
    return Wanted(config=config_of(values))


def _as_link(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
