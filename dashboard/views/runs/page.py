"""All runs in a table: find, sort and group them, tick those to compare, rename, tag, hide and delete them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.resources import Entry
from dashboard.shared import looks, panels
from dashboard.shared.run_picker import MOST_COMPARED as MOST
from dashboard.views.runs import chips, drawer, table, trash
from dashboard.views.runs.lines import Line, View, differences, lines_of
from mnist_core.errors import FilterError
from mnist_core.runs.columns import COLUMNS, FIGURES, SETTING_COLUMNS, without_test_results
from mnist_core.runs.filters import EXAMPLE, Filter, parse
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

HIDE, UNFOLD, REVEAL = "hide", "unfold", "reveal_tests"
CONDITION_HELP = (
    f'Such as `{EXAMPLE}`, `state != "finished"`, `"lesson 3" in tags` or `created > "2026-11-26"`. Accuracies are '
    "shares: 98 % is 0.98.\n\nFigures: "
    + ", ".join(f"`{name}`" for name in FIGURES)
    + ".\n\nSettings: "
    + ", ".join(f"`{name}`" for name in SETTING_COLUMNS)
    + "."
)
SORTS = [name for name in COLUMNS if COLUMNS[name].kind != "texts"]
# views to begin with: what they set of the controls, the rest being as at first
VIEWS: dict[str, dict[str, object]] = {
    "Newest first": {},
    "Most accurate": {"sort": "test_accuracy"},
    "One line a recipe": {"sort": "test_accuracy", "by_recipe": True},
    "Not finished": {"where": 'state != "finished"'},
    "My own": {"where": "not ships"},
}
START: dict[str, object] = {
    "q": "", "where": "", "sort": "created", "down": True, "by_recipe": False, "every": False,
    "columns": list(table.USUAL),
}  # fmt: skip


def controls(entries: Sequence[Entry]) -> tuple[View, list[str], bool]:
    """Draw what finds and arranges runs, all of it in the link.

    Return the view, the columns, and whether the sweeps that ship are listed too.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="runs_controls"):
        text = st.text_input(
            "Search", key="q", bind="query-params", type="search", placeholder="name, tag, note, data …", width=230,
            help="Runs with all of these words in their name, tags, note, state, data, model, preset or id.",
        )  # fmt: skip
        where = st.text_input(
            "Condition", key="where", bind="query-params", placeholder=EXAMPLE, width=360, help=CONDITION_HELP
        )
        by_recipe = st.toggle(
            "One line a recipe", key="by_recipe", bind="query-params",
            help="All seeds of one configuration together: means, and ± the standard deviation of the accuracy. A tick "
            "under ▾ shows the seeds below them.",
        )  # fmt: skip
        owner = _owner_filter(entries)
        with st.popover("View", icon=":material/tune:", key="runs_view"):
            for name, values in VIEWS.items():
                st.button(name, key=f"view_{name}", type="tertiary", on_click=_use_view, args=(values, _usual(entries)))
            sort = st.selectbox(
                "Sort by", SORTS, SORTS.index("created"), format_func=lambda name: COLUMNS[name].label, key="sort",
                bind="query-params", help="A click on the head of a column sorts too, for the moment.",
            )  # fmt: skip
            down = st.toggle("Highest first", True, key="down", bind="query-params")
            shown = st.multiselect(
                "Columns", list(table.SHOWN), _usual(entries), format_func=lambda name: table.SHOWN[name],
                key="columns", bind="query-params", select_all=False,
            )  # fmt: skip
            every = st.toggle(
                "Also the sweeps that ship", key="every", bind="query-params",
                help="The runs of the sweeps and searches that came with the project, which the Sweeps page shows.",
            )  # fmt: skip
            st.toggle(
                "Test results of what sweeps passed over", key=REVEAL, on_change=_count_reveals,
                help="Of a sweep or search only the run that validation chose is shown with its test results. Whoever "
                "looks at the others may choose by them, and then has no new images left to test the choice on. A look "
                "is counted.",
            )  # fmt: skip
    view = View(
        text=str(text or ""),
        owner=owner,
        test=condition(str(where or "")),
        sort=sort or "created",
        descending=bool(down),
        hidden=frozenset(_ids(HIDE)),
        by_recipe=bool(by_recipe),
        unfolded=frozenset(_ids(UNFOLD)),
        pinned=state.pinned_baseline([entry.run.id for entry in entries]),
    )
    return view, list(shown), bool(every)


def _owner_filter(entries: Sequence[Entry]) -> str | None:
    """Draw the choice of one person's runs, in a class or where one has been; None for everybody's."""
    owners = sorted({entry.run.meta.owner for entry in entries} - {""}, key=str.casefold)
    if not owners:
        return None
    return st.selectbox(
        "Owner", owners, None, key="owner", bind="query-params", placeholder="Everybody", width=170,
        help="Who of the class requested the run.",
    )  # fmt: skip


def _count_reveals() -> None:
    if state.widget_value(REVEAL):
        looks.count_all_reveals()


def without_passed_over(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the runs without the test results that nobody has requested; filters and order do not show them either."""
    hidden = frozenset[str]() if state.widget_value(REVEAL) else looks.passed_over()
    if not hidden:
        return entries
    return [
        entry._replace(row=without_test_results(entry.row)) if entry.run.id in hidden else entry for entry in entries
    ]


def condition(text: str) -> Filter | None:
    """Return the condition that was written; where it cannot be read, the reason is shown, and all runs are listed."""
    if not text.strip():
        return None
    try:
        return parse(text)
    except FilterError as error:
        st.error(panels.markdown_sentence(error), icon=":material/error:")
        return None


def _usual(entries: Sequence[Entry]) -> list[str]:
    """Return the columns that are shown at first: with the owner where a run has one, after the accuracy."""
    accuracy, *others = table.USUAL
    return [accuracy, *(["owner"] if any(entry.run.meta.owner for entry in entries) else []), *others]


def _use_view(values: dict[str, object], usual: list[str]) -> None:
    state.fill(START | {"columns": usual} | values)
    state.set_link(**{HIDE: None, UNFOLD: None})


def _ids(name: str) -> list[str]:
    return [part for part in (state.link_text(name) or "").split(",") if part]


def actions(entries: Sequence[Entry], lines: Sequence[Line], chosen: list[str], hidden: int) -> None:
    """Draw the bar above the table: what is ticked, and what can be done with it."""
    by_id = {entry.run.id: entry.run for entry in entries}
    listed = list(dict.fromkeys(run_id for line in lines for run_id in line.ids))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs_actions"):
        if st.button(
            f"Compare {min(len(chosen), MOST)}" if chosen else "Compare",
            icon=":material/compare_arrows:", type="primary", disabled=not chosen, key="runs_compare",
            help=f"Compare draws up to {MOST} at once; of more, the baseline and those ticked first.",
        ):  # fmt: skip
            ids = ",".join(table.to_compare(chosen, MOST))
            st.switch_page("views/compare/page.py", query_params={state.CHOSEN: ids})
        pin = st.selectbox(
            "Baseline", chosen, None, format_func=lambda run_id: by_id[run_id].name, placeholder="Pin a baseline",
            label_visibility="collapsed", width=190, key="runs_baseline", disabled=not chosen,
            help="Comes first, and Δ is measured from it, here and on Compare.",
        )  # fmt: skip
        if pin and pin != state.pinned_baseline(list(by_id)):
            state.choose_baseline(pin)
            st.rerun()
        st.button(
            "Hide", icon=":material/visibility_off:", disabled=not chosen, key="runs_hide", on_click=_hide,
            args=(chosen,), help="Leave the ticked runs out of this table. They stay in the store.",
        )  # fmt: skip
        person = resources.store().person
        own = [
            run for run in map(by_id.__getitem__, chosen) if not run.read_only and person.may("delete", run.meta.owner)
        ]
        st.button(
            f"Delete {len(own)}" if own else "Delete", icon=":material/delete:", key="runs_delete",
            disabled=not own or not resources.store().writable, on_click=_delete, args=(own, chosen),
            help="Move the ticked runs to the trash, from where they can be brought back. Runs that ship stay.",
        )  # fmt: skip
        st.button("Tick all", key="runs_all", type="tertiary", on_click=table.tick_all, args=(listed, chosen, MOST))
        st.button(
            "Tick none", key="runs_none", type="tertiary", on_click=table.tick, args=([], MOST), disabled=not chosen
        )
        if hidden:
            st.button(f"Show {hidden} hidden", key="runs_unhide", type="tertiary", on_click=_hide, args=(None,))


def _hide(ids: Sequence[str] | None) -> None:
    """Leave these out as well; None for nothing any more."""
    hidden = None if ids is None else ",".join(dict.fromkeys([*_ids(HIDE), *ids])) or None
    state.set_link(**{HIDE: hidden})
    if ids:
        table.tick([], MOST)


def _delete(runs: Sequence[Run], chosen: Sequence[str]) -> None:
    gone = trash.delete(runs)
    table.tick([run_id for run_id in chosen if run_id not in gone], MOST)


def _unfold(recipes: frozenset[str]) -> None:
    state.set_link(**{UNFOLD: ",".join(sorted(recipes)) or None})


def csv_frame(entries: Sequence[Entry], lines: Sequence[Line]) -> pd.DataFrame:
    """Return the runs of the lines with all columns and settings, exact."""
    rows = {entry.run.id: entry.row for entry in entries}
    ids = dict.fromkeys(run_id for line in lines for run_id in line.ids)
    frame = pd.DataFrame([rows[run_id] for run_id in ids], columns=list(COLUMNS))
    return frame.assign(tags=frame["tags"].map(", ".join), created=pd.to_datetime(frame["created"], unit="s", utc=True))


def content(everything: Sequence[Entry]) -> None:
    """Draw controls, actions and table."""
    view, shown, every = controls(everything)
    entries = everything if every else [entry for entry in everything if entry.run.listed]
    runs = [entry.run for entry in everything]
    ids = [run.id for run in runs]
    selected = state.chosen_ids(runs)
    chosen = table.ticked(ids)
    if table.to_compare(chosen, MOST) != selected:  # chosen on another page since, or by the link
        chosen = selected
        table.tick(chosen, MOST)
    lines = lines_of(entries, view)
    hidden = len(view.hidden & {entry.run.id for entry in entries})
    trash.report()
    if isinstance(failed := state.widget_value(table.FAILED), str) and failed:
        st.error(for_markdown(failed), icon=":material/error:")
        state.fill({table.FAILED: ""})
    actions(everything, lines, chosen, hidden)
    baseline = view.pinned or (chosen[0] if chosen else None)
    colours = resources.known_colours() | resources.colours(table.to_compare(chosen, MOST))
    listed = len({run_id for line in lines for run_id in line.ids})
    by_id = {run.id: run for run in runs}
    # between the buttons and the table, whose own tools would cover it on a phone; always, so that nothing moves with
    # the first tick
    count = f"{listed} of {len(entries)} runs; {len(chosen)} ticked."
    chips.draw(count, [by_id[run_id] for run_id in chosen], baseline, colours, MOST)
    if len(chosen) > MOST:
        out = len(chosen) - MOST
        what = "one ticked run is" if out == 1 else f"{out} ticked runs are"
        st.caption(f"Compare draws {MOST} runs at once; {what} left out there, the last ones first.")
    if not lines:
        panels.empty_state("No run fits", "Other words, or another condition, find more.", icon=":material/search_off:")
    else:
        table.draw(
            lines,
            table.with_spread(shown) if view.by_recipe else shown,
            chosen=chosen,
            colours=colours,
            differences=differences(lines, everything, baseline),
            unfolded=view.unfolded,
            by_recipe=view.by_recipe,
            tags=sorted({tag for entry in everything for tag in entry.row["tags"]}),
        )
    left_out = len(everything) - len(entries)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs_below"):
        panels.download("CSV", lambda: panels.csv(csv_frame(everything, lines)), "runs.csv", "text/csv", "runs_csv")
        st.caption(
            (f"{left_out} runs of sweeps that ship are left out (View). " if left_out else "")
            + "The link in the address bar opens this view again"
            + (f", with the {MOST} runs that Compare draws." if len(chosen) > MOST else ".")
        )
    details = state.link_text(table.OPEN)
    if details:
        drawer.show(details, everything)


st.title("Runs")
table.carry_out(frozenset(_ids(UNFOLD)), _unfold, MOST)
with panels.errors_as_messages():
    all_runs, problems = resources.scan()
if not all_runs:
    panels.empty_state(
        "No run yet", "Every training appears here, with its figures and files.", button="Train a first model",
        page="views/train/page.py",
    )  # fmt: skip
else:
    content(without_passed_over(resources.entries()))
trash.trash_panel()
panels.store_problems(problems)

if any(run.live for run in all_runs):
    seen = resources.snapshot().number

    @state.again_every(2.0, going_on=True)
    def follow() -> None:
        """Draw the page again once a run has changed."""
        if resources.snapshot().number != seen:
            st.rerun()

    follow()
