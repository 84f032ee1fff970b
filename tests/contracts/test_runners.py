"""What every runner promises, with real trainings on `digits`: nothing is trained twice, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mnist_core.experiments.configs import ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.jobs import latency
from mnist_core.jobs.request import Requested, request, resume
from mnist_core.jobs.runners import LocalRunner, Runner, ServiceRunner
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.same_results import difference
from tests.support.waiting import suspend, until

ROOT = Path(__file__).parents[2]
LONG = 30
NEVER = 500


def config(seed: int, epochs: int = 3, units: int = 64) -> RunConfig:
    return RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=units, dropout=0.2),)),
        training=TrainingConfig(epochs=epochs, batch_size=32, seed=seed),
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, started_processes: object) -> Iterator[dict[str, Runner]]:
    """A runner of each kind, each with a store of its own; one service for the whole module."""
    service = ServiceRunner(Store(tmp_path_factory.mktemp("service")), options=("--workers", "1"))
    service.warm()
    yield {"local": LocalRunner(Store(tmp_path_factory.mktemp("local"))), "service": service}
    service.stop()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[RunConfig], Run]:
    """The run that a configuration gives when nothing disturbs it."""
    store = Store(tmp_path_factory.mktemp("uninterrupted"))
    return lambda wanted: request(store, LocalRunner(store), wanted, name="uninterrupted").run


@pytest.fixture(params=["local", "service"])
def runner(request: pytest.FixtureRequest, shared: dict[str, Runner]) -> Runner:
    return shared[request.param]


def ended(store: Store, run_id: str) -> Run:
    until(lambda: not store.get(run_id).live and not lease.held(store.get(run_id).path))
    return store.get(run_id)


def train(runner: Runner, wanted: RunConfig, *, again: bool = False) -> tuple[Requested, Run]:
    requested = request(runner.store, runner, wanted, name="a run", again=again)
    return requested, ended(runner.store, requested.run.id)


def begin(runner: Runner, wanted: RunConfig) -> tuple[str, threading.Thread]:
    """Ask for a run without waiting for it, and return once it has finished two epochs."""
    thread = threading.Thread(target=request, args=(runner.store, runner, wanted), kwargs={"name": "a run"})
    thread.start()
    run_id = wanted.run_id(runner.store.catalog.fingerprint("digits"))
    until(lambda: (runner.store.root / "runs" / run_id / "history.jsonl").exists())
    until(lambda: runner.store.get(run_id).epochs_done >= 2)
    return run_id, thread


# -- both runners ------------------------------------------------------------------------------------------------------


def test_a_new_run_is_trained(runner: Runner) -> None:
    requested, run = train(runner, config(seed=1))
    assert requested.outcome == "new"
    assert (run.state, run.epochs_done) == ("finished", 3)
    assert run.predictions() is not None
    assert run.model_file is not None
    environment = run.environment()
    assert environment is not None
    assert environment.threads >= 1


def test_all_runners_give_the_same_numbers(runner: Runner, uninterrupted: Callable[[RunConfig], Run]) -> None:
    assert difference(train(runner, config(seed=1))[1], uninterrupted(config(seed=1))) == ""


def test_what_is_trained_already_is_not_trained_again(runner: Runner) -> None:
    before = train(runner, config(seed=2))[1]
    requested, run = train(runner, config(seed=2))
    assert requested.outcome == "stored"
    assert run.version() == before.version()


def test_again_trains_from_scratch_and_puts_the_earlier_run_in_the_trash(runner: Runner) -> None:
    before = train(runner, config(seed=3))[1]
    results = before.history(), before.predictions()
    requested, run = train(runner, config(seed=3), again=True)
    assert requested.outcome == "new"
    assert run.status.created_at > before.status.created_at
    assert [trashed.id for trashed in runner.store.trash()[0]] == [run.id]
    assert results[1] is not None
    assert difference(run, runner.store.trash()[0][0]) == ""
    runner.store.empty_trash()


def test_a_shipped_run_is_stored_and_shadowed_when_trained_again(
    runner: Runner, uninterrupted: Callable[[RunConfig], Run]
) -> None:
    shipped = uninterrupted(config(seed=4))
    reference = runner.store.root / "reference" / shipped.id
    reference.parent.mkdir(exist_ok=True)
    shutil.copytree(shipped.path, reference)
    requested, run = train(runner, config(seed=4))
    assert requested.outcome == "stored"
    assert run.read_only
    requested, run = train(runner, config(seed=4), again=True)
    assert requested.outcome == "new"
    assert not run.read_only
    assert runner.store.trash()[0] == []
    assert difference(run, shipped) == ""


def test_a_run_in_progress_is_joined(runner: Runner) -> None:
    run_id, thread = begin(runner, config(seed=5, epochs=NEVER))
    requested = request(runner.store, runner, config(seed=5, epochs=NEVER), name="another name")
    assert (requested.outcome, requested.run.id, requested.run.name) == ("joined", run_id, "a run")
    assert request(runner.store, runner, config(seed=5, epochs=NEVER), name="x", again=True).outcome == "joined"
    runner.cancel(run_id)
    thread.join()
    run = ended(runner.store, run_id)
    assert lease.attempts(run.path) == 1


def test_cancelling_takes_effect_within_the_epoch_under_way_and_keeps_what_was_reached(
    runner: Runner, uninterrupted: Callable[[RunConfig], Run]
) -> None:
    run_id, thread = begin(runner, config(seed=6, epochs=LONG))
    runner.cancel(run_id)
    done = runner.store.get(run_id).epochs_done
    run = ended(runner.store, run_id)
    thread.join()
    assert run.state == "cancelled"
    assert 2 <= done <= run.epochs_done <= done + 1 < LONG  # one epoch may have been past its last look
    assert run.predictions() is not None
    assert run.status.kept_epoch == run.epochs_done

    # and the same request later goes on, to the very numbers of a training that was never cancelled
    requested, run = train(runner, config(seed=6, epochs=LONG))
    assert requested.outcome == "resumed"
    assert run.state == "finished"
    assert difference(run, uninterrupted(config(seed=6, epochs=LONG))) == ""


def test_a_run_cancelled_in_the_queue_is_never_trained(runner: Runner) -> None:
    run = runner.store.add(config(seed=7), name="a run")[0]
    runner.cancel(run.id)
    runner.submit(run.id)
    assert runner.store.get(run.id).state == "cancelled"
    assert not (run.path / "history.jsonl").exists()
    assert resume(runner.store, runner, run.id).id == run.id
    assert ended(runner.store, run.id).state == "finished"


def test_submitting_twice_is_harmless(runner: Runner) -> None:
    run = runner.store.add(config(seed=8), name="a run")[0]
    threads = [threading.Thread(target=runner.submit, args=(run.id,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = ended(runner.store, run.id)
    assert run.state == "finished"
    assert lease.attempts(run.path) == 1


def test_killing_makes_a_run_cancelled(runner: Runner) -> None:
    run_id, thread = begin(runner, config(seed=9, epochs=NEVER))
    runner.kill(run_id)
    thread.join()
    assert ended(runner.store, run_id).state == "cancelled"


def test_a_run_that_cannot_be_trained_says_why(runner: Runner) -> None:
    wanted = config(seed=10).replace(training__validation={"source": "held_out", "count": 1434})
    run = train(runner, wanted)[1]
    assert run.state == "failed"
    assert "holding out 1434 of" in run.status.reason
    assert runner.status().state == "ready"


# -- dying -------------------------------------------------------------------------------------------------------------


def test_the_service_survives_the_death_of_a_worker_and_finishes_its_run(
    shared: dict[str, Runner], uninterrupted: Callable[[RunConfig], Run]
) -> None:
    runner, wanted = shared["service"], config(seed=11, epochs=LONG)
    run_id, thread = begin(runner, wanted)
    thread.join()
    pid = lease.holder_pid(runner.store.get(run_id).path)
    assert pid is not None
    psutil.Process(pid).kill()
    until(lambda: runner.store.get(run_id).state == "finished")  # by itself
    run = ended(runner.store, run_id)
    assert lease.attempts(run.path) == 2
    assert difference(run, uninterrupted(wanted)) == ""


def test_a_run_whose_worker_does_not_react_is_killed(shared: dict[str, Runner]) -> None:
    runner = shared["service"]
    run_id, thread = begin(runner, config(seed=12, epochs=NEVER))
    thread.join()
    pid = lease.holder_pid(runner.store.get(run_id).path)
    assert pid is not None
    suspend(pid)  # as if it hung in one long operation
    assert lease.held(runner.store.get(run_id).path)
    runner.kill(run_id)
    assert ended(runner.store, run_id).state == "cancelled"
    assert not psutil.pid_exists(pid)
    assert train(runner, config(seed=13))[1].state == "finished"


def test_a_run_outlives_who_asked_for_it(shared: dict[str, Runner]) -> None:
    store = shared["service"].store
    code = (
        "import os\nfrom mnist_core.jobs.runners import ServiceRunner; from mnist_core.runs.store import Store\n"
        f"store = Store({str(store.root)!r})\n"
        "from mnist_core.experiments.configs import RunConfig; from mnist_core.jobs.request import request\n"
        f"config = RunConfig.model_validate_json({config(seed=14, epochs=20).model_dump_json()!r})\n"
        "print(request(store, ServiceRunner(store), config, name='a run').run.id, flush=True)\n"
        "os._exit(1)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    assert result.stderr == ""
    assert ended(store, result.stdout.strip()).state == "finished"


def test_what_a_dead_service_interrupted_is_resumed_to_the_same_numbers_by_a_service_and_by_a_local_runner(
    shared: dict[str, Runner],
    uninterrupted: Callable[[RunConfig], Run],
    started_processes: Callable[[], list[psutil.Process]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    runner, local, wanted = shared["service"], shared["local"], config(seed=15, epochs=LONG)
    run_id, thread = begin(runner, wanted)
    thread.join()
    for process in started_processes():
        process.kill()
    until(lambda: runner.store.get(run_id).state == "interrupted", limit_s=5)
    until(lambda: runner.status().state == "stopped", limit_s=5)
    assert runner.store.get(run_id).epochs_done < LONG
    shutil.copytree(runner.store.get(run_id).path, local.store.root / "runs" / run_id)

    for one in (runner, local):  # the first starts another service
        requested, run = train(one, wanted)
        assert requested.outcome == "resumed"
        assert run.state == "finished"
        assert difference(run, uninterrupted(wanted)) == ""
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_times_a_model_and_says_why_it_cannot(shared: dict[str, Runner]) -> None:
    runner = shared["service"]
    assert isinstance(runner, ServiceRunner)
    run = train(runner, config(seed=1))[1]
    assert latency.stored(runner.store, run) is None
    runner.measure_latency(run.id)
    assert latency.waiting(runner.store, run)
    until(lambda: not latency.waiting(runner.store, run))
    found = latency.stored(runner.store, run)
    assert found is not None
    assert [item.images for item in found.batches] == [1, 256]
    assert all(0 < item.compiled_s < item.predict_s for item in found.batches)
    (run.path / "model.keras").write_bytes(b"nonsense")
    runner.measure_latency(run.id)
    until(lambda: not latency.waiting(runner.store, run))
    assert latency.problem(runner.store, run)
    assert latency.stored(runner.store, run) is None, "those were other weights"


def test_a_runner_can_be_closed_and_used_again(shared: dict[str, Runner]) -> None:
    runner = shared["service"]
    runner.close()
    assert train(runner, config(seed=16))[1].state == "finished"


def test_importing_jobs_is_light() -> None:
    code = "import sys, mnist_core.jobs.request; sys.exit('distributed' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), check=False).returncode == 0
