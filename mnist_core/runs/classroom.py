"""A class on one server: its code, the teacher's secret, and the names of those who have joined.

All of it is one file, `class/class.json` in the store's folder, which only the owner of the machine can read. A browser
gets a token when it joins, and shows it with each request; the file holds the tokens' digests only. A name belongs to
the browser that took it first.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
import unicodedata
from pathlib import Path

from pydantic import Field, ValidationError

from mnist_core.errors import ConfigError, NotAllowed, StoreError
from mnist_core.experiments.frozen import Frozen, explain
from mnist_core.files import make_folder, read_json, replacing
from mnist_core.people import TEACHER, VISITOR, Person, checked_name

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Of a code: none looks like another on a projector, so that I, L, O, 0 and 1 are missing."""
CODE_LENGTH = 6
TOKEN_BYTES = 24
MOST_PEOPLE = 200
MOST_PINNED = 7
"""So many runs may be pinned: as many as there are colours."""


class Member(Frozen):
    """Somebody who has joined. joined_at: Unix seconds."""

    name: str
    teacher: bool = False
    joined_at: float


class ClassFile(Frozen):
    """`class.json`. people: by the SHA-256 of their token. pinned: ids of runs. final: the final order is shown."""

    code: str = Field(pattern=f"^[{LETTERS}]{{{CODE_LENGTH}}}$")
    secret: str = Field(min_length=16)
    opened_at: float
    people: dict[str, Member] = Field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    final: bool = False


class Classroom:
    """One class. All methods may be called from any thread of the one process that serves it."""

    def __init__(self, root: Path, *, new: bool = False) -> None:
        """Open the class of the store at `root`, or begin one; with `new` always a new one, which nobody has joined.

        Raises
        ------
        StoreError
            where the file is damaged, or cannot be written.
        """
        self._path = root / "class" / "class.json"
        self._lock = threading.Lock()
        try:
            if new:
                raise FileNotFoundError
            self._content = ClassFile.model_validate(read_json(self._path))
        except FileNotFoundError:
            code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
            self._content = ClassFile(code=code, secret=secrets.token_urlsafe(TOKEN_BYTES), opened_at=time.time())
            self._write(self._content)
        except ValidationError as error:
            raise StoreError(f"{self._path} is damaged: {explain(error)}; begin a new class with --new") from error
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._path} cannot be read ({error}); begin a new class with --new") from error

    @property
    def code(self) -> str:
        """The text that a person types to join, in two groups such as ``ABC-DEF``."""
        half = CODE_LENGTH // 2
        return f"{self._content.code[:half]}-{self._content.code[half:]}"

    @property
    def secret(self) -> str:
        """The word in the teacher's link."""
        return self._content.secret

    @property
    def members(self) -> list[Member]:
        """Those who have joined, in order, the teacher's browsers left out."""
        found = {member.name: member for member in self._content.people.values() if not member.teacher}
        return sorted(found.values(), key=lambda member: member.joined_at)

    @property
    def pinned(self) -> tuple[str, ...]:
        """The ids of the runs that the teacher has put in front of the class."""
        return self._content.pinned

    @property
    def final(self) -> bool:
        """True if the teacher has closed the board: the final order is shown."""
        return self._content.final

    # -- joining -----------------------------------------------------------------------------------------------------

    def join(self, code: str, name: str) -> str:
        """Return a token for a person with this name.

        Raises
        ------
        NotAllowed
            where the code is another one.
        ConfigError
            where the name is odd or taken, or MOST_PEOPLE have joined.
        """
        given = "".join(letter for letter in code.upper() if letter.isalnum())
        if not secrets.compare_digest(given.encode(), self._content.code.encode()):
            raise NotAllowed("this is not the code of the class; look at it again, it has six letters or figures")
        name = checked_name(name)
        with self._lock:
            if len(self._content.people) >= MOST_PEOPLE:
                raise ConfigError(f"{MOST_PEOPLE} have joined, which is the most; the teacher can remove some")
            taken = {_folded(member.name) for member in self._content.people.values()} | {_folded(TEACHER)}
            if _folded(name) in taken:
                raise ConfigError(
                    f"there is a {name} in the class already; choose another name, such as {name[:36]} B. "
                    "If that is you on another device, open your own link, which the page Class of that device shows"
                )
            return self._admit(name, teacher=False)

    def teach(self, secret: str) -> str:
        """Return a token for the teacher, who has opened the teacher's link; raise NotAllowed for another secret."""
        if not secrets.compare_digest(secret.encode(), self._content.secret.encode()):
            raise NotAllowed("this is not the teacher's link of this class; the computer that serves it shows that")
        with self._lock:
            return self._admit(TEACHER, teacher=True)

    def _admit(self, name: str, *, teacher: bool) -> str:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        member = Member(name=name, teacher=teacher, joined_at=time.time())
        self._change(people=self._content.people | {_digest(token): member})
        return token

    def person(self, token: str | None) -> Person:
        """Return whoever holds this token; a visitor where nobody does."""
        found = self._content.people.get(_digest(token)) if token else None
        return Person(found.name, "teacher" if found.teacher else "student") if found else VISITOR

    # -- what the teacher does ---------------------------------------------------------------------------------------

    def remove(self, by: Person, name: str) -> None:
        """Take a name off the list: its browser has to join again. Their runs stay. Raises NotAllowed."""
        by.check("pin")
        with self._lock:
            self._change(people={key: found for key, found in self._content.people.items() if found.name != name})

    def pin(self, by: Person, runs: tuple[str, ...]) -> None:
        """Put these runs in front of the class, in place of those before. Raises NotAllowed, ConfigError."""
        by.check("pin")
        if len(runs) > MOST_PINNED:
            raise ConfigError(f"{len(runs)} runs are chosen, and {MOST_PINNED} can be pinned; choose fewer")
        with self._lock:
            self._change(pinned=tuple(dict.fromkeys(runs)))

    def close_board(self, by: Person, final: bool) -> None:
        """Show the final order, or the one of the lesson again. Raises NotAllowed."""
        by.check("pin")
        with self._lock:
            self._change(final=final)

    def _change(self, **update: object) -> None:
        content = self._content.model_copy(update=update)
        self._write(content)
        self._content = content

    def _write(self, content: ClassFile) -> None:
        make_folder(self._path.parent)
        with replacing(self._path, private=True) as file:
            file.write(json.dumps(content.model_dump(mode="json"), indent=1, ensure_ascii=False).encode())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _folded(name: str) -> str:
    """Return what two names that look the same share."""
    return unicodedata.normalize("NFKC", name).casefold().replace(" ", "")
