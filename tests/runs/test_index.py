"""The index of a store: nothing unchanged is read twice, and no change goes unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_core import files
from mnist_core.errors import RunNotFound, StoreError
from mnist_core.runs import index as index_module
from mnist_core.runs import lease, summary
from mnist_core.runs.index import Index
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.damaged_store import DamagedStore, build
from tests.support.synthetic import FINGERPRINT, config, epoch_row, guesses


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened, as ``folder/name``."""
    counted: Counter[str] = Counter()
    opened = files._opened

    def count(path: Path) -> tuple[int, int]:
        counted[f"{path.parent.name}/{path.name}"] += 1
        return opened(path)

    monkeypatch.setattr(files, "_opened", count)
    return counted


def finished(store: Store, seed: int = 0) -> Run:
    run, _ = store.add(config(seed=seed), name=f"run {seed}", fingerprint=FINGERPRINT)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    writer.epoch(epoch_row(1))
    writer.predictions(guesses(7))
    writer.ended("finished", "all epochs done", best_epoch=1, kept_epoch=1)
    return store.get(run.id)


def elsewhere(store: Store) -> Store:
    """Another process's view of the store: its changes are not announced."""
    return Store(store.root)


@pytest.fixture
def index(store: Store) -> Index:
    """An index that looks at the files each time."""
    return Index(store, fresh_s=0.0)


def test_300_unchanged_runs_are_not_read_again(store: Store, index: Index, reads: Counter[str]) -> None:
    for seed in range(300):
        store.add(config(seed=seed), name=f"run {seed}", fingerprint=FINGERPRINT)
    first = index.snapshot()
    assert len(first.runs) == 300
    reads.clear()
    assert index.snapshot() is first
    assert not reads


def test_of_many_runs_only_the_files_of_the_changed_one_are_read(
    store: Store, index: Index, reads: Counter[str]
) -> None:
    runs = [finished(store, seed) for seed in range(5)]
    first = index.snapshot()
    elsewhere(store).describe(runs[3].id, name="renamed")
    reads.clear()
    second = index.snapshot()
    assert {path.split("/")[0] for path in reads} == {runs[3].id}
    assert second.get(runs[3].id).name == "renamed"
    assert second.number == first.number + 1
    assert [after is before for after, before in zip(second.runs, first.runs, strict=True)].count(False) == 1


def test_a_snapshot_does_not_change(store: Store, index: Index) -> None:
    run = finished(store)
    before = index.snapshot()
    elsewhere(store).delete(run.id)
    assert index.snapshot().runs == ()
    assert [item.id for item in before.runs] == [run.id]
    assert before.get(run.id).id == run.id


def test_it_gives_what_a_scan_gives(tmp_path: Path) -> None:
    store = build(tmp_path / "store").store
    runs, problems = store.scan()
    found = Index(store).snapshot()
    assert list(found.runs) == runs
    assert list(found.problems) == problems


def test_a_damaged_store_is_not_read_again_either(tmp_path: Path, reads: Counter[str]) -> None:
    index = Index(build(tmp_path / "store").store, fresh_s=0.0)
    first = index.snapshot()
    assert first.problems
    reads.clear()
    assert index.snapshot() is first
    assert {path for path in reads if not path.split("/")[1].startswith("lease-")} == set()


def test_damage_and_its_repair_are_seen(tmp_path: Path) -> None:
    made = DamagedStore(Store(tmp_path / "store"))
    path = made.run("one").path / "history.jsonl"
    index = Index(made.store, fresh_s=0.0)
    whole = path.read_bytes()
    assert not index.snapshot().problems
    path.write_bytes(b"[]\n" + whole)
    damaged = index.snapshot()
    assert not damaged.runs
    with pytest.raises(StoreError, match=r"history\.jsonl"):
        damaged.get(path.parent.name)
    path.write_bytes(whole)
    assert index.snapshot().get(path.parent.name).name == "one"


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_seen(store: Store, index: Index) -> None:
    run = finished(store)
    path = run.path / "meta.json"
    index.snapshot()
    times = path.stat()
    copy = path.with_name("copy")
    copy.write_text(path.read_text().replace("run 0", "run 9"))
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.replace(path)
    assert index.snapshot().get(run.id).name == "run 9"


def test_a_growing_history_gives_a_new_version(store: Store, index: Index) -> None:
    run, _ = store.add(config(), name="live", fingerprint=FINGERPRINT)
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    before = index.snapshot().get(run.id)
    writer.epoch(epoch_row(1))
    after = index.snapshot().get(run.id)
    assert after.state == "running"
    assert after.version() != before.version()
    assert before.version() == before.version()


def test_a_run_whose_process_dies_is_interrupted_and_running_again_with_a_new_one(store: Store, index: Index) -> None:
    run, _ = store.add(config(), name="live", fingerprint=FINGERPRINT)
    code = (
        "import sys; from mnist_core.runs.store import Store; "
        f"writer = Store({str(store.root)!r}).open_writer({run.id!r}); writer.started([]); "
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert index.snapshot().get(run.id).state == "running"
    holder.kill()
    holder.communicate()
    interrupted = index.snapshot()
    assert interrupted.get(run.id).state == "interrupted"
    assert index.snapshot() is interrupted
    writer = elsewhere(store).open_writer(run.id)
    assert writer is not None
    assert index.snapshot().get(run.id).state == "running"


def test_a_run_of_the_same_identity_hides_the_one_that_ships(store: Store, index: Index) -> None:
    run = finished(store)
    shutil.copytree(run.path, store.root / "reference" / run.id)
    (store.root / "reference" / "sweeps").mkdir()
    assert [item.read_only for item in index.snapshot().runs] == [False]
    elsewhere(store).delete(run.id)
    assert [item.read_only for item in index.snapshot().runs] == [True]


def test_damage_of_the_list_of_datasets_is_seen(store: Store, index: Index) -> None:
    assert not index.snapshot().problems
    (store.root / "datasets.json").write_text("[]")
    assert [problem.path.name for problem in index.snapshot().problems] == ["datasets.json"]
    (store.root / "datasets.json").unlink()
    assert not index.snapshot().problems


def test_within_a_short_while_the_files_are_not_even_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(store)
    index = Index(store, fresh_s=1000.0)
    first = index.snapshot()
    monkeypatch.setattr(index_module, "_stamp", lambda path: pytest.fail(f"looked at {path}"))
    assert index.snapshot() is first


@pytest.mark.parametrize("change", ["add", "describe", "cancel", "request_again", "delete", "restore", "discard"])
def test_a_change_through_the_same_store_is_seen_at_once(store: Store, change: str) -> None:
    run, _ = store.add(config(), name="one", fingerprint=FINGERPRINT)
    if change == "request_again":
        store.cancel(run.id)
    if change == "restore":
        store.delete(run.id)
    if change == "discard":
        (run.path / "status.json").write_text("{}")
    index = Index(store, fresh_s=1000.0)
    before = index.snapshot()
    match change:
        case "add":
            store.add(config(seed=1), name="two", fingerprint=FINGERPRINT)
        case "describe":
            store.describe(run.id, note="a note")
        case "discard":
            store.discard(run.id)
        case _:
            getattr(store, change)(run.id)
    after = index.snapshot()
    assert (list(after.runs), list(after.problems)) == store.scan()
    assert after is not before


def test_a_run_that_failed_on_a_full_disk_is_seen_though_only_its_lease_says_so(store: Store, index: Index) -> None:
    run, _ = store.add(config(), name="run", fingerprint=FINGERPRINT)
    held = lease.claim(run.path)
    assert held is not None
    assert index.snapshot().get(run.id).state == "queued"
    held.release("no space left on device")
    found = index.snapshot().get(run.id)
    assert (found.state, found.status.reason) == ("interrupted", "no space left on device")


def test_a_failure_that_is_forgotten_is_not_shown_any_more(store: Store, index: Index) -> None:
    run, _ = store.add(config(), name="run", fingerprint=FINGERPRINT)
    lease._unwritten[run.path.resolve(), 1] = "no space left on device"
    assert index.snapshot().get(run.id).state == "interrupted"
    lease.forget_failure(run.path)
    assert index.snapshot().get(run.id).state == "queued"


def test_an_unknown_id_is_refused(index: Index) -> None:
    with pytest.raises(RunNotFound, match="no run 'abc'"):
        index.snapshot().get("abc")


class TestFigures:
    def test_are_read_once_a_version(self, store: Store, index: Index, reads: Counter[str]) -> None:
        run = finished(store)
        found = index.summary(index.snapshot().get(run.id))
        assert found == summary.summarise(run)
        reads.clear()
        assert index.summary(index.snapshot().get(run.id)) is found
        assert not reads

    def test_follow_the_run(self, store: Store, index: Index) -> None:
        run = finished(store)
        before = index.summary(index.snapshot().get(run.id))
        elsewhere(store).describe(run.id, name="renamed")
        assert index.summary(index.snapshot().get(run.id)) == replace(before, name="renamed")

    def test_of_a_damaged_run_are_refused_each_time_without_reading_it_again(
        self, store: Store, index: Index, reads: Counter[str]
    ) -> None:
        run = finished(store)
        (run.path / "predictions.npz").write_bytes(b"torn")
        with pytest.raises(StoreError, match="predictions"):
            index.summary(index.snapshot().get(run.id))
        reads.clear()
        with pytest.raises(StoreError, match="predictions"):
            index.summary(index.snapshot().get(run.id))
        assert not reads


def test_many_threads_share_one_reading(store: Store, reads: Counter[str]) -> None:
    for seed in range(20):
        store.add(config(seed=seed), name=f"run {seed}", fingerprint=FINGERPRINT)
    index = Index(store, fresh_s=1000.0)
    reads.clear()
    Index(store).snapshot()
    of_one = reads.copy()
    reads.clear()
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(index.snapshot())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(item) for item in seen}) == 1
    assert reads == of_one
    assert reads
