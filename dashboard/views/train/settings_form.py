"""The settings of a training on the Train page: epochs, optimizer, learning rate, validation, augmentation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.views.train import draft
from mnist_core.data import augmentation as augmented
from mnist_core.data.images import sprite
from mnist_core.experiments.configs import OPTIMIZERS, Augmentation, RunConfig, TrainingConfig
from mnist_core.plots import style
from mnist_core.plots.schedule import rate_chart, rate_frame

OPTIMIZER_NAMES = {"rmsprop": "RMSprop", "adam": "Adam", "sgd": "SGD"}
SCHEDULE_NAMES = {
    draft.CONSTANT: "constant",
    "step": "step: falls every few epochs",
    "cosine": "cosine: falls smoothly to the end",
    "plateau": "plateau: falls when the loss stops falling",
}
MOVES = {"shift": ("Shift, pixels", 0.5, "%.1f"), "rotation": ("Rotation", 1.0, "%.0f°"),
         "zoom": ("Zoom", 0.01, "percent")}  # fmt: skip
"""Label, step and format of each slider."""
PREVIEWS, PREVIEW_COLUMNS = 12, 6
DIGIT_STEP = 97

HELP = {
    "epochs": "One epoch is one pass over all training images.",
    "batch_size": "Images that the network sees before each correction of its weights.",
    "learning_rate": "How large each correction of the weights is. Too large, and training "
    "diverges; too small, and it crawls.",
    "optimizer": "The rule that turns the slope of the loss into corrections of the weights.",
    "momentum": "How much of the last correction is carried over into the next one. Only SGD uses it.",
    "validation": "The images on which each epoch is judged. Judged on the test set, as in the course notebooks, the "
    "test score is no longer that of unseen images; holding out part of the training images avoids this.",
    "stopping": "End the training when the validation loss has stopped falling.",
    "patience": "Epochs without a lower validation loss that are waited for.",
    "restore_best": "Keep the weights of the epoch with the lowest validation loss instead of the last one's.",
    "min_delta": "How far the validation loss must fall to count as lower.",
    "seed": "The number that all chance starts from: first weights, dropout, order of images. The same seed gives the "
    "same training again; another seed shows how much of a difference is luck.",
    "schedule": "How the learning rate changes from epoch to epoch: large corrections at first, fine ones at the end.",
    "label_smoothing": "The share of each label that is spread evenly over all ten digits while training: the network "
    "is not asked to be entirely sure, and learns to be less overconfident. 0 is none.",
    "shift": "At most so many pixels to the left, right, up and down.",
    "rotation": "At most so far to each side.",
    "zoom": "At most so much larger or smaller.",
}  # fmt: skip


class Places(NamedTuple):
    """Where the pictures go that show what the settings amount to."""

    rate: DeltaGenerator
    preview: DeltaGenerator


def epochs_slider(base: RunConfig) -> None:
    """How many epochs; drawn beside the layers, as it is set most often."""
    training = base.training
    st.select_slider(
        "Epochs",
        draft.whole_numbers(int(draft.EPOCHS.minimum or 1), int(draft.EPOCHS.maximum or 1), [training.epochs]),
        key="train_epochs",
        persist_state="session",
        help=HELP["epochs"],
    )


def settings_form(base: RunConfig) -> Places:
    """Draw the training settings; where the pictures of what they amount to can be drawn.

    Parameters
    ----------
    base
        what the form was filled from: its values are on the sliders even where they are no round steps.
    """
    training = base.training
    with st.expander("Training settings", key="train_settings", icon=":material/tune:"):
        st.segmented_control(
            "Optimizer",
            OPTIMIZERS,
            format_func=OPTIMIZER_NAMES.__getitem__,
            key="train_optimizer",
            persist_state="session",
            required=True,
            help=HELP["optimizer"],
        )
        if state.widget_value("train_optimizer") == "sgd":
            low, high = draft.MOMENTUM.minimum, draft.MOMENTUM.maximum
            st.slider(
                "Momentum", low, high, step=0.01, key="train_momentum", persist_state="session", help=HELP["momentum"]
            )
        st.select_slider(
            "Learning rate",
            draft.decades(draft.RATE.minimum or 1e-7, draft.RATE.maximum or 1.0, [training.learning_rate]),
            format_func=draft.scientific,
            key="train_learning_rate",
            persist_state="session",
            help=HELP["learning_rate"],
        )
        rate = _schedule()
        sizes = [2**power for power in range(14) if 2**power <= (draft.BATCH.maximum or 1)]
        st.select_slider(
            "Batch size",
            sorted({*sizes, training.batch_size}),
            key="train_batch_size",
            persist_state="session",
            help=HELP["batch_size"],
        )
        st.slider(
            "Label smoothing",
            draft.SMOOTHING.minimum,
            draft.SMOOTHING.maximum,
            step=0.01,
            key="train_label_smoothing",
            persist_state="session",
            help=HELP["label_smoothing"],
        )
        _validation()
        _stopping()
        low, high = int(draft.SEED.minimum or 0), int(draft.SEED.maximum or 0)
        st.number_input("Seed", low, high, step=1, key="train_seed", persist_state="session", help=HELP["seed"])
    with st.expander("Augmentation", key="train_augmentation", icon=":material/transform:"):
        preview = _augmentation()
    return Places(rate, preview)


def _schedule() -> DeltaGenerator:
    """How the rate changes; the place for a picture of it."""
    st.selectbox(
        "Learning-rate schedule",
        list(SCHEDULE_NAMES),
        format_func=SCHEDULE_NAMES.__getitem__,
        key="train_schedule",
        persist_state="session",
        help=HELP["schedule"],
    )
    kind = state.widget_value("train_schedule")
    key = draft.schedule_key
    if kind in ("step", "plateau"):
        st.slider(
            "The rate is multiplied by", draft.FACTOR.minimum, draft.FACTOR.maximum, step=0.01, key=key("factor"),
            persist_state="session",
        )  # fmt: skip
    if kind == "step":
        whole = draft.whole_numbers(int(draft.EVERY.minimum or 1), int(draft.EVERY.maximum or 1))
        st.select_slider("Epochs between two falls", whole, key=key("every"), persist_state="session")
    elif kind == "cosine":
        st.slider(
            "Share of the rate that is left at the end", draft.FINAL.minimum, draft.FINAL.maximum, step=0.01,
            key=key("final"), persist_state="session",
        )  # fmt: skip
    elif kind == "plateau":
        whole = draft.whole_numbers(int(draft.PATIENCE.minimum or 1), int(draft.PATIENCE.maximum or 1))
        st.select_slider("Epochs without a lower validation loss", whole, key=key("patience"), persist_state="session")
    return st.container()


def rate_picture(place: DeltaGenerator, training: TrainingConfig) -> None:
    """The learning rate by epoch, where there is a schedule."""
    if training.schedule is None:
        return
    frame = rate_frame(training)
    with place:
        if frame is None:
            st.caption("When the rate will fall is not known before: it depends on the validation loss.")
            return
        first, last = frame["rate"].iloc[0], frame["rate"].iloc[-1]
        words = f"Learning rate by epoch: {first:.2g} at first, {last:.2g} in the last epoch."
        st.caption(words)
        st.altair_chart(style.styled(rate_chart(frame)), width="stretch", key="train_rate_chart", alt=words)


def _augmentation() -> DeltaGenerator:
    """How training images are moved; the place for a picture of it."""
    st.caption("Each training image is moved a little, at random and anew in each epoch; test images never are.")
    for place, (move, limits) in zip(st.columns(len(draft.MOVES), gap="medium"), draft.MOVES.items(), strict=True):
        label, step, shown = MOVES[move]
        place.slider(
            label, limits.minimum, limits.maximum, step=step, format=shown, key=draft.move_key(move),
            persist_state="session", help=HELP[move],
        )  # fmt: skip
    return st.container(key="train_preview")


def preview(place: DeltaGenerator, augmentation: Augmentation | None, dataset: str) -> None:
    """One training digit as training may see it."""
    with place:
        if augmentation is None:
            st.caption("None: all sliders are at 0.")
            return
        with panels.in_words():
            images = resources.dataset(dataset).x_train
            shown = int(str(state.widget_value("train_preview_digit") or 0))
            # not one after the other, so that each press brings another kind of digit
            digit = images[shown * DIGIT_STEP % len(images)]
            variants = augmented.preview(digit, augmentation, PREVIEWS - 1, seed=shown)
            sheet = sprite(np.concatenate([digit[None], variants]), PREVIEW_COLUMNS)
            st.image(
                np.kron(sheet, np.ones((3, 3), np.uint8)),
                width="stretch",
                caption=f"The same digit under it: {augmentation.summary()}. The first is the digit as it is.",
            )
            st.button(
                "Another digit",
                icon=":material/refresh:",
                type="tertiary",
                key="train_preview_next",
                on_click=lambda: state.fill({"train_preview_digit": shown + 1}),
            )


def _validation() -> None:
    words = {"test": "test set", "count": "a number of training images", "fraction": "a share of the training images"}
    st.selectbox(
        "Validate on",
        list(words),
        format_func=lambda source: words[source],
        key="train_validation",
        persist_state="session",
        help=HELP["validation"],
    )
    source = state.widget_value("train_validation")
    if source == "count":
        low, high = int(draft.COUNT.minimum or 1), int(draft.COUNT.maximum or 1)
        st.number_input("Images held out", low, high, step=100, key="train_held_count", persist_state="session")
    elif source == "fraction":
        low, high = draft.FRACTION.minimum, draft.FRACTION.maximum
        st.slider("Share held out", low, high, step=0.01, key="train_held_fraction", persist_state="session")


def _stopping() -> None:
    st.toggle("Early stopping", key="train_stopping", persist_state="session", help=HELP["stopping"])
    if state.widget_value("train_stopping"):
        st.select_slider(
            "Patience in epochs",
            draft.whole_numbers(int(draft.PATIENCE.minimum or 1), int(draft.PATIENCE.maximum or 1)),
            key="train_patience",
            persist_state="session",
            help=HELP["patience"],
        )
        st.toggle(
            "Restore the best epoch", key="train_restore_best", persist_state="session", help=HELP["restore_best"]
        )
        st.number_input(
            "Least improvement of the validation loss",
            draft.MIN_DELTA.minimum,
            draft.MIN_DELTA.maximum,
            step=0.001,
            format="%.4f",
            key="train_min_delta",
            persist_state="session",
            help=HELP["min_delta"],
        )
