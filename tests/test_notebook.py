"""What a notebook does with the package, in a process of its own, on the embedded digits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import mnist_core as mc
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store

ROOT = Path(__file__).parent.parent

SCRIPT = """
import mnist_core as mc

run = mc.fit("notebook/model_1", dataset="digits", epochs=3, name="mine")
other = mc.fit("notebook/model_2", dataset="digits", epochs=2, training__learning_rate=1e-4)
again = mc.fit("notebook/model_1", dataset="digits", epochs=3)
assert again.id == run.id, "the same experiment is the same run"

table = mc.runs()
assert {"mine", other.name} <= set(table["name"])

found = mc.compare(run, other.name)
print(found)
print(found.to_frame().to_string())
assert "<table" in found._repr_html_()
assert found.decision in ("better", "worse", "equivalent", "undecided")

print(mc.diagnose(run))
for chart in (mc.plots.curves([run, other]), mc.plots.confusion(run), mc.plots.disagreements(run, other), found.plot()):
    assert chart.to_dict()["$schema"]
"""


def test_a_notebook_trains_compares_diagnoses_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_CORE_STORE", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert "val_accuracy" in done.stdout, "a bar shows the epochs"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Run, Run]:
    store = Store(tmp_path_factory.mktemp("notebook"))
    small = mc.RunConfig(model=mc.ModelConfig(layers=[16]), training=mc.TrainingConfig(epochs=2))  # type: ignore
    return store, mc.fit(small, name="small", store=store), mc.fit(small, epochs=1, name="shorter", store=store)


def test_two_runs_are_compared_by_name_with_the_decision_of_the_page(two: tuple[Store, Run, Run]) -> None:
    store, small, _ = two
    found = mc.compare("small", "shorter", store=store)
    verdict = found.comparison.verdicts[0]
    assert found.decision == verdict.accuracy.answer
    frame = found.to_frame()
    assert frame.loc[small.id, "test_accuracy"] == mc.summarise(small).test.accuracy  # type: ignore[union-attr]
    assert frame["answer"].tolist()[1] == found.decision
    assert "shorter" in found.sentence


def test_a_table_with_two_columns_can_be_diagnosed() -> None:
    losses = [1.0 / epoch for epoch in range(1, 13)]
    found = mc.diagnose(pd.DataFrame({"loss": losses, "val_loss": [*losses[:6], *(0.3 * k for k in range(1, 7))]}))
    assert found
    assert repr(found) == "\n".join(found.sentences)


def test_a_name_that_means_nothing_or_a_wrong_setting_is_an_error_of_the_package(two: tuple[Store, Run, Run]) -> None:
    store = two[0]
    with pytest.raises(mc.MnistCoreError, match="no run is called 'nothing'"):
        mc.compare("small", "nothing", store=store)
    with pytest.raises(mc.MnistCoreError, match="there is no preset"):
        mc.fit("model_9", store=store)
    with pytest.raises(mc.MnistCoreError, match="has no field 'rate'"):
        mc.fit("notebook/model_1", training__rate=1.0, store=store)


def test_charts_need_a_run_with_something_to_draw(tmp_path: Path, small_config: mc.RunConfig) -> None:
    store = Store(tmp_path)
    run, _ = store.add(small_config, name="waiting")
    with pytest.raises(mc.MnistCoreError, match="has no stored predictions; it is queued"):
        mc.plots.confusion(run)
    with pytest.raises(mc.MnistCoreError, match="none of the 1 runs has a finished epoch"):
        mc.plots.curves(run)


def test_the_names_of_the_package_are_all_there() -> None:
    for name in mc.__all__:
        assert getattr(mc, name) is not None


def test_the_table_of_runs_can_be_filtered_and_has_the_settings(two: tuple[Store, Run, Run]) -> None:
    store, small, shorter = two
    assert list(mc.runs(store=store).index) == [small.id, shorter.id]
    found = mc.runs("planned_epochs == 2 and accuracy > 0", settings=True, store=store)
    assert list(found.index) == [small.id]
    assert found.loc[small.id, "learning_rate"] == 0.001
    assert found.loc[small.id, "test_accuracy"] == mc.summarise(small).test.accuracy  # type: ignore[union-attr]
    assert list(mc.runs("accuracy < 0", store=store).columns) == list(mc.runs(store=store).columns)
    with pytest.raises(mc.MnistCoreError, match="there is no column acuracy: is it accuracy"):
        mc.runs("acuracy > 0.9", store=store)
