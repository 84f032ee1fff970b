"""The folder list is the architecture: imports go one way, and heavy libraries stay where they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each module may import those of earlier rows, and its own row's.
ORDER = [
    ["errors"],
    ["configs", "events", "files", "keras_code"],
    ["images", "metrics", "lease", "claims"],
    ["runs", "presets", "datasets", "mistakes", "label_errors", "forward", "estimates", "augmentation"],
    ["grids"],
    ["store", "comparison", "statistics", "models", "optimizers", "checkpoints"],
    ["diagnosis", "calibration", "loss_or_accuracy"],
    ["neighbours", "occlusion", "maps"],
    ["recipes", "fairness"],
    ["verdicts"],
    ["recipe_verdicts", "disagreements"],
    ["engine"],
    ["training"],
    ["execution"],
    ["latency"],
    ["production"],
    ["worker", "launch"],
    ["launch", "worker"],
    ["service", "jobs"],
    ["sweeps"],
    ["spaces"],
    ["searches"],
    ["published"],
    ["cli.terminal"],
    ["cli.options"],
    ["cli.sweeps", "cli.disagreements", "cli.label_errors", "cli.compare"],
    ["cli.questions"],
    ["cli.parser", "reference"],
    ["cli"],
    ["__main__", "__init__"],
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
CORE = sorted((ROOT / "mnist_core").rglob("*.py"))
DASHBOARD = sorted((ROOT / "dashboard").rglob("*.py"))


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names of all modules that a file imports; those for type checking only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module(path: Path) -> str:
    """A file's place in ORDER: its dotted name inside `mnist_core`; a package stands for its `__init__`."""
    parts = path.relative_to(ROOT / "mnist_core").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", CORE, ids=module)
def test_the_core_imports_one_way(path: Path) -> None:
    own = module(path)
    assert own in RANK, f"give {own} its place in ORDER"
    names = {name.removeprefix("mnist_core.") for name in imported(path) if name.startswith("mnist_core.")}
    # `from mnist_core.cli import compare` names the package and the module in it: only the latter is meant
    names -= {name.rpartition(".")[0] for name in names if name in RANK}
    for other in names & RANK.keys():
        assert RANK[other] <= RANK[own], f"{own} must not import {other}"


@pytest.mark.parametrize("path", CORE, ids=module)
def test_the_core_knows_neither_streamlit_nor_the_dashboard(path: Path) -> None:
    found = {name.split(".")[0] for name in imported(path)}
    if module(path) == "cli.compare":  # the report is drawn with the page's charts: docs/decisions/0009
        late = {name for name in imported(path) if name.startswith("dashboard")}
        assert late == {"dashboard", "dashboard.report"}
        assert "dashboard" not in {name.split(".")[0] for name in imported(path, top_level_only=True)}
        found -= {"dashboard"}
    assert not found & {"streamlit", "dashboard", "altair"}


@pytest.mark.parametrize("path", [*CORE, *DASHBOARD], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_tensorflow_is_imported_late_and_only_in_the_core(path: Path) -> None:
    in_core = path in CORE
    names = imported(path, top_level_only=in_core)
    assert not {name.split(".")[0] for name in names} & {"tensorflow", "keras"}


@pytest.mark.parametrize("path", DASHBOARD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_charts_and_the_report_do_not_know_streamlit(path: Path) -> None:
    if path.parent.name == "charts" or path.stem in ("report", "documents", "identity", "pictures", "summaries"):
        assert "streamlit" not in {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", DASHBOARD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_only_state_touches_session_state_and_query_params(path: Path) -> None:
    if path.stem != "state":
        attributes = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not attributes & {"session_state", "query_params"}


@pytest.mark.parametrize(
    "code",
    [
        "import mnist_core",
        "import mnist_core.cli",
        "import mnist_core.training, mnist_core.models, mnist_core.jobs",
        "import sys; sys.argv = ['x', '--help']; import contextlib\n"
        "with contextlib.suppress(SystemExit): import mnist_core.cli as c; c.main(['--help'])",
        "import dashboard.resources, dashboard.theme, dashboard.state",
    ],
)
def test_nothing_imports_tensorflow_before_training(code: str) -> None:
    check = f"{code}\nimport sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if name == ".ci/run" or path.suffix in {".png", ".npz", ".keras", ".svg"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        for word in ("/work" + "/", "/home" + "/", "../sha" + "red"):
            assert word not in text, f"{name} names {word}"
