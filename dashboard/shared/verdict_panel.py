"""The verdict on the chosen runs: which is better, how sure that is, what it leaves open, and whether it is fair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.figures import plain_table
from mnist_core.comparison.comparability import DifferenceSeverity
from mnist_core.comparison.recipe_verdicts import RecipeVerdict
from mnist_core.comparison.verdicts import Comparison, Verdict
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.headline import in_headline
from mnist_core.comparison.words.numbers import intervals_words, listed
from mnist_core.comparison.words.recipes import recipe_words
from mnist_core.comparison.words.verdict_rows import accuracy_cell, loss_cell, recipe_cell, undermined_by
from mnist_core.comparison.words.verdicts import (
    limit_words,
    loss_verdict_words,
    open_words,
    refusal_words,
    verdict_words,
)
from mnist_core.evaluation.statistics import FEWEST_SEEDS
from mnist_core.plots.verdicts import described, verdict_chart, verdict_frame, verdict_table
from mnist_core.runs.records import ChosenEpoch
from mnist_core.text import for_html, for_markdown

UNFAIR = ' <span role="img" aria-label="not a fair comparison" title="not a fair comparison">⚠</span>'
FEW_LINES = 3
"""More lines of one kind are folded away."""
EPOCH_LABELS: dict[ChosenEpoch, str] = {"kept": "Kept", "last": "Last", "best": "Best"}
EPOCH_HELP = (
    "Training changes the weights in every epoch; this chooses which of them are evaluated. **Kept**: those that the "
    "run has stored, of its last epoch, or of the one that early stopping restored. **Last**: after the last finished "
    "epoch. **Best**: after the epoch with the lowest validation loss. Where validation was done on the test images, "
    "picking the best epoch flatters the test accuracy: of many epochs, one looks good by luck."
)
DIFFERENCE_HELP = (
    "Each dot is the difference in test accuracy from the baseline, in points (percentage points), and its bar the "
    "interval: drawn with other test images again and again, 19 of 20 such bars hold the true difference; more where "
    "several runs are compared, whose bars are wider. Both networks saw the same images, so only those matter that "
    "one gets right and the other wrong (McNemar's score test, Tango's interval). A bar that does not touch 0 shows "
    "that one is better, and its dot is full. A bar that lies within ± the margin shows that they are equivalent. Any "
    "other is too close to call."
)
MARGIN_HELP = (
    "A difference in accuracy of up to so many points (percentage points) does not matter to you. Two runs are called "
    "equivalent where no larger difference is left in the interval. That takes many images: with 10,000, runs can be "
    "shown to be within 0.2 points; with a few hundred, not even two that are right on the very same images can."
)
FAIR_HELP = (
    "A verdict compares two trained networks as they are. Where more than one thing differs between them, it cannot "
    "say which of these made the difference."
)
MARKS: dict[DifferenceSeverity, str] = {
    "undermines": ":material/warning: **undermines the verdict**",
    "compared": ":material/compare_arrows: what is compared",
    "worth knowing": ":material/info: worth knowing",
}


def epoch_switch() -> ChosenEpoch:
    """Draw the switch for the epoch whose weights are compared; the choice is in the link and holds on all pages."""
    state.widget("epoch_switch", state.chosen_epoch())
    st.segmented_control(
        "Weights of which epoch",
        list(EPOCH_LABELS),
        format_func=lambda chosen: EPOCH_LABELS[chosen],
        key="epoch_switch",
        required=True,
        help=EPOCH_HELP,
        on_change=_choose_epoch,
    )
    return state.chosen_epoch()


def _choose_epoch() -> None:
    wanted = state.widget_value("epoch_switch")
    state.choose_epoch(next((chosen for chosen in EPOCH_LABELS if chosen == wanted), "kept"))


def margin_box() -> float:
    """Draw the box for the difference that does not matter; the choice is in the link and holds on all pages.

    Return it as a share of the images.
    """
    chosen = state.margin()
    low, high = state.MARGIN_POINTS
    state.widget("margin_box", round(100 * chosen, 2))
    st.number_input(
        "Margin in points",
        low,
        high,
        step=0.1,
        format="%.2f",
        key="margin_box",
        width=150,
        help=MARGIN_HELP,
        on_change=_choose_margin,
    )
    return chosen


def _choose_margin() -> None:
    wanted = state.widget_value("margin_box")
    if isinstance(wanted, float | int):
        state.choose_margin(float(wanted))


def verdict_panel(
    comparison: Comparison, recipes: Sequence[RecipeVerdict], labels: Mapping[str, str], colours: Mapping[str, str]
) -> None:
    """Draw the verdicts: the differences with their intervals, each in words, its limits and the guard.

    Parameters
    ----------
    comparison, recipes
        of the chosen runs against the baseline.
    labels, colours
        of the runs by id.
    """
    verdicts, base = comparison.verdicts, labels[comparison.baseline]
    if verdicts:
        frame = verdict_frame(verdicts, labels)
        several = len(verdicts) > 1
        left, right = st.columns([2, 3] if several else [1, 1], gap="medium" if several else "large")
        with left:
            panels.heading(
                "Is the difference real?",
                f"Test accuracy against {for_markdown(base)}, with {intervals_words(len(verdicts))}. "
                "Hollow: not shown to differ."
                + (
                    " Of these trained networks, one seed each; the first sentence is about the recipes, all seeds."
                    if any(in_headline(recipe) for recipe in recipes)
                    else ""
                ),
                DIFFERENCE_HELP,
            )
            panels.chart_with_table(
                Drawing(verdict_chart, frame, colours, base),
                frame.drop(columns="text"),
                alt_text=described(frame, base),
                key="verdicts",
                filename="verdicts",
            )
        with right:
            if several:
                st.html(verdict_rows(verdicts, labels, colours, recipes))
                if any(recipe.reason == "few_seeds" for recipe in recipes):
                    st.caption(f"A recipe is compared with at least {FEWEST_SEEDS} seeds of it, and of the baseline's.")
                _undermined_runs(verdicts, labels)
            else:
                st.html(_lines(verdicts[0], recipes, labels, colours))
                undermined(verdicts, labels)
        _details(verdicts, recipes, labels, base)
    _refusals(comparison, labels)


def _refusals(comparison: Comparison, labels: Mapping[str, str]) -> None:
    """Say which runs are not compared, and why; a long list is folded away."""
    lines = [
        f":material/block: {for_markdown(labels[item.run])} is not compared: "
        f"{for_markdown(refusal_words(item, labels))}."
        for item in comparison.refusals
    ]
    title = f"Not compared: {len(lines)} runs"
    with st.container() if len(lines) <= FEW_LINES else st.expander(title, key="refused"):
        for line in lines:
            st.caption(line)


def verdict_rows(
    verdicts: Sequence[Verdict],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    recipes: Sequence[RecipeVerdict] | None = None,
) -> str:
    """Return the verdicts on several runs as a table, as HTML.

    recipes: None to leave out the column of recipes.
    """
    by_run = {item.run: item for item in recipes or ()}
    rows = []
    for item in verdicts:
        cells = [accuracy_cell(item), loss_cell(item)]
        if recipes is not None:
            cells.append(recipe_cell(by_run.get(item.run)))
        dot = f'<span class="dot" style="background:{colours[item.run]}"></span>'
        name = dot + for_html(labels[item.run]).replace("/", "/<wbr>") + (UNFAIR if undermined_by(item) else "")
        rows.append(
            f"<tr><th scope=row>{name}</th>"
            + "".join(
                f'<td><span class="sentence">{for_html(cell.answer)}</span>'
                f'<span class="more">{for_html(cell.figures)}</span></td>'
                for cell in cells
            )
            + "</tr>"
        )
    titles = ("By accuracy", "By loss", "As recipes, by accuracy")[: 2 if recipes is None else 3]
    heads = "".join(f"<th scope=col>{head}</th>" for head in titles)
    return (
        '<div class="verdicts" tabindex="0" role="region" aria-label="Verdicts, run by run">'
        f"<table><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _undermined_runs(verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> None:
    """Name the runs whose comparison is not fair, and what differs; the sentences follow in the folded list."""
    by_topics: dict[str, list[str]] = {}
    for item in verdicts:
        topics = undermined_by(item)
        if topics:
            by_topics.setdefault(listed(topics), []).append(labels[item.run])
    if by_topics:
        parts = [f"{listed(names)} ({topics})" for topics, names in by_topics.items()]
        st.warning(
            f"**Not a fair comparison as it stands:** {for_markdown('; '.join(parts))}. Why, run by run, is in "
            "“Is it a fair comparison” below.",
            icon=":material/warning:",
        )


def _lines(
    item: Verdict, recipes: Sequence[RecipeVerdict], labels: Mapping[str, str], colours: Mapping[str, str]
) -> str:
    """Return the only verdict in words, as HTML, without what the headline of the page has already."""
    own = [recipe for recipe in recipes if recipe.run == item.run]
    heads = not any(in_headline(recipe) for recipe in own)
    sentence = "" if heads else f'<div class="sentence">{for_html(verdict_words(item, labels))}</div>'
    about_recipes = [recipe_words(recipe, labels) for recipe in own]
    more = filter(None, [open_words(item), loss_verdict_words(item, labels), *about_recipes])
    lines = "".join(f'<div class="{"more" if sentence else ""}">{for_html(text)}</div>' for text in more)
    return f'<div class="verdict" style="border-left-color:{colours[item.run]}">{sentence}{lines}</div>'


def undermining(verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> list[str]:
    """Return what undermines the verdicts, a sentence each."""
    return list(
        dict.fromkeys(
            concern_words(concern, (labels[item.baseline], labels[item.run]))
            for item in verdicts
            for concern in item.concerns
            if concern.severity == "undermines"
        )
    )


def undermined(verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> None:
    """Say loudly what undermines a verdict; nothing where nothing does."""
    grave = undermining(verdicts, labels)
    if grave:
        st.warning(
            "**Not a fair comparison as it stands.** " + " ".join(for_markdown(sentence) for sentence in grave),
            icon=":material/warning:",
        )


def _details(
    verdicts: Sequence[Verdict], recipes: Sequence[RecipeVerdict], labels: Mapping[str, str], base: str
) -> None:
    """Draw the guard's list, what the verdicts do not cover, and the counts behind them."""
    with panels.folded("Is it a fair comparison, and what does the verdict not cover?", key="fairness") as opened:
        for item in verdicts if opened else ():
            st.markdown(f"**{for_markdown(labels[item.run])}** against **{for_markdown(base)}**", help=FAIR_HELP)
            pair = labels[item.baseline], labels[item.run]
            concerns = [(MARKS[found.severity], concern_words(found, pair)) for found in item.concerns]
            lines = [f"- {mark}: {for_markdown(text)}" for mark, text in concerns]
            st.markdown("\n".join(lines))
        if opened:
            st.markdown("**What this does not cover**")
            limits = dict.fromkeys(limit_words(limit, labels) for item in verdicts for limit in item.limits)
            st.markdown("\n".join(f"- {for_markdown(limit)}" for limit in limits))
    with panels.folded("The counts and p values behind it", key="mcnemar") as opened:
        if not opened:
            return
        st.caption(
            "Images by who is right. The two bold counts alone decide which network is better. McNemar p: of the "
            "score test, which decides, with the interval that belongs to it (Tango 1998); Holm p is adjusted for the "
            "number of comparisons, and so is the level of the interval. The exact p and the mid-p are for comparison "
            "with other tools. The loss p is that of a paired t test over the images."
        )
        for item in verdicts:
            if len(verdicts) > 1:  # the table above has no sentences
                own = [recipe_words(recipe, labels) for recipe in recipes if recipe.run == item.run]
                sentences = [verdict_words(item, labels), loss_verdict_words(item, labels), *own]
                st.html("".join(f"<div>{for_html(sentence)}</div>" for sentence in sentences))
            st.html(mcnemar_table(item, for_html(labels[item.run]), for_html(base)))
        plain_table(verdict_table(verdicts, labels))


def mcnemar_table(item: Verdict, run: str, base: str) -> str:
    """Return the 2×2 table of McNemar's test as HTML; the names are HTML already."""
    table = item.table
    return (
        f'<table class="mcnemar"><tr><th></th><th>{base} right</th><th>{base} wrong</th></tr>'
        f'<tr><th>{run} right</th><td>{table.both_right:,}</td><td class="decides">{table.only_run:,}</td></tr>'
        f'<tr><th>{run} wrong</th><td class="decides">{table.only_baseline:,}</td><td>{table.both_wrong:,}</td></tr>'
        "</table>"
    )
