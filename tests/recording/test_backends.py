"""RunLogger on the other backends of Keras: the tests marked `any_backend` pass there as they do on TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.frameworks import ROOT, environment_with

MARKED = 6


@pytest.mark.parametrize("backend", ["jax", pytest.param("torch", marks=pytest.mark.optional)])
def test_the_callback_works_on_another_backend(backend: str, tmp_path: Path) -> None:
    environment = environment_with(backend) | {"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
            f"--basetemp={tmp_path}/in", "-m", "any_backend", "tests/recording/test_run_logger.py",
        ],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{MARKED} passed" in done.stdout
