"""Lessons from their files; every error names the file and the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from mnist_core.errors import ConfigError, DamagedFile, LessonError
from mnist_core.experiments.frozen import shortened
from mnist_core.files import printable, read_bytes
from mnist_core.lessons.lesson import Lesson, picture
from mnist_core.lessons.quantities import named, spans

SHIPPED = Path(__file__).parent / "shipped"
FOLDER = "lessons"
"""The folder of a store that holds the user's lessons."""
MOST_LINES = 40
MOST_BYTES = 20 * 2**10
_KEY_NUMBER = re.compile(r"^\d+-")

KeyPath = tuple[str, ...]


class Filed(NamedTuple):
    """A lesson and its file. name: of the file, without ending and the number before it, as links have it."""

    name: str
    path: Path
    lesson: Lesson


class Lessons(NamedTuple):
    """All lessons in order, and what of the files could not be read: one sentence a file."""

    lessons: tuple[Filed, ...]
    problems: tuple[str, ...]

    def get(self, name: str | None) -> Filed | None:
        """Return the lesson of this name; None where there is none."""
        return next((item for item in self.lessons if item.name == name), None)

    def after(self, name: str) -> Filed | None:
        """Return the lesson after that of this name; None after the last."""
        names = [item.name for item in self.lessons]
        return self.lessons[names.index(name) + 1] if name in names[:-1] else None


def all_lessons(own: Path) -> Lessons:
    """Return the shipped lessons, then those of the user's folder, each in the order of their file names.

    A lesson of the user's takes the place of the shipped one with the same name.
    """
    found: dict[str, Filed] = {}
    problems = []
    for path in [*_files(SHIPPED), *_files(own)]:
        name = _KEY_NUMBER.sub("", path.stem)
        try:
            found[name] = Filed(name, path, read_lesson(path))
        except LessonError as error:
            problems.append(str(error))
    return Lessons(tuple(found.values()), tuple(problems))


def version(own: Path) -> tuple[tuple[str, int, int], ...]:
    """Return a value that changes when a lesson in the user's folder does."""
    found = []
    for path in _files(own):
        stat = path.stat()
        found.append((path.name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.toml") if path.is_file())
    except OSError:
        return []


def read_lesson(path: Path) -> Lesson:
    """Return the lesson of a file; raise LessonError with the file, the line, the value and the remedy."""
    try:
        text = read_bytes(path, MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise LessonError(f"{_where(path, line)}: this is no UTF-8; save the file as UTF-8") from error
    except (OSError, DamagedFile) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LessonError(f"{printable(path.name)} cannot be read ({reason})") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Lesson:
    """Return the lesson of a text; raise LessonError, which names `path` and the line."""
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise LessonError(
            f"{_where(path, MOST_LINES + 1)}: the lesson has {len(lines)} lines; at most {MOST_LINES} are allowed, "
            "so make two lessons of it"
        )
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(match[1]) if match else max(1, len(lines))
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise LessonError(f"{_where(path, line)}: this is no TOML: {reason[:1].lower()}{reason[1:]}") from error
    except RecursionError:
        line = max(range(len(lines)), key=lambda number: lines[number].count("[") + lines[number].count("{")) + 1
        raise LessonError(f"{_where(path, line)}: brackets are nested too deeply; a lesson needs two levels") from None
    places = key_lines(lines)
    try:
        lesson = Lesson.model_validate(data)
    except ValidationError as error:
        raise LessonError(_first(error, path, places)) from error
    for place, problem, part in _problems(lesson):
        line = _line(places, place)
        line = next((number for number in range(line, len(lines) + 1) if part and part in lines[number - 1]), line)
        raise LessonError(f"{_where(path, line)}: {problem}")
    return lesson


def _where(path: Path, line: int) -> str:
    return f"{printable(path.name)}, line {line}"


def key_lines(lines: Sequence[str]) -> dict[KeyPath, int]:
    """Return the lines, from 1, of all tables and keys of a valid TOML text, by their place in it.

    Keys within an inline table have no line of their own.
    """
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    closing = ""
    for number, line in enumerate(lines, start=1):
        if closing:
            if closing in line:
                closing = ""
            continue
        text = line.strip()
        if text.startswith("["):
            place = _path(text)
            if place:
                table = place
                found.setdefault(place, number)
            continue
        key, equals, value = _key(text)
        if not equals:
            continue
        place = _path(f"{key}= 0")
        if place:
            for length in range(1, len(place) + 1):
                found.setdefault((*table, *place[:length]), number)
        for mark in ('"""', "'''"):
            if value.strip().startswith(mark) and value.count(mark) == 1:
                closing = mark
    return found


def _key(text: str) -> tuple[str, str, str]:
    """Return a line up to its first equals sign outside quotes, the sign (empty for none), and what follows."""
    match = re.match(r"""((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'=#])+)(=)(.*)""", text)
    return (match[1], match[2], match[3]) if match else (text, "", "")


def _path(line: str) -> KeyPath:
    """Return the place that a line of TOML by itself names; empty where it is not a table or a key."""
    try:
        node = tomllib.loads(line)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    place: list[str] = []
    while isinstance(node, dict) and node:
        key = next(iter(node))
        place.append(key)
        node = node[key]
    return tuple(place)


def _line(places: dict[KeyPath, int], place: Sequence[str | int]) -> int:
    """Return the line of a place, or of the nearest one that holds it; 1 where there is none."""
    names = tuple(str(part) for part in place)
    return next((places[names[:length]] for length in range(len(names), 0, -1) if names[:length] in places), 1)


def _named_line(places: dict[KeyPath, int], message: str) -> int:
    """Return the line of the run that a message begins with, or of the first key of it that the message names."""
    runs = sorted({place[1] for place in places if len(place) > 1 and place[0] == "runs"}, key=len, reverse=True)
    run = next((name for name in runs if message.startswith(name)), None)
    if run is None:
        return _line(places, ("runs",))
    keys = [place for place in places if len(place) == 3 and place[:2] == ("runs", run)]
    rest = message.removeprefix(run)
    found = [(match.start(), place) for place in keys if (match := re.search(rf"\b{re.escape(place[2])}\b", rest))]
    return places[min(found)[1]] if found else _line(places, ("runs", run))


def _first(error: ValidationError, path: Path, places: dict[KeyPath, int]) -> str:
    """Return the first of pydantic's errors, in the order of the file, as a sentence."""
    sentences: list[tuple[bool, int, str]] = []
    for item in error.errors(include_url=False, include_context=False):
        place = tuple(part for part in item["loc"])
        name = ".".join(str(part) for part in place)
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            line = _line(places, place[:-1])
            sentences.append((True, line, f"`{name}` is missing; see docs/lessons.md for what a lesson has"))
            continue
        line = _line(places, place)
        if place == ("runs",) and item["type"] == "value_error":
            sentences.append((False, _named_line(places, message), message))
        elif item["type"] == "extra_forbidden":
            sentences.append((False, line, f"there is no `{name}` in a lesson; see docs/lessons.md for what there is"))
        else:
            given = "" if isinstance(item["input"], dict) else f" (given: {shortened(item['input'], 60)})"
            sentences.append((False, line, f"`{name}`: {message[:1].lower()}{message[1:]}{given}"))
    _, line, sentence = min(sentences)  # what is missing may only be misspelt, which is said first
    return f"{_where(path, line)}: {sentence}"


def _problems(lesson: Lesson) -> list[tuple[KeyPath, str, str]]:
    """Return what a lesson names and does not have: place in the file, problem, the part of the text."""
    found: list[tuple[KeyPath, str, str]] = []
    for place, text in lesson.texts():
        try:
            for part, name in spans(text):
                if name is not None:
                    try:
                        named(name, lesson.runs)
                    except ConfigError as error:
                        found.append((place, str(error), part.split("\n")[0]))
        except ConfigError as error:  # a lone brace
            found.append((place, str(error), next((each for each in "{}" if each in text), "")))
    for place, text in lesson.pictures():
        try:
            picture(text, lesson.runs)
        except ConfigError as error:
            found.append((place, str(error), text))
    found += _question_problems(lesson)
    for name in lesson.next.runs:
        if name not in lesson.runs:
            problem = f"there is no run {name!r}; this lesson has {', '.join(lesson.runs)}"
            found.append((("next", "runs"), problem, name))
    return found


def _question_problems(lesson: Lesson) -> list[tuple[KeyPath, str, str]]:
    place = ("question", "answer")
    try:
        wanted = lesson.wanted
    except ConfigError as error:
        return [(place, str(error), "")]
    codes = wanted.quantity.codes
    if not codes and wanted.quantity.unit == "none":
        return [(place, f"{lesson.question.answer!r} is a text, which nobody can predict; ask for a number", "")]
    if lesson.question.choices and not codes:
        problem = f"{lesson.question.answer!r} is a number; leave out the choices, or ask for a quantity that has codes"
        return [(("question", "choices"), problem, "")]
    if lesson.question.choices:
        for code in lesson.question.choices:
            if code not in codes:
                problem = f"{code!r} is no possible answer; the answers are {', '.join(codes)}"
                return [(("question", "choices", code), problem, "")]
        missing = [code for code in codes if code not in lesson.question.choices]
        if missing:
            return [
                (("question", "choices"), f"the choices lack {', '.join(missing)}, which may be the answer", ""),
            ]
    return []
