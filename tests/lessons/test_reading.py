"""A lesson is a text file: what is wrong in one is said with the file, the line and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.errors import LessonError
from mnist_core.lessons.lesson import PICTURES
from mnist_core.lessons.quantities import QUANTITIES, named, spans
from mnist_core.lessons.reading import MOST_LINES, SHIPPED, all_lessons, key_lines, parse, read_lesson, version

ROOT = Path(__file__).parents[2]
FILE = Path("mine.toml")
SHIPPED_FILES = sorted(SHIPPED.glob("*.toml"))
GOOD = '''title = "Mine"
intro = """
It has {parameters of net} parameters.
Two {{braces}}.
"""

[runs.net]
preset = "notebook/model_1"
dataset = "digits"
dropout = 0.5

[question]
text = "How good is it?"
answer = "accuracy of net"

[answer]
text = """
It is
{accuracy of net}.
"""
pictures = ["loss of net"]

[next]
page = "Draw"
text = "Draw"
runs = ["net"]
'''


def error(text: str) -> str:
    with pytest.raises(LessonError) as caught:
        parse(text, FILE)
    return str(caught.value)


def test_a_good_lesson_is_read() -> None:
    lesson = parse(GOOD, FILE)
    assert lesson.title == "Mine"
    assert lesson.kind == "number"
    config = lesson.runs["net"].config
    assert config is not None
    assert config.dataset.name == "digits"
    assert {layer.dropout for layer in config.model.layers if layer.kind == "dense"} == {0.5}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('title = "Mine"', "title = Mine", 1, "no TOML"),
        ('title = "Mine"', 'titel = "Mine"', 1, "there is no `titel`"),
        ('title = "Mine"', "title = 3", 1, "(given: 3)"),
        ("{parameters of net}", "{parametres of net}", 3, "no quantity 'parametres of net'"),
        ("{parameters of net}", "{parameters of nett}", 3, "the run 'nett'; this lesson has net"),
        ("{parameters of net}", "{parameters of net", 3, "stands alone"),
        ('preset = "notebook/model_1"', 'preset = "notebook/model_9"', 8, "notebook/model_9"),
        ("dropout = 0.5", "dropout = 5", 10, "dropout=5"),
        ("dropout = 0.5", "dropouts = 5", 10, "no setting"),
        ('preset = "notebook/model_1"\n', "", 7, "no `preset`"),
        ("[question]\n", "[questions]\n", 12, "`questions`"),
        ('answer = "accuracy of net"', 'answer = "verdict of net against net"', 14, "nobody can predict"),
        ('answer = "accuracy of net"', 'answer = "decision of net"', 14, "must name two runs"),
        ('answer = "accuracy of net"', 'answer = "accuracy of net"\nnear = -1', 15, "given: -1"),
        ('answer = "accuracy of net"', 'answer = "accuracy of net"\nchoices = { a = "b" }', 15, "is a number"),
        ('answer = "accuracy of net"', 'answer = "hardest digit of net"\nchoices.x = "b"', 15, "no possible answer"),
        ('answer = "accuracy of net"', 'answer = "hardest digit of net"\nchoices.1 = "b"', 15, "lack 0, 2"),
        ("{accuracy of net}.", "{accuracy of it}.", 19, "the run 'it'"),
        ('["loss of net"]', '["lost of net"]', 21, "no picture 'lost'"),
        ('["loss of net"]', '["difference of net"]', 21, "must name two runs"),
        ('page = "Draw"', 'page = "Drawing"', 24, "given: 'Drawing'"),
        ('runs = ["net"]', 'runs = ["other"]', 26, "no run 'other'"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    found = error(GOOD.replace(old, new, 1))
    assert found.startswith(f"mine.toml, line {line}: "), found
    assert words in found


def test_a_missing_part_is_named() -> None:
    assert "`next` is missing" in error(GOOD[: GOOD.index("[next]")])
    assert "`question.answer` is missing" in error(GOOD.replace('answer = "accuracy of net"\n', ""))


@pytest.mark.parametrize("deep", ["[" * 3000, "{a = " * 2000])
def test_brackets_without_end_are_refused_with_their_line(deep: str) -> None:
    with pytest.raises(LessonError, match=r"^x\.toml, line 2: brackets are nested too deeply"):
        parse(f'title = "x"\nintro = {deep}\n', Path("x.toml"))


def test_a_lesson_that_is_too_long_is_refused() -> None:
    long = GOOD + "# a comment\n" * (MOST_LINES + 1 - GOOD.count("\n"))
    assert f"at most {MOST_LINES} are allowed" in error(long)


def line_of_error(text: str) -> int | None:
    """Return the line that the error about a text names; None where the text is a lesson."""
    try:
        parse(text, FILE)
    except LessonError as found:
        message = str(found)
    else:
        return None
    match = re.match(r"mine\.toml, line (\d+): ", message)
    assert match, message
    return int(match[1])


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever a file holds, it is a lesson or a LessonError with file and line."""
    line = line_of_error(text)
    assert line is not None
    assert 1 <= line <= max(1, len(text.splitlines()))


@given(st.integers(0, GOOD.count("\n") - 1), st.text(st.characters(codec="ascii"), max_size=20))
def test_no_changed_line_breaks_the_parser(place: int, text: str) -> None:
    lines = GOOD.split("\n")
    lines[place] = text
    changed = "\n".join(lines)
    line = line_of_error(changed)
    assert line is None or 1 <= line <= len(changed.splitlines()) + 1


def test_lines_of_keys_are_those_of_the_text() -> None:
    lines = GOOD.splitlines()
    for place, line in key_lines(lines).items():
        assert place[-1] in lines[line - 1]
    assert key_lines(['["a b".c]', "'x' = 1", "# y = 2", 'z = """', "w = 3", '"""', "v.u = 4"]) == {
        ("a b", "c"): 1, ("a b", "c", "x"): 2, ("a b", "c", "z"): 4, ("a b", "c", "v"): 7, ("a b", "c", "v", "u"): 7,
    }  # fmt: skip


@given(st.text(max_size=60))
def test_braces_written_twice_are_text(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert "".join(plain for plain, name in spans(doubled) if name is None) == text


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=lambda path: path.stem)
def test_every_shipped_lesson_is_read_and_is_short(path: Path) -> None:
    assert read_lesson(path).title
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=lambda path: path.stem)
def test_yes_and_no_are_choices_only_of_a_question_that_they_answer(path: Path) -> None:
    lesson = read_lesson(path)
    if any(words.startswith(("Yes", "No")) for words in lesson.choices.values()):
        assert lesson.question.text.startswith(("Is ", "Does "))
        assert " or " not in lesson.question.text


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=lambda path: path.stem)
def test_no_shipped_answer_has_a_measured_number_in_it(path: Path) -> None:
    """Every number is computed: what is left are counts of pixels, "10 %" of guessing, and numbers in names."""
    lesson = read_lesson(path)
    for place, text in lesson.texts():
        plain = "".join(part for part, name in spans(text) if name is None)
        for name in lesson.runs:
            plain = plain.replace(name, "")
        numbers = re.findall(r"\d[\d.,]*", plain.replace("model_1", "").replace("model_2", ""))
        assert set(numbers) <= {"4", "2", "8", "10", "0", "7"}, (place, numbers)


def test_the_seven_lessons_are_in_order() -> None:
    assert [item.lesson.title for item in all_lessons(Path("nowhere")).lessons] == [
        "What is a parameter?", "Does dropout help?", "Overfitting: find the epoch", "Loss or accuracy?",
        "Is the difference real?", "Which digits are hard?", "Why must the picture be centred?",
    ]  # fmt: skip


def test_own_lessons_follow_and_take_the_place_of_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "dropout.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_bytes(b'title = "a"\nintro = "\xff"\n')
    (tmp_path / "notes.txt").write_text("no lesson")
    before = version(tmp_path)
    found = all_lessons(tmp_path)
    assert [item.name for item in found.lessons][-1] == "mine"
    dropout = found.get("dropout")
    assert dropout is not None
    assert dropout.lesson.title == "Mine"
    assert found.problems == ("bad.toml, line 2: this is no UTF-8; save the file as UTF-8",)
    assert found.after("centred") == found.get("mine")
    assert found.after("mine") is None
    (tmp_path / "mine.toml").write_text(GOOD + "\n")
    assert version(tmp_path) != before


def test_the_documentation_has_every_quantity_and_picture() -> None:
    text = (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert rows >= set(QUANTITIES) | set(PICTURES)
    for name, quantity in QUANTITIES.items():
        ending = "a against b" if quantity.runs == 2 else "a"
        assert named(f"{name.replace('N', '3')} of {ending}", ["a", "b"]).quantity is quantity


def test_the_documented_example_is_a_lesson() -> None:
    text = (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert parse(example, FILE).kind == "choice"
