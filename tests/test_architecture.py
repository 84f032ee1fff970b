"""The folder list is the architecture: imports go one way, and heavy libraries stay where they are needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ROOMS = (
    "cli", "report", "plots", "published", "lessons", "studies", "jobs", "comparison", "inspection", "training",
    "recording", "remote", "runs", "evaluation", "data", "experiments",
)  # fmt: skip
"""The rooms of `mnist_core`, from the top. Each may import those to its right, and the modules outside all rooms."""

CORE = sorted((ROOT / "mnist_core").rglob("*.py"))
DASHBOARD = sorted((ROOT / "dashboard").rglob("*.py"))
EVERY = [*CORE, *DASHBOARD]


def place(path: Path) -> str:
    """Return a file's path below the project, as the id of a test."""
    return path.relative_to(ROOT).as_posix()


def imported(path: Path, *, top_level_only: bool = False, with_typing: bool = False) -> set[str]:
    """Return the dotted names of all modules that a file imports, late imports included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if id(node) in typing_only and not with_typing:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def libraries(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Return the first parts of what a file imports."""
    return {name.split(".")[0] for name in imported(path, top_level_only=top_level_only)}


def room(path: Path) -> str | None:
    """Return the room of a file of the core; None for the modules outside all rooms, which lie below them."""
    first = path.relative_to(ROOT / "mnist_core").parts[0]
    return None if first.endswith(".py") else first


def test_every_folder_of_the_core_is_a_room_in_the_order() -> None:
    folders = {path.name for path in (ROOT / "mnist_core").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)


def folders(path: Path) -> set[str]:
    """Return the names of the folders in a folder that belong to the project."""
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines() if line}
    found = {item.name for item in path.iterdir() if item.is_dir() and not item.name.startswith((".", "__"))}
    return {name for name in found if not any(Path(name).match(pattern) for pattern in ignored)}


def test_the_map_in_the_readme_is_the_list_of_folders_in_the_order_of_their_imports() -> None:
    on_map = re.findall(r"^\| `((?:\w+/)+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    within = {name: [inner for inner in on_map if re.fullmatch(rf"{name}\w+/", inner)] for name in on_map}
    assert within["mnist_core/"] == [f"mnist_core/{name}/" for name in ROOMS]
    assert sorted(within["dashboard/"]) == sorted(f"dashboard/{name}/" for name in folders(ROOT / "dashboard"))
    assert sorted(name for name in on_map if name.count("/") == 1) == sorted(f"{name}/" for name in folders(ROOT))
    assert len(on_map) == len(within)


@pytest.mark.parametrize("package", ["mnist_core", "dashboard"])
def test_the_page_about_the_code_lists_every_file_outside_of_the_folders(package: str) -> None:
    text = (ROOT / "docs" / "code.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| outside the folders of `{package}/` .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    files = {path.name for path in (ROOT / package).glob("*.py") if not path.name.startswith("__")}
    assert set(re.findall(r"^\| `(\w+\.py)` \|", table, re.MULTILINE)) == files


def test_the_tests_have_the_same_rooms() -> None:
    """A room's tests are in the folder of its name.

    `contracts` holds what everything that can be replaced must pass, `e2e` what is done in a browser.
    """
    folders = {path.parent.relative_to(ROOT / "tests").parts for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders - {()} <= {(room,) for room in (*ROOMS, "dashboard", "contracts", "e2e")}


@pytest.mark.parametrize("path", CORE, ids=place)
def test_the_core_imports_one_way(path: Path) -> None:
    if path.name in ("__init__.py", "__main__.py", "notebook.py") and room(path) is None:
        return  # the notebook's names and the command line stand above all rooms
    own = room(path)
    above = set(ROOMS if own is None else ROOMS[: ROOMS.index(own)])
    for name in imported(path, with_typing=True):
        parts = name.split(".")
        if parts[0] == "mnist_core" and len(parts) > 1:
            assert parts[1] not in above, f"{place(path)} must not import {name}, which stands above it"


@pytest.mark.parametrize("path", CORE, ids=place)
def test_the_core_knows_neither_streamlit_nor_the_dashboard(path: Path) -> None:
    assert not libraries(path) & {"streamlit", "dashboard"}


@pytest.mark.parametrize("path", CORE, ids=place)
def test_altair_is_for_plots_and_the_report(path: Path) -> None:
    if room(path) not in ("plots", "report"):
        assert "altair" not in libraries(path)


@pytest.mark.parametrize("path", EVERY, ids=place)
def test_tensorflow_is_imported_late_and_only_where_models_are_built(path: Path) -> None:
    heavy = {"tensorflow", "keras"}
    assert not libraries(path, top_level_only=True) & heavy
    # one downloads MNIST through Keras, the other is a Keras callback
    if place(path) in ("mnist_core/data/datasets.py", "mnist_core/recording/run_logger.py"):
        assert libraries(path) & heavy == {"keras"}
    elif path in DASHBOARD or room(path) != "training":
        assert not libraries(path) & heavy


ASKS_FOR_LIFE = re.compile(r"pid_exists|create_time|STATUS_ZOMBIE|is_running\(|os\.kill\(|/proc/.*stat")
"""Ways to find out whether a process is alive."""


@pytest.mark.parametrize("path", EVERY, ids=place)
def test_processes_alone_knows_whether_a_process_is_alive(path: Path) -> None:
    asks = bool(ASKS_FOR_LIFE.search(path.read_text(encoding="utf-8")))
    assert asks == (place(path) == "mnist_core/processes.py")


ASKS_FOR_STUDY = re.compile(r"isinstance\([^)]*\b(Sweep|Search)(Spec)?\b|[=!]= \"(sweep|search)\"")
"""Branches on which kind of study one is."""


@pytest.mark.parametrize("path", EVERY, ids=place)
def test_what_differs_between_kinds_of_studies_is_in_their_protocol_or_a_table(path: Path) -> None:
    assert not ASKS_FOR_STUDY.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", DASHBOARD, ids=place)
def test_only_state_touches_session_state_and_query_params(path: Path) -> None:
    if path.stem != "state":
        attributes = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not attributes & {"session_state", "query_params"}


@pytest.mark.parametrize("path", DASHBOARD, ids=place)
def test_no_page_imports_another_and_what_is_shared_imports_no_page(path: Path) -> None:
    views = {name for name in imported(path, with_typing=True) if name.startswith("dashboard.views.")}
    own = path.relative_to(ROOT / "dashboard").parts
    page = own[1].removesuffix(".py") if own[0] == "views" else None
    others = {name for name in views if name.split(".")[2] != page}
    assert not others, f"{place(path)} must not import {others}: pages lead to each other by links"


def page_of(path: Path) -> str | None:
    """Return the page to which a file of the dashboard belongs; `frame` outside the pages, None for what is shared."""
    folder, *inner = path.relative_to(ROOT / "dashboard").parts
    return inner[0].removesuffix(".py") if folder == "views" else None if folder == "shared" else "frame"


def pages_that_use(files: Iterable[Path]) -> dict[str, set[str]]:
    """Return the pages that import each shared module, by its dotted name, directly or through another shared one."""
    named = {place(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in files}
    users: dict[str, set[str]] = {name: set() for name, path in named.items() if page_of(path) is None}
    importing = {name: imported(path) & set(users) for name, path in named.items()}
    for name, path in named.items():
        page, seen, open_ = page_of(path), set[str](), [name]
        while page is not None and open_:
            for other in importing[open_.pop()] - seen:
                seen.add(other)
                open_.append(other)
                users[other].add(page)
    return users


def test_what_is_shared_is_used_by_at_least_two_pages() -> None:
    """A file of one page stands in the folder of that page."""
    users = pages_that_use(DASHBOARD)
    assert {name: pages for name, pages in users.items() if len(pages) < 2 and name != "dashboard.shared"} == {}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import mnist_core", {"tensorflow", "keras", "streamlit", "altair", "distributed"}),
        ("import mnist_core.report.comparison_report", {"tensorflow", "keras", "streamlit"}),
        ("import mnist_core.plots.learning_curves", {"tensorflow", "keras", "streamlit"}),
        ("import mnist_core.cli", {"tensorflow", "keras", "streamlit", "altair"}),
        (
            "import mnist_core.training.train, mnist_core.training.models, mnist_core.jobs.runners",
            {"tensorflow", "keras"},
        ),
        (
            "import sys; sys.argv = ['x', '--help']; import contextlib\n"
            "with contextlib.suppress(SystemExit): import mnist_core.cli as c; c.main(['--help'])",
            {"tensorflow", "keras", "altair"},
        ),
        (
            "import mnist_core.cli, mnist_core.jobs.runners, mnist_core.jobs.credentials, mnist_core.jobs.service",
            {"distributed", "cryptography"},
        ),
        (
            "import dashboard.resources, dashboard.theme, dashboard.state",
            {"tensorflow", "keras", "distributed", "cryptography"},
        ),
    ],
)
def test_an_import_loads_no_heavy_library(code: str, unwanted: set[str]) -> None:
    check = f"{code}\nimport sys; print(sorted({unwanted!r} & set(sys.modules)), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stderr.strip().endswith("[]"), result.stderr


def test_no_file_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if name == ".ci/run" or path.suffix in {".png", ".npz", ".keras", ".svg", ".webp"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        for word in ("/work" + "/", "/home" + "/", "../sha" + "red"):
            assert word not in text, f"{name} names {word}"


# -- sentences are made once, and not taken apart ----------------------------------------------------------------------

TAKES_APART = {
    "partition", "rpartition", "split", "rsplit", "removesuffix", "removeprefix", "replace", "startswith", "endswith",
    "strip", "lstrip", "rstrip",
}  # fmt: skip
SENTENCE = re.compile(
    r"(^|_)(words?|sentences?|reasons?|titles?|leads?|details?|rules?|captions?|headline|verdict)$", re.I
)
"""Names of what holds words for a person, or of a function that makes some."""


def taken_apart(source: str) -> list[str]:
    """Return the calls that take something apart whose name says that it holds words, with their lines."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in TAKES_APART:
            words: ast.AST = call.func.value
            while isinstance(words, ast.Call | ast.Subscript):
                words = words.func if isinstance(words, ast.Call) else words.value
            name = getattr(words, "attr", getattr(words, "id", ""))
            if SENTENCE.search(name):
                found.append(f"{call.lineno}: {ast.unparse(call)}")
    return found


def test_the_search_finds_every_way_to_take_a_sentence_apart() -> None:
    source = """
title.partition(':')
run.status.reason.startswith(run.state)
row.detail.removesuffix(" in a row")
_reason(row).removeprefix("Not finished: ")
TITLES[code].replace(" points", "")
link.partition("~")
text.split(",")
"""
    assert [line.partition(":")[0] for line in taken_apart(source)] == ["2", "3", "4", "5", "6"]


def makes_or_shows_words(path: Path) -> bool:
    """True for pages, commands, reports and pictures, and for modules that make sentences."""
    rooms = ("dashboard/", "mnist_core/plots/", "mnist_core/report/", "mnist_core/cli/")
    return place(path).startswith(rooms) or path.stem.endswith("words") or path.parent.name == "words"


@pytest.mark.parametrize("path", [path for path in EVERY if makes_or_shows_words(path)], ids=place)
def test_no_page_takes_a_sentence_apart(path: Path) -> None:
    found = taken_apart(path.read_text(encoding="utf-8"))
    assert not found, f"let the function that makes the words return the part that is wanted: {found}"
