"""Sixty real trainings on `digits`, from far too low to far too high learning rates, for the diagnosis to be tried on.

    python -m benchmarks.diagnosis_runs     # trains them again, about a minute; writes benchmarks/diagnosis_runs.jsonl

The histories are kept in the repository, so that the tests and `benchmarks/diagnosis_rates.py` read the same curves
without training. Values are rounded to six digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mnist_core.experiments.configs import RunConfig, parse_config
from mnist_core.runs.records import EpochRow

FILE = Path(__file__).with_suffix(".jsonl")
LEARNING_RATES = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.03, 0.05, 0.1, 0.3)
HELD_OUT = {"source": "held_out", "count": 200}
RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one layer": ({"units": [64]}, {"optimizer": "adam", "batch_size": 32, "epochs": 40}),
    "two layers": ({"units": [64, 64]}, {"optimizer": "rmsprop", "batch_size": 128, "epochs": 60}),
    "dropout": ({"units": [128, 64], "dropout": 0.4}, {"optimizer": "adam", "batch_size": 64, "epochs": 40}),
    "momentum": (
        {"units": [32]},
        {"optimizer": "sgd", "momentum": 0.9, "batch_size": 32, "epochs": 60, "validation": HELD_OUT},
    ),
    "narrow": ({"units": [8]}, {"optimizer": "adam", "batch_size": 64, "epochs": 50}),
    "early stopping": (
        {"units": [64, 64]},
        {
            "optimizer": "adam",
            "batch_size": 32,
            "epochs": 80,
            "seed": 1,
            "validation": HELD_OUT,
            "early_stopping": {"patience": 8},
        },
    ),
}
"""By name: the dense layers, and the training apart from its learning rate."""


@dataclass(frozen=True)
class TrainedHistory:
    """One training: its configuration and epochs, and what else the diagnosis may use.

    images: validation images. test_accuracy, test_images: of the kept weights; None where no weights were kept.
    """

    name: str
    config: RunConfig
    rows: tuple[EpochRow, ...]
    images: int
    kept_epoch: int | None
    test_accuracy: float | None
    test_images: int


def configurations() -> Iterator[tuple[str, RunConfig]]:
    """All sixty, with a name for each."""
    for name, (model, training) in RECIPES.items():
        layers = [{"units": units, "dropout": model.get("dropout", 0.0)} for units in model["units"]]
        for rate in LEARNING_RATES:
            yield (
                f"{name}, learning rate {rate:g}",
                parse_config(
                    {
                        "model": {"layers": layers},
                        "training": {**training, "learning_rate": rate},
                        "dataset": {"name": "digits"},
                    }
                ),
            )


def read() -> list[TrainedHistory]:
    """The histories that are kept in the repository."""
    found = []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        columns = data.pop("history")
        rows = [
            EpochRow.from_json(dict(zip(columns, values, strict=True)))
            for values in zip(*columns.values(), strict=True)
        ]
        found.append(TrainedHistory(**data | {"config": parse_config(data["config"]), "rows": tuple(rows)}))
    return found


def train_all() -> Iterator[TrainedHistory]:
    """Train them all, one after another."""
    from mnist_core.data.datasets import Catalog
    from mnist_core.evaluation.metrics import scores
    from mnist_core.runs.store import default_root
    from mnist_core.training.train import train

    dataset = Catalog(default_root()).load("digits")
    for name, config in configurations():
        result = train(config, dataset)
        tested = None if result.probabilities is None else scores(dataset.y_test, result.probabilities).accuracy
        yield TrainedHistory(
            name,
            config,
            result.history,
            len(dataset.y_test) if result.val_labels is None else len(result.val_labels),
            result.kept_epoch,
            tested,
            len(dataset.y_test),
        )


def _rounded(value: Any) -> Any:
    """Return a float with six significant digits; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    lines = []
    for item in train_all():
        rows = [row.to_json() for row in item.rows]
        history = {key: [_rounded(row[key]) for row in rows] for key in rows[0]}
        data = asdict(item) | {"config": item.config.model_dump(mode="json"), "history": history}
        del data["rows"]
        lines.append(json.dumps(data))
        print(f"{item.name}: {len(rows)} epochs", flush=True)
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
