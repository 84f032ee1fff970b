"""A cache of computed values, bounded by its bytes and shared by all sessions.

The key of a value is derived from the function and all its arguments, by content. So no value is ever out of date, and
no caller can forget a part of the key. Streamlit's own caches copy what they give out, hash large frames from a sample,
and are bounded by a number of entries, whatever their size.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from pydantic import BaseModel

Made = TypeVar("Made")
MIB = 2**20


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    size: int = -1
    """Bytes; -1 while it is being made."""


class ByteCache:
    """Holds what was used last, up to a number of bytes; for any number of threads.

    Two threads that want the same thing at once make it once: the second waits for the first.

    Parameters
    ----------
    most_bytes
        what all cached values together may take. A value that is larger by itself is returned, and not cached.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        """Bytes of the values in the cache now."""
        self.made = 0
        """Number of values computed."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[object, _Slot] = OrderedDict()

    def get(self, key: object, make: Callable[[], Made], size: Callable[[Made], int]) -> Made:
        """Return what is cached under `key`; where there is nothing, what `make` returns, which takes `size` bytes.

        What `make` raises is raised, and nothing is cached.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Slot())
            self._entries.move_to_end(key)
            if entry.size >= 0:
                return cast(Made, entry.value)
        with entry.lock:
            if entry.size >= 0:  # another thread has made it meanwhile
                return cast(Made, entry.value)
            try:
                value = make()
                bytes_ = size(value)
            except BaseException:
                with self._lock:
                    if self._entries.get(key) is entry:
                        del self._entries[key]
                raise
            with self._lock:
                self.made += 1
                entry.value, entry.size = value, bytes_
                if self._entries.get(key) is entry:  # else it was cleared meanwhile
                    self.bytes += bytes_
                    self._shrink()
            return value

    def _shrink(self) -> None:
        """Drop what was not used for longest, until the rest fits."""
        while self.bytes > self.most_bytes:
            # not over a list of all keys: going through an OrderedDict hashes each, and those of runs are large
            key = next(key for key, entry in self._entries.items() if entry.size >= 0)
            self.bytes -= self._entries.pop(key).size

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()
            self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)


CACHE = ByteCache(64 * MIB)
"""What pages are drawn of: figures, tables, compiled charts. Shared by all sessions."""
PREDICTIONS = ByteCache(32 * MIB)
"""Predictions of runs: 0.4 MB for 10,000 images, and as much again for as many held-out ones. There are as many as
runs, so that they have a bound of their own."""
EXAMS = ByteCache(192 * MIB)
"""Images of exams, 8 MB each for 10,000 digits, and what runs made of them."""
LARGE = ByteCache(768 * MIB)
"""Other values of megabytes each: networks, and what these make of digits. The hidden activations of the training
digits take up to 120 MB."""


def cached(function: Callable[..., Made], *arguments: Any, **options: Any) -> Made:
    """Return ``function(*arguments, **options)``, made once for equal arguments.

    The result is shared by all sessions and must not be written into. The function must depend on nothing but its
    arguments, and must be one of a module, not one made inside another function.
    """
    made: Made = CACHE.get(key_of(function, arguments, options), lambda: function(*arguments, **options), size_of)
    return made


def key_of(function: Callable[..., Any], *parts: Any) -> tuple[str, bytes]:
    """Return a key that is the same for equal parts only.

    Raises
    ------
    TypeError
        if a part is of a type that is not compared by content, or `function` uses variables of another function.
    """
    name = f"{function.__module__}.{function.__qualname__}"
    if "<locals>" in name or "<lambda>" in name:
        raise TypeError(f"{name} is made inside another function, so that it may depend on more than its arguments")
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        _feed(digest.update, part)
    return name, digest.digest()


Update = Callable[[bytes | memoryview], None]


def _feed(update: Update, value: Any) -> None:
    """Give a value's content to a hash, so that different values give different bytes."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes):
        text = repr(value).encode("utf-8", "surrogatepass")
        update(b"%s %d:%b" % (kind.__name__.encode(), len(text), text))
    elif isinstance(value, pd.DataFrame):
        update(b"frame %d,%d" % value.shape)
        _feed_index(update, value.index)
        for name, (_, column) in zip(value.columns.tolist(), value.items(), strict=True):
            _feed(update, name)
            _feed_array(update, column)
    elif isinstance(value, pd.Series):
        update(b"series")
        _feed(update, value.name)
        _feed_index(update, value.index)
        _feed_array(update, value)
    elif isinstance(value, np.ndarray):
        update(repr(value.shape).encode())
        _feed_array(update, value)
    elif isinstance(value, Mapping):
        update(b"map %d" % len(value))
        for item in value.items():
            _feed(update, item)
    elif isinstance(value, Sequence):
        update(b"list %d" % len(value))
        for item in value:
            _feed(update, item)
    elif isinstance(value, Set):
        _feed(update, sorted(value))
    elif is_dataclass(value) and not isinstance(value, type):
        update(kind.__qualname__.encode())
        for part in fields(value):
            _feed(update, getattr(value, part.name))
    elif isinstance(value, BaseModel):
        update(kind.__qualname__.encode())
        _feed(update, value.model_dump_json())
    elif isinstance(value, np.generic):
        update(f"{value.dtype} {value!r}".encode())
    else:
        raise TypeError(f"a {kind.__name__} cannot be part of a key")


def _feed_array(update: Update, values: pd.Series | np.ndarray) -> None:
    update(str(values.dtype).encode())
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufM":
        update(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
    else:
        _feed(update, repr(values.tolist()))


def _feed_index(update: Update, index: pd.Index) -> None:
    if isinstance(index, pd.RangeIndex):
        update(b"range %d %d" % (index.start, index.step))
    else:
        _feed(update, repr(index.tolist()))


def size_of(value: Any) -> int:
    """Return about how many bytes a value takes."""
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=True).sum()) + 2_000
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Mapping):
        return sys.getsizeof(value) + sum(size_of(key) + size_of(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return sys.getsizeof(value) + sum(map(size_of, value))
    if is_dataclass(value) and not isinstance(value, type):
        return 100 + sum(size_of(getattr(value, part.name)) for part in fields(value))
    return sys.getsizeof(value)
