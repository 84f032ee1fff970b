"""Published and measured figures, a line for each model, sweep and search; all that is known of it is folded away."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.plots import style
from mnist_core.published import words
from mnist_core.published.reproduction import Reproduction, ReproductionRow
from mnist_core.text import for_html

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
    return f'<div class="pub"><div class="head">{cells}</div></div>'


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
        f'<span class="outcome">{MARKS[row.outcome]} {words.verdict(row)}{why}</span>'
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
