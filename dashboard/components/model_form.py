"""The training form: where to start from, the layers, the training settings, and what they would cost.

Everything is one fragment, so that a slider answers while it moves and the rest of the page stays as it is. The values
live in widgets that survive a change of page; `dashboard.draft` turns them into a configuration and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import draft, resources, state, theme, timings
from dashboard.components import panels
from dashboard.components.datasets import usable
from mnist_core import estimates
from mnist_core.configs import ACTIVATIONS, OPTIMIZERS, RunConfig
from mnist_core.datasets import BUILT_IN
from mnist_core.errors import MnistCoreError
from mnist_core.presets import PRESETS, on_dataset
from mnist_core.runs import Run

SOURCE = "train_source"
FIRST = "preset:notebook/model_1"
CONTINUE = "train_continue"
OPTIMIZER_NAMES = {"rmsprop": "RMSprop", "adam": "Adam", "sgd": "SGD"}

HELP = {
    "dropout": "The share of the layer's outputs that is switched off at random at each training step. It keeps the "
    "network from relying on single neurons, and so from learning the training images by heart (overfitting). "
    "0 is no dropout.",
    "units": "Neurons in the layer. More of them can learn finer differences, cost more time, and overfit sooner.",
    "activation": "The function that bends each neuron's output. Without it, several layers are no better than one.",
    "l2": "A penalty on large weights, added to the loss. It is another way to hold overfitting down. 0 is none.",
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
    "continue": "Start from the weights that this run ended with, not from freshly drawn ones: to go on with another "
    "learning rate, for example. The layers and their units must stay as they are.",
    "seed": "The number that all chance starts from: first weights, dropout, order of images. The same seed gives the "
    "same training again; another seed shows how much of a difference is luck.",
}  # fmt: skip


@dataclass(frozen=True)
class Base:
    """What the form was last filled from. preset: the preset that this recipe goes by, where it is one."""

    source: str
    name: str
    config: RunConfig
    preset: str | None


@dataclass(frozen=True)
class Wish:
    """A training that a person asks for. base: the recipe that the form was filled from, on the same dataset."""

    config: RunConfig
    name: str
    preset: str | None
    base: RunConfig


def training_form(runs: list[Run]) -> Wish | None:
    """Draw the form; the training that was asked for by the click that led to this rerun, or None."""
    base = _base(runs)
    source, dataset = st.columns([3, 2], gap="medium")
    with source:
        _source(runs, base)
    with dataset:
        _dataset()
    _notes(base)
    _parent(base, runs)
    values = _values()
    _layers(values, base)
    start = st.container()
    _settings(base)
    # drawn into its place last, as it says what all the others add up to
    with start:
        config, wish = _start(base, runs)
    _layer_table(config)
    return wish


# -- where to start from -----------------------------------------------------------------------------------------------


def _base(runs: list[Run]) -> Base:
    """What the form was filled from; the first time, model_1 on the best dataset that is here."""
    found = state.widget_value(SOURCE + ":base")
    if isinstance(found, Base):
        return found
    state.fill({SOURCE: FIRST})
    return _fill(FIRST, runs, "mnist" if usable(resources.store().catalog, "mnist") else "digits")


def _fill(source: str, runs: list[Run], dataset: str | None) -> Base:
    kind, _, name = source.partition(":")
    if kind == "preset":
        preset = PRESETS[name]
        base = Base(source, preset.short_name, preset.config, preset.name)
    else:
        run = next(run for run in runs if run.id == name)
        base = Base(source, _without_seed(run), run.config, run.meta.preset)
        dataset = run.config.dataset.name
    values = draft.values_of(base.config)
    if dataset:  # a class that works on digits stays there when it turns to another preset
        values["train_dataset"] = dataset
    state.fill(values | {"train_name": "", CONTINUE: False})
    state.fill({SOURCE + ":base": base})
    return base


def _without_seed(run: Run) -> str:
    return run.name.removesuffix(f", seed {run.config.training.seed}")


def _source(runs: list[Run], base: Base) -> None:
    options = [f"preset:{name}" for name in PRESETS] + [f"run:{run.id}" for run in reversed(runs) if run.listed]
    if base.source not in options:  # the run has been deleted since
        options.append(base.source)
    names = {f"run:{run.id}": run.name for run in runs}

    def label(option: str) -> str:
        kind, _, name = option.partition(":")
        return f"{' · '.join(name.split('/'))}" if kind == "preset" else f"run · {names.get(option, 'deleted')}"

    def chosen() -> None:
        option = str(state.widget_value(SOURCE) or FIRST)
        _fill(option, runs, str(state.widget_value("train_dataset") or "") or None)

    st.selectbox(
        "Start from",
        options,
        format_func=label,
        key=SOURCE,
        persist_state="session",
        on_change=chosen,
        help="A published model, or a run of this store. Choosing one sets everything below to its values.",
    )


def _notes(base: Base) -> None:
    """What the chosen model is known for, and which data are missing."""
    preset = PRESETS.get(base.preset or "")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if preset:
            accuracy = preset.published.test_accuracy
            figure = f"Published on MNIST: {theme.percent(accuracy)} right" if accuracy else "No test figure published"
            st.caption(figure, width="content")
            with st.popover("Source", type="tertiary", key="train_about"):
                _about(preset.name)
        if not usable(resources.store().catalog, "mnist"):
            st.caption("MNIST is not here: digits is used.", width="content")
            st.page_link("views/data.py", label="Get MNIST", icon=":material/download:")


def _parent(base: Base, runs: list[Run]) -> None:
    """Whether to start from a run's trained weights, and which."""
    kind, _, run_id = base.source.partition(":")
    run = next((run for run in runs if kind == "run" and run.id == run_id), None)
    if run is not None and run.state in ("finished", "diverged") and run.model_file:

        def switched() -> None:
            state.fill({"train_parent": run_id if state.widget_value(CONTINUE) else base.config.parent or ""})

        st.toggle(
            "Go on from its trained weights",
            key=CONTINUE,
            persist_state="session",
            on_change=switched,
            help=HELP["continue"],
        )
    parent = str(state.widget_value("train_parent") or "")
    if parent and not state.widget_value(CONTINUE):
        preset = PRESETS.get(base.preset or "")
        name = preset.continues if preset and preset.continues else f"run {parent}"
        st.caption(f"Starts from the trained weights of {name}.")


def _continued(base: Base, config: RunConfig) -> RunConfig:
    """`config`, where it is a preset that continues another: that other one's run on the same dataset."""
    preset = PRESETS.get(base.preset or "")
    name = config.dataset.name
    if not (preset and preset.continues and config.parent == preset.config.parent):
        return config
    known = resources.store().catalog.fingerprint(name) if name == "mnist" else resources.dataset(name).fingerprint
    return config.replace(parent=on_dataset(preset, name, known).parent)


def _about(name: str) -> None:
    preset = PRESETS[name]
    figures = preset.published
    said = [
        f"test accuracy {theme.percent(figures.test_accuracy)}" if figures.test_accuracy is not None else "",
        f"test loss {theme.loss(figures.test_loss)}" if figures.test_loss is not None else "",
        figures.note,
    ]
    st.markdown(
        f"**{name}**, from the {preset.source}" if preset.source[0].islower() else f"**{name}**: {preset.source}"
    )
    st.markdown("Published for MNIST: " + ("; ".join(filter(None, said)) or "no figures") + ".")
    if preset.assumptions:
        st.markdown(
            "Not stated by the source, and assumed here:\n" + "\n".join(f"- {text}" for text in preset.assumptions)
        )
    else:
        st.markdown("Nothing had to be assumed.")


def _dataset() -> None:
    catalog = resources.store().catalog
    try:
        names = [name for name in catalog.names() if usable(catalog, name)]
    except MnistCoreError:  # the list of registered files is damaged; the Data page says so
        names = [name for name in BUILT_IN if usable(catalog, name)]
    wanted = state.widget_value("train_dataset")
    if wanted not in names:
        if wanted != "mnist":
            st.warning(f"The dataset {wanted} is not on this machine; training goes on with digits.")
        state.fill({"train_dataset": "digits"})
    titles = {"mnist": "MNIST"}
    st.segmented_control(
        "Train on",
        names,
        format_func=lambda name: titles.get(name, name),
        key="train_dataset",
        persist_state="session",
        required=True,
        help="; ".join(catalog.describe(name) for name in names),
    )


# -- layers ------------------------------------------------------------------------------------------------------------


def _values() -> dict[str, Any]:
    """What all widgets hold."""
    count = int(str(state.widget_value("train_layers")))
    keys = [key for key in draft.values_of(PRESETS["notebook/model_1"].config) if not key.startswith("train_layer_")]
    keys += [draft.layer_key(index, field) for index in range(count) for field in draft.LAYER_FIELDS]
    return {key: state.widget_value(key) for key in keys}


def _layers(values: dict[str, Any], base: Base) -> None:
    count = values["train_layers"]
    if values["train_network"]:
        st.caption(
            f"{base.config.model.summary()}. This network is convolutional; its layers cannot be edited here yet."
        )
        _epochs(base)
        return
    for index in range(count):
        _layer(index, count, values, base)
    epochs, add = st.columns([10, 3], gap="medium", vertical_alignment="center")
    with epochs:
        _epochs(base)
    add.button(
        "Layer",
        icon=":material/add:",
        type="tertiary",
        key="train_add",
        help="Add a layer like the last one",
        disabled=count >= (draft.LAYERS.maximum or 1),
        on_click=lambda: state.fill(draft.with_layer_added(_values())),
    )


def _layer(index: int, count: int, values: dict[str, Any], base: Base) -> None:
    def key(field: str) -> str:
        return draft.layer_key(index, field)

    layers, first = base.config.model.layers, index == 0
    dropout, units, more = st.columns([5, 5, 3], gap="medium", vertical_alignment="center")
    # fine steps only where the start needs them: five hundredths are easier to hit in front of a class
    fine = any(round(la.dropout * 100) % 5 for la in layers)
    dropout.slider(
        f"Layer {index + 1}: dropout",
        draft.DROPOUT.minimum,
        draft.DROPOUT.maximum,
        step=0.01 if fine else 0.05,
        key=key("dropout"),
        persist_state="session",
        help=HELP["dropout"] if first else None,
    )
    units.select_slider(
        "Units",
        draft.whole_numbers(int(draft.UNITS.minimum or 1), int(draft.UNITS.maximum or 1), [la.units for la in layers]),
        key=key("units"),
        persist_state="session",
        help=HELP["units"] if first else None,
    )
    l2 = values[key("l2")]
    label = f"{values[key('activation')]}{f', L2 {draft.scientific(l2)}' if l2 else ''}"
    with more.popover(
        label, type="tertiary", key=f"train_more_{index}", help="Activation, L2 penalty, remove the layer"
    ):
        st.selectbox("Activation", ACTIVATIONS, key=key("activation"), persist_state="session", help=HELP["activation"])
        st.select_slider(
            "L2 penalty",
            [0.0, *draft.decades(1e-6, draft.L2.maximum or 1.0, [la.l2 for la in layers])],
            format_func=draft.scientific,
            key=key("l2"),
            persist_state="session",
            help=HELP["l2"],
        )
        if count > 1:
            st.button(
                f"Remove layer {index + 1}",
                icon=":material/close:",
                key=f"train_remove_{index}",
                on_click=lambda: state.fill(draft.without_layer(_values(), index)),
            )


# -- training settings -------------------------------------------------------------------------------------------------


def _epochs(base: Base) -> None:
    training = base.config.training
    st.select_slider(
        "Epochs",
        draft.whole_numbers(int(draft.EPOCHS.minimum or 1), int(draft.EPOCHS.maximum or 1), [training.epochs]),
        key="train_epochs",
        persist_state="session",
        help=HELP["epochs"],
    )


def _settings(base: Base) -> None:
    training = base.config.training
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
        sizes = [2**power for power in range(14) if 2**power <= (draft.BATCH.maximum or 1)]
        st.select_slider(
            "Batch size",
            sorted({*sizes, training.batch_size}),
            key="train_batch_size",
            persist_state="session",
            help=HELP["batch_size"],
        )
        _validation()
        _stopping()
        low, high = int(draft.SEED.minimum or 0), int(draft.SEED.maximum or 0)
        st.number_input("Seed", low, high, step=1, key="train_seed", persist_state="session", help=HELP["seed"])


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


# -- what it costs, and the start --------------------------------------------------------------------------------------


def _start(base: Base, runs: list[Run]) -> tuple[RunConfig | None, Wish | None]:
    config: RunConfig | None = None
    preset, suggested, problem = None, "", ""
    try:
        config = draft.config_of(_values())
        preset = base.preset if draft.same_recipe(base.config, config) else None
        suggested = draft.suggested_name(base.name, base.config, config)
        config = _continued(base, config)
        if config.parent:
            resources.store().parent(config)  # refuses what is not here or does not fit
        size = timings.images(config.dataset.name)
        if size is not None:
            estimates.cost(config, size)  # refuses a part held out that leaves too little
    except MnistCoreError as error:
        problem = panels.sentence(error)
    _cost(config, runs, sound=not problem)
    left, right = st.columns([3, 2], gap="small", vertical_alignment="bottom")
    name = left.text_input(
        "Name of the run",
        key="train_name",
        persist_state="session",
        max_chars=80,
        placeholder=suggested,
        help="What the run is called on every page. Left empty, it is called as shown.",
    )
    clicked = right.button(
        "Train", type="primary", icon=":material/play_arrow:", width="stretch", disabled=bool(problem), key="train_go"
    )
    if problem:
        st.error(problem, icon=":material/error:")
    if not clicked or config is None:
        return config, None
    start = base.config.replace(dataset__name=config.dataset.name)
    return config, Wish(config, name.strip() or suggested, preset, start)


def _cost(config: RunConfig | None, runs: list[Run], *, sound: bool) -> None:
    if config is None:
        st.markdown("–")
        return
    found = timings.estimate(config, runs) if sound else None
    text = f"**{theme.count(config.model.parameter_count())}** parameters"
    if found:
        most = "at most " if config.training.early_stopping else ""
        text += f", **{most}≈ {theme.duration(found.seconds)}**"
        basis = f"estimated from {found.runs} run{'' if found.runs == 1 else 's'} measured on this machine"
    elif not sound:
        basis = "no time estimate: see below"
    else:
        basis = "no time estimate: no run has been measured on this machine yet"
    st.markdown(
        f"{text} :small[:gray[({basis})]]",
        help="Parameters are the numbers that training adjusts. The time is fitted to the seconds per epoch of ended "
        "runs: a price for each batch, and one for each parameter and image.",
    )


def _layer_table(config: RunConfig | None) -> None:
    with st.expander("Layer by layer", key="train_table", icon=":material/account_tree:"):
        if config is None:
            st.caption("The settings above need mending first.")
            return
        st.table(
            {
                "Layer": [row.name for row in config.model.layer_table()],
                "What it does": [row.detail for row in config.model.layer_table()],
                "Outputs": [
                    "×".join(theme.count(size) for size in row.output_shape) for row in config.model.layer_table()
                ],
                "Parameters": [theme.count(row.parameters) for row in config.model.layer_table()],
            },
            border="horizontal",
            hide_index=True,
        )
