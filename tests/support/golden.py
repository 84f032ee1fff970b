"""The values that a run id stands for, and the command that writes them: ``python -m tests.support.golden``.

A run id is a hash of a configuration. It promises numbers only as long as the same configuration gives the same split,
order, initial weights, dropout masks and augmentation. ``tests/experiments/golden.json`` pins these.

The command adds values that the file does not have yet, such as the id of a new preset. It never changes one that is
there: whoever changes a random stream gives every stored run another meaning, and must raise `SCHEMA_VERSION` first, so
that all ids change with it. With a new schema version the command writes the whole file again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.data.augmentation import affine_transforms
from mnist_core.data.datasets import Catalog, Dataset
from mnist_core.experiments.configs import (
    SCHEMA_VERSION,
    Augmentation,
    CosineSchedule,
    DatasetConfig,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    RunConfig,
    TrainingConfig,
)
from mnist_core.experiments.layers import ConvLayer, DenseLayer, GlobalAverageLayer, PoolLayer
from mnist_core.experiments.presets import PRESETS, on_dataset
from mnist_core.training.engine import DropoutBits, shuffled, subset
from mnist_core.training.models import build_model, initializer_seed
from mnist_core.training.train import train

FILE = Path(__file__).resolve().parents[1] / "experiments" / "golden.json"

Values = dict[str, Any]
"""What is pinned → plain numbers, strings, and lists of them."""

EVERYTHING = RunConfig(
    model=ModelConfig(
        layers=(
            ConvLayer(filters=4, kernel=5, padding="valid", activation="elu", batch_norm=True, dropout=0.1),
            PoolLayer(pooling="average", size=3, dropout=0.2),
            DenseLayer(units=12, activation="tanh", dropout=0.3, l2=1e-3),
        )
    ),
    training=TrainingConfig(
        optimizer="sgd",
        momentum=0.5,
        learning_rate=0.02,
        batch_size=70,
        epochs=2,
        validation=HeldOutValidation(count=200),
        early_stopping=EarlyStopping(patience=3),
        seed=7,
        augmentation=Augmentation(shift=2, rotation=10, zoom=0.1),
        schedule=CosineSchedule(),
        label_smoothing=0.1,
    ),
    dataset=DatasetConfig(name="digits"),
)
"""A configuration in which every random stream has a part."""

DENSE = RunConfig(
    model=ModelConfig(layers=(DenseLayer(units=16, dropout=0.5),)), training=TrainingConfig(epochs=2, batch_size=64)
)


def digest(values: np.ndarray[Any, Any]) -> str:
    """Return 16 hexadecimal digits of a SHA-256 over integers, as little-endian int64: the same on every machine."""
    return hashlib.sha256(np.ascontiguousarray(values, "<i8").tobytes()).hexdigest()[:16]


def identities() -> Values:
    """Return the fingerprints of the built-in data, and the run ids of all presets on both."""
    prints = {"mnist": MNIST_FINGERPRINT, "digits": Catalog(Path("none")).fingerprint("digits")}
    ids = {
        f"run_id {name} on {dataset}": on_dataset(item, dataset, fingerprint).run_id(fingerprint)
        for dataset, fingerprint in prints.items()
        for name, item in PRESETS.items()
    }
    of_all = {"run_id with every setting": EVERYTHING.run_id(prints["digits"])}
    return {f"fingerprint {name}": value for name, value in prints.items()} | ids | of_all


def splits() -> Values:
    """Return which of 120 images are held out for validation: indices into the training images, ascending."""
    labels = (np.arange(120) ** 2 // 7 % 10).astype(np.uint8)
    images = np.zeros((120, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(120)  # each image carries its index
    data = Dataset("numbered", images, labels, images, labels, "")
    rules = {"count 15": HeldOutValidation(count=15), "fraction 0.2": HeldOutValidation(fraction=0.2)}
    return {
        f"validation split, {name}, seed {seed}": data.split(rule, seed).x_val[:, 0, 0].tolist()
        for name, rule in rules.items()
        for seed in (0, 7)
    }


def orders() -> Values:
    """Return the order of the training images in an epoch, and the subset on which clean figures are computed."""
    found: Values = {
        f"order of 20 images, seed {seed}, epoch {epoch}": shuffled(20, seed, epoch).tolist()
        for seed, epoch in ((0, 1), (0, 2), (7, 1))
    }
    found["order of 60,000 images, seed 0, epoch 1, digest"] = digest(shuffled(60_000, 0, 1))
    found["clean subset, 6 of 20"] = subset(20, 6).tolist()
    found["clean subset, 10,000 of 60,000, digest"] = digest(subset(60_000, 10_000))
    return found


def dropout_bits() -> Values:
    """Return the 16-bit words of two layers, of 5 and 8 values an image, for three images drawn in two portions."""
    found: Values = {}
    for seed, epoch in ((0, 1), (0, 2), (7, 1)):
        words = DropoutBits([5, 8], seed, epoch)
        portions = [words.draw(2), words.draw(1)]
        for layer in (0, 1):
            drawn = np.concatenate([portion[layer] for portion in portions])
            found[f"dropout bits, seed {seed}, epoch {epoch}, layer {layer}"] = drawn.tolist()
    return found


def transforms() -> Values:
    """Return the affine transforms of three images; float32, written with all their digits."""
    rule = Augmentation(shift=2, rotation=10, zoom=0.1)
    return {
        f"affine transforms, seed {seed}, epoch {epoch}": affine_transforms(rule, 3, seed, epoch).astype(float).tolist()
        for seed, epoch in ((0, 1), (0, 2), (7, 1))
    }


def initializers() -> Values:
    """Return the seeds of the layers' initializers."""
    return {f"initializer seeds, seed {seed}": [initializer_seed(seed, layer) for layer in range(4)] for seed in (0, 7)}


def weights() -> Values:
    """Return of each variable of freshly built models its first values and the sum of squares; float32."""
    averaged = ModelConfig(layers=(ConvLayer(filters=3, padding="same"), GlobalAverageLayer()))
    models = {"every layer": EVERYTHING.model, "dense": DENSE.model, "averaged": averaged}
    found: Values = {}
    for name, model in models.items():
        for variable in build_model(model, seed=7).weights:
            values = variable.numpy().astype(float).ravel()
            found[f"initial weights, {name}, {variable.path}"] = [*values[:3].tolist(), float((values**2).sum())]
    return found


def histories() -> Values:
    """Return the losses and the rates of two short trainings on `digits`: all streams together, as they are used."""
    data = Catalog(Path("none")).load("digits")
    found: Values = {}
    for name, config in {"every setting": EVERYTHING, "dense": DENSE}.items():
        for row in train(config, data).history:
            losses = [row.loss, row.train_eval_loss, row.val_loss]
            found[f"trained, {name}, epoch {row.epoch}"] = [*losses, row.learning_rate]
    return found


EXACT: dict[str, Callable[[], Values]] = {
    "identity": identities,
    "split": splits,
    "order": orders,
    "dropout": dropout_bits,
    "augmentation": transforms,
    "initializer": initializers,
}
"""What NumPy and hashing give: the same to the last bit everywhere."""

CLOSE: dict[str, tuple[Callable[[], Values], float]] = {"weights": (weights, 1e-5), "history": (histories, 2e-3)}
"""What TensorFlow gives, and the relative difference that another processor's rounding may make."""


def everything() -> dict[str, Values]:
    """Return all values as they are now, by part."""
    return {part: make() for part, make in (EXACT | {part: make for part, (make, _) in CLOSE.items()}).items()}


def merged(stored: Values, now: Values, version: int) -> Values:
    """Return what the file should hold: stored values and those that are new; with a new schema version, all anew.

    Raises
    ------
    SystemExit
        if a value has changed and the schema version has not.
    """
    if stored.get("schema_version") != version:
        return {"schema_version": version} | now
    changed = [
        key
        for part in EXACT
        for key, value in stored.get(part, {}).items()
        if key in now[part] and now[part][key] != value
    ]
    if changed:
        raise SystemExit(
            f"these values differ from {FILE.name} and stay as they are: {'; '.join(changed)}. Stored runs rely on "
            "them: undo the change, or raise SCHEMA_VERSION, which gives every run another id"
        )
    kept = {part: {key: stored.get(part, {}).get(key, value) for key, value in now[part].items()} for part in now}
    return {"schema_version": version} | kept


def written(values: Values) -> str:
    """Return the file's text: JSON with a line for each value."""
    lines = [f'"schema_version": {values["schema_version"]}']
    for part, items in values.items():
        if part != "schema_version":
            inner = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in items.items())
            lines.append(f"{json.dumps(part)}: {{\n{inner}\n  }}")
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"


def main() -> None:
    """Write the file."""
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    FILE.write_text(written(merged(stored, everything(), SCHEMA_VERSION)), encoding="utf-8")
    print(f"{FILE.name} is up to date", file=sys.stderr)


if __name__ == "__main__":
    main()
