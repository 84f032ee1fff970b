"""Frameworks that are not among the requirements: in the environment, or in a folder of their own, `.backends`."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".backends"
"""Apart from the environment, since TensorFlow imports JAX in every process where it can: 0.3 s and 120 MB each."""


def environment_with(framework: str) -> dict[str, str]:
    """Return the environment of a process that can import this package and a framework; skip the test where none is."""
    paths = [str(ROOT)]
    if importlib.util.find_spec(framework) is None:
        if not (FOLDER / framework).is_dir():
            pytest.skip(f"{framework} is not installed, here or in {FOLDER.name} (docs/code.md)")
        paths.append(str(FOLDER))
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
