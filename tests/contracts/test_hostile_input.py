"""Whatever is in a file, a link or a picture: the project's own errors come out, in words, and nothing else.

`python -m benchmarks.fuzzing` does the same for as long as it is given, and prints what it has found.
"""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from mnist_core.errors import MnistCoreError
from mnist_core.recording.tensorboard import _records
from mnist_core.runs.store import Store
from tests.support.parsers import Parser, emptied, is_something, parsers
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
    "predictions (npz), inside", "event file, inside", "archive of runs (zip), inside", "network (.keras), inside",
    "data set (npz), inside", "picture (PNG), inside", "run: predictions.npz, inside",
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
        assert is_something(parser.read(parser.sample, folder)), "nothing is read, so nothing is tried"
    for seed in range(TRIES):
        content = parser.spoil(parser.sample, random.Random(f"{name} {seed}"))
        with emptied(tmp_path / "read") as folder:
            reason = refusal(parser, content, folder)
        assert reason is None or 0 < len(reason.strip()) < 5_000


@pytest.mark.parametrize("nothing", [None, [], "", {}, np.empty(0)])
def test_a_parser_that_reads_nothing_of_its_sample_is_found_out(nothing: object) -> None:
    assert not is_something(nothing)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(", inside")])
def test_a_container_that_is_spoiled_inside_is_whole_itself(
    known: dict[str, Parser], name: str, tmp_path: Path
) -> None:
    parser = known[name]
    for seed in range(TRIES):
        content = parser.spoil(parser.sample, random.Random(f"{name} {seed}"))
        if "event" in name:
            (tmp_path / "log").write_bytes(content)
            assert list(_records(tmp_path / "log"))
        elif "PNG" in name:
            assert checksums_fit(content)
        else:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert archive.testzip() is None
        with emptied(tmp_path / "read") as folder:
            assert "checksum" not in (refusal(parser, content, folder) or "")


def checksums_fit(picture: bytes) -> bool:
    place = 8
    while place < len(picture):
        end = place + 8 + int.from_bytes(picture[place : place + 4], "big")
        if zlib.crc32(picture[place + 4 : end]) != int.from_bytes(picture[end : end + 4], "big"):
            return False
        place = end + 4
    return place == len(picture)
