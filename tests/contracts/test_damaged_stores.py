"""A store with every kind of damage: all that is healthy is listed, and each damaged folder is a line with a name."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnist_core.cli import main
from mnist_core.errors import StoreError
from mnist_core.files import printable
from mnist_core.jobs import latency
from mnist_core.jobs.execution import _attempts
from mnist_core.jobs.local_service import status
from mnist_core.runs.store import Store
from mnist_core.studies import searches, sweeps
from tests.support.damaged_store import HEALTHY, DamagedStore, build, damage_folders

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> DamagedStore:
    return build(tmp_path_factory.mktemp("damaged") / "store")


@pytest.fixture
def cli(built: DamagedStore, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs one command on the damaged store: (exit status, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        found = main([*arguments, "--store", str(built.store.root)])
        captured = capsys.readouterr()
        return found, captured.out, captured.err

    return run


@contextlib.contextmanager
def moved(run_id: str, store: Path, smaller: Path) -> Iterator[None]:
    """Move a run into a smaller store meanwhile: each command reads all runs of a store, here above a hundred."""
    place, other = store / "runs" / run_id, smaller / "runs" / run_id
    place.rename(other)
    try:
        yield
    finally:
        other.rename(place)


class TestTheStore:
    def test_lists_every_run_that_can_be_read(self, built: DamagedStore) -> None:
        assert {run.id for run in built.store.runs()} == {
            *built.healthy,
            *built.unpredictable.values(),
            *built.harmless,
        }

    def test_names_every_folder_that_cannot_with_the_damaged_file(self, built: DamagedStore) -> None:
        reasons = {printable(item.path.name): item.reason for item in built.store.scan()[1]}
        assert set(reasons) == {*built.unreadable, "datasets.json"}
        for name, file in built.unreadable.items():
            assert file in reasons[name]
            assert name in reasons[name]

    def test_a_history_that_is_damaged_later_is_noticed_and_so_is_its_repair(self, tmp_path: Path) -> None:
        made = DamagedStore(Store(tmp_path / "store"))
        path = made.run("one").path / "history.jsonl"
        whole = path.read_bytes()
        assert len(made.store.runs()) == 1
        path.write_bytes(b"rubbish\n")
        assert [problem.name for problem in made.store.scan()[1]] == ["one"]
        path.write_bytes(whole)
        assert len(made.store.runs()) == 1

    def test_refuses_every_wrong_form_of_predictions_with_the_name_of_the_file(self, built: DamagedStore) -> None:
        for what, run_id in built.unpredictable.items():
            with pytest.raises(StoreError, match=r"(predictions\.npz|scores\.json)"):
                pytest.fail(f"{what}: {built.store.get(run_id).test_scores()}")

    def test_takes_a_run_with_a_damaged_lease_for_interrupted(self, built: DamagedStore) -> None:
        assert {built.store.get(run_id).state for run_id in built.harmless} == {"interrupted"}

    def test_does_without_damaged_small_files(self, built: DamagedStore) -> None:
        for run_id in built.harmless:
            run = built.store.get(run_id)
            assert run.progress() is None
            assert built.store.get(run_id).pause() is None
            assert latency.stored(built.store, run) is None
            assert not latency.waiting(built.store, run)
            assert _attempts(run.path / "attempts.jsonl") == []
        assert status(built.store.root).state == "stopped"

    def test_lists_healthy_sweeps_and_searches_and_names_the_damaged(self, built: DamagedStore) -> None:
        for found, damaged in (sweeps.SHELF.all(built.store), searches.SHELF.all(built.store)):
            assert [item.name.partition(" ")[0] for item in found] == ["healthy"]
            assert len(damaged) >= 20
            for problem in damaged:
                name = problem.path.parent.name if problem.path.name == "search.json" else problem.path.name
                assert printable(name) in problem.reason

    def test_a_trash_with_damaged_folders_can_be_emptied(self, tmp_path: Path) -> None:
        made = DamagedStore(Store(tmp_path / "store"))
        damage_folders(made)
        elsewhere = tmp_path / "elsewhere"
        (elsewhere / "sub").mkdir(parents=True)
        (made.store.root / "trash" / "aaaaaaaaaaa3").symlink_to(elsewhere)
        (made.store.root / "trash" / "aaaaaaaaaaa2").unlink()
        assert len(made.store.trash()[1]) == 2
        made.store.empty_trash()
        assert made.store.trash() == ([], [])
        assert (elsewhere / "sub").is_dir()


class TestCommands:
    @pytest.mark.parametrize(
        "arguments",
        [["runs"], ["runs", "--json"], ["runs", "--recipes"], ["runs", "--recipes", "--json"]],
        ids=" ".join,
    )
    def test_that_list_go_on_and_name_the_damaged(self, cli: Cli, built: DamagedStore, arguments: list[str]) -> None:
        found, out, err = cli(*arguments)
        assert found == 0
        for name in HEALTHY:
            assert name in out or "--recipes" in arguments
        for name in built.unreadable:
            assert name in err
        if "--json" in arguments:
            json.loads(out)

    def test_recipes_count_only_runs_whose_predictions_can_be_read(self, cli: Cli, built: DamagedStore) -> None:
        _, out, err = cli("runs", "--recipes", "--json")
        recipe = next(item for item in json.loads(out) if item["seeds"] > 1)
        assert recipe["finished"] == 1
        assert recipe["test_accuracy"] == pytest.approx(1 - 20 / 500)
        for run_id in built.unpredictable.values():
            assert err.count(run_id) == 1

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["show", HEALTHY[0]], HEALTHY[0]),
            (["compare", *HEALTHY], HEALTHY[1]),
            (["compare", *HEALTHY, "--json"], HEALTHY[1]),
            (["disagreements", *HEALTHY], "500"),
            (["diagnose", *HEALTHY], HEALTHY[0]),
            (["label-errors", HEALTHY[0]], ""),
            (["report", *HEALTHY], HEALTHY[1]),
            (["sweeps"], "healthy sweep"),
            (["sweeps", "healthy sweep"], "damaged"),
            (["searches"], "healthy search"),
            (["searches", "healthy search"], ""),
            (["published"], "notebook/model_1"),
            (["datasets"], "digits"),
            (["presets"], "notebook/model_1"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_that_read_go_on(self, cli: Cli, arguments: list[str], says: str) -> None:
        found, out, err = cli(*arguments)
        assert found == 0, err
        assert says in out + err

    @pytest.mark.parametrize(
        ("command", "named"),
        [("sweeps", "bbbbbbbbbb06.json"), ("searches", "cccccccccc06"), ("published", "bbbbbbbbbb06.json"),
         ("published", "aaaaaaaaaaa7"), ("datasets", "datasets.json")],
    )  # fmt: skip
    def test_name_what_they_skip(self, cli: Cli, command: str, named: str) -> None:
        assert named in cli(command)[2]

    def test_aimed_at_a_damaged_run_end_in_a_sentence(
        self, built: DamagedStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        healthy = built.healthy[0]
        shutil.copytree(built.store.root / "runs" / healthy, tmp_path / "runs" / healthy)

        def refused(*arguments: str) -> str:
            assert main([*arguments, "--store", str(tmp_path)]) == 1, arguments
            return capsys.readouterr().err

        for name, file in built.unreadable.items():
            if file:
                with moved(name, built.store.root, tmp_path):
                    assert file in refused("show", name)
        for run_id in built.unpredictable.values():
            with moved(run_id, built.store.root, tmp_path):
                for arguments in (["show", run_id], ["compare", healthy, run_id], ["label-errors", run_id]):
                    assert run_id in refused(*arguments)

    def test_find_a_damaged_run_by_the_name_that_it_still_has(self, cli: Cli) -> None:
        found, _, err = cli("show", "status.json, deep")
        assert found == 1
        assert "status.json is not JSON" in err

    def test_delete_and_restore_a_healthy_run(self, cli: Cli, built: DamagedStore) -> None:
        assert cli("delete", HEALTHY[0])[0] == 0
        assert HEALTHY[0] in cli("runs", "--trash")[1]
        assert cli("restore", HEALTHY[0])[0] == 0
        assert built.store.get(built.healthy[0]).name == HEALTHY[0]

    def test_delete_a_damaged_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        made = DamagedStore(Store(tmp_path / "store"))
        run = made.run("one")
        (run.path / "status.json").write_bytes(b"[")
        with pytest.raises(StoreError, match=f"status.json is not JSON .*; delete {run.id}"):
            made.store.add(run.config, name="again", fingerprint=run.status.fingerprint)
        assert main(["delete", "one", "--store", str(made.store.root)]) == 0
        assert "damaged" in capsys.readouterr().err
        assert made.store.scan() == ([], [])
        assert (made.store.root / "trash" / run.id / "config.json").is_file()
        made.store.add(run.config, name="again", fingerprint=run.status.fingerprint)

    def test_leave_a_damaged_list_of_datasets_as_it_is(self, cli: Cli, built: DamagedStore, tmp_path: Path) -> None:
        kept = (built.store.root / "datasets.json").read_bytes()
        assert cli("datasets", "--forget", "mine")[0] == 1
        assert (built.store.root / "datasets.json").read_bytes() == kept
