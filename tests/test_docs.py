"""The documentation is true: its commands and examples run, its files exist, and no command goes undocumented."""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from mnist_core.cli.parser import main, make_parser

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PRESENT = [path for path in DOCUMENTS if path.parent.name != "decisions" and path.name != "CHANGELOG.md"]
"""The documents that say how things are, not how they were."""


def blocks(language: str, document: str = "README.md") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks("python", "docs/python.md")
    monkeypatch.setenv("MNIST_CORE_STORE", str(tmp_path / "store"))
    exec(compile(example, "docs/python.md", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert "mine" in printed
    assert "plain" in printed
    assert "(355, 10)" in printed


def test_the_command_line_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks("sh", "docs/command-line.md")
    monkeypatch.setenv("MNIST_CORE_STORE", str(tmp_path / "store"))
    command = example.strip().removeprefix(".venv/bin/python -m mnist_core ").split()
    assert main([*command, "--here"]) == 0
    assert capsys.readouterr().out.count("finished") == 2


@pytest.mark.parametrize("document", PRESENT, ids=lambda path: path.name)
def test_every_command_for_a_shell_is_one_for_any_posix_shell(document: Path) -> None:
    for block in blocks("sh", str(document.relative_to(ROOT))):
        done = subprocess.run(["sh", "-n"], input=block, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}{done.stderr}"


def test_the_certificates_of_a_cluster_are_made_as_the_page_says(tmp_path: Path) -> None:
    step = blocks("sh", "docs/cluster.md")[0]
    known = dict(os.environ)
    environment = known | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{known['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-e"], input=f"{step}\nenv", cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "cluster.pem").stat().st_mode & 0o077 == 0
    named = re.findall(r"DASK_DISTRIBUTED__COMM__TLS__(\w+)=(.*)", done.stdout)
    roles = {f"{role}__{part}" for role in ("SCHEDULER", "WORKER", "CLIENT") for part in ("CERT", "KEY")}
    assert dict(named) == dict.fromkeys({"CA_FILE", *roles}, str(tmp_path / "cluster.pem"))


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


@pytest.mark.parametrize("document", PRESENT, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    names = set(re.findall(r"`((?:mnist_core|dashboard|docs|tests|artifacts)/[\w./]+)`", text))
    missing = [name for name in names if "<" not in name and not (ROOT / name).exists()]
    assert missing == []


def test_every_page_of_the_documentation_is_linked_from_another() -> None:
    linked = {
        (document.parent / link).resolve()
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
    }
    assert [path.name for path in PRESENT if path.name != "README.md" and path.resolve() not in linked] == []


def test_the_words_that_the_style_page_fixes_are_in_the_glossary() -> None:
    style = (ROOT / "docs" / "style.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"keeps one meaning\.(.*?)mean\s+what", style, re.DOTALL)
    words = re.findall(r"`(\w+)`", sentence)
    assert len(words) > 5
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [word for word in words if f"| **{word}** |" not in glossary] == []


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [
        (file, name)
        for file, name in named
        if f"def {name}(" not in (ROOT / "tests" / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def subcommands(parser: argparse.ArgumentParser) -> list[str]:
    """Return the commands that a parser knows, those below other commands as ``command subcommand``."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                found += [name, *(f"{name} {below}" for below in subcommands(inner))]
    return found


def test_commands_below_commands_are_found_too() -> None:
    parser = argparse.ArgumentParser()
    outer = parser.add_subparsers()
    outer.add_parser("label-errors")
    outer.add_parser("study").add_subparsers().add_parser("list")
    assert subcommands(parser) == ["label-errors", "study", "study list"]


def test_every_command_is_documented() -> None:
    commands = subcommands(make_parser())
    assert len(commands) > 15
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    missing = [name for name in commands if not re.search(rf"(`|mnist_core ){re.escape(name)}[ `]", text)]
    assert missing == []


@pytest.mark.parametrize("part", ["the code", "its tests"])
def test_every_environment_variable_is_documented_and_no_other(part: str) -> None:
    used = environment_variables((ROOT / "start.py", *folder("mnist_core"), *folder("dashboard")))
    text = (ROOT / "docs" / "environment-variables.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    documented = {
        title: set(re.findall(r"`([A-Z][A-Z0-9_]+)`", " ".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))))
        for title, section in sections.items()
    }
    of_tests = documented.pop("What the tests read")
    if part == "the code":
        assert {"MNIST_NPZ", "MNIST_CORE_STORE", "MNIST_CORE_SCHEDULER", "OMP_NUM_THREADS"} <= used
        assert set.union(*documented.values()) == used
    else:
        assert of_tests == environment_variables(folder("tests")) - used


def folder(name: str) -> tuple[Path, ...]:
    return tuple(sorted((ROOT / name).rglob("*.py")))


@cache
def environment_variables(files: tuple[Path, ...]) -> frozenset[str]:
    """Return the names of all environment variables that files read, set or hand to another process.

    Raises
    ------
    AssertionError
        if a file reads a variable whose name cannot be told from the code.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    constants = {
        target.id: node.value
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: set[str] = set()
    for path in (path for path, text in texts.items() if "environ" in text or "getenv" in text):
        for node in ast.walk(trees[path]):
            for key in _keys(node, constants):
                name = constants.get(key.id, key) if isinstance(key, ast.Name) else key
                known = isinstance(name, ast.Constant) and isinstance(name.value, str)
                written = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
                assert known or written, f"{path.name}, line {node.lineno}: which variable is {ast.unparse(key)}?"
                if known:
                    found.add(name.value)
    return frozenset(found)


def _keys(node: ast.AST, constants: dict[str, ast.expr]) -> list[ast.expr]:
    """Return the names of environment variables at one node of a syntax tree, as expressions."""
    if isinstance(node, ast.Subscript) and _is_environ(node.value):
        return [node.slice]
    if isinstance(node, ast.Compare) and _is_environ(node.comparators[0]):
        return [node.left]
    if isinstance(node, ast.BinOp) and _is_environ(node.left):
        return _keys_of_dict(node.right, constants)
    if isinstance(node, ast.Dict) and any(key is None and _is_environ(value) for key, value in _items(node)):
        return [key for key in node.keys if key is not None]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "getenv":
        return node.args[:1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_environ(node.func.value):
        if node.func.attr == "update":
            return _keys_of_dict(node.args[0], constants)
        return node.args[:1]
    return []


def _items(node: ast.Dict) -> list[tuple[ast.expr | None, ast.expr]]:
    return list(zip(node.keys, node.values, strict=True))


def _keys_of_dict(node: ast.expr, constants: dict[str, ast.expr]) -> list[ast.expr]:
    if isinstance(node, ast.Name):
        node = constants.get(node.id, node)
    return [key for key in node.keys if key is not None] if isinstance(node, ast.Dict) else [node]


def _is_environ(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return (node.value.id, node.attr) == ("os", "environ")
    return isinstance(node, ast.Name) and node.id == "environ"


def test_variables_are_found_however_the_environment_is_used(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        """
import os
READ = "READ"
VALUES = {"ONE": "1", "TWO": "2"}
os.environ.get(READ), os.getenv("THREE"), os.environ["FOUR"], "FIVE" in os.environ, os.environ.setdefault("SIX", "")
os.environ.update(VALUES), os.environ | {"SEVEN": ""}, {**os.environ, "EIGHT": ""}
for name, value in {}.items():
    os.environ[name] = value
"""
    )
    names = {"READ", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT"}
    assert environment_variables((path,)) == names
    other = tmp_path / "other.py"
    other.write_text("import os, sys\nos.environ.get(sys.argv[1])")
    with pytest.raises(AssertionError, match=r"other.py, line 2: which variable is sys.argv\[1\]"):
        environment_variables((other,))
