"""The documentation is true: its commands and examples run, its files exist, and no command goes undocumented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"MNIST_CORE_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)}


def test_the_python_example_runs(environment: dict[str, str], tmp_path: Path) -> None:
    (example,) = blocks("python")
    result = subprocess.run(
        [sys.executable, "-c", example], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("55050\n")
    assert "(355, 10)" in result.stdout


def test_the_command_line_example_runs(environment: dict[str, str]) -> None:
    (example,) = [text for text in blocks("sh") if "mnist_core" in text]
    command = example.strip().removeprefix(".venv/bin/python ").split()
    result = subprocess.run(
        [sys.executable, *command, "--here"], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("finished") == 2


def test_the_two_commands_are_those_that_start_py_knows() -> None:
    commands = [text.strip() for text in blocks("sh") if "start.py" in text]
    assert commands == ["python3 start.py", "python3 start.py tests"]
    result = subprocess.run([sys.executable, ROOT / "start.py", "--help"], capture_output=True, text=True, check=False)
    for command in commands:
        assert command in result.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_linked_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    for link in links:
        if not link.startswith("http"):
            assert (document.parent / link).exists(), f"{document.name} links {link}"


def test_every_file_that_the_readme_names_exists() -> None:
    names = set(re.findall(r"`((?:mnist_core|dashboard|docs|tests|artifacts)/[\w./]+)`", README))
    missing = [name for name in names if "<" not in name and not (ROOT / name).exists()]
    assert missing == []


def test_every_command_is_documented() -> None:
    result = subprocess.run([sys.executable, "-m", "mnist_core", "--help"], capture_output=True, text=True, check=False)
    commands = re.findall(r"^    (\w+)  ", result.stdout, re.MULTILINE)
    assert len(commands) >= 9
    for command in commands:
        assert f"`{command}`" in README or f"mnist_core {command}" in README, f"the README does not mention {command}"


@pytest.mark.parametrize("variable", ["MNIST_NPZ", "MNIST_CORE_STORE", "MNIST_CORE_SCHEDULER"])
def test_every_environment_variable_is_documented(variable: str) -> None:
    assert variable in README
