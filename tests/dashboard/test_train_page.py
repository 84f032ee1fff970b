"""The Train page: the form, what it hands over, and what it says of live and ended runs. Nothing is trained here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shared.progress import words as progress_words
from dashboard.views.train import live
from mnist_core.comparison.verdicts import compare
from mnist_core.comparison.words.verdicts import verdict_words
from mnist_core.experiments.presets import PRESETS
from mnist_core.files import write_json
from mnist_core.jobs import watch
from mnist_core.jobs.execution import environment
from mnist_core.jobs.local_service import ServiceStatus
from mnist_core.runs.records import EpochRow, LiveProgress, Origin
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.text import for_markdown
from tests.support.jobs import FakeRunner
from tests.support.pages import click, text_of, words
from tests.support.synthetic import MakeRun, config, epoch_row

MODEL_1 = PRESETS["notebook/model_1"].config.replace(dataset__name="digits")
OpenPage = Callable[..., AppTest]


@pytest.fixture
def page(app: OpenPage, runner: FakeRunner) -> AppTest:
    test = app("views/train/page.py")
    assert not test.exception
    return test


def unfold(test: AppTest, menu: str) -> AppTest:
    """Open a menu, which is drawn only while it is open."""
    test.session_state[menu] = True
    return test.run()


# -- an empty store ----------------------------------------------------------------------------------------------------


def test_it_opens_on_model_1_and_says_what_is_missing(page: AppTest) -> None:
    assert page.selectbox(key="train_source").value == "preset:notebook/model_1"
    assert page.slider(key="train_layer_0_dropout").value == 0.2
    text = words(page)
    assert "**55,050** parameters" in text
    assert "no run on such a processor yet" in text
    assert "MNIST is not here: digits is used" in text
    assert "No published figure on digits" in text
    assert "Published on MNIST: " not in text
    assert "Nothing is training yet" in text
    assert "2 workers ready." in text


def test_an_estimate_says_on_which_kind_of_processor_it_was_measured_and_claims_no_machine(
    app: OpenPage, runner: FakeRunner, store: Store, make_run: MakeRun
) -> None:
    """A run records its processor only: one that ships may have been trained on another machine of the same kind."""
    run = make_run("shipped", MODEL_1)
    write_json(run.path / "environment.json", environment())
    shipped = store.root / "reference"
    shipped.mkdir()
    run.path.rename(shipped / run.id)
    assert store.get(run.id).read_only
    page = app("views/train/page.py")
    assert "estimated from 1 run on a processor of this kind" in text_of(page)
    assert "this machine" not in text_of(page)


def test_the_first_slider_sets_the_dropout_of_all_layers(page: AppTest, store: Store) -> None:
    assert page.slider[0].key == "train_dropout_all"
    assert page.slider[0].label == "Dropout, all layers"
    page.slider(key="train_dropout_all").set_value(0.5).run()
    assert [page.slider(key=f"train_layer_{layer}_dropout").value for layer in (0, 1)] == [0.5, 0.5]
    click(page, "Train")
    assert [layer.dropout for layer in store.runs()[0].config.model.layers] == [0.5, 0.5]


def test_it_says_where_the_layers_differ_in_dropout(page: AppTest) -> None:
    page.slider(key="train_layer_1_dropout").set_value(0.4).run()
    assert page.slider(key="train_dropout_all").label == "Dropout, all layers (now 0.2, 0.4)"
    page.selectbox(key="train_source").set_value("preset:coursera/cnn").run()
    assert page.slider(key="train_dropout_all").label.startswith("Dropout")


def test_the_network_is_drawn_with_what_dropout_leaves_out(page: AppTest) -> None:
    assert "2 of 10 drawn ones crossed out" in words(page) + "".join(str(item.proto) for item in page.get("html"))
    page.slider(key="train_dropout_all").set_value(0.5).run()
    assert "5 of 10 drawn ones crossed out" in "".join(str(item.proto) for item in page.get("html"))


def test_train_hands_over_what_is_shown(page: AppTest, store: Store, runner: FakeRunner) -> None:
    page.slider(key="train_layer_0_dropout").set_value(0.5).run()
    click(page, "Train")
    [run] = store.runs()
    assert runner.submitted == [run.id]
    assert run.config == MODEL_1.replace(model__layers__0__dropout=0.5)
    assert run.name == "model_1, dropout 0.5/0.2"
    assert run.meta.preset is None
    assert page.multiselect(key="run_picker").value == [run.id]
    assert "next in line" in words(page) + "".join(str(p.proto.text) for p in page.get("progress"))


def test_an_unchanged_preset_keeps_its_published_figures(page: AppTest, store: Store) -> None:
    click(page, "Train")
    assert store.runs()[0].meta.preset == "notebook/model_1"
    assert store.runs()[0].name == "model_1"


def test_a_name_of_ones_own(page: AppTest, store: Store) -> None:
    page.text_input(key="train_name").set_value("  for the class  ").run()
    click(page, "Train")
    assert store.runs()[0].name == "for the class"


def test_the_parameter_count_follows_the_units(page: AppTest) -> None:
    page.select_slider(key="train_layer_0_units").set_value(128).run()
    expected = MODEL_1.replace(model__layers__0__units=128).model.parameter_count()
    assert f"**{expected:,}** parameters" in words(page)
    assert "100,480" in str(page.table[0].value)  # 785 · 128


def test_layers_are_added_and_removed(page: AppTest) -> None:
    page.menu_button(key="train_add").click("dense").run()
    assert page.slider(key="train_layer_2_dropout").value == 0.2
    page.slider(key="train_layer_2_dropout").set_value(0.7).run()
    unfold(page, "train_more_0").button(key="train_remove_0").click().run()
    assert page.slider(key="train_layer_1_dropout").value == 0.7
    assert "train_layer_2_dropout" not in [slider.key for slider in page.slider]


def test_a_convolutional_preset_fills_the_list_of_layers(page: AppTest, store: Store) -> None:
    page.selectbox(key="train_source").set_value("preset:coursera/cnn").run()
    assert not page.exception
    assert "24×24×24" in words(page)
    assert "24×24×24" in str(page.table[0].value)
    page.select_slider(key="train_epochs").set_value(3).run()
    click(page, "Train")
    [run] = store.runs()
    assert run.config == PRESETS["coursera/cnn"].config.replace(dataset__name="digits", training__epochs=3)
    assert run.name == "cnn, 3 epochs"
    page.selectbox(key="train_source").set_value("preset:notebook/model_1").run()
    assert not page.exception
    assert page.slider(key="train_layer_1_dropout").value == 0.2


def test_a_dense_network_becomes_convolutional_and_its_layers_are_moved_and_removed(
    page: AppTest, store: Store
) -> None:
    for kind in ("conv", "pool"):
        page.menu_button(key="train_add").click(kind).run()
    page.button(key="train_open_0").click().run().select_slider(key="train_layer_0_filters").set_value(8).run()
    assert "28×28×8 · 80" in words(page)
    assert "14×14×8" in words(page)
    page.button(key="train_down_0").click().run()  # pooling first
    assert "14×14×8 · 80" in words(page)
    click(page, "Train")
    layers = store.runs()[0].config.model.layers
    assert [layer.kind for layer in layers] == ["pool", "conv", "dense", "dense"]
    page.button(key="train_open_1").click().run()  # folds it
    for _ in range(2):
        page.button(key="train_open_0").click().run().button(key="train_remove_0").click().run()
    assert page.slider(key="train_layer_0_dropout").label == "Layer 1: dropout"  # a dense one again


def test_layers_that_do_not_fit_are_refused_in_words_and_the_others_keep_their_shapes(page: AppTest) -> None:
    page.selectbox(key="train_source").set_value("preset:coursera/cnn").run()
    before = [caption.value for caption in page.caption if "×" in caption.value]
    last = len(PRESETS["coursera/cnn"].config.model.layers) - 1
    page.button(key=f"train_open_{last}").click().run().button(key=f"train_up_{last}").click().run()
    page.button(key=f"train_up_{last - 1}").click().run()
    assert "needs pixels in their places" in words(page)
    assert "does not fit" in words(page)
    assert before[0] in words(page)
    assert next(button for button in page.button if button.label == "Train").disabled


def test_schedule_smoothing_and_augmentation_are_trained_with_and_pictured(page: AppTest, store: Store) -> None:
    assert "None: all sliders are at 0." in words(page)
    page.selectbox(key="train_schedule").set_value("step").run()
    page.select_slider(key="train_schedule_every").set_value(10).run()
    assert "0.001 at first, 0.00025 in the last epoch" in words(page)  # 30 epochs: halved twice
    page.slider(key="train_label_smoothing").set_value(0.1).run()
    page.slider(key="train_rotation").set_value(15.0).run()
    assert "None: all sliders are at 0." not in words(page)
    assert len(page.get("image")) == 1
    first = page.get("image")[0].value
    page.button(key="train_preview_next").click().run()
    assert page.get("image")[0].value != first
    click(page, "Train")
    expected = MODEL_1.replace(
        training__schedule={"kind": "step", "factor": 0.5, "every": 10},
        training__label_smoothing=0.1,
        training__augmentation={"rotation": 15},
    )
    assert store.runs()[0].config == expected
    page.selectbox(key="train_schedule").set_value("plateau").run()
    assert "depends on the validation loss" in words(page)


def test_another_preset_sets_every_slider_and_leaves_the_dataset(page: AppTest) -> None:
    page.slider(key="train_layer_0_dropout").set_value(0.9).run()
    page.selectbox(key="train_source").set_value("preset:tuning/best_mlp").run()
    assert not page.exception
    assert page.slider(key="train_layer_0_dropout").value == 0.0
    assert page.select_slider(key="train_layer_0_units").value == 128
    assert unfold(page, "train_more_0").selectbox(key="train_layer_0_activation").value == "tanh"
    assert page.toggle(key="train_early_stopping").value
    assert page.number_input(key="train_held_count").value == 10_000


def test_another_page_and_back_keeps_what_was_set(page: AppTest) -> None:
    page.slider(key="train_layer_1_dropout").set_value(0.6).run()
    page.select_slider(key="train_epochs").set_value(12).run()
    page.text_input(key="train_name").set_value("mine").run()
    page.switch_page("views/data.py").run()
    page.switch_page("views/train/page.py").run()
    assert not page.exception
    assert page.slider(key="train_layer_1_dropout").value == 0.6
    assert page.select_slider(key="train_epochs").value == 12
    assert page.text_input(key="train_name").value == "mine"


def test_momentum_is_offered_for_sgd_only(page: AppTest) -> None:
    assert "train_momentum" not in [slider.key for slider in page.slider]
    # AppTest cannot click segmented controls
    page.session_state["train_optimizer"] = "sgd"
    page.run()
    assert page.slider(key="train_momentum").value == 0.0


def test_holding_out_too_much_is_refused_beside_the_form_and_nothing_is_lost(page: AppTest, store: Store) -> None:
    page.selectbox(key="train_source").set_value("preset:tuning/baseline").run()  # holds out 10,000 of 1,442
    assert "holding out 10000 of 1442" in words(page).lower()
    assert page.button(key="train_go").disabled
    page.number_input(key="train_held_count").set_value(300).run()
    assert not page.button(key="train_go").disabled
    click(page, "Train")
    assert store.runs()[0].config.training.validation.size(1442) == 300


def test_a_job_service_that_is_away_is_said_in_words(page: AppTest, runner: FakeRunner) -> None:
    runner.problem = "the job service does not answer"
    click(page, "Train")
    assert "The job service does not answer." in words(page)


# -- with runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(store: Store) -> Callable[..., Run]:
    """Synthetic runs on the real digits, so that the page finds them by their identity."""

    def make(run_config=MODEL_1, *, name: str = "model_1", state: str = "finished", rows: int = 3, **ended) -> Run:
        run, _ = store.add(run_config, name=name)
        if state == "queued":
            return run
        writer = store.open_writer(run.id)
        assert writer is not None
        writer.started([])
        for epoch in range(1, rows + 1):
            writer.epoch(epoch_row(epoch))
        if state != "running":
            writer.ended(state, ended.get("reason", "as asked"), best_epoch=rows, kept_epoch=rows)
        return store.get(run.id)

    return make


def test_what_is_trained_already_is_shown_and_not_trained_again(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]
) -> None:
    run = trained()
    page = app("views/train/page.py", base="notebook/model_1", dataset="digits")
    assert "Trained already." in words(page)  # before the click, not only after it
    page = click(page, "Show it")
    assert runner.submitted == []
    assert "Already trained: here it is." in words(page)
    assert page.multiselect(key="run_picker").value == [run.id]


def test_where_model_1_is_trained_it_opens_one_step_away_so_that_the_first_click_trains(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    trained()
    page = app("views/train/page.py")
    assert page.slider(key="train_dropout_all").value == 0.5
    click(page, "Train")
    assert [run.config.model.layers[0].dropout for run in store.runs()] == [0.2, 0.5]
    assert app("views/train/page.py").slider(key="train_dropout_all").value == 0.5  # it is not finished yet


def test_a_click_on_train_leaves_the_chosen_runs_in_their_order(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    """It used to put the recipe that the form starts from first, and so made another run the baseline."""
    model_1, other = trained(), trained(config((48,)), name="other")
    page = app("views/train/page.py", runs=f"{other.id},{model_1.id}")
    click(page, "Train")
    new = next(run.id for run in store.runs() if run.id not in (model_1.id, other.id))
    assert page.multiselect(key="run_picker").value == [other.id, model_1.id, new]


def test_the_card_of_a_finished_run_measures_it_against_the_first_chosen_one(
    app: OpenPage, runner: FakeRunner, make_run: MakeRun
) -> None:
    base, new = make_run("first", config((64,)), errors=20), make_run("new", config((48,)), errors=8)
    page = app("views/train/page.py", runs=f"{base.id},{new.id}")
    (verdict,) = compare([base, new], base).verdicts
    assert for_markdown(verdict_words(verdict, {base.id: "first", new.id: "new"})) in words(page)
    links = {link.proto.label: link.proto.query_string for link in page.get("page_link")}
    assert "Compare" in links
    assert any(label.startswith("See its ") and label.endswith("mistakes") for label in links)
    assert f"inspect={new.id}" in next(query for label, query in links.items() if label.startswith("See its"))


def test_the_last_result_stays_while_another_run_is_trained(
    app: OpenPage, runner: FakeRunner, make_run: MakeRun, trained: Callable[..., Run]
) -> None:
    """So that the curves below it stay where they are."""
    base, last = make_run("first", config((64,)), errors=20), make_run("new", config((48,)), errors=8)
    trained(state="running")
    page = app("views/train/page.py", runs=f"{base.id},{last.id}")
    assert "<b>new</b> finished" in text_of(page)
    assert "new is better than first" in text_of(page)


def test_of_a_run_without_a_result_the_last_result_is_shown_too(
    app: OpenPage, runner: FakeRunner, make_run: MakeRun, trained: Callable[..., Run]
) -> None:
    finished = make_run("done", config((64,)), errors=20)
    trained(state="cancelled", name="given up", reason="cancelled in epoch 4 of 30")
    text = text_of(app("views/train/page.py", runs=finished.id))
    assert text.index("<b>given up</b> cancelled in epoch 4 of 30") < text.index("<b>done</b> finished")


@pytest.mark.parametrize(
    ("errors", "words_of_it"), [(8, "+2.40 points against first: better"), (20, "0.00 points against first: too close")]
)
def test_a_run_that_ends_while_it_is_watched_has_a_short_result_until_that_is_closed(
    app: OpenPage, runner: FakeRunner, make_run: MakeRun, store: Store, errors: int, words_of_it: str
) -> None:
    base = make_run("first", config((64,)), errors=20)
    run, _ = store.add(config((48,)), name="new", fingerprint=base.status.fingerprint)
    page = app("views/train/page.py", runs=f"{base.id},{run.id}")
    assert not [button for button in page.button if button.key == "short_close"]
    make_run("new", config((48,)), errors=errors)
    page.run()
    assert words_of_it in text_of(page)
    page.button(key="short_close").click().run()
    assert "points against first:" not in text_of(page)
    assert not [button for button in app("views/train/page.py").button if button.key == "short_close"]


def test_the_short_result_goes_with_the_next_start_and_says_of_what_was_stopped_how_far_it_came(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    run = trained(state="queued", name="mine")
    page = app("views/train/page.py")
    runner.cancel(run.id)
    page.run()
    assert "<b>mine</b> cancelled after 0 of 30 epochs" in text_of(page)
    click(page, "One more seed")
    assert "<b>mine</b> cancelled after 0 of 30 epochs" not in text_of(page)


def test_what_the_curves_of_the_last_run_say_is_under_it(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]
) -> None:
    trained()
    assert "the validation loss fell in every epoch" in words(app("views/train/page.py"))


def test_a_run_in_progress_is_joined(app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]) -> None:
    run = trained(state="running")
    page = click(app("views/train/page.py"), "Train")
    assert "in progress already" in words(page)
    assert page.multiselect(key="run_picker").value == [run.id]


def test_a_new_run_is_drawn_over_the_untouched_recipe(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    base = trained()
    page = app("views/train/page.py")
    page.slider(key="train_layer_0_dropout").set_value(0.5).run()
    click(page, "Train")
    new = next(run for run in store.runs() if run.id != base.id)
    assert page.multiselect(key="run_picker").value == [base.id, new.id]


def test_live_jobs_are_listed_with_their_place(app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]) -> None:
    trained(state="running", name="one")
    trained(MODEL_1.replace(training__seed=1), state="queued", name="two")
    trained(MODEL_1.replace(training__seed=2), state="queued", name="three")
    page = app("views/train/page.py")
    lines = [str(bar.proto.text) for bar in page.get("progress")]
    assert lines[0].startswith("epoch 4 of 30, ")
    assert lines[1:] == ["next in line", "waiting: number 2 in line"]


def test_cancel_asks_the_run_to_stop(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    run = trained(state="running")
    page = click(app("views/train/page.py"), "Cancel")
    assert (run.path / "cancel").exists()
    page.run()
    click(page, "Stop at once")
    assert runner.killed == [run.id]


def test_a_cancelled_run_can_be_resumed(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    run = trained(state="cancelled", reason="cancelled in epoch 4")
    page = app("views/train/page.py")
    assert "cancelled" in words(page)
    assert "cancelled in epoch 4, 3 of 30 epochs" in words(page).replace("\\", "")
    click(page, "Resume")
    assert store.get(run.id).state == "queued"
    assert runner.submitted == [run.id]


def test_a_diverged_run_says_so_and_offers_no_resume(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]
) -> None:
    trained(state="diverged")
    page = app("views/train/page.py")
    assert "the loss grew beyond all bounds" in words(page)
    assert "Resume" not in [button.label for button in page.button]


def test_another_seed_takes_the_next_unused_one(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], store: Store
) -> None:
    trained()
    click(app("views/train/page.py"), "One more seed")
    new = store.runs()[1]
    assert new.config == MODEL_1.replace(training__seed=1)
    assert new.name == "model_1, seed 1"
    assert new.id in runner.submitted


def test_runs_that_wait_for_a_stopped_service_can_be_started(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]
) -> None:
    run = trained(state="queued")
    runner.service = ServiceStatus("stopped")
    page = app("views/train/page.py")
    click(page, "Start the waiting runs")
    assert runner.submitted == [run.id]


def test_a_service_that_has_died_is_told_and_its_runs_are_handed_over_again(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECK_S", 0.0)
    monkeypatch.setattr(watch, "CONFIRM_S", 0.0)
    run = trained(state="queued")
    runner.absence, runner.problem = "gone", "no memory"
    page = app("views/train/page.py")
    for _ in range(50):
        if "no memory" in words(page):
            break
        page.run()
    assert "The training service cannot be started, and 1 run waits for it." in words(page)
    runner.problem = None
    for _ in range(50):
        if runner.submitted:
            break
        page.run()
    assert set(runner.submitted) == {run.id}


def test_a_run_is_a_place_to_start_from(app: OpenPage, runner: FakeRunner, trained: Callable[..., Run]) -> None:
    run = trained(config((48,), dropout=0.33), name="small one")
    page = app("views/train/page.py")
    page.selectbox(key="train_source").set_value(f"run:{run.id}").run()
    assert not page.exception
    assert page.slider(key="train_layer_0_dropout").value == 0.33
    assert page.text_input(key="train_name").placeholder == "small one"


def test_other_data_are_pointed_out(
    app: OpenPage, runner: FakeRunner, trained: Callable[..., Run], make_run: MakeRun
) -> None:
    ids = [trained().id, make_run("elsewhere").id]
    page = app("views/train/page.py", runs=",".join(ids))
    page.switch_page("views/train/page.py").run()
    assert page.multiselect(key="run_picker").value == ids
    assert "trained on different data" in words(page)


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (ServiceStatus("starting"), "Workers are starting: TensorFlow is being loaded."),
        (ServiceStatus("ready", workers=1, warm=1), "1 worker ready."),
        (ServiceStatus("ready", workers=2, warm=2, busy=1), "1 of 2 workers busy."),
        (ServiceStatus("remote", workers=4), "Remote scheduler: 4 workers ready."),
        (ServiceStatus("stopped", problem="it ended at once"), "it ended at once"),
    ],
)
def test_the_service_in_words(status: ServiceStatus, sentence: str) -> None:
    assert live.service_sentence(status) == sentence


def test_progress_in_words(make_run: MakeRun, store: Store) -> None:
    now = time.time()
    rows: list[EpochRow] = [epoch_row(1), epoch_row(2)]
    run = make_run("live", config(epochs=6), rows=rows, state="running")
    assert progress_words(run, 0, False, now) == (pytest.approx(2 / 6), "epoch 3 of 6, 2.0 s left")
    assert progress_words(run, 0, True, now)[1] == "stopping …"


def test_the_share_grows_inside_an_epoch(make_run: MakeRun, store: Store) -> None:
    run = make_run("first", config(epochs=4, seed=1), rows=0, state="running")
    assert progress_words(run, 0, False, time.time()) == (0.0, "epoch 1 of 4, getting ready")
    progress = LiveProgress(epoch=1, epochs=4, step=5, steps=10, loss=1.0, accuracy=0.5, seconds=0.2)
    (run.path / "progress.json").write_text(json.dumps(vars(progress)))
    assert progress_words(run, 0, False, time.time()) == (0.125, "epoch 1 of 4, first epoch")


# -- going on from a run -----------------------------------------------------------------------------------------------


def test_a_finished_run_can_be_gone_on_from_with_another_rate(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun
) -> None:
    parent = make_run("small", config())
    (parent.path / "model.keras").write_bytes(b"weights")
    page = app("views/train/page.py")
    page.selectbox(key="train_source").set_value(f"run:{parent.id}").run()
    page.toggle(key="train_continue").set_value(True).run()
    page.select_slider(key="train_learning_rate").set_value(1e-4).run()
    click(page, "Train")
    [child] = [run for run in store.runs() if run.id != parent.id]
    assert child.config == parent.config.replace(parent=parent.id, training__learning_rate=1e-4)
    assert child.name.endswith(", continued")
    page.select_slider(key="train_layer_0_units").set_value(128).run()
    assert "do not fit a model of" in words(page)
    page.toggle(key="train_continue").set_value(False).run()
    assert "do not fit" not in words(page)


def test_the_published_continuation_needs_its_parent_on_the_same_data(
    app: OpenPage, store: Store, runner: FakeRunner, make_run: MakeRun
) -> None:
    page = app("views/train/page.py")
    page.selectbox(key="train_source").set_value("preset:notebook/model_1_lr_1e-4").run()
    assert "Starts from the trained weights of notebook/model_1." in words(page)
    assert "which this one continues, is not in" in words(page)
    assert next(button for button in page.button if button.label == "Train").disabled
    parent = make_run("model_1", MODEL_1, fingerprint=store.catalog.fingerprint("digits"))
    (parent.path / "model.keras").write_bytes(b"weights")
    page.run()
    click(page, "Train")
    [child] = [run for run in store.runs() if run.id != parent.id]
    assert child.config.parent == parent.id
    assert child.meta.preset == "notebook/model_1_lr_1e-4"


def test_a_long_queue_is_summed_up(app: OpenPage, store: Store, runner: FakeRunner) -> None:
    for seed in range(8):
        store.add(
            MODEL_1.replace(training__seed=seed), name=f"run {seed}", origin=Origin(kind="sweep", id="0123456789ab")
        )
    page = app("views/train/page.py")
    assert not page.exception
    assert "5 more are waiting." in words(page)
    assert len([button for button in page.button if button.label == "Cancel"]) == 3


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "interrupted: the process that trained it is gone, 2 of 6 epochs"),
        ("status.json cannot be written: the disk is full", "interrupted: status.json cannot be written: the disk is"),
    ],
)
def test_an_interrupted_run_says_why(make_run: MakeRun, store: Store, reason: str, words: str) -> None:
    run = make_run("cut short", state="running", rows=2)
    (run.path / "lease-1.json").write_text(json.dumps({"reason": reason} if reason else {}))
    assert live.ending_words(store.get(run.id)).startswith(words)


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("cancelled", "broken off", "broken off, 2 of 6 epochs"),
        ("cancelled", "cancelled in epoch 3 of 6", "cancelled in epoch 3 of 6, 2 of 6 epochs"),
        ("paused", "", "paused, 2 of 6 epochs"),
        ("failed", "failed to read the data", "failed (failed to read the data), 2 of 6 epochs"),
    ],
)
def test_how_a_run_ended_depends_on_its_state_and_not_on_the_wording_of_the_reason(
    make_run: MakeRun, store: Store, state: str, reason: str, words: str
) -> None:
    run = make_run("stopped", state=state, rows=2)
    status = json.loads((run.path / "status.json").read_text())
    (run.path / "status.json").write_text(json.dumps(status | {"reason": reason}))
    assert live.ending_words(store.get(run.id)) == words
