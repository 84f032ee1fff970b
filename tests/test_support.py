"""What tests share is in `tests/support`: no test file is imported by another one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

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
