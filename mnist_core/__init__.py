"""Train small digit classifiers and compare them honestly.

Importing this package does not import TensorFlow; training does.
"""

__version__ = "0.1.0"

from mnist_core.comparison import RunSummary, differences, summarise
from mnist_core.configs import (
    Augmentation,
    ConvLayer,
    CosineSchedule,
    DatasetConfig,
    DenseLayer,
    EarlyStopping,
    FlattenLayer,
    GlobalAverageLayer,
    HeldOutValidation,
    ModelConfig,
    PlateauSchedule,
    PoolLayer,
    RunConfig,
    StepSchedule,
    TestValidation,
    TrainingConfig,
)
from mnist_core.datasets import Catalog, Dataset
from mnist_core.errors import MnistCoreError
from mnist_core.jobs import LocalRunner, ServiceRunner, request
from mnist_core.presets import PRESETS, Preset, preset
from mnist_core.runs import Predictions, Run
from mnist_core.store import Store
from mnist_core.training import train

__all__ = [
    "PRESETS",
    "Augmentation",
    "Catalog",
    "ConvLayer",
    "CosineSchedule",
    "Dataset",
    "DatasetConfig",
    "DenseLayer",
    "EarlyStopping",
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
    "RunSummary",
    "ServiceRunner",
    "StepSchedule",
    "Store",
    "TestValidation",
    "TrainingConfig",
    "differences",
    "preset",
    "request",
    "summarise",
    "train",
]
