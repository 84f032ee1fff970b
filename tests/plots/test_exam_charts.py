"""The picture of accuracy against severity: frame and chart."""

import numpy as np

from mnist_core.comparison.exams import Result
from mnist_core.plots.exams import severity_chart, severity_frame


def of(wrong: int) -> Result:
    return Result(np.arange(100) >= wrong)


RESULTS = {"a": [of(2), of(10)], "b": [of(5), of(50)]}


def test_a_row_for_each_run_and_severity() -> None:
    frame = severity_frame(RESULTS, {"a": "first", "b": "second"})
    assert frame["severity"].tolist() == [0, 1, 0, 1]
    assert frame["accuracy"].tolist() == [0.98, 0.9, 0.95, 0.5]
    assert ((frame["low"] < frame["accuracy"]) & (frame["accuracy"] < frame["high"])).all()


def test_every_run_has_its_colour() -> None:
    frame = severity_frame(RESULTS, {"a": "first", "b": "second"})
    spec = severity_chart(frame, {"a": "#0072B2", "b": "#D55E00"}).to_dict()
    scale = spec["layer"][1]["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {"first": "#0072B2", "second": "#D55E00"}
