"""The answers in docs/three-questions.md are those that the software gives today to the runs that ship."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.cli import main
from mnist_core.runs.store import Store
from tests.support.pages import page_file, text_of, unfold

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "three-questions.md"
TIME = re.compile(r" \(about [^)]*\)")
"""How long a training would take, which depends on the machine."""


def blocks() -> Iterator[tuple[str, list[str]]]:
    """Yield each command, or link to a page, with the lines that are quoted from its answer."""
    for text in re.findall(r"^```text\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        head, *lines = text.splitlines()
        yield head, [line for line in lines if line.strip() not in ("", "…")]


BLOCKS = list(blocks())


def test_each_question_is_answered_by_a_command_and_on_a_page() -> None:
    sections = re.split("^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(sections) == 3
    for section in sections:
        assert "```text\n$ python -m mnist_core" in section
        assert "```text\n/" in section
    assert all(lines for _, lines in BLOCKS)


@pytest.mark.parametrize(("head", "lines"), BLOCKS, ids=[head for head, _ in BLOCKS])
def test_what_is_quoted_is_what_is_said(
    head: str, lines: list[str], store: Store, app: Callable[..., AppTest], capsys: pytest.CaptureFixture[str]
) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    (store.root / "reference").symlink_to(ROOT / "artifacts" / "reference")
    if head.startswith("$ python -m mnist_core "):
        assert main([*shlex.split(head.removeprefix("$ python -m mnist_core ")), "--store", str(store.root)]) == 0
        shown = capsys.readouterr().out
    else:
        link = urlsplit(head)
        page = app(page_file(link.path.strip("/")), **dict(parse_qsl(link.query)))
        assert not page.exception
        shown = unescape(re.sub("<[a-zA-Z/][^>]*>", "", text_of(unfold(page))))
    shown = TIME.sub("", shown)
    place = 0
    for line in lines:
        found = shown.find(TIME.sub("", line.strip()), place)
        assert found >= 0, f"{line}\n\nis not, or not in this order, in\n\n{shown}"
        if head.startswith("$"):  # the text of a page is put together by kinds of elements, not in its order
            place = found
