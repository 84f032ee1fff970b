"""A text is only a text, wherever it is written: terminal, JSON, HTML, Markdown, CSV, file names."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.text import (
    data_name,
    for_csv,
    for_file_name,
    for_html,
    for_json,
    for_markdown,
    for_terminal,
    with_minus,
)
from tests.support.hostile import FORMULAS, HIDDEN, NAMES


def test_control_characters_and_overrides_of_direction_become_visible_on_a_terminal() -> None:
    assert for_terminal("\x1b[31mred\n\u202eabc\x9b") == r"\u001b[31mred\n\u202eabc\u009b"


def test_letters_of_all_scripts_and_emoji_stay_as_they_are() -> None:
    for text in ("Größe ≥ 3", "模型", "مدل\u200cها", "\N{FAMILY}", "👩\u200d🔬", "a b"):
        assert for_terminal(text) == text


@given(st.text())
def test_nothing_on_a_terminal_is_invisible_or_ends_the_line(text: str) -> None:
    assert all(c.isprintable() or c.isspace() or c in "\u200c\u200d" or ord(c) > 0xA0 for c in for_terminal(text))
    assert len(for_terminal(text).splitlines()) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_json_document_means_the_same_and_holds_nothing_invisible(name: str) -> None:
    document = for_json(json.dumps({"name": name}, indent=1, ensure_ascii=False))
    assert json.loads(document) == {"name": name}
    assert document.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_html_holds_no_element_and_reads_as_the_text(name: str) -> None:
    assert not re.search("[<>\"']", for_html(name))
    assert html.unescape(for_html(name)) == for_terminal(name)


@pytest.mark.parametrize("name", NAMES)
def test_markdown_without_its_backslashes_and_joiners_reads_as_the_text(name: str) -> None:
    shown = re.sub(r"\\(\W|_)", r"\1", for_markdown(name).replace("\u2060", ""))
    assert shown == for_terminal(name).strip()


@pytest.mark.parametrize(
    "syntax", [r"(?<!\\)\[", r"(?<!\\)[`*<>$|&]", r":[a-z/]", r"^[-+#=]", r"www\.", r"@\w", "--", "->", "\n"]
)
def test_markdown_holds_no_syntax_of_markdown_or_streamlit(syntax: str) -> None:
    assert not [name for name in map(for_markdown, NAMES) if re.search(syntax, name.replace("\\\\", ""))]


def test_markdown_of_an_ordinary_sentence_has_no_more_backslashes_than_it_needs() -> None:
    sentence = "model_1 (run 3) is better at 03:04 by 0.5 pp: 95 % interval 0.1 to 0.9!"
    assert for_markdown(sentence) == sentence


def test_only_underscores_inside_a_word_stay_bare_in_markdown() -> None:
    assert for_markdown("__init__ snake_case _x_") == r"\_\_init\_\_ snake_case \_x\_"


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_takes_for_a_formula_begins_with_an_apostrophe_in_csv(text: str) -> None:
    assert for_csv(text) == f"'{text}"


@pytest.mark.parametrize("value", [-1.5, 3, None, "-1.5", "+2e-3", "model_1", "a=b", "−0.5"])
def test_numbers_and_other_texts_stay_as_they_are_in_csv(value: object) -> None:
    assert for_csv(value) == value


@given(st.text())
def test_a_file_name_is_short_and_safe_whatever_the_text(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", for_file_name(text))
    assert ".." not in for_file_name(text)
    assert not for_file_name(text).endswith(".")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("/tmp/a b.csv", "tmp-a-b.csv"),
        ("Größe.csv", "Groe.csv"),
        ("con.csv", "file-con.csv"),
        (".bashrc", "file.bashrc"),
        ("模型", "file"),
        ("x" * 200 + ".csv", "x" * 76 + ".csv"),
    ],
)
def test_a_file_name_keeps_what_can_be_kept(text: str, name: str) -> None:
    assert for_file_name(text) == name


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_characters_are_visible_in_markdown_and_html(name: str) -> None:
    assert "\\" in for_markdown(name)
    assert for_markdown(name).replace("\u2060", "").isprintable()
    assert for_html(name).isprintable()


def test_people_read_the_name_of_data_and_a_minus_sign_as_they_are_printed() -> None:
    assert [data_name(name) for name in ("mnist", "digits", "fashion-mnist")] == ["MNIST", "digits", "fashion-mnist"]
    assert with_minus("-0.22 points") == "\N{MINUS SIGN}0.22 points"
