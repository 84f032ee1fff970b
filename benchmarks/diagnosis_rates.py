"""How often the diagnosis is right: over the shipped runs and over made-up histories.

    python -m benchmarks.diagnosis_rates            # prints the tables
    python -m benchmarks.diagnosis_rates --write    # puts them into docs/diagnosis.md

A made-up history is a smooth course with noise on it, so that it is known what ought to be said. A minute at most.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_core.comparison.diagnosis import diagnose, diagnose_run
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.runs.records import EpochRow
from mnist_core.runs.store import Store

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "diagnosis.md"
MARK = "<!-- made by benchmarks/diagnosis_rates.py -->"
SEEDS = 500
EPOCHS = (6, 10, 20, 30, 60)
NOISE = (0.02, 0.06)
"""Scatter of the validation loss from epoch to epoch, as a share of it: what the shipped runs on MNIST have."""
IMAGES = 10_000
ALARMS = ("overfitting", "underfitting", "stuck at chance", "diverged", "unstable")

Course = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]


def level(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Training and validation loss at t = 0 to 1 of a run that has levelled off, and does not overfit."""
    return 0.06 + 0.30 * np.exp(-12 * t), 0.08 + 0.25 * np.exp(-12 * t)


def falling(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A run that ends while it still improves."""
    return 0.40 * np.exp(-1.8 * t), 0.04 + 0.40 * np.exp(-1.6 * t)


def turning(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A run that overfits from t = 0.4 on, and ends 35 % above its lowest validation loss."""
    return 0.35 * np.exp(-5 * t), 0.075 + 0.25 * np.exp(-12 * t) + 0.045 * np.maximum(0, t - 0.4)


def poor(t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A run that levels off at 93 % on training and validation images alike."""
    return 0.235 + 0.30 * np.exp(-12 * t), 0.24 + 0.30 * np.exp(-12 * t)


COURSES: dict[str, tuple[Course, str]] = {
    "levelled off, clean": (level, "plateau"),
    "still falling": (falling, "still improving"),
    "overfitting": (turning, "overfitting"),
    "underfitting": (poor, "underfitting"),
}


def history(course: Course, epochs: int, noise: float, seed: int) -> list[EpochRow]:
    """A made-up history; accuracies are 1 − loss/3.4, which is about what the shipped runs have."""
    generator = np.random.default_rng([seed, epochs, round(1000 * noise)])
    clean, judged = course(np.linspace(0, 1, epochs))
    judged = judged * np.exp(noise * generator.standard_normal(epochs))
    clean = clean * np.exp(noise / 2 * generator.standard_normal(epochs))
    return [made_up_row(index + 1, float(clean[index]), float(judged[index])) for index in range(epochs)]


def made_up_row(epoch: int, clean: float, judged: float, *, training: float | None = None) -> EpochRow:
    """One epoch with these losses: training images with dropout off, validation images, and as measured in training."""
    accuracy, share = max(0.0, 1 - judged / 3.4), 0.85
    return EpochRow(
        epoch=epoch,
        loss=clean if training is None else training,
        accuracy=max(0.0, 1 - clean / 3.4),
        clean_loss=clean,
        clean_accuracy=max(0.0, 1 - clean / 3.4),
        val_loss=judged,
        val_accuracy=accuracy,
        val_loss_correct=judged * (1 - share),
        val_loss_wrong=judged * share,
        penalty=0.0,
        val_confidence=0.98,
        val_ece=0.01,
        learning_rate=1e-3,
        seconds=0.5,
    )


def configuration(epochs: int, *, dropout: float = 0.0) -> RunConfig:
    """What the made-up histories pretend to be of."""
    return RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=64, dropout=dropout),)),
        training=TrainingConfig(epochs=epochs),
        dataset=DatasetConfig(name="digits"),
    )


def rates(course: Course, epochs: int, noise: float, seeds: int = SEEDS) -> Counter[str]:
    """How many of so many histories of one kind have each finding; `(alarm)` counts those with any alarm."""
    counted: Counter[str] = Counter()
    for seed in range(seeds):
        kinds = {
            item.kind for item in diagnose(history(course, epochs, noise, seed), configuration(epochs), images=IMAGES)
        }
        counted.update(kinds)
        counted["(alarm)"] += bool(kinds & set(ALARMS))
    return counted


def made_up_table() -> Iterator[str]:
    """Rows of Markdown: for each course, length and noise, how often the right thing and a false alarm was said."""
    yield "| course | noise | epochs | right finding | said | said instead, most often | any other alarm |"
    yield "|---|---|---|---|---|---|---|"
    for name, (course, right) in COURSES.items():
        for noise in NOISE:
            for epochs in EPOCHS:
                counted = rates(course, epochs, noise)
                rest = Counter({kind: n for kind, n in counted.items() if kind not in (right, "(alarm)")})
                instead = ", ".join(f"{kind} {100 * n / SEEDS:.1f} %" for kind, n in rest.most_common(1)) or "–"
                others = counted["(alarm)"] - (counted[right] if right in ALARMS else 0)
                yield (
                    f"| {name} | {100 * noise:.0f} % | {epochs} | {right} | {100 * counted[right] / SEEDS:.1f} % "
                    f"| {instead} | {100 * others / SEEDS:.1f} % |"
                )


def shipped_table() -> Iterator[str]:
    """Rows of Markdown: what is said of the shipped runs, with the figures that a person would judge by."""
    yield "| run | data | epochs | lowest validation loss | last | findings |"
    yield "|---|---|---|---|---|---|"
    for run in Store(ROOT / "artifacts").runs():
        if not run.read_only or not run.listed or not run.predictions_file().exists():  # one seed of each model
            continue
        rows = run.rows()
        best = min(rows, key=lambda row: row.val_loss)
        found = "; ".join(f"{item.kind} ({item.epoch})" for item in diagnose_run(run)) or "none"
        yield (
            f"| {run.name} | {run.config.dataset.name} | {len(rows)} | {best.val_loss:.4f} in epoch {best.epoch} "
            f"| {rows[-1].val_loss:.4f} | {found} |"
        )


def swept_table() -> Iterator[str]:
    """Rows of Markdown: what is said of the runs of the shipped sweeps and searches, counted by sweep."""
    counted: dict[tuple[str, str], int] = {}
    for run in Store(ROOT / "artifacts").runs():
        if run.read_only and run.one_of_many:
            found = ", ".join(item.kind for item in diagnose_run(run)) or "none"
            key = (f"{run.name.partition(':')[0]} ({len(run.rows())} epochs)", found)
            counted[key] = counted.get(key, 0) + 1
    yield "| sweep or search | findings | runs |"
    yield "|---|---|---|"
    for (name, found), count in sorted(counted.items()):
        yield f"| {name} | {found} | {count} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/diagnosis.md")
    options = parser.parse_args()
    tables = "\n".join(
        [
            "## Shipped runs",
            "",
            *shipped_table(),
            "",
            "## Runs of shipped sweeps",
            "",
            *swept_table(),
            "",
            f"## Made-up histories, {SEEDS} of each",
            "",
            *made_up_table(),
        ]
    )
    if not options.write:
        print(tables)
        return
    before = DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]
    DOCUMENT.write_text(f"{before}{MARK}\n\n{tables}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
