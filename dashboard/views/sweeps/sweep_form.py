"""The form that starts a sweep or a search: a published one, or a grid of the user's."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from dashboard import resources, state
from dashboard.cache import CACHE, cached, size_of
from dashboard.shared import panels, timings
from dashboard.shared.datasets import usable
from mnist_core.constants import MNIST_TRAIN_IMAGES
from mnist_core.errors import ConfigError
from mnist_core.experiments.axis_words import axis_words
from mnist_core.experiments.configs import HeldOutValidation, RunConfig, TrainingConfig
from mnist_core.experiments.fields import bounds
from mnist_core.experiments.grids import MOST_RUNS, SWEEPS, SweepSpec, axes, expand, parse_spec
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import Setting
from mnist_core.experiments.spaces import SEARCHES, SearchSpec, extreme_values
from mnist_core.files import parse_json
from mnist_core.plots import style
from mnist_core.runs.run import Run
from mnist_core.studies.kinds import request
from mnist_core.text import data_name, for_markdown

OWN = "own"
NONE = ""
FIRST = f"sweep:{next(iter(SWEEPS))}"
FIRST_FIELD = "training.learning_rate"
FORM = "sweep_form"
LINK = ("what", "base", "vary", "values", "vary2", "values2", "dataset", "epochs")
"""What of the link is this form's; `vary` and `values` are an axis and its values, as they are typed."""
FIELDS = (("vary", "values"), ("vary2", "values2"))
_PROBLEMS = "sweep_link_problems"
LIMITS = bounds(TrainingConfig, "epochs")


def options() -> list[str]:
    """Return the options of the form: published sweeps and searches, and a grid of the user's."""
    return [*(f"{kind}:{name}" for kind, form in KINDS.items() for name in form.published), OWN]


def choice_words(path: str, setting: Setting) -> str:
    """Return the name of an axis in the select boxes."""
    return f"{setting.words} of every layer" if path.startswith("model.layers.") else setting.words


def axis_link(path: str, setting: Setting) -> str:
    """Return the name of an axis in the link."""
    return setting.name if path.startswith("model.layers.") else setting.link


def example(setting: Setting) -> str:
    """Return some values of a setting, as a person types them."""
    return ", ".join(f"{value:g}" if isinstance(value, float) else json.dumps(value).strip('"')
                     for value in setting.examples())  # fmt: skip


def take() -> None:
    """Fill the form from the link, if the link is new."""
    link = state.arriving_link(FORM, LINK)
    if link is None:
        return
    problems: list[str] = []

    def known(name: str, choices: Collection[str], default: str) -> str:
        text = link.get(name, default)
        if text not in choices:
            problems.append(f"{name}={text[:40]} is none of {', '.join(choices)}")
        return text if text in choices else default

    base = known("base", PRESETS, next(iter(PRESETS)))
    filled: dict[str, object] = {"sweep_what": known("what", options(), FIRST), "sweep_base": base}
    paths = {axis_link(path, setting): path for path, setting in axes(PRESETS[base].config).items()}
    for number, (axis, values) in enumerate(FIELDS, start=1):
        path = paths.get(known(axis, [NONE] * (number == 2) + list(paths), NONE if number == 2 else "learning_rate"))
        filled[f"sweep_field_{number}"] = path or NONE
        if path and values in link:
            filled[values_key(number, path)] = link[values]
    epochs = link.get("epochs", "")
    fits = epochs.isdecimal() and len(epochs) < 6 and (LIMITS.minimum or 1) <= int(epochs) <= (LIMITS.maximum or 1)
    if epochs and not fits:
        problems.append(f"epochs={epochs[:40]} must be a whole number from {LIMITS.minimum} to {LIMITS.maximum}")
    filled["sweep_epochs"] = int(epochs) if fits else None
    if "dataset" in link:
        filled["sweep_dataset"] = known("dataset", _datasets(), str(state.widget_value("sweep_dataset") or "digits"))
    state.fill(filled | {_PROBLEMS: problems})


def write() -> None:
    """Write the content of the form into the link."""
    link = {"what": str(state.widget_value("sweep_what")), "dataset": str(state.widget_value("sweep_dataset"))}
    epochs = state.widget_value("sweep_epochs")
    if epochs is not None:
        link["epochs"] = str(epochs)
    if link["what"] == OWN:
        base = str(state.widget_value("sweep_base"))
        link["base"] = base
        known = axes(PRESETS[base].config)
        for number, (axis, values) in enumerate(FIELDS, start=1):
            path = str(state.widget_value(f"sweep_field_{number}") or NONE)
            if path in known:
                link[axis] = axis_link(path, known[path])
                text = state.widget_value(values_key(number, path))
                link |= {values: str(text)} if text not in (None, example(known[path])) else {}
    if state.write_link(FORM, LINK, link):
        state.fill({_PROBLEMS: None})


def values_key(number: int, path: str) -> str:
    """Return the key of the box with the values of an axis."""
    return f"sweep_values_{number}_{path}"


def _datasets() -> list[str]:
    catalog = resources.store().catalog
    return [name for name in catalog.names() if usable(catalog, name)]


def start_form() -> None:
    """Draw the form. A click on Start hands the runs over and opens the new sweep or search."""
    take()
    if problems := state.widget_value(_PROBLEMS):
        assert isinstance(problems, list)
        st.warning(f"Not used of the link: {for_markdown('; '.join(problems))}.", icon=":material/link_off:")
    choice = st.selectbox("What to train", options(), format_func=_label, key="sweep_what", persist_state="session")
    spec: SweepSpec | SearchSpec | None = None
    with panels.errors_as_messages():
        if choice == OWN:
            spec = _own()
        else:
            kind, _, name = str(choice).partition(":")
            spec = KINDS[kind].published[name]
            _about(spec)
        spec = _changed(spec)
        _start(spec)
    write()


def _label(option: str) -> str:
    kind, _, name = option.partition(":")
    return "a grid of your own" if option == OWN else f"{' · '.join(name.split('/'))} ({kind})"


def _about(spec: SweepSpec | SearchSpec) -> None:
    st.caption(f"{for_markdown(spec.note[:1].upper() + spec.note[1:])}. From a {for_markdown(spec.source)}.")
    if spec.assumptions:
        with st.popover("Assumed", type="tertiary", key="sweep_assumed"):
            st.markdown("Not stated by the source, and assumed here:\n" + "\n".join(f"- {a}" for a in spec.assumptions))


def _own() -> SweepSpec:
    """Draw the boxes of a grid over one or two settings, and return the grid."""
    base = st.selectbox(
        "Start from", list(PRESETS), format_func=lambda name: " · ".join(name.split("/")), key="sweep_base",
        persist_state="session",
    )  # fmt: skip
    known = axes(PRESETS[str(base)].config)
    words = {path: choice_words(path, setting) for path, setting in known.items()}
    grid: dict[str, list[Any]] = {}
    for number, word in ((1, "Vary"), (2, "and vary")):
        fields = list(known) if number == 1 else [NONE, *known]
        key = f"sweep_field_{number}"
        if state.widget_value(key) not in fields:  # layers of the model before had it
            state.fill({key: FIRST_FIELD if number == 1 else NONE})
        left, right = st.columns([2, 3], gap="small")
        path = left.selectbox(
            word, fields, format_func=lambda item: words.get(item, "nothing else"), key=key, persist_state="session"
        )
        if not path:
            continue
        box = values_key(number, path)
        if state.widget_value(box) is None:
            state.fill({box: example(known[path])})
        text = right.text_input(
            f"Values of {words[path]}",
            key=box,
            persist_state="session",
            help=f"{known[path].help} Separated by commas.",
        )
        if path in grid:
            raise ConfigError(f"{words[path]} is varied twice; choose another field for the second")
        grid[path] = values_of(text)
    varied = " × ".join(axis_words(grid, PRESETS[str(base)].config).values())
    name = f"{str(base).rpartition('/')[2]}: {varied}"
    return parse_spec({"name": name[:60], "base": base, "grid": grid})


def values_of(text: str) -> list[Any]:
    """Return the typed values, which commas separate: numbers where they are numbers, else words."""
    found: list[Any] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(parse_json(part))
        except ValueError:
            found.append(part)
    return list(dict.fromkeys(found))


def _changed(spec: Any) -> Any:
    """Return the spec with the chosen dataset and number of epochs."""
    names = _datasets()
    left, right = st.columns([2, 3], gap="small")
    if state.widget_value("sweep_dataset") not in names:
        state.fill({"sweep_dataset": "mnist" if "mnist" in names else "digits"})
    dataset = left.selectbox("Train on", names, format_func=data_name, key="sweep_dataset", persist_state="session")
    changes: dict[str, Any] = {"dataset.name": dataset}
    planned = KINDS[spec.kind].first(spec).training
    epochs = right.number_input(
        "Epochs of each run",
        int(LIMITS.minimum or 1),
        int(LIMITS.maximum or 1),
        value=None,
        placeholder=f"{planned.epochs}, as described",
        key="sweep_epochs",
        persist_state="session",
    )
    if epochs is not None:
        changes["training.epochs"] = int(epochs)
    if dataset != "mnist" and isinstance(spec.base, str):
        held = planned.validation
        if isinstance(held, HeldOutValidation) and held.count is not None:
            # so many images were meant as a share of MNIST
            share = held.count / MNIST_TRAIN_IMAGES
            changes["training.validation"] = {"source": "held_out", "fraction": round(share, 4)}
            st.caption(f"On {for_markdown(dataset)}, {100 * share:.0f} % of the training images are held out.")
    return spec.with_fixed(changes)


class StudyPlan(NamedTuple):
    """What a click on Start would request.

    size, what: how many, of what. cost: a sentence on the time it takes; empty where that depends on the results.
    weights: whether new runs keep their weights.
    """

    size: int
    what: str
    cost: str
    weights: bool


def _plan_sweep(spec: SweepSpec) -> StudyPlan:
    """Return the plan; draw the box that decides whether weights are kept."""
    points = cached(expand, spec)
    few = len(points) <= 20
    cost = _cost([point.config for point in points])
    weights = st.checkbox(
        "Keep the weights of every run",
        value=few,
        key=f"sweep_weights_{few}",
        help="Needed to go on from a run or to draw digits for it. Figures and mistakes are there without.",
    )
    return StudyPlan(len(points), "runs", cost, weights)


def _first_of_sweep(spec: SweepSpec) -> RunConfig:
    config: RunConfig = cached(expand, spec)[0].config
    return config


class KindForm(NamedTuple):
    """What the form needs to know of a kind of study: published specs, the first configuration of one, its plan."""

    published: Mapping[str, SweepSpec | SearchSpec]
    first: Callable[[Any], RunConfig]
    plan: Callable[[Any], StudyPlan]


KINDS: Mapping[str, KindForm] = {
    "sweep": KindForm(SWEEPS, _first_of_sweep, _plan_sweep),
    "search": KindForm(
        SEARCHES,
        lambda spec: spec.config(extreme_values(spec, 0)),
        lambda spec: StudyPlan(spec.trial_count, "trials", "", True),
    ),
}


def _start(spec: SweepSpec | SearchSpec) -> None:
    count, what, cost, weights = KINDS[spec.kind].plan(spec)
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


def _missing(runs: Sequence[Run], configs: Sequence[RunConfig]) -> tuple[list[RunConfig], float | None]:
    """Return what of `configs` is not trained yet, and about how many seconds it takes one after the other."""
    trained = {run.config for run in runs if run.state == "finished" and not run.recorded}
    missing = [config for config in configs if config not in trained]
    return missing, timings.total(missing, list(runs)) if missing else None


def _cost(configs: list[RunConfig]) -> str:
    """Return a sentence on the time that the runs still to be trained will take."""
    found = resources.snapshot()
    key = ("sweep cost", found.number, timings.images(configs[0].dataset.name), *configs)
    missing, seconds = CACHE.get(key, lambda: _missing(found.runs, configs), size_of)
    if not missing:
        return f" All {len(configs)} are trained already."
    if seconds is None:
        return " No time estimate: no run on such a processor yet."
    at_once = max(1, resources.runner().status().workers)
    most = "at most " if any(config.training.early_stopping for config in missing) else ""
    which = f"the {len(missing)} that are missing" if len(missing) < len(configs) else "all"
    together = f", with {at_once} at once" if at_once > 1 else ""
    return f" For {which}: {most}≈ {style.duration(seconds / at_once)}{together}."


def hand_over(spec: SweepSpec | SearchSpec, keep_weights: bool = True) -> str:
    """Request the training. Return the name in the link, such as ``sweep-0123456789ab``."""
    store, runner = resources.store(), resources.runner()
    resources.watch().again()
    study = request(store, runner, spec, keep_weights=keep_weights)
    return f"{study.kind}-{study.id}"
