"""Two networks on many exams: paired on each, decided by the one decision, corrected for their number."""

import numpy as np
import pytest

from mnist_core.comparison.decide import decide
from mnist_core.comparison.exams import (
    MOST_OPERATIONS,
    Result,
    affordable,
    against,
    equally_spaced,
    exam_images,
    exam_names,
    most_robust,
    sit,
    sit_all,
    verdicts,
)
from mnist_core.errors import ConfigError
from mnist_core.evaluation.corruptions import CORRUPTIONS, corrupted
from mnist_core.evaluation.statistics import AccuracyDifference
from mnist_core.experiments.configs import ModelConfig
from mnist_core.inspection.numpy_network import Network


def result(wrong: int, *, first: int = 0, images: int = 1000) -> Result:
    """A result with so many wrong images in a row."""
    right = np.ones(images, bool)
    right[first : first + wrong] = False
    return Result(right)


def test_a_network_that_answers_by_the_first_pixel_is_scored_by_it() -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 0, 0] = [0, 1, 2, 3]
    eye = np.eye(10, dtype=np.float32)
    network = Network((lambda values: eye[np.rint(values[:, 0, 0] * 255).astype(int)],), 2)
    found = sit(network, images, np.array([0, 1, 2, 4], np.uint8))
    assert found.right.tolist() == [True, True, True, False]
    assert (found.images, found.correct, found.accuracy) == (4, 3, 0.75)
    assert found.interval.low < 0.75 < found.interval.high


def test_sixteen_exams_are_decided_together() -> None:
    names = exam_names()
    assert len(names) == 16
    baseline = {name: result(100) for name in names}
    run = {name: result(85 + 5 * place) for place, name in enumerate(names)}
    found = verdicts(baseline, run, margin=0.002)
    assert [item.exam for item in found] == names
    assert [item.accuracy for item in found] == decide([AccuracyDifference(item.table) for item in found], margin=0.002)
    assert all(item.accuracy.comparisons == 16 for item in found)
    assert found[0].table.only_run == 15
    assert found[-1].accuracy.answer == "worse"


def test_one_difference_that_is_decided_alone_may_stay_open_among_sixteen() -> None:
    alone = verdicts({"a": result(100)}, {"a": result(107)}, margin=0.002)
    many = verdicts(
        {str(place): result(100) for place in range(16)},
        {"0": result(107)} | {str(place): result(100) for place in range(1, 16)},
        margin=0.002,
    )
    assert alone[0].accuracy.answer == "worse"
    assert many[0].accuracy.answer == "undecided"


def test_several_runs_are_compared_with_one_baseline() -> None:
    found = against(result(50), [result(20), result(50)], margin=0.002)
    assert [decision.answer for _, decision in found] == ["better", "undecided"]


def test_an_exam_is_always_the_same_and_at_the_severity_of_mnist_c() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
    assert exam_images(images, "original") is images
    np.testing.assert_array_equal(exam_images(images, "fog"), corrupted(images, "fog", CORRUPTIONS["fog"].published))
    np.testing.assert_array_equal(exam_images(images, "fog", 2), corrupted(images, "fog", 2))
    with pytest.raises(ConfigError, match="no corruption 'snow'"):
        exam_images(images, "snow")


def test_only_a_run_that_is_never_worse_and_sometimes_better_is_the_most_robust() -> None:
    base = {"a": result(100), "b": result(100)}
    better, mixed = {"a": result(50), "b": result(100)}, {"a": result(50), "b": result(150)}
    same = {"a": result(100), "b": result(100)}

    def robust(*others: dict[str, Result]) -> str | None:
        runs = {"base": base} | {f"run {place}": other for place, other in enumerate(others)}
        return most_robust(runs, [verdicts(base, other, margin=0.002) for other in others])

    assert robust(better) == "run 0"
    assert robust(mixed) is None
    assert robust(same) is None
    assert robust(better, same) is None
    assert robust({"a": result(150), "b": result(100)}) == "base"


def test_all_networks_sit_all_exams_in_their_orders() -> None:
    eye = np.eye(10, dtype=np.float32)
    by_pixel = Network((lambda values: eye[np.rint(values[:, 0, 0] * 255).astype(int)],), 100)
    always_3 = Network((lambda values: eye[np.full(len(values), 3)],), 100)
    labels = np.array([1, 3], np.uint8)

    def images(*first: int) -> np.ndarray:
        found = np.zeros((2, 28, 28), np.uint8)
        found[:, 0, 0] = first
        return found

    found = sit_all(
        {"pixel": by_pixel, "three": always_3}, {"a": lambda: images(1, 3), "b": lambda: images(1, 2)}, labels
    )
    assert list(found) == ["pixel", "three"]
    assert [[list(found[run][exam].right) for exam in ("a", "b")] for run in found] == [
        [[True, True], [True, False]],
        [[False, True], [False, True]],
    ]


def test_large_networks_sit_exams_on_fewer_images() -> None:
    dense = ModelConfig(layers=({"units": 300},))
    large = ModelConfig(layers=({"kind": "conv", "filters": 64}, {"kind": "conv", "filters": 64}))
    assert affordable([dense], 10_000, 16) == 10_000
    assert affordable([dense, large], 10_000, 16) == max(100, MOST_OPERATIONS // (large.operations() * 16)) < 10_000
    assert affordable([large], 50, 16) == 50


def test_some_of_the_images_are_taken_at_equal_distances_from_the_first() -> None:
    assert equally_spaced(10, 4).tolist() == [0, 2, 5, 7]
    assert equally_spaced(3, 3).tolist() == [0, 1, 2]
