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
NAMES = {"keras_mnist": "keras example", "scikit_learn_forest": "forest example", "pytorch_mnist": "pytorch example"}


class Reader:
    """Runs each example once, on the digits, in one store; notebook/model_1 was trained there on them before."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "artifacts")
        self._folder = folder
        self._data = folder / "digits.npz"
        digits = self.store.catalog.load("digits")
        np.savez(self._data, **{name: getattr(digits, name) for name in ("x_train", "y_train", "x_test", "y_test")})
        fit("notebook/model_1", dataset="digits", epochs=3, name="notebook/model_1", store=self.store)
        self._printed: dict[str, str] = {}

    def executed(self, name: str) -> str:
        """Return what an example prints; it runs as its reader runs it, and its framework must be installed."""
        if name not in self._printed:
            environment = environment_with(EXAMPLES[name]) | {"MNIST_CORE_STORE": str(self.store.root)}
            done = subprocess.run(
                [sys.executable, str(ROOT / "examples" / f"{name}.py"), str(self._data)],
                cwd=self._folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            self._printed[name] = done.stdout
        return self._printed[name]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("examples"))


@pytest.fixture
def store(reader: Reader) -> Store:
    """The store that the examples write to, for all tests here; none of them changes it otherwise."""
    return reader.store


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
def test_an_example_ends_in_a_decision(name: str, reader: Reader) -> None:
    printed = reader.executed(name)
    assert "notebook/model_1" in printed
    assert NAMES[name] in printed
    run = reader.store.find(NAMES[name])
    assert run.dataset == "digits"
    assert run.pictures
    scores = run.test_scores()
    assert scores is not None
    assert scores.images == 355
    assert scores.accuracy > 0.7


@pytest.mark.parametrize("network", ["keras_mnist", pytest.param("pytorch_mnist", marks=pytest.mark.optional)])
def test_a_forest_a_foreign_network_and_model_1_stand_in_one_comparison_one_gallery_and_one_report(
    network: str, app, runner: FakeRunner, reader: Reader, store: Store, tmp_path: Path
) -> None:
    for name in ("scikit_learn_forest", network):
        reader.executed(name)
    names = (NAMES["scikit_learn_forest"], NAMES[network], "notebook/model_1")
    runs = {name: store.find(name) for name in names}
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
    assert set(page.multiselect(key="run_picker").value) == {run.id for run in runs.values()}
    assert "adjusted for 2 comparisons" in text_of(page)
