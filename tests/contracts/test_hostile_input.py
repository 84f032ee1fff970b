"""Whatever is in a file, a link or a picture: the project's own errors come out, in words, and nothing else.

`python -m benchmarks.fuzzing` does the same for as long as it is given, and prints what it has found.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mnist_core.errors import MnistCoreError
from mnist_core.runs.store import Store
from tests.support.parsers import Parser, emptied, parsers, spoiled
from tests.support.seed import trained
from tests.support.synthetic import config

TRIES = 30


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parser]:
    folder = tmp_path_factory.mktemp("parsers")
    store = Store(folder / "artifacts")
    run = trained(store, config((8,), epochs=1), "a run")
    return {parser.name: parser for parser in parsers(store, run, folder)}


NAMES = (
    "configuration (JSON)", "grid (TOML)", "space (TOML)", "predictions (npz)", "predictions (CSV)", "CSVLogger (CSV)",
    "Trackio (CSV)", "History.history (JSON)", "event file", "archive of runs (zip)", "network (.keras)",
    "data set (npz)", "picture (PNG)", "drawing (base64)", "kept digit (JSON)", "filter",
    "MLflow: meta.yaml", "MLflow: a metric", "MLflow: database", "lesson (TOML)", "class.json", "datasets.json",
    "link of the Train form",
    "run: config.json", "run: status.json", "run: meta.json", "run: history.jsonl", "run: predictions.npz",
)  # fmt: skip


def refusal(parser: Parser, content: bytes, folder: Path) -> str | None:
    """Return the reason for which content is refused; None where it is read. Any other error comes out."""
    try:
        parser.read(content, folder)
    except MnistCoreError as error:
        return str(error)
    return None


def test_every_parser_is_tried(known: dict[str, Parser]) -> None:
    assert tuple(known) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read_and_a_spoiled_one_is_read_or_refused_in_words(
    known: dict[str, Parser], name: str, tmp_path: Path
) -> None:
    parser = known[name]
    with emptied(tmp_path / "read") as folder:
        parser.read(parser.sample, folder)
    for seed in range(TRIES):
        content = spoiled(parser.sample, random.Random(f"{name} {seed}"))
        with emptied(tmp_path / "read") as folder:
            reason = refusal(parser, content, folder)
        assert reason is None or 0 < len(reason.strip()) < 5_000
