"""A class, without a browser: the command says what it does and waits, and the pages keep to what a student may do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import class_command, classroom
from mnist_core.errors import NotAllowed
from mnist_core.files import write_json
from mnist_core.people import student
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.pages import text_of
from tests.support.synthetic import FINGERPRINT, MakeRun, config

OpenPage = Callable[..., AppTest]


@pytest.fixture
def run_of_ben(store: Store) -> Run:
    """A queued run that Ben has requested."""
    theirs = Store(store.root, who=lambda: student("Ben"))
    return theirs.add(config((8,)), name="of Ben", fingerprint=FINGERPRINT)[0]


def test_a_student_sees_whose_run_it_is_and_has_no_button_that_cancels_the_run_of_another(
    app: OpenPage, runner: FakeRunner, as_viewer: Callable[[str], Classroom], run_of_ben: Run, store: Store
) -> None:
    from dashboard import resources

    as_viewer("Ada")
    runner.store = resources.store()
    page = app("views/train/page.py")
    assert "of Ben" in text_of(page)
    assert f"live_cancel_{run_of_ben.id}" not in {button.key for button in page.button}
    with pytest.raises(NotAllowed, match="only Ben or the teacher may"):
        runner.cancel(run_of_ben.id)
    assert store.get(run_of_ben.id).state == "queued"
    as_viewer("")
    app("views/train/page.py").button(key=f"live_cancel_{run_of_ben.id}").click().run()
    assert store.get(run_of_ben.id).state == "cancelled"


def test_a_student_has_no_button_that_stops_at_once_the_run_of_another(
    app: OpenPage, runner: FakeRunner, as_viewer: Callable[[str], Classroom], run_of_ben: Run
) -> None:
    (run_of_ben.path / "cancel").touch()  # it is being stopped
    kill = f"live_kill_{run_of_ben.id}"
    as_viewer("Ada")
    page = app("views/train/page.py")
    assert "of Ben" in text_of(page)
    assert kill not in {button.key for button in page.button}
    as_viewer("Ben")
    assert kill in {button.key for button in app("views/train/page.py").button}
    as_viewer("")
    assert kill in {button.key for button in app("views/train/page.py").button}


def test_only_the_teacher_downloads_registers_and_forgets_data(
    app: OpenPage, as_viewer: Callable[[str], Classroom], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    write_json(store.root / "datasets.json", {"fashion": str(tmp_path / "fashion.npz")})
    as_viewer("Ada")
    page = app("views/data.py")
    assert page.button(key="data_download").disabled
    assert page.button(key="data_forget_fashion").disabled
    assert "only the teacher may" in text_of(page)
    assert not page.get("file_uploader")
    as_viewer("")
    page = app("views/data.py")
    assert not page.button(key="data_download").disabled
    assert not page.button(key="data_forget_fashion").disabled


def test_runs_shows_the_owner_and_filters_by_one(
    app: OpenPage, as_viewer: Callable[[str], Classroom], run_of_ben: Run, make_run: MakeRun
) -> None:
    make_run("of nobody", config((16,)))
    as_viewer("Ada")
    page = app("views/runs/page.py")
    frame = page.data_editor[0].value
    assert dict(zip(frame["name"], frame["owner"].fillna(""), strict=True)) == {"of nobody": "", "of Ben": "Ben"}
    page.selectbox(key="owner").set_value("Ben").run()
    assert list(page.data_editor[0].value["name"]) == ["of Ben"]


def test_without_a_class_and_without_owners_runs_is_as_it_was(app: OpenPage, make_run: MakeRun) -> None:
    make_run("one")
    page = app("views/runs/page.py")
    assert "owner" not in page.data_editor[0].value.columns
    assert "owner" not in [box.key for box in page.selectbox]


def test_compare_opens_with_what_the_teacher_has_pinned(
    app: OpenPage, as_viewer: Callable[[str], Classroom], make_run: MakeRun
) -> None:
    runs = [make_run(f"run {number}", config((number,))) for number in (8, 16, 32)]
    room = as_viewer("")
    room.pin(classroom.person(), (runs[0].id,))
    as_viewer("Ada")
    assert app().query_params["runs"] in (runs[0].id, [runs[0].id])


def test_the_page_of_a_class_shows_the_teachers_part_to_the_teacher_alone(
    app: OpenPage, as_viewer: Callable[[str], Classroom], run_of_ben: Run
) -> None:
    room = as_viewer("Ada")
    page = app("views/classroom.py")
    assert not page.exception
    assert "You are Ada." in text_of(page)
    assert "1. Ben: of Ben" in text_of(page)
    assert room.code in text_of(page)
    assert "For the teacher" not in text_of(page)
    as_viewer("")
    page = app("views/classroom.py")
    page.selectbox(key="class_name").set_value("Ada").run()
    room.join(room.code, "Chi")
    page.run()
    assert page.selectbox(key="class_name").options == ["Ada", "Chi"]
    assert page.selectbox(key="class_name").value == "Ada"
    page.button(key="class_remove").click().run()
    assert [member.name for member in room.members] == ["Chi"]
    assert page.selectbox(key="class_name").value is None


@pytest.fixture
def runs_of_two(make_run: MakeRun) -> list[Run]:
    """A finished run by Ada and a much better one by Ben."""
    runs = [make_run("of Ada", config((8,)), errors=200), make_run("of Ben", config((16,)), errors=10)]
    for run, owner in zip(runs, ("Ada", "Ben"), strict=True):
        write_json(run.path / "meta.json", run.meta.model_copy(update={"owner": owner}).model_dump(mode="json"))
    return runs


def test_the_board_orders_people_and_the_teacher_alone_closes_it(
    app: OpenPage, as_viewer: Callable[[str], Classroom], runs_of_two: list[Run]
) -> None:
    room = as_viewer("Chi")
    page = app("views/board.py")
    assert not page.exception
    assert "Ben is first: on these 250 images" in text_of(page)
    assert "The final order is by the other half" in text_of(page)
    assert list(page.dataframe[0].value["Name"]) == ["Ben", "Ada"]
    assert [toggle.key for toggle in page.toggle] == []
    as_viewer("")
    page = app("views/board.py")
    page.toggle(key="board_final").set_value(True).run()
    assert room.final
    assert "have chosen nothing" in text_of(page)


def test_the_board_says_how_to_get_on_it(app: OpenPage, as_viewer: Callable[[str], Classroom]) -> None:
    as_viewer("Ada")
    page = app("views/board.py")
    assert not page.exception
    assert "Nobody is on the board yet" in text_of(page)


def test_nothing_is_opened_before_somebody_agrees(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    monkeypatch.setenv(classroom.CLASS_VARIABLE, "")
    monkeypatch.setattr("builtins.input", lambda prompt: (_ for _ in ()).throw(EOFError))
    monkeypatch.setattr("dashboard.__main__.serve", lambda options: pytest.fail("it was opened"))
    assert class_command.main(["--address", "127.0.0.1"]) == 1
    output = capsys.readouterr().out
    assert "Everybody on this network who has the code can see all runs" in output
    assert "Nothing was opened" in output


def test_the_server_answers_to_the_printed_addresses_only(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    monkeypatch.setenv(classroom.CLASS_VARIABLE, "")
    given: list[str] = []
    monkeypatch.setattr("dashboard.__main__.serve", given.extend)
    assert class_command.main(["--yes", "--address", "192.0.2.7", "--port", "8600", "--server.maxUploadSize", "8"]) == 0
    hosts = [value for name, value in itertools.pairwise(given) if name == "--server.allowedHosts"]
    assert hosts == ["192.0.2.7", "localhost", "127.0.0.1"]
    assert given[-2:] == ["--server.maxUploadSize", "8"]
    output = capsys.readouterr().out
    room = Classroom(store.root)
    assert all(text in output for text in ("http://192.0.2.7:8600", room.code, room.secret, "http://localhost:8600"))


def test_a_computer_without_a_network_is_told_what_to_do(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    monkeypatch.setattr("psutil.net_if_addrs", dict)
    assert class_command.main(["--yes"]) == 1
    assert "this computer is in no network; join one" in capsys.readouterr().err


def test_the_limits_count_in_a_class_only(
    as_viewer: Callable[[str], Classroom], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mnist_core.errors import TooOften
    from mnist_core.limits import RateLimit

    limit = RateLimit("drawings", 1, 60)
    as_viewer("Ada")
    classroom.count(limit)
    with pytest.raises(TooOften):
        classroom.count(limit)
    monkeypatch.setenv(classroom.CLASS_VARIABLE, "")
    classroom.count(limit)
