"""An archive of runs: the way to another store changes no bit, and what does not belong there is refused by name."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_core.cli.parser import main
from mnist_core.errors import DamagedFile, StoreError
from mnist_core.recording import run_archive
from mnist_core.recording.run_archive import pack, unpack
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root
from tests.support.outside import HISTORY, LETTERS, recorded

SHIPPED = "0953e91e4927"
"""A run of the reference with weights, and predictions of two epochs."""


@pytest.fixture
def runs(store: Store) -> list[Run]:
    """A run from outside, and one that ships, with its weights."""
    shipped = default_root() / "reference" / SHIPPED
    shutil.copytree(shipped, store.root / "runs" / SHIPPED)
    recorded(store, "letters", LETTERS, history=HISTORY)
    return store.runs()


@pytest.fixture
def archive(runs: list[Run], tmp_path: Path) -> Path:
    path = tmp_path / "runs.zip"
    pack(runs, path)
    return path


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """The store that the archive is brought to."""
    return Store(tmp_path / "other")


def files(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.iterdir() if not path.name.startswith("lease-")}


Change = Callable[[dict[str, bytes]], None]


def remade(archive: Path, change: Change, *, sums: bool = False) -> Path:
    """Write the archive anew with other members; `sums` makes its list of checksums fit them."""
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    if sums:
        listed: dict[str, dict[str, object]] = {}
        for name, content in members.items():
            if name.startswith("runs/"):
                _, run_id, own = name.split("/")
                sum_of = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                listed.setdefault(run_id, {})[own] = sum_of
        members["archive.json"] = json.dumps({"format": 1, "runs": listed}).encode()
    made = archive.with_name("changed.zip")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return made


def test_the_round_trip_changes_no_bit(runs: list[Run], archive: Path, other: Store, tmp_path: Path) -> None:
    arrived = unpack(archive, other)
    assert [item.new for item in arrived] == [True, True]
    assert {run.id for run in other.runs()} == {run.id for run in runs}
    for run in runs:
        assert files(other.get(run.id)) == files(run)
    pack(other.runs(), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_a_run_that_is_there_already_stays_as_it_is(archive: Path, store: Store) -> None:
    store.describe(SHIPPED, name="renamed here")
    assert [item.new for item in unpack(archive, store)] == [False, False]
    assert store.get(SHIPPED).name == "renamed here"


def test_the_commands_take_runs_out_and_bring_them_in(runs, store: Store, other: Store, tmp_path: Path, capsys) -> None:
    out = str(tmp_path / "x.zip")
    assert main(["export", *(run.id for run in runs), "--out", out, "--store", str(store.root)]) == 0
    assert main(["import", out, "--store", str(other.root)]) == 0
    assert "letters" in capsys.readouterr().err
    assert main(["import", out, "--name", "x", "--store", str(other.root)]) == 2
    assert "--name is for predictions of another tool" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json", "/etc/outside", "runs/../../outside", f"runs/{SHIPPED}/../../outside",
        "runs\\x\\config.json", "runs/nope/meta.json",
        f"runs/{SHIPPED}/code.py", f"runs/{SHIPPED}/sub/config.json", f"runs/{SHIPPED}/lease-1.json",
    ],
)  # fmt: skip
def test_a_member_that_does_not_belong_there_is_refused_by_name(archive, other: Store, tmp_path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    changed = remade(archive, lambda members: members.update({name: b"x"}))
    with pytest.raises(DamagedFile, match="it holds"):
        unpack(changed, other)
    assert other.runs() == []
    assert set(tmp_path.rglob("*")) - set(before) == {changed}


def _shorter(members: dict[str, bytes]) -> None:
    members[f"runs/{SHIPPED}/meta.json"] = b"{}"


def _changed(members: dict[str, bytes]) -> None:
    name = f"runs/{SHIPPED}/meta.json"
    members[name] = members[name].replace(b"a", b"b")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_changed, f"checksum of runs/{SHIPPED}/meta.json does not fit"),
        (_shorter, f"runs/{SHIPPED}/meta.json is not there as archive.json lists it"),
        (
            lambda members: members.pop(f"runs/{SHIPPED}/config.json"),
            "config.json is not there as archive.json lists it",
        ),
        (lambda members: members.pop("archive.json"), "it has no archive.json"),
        (lambda members: members.update({"archive.json": b'{"format": 2, "runs": {}}'}), "archive.json"),
    ],
)
def test_what_was_changed_on_the_way_is_refused_before_anything_is_placed(archive, other, change, says) -> None:
    with pytest.raises(DamagedFile, match=says):
        unpack(remade(archive, change), other)
    assert other.runs() == []


def _another_id(members: dict[str, bytes]) -> None:
    for name in [name for name in members if SHIPPED in name]:
        members[name.replace(SHIPPED, "0" * 12)] = members.pop(name)


def _bad_predictions(members: dict[str, bytes]) -> None:
    members[f"runs/{SHIPPED}/predictions.npz"] = b"PK nothing"


def _running(members: dict[str, bytes]) -> None:
    name = f"runs/{SHIPPED}/status.json"
    members[name] = json.dumps(json.loads(members[name]) | {"state": "queued"}).encode()


def _foreign_weights(members: dict[str, bytes]) -> None:
    members[f"runs/{SHIPPED}/model.keras"] = b"not a network"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_another_id, "is not the run that its config.json describes"),
        (_bad_predictions, "predictions.npz is not an .npz file"),
        (_running, "only runs that have ended"),
        (_foreign_weights, "model.keras of run .* is refused"),
    ],
)
def test_a_run_whose_content_is_not_what_it_says_takes_no_place(archive, other: Store, change, says) -> None:
    with pytest.raises(StoreError, match=says):
        unpack(remade(archive, change, sums=True), other)
    assert SHIPPED not in [run.id for run in other.runs()]
    assert "0" * 12 not in [run.id for run in other.runs()]
    assert list((other.root / "trash").iterdir()) == []


def test_links_twins_and_bombs_are_refused(archive: Path, other: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    link = archive.with_name("link.zip")
    with zipfile.ZipFile(link, "w") as file:
        member = zipfile.ZipInfo(f"runs/{SHIPPED}/config.json")
        member.external_attr = 0o120777 << 16
        file.writestr(member, "/etc/passwd")
    with pytest.raises(DamagedFile, match="is a link"):
        unpack(link, other)
    with zipfile.ZipFile(link, "w") as file:
        file.writestr("archive.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("archive.json", "{}")
    with pytest.raises(DamagedFile, match=r"holds archive.json twice"):
        unpack(link, other)
    monkeypatch.setattr(run_archive, "MOST_BYTES", 1000)
    with pytest.raises(DamagedFile, match="are read"):
        unpack(archive, other)
