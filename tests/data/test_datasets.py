"""Datasets: what is accepted, what is refused and why, and splits that keep every class's share."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mnist_core import constants
from mnist_core.data import datasets
from mnist_core.data.datasets import Catalog, find_mnist, read_npz
from mnist_core.errors import DatasetError, DatasetMissing, NotAllowed
from mnist_core.experiments.configs import HeldOutValidation, TestValidation
from mnist_core.people import student
from mnist_core.runs.store import Store


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path)


def arrays(images: int = 40, **changed: np.ndarray) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    good = {
        "x_train": generator.integers(0, 256, (images, 28, 28)).astype(np.uint8),
        "y_train": (np.arange(images) % 10).astype(np.int64),
        "x_test": generator.integers(0, 256, (20, 28, 28)).astype(np.uint8),
        "y_test": (np.arange(20) % 10).astype(np.int64),
    }
    return good | changed


def saved(path: Path, **content: np.ndarray) -> Path:
    np.savez_compressed(path, **content)
    return path


class TestDigits:
    def test_are_28_by_28_with_a_fixed_stratified_split(self, catalog: Catalog) -> None:
        digits = catalog.load("digits")
        assert digits.x_train.shape == (1442, 28, 28)
        assert digits.x_test.shape == (355, 28, 28)
        assert digits.x_train.dtype == digits.y_train.dtype == np.uint8
        assert np.bincount(digits.y_test).tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]

    def test_are_the_same_bytes_on_every_machine(self, catalog: Catalog) -> None:
        assert catalog.fingerprint("digits") == "ad007c825164269e"

    def test_training_and_test_images_do_not_overlap(self, catalog: Catalog) -> None:
        digits = catalog.load("digits")
        train = {hashlib.sha256(image.tobytes()).digest() for image in digits.x_train}
        test = {hashlib.sha256(image.tobytes()).digest() for image in digits.x_test}
        assert not train & test


class TestSplit:
    def test_validation_from_the_test_set_trains_on_everything(self, catalog: Catalog) -> None:
        digits = catalog.load("digits")
        split = digits.split(TestValidation(), seed=0)
        assert split.x_train is digits.x_train
        assert split.x_val is digits.x_test

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_held_out_part_is_disjoint_complete_and_keeps_the_shares(self, catalog: Catalog, seed: int) -> None:
        digits = catalog.load("digits")
        split = digits.split(HeldOutValidation(fraction=0.25), seed)
        assert len(split.y_val) == 360
        assert len(split.y_train) + len(split.y_val) == len(digits.y_train)
        together = np.concatenate([split.x_train, split.x_val]).reshape(-1, 784)
        assert sorted(map(bytes, together)) == sorted(map(bytes, digits.x_train.reshape(-1, 784)))
        share = np.bincount(split.y_val) / np.bincount(digits.y_train)
        assert np.abs(share - 0.25).max() < 0.01

    def test_the_seed_decides_which_images_are_held_out(self, catalog: Catalog) -> None:
        digits = catalog.load("digits")
        first, again, other = (digits.split(HeldOutValidation(count=100), seed).x_val for seed in (0, 0, 1))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


class TestRegistering:
    def test_a_file_of_the_same_form_can_be_used_by_name(self, catalog: Catalog, tmp_path: Path) -> None:
        catalog.register("fashion", saved(tmp_path / "f.npz", **arrays()))
        assert "fashion" in catalog.names()
        assert catalog.available("fashion")
        assert catalog.load("fashion").y_train.dtype == np.uint8
        catalog.forget("fashion")
        assert "fashion" not in catalog.names()
        assert (tmp_path / "f.npz").exists()

    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"x_train": np.zeros((40, 28, 28), np.float32)}, "x_train has dtype float32; images must be uint8"),
            ({"x_test": np.zeros((20, 32, 32), np.uint8)}, r"x_test has shape \(20, 32, 32\); images must have shape"),
            ({"x_train": np.zeros((40, 28, 28, 1), np.uint8)}, "images must have shape"),
            ({"y_train": np.zeros(39, np.int64)}, r"y_train has shape \(39,\) for 40 images"),
            ({"y_train": np.full(40, 10)}, "labels from 10 to 10; they must lie between 0 and 9"),
            ({"y_test": np.full(20, -1)}, "labels from -1 to -1"),
            ({"y_test": np.zeros(20)}, "y_test has dtype float64; labels must be integers"),
            ({"x_test": np.zeros((0, 28, 28), np.uint8), "y_test": np.zeros(0, int)}, "has 0 images; at least 10"),
        ],
    )
    def test_a_file_of_another_form_is_refused_with_the_reason(
        self, catalog: Catalog, tmp_path: Path, changed: dict[str, np.ndarray], says: str
    ) -> None:
        path = saved(tmp_path / "odd.npz", **arrays(**changed))
        with pytest.raises(DatasetError, match=says) as caught:
            catalog.register("odd", path)
        assert "odd.npz" in str(caught.value)
        assert catalog.registered() == {}

    def test_a_missing_array_is_named(self, catalog: Catalog, tmp_path: Path) -> None:
        content = arrays()
        del content["y_test"]
        with pytest.raises(DatasetError, match="has no array y_test"):
            catalog.register("odd", saved(tmp_path / "odd.npz", **content))

    def test_pickled_objects_are_never_loaded(self, catalog: Catalog, tmp_path: Path) -> None:
        path = saved(tmp_path / "odd.npz", **arrays(y_test=np.array([object()] * 20)))
        with pytest.raises(DatasetError, match="y_test has dtype object; there may be numbers and text only"):
            catalog.register("odd", path)

    @pytest.mark.parametrize("cut", [0, 10, 3000])
    def test_a_torn_file_is_an_error_that_names_it(self, catalog: Catalog, tmp_path: Path, cut: int) -> None:
        path = saved(tmp_path / "torn.npz", **arrays())
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DatasetError, match=r"torn\.npz is not an \.npz file that can be used: it is damaged, cut"):
            catalog.register("torn", path)

    def test_a_flipped_byte_is_found(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "bad.npz", **arrays())
        content = bytearray(path.read_bytes())
        content[5000] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"bad\.npz"):
            read_npz(path)

    def test_content_from_elsewhere_is_kept_in_the_store_checked_as_a_file_is(
        self, catalog: Catalog, tmp_path: Path
    ) -> None:
        content = saved(tmp_path / "f.npz", **arrays()).read_bytes()
        kept = catalog.keep("fashion", content, "f.npz")
        (tmp_path / "f.npz").unlink()
        assert catalog.load("fashion").fingerprint == kept.fingerprint
        with pytest.raises(DatasetError, match="there is a dataset fashion already; choose another name, or forget"):
            catalog.keep("fashion", content, "f.npz")
        odd = saved(tmp_path / "odd.npz", **arrays(x_test=np.zeros((20, 32, 32), np.uint8))).read_bytes()
        with pytest.raises(DatasetError, match=r"^theirs\.npz: x_test has shape \(20, 32, 32\)"):
            catalog.keep("odd", odd, "theirs.npz")
        with pytest.raises(DatasetError, match=r"^theirs\.npz is not an \.npz file that can be used"):
            catalog.keep("odd", b"rubbish", "theirs.npz")
        assert list(catalog.registered()) == ["fashion"]
        assert len(list(catalog.registered()["fashion"].parent.iterdir())) == 1  # nothing of what was refused

    def test_what_would_take_too_much_memory_is_not_kept(
        self, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(datasets, "MOST_KEPT_BYTES", 2**15)
        with pytest.raises(DatasetError, match=r"it would take .* MB of memory"):
            catalog.keep("large", saved(tmp_path / "f.npz", **arrays()).read_bytes(), "f.npz")
        assert catalog.registered() == {}

    def test_a_student_of_a_class_can_register_keep_and_forget_nothing(self, catalog: Catalog, tmp_path: Path) -> None:
        path = saved(tmp_path / "f.npz", **arrays())
        catalog.register("teachers", path)
        of_ada = Store(tmp_path, who=lambda: student("Ada")).catalog
        changes: list[Callable[[], object]] = [
            lambda: of_ada.register("mine", path),
            lambda: of_ada.keep("mine", path.read_bytes(), "f.npz"),
            lambda: of_ada.forget("teachers"),
        ]
        for change in changes:
            with pytest.raises(NotAllowed, match="Ada may not download, register or remove data sets; only"):
                change()
        assert list(of_ada.registered()) == ["teachers"]
        assert not (tmp_path / "datasets").exists()  # and nothing of it was kept

    def test_other_data_under_a_forgotten_name_leave_those_that_were_kept(
        self, catalog: Catalog, tmp_path: Path
    ) -> None:
        catalog.keep("mine", saved(tmp_path / "one.npz", **arrays()).read_bytes(), "one.npz")
        first = catalog.registered()["mine"]
        catalog.forget("mine")
        catalog.keep("mine", saved(tmp_path / "two.npz", **arrays(60)).read_bytes(), "two.npz")
        assert first.is_file()
        assert catalog.registered()["mine"] != first

    @pytest.mark.parametrize("name", ["mnist", "digits", "Fashion", "a b", "", "../x"])
    def test_odd_and_taken_names_are_refused(self, catalog: Catalog, tmp_path: Path, name: str) -> None:
        with pytest.raises(DatasetError):
            catalog.register(name, saved(tmp_path / "f.npz", **arrays()))

    def test_another_file_under_the_same_name_is_another_version(self, catalog: Catalog, tmp_path: Path) -> None:
        catalog.register("mine", saved(tmp_path / "one.npz", **arrays()))
        before = catalog.version("mine")
        assert before == catalog.version("mine")
        catalog.register("mine", saved(tmp_path / "two.npz", **arrays(60)))
        assert catalog.version("mine") != before

    def test_an_unknown_name_is_refused_with_the_known_ones(self, catalog: Catalog) -> None:
        with pytest.raises(DatasetError, match="there is no dataset 'cifar'; there are mnist, digits"):
            catalog.load("cifar")


class TestMnist:
    def test_without_a_file_the_remedy_is_named(self, catalog: Catalog, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.delenv("MNIST_NPZ", raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        assert not catalog.available("mnist")
        with pytest.raises(DatasetMissing, match="MNIST_NPZ"):
            catalog.load("mnist")

    def test_the_variable_goes_before_the_keras_cache(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        cached = tmp_path / "datasets" / "mnist.npz"
        cached.parent.mkdir()
        cached.touch()
        monkeypatch.delenv("MNIST_NPZ", raising=False)
        assert find_mnist() == cached
        monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "mine.npz"))
        assert find_mnist() == tmp_path / "mine.npz"

    def test_a_file_that_is_not_mnist_is_never_used(self, catalog: Catalog, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("MNIST_NPZ", str(saved(tmp_path / "mnist.npz", **arrays())))
        with pytest.raises(DatasetError, match=r"mnist\.npz is not MNIST: the checksum of x_train differs"):
            catalog.load("mnist")

    def test_a_download_that_fails_is_one_sentence_with_the_way_out(self, monkeypatch) -> None:
        import keras

        def refuse(*_: object) -> None:
            raise OSError("URL fetch failure: [Errno -3] Temporary failure in name resolution\nand more")

        monkeypatch.setattr(keras.datasets.mnist, "load_data", refuse)
        with pytest.raises(DatasetMissing, match="could not be downloaded") as caught:
            datasets.download_mnist()
        assert "use the dataset digits" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_half_a_download_is_not_a_dataset(self, catalog: Catalog, tmp_path: Path, monkeypatch) -> None:
        import keras

        monkeypatch.delenv("MNIST_NPZ", raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        (tmp_path / "datasets").mkdir()
        seen: list[bool] = []

        def load_data(path: str) -> None:
            (tmp_path / "datasets" / path).write_bytes(b"half")
            seen.append(catalog.available("mnist"))

        monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
        assert datasets.download_mnist().read_bytes() == b"half"
        assert (seen, catalog.available("mnist")) == ([False], True)

    @pytest.mark.mnist
    def test_the_real_one_is_recognised(self, catalog: Catalog) -> None:
        mnist = catalog.load("mnist")
        assert mnist.x_train.shape == (60_000, 28, 28)
        found = {key: getattr(mnist, key) for key in datasets.ARRAYS}
        assert datasets.fingerprint(found) == mnist.fingerprint == constants.MNIST_FINGERPRINT

    def test_a_file_from_elsewhere_is_kept_only_where_it_is_mnist(
        self, catalog: Catalog, tmp_path: Path, monkeypatch
    ) -> None:
        monkeypatch.delenv("MNIST_NPZ", raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        other = saved(tmp_path / "other.npz", **arrays())
        with pytest.raises(
            DatasetError, match=r"^theirs\.npz is not MNIST: the checksum of x_train .*; take the mnist"
        ):
            catalog.keep_mnist(other.read_bytes(), "theirs.npz")
        with pytest.raises(DatasetError, match=r"^theirs\.npz is not an \.npz file"):
            catalog.keep_mnist(b"rubbish", "theirs.npz")
        with pytest.raises(NotAllowed, match="only the teacher may"):
            Store(tmp_path, who=lambda: student("Ada")).catalog.keep_mnist(other.read_bytes(), "theirs.npz")
        assert not catalog.available("mnist")
        assert list((tmp_path / "keras" / "datasets").iterdir()) == []
        # as if these few images were MNIST
        published = {key: datasets.idx_md5(array) for key, array in read_npz(other).items()}
        monkeypatch.setattr(datasets, "MNIST_MD5", published)
        assert len(catalog.keep_mnist(other.read_bytes(), "theirs.npz").y_train) == 40
        assert len(catalog.load("mnist").y_train) == 40


def test_digits_say_that_their_test_images_are_hardly_by_new_writers(catalog: Catalog) -> None:
    """By scikit-learn's description; every fifth image of a class cannot leave a writer of about 138 images out."""
    from sklearn.datasets import load_digits

    assert re.search(r"test set of the UCI.*different 13\s+to the test set", load_digits().DESCR, re.DOTALL)
    assert "by 13 people" in catalog.describe("digits")
    assert "hardly by new writers" in catalog.describe("digits")


@pytest.mark.parametrize("moved", [False, True])
def test_digits_are_scikit_learns_also_where_it_keeps_them_elsewhere(
    monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    from sklearn.datasets import load_digits

    if moved:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    images, labels = datasets._scikit_learns_digits()
    assert np.array_equal(images, load_digits().images)
    assert np.array_equal(labels, load_digits().target)


def test_digits_are_read_without_importing_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: sklearn.__spec__)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert datasets._scikit_learns_digits()[0].shape == (1797, 8, 8)
