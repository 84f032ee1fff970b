"""What a worker makes of a training: files, states and reasons. What trains is a fake of `training.train`'s form."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.data import duplicates
from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import DatasetConfig, RunConfig
from mnist_core.files import append_json_line, read_json, read_json_lines
from mnist_core.jobs import execution
from mnist_core.jobs.execution import execute
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.writer import RunWriter
from tests.support.fake_training import EPOCHS, FakeTrain, Killed
from tests.support.synthetic import row


@pytest.fixture(autouse=True)
def _forget_datasets() -> Iterator[None]:
    execution._last_dataset = None
    yield
    execution._last_dataset = None


@pytest.fixture
def run(store: Store, small_config: RunConfig) -> Run:
    return store.add(small_config, name="a run")[0]


def raising(error: BaseException, at: int = 2) -> Callable[[int], None]:
    def before_epoch(epoch: int) -> None:
        if epoch == at:
            raise error

    return before_epoch


def die(store: Store, run: Run, at: int) -> None:
    """An attempt whose process ends in epoch `at`."""
    with pytest.raises(Killed):
        execute(store, run.id, train=FakeTrain(raising(Killed(), at)))


def test_a_queued_run_is_trained_and_everything_is_kept(store: Store, run: Run) -> None:
    assert execute(store, run.id, train=FakeTrain()) == "finished"
    run = store.get(run.id)
    assert (run.state, run.status.best_epoch, run.status.kept_epoch) == ("finished", EPOCHS, EPOCHS)
    assert [r.epoch for r in run.rows()] == [1, 2, 3]
    predictions = run.predictions()
    assert predictions is not None
    assert predictions.probabilities.shape == (len(predictions.labels), 10)
    assert run.model_file is not None
    assert not lease.held(run.path)
    assert not (run.path / "progress.json").exists()
    assert not run.checkpoint_file.exists()


def test_predictions_of_the_best_epoch_are_kept_beside_those_of_the_kept_weights(store: Store, run: Run) -> None:
    execute(store, run.id, train=FakeTrain(losses=[0.2, 0.5, 0.5]))
    run = store.get(run.id)
    assert [run.epoch(chosen) for chosen in ("kept", "last", "best")] == [3, 3, 1]
    assert {chosen: len(run.predictions(chosen).wrong) for chosen in ("kept", "last", "best")} == {
        "kept": len(run.predictions().wrong),
        "last": len(run.predictions().wrong),
        "best": 0,
    }
    assert len(run.predictions().wrong)


def test_predictions_that_are_not_stored_are_none_and_not_others(store: Store, small_config: RunConfig) -> None:
    run, _ = store.add(small_config, name="one of many", keep_weights=False)
    assert [run.predictions(chosen) for chosen in ("kept", "last", "best")] == [None] * 3
    execute(store, run.id, train=FakeTrain(losses=[0.2, 0.5, 0.5]))
    run = store.get(run.id)
    assert run.predictions("best") is None
    assert run.predictions("last") is not None


def test_what_is_in_the_data_twice_is_looked_for_when_a_run_has_ended(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "BUILT_IN_CHECKS", {})
    assert duplicates.known(store.root, run.status.fingerprint) is None
    execute(store, run.id, train=FakeTrain())
    found = duplicates.known(store.root, run.status.fingerprint)
    assert found is not None
    assert (found.train, found.test) == (1442, 355)


def test_it_is_running_while_it_trains(store: Store, run: Run) -> None:
    seen: list[str] = []
    execute(store, run.id, train=FakeTrain(lambda epoch: seen.append(store.get(run.id).state)))
    assert seen == ["running"] * EPOCHS


def test_the_environment_is_recorded_without_naming_the_machine(store: Store, run: Run) -> None:
    execute(store, run.id, train=FakeTrain())
    environment = store.get(run.id).environment()
    assert environment is not None
    assert environment.threads >= 1
    text = (run.path / "environment.json").read_text()
    for name in (os.uname().nodename, str(Path.home()), "/"):
        assert len(name) > 1 or name == "/"
        assert name not in text


def test_progress_is_written_a_few_times_a_second_at_most(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(RunWriter, "progress", lambda self, progress: written.append(progress))
    execute(store, run.id, train=FakeTrain())
    assert 1 <= len(written) < 50  # of 150


def test_a_loss_that_is_not_finite_is_no_number_in_the_progress(store: Store, run: Run) -> None:
    seen = []
    execute(store, run.id, train=FakeTrain(lambda epoch: seen.append(store.get(run.id).progress())))
    assert seen[1] is not None
    assert seen[1].loss is None


def test_diverged_is_an_ending_of_its_own(store: Store, run: Run) -> None:
    assert execute(store, run.id, train=FakeTrain(state="diverged")) == "diverged"
    assert store.get(run.id).state == "diverged"


# -- cancelling --------------------------------------------------------------------------------------------------------


def test_a_run_cancelled_in_the_queue_is_not_trained(store: Store, run: Run) -> None:
    store.cancel(run.id)
    train = FakeTrain()
    assert execute(store, run.id, train=train) is None
    assert train.trained == []
    assert store.get(run.id).state == "cancelled"


def test_a_cancel_request_that_came_before_is_honoured(store: Store, run: Run) -> None:
    (run.path / "cancel").touch()
    train = FakeTrain()
    assert execute(store, run.id, train=train) == "cancelled"
    assert train.trained == []
    assert store.get(run.id).status.reason == "cancelled before it began"
    assert not (run.path / "cancel").exists()


def test_a_cancelled_run_keeps_what_it_reached_and_can_be_resumed(store: Store, run: Run) -> None:
    def cancel_in_2(epoch: int) -> None:
        if epoch == 2:
            store.cancel(run.id)

    assert execute(store, run.id, train=FakeTrain(cancel_in_2)) == "cancelled"
    cancelled = store.get(run.id)
    assert cancelled.epochs_done == 1
    assert cancelled.predictions() is not None
    assert cancelled.model_file is not None
    assert cancelled.checkpoint_file.exists()

    store.request_again(run.id)
    train = FakeTrain()
    assert execute(store, run.id, train=train) == "finished"
    assert train.trained == [2, 3]
    assert [r.epoch for r in store.get(run.id).rows()] == [1, 2, 3]


def test_results_of_an_earlier_attempt_outlast_a_cancelled_resumption(store: Store, run: Run) -> None:
    def cancel_in_2(epoch: int) -> None:
        if epoch == 2:
            store.cancel(run.id)

    execute(store, run.id, train=FakeTrain(cancel_in_2))
    store.request_again(run.id)
    (run.path / "cancel").touch()
    execute(store, run.id, train=FakeTrain())
    assert store.get(run.id).status.kept_epoch == 1


# -- going on ----------------------------------------------------------------------------------------------------------


def test_a_dead_attempt_is_interrupted_and_the_next_goes_on_from_its_checkpoint(store: Store, run: Run) -> None:
    die(store, run, at=3)
    assert store.get(run.id).state == "interrupted"
    train = FakeTrain()
    assert execute(store, run.id, train=train) == "finished"
    assert train.trained == [3]
    assert [r.epoch for r in store.get(run.id).rows()] == [1, 2, 3]


def test_an_epoch_in_the_checkpoint_but_not_in_the_history_is_not_lost(store: Store, run: Run) -> None:
    die(store, run, at=3)
    path = run.path / "history.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b'{"epoch": 2, "lo')  # torn by the kill
    execute(store, run.id, train=FakeTrain())
    assert [r.epoch for r in store.get(run.id).rows()] == [1, 2, 3]


def test_a_run_killed_after_its_last_epoch_only_needs_its_evaluation(store: Store, run: Run) -> None:
    class KilledAtTheEnd(FakeTrain):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            super().__call__(*arguments, **options)
            raise Killed

    with pytest.raises(Killed):
        execute(store, run.id, train=KilledAtTheEnd())
    train = FakeTrain()
    assert execute(store, run.id, train=train) == "finished"
    assert train.trained == []
    assert [r.epoch for r in store.get(run.id).rows()] == [1, 2, 3]


def test_without_a_usable_checkpoint_training_begins_anew(store: Store, run: Run) -> None:
    die(store, run, at=3)
    run.checkpoint_file.write_bytes(b"torn")
    train = FakeTrain()
    assert execute(store, run.id, train=train) == "finished"
    assert train.trained == [1, 2, 3]
    assert [r.epoch for r in store.get(run.id).rows()] == [1, 2, 3]


def test_an_epoch_that_kills_three_attempts_is_not_tried_again(store: Store, run: Run) -> None:
    for _ in range(execution.MAX_ATTEMPTS):
        die(store, run, at=2)
    assert execute(store, run.id, train=FakeTrain()) == "failed"
    failed = store.get(run.id)
    assert "died 3 times in epoch 2" in failed.status.reason
    assert "resume" in failed.status.reason
    assert failed.epochs_done == 1

    store.request_again(run.id)  # a person asked: the count begins again
    assert execute(store, run.id, train=FakeTrain()) == "finished"


def test_attempts_that_get_further_are_not_counted_against_it(store: Store, run: Run) -> None:
    for epoch in (1, 1, 2, 2, 3, 3):
        die(store, run, at=epoch)
    assert execute(store, run.id, train=FakeTrain()) == "finished"
    assert len(read_json_lines(run.path / "attempts.jsonl")) == 7


# -- failing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigError("held out 9 of 10; hold out fewer"), "held out 9 of 10; hold out fewer"),
        (ValueError("shapes differ\nand a long dump\nfollows"), "ValueError: shapes differ"),
        (KeyError(), "KeyError"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_any_exception_is_a_failure_with_a_reason_in_one_line(
    store: Store, run: Run, error: Exception, reason: str
) -> None:
    assert execute(store, run.id, train=FakeTrain(raising(error))) == "failed"
    failed = store.get(run.id)
    assert failed.status.reason.startswith(reason)
    assert "\n" not in failed.status.reason
    assert "Traceback" in (run.path / "error.txt").read_text()
    assert not lease.held(run.path)
    assert failed.epochs_done == 1


def test_a_failure_overcome_leaves_no_traceback(store: Store, run: Run) -> None:
    execute(store, run.id, train=FakeTrain(raising(ValueError("no"))))
    store.request_again(run.id)
    execute(store, run.id, train=FakeTrain())
    assert not (run.path / "error.txt").exists()


def test_a_dataset_that_is_gone_is_a_clear_failure(store: Store, tmp_path: Path, small_config: RunConfig) -> None:
    path = tmp_path / "mine.npz"
    digits = store.catalog.load("digits")
    arrays = {key: getattr(digits, key) for key in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(path, **arrays)
    store.catalog.register("mine", path)
    run = store.add(small_config.model_copy(update={"dataset": DatasetConfig(name="mine")}), name="mine")[0]

    path.unlink()
    assert execute(store, run.id, train=FakeTrain()) == "failed"
    assert "mine.npz does not exist" in store.get(run.id).status.reason

    np.savez(path, **(arrays | {"y_train": arrays["y_train"][::-1]}))
    store.request_again(run.id)
    assert execute(store, run.id, train=FakeTrain()) == "failed"
    assert "has changed since this run was made" in store.get(run.id).status.reason


def test_a_process_told_to_stop_lets_go_of_the_run(store: Store, run: Run) -> None:
    with pytest.raises(KeyboardInterrupt):
        execute(store, run.id, train=FakeTrain(raising(KeyboardInterrupt())))
    assert not lease.held(run.path)
    assert store.get(run.id).state == "interrupted"


# -- several workers ---------------------------------------------------------------------------------------------------


def test_a_run_that_somebody_else_trains_is_left_to_them(store: Store, run: Run) -> None:
    inner: list[object] = []
    train = FakeTrain(lambda epoch: inner.append(execute(store, run.id, train=FakeTrain())))
    assert execute(store, run.id, train=train) == "finished"
    assert inner == [None] * EPOCHS


def test_an_ended_run_is_not_trained_again(store: Store, run: Run) -> None:
    execute(store, run.id, train=FakeTrain())
    version = store.get(run.id).version()
    assert execute(store, run.id, train=FakeTrain()) is None
    assert store.get(run.id).version() == version


def test_an_overtaken_attempt_stops_without_writing(store: Store, run: Run) -> None:
    def overtake(epoch: int) -> None:
        if epoch == 2:
            (run.path / "lease-9.json").write_text((run.path / "lease-1.json").read_text())

    assert execute(store, run.id, train=FakeTrain(overtake)) is None
    assert read_json(run.path / "status.json")["state"] == "running"
    assert len(read_json_lines(run.path / "history.jsonl")) == 1
    assert lease.held(run.path)


def test_an_overtaken_attempt_that_fails_stays_silent_too(store: Store, run: Run) -> None:
    def overtake_and_fail(epoch: int) -> None:
        (run.path / "lease-9.json").write_text((run.path / "lease-1.json").read_text())
        raise ValueError("too late")

    assert execute(store, run.id, train=FakeTrain(overtake_and_fail)) is None
    assert read_json(run.path / "status.json")["state"] == "running"
    assert not (run.path / "error.txt").exists()


def test_a_run_deleted_under_the_worker_is_given_up(store: Store, run: Run) -> None:
    def vanish(epoch: int) -> None:
        run.path.rename(store.root / "elsewhere")

    assert execute(store, run.id, train=FakeTrain(vanish)) is None


def test_a_history_from_elsewhere_is_not_appended_to(store: Store, run: Run) -> None:
    append_json_line(run.path / "history.jsonl", row(1).to_json())  # without a checkpoint it is worth nothing
    execute(store, run.id, train=FakeTrain())
    assert [r.epoch for r in store.get(run.id).rows()] == [1, 2, 3]
