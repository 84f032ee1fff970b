"""Published and measured figures side by side, a row each: a table on a wide screen, cards on a narrow one."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.evaluation.statistics import Sample
from mnist_core.plots import style
from mnist_core.published import words
from mnist_core.published.claims import Claim
from mnist_core.published.reproduction import Reproduction, Row
from mnist_core.text import for_html

STYLE = """
<style>
.pub { display: grid; grid-template-columns: 2.3fr 1.1fr 1.5fr 3.1fr; gap: .15rem 1rem; font-size: .95rem; }
.pub b { font-weight: 600; }
.pub small { display: block; opacity: .7; font-size: .85rem; line-height: 1.45; }
.pub .name { overflow-wrap: anywhere; }
.pub .label { display: none; }
.pub .verdict b { white-space: nowrap; }
.pub details { grid-column: 1 / -1; font-size: .88rem; opacity: .85; }
.pub summary { cursor: pointer; opacity: .8; }
.pub ul { margin: .2rem 0 .4rem; padding-left: 1.2rem; }
.pub.head { font-size: .85rem; opacity: .7; }
[class*="st-key-published_rows_"] { gap: .55rem; }
[class*="st-key-row_"] { border-top: 1px solid rgba(128,128,128,.28); padding-top: .55rem; }
@media (max-width: 640px) {
  .pub { grid-template-columns: 1fr 1fr; }
  .pub .name, .pub .verdict { grid-column: 1 / -1; }
  .pub .label { display: block; }
  .pub.head { display: none; }
}
</style>
"""
MARKS: dict[Reproduction, str] = {"reproduces": "✓", "differs": "≠", "nothing to compare": "–", "not trained": "○"}


def head() -> str:
    """The heads of the columns, as HTML."""
    return (
        STYLE + '<div class="pub head"><div>model</div><div>published</div><div>measured</div><div>verdict</div></div>'
    )


def row_html(row: Row) -> str:
    """A row as HTML."""
    size = f", {row.parameters:,} parameters" if row.parameters is not None else f", {row.kind}"
    said = ""
    if row.outcome != "not trained" or row.stored:
        said = for_html(f"{words.reason(row)} {words.loss_sentence(row)}".strip())
    cells = (
        f'<div class="name"><b>{for_html(row.name)}</b><small>{for_html(row.planned)}{size}</small></div>',
        f'<div><small class="label">published</small>{_published(row)}</div>',
        f'<div><small class="label">measured</small>{_measured(row)}</div>',
        f'<div class="verdict"><b>{MARKS[row.outcome]} {_word(row)}</b><small>{said}</small>'
        f"{''.join(_claim(claim) for claim in words.claims(row))}{_why(row)}</div>",
        _details(row),
    )
    return f'<div class="pub">{"".join(cells)}</div>'


def _word(row: Row) -> str:
    return {"not trained": "not trained yet" if row.stored is None else "not finished"}.get(row.outcome, row.outcome)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _published(row: Row) -> str:
    figures, claims = row.published, row.claims
    if row.kind != "model" and row.winner is None:
        return f"{len(claims)} statements" if claims else "–"
    if row.kind != "model":
        return f"{style.percent(figures.test_accuracy or 0)}<small>the model it led to</small>"
    if figures.test_accuracy is None:
        return "–<small>no test figure</small>"
    lines = [style.percent(figures.test_accuracy)]
    if figures.test_loss is not None:
        lines.append(f"<small>loss {style.loss(figures.test_loss)}</small>")
    if figures.best_epoch is not None:
        lines.append(f"<small>best epoch {figures.best_epoch}</small>")
    return "".join(lines)


def _measured(row: Row) -> str:
    item = row.measured
    if row.winner is not None:
        return f"<b>{style.percent(row.winner.accuracy)}</b><small>the winner, tested once</small>"
    if item is None:
        holds = sum(claim.holds for claim in row.claims)
        return f"<b>{holds} of {len(row.claims)}</b><small>hold</small>" if row.claims else "–"
    lines = [f"<b>{spread(item.accuracy, percent=True)}</b>", f"<small>loss {spread(item.loss)}</small>"]
    epochs = ", ".join(map(str, item.best_epochs))
    if epochs:
        lines.append(f"<small>best epoch{'s' if len(item.best_epochs) > 1 else ''} {epochs}</small>")
    return "".join(lines)


def spread(figure: Sample, *, percent: bool = False) -> str:
    """A mean with its standard deviation and the number of seeds, where there are several."""
    unit = " %" if percent else ""
    text = f"{100 * figure.mean:.2f}" if percent else style.loss(figure.mean)
    if figure.n < 2:
        return f"{text}{unit}"
    sd = f"{100 * figure.sd:.2f}" if percent else style.loss(figure.sd)
    return f"{text} ± {sd}{unit}, n = {figure.n}"


def _claim(claim: Claim) -> str:
    mark = "✓" if claim.holds else "≠"
    return f"<small>{mark} “{for_html(_capital(claim.published))}”: {for_html(claim.measured)}.</small>"


def _why(row: Row) -> str:
    return f"<small>Why it may: {for_html('; '.join(words.reasons(row)))}.</small>" if row.notes else ""


def _details(row: Row) -> str:
    """What else is known, folded away."""
    parts = [f"<li>{for_html(_capital(row.note))}</li>"] if row.note else []
    if row.measured and row.measured.best_val_accuracy and row.measured.best_val_loss:
        loss, accuracy = row.measured.best_val_loss, row.measured.best_val_accuracy
        parts.append(
            f"<li>Measured at the best epoch: validation loss {spread(loss)}; validation accuracy "
            f"{spread(accuracy, percent=True)}</li>"
        )
    parts += [f"<li>Assumed: {for_html(assumption)}</li>" for assumption in row.assumptions]
    count = len(row.assumptions)
    title = "Notes" if not count else f"Notes, {count} assumption{'s' if count > 1 else ''}"
    return f"<details><summary>{title}</summary><ul>{''.join(parts)}</ul></details>" if parts else ""


def answer(rows: Sequence[Row]) -> str:
    """What came of all of it, in a sentence (Markdown)."""
    judged = [row for row in rows if row.outcome in ("reproduces", "differs")]
    good, open_ = sum(row.outcome == "reproduces" for row in judged), sum(row.outcome == "not trained" for row in rows)
    if not judged:
        return "None of the published models has been trained on MNIST yet."
    text = f"**{good} of {len(judged)}** published results reproduce on MNIST"
    differ = [row.name for row in judged if row.outcome == "differs"]
    if differ:
        text += f"; {', '.join(differ[:4])}{' and others' if len(differ) > 4 else ''} differ{'s' * (len(differ) == 1)}"
    return text + "." + (f" {open_} not trained yet." if open_ else "")
