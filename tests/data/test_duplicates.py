"""Images that occur twice are counted exactly, near copies are found, and what was found is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from mnist_core.cli import main
from mnist_core.data import duplicates
from mnist_core.data.datasets import Catalog, Dataset, fingerprint
from mnist_core.data.duplicates import DataCheck, checked, examine, known
from mnist_core.data.words import check_words, label_words, leak_words, repeat_words
from mnist_core.runs.store import Store


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def data(x_train: np.ndarray, x_test: np.ndarray, **labels: np.ndarray) -> Dataset:
    arrays = {
        "x_train": x_train,
        "y_train": labels.get("y_train", (np.arange(len(x_train)) % 10).astype(np.uint8)),
        "x_test": x_test,
        "y_test": labels.get("y_test", (np.arange(len(x_test)) % 10).astype(np.uint8)),
    }
    return Dataset("made up", **arrays, fingerprint=fingerprint(arrays))


def check(**values: int) -> DataCheck:
    counts = {
        "train": 1000, "test": 400, "test_in_train": 0, "repeated_train": 0, "repeated_test": 0, "conflicts": 0,
        "near": 0, "near_examined": 400,
    }  # fmt: skip
    return DataCheck(fingerprint="5" * 16, **counts | values)


def test_nothing_is_found_where_all_images_are_different() -> None:
    found = examine(data(noise(50), noise(20, seed=1)))
    assert (found.train, found.test, found.near_examined) == (50, 20, 20)
    assert (found.test_in_train, found.repeated_train, found.repeated_test, found.conflicts, found.near) == (0,) * 5
    assert not found.leaks


def test_test_images_that_are_trained_on_and_repeats_are_counted() -> None:
    train, new = noise(50), noise(20, seed=1)
    found = examine(data(np.concatenate([train, train[:3]]), np.concatenate([new, train[:7], new[:2]])))
    assert (found.test_in_train, found.repeated_train, found.repeated_test) == (7, 3, 2)
    assert found.leaks


def test_an_image_with_two_labels_is_counted_once_wherever_its_copies_are() -> None:
    train, labels = noise(20), np.zeros(20, np.uint8)
    twice = np.concatenate([train, train[:2]])
    found = examine(
        data(twice, train[1:3], y_train=np.r_[labels, [1, 1]].astype(np.uint8), y_test=np.array([2, 0], np.uint8))
    )
    assert found.conflicts == 2  # images 0 and 1; image 2 has label 0 in both parts


def test_a_copy_with_a_little_noise_is_near_and_one_with_much_is_not() -> None:
    train = noise(30)
    generator = np.random.default_rng(2)

    def noisy(amount: int) -> np.ndarray:
        shifted = train[:5].astype(int) + generator.integers(-amount, amount + 1, (5, 28, 28))
        return np.clip(shifted, 0, 255).astype(np.uint8)

    # uniform pixels have a standard deviation of 74, a tenth of which is that of noise of ±12
    found = examine(data(train, np.concatenate([noisy(6), noisy(60), train[5:7]])))
    assert (found.near, found.test_in_train, found.near_examined) == (5, 2, 10)


@pytest.mark.parametrize("share", [0.15, 0.2, 0.25])
def test_near_duplicates_of_digits_are_those_of_a_full_search(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    monkeypatch.setattr(duplicates, "NEAR", share)
    digits = Catalog(Path("nowhere")).load("digits")
    train, test = (part.reshape(len(part), -1).astype(float) for part in (digits.x_train, digits.x_test))
    distance = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(test)[0][:, 0]
    expected = int((distance <= share * np.linalg.norm(test - test.mean(1, keepdims=True), axis=1)).sum())
    assert expected > 0
    assert examine(digits).near == expected


def test_in_large_data_some_test_images_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 500)
    assert examine(data(noise(50), noise(40, seed=1))).near_examined == 10


def test_what_is_known_of_digits_is_what_is_measured() -> None:
    digits = Catalog(Path("nowhere")).load("digits")
    assert known(Path("nowhere"), digits.fingerprint) == examine(digits)


@pytest.mark.mnist
def test_what_is_known_of_mnist_is_what_is_measured() -> None:
    mnist = Catalog(Path("nowhere")).load("mnist")
    assert known(Path("nowhere"), mnist.fingerprint) == examine(mnist)


def test_what_was_found_is_remembered_and_a_damaged_memory_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = data(noise(30), noise(12)[:12])
    assert known(tmp_path, made_up.fingerprint) is None
    found = checked(tmp_path, made_up)
    assert found.test_in_train == 12
    (tmp_path / "data-checks" / f"{made_up.fingerprint}.json").write_text("{")
    assert known(tmp_path, made_up.fingerprint) is None
    assert checked(tmp_path, made_up) == found
    monkeypatch.setattr(duplicates, "examine", lambda dataset: pytest.fail("it was examined before"))
    assert checked(tmp_path, made_up) == found


def test_sentences_give_the_counts() -> None:
    assert leak_words(check(), "fashion") == ""
    assert leak_words(check(test_in_train=400, near_examined=0), "fashion").startswith(
        "400 of the 400 test images of fashion are training images, too: a network may remember them"
    )
    assert leak_words(check(near=1), "fashion").startswith(
        "1 of the 400 test images of fashion differs from a training image by less than 10 % of its contrast"
    )
    both = leak_words(check(test_in_train=10, near=5, near_examined=50), "fashion")
    assert "and 5 more of the 50 test images that were examined differ" in both
    assert "One image of fashion" in label_words(check(conflicts=1), "fashion")
    assert "3 images of fashion" in label_words(check(conflicts=3), "fashion")
    assert repeat_words(check(repeated_test=1), "fashion") == "1 test image of fashion repeats an earlier one."
    assert "copies may be on both sides" in repeat_words(check(repeated_train=2), "fashion")
    assert check_words(check(), "fashion")[0].startswith("No image of fashion occurs twice")


def test_registering_a_file_with_leaks_warns_and_registers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = noise(40), (np.arange(40) % 10).astype(np.uint8)
    np.savez(tmp_path / "leaky.npz", x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    store = Store(tmp_path / "store")
    register = ["datasets", "--store", str(store.root), "--register", "leaky", str(tmp_path / "leaky.npz")]
    assert main(register) == 0
    out, err = capsys.readouterr()
    assert "warning: 20 of the 20 test images of leaky are training images, too" in err
    assert "leaky" in store.catalog.registered()
    (listed,) = [line for line in out.splitlines() if line.split()[0] == "leaky"]
    assert "20" in listed.split()
