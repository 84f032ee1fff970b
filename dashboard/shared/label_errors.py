"""Labels that are known to be wrong, or that the model doubts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import resources
from dashboard.shared import digit_dialog, panels
from dashboard.shared.gallery import Item, gallery, items
from mnist_core.errors import DatasetError
from mnist_core.evaluation.label_errors import Effect, effect, known_errors, likely_errors
from mnist_core.evaluation.words import known_error_words
from mnist_core.plots import style
from mnist_core.runs.run import Run

BADGE = "label?"
"""Mark of a digit whose label is known to be wrong or disputed."""
SHOWN = 22
"""Doubted labels with a picture; the table has them all."""
SOURCE = (
    "Northcutt, Athalye and Mueller (2021) let people look again at images that an algorithm had flagged. Of MNIST’s "
    "10,000 test images they found 15 whose label is wrong or disputed; as only flagged images were looked at, there "
    "may be more."
)


def label_badges(run: Run) -> dict[int, str]:
    """Return the badges of the run's test images with doubtful labels, by index; empty if none are known."""
    return {index: known_error_words(error) for index, error in known_errors(run.status.fingerprint).items()}


def badged(shown: Sequence[Item], run: Run) -> list[Item]:
    """Return the items of a gallery of the run's test images, those with a known label error marked as such."""
    known = label_badges(run)
    return [
        {**item, "badge": BADGE, "description": f"{item['description']}. {known[item['index']]}"}
        if item["index"] in known
        else item
        for item in shown
    ]


def label_effect(run: Run) -> None:
    """Say what known label errors do to a run's accuracy; nothing for data that has none."""
    predictions = resources.predictions(run)
    found = effect(predictions, run.status.fingerprint) if predictions is not None else None
    if found is not None:
        st.caption(
            effect_sentence(found),
            help=f"{SOURCE} They are marked “{BADGE}” among the digits. Where most people agreed on another digit, "
            f"that digit can stand in for the label: then the accuracy is {style.percent(found.corrected)}, without "
            "the images on which they did not agree.",
        )


def effect_sentence(found: Effect) -> str:
    """Return how many wrong guesses are known label errors, and the accuracy without them."""
    are = "is a known label error" if found.wrong_known == 1 else "are known label errors"
    agreed = ""
    if found.wrong_known:
        agreed = f"; on {found.agreeing} of these the network sees what most people saw"
    return (
        f"**{found.wrong_known}** of its {found.wrong:,} wrong guesses {are}{agreed}. Without the {found.known} known "
        f"ones, the accuracy is **{style.percent(found.without)}**."
    )


def likely_panel(run: Run) -> None:
    """Draw the labels that the run's predictions doubt most."""
    predictions = resources.predictions(run)
    assert predictions is not None
    if predictions.guesses_only:
        panels.heading(
            "Likely label errors, by this model’s judgement", "This needs probabilities, and the run has none."
        )
        return
    found = likely_errors(predictions.labels, predictions.probabilities)
    panels.heading(
        "Likely label errors, by this model’s judgement",
        "Test images on which the model is confident of another digit than the label. A model may be wrong itself: "
        "look, and judge.",
        help="**Confident learning** (Northcutt, Jiang and Chuang 2021): a model counts as confident of a digit where "
        "it gives it at least the probability that it gives, on average, to images with that label. Images are listed "
        "where it is confident of another digit than the label, and guesses otherwise; those with the least "
        "**self-confidence**, the probability given to the label, come first. A model trained on wrong labels may have "
        "learned them, and a weak model doubts right ones.",
    )
    if found.empty:
        st.caption("There is none: where this model disagrees with a label, it is not confident.")
        return
    known = label_badges(run)
    noted = sum(index in known for index in found["index"])
    st.markdown(_count(len(found), noted if known else None))
    shown = found.head(SHOWN)
    everything = resources.prediction_frame(run)
    assert everything is not None
    try:
        images = resources.test_images(run)
        marked = badged(items(everything.iloc[shown["index"].to_numpy()], run.classes), run)
        gallery(marked, images, run.status.fingerprint, key="doubted_gallery", on_open=digit_dialog.show)
    except DatasetError as error:
        st.info(panels.markdown_sentence(error), icon=":material/hide_image:")
    if len(found) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(found)}; the table has them all.")
    with panels.folded("Data and downloads", key="doubted_data") as opened:
        if not opened:
            return
        per_cent = st.column_config.NumberColumn(format="percent")
        panels.table(
            found.assign(known=found["index"].isin(list(known))) if known else found,
            key="doubted_table",
            filename=f"likely-label-errors-{run.id}",
            column_config={
                "index": st.column_config.NumberColumn("test image", format="%d"),
                "given": "label",
                "likely": "likely digit",
                "self_confidence": per_cent,
                "likely_confidence": per_cent,
                "margin": st.column_config.NumberColumn(
                    help="Probability of the label minus the largest of the others: −1 is the strongest doubt"
                ),
                "known": "known label error",
            },
        )


def _count(found: int, known: int | None) -> str:
    text = f"**{found:,}** {'label is' if found == 1 else 'labels are'} doubted"
    if known is None:
        return f"{text}."
    return f"{text}; **{known}** of them {'is a known label error' if known == 1 else 'are known label errors'}."
