"""The composition root: the store, the job runner and cached readings of runs, shared by all pages and sessions.

Caches are keyed by run id and version, never by arrays: Streamlit hashes large arrays from a sample.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import classroom
from dashboard.cache import KEPT, MIB, ByteCache, Made, key_of, size_of
from dashboard.theme import is_dark
from mnist_core.comparison.comparability import NOTHING_KNOWN, Background
from mnist_core.comparison.diagnosis.findings import Finding
from mnist_core.comparison.diagnosis.rules import diagnose_run
from mnist_core.comparison.diagnosis.suggestions import Suggestion, runs_with_change
from mnist_core.comparison.diagnosis.words import Example, example
from mnist_core.data import duplicates
from mnist_core.data.datasets import Dataset
from mnist_core.data.duplicates import DataCheck
from mnist_core.data.images import Pixels
from mnist_core.errors import DatasetError, StoreError
from mnist_core.evaluation.metrics import Scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import Sample
from mnist_core.files import printable
from mnist_core.plots.labels import remembered_colours, run_colours
from mnist_core.plots.style import RUN_COLOURS, RUN_COLOURS_DARK
from mnist_core.runs import columns, index
from mnist_core.runs.index import Index, Snapshot
from mnist_core.runs.reader import Reader
from mnist_core.runs.records import ChosenEpoch, EpochRow
from mnist_core.runs.run import Run, Version
from mnist_core.runs.store import Problem, Store
from mnist_core.runs.summary import RunSummary

if TYPE_CHECKING:
    import pandas as pd

    from mnist_core.comparison.board import BoardLine
    from mnist_core.comparison.disagreements import ClassChange, ConfusionChange
    from mnist_core.comparison.exams import Result
    from mnist_core.comparison.planner import Plan
    from mnist_core.comparison.recipe_verdicts import RecipeVerdict
    from mnist_core.comparison.verdicts import Comparison
    from mnist_core.data.kept_digits import KeptDigits
    from mnist_core.inspection.embedding import Map
    from mnist_core.inspection.neighbours import HiddenDigits
    from mnist_core.inspection.numpy_network import DenseWeights, Network
    from mnist_core.jobs.runners import ServiceRunner
    from mnist_core.jobs.watch import Watch
    from mnist_core.published.reproduction import ReproductionRow
    from mnist_core.studies.kinds import AnyStudy
    from mnist_core.studies.selections import StudyChoice


@functools.cache
def store() -> Store:
    """Return the store that the whole app reads and writes; in a class each viewer may change what is theirs."""
    return Store(who=classroom.person)


@functools.cache
def runner() -> ServiceRunner:
    """Return what trains: the local job service, or the remote scheduler that MNIST_CORE_SCHEDULER names."""
    from mnist_core.jobs.runners import ServiceRunner

    return ServiceRunner(store())


def watch() -> Watch:
    """Return the watch that keeps the runs on open pages in training; one for all sessions."""
    return _watch(store(), runner())


@functools.lru_cache(maxsize=1)
def _watch(store: Store, runner: ServiceRunner) -> Watch:
    from mnist_core.jobs.watch import Watch

    if classroom.address():
        store = Store(store.root)  # it works in a thread of its own, for no viewer
    # a run that was interrupted long ago waits for a person, and not for whoever happens to look
    return Watch(store, runner, adopt=False)


@functools.cache
def warm_up() -> None:
    """Start the job service in the background, once, so that the first training begins at once."""
    if not store().writable or os.environ.get("MNIST_CORE_WARM_UP") == "0":  # nothing can, or is to, be trained here
        return
    # loading TensorFlow in the workers would take the processor from the first page, which is just being drawn
    runner().warm(after_s=1.5)


FRESH_S = index.FRESH_S
"""Seconds for which what was seen of the store is taken to be up to date."""


@functools.cache
def _index(of: Store) -> Index:
    return Index(of, FRESH_S)


def snapshot() -> Snapshot:
    """Return the content of the store, the same object for all sessions until it changes; costs next to nothing."""
    return _index(store()).snapshot()


def scan() -> tuple[list[Run], list[Problem]]:
    """Return all runs and unreadable folders, of a snapshot."""
    found = snapshot()
    return list(found.runs), list(found.problems)


def all_problems() -> list[Problem]:
    """Return the runs, sweeps and searches that could not be read."""
    return [*snapshot().problems, *studies().problems]


class Studies(NamedTuple):
    """All sweeps and searches of the store, and what of them could not be read."""

    known: list[AnyStudy]
    problems: list[Problem]
    version: tuple[object, ...]
    """Changes with their files."""


def studies() -> Studies:
    """Return all sweeps and searches, read again when one of their files has changed; not to be written into."""
    files = _study_files()
    found: Studies = KEPT.get(
        ("studies", *files), lambda: _studies(files), lambda _: sum(size for _, _, size in files) * 8
    )
    return found


def _study_files() -> tuple[tuple[str, int, int], ...]:
    """Return the files of sweeps and searches: path, time of the last change, bytes."""
    from mnist_core.studies.kinds import SHELVES

    found = []
    for root in store().roots:
        for path in [path for shelf in SHELVES.values() for path in shelf.files(root)]:
            with contextlib.suppress(OSError):  # gone since
                stat = path.stat()
                found.append((printable(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _studies(version: tuple[object, ...]) -> Studies:
    from mnist_core.studies.kinds import studies

    return Studies(*studies(store()), version)


def of_study(function: Callable[..., Made], study: AnyStudy, *, reader: Reader | None = None, **options: Any) -> Made:
    """Return a function's result for the store and a study, cached until the study or one of its runs changes.

    `reader` and `options` are passed to it too. Callers must not change the result.
    """
    found = snapshot()
    damaged = {problem.path.name for problem in found.problems}
    runs = [
        (run.id, run.state, run.version()) if (run := found.by_id.get(run_id)) else (run_id, run_id in damaged)
        for run_id in study.run_ids
    ]
    key = (str(store().root), *key_of(function, study, options), *runs)
    given = options | ({"reader": reader} if reader else {})  # results do not depend on their reader
    made: Made = KEPT.get(key, lambda: function(found, study, **given), size_of)
    return made


def history(run: Run) -> pd.DataFrame:
    """Return the run's history, cached until it changes; the caller's own, to be written into."""
    shared: pd.DataFrame = KEPT.get(("history", run.id, run.version()), run.history, size_of)
    return shared.copy(deep=False)  # pandas copies a column when one of the two is written into


def rows(run: Run) -> list[EpochRow]:
    """Return the run's finished epochs, cached until it changes. Callers must not change the list."""
    shared: list[EpochRow] = KEPT.get(("rows", run.id, run.version()), run.rows, size_of)
    return shared


def predictions(run: Run, chosen: ChosenEpoch = "kept") -> Predictions | None:
    """Return the run's predictions of an epoch, cached until they change."""
    found: Predictions | None = _PREDICTIONS.get(
        (run.id, run.version(), chosen), lambda: run.predictions(chosen), size_of
    )
    return found


_PREDICTIONS = ByteCache(32 * MIB)
"""About 0.4 MB for 10,000 images, and as much again for as many held-out ones."""


def test_scores(run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:  # noqa: PT028 -- not a test
    """Return the test scores of an epoch's weights; None before there are predictions."""
    found: Scores | None = KEPT.get(
        ("test scores", run.id, run.version(), chosen), lambda: run.test_scores(chosen), size_of
    )
    return found


def published() -> list[ReproductionRow]:
    """Return the published figures next to those measured, cached until a run, a sweep or a search changes."""
    return _published((snapshot().number, *_study_files()))


@st.cache_data(max_entries=4, show_spinner="Comparing with what is published …")
def _published(versions: tuple[object, ...]) -> list[ReproductionRow]:
    from mnist_core.published.reproduction import rows

    return rows(store(), reader=READER)


def summary(run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
    """Return the run's figures, cached until they change; raises StoreError where its files are damaged."""
    return _index(store()).summary(run, chosen)


class _CachedReader(Reader):
    """Reads results through the caches of this module, which all sessions share."""

    def predictions(self, run: Run, chosen: ChosenEpoch = "kept") -> Predictions | None:
        """Return the run's predictions of an epoch; None where they are not stored."""
        return predictions(run, chosen)

    def test_scores(self, run: Run, chosen: ChosenEpoch = "kept") -> Scores | None:
        """Return the run's scores on the test set; None where that was not tested."""
        return test_scores(run, chosen)

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """Return the run's figures."""
        return summary(run, chosen)


READER = _CachedReader()


def comparison(
    runs: Sequence[Run], baseline: str, chosen: ChosenEpoch, margin: float, background: Background = NOTHING_KNOWN
) -> Comparison:
    """Return the comparison of all other runs with the run `baseline` (an id), cached until a run or background
    changes.
    """
    from mnist_core.comparison.verdicts import compare

    def made() -> Comparison:
        base = next(run for run in runs if run.id == baseline)
        return compare(runs, base, chosen, margin=margin, reader=READER, background=background)

    known = background.selections, background.data
    found: Comparison = KEPT.get(("comparison", _key(runs), known, baseline, chosen, margin), made, size_of)
    return found


def _key(runs: Sequence[Run]) -> tuple[tuple[str, Version, str], ...]:
    return tuple((run.id, run.version(), run.state) for run in runs)


def background(runs: Sequence[Run]) -> Background:
    """Return what the store knows about runs besides their own files, cached until a run or a study changes."""
    from mnist_core.studies.selections import data_check, selections

    found, known, ids = snapshot(), studies(), [run.id for run in runs]
    key = ("selections", found.number, known.version, *ids)
    chosen = KEPT.get(key, lambda: selections(found.runs, known.known, ids, _choice), size_of)
    return Background(tuple(chosen), data_check(store().root, runs))


def choice(study: AnyStudy) -> StudyChoice | None:
    """Return the choice of a sweep or search among its runs, cached until it or a finished run changes."""
    found = snapshot()
    key = ("choice", found.number, studies().version, study.kind, study.id)
    made: StudyChoice | None = KEPT.get(key, lambda: _choice(found.runs, study), size_of)
    return made


def _choice(everything: Sequence[Run], study: AnyStudy) -> StudyChoice | None:
    """Outlasts snapshots: the epochs of a run in training change none of it."""
    from mnist_core.studies.selections import choice

    finished = [(run.id, run.version()) for run in everything if run.state == "finished"]
    key = (str(store().root), *key_of(choice, study, repr(finished)))
    made: StudyChoice | None = KEPT.get(key, lambda: choice(everything, study), size_of)
    return made


def diagnosis(run: Run) -> list[Finding]:
    """Return the findings of a run, cached until its files change; raise StoreError where they are damaged."""
    found: list[Finding] = KEPT.get(("diagnosis", *_key([run])), lambda: diagnose_run(run), size_of)
    return found


def _finished(fingerprint: str = "") -> str:
    """Return what changes with the finished runs of the store, or with those on these data: a part of keys.

    A training changes the snapshot with each epoch, and what is derived from finished runs only at its end.
    """
    found = snapshot()

    def made() -> str:
        runs = [run for run in found.runs if run.state == "finished" and run.status.fingerprint.startswith(fingerprint)]
        return hashlib.blake2b(repr([(run.id, run.version()) for run in runs]).encode(), digest_size=16).hexdigest()

    digest: str = KEPT.get(("finished", found.number, fingerprint), made, size_of)
    return digest


MOST_EXAMPLES = 2
"""Runs that are named for one suggested change."""


def examples(run: Run, change: Suggestion, runs: Sequence[Run]) -> list[Example]:
    """Return the runs among `runs` that made just this change to `run`, cached until there are others."""
    found: list[Example] = KEPT.get(
        ("examples", run.id, run.version(), change, _finished(run.status.fingerprint)),
        lambda: [example(run, change, other) for other in runs_with_change(run, change, runs)[:MOST_EXAMPLES]],
        size_of,
    )
    return found


def recipe_comparison(
    runs: Sequence[Run],
    baseline: str,
    chosen: ChosenEpoch,
    margin: float,
    everything: Sequence[Run] | None = None,
) -> list[RecipeVerdict]:
    """Return the recipes of all other runs against that of the one with the id `baseline`, over all seeds in the store.

    Cached until one of the runs of these networks changes. everything: all runs of the store, where they are known.
    """
    from mnist_core.comparison.recipe_verdicts import compare_recipes

    models = {run.config.model for run in runs if not run.recorded}
    known = scan()[0] if everything is None else everything
    alike = [run for run in known if not run.recorded and run.config.model in models]

    def made() -> list[RecipeVerdict]:
        base = next(run for run in runs if run.id == baseline)
        return compare_recipes(runs, base, alike, chosen, margin=margin, reader=READER)

    found: list[RecipeVerdict] = KEPT.get(
        ("recipe comparison", _key(runs), _key(alike), baseline, chosen, margin), made, size_of
    )
    return found


def board(fingerprint: str, final: bool) -> list[BoardLine]:
    """Return the board of the class on one data set, cached until a finished run on it changes."""
    from mnist_core.comparison.board import board_half, eligible, standings, tries_of

    runs = [run for run in snapshot().runs if eligible(run) and run.status.fingerprint == fingerprint]
    key = ("board", str(store().root), final, *((run.id, run.version(), run.meta.owner) for run in runs))

    def make() -> list[BoardLine]:
        tries = tries_of(runs, fingerprint, _right)
        if not tries:
            return []
        images = len(next(iter(tries.values()))[0].right)
        return standings(tries, board_half(images, fingerprint), final=final)

    found: list[BoardLine] = KEPT.get(key, make, size_of)
    return found


def _right(run: Run) -> NDArray[np.bool_] | None:
    """Return on which test images a run is right, kept as bits; None where it has no predictions."""

    def make() -> tuple[int, NDArray[np.uint8]] | None:
        found = run.predictions()
        return None if found is None else (len(found.labels), np.packbits(found.predicted == found.labels))

    kept = KEPT.get(("right", str(store().root), run.id, run.version()), make, size_of)
    return None if kept is None else np.unpackbits(kept[1], count=kept[0]).astype(np.bool_)


def recipe_sample(run: Run, chosen: ChosenEpoch = "kept") -> Sample | None:
    """Return the test accuracies of all finished seeds of a run's recipe; None where it has one seed only."""
    from mnist_core.comparison.recipe_verdicts import accuracy_sample

    everything = snapshot()
    sample: Sample = KEPT.get(
        ("recipe sample", everything.number, run.id, chosen),
        lambda: accuracy_sample(run, everything.runs, chosen, READER),
        size_of,
    )
    return sample if sample.n > 1 else None


def plans(runs: Sequence[Run], comparison: Comparison, recipes: Sequence[RecipeVerdict]) -> list[Plan]:
    """Return the plans that settle what is undecided in `comparison` and `recipes`, cached until the store changes."""
    from mnist_core.comparison import planner

    by = comparison.baseline, comparison.chosen, comparison.margin
    key = ("plans", _finished(), by, *_key(runs))
    made: list[Plan] = KEPT.get(
        key, lambda: planner.plans(runs, comparison, recipes, snapshot().runs, reader=READER), size_of
    )
    return made


def dataset(name: str) -> Dataset:
    """Return a dataset, loaded once for as long as its file stays the same; raises what `Catalog.load` raises."""
    return _dataset(name, store().catalog.version(name))


@st.cache_resource(max_entries=4, show_spinner="Reading the images …")
def _dataset(name: str, version: tuple[str, int] | None) -> Dataset:
    return store().catalog.load(name)


def data_check(name: str) -> DataCheck:
    """Return the duplicates in a dataset; searched for once. Raises what `Catalog.load` raises, and StoreError."""
    return duplicates.checked(store().root, dataset(name))


def palette() -> tuple[str, ...]:
    """Return the colours of runs in the theme that the viewer sees."""
    return RUN_COLOURS_DARK if is_dark() else RUN_COLOURS


def colours(run_ids: list[str], *, printed: bool = False) -> dict[str, str]:
    """Return a colour for each run, the same on every page and in every session; `printed` for those on white paper."""
    return run_colours(store().root, run_ids, RUN_COLOURS if printed else palette())


class Entry(NamedTuple):
    """A run with its row of the table of runs, and its validation losses by epoch, at most 40 of them."""

    run: Run
    row: columns.RunRow
    losses: tuple[float, ...]


MOST_LOSSES = 40
"""Points of a sparkline."""


class _Entries:
    """The rows of the runs of the latest snapshot; each is made anew only when its run has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = -1
        self._by_id: dict[str, tuple[object, Entry]] = {}
        self._all: tuple[Entry, ...] = ()

    def of(self, snapshot: Snapshot) -> tuple[Entry, ...]:
        with self._lock:
            if snapshot.number != self._number:
                found = {}
                for run in snapshot.runs:
                    version = (run.path, run.state, run.version())
                    known = self._by_id.get(run.id)
                    found[run.id] = known if known and known[0] == version else (version, _entry(run))
                self._by_id = found
                self._all = tuple(entry for _, entry in found.values())
                self._number = snapshot.number
            return self._all


_ENTRIES = _Entries()


def entries() -> tuple[Entry, ...]:
    """Return all runs of the store with their rows, oldest first; one object for all sessions until one changes."""
    return _ENTRIES.of(snapshot())


def _entry(run: Run) -> Entry:
    try:
        losses = summary(run).val_losses
    except StoreError:
        losses = ()
    step = -(-len(losses) // MOST_LOSSES) or 1
    return Entry(run, columns.run_row(run, reader=READER), losses[::step])


def known_colours() -> dict[str, str]:
    """Return the colours of the runs that have one already, on the screen."""
    return remembered_colours(store().root, palette())


def prediction_frame(run: Run) -> pd.DataFrame | None:
    """Every test image with the run's guess (see `mnist_core.evaluation.mistakes`); None before there are predictions.

    Shared by all sessions: not to be written into.
    """
    return _prediction_frame(run.id, run.version(), run)


@st.cache_resource(max_entries=20, show_spinner=False)
def _prediction_frame(run_id: str, version: Version, _run: Run) -> pd.DataFrame | None:
    from mnist_core.evaluation.mistakes import prediction_frame

    found = predictions(_run)
    return prediction_frame(found) if found else None


def votes(runs: list[Run], chosen: ChosenEpoch = "kept") -> pd.DataFrame:
    """Every test image with the guesses of paired runs that have predictions (see `comparison.disagreements`).

    Shared by all sessions: not to be written into.
    """
    return _votes(tuple((run.id, run.version()) for run in runs), chosen, runs)


@st.cache_resource(max_entries=20, show_spinner=False)
def _votes(key: tuple[tuple[str, Version], ...], chosen: ChosenEpoch, _runs: list[Run]) -> pd.DataFrame:
    from mnist_core.comparison.disagreements import votes

    found = [said for run in _runs if (said := predictions(run, chosen)) is not None]
    assert len(found) == len(_runs)
    return votes(found)


def changes(first: Run, second: Run, chosen: ChosenEpoch = "kept") -> tuple[list[ConfusionChange], list[ClassChange]]:
    """Return which confusions and which digits changed between two runs with predictions on one test set."""
    from mnist_core.comparison.disagreements import class_changes, confusion_changes

    def made() -> tuple[list[ConfusionChange], list[ClassChange]]:
        said = [predictions(run, chosen) for run in (first, second)]
        assert said[0] is not None
        assert said[1] is not None
        return confusion_changes(said[0], said[1]), class_changes(said[0], said[1])

    found: tuple[list[ConfusionChange], list[ClassChange]] = KEPT.get(
        ("changes", _key([first, second]), chosen), made, size_of
    )
    return found


def test_images(run: Run) -> Pixels:
    """Return the images that the run's predictions are about, shape (n, 28, 28).

    Raises
    ------
    DatasetError
        where the dataset is not here, or is not the one that the run was trained on.
    """
    found = own_dataset(run)
    said = predictions(run)
    if said is not None and not np.array_equal(said.labels, found.y_test):
        raise DatasetError(
            f"the labels in the predictions of run {run.name} are not those of {found.name}; train it again"
        )
    return found.x_test


def own_dataset(run: Run) -> Dataset:
    """Return the data that the run was trained on.

    Raises
    ------
    DatasetError
        where the dataset is not here, or is not the one that the run was trained on.
    """
    if not run.pictures:
        raise DatasetError(
            f"No pictures: run {run.name} was recorded with test images that are those of no data set known here"
        )
    name = run.dataset
    found = dataset(name)
    if found.fingerprint != run.status.fingerprint:
        raise DatasetError(
            f"run {run.name} was trained on other data called {name} (fingerprint {run.status.fingerprint}) than "
            f"what is here ({found.fingerprint}); its guesses would stand under the wrong images, so none are shown"
        )
    return found


def network(run: Run) -> Network | None:
    """Return the run's trained network, to look inside it; None where no weights were kept."""
    return _network(run.id, _weights_version(run), run)


@st.cache_resource(max_entries=20, show_spinner=False)
def _network(run_id: str, version: int, _run: Run) -> Network | None:
    from mnist_core.inspection.numpy_network import load_network

    _one_thread_a_product()
    return load_network(_run.config.model, _run.model_file) if _run.model_file else None


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

    The length of a header as uint32, the header in JSON, padded to four bytes, then kernel and bias of each layer as
    float32, all little endian. Raises StoreError where the weights are damaged.
    """
    return _network_bytes(run.id, _weights_version(run), run)


@st.cache_resource(max_entries=20, show_spinner=False)
def _network_bytes(run_id: str, version: int, _run: Run) -> bytes | None:
    from mnist_core.inspection.numpy_network import dense_weights, switchable

    layers = dense_weights(_run.config.model, _run.model_file) if _run.model_file else None
    if layers is None:
        return None
    return packed(network_name(_run), layers, [layer.step for layer in switchable(_run.config.model)])


def packed(name: str, layers: Sequence[DenseWeights], steps: Sequence[int]) -> bytes:
    """Return the layers of a dense network in the form of `network_bytes`; `steps` are those of its hidden layers."""
    rows = [
        {"inputs": len(layer.kernel), "units": len(layer.bias), "activation": layer.activation, "step": step}
        for layer, step in zip(layers, [*steps, None], strict=True)
    ]
    header = json.dumps({"id": name, "layers": rows}).encode()
    header += b" " * (-len(header) % 4)
    arrays = [array.astype("<f4").tobytes() for layer in layers for array in (layer.kernel, layer.bias)]
    return b"".join([len(header).to_bytes(4, "little"), header, *arrays])


def network_name(run: Run) -> str:
    """Return a name for the kept weights of a run, which changes when they do."""
    return f"{run.id}_{_weights_version(run)}"


def kept_folder() -> Path:
    """Return where digits that people drew are kept."""
    return store().root / "drawings"


def kept() -> KeptDigits:
    """Return the kept digits, cached until one is kept or removed."""
    return _kept(str(kept_folder()), kept_version())


def kept_version() -> tuple[int, int]:
    """Return what changes whenever a digit is kept or removed."""
    from mnist_core.data.kept_digits import version

    return version(kept_folder())


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(folder: str, version: tuple[int, int]) -> KeptDigits:
    from mnist_core.data.kept_digits import kept_digits

    return kept_digits(Path(folder))


def _weights_version(run: Run) -> int:
    """Changes whenever the kept weights do, and is 0 where there are none."""
    return run.model_file.stat().st_mtime_ns if run.model_file else 0


def digit_map(run: Run, kind: str) -> tuple[NDArray[np.intp], Map]:
    """Which test digits are on the map of a run that has weights and predictions, and where; `kind` is pca or tsne.

    Raises what `test_images` raises.
    """
    return _digit_map(run.id, (*run.version(), _weights_version(run)), kind, run)


@st.cache_resource(max_entries=20, show_spinner="Drawing the map …")
def _digit_map(run_id: str, version: Version, kind: str, _run: Run) -> tuple[NDArray[np.intp], Map]:
    from mnist_core.inspection.embedding import pca_map, sampled, tsne_map

    found, said = network(_run), predictions(_run)
    assert found is not None
    assert said is not None
    indices = sampled(said)
    values = found.hidden(test_images(_run)[indices])
    return indices, tsne_map(values) if kind == "tsne" else pca_map(values)


def hidden_digits(run: Run) -> HiddenDigits | None:
    """Return the hidden activations of the run's training digits; None if no weights were kept.

    Computed once, which takes a second for a dense network, and shared by all sessions. Raises what `own_dataset`
    raises.
    """
    return _hidden_digits(run.id, _weights_version(run), run)


@st.cache_resource(max_entries=6, show_spinner="Reading what the network makes of the training digits …")
def _hidden_digits(run_id: str, version: int, _run: Run) -> HiddenDigits | None:
    from mnist_core.inspection.neighbours import hidden_digits

    found, data = network(_run), own_dataset(_run)
    return hidden_digits(found, _run.config.model, data.x_train) if found else None


_EXAMS = ByteCache(192 * MIB)
"""Images of exams, 8 MB each for 10,000 digits, and what runs made of them."""

Exam = tuple[str, int | None]
"""Name and severity, as `mnist_core.comparison.exams.exam_images` takes them."""


def exam_results(runs: Sequence[Run], exams: Sequence[Exam], count: int) -> dict[str, list[Result]]:
    """Return how runs with a network do on exams, by run id, in the order of the exams.

    Parameters
    ----------
    runs
        trained on the same data.
    exams
        names and severities.
    count
        on how many of the test images, taken at equal distances.

    Raises what `own_dataset` raises.
    """
    from mnist_core.comparison.exams import sit_all

    data = own_dataset(runs[0])

    def made() -> dict[str, list[Result]]:
        networks = {run.id: found for run in runs if (found := network(run)) is not None}
        images = {str(exam): functools.partial(_exam_images, data, exam, count) for exam in exams}
        with st.spinner("The runs sit their exams …"):
            results = sit_all(networks, images, exam_labels(runs[0], count))
        return {run_id: list(of_run.values()) for run_id, of_run in results.items()}

    key = ("results", tuple(network_name(run) for run in runs), data.fingerprint, tuple(exams), count)
    results: dict[str, list[Result]] = _EXAMS.get(
        key, made, lambda found: sum(result.images for of_run in found.values() for result in of_run)
    )
    return results


def sat_elsewhere(runs: Sequence[Run], images: Pixels, labels: NDArray[np.uint8], version: str) -> dict[str, Result]:
    """Return how runs with a network do on images that are not their data set's, by run id.

    Parameters
    ----------
    runs
        with a network.
    images, labels
        of shape (n, 28, 28) and (n,), n ≥ 1; as many of them are used, at equal distances, as all networks can afford.
    version
        changes when images or labels do.
    """
    from mnist_core.comparison.exams import affordable, sit

    def made() -> dict[str, Result]:
        places = _spread(len(images), affordable([run.config.model for run in runs], len(images), 1))
        networks = {run.id: found for run in runs if (found := network(run)) is not None}
        return {run_id: sit(found, images[places], labels[places]) for run_id, found in networks.items()}

    key = ("elsewhere", tuple(network_name(run) for run in runs), version)
    results: dict[str, Result] = _EXAMS.get(key, made, lambda found: sum(result.images for result in found.values()))
    return results


def exam_pictures(run: Run, exam: Exam, count: int) -> Pixels:
    """Return the images of an exam, made of those that the run was tested on; raise what `own_dataset` raises."""
    return _exam_images(own_dataset(run), exam, count)


def exam_labels(run: Run, count: int) -> NDArray[np.uint8]:
    """Return the labels of the images of every exam, shape (count,)."""
    labels = own_dataset(run).y_test
    found: NDArray[np.uint8] = labels[_spread(len(labels), count)]
    return found


def _spread(images: int, count: int) -> NDArray[np.intp]:
    """Return the places of `count` of so many images, at equal distances."""
    return np.arange(count) * images // count


def _exam_images(data: Dataset, exam: Exam, count: int) -> Pixels:
    from mnist_core.comparison.exams import exam_images

    def made() -> Pixels:
        name, severity = exam
        return exam_images(data.x_test[_spread(len(data.x_test), count)], name, severity)

    images: Pixels = _EXAMS.get(("images", data.fingerprint, exam, count), made, lambda found: int(found.nbytes))
    return images
