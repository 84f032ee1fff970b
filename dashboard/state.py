"""The viewer's choices: the one module that uses `st.session_state` and `st.query_params`.

The chosen runs live in the URL (`?runs=…`), so that a view is a link, and travel from page to page.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, get_args

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard import classroom
from mnist_core.comparison.decide import DEFAULT_MARGIN
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

CHOSEN = "runs"
BASELINE = "baseline"
WEIGHTS = "weights"
MARGIN = "margin"
MOST_AT_FIRST = 2
WIDTH = "window_width"
"""Name of the cookie with the width of the browser's window."""
STALE_S = 2.0
"""For so long after the link has changed, a rerun may still bring an older one: the browser had not heard of it."""
NOTHING_REPLACED = (None, None, -math.inf)
LATE_S = 30.0
"""As STALE_S, for a part of a page that draws itself again: its reruns never come from the browser's Back."""


def _last_choice(name: str) -> str | None:
    """Return what the URL has under a name, else what was last chosen in this session; None where nobody has chosen."""
    text = st.query_params.get(name)
    chosen: str | None = st.session_state.get(name) if text is None or _is_stale(name, STALE_S) else text
    return chosen


def _is_stale(name: str, limit_s: float) -> bool:
    """True if the URL has the value that was replaced less than `limit_s` seconds ago."""
    before, _, at = st.session_state.get(f"{name}:replaced", NOTHING_REPLACED)
    return bool(st.query_params.get(name) == before and time.monotonic() - at < limit_s)


def _remember(name: str, text: str, *, default: str | None = None) -> None:
    """Remember a choice for the other pages, and in the URL, out of which the default is left."""
    before, link = st.query_params.get(name), None if text == default else text
    if text != st.session_state.get(name):
        # where the link has it already, it came from there, as by a press of Back: that is not a late rerun
        replaced = (before, link, time.monotonic()) if before != link else NOTHING_REPLACED
        st.session_state[f"{name}:replaced"] = replaced
    st.session_state[name] = text
    _put(name, link)


def _put_back() -> None:
    """Put the choices into the URL that a browser had not heard of when it asked for this rerun."""
    for name in (CHOSEN, BASELINE, WEIGHTS, MARGIN, PRESENT):
        if _is_stale(name, LATE_S):
            _put(name, st.session_state[f"{name}:replaced"][1])


def _put(name: str, text: str | None) -> None:
    """Put a value into the URL, or take it away, where that changes something."""
    if text is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def chosen_ids(runs: list[Run]) -> list[str]:
    """Return the ids of the chosen runs that exist, in order of choice; at first those in the URL, else a default."""
    known = {run.id for run in runs}
    wanted = _wanted()
    ids = [run_id for run_id in dict.fromkeys(wanted or []) if run_id in known]
    if wanted is None or (wanted and not ids):  # nothing was ever chosen, or what was chosen is gone
        ids = [run.id for run in _default(runs)]
    if wanted is not None or ids:
        choose(ids)
    return ids


def missing_ids(runs: list[Run]) -> list[str]:
    """Return the ids in the link that this store does not have; call it before `chosen_ids` corrects the link."""
    known = {run.id for run in runs}
    return [run_id for run_id in _wanted() or [] if run_id not in known]


def _wanted() -> list[str] | None:
    """Return the ids in the URL, else those last chosen in this session; None where nobody has chosen yet."""
    text = _last_choice(CHOSEN)
    return None if text is None else [part for part in text.split(",") if part]


def choose(ids: list[str]) -> None:
    """Remember the chosen runs for the other pages, and in the URL."""
    _remember(CHOSEN, ",".join(ids))


def suggested(runs: list[Run]) -> list[Run]:
    """Return the runs that somebody sees who has chosen none."""
    return _default(runs)


def _default(runs: list[Run]) -> list[Run]:
    """Return what a teacher has pinned, else the shipped model_1 and model_2 on MNIST, or the two newest finished."""
    by_id = {run.id: run for run in runs}
    if pinned := [by_id[run_id] for run_id in classroom.pinned() if run_id in by_id]:
        return pinned
    shipped = [run for run in runs if run.read_only and run.meta.preset in ("notebook/model_1", "notebook/model_2")]
    for dataset in ("mnist", "digits"):
        found = [run for run in shipped if run.dataset == dataset and run.name == run.meta.preset]
        if found:  # one seed of each
            return sorted(found, key=lambda run: run.name)[:MOST_AT_FIRST]
    return [run for run in runs if run.state == "finished"][-MOST_AT_FIRST:]


def widget(key: str, value: object) -> None:
    """Give the widget `key` its value before it is drawn; what a person has just done to it is in `value` already."""
    # even where it holds this value already: after a change of page that is the value of the page that was left, and
    # Streamlit drops it when the widget is drawn again
    st.session_state[key] = value


def fill(values: Mapping[str, object]) -> None:
    """Set several widgets, or other values that are to be kept; before they are drawn, or in a callback."""
    for key, value in values.items():
        st.session_state[key] = value


def widget_value(key: str) -> Any:
    """Return the value of the widget `key`, or the one that `fill` stored under it; None for nothing."""
    return st.session_state.get(key)


TextT = TypeVar("TextT", bound=str)
FragmentP = ParamSpec("FragmentP")


def one_of(wanted: object, choices: Iterable[TextT], default: TextT) -> TextT:
    """Return the choice that equals `wanted`, a value of a link or a widget; the default if there is none."""
    return next((choice for choice in choices if choice == wanted), default)


def window_width() -> int | None:
    """Return the width in pixels that the browser's window had when the page was loaded; None where it is unknown."""
    text = st.context.cookies.get(WIDTH, "")
    known = text.isascii() and text.isdecimal() and len(text) <= 5
    return (int(text) or None) if known else None


def count_up(key: str) -> int:
    """Return 1 for the first call with this key in a session, then 2, 3 and so on."""
    number = int(st.session_state.get(key, 0)) + 1
    st.session_state[key] = number
    return number


def pinned_baseline(ids: Collection[str]) -> str | None:
    """Return the baseline that somebody has chosen, in the URL or before, where it is among `ids`; None for none."""
    wanted = _last_choice(BASELINE)
    return wanted if wanted in ids else None


def baseline_id(ids: list[str]) -> str | None:
    """Return the run that the others are compared with: the one in the URL (`?baseline=…`), else the first chosen."""
    found = pinned_baseline(ids) or (ids[0] if ids else None)
    # the first run is the default, and a default needs no place in the link
    _put(BASELINE, None if found is None or found == ids[0] else found)
    return found


def choose_baseline(run_id: str) -> None:
    """Measure the others against this run, here and in the link."""
    _remember(BASELINE, run_id)


def chosen_epoch() -> ChosenEpoch:
    """Return the epoch whose weights are evaluated, on every page: that in the URL (`?weights=…`), else the last
    choice.
    """
    kinds: tuple[ChosenEpoch, ...] = get_args(ChosenEpoch)
    found = one_of(_last_choice(WEIGHTS), kinds, "kept")
    choose_epoch(found)
    return found


def choose_epoch(chosen: ChosenEpoch) -> None:
    """Evaluate the weights of this epoch from now on, here and in the link; the default is left out of the link."""
    _remember(WEIGHTS, chosen, default="kept")


MARGIN_POINTS = (0.01, 10.0)
"""The margins that can be chosen, in percentage points."""


def margin() -> float:
    """Return the difference in accuracy that does not matter, on every page: that in the URL (`?margin=…`, in points),
    else the last choice, as a share of the images.
    """
    try:
        points = float(_last_choice(MARGIN) or "")
    except ValueError:
        points = 100 * DEFAULT_MARGIN
    low, high = MARGIN_POINTS
    if not low <= points <= high:
        points = 100 * DEFAULT_MARGIN
    choose_margin(points)
    return points / 100


def choose_margin(points: float) -> None:
    """Let a difference of so many percentage points not matter from now on, here and in the link."""
    _remember(MARGIN, f"{points:g}", default=f"{100 * DEFAULT_MARGIN:g}")


def link_text(name: str) -> str | None:
    """Return a value in the URL (`?name=…`); None where it is absent."""
    return st.query_params.get(name) or None


def link_texts() -> dict[str, str]:
    """Return all values in the URL, by name."""
    return st.query_params.to_dict()


def link_number(name: str, low: int, high: int) -> int | None:
    """Return a whole number in the URL; None where it is absent, no number, or outside `low` to `high`."""
    try:
        value = int(st.query_params[name])
    except (KeyError, ValueError):
        return None
    return value if low <= value <= high else None


def set_link(**values: object) -> None:
    """Put values into the URL, all at once, as one step of the browser's history; one that is None leaves it."""
    before = st.query_params.to_dict()
    changed = {name: str(value) for name, value in values.items() if value is not None}
    changed = {name: text for name, text in changed.items() if before.get(name) != text}
    gone = [name for name, value in values.items() if value is None and name in before]
    if not gone:
        if changed:
            st.query_params.update(changed)
        return
    try:
        st.query_params.from_dict({name: text for name, text in (before | changed).items() if name not in gone})
    except StreamlitAPIException:  # a widget of this page is bound to its place in the link, which nobody else may set
        for name in gone:
            del st.query_params[name]
        if changed:
            st.query_params.update(changed)


def arriving_link(form: str, names: Collection[str]) -> dict[str, str] | None:
    """Return the part of the link that is a form's (`names`); None where the form itself has written it.

    It is another one when a link is opened, and with the browser's buttons for back and forward. It is None as well
    where there is nothing of the form in the link after another page was left: the form is then as it was.

    To be called in runs of the whole page: those come from these buttons. A fragment's run comes from a widget, whose
    message to the server may have left before the last link had arrived in the browser.
    """
    link = {name: text for name, text in st.query_params.to_dict().items() if name in names}
    written = st.session_state.get(f"{form}:links")
    if written is None:
        return link
    now = time.monotonic()
    if not link or link == written[-1][0] or any(link == text and now - when < STALE_S for text, when in written):
        return None
    return link


def write_link(form: str, names: Collection[str], link: Mapping[str, str]) -> bool:
    """Put what a form holds into its part of the link; whether that has changed since it was last written."""
    written = st.session_state.get(f"{form}:links", [])
    changed = bool(written) and written[-1][0] != link
    if changed or not written:
        st.session_state[f"{form}:links"] = [*written[-9:], (dict(link), time.monotonic())]
    set_link(**(dict.fromkeys(names) | dict(link)))
    return changed


def page_number(number: int) -> int | None:
    """Return the number of a page of a long list as in the URL (`?page=…`); the first page is left out of it."""
    return number if number > 1 else None


def fresh_key(key: str) -> str:
    """Return the key of a chart whose selection, or an upload whose file, can be forgotten by `forget_selection`."""
    return f"{key}_{st.session_state.get(f'{key}:fresh', 0)}"


def forget_selection(key: str, *, only_used: bool = False) -> None:
    """Draw the chart again, without what was clicked in it: a chart's selection cannot be written.

    With `only_used`, a chart in which nothing is selected stays as it is.
    """
    if only_used and not st.session_state.get(f"{key}:seen"):
        return
    st.session_state[f"{key}:fresh"] = st.session_state.get(f"{key}:fresh", 0) + 1
    # else the same click in the new chart would look like one that was handled before
    st.session_state[f"{key}:seen"] = []


def new_selection(key: str, name: str) -> list[dict[str, object]] | None:
    """Return what a click has just selected in the chart of `fresh_key(key)`; empty if it unselected, None if none was.

    The rest of the page reads the choice from the URL: the initial value of a selection highlights but is not returned
    (streamlit#10308), so that a link would look the same as a click.
    """
    event = st.session_state.get(fresh_key(key))
    found = list(event["selection"].get(name, [])) if event else []
    seen = st.session_state.get(f"{key}:seen", [])
    st.session_state[f"{key}:seen"] = found
    return None if event is None or found == seen else found


def new_interval(key: str, name: str) -> dict[str, list[Any]] | None:
    """Return what a drag has just selected in the chart of `fresh_key(key)`, by field; None if there is nothing new."""
    event = st.session_state.get(fresh_key(key))
    found = dict(event["selection"].get(name) or {}) if event else {}
    seen = st.session_state.get(f"{key}:{name}:seen")
    st.session_state[f"{key}:{name}:seen"] = found
    return None if not found or found == seen else found


# -- presenter mode ----------------------------------------------------------------------------------------------------

PRESENT = "present"
FROZEN = "presenter:frozen"


def presenting() -> bool:
    """True in presenter mode: as the URL has it (`?present=1`), else as it was last; written into the URL."""
    on = _last_choice(PRESENT) == "1"
    if on:
        present(True)
    return on


def present(on: bool) -> None:
    """Begin presenter mode, or end it, here and in the link."""
    _remember(PRESENT, "1" if on else "0", default="0")


def frozen() -> bool:
    """True if the screen is to stay as it is, which only a presenter can ask for."""
    return presenting() and bool(st.session_state.get(FROZEN))


def again_every(seconds: float, *, going_on: bool) -> Callable[[Callable[FragmentP, None]], Callable[FragmentP, None]]:
    """Return a decorator for a part of the page that draws itself again every `seconds` while something is going on.

    It is a fragment, which is drawn once where nothing goes on, and on a screen that is frozen. A busy browser may ask
    for it before it has heard of the last choice; that choice stays.
    """

    def decorated(part: Callable[FragmentP, None]) -> Callable[FragmentP, None]:
        drawn = False

        @functools.wraps(part)  # Streamlit knows a fragment by its name
        def draw(*args: FragmentP.args, **kwargs: FragmentP.kwargs) -> None:
            nonlocal drawn
            if drawn:
                _put_back()
            drawn = True
            part(*args, **kwargs)

        return st.fragment(draw, run_every=seconds if going_on and not frozen() else None)

    return decorated


def freeze(on: bool) -> None:
    """Let the screen stay as it is from now on, or let it follow the store again."""
    st.session_state[FROZEN] = on


def start_over() -> None:
    """Forget all that was chosen, answered and drawn in this session, except that it presents; no file is touched."""
    for key in list(st.session_state):
        del st.session_state[key]
    st.query_params.clear()
    present(True)
