"""The values of the training form, and the link that opens the same form elsewhere.

`?base=notebook/model_1&dropout=0.5&epochs=5` is model_1 with these changes. `run=…` names the run of this store that
the form was filled from; its differences are then given from a published model, so that the link also works in a store
without that run. If `base` is missing, they are differences from the run. The names of the settings are those of
`mnist_core.experiments.links`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import resources, state
from dashboard.shared.datasets import usable
from dashboard.views.train import draft
from mnist_core.comparison.recipes import MOST_SEEDS, without_seed
from mnist_core.experiments import links
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.presets import PRESETS
from mnist_core.experiments.settings import config_of, values_of
from mnist_core.runs.recorded import OUTSIDE
from mnist_core.runs.records import LONGEST_NAME
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

SOURCE, CONTINUE, SEEDS, NAME = "train_source", "train_continue", "train_seeds", "train_name"
FIRST_PRESET = "notebook/model_1"
FIRST = f"preset:{FIRST_PRESET}"
FIRST_DROPOUTS = (0.5, 0.4, 0.3, 0.1, 0.0, 0.6)
BASE_KEY, RUN_KEY, SEEDS_KEY, NAME_KEY = "base", "run", "seeds", "name"
OWN_KEYS = (BASE_KEY, RUN_KEY, SEEDS_KEY, NAME_KEY, *links.KEYS)
SHARED_KEYS = (state.CHOSEN, state.BASELINE, state.WEIGHTS, state.PRESENT)
FORM, _BASE, _PROBLEMS = "train", "train_base", "train_link_problems"


@dataclass(frozen=True)
class Base:
    """The source that last filled the form.

    source: ``preset:…`` or ``run:…``. preset: the preset with this recipe, if there is one.
    start: the values that filled the form, with the changes of a link.
    reference: the preset from which the link gives the differences.
    """

    source: str
    name: str
    config: RunConfig
    preset: str | None
    start: Mapping[str, Any]
    reference: str


def values() -> dict[str, Any]:
    """Return the values of all widgets, by the paths of the settings."""
    return draft.read_values(state.widget_value)


def base(runs: list[Run]) -> Base:
    """Return the source that filled the form; the first time, model_1 on the best dataset that is here."""
    found = state.widget_value(_BASE)
    return found if isinstance(found, Base) else start_from(FIRST, runs, _best_dataset())


def _one_step_away(start: dict[str, Any], runs: list[Run]) -> dict[str, Any]:
    """Return the form's first values: with another dropout where this very run is stored, so that Train trains.

    It is the first of `FIRST_DROPOUTS` that has not been trained yet; where all have been, nothing is changed.
    """
    known = {run.config for run in runs if run.recorded is None and run.state == "finished"}
    paths = [path for path in start if path.endswith(".dropout")]
    for dropout in (None, *FIRST_DROPOUTS):
        values = start if dropout is None else start | dict.fromkeys(paths, dropout)
        if config_of(values) not in known:
            return values
    return start


def _best_dataset() -> str:
    return "mnist" if usable(resources.store().catalog, "mnist") else "digits"


def start_from(source: str, runs: list[Run], dataset: str | None = None) -> Base:
    """Fill the form from a preset or a run, on `dataset` if it is a preset, and return what it was filled from."""
    kind, _, name = source.partition(":")
    if kind == "preset":
        preset = PRESETS[name]
        config, shown, goes_by = preset.config, preset.short_name, name
    else:
        run = next(run for run in runs if run.id == name)
        config, shown, goes_by = (
            _own(run.config),
            without_seed(run.name, run.config.training.seed),
            run.meta.preset or "",
        )
        dataset = None
    start = values_of(config)
    if dataset:  # a class that works on digits stays there when it turns to another preset
        start["dataset.name"] = dataset
    return _fill(source, shown, config, goes_by, start)


def _own(config: RunConfig) -> RunConfig:
    """Return a run's settings to start from; of one that was changed by hand, they begin from new weights."""
    return config if config.parent_epoch is None else config.replace(parent=None, parent_epoch=None)


def _fill(source: str, name: str, config: RunConfig, preset: str, start: dict[str, Any]) -> Base:
    """Give all widgets their values."""
    reference = preset if preset in PRESETS else _nearest(start)
    found = Base(source, name, config, preset or None, start, reference)
    goes_on = source == f"run:{start['parent']}"
    state.fill(draft.widget_values(start) | {SOURCE: source, CONTINUE: goes_on, NAME: "", _BASE: found})
    return found


def _nearest(start: Mapping[str, Any]) -> str:
    """Return the preset from which the fewest settings differ."""
    return min(PRESETS, key=lambda name: len(links.differences(values_of(PRESETS[name].config), start)))


# -- reading the link --------------------------------------------------------------------------------------------------


def take(runs: list[Run]) -> None:
    """Fill the form from the link where that is not what the form itself has written; see `state.arriving_link`."""
    link = state.arriving_link(FORM, OWN_KEYS)
    if link is None:
        return
    unknown = sorted(key for key in state.link_texts() if key not in (*OWN_KEYS, *SHARED_KEYS))
    refused = _open(link, runs) + [f"there is no setting {_shown(key)}" for key in unknown]
    state.fill({_PROBLEMS: refused})
    state.set_link(**dict.fromkeys(unknown))


def _open(link: Mapping[str, str], runs: list[Run]) -> list[str]:
    """Fill the form as `link` says; what of it cannot be used."""
    refused: list[str] = []
    preset, run_id = link.get(BASE_KEY, ""), link.get(RUN_KEY, "")
    run = next((run for run in runs if run.id == run_id), None)
    if run is not None and run.recorded:
        refused.append(f"the run {_shown(run.name)} was {OUTSIDE}, so the form cannot start from it")
        run, run_id = None, ""
    if preset and preset not in PRESETS:
        refused.append(f"there is no published model {_shown(preset)}")
        preset = ""
    if run_id and run is None:
        refused.append(
            f"the run {_shown(run_id)} is not in this store"
            + (", so the form starts from the published model" if preset else "")
        )
    reference = PRESETS[preset or FIRST_PRESET].config if preset or run is None else _own(run.config)
    start = values_of(reference)
    if not link:
        start = _one_step_away(start | {"dataset.name": _best_dataset()}, runs)
    start, problems = links.apply(start, link)
    seeds = None
    if SEEDS_KEY in link:
        text = link[SEEDS_KEY]
        if text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MOST_SEEDS:
            seeds = int(text)
        else:
            problems.append(f"seeds={_shown(text)} must be a whole number from 1 to {MOST_SEEDS}")
    if run is None:
        name = preset or FIRST_PRESET
        _fill(f"preset:{name}", PRESETS[name].short_name, PRESETS[name].config, name, start)
    else:
        shown = without_seed(run.name, run.config.training.seed)
        _fill(f"run:{run.id}", shown, _own(run.config), run.meta.preset or "", start)
    state.fill({NAME: link.get(NAME_KEY, "")[:LONGEST_NAME], SEEDS: seeds})
    return refused + problems


def problems() -> None:
    """Say, in one sentence, what of the link could not be used."""
    refused = state.widget_value(_PROBLEMS)
    if refused:
        assert isinstance(refused, list)
        st.warning(f"Not used of the link: {for_markdown('; '.join(refused))}.", icon=":material/link_off:")


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


# -- writing it --------------------------------------------------------------------------------------------------------


def write(base: Base) -> None:
    """Put what the form holds into the link, where it is not there yet."""
    link: dict[str, str] = {BASE_KEY: base.reference}
    if base.source.startswith("run:"):
        link[RUN_KEY] = base.source.removeprefix("run:")
    link |= links.differences(values_of(PRESETS[base.reference].config), values())
    seeds, name = state.widget_value(SEEDS), state.widget_value(NAME)
    link |= {SEEDS_KEY: str(seeds)} if seeds not in (None, 1) else {}
    link |= {NAME_KEY: str(name)} if name else {}
    if state.write_link(FORM, OWN_KEYS, link):
        # something was set since: what was wrong with a link is no longer of interest
        state.fill({_PROBLEMS: None})
