"""Kept digits are a small test set of plain files."""

import json
from pathlib import Path

import numpy as np
import pytest

from mnist_core.data import kept_digits as module
from mnist_core.data.images import Pixels
from mnist_core.data.kept_digits import keep, kept_digits, remove, version
from mnist_core.errors import DrawingError, WriteError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "drawings"


def picture(seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (28, 28)).astype(np.uint8)


def test_digits_come_back_with_their_labels_in_the_order_of_keeping(folder: Path) -> None:
    for seed, label in enumerate((7, 0, 9)):
        keep(folder, picture(seed), label)
    found = kept_digits(folder)
    assert found.labels.tolist() == [7, 0, 9]
    assert found.labels.dtype == np.uint8
    np.testing.assert_array_equal(found.images, [picture(seed) for seed in range(3)])
    assert not found.problems


def test_a_folder_that_does_not_exist_holds_no_digits(folder: Path) -> None:
    found = kept_digits(folder)
    assert found.images.shape == (0, 28, 28)
    assert found.labels.shape == (0,)
    assert version(folder) == (0, 0)


def test_the_same_picture_is_kept_once_and_takes_the_new_label(folder: Path) -> None:
    first, second = keep(folder, picture(), 4), keep(folder, picture(), 9)
    assert first.id == second.id
    assert kept_digits(folder).labels.tolist() == [9]


def test_every_change_changes_the_version(folder: Path) -> None:
    seen = {version(folder)}
    digit = keep(folder, picture(), 4)
    seen.add(version(folder))
    keep(folder, picture(), 9)
    seen.add(version(folder))
    remove(folder, digit.id)
    seen.add(version(folder))
    assert len(seen) == 4


def test_a_removed_digit_is_gone_and_removing_it_twice_is_no_error(folder: Path) -> None:
    digit = keep(folder, picture(), 4)
    remove(folder, digit.id)
    remove(folder, digit.id)
    assert not kept_digits(folder).digits


def test_only_a_kept_digit_can_be_removed(folder: Path) -> None:
    folder.mkdir()
    other = folder.parent / "0123456789abcdef.json"
    other.write_text("{}")
    remove(folder, "../0123456789abcdef")
    assert other.exists()


@pytest.mark.parametrize(
    ("image", "label", "message"),
    [
        (picture(), 10, "label is 10.*0 to 9"),
        (picture(), -1, "label is -1"),
        (np.zeros((28, 28), np.uint8), 3, "no ink"),
        (np.zeros((8, 8), np.uint8), 3, r"\(28, 28\)"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(folder: Path, image: Pixels, label: int, message: str) -> None:
    with pytest.raises(DrawingError, match=message):
        keep(folder, image, label)
    assert not folder.exists()


def test_there_is_a_most_and_a_kept_digit_can_still_be_relabelled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    keep(folder, picture(0), 1)
    keep(folder, picture(1), 1)
    keep(folder, picture(1), 2)
    with pytest.raises(DrawingError, match=r"2 digits are kept.*remove"):
        keep(folder, picture(2), 1)
    assert kept_digits(folder).labels.tolist() == [1, 2]


GOOD = {"label": 3, "kept_at": 1.0, "rows": ["00" * 28] * 28}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        json.dumps(GOOD | {"label": 10}),
        json.dumps(GOOD | {"label": True}),
        json.dumps(GOOD | {"rows": ["00" * 28] * 27}),
        json.dumps(GOOD | {"rows": ["00" * 27] * 28}),
        json.dumps(GOOD | {"rows": ["zz" * 28] * 28}),
        json.dumps(GOOD | {"rows": None}),
        json.dumps(GOOD | {"kept_at": "today"}),
    ],
)
def test_a_damaged_file_costs_one_digit_and_is_named(folder: Path, content: str) -> None:
    keep(folder, picture(), 4)
    (folder / "0123456789abcdef.json").write_text(content)
    found = kept_digits(folder)
    assert found.labels.tolist() == [4]
    assert len(found.problems) == 1
    assert "0123456789abcdef.json cannot be read" in found.problems[0]


def test_a_store_that_may_not_be_written_says_so(store, read_only) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    read_only()
    with pytest.raises(WriteError, match="read-only"):
        keep(store.root / "drawings", picture(), 4)
