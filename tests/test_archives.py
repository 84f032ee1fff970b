"""Arrays from `.npz` files: what NumPy writes comes back, and whatever else is in a file is one kind of error."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from mnist_core.archives import read_arrays
from mnist_core.errors import DamagedFile
from mnist_core.evaluation.predictions import Predictions
from tests.support.damaged_store import OTHER_KINDS, zip_bomb
from tests.support.synthetic import guesses

ARRAYS: dict[str, NDArray] = {
    "whole": np.arange(6, dtype=np.int64).reshape(2, 3),
    "by_columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "big_endian": np.arange(3, dtype=">i4"),
    "scalar": np.array(2.5),
    "text": np.array("identity"),
    "none": np.empty((0, 10), np.float32),
    "true": np.array([True, False]),
}


def written(path: Path, *, compressed: bool) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **ARRAYS)
    return path


@pytest.mark.parametrize("compressed", [True, False])
def test_reads_what_numpy_writes_as_numpy_reads_it(tmp_path: Path, compressed: bool) -> None:
    path = written(tmp_path / "a.npz", compressed=compressed)
    found = read_arrays(path, most_bytes=10_000)
    with np.load(path) as archive:
        assert list(found) == archive.files
        for name in archive.files:
            assert_array_equal(found[name], archive[name])
            assert found[name].dtype == archive[name].dtype
            assert found[name].flags.f_contiguous == archive[name].flags.f_contiguous


def test_an_uncompressed_file_needs_no_limit(tmp_path: Path) -> None:
    assert set(read_arrays(written(tmp_path / "a.npz", compressed=False))) == set(ARRAYS)


def test_passes_over_other_arrays_only_where_that_is_wanted(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", compressed=False)
    assert set(read_arrays(path, ["whole", "missing"], others=True)) == {"whole"}
    with pytest.raises(DamagedFile, match=r"a\.npz is not .*: it has an array 'by_columns'"):
        read_arrays(path, ["whole"])


def test_refuses_what_would_take_too_much_memory_without_unpacking_it(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    path.write_bytes(zip_bomb())
    tracemalloc.start()
    try:
        for most_bytes in (None, 256 * 2**20):
            with pytest.raises(DamagedFile, match=r"bomb\.npz is not .*: it would take 512 MB of memory"):
                read_arrays(path, most_bytes=most_bytes)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", [0x110000, 0xFFFFFFFF, 0xD800])
def test_refuses_text_of_characters_that_do_not_exist(tmp_path: Path, number: int, order: str) -> None:
    """Python answers those above 0x10FFFF with SystemError, and cannot write half a surrogate pair."""
    text = np.array([97, number], f"{order}u4").view(f"{order}U2")
    np.savez(tmp_path / "a.npz", classes=text)
    with pytest.raises(DamagedFile, match=f"classes has the character number {number:,}, which there is not"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("make", OTHER_KINDS)
def test_neither_waits_nor_reads_without_end_where_there_is_no_file(tmp_path: Path, make) -> None:
    make(tmp_path / "a.npz")
    with pytest.raises((DamagedFile, OSError)):
        read_arrays(tmp_path / "a.npz")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "a.npz")


changes = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6)


def changed(content: bytes, at: list[tuple[int, int]], cut: int) -> bytes:
    mutable = bytearray(content)
    for place, value in at:
        mutable[place % len(mutable)] = value
    return bytes(mutable[: len(mutable) - cut])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes, st.sampled_from([0, 0, 0, 1, 30, 400]), st.booleans())
def test_any_change_of_bytes_is_harmless_or_a_damaged_file(
    tmp_path: Path, at: list[tuple[int, int]], cut: int, compressed: bool
) -> None:
    path = written(tmp_path / "a.npz", compressed=compressed)
    path.write_bytes(changed(path.read_bytes(), at, cut))
    with contextlib.suppress(DamagedFile):
        read_arrays(path, most_bytes=10_000)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes, st.sampled_from([0, 0, 1, 200]))
def test_predictions_that_are_read_are_probabilities_whatever_was_changed(
    tmp_path: Path, at: list[tuple[int, int]], cut: int
) -> None:
    file = io.BytesIO()
    good = guesses(3, images=20)
    np.savez(file, labels=good.labels, probabilities=good.probabilities)
    path = tmp_path / "predictions.npz"
    path.write_bytes(changed(file.getvalue(), at, cut))
    try:
        found = Predictions.read(path)
    except DamagedFile:
        return
    assert found.labels.shape == (len(found.probabilities),)
    assert found.labels.max() <= 9
    assert found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1.1e-3)
