"""Which model to put to work: dominance by brute force, noise by McNemar, and every sentence against the numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from mnist_core.cli import main
from mnist_core.comparison.production import (
    Candidate,
    dominated_by,
    reasons,
    recommendation,
    savings,
    share_words,
    standings,
)
from mnist_core.errors import ComparisonError, StoreError
from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.jobs import latency
from mnist_core.jobs.latency import BatchTime, Latency
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

IMAGES = 1000


def said(wrong: set[int], images: int = IMAGES) -> Predictions:
    labels = (np.arange(images) % 10).astype(np.uint8)
    guessed = [(int(label) + (index in wrong)) % 10 for index, label in enumerate(labels)]
    return Predictions(labels, np.eye(10, dtype=np.float32)[guessed])


def candidate(name: str, wrong: int, parameters: int, **costs: float) -> Candidate:
    interval = accuracy_interval(IMAGES - wrong, IMAGES)
    return Candidate(name, name, 1 - wrong / IMAGES, interval, parameters, **costs)  # type: ignore[arg-type]


LARGE, SMALL, POOR = candidate("large", 20, 400_000), candidate("small", 24, 50_000), candidate("poor", 80, 25_000)
SAID = {"large": said(set(range(20))), "small": said(set(range(10, 34))), "poor": said(set(range(80)))}


# -- noise and dominance -----------------------------------------------------------------------------------------------


def test_within_noise_is_mcnemars_test_with_holms_correction() -> None:
    items = {item.candidate.id: item for item in standings([SMALL, LARGE, POOR], SAID)}
    assert items["large"].best
    assert items["large"].p == 1
    # small: 10 images only it gets wrong that large gets right are 14, and 10 the other way; poor: 60 and 0
    raw = {"small": binomtest(10, 24, 0.5).pvalue, "poor": binomtest(0, 60, 0.5).pvalue}
    assert items["poor"].p == pytest.approx(2 * raw["poor"])
    assert items["small"].p == pytest.approx(raw["small"])
    assert items["small"].within_noise
    assert not items["poor"].within_noise


def test_of_equally_accurate_ones_the_smallest_is_the_best() -> None:
    twin = candidate("twin", 20, 300_000)
    items = standings([LARGE, twin], {"large": SAID["large"], "twin": SAID["large"]})
    assert [item.candidate.id for item in items if item.best] == ["twin"]


def test_other_images_are_refused() -> None:
    with pytest.raises(ComparisonError, match="1,000 images and the other on 990"):
        standings([LARGE, SMALL], {"large": SAID["large"], "small": said(set(), 990)})


@pytest.mark.parametrize("seed", range(20))
def test_dominance_is_that_of_brute_force(seed: int) -> None:
    generator = np.random.default_rng(seed)
    items = [candidate(str(i), int(generator.integers(0, 6)), int(generator.integers(1, 6))) for i in range(8)]
    expected = {
        own.id
        for own in items
        if any(
            (o.accuracy >= own.accuracy and o.parameters < own.parameters)
            or (o.accuracy > own.accuracy and o.parameters <= own.parameters)
            for o in items
        )
    }
    assert set(dominated_by(items, "parameters")) == expected


def test_a_cost_that_was_not_measured_neither_dominates_nor_is_dominated() -> None:
    fast, unknown = candidate("fast", 10, 1, one=0.001), candidate("unknown", 20, 1)
    assert dominated_by([fast, unknown], "one") == {}
    assert dominated_by([fast, candidate("slow", 20, 1, one=0.002)], "one") == {"slow": "fast"}


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.126, "an eighth of"),
        (0.5, "half"),
        (0.333, "a third of"),
        (0.6, "60 % of"),
        (0.4, "40 % of"),
        (0.01, "1/100 of"),
    ],
)
def test_shares_in_words(share: float, words: str) -> None:
    assert share_words(share) == words


def test_savings_begin_with_the_greatest_and_leave_out_what_is_about_the_same() -> None:
    cheap = candidate("a", 20, 50_000, bytes=100, one=0.95, seconds=5.0)
    dear = candidate("b", 20, 400_000, bytes=300, one=1.0, seconds=10.0)
    assert savings(cheap, dear) == ["an eighth of the parameters", "a third of the file size", "half the training time"]
    assert savings(dear, cheap) == []


def test_times_from_a_busy_machine_make_no_sentence() -> None:
    cheap, dear = candidate("a", 20, 100, one=0.001, quiet=False), candidate("b", 20, 100, one=0.1)
    assert savings(cheap, dear) == []


def test_the_recommendation_is_the_smallest_within_noise_of_the_best() -> None:
    items = standings([LARGE, SMALL, POOR], SAID)
    assert recommendation(items) == (
        "Take small: within noise of the best, large (0.40 percentage points fewer), with an eighth of the parameters."
    )
    sentences = reasons(items)
    assert sentences["large"].startswith("the most accurate, with 98.00 % [96.")
    assert "but not clearly more so than small" in sentences["large"]
    assert sentences["small"].startswith(
        "within noise of the best (0.40 percentage points fewer [−1.36, +0.56], p = 0.54)"
    )
    assert (
        "6.00 percentage points behind large, more than chance (p < 0.001); in return it has 1/16 of the parameters"
        in (sentences["poor"])
    )


def test_where_nothing_smaller_comes_near_the_price_is_named() -> None:
    items = standings([LARGE, POOR], {"large": SAID["large"], "poor": SAID["poor"]})
    assert recommendation(items) == (
        "Take large where accuracy counts: no smaller model comes within noise of its 98.00 %. Where cost counts, poor "
        "gives up 6.00 percentage points for 1/16 of the parameters."
    )


def test_a_run_that_is_worse_in_everything_is_said_to_be() -> None:
    bad = candidate("bad", 80, 500_000)
    text = reasons(standings([LARGE, bad], {"large": SAID["large"], "bad": SAID["poor"]}))["bad"]
    assert "and no cheaper. large is at least as accurate, and costs no more in anything that was measured." in text


def test_one_run_alone_is_stated() -> None:
    items = standings([LARGE], SAID)
    assert recommendation(items) == "large is the only tested model here: 98.00 % of the test images are right."
    assert reasons(items)["large"].startswith("the most accurate")


# -- latency -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few calls: the figures are not looked at."""
    monkeypatch.setattr(latency, "CALLS", {1: 3, 256: 3})
    monkeypatch.setattr(latency, "PREDICT_CALLS", 2)
    monkeypatch.setattr(latency, "UNCOUNTED", 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Run]:
    store = Store(tmp_path_factory.mktemp("latency"))
    wanted = RunConfig(model=ModelConfig(layers=(DenseLayer(units=8),)), training=TrainingConfig(epochs=1))
    return store, request(store, LocalRunner(store), wanted, name="mine").run


def made_up(stamp: int) -> Latency:
    times = tuple(
        BatchTime(images=n, compiled_s=0.001, compiled_calls=3, predict_s=0.05, predict_calls=2) for n in (1, 256)
    )
    return Latency(
        batches=times, model_stamp=stamp, measured_at=0.0, processor="p", threads=1, cores=2, load=0.1, tensorflow="2"
    )


def test_the_command_measures_and_keeps_what_it_prints(
    trained: tuple[Store, Run], quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run = trained
    assert main(["latency", "mine", "--json", "--store", str(store.root)]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    found = latency.stored(store, run)
    assert found is not None
    assert printed["batches"] == json.loads(found.model_dump_json())["batches"]
    assert [(item.images, item.compiled_calls, item.predict_calls) for item in found.batches] == [
        (1, 3, 2),
        (256, 3, 2),
    ]
    assert all(item.compiled_s > 0 for item in found.batches)
    assert found.processor
    assert main(["latency", "mine", "--store", str(store.root)]) == 0
    assert "256" in capsys.readouterr().out


def test_figures_of_other_weights_are_not_shown(trained: tuple[Store, Run]) -> None:
    store, run = trained
    assert run.model_file is not None
    path = latency.latency_file(store, run)
    path.write_text(made_up(run.model_file.stat().st_mtime_ns).model_dump_json())
    assert latency.stored(store, run) is not None
    os.utime(run.model_file, ns=(1, 1))
    assert latency.stored(store, run) is None
    path.write_text("{")
    assert latency.stored(store, run) is None


def test_a_run_that_ships_is_not_written_into(trained: tuple[Store, Run]) -> None:
    from dataclasses import replace

    store, run = trained
    assert (
        latency.latency_file(store, replace(run, read_only=True)) == store.root / "cache" / "latency" / f"{run.id}.json"
    )
    assert latency.latency_file(store, run).parent == run.path


def test_a_run_without_weights_says_so(trained: tuple[Store, Run], tmp_path: Path) -> None:
    from dataclasses import replace

    store, run = trained
    with pytest.raises(StoreError, match="has kept no weights"):
        latency.measure_run(store, replace(run, path=tmp_path))


def test_a_request_waits_until_it_is_answered_or_lapses(
    trained: tuple[Store, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run = trained
    latency.ask(store, run)
    assert latency.waiting(store, run)
    monkeypatch.setattr(latency, "LAPSES_AFTER_S", -1.0)
    assert not latency.waiting(store, run)
    assert latency.problem(store, run) == "the worker did not answer; try again"
    monkeypatch.undo()

    def fails(*_: object) -> Latency:
        raise StoreError("the disk is full; make room")

    monkeypatch.setattr(latency, "measure_run", fails)
    latency.answer(store, run)
    assert not latency.waiting(store, run)
    assert latency.problem(store, run) == "the disk is full; make room"
    monkeypatch.setattr(latency, "measure_run", lambda *_: made_up(0))
    latency.answer(store, run)
    assert latency.problem(store, run) == ""
