"""What ships in `artifacts/reference/`: all that is published, whole where it is one run, small enough for a clone."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dashboard import state
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.experiments.grids import SWEEPS
from mnist_core.experiments.presets import PRESETS, Preset
from mnist_core.published.reproduction import rows
from mnist_core.runs.store import Store
from mnist_core.studies import searches, sweeps

SHIPPED = Path(__file__).parent.parent / "artifacts" / "reference"
MOST_BYTES = 30_000_000


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that holds nothing but what ships."""
    root = tmp_path_factory.mktemp("shipped")
    (root / "reference").symlink_to(SHIPPED)
    return Store(root)


def test_all_of_it_is_readable_and_small(shipped: Store) -> None:
    assert shipped.scan()[1] == sweeps.sweeps(shipped)[1] == searches.searches(shipped)[1] == []
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_published_model_ships_whole(shipped: Store, preset: Preset) -> None:
    run = shipped.get(preset.config.run_id(MNIST_FINGERPRINT))
    assert (run.state, run.name, run.listed) == ("finished", preset.name, True)
    for chosen in ("kept", "best", "last"):
        assert run.predictions(chosen) is not None  # type: ignore[arg-type]
    scores = run.test_scores()
    assert scores is not None
    assert scores.images == 10_000


@pytest.mark.parametrize("name", SWEEPS)
def test_a_published_sweep_ships_with_its_results(shipped: Store, name: str) -> None:
    sweep = sweeps.find(shipped, name)
    assert sweep.spec == SWEEPS[name]
    table = sweeps.results(shipped, sweep)
    assert (table["state"] == "finished").all()
    assert table["test_accuracy"].notna().all()


def test_searches_that_ship_are_complete_and_their_winners_tested(shipped: Store) -> None:
    for search in searches.searches(shipped)[0]:
        assert search.complete
        assert search.winner is not None
        assert shipped.get(search.winner.run).test_scores() is not None


def test_the_page_has_figures_for_each(shipped: Store) -> None:
    found = {row.name: row for row in rows(shipped)}
    for name in PRESETS:
        measured = found[name].measured
        assert measured is not None
        assert math.isfinite(measured.accuracy.mean)
    assert {found[name].outcome for name in SWEEPS} == {"reproduces"}


def test_compare_opens_on_one_seed_of_model_1_and_of_model_2(shipped: Store) -> None:
    opened = state._default(shipped.runs())
    assert [(run.name, run.config.dataset.name) for run in opened] == [
        ("notebook/model_1", "mnist"),
        ("notebook/model_2", "mnist"),
    ]
