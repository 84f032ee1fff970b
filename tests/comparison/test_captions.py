"""Sentences under charts: each number is the one of the runs that are shown, also where it is not the usual one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnist_core.comparison.words.captions import largest_layer_words, wrong_cost_words, wrong_share_words
from mnist_core.comparison.words.comparability import names_of_compared, other_data_words
from mnist_core.experiments.presets import PRESETS
from tests.support.synthetic import MakeRun, config, epoch_row


def test_the_largest_layer_of_a_convolutional_network_is_not_called_the_first() -> None:
    words = largest_layer_words({"wide": config((64,)).model, "cnn": PRESETS["tuning/cnn"].config.model})
    table = PRESETS["tuning/cnn"].config.model.layer_table()
    largest = max(table, key=lambda row: row.parameters)
    share = 100 * largest.parameters / PRESETS["tuning/cnn"].config.model.parameter_count()
    assert f"{share:.0f} % in cnn ({largest.name.replace('_', ' ')})" in words
    assert table[0].parameters < largest.parameters
    # 784·64 + 64 of 50,890
    assert words.startswith("The largest layer holds 99 % in wide (dense")


@pytest.mark.parametrize(
    ("wrong", "right", "share"), [(0.06, 0.02, "75 % of the loss"), (0.02, 0.06, "25 % of the loss")]
)
def test_the_share_of_the_loss_from_wrong_images_is_that_of_the_last_epoch(
    wrong: float, right: float, share: str
) -> None:
    last = replace(epoch_row(2), val_loss_wrong=wrong, val_loss_correct=right, val_accuracy=0.97)
    words = wrong_share_words({"a": [epoch_row(1), last], "none": []})
    assert words == f"In the last epoch, in a {share} comes from the 3.00 % that are wrong."


def test_no_share_of_the_loss_comes_from_wrong_images_where_none_is_wrong() -> None:
    perfect = replace(epoch_row(1), val_loss_wrong=0.0, val_loss_correct=0.02, val_accuracy=1.0)
    assert wrong_share_words({"a": [perfect]}) == "In the last epoch, no image is wrong in a."


def test_what_a_wrong_image_costs_may_fall() -> None:
    rows = [
        replace(epoch_row(1), val_loss_wrong=0.184, val_accuracy=0.9),
        replace(epoch_row(2), val_loss_wrong=0.148, val_accuracy=0.9),
    ]
    assert wrong_cost_words({"a": rows}) == "First to last epoch: from 1.84 to 1.48 in a."
    perfect = replace(epoch_row(1), val_loss_wrong=0.0, val_accuracy=1.0)
    assert wrong_cost_words({"a": [perfect]}) == ""


def test_more_runs_than_a_caption_can_name_are_counted() -> None:
    words = wrong_cost_words({f"run {n}": [epoch_row(1)] for n in range(5)})
    assert "run 2" in words
    assert "run 3" not in words
    assert words.endswith("(and 2 more in the table).")


def test_runs_on_other_data_are_counted_and_the_others_are_named_without_their_data(make_run: MakeRun) -> None:
    base, near = (make_run(name, config(dropout=drop)) for name, drop in (("base", 0.1), ("near", 0.2)))
    far = [
        make_run(name, config(dropout=drop).replace(dataset__name="mnist"), fingerprint="6" * 16)
        for name, drop in (("base", 0.1), ("far", 0.2))
    ]
    names = {
        base.id: "base, on digits", near.id: "near, on digits", far[0].id: "base, on MNIST", far[1].id: "far, on MNIST"
    }  # fmt: skip
    assert (
        other_data_words(base, far, names) == "The 2 runs on MNIST were tested on other images, and are not compared."
    )
    assert other_data_words(base, far[1:], names).startswith("far, on MNIST was tested on other images")
    assert names_of_compared(base, far, names) == names | {base.id: "base", near.id: "near"}
    # the same name on both data: only with its data is it known which one is meant
    assert names_of_compared(base, far, names | {far[0].id: "base"})[base.id] == "base, on digits"
