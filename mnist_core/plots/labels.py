"""By what a run is recognised everywhere: its label, and its colour among those of Okabe and Ito. No Streamlit."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_core.errors import WriteError
from mnist_core.experiments.presets import PRESETS
from mnist_core.files import read_json, write_json
from mnist_core.runs.run import Run
from mnist_core.text import data_name

SOURCE = rf"^({'|'.join(sorted({name.partition('/')[0] for name in PRESETS}))})/"
"""The part before the name of a preset's model, such as ``notebook/``."""

STATE_WORDS = {
    "paused": "paused",
    "queued": "waiting",
    "running": "training",
    "finished": "",
    "cancelled": "cancelled",
    "diverged": "diverged",
    "failed": "failed",
    "interrupted": "interrupted",
}


_unwritten: dict[Path, dict[str, int]] = {}
"""Places in the palette that a store could not take, by its folder."""


def run_labels(runs: list[Run], *, states: bool = True) -> dict[str, str]:
    """Return a label for each run by id: its name, a mark if the name is not unique, and its state unless finished."""
    names: dict[str, list[Run]] = {}
    for run in runs:
        names.setdefault(run.name, []).append(run)
    labels = {}
    for same in names.values():
        for run in same:
            text = run.name
            # so that a run which a person has renamed is not taken for an ordinary one either
            if run.changed_at is not None and f"after epoch {run.changed_at}" not in text:
                text += f", changed after epoch {run.changed_at}"
            if len(same) > 1:
                details: list[tuple[str, set[Any]]] = [
                    (f"on {data_name(run.dataset)}", {r.dataset for r in same}),
                    ("" if run.seed is None else f"seed {run.seed}", {r.seed for r in same}),
                    (run.model_words, {r.model_words for r in same}),
                ]
                distinct = [detail for detail, values in details if detail and len(values) > 1]
                text += ", " + ", ".join(distinct) if distinct else f", {run.id[:4]}"
            word = STATE_WORDS[run.state] if states else ""
            labels[run.id] = f"{text} ({word})" if word else text
    # two runs may still read the same, such as two learning rates of one network
    shown = Counter(labels.values())
    return {key: f"{text}, {key[:4]}" if shown[text] > 1 else text for key, text in labels.items()}


def family(name: str) -> str:
    """Return the source of the preset that a run is named after, such as ``notebook``; empty where there is none."""
    found = re.match(SOURCE, name)
    return found.group(1) if found else ""


def short_labels(runs: list[Run]) -> dict[str, str]:
    """Return labels for charts and sentences: without state, and without a preset's source if all runs share one.

    Without its source, readme/model_3 next to notebook/model_1 would look like the notebook's. If the runs are on
    several datasets, each label names its own.
    """
    labels = run_labels(runs, states=False)
    if len({family(run.name) for run in runs}) == 1:
        labels = {run_id: re.sub(SOURCE, "", text) for run_id, text in labels.items()}
    if len({run.dataset for run in runs}) > 1:
        for run in runs:
            words = f", on {data_name(run.dataset)}"
            labels[run.id] += "" if words in labels[run.id] else words
    return labels


_WRITING = threading.Lock()
"""Sessions are threads of one process: one must not overwrite the colours that another has just added."""


def _slots(path: Path) -> dict[str, int]:
    """Return the colours by run that are remembered, as places in the palette; a damaged entry is as good as none."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if type(value) is int and value >= 0}


def remembered_colours(root: Path, palette: Sequence[str]) -> dict[str, str]:
    """Return the colours of `palette` of all runs that have one in the store at `root`, without giving any out."""
    known = _unwritten.get(root, {}) | _slots(root / "colours.json")
    return {run_id: palette[slot % len(palette)] for run_id, slot in known.items()}


def run_colours(root: Path, run_ids: Sequence[str], palette: Sequence[str]) -> dict[str, str]:
    """Return a colour of `palette` for each run, remembered in the store at `root`.

    Where that cannot be written, this process remembers them for as long as it lives.

    The first runs of `run_ids`, which are shown together, never share a colour, as many as `palette` has. A run keeps
    its colour, unless one before it has the same: then it takes another, and keeps that. A run without a colour, or
    with one that is taken, gets the one that the fewest of `run_ids` have, those before it first; among these the one
    that the fewest of all runs have.
    """
    path, colours = root / "colours.json", range(len(palette))
    with _WRITING:
        slots = _slots(path)
        known = _unwritten.get(root, {}) | slots
        used = Counter(slot % len(palette) for slot in known.values())
        near: Counter[int] = Counter()
        waiting = Counter(known[run_id] % len(palette) for run_id in run_ids if run_id in known)
        for place, run_id in enumerate(dict.fromkeys(run_ids)):
            own = known[run_id] % len(palette) if run_id in known else None
            if own is not None:
                waiting[own] -= 1
            if own is None or (place < len(palette) and near[own]):
                free = min(colours, key=lambda slot: (near[slot], waiting[slot], used[slot], slot))
                used[free] += 1
                if own is not None:
                    used[own] -= 1
                known[run_id] = own = free
            near[own] += 1
        if known != slots:
            try:
                write_json(path, known, durable=False)
                _unwritten.pop(root, None)
            except WriteError:
                _unwritten[root] = known
    return {run_id: palette[known[run_id] % len(palette)] for run_id in run_ids}
