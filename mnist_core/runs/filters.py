"""Choose runs by an expression about the columns of their table, such as ``accuracy > 0.97 and dropout == 0.2``.

The language is a small part of Python's: names of columns, numbers, texts in quotes, ``True``, ``False`` and ``None``;
``+ - * / // %``; ``== != < <= > >=``, chains of them, ``in``, ``not in``, ``is None``; ``and``, ``or``, ``not`` and
parentheses. Nothing can be called, and nothing is evaluated by Python: an expression becomes functions of this module,
so that a filter from a link can do no harm. Kinds are checked before any run is looked at: a filter that could be
read never fails.

Texts are compared without regard to case. A date is a text such as ``"2026-11-26"``, which is that whole day, or
``"2026-11-26 14:30"``, in the time zone of the machine. A comparison with a missing value is false.
"""

from __future__ import annotations

import ast
import datetime
import difflib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from mnist_core.errors import FilterError
from mnist_core.experiments.frozen import shortened
from mnist_core.runs.columns import ALIASES, COLUMNS, PATHS, Column, ColumnKind

EXAMPLE = "accuracy > 0.97 and dropout == 0.2"
MOST_LETTERS = 1000
MOST_PARTS = 200
"""Names, values and operators in one expression."""

RowFunction = Callable[[Mapping[str, Any]], Any]
_NAMED = {"true": True, "false": False, "none": None, "null": None}


@dataclass(frozen=True)
class Filter:
    """An expression that could be read; call it with a row of `columns.run_row`.

    text: as it was written. columns: the names of the columns that it looks at.
    """

    text: str
    columns: frozenset[str]
    _test: RowFunction

    def __call__(self, row: Mapping[str, Any]) -> bool:
        """True if the run of this row is chosen. The row needs the filter's columns only."""
        return self._test(row) is True


@dataclass(frozen=True)
class _Operand:
    """A part of an expression. constant: its value where it has one without a row. words: what errors call it."""

    kind: ColumnKind | Literal["nothing", "list"]
    value: RowFunction
    words: str
    column: Column | None = None
    constant: Any = None
    items: tuple[_Operand, ...] = ()


_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_KIND_WORDS = {
    "number": "a number", "text": "a text", "texts": "a list of texts", "time": "a date", "flag": "true or false",
    "nothing": "None", "list": "a list",
}  # fmt: skip


def parse(text: str) -> Filter:
    """Return the filter that an expression describes.

    Raises
    ------
    FilterError
        if it is empty, too long, not an expression of this language, or compares what cannot be compared; the message
        says the value, what is allowed, and an example.
    """
    return _Parser(text).filter()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.columns: set[str] = set()

    def refuse(self, reason: str) -> NoReturn:
        raise FilterError(f"the filter {shortened(self.text)} cannot be read: {reason}; an example: {EXAMPLE}")

    def filter(self) -> Filter:
        text = self.text.strip()
        if not text:
            self.refuse("it is empty; write a condition")
        if len(text) > MOST_LETTERS:
            self.refuse(f"it has {len(text)} letters, and {MOST_LETTERS} are allowed; make it shorter")
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self.refuse(_syntax(text, error))
        parts = sum(1 for _ in ast.walk(tree))
        if parts > MOST_PARTS:
            self.refuse(f"it has {parts} parts, and {MOST_PARTS} are allowed; make it shorter")
        test = self.condition(tree.body).value
        return Filter(text, frozenset(self.columns), test)

    def condition(self, node: ast.expr) -> _Operand:
        found = self.part(node)
        if found.kind != "flag":
            self.refuse(
                f"{found.words} is {_KIND_WORDS[found.kind]} and no condition; compare it, such as with == or >"
            )
        return found

    def number(self, node: ast.expr) -> _Operand:
        found = self.part(node)
        if found.kind != "number":
            self.refuse(f"{found.words} is {_KIND_WORDS[found.kind]}; arithmetic is for numbers")
        return found

    def part(self, node: ast.expr) -> _Operand:
        match node:
            case ast.Constant(value=value):
                return self.constant(value)
            case ast.Name(id=name) if name.casefold() in _NAMED and name not in COLUMNS:
                return self.constant(_NAMED[name.casefold()])
            case ast.Name(id=name):
                return self.column(name)
            case ast.Attribute():
                return self.column(ast.unparse(node))
            case ast.BoolOp(op=op, values=values):
                parts = [self.condition(value).value for value in values]
                decide = all if isinstance(op, ast.And) else any
                return _Operand("flag", lambda row: decide(part(row) is True for part in parts), "the condition")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.condition(operand).value
                return _Operand("flag", lambda row: inner(row) is not True, "the condition")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                return self.signed(sign, self.number(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self.arithmetic(self.number(left), _ARITHMETIC[type(op)], self.number(right))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self.chain(left, ops, comparators)
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return _Operand("list", lambda row: None, "the list", items=tuple(map(self.part, items)))
            case _:
                return self.unknown(node)

    def unknown(self, node: ast.expr) -> NoReturn:
        written = shortened(ast.unparse(node), 60)
        if isinstance(node, ast.Call):
            self.refuse(f"{written} calls something, and nothing can be called")
        self.refuse(
            f"{written} is not allowed; allowed are columns, values, + - * / // %, == != < <= > >=, in, and, or, not"
        )

    def constant(self, value: Any) -> _Operand:
        words = shortened(value, 40)
        if value is None:
            return _Operand("nothing", lambda row: None, words)
        kind: ColumnKind
        if isinstance(value, bool):
            kind = "flag"
        elif isinstance(value, int | float):
            kind = "number"
            try:
                value = float(value)
            except OverflowError:
                self.refuse(f"the number {words} is too large")
        elif isinstance(value, str):
            kind, value = "text", value.casefold()
        else:
            self.refuse(f"{words} is not allowed; allowed are numbers, texts in quotes, True, False and None")
        return _Operand(kind, lambda row: value, words, constant=value)

    def column(self, name: str) -> _Operand:
        known = PATHS.get(name) or ALIASES.get(name, name)
        column = COLUMNS.get(known)
        if column is None:
            near = difflib.get_close_matches(name, [*COLUMNS, *ALIASES, *PATHS], 3, 0.6)
            hint = f"is it {' or '.join(near)}?" if near else "`runs --columns` lists them all."
            shown = shortened(name, 60)[1:-1]
            self.refuse(f'there is no column {shown}: {hint} If it is a text, put it in quotes: "{shown}"')
        self.columns.add(column.name)
        if column.kind == "text":
            return _Operand("text", lambda row: _folded(row[known]), name, column)
        if column.kind == "texts":
            return _Operand("texts", lambda row: [_folded(item) for item in row[known]], name, column)
        return _Operand(column.kind, lambda row: row[known], name, column)

    def signed(self, sign: ast.unaryop, inner: _Operand) -> _Operand:
        factor = -1 if isinstance(sign, ast.USub) else 1
        value = inner.value
        return _Operand("number", lambda row: None if (found := value(row)) is None else factor * found, inner.words)

    def arithmetic(self, left: _Operand, function: Callable[[Any, Any], Any], right: _Operand) -> _Operand:
        def value(row: Mapping[str, Any]) -> Any:
            first, second = left.value(row), right.value(row)
            if first is None or second is None:
                return None
            try:
                return function(first, second)
            except ArithmeticError:  # such as a division by 0
                return None

        return _Operand("number", value, f"the calculation with {left.words}")

    def chain(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> _Operand:
        parts = [self.part(left), *map(self.part, comparators)]
        tests = [self.compare(one, op, other) for one, op, other in zip(parts[:-1], ops, parts[1:], strict=True)]
        return _Operand("flag", lambda row: all(test(row) is True for test in tests), "the condition")

    def compare(self, left: _Operand, op: ast.cmpop, right: _Operand) -> RowFunction:
        if isinstance(op, ast.In | ast.NotIn):
            return self.contained(left, right, wanted=isinstance(op, ast.In))
        if "nothing" in (left.kind, right.kind):
            return self.missing(left, op, right)
        if isinstance(op, ast.Is | ast.IsNot):
            self.refuse("`is` is for None; write == for equal")
        self.check_share(left, right)
        self.check_share(right, left)
        self.check_choice(left, right)
        self.check_choice(right, left)
        kinds = {left.kind, right.kind}
        if kinds == {"time", "text"}:
            return self.compare_time(left, op, right)
        if kinds not in ({"number"}, {"text"}, {"flag"}, {"time"}):
            self.refuse(
                f"{left.words} is {_KIND_WORDS[left.kind]} and {right.words} is {_KIND_WORDS[right.kind]}: "
                "they cannot be compared" + (', write "word" in tags' if "texts" in kinds else "")
            )
        if type(op) in _ORDER:
            if kinds not in ({"number"}, {"time"}):
                self.refuse(f"{left.words} is {_KIND_WORDS[left.kind]}; < and > are for numbers and dates, write ==")
            return _both(left.value, _ORDER[type(op)], right.value)
        return _both(left.value, operator.eq if isinstance(op, ast.Eq) else operator.ne, right.value)

    def check_share(self, one: _Operand, other: _Operand) -> None:
        """Refuse a share that is compared with what it can never be: a per cent, most likely."""
        if one.column and one.column.share and isinstance(other.constant, float) and not 0 <= other.constant <= 1:
            self.refuse(f"{one.words} is a share from 0 to 1, and {other.words} is outside; 98 % is 0.98")

    def check_choice(self, one: _Operand, other: _Operand) -> None:
        choices = one.column.choices if one.column else ()
        if choices and isinstance(other.constant, str) and other.constant not in choices and "," not in other.constant:
            self.refuse(f"{one.words} is never {other.words}; it is one of {', '.join(choices)}")

    def missing(self, left: _Operand, op: ast.cmpop, right: _Operand) -> RowFunction:
        if type(op) in _ORDER:
            self.refuse("None is a missing value; write `is None` or `is not None`")
        wanted = isinstance(op, ast.Is | ast.Eq)
        inner = (right if left.kind == "nothing" else left).value
        return lambda row: (inner(row) is None) is wanted

    def contained(self, left: _Operand, right: _Operand, *, wanted: bool) -> RowFunction:
        if right.kind in ("text", "texts"):
            if left.kind != "text":
                self.refuse(f"{left.words} is {_KIND_WORDS[left.kind]}; only a text can be in {right.words}")
            return _both(left.value, lambda item, many: (item in many) is wanted, right.value)
        if right.kind != "list":
            self.refuse(f"{right.words} is {_KIND_WORDS[right.kind]}; write `in` before tags, a text, or [a, list]")
        tests = [self.compare(left, ast.Eq(), item) for item in right.items]
        inner = left.value

        def value(row: Mapping[str, Any]) -> bool:
            if inner(row) is None:
                return False
            return any(test(row) is True for test in tests) is wanted

        return value

    def compare_time(self, left: _Operand, op: ast.cmpop, right: _Operand) -> RowFunction:
        date, text = (left, right) if left.kind == "time" else (right, left)
        if text.constant is None:
            self.refuse(f'{date.words} is a date; compare it with one, such as {date.words} > "2026-11-26"')
        low, high = self.span(text)
        inner = date.value
        if date is right:
            op = {ast.Lt: ast.Gt(), ast.LtE: ast.GtE(), ast.Gt: ast.Lt(), ast.GtE: ast.LtE()}.get(type(op), op)
        tests: dict[type[ast.cmpop], Callable[[float], bool]] = {
            ast.Eq: lambda at: low <= at <= high,
            ast.NotEq: lambda at: not low <= at <= high,
            ast.Lt: lambda at: at < low,
            ast.LtE: lambda at: at <= high,
            ast.Gt: lambda at: at > high,
            ast.GtE: lambda at: at >= low,
        }
        test = tests[type(op)]
        return lambda row: None if (at := inner(row)) is None else test(at)

    def span(self, text: _Operand) -> tuple[float, float]:
        """Return the first and the last Unix second that a text means: of a whole day, or twice the same."""
        try:
            found = datetime.datetime.fromisoformat(text.constant)
            low = found.timestamp()
            if len(text.constant) > len("2026-11-26"):
                return low, low
            return low, (found + datetime.timedelta(days=1)).timestamp() - 1e-6
        except (ValueError, OverflowError, OSError):
            self.refuse(f'{text.words} is no date; write it as "2026-11-26" or "2026-11-26 14:30"')


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _both(left: RowFunction, function: Callable[[Any, Any], bool], right: RowFunction) -> RowFunction:
    def value(row: Mapping[str, Any]) -> bool | None:
        first, second = left(row), right(row)
        return None if first is None or second is None else function(first, second)

    return value


def _syntax(text: str, error: BaseException) -> str:
    """Return what is wrong with what Python cannot parse, with the likeliest cause."""
    if "%" in text and not isinstance(error, RecursionError | MemoryError):
        return "it is not a condition; write 98 % as 0.98"
    if "=" in text and not any(sign in text for sign in ("==", "!=", "<=", ">=")):
        return "it is not a condition; write == for equal"
    if "&" in text or "|" in text:
        return "it is not a condition; write and, or"
    return "it is not a condition; put texts in quotes, and write == for equal"
