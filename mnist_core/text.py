"""Text that people typed, such as the name of a run, written so that it is only text wherever it appears.

A name, tag, note, reason, file name or error message may hold anything: Markdown, HTML, a terminal's escape codes, the
formula of a spreadsheet. Nothing of it is refused; each function here writes it for one place, so that a reader
sees the characters and nothing else happens. Call it once, where the text leaves the program.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of control characters, format characters, lone surrogates and separators of lines."""

_JOINERS = "\u200c\u200d"
"""Format characters that words (Persian) and emoji are made of."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_WORD_JOINER = "\u2060"
"""An invisible character that takes no room and parts two others."""

_MARKDOWN = re.compile(r"[\\`*|<>~$\[\]#&]|(?<![^\W_])_|_(?![^\W_])")
_MARKDOWN_START = re.compile(r"^(\d*)([-+=.)])")
_REPLACED_LATER = re.compile(
    r"(?<=:)(?=[^\W\d]|[+/-]|\d+\w*:)|(?<=www)(?=\.)|(?<=@)(?=\w)"  # icons, emoji, addresses
    r"|(?<=-)(?=-|\\>)|(?<=\\[<>])(?=[=-])|(?<=~)(?==)"  # arrows and the like
)

_FILE_NAME_LENGTH = 80
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names of devices, which Windows allows for no file."""

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Characters with which a formula begins in a spreadsheet: also the full-width forms of Japanese."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def for_terminal(text: str) -> str:
    r"""Return the text on one line, with every control or invisible character as its escape, such as ``\u001b``.

    Guards against escape codes that colour, move or rewrite what a terminal shows, against direction overrides that
    show text in another order, and against line breaks that fake a line of output. The markup of rich is not touched:
    give the result to rich as `rich.text.Text`, or with ``markup=False``.
    """
    return _revealed(text, lambda c: _SHORT.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"))


def for_json(document: str) -> str:
    """Return a JSON document with every invisible character as JSON's own escape; it means the same.

    Guards a terminal against what `json.dumps(…, ensure_ascii=False)` leaves as it is.
    """
    return "\n".join(_revealed(line, lambda c: json.dumps(c)[1:-1]) for line in document.split("\n"))


def for_html(text: str) -> str:
    """Return the text for the content or a quoted attribute of an HTML element.

    Guards against elements, attributes and entities, and against all that `for_terminal` guards against.
    """
    return html.escape(for_terminal(text))


def for_markdown(text: str) -> str:
    """Return the text for the middle or the beginning of a line of Markdown, GitHub's or Streamlit's.

    Guards against Markdown itself, HTML, entities, tables, LaTeX between dollars, Streamlit's directives
    (``:red[x]``), icons (``:material/home:``), emoji (``:smile:``) and arrows, links made of bare addresses, and
    against all that `for_terminal` guards against. Bare addresses, emoji, icons and arrows are looked for after the
    backslashes are gone; an invisible word joiner (U+2060) breaks them.
    """
    text = _MARKDOWN.sub(r"\\\g<0>", for_terminal(text).strip())
    text = _MARKDOWN_START.sub(r"\1\\\2", text)
    return _REPLACED_LATER.sub(_WORD_JOINER, text)


def for_csv(value: Any) -> Any:
    """Return a cell of a CSV file; a text that a spreadsheet would take for a formula begins with an apostrophe.

    Guards against cells that begin with ``=``, ``+``, ``-``, ``@``, a tab or the end of a line, as OWASP's page "CSV
    Injection" recommends. Numbers, and texts that are numbers, stay as they are.
    """
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def for_file_name(text: str, fallback: str = "file") -> str:
    """Return a file name of ASCII letters, digits, dots, hyphens and underscores, 80 characters at most.

    Guards against paths, hidden files, names that Windows reserves, and characters that a file system refuses.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", plain))
    stem, dot, ending = name.rpartition(".")
    if dot and 0 < len(ending) <= 8:  # the ending says what the file is, so that it stays
        name = f"{stem[: _FILE_NAME_LENGTH - len(ending) - 1].strip('.-')}.{ending}"
        name = f"{fallback}{name}" if name.startswith(".") else name
    name = name[:_FILE_NAME_LENGTH].strip(".-") or fallback
    return f"{fallback}-{name}"[:_FILE_NAME_LENGTH] if _RESERVED.match(name) else name


def _revealed(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(escape(c) if unicodedata.category(c) in _HIDDEN and c not in _JOINERS else c for c in text)


def with_minus(number: str) -> str:
    """Return a number that Python has formatted with a true minus sign, U+2212, as people read it."""
    return number.replace("-", "\N{MINUS SIGN}")


def data_name(dataset: str) -> str:
    """Return the name of a dataset as people write it: ``MNIST`` for ``mnist``, any other as it is."""
    return "MNIST" if dataset == "mnist" else dataset
