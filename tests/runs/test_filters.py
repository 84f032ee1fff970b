"""Expressions that choose runs: what they mean, and that no text does more than choose runs or be refused."""

from __future__ import annotations

import datetime
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_core.errors import FilterError, MnistCoreError
from mnist_core.runs.columns import ALIASES, COLUMNS, PATHS
from mnist_core.runs.filters import EXAMPLE, MOST_LETTERS, parse

NOON = datetime.datetime(2026, 11, 26, 12).timestamp()
ROW: dict[str, Any] = dict.fromkeys(COLUMNS) | {
    "name": "Deep one", "state": "finished", "dataset": "mnist", "test_accuracy": 0.985, "test_loss": 0.08,
    "parameters": 55_050, "dropout": 0.2, "learning_rate": 0.001, "seed": 3, "early_stopping": True,
    "tags": ("Lesson 3", "good"), "created": NOON, "note": "", "ships": False, "optimizer": "adam",
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        "0.98 < accuracy <= 0.985 and dropout == 0.2",
        "test_accuracy >= .985 and not loss > 0.1",
        "training.learning_rate == 1e-3 and optimizer == 'Adam'",
        "parameters / 1e3 < 56 and seed % 2 == 1 and seed // 2 == 1 and -seed < 0",
        "name == 'deep ONE' and 'deep' in name and 'x' not in name",
        "'good' in tags and 'lesson 3' in tags and 'lesson' not in tags",
        "dataset in ['digits', 'mnist'] and seed not in (1, 2)",
        "val_loss is None and accuracy is not None and None == val_loss",
        "early_stopping and not ships and ships == false",
        "created == '2026-11-26' and created > '2026-11-25' and '2026-11-27' > created",
        "created <= '2026-11-26' and not created > '2026-11-26' and created >= '2026-11-26 12:00'",
    ],
)
def test_a_condition_that_holds(text: str) -> None:
    assert parse(text)(ROW)


@pytest.mark.parametrize(
    "text",
    ["accuracy > 0.985", "dropout != 0.2", "val_loss < 1", "val_loss != 1", "val_loss > 0 or val_loss <= 0",
     "accuracy / 0 > 1", "seed / (seed - 3) > 0", "created < '2026-11-26'", "created != '2026-11-26'", "patience == 2",
     "'x' in tags", "not early_stopping"],
)  # fmt: skip
def test_a_condition_that_does_not_hold_or_is_about_what_is_missing(text: str) -> None:
    assert not parse(text)(ROW)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("accuracy > 98", "98 % is 0.98"),
        ("accuracy > 98%", "98 % as 0.98"),
        ("state = 'finished'", "write == for equal"),
        ("state == 'done'", "one of queued, running, paused, finished"),
        ("accuracy", "is a number and no condition"),
        ("acuracy > 0.9", "is it accuracy"),
        ("dataset == mnist", 'put it in quotes: "mnist"'),
        ("name > 3", "name is a text and 3 is a number"),
        ("name > 'a'", "< and > are for numbers and dates"),
        ("tags == 'good'", 'write "word" in tags'),
        ("'a' in seed", "seed is a number"),
        ("created > 'yesterday'", 'write it as "2026-11-26"'),
        ("created > '0001-01-01'", "is no date"),
        ("accuracy > None", "write `is None`"),
        ("seed is 3", "write == for equal"),
        ("__import__('os').system('x')", "nothing can be called"),
        ("name.__class__ == 1", "there is no column name.__class__"),
        ("name[0] == 'D'", "is not allowed"),
        ("9 ** 9 ** 9 > 1", "is not allowed"),
        ("'a' * 1000000000 == name", "arithmetic is for numbers"),
        ("(lambda: 1) == 1", "is not allowed"),
        ("[x for x in tags] == 1", "is not allowed"),
        ("(seed := 4) == 4", "is not allowed"),
        ("accuracy > 0.5 & seed == 1", "is not allowed"),
        ("1" * 500 + " > seed", "too large"),
        ("seed == 1" + " or seed == 1" * 70, "parts, and 200 are allowed"),
        (" " * 2000 + "x" * 1001, f"1001 letters, and {MOST_LETTERS} are allowed"),
        ("(" * 900, "it is not a condition"),
        ("-" * 900 + "1 > seed", "parts, and 200 are allowed"),
        ("seed == 1\x00", "it is not a condition"),
        ("name == '\ud800'", "it is not a condition"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason_and_an_example(text: str, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(f"an example: {EXAMPLE}")
    assert len(str(caught.value)) < 500


def test_a_filter_names_the_columns_that_it_looks_at() -> None:
    assert parse(f"{EXAMPLE} and training.seed == 1").columns == {"test_accuracy", "dropout", "seed"}


SIGNS = """and or not in is == != < >= + - * / // % ** ( ) [ ] , . 'a' '2026-11-26' 0 1 0.5 1e308 None True lambda : if
else f'' { } := @ ~ await yield b'' ... 1j \\ #""".split()  # noqa: SIM905
TOKENS = [*COLUMNS, *ALIASES, *PATHS, *SIGNS]


@settings(max_examples=600)
@given(st.one_of(st.text(max_size=60), st.text(string.printable, max_size=60),
                 st.lists(st.sampled_from(TOKENS), max_size=14).map(" ".join)))  # fmt: skip
def test_any_text_is_a_filter_or_an_error_of_the_package(text: str) -> None:
    try:
        chosen = parse(text)
    except MnistCoreError:
        return
    for row in (ROW, dict.fromkeys(COLUMNS) | {"tags": ()}):
        assert chosen(row) in (True, False)
    assert chosen.columns <= set(COLUMNS)


NUMBERS = st.sampled_from(["0", "1", "0.5", "1e308", "seed", "parameters", "dropout", "val_loss"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _sums(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner)


@settings(max_examples=300)
@given(
    st.recursive(NUMBERS.filter(lambda x: x != "created"), _sums, max_leaves=12),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_arithmetic_never_fails_on_a_row(text: str, number: float) -> None:
    assert parse(f"{text} <= {number!r}")(ROW) in (True, False)
