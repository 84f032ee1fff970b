"""Trained networks, and what they make of digits inside. Each is computed once until the kept weights change."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.cache import LARGE, size_of
from dashboard.resources import datasets, readings
from mnist_core.runs.run import Run

if TYPE_CHECKING:
    from mnist_core.inspection.embedding import Map
    from mnist_core.inspection.neighbours import HiddenDigits
    from mnist_core.inspection.numpy_network import Network


def weights_key(run: Run) -> tuple[str, int]:
    """Return what changes whenever the kept weights of a run do: the part of a key that stands for them."""
    return run.id, run.model_file.stat().st_mtime_ns if run.model_file else 0


def network_name(run: Run) -> str:
    """Return a name for the kept weights of a run, which changes when they do."""
    run_id, changed = weights_key(run)
    return f"{run_id}_{changed}"


def network(run: Run) -> Network | None:
    """Return the run's trained network, to look inside it; None where no weights were kept."""
    from mnist_core.inspection.numpy_network import load_network

    path = run.model_file
    if path is None:
        return None

    def made() -> Network:
        _one_thread_a_product()
        return load_network(run.config.model, path)

    found: Network = LARGE.get(("network", weights_key(run)), made, lambda _: path.stat().st_size)
    return found


@functools.cache
def _one_thread_a_product() -> None:
    """Let NumPy multiply matrices in the calling thread alone, from now on.

    A drawn digit takes a network less than 2 ms. With a second thread of BLAS to wait for, five windows that drew at
    once on two busy cores waited for their bars twice as long (benchmarks/draw_latency.py).
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")


def network_bytes(run: Run) -> bytes | None:
    """Return a dense network for `dashboard/shared/drawing/digits.js`; None where it is not dense, or has no weights.

    In the form of `mnist_core.inspection.packed_network.packed`. Raises StoreError where the weights are damaged.
    """
    from mnist_core.inspection.numpy_network import dense_weights, switchable
    from mnist_core.inspection.packed_network import packed

    path = run.model_file
    if path is None:
        return None

    def made() -> bytes | None:
        layers = dense_weights(run.config.model, path)
        steps = [layer.step for layer in switchable(run.config.model)]
        return None if layers is None else packed(network_name(run), layers, steps)

    found: bytes | None = LARGE.get(("network for the browser", weights_key(run)), made, size_of)
    return found


def digit_map(run: Run, kind: str) -> tuple[NDArray[np.intp], Map]:
    """Return which test digits are on the map of a run that has weights and predictions, and where.

    `kind` is pca or tsne.

    Raises what `test_images` raises.
    """
    from mnist_core.inspection.embedding import pca_map, sampled, tsne_map

    def made() -> tuple[NDArray[np.intp], Map]:
        with st.spinner("Drawing the map …"):
            found, guesses = network(run), readings.predictions(run)
            assert found is not None
            assert guesses is not None
            indices = sampled(guesses)
            values = found.hidden(datasets.test_images(run)[indices])
            return indices, tsne_map(values) if kind == "tsne" else pca_map(values)

    key = ("map", readings.run_key(run), weights_key(run), kind)
    placed: tuple[NDArray[np.intp], Map] = LARGE.get(key, made, size_of)
    return placed


def hidden_digits(run: Run, off: Mapping[int, Sequence[int]] = MappingProxyType({})) -> HiddenDigits | None:
    """Return the hidden activations of the run's training digits; None if no weights were kept.

    off: neurons that are switched off, counted from 0, by the step of their layer.

    Computed once, which takes a second for a dense network, and shared by all sessions. Raises what `own_dataset`
    raises.
    """
    from mnist_core.inspection.neighbours import hidden_digits

    def made() -> HiddenDigits | None:
        with st.spinner("Reading what the network makes of the training digits …"):
            found, data = network(run), datasets.own_dataset(run)
            return hidden_digits(found.without(off), run.config.model, data.x_train) if found else None

    units = tuple(sorted((step, tuple(each)) for step, each in off.items()))
    digits: HiddenDigits | None = LARGE.get(("hidden digits", weights_key(run), units), made, size_of)
    return digits
