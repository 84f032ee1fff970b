"""Every command on runs from outside: it works, or says in a sentence what such a run lacks."""

from __future__ import annotations

import json

import pytest

from mnist_core.cli.parser import main
from mnist_core.runs.store import Store
from tests.support.outside import HISTORY, LETTERS, labels_of, recorded


@pytest.fixture
def names(store: Store) -> list[str]:
    """Two runs of 26 classes with probabilities, and one with its guesses only."""
    recorded(store, "whole", LETTERS, history=HISTORY, parameters=1234)
    recorded(store, "bare", LETTERS, errors=60)
    recorded(store, "hard", LETTERS, predicted=labels_of(26))
    return ["whole", "bare", "hard"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "command", ["runs", "runs --recipes", "show", "compare", "disagreements", "label-errors", "diagnose", "report"]
)
def test_a_command_works_on_runs_from_outside(store, names, capsys, tmp_path, command, as_json) -> None:
    of_many, of_one = ("compare", "disagreements", "diagnose", "report"), ("show", "label-errors")
    for given in [names] if command in of_many else [[name] for name in names] if command in of_one else [[]]:
        out = ["--out", str(tmp_path / f"report-{as_json}.html")] if command == "report" else []
        arguments = [*command.split(), *given, *out, "--store", str(store.root), *(["--json"] if as_json else [])]
        assert main(arguments) == 0
        found = capsys.readouterr()
        assert "nan" not in found.out.lower().replace("finance", "")
        if as_json:
            json.loads(found.out, parse_constant=pytest.fail)


def test_compare_decides_and_says_what_is_not_known(store, names, capsys) -> None:
    assert main(["compare", *names, "--store", str(store.root)]) == 0
    output = capsys.readouterr().out
    assert "bare is worse than whole" in output
    assert "bare was recorded from outside: on which images it was trained" in output
    assert "By loss, hard and whole cannot be compared" in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "--from", "whole"], "recorded from outside: no configuration"),
        (["resume", "whole", "--here"], "recorded from outside: no configuration"),
        (["latency", "whole"], "no weights"),
    ],
)
def test_what_needs_a_configuration_or_weights_is_refused_in_a_sentence(store, names, capsys, arguments, says) -> None:
    assert main([*arguments, "--store", str(store.root)]) == 1
    output = capsys.readouterr().err
    assert says in output
    assert "Traceback" not in output
