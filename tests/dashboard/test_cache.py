"""What has been made once is kept by its content, up to a number of bytes, for all threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.cache import ByteCache, cached, key_of, size_of
from mnist_core.plots.learning_curves import Curve, curve_frame
from tests.support.synthetic import config


def text(length: int) -> Callable[[], str]:
    return lambda: "x" * length


def refused() -> str:
    raise ValueError("not now")


class TestBytes:
    def test_what_was_not_used_for_longest_goes_first(self) -> None:
        cache = ByteCache(300)
        for key in "abc":
            cache.get(key, text(100), len)
        cache.get("a", refused, len)  # used again
        cache.get("d", text(100), len)
        assert cache.bytes == 300
        for key in "acd":
            cache.get(key, refused, len)
        with pytest.raises(ValueError, match="not now"):
            cache.get("b", refused, len)

    def test_one_large_value_takes_the_place_of_many_small_ones(self) -> None:
        cache = ByteCache(300)
        for key in "abc":
            cache.get(key, text(100), len)
        cache.get("large", text(250), len)
        assert (len(cache), cache.bytes) == (1, 250)

    def test_keeping_a_value_does_not_hash_the_keys_of_all_others(self) -> None:
        hashed: list[int] = []

        class Key:
            def __init__(self, number: int) -> None:
                self.number = number

            def __hash__(self) -> int:
                hashed.append(self.number)
                return self.number

        cache = ByteCache(300)
        for number in range(10):
            cache.get(Key(number), text(30), len)
        hashed.clear()
        cache.get(Key(10), text(30), len)  # in place of the oldest
        assert set(hashed) == {0, 10}

    def test_what_is_larger_than_all_is_given_out_and_not_kept(self) -> None:
        cache = ByteCache(300)
        assert len(cache.get("too large", text(301), len)) == 301
        assert (len(cache), cache.bytes) == (0, 0)

    def test_a_failure_is_not_kept(self) -> None:
        cache = ByteCache(300)
        with pytest.raises(ValueError, match="not now"):
            cache.get("a", refused, len)
        assert cache.get("a", text(3), len) == "xxx"
        assert len(cache) == 1

    def test_cleared_it_holds_nothing(self) -> None:
        cache = ByteCache(300)
        cache.get("a", text(100), len)
        cache.clear()
        assert (len(cache), cache.bytes) == (0, 0)

    def test_what_is_being_made_while_it_is_cleared_is_not_counted(self) -> None:
        cache = ByteCache(300)

        def make() -> str:
            cache.clear()
            return "xxx"

        assert cache.get("a", make, len) == "xxx"
        assert (len(cache), cache.bytes) == (0, 0)


def test_threads_that_want_the_same_at_once_make_it_once() -> None:
    cache, began, go_on = ByteCache(300), threading.Event(), threading.Event()

    def make() -> str:
        began.set()
        assert go_on.wait(10)
        return "made"

    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get("a", make, len))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert began.wait(10)
    assert cache.get("b", text(3), len) == "xxx"  # nothing else waits for it
    go_on.set()
    for thread in threads:
        thread.join()
    assert found == ["made"] * 8
    assert cache.made == 2


def test_many_threads_leave_the_count_of_bytes_right() -> None:
    cache = ByteCache(2_000)

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for key in rng.integers(0, 60, 400):
            assert len(cache.get(int(key), text(10 + int(key)), len)) == 10 + key

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.bytes == sum(entry.size for entry in cache._entries.values()) <= 2_000


FRAME = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, np.nan], "kind": ["a", "b"]})
CURVE = Curve("a", "model", "#000000", FRAME)


class TestKeys:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 1.0),
            (1, True),
            ("1", 1),
            ("a", b"a"),
            (None, "None"),
            (("a", "b"), ("ab",)),
            ((("a",), "b"), ("a", ("b",))),
            ({"a": 1}, {"a": 2}),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            (FRAME, FRAME.assign(loss=[0.5, 0.4])),
            (FRAME, FRAME.assign(kind=["a", "c"])),
            (FRAME, FRAME.rename(columns={"loss": "accuracy"})),
            (FRAME, FRAME.iloc[:1]),
            (FRAME, FRAME.astype({"epoch": float})),
            (FRAME, FRAME.set_axis([5, 6])),
            (CURVE, Curve("a", "model", "#000000", FRAME, before=1)),
            (config(seed=1), config(seed=2)),
            (np.zeros((2, 3)), np.zeros((3, 2))),
            (np.zeros(2, np.float32), np.zeros(2, np.float64)),
        ],
    )
    def test_tell_different_arguments_apart(self, one: Any, other: Any) -> None:
        assert key_of(size_of, one) != key_of(size_of, other)

    def test_one_pixel_of_a_million_makes_another_key(self) -> None:
        """Streamlit's caches would look at a sample."""
        array = np.zeros((1000, 1000), np.uint8)
        other = array.copy()
        other[617, 203] = 1
        assert key_of(size_of, array) != key_of(size_of, other)
        assert key_of(size_of, pd.DataFrame(array)) != key_of(size_of, pd.DataFrame(other))

    def test_are_the_same_for_equal_arguments(self) -> None:
        copies = [Curve("a", "model", "#000000", FRAME.copy()) for _ in range(2)]
        assert key_of(size_of, copies[0]) == key_of(size_of, copies[1])

    def test_name_the_function(self) -> None:
        assert key_of(size_of, 1) != key_of(curve_frame, 1)

    def test_are_refused_to_a_function_that_may_see_more_than_its_arguments(self) -> None:
        with pytest.raises(TypeError, match="inside another function"):
            key_of(lambda: 1)

    def test_are_refused_for_what_has_no_content(self) -> None:
        with pytest.raises(TypeError, match="lock cannot be part of a key"):
            key_of(size_of, threading.Lock())


def test_a_kept_result_is_made_once_for_equal_arguments() -> None:
    history = pd.DataFrame({"epoch": [1, 2], "val_loss": [0.31, 0.21], "loss": [0.4, 0.2], "seconds": [1.0, 1.0]})

    def curves() -> list[Curve]:
        return [Curve("kept once", "model", "#000000", history.copy())]

    first = cached(curve_frame, curves(), "loss")
    pd.testing.assert_frame_equal(first, curve_frame(curves(), "loss"))
    assert cached(curve_frame, curves(), "loss") is first
    assert cached(curve_frame, curves(), "loss", smoothing=0.5) is not first
