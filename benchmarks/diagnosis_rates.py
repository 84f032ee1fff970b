"""How often the diagnosis is right: constructed histories, the shipped runs, sixty trainings.

    python -m benchmarks.diagnosis_rates            # prints the tables
    python -m benchmarks.diagnosis_rates --write    # puts them into docs/diagnosis.md

The constructed histories are those of `diagnosis_histories`, the trainings those of `diagnosis_runs`. Under a minute.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.diagnosis_histories import Case, all_cases
from benchmarks.diagnosis_runs import LEARNING_RATES, TrainedHistory
from benchmarks.diagnosis_runs import read as read_trained
from mnist_core.comparison.diagnosis.findings import Finding, UnseenResult
from mnist_core.comparison.diagnosis.rules import diagnose, diagnose_run
from mnist_core.comparison.diagnosis.words import template_of
from mnist_core.runs.store import Store

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "diagnosis.md"
MARK = "<!-- made by benchmarks/diagnosis_rates.py -->"
SEEDS = range(1000, 1012)
"""Of the constructed histories. The rules were adjusted with seeds below 1000 and other lengths."""
TABLE_LENGTHS = (9, 18, 36, 50, 100)
EPOCHS_OFF = 3
"""A finding is right where its epoch is at most so many from the true one."""


def findings_of(case: Case) -> list[Finding]:
    return diagnose(case.rows, case.config, images=case.images, test=case.test, kept_epoch=case.kept_epoch)


def is_right(case: Case, findings: Iterable[Finding]) -> bool:
    """Whether a right code is found, at the right epoch."""
    return any(
        item.code in case.right and (case.epoch is None or abs(item.epoch - case.epoch) <= EPOCHS_OFF)
        for item in findings
    )


def is_false_alarm(case: Case, findings: Iterable[Finding]) -> bool:
    """Whether a problem is found that is not true of the history."""
    return any(item.severity == "problem" and item.code not in case.problems for item in findings)


@dataclass
class Rates:
    """How the histories of one truth fared."""

    count: int = 0
    right: int = 0
    clear: int = 0
    clear_right: int = 0
    false_alarms: int = 0
    found: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, findings: list[Finding]) -> None:
        """Count one more history."""
        right = is_right(case, findings)
        self.count += 1
        self.right += right
        self.clear += case.clear
        self.clear_right += right and case.clear
        self.false_alarms += is_false_alarm(case, findings)
        self.found.update({item.code for item in findings})


def measure(cases: Iterable[Case]) -> dict[str, Rates]:
    """Rates by truth."""
    rates: dict[str, Rates] = {}
    for case in cases:
        rates.setdefault(case.truth, Rates()).add(case, findings_of(case))
    return rates


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def constructed_table(rates: dict[str, Rates]) -> Iterator[str]:
    """Rows of Markdown: truth by truth, how often it was found, and what else was."""
    yield "| truth | histories | found | of them clear | found | false alarms | findings |"
    yield "|---|---|---|---|---|---|---|"
    total = Rates()
    for truth, one in rates.items():
        listed = ", ".join(f"{code} {count}" for code, count in one.found.most_common())
        yield _row(truth, one, listed)
        for name in ("count", "right", "clear", "clear_right", "false_alarms"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
    yield _row("all", total, "")


def _row(name: str, one: Rates, listed: str) -> str:
    return (
        f"| {name} | {one.count} | {_share(one.right, one.count)} | {one.clear} "
        f"| {_share(one.clear_right, one.clear)} | {_share(one.false_alarms, one.count)} | {listed} |"
    )


def contradicted(findings: Iterable[Finding]) -> int:
    """How many findings have a sentence that claims what its numbers deny."""
    return sum(not template_of(item).holds(item.numbers) for item in findings)


def shipped_table() -> Iterator[str]:
    """Rows of Markdown: what is found in the shipped runs, with the figures that a person would look at."""
    yield "| run | data | epochs | lowest validation loss | last | findings |"
    yield "|---|---|---|---|---|---|"
    for run in Store(ROOT / "artifacts").runs():
        if not run.read_only or not run.listed or not run.predictions_file().exists():  # one seed of each model
            continue
        rows = run.rows()
        best = min(rows, key=lambda row: row.val_loss)
        found = "; ".join(f"{item.code} ({item.epoch})" for item in diagnose_run(run))
        yield (
            f"| {run.name} | {run.config.dataset.name} | {len(rows)} | {best.val_loss:.4f} in epoch {best.epoch} "
            f"| {rows[-1].val_loss:.4f} | {found} |"
        )


def swept_table() -> Iterator[str]:
    """Rows of Markdown: what is found in the runs of the shipped sweeps and searches, counted by sweep."""
    counted: Counter[tuple[str, str]] = Counter()
    for run in Store(ROOT / "artifacts").runs():
        if run.read_only and run.one_of_many:
            found = ", ".join(dict.fromkeys(item.code for item in diagnose_run(run)))
            counted[f"{run.name.partition(':')[0]}", found] += 1
    yield "| sweep or search | findings | runs |"
    yield "|---|---|---|"
    for (name, found), count in sorted(counted.items()):
        yield f"| {name} | {found} | {count} |"


def findings_of_training(item: TrainedHistory) -> list[Finding]:
    held_out = item.config.training.validation.source == "held_out"
    test = UnseenResult(item.test_accuracy, item.test_images) if held_out and item.test_accuracy is not None else None
    return diagnose(item.rows, item.config, images=item.images, test=test, kept_epoch=item.kept_epoch)


def trained_table(trained: list[TrainedHistory]) -> Iterator[str]:
    """Rows of Markdown: a row a recipe, a column a learning rate, and in each cell what is found."""
    yield "| recipe | " + " | ".join(f"{rate:g}" for rate in LEARNING_RATES) + " |"
    yield "|---|" + "---|" * len(LEARNING_RATES)
    for start in range(0, len(trained), len(LEARNING_RATES)):
        part = trained[start : start + len(LEARNING_RATES)]
        cells = [", ".join(dict.fromkeys(one.code for one in findings_of_training(item))) for item in part]
        yield f"| {part[0].name.partition(',')[0]} | " + " | ".join(cells) + " |"


def lowest(item: TrainedHistory) -> float:
    return min(row.val_loss for row in item.rows if math.isfinite(row.val_loss))


def advice_table(trained: list[TrainedHistory]) -> Iterator[str]:
    """Rows of Markdown: whether another learning rate, where it was suggested, came out better in the same recipe."""
    better: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for start in range(0, len(trained), len(LEARNING_RATES)):
        part = trained[start : start + len(LEARNING_RATES)]
        for place, item in enumerate(part):
            directions = {
                change.direction
                for finding in findings_of_training(item)
                for change in finding.suggestions
                if change.path == "training.learning_rate"
            }
            for direction in directions:
                others = part[:place] if direction == "lower" else part[place + 1 :]
                given[direction] += 1
                better[direction] += any(lowest(other) < lowest(item) for other in others)
            given["both"] += len(directions) > 1
    yield "| suggested learning rate | trainings | a training with such a rate had a lower validation loss |"
    yield "|---|---|---|"
    for direction in ("lower", "higher"):
        yield f"| {direction} | {given[direction]} | {better[direction]} |"
    yield f"| both (opposite advice) | {given['both']} | – |"


def document() -> Iterator[str]:
    """The tables, with a heading for each."""
    cases = list(all_cases(SEEDS, TABLE_LENGTHS))
    trained = read_trained()
    every = [finding for case in cases for finding in findings_of(case)]
    every += [finding for item in trained for finding in findings_of_training(item)]
    every += [finding for run in Store(ROOT / "artifacts").runs() for finding in diagnose_run(run)]
    yield f"## Constructed histories: {len(cases)} over {len({case.truth for case in cases})} truths"
    yield ""
    yield from constructed_table(measure(cases))
    yield ""
    yield f"Of {len(every):,} findings in all histories of this page, {contradicted(every)} have a sentence that its"
    yield "own numbers contradict. That is by construction: a sentence is only used where its claims hold. The test"
    yield "`tests/comparison/test_diagnosis_words.py` computes the numbers anew from random histories."
    yield ""
    yield f"## {len(trained)} trainings on `digits`, by learning rate"
    yield ""
    yield from trained_table(trained)
    yield ""
    yield from advice_table(trained)
    yield ""
    yield "## Shipped runs"
    yield ""
    yield from shipped_table()
    yield ""
    yield "## Runs of shipped sweeps"
    yield ""
    yield from swept_table()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/diagnosis.md")
    options = parser.parse_args()
    tables = "\n".join(document())
    if not options.write:
        print(tables)
        return
    before = DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]
    DOCUMENT.write_text(f"{before}{MARK}\n\n{tables}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
