"""Train small digit classifiers and compare them honestly.

Importing this package does not import TensorFlow; training does.
"""

import importlib
from typing import Any

from mnist_core.constants import __version__
from mnist_core.data.datasets import Catalog, Dataset
from mnist_core.errors import MnistCoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import (
    Augmentation,
    CosineSchedule,
    DatasetConfig,
    EarlyStopping,
    HeldOutValidation,
    ModelConfig,
    PlateauSchedule,
    RunConfig,
    StepSchedule,
    TestValidation,
    TrainingConfig,
)
from mnist_core.experiments.layers import ConvLayer, DenseLayer, FlattenLayer, GlobalAverageLayer, PoolLayer
from mnist_core.experiments.presets import PRESETS, Preset, preset
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import LocalRunner, ServiceRunner
from mnist_core.notebook import ComparedRuns, Findings, compare, diagnose, fit, runs
from mnist_core.recording.record import record
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.summary import RunSummary, differences, summarise
from mnist_core.training.train import train

__all__ = [
    "PRESETS",
    "Augmentation",
    "Catalog",
    "ComparedRuns",
    "ConvLayer",
    "CosineSchedule",
    "Dataset",
    "DatasetConfig",
    "DenseLayer",
    "EarlyStopping",
    "Findings",
    "FlattenLayer",
    "GlobalAverageLayer",
    "HeldOutValidation",
    "LocalRunner",
    "MnistCoreError",
    "ModelConfig",
    "PlateauSchedule",
    "PoolLayer",
    "Predictions",
    "Preset",
    "Run",
    "RunConfig",
    "RunLogger",
    "RunSummary",
    "ServiceRunner",
    "StepSchedule",
    "Store",
    "TestValidation",
    "TrainingConfig",
    "__version__",
    "compare",
    "diagnose",
    "differences",
    "fit",
    "plots",
    "preset",
    "record",
    "request",
    "runs",
    "summarise",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "plots":  # imports Altair only when one draws
        return importlib.import_module("mnist_core.plots")
    if name == "RunLogger":  # imports Keras only when one logs
        return importlib.import_module("mnist_core.recording.run_logger").run_logger()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
