"""A class: its code, names that belong to the browser that took them, and what the teacher alone may do."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mnist_core.errors import ConfigError, NotAllowed, StoreError, TooOften
from mnist_core.limits import RateLimit
from mnist_core.people import OWNER, TEACHER, VISITOR, Person, student
from mnist_core.runs.classroom import CODE_LENGTH, LETTERS, MOST_PINNED, Classroom


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    """A class that nobody has joined."""
    return Classroom(tmp_path)


def test_a_code_is_short_and_has_no_letter_that_looks_like_another(room: Classroom) -> None:
    letters = room.code.replace("-", "")
    assert len(letters) == CODE_LENGTH
    assert set(letters) <= set(LETTERS)
    assert not set(LETTERS) & set("IO01L")


@pytest.mark.parametrize("change", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
def test_the_code_may_be_typed_in_any_case_and_without_the_dash(room: Classroom, change: object) -> None:
    token = room.join(change(room.code), "Ada")  # type: ignore[operator]
    assert room.person(token) == student("Ada")


@pytest.mark.parametrize("code", ["", "AAA-AAA", "é"])
def test_nobody_joins_with_another_code(room: Classroom, code: str) -> None:
    with pytest.raises(NotAllowed, match="not the code"):
        room.join(code, "Ada")
    assert room.members == []


@pytest.mark.parametrize("again", ["Ada", "ada", " A da ", "Ａｄａ", TEACHER, "teacher"])
def test_a_name_that_is_taken_or_looks_so_is_refused(room: Classroom, again: str) -> None:
    room.join(room.code, "Ada")
    with pytest.raises(ConfigError, match="in the class already"):
        room.join(room.code, again)


@pytest.mark.parametrize("token", [None, "", "guess"])
def test_whoever_has_no_token_of_the_class_is_a_visitor(room: Classroom, token: str | None) -> None:
    room.join(room.code, "Ada")
    assert room.person(token) == VISITOR


def test_the_secret_makes_a_teacher_and_the_code_does_not(room: Classroom) -> None:
    assert room.person(room.teach(room.secret)) == Person(TEACHER, "teacher")
    with pytest.raises(NotAllowed, match="teacher's link"):
        room.teach(room.code)
    assert [member.name for member in room.members] == []


def test_names_outlive_the_server(room: Classroom, tmp_path: Path) -> None:
    token = room.join(room.code, "Ada")
    again = Classroom(tmp_path)
    assert (again.person(token), again.code, again.secret) == (student("Ada"), room.code, room.secret)


def test_a_new_class_knows_nobody_and_has_another_code_and_secret(room: Classroom, tmp_path: Path) -> None:
    token = room.join(room.code, "Ada")
    new = Classroom(tmp_path, new=True)
    assert new.person(token) == VISITOR
    assert (new.code, new.secret) != (room.code, room.secret)


def test_the_file_holds_no_token_and_only_its_owner_reads_it(room: Classroom, tmp_path: Path) -> None:
    token = room.join(room.code, "Ada")
    path = tmp_path / "class" / "class.json"
    assert token not in path.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["{", "[]", '{"code": "x"}'])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "class.json").write_text(content)
    with pytest.raises(StoreError, match=r"class\.json .*--new"):
        Classroom(tmp_path)


@pytest.mark.parametrize("person", [student("Ada"), VISITOR], ids=["a student", "a visitor"])
def test_only_the_teacher_pins_removes_and_closes(room: Classroom, person: Person) -> None:
    token = room.join(room.code, "Ada")
    for change in (
        lambda: room.pin(person, ("0" * 12,)),
        lambda: room.remove(person, "Ada"),
        lambda: room.close_board(person, final=True),
    ):
        with pytest.raises(NotAllowed):
            change()
    assert (room.pinned, room.final, room.person(token)) == ((), False, student("Ada"))


def test_a_name_that_the_teacher_removes_is_free_again(room: Classroom) -> None:
    token = room.join(room.code, "Ada")
    room.remove(OWNER, "Ada")
    assert room.person(token) == VISITOR
    assert room.person(room.join(room.code, "Ada")) == student("Ada")


def test_no_more_runs_are_pinned_than_there_are_colours(room: Classroom) -> None:
    room.pin(OWNER, ("a" * 12, "b" * 12, "a" * 12))
    assert room.pinned == ("a" * 12, "b" * 12)
    with pytest.raises(ConfigError, match=f"{MOST_PINNED} can be pinned"):
        room.pin(OWNER, tuple(f"{number:012x}" for number in range(MOST_PINNED + 1)))


def test_a_limit_counts_each_person_alone_and_lets_them_go_on_after_a_while() -> None:
    now = 0.0
    limit = RateLimit("uploads", 3, 60, clock=lambda: now)
    for _ in range(3):
        limit.take("Ada")
    with pytest.raises(TooOften, match=r"3 uploads in 60 seconds are the most; wait 20 s"):
        limit.take("Ada")
    limit.take("Ben")
    now = 20.0
    limit.take("Ada")
    with pytest.raises(TooOften):
        limit.take("Ada")
