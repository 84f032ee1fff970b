"""A kind of layer that is added as one file and its name in `Layer` works everywhere, with nothing else changed.

The union of kinds is fixed when `Layer` is imported, so the project is copied, the file is added to the copy, and the
checks run in a process of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mnist_core

KIND = '''
"""Values of each image brought to mean 0 and spread 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from mnist_core.experiments.layers.base import (
    ForwardStep, HiddenLayer, KerasLayer, KerasReader, Part, Shape, dropout_part, dropout_setting,
)
from mnist_core.experiments.layers.keras_chain import KerasChain, require


def _read(chain: KerasChain, options: Mapping[str, Any]) -> None:
    require(options, center=True, scale=True, epsilon=0.001)
    chain.add("level")


class LevelLayer(HiddenLayer):
    label: ClassVar[str] = "Layer normalisation"
    about: ClassVar[str] = "Brings the values of each image to mean 0 and spread 1."
    place = "row"
    reads: ClassVar[Mapping[str, KerasReader]] = {"LayerNormalization": _read}

    kind: Literal["level"] = "level"
    dropout: float = dropout_setting()

    def parts(self, shape: Shape) -> list[Part]:
        size = shape[0]
        keras = KerasLayer("LayerNormalization")
        part = Part(
            "level", "by image", shape, keras, "levelled", 2 * size, weights=((size,), (size,)), step=_step,
        )
        return [part, *dropout_part(self.dropout, shape)]


def _step(scale: Any, offset: Any) -> ForwardStep:
    def level(values: Any) -> Any:
        spread = np.sqrt(values.var(-1, keepdims=True) + np.float32(1e-3))
        return (values - values.mean(-1, keepdims=True)) / spread * scale + offset

    return level
'''

CHECKS = """
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from dashboard.views.train import draft, layer_form
from mnist_core.comparison.diagnosis.rules import diagnose
from mnist_core.comparison.diagnosis.suggestions import LESS_DROPOUT, MORE_UNITS, suggestions
from mnist_core.experiments.configs import ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.links import layers_from, layers_text
from mnist_core.experiments.settings import LAYER_SETTINGS
from mnist_core.inspection.numpy_network import network_of
from mnist_core.plots.architecture import architecture_frame
from mnist_core.plots.network import network_columns
from mnist_core.runs.keras_file import read_network, read_weights
from mnist_core.training.models import build_model

layers = [{"kind": "dense", "units": 8}, {"kind": "level", "dropout": 0.5}]
config = ModelConfig.model_validate({"layers": layers})
assert config.summary() == "dense 8, level relu, dropout 0/0.5", config.summary()
assert ModelConfig.model_validate({"layers": layers_from(layers_text(config.model_dump()["layers"]))}) == config

model = build_model(config)
assert config.parameter_count() == model.count_params() == 785 * 8 + 2 * 8 + 9 * 10
assert [part.output_shape for _, part in config.parts()] == [layer.output.shape[1:] for layer in model.layers]
assert config.parts()[2][1].keras.code() == "keras.layers.LayerNormalization()"

path = Path(sys.argv[1])
rng = np.random.default_rng(1)
model.set_weights([rng.uniform(0.01, 0.5, array.shape).astype(np.float32) for array in model.get_weights()])
model.save(path)
assert read_network(path) == config
images = rng.integers(0, 256, (6, 28, 28), np.uint8)
expected = model.predict((images / 255).astype(np.float32), verbose=0)
np.testing.assert_allclose(network_of(read_weights(config, path)).probabilities(images), expected, atol=1e-5)

assert list(LAYER_SETTINGS["level"]) == ["dropout"]
assert "level" in draft.addable(layers)
assert draft.outcomes(layers)[1] == ((8,), 16)
assert layer_form._with_dropout_slider(layers) == [0]

frame = architecture_frame(config)
assert list(frame["look"]) == ["bare", "weights", "weights", "dropout", "weights"]
assert [column.label for column in network_columns(config)] == ["784 pixels", "8 units", "10 digits"]
assert network_columns(config)[1].dropped == 4

run = RunConfig(model=config, training=TrainingConfig(epochs=1))
rows = [{"epoch": epoch, "loss": 0.2, "train_eval_loss": 0.1, "val_loss": 0.12} for epoch in range(1, 11)]
assert "dropout_raises_training_loss" in {finding.code for finding in diagnose(pd.DataFrame(rows), run)}
assert suggestions("underfitting", run, smooth=True, steady=True, stopped_early=False) == (LESS_DROPOUT, MORE_UNITS)
"""


def test_a_kind_is_one_file_and_its_name_in_the_union(tmp_path: Path) -> None:
    root = Path(mnist_core.__file__).parents[1]
    for name in ("mnist_core", "dashboard"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "mnist_core" / "experiments" / "layers"
    (folder / "level.py").write_text(KIND, encoding="utf-8")
    union = "DenseLayer | ConvLayer |"
    registry = (folder / "__init__.py").read_text(encoding="utf-8")
    assert registry.count(union) == 1
    registry = registry.replace(union, f"LevelLayer | {union}").replace(
        "\nLayer = ", "\nfrom mnist_core.experiments.layers.level import LevelLayer\n\nLayer = ", 1
    )
    (folder / "__init__.py").write_text(registry, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, str(tmp_path / "new.keras")], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
