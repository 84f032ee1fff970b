"""What the replay of a training sends to the page: the curves as stored, and the confusion matrices that are stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shared.groups import RunGroup
from dashboard.views.compare.replay import replay_data
from mnist_core.plots.learning_curves import Curve, curve_of
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.pages import words
from tests.support.synthetic import MakeRun, config, guesses, row

OpenPage = Callable[..., AppTest]


@pytest.fixture
def run(app: OpenPage, make_run: MakeRun) -> Run:
    """A run of six epochs, of which the fourth has the lowest validation loss; its predictions are stored."""
    losses = [0.9, 0.6, 0.5, 0.4, 0.45, 0.5]
    rows = [row(epoch, val_loss=loss) for epoch, loss in enumerate(losses, start=1)]
    run = make_run("mine", config(epochs=6), rows=rows, errors=20)
    writer = Store(run.path.parents[1]).open_writer(run.id)
    assert writer is not None
    writer.predictions(guesses(30, seed=1), epoch=4)
    writer.release()
    return run


def played(*runs: Run) -> dict:
    return replay_data([RunGroup((run,)) for run in runs], [curve_of(run, run.name, "#0072B2") for run in runs])


def test_every_epoch_is_played_with_the_stored_values(run: Run) -> None:
    data = played(run)
    (one,) = data["runs"]
    assert data["epochs"] == [1, 6]
    assert one["first"] == 1
    rows = run.rows()
    assert one["lines"]["loss"]["validation"] == [row.val_loss for row in rows]
    assert one["lines"]["accuracy"]["training"] == [row.accuracy for row in rows]
    assert [panel["key"] for panel in data["panels"]] == ["loss", "accuracy"]


def test_the_stored_epochs_have_their_confusion_matrices_and_say_which_they_are(run: Run) -> None:
    (one,) = played(run)["runs"]
    assert [(item["epoch"], item["words"]) for item in one["stored"]] == [
        (4, "lowest validation loss"),
        (6, "kept weights, last epoch"),
    ]
    wrong = [
        sum(count for truth, line in enumerate(item["matrix"]) for guess, count in enumerate(line) if truth != guess)
        for item in one["stored"]
    ]
    assert wrong == [30, 20]
    assert one["stored"][0]["caption"].startswith("Confusion matrix after epoch 4 (lowest validation loss): 30 of")
    assert one["note"] == "No confusion matrix is stored of so early an epoch; there are 2, of epoch 4 and 6."


def test_a_run_without_predictions_has_no_matrix_and_says_so(app: OpenPage, make_run: MakeRun) -> None:
    (one,) = played(make_run("bare", errors=None))["runs"]
    assert (one["stored"], one["note"]) == (
        [],
        "No predictions of this run are stored, so that there is no confusion matrix.",
    )


def test_runs_of_different_lengths_are_played_on_one_axis(run: Run, make_run: MakeRun) -> None:
    data = played(run, make_run("short", config((8,), epochs=2)))
    assert data["epochs"] == [1, 6]
    assert [len(one["lines"]["loss"]["validation"]) for one in data["runs"]] == [6, 2]


def test_a_value_that_is_not_finite_is_a_gap(run: Run) -> None:
    curve = curve_of(run, "mine", "#0072B2")
    curve.history.loc[2, "val_loss"] = float("inf")
    (one,) = replay_data([RunGroup((run,))], [curve])["runs"]
    assert one["lines"]["loss"]["validation"][2] is None


def test_a_change_by_hand_is_in_it(run: Run) -> None:
    curve = curve_of(run, "mine", "#0072B2")
    changed = Curve(curve.id, curve.label, curve.colour, curve.history, changes={3: "dropout 0.2 → 0.5"})
    (one,) = replay_data([RunGroup((run,))], [changed])["runs"]
    assert one["changes"] == [[3, "dropout 0.2 → 0.5"]]


def test_it_costs_nothing_until_it_is_opened(app: OpenPage, run: Run) -> None:
    page = app("views/compare/page.py", runs=run.id)
    assert "Dashed: training; solid: validation." not in words(page)
    page.session_state["replay"] = True
    page.run()
    assert not page.exception
    assert "Dashed: training; solid: validation." in words(page)
