"""The store: what a run's folder promises to everybody who reads and writes it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_core.errors import ConfigError, ReadOnlyRun, RunNotFound, StaleAttempt, StoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.files import read_json, write_json
from mnist_core.runs import lease
from mnist_core.runs.recorded import Recorded
from mnist_core.runs.records import LiveProgress, Origin
from mnist_core.runs.store import Store
from tests.support.synthetic import row


def guesses(images: int = 30) -> Predictions:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(10), images).astype(np.float32)
    return Predictions((np.arange(images) % 10).astype(np.uint8), probabilities)


@pytest.fixture
def run_id(store: Store, small_config: RunConfig) -> str:
    return store.add(small_config, name="model_1")[0].id


def finish(store: Store, run_id: str) -> None:
    writer = store.open_writer(run_id)
    assert writer
    writer.started([])
    writer.epoch(row(1))
    writer.predictions(guesses())
    writer.ended("finished", "all epochs done", best_epoch=1, kept_epoch=1)


class TestIdentity:
    def test_the_same_configuration_on_the_same_data_is_the_same_run(
        self, store: Store, small_config: RunConfig
    ) -> None:
        first, new = store.add(small_config, name="one")
        second, new_again = store.add(small_config, name="another name")
        assert (new, new_again) == (True, False)
        assert first.id == second.id
        assert second.name == "one"

    def test_a_run_is_a_folder_of_readable_files(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        folder = store.get(run_id).path
        assert json.loads((folder / "config.json").read_text())["training"]["epochs"] == 3
        assert json.loads((folder / "status.json").read_text())["state"] == "finished"
        assert json.loads((folder / "meta.json").read_text())["name"] == "model_1"
        assert json.loads((folder / "history.jsonl").read_text().splitlines()[0])["epoch"] == 1

    def test_adding_at_once_from_many_threads_makes_one_run(self, store: Store, small_config: RunConfig) -> None:
        made: list[bool] = []
        barrier = threading.Barrier(8)

        def add() -> None:
            barrier.wait()
            made.append(store.add(small_config, name="x", fingerprint="f")[1])

        threads = [threading.Thread(target=add) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert sorted(made) == [False] * 7 + [True]
        assert len(store.runs()) == 1
        assert store.trash() == ([], [])

    def test_a_configuration_that_was_never_checked_is_refused(self, store: Store, small_config: RunConfig) -> None:
        training = small_config.training.model_copy(update={"learning_rate": 1000.0})
        unchecked = RunConfig.model_construct(**(dict(small_config) | {"training": training}))
        with pytest.raises(ConfigError, match=r"training.learning_rate: .* less than or equal to 10"):
            store.add(unchecked, name="x", fingerprint="f")
        assert store.runs() == []


class TestFinding:
    def test_by_id_beginning_and_name(self, store: Store, run_id: str) -> None:
        assert store.find(run_id).id == store.find(run_id[:4]).id == store.find("model_1").id == run_id

    def test_too_short_a_beginning_finds_nothing(self, store: Store, run_id: str) -> None:
        with pytest.raises(RunNotFound, match="no run is called"):
            store.find(run_id[:3])

    def test_an_ambiguous_name_lists_the_runs(self, store: Store, run_id: str, small_config: RunConfig) -> None:
        other = store.add(small_config.replace(training__seed=1), name="model_1")[0]
        with pytest.raises(RunNotFound) as caught:
            store.find("model_1")
        assert run_id in str(caught.value)
        assert other.id in str(caught.value)

    @pytest.mark.parametrize("text", ["", "..", "../..", "no such run", "/etc"])
    def test_rubbish_finds_nothing(self, store: Store, run_id: str, text: str) -> None:
        with pytest.raises(RunNotFound):
            store.find(text)
        with pytest.raises(RunNotFound):
            store.get(text)


class TestTraining:
    def test_what_is_written_is_read_back(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        run = store.get(run_id)
        assert run.state == "finished"
        assert run.rows() == [row(1)]
        assert run.history()["val_loss"].tolist() == [0.5]
        found = run.predictions()
        assert found
        assert np.array_equal(found.probabilities, guesses().probabilities)
        assert np.array_equal(found.labels, guesses().labels)

    def test_only_one_writer_at_a_time(self, store: Store, run_id: str) -> None:
        writer = store.open_writer(run_id)
        assert writer
        assert store.open_writer(run_id) is None

    def test_a_stale_writer_is_refused_at_every_write(self, store: Store, run_id: str) -> None:
        ghost = store.open_writer(run_id)
        assert ghost
        ghost.started([])
        (store.get(run_id).path / "lease-1.json").write_text("{}")  # as if its process were gone
        newer = store.open_writer(run_id)
        assert newer
        assert newer.attempt == 2
        progress = LiveProgress(1, 3, 1, 10, 0.5, 0.5, 0.1)
        for write in (
            ghost.check,
            lambda: ghost.started([]),
            lambda: ghost.progress(progress),
            lambda: ghost.epoch(row(1)),
            lambda: ghost.predictions(guesses()),
            lambda: ghost.model(lambda path: path.touch()),
            lambda: ghost.environment({}),
            lambda: ghost.ended("finished", ""),
        ):
            with pytest.raises(StaleAttempt):
                write()
        newer.epoch(row(1))

    def test_a_run_whose_process_is_gone_is_interrupted(self, store: Store, run_id: str) -> None:
        code = (
            "import sys, os; from mnist_core.runs.store import Store; w = Store(sys.argv[1]).open_writer(sys.argv[2]);"
            "w.started([]); print('on', flush=True); sys.stdin.read()"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(store.root), run_id],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert child.stdout
        assert child.stdout.readline().strip() == b"on"
        assert store.get(run_id).state == "running"
        assert not store.get(run_id).resumable
        child.kill()
        child.wait()
        assert store.get(run_id).state == "interrupted"
        assert store.request_again(run_id).state == "queued"

    def test_a_run_that_ends_while_it_is_read_is_not_taken_for_an_interrupted_one(
        self, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its status is read first, then whether it is held: a writer may end the run between the two."""
        writer = store.open_writer(run_id)
        assert writer
        writer.started([])
        look = lease.held

        def look_after_the_writer_has_ended(folder: Path) -> bool:
            monkeypatch.setattr(lease, "held", look)
            writer.ended("finished", "all epochs done")
            return look(folder)

        monkeypatch.setattr(lease, "held", look_after_the_writer_has_ended)
        run = store.get(run_id)
        assert (run.state, run.status.state, run.status.reason) == ("finished", "finished", "all epochs done")

    def test_not_finite_values_survive_json(self, store: Store, run_id: str) -> None:
        writer = store.open_writer(run_id)
        assert writer
        writer.started([])
        writer.epoch(replace(row(1), loss=float("nan"), val_loss=float("inf")))
        text = (store.get(run_id).path / "history.jsonl").read_text()
        assert "NaN" not in text
        assert "Infinity" not in text
        assert store.get(run_id).history()["loss"].isna().all()

    def test_cancelling_a_queued_run_ends_it_at_once(self, store: Store, run_id: str) -> None:
        assert store.cancel(run_id).state == "cancelled"

    def test_cancelling_a_running_run_asks_its_writer(self, store: Store, run_id: str) -> None:
        writer = store.open_writer(run_id)
        assert writer
        writer.started([])
        assert not writer.cancel_requested
        assert store.cancel(run_id).state == "running"
        assert writer.cancel_requested
        writer.ended("cancelled", "cancelled after 0 epochs")
        assert store.request_again(run_id).state == "queued"
        assert not writer.cancel_requested

    def test_cancelling_a_finished_run_changes_nothing(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        assert store.cancel(run_id).state == "finished"

    def test_a_finished_run_cannot_be_requested_again(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        with pytest.raises(StoreError, match="only paused, cancelled, interrupted or failed"):
            store.request_again(run_id)


class TestReadersNeverSeeHalfAFile:
    def test_while_a_writer_is_at_work(self, store: Store, run_id: str) -> None:
        writer = store.open_writer(run_id)
        assert writer
        writer.started([])
        stop = threading.Event()
        problems: list[object] = []

        def read() -> None:
            other = Store(store.root)
            while not stop.is_set():
                runs, found = other.scan()
                problems.extend(found)
                epochs = [item.epoch for item in runs[0].rows()]
                if epochs != list(range(1, len(epochs) + 1)):
                    problems.append(epochs)
                runs[0].predictions()

        reader = threading.Thread(target=read)
        reader.start()
        for epoch in range(1, 60):
            writer.progress(LiveProgress(epoch, 60, 1, 10, 0.5, 0.5, 0.1))
            writer.epoch(row(epoch))
            writer.predictions(guesses(500))
        time.sleep(0.05)
        stop.set()
        reader.join()
        assert problems == []

    def test_a_torn_last_line_of_the_history_is_dropped(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        path = store.get(run_id).path / "history.jsonl"
        path.write_bytes(path.read_bytes() + b'{"epoch": 2, "lo')
        assert [item.epoch for item in store.get(run_id).rows()] == [1]


class TestDamage:
    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("config.json", "{", "damaged"),
            ("config.json", '{"model": {"layers": []}}', "damaged"),
            ("status.json", "[]", "damaged"),
            ("status.json", '{"state": "unheard of"}', "damaged"),
            ("meta.json", "", "damaged"),
            ("config.json", None, "config.json is missing"),
        ],
    )
    def test_a_damaged_run_is_reported_and_the_rest_still_works(
        self, store: Store, run_id: str, small_config: RunConfig, name: str, content: str | None, says: str
    ) -> None:
        good = store.add(small_config.replace(training__seed=9), name="good")[0]
        path = store.get(run_id).path / name
        path.unlink() if content is None else path.write_text(content)
        runs, problems = store.scan()
        assert [run.id for run in runs] == [good.id]
        assert len(problems) == 1
        assert says in problems[0].reason

    def test_a_foreign_folder_is_reported(self, store: Store, run_id: str) -> None:
        (store.root / "runs" / "holiday-photos").mkdir()
        (store.root / "runs" / "notes.txt").touch()
        runs, problems = store.scan()
        assert len(runs) == 1
        assert [problem.path.name for problem in problems] == ["holiday-photos"]

    def test_a_configuration_changed_by_hand_is_reported(self, store: Store, run_id: str) -> None:
        path = store.get(run_id).path / "config.json"
        path.write_text(path.read_text().replace('"epochs": 3', '"epochs": 4'))
        assert "changed by hand" in store.scan()[1][0].reason

    def test_damaged_history_and_predictions_are_clear_errors(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        run = store.get(run_id)
        (run.path / "history.jsonl").write_text("rubbish\n{}\n")
        (run.path / "predictions.npz").write_bytes(b"rubbish")
        with pytest.raises(StoreError, match="history of run"):
            run.rows()
        with pytest.raises(StoreError, match="predictions of run"):
            run.predictions()


class TestPeople:
    def test_rename_tag_and_note_do_not_change_identity(self, store: Store, run_id: str) -> None:
        run = store.describe(run_id, name="my best", tags=("class", "3b"), note="first try")
        assert (run.id, run.name, run.meta.tags, run.meta.note) == (run_id, "my best", ("class", "3b"), "first try")
        assert store.describe(run_id, note="").name == "my best"

    def test_tags_mean_nothing_to_the_store(self, store: Store, run_id: str) -> None:
        run = store.describe(run_id, tags=("sweep 0123456789ab", "pruned"))
        assert (run.meta.origin, run.one_of_many, run.meta.pruned) == (None, False, False)
        assert run.meta.tags == ("sweep 0123456789ab", "pruned")

    def test_the_origin_stays_when_a_run_is_described(self, store: Store, small_config: RunConfig) -> None:
        origin = Origin(kind="search", id="0123456789ab")
        run, _ = store.add(small_config, name="trial", origin=origin)
        store.describe(run.id, name="mine", tags=("lesson",), note="why")
        assert store.get(run.id).meta.origin == origin
        assert store.get(run.id).one_of_many

    @pytest.mark.parametrize(
        ("tags", "origin", "pruned", "left"),
        [
            (["sweep db9adb12cb82"], Origin(kind="sweep", id="db9adb12cb82"), False, ()),
            (["search da6aa52f9c2a", "pruned"], Origin(kind="search", id="da6aa52f9c2a"), True, ()),
            (["lesson 1", "search da6aa52f9c2a"], Origin(kind="search", id="da6aa52f9c2a"), False, ("lesson 1",)),
            (["sweep lesson"], None, False, ("sweep lesson",)),
            ([], None, False, ()),
        ],
    )
    def test_an_older_file_with_origin_and_pruning_among_its_tags_is_read(
        self, store: Store, run_id: str, tags: list[str], origin: Origin | None, pruned: bool, left: tuple[str, ...]
    ) -> None:
        write_json(
            store.get(run_id).path / "meta.json",
            {"name": "old", "tags": tags, "note": "", "preset": None, "keep_weights": True},
        )
        meta = store.get(run_id).meta
        assert (meta.origin, meta.pruned, meta.tags) == (origin, pruned, left)

    @pytest.mark.parametrize("name", ["", "x" * 81])
    def test_a_name_out_of_bounds_is_refused(self, store: Store, run_id: str, name: str) -> None:
        with pytest.raises(ConfigError, match="name: String should have at"):
            store.describe(run_id, name=name)
        assert store.get(run_id).name == "model_1"

    @pytest.mark.parametrize(
        ("tags", "problem"),
        [
            ([str(number) for number in range(51)], "there are 51 tags, and 50 are allowed"),
            (["x" * 81], "has 81 characters, and 80 are allowed"),
        ],
    )
    def test_tags_out_of_bounds_are_refused_and_those_of_an_older_file_are_kept(
        self, store: Store, run_id: str, tags: list[str], problem: str
    ) -> None:
        with pytest.raises(ConfigError, match=problem):
            store.describe(run_id, tags=tuple(tags))
        with pytest.raises(ConfigError, match=problem):
            store.add_recorded(
                Recorded(dataset="mnist", content="0" * 64), name="mine", fingerprint="f" * 16, tags=tuple(tags)
            )
        assert [run.meta.tags for run in store.runs()] == [()]
        path = store.get(run_id).path / "meta.json"
        write_json(path, read_json(path) | {"tags": tags})
        assert store.describe(run_id, name="renamed").meta.tags == tuple(tags)
        assert store.describe(run_id, tags=tuple(tags[1:])).meta.tags == tuple(tags[1:])

    def test_deleting_goes_to_the_trash_and_back(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        store.delete(run_id)
        assert store.runs() == []
        assert [run.id for run in store.trash()[0]] == [run_id]
        restored = store.restore("model_1")
        assert restored.rows() == [row(1)]
        assert store.trash() == ([], [])

    def test_the_trash_can_be_emptied(self, store: Store, run_id: str) -> None:
        store.delete(run_id)
        assert store.empty_trash() == 1
        with pytest.raises(RunNotFound, match="which holds nothing"):
            store.restore(run_id)

    def test_a_run_that_was_trained_again_keeps_its_place(
        self, store: Store, run_id: str, small_config: RunConfig
    ) -> None:
        store.delete(run_id)
        store.add(small_config, name="again")
        with pytest.raises(StoreError, match="already"):
            store.restore(run_id)

    def test_a_run_in_training_cannot_be_deleted(self, store: Store, run_id: str) -> None:
        writer = store.open_writer(run_id)
        assert writer
        writer.started([])
        with pytest.raises(StoreError, match="cancel it first"):
            store.delete(run_id)

    def test_a_reference_run_is_read_only(self, store: Store, run_id: str) -> None:
        finish(store, run_id)
        (store.root / "reference").mkdir()
        store.get(run_id).path.rename(store.root / "reference" / run_id)
        assert store.get(run_id).read_only
        for change in (store.delete, store.cancel, store.open_writer, store.request_again):
            with pytest.raises(ReadOnlyRun, match="ships with the project"):
                change(run_id)
        with pytest.raises(ReadOnlyRun):
            store.describe(run_id, name="mine")


def test_attempts_are_counted_by_their_leases(store: Store, run_id: str) -> None:
    finish(store, run_id)
    assert lease.attempts(store.get(run_id).path) == 1


def test_a_root_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used as a store"):
        Store(tmp_path / "file")
