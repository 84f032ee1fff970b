"""`.keras` files from elsewhere: this predicts what Keras predicts; what is not on the list is refused by name."""

from __future__ import annotations

import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mnist_core.cli.parser import main
from mnist_core.data.datasets import Catalog
from mnist_core.errors import DamagedFile
from mnist_core.inspection.numpy_network import network_of
from mnist_core.runs import keras_file
from mnist_core.runs.keras_file import read_network, read_weights
from mnist_core.runs.store import Store
from tests.support.memory import CAN_MEASURE, measured

Build = Callable[[Any], list[Any]]
DENSE: Build = lambda layers: [  # noqa: E731
    layers.Input((28, 28)),
    layers.Flatten(),
    layers.Dense(8, activation="relu"),
    layers.Dropout(0.2),
    layers.Dense(10, activation="softmax"),
]
FOREIGN: dict[str, Build] = {
    "dense": DENSE,
    "flat pixels": lambda layers: [
        layers.Input((784,)),
        layers.Dense(8, activation="tanh"),
        layers.Dense(6, activation="gelu", kernel_regularizer="l2"),
        layers.Dense(10, activation="softmax"),
    ],
    "the convolutional network of keras.io": lambda layers: [
        layers.Input((28, 28, 1)),
        layers.Conv2D(4, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(5, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ],
    "activations as layers": lambda layers: [
        layers.Input((28, 28)),
        layers.Reshape((28, 28, 1)),
        layers.Conv2D(4, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("elu"),
        layers.AveragePooling2D(2),
        layers.Conv2D(3, 3),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(7),
        layers.Activation("sigmoid"),
        layers.Dense(10),
        layers.Softmax(),
    ],
}


def saved(path: Path, build: Build, *, functional: bool = False) -> Any:
    """Save a model with any weights, and return it."""
    import keras

    model = keras.Sequential(build(keras.layers))
    if functional:
        inputs = keras.Input(model.input_shape[1:])
        found = inputs
        for layer in model.layers:
            found = layer(found)
        model = keras.Model(inputs, found)
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.01, 0.5, array.shape).astype(np.float32) for array in model.get_weights()])
    model.save(path)
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a dense network."""
    saved(tmp_path / "foreign.keras", DENSE)
    return tmp_path / "foreign.keras"


@pytest.mark.parametrize("functional", [False, True], ids=["sequential", "functional"])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_network_predicts_as_keras_does(tmp_path: Path, name: str, functional: bool) -> None:
    model = saved(tmp_path / "foreign.keras", FOREIGN[name], functional=functional)
    config = read_network(tmp_path / "foreign.keras")
    assert config.parameter_count() == model.count_params()
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
    pixels = (images / 255).astype(np.float32).reshape(6, *model.input_shape[1:])
    found = network_of(read_weights(config, tmp_path / "foreign.keras")).probabilities(images)
    np.testing.assert_allclose(found, model.predict(pixels, verbose=0), atol=1e-5)


def test_a_network_that_scales_its_pixels_itself_takes_the_same_images(tmp_path: Path) -> None:
    def build(layers: Any) -> list[Any]:
        return [layers.Input((28, 28)), layers.Rescaling(1 / 255), *DENSE(layers)[1:]]

    model = saved(tmp_path / "foreign.keras", build)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
    found = network_of(read_weights(read_network(tmp_path / "foreign.keras"), tmp_path / "foreign.keras"))
    np.testing.assert_allclose(found.probabilities(images), model.predict(images, verbose=0), atol=1e-5)


def test_import_makes_a_run_of_it_and_never_asks_keras_to_load_it(path, store: Store, monkeypatch, capsys) -> None:
    import keras

    model = keras.saving.load_model(path)  # the test's own file
    for module in (keras.saving, keras.models):
        monkeypatch.setattr(module, "load_model", pytest.fail)
    assert main(["import", str(path), "--dataset", "digits", "--name", "theirs", "--store", str(store.root)]) == 0
    run = store.find("theirs")
    predictions = run.predictions()
    assert predictions is not None
    images = Catalog(store.root).load("digits").x_test
    np.testing.assert_allclose(predictions.probabilities, model.predict(images / 255, verbose=0), atol=1e-5)
    assert run.parameters == model.count_params()
    assert main(["import", str(path), "--store", str(store.root)]) == 2
    assert "give one of" in capsys.readouterr().err


def test_no_module_of_the_project_calls_keras_s_loader() -> None:
    root = Path(keras_file.__file__).parents[1]
    for file in [*root.rglob("*.py"), *(root.parent / "dashboard").rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        if file.name in ("keras_code.py", "drawer.py"):  # code and advice for a person, about the person's own runs
            continue
        assert "load_model(" not in text, file


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write the file anew with another configuration."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    return written(path, members)


def written(path: Path, members: dict[str, bytes]) -> Path:
    made = path.with_name("changed.keras")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made


def layer(config: dict[str, Any], index: int) -> dict[str, Any]:
    found: dict[str, Any] = config["config"]["layers"][index]
    return found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda config: layer(config, 2).update(class_name="Lambda"), r"'dense\w*' \(Lambda\) is not read"),
        (lambda config: layer(config, 2).update(module="os"), r"'dense\w*' \(Dense\) is not read"),
        (lambda config: layer(config, 2).update(registered_name="evil>Dense"), r"'dense\w*' \(Dense\) is not read"),
        (lambda config: layer(config, 2)["config"].update(activation={"class_name": "function"}), "its activation is"),
        (lambda config: layer(config, 2)["config"].update(units=10**9), "units"),
        (lambda config: layer(config, 2)["config"].update(use_bias=False), "use_bias is False"),
        (lambda config: layer(config, 4)["config"].update(units=26), "it has 26 classes"),
        (lambda config: layer(config, 4)["config"].update(activation="relu"), "does not end in a softmax"),
        (lambda config: layer(config, 0)["config"].update(batch_shape=[None, 32, 32, 3]), r"shape is \(32, 32, 3\)"),
        (lambda config: layer(config, 3)["config"].update(rate=0.99), "dropout"),
        (lambda config: config.update(class_name="Model"), "it is a Model"),
        (lambda config: config.update(config=[]), "is not among those that are read"),
        (lambda config: layer(config, 2).update(config=None), "is not among those that are read"),
    ],
)
def test_what_is_not_on_the_list_is_refused_by_name(path: Path, change, says: str) -> None:
    with pytest.raises(DamagedFile, match=says):
        read_network(changed(path, change))


def with_weights(path: Path, change: Callable[[h5py.File], None]) -> Path:
    """Write the file anew with changed weights."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    return written(path, members | {"model.weights.h5": content.getvalue()})


KERNEL = "layers/dense/vars/0"


def _replace(file: h5py.File, value: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = value


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((784, 8), np.float32)
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (784, 8))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def _external_data(file: h5py.File) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (784, 8), np.float32, external=[("/etc/hostname", 0, 784 * 8 * 4)])


def _replace_group(file: h5py.File, value: Any) -> None:
    del file["layers/dense"]
    file["layers/dense"] = value


def _stored(file: h5py.File, **settings: Any) -> None:
    """Store the same shape in another way."""
    del file[KERNEL]
    filled = {"data": np.zeros((784, 8), np.float32)} | settings
    if filled["data"] is None:
        filled.pop("data")
    file.create_dataset(KERNEL, (784, 8), np.float32, **filled)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda file: _replace(file, h5py.ExternalLink("/etc/other.h5", "/x")), "is an external link"),
        (lambda file: _replace(file, h5py.SoftLink("/layers/dense_1/vars/0")), "is a soft link"),
        (_virtual, "kept outside the file"),
        (_external_data, "kept outside the file"),
        (lambda file: _replace(file, np.zeros((8, 784), np.float32)), r"shape \(8, 784\)"),
        (lambda file: _replace(file, np.zeros((784, 9), np.float32)), "has other weights than its configuration says"),
        (lambda file: _replace(file, np.full((784, 8), b"x")), "dtype"),
        (lambda file: file.pop("layers/dense"), "is missing"),
        (lambda file: _replace_group(file, h5py.SoftLink("/layers/dense_1")), "is a soft link, or behind one"),
        (lambda file: _replace_group(file, h5py.ExternalLink("/etc/other.h5", "/x")), "is an external link, or behind"),
        (lambda file: _replace_group(file, np.zeros(3)), "is missing"),
        (lambda file: _stored(file, chunks=(784, 8)), r"stored in chunks of 24 KB with the filters none, and may be"),
        (lambda file: _stored(file, chunks=(1, 8), compression="gzip"), "with the filters deflate, .*model.save"),
        (lambda file: _stored(file, chunks=(1, 8), maxshape=(None, 8)), "stored in chunks of 32 bytes"),
        (lambda file: _stored(file, data=None), "has 0 bytes in the file, and must have 25,088"),
    ],
)
def test_weights_from_elsewhere_or_of_another_shape_are_refused(path: Path, change, says: str) -> None:
    changed_file = with_weights(path, change)
    with pytest.raises(DamagedFile, match=says):
        read_weights(read_network(changed_file), changed_file)


def test_bombs_strange_members_and_damage_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = written(path, members | {"model.weights.h5": bytes(keras_file.MOST_BYTES + 1)})
    assert bomb.stat().st_size < 2**20
    with pytest.raises(DamagedFile, match="at most 200 MB are read"):
        read_network(bomb)
    with pytest.raises(DamagedFile, match="at most 200 MB are read, 1 MB of them its configuration"):
        read_network(written(path, members | {"config.json": bytes(2 * 2**20)}))
    with pytest.raises(DamagedFile, match=r"it holds '\.\./evil.py'"):
        read_network(written(path, members | {"../evil.py": b""}))
    for cut in (0, 100, len(path.read_bytes()) - 30):
        (path.parent / "cut.keras").write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DamagedFile, match=r"not a \.keras file"):
            read_network(path.parent / "cut.keras")


def _one_large_chunk(file: h5py.File) -> None:
    """Store the array in one chunk of 1 GB, of which it is the first rows."""
    del file[KERNEL]
    rows = 2**30 // (8 * 4)
    settings: dict[str, Any] = {"chunks": (rows, 8), "maxshape": (None, 8), "compression": "gzip"}
    made = file.create_dataset(KERNEL, (784, 8), np.float32, **settings)
    made.id.write_direct_chunk((0, 0), _zeros(2**30))


def _zeros(size: int) -> bytes:
    """Return so many zeros as zlib compresses them, without making them: one compressed MB, many times (RFC 1950)."""
    deflate = zlib.compressobj(9)
    block = deflate.compress(bytes(2**20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    head, megabyte = block[:2], block[2:]
    adler = size % 65521 << 16 | 1
    return head + megabyte * (size // 2**20) + b"\x03\x00" + adler.to_bytes(4, "big")


@pytest.mark.skipif(not CAN_MEASURE, reason="only Linux counts the peak of a process anew")
def test_a_small_file_with_a_chunk_of_a_gigabyte_takes_little_memory(path: Path) -> None:
    bomb = with_weights(path, _one_large_chunk)
    assert bomb.stat().st_size < 40_000
    model = read_network(bomb)
    with measured() as peak, pytest.raises(DamagedFile, match=r"chunks of 1,024 MB .*one piece"):
        read_weights(model, bomb)
    assert peak.bytes < 32 * 2**20


def test_groups_nested_thousands_deep_are_not_opened(path: Path, monkeypatch) -> None:
    """HDF5 takes a minute to visit 3,000 groups in each other, which are a file of 30 kB."""

    def nest(file: h5py.File) -> None:
        group = file
        for _ in range(1_000):
            group = group.create_group("a")

    deep = with_weights(path, nest)
    for visit in ("visit", "visititems", "visit_links", "visititems_links"):
        monkeypatch.setattr(h5py.Group, visit, pytest.fail)
    assert read_weights(read_network(deep), deep)


def test_arrays_that_share_their_place_in_the_file_count_each(tmp_path: Path, monkeypatch) -> None:
    saved(tmp_path / "wide.keras", lambda layers: [*DENSE(layers)[:2], *_wide(layers)])
    model = read_network(tmp_path / "wide.keras")
    assert read_weights(model, tmp_path / "wide.keras")

    def share(file: h5py.File) -> None:
        for number in range(2, 9):
            del file[f"layers/dense_{number}/vars/0"]
            file[f"layers/dense_{number}/vars/0"] = file["layers/dense_1/vars/0"]

    path = with_weights(tmp_path / "wide.keras", share)
    monkeypatch.setattr(keras_file, "MOST_ARRAY_BYTES", 2**18)
    with pytest.raises(DamagedFile, match="they would take 329 KB, and at most 256 KB are read; use a smaller network"):
        read_weights(model, path)


def _wide(layers: Any) -> list[Any]:
    return [*(layers.Dense(64, "relu") for _ in range(9)), layers.Dense(10, "softmax")]


def test_damage_within_the_hdf5_file_is_our_own_error(tmp_path: Path) -> None:
    """h5py answers some of it with SystemError or OverflowError."""
    layers: Build = lambda layers: [  # noqa: E731
        layers.Input((28, 28, 1)),
        layers.Conv2D(2, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax"),
    ]
    saved(tmp_path / "small.keras", layers)
    model = read_network(tmp_path / "small.keras")
    with zipfile.ZipFile(tmp_path / "small.keras") as archive:
        whole = archive.read("model.weights.h5")
    reasons = []
    for seed in range(300):
        rng, damaged = random.Random(seed), bytearray(whole)
        for _ in range(3):
            place = rng.randrange(len(whole) - 16)
            other = rng.randrange(len(whole) - 16)
            damaged[place : place + 16] = rng.choice((b"\xff" * 16, bytes(16), whole[other : other + 16]))
        path = written(tmp_path / "x", {"model.weights.h5": bytes(damaged)})
        try:
            read_weights(model, path)
        except DamagedFile as error:
            reasons.append(str(error))
    assert 20 < len(reasons) < 300
    assert all("weights that are not read" in reason for reason in reasons)


@pytest.mark.parametrize("change", ["a circle", "sizes of 4 bytes", "another beginning"])
def test_a_list_in_hdf5_that_does_not_end_is_not_given_to_hdf5(path: Path, monkeypatch, change: str) -> None:
    """HDF5 follows a list of free space that leads back to itself until the memory is full: 5 GB in 13 seconds."""
    with zipfile.ZipFile(path) as archive:
        content = bytearray(archive.read("model.weights.h5"))
    heap = content.find(b"HEAP")
    free, address = (int.from_bytes(content[heap + at : heap + at + 8], "little") for at in (16, 24))
    if change == "a circle":
        content[address + free : address + free + 8] = free.to_bytes(8, "little")
    elif change == "sizes of 4 bytes":
        content[13:15] = b"\4\4"
    else:
        content[:0] = bytes(512)
    damaged = written(path, {"model.weights.h5": bytes(content)})
    monkeypatch.setattr(h5py, "File", pytest.fail)
    says = "the list of free space does not end" if change == "a circle" else "not an HDF5 file as Keras writes it"
    with pytest.raises(DamagedFile, match=says):
        read_weights(read_network(path), damaged)
