"""What tests share is in `tests/support`: no test file is imported by another one."""

from __future__ import annotations

import ast
import gc
from pathlib import Path

import pytest

from tests.support import order

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
