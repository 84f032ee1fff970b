"""What a person typed as a name is only text: on every page, in the report, in downloads and on the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboard.shared import panels
from mnist_core.cli import main, terminal
from mnist_core.experiments.grids import parse_spec
from mnist_core.files import write_json
from mnist_core.jobs.watch import Look
from mnist_core.people import LONGEST_PERSON, student
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from mnist_core.text import for_html, for_markdown, for_terminal
from tests.support.hostile import FORMULAS, NAMES
from tests.support.jobs import FakeRunner
from tests.support.pages import CLASS_MENU, PAGES, page_file
from tests.support.synthetic import FINGERPRINT, MakeRun, config, guesses

FIRST = "![p](http://foreign.example/p.png) :red[x] $y$ <img src=q onerror=alert(1)>"
SECOND = "[a](javascript:alert(foreign.example)) `c` **d** | <b>e</b>"
FOLDER = "`d` <i> ![q](foreign.example)"

OpenPage = Callable[..., AppTest]


@pytest.fixture
def runs(make_run: MakeRun, store: Store, runner: FakeRunner) -> list[Run]:
    """Two tested runs, one that failed and one that waits, in a store in which all that has a name is named badly."""
    found = [
        make_run(FIRST, config((64,)), predictions=guesses(100)),
        make_run(SECOND, config((66,)), predictions=guesses(10, seed=4)),
        make_run(f"3 {FIRST}", config((68,)), state="failed", reason=SECOND, errors=None, rows=2),
        make_run(f"4 {SECOND}", config((70,)), state="queued"),
    ]
    for run in found:
        store.describe(run.id, tags=(FIRST, SECOND), note=f"{FIRST}\n\n# {SECOND}")
    store.delete(make_run(f"5 {SECOND}", config((72,))).id)
    sweeps.start(
        store, runner, parse_spec({"name": SECOND[:60], "base": "notebook/model_1", "grid": {"stack.units": [4, 8]}})
    )
    write_json(store.root / "datasets.json", {"fashion": f"/nowhere/{SECOND}.npz"})
    damaged = store.root / "runs" / FOLDER
    damaged.mkdir()
    (damaged / "config.json").write_text("{", encoding="utf-8")
    return found


def drawn_texts(test: AppTest) -> Iterator[tuple[str, bool]]:
    """Every text of the page that is drawn as Markdown or HTML, and whether it is HTML."""

    def visit(node: Any) -> Iterator[tuple[str, bool]]:
        for child in getattr(node, "children", {}).values():
            proto = getattr(child, "proto", None)
            for field in ("body", "label", "help", "text", "caption"):
                value = getattr(proto, field, None)
                if isinstance(value, str):
                    yield value, child.type == "html"
            if child.type in ("radio", "button_group"):
                yield from ((str(getattr(option, "content", option)), False) for option in proto.options)
            yield from visit(child)

    return visit(test.main)


MATRICES = f"{page_file('disagreements')}?view=matrices"


@pytest.mark.parametrize("page", [*PAGES, MATRICES, f"{MATRICES}&matrix=a"])
def test_no_page_hands_a_name_to_markdown_or_html_as_it_stands(page: str, app: OpenPage, runs: list[Run]) -> None:
    page, _, query = page.partition("?")
    chosen = ",".join([*(run.id for run in runs), FIRST, "<script>"])
    test = app(page, runs=chosen, **dict(parse_qsl(query)))
    assert not test.exception
    seen = 0
    for text, is_html in drawn_texts(test):
        written = for_html if is_html else for_markdown
        rest = text.replace("<wbr>", "")  # where a line may break; a name of its own cannot have it unescaped
        for name in (FIRST, SECOND, FOLDER):
            rest = rest.replace(written(name), "")
        assert "foreign" not in rest, f"{page}: {text}"
        seen += rest != text
    assert seen or page in map(page_file, ("published", "sweeps", "lessons", "add"))


@pytest.mark.parametrize("page", [page.file for page in CLASS_MENU])
def test_no_page_of_a_class_hands_a_name_to_markdown_or_html_as_it_stands(
    page: str, app: OpenPage, runs: list[Run], store: Store, as_viewer: Callable[[str], Classroom]
) -> None:
    person = SECOND[:LONGEST_PERSON]
    of_theirs = Store(store.root, who=lambda: student(person))
    of_theirs.add(config((80,)), name=FIRST, fingerprint=FINGERPRINT)
    write_json(runs[0].path / "meta.json", runs[0].meta.model_copy(update={"owner": person}).model_dump(mode="json"))
    for viewer in (person, ""):
        as_viewer(viewer)
        test = app(page)
        assert not test.exception
        seen = 0
        for text, is_html in drawn_texts(test):
            rest = text.replace((for_html if is_html else for_markdown)(person), "")
            rest = rest.replace((for_html if is_html else for_markdown)(FIRST), "")
            assert "foreign" not in rest, f"{page}: {text}"
            assert "javascript" not in rest, f"{page}: {text}"
            seen += rest != text
        assert seen


def test_the_drawer_of_a_run_and_its_trash_show_names_as_they_are(app: OpenPage, runs: list[Run], store: Store) -> None:
    gone = runs[0]
    store.delete(gone.id)
    page = app("views/runs/page.py", details=runs[1].id)
    page.session_state["runs_trash"] = True
    page.run()
    assert not page.exception
    assert page.text_input(key=f"describe_name_{runs[1].id}").value == runs[1].name
    assert for_markdown(gone.name) in [text.value for text in page.markdown]


# -- command line ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_shows_a_name_literally(
    name: str, make_run: MakeRun, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(name, config((8,)), predictions=guesses(100))
    other = make_run(f"other {name}", config((9,)), predictions=guesses(10, seed=4))
    commands = (["runs"], ["show", run.id], ["compare", run.id, other.id], ["diagnose", run.id],
                ["disagreements", run.id, other.id], ["runs", "--json"])  # fmt: skip
    for command in commands:
        assert main([*command, "--store", str(store.root)]) == 0
        printed = capsys.readouterr()
        both = printed.out + printed.err
        assert both.replace("\n", "").isprintable(), command
        if "--json" in command:
            assert {item["name"] for item in json.loads(printed.out)} == {name, f"other {name}"}
        else:
            assert for_terminal(name) in both, command


def test_a_sweep_is_listed_by_its_literal_name(
    runs: list[Run], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweeps", "--store", str(store.root)]) == 0
    assert SECOND[:60] in capsys.readouterr().out


def test_bars_show_a_name_literally(
    make_run: MakeRun, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run("[/x][red]y :smile:", config((8,)), state="running", rows=1)
    monkeypatch.setattr(terminal, "_detail", lambda _: "[/z]")

    class Once:
        """Waits for one look, which shows the bars, and no longer."""

        def look(self, runs: list[Run]) -> Look:
            return Look([], None)

    watch: Any = Once()
    terminal._follow_by_bars(store, [run], terminal.Reporter(as_json=False), watch)
    assert "[/x][red]y :smile:" in capsys.readouterr().err


# -- downloads ---------------------------------------------------------------------------------------------------------


def test_a_csv_holds_no_formula_and_numbers_as_they_are() -> None:
    frame = pd.DataFrame({"name": FORMULAS, "=a": range(6), "x": [-1.5, 2.0, None, 4.0, 5.0, 6.0]})
    rows = list(csv.reader(io.StringIO(panels.csv(frame).decode(), newline="")))
    assert rows[0] == ["name", "'=a", "x"]
    assert [row[0] for row in rows[1:]] == [f"'{text}" for text in FORMULAS]
    assert [row[2] for row in rows[1:]] == ["-1.5", "2.0", "", "4.0", "5.0", "6.0"]


# -- the address bar ---------------------------------------------------------------------------------------------------

PARAMETERS = (
    "runs", "baseline", "weights", "inspect", "true", "guess", "sort", "size", "page", "digit", "explain", "map",
    "view", "against", "group", "matrix", "wrong", "sweep", "start", "cost", "cells", "lines", "across", "smoothing",
    "log", "zoom", "singly", "",
)  # fmt: skip
ODD_VALUES = st.one_of(
    st.sampled_from(
        ["", ",", ",,", "-1", "0", "3", "9", "10", "1e9", "9" * 5000, "nan", "٣", "1_0", " 4 ", "None", "all", "kept",
         "best", "sweep-", "search-x", "sweep-../../x", "matrices", "a", "both", "2up", "0up", "loss", "pca", "tsne",
         "parameters", "one", "x" * 3000, "\x00", "a,a,a", "%00", FIRST, SECOND]
    ),
    st.text(max_size=20).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_no_address_ends_a_page_in_an_exception(page: str, app: OpenPage, runs: list[Run]) -> None:
    ids = st.sampled_from([run.id for run in runs])
    values = st.one_of(ODD_VALUES, ids, st.lists(st.one_of(ids, ODD_VALUES), min_size=2, max_size=4))

    @settings(
        max_examples=3,
        derandomize=True,
        phases=[Phase.generate],  # an example takes a second: too long to look for a smaller one
        suppress_health_check=list(HealthCheck),
    )
    @given(st.dictionaries(st.sampled_from(PARAMETERS), values, min_size=6, max_size=16))
    def opens(query: dict[str, Any]) -> None:
        test = app(page, **query)
        assert not test.exception, (query, test.exception[0].value)

    opens()


def test_a_download_has_a_safe_file_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(panels.st, "download_button", lambda label, data, name, *_, **__: names.append(name))
    panels.csv_button(pd.DataFrame(), "../../<b>x", key="a")
    panels.download("Python file", bytes, f"{FIRST}.py", "text/x-python", key="b")
    assert names == ["b-x.csv", "p-http-foreign.example-p.png-red-x-y-img-src-q-onerror-alert-1.py"]
