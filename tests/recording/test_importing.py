"""Files of other tools become runs; what is damaged or unknown is refused by name."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from mnist_core.cli.parser import main
from mnist_core.errors import DamagedFile
from mnist_core.recording import importing
from mnist_core.recording.importing import read, read_all
from mnist_core.recording.tensorboard import masked_crc
from mnist_core.runs.store import Store
from tests.support.memory import CAN_MEASURE, measured
from tests.support.outside import HISTORY, labels_of, probabilities


def imported(store: Store, *arguments: object) -> int:
    return main(["import", *map(str, arguments), "--store", str(store.root)])


def csv_of(path: Path, made: np.ndarray, labels=None, ids=None) -> Path:
    names = [f"p{number}" for number in range(made.shape[1])]
    ids = range(len(made)) if ids is None else ids
    head = ["id", *([] if labels is None else ["label"]), *names]
    lines = [[place, *([] if labels is None else [labels[place]]), *map(repr, made[place].tolist())] for place in ids]
    path.write_text("\n".join(",".join(map(str, line)) for line in [head, *lines]))
    return path


def test_an_npz_of_predictions_becomes_a_run(store, digits, tmp_path, capsys) -> None:
    made = probabilities(digits.y_test, 10)
    np.savez(tmp_path / "forest.npz", labels=digits.y_test, probabilities=made)
    assert imported(store, tmp_path / "forest.npz", "--dataset", "digits", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["dataset"], found["test"]["errors"]) == ("forest", "digits", 20)
    run = store.get(found["id"])
    assert (run.recorded.source, run.pictures) == ("file", True)
    np.testing.assert_allclose(run.predictions().probabilities, made, rtol=1e-6)


def test_a_csv_of_predictions_is_brought_into_the_order_of_its_ids(store, digits, tmp_path) -> None:
    made = probabilities(digits.y_test, 10)
    shuffled = np.random.default_rng(0).permutation(len(made))
    path = csv_of(tmp_path / "net.csv", made, digits.y_test, shuffled)
    assert imported(store, path, "--dataset", "digits") == 0
    np.testing.assert_allclose(store.find("net").predictions().probabilities, made, rtol=1e-6)


def test_a_csv_of_guesses_by_name(store, tmp_path) -> None:
    (tmp_path / "cats.csv").write_text("label,predicted\ncat,cat\ndog,cat\ndog,dog\n")
    assert imported(store, tmp_path / "cats.csv", "--dataset", "pets") == 0
    run = store.find("cats")
    assert run.classes == ("cat", "dog")
    assert run.test_scores().errors == 1


def test_a_history_of_keras_csv_logger(store, tmp_path) -> None:
    keras = pytest.importorskip("keras")
    x, y = np.random.default_rng(0).normal(size=(20, 3)), labels_of(2, 20)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, "softmax")])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    path = tmp_path / "log.csv"
    model.fit(x, y, validation_split=0.5, epochs=3, verbose=0, callbacks=[keras.callbacks.CSVLogger(str(path))])
    assert imported(store, path, "--name", "logged") == 0
    run = store.find("logged")
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(run.history()[name], model.history.history[name], rtol=1e-5)
    assert run.predictions() is None


def test_a_history_as_json_belongs_to_predictions_where_it_is_given_with_them(store, digits, tmp_path) -> None:
    np.savez(tmp_path / "net.npz", probabilities=probabilities(digits.y_test, 10))
    (tmp_path / "history.json").write_text(json.dumps(HISTORY))
    arguments = (tmp_path / "net.npz", "--dataset", "digits", "--history", tmp_path / "history.json")
    assert imported(store, *arguments, "--parameters", 99) == 0
    run = store.find("net")
    assert (run.epochs_done, run.parameters) == (3, 99)
    assert run.history()["val_loss"].tolist() == HISTORY["val_loss"]


# -- Trackio -----------------------------------------------------------------------------------------------------------


def trackio(path: Path, metric: str, runs: dict[str, list[float]], place: str = "step") -> Path:
    """Write what the button "Download this plot's data" of Trackio 0.43 writes: one metric of the chosen runs."""
    lines = [
        f"{step},{values[step]},4ffb0361-{name},{name}"
        for step in range(max(map(len, runs.values())))
        for name, values in runs.items()
        if step < len(values)
    ]
    path.write_text("\n".join([f"{place},{metric},series_key,run", *lines]))
    return path


def test_the_plots_of_trackio_become_the_runs_that_they_show(store, tmp_path) -> None:
    longer = {name: [*values, 0.5] for name, values in HISTORY.items()}
    loss, *further = [
        trackio(tmp_path / f"{tag.replace('/', '_')}.csv", tag, {"net-a": HISTORY[name], "b": longer[name]})
        for tag, name in (("train/loss", "loss"), ("val/loss", "val_loss"), ("val/accuracy", "val_accuracy"))
    ]
    assert imported(store, loss, "--history", *further) == 0
    for run, given in (("net-a", HISTORY), ("b", longer)):
        history = store.find(run).history()
        for name in ("loss", "val_loss", "val_accuracy"):
            assert history[name].tolist() == given[name]
        assert np.isnan(history["accuracy"]).all()


@pytest.mark.parametrize(
    ("further", "says"),
    [
        ("step,val/loss,series_key,run\n0,1,4ffb0361-b,b", "holds 1 runs, and there is none of net-a"),
        ("step,train/loss,series_key,run\n0,1,4ffb0361-net-a,net-a", "has the column train/loss again"),
        ("step,val/loss,series_key,run\n0,1,4ffb0361-net-a,net-a", "have different lengths"),
        ("id,p0,p1\n0,0.5,0.5", "holds predictions; give a history"),
    ],
)
def test_a_further_plot_that_does_not_fit_is_refused(store, tmp_path, capsys, further, says) -> None:
    runs = {"net-a": HISTORY["loss"]} | ({"c": [1.0]} if "none of" in says else {})
    loss = trackio(tmp_path / "train_loss.csv", "train/loss", runs)
    (tmp_path / "further.csv").write_text(further)
    assert imported(store, loss, "--history", tmp_path / "further.csv") == 2
    assert says in capsys.readouterr().err
    assert not [run for run in store.runs() if run.recorded]


def test_a_table_of_steps_becomes_one_run_with_a_row_a_step(store, tmp_path) -> None:
    """The form that `trackio.import_csv` reads; a call for each metric makes two lines of a step."""
    text = "timestamp,step,train/loss,val/loss\nx,1,0.5,\nx,0,1.0,\nx,0,,0.9\nx,1,,0.6\n"
    (tmp_path / "log.csv").write_text(text)
    assert imported(store, tmp_path / "log.csv") == 0
    history = store.find("log").history()
    assert (history["loss"].tolist(), history["val_loss"].tolist()) == ([1.0, 0.5], [0.9, 0.6])


def test_lines_of_one_epoch_are_one_row_where_epochs_are_whole(tmp_path) -> None:
    (tmp_path / "log.csv").write_text("step,epoch,loss,val_loss\n0,1,1.0,\n1,1,0.8,\n2,1,,0.9\n3,2,0.5,\n")
    assert read(tmp_path / "log.csv").history == {"loss": [0.8, 0.5], "val_loss": [0.9, None]}
    (tmp_path / "log.csv").write_text("step,epoch,loss\n0,1e400,1.0\n1,1.0,0.8\n")
    assert read(tmp_path / "log.csv").history == {"loss": [1.0, 0.8]}
    (tmp_path / "log.csv").write_text("step,epoch,loss\n0,0.5,1.0\n1,1.0,0.8\n")
    assert read(tmp_path / "log.csv").history == {"loss": [1.0, 0.8]}


# -- TensorBoard -------------------------------------------------------------------------------------------------------


def _bytes(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def _event(step: int, tag: str, value: float, *, tensor: bool) -> bytes:
    packed = struct.pack("<f", value)
    held = _bytes(8, bytes([1 << 3, 1]) + _bytes(4, packed)) if tensor else bytes([2 << 3 | 5]) + packed
    return bytes([2 << 3, step]) + _bytes(5, _bytes(1, _bytes(1, tag.encode()) + held))


def _record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def log_of(folder: Path, *, tensor: bool = False) -> Path:
    """Write what Keras's TensorBoard callback writes."""
    for part, prefix in (("train", ""), ("validation", "val_")):
        (folder / part).mkdir(parents=True)
        records = [
            _record(_event(step, f"epoch_{name}", HISTORY[prefix + name][step], tensor=tensor))
            for step in range(3)
            for name in ("loss", "accuracy")
        ]
        (folder / part / "events.out.tfevents.1.here").write_bytes(b"".join(records))
    return folder


@pytest.mark.parametrize("tensor", [False, True])
def test_a_tensorboard_log_is_read(store, tmp_path, tensor) -> None:
    assert imported(store, log_of(tmp_path / "logs", tensor=tensor)) == 0
    run = store.find("logs")
    for name, values in HISTORY.items():
        np.testing.assert_allclose(run.history()[name], values, rtol=1e-6)


def test_what_tensorflow_writes_is_read(tmp_path) -> None:
    tf = pytest.importorskip("tensorflow")
    with tf.summary.create_file_writer(str(tmp_path / "logs" / "validation")).as_default():
        for step, value in enumerate((0.5, 0.25)):
            tf.summary.write("epoch_loss", value, step=step)
    assert read(tmp_path / "logs").history == {"val_loss": [0.5, 0.25]}


def test_the_checksum_is_that_of_the_standard() -> None:
    """CRC-32C of "123456789" is E3069283 (RFC 3720); masked as TensorFlow does."""
    crc = 0xE3069283
    assert masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_last_record_that_is_still_being_written_is_left_out(tmp_path) -> None:
    path = log_of(tmp_path / "logs") / "train" / "events.out.tfevents.1.here"
    path.write_bytes(path.read_bytes()[:-5])
    found = read(path).history
    assert found["accuracy"] == [*np.float32(HISTORY["accuracy"][:2]).tolist(), None]
    assert len(found["loss"]) == 3


def test_a_changed_byte_in_a_log_is_found_out(tmp_path) -> None:
    path = log_of(tmp_path / "logs") / "train" / "events.out.tfevents.1.here"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="the checksum of record 1 does not fit"):
        read(path)


@pytest.mark.parametrize("cut", range(1, 28, 3))
def test_no_log_whatever_ends_otherwise_than_in_a_damaged_file(tmp_path, cut) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(_record(_event(0, "epoch_loss", 0.5, tensor=True)[:cut]))
    with pytest.raises(DamagedFile):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "a,b\n1,2\n", "has the columns a, b; predictions need p0, p1"),
        ("a.csv", "p0,p2\n1,0\n", "they must count from p0 without a gap"),
        ("a.csv", "p0,p1\n1,zero\n", "line 2: p1 is 'zero'; it must be a number"),
        ("a.csv", "p0,p1\n1\n", "line 2: it has 1 values, and the first line 2"),
        ("a.csv", "id,p0,p1\n0,1,0\n2,1,0\n", "ids from 0 to 2; an id is the place"),
        ("a.csv", "p0,p1", "it needs a line of column names"),
        ("a.csv", 'id,label,p0,p1\n0,"1,.5,.5\n', "cannot be read: unexpected end of data"),
        ("a.csv", "p0,p1\n1," + 200_000 * "1", "line 2: it has more than 65,536 characters"),
        (
            "a.csv",
            "id,label,p0,p1\n99999999999999999999999,1,.5,.5\n",
            "with ids from 99,999,999,999,999,999,999,999 to 99",
        ),
        ("a.csv", "label,p0,p1\n0,.5,.5\n,.5,.5\n", "line 3: label is missing"),
        ("a.csv", "label,predicted\n0,1\n1,NA\n", "line 3: predicted is missing"),
        ("a.csv", "label,predicted\n0,99999999999999999999999\n1,1", "line 2: predicted is 9999999999999"),
        ("a.csv", "\xff", "cannot be read"),
        ("a.json", "[1]", "holds a list; a history is a table of lists"),
        ("a.json", "{", "cannot be read"),
        ("a.npz", "PK", "is not an .npz file that can be used"),
        ("a.txt", "x", "is of no kind that is read"),
        ("events.out.tfevents.1", "123456789012", "the checksum of the length of record 1 does not fit"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(store, tmp_path, capsys, name, content, says) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    assert imported(store, tmp_path / name) != 0
    output = capsys.readouterr().err
    assert name in output
    assert says in output
    assert "Traceback" not in output
    assert not [run for run in store.runs() if run.recorded]


def test_a_pickle_in_an_npz_is_never_read(store, tmp_path, capsys) -> None:
    np.savez(tmp_path / "a.npz", probabilities=np.array([{"a": 1}], object))
    assert imported(store, tmp_path / "a.npz") == 1
    assert "there may be numbers and text only" in capsys.readouterr().err


def test_a_file_that_is_not_there(store, tmp_path, capsys) -> None:
    assert imported(store, tmp_path / "gone.npz") == 1
    assert "does not exist" in capsys.readouterr().err


def test_empty_lines_of_a_table_are_passed_over(tmp_path) -> None:
    (tmp_path / "log.csv").write_text("\n\r\nepoch,loss\n\n0,0.5\n\n\n1,0.25\n\n")
    assert read(tmp_path / "log.csv").history == {"loss": [0.5, 0.25]}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty lines", b"\n" * importing.MOST_CSV_BYTES, "more than 500,000 lines"),
        ("empty lines of Windows", b"epoch,loss\r\n" + b"\r\n" * 10_000_000, "more than 500,000 lines"),
        ("lines of one digit", b"loss\n" + b"1\n" * 20_000_000, "more than 500,000 lines"),
        ("one long line", b"," * importing.MOST_CSV_BYTES, "line 1: it has more than 65,536 characters"),
        ("one line of pictures", "\U0001f600".encode() * (importing.MOST_CSV_BYTES // 4), "line 1: it has more than"),
        ("too many bytes", b"\n" * (importing.MOST_CSV_BYTES + 1), "64 MB of a table of text are read; give an .npz"),
        ("a value of 100,000", b"epoch,loss\n0," + b"1" * 50_000 + b"\n", "line 2: a value has 50,000 characters"),
    ],
)  # fmt: skip
@pytest.mark.skipif(not CAN_MEASURE, reason="only Linux counts the peak of a process anew")
def test_a_table_that_would_fill_the_memory_is_refused_before(tmp_path, name, content, says) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with measured() as peak, pytest.raises(DamagedFile, match=says):
        read_all(tmp_path / "log.csv")
    assert peak.bytes < 100 * 2**20


def test_a_table_of_too_many_values_or_runs_is_refused(tmp_path, monkeypatch) -> None:
    path = tmp_path / "log.csv"
    path.write_text("run,step,loss\n" + "".join(f"{number},0,1\n" for number in range(importing.MOST_RUNS + 1)))
    with pytest.raises(DamagedFile, match=r"log\.csv holds 201 runs, and 200 are read"):
        read_all(path)
    monkeypatch.setattr(importing, "MOST_CELLS", 600)
    with pytest.raises(DamagedFile, match="more than 600 values, the most that are read"):
        read_all(path)


def test_a_fact_of_mlflow_that_is_a_list_of_lists_of_itself_is_no_text(tmp_path) -> None:
    """As text, 20 lists of 10 times the list before would take 10^20 characters."""
    lists = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 20))
    (tmp_path / "run" / "metrics").mkdir(parents=True)
    (tmp_path / "run" / "meta.yaml").write_text(f"run_id: a\nl0: &l0 [x]\n{lists}run_name: *l19\nstatus: *l19\n")
    (tmp_path / "run" / "metrics" / "loss").write_text("1 0.5 0\n2 0.25 1\n")
    found = read(tmp_path / "run")
    assert (found.name, found.history) == ("run", {"loss": [0.5, 0.25]})
