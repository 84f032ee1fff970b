"""Published against measured: the rule, its verdicts, and every row that is published."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_core.cli import main
from mnist_core.comparison.recipes import with_seeds
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import Sample
from mnist_core.experiments.grids import SWEEPS, expand
from mnist_core.experiments.presets import PRESETS, Published
from mnist_core.experiments.spaces import SEARCHES
from mnist_core.files import write_json
from mnist_core.published.reproduction import (
    IMAGES,
    Gap,
    Measured,
    Row,
    accuracy_error,
    accuracy_gap,
    loss_gap,
    reproduction,
    rows,
)
from mnist_core.published.words import loss_sentence, reasons, row_json, sentence
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
        losses = {"loss": 0.1, "clean_loss": 0.1, "val_loss": 0.1}
        writer.epoch(row(1, clean_accuracy=1 - train_error, val_accuracy=accuracy, penalty=penalty, **losses))
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


def measured(accuracy: Sample, loss: Sample | None = None, loss_error: float | None = 0.004) -> Measured:
    return Measured(("0" * 12,), accuracy, loss or Sample(1, 0.1, ONE), (1,), None, None, (1,), loss_error)


def row_of(published: Published, found: Measured | None) -> Row:
    gap = accuracy_gap(published.test_accuracy, found)
    outcome = "not trained" if found is None else reproduction(gap)
    loss = loss_gap(published.test_loss, found)
    return Row("a", "model", "b", "", (), 1, "", published, outcome, gap, loss, measured=found)


@pytest.mark.parametrize(("seeds", "sd"), [(3, 0.001), (5, 0.003)])
def test_a_model_that_is_the_published_one_reproduces_19_times_in_20(seeds: int, sd: float) -> None:
    random = np.random.default_rng(0)
    within = []
    for _ in range(4000):
        # all seeds are tested on the same images: their common luck does not average out
        luck = random.normal(0, np.sqrt(0.976 * 0.024 / IMAGES), 2)
        own = random.normal(0.976, sd, seeds + 1)
        published, mean = own[0] + luck[0], own[1:].mean() + luck[1]
        within.append(not Gap(mean - published, accuracy_error(published, Sample(seeds, mean, sd))).differs)
    assert np.mean(within) == pytest.approx(0.95, abs=0.015)


def test_one_seed_is_judged_more_strictly() -> None:
    alone = Gap(0, accuracy_error(0.9762, Sample(1, 0.9759, ONE))).limit
    assert alone == pytest.approx(0.00424, abs=1e-5)
    assert Gap(0, accuracy_error(0.9762, Sample(3, 0.9759, 0.002))).limit > alone
    loss = loss_gap(0.1, measured(Sample(3, 0.98, 0.0), Sample(3, 0.1, 0.0), loss_error=0.01))
    assert loss is not None
    assert loss.limit == pytest.approx(1.96 * 0.01 * np.sqrt(2), rel=1e-4)


def test_verdicts_in_words() -> None:
    assert sentence(row_of(Published(0.97), None)) == "Not trained yet."
    row = row_of(Published(0.9762), measured(Sample(1, 0.9759, ONE)))
    assert row.outcome == "reproduces"
    assert sentence(row) == "Reproduces: 0.03 points below what is published, and up to 0.42 points are chance."
    row = row_of(Published(0.0892), measured(Sample(3, 0.977, 0.001)))
    assert row.outcome == "differs"
    assert "88.78 points above what is published" in sentence(row)
    row = row_of(Published(), measured(Sample(3, 0.97, 0.001)))
    assert row.outcome == "nothing to compare"
    assert sentence(row) == "The source prints no test figure; here it is 97.00 ± 0.10 % (3 seeds)."
    for loss, error, text in ((0.074, 0.004, "The loss differs"), (0.09, 0.004, "The loss agrees"), (0.09, None, "")):
        found = measured(Sample(1, 0.98, ONE), Sample(1, loss, ONE), loss_error=error)
        assert loss_sentence(row_of(Published(test_loss=0.0965), found)).startswith(text)
    assert loss_sentence(row_of(Published(test_loss=0.0965), measured(Sample(1, 0.98, ONE), loss_error=None))) == ""


def test_a_gap_that_reads_like_its_limit_is_written_with_another_decimal() -> None:
    error = 0.0043 / 1.959964
    row = Row("a", "model", "b", "", (), 1, "", Published(0.97), "differs", Gap(-0.00434, error), measured=None)
    assert sentence(row) == "Differs: 0.434 points below what is published, where up to 0.430 would be chance."


def test_every_published_model_sweep_and_search_has_its_row(store: Store) -> None:
    found = rows(store)
    assert [row.name for row in found] == [*PRESETS, *SWEEPS, *SEARCHES]
    assert {row.outcome for row in found} == {"not trained"}
    assert all(row.source for row in found)


def test_seeds_of_a_model_are_one_figure_and_other_data_are_none(store: Store, add_run: AddRun) -> None:
    config = PRESETS["notebook/model_1"].config
    for one, accuracy in zip(with_seeds(config, 3), (0.975, 0.976, 0.977), strict=True):
        add_run(one, accuracy)
    add_run(config.replace(training__epochs=2), 0.5)  # another recipe
    row = next(row for row in rows(store) if row.name == "notebook/model_1")
    assert row.outcome == "reproduces"
    assert row.measured is not None
    assert (row.measured.accuracy.mean, row.measured.accuracy.n) == (pytest.approx(0.976), 3)
    assert row.measured.accuracy.sd == pytest.approx(0.001)
    assert [store.get(run_id).config.training.seed for run_id in row.opens] == [0, 1, 2]
    assert row.measured.loss_error is not None
    # √(p(1 − p)/n) · the distance of the two losses an image can have here
    assert row.measured.loss_error == pytest.approx(np.sqrt(0.975 * 0.025 / IMAGES) * np.log(91), rel=1e-3)


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
    said = capsys.readouterr()
    assert "reproduces: 1, not trained: 20" in said.err
    assert "96.40 %" in said.out


def test_losses_are_compared_with_the_penalty_that_sources_print_with_them(store: Store, add_run: AddRun) -> None:
    run = add_run(PRESETS["notebook/model_3"].config, 0.968, penalty=0.03)
    scores = run.test_scores()
    row = next(row for row in rows(store) if row.name == "notebook/model_3")
    assert scores is not None
    assert row.measured is not None
    assert row.measured.loss.mean == pytest.approx(scores.loss + 0.03)


def test_damaged_runs_have_no_figures(store: Store, add_run: AddRun) -> None:
    run = add_run(PRESETS["coursera/first"].config, 0.965)
    Path(run.path / "predictions.npz").write_bytes(b"damaged")
    assert next(row for row in rows(store) if row.name == "coursera/first").outcome == "not trained"
