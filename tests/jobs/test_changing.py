"""Training you can touch: pause, one more epoch, change a setting and go on, slow motion."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.headline import headline
from mnist_core.errors import ConfigError, InvalidTransition, StoreError
from mnist_core.experiments.configs import ModelConfig, PlateauSchedule, RunConfig, TrainingConfig, parse_config
from mnist_core.experiments.layers import DenseLayer
from mnist_core.jobs.changing import go_on_changed
from mnist_core.jobs.estimates import measured
from mnist_core.jobs.request import RunRequest, request, request_all, resume
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.records import Change
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.training.events import EpochEnded, TrainingEvent
from mnist_core.training.train import train
from tests.support.same_results import difference

CONFIG = RunConfig(
    model=ModelConfig(layers=(DenseLayer(units=12, dropout=0.2), DenseLayer(units=8, dropout=0.2))),
    training=TrainingConfig(epochs=5, batch_size=64, optimizer="adam"),
)
DROPOUT = {"model.layers.0.dropout": 0.5, "model.layers.1.dropout": 0.5}


class At:
    """A runner that calls `act` as soon as an epoch is complete, in the middle of the training."""

    def __init__(self, store: Store, epoch: int, act: Callable[[str], object]) -> None:
        self.runner = LocalRunner(store, train=self._train)
        self.epoch, self.act, self.run_id = epoch, act, ""
        self.submit = self._submit

    def _submit(self, run_id: str) -> None:
        self.run_id = run_id
        self.runner.submit(run_id)

    def _train(
        self, config: RunConfig, dataset: Any, *, on_event: Callable[[TrainingEvent], None], **options: Any
    ) -> Any:
        def heard(event: TrainingEvent) -> None:
            on_event(event)
            if isinstance(event, EpochEnded) and event.row.epoch == self.epoch:
                self.act(self.run_id)

        return train(config, dataset, on_event=heard, **options)


def paused(store: Store, config: RunConfig = CONFIG) -> Run:
    """Train `config` and have a person pause it while its second epoch is under way."""
    runner = At(store, 1, store.request_pause)
    return request(store, runner, config, name="touched").run  # type: ignore[arg-type]


def numbers(run: Run) -> list[tuple[float, ...]]:
    return [(row.loss, row.accuracy, row.val_loss, row.val_accuracy, row.learning_rate) for row in run.rows()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same training, never paused."""
    store = Store(tmp_path_factory.mktemp("whole"))
    return request(store, LocalRunner(store), CONFIG, name="whole").run


@pytest.fixture(scope="module")
def paused_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a paused run; to be copied, not to be used."""
    store = Store(tmp_path_factory.mktemp("paused") / "artifacts")
    paused(store)
    return store


@pytest.fixture(scope="module")
def changed_store(paused_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same store, whose run has gone on with another dropout, as "mine"; to be copied, not to be used."""
    store = Store(shutil.copytree(paused_store.root, tmp_path_factory.mktemp("changed") / "artifacts"))
    go_on_changed(store, LocalRunner(store), store.find("touched").id, DROPOUT, name="mine")
    return store


@pytest.fixture
def parent(store: Store, paused_store: Store) -> Run:
    """A paused run in `store`, after 2 of its 5 epochs."""
    shutil.copytree(paused_store.root, store.root, dirs_exist_ok=True)
    return store.find("touched")


@pytest.fixture
def changed(store: Store, changed_store: Store) -> Run:
    """A finished run in `store` that went on from the paused "touched" with another dropout."""
    shutil.copytree(changed_store.root, store.root, dirs_exist_ok=True)
    return store.find("mine")


# -- pause -------------------------------------------------------------------------------------------------------------


def test_a_pause_keeps_the_epoch_under_way_and_what_it_has_reached(parent: Run) -> None:
    run = parent
    assert (run.state, run.epochs_done, run.status.kept_epoch) == ("paused", 2, 2)
    assert run.status.reason == "paused after epoch 2 of 5"
    assert run.resumable
    assert not run.live
    assert run.predictions() is not None
    assert run.pause() is None


def test_a_run_that_was_paused_ends_as_one_that_never_was_bit_for_bit(store: Store, parent: Run, whole: Run) -> None:
    run = resume(store, LocalRunner(store), parent.id)
    assert run.state == "finished"
    assert difference(run, whole) == ""
    assert run.id == whole.id
    assert run.changed_at is None


def test_one_more_epoch_pauses_it_again(store: Store, parent: Run, whole: Run) -> None:
    run = parent
    for done in (3, 4):
        run = resume(store, LocalRunner(store), run.id, epochs=1)
        assert (run.state, run.epochs_done) == ("paused", done)
    assert resume(store, LocalRunner(store), run.id, epochs=1).state == "finished"  # nothing is left to pause for
    assert difference(store.get(run.id), whole) == ""
    with pytest.raises(ConfigError, match="0 more epochs were asked for; ask for 1 or more"):
        resume(store, LocalRunner(store), run.id, epochs=0)


def test_a_queued_run_is_paused_after_its_first_epoch(store: Store) -> None:
    run, _ = store.add(CONFIG, name="waiting")
    store.request_pause(run.id)
    LocalRunner(store).submit(run.id)
    assert (store.get(run.id).state, store.get(run.id).epochs_done) == ("paused", 1)


def test_only_what_is_trained_can_be_paused(store: Store, parent: Run) -> None:
    with pytest.raises(InvalidTransition, match="run touched is paused; only queued or running runs can be paused"):
        store.request_pause(parent.id)


def test_a_paused_run_can_be_given_up_and_taken_up_again(store: Store, parent: Run) -> None:
    run = store.cancel(parent.id)
    assert (run.state, run.status.reason, run.status.kept_epoch) == ("cancelled", "cancelled after it was paused", 2)
    assert resume(store, LocalRunner(store), run.id).state == "finished"


def test_a_request_to_cancel_is_stronger_than_one_to_pause(store: Store) -> None:
    def both(run_id: str) -> None:
        store.request_pause(run_id)
        store.cancel(run_id)

    run = request(store, At(store, 1, both), CONFIG, name="run").run  # type: ignore[arg-type]
    assert run.state == "cancelled"


# -- slow motion -------------------------------------------------------------------------------------------------------


def test_slow_motion_changes_no_number(store: Store, whole: Run) -> None:
    wanted = RunRequest(CONFIG, "slow", delay_s=0.1)
    began = time.monotonic()
    run = request_all(store, LocalRunner(store), [wanted])[0].run
    assert time.monotonic() - began >= 4 * 0.1  # after each epoch but the last
    assert difference(run, whole) == ""
    (timed,) = measured([run], lambda name, fingerprint: 1442, lambda environment: True)
    assert math.isnan(timed.overhead_s)  # the wait is no time that a training needs besides its epochs


def test_slow_motion_heeds_a_pause_a_stop_and_full_speed_at_once(store: Store) -> None:
    def during(run_id: str, act: Callable[[str], object]) -> threading.Thread:
        def once_it_waits() -> None:
            while store.get(run_id).epochs_done < 1:
                time.sleep(0.01)
            time.sleep(0.1)
            act(run_id)

        thread = threading.Thread(target=once_it_waits)
        thread.start()
        return thread

    ended = []
    acts: tuple[Callable[[str], object], ...] = (
        store.request_pause, store.cancel, lambda run_id: store.set_slow_motion(run_id, 0)
    )  # fmt: skip
    for seed, act in enumerate(acts):
        run, _ = store.add(CONFIG.replace(training__seed=seed), name=f"{seed}", delay_s=10.0)
        thread = during(run.id, act)
        LocalRunner(store).submit(run.id)
        thread.join()
        ended.append((store.get(run.id).state, store.get(run.id).epochs_done))
    assert ended == [("paused", 1), ("cancelled", 1), ("finished", 5)]


def test_a_delay_has_bounds(store: Store) -> None:
    run, _ = store.add(CONFIG, name="run")
    with pytest.raises(ConfigError, match=r"delay_s: .*less than or equal to 10"):
        store.set_slow_motion(run.id, 60)


# -- change and go on --------------------------------------------------------------------------------------------------


def test_a_change_makes_a_new_run_that_goes_on_from_the_paused_ones_state(store: Store, parent: Run) -> None:
    before = {path.name: path.read_bytes() for path in parent.path.iterdir() if path.is_file()}
    found = go_on_changed(store, LocalRunner(store), parent.id, DROPOUT)
    run = found.run
    assert (found.outcome, run.state, run.epochs_done) == ("new", "finished", 5)
    assert run.id != parent.id
    assert (run.config.parent, run.changed_at) == (parent.id, 2)
    assert run.name == "touched, dropout 0.2 → 0.5 after epoch 2"
    assert run.meta.changes == tuple(
        Change(epoch=2, path=f"model.layers.{layer}.dropout", before=0.2, after=0.5) for layer in (0, 1)
    )
    assert numbers(run)[:2] == numbers(parent)
    assert {path.name: path.read_bytes() for path in parent.path.iterdir() if path.is_file()} == before
    assert store.get(parent.id).state == "paused"


def test_the_new_run_has_weights_and_optimizer_of_the_paused_one(store: Store, parent: Run, tmp_path: Path) -> None:
    """With more epochs as the only change, the result is that of the longer training, bit for bit."""
    longer = CONFIG.replace(training__epochs=6)
    other = Store(tmp_path / "other")
    clean = request(other, LocalRunner(other), longer, name="clean").run
    run = go_on_changed(store, LocalRunner(store), parent.id, {"training.epochs": 6}).run
    assert difference(run, clean) == ""
    assert run.id != clean.id  # it was touched all the same


def test_the_parent_can_go_on_as_it_was(store: Store, changed: Run, whole: Run) -> None:
    assert changed.parent is not None
    assert difference(resume(store, LocalRunner(store), changed.parent), whole) == ""


def test_a_change_of_the_learning_rate_holds_from_the_next_epoch_on(store: Store, parent: Run) -> None:
    run = go_on_changed(store, LocalRunner(store), parent.id, {"training.learning_rate": 0.01}).run
    assert [row.learning_rate for row in run.rows()] == [0.001] * 2 + [0.01] * 3
    assert run.name.endswith("learning rate 0.001 → 0.01 after epoch 2")


def test_a_schedule_by_plateaus_goes_on_from_the_new_rate(store: Store) -> None:
    config = CONFIG.replace(training__schedule=PlateauSchedule().model_dump())
    run = go_on_changed(store, LocalRunner(store), paused(store, config).id, {"training.learning_rate": 0.01}).run
    assert run.rows()[2].learning_rate == 0.01


def test_no_change_is_no_new_run(store: Store, parent: Run, whole: Run) -> None:
    found = go_on_changed(store, LocalRunner(store), parent.id, {"model.layers.0.dropout": 0.2})
    assert (found.outcome, found.run.id) == ("resumed", parent.id)
    assert difference(found.run, whole) == ""


@pytest.mark.parametrize("epochs", [0, -5])
def test_a_change_that_would_pause_before_an_epoch_is_refused_and_makes_no_run(
    store: Store, parent: Run, epochs: int
) -> None:
    with pytest.raises(ConfigError, match=f"{epochs} more epochs were asked for; ask for 1 or more"):
        go_on_changed(store, LocalRunner(store), parent.id, DROPOUT, epochs=epochs)
    assert store.runs() == [parent]


def test_changes_follow_one_another(store: Store, parent: Run) -> None:
    runner = LocalRunner(store)
    first = go_on_changed(store, runner, parent.id, DROPOUT, epochs=1).run
    assert (first.state, first.epochs_done) == ("paused", 3)
    second = go_on_changed(store, runner, first.id, {"training.learning_rate": 0.01}).run
    assert (second.state, second.changed_at, second.parent) == ("finished", 3, first.id)
    assert [change.epoch for change in second.meta.changes] == [2, 2, 3]
    assert numbers(second)[:3] == numbers(first)


def test_the_same_change_again_is_the_same_run(store: Store, changed: Run) -> None:
    assert changed.parent is not None
    again = go_on_changed(store, LocalRunner(store), changed.parent, DROPOUT)
    assert (again.outcome, again.run.id) == ("stored", changed.id)


def test_a_changed_run_whose_process_died_goes_on_bit_for_bit(store: Store, parent: Run, changed_store: Store) -> None:
    class Killed(BaseException):
        pass

    def die(run_id: str) -> None:
        raise Killed

    with pytest.raises(Killed):
        go_on_changed(store, At(store, 3, die), parent.id, DROPOUT)  # type: ignore[arg-type]
    (broken,) = [run for run in store.runs() if run.id != parent.id]
    assert (broken.state, broken.epochs_done) == ("interrupted", 3)
    store.delete(parent.id)  # it holds all that it needs itself
    assert difference(resume(store, LocalRunner(store), broken.id), changed_store.find("mine")) == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training.seed": 1}, "training.seed: only the dropout of layers"),
        ({"training.optimizer": "sgd"}, "training.optimizer: only the dropout"),
        ({"model.layers.0.units": 13}, "model.layers.0.units: only the dropout"),
        ({"model.layers.0.l2": 0.1}, "model.layers.0.l2: only the dropout"),
        ({"training.validation": {"source": "held_out", "fraction": 0.2}}, "training.validation.source.*: only"),
        ({"training.epochs": 2}, "training.epochs is 2, and 2 epochs are done; give 3 or more"),
        ({"model.layers.0.dropout": 2.0}, "model.layers.0.dropout"),
        ({"training.nothing": 2.0}, "has no field 'nothing'"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_nothing_is_lost(
    store: Store, parent: Run, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        go_on_changed(store, LocalRunner(store), parent.id, values)
    assert [item.id for item in store.runs()] == [parent.id]
    assert store.get(parent.id).state == "paused"


def test_only_a_paused_run_can_be_changed(store: Store, changed: Run) -> None:
    with pytest.raises(StoreError, match="run mine is finished; only a paused run can be changed"):
        go_on_changed(store, LocalRunner(store), changed.id, DROPOUT)


def test_a_damaged_checkpoint_is_no_start(store: Store, parent: Run) -> None:
    parent.checkpoint_file.write_bytes(b"damaged")
    with pytest.raises(StoreError, match="the checkpoint of run touched is missing or damaged; resume the run"):
        go_on_changed(store, LocalRunner(store), parent.id, DROPOUT)


def test_a_changed_run_cannot_be_made_from_its_configuration_alone(store: Store, changed: Run) -> None:
    another = changed.config.replace(training__seed=1)
    with pytest.raises(StoreError, match="where a person changed settings; it can only be made by a change"):
        store.add(another, name="another seed")
    with pytest.raises(StoreError, match="it cannot be trained again from its beginning"):
        request(store, LocalRunner(store), changed.config, name="again", again=True)
    assert store.get(changed.id).state == "finished"


def test_the_epoch_of_a_change_is_part_of_identity_and_its_absence_is_not() -> None:
    assert "parent_epoch" not in CONFIG.canonical_json()
    child = CONFIG.replace(parent="0123456789ab")
    assert "parent_epoch" not in child.canonical_json()
    changed = child.replace(parent_epoch=2)
    assert len({item.run_id("data") for item in (CONFIG, child, changed, child.replace(parent_epoch=3))}) == 4
    assert parse_config(changed.model_dump(mode="json")) == changed
    with pytest.raises(ConfigError, match="parent_epoch is an epoch of the parent; give the parent too"):
        CONFIG.replace(parent_epoch=2)


# -- comparison --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False])
def test_a_run_that_was_touched_is_never_compared_as_if_it_were_clean(changed: Run, whole: Run, first: bool) -> None:
    pair = (changed, whole) if first else (whole, changed)
    found = compare(pair, pair[0])
    names = {changed.id: "mine", whole.id: "whole"}
    concern = next(item for item in found.verdicts[0].concerns if item.code == "changed")
    assert (concern.severity, concern.which) == ("undermines", 0 if first else 1)
    sentence = concern_words(concern, (names[pair[0].id], names[pair[1].id]))
    assert sentence.startswith("mine was changed by hand while it was trained (after epoch 2: dropout 0.2 → 0.5): ")
    assert headline(found, names).endswith(
        " But mine was changed by hand during training: this is no clean comparison of two configurations."
    )


def test_two_children_of_one_paused_run_are_both_named(store: Store, changed: Run) -> None:
    assert changed.parent is not None
    change = {"training.learning_rate": 0.01}
    other = go_on_changed(store, LocalRunner(store), changed.parent, change, name="other").run
    found = compare([changed, other], changed)
    assert [item.which for item in found.verdicts[0].concerns if item.code == "changed"] == [0, 1]
    assert " But mine and other were changed by hand" in headline(found, {changed.id: "mine", other.id: "other"})
