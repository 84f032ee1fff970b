"""Verdicts, recipe verdicts and the fair-comparison guard, on made-up runs whose every count is known."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mnist_core.comparison.comparability import Concern, concerns
from mnist_core.comparison.recipe_verdicts import compare_recipes
from mnist_core.comparison.verdicts import Refusal, Verdict, compare
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.headline import headline
from mnist_core.comparison.words.recipes import recipe_json, recipe_words
from mnist_core.comparison.words.verdicts import (
    comparison_json,
    limit_words,
    loss_verdict_words,
    open_words,
    refusal_words,
    verdict_words,
)
from mnist_core.evaluation.metrics import image_losses, scores
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.synthetic import row

IMAGES = 1_000
MakeRun = Callable[..., Run]


def answers(wrong: range, *, sure: float = 0.9, images: int = IMAGES) -> Predictions:
    """Predictions that give `sure` to the guess, which is wrong for the images `wrong`."""
    labels = (np.arange(images) % 10).astype(np.uint8)
    guess = labels.astype(int)
    guess[wrong.start : wrong.stop] = (guess[wrong.start : wrong.stop] + 1) % 10
    probabilities = np.full((images, 10), (1 - sure) / 9, dtype=np.float32)
    probabilities[np.arange(images), guess] = sure
    return Predictions(labels, probabilities)


@pytest.fixture
def make(store: Store) -> MakeRun:
    """`make("a", answers(range(40)), training__epochs=5)`: a run in the store that says so."""
    numbers = itertools.count(1)

    def run(
        name: str, predictions: Predictions | None, *, done: int | None = None, kept: int | None = None,
        state: str = "finished", fingerprint: str = "5" * 16, **changes: Any,
    ) -> Run:  # fmt: skip
        config = RunConfig.model_validate(
            {"model": {"layers": [{"units": 16}]}, "training": {"epochs": 4}, "dataset": {"name": "digits"}}
        )
        config = config.replace(**(changes or {"model__layers": [{"units": 16 + next(numbers)}]}))
        added, _ = store.add(config, name=name, fingerprint=fingerprint)
        writer = store.open_writer(added.id)
        assert writer is not None
        writer.started([])
        done = config.training.epochs if done is None else done
        for epoch in range(1, done + 1):
            writer.epoch(row(epoch, val_loss=0.4 + 0.01 * abs(epoch - 2)))  # lowest in the second
        if predictions is not None:
            writer.predictions(predictions)
        kept = (kept or done) if predictions is not None else None
        writer.ended(state, "", best_epoch=2 if done > 1 else 1, kept_epoch=kept)
        return store.get(added.id)

    return run


def only(runs: list[Run], baseline: Run, **options: Any) -> Verdict:
    (found,) = compare(runs, baseline, **options).results
    assert isinstance(found, Verdict)
    return found


def named(*runs: Run) -> dict[str, str]:
    return {run.id: run.name for run in runs}


def test_a_clear_difference_is_said_to_be_real_with_its_interval(make: MakeRun) -> None:
    first, second = make("first", answers(range(100))), make("second", answers(range(60, 90)))
    found = only([first, second], first)
    assert found.table == (900, 0, 70, 30)
    assert found.answer == "better"
    assert found.accuracy.p == pytest.approx(stats.chi2.sf(70, 1))
    assert found.exact_p == pytest.approx(stats.binomtest(0, 70).pvalue)
    low, high = (f"{100 * end:.2f}" for end in found.accuracy.interval)
    names = named(first, second)
    assert verdict_words(found, names) == (
        f"second is better than first by 7.00 points [{low}, {high}]; a difference this large would hardly arise by "
        "chance on these 1,000 images (p < 0.001)."
    )
    assert loss_verdict_words(found, names).startswith("Its loss says the same: lower by ")
    other_way = verdict_words(only([first, second], second), names)
    assert other_way == verdict_words(found, names).replace("second is better than first", "first is worse than second")


def test_a_difference_that_chance_may_make_is_too_close_to_call(make: MakeRun) -> None:
    first, second = make("first", answers(range(40))), make("second", answers(range(15, 50)))
    found = only([first, second], first)
    assert (found.table.only_baseline, found.table.only_run) == (10, 15)
    assert found.answer == "undecided"
    p = stats.chi2.sf(5**2 / 25, 1)
    low, high = (f"{100 * end:.2f}".replace("-", "−") for end in found.accuracy.interval)
    assert verdict_words(found, named(first, second)) == (
        f"second and first are too close to call: a difference of +0.50 points [{low}, {high}] could well arise by "
        f"chance on these 1,000 images (p = {p:.3f})."
    )
    assert "would show a difference of 1.40 points in 80 of 100 such tests" in open_words(found)
    assert "cannot show that two models are within 0.2 points: set a margin above 0.38 points" in open_words(found)


def test_loss_and_accuracy_may_disagree_and_it_is_said(make: MakeRun) -> None:
    careful, bold = make("careful", answers(range(100), sure=0.8)), make("bold", answers(range(70), sure=0.9999))
    found = only([careful, bold], careful)
    assert (found.answer, found.loss_answer) == ("better", "worse")
    text = loss_verdict_words(found, named(careful, bold))
    assert "But its loss is higher by" in text
    assert "right more often, it gives the true digits less probability on the whole" in text
    again = only([careful, bold], bold)
    assert (again.answer, again.loss_answer) == ("worse", "better")
    text = loss_verdict_words(again, named(careful, bold))
    assert "wrong more often, it gives the true digits more probability" in text


def test_runs_that_are_right_on_the_same_images_do_not_differ(make: MakeRun) -> None:
    first, second = make("first", answers(range(40))), make("second", answers(range(40), sure=0.8))
    found = only([first, second], first)
    assert (found.accuracy.p, found.answer) == (1.0, "undecided")
    text = verdict_words(found, named(first, second))
    assert "right on the very same of these 1,000 images" in text
    assert "Up to 0.38 points may still lie between them" in text
    wider = only([first, second], first, margin=0.005)
    assert wider.answer == "equivalent"
    assert verdict_words(wider, named(first, second)).endswith("They are equivalent within 0.5 points.")


def test_several_comparisons_are_adjusted_for(make: MakeRun) -> None:
    base = make("base", answers(range(100)))
    others = [make(f"run {lost}", answers(range(lost, 100))) for lost in (3, 6, 60)]
    found, names = compare([base, *others], base), named(base, *others)
    p = [stats.chi2.sf(lost, 1) for lost in (3, 6, 60)]
    assert [item.accuracy.p for item in found.verdicts] == pytest.approx(p)
    assert [item.accuracy.p_adjusted for item in found.verdicts] == pytest.approx([p[0], 2 * p[1], 3 * p[2]])
    assert all("adjusted for 3 comparisons" in verdict_words(item, names) for item in found.verdicts)
    # each interval is of the level at which Holm's method tested it
    assert [item.accuracy.level for item in found.verdicts] == pytest.approx([0.95, 1 - 0.05 / 2, 1 - 0.05 / 3])
    assert any("Holm" in limit_words(limit, names) for limit in found.verdicts[0].limits)
    alone = make("run alone", answers(range(5, 100)))
    crowd = [make(f"crowd {number}", answers(range(5, 100))) for number in range(3)]
    assert only([base, alone], base).answer == "better"
    adjusted = compare([base, alone, *crowd], base)
    assert {item.answer for item in adjusted.verdicts} == {"undecided"}
    assert all(item.accuracy.interval.low < 0 for item in adjusted.verdicts)
    assert headline(adjusted, named(base, alone, *crowd)).startswith("Against base: ")


def test_the_headline_of_several_says_who_is_better_worse_and_close(make: MakeRun) -> None:
    runs = [
        make(name, answers(wrong))
        for name, wrong in (
            ("base", range(100)), ("good", range(40)), ("bad", range(200)), ("same", range(5, 104)),
            ("poor", range(220)),
        )
    ]  # fmt: skip
    found = compare(runs, runs[0])
    assert headline(found, named(*runs)) == (
        "Against base: good is better; bad and poor are worse; same is too close to call."
    )
    equal = compare(runs, runs[0], margin=0.05)
    assert headline(equal, named(*runs)).endswith("bad and poor are worse; same is equivalent.")


def test_the_headline_of_many_gives_long_lists_as_counts(make: MakeRun) -> None:
    base = make("base", answers(range(100)))
    good = [make(f"good {number}", answers(range(number))) for number in range(2)]
    bad = [make(f"bad {number}", answers(range(300 + number))) for number in range(5)]
    runs = [base, *good, *bad]
    assert headline(compare(runs, base), named(*runs)) == (
        "Against base: good 0 and good 1 are better; 5 others are worse."
    )
    few = [base, *bad[:3]]
    assert "bad 0, bad 1 and bad 2 are worse" in headline(compare(few, base), named(*few))
    more = [base, *bad[:4]]
    assert headline(compare(more, base), named(*more)) == "Against base: 4 others are worse."


def test_what_cannot_be_compared_is_refused_with_the_reason(make: MakeRun) -> None:
    base = make("base", answers(range(10)))
    mnist = make("elsewhere", answers(range(10)), dataset__name="mnist", fingerprint="7" * 16)
    changed = make("changed", answers(range(10)), fingerprint="6" * 16)
    failed = make("failed", None, state="failed")
    fewer = make("fewer", answers(range(10), images=900))
    found = compare([base, mnist, changed, failed, fewer], base)
    names = named(base, mnist, changed, failed, fewer)
    assert [type(item) for item in found.results] == [Refusal, Refusal, Refusal, Refusal]
    reasons = [refusal_words(item, names) for item in found.refusals]
    assert "base was tested and changed on different data, both called digits" in reasons[1]
    assert "failed is failed and has no test result" in reasons[2]
    assert "one run was tested on 1,000 images and the other on 900" in reasons[3]
    assert headline(found, names) == ""


def test_a_baseline_without_a_result_is_named(make: MakeRun) -> None:
    base, run = make("base", None, state="cancelled"), make("run", answers(range(10)))
    (refused,) = compare([base, run], base).refusals
    assert "base is cancelled and has no test result" in refusal_words(refused, named(base, run))


def test_the_last_or_best_epoch_is_never_silently_another(make: MakeRun, store: Store) -> None:
    first, second = make("first", answers(range(40))), make("second", answers(range(20)))
    assert only([first, second], first, chosen="last").epochs == (4, 4)  # the kept epoch is the last
    refused = refusal_words(compare([first, second], first, "best").refusals[0], named(first, second))
    assert refused.startswith("no predictions of the best epoch (2) of first are stored; choose the kept epoch")
    for run, wrong in ((first, range(30)), (second, range(30, 50))):
        np.savez(run.predictions_file(2), **answers(wrong).arrays())
    found = only([first, second], first, chosen="best")
    assert (found.epochs, found.table) == ((2, 2), (950, 20, 30, 0))
    assert any(
        concern.severity == "undermines"
        and "chosen by the loss on the test images" in concern_words(concern, ("first", "second"))
        for concern in found.concerns
    )


def test_the_limits_name_the_seed_and_the_test_images_that_served_as_validation(make: MakeRun) -> None:
    first = make("first", answers(range(40)))
    second = make("second", answers(range(20)), training__validation={"source": "held_out", "count": 100})
    limits = [limit_words(item, named(first, second)) for item in only([first, second], first).limits]
    assert limits[0].startswith("One training of each")
    assert limits[1].startswith("first used the test images for validation too")
    assert "On 1,000 images the interval of a difference in loss is too narrow" in limits[2]
    assert len(limits) == 3


def test_the_numbers_as_json(make: MakeRun) -> None:
    first, second = make("first", answers(range(100))), make("second", answers(range(60, 90)))
    found = comparison_json(compare([first, second], first), named(first, second))
    data = json.loads(json.dumps(found, allow_nan=False))
    (found,) = data["verdicts"]
    assert (data["baseline"], data["epoch"], found["outcome"]) == (first.id, "kept", "better")
    assert found["table"] == {
        "both_right": 900, "only_baseline": 0, "only_run": 70, "both_wrong": 30, "images": 1_000,
    }  # fmt: skip
    losses = [image_losses(one.labels, one.probabilities) for one in (second.predictions(), first.predictions())]
    oracle = stats.ttest_rel(*losses)
    assert found["loss"]["p"] == pytest.approx(oracle.pvalue)
    assert found["loss"]["interval"] == pytest.approx(list(oracle.confidence_interval()))


# -- recipes -----------------------------------------------------------------------------------------------


def test_recipes_are_compared_over_their_seeds(make: MakeRun, store: Store) -> None:
    small = [make(f"small, seed {s}", answers(range(60 + s)), training__seed=s) for s in range(4)]
    large = [
        make(f"large, seed {s}", answers(range(20 + 2 * s)), training__seed=s, model__layers=[{"units": 99}])
        for s in range(3)
    ]
    (found,) = compare_recipes([small[0], large[1]], small[0], store.runs())
    names = named(*small, *large) | {large[1].id: "large"}
    values = [[scores(one.labels, one.probabilities).accuracy for run in runs if (one := run.predictions())]
              for runs in (small, large)]  # fmt: skip
    welch = stats.ttest_ind(values[1], values[0], equal_var=False).confidence_interval()
    assert [list(found.baseline_values), list(found.values)] == values
    assert found.decision is not None
    assert found.with_images
    # the chance of the test images comes on top of that of the seeds
    low, high = found.decision.interval
    assert low < welch.low
    assert high > welch.high
    assert found.superiority == 1.0
    text = recipe_words(found, names)
    assert text.startswith("As a recipe, large is better than small, seed 0 by 3.95 points")
    assert "the interval holds seeds and test images" in text
    assert f"large 97.80 ± {100 * np.std(values[1], ddof=1):.2f} % over 3 seeds" in text
    assert "beats one of small, seed 0 in 12 of the 12 pairs" in text
    json.dumps(recipe_json(found, names), allow_nan=False)


def test_the_headline_is_about_recipes_where_there_are_seeds(make: MakeRun, store: Store) -> None:
    base = [make(f"base, seed {s}", answers(range(60 + s)), training__seed=s) for s in range(3)]
    good = [
        make(f"good, seed {s}", answers(range(20 + 2 * s)), training__seed=s, model__layers=[{"units": 99}])
        for s in range(3)
    ]
    alone = make("alone", answers(range(58)))
    names = named(*base, *good, alone)
    for runs, text in (
        ([base[0], good[0], alone], "as recipes: good, seed 0 is better. As trained networks: alone is too close to"),
        ([base[0], good[0]], "As a recipe, good, seed 0 is better than base, seed 0 by 3.90 points ["),
        ([base[0], alone], "alone and base, seed 0 are too close to call"),
    ):
        recipes = compare_recipes(runs, base[0], store.runs())
        assert text in headline(compare(runs, base[0]), names, recipes)


def test_without_predictions_recipes_are_compared_on_these_images_alone(make: MakeRun, store: Store) -> None:
    base = [make(f"base, seed {s}", answers(range(60 + s)), training__seed=s) for s in range(3)]
    large = [
        make(f"large, seed {s}", answers(range(20 + 2 * s)), training__seed=s, model__layers=[{"units": 99}])
        for s in range(3)
    ]
    for run in (None, *large):  # what ships keeps the scores of most seeds, without their predictions
        if run is not None:
            predictions = run.predictions()
            assert predictions is not None
            figures = scores(predictions.labels, predictions.probabilities)._asdict()
            (run.path / "scores.json").write_text(json.dumps(figures))
            run.predictions_file().unlink()
        (found,) = compare_recipes([base[0], large[0]], base[0], store.runs())
        assert found.decision is not None
        assert found.with_images == (run is not large[-1])
    oracle = stats.ttest_ind(found.values, found.baseline_values, equal_var=False)
    assert found.decision.p == pytest.approx(oracle.pvalue)
    assert list(found.decision.interval) == pytest.approx(list(oracle.confidence_interval()))
    assert "on these test images only" in recipe_words(found, named(*base, *large))


def test_seeds_without_spread_cannot_tell(make: MakeRun, store: Store) -> None:
    base = [make(f"base, seed {s}", answers(range(60)), training__seed=s) for s in range(3)]
    other = [
        make(f"other, seed {s}", answers(range(50)), training__seed=s, model__layers=[{"units": 99}]) for s in range(3)
    ]
    (found,) = compare_recipes([base[0], other[0]], base[0], store.runs())
    assert (found.reason, found.answer) == ("no_spread", None)
    assert "have no spread" in recipe_words(found, named(*base, *other))
    json.dumps(recipe_json(found, named(*base, *other)), allow_nan=False)


def test_runs_that_continue_one_network_are_no_seeds_of_a_recipe(
    make: MakeRun, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = [make(f"base, seed {s}", answers(range(60 + s)), training__seed=s) for s in range(3)]
    monkeypatch.setattr(Store, "parent", lambda self, config: base[0].path)
    children = [make(f"child, seed {s}", answers(range(20 + s)), training__seed=s, parent=base[0].id) for s in range(3)]
    (found,) = compare_recipes([base[1], children[0]], base[1], store.runs())
    assert (found.reason, found.answer) == ("one_parent", None)
    assert "all went on from one trained network" in recipe_words(found, named(*base, *children))


def test_under_three_seeds_a_side_it_cannot_tell(make: MakeRun, store: Store) -> None:
    base = [make(f"base, seed {s}", answers(range(60 + s)), training__seed=s) for s in range(4)]
    other = make("other", answers(range(20)))
    (found,) = compare_recipes([base[0], other], base[0], store.runs())
    assert (found.decision, found.superiority, found.answer) == (None, None, None)
    text = recipe_words(found, named(*base, other))
    assert "1 finished seed of the one and 4 of the other can't tell: train at least 3 of each" in text
    assert recipe_json(found, named(*base, other))["sample"]["sd"] is None


def test_where_seeds_are_trained_but_not_stored_nobody_is_told_to_train_more(make: MakeRun, store: Store) -> None:
    base = [make(f"base, seed {s}", answers(range(60 + s)), training__seed=s) for s in range(3)]
    other = [
        make(f"other, seed {s}", answers(range(50 - s)), training__seed=s, model__layers=[{"units": 99}])
        for s in range(3)
    ]
    for side in (base, other):
        predictions = side[0].predictions()
        assert predictions is not None
        # the best epoch is the second, the kept one the fourth: of these seeds, one has both
        np.savez(side[0].predictions_file(2), labels=predictions.labels, probabilities=predictions.probabilities)
    found = compare_recipes([base[0], other[0]], base[0], store.runs(), "best")[0]
    assert (found.reason, len(found.values), found.answer) == ("not_stored", 1, None)
    assert recipe_words(found, named(*base, *other)) == (
        "Whether other, seed 0 is better than base, seed 0 as a recipe can't be told by the best epoch: its results "
        "are stored for 1 seed of the one and 1 of the other only, of at least 3 finished ones each. The kept epoch "
        "has more."
    )
    assert compare_recipes([base[0], other[0]], base[0], store.runs())[0].decision is not None


def test_seeds_of_one_recipe_and_runs_on_other_data_are_passed_over(make: MakeRun, store: Store) -> None:
    base, again = (make(f"seed {s}", answers(range(60)), training__seed=s) for s in (0, 1))
    elsewhere = make("elsewhere", answers(range(10)), fingerprint="6" * 16)
    assert compare_recipes([base, again, elsewhere], base, store.runs()) == []


# -- the guard ---------------------------------------------------------------------------------------------


def concerns_of(first: Run, second: Run, **options: Any) -> dict[str, tuple[str, str]]:
    names = first.name, second.name
    return {item.topic: (item.severity, concern_words(item, names)) for item in concerns(first, second, **options)}


@pytest.fixture
def base(make: MakeRun) -> Run:
    return make("base", answers(range(10)), training__seed=0)


def test_another_network_is_what_is_compared_and_nothing_else_is_said(make: MakeRun, base: Run) -> None:
    found = concerns_of(base, make("wide", answers(range(5)), model__layers=[{"units": 99}]))
    assert list(found) == ["network"]
    assert found["network"] == (
        "compared",
        "base (16 relu, 12,730 parameters) against wide (99 relu, 78,715 parameters).",
    )


def test_a_single_setting_is_what_is_compared(make: MakeRun, base: Run) -> None:
    found = concerns_of(base, make("slow", answers(range(5)), training__learning_rate=1e-4))
    assert found == {"learning rate": ("compared", "Learning rate: 0.001 against 0.0001.")}


def test_several_settings_at_once_cannot_be_told_apart(make: MakeRun, base: Run) -> None:
    found = concerns_of(base, make("x", answers(range(5)), training__learning_rate=1e-4, training__batch_size=32))
    assert found["settings"][0] == "worth knowing"
    assert "2 settings differ at once" in found["settings"][1]


def test_a_part_that_one_training_does_without_is_one_difference(make: MakeRun, base: Run) -> None:
    stopping = {"patience": 2, "restore_best": True, "min_delta": 0.0001}
    other = make("other", answers(range(50)), training__early_stopping=stopping)
    found = compare([base, other], base).verdicts[0].concerns
    (item,) = [concern for concern in found if concern.topic == "early stopping"]
    assert item.severity == "compared"
    assert concern_words(item, ("base", "other")) == (
        "Early stopping: none in base; in other patience in epochs 2, restore the best epoch yes and least "
        "improvement of the validation loss 0.0001."
    )
    assert not [concern for concern in found if concern.code in ("setting", "several_settings")]


def test_settings_beside_another_network_may_have_a_part(make: MakeRun, base: Run) -> None:
    found = concerns_of(base, make("x", answers(range(5)), model__layers=[{"units": 9}], training__learning_rate=1e-4))
    assert found["learning rate"] == (
        "worth knowing", "Learning rate: 0.001 against 0.0001; part of the difference may come from this.",
    )  # fmt: skip


@pytest.mark.parametrize(("epochs", "severity"), [(5, "worth knowing"), (8, "undermines"), (1, "undermines")])
def test_far_fewer_epochs_undermine_the_comparison(make: MakeRun, base: Run, epochs: int, severity: str) -> None:
    other = make("x", answers(range(5)), model__layers=[{"units": 9}], training__epochs=epochs)
    assert concerns_of(base, other)["epochs"][0] == severity


def test_epochs_alone_are_what_is_compared(make: MakeRun, base: Run) -> None:
    assert concerns_of(base, make("long", answers(range(5)), training__epochs=12))["epochs"][0] == "compared"


def test_seeds_alone_show_luck(make: MakeRun, base: Run) -> None:
    severity, sentence = concerns_of(base, make("again", answers(range(5)), training__seed=7))["seed"]
    assert severity == "compared"
    assert "Nothing else differs, so the verdict shows what luck can do." in sentence


def test_a_run_that_was_cut_short_undermines_it(make: MakeRun, base: Run) -> None:
    cut = make("cut", answers(range(5)), state="cancelled", done=2, model__layers=[{"units": 9}])
    assert concerns_of(base, cut)["state"] == (
        "undermines", "cut is cancelled, with 2 of 4 epochs done: it may not show what it can do.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "topic", "severity"),
    [
        ({"source": "test"}, {"source": "held_out", "fraction": 0.2}, "validation", "undermines"),
        ({"source": "held_out", "count": 50}, {"source": "held_out", "fraction": 0.2}, "validation", "worth knowing"),
        ({"source": "held_out", "count": 50}, {"source": "held_out", "count": 50}, "split", "worth knowing"),
    ],
)
def test_where_validation_images_come_from_is_told(
    make: MakeRun, first: dict[str, Any], second: dict[str, Any], topic: str, severity: str
) -> None:
    runs = [
        make(f"run {seed}", answers(range(5)), training__validation=source, training__seed=seed)
        for seed, source in enumerate((first, second))
    ]
    assert concerns_of(*runs)[topic][0] == severity


def test_a_restored_epoch_against_a_last_one(make: MakeRun, base: Run) -> None:
    stopping = {"training__early_stopping": {"patience": 1}, "model__layers": [{"units": 9}]}
    peeking = make("peeking", answers(range(5)), kept=2, **stopping)
    severity, sentence = concerns_of(base, peeking)["chosen epoch"]
    assert severity == "undermines"
    assert "peeking are of epoch 2, which early stopping restored; those of base of its last, 4." in sentence
    assert "picked on the test images" in sentence
    assert "chosen epoch" not in concerns_of(base, peeking, chosen="last")


def test_both_restored_by_the_loss_on_the_test_images_undermines_too(make: MakeRun) -> None:
    stopping = {"training__early_stopping": {"patience": 1}}
    first, second = (
        make(name, answers(range(5)), kept=2, model__layers=[{"units": 9 + n}], **stopping)
        for n, name in enumerate(("first", "second"))
    )
    severity, sentence = concerns_of(first, second)["chosen epoch"]
    assert severity == "undermines"
    assert sentence.startswith("Early stopping picked the kept epoch of first and second by the loss on the test")


def test_weights_from_another_run_and_other_versions_are_told(
    make: MakeRun, base: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "parent", lambda self, config: base.path)  # whether the weights fit is the store's care
    child = make("child", answers(range(5)), parent=base.id)
    assert concerns_of(base, child)["start"][0] == "undermines"
    facts = {
        "python": "3", "mnist_core": "0", "tensorflow": "1", "keras": "1", "numpy": "1", "platform": "p",
        "processor": "c", "threads": 2,
    }  # fmt: skip
    (base.path / "environment.json").write_text(json.dumps(facts))
    (child.path / "environment.json").write_text(json.dumps(facts | {"keras": "2", "threads": 8}))
    found = concerns_of(base, child)
    assert "Keras 1 and 2" in found["versions"][1]
    assert "their training times cannot be compared" in found["machine"][1]
    assert [item.severity for item in concerns(base, child)] == ["undermines", "worth knowing", "worth knowing"]


def test_an_unknown_concern_is_never_worded_as_another_one() -> None:
    unknown: Any = "unheard_of"
    with pytest.raises(AssertionError, match="unheard_of"):
        concern_words(Concern("machine", "worth knowing", unknown, values=(("cpu", 1), ("cpu", 2))), ("a", "b"))
