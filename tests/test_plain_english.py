"""What a program can check of docs/style.md: docstrings and comments in plain English, one word for one thing."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for room in ("mnist_core", "dashboard") for path in (ROOT / room).rglob("*.py"))

PLAINLY = {
    "judge": "evaluate, test or compare",
    "judged": "evaluated, tested or compared",
    "told": "given, reported or shown",
    "beside": "next to, or besides",
    "let go of": "closed or released",
    "one's own": "the user's",
    "whereupon": "a new sentence with 'then'",
    "lest": "so that … not",
    "save for": "except",
    "as it were": "nothing",
    "came to grief": "failed",
    "comes to": "Return the …",
    "came to": "the result is",
    "is made of": "consists of",
    "hold against": "compare with",
    "held against": "compared with",
    "anew": "again",
    "comes of": "comes from",
    "come of": "come from",
    "what is no": "what is not a",
}
"""Phrases that docs/style.md avoids, and what to write in their place."""

AVOIDED = re.compile(rf"\b({'|'.join(map(re.escape, PLAINLY))})\b", re.IGNORECASE)

NO_VERBS = ("Whether", "What", "Why", "Which", "How", "Who", "When", "While", "The", "A", "An", "One", "As", "Each",
            "Every", "All", "Its", "Their", "Such", "With", "From", "In", "Of", "For", "At")  # fmt: skip
"""First words of a docstring that leave open what a function does. A property may be named by a noun."""

NO_NAMES = {"said", "told", "asked", "beside"}
"""Words that say where a value came from, or stand where another word is meant; no variable has one as its name."""

EVERY_FILE = [
    *(
        path
        for room in ("mnist_core", "dashboard", "tests", "benchmarks")
        for path in sorted((ROOT / room).rglob("*.py"))
    ),
    ROOT / "start.py",
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

CAMEL_CASE = re.compile(r"_*[A-Z]\w*[a-z]\w*")

Text = tuple[int, str]


def docstrings(source: str) -> Iterator[Text]:
    """Yield line and text of each docstring, those after an attribute or a constant included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def comments(source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def avoided(source: str) -> list[str]:
    """Return, for each avoided phrase in a docstring or a comment, its line and the plain words."""
    return [
        f"{line}: {found[0]!r}; write {PLAINLY[found[0].lower()]}"
        for line, text in [*docstrings(source), *comments(source)]
        for found in AVOIDED.finditer(" ".join(re.sub(r"`[^`]*`", "", text).split()))
    ]


def not_a_verb(source: str) -> list[str]:
    """Return the functions whose docstring begins with another word than a verb, as far as a list of words can tell."""
    return [
        f"{node.lineno}: {node.name}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (ast.get_docstring(node) or "").startswith(tuple(f"{word} " for word in NO_VERBS))
        and not any("property" in ast.unparse(item) for item in node.decorator_list)
    ]


def ill_named(source: str) -> list[str]:
    """Return line and name of each identifier that is one of `NO_NAMES`, apart from underscores around it."""
    found = {
        (node.lineno, name)
        for node in ast.walk(ast.parse(source))
        for field in ("id", "attr", "arg", "name")
        if isinstance(name := getattr(node, field, None), str) and name.strip("_").lower() in NO_NAMES
    }
    return [f"{line}: {name}" for line, name in sorted(found)]


def type_names(source: str) -> Iterator[Text]:
    """Yield line and name, without underscores in front, of each class, type alias and type variable.

    An assignment outside a function defines a type where its name is in CamelCase.
    """
    tree = ast.parse(source)
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and CAMEL_CASE.fullmatch(target.id):
                yield node.lineno, target.id.lstrip("_")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.name.lstrip("_")


def test_the_checks_find_what_they_look_for() -> None:
    source = '''
def at(x):
    """Whether `judged` is judged."""
    # what x came to
'''
    assert avoided(source) == [
        "3: 'judged'; write evaluated, tested or compared",
        "4: 'came to'; write the result is",
    ]
    assert not_a_verb(source) == ["2: at"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_and_comments_are_in_plain_english(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert avoided(source) == []
    assert not_a_verb(source) == []


def test_the_search_for_names_sees_every_place_of_one() -> None:
    source = """
def f(told, *, x):
    said = x.asked
    print(f"{said}", SAID, beside=1)
"""
    assert ill_named(source) == ["2: told", "3: asked", "3: said", "4: SAID", "4: beside", "4: said"]


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_name_says_what_a_value_is(path: Path) -> None:
    assert ill_named(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documentation_writes_next_to_or_besides(path: Path) -> None:
    assert re.findall(r".*\bbeside\b.*", path.read_text(encoding="utf-8"), re.IGNORECASE) == []


def test_a_board_is_the_ranking_of_a_class_and_a_pad_is_drawn_on() -> None:
    drawing = sorted((ROOT / "dashboard" / "shared" / "drawing").glob("*.*"))
    drawing += [
        ROOT / "mnist_core" / "data" / "drawings.py",
        *sorted((ROOT / "dashboard" / "views" / "draw").glob("*.py")),
    ]
    word = re.compile(r"(?<!key)(?<!black)board", re.IGNORECASE)
    found = {path.name: word.findall(path.read_text(encoding="utf-8").replace("dashboard", "")) for path in drawing}
    assert {name: words for name, words in found.items() if words} == {}


def test_the_search_for_type_names_sees_every_way_to_define_one() -> None:
    source = """
Kind = Literal["a", "b"]
Floats = float | Array
Made = TypeVar("Made")
Text = str
Either: TypeAlias = "Kind | Floats"
class _Row: ...
def make():
    class Inner: ...
LIMIT = 3
TABLE: dict[str, int] = {}
one = dict[str, int]
"""
    assert [name for _, name in type_names(source)] == ["Kind", "Floats", "Made", "Text", "Either", "Row", "Inner"]


def test_no_two_types_share_a_name() -> None:
    """A class, an alias and a type variable count alike, and an underscore in front makes no other word of a name."""
    places = defaultdict(list)
    for path in FILES:
        for line, name in type_names(path.read_text(encoding="utf-8")):
            places[name].append(f"{path.relative_to(ROOT)}:{line}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
