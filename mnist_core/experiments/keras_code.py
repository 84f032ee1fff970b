"""A run's configuration as plain Keras code that runs by itself, to take away, read and change."""

from __future__ import annotations

import json

from mnist_core.constants import CLASSES, IMAGE_SHAPE
from mnist_core.experiments.configs import (
    OPTIMIZERS,
    Augmentation,
    CosineSchedule,
    DatasetConfig,
    HeldOutValidation,
    RunConfig,
    StepSchedule,
    TrainingConfig,
)
from mnist_core.experiments.layers.base import image_part
from mnist_core.text import for_markdown


def keras_code(config: RunConfig) -> str:
    """Return a complete script that loads the data, then builds, compiles, trains and tests the network of `config`.

    It uses the same layers, loss, optimizer, learning rates, batches, epochs and early stopping as a run does. Its
    final weights differ as those of another seed would, since Keras shuffles, drops out and augments in its own random
    order; the held-out part, too, is drawn by class but not of the same images. A registered dataset is read from the
    `.npz` file of its name; the weights that a run goes on from, from a copy of its parent's `model.keras` named after
    that run.
    """
    return "\n\n".join(_parts(config)) + "\n"


def keras_notebook(config: RunConfig, title: str) -> str:
    """Return the script of `keras_code` as a Jupyter notebook (format 4.5), a cell for each of its steps."""
    heading = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {for_markdown(title)}"}
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"step-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": part,
        }
        for number, part in enumerate(_parts(config), start=1)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": [heading, *cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _parts(config: RunConfig) -> list[str]:
    """Return the steps of the script."""
    return [
        _imports(config),
        f"keras.utils.set_random_seed({config.training.seed})",
        _data(config.dataset),
        *_held_out(config.training),
        *_smoothed(config.training),
        _model(config),
        *_parent(config),
        _compile(config.training),
        *_stopping(config.training),
        *_schedule(config.training),
        _fit(config.training),
        "test_loss, test_accuracy = model.evaluate(x_test, y_test, verbose=0)\n"
        'print(f"test accuracy {test_accuracy:.4f}, test loss {test_loss:.4f}")',
    ]


def _imports(config: RunConfig) -> str:
    lines = (
        ["import math\n", "import keras"] if isinstance(config.training.schedule, CosineSchedule) else ["import keras"]
    )
    if config.dataset.name != "mnist":
        lines.append("import numpy as np")
    if config.dataset.name == "digits":
        lines.append("from sklearn.datasets import load_digits")
    if isinstance(config.training.validation, HeldOutValidation):
        lines.append("from sklearn.model_selection import train_test_split")
    return "\n".join(lines)


def _model(config: RunConfig) -> str:
    parts = [part.keras for _, part in config.model.parts()]
    lines = ["keras.Input((28, 28))"]
    if config.training.augmentation:
        # it moves pixels, so that a dense network, too, first needs them in their places
        lines += [image_part().keras.code(), *_augmentation(config.training.augmentation)]
        parts = parts[1:] if config.model.convolutional else parts
    lines += [part.code() for part in parts]
    return "\n".join(["model = keras.Sequential(", "    [", *(f"        {line}," for line in lines), "    ]", ")"])


def _parent(config: RunConfig) -> list[str]:
    if config.parent is None:
        return []
    if config.parent_epoch is not None:
        return [
            f"# A person changed settings after epoch {config.parent_epoch} of run {config.parent}. This is the\n"
            "# configuration of the epochs after it, begun from new weights; it does not repeat the run."
        ]
    return [
        f'parent = keras.saving.load_model("run-{config.parent}.keras", compile=False)\n'
        "model.set_weights(parent.get_weights())"
    ]


def _augmentation(augmentation: Augmentation) -> list[str]:
    """Return Keras's layers for it; they do nothing but in training."""
    height, width = IMAGE_SHAPE
    shift, rotation, zoom = augmentation.shift, augmentation.rotation, augmentation.zoom
    black = 'fill_mode="constant"'
    lines = [f"keras.layers.RandomTranslation({shift!r} / {height}, {shift!r} / {width}, {black})"] if shift else []
    if rotation:
        lines.append(f"keras.layers.RandomRotation({rotation!r} / 360, {black})")
    if zoom:
        lines.append(f"keras.layers.RandomZoom((-{zoom!r}, {zoom!r}), {black})")
    return lines


def _data(dataset: DatasetConfig) -> str:
    if dataset.name == "digits":
        return _DIGITS
    if dataset.name == "mnist":
        lines = ["(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()"]
    else:
        lines = [f'data = np.load("{dataset.name}.npz")']
        lines += [f'{name} = data["{name}"]' for name in ("x_train", "y_train", "x_test", "y_test")]
    return "\n".join([*lines, 'x_train = x_train.astype("float32") / 255', 'x_test = x_test.astype("float32") / 255'])


# scikit-learn's 8x8 images, three times as large by linear interpolation, with a margin of two pixels and rounded half
# up to whole grey values; every fifth image of each class is for testing, as in mnist_core.data.datasets
_DIGITS = """\
digits = load_digits()
grow = np.array([np.interp((np.arange(24) - 1) / 3, np.arange(8), row) for row in np.eye(8)]).T
x = np.floor(grow @ digits.images @ grow.T * 255 / 16 + 0.5 + 1e-9)
x = np.pad(x, ((0, 0), (2, 2), (2, 2))).astype("float32") / 255
y = digits.target
rank = np.zeros(len(y), int)
for digit in range(10):
    rank[y == digit] = np.arange((y == digit).sum())
test = rank % 5 == 4
x_train, y_train, x_test, y_test = x[~test], y[~test], x[test], y[test]"""


def _held_out(training: TrainingConfig) -> list[str]:
    validation = training.validation
    if not isinstance(validation, HeldOutValidation):
        return []
    size = validation.count if validation.count is not None else validation.fraction
    return [
        "x_train, x_val, y_train, y_val = train_test_split(\n"
        f"    x_train, y_train, test_size={size!r}, stratify=y_train, random_state={training.seed}\n"
        ")"
    ]


def _smoothed(training: TrainingConfig) -> list[str]:
    """Return the lines that smooth the labels of the training images; the validation loss does not contain it."""
    smoothing = training.label_smoothing
    if not smoothing:
        return []
    held_out = isinstance(training.validation, HeldOutValidation)
    lines = [
        f"y_train = keras.utils.to_categorical(y_train, {CLASSES}) * (1 - {smoothing!r}) + {smoothing!r} / {CLASSES}"
    ]
    lines += [f"{name} = keras.utils.to_categorical({name}, {CLASSES})" for name in ["y_val"] * held_out + ["y_test"]]
    return ["\n".join(lines)]


def _compile(training: TrainingConfig) -> str:
    momentum = f", momentum={training.momentum!r}" if training.momentum else ""
    optimizer = f"keras.optimizers.{OPTIMIZERS[training.optimizer]}(learning_rate={training.learning_rate!r}{momentum})"
    return (
        "model.compile(\n"
        f"    optimizer={optimizer},\n"
        f'    loss="{"" if training.label_smoothing else "sparse_"}categorical_crossentropy",\n'
        '    metrics=["accuracy"],\n'
        ")\n"
        "model.summary()"
    )


def _stopping(training: TrainingConfig) -> list[str]:
    rule = training.early_stopping
    if rule is None:
        return []
    return [
        "early_stopping = keras.callbacks.EarlyStopping(\n"
        f'    monitor="val_loss", patience={rule.patience}, min_delta={rule.min_delta!r}, '
        f"restore_best_weights={rule.restore_best}\n"
        ")"
    ]


def _schedule(training: TrainingConfig) -> list[str]:
    schedule, first = training.schedule, training.learning_rate
    if schedule is None:
        return []
    if isinstance(schedule, StepSchedule):
        rate = f"{first!r} * {schedule.factor!r} ** (epoch // {schedule.every})"
    elif isinstance(schedule, CosineSchedule):
        wave = f"0.5 * (1 + math.cos(math.pi * epoch / {training.epochs}))"
        rate = f"{first!r} * ({schedule.final!r} + {1 - schedule.final!r} * {wave})"
    else:
        return [
            "learning_rate = keras.callbacks.ReduceLROnPlateau(\n"
            f'    monitor="val_loss", factor={schedule.factor!r}, patience={schedule.patience}, '
            f"min_delta={schedule.min_delta!r},\n"
            f"    cooldown={schedule.cooldown}, min_lr={schedule.min_rate!r},\n"
            ")"
        ]
    return [f"learning_rate = keras.callbacks.LearningRateScheduler(\n    lambda epoch: {rate}\n)"]


def _fit(training: TrainingConfig) -> str:
    held_out = isinstance(training.validation, HeldOutValidation)
    lines = [
        "history = model.fit(",
        "    x_train,",
        "    y_train,",
        f"    batch_size={training.batch_size},",
        f"    epochs={training.epochs},",
        f"    validation_data=({'x_val, y_val' if held_out else 'x_test, y_test'}),",
    ]
    callbacks = ["early_stopping"] * bool(training.early_stopping) + ["learning_rate"] * bool(training.schedule)
    if callbacks:
        lines.append(f"    callbacks=[{', '.join(callbacks)}],")
    return "\n".join([*lines, ")"])
