"""The Data page: what is here, fetching MNIST, registering and forgetting files. Nothing is downloaded here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shared import datasets, panels
from dashboard.shared.downloads import Download
from mnist_core.data.datasets import idx_md5, read_npz
from mnist_core.runs.store import Store
from tests.support.pages import click, words
from tests.support.synthetic import MakeRun

OpenPage = Callable[..., AppTest]


class Fetching(Download):
    """A download whose state the test sets."""

    state = "never"

    def start(self) -> None:
        self.state = "running"

    def stop(self) -> None:
        self.state = "never"

    @property
    def running(self) -> bool:
        return self.state == "running"

    def share(self) -> float:
        return 0.42


@pytest.fixture
def fetching(app: OpenPage, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetching:
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    fake = Fetching(store)
    monkeypatch.setattr(datasets, "download", lambda: fake)
    return fake


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "own.npz"
    labels = (np.arange(40) % 10).astype(np.uint8)
    images = np.full((40, 28, 28), 9, np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    return path


def page_of(app: OpenPage) -> AppTest:
    test = app("views/data.py")
    assert not test.exception
    return test


def register(test: AppTest, name: str, path: str) -> AppTest:
    test.text_input(key="data_name").set_value(name)
    test.text_input(key="data_path").set_value(path)
    return click(test, "Register")


def test_digits_are_there_and_mnist_is_offered(app: OpenPage, fetching: Fetching) -> None:
    page = page_of(app)
    table = page.dataframe[0].value.set_index("Dataset")
    assert table.loc["digits", "Training images"] == 1442
    assert table.loc["digits", "Test images"] == 355
    assert table.loc["digits", "Fingerprint"] == "ad007c825164269e"
    assert table.loc["MNIST", "On this machine"] == "no"
    assert np.isnan(table.loc["MNIST", "Training images"])  # nothing is said of what is not here
    assert "MNIST is not on this machine yet" in words(page)


def test_runs_are_counted_by_dataset(app: OpenPage, fetching: Fetching, make_run: MakeRun) -> None:
    make_run("one")
    make_run("two", preset="notebook/model_1")
    table = page_of(app).dataframe[0].value.set_index("Dataset")
    assert table.loc["digits", "Runs"] == 1
    assert table.loc["MNIST", "Runs"] == 1


def test_a_download_shows_how_far_it_is_and_can_be_stopped(app: OpenPage, fetching: Fetching) -> None:
    page = click(page_of(app), "Download MNIST")
    assert fetching.running
    assert [bar.proto.text for bar in page.get("progress")] == ["42 % of 11.5 MB"]
    click(page, "Stop")
    assert not fetching.running
    assert "Download MNIST" in [button.label for button in page.button]


def test_mnist_is_not_offered_for_use_while_it_is_arriving(app: OpenPage, fetching: Fetching, tmp_path: Path) -> None:
    # Keras writes to the final name, so that half a file looks like a whole one
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    (tmp_path / "keras" / "datasets" / "mnist.npz").write_bytes(b"half")
    fetching.state = "running"
    table = page_of(app).dataframe[0].value.set_index("Dataset")
    assert table.loc["MNIST", "On this machine"] == "no"


def test_mnist_can_be_taken_from_a_file_and_nothing_else_is(
    app: OpenPage, fetching: Fetching, npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(page: AppTest) -> AppTest:
        uploader = page.file_uploader(key="data_mnist_file")
        return uploader.set_value(("mnist.npz", npz.read_bytes(), "application/octet-stream")).run()

    page = given(page_of(app))
    assert [error.value.replace("\\", "") for error in page.error] == [
        "Mnist.npz is not MNIST: the checksum of x_train differs from the published one; take the mnist.npz that "
        "Keras uses, of 11.5 MB."
    ]
    assert "Download MNIST" in [button.label for button in page.button]
    published = {key: idx_md5(array) for key, array in read_npz(npz).items()}
    monkeypatch.setattr("mnist_core.data.datasets.MNIST_MD5", published)  # as if these few images were MNIST
    page = given(page_of(app))
    assert not page.exception
    assert "MNIST can be used now" in words(page)
    assert "MNIST is not on this machine yet" not in words(page)
    assert page.dataframe[0].value.set_index("Dataset").loc["MNIST", "On this machine"] == "yes"


def test_without_a_network_the_reason_is_said_and_digits_remain(
    app: OpenPage, fetching: Fetching, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Download(
        store, (sys.executable, "-c", "import sys; sys.exit('x: MNIST could not be downloaded (no network)')")
    )
    real.start()
    assert real._process is not None
    real._process.wait(20)
    monkeypatch.setattr(datasets, "download", lambda: real)
    page = page_of(app)
    assert "MNIST could not be downloaded (no network)." in words(page)
    assert "Try again" in [button.label for button in page.button]
    assert page.dataframe[0].value.set_index("Dataset").loc["digits", "On this machine"] == "yes"


def test_a_wrong_path_in_the_environment_is_named(
    app: OpenPage, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_NPZ", "nowhere.npz")
    page = page_of(app)
    assert "names nowhere.npz" in words(page)
    assert "Download MNIST" not in [button.label for button in page.button]


def test_a_file_is_registered_looked_at_and_forgotten(
    app: OpenPage, fetching: Fetching, store: Store, npz: Path
) -> None:
    page = register(page_of(app), "own", str(npz))
    assert "own can be used now: 40 training and 20 test images." in words(page)
    assert store.catalog.registered() == {"own": npz}
    page.run()
    table = page.dataframe[0].value.set_index("Dataset")
    assert table.loc["own", "Training images"] == 40
    click(page, "Forget")
    assert store.catalog.registered() == {}
    assert npz.exists()


def upload(test: AppTest, file: str, content: bytes, name: str = "") -> AppTest:
    test.file_uploader(key="data_file_0").set_value((file, content, "application/octet-stream"))
    test.text_input(key="data_name").set_value(name)
    return click(test, "Register")


def test_an_uploaded_file_is_kept_and_the_page_switches_to_it(
    app: OpenPage, fetching: Fetching, store: Store, npz: Path
) -> None:
    content = npz.read_bytes()
    npz.unlink()
    page = upload(page_of(app), "../My Digits (2).npz", content)
    assert "my-digits-2 can be used now: 40 training and 20 test images." in words(page).replace("\\", "")
    assert page.query_params["data"] == "my-digits-2"
    assert "registered file" in words(page)
    assert page.segmented_control(key="data_look").value == "my-digits-2"
    assert store.catalog.load("my-digits-2").y_train.shape == (40,)
    assert store.catalog.registered()["my-digits-2"].is_relative_to(store.root.resolve())
    # the form is empty again
    assert page.text_input(key="data_name").value == ""
    page.segmented_control(key="data_look").set_value("digits").run()
    assert page.query_params["data"] == "digits"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04"])
def test_an_upload_that_is_no_dataset_is_refused_in_our_own_words(
    app: OpenPage, fetching: Fetching, store: Store, content: bytes
) -> None:
    page = upload(page_of(app), "odd.npz", content)
    assert [error.value.replace("\\", "") for error in page.error] == [
        "Odd.npz is not an .npz file that can be used: it is damaged, cut short, or of another kind; fetch it again, "
        "or write it with numpy.savez_compressed."
    ]
    assert store.catalog.registered() == {}


def test_an_upload_above_the_limit_and_a_name_that_is_taken_are_refused(
    app: OpenPage, fetching: Fetching, store: Store, npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = upload(page_of(app), "own.npz", npz.read_bytes(), "digits")
    assert "Digits is built in; choose another name." in words(page)
    monkeypatch.setattr(panels, "MOST_UPLOAD_MB", 0)
    page = upload(page, "own.npz", npz.read_bytes(), "own")
    assert "0 are taken from a browser; give its path" in words(page)
    assert store.catalog.registered() == {}


@pytest.mark.parametrize(("dark", "paper"), [(False, 255), (True, 0)])
def test_digits_are_ink_on_paper_in_the_light_theme_and_chalk_in_the_dark_one(
    app: OpenPage, fetching: Fetching, monkeypatch: pytest.MonkeyPatch, dark: bool, paper: int
) -> None:
    shown = []
    monkeypatch.setattr(datasets.theme, "is_dark", lambda: dark)
    monkeypatch.setattr(datasets.st, "image", lambda pixels, **_: shown.append(pixels))
    page_of(app)
    assert len(shown) >= 1
    assert shown[-1][0, 0] == paper  # a corner is background


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("own", "nowhere.npz", "does not exist; check the path."),
        ("Own!", "own.npz", "is not a dataset name"),
        ("digits", "own.npz", "Digits is built in; choose another name."),
        ("own", "", "Upload a file or give the path of one, and not both."),
    ],
)
def test_a_refusal_says_why_and_keeps_what_was_typed(
    app: OpenPage, fetching: Fetching, store: Store, npz: Path, name: str, file: str, reason: str
) -> None:
    path = str(npz.parent / file) if file else ""
    page = register(page_of(app), name, path)
    assert reason in words(page)
    assert page.text_input(key="data_name").value == name
    assert store.catalog.registered() == {}


def test_a_registered_file_that_has_gone_bad_does_not_take_the_page_down(
    app: OpenPage, fetching: Fetching, store: Store, npz: Path
) -> None:
    store.catalog.register("own", npz)
    npz.write_bytes(b"torn")
    page = page_of(app)
    assert page.dataframe[0].value.set_index("Dataset").loc["own", "On this machine"].startswith("unusable: ")


def test_a_damaged_list_is_said_and_the_built_in_ones_remain(app: OpenPage, fetching: Fetching, store: Store) -> None:
    (store.root / "datasets.json").write_text("{")
    page = page_of(app)
    assert "cannot be read" in words(page)
    assert page.dataframe[0].value["Dataset"].tolist() == ["MNIST", "digits"]


def test_test_images_that_are_trained_on_and_images_with_two_labels_are_told(
    app: OpenPage, fetching: Fetching, npz: Path
) -> None:
    page = register(page_of(app), "own", str(npz))
    assert "20 of the 20 test images of own are training images, too" in words(page)
    assert "One image of own occurs with more than one label" in words(page)
    page.run()
    table = page.dataframe[0].value.set_index("Dataset")
    assert table.loc["own", "Test images in training"] == 20
    assert table.loc["digits", "Test images in training"] == 1  # a near duplicate, as measured


def test_what_was_found_in_a_dataset_stands_below_its_pictures(app: OpenPage, fetching: Fetching) -> None:
    assert "1 of the 355 test images of digits differs from a training image by less than 10 %" in words(page_of(app))
