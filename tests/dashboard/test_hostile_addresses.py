"""Whatever stands in the address, every page opens: a link may be cut short, typed by hand, or made to do harm."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.views.sweeps import sweep_form
from dashboard.views.train import form_link
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.pages import PAGES, unfold, words
from tests.support.synthetic import MakeRun, config

OpenPage = Callable[..., AppTest]
Value = str | list[str]

NASTY: tuple[Value, ...] = (
    "x" * 20_000, "NaN", "1e999", "-1", "9" * 5_000, "[]", "{}", "\u0663", "\u00b2", "../../etc/passwd", "0123456789ab",
    ["1", "2"], "<img src=x onerror=alert(1)>", ",~,:;", "\x00\u202e", "0",
)  # fmt: skip
"""Too long, no numbers, numbers of other scripts, paths, ids of no run, a name given twice."""

READERS = ("link_text", "link_number", "_last_choice", "_ids", "_choice", "_model")
"""Functions that are given the name of a value in the address; among the names may be other words, which do no harm."""


def _names() -> list[str]:
    """Return the names in the address that pages read, from the source: arguments of READERS, and bound widgets."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in Path(state.__file__).parent.rglob("*.py")]
    constants: dict[str, set[str]] = {}
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Assign):
                for target, value in _pairs(node):
                    if (
                        isinstance(target, ast.Name)
                        and isinstance(value, ast.Constant)
                        and isinstance(value.value, str)
                    ):
                        constants.setdefault(target.id, set()).add(value.value)
    found = {*form_link.OWN_KEYS, *sweep_form.LINK}
    for call in [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        named = {item.arg: item.value for item in call.keywords}
        read = ast.unparse(call.func).rpartition(".")[2] in READERS
        arguments = [*(call.args if read else []), *([named["key"]] if "bind" in named and "key" in named else [])]
        for argument in arguments:
            if isinstance(argument, ast.Constant):
                found.add(str(argument.value))
            elif isinstance(argument, ast.Name | ast.Attribute):
                found |= constants.get(ast.unparse(argument).rpartition(".")[2], set())
    return sorted(found - {state.CHOSEN})


def _pairs(node: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    """Return the targets of an assignment with their values, of `A, B = "a", "b"` too."""
    target = node.targets[0]
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        return list(zip(target.elts, node.value.elts, strict=False))
    return [(target, node.value)]


NAMES = _names()


@pytest.fixture
def chosen(make_run: MakeRun, store: Store, runner: FakeRunner) -> str:
    """Two tested runs on a data set that is here, as the address has them."""
    digits = store.catalog.load("digits")
    rng = np.random.default_rng(2)

    def run(name: str, run_config: RunConfig) -> Run:
        shares = rng.dirichlet(np.full(10, 0.3), len(digits.y_test)) + 2 * np.eye(10)[digits.y_test]
        shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
        predictions = Predictions(digits.y_test, shares)
        return make_run(name, run_config, predictions=predictions, fingerprint=digits.fingerprint)

    made = [run(name, config((units,)).replace(dataset__name="digits")) for name, units in (("one", 8), ("two", 9))]
    return ",".join(item.id for item in made)


def opened(app: OpenPage, file: str, link: dict[str, Value]) -> AppTest:
    page = app(file, **link)
    assert not page.exception, (file, link)
    assert "Traceback" not in words(page)
    return page


def test_the_names_of_the_pages_are_found_in_their_source() -> None:
    assert {"digit", "cells", "inspect", "wanted", "second", "hide", "unfold", "details", "bins", "margin"} <= {*NAMES}
    assert {"map", "area", "smoothing", "scene", "learning_rate", "vary2", "present", "exam", "lesson"} <= {*NAMES}


@pytest.mark.parametrize("file", PAGES)
def test_no_value_in_the_address_breaks_a_page(app: OpenPage, chosen: str, file: str) -> None:
    """Each name has each nasty value once, with chosen runs that are there; then the chosen runs are nasty."""
    for turn in range(len(NASTY)):
        link = {name: NASTY[(place + turn) % len(NASTY)] for place, name in enumerate(NAMES)}
        page = opened(app, file, link | {state.CHOSEN: chosen})
        if turn % 4 == 0:
            unfold(page)
    opened(app, file, {state.CHOSEN: f"{chosen.split(',')[0]},{'x' * 20_000},../..,0123456789ab"})
    opened(app, file, {state.CHOSEN: [chosen, "[]"], state.BASELINE: "NaN"})


ANY = st.one_of(
    st.sampled_from(NASTY), st.text(max_size=30), st.integers().map(str), st.floats().map(str),
    st.lists(st.integers(-3, 400).map(str), max_size=6).map(",".join),
)  # fmt: skip


@pytest.mark.parametrize("file", PAGES)
@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
)
@given(link=st.dictionaries(st.sampled_from(NAMES), ANY, max_size=12))
def test_no_address_breaks_a_page(app: OpenPage, chosen: str, file: str, link: dict[str, Value]) -> None:
    opened(app, file, link | {state.CHOSEN: chosen})
