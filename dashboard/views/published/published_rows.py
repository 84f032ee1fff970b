"""Published and measured figures, a line for each model, sweep and search; all that is known of it is folded away."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.plots import style
from mnist_core.published import words
from mnist_core.published.reproduction import Reproduction, ReproductionRow
from mnist_core.text import for_html

STYLE = """
<style>
[class*="st-key-published_rows_"] { gap: 0; }
[class*="st-key-row_"] { border-top: 1px solid rgba(128,128,128,.28); flex-wrap: nowrap; padding: .1rem 0; }
[class*="st-key-row_"] > :first-child { flex: 1 1 0; min-width: 0; }
[class*="st-key-row_"] > :last-child { flex: 0 0 6.5rem; }
.pub { font-size: .95rem; }
.pub summary, .pub .head {
  display: grid; grid-template-columns: minmax(11rem, 1.3fr) 5.2rem 5.2rem minmax(0, 2.6fr); gap: 0 1rem; }
.pub .head { font-size: .88rem; opacity: .8; margin-right: 7.5rem; }
.pub summary { cursor: pointer; list-style: none; padding: .45rem 0; align-items: baseline; }
.pub summary::-webkit-details-marker { display: none; }
.pub summary:focus-visible { outline: 2px solid #2A82C4; outline-offset: 2px; border-radius: 3px; }
.pub .name { font-weight: 600; overflow-wrap: anywhere; }
.pub .name::before { content: "▸"; display: inline-block; width: 1.1em; opacity: .6; }
.pub details[open] .name::before { content: "▾"; }
.pub .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.pub .verdict { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.pub details[open] .verdict { white-space: normal; }
.pub .why { opacity: .8; font-size: .88rem; margin-left: .3rem; }
.pub .more { padding: 0 0 .6rem 1.1rem; overflow-x: auto; }
.pub .more p, .pub .more ul, .pub .more li, .pub .more table { font-size: .88rem; }
.pub .more p { margin: 0 0 .3rem; }
.pub .more ul { margin: 0; padding-left: 1.1rem; }
.pub .more li { margin: 0; }
.pub table { border-collapse: collapse; margin: 0 0 .5rem; font-variant-numeric: tabular-nums; }
.pub th, .pub td { text-align: right; padding: .08rem 1rem .08rem 0; font-weight: normal; border: 0;
  white-space: nowrap; }
.pub tr > :first-child { text-align: left; }
.pub thead { opacity: .8; }
@media (max-width: 640px) {
  [class*="st-key-row_"] { position: relative; }
  [class*="st-key-row_"] > :last-child { position: absolute; top: 0; right: 0; }
  .pub summary, .pub .head { grid-template-columns: auto auto 1fr; gap: 0 .5rem; font-size: .88rem; }
  .pub summary { padding: .4rem 0; }
  .pub .head > :first-child { display: none; }
  .pub .head { margin-right: 0; }
  .pub .name { grid-column: 1 / -1; margin-right: 6.5rem; font-size: .95rem; }
  .pub .number + .number::before { content: "→ "; opacity: .8; }
  .pub .number, .pub .verdict { text-align: left; }
  .pub summary > .name + .number, .pub .head > :nth-child(2) { padding-left: 1.05rem; }
  .pub .why { display: none; }
  .pub .more { padding-left: 0; }
  .pub th, .pub td { padding-right: .7rem; }
}
</style>
"""
MARKS: dict[Reproduction, str] = {
    "reproduces": "✓",
    "differs": "≠",
    "chosen to match": "=",
    "nothing to compare": "–",
    "not trained": "○",
}
CLAIM_MARKS: dict[bool | None, str] = {True: "✓", False: "≠", None: "?"}


def head() -> str:
    """Return the heads of the columns, as HTML."""
    names = ("", "published", "measured", "verdict")
    cells = "".join(f"<span{' class=number' if name in names[1:3] else ''}>{name}</span>" for name in names)
    return f'{STYLE}<div class="pub"><div class="head">{cells}</div></div>'


def row_html(row: ReproductionRow) -> str:
    """Return a row as HTML: a line, which opens to all that is known of it."""
    short = words.short(row)
    why = f' <span class="why">{for_html(short)}</span>' if short else ""
    published, measured = _accuracies(row)
    return (
        '<div class="pub"><details><summary>'
        f'<span class="name">{for_html(row.name)}</span>'
        f'<span class="number" data-what="published">{published}</span>'
        f'<span class="number" data-what="measured">{measured}</span>'
        f'<span class="verdict">{MARKS[row.outcome]} {words.verdict(row)}{why}</span>'
        f'</summary><div class="more">{_more(row)}</div></details></div>'
    )


def _accuracies(row: ReproductionRow) -> tuple[str, str]:
    """Return the test accuracy as published and as measured."""
    item = row.accuracy
    if item is not None:
        return style.percent(item.published), style.percent(item.measured.mean)
    printed = row.published.test_accuracy if row.kind == "model" else None
    return (
        style.percent(printed) if printed is not None else "–",
        style.percent(row.measured.accuracy.mean) if row.measured else "–",
    )


def _more(row: ReproductionRow) -> str:
    size = f"{row.parameters:,} parameters" if row.parameters is not None else row.kind
    parts = [f"<p>{for_html(row.planned)}, {size}. {for_html(_beyond_table(row))}</p>", _table(row)]
    items = [_claim(claim) for claim in words.claims(row)]
    items += [f"Why it may differ: {for_html(reason)}" for reason in words.reasons(row)]
    items += [for_html(_capital(text)) for text in (row.note,) if text]
    items += [f"The source’s own error: {for_html(error)}" for error in row.published.errors if row.kind == "model"]
    if row.chosen_to_match:
        items.append(f"Chosen to match the published result: {for_html(row.chosen_to_match)}")
    items += [f"Assumed: {for_html(assumption)}" for assumption in row.assumptions]
    if items:
        parts.append("<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>")
    return "".join(parts)


def _beyond_table(row: ReproductionRow) -> str:
    """Return the sentence on the verdict where no table of figures and no list of statements says it."""
    return "" if row.compared and row.measured else words.reason(row)


def _table(row: ReproductionRow) -> str:
    """Return a model's figures as a table."""
    lines = words.figure_lines(row)
    if not lines:
        return ""
    seeds = row.measured.accuracy.n if row.measured else 0
    heads = ("", "published", f"measured, {seeds} seed{'s' * (seeds != 1)}", "by chance", "")
    head_cells = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{for_html(_capital(cell))}</td>" for cell in line) + "</tr>" for line in lines
    )
    return f"<table><thead><tr>{head_cells}</tr></thead><tbody>{body}</tbody></table>"


def _claim(claim: words.Statement) -> str:
    return f"{CLAIM_MARKS[claim.holds]} “{for_html(_capital(claim.published))}”: {for_html(claim.measured)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def errors_html(rows: Sequence[ReproductionRow]) -> str:
    """Return what the sources got wrong as an HTML list."""
    found = words.source_errors(rows)
    return "<ul>" + "".join(f"<li><b>{for_html(name)}</b>: {for_html(text)}</li>" for name, text in found) + "</ul>"
