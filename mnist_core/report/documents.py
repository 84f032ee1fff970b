"""A document as a list of blocks, written as one self-contained HTML file or as Markdown. No Streamlit."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vl_convert import javascript_bundle

from mnist_core.plots.learning_curves import LINK_JS
from mnist_core.report.export import VEGA_LITE
from mnist_core.text import for_html, for_markdown

STYLE = """
:root { font-variant-numeric: tabular-nums; }
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; color: #1b1f24;
  background: #fff; max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.2rem; } h3 { font-size: 1.02rem; }
h1, h2, h3 { break-after: avoid; }
.lead { font-size: 1.25rem; font-weight: 600; line-height: 1.4; }
figure { margin: 1rem 0; break-inside: avoid; } .still svg { max-width: 100%; height: auto; }
.live { width: 100%; }
figcaption { font-size: .88rem; color: #555; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .8rem 0; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }
th { border-bottom: 2px solid #888; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr { break-inside: avoid; }
li { margin: .2rem 0; }
footer { margin-top: 3rem; font-size: .85rem; color: #555; }
@media print { body { font-size: 10.5pt; max-width: none; padding: 0; } @page { margin: 16mm; }
  .scroll { overflow: visible; } table { font-size: 8.5pt; } th, td { padding: .2rem .45rem; } }
"""


POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
MOST_HTML_BYTES = 3 * 10**6
LIVE_JS = Path(__file__).with_name("live_charts.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the document's title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `lead` for the one that says what it is all about."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of texts: its first column names the rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A picture as SVG. name: of its file, without an ending. caption: what it shows, in words.

    live: the same as Vega-Lite JSON, which an HTML file draws in its place; None for a picture that stays still.
    """

    name: str
    svg: str
    caption: str
    live: str | None = None


Block = Heading | Paragraph | Bullets | Table | Picture
PictureAddress = Callable[[Picture], str]
"""A function that returns the address of a picture of a Markdown document."""


def to_html(blocks: Sequence[Block]) -> str:
    """Return one HTML file that contains everything: it loads nothing from elsewhere, and prints well.

    Charts with `live` show values at the pointer. They are drawn by Vega, which is in the file, and without JavaScript
    they are still pictures. The policy in the head lets the file run that script alone, and ask no host for anything. A
    file that would be larger than `MOST_HTML_BYTES` has still pictures only.
    """
    script = _live_script() if any(isinstance(block, Picture) and block.live for block in blocks) else ""
    found = _whole(blocks, script)
    return found if len(found.encode()) <= MOST_HTML_BYTES else _whole(blocks, "")


def _whole(blocks: Sequence[Block], script: str) -> str:
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Report")
    body = "\n".join(_html(block, number, live=bool(script)) for number, block in enumerate(blocks))
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else "'none'"
    tail = f"<script>{script}</script>\n" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY} script-src {allowed}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{for_html(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n{tail}</body>\n</html>\n"
    )


@functools.cache  # bundling takes a quarter of a second, and the app writes many reports
def _live_script() -> str:
    """Return Vega and what draws the charts, as one script without an end tag in it."""
    vega = javascript_bundle(None, vl_version=VEGA_LITE)  # type: ignore[arg-type]  # its stub wants a snippet
    script = "\n".join((vega, LINK_JS, LIVE_JS))
    if "</script" in script.lower() or "<!--" in script:
        raise AssertionError("a script with an end tag would end within the page")
    return script


def _html(block: Block, number: int, *, live: bool) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{for_html(text)}</h{level}>"
        case Paragraph(text, lead):
            kind = ' class="lead"' if lead else ""
            return f"<p{kind}>{for_html(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{for_html(item)}</li>" for item in items) + "</ul>"
        case Table(head, rows):
            top = "".join(f"<th>{for_html(text)}</th>" for text in head)
            body = "".join("<tr>" + "".join(f"<td>{for_html(text)}</td>" for text in row) + "</tr>" for row in rows)
            return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
        case Picture(_, svg, caption, specification):
            # every chart numbers its clip paths from 0; in one page they must not be taken for each other's
            own = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>p{number}-", svg)
            drawn = ""
            if live and specification is not None:
                data = specification.replace("<", r"\u003c")  # in JSON, it is in texts alone
                drawn = f'<script type="application/json">{data}</script>'
            return f'<figure><div class="still">{own}</div>{drawn}<figcaption>{for_html(caption)}</figcaption></figure>'


def to_markdown(blocks: Sequence[Block], place: PictureAddress | None = None) -> str:
    """Return a document as Markdown; pictures are within it as data URIs, unless `place` puts them elsewhere.

    GitHub does not show data URIs; most editors and pandoc do.
    """
    return "\n\n".join(_markdown(block, place or data_uri) for block in blocks) + "\n"


def data_uri(picture: Picture) -> str:
    """Return the picture itself as an address."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg.encode()).decode()}"


def _markdown(block: Block, place: PictureAddress) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {for_markdown(text)}"
        case Paragraph(text, lead):
            return f"**{for_markdown(text)}**" if lead else for_markdown(text)
        case Bullets(items):
            return "\n".join(f"- {for_markdown(item)}" for item in items)
        case Table(head, rows):
            line = "|" + "|".join(":--" if column == 0 else "--:" for column in range(len(head))) + "|"
            texts = ["| " + " | ".join(for_markdown(text) for text in row) + " |" for row in (head, *rows)]
            return "\n".join([texts[0], line, *texts[1:]])
        case Picture(_, _, caption, _):
            return f"![{for_markdown(caption)}]({place(block)})"
