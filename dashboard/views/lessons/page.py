"""Lessons: each asks for a prediction first, and then shows what runs answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import resources, state
from dashboard.shared import panels, presenter, progress
from dashboard.views.lessons import pictures
from dashboard.views.lessons.files import FILES
from dashboard.views.lessons.subjects import answer, lessons, subjects, text, train, unfinished
from mnist_core.errors import MnistCoreError
from mnist_core.lessons.answers import outcome
from mnist_core.lessons.lesson import LessonPicture, QuestionKind, picture
from mnist_core.lessons.quantities import Subject, Unit
from mnist_core.lessons.reading import FOLDER, Filed, Lessons
from mnist_core.lessons.words import choice_words, number_words, outcome_words
from mnist_core.plots.lessons import EPOCH
from mnist_core.text import for_markdown

LESSON = "lesson"  # in the URL
TICK_S = 0.5
KINDS: dict[QuestionKind, str] = {
    "number": "Predict a number",
    "choice": "Choose an answer",
    "epoch": "Click on an epoch",
}
UNITS: dict[Unit, str] = {"%": ", in %", "points": ", in percentage points", "loss": ", in nats", "seconds": ", in s"}


def main() -> None:
    """Draw the page: the list of lessons, or the one in the link."""
    _, problems = resources.scan()
    found = lessons()
    chosen = found.get(state.link_text(LESSON) or state.widget_value(LESSON))
    if state.presenting():
        names = [filed.name for filed in found.lessons]
        place = names.index(chosen.name) if chosen else -1
        presenter.steps([filed.lesson.title for filed in found.lessons], place, lambda to: _open(names[to]))
    if chosen is None:
        _list(found)
    else:
        state.set_link(**{LESSON: chosen.name})
        with st.container(key="lesson"), panels.errors_as_messages():
            _lesson(chosen, found)
    panels.store_problems(problems)


def _open(name: str | None) -> None:
    state.fill({LESSON: name})
    state.set_link(**{LESSON: name})


# -- the list ----------------------------------------------------------------------------------------------------------


def _list(found: Lessons) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Lessons", width="stretch")
        presenter.invitation()
    st.markdown("Each asks for your prediction first. Then runs answer: shipped ones, or a training of a few seconds.")
    for problem in found.problems:
        st.error(f"This lesson cannot be read. {for_markdown(problem)}", icon=":material/error:")
    columns: Sequence[DeltaGenerator] = ()
    abreast = 3 if state.presenting() else 2  # on a projector, with its large type, all are to be seen at once
    for place, filed in enumerate(found.lessons):
        if place % abreast == 0:  # a row at a time, so that they are in order on a phone
            columns = st.columns(abreast, gap="small")  # the gap of the page, so that a phone has one distance only
        with columns[place % abreast], st.container(border=True, key=f"card_{filed.name}", gap="xsmall"):
            done = ":material/check_circle: " if _prediction(filed) is not None else ""
            st.markdown(f"**{place + 1}. {done}{for_markdown(filed.lesson.title)}**")
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.caption(KINDS[filed.lesson.kind], width="content")
                st.button(
                    "Look again" if done else "Begin",
                    key=f"begin_{filed.name}",
                    on_click=partial(_open, filed.name),
                    icon=":material/play_arrow:",
                    help=for_markdown(filed.lesson.title),
                )
    if state.presenting():
        return
    st.caption(
        f"A lesson is one short text file. Put your own into the folder “{FOLDER}” of the store; docs/lessons.md "
        "describes the form."
    )


# -- one lesson --------------------------------------------------------------------------------------------------------


def _key(filed: Filed, part: str) -> str:
    return f"lesson:{filed.name}:{part}"


def _prediction(filed: Filed) -> float | str | None:
    found: float | str | None = state.widget_value(_key(filed, "prediction"))
    return found


def _lesson(filed: Filed, known: Lessons) -> None:
    if state.presenting():  # in one line, as the rest is to be on the same screen
        with st.container(horizontal=True, vertical_alignment="center"):
            st.title(filed.lesson.title, width="stretch")
            _to_the_list()
    else:
        _to_the_list()
        st.title(filed.lesson.title)
    found = subjects(filed.lesson)
    intro = text(filed.lesson.intro, found)
    prediction = _prediction(filed)
    if prediction is not None and not unfinished(filed.lesson):
        if not state.presenting():
            st.markdown(intro)
        _reveal(filed, found, prediction)
        _ending(filed, known, found)
        if state.presenting():
            with panels.folded("The introduction again", key="lesson_intro") as opened:
                if opened:
                    st.markdown(intro)
        return
    st.markdown(intro)
    if prediction is None:
        _question(filed, found)
    else:
        _training(filed)


def _to_the_list() -> None:
    st.button(
        "All lessons", key="lessons_all", icon=":material/arrow_back:", type="tertiary", on_click=_open, args=(None,)
    )


def _question(filed: Filed, found: Mapping[str, Subject]) -> None:
    lesson, given = filed.lesson, _key(filed, "given")
    chart = _key(filed, "chart").replace(":", "_")
    if lesson.kind == "epoch":
        clicked = state.new_selection(chart, EPOCH)
        if clicked:
            state.fill({given: int(str(clicked[0][EPOCH]))})
    with st.container(key="lesson_question", border=True):
        panels.heading(text(lesson.question.text, found), "")
        places = presenter.next_to_each_other(2 if lesson.question.picture else 1)
        if lesson.question.picture:
            with places[0]:
                pictures.draw(
                    picture(lesson.question.picture, lesson.runs), found, key=chart, clickable=lesson.kind == "epoch"
                )
        missing = unfinished(lesson)
        with places[-1]:
            prediction = _prediction_field(filed, found)
            pressed = st.button(
                "Predict, and train" if missing else "Predict",
                key="lesson_predict",
                type="primary",
                disabled=prediction is None,
                help="Make a prediction first" if prediction is None else None,
            )
            if missing:
                what = " and ".join(for_markdown(name) for name in missing)
                st.caption(f"{what} is trained then: that takes some seconds.")
    if pressed and prediction is not None:
        state.fill({_key(filed, "prediction"): prediction})
        if missing:
            _start(filed)
        st.rerun()


def _prediction_field(filed: Filed, found: Mapping[str, Subject]) -> float | str | None:
    """Draw what takes the prediction, and return it; None before there is one."""
    lesson, given = filed.lesson, _key(filed, "given")
    if lesson.kind == "choice":
        words = {code: text(each, found) for code, each in lesson.choices.items()}
        return st.radio(
            "Your prediction", list(words), index=None, format_func=words.__getitem__, key=given,
            horizontal=max(map(len, words.values())) < 4,
        )  # fmt: skip
    quantity = lesson.wanted.quantity
    unit, whole = quantity.unit, quantity.unit in ("count", "epoch")
    number = int if whole else float
    least, most = quantity.least, quantity.most([found[name] for name in lesson.wanted.runs])
    state.widget(given, state.widget_value(given))
    return st.number_input(
        f"Your prediction{UNITS.get(unit, '')}",
        min_value=None if least is None else number(least),
        max_value=None if most is None else number(most),
        value=None,
        step=1 if whole else 0.1,
        format="%d" if whole else "%.2f",
        key=given,
        width=520 if state.presenting() else 260,
        placeholder="Click in the chart, or type" if lesson.kind == "epoch" else "A number",
    )


def _start(filed: Filed) -> None:
    """Have the missing runs trained; an error is kept for the next run of the page."""
    error: MnistCoreError | None = None
    with st.spinner("Handing over to the training service …"):
        try:
            train(filed.lesson)
        except MnistCoreError as refused:
            error = refused
    state.fill({_key(filed, "refused"): error})


# -- a training --------------------------------------------------------------------------------------------------------


def _training(filed: Filed) -> None:
    missing = unfinished(filed.lesson)
    refused = state.widget_value(_key(filed, "refused"))
    if isinstance(refused, MnistCoreError):
        st.error(panels.markdown_sentence(refused), icon=":material/error:")
    live = [run for run in missing.values() if run is not None and run.live]
    state.again_every(TICK_S, going_on=bool(live))(_followed)(filed, bool(live))
    if not live:
        for name, run in missing.items():
            wanted = filed.lesson.runs[name]
            if run is not None:
                st.warning(
                    f"{for_markdown(name)} was not trained to the end: {run.state}. {for_markdown(run.status.reason)}"
                )
            elif wanted.config is None:
                st.error(
                    f"There is no run called {for_markdown(wanted.name)} in this store; train one, or name another."
                )
        if any(filed.lesson.runs[name].config for name in missing):
            st.button("Train", key="lesson_train", type="primary", on_click=_start, args=(filed,))
    st.button("Predict again", key="lesson_again", type="tertiary", on_click=_forget, args=(filed,))


def _followed(filed: Filed, live: bool) -> None:
    """Draw the trainings, twice a second; the whole page again when the last has ended."""
    missing = unfinished(filed.lesson)
    resources.watch().look(list(resources.snapshot().runs))
    running = {name: run for name, run in missing.items() if run is not None and run.live}
    waiting = [run.id for run in progress.waiting([run for run in resources.scan()[0] if run.live])]
    for name, run in running.items():
        place = waiting.index(run.id) + 1 if run.id in waiting else 0
        share, words = progress.words(run, place, stopping=False, now=time.time())
        st.progress(share, f"{for_markdown(name)}: {words}")
    begun = {name: Subject(name, None, run) for name, run in running.items() if run.epochs_done > 1}
    if begun:
        pictures.draw(LessonPicture("loss", tuple(begun)), begun, key="lesson_live")
    if live and not running:
        st.rerun()


# -- the answer --------------------------------------------------------------------------------------------------------


def _reveal(filed: Filed, found: Mapping[str, Subject], prediction: float | str) -> None:
    lesson = filed.lesson
    result = answer(filed.lesson, found)
    reached = outcome(lesson, prediction, result)
    if lesson.kind == "choice":
        choices = {code: text(each, found) for code, each in lesson.choices.items()}
        sentence = choice_words(reached, choices.get(str(prediction), ""), choices[result.code])
        marks = None
    else:
        unit = lesson.wanted.quantity.unit
        sentence = outcome_words(reached, number_words(float(prediction), unit), result.text)
        marks = {"your prediction": int(float(prediction)), "lowest": int(result.number or 0)}
    icon = {"right": ":material/check_circle:", "close": ":material/target:", "off": ":material/lightbulb:"}[reached]
    st.markdown(f"*{text(lesson.question.text, found)}*")
    panels.headline(f"{icon} {sentence if lesson.kind == 'choice' else for_markdown(sentence)}")
    words, shown = text(lesson.answer.text, found), len(lesson.answer.pictures)
    places = presenter.next_to_each_other(2 if shown == 1 else shown)
    if not state.presenting():
        st.markdown(words)
    for place, (each, column) in enumerate(zip(lesson.answer.pictures, places, strict=False)):
        wanted = picture(each, lesson.runs)
        with column, panels.errors_as_messages():
            pictures.draw(
                wanted,
                found,
                key=f"lesson_{filed.name}_{place}",
                marks=marks if lesson.kind == "epoch" and wanted.what == "loss" else None,
            )
    if state.presenting():
        with places[-1] if shown == 1 else nullcontext(), st.container(key="lesson_explained"):
            st.markdown(words)


def _ending(filed: Filed, known: Lessons, found: Mapping[str, Subject]) -> None:
    step = filed.lesson.next
    ids = [run.id for name in step.runs if (run := found[name].run) is not None]
    with st.container(border=True, key="lesson_next", gap="small"):
        st.markdown("**Go on**")
        st.page_link(
            FILES[step.page],
            label=text(step.text, found),
            icon=":material/arrow_forward:",
            query_params={state.CHOSEN: ",".join(ids)} if ids else None,
        )
        with st.container(horizontal=True, gap="small"):
            after = known.after(filed.name)
            if after is not None:
                st.button(
                    f"Next lesson: {for_markdown(after.lesson.title)}", key="lesson_after", on_click=_open,
                    args=(after.name,),
                )  # fmt: skip
            st.button("Predict again", key="lesson_again", type="tertiary", on_click=_forget, args=(filed,))


def _forget(filed: Filed) -> None:
    state.fill({_key(filed, part): None for part in ("prediction", "given", "refused")})
    state.forget_selection(_key(filed, "chart").replace(":", "_"))


main()
