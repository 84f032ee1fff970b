"""Which model to put to work: dominance by brute force, noise by McNemar, and every sentence against the numbers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from mnist_core.cli import main
from mnist_core.comparison.decide import decide_one
from mnist_core.comparison.production import Candidate, Ranked, cost_ratios, dominated_by, rank, recommend
from mnist_core.comparison.words.production import (
    networks_only_words,
    reason_words,
    recommendation_reasons,
    recommendation_words,
    selection_words,
    share_words,
)
from mnist_core.errors import ComparisonError, StoreError
from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import AccuracyDifference, Agreement, MeanDifference, Sample, sample
from mnist_core.experiments.configs import ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.jobs import latency
from mnist_core.jobs.latency import BatchTime, Latency
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

IMAGES = 1000


def wrong_on(wrong: set[int], images: int = IMAGES) -> Predictions:
    labels = (np.arange(images) % 10).astype(np.uint8)
    guessed = [(int(label) + (index in wrong)) % 10 for index, label in enumerate(labels)]
    return Predictions(labels, np.eye(10, dtype=np.float32)[guessed])


def candidate(name: str, wrong: int, parameters: int, **costs: float) -> Candidate:
    interval = accuracy_interval(IMAGES - wrong, IMAGES)
    return Candidate(name, 1 - wrong / IMAGES, interval, parameters, **costs)  # type: ignore[arg-type]


def named(items: list[Ranked]) -> dict[str, str]:
    return {item.candidate.id: item.candidate.id for item in items}


def advice(items: list[Ranked], cost: str = "parameters", seeds: dict[str, Sample] | None = None) -> str:
    """Return the headline and what follows it."""
    found = recommend(items, cost)  # type: ignore[arg-type]
    headline = recommendation_words(found, items, named(items))
    assert len(re.findall(r"[.:]( |$)", headline)) <= 2, "one sentence"
    return f"{headline} {recommendation_reasons(found, items, named(items), seeds)}".rstrip()


def reasons(items: list[Ranked]) -> dict[str, str]:
    return {item.candidate.id: reason_words(item, items, named(items)) for item in items}


LARGE, SMALL, POOR = candidate("large", 20, 400_000), candidate("small", 24, 50_000), candidate("poor", 80, 25_000)
GIVEN = {"large": wrong_on(set(range(20))), "small": wrong_on(set(range(10, 34))), "poor": wrong_on(set(range(80)))}


# -- noise and dominance -----------------------------------------------------------------------------------------------


def test_a_model_suffices_where_every_interval_lies_above_minus_the_margin() -> None:
    items = {item.candidate.id: item for item in rank([SMALL, LARGE, POOR], GIVEN, margin=0.02)}
    assert items["large"].best
    assert {name: item.status for name, item in items.items()} == {
        "large": "suffices", "small": "suffices", "poor": "behind",
    }  # fmt: skip
    assert items["small"].against["large"].interval.low == pytest.approx(-0.0145, abs=5e-5)
    narrow = {item.candidate.id: item.status for item in rank([SMALL, LARGE, POOR], GIVEN, margin=0.01)}
    assert narrow == {"large": "suffices", "small": "open", "poor": "behind"}


@pytest.mark.parametrize("seed", range(40))
def test_another_model_never_makes_one_look_better(seed: int) -> None:
    """The statuses from the best to the worst; with the most accurate one added too, of whatever agreement."""
    order = ("suffices", "open", "behind")
    random = np.random.default_rng(seed)
    wrong = {str(i): set(random.choice(60, int(random.integers(5, 40)), replace=False).tolist()) for i in range(5)}
    candidates = [candidate(name, len(indices), 1 + number) for number, (name, indices) in enumerate(wrong.items())]
    predictions = {name: wrong_on(indices) for name, indices in wrong.items()}
    before = {item.candidate.id: item.status for item in rank(candidates[:4], predictions, margin=0.012)}
    after = {item.candidate.id: item.status for item in rank(candidates, predictions, margin=0.012)}
    assert all(order.index(after[name]) >= order.index(status) for name, status in before.items())


def test_a_worse_recipe_does_not_suffice_though_its_one_network_would() -> None:
    worse = decide_one(MeanDifference(-0.0033, 0.0006, 5), margin=0.002)
    items = rank([SMALL, LARGE], GIVEN, margin=0.02, recipes={("small", "large"): worse})
    status = {item.candidate.id: item.status for item in items}
    assert status == {"small": "behind", "large": "suffices"}
    assert "Over its seeds it is shown to be worse than large." in reasons(items)["small"]
    behind = rank([POOR, LARGE], GIVEN, margin=0.02, recipes={("poor", "large"): worse})
    assert "It is shown to be worse than large, over its seeds too." in reasons(behind)["poor"]


def test_where_only_the_seeds_leave_it_open_the_images_are_not_blamed() -> None:
    wide = decide_one(MeanDifference(0.004, 0.004, 5), margin=0.002)
    items = rank([LARGE, POOR], GIVEN, margin=0.002, recipes={("large", "poor"): wide})
    assert {item.candidate.id: item.status for item in items} == {"large": "open", "poor": "behind"}
    assert advice(items).startswith(
        "These 1,000 images and seeds can't tell which one to take. None is shown, as a trained network and over its "
        "seeds, to be at most 0.2 points worse than every other."
    )
    assert "Whether it is, over its seeds, at most 0.2 points worse than poor can't be told" in reasons(items)["large"]


def test_seeds_are_named_where_there_are_some_and_missed_where_there_are_none() -> None:
    items = rank([LARGE, POOR], GIVEN, margin=0.02)
    seeds = {"large": sample([0.98, 0.976, 0.978])}
    assert advice(items, seeds=seeds).startswith(
        "Take large: it has the most right, 98.00 %. As a recipe it has 97.80 ± 0.20 % over 3 seeds. No cheaper one"
    )
    assert networks_only_words(items, named(items)) == (
        "large and poor are weighed as trained networks only, as their recipes cannot be compared over seeds here: "
        "another seed may change the order."
    )
    worse = decide_one(MeanDifference(-0.06, 0.001, 5), margin=0.002)
    assert networks_only_words(rank([LARGE, POOR], GIVEN, recipes={("poor", "large"): worse}), named(items)) == ""
    assert networks_only_words(items[:1], named(items)) == ""


def test_the_cost_that_decides_is_named_and_comes_first() -> None:
    large = candidate("large", 20, 400_000, seconds=10.0, bytes=300)
    small = candidate("small", 24, 50_000, seconds=6.0, bytes=200)
    items = rank([large, small], GIVEN, margin=0.02)
    assert advice(items, "seconds").endswith(
        "with 60 % of the training time and an eighth of the parameters. The cost is the training time."
    )
    # the smaller one is not dearer in a time that nobody has measured
    assert advice(items, "one").endswith(
        " As the time for one image is not known of any that suffices, the parameters decided."
    )
    equal = rank([candidate("large", 20, 50_000), candidate("small", 24, 50_000)], GIVEN, margin=0.02)
    assert advice(equal) == (
        "Take large: it has the most right, 98.00 %. Of the others within 2 points none is known to cost less. "
        "The cost is the parameters."
    )


def test_a_model_that_is_truly_worse_than_the_margin_is_rarely_recommended() -> None:
    """Of 400 made-up test sets with a model 0.3 points worse, where not significantly worse was enough in 6 of 10."""
    random, taken = np.random.default_rng(0), 0
    for _ in range(400):
        lost, gained = random.multinomial(10_000, [0.0115, 0.0085, 0.98])[:2]
        table = AccuracyDifference(Agreement(9_700, int(lost), int(gained), 300 - int(lost) - int(gained)))
        taken += decide_one(table, margin=0.002).not_worse
    assert taken / 400 < 0.025


def test_of_equally_accurate_ones_the_smallest_is_the_best() -> None:
    twin = candidate("twin", 20, 300_000)
    items = rank([LARGE, twin], {"large": GIVEN["large"], "twin": GIVEN["large"]})
    assert [item.candidate.id for item in items if item.best] == ["twin"]


def test_other_images_are_refused() -> None:
    with pytest.raises(ComparisonError, match="images and the other on"):
        rank([LARGE, SMALL], {"large": GIVEN["large"], "small": wrong_on(set(), 990)})


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


def test_shares_of_costs_begin_with_the_least_and_leave_out_what_is_about_the_same() -> None:
    cheap = candidate("a", 20, 50_000, bytes=100, one=0.95, seconds=20.0)
    dear = candidate("b", 20, 400_000, bytes=300, one=1.0, seconds=10.0)
    assert cost_ratios(cheap, dear) == {"parameters": 0.125, "bytes": 100 / 300, "seconds": 2.0}


def test_times_from_a_busy_machine_make_no_sentence() -> None:
    cheap, dear = candidate("a", 20, 100, one=0.001, quiet=False), candidate("b", 20, 100, one=0.1)
    assert cost_ratios(cheap, dear) == {}


def test_the_recommendation_is_the_cheapest_that_suffices() -> None:
    items = rank([LARGE, SMALL, POOR], GIVEN, margin=0.02)
    assert advice(items).startswith(
        "Take small: at most 2 points worse than any other one here. It has 0.40 points [−0.60, 1.45] fewer right "
        "than large, with an eighth of the parameters. The cost is the parameters. Where the parameters count more, "
        "poor has 5.60 points ["
    )
    assert advice(items).endswith("fewer right, with half the parameters.")
    sentences = reasons(items)
    assert sentences["large"].startswith("the most right, 98.00 % [96.")
    assert (
        "not shown to be better than small. It is shown that no other one is more than 2 points better"
        in (sentences["large"])
    )
    alone = rank([LARGE, POOR], {"large": GIVEN["large"], "poor": GIVEN["poor"]}, margin=0.02)
    assert "It is shown to be better than every other one" in reasons(alone)["large"]
    assert sentences["small"].startswith("0.40 points [−0.60, 1.45] fewer right than large, with an eighth of the par")
    assert "fewer right than large, with 1/16 of the parameters. It is shown to be worse than" in sentences["poor"]


def test_where_the_images_cannot_tell_that_is_the_answer() -> None:
    items = rank([LARGE, SMALL], GIVEN, margin=0.002)
    assert advice(items) == (
        "These 1,000 images can't tell which one to take. None is shown to be at most 0.2 points worse than every "
        "other. large has the most right, 98.00 %. So few images never can: set a margin above 0.38 points, or test "
        "on more. Where the parameters count more, small has 0.40 points [−0.60, 1.45] fewer right, with an "
        "eighth of the parameters."
    )
    assert "Whether it is at most 0.2 points worse than large can't be told here" in reasons(items)["small"]


def test_that_the_best_was_found_on_these_images_is_said() -> None:
    items = rank([LARGE, SMALL, POOR], GIVEN)
    assert selection_words(items).startswith("The most accurate of these 3 models was found on the same test images")
    assert selection_words(items[:1]) == ""


def test_the_second_advice_is_on_the_front_of_the_chosen_cost_and_names_what_costs_more() -> None:
    best = candidate("best", 20, 400_000, seconds=100.0)
    quick = candidate("quick", 60, 600_000, seconds=20.0)
    beaten = candidate("beaten", 60, 500_000, seconds=50.0)
    predictions = {
        "best": wrong_on(set(range(20))),
        "quick": wrong_on(set(range(60))),
        "beaten": wrong_on(set(range(60))),
    }
    items = rank([best, beaten, quick], predictions)
    found = recommend(items, "seconds")
    assert (found.pick.candidate.id, found.alternative and found.alternative.candidate.id) == ("best", "quick")
    assert advice(items, "seconds").endswith("with a fifth of the training time, but 1.5 times the parameters.")
    assert recommend(items, "parameters").alternative is None


def test_where_nothing_smaller_suffices_the_price_is_named() -> None:
    items = rank([LARGE, POOR], {"large": GIVEN["large"], "poor": GIVEN["poor"]})
    assert advice(items).startswith(
        "Take large: it has the most right, 98.00 %. No cheaper one is shown to be within 0.2 points of all "
        "others. Where the parameters count more, poor has 6.00 points ["
    )


def test_a_run_that_is_worse_in_everything_is_said_to_be() -> None:
    bad = candidate("bad", 80, 500_000)
    text = reasons(rank([LARGE, bad], {"large": GIVEN["large"], "bad": GIVEN["poor"]}))["bad"]
    assert "large is at least as accurate, and costs no more in anything that was measured." in text


def test_one_run_alone_is_stated() -> None:
    items = rank([LARGE], GIVEN)
    assert advice(items) == "large is the only tested model here: 98.00 % of the test images are right."
    assert reasons(items)["large"].startswith("the most right")


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
