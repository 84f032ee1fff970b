"""What tests share is in `tests/support`: no test file is imported by another one."""

from __future__ import annotations

import ast
import gc
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs.execution import execute
from mnist_core.runs.store import Store
from tests.support import namespaces, order
from tests.support.same_results import difference
from tests.support.synthetic import MakeRun, config

ROOT = Path(__file__).parent.parent
FILES = sorted(path for name in ("tests", "benchmarks", "docs") for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_helpers_come_from_the_support_package_alone(path: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    last = {name.rpartition(".")[2] for name in names if not name.startswith("mnist_core.")}
    assert not {name for name in last if name == "conftest" or name.startswith("test_")}
    assert not {name for name in names if name.startswith("tests.") and not name.startswith("tests.support")}


def test_the_longest_files_start_first_and_all_others_in_their_usual_order() -> None:
    assert [name for name in order.LONGEST if not (ROOT / "tests" / name).is_file()] == []
    usual = [path for path in FILES if path.name.startswith("test_")]
    started = sorted(usual, key=order.place)
    count = len(order.LONGEST)
    assert [path.relative_to(ROOT / "tests").as_posix() for path in started[:count]] == list(order.LONGEST)
    assert started[count:] == [path for path in usual if path not in started[:count]]


def test_a_run_of_the_tests_starts_with_the_longest_files(request: pytest.FixtureRequest) -> None:
    places = [order.place(item.path) for item in request.session.items]
    assert places == sorted(places)


def test_garbage_is_collected_while_tests_run_though_not_while_they_are_gathered() -> None:
    assert gc.isenabled()


def test_two_results_differ_by_one_epoch_one_prediction_or_one_weight(
    make_run: MakeRun, small_config: RunConfig, tmp_path: Path
) -> None:
    one, epoch, guess = (
        make_run(name, config((units,)), rows=rows, errors=errors)
        for name, units, rows, errors in (("one", 8, 3, 20), ("epoch", 9, 2, 20), ("guess", 10, 3, 21))
    )
    assert difference(one, epoch).startswith("history:")
    assert difference(one, guess).startswith("predictions, ")
    assert difference(one, one) == "weights are missing"
    assert difference(one, None) == "there is no such run"

    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    runs = [store.add(small_config.replace(training__epochs=1), name="a net")[0] for store in (here, there)]
    for run, store in zip(runs, (here, there), strict=True):
        assert execute(store, run.id) == "finished"
    same, changed = here.get(runs[0].id), there.get(runs[1].id)
    assert difference(same, changed) == ""
    assert changed.model_file is not None
    with zipfile.ZipFile(changed.model_file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        arrays: list[h5py.Dataset] = []
        file.visititems(
            lambda name, item: arrays.append(item) if isinstance(item, h5py.Dataset) and item.size else None
        )
        arrays[0][...] = np.nextafter(arrays[0][...], np.float32(9))
    with zipfile.ZipFile(changed.model_file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, weights.getvalue() if name == "model.weights.h5" else content)
    assert difference(same, changed).startswith("weights, ")


SKIPPED = """
import pytest

@pytest.mark.{marker}
def test_it():
    pytest.skip("its reason")
"""


@pytest.mark.parametrize(
    ("marker", "forbidden", "words"),
    [
        ("filterwarnings('default')", "no", "1 failed"),
        ("optional", None, "1 test was passed over: Skipped: its reason"),
        ("namespaces('network')", "not permitted", "1 test was passed over: not permitted"),
        ("namespaces('mount')", None, "1 failed"),
    ],
    ids=["any other", "a library", "forbidden namespaces", "namespaces that are allowed"],
)
def test_where_all_tests_are_demanded_a_skip_fails_but_for_what_a_machine_may_do_without(
    tmp_path: Path, marker: str, forbidden: str | None, words: str
) -> None:
    (tmp_path / "test_one.py").write_text(SKIPPED.format(marker=marker))
    (tmp_path / "conftest.py").write_text(
        f"from tests.support import namespaces\nnamespaces.forbidden = lambda kind: {forbidden!r}"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.demanded", "-p", "no:cacheprovider", "--rootdir",
         tmp_path, "-c", "/dev/null", tmp_path],
        cwd=ROOT, env=os.environ | {"REQUIRE_ALL_TESTS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert words in done.stdout, done.stdout + done.stderr
    assert done.returncode == ("failed" in words)


def test_namespaces_are_tried_and_a_program_that_is_missing_is_no_ban(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "missing", lambda kind: None)
    monkeypatch.setattr(namespaces, "MACHINES", ("sh", "-c", "echo Operation not permitted >&2; exit 1"))
    assert namespaces.forbidden.__wrapped__("network") == (
        "network namespaces are forbidden on this machine (Operation not permitted)"
    )
    monkeypatch.setattr(namespaces, "missing", lambda kind: "not installed: ip")
    assert namespaces.forbidden.__wrapped__("network") is None
