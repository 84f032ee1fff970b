"""Files that may be damaged: what is read is checked, and what is wrong is one kind of error with the file's name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_core import files
from mnist_core.errors import ConfigError, DamagedFile
from mnist_core.experiments.configs import parse_config
from mnist_core.experiments.grids import parse_spec, read_table
from mnist_core.experiments.spaces import parse_search
from mnist_core.runs.records import EpochRow, Meta, Status
from mnist_core.training import checkpoints
from mnist_core.training.checkpoints import State
from tests.support.damaged_store import OTHER_KINDS, TEXTS
from tests.support.memory import CAN_MEASURE, measured
from tests.support.synthetic import config, epoch_row

NOT_JSON = ("empty", "torn", "deep", "huge whole number", "endless whole number", "huge number", "NaN",
            "invalid UTF-8", "half a surrogate pair")  # fmt: skip


@pytest.mark.parametrize("kind", NOT_JSON)
def test_what_is_not_json_that_can_be_used_is_a_damaged_file(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.json").write_bytes(TEXTS[kind])
    with pytest.raises(DamagedFile, match=r"^a\.json is not JSON that can be used: "):
        files.read_json(tmp_path / "a.json")
    (tmp_path / "a.jsonl").write_bytes(b"{}\n" + (TEXTS[kind].strip() or b"{") + b"\n")
    with pytest.raises(DamagedFile, match=r"^a\.jsonl, line 2, is not JSON that can be used: "):
        files.read_json_lines(tmp_path / "a.jsonl")


@pytest.mark.skipif(not CAN_MEASURE, reason="only Linux counts the peak of a process anew")
def test_a_file_of_very_many_values_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    """As objects of Python, 32 MB of empty lists would take 700 MB, and lines of one digit as much."""
    (tmp_path / "a.json").write_bytes(b"[" + b"[]," * (files.MOST_JSON_BYTES // 3 - 1) + b"0]")
    (tmp_path / "a.jsonl").write_bytes(b"1\n" * (files.MOST_JSON_BYTES // 2))
    with measured() as peak:
        with pytest.raises(DamagedFile, match=r"a\.json .* it has up to 22,369,\d+ values, and may have 2,000,000"):
            files.read_json(tmp_path / "a.json")
        with pytest.raises(DamagedFile, match=r"a\.jsonl has 16,777,216 lines, and 200,000 are read"):
            files.read_json_lines(tmp_path / "a.jsonl")
    assert peak.bytes < 100 * 2**20


@pytest.mark.parametrize("read", [files.read_json, files.read_json_lines])
@pytest.mark.parametrize("make", OTHER_KINDS)
def test_neither_waits_nor_reads_without_end_where_there_is_no_file(
    tmp_path: Path, make: Callable[[Path], None], read: Callable[[Path], Any]
) -> None:
    make(tmp_path / "a.json")
    with pytest.raises((DamagedFile, OSError)):
        read(tmp_path / "a.json")


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(files.MOST_JSON_BYTES + 1)
    with pytest.raises(DamagedFile, match="longer than 32 MB"):
        files.read_json(tmp_path / "a.json")


def test_a_name_that_is_not_utf_8_can_be_printed(tmp_path: Path) -> None:
    with pytest.raises(DamagedFile) as found:
        files.read_json(_touched(tmp_path / "\udcff.json"))
    assert str(found.value).encode().startswith(b"\\udcff.json")


def _touched(path: Path) -> Path:
    path.touch()
    return path


finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain)
def test_what_is_written_comes_back_to_the_last_bit(tmp_path: Path, data: Any) -> None:
    files.write_json(tmp_path / "a.json", data)
    assert repr(files.read_json(tmp_path / "a.json")) == repr(data)
    assert files.parse_json(json.dumps(data)) == data


# -- parsers -----------------------------------------------------------------------------------------------------------

GRID = {"name": "a", "base": "notebook/model_1", "grid": {"training.learning_rate": [0.001, 0.01]}}
SEARCH = {
    "name": "a",
    "base": "notebook/model_1",
    "fixed": {"training.validation": {"source": "held_out", "fraction": 0.2}, "training.epochs": 9},
    "space": {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "stack.depth": [1, 2]},
    "hyperband": {"min_epochs": 1, "factor": 3},
}
STATUS = {"state": "finished", "fingerprint": "5" * 16, "created_at": 1.5, "kept_epoch": 3}
PARSERS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "configuration": (parse_config, config().model_dump(mode="json")),
    "meta": (Meta.model_validate, {"name": "a", "tags": ["b"], "note": ""}),
    "status": (Status.model_validate, STATUS),
    "epoch": (EpochRow.from_json, epoch_row(1).to_json()),
    "sweep": (lambda data: parse_spec(data).with_fixed({}), GRID),
    "search": (lambda data: parse_search(data).trial_count, SEARCH),
}
odd = st.one_of(
    plain,
    st.sampled_from([2**63 - 1, -(2**63), 1.7e308, -1e300, 5e-324, "nan", "\0", [[[]]] * 9, {"": {}}, -1, 0, True, ""]),
)


def _paths(data: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [before, *(path for key, value in inner for path in _paths(value, (*before, key)))]


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=60)
@given(st.data())
def test_a_parser_takes_any_value_anywhere_or_raises_value_error(name: str, data: st.DataObject) -> None:
    parse, good = PARSERS[name]
    path = data.draw(st.sampled_from(_paths(good)))
    with contextlib.suppress(ValueError):  # ConfigError, DamagedFile and pydantic's ValidationError are such
        parse(_with(good, path, data.draw(odd)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.toml", b"a = " + b"[" * 5000),
        ("deep.json", b"[" * 5000),
        ("when.toml", b"a = 2026-01-01"),
        ("nan.toml", b"a = nan"),
        ("huge.toml", b"a = " + b"7" * 400),
        ("surrogate.json", b'{"a": "\\ud800"}'),
        ("bytes.toml", b"\xff"),
    ],
)
def test_a_file_of_a_sweep_that_cannot_be_read_is_a_clear_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"{name} cannot be read"):
        read_table(str(tmp_path / name), "sweep", [])


# -- checkpoints -------------------------------------------------------------------------------------------------------


def _state() -> State:
    import numpy as np

    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(3, np.float32)]
    return State(weights, [np.int64(3)], epoch=2, rows=[epoch_row(1), epoch_row(2)], lowest_epoch=2)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "x"}, {"epoch": 3}, {"epoch": -1}, {"rows": None}, {"rows": [{}]}, {"rows": [5]},
        {"rows": [epoch_row(2).to_json()]}, {"rows": [epoch_row(1).to_json() | {"loss": 10**400}]},
        {"stopper": {"best": "x"}}, {"stopper": 5}, {"plateau": {"rate": []}}, {"plateau": {"unknown": 1}},
        {"lowest_epoch": 99}, {"epoch": None, "rows": []},
    ],
)  # fmt: skip
def test_a_checkpoint_with_odd_progress_is_none(
    tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps = json.dumps
    path = tmp_path / "checkpoint.npz"
    checkpoints.save(path, "me", _state())
    assert checkpoints.load(path, "me") is not None
    monkeypatch.setattr(checkpoints.json, "dumps", lambda data: dumps(data | change))
    checkpoints.save(path, "me", _state())
    assert checkpoints.load(path, "me") is None


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 40))
def test_a_checkpoint_with_any_bytes_changed_is_whole_or_none(
    tmp_path: Path, at: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / "checkpoint.npz"
    checkpoints.save(path, "me", _state())
    content = bytearray(path.read_bytes())
    for place, value in at:
        content[place % len(content)] = value
    path.write_bytes(bytes(content[: len(content) - cut]))
    found = checkpoints.load(path, "me")
    assert found is None or [array.shape for array in found.weights] == [(2, 3), (3,)]
