"""`examples/`: at most three lines more than a plain training, and the model stands next to those of this project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard import state
from mnist_core.cli.parser import main
from mnist_core.notebook import compare, fit
from mnist_core.runs.store import Store
from tests.support.frameworks import environment_with
from tests.support.jobs import FakeRunner
from tests.support.pages import gallery_items, text_of

ROOT = Path(__file__).parents[2]
EXAMPLES = {"keras_mnist": "keras", "scikit_learn_forest": "sklearn", "pytorch_mnist": "torch"}
NAMES = {"keras_mnist": "keras example", "pytorch_mnist": "pytorch example"}


@pytest.fixture
def data(store: Store) -> Path:
    """The digits as an `.npz` of MNIST's form, and a store in which notebook/model_1 was trained on them."""
    digits = store.catalog.load("digits")
    path = store.root / "digits.npz"
    np.savez(path, **{name: getattr(digits, name) for name in ("x_train", "y_train", "x_test", "y_test")})
    fit("notebook/model_1", dataset="digits", epochs=3, name="notebook/model_1", store=store)
    return path


def executed(name: str, data: Path, store: Store, folder: Path) -> str:
    """Return what an example prints; it runs as its reader runs it, and its framework must be installed."""
    environment = environment_with(EXAMPLES[name]) | {"MNIST_CORE_STORE": str(store.root)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), str(data)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_three_lines_are_added_and_the_training_is_plain_without_them(name: str) -> None:
    lines = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8").splitlines()
    added = [line for line in lines if line.endswith("# added")]
    plain = "\n".join(line for line in lines if line not in added)
    assert len(added) == 3
    assert "mc." not in plain
    assert "mnist_core" not in plain
    compile(plain, name, "exec")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.optional) if name == "pytorch_mnist" else name for name in EXAMPLES]
)
def test_an_example_ends_in_a_decision(name: str, data: Path, store: Store, tmp_path: Path) -> None:
    printed = executed(name, data, store, tmp_path)
    assert "notebook/model_1" in printed
    assert "example" in printed
    (run,) = [run for run in store.runs() if run.name.endswith("example")]
    assert run.dataset == "digits"
    assert run.pictures
    scores = run.test_scores()
    assert scores is not None
    assert scores.images == 355
    assert scores.accuracy > 0.7


@pytest.mark.parametrize("network", ["keras_mnist", pytest.param("pytorch_mnist", marks=pytest.mark.optional)])
def test_a_forest_a_foreign_network_and_model_1_stand_in_one_comparison_one_gallery_and_one_report(
    network: str, app, runner: FakeRunner, data: Path, store: Store, tmp_path: Path
) -> None:
    for name in ("scikit_learn_forest", network):
        executed(name, data, store, tmp_path)
    runs = {run.name: run for run in store.runs()}
    names = ("forest example", NAMES[network], "notebook/model_1")
    assert set(runs) == set(names)
    compared = compare(*(runs[name] for name in names), store=store)
    for name in names:
        assert name in str(compared)
    out = tmp_path / "report.html"
    assert main(["report", *(run.id for run in runs.values()), "--out", str(out), "--store", str(store.root)]) == 0
    written = out.read_text(encoding="utf-8")
    assert all(name in written for name in names)
    page = app("views/disagreements/page.py", **{state.CHOSEN: ",".join(run.id for run in runs.values())})
    assert not page.exception
    assert gallery_items(page)
    assert all(name in text_of(page) for name in names)
