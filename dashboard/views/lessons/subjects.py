"""The runs of a lesson, as they are in the store; and what of the lesson depends on them, cached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from dashboard import resources
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs.request import RunRequest, request_all
from mnist_core.lessons.lesson import Lesson
from mnist_core.lessons.quantities import Named, QuantityValue, Sources, Subject, filled, value
from mnist_core.lessons.reading import FOLDER, Lessons, all_lessons, version
from mnist_core.runs.records import LONGEST_NAME
from mnist_core.runs.run import Run, Version

SOURCES = Sources(resources.READER, resources.network, resources.own_dataset)
Key = tuple[tuple[str, str, Version], ...]


def lessons() -> Lessons:
    """Return all lessons, read again when one in the store's folder has changed."""
    folder = resources.store().root / FOLDER
    return _lessons(str(folder), version(folder))


@st.cache_resource(max_entries=4, show_spinner=False)
def _lessons(folder: str, version: tuple[object, ...]) -> Lessons:
    return all_lessons(Path(folder))


def subjects(lesson: Lesson) -> dict[str, Subject]:
    """Return the runs of a lesson by the names that they have in it; raise DatasetError where data are missing."""
    return {
        name: Subject(name, wanted.config, run if run is not None and run.state == "finished" else None)
        for name, wanted in lesson.runs.items()
        for run in [_stored(wanted.config, wanted.name)]
    }


def unfinished(lesson: Lesson) -> dict[str, Run | None]:
    """Return the runs that are still to be trained: as they are in the store, or None where they are not there."""
    found = {name: _stored(wanted.config, wanted.name) for name, wanted in lesson.runs.items()}
    return {name: run for name, run in found.items() if run is None or run.state != "finished"}


def _stored(config: RunConfig | None, name: str) -> Run | None:
    known = resources.snapshot()
    if config is None:
        found = [run for run in known.runs if name in (run.name, run.id)]
        return found[-1] if found else None
    data = config.dataset.name
    fingerprint = MNIST_FINGERPRINT if data == "mnist" else resources.dataset(data).fingerprint
    return known.by_id.get(config.run_id(fingerprint))


def train(lesson: Lesson) -> None:
    """Have the runs trained that the lesson still needs; raise what `request_all` raises."""
    missing = unfinished(lesson)
    wanted = [
        RunRequest(config, f"{lesson.title} {name}"[:LONGEST_NAME])
        for name in missing
        if (config := lesson.runs[name].config) is not None
    ]
    request_all(resources.store(), resources.runner(), wanted)
    resources.watch().again()


def text(words: str, found: Mapping[str, Subject]) -> str:
    """Return a text of a lesson with the value of each quantity in its place (Markdown); raises what `filled` does."""
    return _text(words, _key(found), found)


@st.cache_data(max_entries=400, show_spinner=False)
def _text(words: str, key: Key, _found: Mapping[str, Subject]) -> str:
    return filled(words, _found, SOURCES)


def answer(lesson: Lesson, found: Mapping[str, Subject]) -> QuantityValue:
    """Return the value that the question of a lesson asks for."""
    return _answer(lesson.question.answer, _key(found), found, lesson.wanted)


@st.cache_data(max_entries=100, show_spinner=False)
def _answer(question: str, key: Key, _found: Mapping[str, Subject], _named: Named) -> QuantityValue:
    return value(_named, _found, SOURCES)


def _key(found: Mapping[str, Subject]) -> Key:
    """Return what changes when the runs do."""
    return tuple((name, item.run.id if item.run else "", item.run.version() if item.run else (
        item.config.canonical_json() if item.config else "",
    )) for name, item in found.items())  # fmt: skip
