"""A run is recognised by its colour and its short name."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashboard import resources
from dashboard.shared.run_picker import short_labels
from mnist_core.plots.labels import remembered_colours, run_colours
from mnist_core.plots.style import RUN_COLOURS
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.resources import share


@pytest.fixture(autouse=True)
def _own_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    share(monkeypatch, "store", lambda: store)
    share(monkeypatch, "is_dark", lambda: False)


def test_a_run_keeps_its_colour() -> None:
    first = resources.colours(["a", "b"])
    assert resources.colours(["c", "b", "a"]) | first == resources.colours(["a", "b", "c"])
    assert list(first.values()) == list(RUN_COLOURS[:2])


def test_a_new_run_differs_from_those_shown_beside_it_also_when_all_colours_are_taken() -> None:
    for number in range(len(RUN_COLOURS)):
        resources.colours([f"old {number}"])
    shown = resources.colours(["old 0", "old 1", "new"])
    assert len(set(shown.values())) == 3


def test_shown_runs_are_distinct_as_long_as_there_are_colours() -> None:
    ids = [f"run {number}" for number in range(3 * len(RUN_COLOURS))]
    alone = {run_id: resources.colours([run_id])[run_id] for run_id in ids}
    alike = [run_id for run_id in ids if alone[run_id] == alone["run 0"]]
    assert len(alike) == 3
    assert len(set(resources.colours(alike).values())) == 3
    shown = [*alike, "run 1", "run 2", "run 8", "new"]
    assert len(set(resources.colours(shown).values())) == len(RUN_COLOURS)


def test_of_two_runs_with_one_colour_the_newly_shown_one_yields_and_stays_so() -> None:
    alike = ["run 0", f"run {len(RUN_COLOURS)}"]
    for number in range(len(RUN_COLOURS) + 1):
        resources.colours([f"run {number}"])
    before = resources.colours(["run 1", alike[0]])
    together = resources.colours([*before, alike[1]])
    assert together | before == together
    assert len(set(together.values())) == 3
    assert resources.colours([alike[1]]) == {alike[1]: together[alike[1]]}


def test_of_more_runs_than_colours_those_beyond_keep_theirs() -> None:
    ids = [f"run {number}" for number in range(2 * len(RUN_COLOURS))]
    first = resources.colours(ids)
    assert resources.colours(ids) == first
    assert len(set(list(first.values())[: len(RUN_COLOURS)])) == len(RUN_COLOURS)


def test_dark_has_the_same_order_of_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    light = resources.colours(["a", "b"])
    share(monkeypatch, "is_dark", lambda: True)
    dark = resources.colours(["a", "b"])
    assert set(dark) == set(light)
    assert not set(dark.values()) & set(light.values())


def test_a_damaged_memory_of_colours_is_begun_anew(store: Store) -> None:
    (store.root / "colours.json").write_text("rubbish")
    assert resources.colours(["a"]) == {"a": RUN_COLOURS[0]}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("notebook/model_1", "model_1"), ("model_1, dropout 0.5/0.2", "model_1, dropout 0.5/0.2"), ("a/b", "a/b")],
)
def test_only_the_source_of_a_preset_is_left_out_of_short_names(
    make_run: Callable[..., Run], name: str, shown: str
) -> None:
    assert list(short_labels([make_run(name=name)]).values()) == [shown]


@pytest.mark.parametrize("content", ["[1]", '{"a": null}', "[" * 100_000, '{"a": 1e999}', '{"b": -1}', "\0"])
def test_damaged_colours_are_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "colours.json").write_text(content)
    first = run_colours(tmp_path, ["b", "c"], RUN_COLOURS)
    assert first["b"] != first["c"]
    assert run_colours(tmp_path, ["c", "b"], RUN_COLOURS) == first


def test_sessions_that_add_colours_at_once_lose_none(tmp_path: Path) -> None:
    ids = [f"run {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as sessions:
        given = list(sessions.map(lambda run_id: run_colours(tmp_path, [run_id], RUN_COLOURS)[run_id], ids))
    assert remembered_colours(tmp_path, RUN_COLOURS) == dict(zip(ids, given, strict=True))
