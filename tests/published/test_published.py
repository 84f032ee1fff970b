"""Published against measured: the rule, its verdicts, and every row that is published."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_core.cli import main
from mnist_core.comparison.recipes import with_seeds
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.constants import MNIST_TEST_IMAGES as IMAGES
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import Sample
from mnist_core.experiments.grids import SWEEPS, expand
from mnist_core.experiments.presets import PRESETS, Published
from mnist_core.experiments.spaces import SEARCHES
from mnist_core.files import write_json
from mnist_core.published.figures import Measured, compare, compare_model
from mnist_core.published.reproduction import Count, ReproductionRow, reproduction, rows, tally
from mnist_core.published.words import (
    figure_lines,
    left_out,
    reasons,
    row_json,
    sentence,
    short,
    source_errors,
    summary,
)
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies.sweeps import Sweep, SweepPoint
from tests.support.synthetic import row

AddRun = Callable[..., Run]


@pytest.fixture
def add_run(store: Store) -> AddRun:
    """`add_run(config, accuracy)` puts a finished run with made-up predictions of MNIST's size into `store`."""

    def add(config: object, accuracy: float, *, train_error: float = 0.01, penalty: float = 0.0) -> Run:
        run, _ = store.add(config, name="made up", fingerprint=MNIST_FINGERPRINT)  # type: ignore[arg-type]
        writer = store.open_writer(run.id)
        assert writer is not None
        writer.started([])
        losses = {"loss": 0.1, "train_eval_loss": 0.1, "val_loss": 0.1}
        writer.epoch(row(1, train_eval_accuracy=1 - train_error, val_accuracy=accuracy, penalty=penalty, **losses))
        labels = (np.arange(IMAGES) % 10).astype(np.uint8)
        guessed = np.where(np.arange(IMAGES) < round(accuracy * IMAGES), labels, (labels + 1) % 10)
        probabilities = np.full((IMAGES, 10), 0.01, np.float32)
        probabilities[np.arange(IMAGES), guessed] = 0.91
        writer.predictions(Predictions(labels, probabilities))
        writer.ended("finished", "all epochs done", best_epoch=1, kept_epoch=1)
        return store.get(run.id)

    return add


ONE = math.nan
"""The standard deviation of one value."""


def measured(**figures: Sample) -> Measured:
    return Measured(("0" * 12,), figures, (1,), (1,))  # type: ignore[arg-type]


def row_of(published: Published, found: Measured | None) -> ReproductionRow:
    compared = compare_model(published, found) if found else ()
    outcome = "not trained" if found is None else reproduction(compared)
    return ReproductionRow("a", "model", "b", (), 1, "", published, outcome, compared=compared, measured=found)


def test_verdicts_in_words() -> None:
    assert sentence(row_of(Published(0.97), None)) == "Not trained yet."
    row = row_of(Published(0.9762), measured(test_accuracy=Sample(1, 0.9759, ONE)))
    assert row.outcome == "reproduces"
    assert (
        sentence(row) == "Reproduces: test accuracy is 0.03 points below what is published, and up to 0.34 is chance."
    )
    row = row_of(Published(0.0892), measured(test_accuracy=Sample(3, 0.977, 0.001)))
    assert row.outcome == "differs"
    assert "88.78 points above what is published" in sentence(row)
    row = row_of(Published(), measured(test_accuracy=Sample(3, 0.97, 0.001)))
    assert row.outcome == "nothing to compare"
    assert sentence(row) == "The source prints no test figure; here it is 97.00 ± 0.10 % (3 seeds)."


def test_a_model_reproduces_only_where_no_figure_differs() -> None:
    published = Published(0.9722, 0.09, first_loss=0.3234, last_loss=0.1277)
    same = measured(
        test_accuracy=Sample(3, 0.973, 0.001), test_loss=Sample(3, 0.092, 0.004), first_loss=Sample(3, 0.322, 0.005),
        last_loss=Sample(3, 0.128, 0.003),
    )  # fmt: skip
    row = row_of(published, same)
    assert row.outcome == "reproduces"
    assert sentence(row).startswith(
        "Reproduces: none of 4 published figures differs by more than chance; test accuracy"
    )
    assert short(row) == "all 4 figures agree"
    other = row_of(published, replace(same, figures={**same.figures, "last_loss": Sample(3, 0.012, 0.0007)}))
    assert other.outcome == "differs"  # though accuracy and test loss agree
    assert sentence(other).startswith(
        "Differs: 1 of 4 published figures differs by more than chance: final training loss"
    )
    assert short(other) == "1 of 4 figures: final training loss"
    marks = {line.name: line.mark for line in figure_lines(other)}
    assert (marks["test accuracy"], marks["final training loss"]) == ("✓", "≠")


def test_what_is_not_compared_is_shown() -> None:
    published = Published(0.9801, best_epoch=5, epochs=23)
    found = replace(measured(test_accuracy=Sample(3, 0.98, 0.001)), epochs=(7, 7, 9), best_epochs=(5, 5, 7))
    lines = {line.name: line for line in figure_lines(row_of(published, found))}
    assert lines["epochs until it stopped itself"][1:] == ("23", "7, 7, 9", "not compared", "")
    assert lines["epoch of the lowest validation loss"][1:4] == ("5", "5, 5, 7", "not compared")


def test_a_gap_that_reads_like_its_limit_is_written_with_more_decimals() -> None:
    (item,) = compare([("test_accuracy", 0.98, Sample(3, 0.975, 0.001))])
    published = 0.975 + item.limit + 0.000001
    row = row_of(Published(published), measured(test_accuracy=Sample(3, 0.975, 0.001)))
    assert row.outcome == "differs"
    gap, limit = re.findall(r"0\.\d+", sentence(row))
    assert float(gap) > float(limit)


def test_settings_chosen_by_the_outcome_confirm_nothing(store: Store, add_run: AddRun) -> None:
    config = PRESETS["coursera/cnn"].config
    add_run(config, 0.992)
    row = next(row for row in rows(store) if row.name == "coursera/cnn")
    assert row.outcome == "chosen to match"
    assert sentence(row).startswith("Chosen to match: the settings were chosen here because they lead to the published")
    total = tally(rows(store))
    assert (total.stated, total.assumed, total.chosen) == (Count(0, 0), Count(0, 0), ("coursera/cnn",))
    assert "coursera/cnn agrees, but its settings were chosen to match" in left_out(total)


def test_settings_chosen_by_the_outcome_may_still_differ(store: Store, add_run: AddRun) -> None:
    add_run(PRESETS["coursera/cnn"].config, 0.98)
    assert next(row for row in rows(store) if row.name == "coursera/cnn").outcome == "differs"


def test_rows_that_rest_on_assumptions_are_counted_apart(store: Store, add_run: AddRun) -> None:
    add_run(PRESETS["coursera/first"].config, 0.964)
    add_run(PRESETS["regularisation/baseline"].config, 0.95)
    total = tally(rows(store))
    assert (total.stated, total.assumed) == (Count(0, 0), Count(1, 2))
    assert summary(total) == "Of 2 published results that rest on assumed settings, 1 reproduces."
    assert summary(replace(total, stated=Count(2, 4))) == (
        "Of 4 published results whose settings are all stated, 2 reproduce. "
        "Of 2 published results that rest on assumed settings, 1 reproduces."
    )


def test_the_sources_own_errors_are_named(store: Store) -> None:
    text = " ".join(error for _, error in source_errors(rows(store)))
    for part in (
        "98.28 %, its output 98.36", "In [30] and In [31], stand before In [24] and In [26]", "added it to model_2 by",
        "layers of 400 and 300, where the network has 64 and 16", "dropout has none", "decreased to 27,194",
        "validation accuracy starts to decrease", "0.14 against 0.18", "0.1854, is a typo", "leaked into training",
        "a network that was dead",
    ):  # fmt: skip
        assert part in text
    assert text.count("leaked into training") == 1  # not again for the sweeps that led to the model


def test_every_published_model_sweep_and_search_has_its_row(store: Store) -> None:
    found = rows(store)
    assert [row.name for row in found] == [*PRESETS, *SWEEPS, *SEARCHES]
    assert {row.outcome for row in found} == {"not trained"}
    assert all(row.source for row in found)


def test_seeds_of_a_model_are_one_figure_and_other_data_are_none(store: Store, add_run: AddRun) -> None:
    config = PRESETS["regularisation/final"].config
    for one, accuracy in zip(with_seeds(config, 3), (0.979, 0.980, 0.981), strict=True):
        add_run(one, accuracy)
    add_run(config.replace(training__epochs=2), 0.5)  # another recipe
    row = next(row for row in rows(store) if row.name == "regularisation/final")
    assert row.outcome == "reproduces"
    assert row.measured is not None
    assert (row.measured.accuracy.mean, row.measured.accuracy.n) == (pytest.approx(0.98), 3)
    assert row.measured.accuracy.sd == pytest.approx(0.001)
    assert [store.get(run_id).config.training.seed for run_id in row.opens] == [0, 1, 2]


def test_a_dead_network_does_not_reproduce_from_healthy_weights(store: Store, add_run: AddRun) -> None:
    add_run(PRESETS["notebook/model_1"].config, 0.976)
    run = store.get(PRESETS["notebook/model_1"].config.run_id(MNIST_FINGERPRINT))
    (run.path / "model.keras").write_bytes(b"weights")  # never read here
    add_run(PRESETS["notebook/model_1_lr_1e-4"].config, 0.978)
    row = next(row for row in rows(store) if row.name == "notebook/model_1_lr_1e-4")
    assert row.outcome == "differs"
    assert any("not a healthy network" in reason for reason in reasons(row))


def stored_sweep(store: Store, add_run: AddRun, errors: list[float]) -> None:
    """`coursera/lambda`, as if it had been trained."""
    points = expand(SWEEPS["coursera/lambda"])
    runs = [add_run(point.config, 1 - error, train_error=error) for point, error in zip(points, errors, strict=True)]
    sweep = Sweep(
        id="0" * 12, spec=SWEEPS["coursera/lambda"], dataset="mnist", optimistic=True, created_at=1.0,
        points=tuple(SweepPoint(values=point.values, run=run.id) for point, run in zip(points, runs, strict=True)),
    )  # fmt: skip
    path = store.root / "sweeps" / f"{sweep.id}.json"
    path.parent.mkdir()
    write_json(path, sweep.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [([0.03, 0.04, 0.05, 0.08, 0.1, 0.13, 0.16], "reproduces"), ([0.1, 0.04, 0.05, 0.08, 0.1, 0.13, 0.16], "differs")],
)
def test_a_sweep_is_judged_by_what_its_source_says(
    store: Store, add_run: AddRun, errors: list[float], outcome: str
) -> None:
    stored_sweep(store, add_run, errors)
    row = next(row for row in rows(store) if row.name == "coursera/lambda")
    assert (row.outcome, row.stored, len(row.claims)) == (outcome, "0" * 12, 2)
    assert row.opens


def test_the_command_prints_the_same(store: Store, add_run: AddRun, capsys: pytest.CaptureFixture[str]) -> None:
    add_run(PRESETS["coursera/first"].config, 0.965)
    assert main(["published", "--json", "--store", str(store.root)]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    row = next(row for row in rows(store) if row.name == "coursera/first")
    assert found["coursera/first"] == json.loads(json.dumps(row_json(row), allow_nan=False))
    assert main(["published", "--store", str(store.root)]) == 0
    output = capsys.readouterr()
    assert "Of 1 published result that rests on assumed settings, 1 reproduces. 20 are not trained yet." in output.err
    assert "96.40 %" in output.out


def test_losses_are_compared_with_the_penalty_that_sources_print_with_them(store: Store, add_run: AddRun) -> None:
    run = add_run(PRESETS["notebook/model_3"].config, 0.968, penalty=0.03)
    scores = run.test_scores()
    row = next(row for row in rows(store) if row.name == "notebook/model_3")
    assert scores is not None
    assert row.measured is not None
    assert row.measured.figures["test_loss"].mean == pytest.approx(scores.loss + 0.03)


def test_damaged_runs_have_no_figures(store: Store, add_run: AddRun) -> None:
    run = add_run(PRESETS["coursera/first"].config, 0.965)
    Path(run.path / "predictions.npz").write_bytes(b"damaged")
    assert next(row for row in rows(store) if row.name == "coursera/first").outcome == "not trained"
