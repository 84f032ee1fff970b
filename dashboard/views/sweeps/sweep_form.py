"""Starting a sweep or a search: a published one, or a grid of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels, timings
from dashboard.shared.datasets import usable
from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import OPTIMIZERS, RunConfig, TrainingConfig
from mnist_core.experiments.fields import bounds
from mnist_core.experiments.grids import MOST_RUNS, SWEEPS, SweepSpec, expand, parse_spec
from mnist_core.experiments.layers import ACTIVATIONS
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.spaces import SEARCHES, SearchSpec
from mnist_core.files import parse_json
from mnist_core.plots import style
from mnist_core.studies import searches, sweeps
from mnist_core.text import for_markdown

OWN = "own"
FIELDS = {
    "training.learning_rate": "learning rate",
    "model.layers.*.dropout": "dropout of every layer",
    "model.layers.*.l2": "L2 penalty of every layer",
    "model.layers.*.activation": "activation of every layer",
    "training.batch_size": "batch size",
    "training.optimizer": "optimizer",
    "training.epochs": "epochs",
    "training.seed": "seed",
    "stack.units": "units of the first layer",
    "stack.depth": "number of layers",
    "stack.ratio": "width from layer to layer (1 constant, 0.5 halved)",
}
EXAMPLES = {
    "training.learning_rate": "0.0001, 0.001, 0.01",
    "model.layers.*.dropout": "0, 0.2, 0.4, 0.6",
    "model.layers.*.l2": "0, 0.0001, 0.001, 0.01",
    "model.layers.*.activation": ", ".join(ACTIVATIONS),
    "training.batch_size": "32, 128, 512",
    "training.optimizer": ", ".join(OPTIMIZERS),
    "training.epochs": "2, 5, 10",
    "training.seed": "0, 1, 2, 3, 4",
    "stack.units": "16, 32, 64, 128",
    "stack.depth": "1, 2, 3",
    "stack.ratio": "1, 0.5",
}
NONE = ""


def start_form() -> None:
    """The form; a click on Start hands the runs over and opens what was started."""
    options = [*(f"sweep:{name}" for name in SWEEPS), *(f"search:{name}" for name in SEARCHES), OWN]
    choice = st.selectbox("What to train", options, format_func=_label, key="sweep_what", persist_state="session")
    spec: SweepSpec | SearchSpec | None = None
    with panels.in_words():
        if choice == OWN:
            spec = _own()
        else:
            kind, _, name = str(choice).partition(":")
            spec = SWEEPS[name] if kind == "sweep" else SEARCHES[name]
            _about(spec)
        spec = _changed(spec)
        _start(spec)


def start_from(kind: str, name: str) -> None:
    """Have the form show a published sweep or search, for a page that sends people here."""
    state.fill({"sweep_what": f"{kind}:{name}"})


def _label(option: str) -> str:
    kind, _, name = option.partition(":")
    return "a grid of your own" if option == OWN else f"{' · '.join(name.split('/'))} ({kind})"


def _about(spec: SweepSpec | SearchSpec) -> None:
    st.caption(f"{for_markdown(spec.note[:1].upper() + spec.note[1:])}. From a {for_markdown(spec.source)}.")
    if spec.assumptions:
        with st.popover("Assumed", type="tertiary", key="sweep_assumed"):
            st.markdown("Not stated by the source, and assumed here:\n" + "\n".join(f"- {a}" for a in spec.assumptions))


def _own() -> SweepSpec:
    """A grid over one or two fields, as the boxes describe it."""
    base = st.selectbox(
        "Start from", list(PRESETS), format_func=lambda name: " · ".join(name.split("/")), key="sweep_base",
        persist_state="session",
    )  # fmt: skip
    grid: dict[str, list[Any]] = {}
    for number, word in ((1, "Vary"), (2, "and vary")):
        fields = list(FIELDS) if number == 1 else [NONE, *FIELDS]
        left, right = st.columns([2, 3], gap="small")
        path = left.selectbox(
            word, fields, format_func=lambda item: FIELDS.get(item, "nothing else"), key=f"sweep_field_{number}",
            persist_state="session",
        )  # fmt: skip
        if not path:
            continue
        text = right.text_input(
            f"Values of {FIELDS[path]}",
            value=EXAMPLES[path],
            key=f"sweep_values_{number}_{path}",
            help="Separated by commas.",
        )
        if path in grid:
            raise ConfigError(f"{FIELDS[path]} is varied twice; choose another field for the second")
        grid[path] = values_of(text)
    name = f"{base}, {' and '.join(FIELDS[path].partition(' (')[0] for path in grid)}"
    return parse_spec({"name": name[:60], "base": base, "grid": grid})


def values_of(text: str) -> list[Any]:
    """What a person typed, separated by commas: numbers where they are such, else words."""
    found: list[Any] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(parse_json(part))
        except ValueError:
            found.append(part)
    return list(dict.fromkeys(found))


def _changed(spec: Any) -> Any:
    """The spec on the dataset and with the epochs that were chosen."""
    catalog = resources.store().catalog
    names = [name for name in catalog.names() if usable(catalog, name)]
    left, right = st.columns([2, 3], gap="small")
    if state.widget_value("sweep_dataset") not in names:
        state.fill({"sweep_dataset": "mnist" if "mnist" in names else "digits"})
    dataset = left.selectbox("Train on", names, key="sweep_dataset", persist_state="session")
    changes: dict[str, Any] = {"dataset.name": dataset}
    limits = bounds(TrainingConfig, "epochs")
    planned = (expand(spec)[0].config if isinstance(spec, SweepSpec) else spec.config(_first(spec))).training
    epochs = right.number_input(
        "Epochs of each run",
        int(limits.minimum or 1),
        int(limits.maximum or 1),
        value=None,
        placeholder=f"{planned.epochs}, as described",
        key="sweep_epochs",
        persist_state="session",
    )
    if epochs is not None:
        changes["training.epochs"] = int(epochs)
    if dataset != "mnist" and isinstance(spec.base, str):
        held = planned.validation
        if held.source == "held_out" and held.count is not None:
            # so many images were meant as a share of MNIST
            changes["training.validation"] = {"source": "held_out", "fraction": round(held.count / 60_000, 4)}
            st.caption(
                f"On {for_markdown(dataset)}, {100 * held.count / 60_000:.0f} % of the training images are held out."
            )
    return spec.with_fixed(changes)


def _first(spec: SearchSpec) -> dict[str, Any]:
    from mnist_core.experiments.spaces import corner

    return corner(spec, 0)


def _start(spec: SweepSpec | SearchSpec) -> None:
    cost = ""
    if isinstance(spec, SweepSpec):
        points = expand(spec)
        count, what = len(points), "runs"
        cost = _cost([point.config for point in points])
        weights = st.checkbox(
            "Keep the weights of every run",
            value=count <= 20,
            key=f"sweep_weights_{count <= 20}",
            help="Needed to go on from a run or to draw digits for it. Figures and mistakes are there without.",
        )
    else:
        count, what, weights = spec.trial_count, "trials", True
    left, right = st.columns([2, 3], gap="small", vertical_alignment="center")
    clicked = left.button("Start", type="primary", icon=":material/play_arrow:", key="sweep_go", width="stretch")
    right.caption(
        f"{count} {what} (at most {MOST_RUNS:,}); those that are trained already are not trained again.{cost}"
    )
    if clicked:
        with st.spinner("Handing over to the training service …"):
            action: Callable[[], str] = lambda: hand_over(spec, weights)  # noqa: E731
            opened = action()
        state.set_link(sweep=opened)
        st.rerun()


def _cost(configs: list[RunConfig]) -> str:
    """How long the runs that are still to be trained will take, as a sentence."""
    runs = resources.scan()[0]
    trained = {run.config for run in runs if run.state == "finished"}
    missing = [config for config in configs if config not in trained]
    if not missing:
        return f" All {len(configs)} are trained already."
    seconds = timings.total(missing, runs)
    if seconds is None:
        return " No time estimate: no run has been measured on this machine yet."
    at_once = max(1, resources.runner().status().workers)
    most = "at most " if any(config.training.early_stopping for config in missing) else ""
    which = f"the {len(missing)} that are missing" if len(missing) < len(configs) else "all"
    together = f", with {at_once} at once" if at_once > 1 else ""
    return f" For {which}: {most}≈ {style.duration(seconds / at_once)}{together}."


def hand_over(spec: SweepSpec | SearchSpec, keep_weights: bool = True) -> str:
    """Have it trained; what the link calls it, such as ``sweep-0123456789ab``."""
    store, runner = resources.store(), resources.runner()
    resources.watch().again()
    if isinstance(spec, SweepSpec):
        return f"sweep-{sweeps.start(store, runner, spec, keep_weights=keep_weights)[0].id}"
    search = searches.add(store, spec)
    if searches.state(store, search) == "stopped":
        searches.spawn(store, search.id)
    return f"search-{search.id}"
