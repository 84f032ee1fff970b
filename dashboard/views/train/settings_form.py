"""The settings of a training on the Train page: epochs, optimizer, learning rate, validation, augmentation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.views.train.setting_widget import draw
from mnist_core.data import augmentation as augmented
from mnist_core.data.images import sprite
from mnist_core.experiments.configs import Augmentation, TrainingConfig
from mnist_core.experiments.settings import SETTINGS
from mnist_core.plots.schedule import rate_chart, rate_frame

EPOCHS, SCHEDULE, AUGMENTATION = "training.epochs", "training.schedule", "training.augmentation"
PREVIEWS, PREVIEW_COLUMNS = 12, 6
DIGIT_STEP = 97


class Places(NamedTuple):
    """Places for the pictures that show the effect of the settings."""

    rate: DeltaGenerator
    preview: DeltaGenerator


def epochs_slider(known: Mapping[str, Any]) -> None:
    """Draw the slider for the epochs; it stands next to the layers, as it is changed most often."""
    draw(SETTINGS[EPOCHS], EPOCHS, [known[EPOCHS]])


def settings_form(values: Mapping[str, Any], known: Mapping[str, Any]) -> Places:
    """Draw the training settings; where the pictures of what they amount to can be drawn.

    Parameters
    ----------
    values
        what the form holds: it decides which settings have an effect, and are shown.
    known
        what the form was filled with: its values are on the sliders even where they are no round steps.
    """
    places: dict[str, DeltaGenerator] = {}
    with st.expander("Training settings", key="train_settings", icon=":material/tune:"):
        for group, members in itertools.groupby(SETTINGS.values(), key=lambda item: ".".join(item.path.split(".")[:2])):
            if not group.startswith("training.") or group in (EPOCHS, AUGMENTATION):
                continue
            for setting in members:
                if setting.shown(values):
                    draw(setting, setting.path, [known[setting.path]])
            if group == SCHEDULE:
                places[group] = st.container()
    with st.expander("Augmentation", key="train_augmentation", icon=":material/transform:"):
        preview = _augmentation(known)
    return Places(places[SCHEDULE], preview)


def rate_picture(place: DeltaGenerator, training: TrainingConfig) -> None:
    """Draw the learning rate by epoch, where there is a schedule."""
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
        Drawing(rate_chart, frame).show(key="train_rate_chart", alt_text=words)


def _augmentation(known: Mapping[str, Any]) -> DeltaGenerator:
    """Draw the settings of the augmentation; return the place for its picture."""
    st.caption(TrainingConfig.model_fields["augmentation"].description or "")
    moves = [setting for path, setting in SETTINGS.items() if path.startswith(f"{AUGMENTATION}.")]
    for place, setting in zip(st.columns(len(moves), gap="medium"), moves, strict=True):
        with place:
            draw(setting, setting.path, [known[setting.path]])
    return st.container(key="train_preview")


def preview(place: DeltaGenerator, augmentation: Augmentation | None, dataset: str) -> None:
    """Draw one training digit as training may see it."""
    with place:
        if augmentation is None:
            st.caption("None: all sliders are at 0.")
            return
        with panels.errors_as_messages():
            images = resources.dataset(dataset).x_train
            shown = int(str(state.widget_value("train_preview_digit") or 0))
            # not one after the other, so that each press brings another kind of digit
            digit = images[shown * DIGIT_STEP % len(images)]
            variants = augmented.preview(digit, augmentation, PREVIEWS - 1, seed=shown)
            sheet = sprite(np.concatenate([digit[None], variants]), PREVIEW_COLUMNS)
            st.image(
                np.kron(sheet, np.ones((3, 3), np.uint8)),
                width="stretch",
                alt="One training digit as it is, and moved as augmentation may move it",
                caption=f"The same digit under it: {augmentation.summary()}. The first is the digit as it is.",
            )
            st.button(
                "Another digit",
                icon=":material/refresh:",
                type="tertiary",
                key="train_preview_next",
                on_click=lambda: state.fill({"train_preview_digit": shown + 1}),
            )
