"""A run that won among many says so; what was passed over is hidden until someone asks, which is counted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import mnist_core as mc
from mnist_core.cli import main
from mnist_core.comparison.comparability import Background, concerns
from mnist_core.comparison.decide import ALPHA, STRICT_ALPHA
from mnist_core.comparison.held_out import held_out_gap
from mnist_core.comparison.selection import Noise, Selection, image_noise, rank_values, seed_noise
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.selection import chosen_words, lead_words, looked_at_words, selection_words
from mnist_core.data.duplicates import DataCheck
from mnist_core.evaluation.metrics import image_losses
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.grids import parse_spec
from mnist_core.experiments.spaces import parse_search
from mnist_core.files import write_json
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.test_set_uses import seen
from mnist_core.studies import searches, selections, sweeps
from mnist_core.studies.kinds import studies
from mnist_core.studies.searches import Search, Trial
from tests.support.synthetic import FINGERPRINT, row

BASE = {
    "model": {"layers": [{"units": 8}]},
    "dataset": {"name": "digits"},
    "training": {"epochs": 1, "batch_size": 128, "validation": {"source": "held_out", "fraction": 0.2}},
}


def selection(**values: Any) -> Selection:
    plain: dict[str, Any] = {
        "study": "sweep", "id": "0123456789ab", "name": "widths", "won": True, "on_test": False, "metric": "val_loss",
        "candidates": 90, "value": 0.08, "lead": 0.0036, "noise": Noise(0.01, "seeds"), "within": 7,
    }  # fmt: skip
    return Selection(**plain | values)


# -- noise ---------------------------------------------------------------------------------------------------


def test_the_spread_between_seeds_gives_the_limit_of_a_difference() -> None:
    recipes = [[0.10, 0.11, 0.12], [0.20, 0.26, 0.23]]
    shares = [np.array(values) / np.mean(values) for values in recipes]
    pooled = math.sqrt(sum(part.var(ddof=1) * 2 for part in shares) / 4)
    expected = stats.t.ppf(0.975, 4) * math.sqrt(2) * pooled * 0.05
    found = seed_noise("val_loss", 0.05, recipes)
    assert found is not None
    assert (found.limit, found.source) == (pytest.approx(expected), "seeds")


def test_accuracies_spread_by_their_error_rates() -> None:
    errors = [[0.02, 0.03, 0.025]]
    by_loss = seed_noise("val_loss", 0.04, errors)
    by_accuracy = seed_noise("val_accuracy", 0.96, [[1 - error for error in errors[0]]])
    assert by_loss is not None
    assert by_accuracy is not None
    assert by_accuracy.limit == pytest.approx(by_loss.limit)


@pytest.mark.parametrize("recipes", [[], [[0.1]], [[0.1, 0.2]], [[math.nan, 0.1, 0.2]]])
def test_too_few_seeds_tell_nothing_of_the_noise(recipes: list[list[float]]) -> None:
    assert seed_noise("val_loss", 0.1, recipes) is None


def test_few_validation_images_give_a_limit_where_there_are_no_seeds() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 200).astype(np.uint8)
    probabilities = generator.dirichlet(np.ones(10), 200).astype(np.float32)
    predictions = Predictions(labels, probabilities, labels, probabilities)
    loss, accuracy = image_noise("val_loss", predictions), image_noise("val_accuracy", predictions)
    assert loss is not None
    assert accuracy is not None
    z = stats.norm.ppf(1 - ALPHA / 2)
    assert loss.limit == pytest.approx(z * math.sqrt(2) * stats.sem(image_losses(labels, probabilities)))
    right = (probabilities.argmax(1) == labels).astype(float)
    assert accuracy.limit == pytest.approx(z * math.sqrt(2) * right.std() / math.sqrt(200))
    assert image_noise("val_loss", Predictions(labels, probabilities)) is None
    assert image_noise("val_loss", None) is None


def test_values_that_do_not_vary_tell_nothing_of_the_noise() -> None:
    """As everywhere else: a hundred of a hundred right is no proof that every gap is real."""
    labels = (np.arange(100) % 10).astype(np.uint8)
    perfect = np.eye(10, dtype=np.float32)[labels]
    assert image_noise("val_accuracy", Predictions(labels, perfect, labels, perfect)) is None
    assert seed_noise("val_loss", 0.1, [[0.2, 0.2, 0.2, 0.2]]) is None
    assert seed_noise("val_accuracy", 1.0, [[0.98, 0.97, 0.96, 0.99]]) is None


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val_loss", [0.3, 0.1, 0.15, 0.2], (0.1, pytest.approx(0.05), 2)),
        ("val_accuracy", [0.7, 0.9, 0.85, 0.8], (0.9, pytest.approx(0.05), 2)),
        ("val_loss", [0.1], (0.1, None, 0)),
    ],
)
def test_the_lead_and_those_within_noise_are_counted(metric: Any, values: list[float], expected: object) -> None:
    assert rank_values(metric, values, Noise(0.101, "seeds")) == expected
    assert rank_values(metric, values, None).within is None


# -- sentences -----------------------------------------------------------------------------------------------


def test_sentences_state_the_lead_and_never_more_than_is_known() -> None:
    found = selection()
    assert chosen_words(found) == "chosen among 90 by validation loss; 7 others are within noise of it"
    assert lead_words(found) == (
        "It leads the next best by 0.0036, where differences of up to 0.0100 are noise "
        "(the spread between seeds of other runs on these data)."
    )
    assert "no other is within noise" in chosen_words(selection(within=0))
    assert "1 other is within noise" in chosen_words(selection(within=1))
    unknown = selection(noise=None, within=None)
    assert "how much of its lead is noise is not known" in chosen_words(unknown)
    assert "train the best with three seeds or more" in lead_words(unknown)
    assert lead_words(selection(lead=None)) == ""
    assert lead_words(selection(lead=0.0)).startswith("It and the next best are level, where differences of up to")
    assert "by results on the test images" in chosen_words(selection(on_test=True))
    assert looked_at_words(0) == "No look at the test results of the others is on record in this store."
    assert looked_at_words(3).startswith("The test results of 3 of the others have been looked at")


# -- the guard -----------------------------------------------------------------------------------------------

Make = Callable[..., Run]


@pytest.fixture
def make(store: Store, small_config: RunConfig) -> Make:
    """`make("name", right=90, val_accuracy=0.9, training__seed=1)`: a run right on so many of 100 test images."""

    def made(
        name: str, *, right: int = 90, val_accuracy: float = 0.9, val_loss: float = 0.1, **changes: Any
    ) -> Run:  # fmt: skip
        held = {"training__validation": {"source": "held_out", "count": 400}, "training__epochs": 1}
        run, _ = store.add(small_config.replace(**held | changes), name=name, fingerprint=FINGERPRINT)
        writer = store.open_writer(run.id)
        assert writer
        writer.started([])
        writer.epoch(row(1, val_accuracy=val_accuracy, val_loss=val_loss))
        labels = (np.arange(100) % 10).astype(np.uint8)
        guessed = np.where(np.arange(100) < right, labels, (labels + 1) % 10)
        writer.predictions(Predictions(labels, np.eye(10, dtype=np.float32)[guessed]))
        writer.ended("finished", "all epochs done", best_epoch=1, kept_epoch=1)
        return store.get(run.id)

    return made


def concerns_of(first: Run, second: Run, background: Background) -> dict[str, tuple[str, str]]:
    names = first.name, second.name
    found = concerns(first, second, background=background)
    return {item.code: (item.severity, concern_words(item, names)) for item in found}


def test_comparing_a_winner_and_one_that_was_passed_over_are_concerns(make: Make) -> None:
    winner, other = make("winner"), make("other", training__seed=1)
    known = Background(((winner.id, selection()), (other.id, selection(won=False))))
    found = concerns_of(winner, other, known)
    assert found["chosen_among"] == (
        "worth knowing",
        "winner was chosen among 90 by validation loss; 7 others are within noise of it (sweep widths): its "
        "validation loss is too good on average, its test result is not.",
    )
    assert found["passed_over"][1] == selection_words(selection(won=False), "other")
    assert "chooses by the test images" in found["passed_over"][1]
    assert not {"chosen_among", "passed_over"} & set(concerns_of(winner, other, Background()))


def test_a_winner_chosen_by_test_results_undermines_the_comparison(make: Make) -> None:
    winner, other = make("winner"), make("other", training__seed=1)
    severity, sentence = concerns_of(winner, other, Background(((winner.id, selection(on_test=True)),)))["chosen_among"]
    assert severity == "undermines"
    assert "the test accuracy of the best of many is better than it would be on new images" in sentence


@pytest.mark.parametrize(("leaked", "severity"), [(1, "worth knowing"), (200, "undermines")])
def test_test_images_that_are_trained_on_are_a_concern(make: Make, leaked: int, severity: str) -> None:
    counts = {"train": 60_000, "test": 10_000, "repeated_train": 0, "repeated_test": 0, "near": 0}
    check = DataCheck(fingerprint=FINGERPRINT, test_in_train=leaked, conflicts=2, near_examined=9_000, **counts)
    found = concerns_of(make("a"), make("b", training__seed=1), Background(data=check))
    assert found["leak"][0] == severity
    assert f"{leaked} of the 10,000 test images" in found["leak"][1]
    assert "2 images" in found["labels"][1]


@pytest.mark.parametrize(("held_out", "right", "concern"), [(0.9, 90, False), (0.99, 80, True), (0.7, 99, True)])
def test_held_out_and_test_accuracy_more_than_chance_apart_is_a_concern(
    make: Make, held_out: float, right: int, concern: bool
) -> None:
    run = make("run", right=right, val_accuracy=held_out)
    gap = held_out_gap(run)
    assert gap is not None
    table = [[round(held_out * 400), 400 - round(held_out * 400)], [right, 100 - right]]
    oracle = stats.chi2_contingency(table, correction=False)
    assert (gap.difference.value / gap.difference.error) ** 2 == pytest.approx(oracle.statistic, abs=1e-9)
    assert gap.differs is concern is bool(oracle.pvalue < STRICT_ALPHA)
    found = concerns_of(make("base", training__seed=1), run, Background())
    assert ("held_out_gap" in found) is concern
    if concern:
        assert f"of 400 held-out images right and {right}.00 % of 100 test images" in found["held_out_gap"][1]
        assert "; a gap this large comes by chance less than once in 100: " in found["held_out_gap"][1]


def test_a_run_that_held_nothing_out_has_no_such_gap(make: Make) -> None:
    assert held_out_gap(make("run", training__validation={"source": "test"})) is None


def test_seeds_that_continue_one_network_tell_nothing_of_the_noise_between_seeds(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = make("parent")
    monkeypatch.setattr(Store, "parent", lambda self, config: parent.path)  # whether the weights fit is not the matter
    runs = [
        make(f"child {seed}", val_loss=0.1 + seed / 1_000, training__seed=seed, parent=parent.id) for seed in (1, 2, 3)
    ]
    study = parse_search({"name": "small", "base": BASE, "trials": 2, "space": {"stack.units": [4, 8]}})
    trials = [Trial(number=n, values={}, run=run.id, state="finished", value=0.1) for n, run in enumerate(runs)]
    search = Search(id="5" * 12, spec=study, dataset="digits", created_at=1.0, trials=trials)

    def source() -> str | None:
        chosen = selections.choice(store.runs(), search)
        return chosen.selection.noise.source if chosen and chosen.selection.noise else None

    assert source() is None
    for seed in (4, 5, 6):
        make(f"seed {seed}", val_loss=0.1 + seed / 1_000, training__seed=seed, model__layers=[{"units": 4}])
    assert source() == "seeds"


# -- sweeps and searches --------------------------------------------------------------------------------------


def of_runs(store: Store, run_ids: list[str]) -> list[tuple[str, Selection]]:
    return selections.selections(store.runs(), studies(store)[0], run_ids)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, sweeps.Sweep]:
    store = Store(tmp_path_factory.mktemp("swept"))
    spec = parse_spec({"name": "widths", "base": BASE, "grid": {"stack.units": [4, 16, 64]}})
    return store, sweeps.start(store, LocalRunner(store), spec)[0]


def test_the_winner_of_a_sweep_knows_among_how_many_it_was_chosen(swept: tuple[Store, sweeps.Sweep]) -> None:
    store, sweep = swept
    best = sweeps.best(sweeps.results(store, sweep))
    losses = sorted(sweeps.results(store, sweep)["val_loss"])
    found = dict(of_runs(store, sweep.run_ids))
    assert {run_id for run_id, item in found.items() if item.won} == {best}
    winner = found[str(best)]
    assert (winner.candidates, winner.value) == (3, pytest.approx(losses[0]))
    assert winner.lead == pytest.approx(losses[1] - losses[0])
    assert winner.noise is not None
    assert winner.noise.source == "images"  # no run here differs from another in its seed alone
    assert winner.within == sum(loss - losses[0] <= winner.noise.limit for loss in losses[1:])


def test_only_the_winner_of_a_sweep_shows_its_test_result_until_all_are_asked_for(
    swept: tuple[Store, sweeps.Sweep],
) -> None:
    store, sweep = swept
    hidden, shown = sweeps.results(store, sweep), sweeps.results(store, sweep, reveal=True)
    best = sweeps.best(hidden)
    assert list(hidden["run"][hidden["test_error"].notna()]) == [best]
    assert shown["test_error"].notna().all()
    columns = ["run", "test_loss", "test_accuracy", "test_error"]
    assert hidden[hidden["run"] == best][columns].equals(shown[shown["run"] == best][columns])


def test_the_command_hides_test_results_until_asked_and_counts_the_look(
    swept: tuple[Store, sweeps.Sweep], capsys: pytest.CaptureFixture[str]
) -> None:
    store, sweep = swept
    root = str(store.root)
    fingerprint = store.get(sweep.run_ids[0]).status.fingerprint
    assert main(["sweeps", "widths", "--store", root]) == 0
    out, err = capsys.readouterr()
    assert "test_error" not in out.replace(" ", "_")
    assert "--test shows them, which is counted." in err
    assert "No look at the test results of the others is on record" in err
    assert "chosen among 3 by validation loss" in err
    assert seen(store.root, fingerprint).reveals == 0
    for _ in range(2):
        assert main(["sweeps", "widths", "--test", "--store", root]) == 0
    out, err = capsys.readouterr()
    assert "test_error" in out.replace(" ", "_")
    assert "The test results of 2 of the others have been looked at in this store." in err
    assert seen(store.root, fingerprint).reveals == 1
    assert main(["sweeps", "widths", "--json", "--store", root]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["selection"]["candidates"], document["selection"]["looked_at"]) == (3, 2)


def test_the_list_of_runs_hides_what_a_sweep_passed_over_until_asked_and_counts_the_look(
    swept: tuple[Store, sweeps.Sweep], capsys: pytest.CaptureFixture[str]
) -> None:
    store, sweep = swept
    fingerprint = store.get(sweep.run_ids[0]).status.fingerprint
    before = seen(store.root, fingerprint).reveals

    def tested(*options: str) -> int:
        assert main(["runs", "--json", "--store", str(store.root), *options]) == 0
        rows = [row for row in json.loads(capsys.readouterr().out) if row["id"] in sweep.run_ids]
        return sum(row["test_accuracy"] is not None for row in rows)

    assert tested() == 1
    assert tested("--where", "accuracy >= 0") == 1, "a condition does not tell either"
    assert main(["runs", "--store", str(store.root)]) == 0
    assert "2 runs that sweeps and searches have passed over are hidden" in capsys.readouterr().err
    assert main(["runs", "--recipes", "--json", "--store", str(store.root)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert mc.runs(store=store)["test_accuracy"].loc[list(sweep.run_ids)].notna().sum() == 1
    assert seen(store.root, fingerprint).reveals == before
    assert tested("--test") == len(sweep.run_ids)
    assert mc.runs(store=store, test=True)["test_accuracy"].loc[list(sweep.run_ids)].notna().all()
    assert seen(store.root, fingerprint).reveals >= max(before, 1)


def test_compare_counts_each_pair_once_and_says_how_often_the_test_images_were_used(
    swept: tuple[Store, sweeps.Sweep], capsys: pytest.CaptureFixture[str]
) -> None:
    store, sweep = swept
    fingerprint = store.get(sweep.run_ids[0]).status.fingerprint
    before = seen(store.root, fingerprint).comparisons
    for runs in (sweep.run_ids[:2], sweep.run_ids[1::-1], sweep.run_ids[:2]):
        assert main(["compare", *runs, "--store", str(store.root)]) == 0
    out, err = capsys.readouterr()
    assert seen(store.root, fingerprint).comparisons == before + 1
    assert "The test images of digits have served 1 comparison of two runs" in err
    assert "not the one that it chose" in out


def test_seeds_in_the_store_tell_how_much_of_a_lead_is_noise(swept: tuple[Store, sweeps.Sweep]) -> None:
    store, sweep = swept
    base = store.get(sweep.run_ids[0]).config
    runner = LocalRunner(store)
    for seed in (1, 2):
        request(store, runner, base.replace(training__seed=seed), name=f"seed {seed}")
    chosen = selections.choice(store.runs(), sweep)
    assert chosen is not None
    assert chosen[1].noise is not None
    assert chosen[1].noise.source == "seeds"


def test_a_search_counts_all_its_trials_as_candidates(store: Store, make: Make) -> None:
    runs = [make(f"trial {seed}", training__seed=seed) for seed in range(3)]
    trials = [
        {"number": number, "values": {"stack.units": 4}, "run": run.id, "state": state, "value": value, "epochs": 1}
        for number, (run, state, value) in enumerate(
            zip(runs, ("finished", "pruned", "finished"), (0.3, 0.1, 0.2), strict=True)
        )
    ]
    spec = {"name": "small", "base": BASE, "trials": 3, "sampler": "random", "space": {"stack.units": [4, 8]}}
    folder = store.root / "searches" / ("5" * 12)
    folder.mkdir(parents=True)
    document = {"id": "5" * 12, "spec": spec, "dataset": "digits", "created_at": 1.0, "trials": trials}
    write_json(folder / "search.json", document)
    assert searches.SHELF.get(store, "5" * 12).winner is not None
    (found,) = [item for run_id, item in of_runs(store, [runs[2].id])]
    assert (found.won, found.candidates, found.value, found.lead) == (True, 3, 0.2, pytest.approx(0.1))
    assert [item.won for _, item in of_runs(store, [runs[1].id])] == [False]


def test_a_background_without_studies_is_empty(store: Store, make: Make) -> None:
    runs = [make("one"), make("two", training__seed=1)]
    assert selections.background(store.root, runs, [], runs) == Background()
