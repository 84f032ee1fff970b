"""The command `disagreements`, on the runs that ship."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mnist_core.cli import main
from mnist_core.runs.store import Store, default_root


@pytest.fixture
def shipped(tmp_path: Path) -> list[str]:
    """Ids of three runs judged on the same images, in a store that has them."""
    (tmp_path / "reference").symlink_to(default_root() / "reference", target_is_directory=True)
    runs = [run for run in Store(tmp_path).runs() if run.config.dataset.name == "mnist" and run.predictions()]
    return [run.id for run in runs[:3]]


def test_two_runs_in_json_are_the_numbers_of_their_predictions(
    shipped: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disagreements", *shipped[:2], "--json", "--store", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    a, b = (Store(tmp_path).get(run_id).predictions() for run_id in shipped[:2])
    (pair,) = found["pairs"]
    assert (pair["a"], pair["b"]) == tuple(shipped[:2])
    assert pair["only_a"] == np.sum((a.predicted == a.labels) & (b.predicted != b.labels))
    assert pair["only_b"] == np.sum((a.predicted != a.labels) & (b.predicted == b.labels))
    assert pair["disagreements"] == np.sum(a.predicted != b.predicted)
    assert pair["images"] == 10_000
    assert np.array(pair["difference_matrix"]).shape == (10, 10)
    assert "wrong_by" not in found


def test_three_runs_as_tables(shipped: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["disagreements", *shipped, "--store", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "both right" in out
    assert "B minus A" in out
    assert err.count("They disagree on") == 2
    assert "How many of the 3 runs get an image wrong" in err


def test_one_run_alone_says_what_is_missing(
    shipped: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disagreements", shipped[0], "--store", str(tmp_path)]) == 2
    assert "give two or more" in capsys.readouterr().err
