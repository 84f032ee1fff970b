"""What the tests of runs from outside share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnist_core.data.datasets import Catalog, Dataset
from mnist_core.runs.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalog(tmp_path_factory.mktemp("catalog")).load("digits")
