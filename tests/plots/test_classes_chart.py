"""The class counts of the Data page: frame and chart."""

from __future__ import annotations

import numpy as np

from dashboard.shared.datasets import samples
from mnist_core.data.datasets import Dataset
from mnist_core.plots.classes import class_chart, class_frame


def dataset() -> Dataset:
    train, test = np.repeat(np.arange(10), 3), np.array([0, 0, 1] + [9] * 7)
    images = np.broadcast_to((train * 20 + 5)[:, None, None], (30, 28, 28)).astype(np.uint8)
    return Dataset("own", images, train.astype(np.uint8), images[:10], test.astype(np.uint8), "f" * 16)


def test_counts_and_shares_of_both_parts() -> None:
    frame = class_frame(dataset())
    assert len(frame) == 20
    assert frame[frame["part"] == "training"]["images"].tolist() == [3] * 10
    test = frame[frame["part"] == "test"]
    assert test["images"].tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 7]
    assert test["share"].tolist() == [0.2, 0.1, 0, 0, 0, 0, 0, 0, 0, 0.7]


def test_the_chart_puts_the_parts_side_by_side() -> None:
    spec = class_chart(class_frame(dataset())).to_dict()
    assert spec["encoding"]["x"]["field"] == "digit"
    assert spec["encoding"]["xOffset"]["field"] == "part"
    assert spec["encoding"]["y"]["field"] == "share"


def test_samples_have_a_column_for_each_digit_and_black_where_there_are_too_few() -> None:
    sheet = samples(dataset(), rows=4, seed=0)
    assert sheet.shape == (40, 28, 28)
    assert (sheet[:30].reshape(3, 10, 28, 28)[:, :, 0, 0] == np.arange(10) * 20 + 5).all()
    assert not sheet[30:].any()
