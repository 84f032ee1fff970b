"""A run that goes on from another run's weights: its identity, its start, and what cannot be continued."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.errors import ConfigError, RunNotFound, StoreError
from mnist_core.experiments.configs import RunConfig, parse_config
from mnist_core.experiments.presets import PRESETS, on_dataset
from mnist_core.jobs.request import RunRequest, request, request_all
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.records import Pause
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store


@pytest.fixture
def parent(store: Store, small_config: RunConfig) -> Run:
    return request(store, LocalRunner(store), small_config, name="parent").run


def weights(run: Run) -> list[np.ndarray]:
    from mnist_core.training.models import trained_model

    assert run.model_file is not None
    return trained_model(run.config.model, run.model_file).get_weights()


def test_a_parent_is_part_of_identity_and_its_absence_is_not(small_config: RunConfig) -> None:
    assert "parent" not in small_config.canonical_json()
    child = small_config.replace(parent="0123456789ab")
    assert child.run_id("data") != small_config.run_id("data")
    assert parse_config(child.model_dump(mode="json")) == child
    assert child.replace(parent=None) == small_config
    with pytest.raises(ConfigError, match="parent: String should match pattern"):
        small_config.replace(parent="../etc")


def test_a_child_starts_from_its_parents_weights(store: Store, parent: Run) -> None:
    # at this rate the weights all but stay where they are
    config = parent.config.replace(parent=parent.id, training__learning_rate=1e-7, training__epochs=1)
    child = request(store, LocalRunner(store), config, name="child").run
    assert child.state == "finished"
    for ours, theirs in zip(weights(child), weights(parent), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)
    assert child.rows()[0].val_loss == pytest.approx(parent.rows()[-1].val_loss, abs=1e-3)
    fresh = request(store, LocalRunner(store), config.replace(parent=None), name="fresh").run
    assert not np.allclose(weights(fresh)[0], weights(parent)[0], atol=1e-4)


def test_a_child_that_was_interrupted_goes_on_to_the_same_numbers(store: Store, parent: Run, tmp_path: Path) -> None:
    config = parent.config.replace(parent=parent.id, training__learning_rate=0.01)
    paused = RunRequest(config, "child", pause=Pause(epoch=1, reason="enough for now"))
    run = request_all(store, LocalRunner(store), [paused])[0].run
    assert (run.state, run.status.reason, run.epochs_done) == ("paused", "enough for now", 1)
    store.delete(parent.id)  # what was reached holds the weights
    run = request(store, LocalRunner(store), config, name="child").run
    assert (run.state, run.epochs_done) == ("finished", 3)

    other = Store(tmp_path / "other")
    request(other, LocalRunner(other), parent.config, name="parent")
    whole = request(other, LocalRunner(other), config, name="child").run
    assert [row.val_loss for row in run.rows()] == [row.val_loss for row in whole.rows()]
    assert all(map(np.array_equal, weights(run), weights(whole)))


def test_only_what_has_ended_for_good_can_be_continued(store: Store, small_config: RunConfig) -> None:
    waiting = store.add(small_config, name="waiting")[0]
    with pytest.raises(StoreError, match="run waiting is queued; only a finished run can be continued"):
        store.add(small_config.replace(parent=waiting.id), name="child")
    with pytest.raises(RunNotFound, match="0123456789ab, which this one continues"):
        store.add(small_config.replace(parent="0123456789ab"), name="child")


def test_layers_must_fit_the_parents(store: Store, parent: Run) -> None:
    with pytest.raises(ConfigError, match="do not fit a model of 17 relu"):
        store.add(parent.config.replace(parent=parent.id, model__layers=[{"units": 17}]), name="child")
    # rates and penalties are no weights
    same = parent.config.replace(parent=parent.id, model__layers=[{"units": 16, "dropout": 0.7, "l2": 0.1}])
    assert store.add(same, name="child")[1]


def test_a_run_without_weights_cannot_be_continued(store: Store, small_config: RunConfig) -> None:
    run = request_all(store, LocalRunner(store), [RunRequest(small_config, "light", keep_weights=False)])[0].run
    assert run.model_file is None
    with pytest.raises(StoreError, match="run light has not kept its weights"):
        store.add(small_config.replace(parent=run.id), name="child")


def test_the_published_continuation_names_the_published_parent() -> None:
    item = PRESETS["notebook/model_1_lr_1e-4"]
    assert item.config.parent == PRESETS["notebook/model_1"].config.run_id(MNIST_FINGERPRINT)
    assert item.config.training.learning_rate == 1e-4
    elsewhere = on_dataset(item, "digits", "0" * 16)
    assert elsewhere.dataset.name == "digits"
    assert elsewhere.parent == PRESETS["notebook/model_1"].config.replace(dataset__name="digits").run_id("0" * 16)


def test_a_paused_run_goes_on_to_the_numbers_of_one_that_never_paused(
    store: Store, small_config: RunConfig, tmp_path: Path
) -> None:
    runner = LocalRunner(store)
    for epoch in (1, 2):
        run = request_all(store, runner, [RunRequest(small_config, "run", pause=Pause(epoch=epoch, reason="rung"))])[
            0
        ].run
        assert (run.state, run.epochs_done, run.status.kept_epoch) == ("paused", epoch, epoch)
    run = request(store, runner, small_config, name="run").run
    assert run.state == "finished"
    other = Store(tmp_path / "other")
    whole = request(other, LocalRunner(other), small_config, name="run").run
    assert [row.loss for row in run.rows()] == [row.loss for row in whole.rows()]
    assert all(map(np.array_equal, weights(run), weights(whole)))


def test_a_pause_after_the_last_epoch_is_none(store: Store, small_config: RunConfig) -> None:
    wanted = RunRequest(small_config, "run", pause=Pause(epoch=3, reason="rung"))
    assert request_all(store, LocalRunner(store), [wanted])[0].run.state == "finished"
