"""What ships in `artifacts/reference/`: all that is published, whole where it is one run, small enough for a clone."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dashboard import state
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.experiments.grids import SWEEPS
from mnist_core.experiments.presets import PRESETS, Preset
from mnist_core.published import figures, words
from mnist_core.published.reproduction import Count, rows, tally
from mnist_core.runs.columns import run_row
from mnist_core.runs.filters import EXAMPLE, parse
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


def test_the_example_of_a_condition_finds_some_of_it(shipped: Store) -> None:
    holds = parse(EXAMPLE)
    assert 1 < sum(holds(run_row(run)) is True for run in shipped.runs() if run.listed) < 50


def test_all_of_it_is_readable_and_small(shipped: Store) -> None:
    assert shipped.scan()[1] == sweeps.SHELF.all(shipped)[1] == searches.SHELF.all(shipped)[1] == []
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
    sweep = sweeps.SHELF.find(shipped, name)
    assert sweep.spec == SWEEPS[name]
    table = sweeps.results(shipped, sweep, reveal=True)
    assert (table["state"] == "finished").all()
    assert table["test_accuracy"].notna().all()


def test_searches_that_ship_are_complete_and_their_winners_tested(shipped: Store) -> None:
    for search in searches.SHELF.all(shipped)[0]:
        assert search.complete
        assert search.winner is not None
        assert shipped.get(search.winner.run).test_scores() is not None


def test_the_page_has_figures_for_each(shipped: Store) -> None:
    found = {row.name: row for row in rows(shipped)}
    for name in PRESETS:
        measured = found[name].measured
        assert measured is not None
        assert math.isfinite(measured.accuracy.mean)
    assert all(len(words.claims(found[name])) > 1 for name in SWEEPS)


def test_compare_opens_on_one_seed_of_model_1_and_of_model_2(shipped: Store) -> None:
    opened = state._default(shipped.runs())
    assert [(run.name, run.config.dataset.name) for run in opened] == [
        ("notebook/model_1", "mnist"),
        ("notebook/model_2", "mnist"),
    ]


def test_the_spreads_between_seeds_are_those_of_the_runs_that_ship(shipped: Store) -> None:
    models = [row for row in rows(shipped) if row.kind == "model" and not PRESETS[row.name].continues]
    for figure, spread in figures.SPREADS.items():
        samples = [
            row.measured.figures[figure]
            for row in models
            if row.measured
            # seeds that stop themselves end at different epochs
            and not (figure in figures.LAST and PRESETS[row.name].config.training.early_stopping)
        ]
        found = figures.pooled(figure, samples)
        assert found is not None
        assert spread.freedom == found.freedom
        assert spread.relative == pytest.approx(found.relative, rel=5e-3), figure


def test_what_reproduces_of_the_runs_that_ship(shipped: Store) -> None:
    found = {row.name: row for row in rows(shipped)}
    total = tally(list(found.values()))
    assert (total.stated, total.assumed) == (Count(2, 4), Count(9, 15))
    assert total.chosen == ("coursera/cnn",)  # whose layers were chosen by this very accuracy
    assert total.differing == (
        "notebook/model_2", "notebook/model_1_lr_1e-4", "readme/model_1", "readme/model_2", "readme/model_3",
        "tuning/best_mlp", "tuning/grid_90", "tuning/bayes_cnn",
    )  # fmt: skip
    # today's Keras trains notebook/model_2 further in as many epochs; its accuracy agrees
    assert [item.figure for item in found["notebook/model_2"].differing] == ["test_loss", "last_loss"]
    # all of it, the training figures above all
    assert "last_loss" in [item.figure for item in found["readme/model_1"].differing]
    # the evidence of the leak: it stops at once where the validation images are unseen
    measured = found["tuning/best_mlp"].measured
    assert measured is not None
    assert measured.epochs == (7, 7, 9)
    assert "for 23 epochs; here, early stopping ended it after 7, 7, 9" in words.reasons(found["tuning/best_mlp"])[0]


def test_the_winner_of_the_grid_is_compared_as_a_winner(shipped: Store) -> None:
    row = next(row for row in rows(shipped) if row.name == "tuning/grid_90")
    assert row.winner is not None
    assert row.winner.network == "256-128-64-32 relu"
    assert row.choice is not None
    assert (row.choice.rank, row.choice.count) == (3, 90)
    which, accuracy, own = words.claims(row)
    assert (which.holds, accuracy.holds, own.holds) == (None, True, False)
    assert which.published == "the winner is 128-128 tanh"
    assert "another network wins here; it is number 3 of 90" in which.measured
    assert "97.51 % in this grid" in own.measured
    assert "tested once" not in " ".join(claim.measured for claim in words.claims(row))


def test_the_runs_of_studies_are_named_in_words(shipped: Store) -> None:
    named = [run.name for run in shipped.runs() if run.one_of_many]
    assert named
    assert [name for name in named if "layers." in name] == []
    assert max(map(len, named)) < 80  # none is cut off
    search = searches.SHELF.find(shipped, "tuning/bayes_cnn")
    assert [shipped.get(trial.run).name for trial in search.trials[:2]] == [
        "tuning/bayes_cnn, trial 1", "tuning/bayes_cnn, trial 2",
    ]  # fmt: skip
