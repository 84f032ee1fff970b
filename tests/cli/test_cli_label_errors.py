"""The command `label-errors`, on runs that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnist_core.cli import main
from mnist_core.constants import MNIST_FINGERPRINT
from mnist_core.evaluation.label_errors import effect, known_errors
from mnist_core.runs.store import Store, default_root


def shipped(folder: Path, dataset: str) -> str:
    """The id of a run on that data, in a store in `folder` that has it."""
    (folder / "reference").symlink_to(default_root() / "reference", target_is_directory=True)
    return next(run.id for run in Store(folder).runs() if run.config.dataset.name == dataset and run.predictions())


def test_a_run_on_mnist_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = shipped(tmp_path, "mnist")
    assert main(["label-errors", run_id, "--json", "--store", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    predictions = Store(tmp_path).get(run_id).predictions()
    assert found["effect"] == effect(predictions, MNIST_FINGERPRINT)._asdict()
    assert [row["index"] for row in found["known"]] == list(known_errors(MNIST_FINGERPRINT))
    assert all(row["guess"] == predictions.predicted[row["index"]] for row in found["known"])
    doubted = found["doubted"][0]
    assert predictions.labels[doubted["index"]] == doubted["given"] != doubted["likely"]


def test_as_tables_and_on_data_without_known_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label-errors", shipped(tmp_path, "mnist"), "--store", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "neither" in out
    assert "known label errors. Accuracy: 9" in err
    (other := tmp_path / "other").mkdir()
    assert main(["label-errors", shipped(other, "digits"), "--store", str(other)]) == 0
    assert "No label errors are known of digits" in capsys.readouterr().err


def test_a_run_without_guesses_says_so(tmp_path: Path, small_config, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = Store(tmp_path).add(small_config, name="queued", fingerprint="0" * 16)
    assert main(["label-errors", run.id, "--store", str(tmp_path)]) == 1
    assert "has no guesses on the test images" in capsys.readouterr().err
