"""A run id keeps its meaning: the same split, order, weights, dropout and augmentation for the same configuration.

If a test here fails, do not edit `golden.json`: the ids of all stored runs would then stand for numbers that this code
no longer gives. `tests/support/golden.py` says what to do instead.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from mnist_core.experiments.configs import SCHEMA_VERSION
from tests.support import golden

STORED = json.loads(golden.FILE.read_text(encoding="utf-8"))


def test_the_values_belong_to_this_schema_version() -> None:
    assert STORED["schema_version"] == SCHEMA_VERSION
    assert set(STORED) == {"schema_version", *golden.EXACT, *golden.CLOSE}


@pytest.mark.parametrize("part", golden.EXACT)
def test_what_numpy_and_hashing_give_is_the_same_to_the_last_bit(part: str) -> None:
    assert golden.EXACT[part]() == STORED[part]


@pytest.mark.parametrize("part", golden.CLOSE)
def test_what_tensorflow_gives_is_the_same_but_for_rounding(part: str) -> None:
    make, tolerance = golden.CLOSE[part]
    now = make()
    assert set(now) == set(STORED[part])
    for key, values in STORED[part].items():
        np.testing.assert_allclose(now[key], values, rtol=tolerance, atol=1e-7, err_msg=key)


def test_a_stored_value_is_never_written_over_without_a_new_schema_version() -> None:
    empty = {part: {} for part in (*golden.EXACT, *golden.CLOSE)}
    stored = {"schema_version": 1} | empty | {"split": {"a": [1]}, "weights": {"w": [0.5]}}
    now = empty | {"split": {"a": [2], "b": [3]}, "weights": {"w": [0.6]}}
    with pytest.raises(SystemExit, match=r"these values differ .*: a"):
        golden.merged(stored, now, version=1)
    assert golden.merged(stored, now, version=2) == {"schema_version": 2} | now
    unchanged = now | {"split": {"a": [1], "b": [3]}}
    assert golden.merged(stored, unchanged, version=1) == {"schema_version": 1} | unchanged | {"weights": {"w": [0.5]}}


def test_the_file_is_written_in_the_form_in_which_it_is_stored() -> None:
    assert golden.written(STORED) == golden.FILE.read_text(encoding="utf-8")
