"""The training form: where to start from, the layers, the training settings, and what they would cost.

Everything is one fragment, so that a slider answers while it moves and the rest of the page stays as it is. The values
live in widgets that survive a change of page, by the paths of `mnist_core.experiments.settings`, and in the link
(`dashboard.views.train.form_link`).
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels, timings
from dashboard.shared.datasets import usable
from dashboard.views.train import draft, form_link, layer_form, settings_form, touch
from dashboard.views.train.form_link import Base
from mnist_core.comparison.recipes import MOST_SEEDS, with_seed_name, with_seeds, without_seed
from mnist_core.data.datasets import BUILT_IN
from mnist_core.errors import MnistCoreError
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.presets import PRESETS, on_dataset
from mnist_core.experiments.settings import config_of
from mnist_core.jobs import estimates
from mnist_core.jobs.request import RunRequest
from mnist_core.plots import style
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown

CONTINUE_HELP = (
    "Start from the weights that this run ended with, not from freshly drawn ones: to go on with another learning "
    "rate, for example. The layers and their units must stay as they are."
)


NOTICE = "train_notice"
MOST_BUTTONS = 2
"""Datasets that have room side by side; more are a list."""


@dataclass(frozen=True)
class TrainingRequest:
    """A training that a person requests.

    base: the recipe that filled the form, on the same dataset. seeds: number of runs requested that differ in their
    seeds only. delay_s: slow motion.
    """

    config: RunConfig
    name: str
    preset: str | None
    base: RunConfig
    seeds: int = 1
    delay_s: float = 0.0

    def run_requests(self) -> list[RunRequest]:
        """Return the runs to request; several differ in the seed at the end of their name."""
        if self.seeds == 1:
            return [RunRequest(self.config, self.name, self.preset, delay_s=self.delay_s)]
        stem = without_seed(self.name, self.config.training.seed)
        return [
            RunRequest(config, with_seed_name(stem, config.training.seed), self.preset, delay_s=self.delay_s)
            for config in with_seeds(self.config, self.seeds)
        ]


def training_form(runs: list[Run]) -> TrainingRequest | None:
    """Draw the form; return the training requested by the click that led to this rerun, or None."""
    base = form_link.base(runs)
    form_link.problems()
    source, dataset = st.columns([3, 2], gap="medium")
    with source:
        _source(runs, base)
    with dataset:
        _dataset()
    _notes(base)
    _parent(base, runs)
    layer_form.dropout_for_all(form_link.values)
    settings_form.epochs_slider(base.start)
    start = st.container()
    layer_form.layer_form(form_link.values, base.start)
    layer_form.add_menu(form_link.values)
    places = settings_form.settings_form(form_link.values(), base.start)
    # drawn into its place last, as it says what all the others add up to
    with start:
        config, wish = _start(base, runs)
        _notice()
    if config is not None:
        settings_form.rate_picture(places.rate, config.training)
        settings_form.preview(places.preview, config.training.augmentation, config.dataset.name)
    _layer_table(config)
    form_link.write(base)
    return wish


# -- where to start from -----------------------------------------------------------------------------------------------


def _source(runs: list[Run], base: Base) -> None:
    options = [f"preset:{name}" for name in PRESETS]
    options += [f"run:{run.id}" for run in reversed(runs) if run.listed and not run.recorded]
    if base.source not in options:  # the run has been deleted since
        options.append(base.source)
    names = {f"run:{run.id}": run.name for run in runs}

    def label(option: str) -> str:
        kind, _, name = option.partition(":")
        return f"{' · '.join(name.split('/'))}" if kind == "preset" else f"run · {names.get(option, 'deleted')}"

    def chosen() -> None:
        option = str(state.widget_value(form_link.SOURCE) or form_link.FIRST)
        form_link.start_from(option, runs, str(state.widget_value("train_dataset") or "") or None)

    st.selectbox(
        "Start from",
        options,
        format_func=label,
        key=form_link.SOURCE,
        persist_state="session",
        on_change=chosen,
        help="A published model, or a run of this store. Choosing one sets everything below to its values.",
    )


def _notes(base: Base) -> None:
    """Draw the notes on the chosen model, and on data that are missing."""
    preset = PRESETS.get(base.preset or "")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if preset:
            accuracy = preset.published.test_accuracy
            name = str(state.widget_value("train_dataset") or "mnist")
            if accuracy is None:
                figure = "No test figure published"
            elif name == "mnist":
                figure = f"Published on MNIST: {style.percent(accuracy)} right"
            else:
                figure = f"No published figure on {name}"
            st.caption(for_markdown(figure), width="content")
            with st.popover("Source", type="tertiary", key="train_about"):
                _about(preset.name)
        if not usable(resources.store().catalog, "mnist"):
            st.caption("MNIST is not here: digits is used.", width="content")
            st.page_link("views/data.py", label="Get MNIST", icon=":material/download:")


def _parent(base: Base, runs: list[Run]) -> None:
    """Draw the choice of a run whose trained weights the training starts from."""
    kind, _, run_id = base.source.partition(":")
    run = next((run for run in runs if kind == "run" and run.id == run_id), None)
    if run is not None and run.ended_well and run.model_file:

        def switched() -> None:
            state.fill({"train_parent": run_id if state.widget_value(form_link.CONTINUE) else base.config.parent or ""})

        st.toggle(
            "Go on from its trained weights",
            key=form_link.CONTINUE,
            persist_state="session",
            on_change=switched,
            help=CONTINUE_HELP,
        )
    parent = str(state.widget_value("train_parent") or "")
    if parent and not state.widget_value(form_link.CONTINUE):
        preset = PRESETS.get(base.preset or "")
        name = preset.continues if preset and preset.continues else f"run {parent}"
        st.caption(f"Starts from the trained weights of {for_markdown(name)}.")


def _continued(base: Base, config: RunConfig) -> RunConfig:
    """Return `config`, where it is a preset that continues another: that other one's run on the same dataset."""
    preset = PRESETS.get(base.preset or "")
    name = config.dataset.name
    if not (preset and preset.continues and config.parent == preset.config.parent):
        return config
    known = resources.store().catalog.fingerprint(name) if name == "mnist" else resources.dataset(name).fingerprint
    return config.replace(parent=on_dataset(preset, name, known).parent)


def _about(name: str) -> None:
    preset = PRESETS[name]
    figures = preset.published
    parts = [
        f"test accuracy {style.percent(figures.test_accuracy)}" if figures.test_accuracy is not None else "",
        f"test loss {style.loss(figures.test_loss)}" if figures.test_loss is not None else "",
        figures.note,
    ]
    st.markdown(
        f"**{name}**, from the {preset.source}" if preset.source[0].islower() else f"**{name}**: {preset.source}"
    )
    st.markdown("Published for MNIST: " + ("; ".join(filter(None, parts)) or "no figures") + ".")
    for error in figures.errors:
        st.markdown(f"The source’s own error: {for_markdown(error)}.")
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
            st.warning(f"The dataset {for_markdown(str(wanted))} is not on this machine; training goes on with digits.")
        state.fill({"train_dataset": "digits"})
    help = for_markdown("; ".join(catalog.describe(name) for name in names))
    if len(names) <= MOST_BUTTONS:
        st.segmented_control(
            "Train on", names, format_func=lambda name: for_markdown(data_name(name)), key="train_dataset",
            persist_state="session", required=True, help=help,
        )  # fmt: skip
    else:  # more buttons than these would be cut off
        st.selectbox(
            "Train on", names, format_func=data_name, key="train_dataset",
            persist_state="session", help=help,
        )  # fmt: skip


def _notice() -> None:
    """Draw the result of the last click on the button above it."""
    notice = state.widget_value(NOTICE)
    if isinstance(notice, MnistCoreError):
        st.error(panels.markdown_sentence(notice), icon=":material/error:")
    elif notice:
        st.info(for_markdown(str(notice)), icon=":material/info:")


# -- what it costs, and the start --------------------------------------------------------------------------------------


def _start(base: Base, runs: list[Run]) -> tuple[RunConfig | None, TrainingRequest | None]:
    config: RunConfig | None = None
    preset, suggested, problem = None, "", ""
    try:
        config = config_of(form_link.values())
        preset = base.preset if draft.same_recipe(base.config, config) else None
        suggested = draft.suggested_name(base.name, base.config, config)
        config = _continued(base, config)
        if config.parent:
            resources.store().parent(config)  # refuses what is not here or does not fit
        size = timings.images(config.dataset.name)
        if size is not None:
            estimates.cost(config, size)  # refuses a part held out that leaves too little
        with_seeds(config, _seeds())  # refuses seeds beyond their bound
    except MnistCoreError as error:
        problem = panels.markdown_sentence(error)
    seeds = _seeds()
    _cost(config, runs, seeds, sound=not problem)
    left, middle, right = st.columns([5, 3, 4], gap="small", vertical_alignment="bottom")
    middle.number_input(
        "Seeds",
        1,
        MOST_SEEDS,
        value=None,
        step=1,
        placeholder="1",
        key=form_link.SEEDS,
        persist_state="session",
        help="Train the same recipe so many times, from as many random starts. Their spread shows how much of a "
        "result is luck; three are the least from which it can be told.",
    )
    name = left.text_input(
        "Name of the run",
        key=form_link.NAME,
        persist_state="session",
        max_chars=80,
        placeholder=suggested,
        help="What the run is called on every page. Left empty, it is called as shown.",
    )
    known = None if problem or config is None or seeds > 1 else _trained(config, runs)
    clicked = right.button(
        "Show it" if known else "Train" if seeds == 1 else f"Train {seeds} seeds",
        type="primary",
        icon=":material/show_chart:" if known else ":material/play_arrow:",
        width="stretch",
        disabled=bool(problem),
        key="train_go",
    )
    # below the button, which is to be on a laptop's first screen
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="train_below"):
        slow = st.toggle("Slow motion", key="train_slow", persist_state="session", help=touch.SLOW_HELP)
        if known and not problem:  # next to the switch, so that nothing moves when a run ends
            st.caption(
                "Trained already. Move a slider to train again.",
                help=f"This very training is in the store: {for_markdown(known.name)}. Move a slider to train "
                "something new, or ask for two seeds or more.",
            )
    if problem:
        st.error(problem, icon=":material/error:")
    if not clicked or config is None:
        return config, None
    start = base.config.replace(dataset__name=config.dataset.name)
    delay_s = touch.SLOW_S if slow else 0.0
    return config, TrainingRequest(config, name.strip() or suggested, preset, start, seeds, delay_s)


def _trained(config: RunConfig, runs: list[Run]) -> Run | None:
    """Return the finished run of this very configuration, on the data as they are here; None where there is none."""
    mine = (run for run in runs if run.recorded is None and run.state == "finished")
    return next((run for run in mine if run.config == config), None)


def _seeds() -> int:
    """Draw the choice of the number of runs of the recipe, and return it."""
    return int(str(state.widget_value(form_link.SEEDS) or 1))


def _cost(config: RunConfig | None, runs: list[Run], seeds: int, *, sound: bool) -> None:
    if config is None:
        st.markdown("–  \n:small[:gray[no time estimate: see below]]")
        return
    found = timings.estimate(config, runs) if sound else None
    text = f"**{style.count(config.model.parameter_count())}** parameters"
    if found:
        most = "at most " if config.training.early_stopping else ""
        text += f", **{most}≈ {style.duration(found.seconds)}**" + (" a seed" if seeds > 1 else "")
        basis = f"estimated from {found.runs} run{'' if found.runs == 1 else 's'} on a processor of this kind"
    elif not sound:
        basis = "no time estimate: see below"
    else:
        basis = "no time estimate: no run on such a processor yet"
    # two lines whatever they say, so that the button below them stays where it is
    st.markdown(
        f"{text}  \n:small[:gray[{basis}]]",
        help="Parameters are the numbers that training adjusts. The time is fitted to the seconds per epoch of ended "
        "runs, also of those that ship with the project: a price for each batch, and one for each parameter and image. "
        "A run records the processor that it was trained on, but not the machine.",
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
                    "×".join(style.count(size) for size in row.output_shape) for row in config.model.layer_table()
                ],
                "Parameters": [style.count(row.parameters) for row in config.model.layer_table()],
            },
            border="horizontal",
            hide_index=True,
        )
