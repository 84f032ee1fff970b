"""A preset's published figures next to those measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.recipes import recipe_id
from mnist_core.plots import style
from mnist_core.published import figures, reproduction, words
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.summary import RunSummary
from mnist_core.text import for_markdown


def published_popover(runs: Sequence[Run], known_figures: Mapping[str, RunSummary]) -> None:
    """Draw a button that shows, for the runs made from a preset, its published figures and assumptions.

    Nothing is drawn without any.
    """
    known = [run for run in runs if run.meta.preset in PRESETS]
    if not known:
        return
    with st.popover("Published figures", icon=":material/menu_book:", type="tertiary", key="published"):
        for run in known:
            st.markdown(_words(run, known_figures[run.id]))
        st.page_link("views/published/page.py", label="All published models", icon=":material/menu_book:")


class _Figures(Reader):
    """Gives the figures that the page already has, for the epoch that it shows."""

    def __init__(self, item: RunSummary) -> None:
        self.item = item

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """Return the figures of the page's run."""
        return self.item


def _words(run: Run, item: RunSummary) -> str:
    preset = PRESETS[run.meta.preset or ""]
    lines = [f"**{for_markdown(run.name)}** is {for_markdown(preset.name)}, from a {for_markdown(preset.source)}."]
    pairs = (
        ("test accuracy", preset.published.test_accuracy, item.test and item.test.accuracy, style.percent),
        ("test loss", preset.published.test_loss, item.test and figures.keras_loss(run, item), style.loss),
    )
    for what, printed, measured, text in pairs:
        if printed is not None:
            here = text(measured) if measured is not None else "not measured yet"
            lines.append(f"- Published {what} {text(printed)}; here {here}")
    if all(printed is None for _, printed, _, _ in pairs):
        lines.append("- The source prints no test figures")
    same = run.recipe == recipe_id(preset.config)
    if same and item.test:
        row = reproduction.model_row(preset, [run], _Figures(item))
        lines.append(f"- {words.sentence(row)}")
    if preset.published.note:
        lines.append(f"- {for_markdown(preset.published.note)}")
    lines += [f"- The source’s own error: {for_markdown(error)}" for error in preset.published.errors]
    if not same:
        lines.append("- This run’s settings differ from the preset’s, so the figures are not directly comparable")
    if preset.chosen_to_match:
        lines.append(f"- Chosen to match the published result: {for_markdown(preset.chosen_to_match)}")
    lines += [f"- Assumed: {for_markdown(assumption)}" for assumption in preset.assumptions]
    return "\n".join([lines[0], "", *lines[1:]])
