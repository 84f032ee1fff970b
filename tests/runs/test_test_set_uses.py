"""Each distinct look at test results is counted once, whatever happens to the file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_core.comparison.words.test_set import uses_words
from mnist_core.errors import StoreError
from mnist_core.runs.test_set_uses import FILE, Uses, comparison, record, reveal, runs_seen, seen

DATA = "5" * 16


def test_the_same_two_runs_are_one_comparison_in_either_order(tmp_path: Path) -> None:
    record(tmp_path, [comparison(DATA, ("a", 4), ("b", 6))])
    record(tmp_path, [comparison(DATA, ("b", 6), ("a", 4))])
    assert seen(tmp_path, DATA) == Uses(1, 0)
    assert len((tmp_path / FILE).read_text().splitlines()) == 1


def test_another_epoch_another_run_and_other_data_are_other_comparisons(tmp_path: Path) -> None:
    record(tmp_path, [comparison(DATA, ("a", 4), ("b", 6)), comparison(DATA, ("a", 4), ("b", 2))])
    record(tmp_path, [comparison(DATA, ("a", 4), ("c", 6)), comparison("6" * 16, ("a", 4), ("b", 6))])
    assert seen(tmp_path, DATA) == Uses(3, 0)
    assert seen(tmp_path, "6" * 16) == Uses(1, 0)
    assert seen(tmp_path, "7" * 16) == Uses(0, 0)


def test_reveals_of_one_study_count_once_and_name_all_runs_that_were_seen(tmp_path: Path) -> None:
    for _ in range(2):
        record(tmp_path, [reveal(DATA, "study", ["a", "b"])])
    assert seen(tmp_path, DATA) == Uses(0, 1)
    record(tmp_path, [reveal(DATA, "study", ["a", "b", "c"])])
    assert seen(tmp_path, DATA) == Uses(0, 1)
    assert runs_seen(tmp_path) == {"a", "b", "c"}


@pytest.mark.parametrize("damage", [b"rubbish\n", b'{"kind": "comparison"', b"\xff\xfe\n", b"[1]\n", b"null\n"])
def test_a_damaged_line_is_passed_over_and_swallows_nothing(tmp_path: Path, damage: bytes) -> None:
    record(tmp_path, [comparison(DATA, ("a", 4), ("b", 6))])
    with (tmp_path / FILE).open("ab") as file:
        file.write(damage)
    record(tmp_path, [comparison(DATA, ("a", 4), ("c", 6))])
    assert seen(tmp_path, DATA) == Uses(2, 0)


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record(tmp_path, [comparison(DATA, ("a", 1), (f"run {n}", 1))]), range(40)))
    assert seen(tmp_path, DATA) == Uses(40, 0)


def test_a_store_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not counted"):
        record(tmp_path / "gone", [comparison(DATA, ("a", 1), ("b", 1))])


def test_the_sentence_gives_the_counts() -> None:
    assert uses_words(Uses(0, 0), "mnist") == ""
    assert uses_words(Uses(1, 0), "mnist").startswith(
        "The test images of MNIST have served 1 comparison of two runs in this store so far"
    )
    assert "14 comparisons of two runs and 2 looks at what a study had passed over" in uses_words(Uses(14, 2), "mnist")
