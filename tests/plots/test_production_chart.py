"""Accuracy against cost as a picture: the names of the runs on a narrow screen."""

from __future__ import annotations

import re

import pandas as pd
import vl_convert

from mnist_core.plots.production import pareto_chart


def test_a_name_near_the_right_edge_stands_left_of_its_point() -> None:
    rows = [
        {"run": name, "label": name, "cost": cost, "accuracy": 0.97, "low": 0.96, "high": 0.98, "verdict": "",
         "dominated": ""}
        for name, cost in (("cheap", 20_000.0), ("dear", 600_000.0))
    ]  # fmt: skip
    colours = dict.fromkeys(("cheap", "dear"), "#0072B2")
    svg = vl_convert.vegalite_to_svg(
        pareto_chart(pd.DataFrame(rows), colours, "parameters").properties(width=300).to_dict()
    )
    anchors = {name: anchor for anchor, name in re.findall(r'text-anchor="(\w+)"[^>]*>(cheap|dear)<', svg)}
    assert anchors == {"cheap": "start", "dear": "end"}
